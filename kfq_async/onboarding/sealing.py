"""The seal of requests that wait in a database: AES-256-GCM, under a key that comes from the ledger's secret.

The arithmetic is `cryptography`'s, which is imported on first use.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from kfq_async.errors import LedgerError
from kfq_async.protocol.requests import Encoded

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Seal"]

_NONCE_BYTES = 12


class Seal:
    """Seals requests, each bound to its id, so that one cannot be put in another's place."""

    def __init__(self, secret: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = hashlib.blake2b(b"", digest_size=32, key=secret, person=b"seal").digest()
        self._random = random

    def seal(self, request: Encoded) -> bytes:
        """Return the request so that nobody can read it without the secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._random(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, request.body, _bound_to(request.client_request_id))

    def open(self, sealed: bytes, client_request_id: str) -> Encoded:
        """Return the request with this id; raises `LedgerError` for what was not sealed for it under this secret."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            body = AESGCM(self._key).decrypt(nonce, text, _bound_to(client_request_id))
        except (InvalidTag, ValueError):
            body = b""
        if not body:
            raise LedgerError("a waiting request was not sealed here: it was changed, or moved from another ledger")
        return Encoded(body, client_request_id)


def _bound_to(client_request_id: str) -> bytes:
    return f"kfq_async request {client_request_id}".encode()
