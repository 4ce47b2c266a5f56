"""Names of states and reasons, in Chinese and English."""

from __future__ import annotations

import pytest

from kfq_async import IdentityStatus
from kfq_async.languages import LANGUAGES, Language, use_language
from kfq_async.onboarding.output.texts import (
    IDENTITY_STATUS_TEXTS,
    STATE_TEXTS,
    identity_status_text,
    reason_text,
    state_text,
)
from kfq_async.onboarding.records import Entry, Outcome, OutcomeStatus, Problem, State


def test_every_state_has_a_name() -> None:
    """Each state and each identification status has a name of its own in both languages."""
    assert STATE_TEXTS.keys() == set(OutcomeStatus)
    assert STATE_TEXTS.keys() >= set(State)
    assert IDENTITY_STATUS_TEXTS.keys() == {*IdentityStatus, None}
    for texts in (STATE_TEXTS.values(), IDENTITY_STATUS_TEXTS.values()):
        assert all(len(set(names)) == len(texts) for names in zip(*texts, strict=True))
        assert all(len(names) == len(LANGUAGES) for names in texts)


def test_names_of_states_are_their_values() -> None:
    """The English name of a state is its value, as in JSON."""
    assert {status: state_text(status, "en") for status in OutcomeStatus} == {each: str(each) for each in OutcomeStatus}


@pytest.mark.parametrize(
    ("status", "english", "chinese"),
    [
        (1, "identified", "已认证"),
        (2, "in progress", "认证中"),
        (None, "no notification", "尚无通知"),
        (9, "9", "9"),
    ],
)
def test_identity_status_text(status: int | None, english: str, chinese: str) -> None:
    """An unknown status is shown as its number; the language is by default that of the context."""
    assert identity_status_text(status) == english
    with use_language("zh"):
        assert identity_status_text(status) == chinese
        assert identity_status_text(status, "en") == english


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "手机: must be a whole number; duplicate of row 3, which is sent once"),
        ("zh", "手机：应为整数；与第 3 行重复，只发送一次"),
    ],
)
def test_reason_text(language: Language, text: str) -> None:
    """A reason names the column as it stands, and has its messages in the language."""
    problems = (
        Problem("", "duplicate of row 3, which is sent once", fatal=False),
        Problem("手机", "must be a whole number"),
    )
    outcome = Outcome(row_number=2, status=OutcomeStatus.INVALID, sent=False, problems=problems)
    assert reason_text(outcome, language) == text
    with use_language(language):
        assert reason_text(outcome) == text


def test_reason_of_a_refusal() -> None:
    """The platform's refusal is kept in the ledger as text, and its meaning is translated."""
    reason = "the platform reported error 23001 (mobile number invalid) “手机号格式错误”"
    entry = Entry(
        key_hash=b"k" * 16,
        generation=1,
        client_request_id="id",
        body_hash=b"b" * 16,
        row_number=2,
        state=State.REFUSED,
        code=23001,
        reason=reason,
    )
    outcome = Outcome(row_number=2, status=OutcomeStatus.REFUSED, sent=True, entry=entry)
    assert reason_text(outcome, "en") == reason
    assert reason_text(outcome, "zh") == "平台返回错误 23001（手机号无效）“手机号格式错误”"
