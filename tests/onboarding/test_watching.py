"""What concerns every row, found among the ends of calls."""

from __future__ import annotations

import pytest

from kfq_async import BusinessError, ConnectError, CorpIdentLink, CredentialsError, KfqError, UnexpectedAnswer
from kfq_async.onboarding.watching import FAILURES, Watch

LINK = CorpIdentLink(order_no="O1", auth_url="https://x")


@pytest.mark.parametrize("answered", [LINK, BusinessError(31000, "no", http_status=200)])
def test_failures_in_a_row(answered: CorpIdentLink | KfqError) -> None:
    """Twenty calls without an answer concern every row, and any answer in between ends the row of them."""
    watch = Watch()
    silent: list[KfqError] = [ConnectError("x"), UnexpectedAnswer("x", http_status=200)]
    many = silent * FAILURES
    assert [watch.saw(ended) for ended in many[: FAILURES - 1]] == [None] * (FAILURES - 1)
    assert watch.saw(answered) is None
    assert [watch.saw(ended) for ended in many[: FAILURES - 1]] == [None] * (FAILURES - 1)
    assert "20 calls in a row" in (watch.saw(many[0]) or "")
    assert watch.failures == FAILURES


def test_a_cause_by_itself() -> None:
    """What concerns every row by its kind does so the first time."""
    watch = Watch()
    assert "token" in (watch.saw(CredentialsError(40000, "no", http_status=200)) or "")
    assert "base URL" in (watch.saw(UnexpectedAnswer("x", http_status=404)) or "")
    assert watch.failures == 1
