"""Entries of invented companies, for the tests of ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import astuple, evolve

from companies import row
from kfq_async.onboarding.decisions import encode_request
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from kfq_async.onboarding.ledgers.base import Ledger


def entry(number: int, state: State = State.LINKED, *, generation: int = 1, **changes: Any) -> Entry:
    """Return an entry of the company with this number, with some fields changed."""
    made = Entry(
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
    return evolve(made, **changes)


def version_1_entries(secret: bytes) -> list[Entry]:
    """Return the entries of the first five `companies.rows` in a ledger of version 1: every state, one reissued."""
    states = [(0, 1, State.LINKED), (1, 1, State.REFUSED), (2, 1, State.UNKNOWN), (3, 1, State.PENDING)]
    return [_version_1_entry(secret, *each) for each in (*states, (4, 1, State.LINKED), (4, 2, State.PENDING))]


def _version_1_entry(secret: bytes, number: int, generation: int, state: State) -> Entry:
    hashes = Hashes(secret)
    company = row(number)
    assert company.key is not None
    assert company.request is not None
    client_request_id = f"id-{number}-{generation}"
    results: dict[State, dict[str, Any]] = {
        State.LINKED: {"order_no": f"O{number}", "auth_url": "https://x", "status": 4, "status_at": 9.0},
        State.REFUSED: {"code": 31000, "reason": "no"},
        State.UNKNOWN: {"reason": "connection lost"},
        State.PENDING: {},
    }
    return Entry(
        key_hash=hashes.key(company.key),
        generation=generation,
        client_request_id=client_request_id,
        body_hash=hashes.body(encode_request(company.request, client_request_id).body),
        row_number=company.row_number,
        state=state,
        run=2,
        label=company.label,
        opened_at=5.0,
        **results[state],
    )


def version_1_values(entry: Entry) -> list[object]:
    """Return the values of an entry in the order of the columns of version 1."""
    values = list(astuple(entry))
    values[5] = "unsent" if entry.state is State.PENDING else str(entry.state)
    return values


async def all_of(ledger: Ledger, *states: State) -> list[Entry]:
    """Return the current generations in these states."""
    return [each async for each in ledger.entries(states or tuple(State))]
