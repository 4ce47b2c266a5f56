"""The seal of requests that wait in a database: AES-256-GCM, under a key that comes from the ledger's secret.

The arithmetic is `cryptography`'s, which is imported on first use.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import orjson

from kfq_async.errors import LedgerError
from kfq_async.protocol.codec import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Seal"]

_NONCE_BYTES = 12


class Seal:
    """Seals requests, each bound to its id, so that one cannot be put in another's place."""

    def __init__(self, secret: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = hashlib.blake2b(b"", digest_size=32, key=secret, person=b"seal").digest()
        self._random = random

    def seal(self, fields: Mapping[str, object], client_request_id: str) -> bytes:
        """Return a request's fields so that nobody can read them without the secret, bound to its id."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._random(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, encode(fields), _bound_to(client_request_id))

    def open(self, sealed: bytes, client_request_id: str) -> dict[str, object]:
        """Return the fields of the request with this id.

        Raises `LedgerError` for what was not sealed for it under this secret.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            text = AESGCM(self._key).decrypt(nonce, text, _bound_to(client_request_id))
        except (InvalidTag, ValueError):
            text = b""
        if not text:
            raise LedgerError("a waiting request was not sealed here: it was changed, or moved from another ledger")
        fields: dict[str, object] = orjson.loads(text)
        return fields


def _bound_to(client_request_id: str) -> bytes:
    return f"kfq_async request {client_request_id}".encode()
