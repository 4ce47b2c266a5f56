"""Requests that wait in PostgreSQL, sealed beside their entries, until a worker asks and settles them."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from kfq_async.errors import LedgerError
from kfq_async.onboarding.decisions import apply_result, mark_pending
from kfq_async.onboarding.records import FINAL_STATES, State
from kfq_async.protocol.requests import EncodedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kfq_async.onboarding.decisions import PendingRequest
    from kfq_async.onboarding.ledgers.postgres import PostgresLedger, PostgresTransaction
    from kfq_async.onboarding.records import CallResult

__all__ = ["Outbox", "RequestCipher"]


_KEEP = """
INSERT INTO requests VALUES (%s, %s) ON CONFLICT (client_request_id) DO UPDATE SET sealed = excluded.sealed
"""


class Outbox:
    """The requests of one ledger that are not settled; every method is one transaction, or a part of the given one."""

    def __init__(self, ledger: PostgresLedger, *, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._seal = RequestCipher(ledger.secret)
        self._clock = clock

    async def keep(self, transaction: PostgresTransaction, asks: Sequence[PendingRequest]) -> list[str]:
        """Let the requests of rows that are to be asked wait, in place of those that wait already; return their ids."""
        entries, sealed = [], []
        for ask in asks:
            entry = mark_pending(ask.entry, in_doubt=ask.in_doubt)  # whoever sends it says so, in `begin`
            entries.append(entry)
            sealed.append((entry.client_request_id, self._seal.seal(ask.request)))
        await transaction.put(entries)
        async with transaction.connection.cursor() as cursor:
            await cursor.executemany(_KEEP, sealed)
        return [entry.client_request_id for entry in entries]

    async def begin(self, client_request_id: str) -> tuple[EncodedRequest, bool] | None:
        """Note that it is about to be sent, and return the request, and whether it may have been sent before.

        Returns ``None`` if it need not be sent: its end is known, or it was purged.
        """
        query = "SELECT sealed FROM requests WHERE client_request_id = %s"
        async with self._ledger.transaction() as transaction:
            entry = await transaction.asked(client_request_id)
            if entry is None or entry.state in FINAL_STATES:
                return None
            async for (sealed,) in await transaction.connection.execute(query, (client_request_id,)):
                await transaction.put([entry._replace(state=State.UNKNOWN)])
                return self._seal.open(sealed, client_request_id), entry.state is State.UNKNOWN
        return None

    async def settle(self, client_request_id: str, end: CallResult, *, in_doubt: bool) -> State | None:
        """Write the end of a call, and return the state of its entry, or ``None`` if it was purged.

        What another worker has settled, who took this one for dead, stays.
        """
        async with self._ledger.transaction() as transaction:
            entry = await transaction.asked(client_request_id)
            if entry is None:
                return None
            if entry.state in FINAL_STATES:
                return entry.state
            entry = apply_result(entry, end, in_doubt=in_doubt, now=self._clock())
            await transaction.settle([entry])
            if entry.state in FINAL_STATES:
                gone = "DELETE FROM requests WHERE client_request_id = %s"
                await transaction.connection.execute(gone, (client_request_id,))
            return entry.state


_NONCE_BYTES = 12


class RequestCipher:
    """Seals requests, each bound to its id, so that one cannot be put in another's place."""

    def __init__(self, secret: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._key = hashlib.blake2b(b"", digest_size=32, key=secret, person=b"seal").digest()
        self._random = random

    def seal(self, request: EncodedRequest) -> bytes:
        """Return the request so that nobody can read it without the secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = self._random(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, request.body, _bound_to(request.client_request_id))

    def open(self, sealed: bytes, client_request_id: str) -> EncodedRequest:
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
        return EncodedRequest(body, client_request_id)


def _bound_to(client_request_id: str) -> bytes:
    return f"kfq_async request {client_request_id}".encode()
