"""Names of states in Chinese and English."""

from __future__ import annotations

import pytest

from kfq_async import IdentityStatus
from kfq_async.onboarding.output.texts import IDENTITY_STATUS_TEXTS, STATE_TEXTS, identity_status_text
from kfq_async.onboarding.records import State


def test_every_state_has_a_name() -> None:
    """Each state and each identification status has a name of its own in both languages."""
    assert STATE_TEXTS.keys() == set(State)
    assert IDENTITY_STATUS_TEXTS.keys() == {*IdentityStatus, None}
    for texts in (STATE_TEXTS.values(), IDENTITY_STATUS_TEXTS.values()):
        assert all(len(set(names)) == len(texts) for names in zip(*texts, strict=True))


def test_names_of_states_are_their_values() -> None:
    """The English name of a state is its value, as in outputs and on the command line."""
    assert {state: texts[1] for state, texts in STATE_TEXTS.items()} == {state: str(state) for state in State}


@pytest.mark.parametrize(
    ("status", "text"), [(1, "identified"), (2, "in progress"), (None, "no notification"), (9, "9")]
)
def test_identity_status_text(status: int | None, text: str) -> None:
    """An unknown status is shown as its number."""
    assert identity_status_text(status) == text
