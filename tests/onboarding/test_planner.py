"""Decisions on batches of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from companies import row
from kfq_async.onboarding.decisions import Decision, PendingRequest, SkipReason
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from pathlib import Path


async def test_ids_are_stored_before_decisions_are_returned(tmp_path: Path) -> None:
    """A new company is in the ledger as pending until it is sent; a duplicate or invalid row adds nothing."""
    batch = [row(1), row(2), row(1), attrs.evolve(row(3), key=None)]
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        decisions = await Planner(ledger, run=1).decide(batch)
        stored = [entry async for entry in ledger.entries()]
    assert [None if isinstance(each, PendingRequest) else each.reason for each in decisions] == [
        *(None, None),
        SkipReason.DUPLICATE,
        SkipReason.INVALID,
    ]
    assert stored == [each.entry for each in decisions[:2]]
    assert {entry.state for entry in stored} == {State.PENDING}


async def test_a_row_in_doubt_stays_unknown(tmp_path: Path) -> None:
    """A request that may have been sent is unknown in the ledger, also while it waits to be sent again."""
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        (first,) = await Planner(ledger, run=1).decide([row(1)])
        assert isinstance(first, PendingRequest)
        await ledger.record([], unknown=[first.entry])
        (second,) = await Planner(ledger, run=2).decide([row(1)])
        assert isinstance(second, PendingRequest)
        assert second.in_doubt
        assert [entry async for entry in ledger.entries()] == [attrs.evolve(first.entry, run=2, state=State.UNKNOWN)]


async def test_duplicate_in_another_batch(tmp_path: Path) -> None:
    """A duplicate is found in any later batch of the run; in the next run the row is none."""
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        planner = Planner(ledger, run=1)
        (first,) = await planner.decide([row(1)])
        (second,) = await planner.decide([row(1)])
        (next_run,) = await Planner(ledger, run=2).decide([row(1)])
    assert isinstance(first, PendingRequest)
    assert isinstance(second, Decision)
    assert isinstance(next_run, PendingRequest)
    assert second.reason is SkipReason.DUPLICATE
    assert next_run.entry.client_request_id == first.entry.client_request_id


async def test_inspect(tmp_path: Path) -> None:
    """Inspect returns the decision on each row after the run, and does not change the ledger."""
    batch = [row(1), attrs.evolve(row(1), row_number=9), attrs.evolve(row(3), key=None), row(4)]
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        planner = Planner(ledger, run=1)
        (first, *_) = await planner.decide(batch[:3])
        before = [entry async for entry in ledger.entries()]
        decisions = await planner.inspect(batch)
        assert [entry async for entry in ledger.entries()] == before
    assert [None if isinstance(each, PendingRequest) else each.reason for each in decisions] == [
        None,
        SkipReason.DUPLICATE,
        SkipReason.INVALID,
        None,
    ]
    assert first.entry is not None
    stored = attrs.evolve(first.entry, state=State.PENDING)
    assert [each.before for each in decisions] == [stored, stored, None, None]
