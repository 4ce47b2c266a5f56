"""Entries of invented companies, for the tests of ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from kfq_async.onboarding.ledgers.base import Ledger


def entry(number: int, state: State = State.LINKED, *, generation: int = 1) -> Entry:
    """Return an entry of the company with this number."""
    return Entry(
        key_hash=number.to_bytes(16, "big"),
        generation=generation,
        client_request_id=f"id-{number}-{generation}",
        body_hash=b"b" * 16,
        state=state,
        row_number=number,
        label=f"C{number}",
        order_no="O1",
        auth_url="https://x",
        seconds=0.25,
        ended_at=100.5,
    )


async def all_of(ledger: Ledger, *states: State) -> list[Entry]:
    """Return the latest generations in these states."""
    return [each async for each in ledger.entries(states or tuple(State))]
