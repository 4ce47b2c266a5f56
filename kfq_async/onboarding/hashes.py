"""Keyed hashes, by which a ledger recognises companies and bodies without holding them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kfq_async.protocol.codec import encode, fields_of

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["HASH_BYTES", "SECRET_BYTES", "Hashes"]

HASH_BYTES = 16
SECRET_BYTES = 32


class Hashes:
    """The hashes under one secret; without it, nobody finds out by trial which mobile number a key holds."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a ledger's secret has {SECRET_BYTES} bytes, not {len(secret)}")
        self._secret = secret

    def key(self, text: str) -> bytes:
        """Hash what a company is recognised by."""
        return self._hash(text.encode("utf-8", "surrogatepass"), b"key")

    def body(self, request: CorpIdentLinkRequest) -> bytes:
        """Hash a request as it is sent; raises `EncodeError` for what cannot be sent."""
        return self._hash(encode(fields_of(request)), b"body")

    def check(self) -> bytes:
        """Return what tells this secret from others."""
        return self._hash(b"", b"check")

    def _hash(self, data: bytes, purpose: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=HASH_BYTES, key=self._secret, person=purpose).digest()
