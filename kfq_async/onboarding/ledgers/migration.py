"""From one ledger to another: companies keep their ids, so that a run goes on where it was on another database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.errors import LedgerError

if TYPE_CHECKING:
    from kfq_async.onboarding.ledgers.base import Ledger
    from kfq_async.onboarding.records import Entry

__all__ = ["migrate"]

_BATCH = 200


async def migrate(source: Ledger, target: Ledger) -> int:
    """Write the latest generation of each company into another ledger, and return how many there are.

    Again after an interruption, it goes on. Use the old ledger no more afterwards: two that ask for one company would
    make two orders. Raises `LedgerError` if the two have not the same secret.
    """
    if source.secret != target.secret:
        raise LedgerError("the ledgers have two secrets: make the new one with secret=old.secret")
    count = 0
    batch: list[Entry] = []
    async for entry in source.entries():
        batch.append(entry._replace(run=0))  # the runs of the other ledger have numbers of their own
        count += 1
        if len(batch) == _BATCH:
            await target.put(batch)
            batch = []
    await target.put(batch)
    return count
