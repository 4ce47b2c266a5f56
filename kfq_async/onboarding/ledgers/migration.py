"""Migration of companies from one ledger to another, so that runs continue on another database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from kfq_async.errors import LedgerError

if TYPE_CHECKING:
    from kfq_async.onboarding.ledgers.base import Ledger
    from kfq_async.onboarding.records import Entry

__all__ = ["migrate"]

_BATCH = 200


async def migrate(source: Ledger, target: Ledger) -> int:
    """Copy the current generation of each company to another ledger, and return their number.

    Idempotent: run it again after an interruption. Do not use the source afterwards: a company that both ledgers send
    gets two orders. Raises `LedgerError` if their secrets differ.
    """
    if source.secret != target.secret:
        raise LedgerError("the two ledgers have different secrets: create the target with secret=source.secret")
    count = 0
    batch: list[Entry] = []
    async for entry in source.entries():
        batch.append(evolve(entry, run=0))  # run numbers of another ledger mean nothing in this one
        count += 1
        if len(batch) == _BATCH:
            await target.put(batch)
            batch = []
    await target.put(batch)
    return count
