"""Outcomes, in words."""

from __future__ import annotations

import pytest

from kfq_async.onboarding.decisions import Action, Ask, Decision
from kfq_async.onboarding.entries import Entry, State
from kfq_async.onboarding.outcomes import Ending, Outcome, outcome_of
from kfq_async.onboarding.rows import Problem
from kfq_async.protocol.requests import Encoded

ENTRY = Entry(
    key=b"k" * 16, generation=1, client_request_id="id", body=b"b" * 16, state=State.LINKED, number=2, order_no="O1"
)
FATAL = Problem("手机号", "is wrong")
ODD = Problem("信用代码", "is odd", fatal=False)


@pytest.mark.parametrize(
    ("entry", "ending", "problems", "reason"),
    [
        (ENTRY, Ending.LINKED, (), ""),
        (None, Ending.INVALID, (ODD, FATAL), "手机号: is wrong; 信用代码: is odd"),
        (ENTRY._replace(words="refused"), Ending.REFUSED, (ODD,), "refused; 信用代码: is odd"),
        (ENTRY._replace(words="of old"), Ending.LINKED, (), ""),
        (ENTRY._replace(status=1), Ending.LINKED, (), ""),
        (ENTRY._replace(status=3), Ending.LINKED, (), "its order was withdrawn, and its next"),
        (ENTRY._replace(status=4), Ending.LINKED, (ODD,), "its order expired, and its next"),
    ],
)
def test_reasons(entry: Entry | None, ending: Ending, problems: tuple[Problem, ...], reason: str) -> None:
    """What keeps a row from its link comes first, then what is odd about it."""
    outcome = Outcome(number=2, ending=ending, asked=False, entry=entry, problems=problems)
    assert outcome.reason.startswith(reason)
    assert bool(outcome.reason) is bool(reason)


@pytest.mark.parametrize(
    ("action", "state", "ending"),
    [
        (Action.KNOWN, State.LINKED, Ending.LINKED),
        (Action.KNOWN, State.REFUSED, Ending.REFUSED),
        (Action.STOP, State.UNKNOWN, Ending.UNKNOWN),
        (Action.REPEAT, State.LINKED, Ending.REPEATED),
        (Action.INVALID, State.LINKED, Ending.INVALID),
    ],
)
def test_outcome_of(action: Action, state: State | None, ending: Ending) -> None:
    """A row that is not asked stands as the ledger has it; one that is invalid has no entry."""
    before = ENTRY._replace(state=state) if state else None
    outcome = outcome_of(Decision(number=2, action=action, before=before))
    assert outcome.ending is ending
    assert (outcome.entry is None) is (ending is Ending.INVALID or before is None)


@pytest.mark.parametrize(
    ("state", "ending"),
    [(State.UNSENT, Ending.PENDING), (None, Ending.PENDING), (State.UNKNOWN, Ending.UNKNOWN)],
)
def test_outcome_of_a_row_that_would_be_asked(state: State | None, ending: Ending) -> None:
    """Until it is asked, it stands as it did before."""
    before = ENTRY._replace(state=state) if state else None
    ask = Ask(before, ENTRY, Encoded(b"{}", "id"), in_doubt=False, problems=(ODD,))
    assert outcome_of(ask) == Outcome(number=2, ending=ending, asked=False, entry=before, problems=(ODD,))
