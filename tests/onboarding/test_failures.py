"""The brake of workers: what concerns every row holds all of them back, for longer each time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from kfq_async import BusinessError, ConnectError, CorpIdentLink, CredentialsError, KfqError, UnexpectedResponse
from kfq_async.onboarding.failures import FAILURES, CircuitBreaker, SystemicFailureDetector

LINK = CorpIdentLink(order_no="1", auth_url="https://secret")
REFUSED_TOKEN = CredentialsError(41000, "token invalid", http_status=200)


class Clock:
    """A clock that stands until it is set."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of the test's own."""
    return Clock()


def pauses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return how long the pauses were, as the log tells."""
    return [record.getMessage().partition(":")[0] for record in caplog.records]


@pytest.mark.parametrize("ended", [LINK, BusinessError(31000, "no", http_status=200), ConnectError("refused")])
async def test_one_row_concerns_one_row(
    clock: Clock, ended: CorpIdentLink | KfqError, caplog: pytest.LogCaptureFixture
) -> None:
    """A link, a refusal and one lost answer hold nobody back."""
    brake = CircuitBreaker(clock=clock)
    brake.saw(ended)
    await brake.released()
    assert caplog.records == []


def test_longer_each_time(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The pause doubles up to its bound, and begins anew after an answer as it should be."""
    brake = CircuitBreaker(first=1.0, longest=3.0, clock=clock)
    for _ in range(3):
        brake.saw(REFUSED_TOKEN)
        clock.now += 10
    brake.saw(LINK)
    brake.saw(REFUSED_TOKEN)
    assert pauses(caplog) == ["paused for 1 s", "paused for 2 s", "paused for 3 s", "paused for 1 s"]
    assert "Check the token" in caplog.text


def test_those_under_way_do_not_prolong_it(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Ten that were under way see the same, and it is one pause."""
    brake = CircuitBreaker(clock=clock)
    for _ in range(10):
        brake.saw(REFUSED_TOKEN)
    assert pauses(caplog) == ["paused for 1 s"]


def test_twenty_without_an_answer(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """One lost answer more or less is the network; twenty in a row are everybody's."""
    brake = CircuitBreaker(clock=clock)
    for _ in range(FAILURES - 1):
        brake.saw(ConnectError("refused"))
    brake.saw(LINK)
    for _ in range(FAILURES - 1):
        brake.saw(ConnectError("refused"))
    assert pauses(caplog) == []
    brake.saw(ConnectError("refused"))
    assert pauses(caplog) == ["paused for 1 s"]
    assert "base URL" in caplog.text


async def test_waits_until_it_is_released() -> None:
    """Whoever begins meanwhile waits, and longer if it was pulled again."""
    now = 0.0
    brake = CircuitBreaker(first=0.01, longest=0.02, clock=lambda: now)
    brake.saw(REFUSED_TOKEN)
    waiting = asyncio.ensure_future(brake.released())
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    now = 1.0
    await waiting


def test_says_nothing_about_anybody(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """The log has the masked words of an error."""
    caplog.set_level(logging.WARNING)
    CircuitBreaker(clock=clock).saw(CredentialsError(41000, "13800138000 unknown", http_status=200))
    assert "13800138000" not in caplog.text
    assert "***" in caplog.text


LINK = CorpIdentLink(order_no="O1", auth_url="https://x")


@pytest.mark.parametrize("answered", [LINK, BusinessError(31000, "no", http_status=200)])
def test_failures_in_a_row(answered: CorpIdentLink | KfqError) -> None:
    """Twenty calls without an answer concern every row, and any answer in between ends the row of them."""
    watch = SystemicFailureDetector()
    silent: list[KfqError] = [ConnectError("x"), UnexpectedResponse("x", http_status=200)]
    many = silent * FAILURES
    assert [watch.saw(ended) for ended in many[: FAILURES - 1]] == [None] * (FAILURES - 1)
    assert watch.saw(answered) is None
    assert [watch.saw(ended) for ended in many[: FAILURES - 1]] == [None] * (FAILURES - 1)
    assert "20 calls in a row" in (watch.saw(many[0]) or "")
    assert watch.failures == FAILURES


def test_a_cause_by_itself() -> None:
    """What concerns every row by its kind does so the first time."""
    watch = SystemicFailureDetector()
    assert "token" in (watch.saw(CredentialsError(40000, "no", http_status=200)) or "")
    assert "base URL" in (watch.saw(UnexpectedResponse("x", http_status=404)) or "")
    assert watch.failures == 1
