"""Requests that wait in PostgreSQL, sealed beside their entries, until a worker asks and settles them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import attrs

from kfq_async.onboarding.decisions import released, settled
from kfq_async.onboarding.entries import FINAL_STATES, State
from kfq_async.onboarding.sealing import Seal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kfq_async.errors import KfqError
    from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
    from kfq_async.onboarding.decisions import Decision
    from kfq_async.onboarding.ledger_postgres import PostgresLedger, PostgresTransaction

__all__ = ["WaitingRequests"]

_KEEP = """
INSERT INTO requests VALUES (%s, %s) ON CONFLICT (client_request_id) DO UPDATE SET sealed = excluded.sealed
"""


class WaitingRequests:
    """The requests of one ledger that are not settled; every method is one transaction, or a part of the given one."""

    def __init__(self, ledger: PostgresLedger, *, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._seal = Seal(ledger.secret)
        self._clock = clock

    async def keep(self, transaction: PostgresTransaction, decisions: Sequence[Decision]) -> list[str]:
        """Let the requests of rows that are to be asked wait, in place of those that wait already; return their ids."""
        entries, sealed = [], []
        for decision in decisions:
            assert decision.entry is not None and decision.request is not None  # noqa: PT018, S101  # what is asked has both
            entry = released(decision.entry, in_doubt=decision.in_doubt)  # whoever sends it says so, in `begin`
            entries.append(entry)
            sealed.append((entry.client_request_id, self._seal.seal(decision.request)))
        await transaction.put(entries)
        async with transaction.connection.cursor() as cursor:
            await cursor.executemany(_KEEP, sealed)
        return [entry.client_request_id for entry in entries]

    async def begin(self, client_request_id: str) -> tuple[CorpIdentLinkRequest, bool] | None:
        """Note that it is about to be sent, and return the request, and whether it may have been sent before.

        Returns ``None`` if it need not be sent: its end is known, or it was purged.
        """
        query = "SELECT sealed FROM requests WHERE client_request_id = %s"
        async with self._ledger.transaction() as transaction:
            entry = await transaction.asked(client_request_id)
            if entry is None or entry.state in FINAL_STATES:
                return None
            async for (sealed,) in await transaction.connection.execute(query, (client_request_id,)):
                await transaction.put([attrs.evolve(entry, state=State.UNKNOWN)])
                return self._seal.open(sealed, client_request_id), entry.state is State.UNKNOWN
        return None

    async def settle(self, client_request_id: str, ended: CorpIdentLink | KfqError, **how: Any) -> State | None:
        """Write the end of a call, and return the state of its entry, or ``None`` if it was purged.

        What another worker has settled, who took this one for dead, stays. ``how`` is what `settled` needs to know.
        """
        async with self._ledger.transaction() as transaction:
            entry = await transaction.asked(client_request_id)
            if entry is None:
                return None
            if entry.state in FINAL_STATES:
                return entry.state
            entry = settled(entry, ended, now=self._clock(), **how)
            await transaction.settle([entry])
            if entry.state in FINAL_STATES:
                gone = "DELETE FROM requests WHERE client_request_id = %s"
                await transaction.connection.execute(gone, (client_request_id,))
            return entry.state
