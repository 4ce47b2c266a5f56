"""Entries and outcomes."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve, fields

from companies import row
from kfq_async.onboarding.ledgers.base import RESULT_COLUMNS
from kfq_async.onboarding.records import Entry, Outcome, OutcomeStatus, Problem, State

ENTRY = Entry(
    key_hash=b"k",
    generation=2,
    client_request_id="id",
    body_hash=b"b",
    row_number=7,
    state=State.UNKNOWN,
    run=3,
    label="C1",
    opened_at=5.0,
    status=1,
    status_at=9.0,
)
RESULT: dict[str, Any] = {
    "state": State.LINKED,
    "order_no": "O1",
    "auth_url": "https://secret.example",
    "code": 31000,
    "reason": "no",
    "attempts": 2,
    "seconds": 0.5,
    "ended_at": 8.0,
}
FATAL = Problem("手机号", "is wrong")
WARNING = Problem("信用代码", "is odd", fatal=False)


def test_with_result() -> None:
    """The result of a call changes its own fields and no others."""
    assert tuple(RESULT) == RESULT_COLUMNS
    after = ENTRY.with_result(**RESULT)
    assert after == evolve(ENTRY, **RESULT)
    changed = {field.name for field in fields(Entry) if getattr(after, field.name) != getattr(ENTRY, field.name)}
    assert changed == {*RESULT_COLUMNS}


def test_entry_repr() -> None:
    """An entry may be logged: its link is masked."""
    linked = repr(ENTRY.with_result(**RESULT))
    assert "secret" not in linked
    assert "auth_url='***'" in linked
    assert repr(ENTRY).startswith("Entry(key_hash=b'k', generation=2, client_request_id='id'")
    assert "auth_url=None" in repr(ENTRY)


@pytest.mark.parametrize(
    ("problem", "text"), [(FATAL, "手机号: is wrong"), (Problem("", "same company as row 2"), "same company as row 2")]
)
def test_problem_text(problem: Problem, text: str) -> None:
    """The text of a problem begins with its column, if it has one."""
    assert str(problem) == text


@pytest.mark.parametrize(
    ("changes", "invalid"),
    [
        ({}, False),
        ({"key": None}, True),
        ({"request": None}, True),
        ({"problems": (WARNING,)}, False),
        ({"problems": (WARNING, FATAL)}, True),
    ],
)
def test_row_invalid(changes: dict[str, Any], *, invalid: bool) -> None:
    """A row without key or request, or with a fatal problem, must not be sent."""
    assert evolve(row(), **changes).invalid is invalid


def test_outcome_repr() -> None:
    """An outcome may be logged: its entry is left out."""
    outcome = Outcome(row_number=7, status=OutcomeStatus.LINKED, sent=True, entry=ENTRY.with_result(**RESULT))
    assert repr(outcome) == ("Outcome(row_number=7, status=<OutcomeStatus.LINKED: 'linked'>, sent=True, problems=())")


@pytest.mark.parametrize(
    ("entry", "status", "problems", "reason"),
    [
        (evolve(ENTRY, status=None), OutcomeStatus.LINKED, (), ""),
        (None, OutcomeStatus.INVALID, (WARNING, FATAL), "手机号: is wrong; 信用代码: is odd"),
        (evolve(ENTRY, reason="refused"), OutcomeStatus.REFUSED, (WARNING,), "refused; 信用代码: is odd"),
        (evolve(ENTRY, reason="an old error"), OutcomeStatus.LINKED, (), ""),
        (evolve(ENTRY, status=1), OutcomeStatus.LINKED, (), ""),
        (
            evolve(ENTRY, status=3),
            OutcomeStatus.LINKED,
            (),
            "its order was withdrawn: run `kfq onboard reissue LEDGER --withdrawn` for a new link",
        ),
        (
            evolve(ENTRY, status=4),
            OutcomeStatus.LINKED,
            (WARNING,),
            "its order expired: run `kfq onboard reissue LEDGER --expired` for a new link; 信用代码: is odd",
        ),
    ],
)
def test_outcome_reason(entry: Entry | None, status: OutcomeStatus, problems: tuple[Problem, ...], reason: str) -> None:
    """The reason why a row has no usable link comes first, then its warnings."""
    outcome = Outcome(row_number=2, status=status, sent=False, entry=entry, problems=problems)
    assert outcome.reason == reason
