"""How long is waited and how often is tried, without any network."""

from __future__ import annotations

import logging
from math import inf

import pytest

from kfq_async import (
    ApiError,
    ClockError,
    ConnectError,
    GatewayError,
    KfqError,
    RetryPolicy,
    ServerError,
    TooFrequentError,
)
from kfq_async.transport.retry import repeat, wait_after

POLICY = RetryPolicy(initial=0.5, maximum=8)
FAST = RetryPolicy(initial=0.001, maximum=0.002)


def said(kind: type[ApiError], retry_after: float | None = None) -> ApiError:
    """Make the platform's refusal, with the ``Retry-After`` of its answer."""
    error = kind(None, None, http_status=200)
    error.retry_after = retry_after
    return error


def low(low: float, high: float) -> float:
    """Draw the shortest wait."""
    return low


def high(low: float, high: float) -> float:
    """Draw the longest wait."""
    return high


@pytest.mark.parametrize(
    ("attempts", "shortest", "longest"),
    [
        (1, 0.25, 0.5),
        (2, 0.5, 1.0),
        (3, 1.0, 2.0),
        (4, 2.0, 4.0),
        (5, 4.0, 8.0),
        (6, 4.0, 8.0),
        (64, 4.0, 8.0),
        (5_000, 4.0, 8.0),
    ],
)
def test_each_wait_comes_from_the_upper_half_of_a_growing_interval(
    attempts: int, shortest: float, longest: float
) -> None:
    """Waits double up to the maximum, never fall below half of it, and no number of attempts overflows."""
    error = ConnectError("…")
    assert wait_after(error, attempts, POLICY, draw=low) == shortest
    assert wait_after(error, attempts, POLICY, draw=high) == longest
    assert shortest <= wait_after(error, attempts, POLICY) <= longest


def test_the_default_policy_outlasts_a_restart() -> None:
    """Five attempts of the default policy span at least three and a half seconds."""
    waits = [wait_after(ConnectError("…"), number, RetryPolicy(), draw=low) for number in range(1, 5)]
    assert sum(waits) >= 3.5


def test_a_maximum_below_the_initial_wait_wins() -> None:
    """The longest of all waits bounds the first one too."""
    assert wait_after(ConnectError("…"), 1, RetryPolicy(initial=5, maximum=0.1), draw=high) == 0.1


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (said(TooFrequentError), 1.0),
        (said(TooFrequentError, 0.0), 1.0),
        (said(TooFrequentError, 3.0), 3.0),
        (said(TooFrequentError, 3600.0), 30.0),
        (said(ServerError), 0.25),
        (said(ServerError, 2.0), 2.0),
        (GatewayError(503), 0.25),
        (GatewayError(503, retry_after=0.0), 0.25),
        (GatewayError(503, retry_after=7.0), 7.0),
        (GatewayError(503, retry_after=31.0), 30.0),
        (said(ClockError), 0.0),
        (said(ClockError, 9.0), 0.0),
    ],
)
def test_what_the_other_side_asks_for(error: KfqError, wait: float) -> None:
    """Too frequent waits a second, ``Retry-After`` is honoured up to half a minute, a corrected clock waits not."""
    assert wait_after(error, 1, POLICY, draw=low) == wait


@pytest.mark.parametrize("error", [said(TooFrequentError, 2.0), GatewayError(503, retry_after=2.0)])
def test_retry_after_never_shortens_the_wait(error: KfqError) -> None:
    """Where back-off has grown beyond what was asked for, it stays."""
    assert wait_after(error, 5, POLICY, draw=high) == 8.0


async def test_the_first_failure_counts_as_an_attempt() -> None:
    """With ``attempts=3`` two more are made, and the last error is returned."""
    errors = [ConnectError("2"), ConnectError("3"), ConnectError("4")]
    last = errors[1]

    async def attempt() -> KfqError:
        return errors.pop(0)

    ended = await repeat(
        ConnectError("1"),
        attempt,
        again=lambda _: True,
        policy=RetryPolicy(attempts=3, initial=0.001, maximum=0.002),
        remaining=lambda: inf,
    )
    assert ended is last
    assert len(errors) == 1


async def test_a_result_ends_it() -> None:
    """What is no error is returned at once, even if it is falsy."""

    async def attempt() -> str:
        return ""

    assert await repeat(ConnectError("1"), attempt, again=lambda _: True, policy=FAST, remaining=lambda: inf) == ""


async def test_what_must_not_be_repeated_is_not() -> None:
    """A first error that is final comes back without another attempt."""
    first = ConnectError("1")

    async def attempt() -> KfqError:
        raise AssertionError

    assert await repeat(first, attempt, again=lambda _: False, policy=FAST, remaining=lambda: inf) is first


async def test_a_wait_that_would_outlive_the_call_is_not_begun() -> None:
    """When less time is left than the next wait takes, the last error comes back at once."""
    first = ConnectError("1")

    async def attempt() -> KfqError:
        raise AssertionError

    policy = RetryPolicy(initial=60, maximum=60)
    assert await repeat(first, attempt, again=lambda _: True, policy=policy, remaining=lambda: 29.0) is first


async def test_a_bug_is_not_repeated() -> None:
    """An exception is no outcome: it passes through from the attempt in which it happened."""
    made = []

    async def attempt() -> KfqError:
        made.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await repeat(ConnectError("1"), attempt, again=lambda _: True, policy=FAST, remaining=lambda: inf)
    assert len(made) == 1


async def test_each_repetition_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A log line says which operation failed how, and carries the ids for whoever wants to find the request."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    first = ConnectError("no connection to 127.0.0.1")
    first.operation, first.client_request_id, first.unique_code = "POST /x", "id-1", "u-1"

    async def attempt() -> str:
        return "done"

    await repeat(first, attempt, again=lambda _: True, policy=FAST, remaining=lambda: inf)
    (record,) = caplog.records
    assert record.getMessage() == "POST /x: attempt 1 failed with ConnectError (not_sent); again in 0.00 s"
    assert (record.name, record.levelname) == ("kfq_async", "INFO")
    assert vars(record) | {"client_request_id": "id-1", "unique_code": "u-1"} == vars(record)
