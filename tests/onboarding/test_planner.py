"""Decisions on a batch, and the ledger before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from companies import row
from kfq_async.onboarding.decisions import Action, Decision, PendingRequest
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from pathlib import Path


async def test_ids_are_in_the_ledger_before_anybody_acts(tmp_path: Path) -> None:
    """After the decision, a new company stands there as unknown; a repeated or an invalid row adds nothing."""
    batch = [row(1), row(2), row(1), attrs.evolve(row(3), key=None)]
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        decisions = await Planner(ledger, run=1).decide(batch)
        kept = [entry async for entry in ledger.entries()]
    assert [None if isinstance(each, PendingRequest) else each.action for each in decisions] == [
        *(None, None),
        Action.REPEAT,
        Action.INVALID,
    ]
    assert kept == [decisions[0].entry, decisions[1].entry]
    assert {entry.state for entry in kept} == {State.UNKNOWN}


async def test_a_company_twice_in_two_batches(tmp_path: Path) -> None:
    """A repetition is noticed however far apart the rows are, and in the next run it is none."""
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        planner = Planner(ledger, run=1)
        (first,) = await planner.decide([row(1)])
        (second,) = await planner.decide([row(1)])
        (next_run,) = await Planner(ledger, run=2).decide([row(1)])
    assert isinstance(first, PendingRequest)
    assert isinstance(second, Decision)
    assert isinstance(next_run, PendingRequest)
    assert second.action is Action.REPEAT
    assert next_run.entry.client_request_id == first.entry.client_request_id
