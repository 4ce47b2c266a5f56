"""Outbox in PostgreSQL: encrypted requests, stored beside their entries until a worker has recorded a final result."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kfq_async.errors import LedgerError
from kfq_async.models.masking import MaskedBytes
from kfq_async.onboarding.decisions import apply_result
from kfq_async.onboarding.ledgers.base import HASH_BYTES, Hashes
from kfq_async.onboarding.records import FINAL_STATES, State
from kfq_async.protocol.requests import EncodedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kfq_async.onboarding.decisions import PendingRequest
    from kfq_async.onboarding.ledgers.postgres import PostgresLedger, PostgresTransaction
    from kfq_async.onboarding.records import CallResult, Entry

__all__ = ["Outbox", "RequestCipher"]


_ADD = """
INSERT INTO requests VALUES (%s, %s) ON CONFLICT (client_request_id) DO UPDATE SET sealed = excluded.sealed
"""
_GET = "SELECT sealed FROM requests WHERE client_request_id = %s"
_DELETE = "DELETE FROM requests WHERE client_request_id = %s"

_NONCE_BYTES = 12


class Outbox:
    """Requests of one ledger without a final result; each method is one transaction, or part of the given one."""

    def __init__(self, ledger: PostgresLedger, *, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._cipher = RequestCipher(ledger.secret)
        self._hashes = Hashes(ledger.secret)
        self._clock = clock

    async def add(self, transaction: PostgresTransaction, requests: Sequence[PendingRequest]) -> list[str]:
        """Store requests with their entries, in place of those that wait under the same ids; return the ids."""
        entries, encrypted = [], []
        for pending in requests:
            entries.append(pending.entry)
            encrypted.append((pending.entry.client_request_id, self._cipher.encrypt(pending.request)))
        await transaction.put(entries)
        async with transaction.connection.cursor() as cursor:
            await cursor.executemany(_ADD, encrypted)
        return [entry.client_request_id for entry in entries]

    async def start(self, client_request_id: str) -> tuple[EncodedRequest, bool] | None:
        """Mark a request as about to be sent; return it, and whether it may have been sent before.

        Returns ``None`` if it must not be sent: its result is final, or it was purged. Raises `LedgerError` if it is
        not the request of its entry, such as an earlier one that was put back.
        """
        async with self._ledger.transaction() as transaction:
            entry = await transaction.find_request(client_request_id)
            if entry is None or entry.state in FINAL_STATES:
                return None
            found = await (await transaction.connection.execute(_GET, (client_request_id,))).fetchone()
            if found is None:
                return None
            await transaction.record([], unknown=[entry])
            return self._open(found[0], entry), entry.state is State.UNKNOWN

    def _open(self, sealed: bytes, entry: Entry) -> EncodedRequest:
        """Return the request of an entry; no traceback of an error has it among its variables."""
        request = self._cipher.decrypt(sealed, entry.client_request_id)
        if self._hashes.body(request.body) == entry.body_hash[:HASH_BYTES]:
            return request
        del request
        raise LedgerError(
            f"request {entry.client_request_id} is not the one that was enqueued last, since the database was changed: "
            "enqueue its row again"
        )

    async def record(self, client_request_id: str, call: CallResult, *, in_doubt: bool) -> State | None:
        """Record the result of a call; return the state of its entry, or ``None`` if it was purged.

        A final result is kept: it was recorded by another worker, to which this one seemed dead.
        """
        async with self._ledger.transaction() as transaction:
            entry = await transaction.find_request(client_request_id)
            if entry is None:
                return None
            if entry.state in FINAL_STATES:
                return entry.state
            entry = apply_result(entry, call, in_doubt=in_doubt, now=self._clock())
            await transaction.record([entry])
            if entry.state in FINAL_STATES:
                await transaction.connection.execute(_DELETE, (client_request_id,))
            return entry.state


class RequestCipher:
    """Authenticated encryption of requests (AES-256-GCM), each bound to its id, so that two cannot be swapped."""

    def __init__(self, secret: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        # Do not change the purpose "seal": stored requests were encrypted with this key.
        self._key = MaskedBytes(hashlib.blake2b(b"", digest_size=32, key=secret, person=b"seal").digest())
        self._random = random

    def encrypt(self, request: EncodedRequest) -> bytes:
        """Return nonce and ciphertext of a request."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._random(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, request.body, _associated_data(request.client_request_id))

    def decrypt(self, encrypted: bytes, client_request_id: str) -> EncodedRequest:
        """Return the request with this id; raises `LedgerError` if it was not encrypted for it with this secret."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, ciphertext = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
        with suppress(InvalidTag, ValueError):
            body = AESGCM(self._key).decrypt(nonce, ciphertext, _associated_data(client_request_id))
            return EncodedRequest(body, client_request_id)
        raise LedgerError(
            f"request {client_request_id} cannot be decrypted, since it was changed or copied from another ledger: "
            "enqueue its row again"
        )


def _associated_data(client_request_id: str) -> bytes:
    return f"kfq_async request {client_request_id}".encode()
