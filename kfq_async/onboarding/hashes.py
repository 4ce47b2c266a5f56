"""Keyed hashes, by which a ledger recognises companies and bodies without holding them."""

from __future__ import annotations

import hashlib

__all__ = ["HASH_BYTES", "SECRET_BYTES", "Hashes"]

HASH_BYTES = 16
SECRET_BYTES = 32


class Hashes:
    """The hashes under one secret; without it, nobody finds out by trial which mobile number a key holds."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a ledger's secret has {SECRET_BYTES} bytes, not {len(secret)}")
        self._key = _begun(secret, b"key")
        self._body = _begun(secret, b"body")
        self._check = _begun(secret, b"check")

    def key(self, text: str) -> bytes:
        """Hash what a company is recognised by."""
        return _continued(self._key, text.encode("utf-8", "surrogatepass"))

    def body(self, body: bytes) -> bytes:
        """Hash a request's body as it is sent."""
        return _continued(self._body, body)

    def check(self) -> bytes:
        """Return what tells this secret from others."""
        return self._check.digest()


def _begun(secret: bytes, purpose: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=HASH_BYTES, key=secret, person=purpose)


def _continued(begun: hashlib.blake2b, data: bytes) -> bytes:
    """Hash data after what was begun, which stays as it is; to begin anew would take as long again."""
    copied = begun.copy()
    copied.update(data)
    return copied.digest()
