"""Retries without a network: the decision table, back-off, and the number of attempts."""

from __future__ import annotations

import logging
from itertools import product
from math import inf

import pytest

from kfq_async import (
    ApiError,
    AttemptTimeout,
    BusinessError,
    CertificateError,
    ClockError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    CredentialsError,
    DecodeError,
    GatewayError,
    Idempotency,
    KfqError,
    NonceError,
    NotFoundError,
    ParameterError,
    Phase,
    PoolTimeout,
    RetryPolicy,
    ServerError,
    SessionError,
    SignatureError,
    TooFrequentError,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.transport.retry import FailureKind, RetryDecision, backoff, classify_failure, decide_retry, retry

SENT, NOT_SENT, ANSWERED = Phase.SENT, Phase.NOT_SENT, Phase.ANSWERED


def refusal_of(kind: type[ApiError], code: int | None, status: int = 200) -> ApiError:
    """Make the error of a refusal."""
    return kind(code, "…", http_status=status)


FAILURES: dict[str, list[KfqError]] = {
    "not sent": [ConnectError("…"), ConnectTimeout("…")],
    "no response": [
        AttemptTimeout("…", phase=SENT),
        ConnectionLost("…", phase=SENT),
        *(GatewayError(status) for status in (502, 503, 504)),
    ],
    "too frequent": [
        refusal_of(TooFrequentError, 999999),
        refusal_of(TooFrequentError, 500),
        refusal_of(TooFrequentError, None, 429),
    ],
    "ambiguous": [refusal_of(ServerError, 91000), refusal_of(ServerError, 43000)],
    "nonce": [refusal_of(NonceError, 41002)],
    "clock": [refusal_of(ClockError, 41001)],
    "untrusted": [
        UnexpectedResponse("HTML with 200", http_status=200),
        TotalTimeout("…", phase=SENT),
        PoolTimeout("…", phase=SENT),
    ],
    "final": [
        UnexpectedResponse("a redirect", http_status=302, phase=ANSWERED),
        UnexpectedResponse("a page", http_status=404, phase=ANSWERED),
        DecodeError(("required key missing @ $.result.orderNo",)),
        CertificateError("…"),
        PoolTimeout("…"),
        TotalTimeout("…"),
        SessionError("…"),
        refusal_of(ApiError, 77777),
        refusal_of(ApiError, None),
        refusal_of(BusinessError, 31000),
        refusal_of(CredentialsError, 41000),
        refusal_of(NotFoundError, None, 404),
        refusal_of(ParameterError, 21000),
        refusal_of(ServerError, 500),
        refusal_of(SignatureError, 26000),
    ],
}

RETRY, RAISE, UNKNOWN = RetryDecision.RETRY, RetryDecision.RAISE, RetryDecision.UNKNOWN

TABLE = {
    "SAFE": {
        "not sent": RETRY,
        "no response": RETRY,
        "too frequent": RETRY,
        "ambiguous": RETRY,
        "nonce": RETRY,
        "clock": RETRY,
        "untrusted": RAISE,
        "final": RAISE,
    },
    "KEYED": {
        "not sent": RETRY,
        "no response": RETRY,
        "too frequent": RETRY,
        "ambiguous": RETRY,
        "nonce": RETRY,
        "clock": RETRY,
        "untrusted": RAISE,
        "final": RAISE,
    },
    "KEYED, repeat_sent=False": {
        "not sent": RETRY,
        "no response": RAISE,
        "too frequent": RETRY,
        "ambiguous": RAISE,
        "nonce": RETRY,
        "clock": RETRY,
        "untrusted": RAISE,
        "final": RAISE,
    },
    "KEYED, id set to None": {
        "not sent": RETRY,
        "no response": RAISE,
        "too frequent": RETRY,
        "ambiguous": RAISE,
        "nonce": RAISE,
        "clock": RETRY,
        "untrusted": RAISE,
        "final": RAISE,
    },
    "NONE": {
        "not sent": RETRY,
        "no response": UNKNOWN,
        "too frequent": RETRY,
        "ambiguous": UNKNOWN,
        "nonce": UNKNOWN,
        "clock": RETRY,
        "untrusted": UNKNOWN,
        "final": RAISE,
    },
}

# The key, and `repeat_sent`, matter to KEYED alone.
ROWS = {
    "SAFE": [(Idempotency.SAFE, key, repeat) for key, repeat in product([True, False], repeat=2)],
    "KEYED": [(Idempotency.KEYED, True, True)],
    "KEYED, repeat_sent=False": [(Idempotency.KEYED, True, False)],
    "KEYED, id set to None": [(Idempotency.KEYED, False, True), (Idempotency.KEYED, False, False)],
    "NONE": [(Idempotency.NONE, key, repeat) for key, repeat in product([True, False], repeat=2)],
}


@pytest.mark.parametrize(("row", "column"), [(row, column) for row in TABLE for column in FAILURES])
def test_decision_table(row: str, column: str) -> None:
    """The decision on each failure is the one of the table."""
    for error, (idempotency, has_key, repeat_sent) in product(FAILURES[column], ROWS[row]):
        decision = decide_retry(error, idempotency, has_key=has_key, repeat_sent=repeat_sent)
        assert decision is TABLE[row][column], f"{error!r} with {error.phase}"


def test_columns_are_failure_kinds() -> None:
    """Each column of the table is one kind of failure, and every kind has its column."""
    kinds = [{classify_failure(error) for error in errors} for errors in FAILURES.values()]
    assert kinds == [{failure} for failure in FailureKind]
    assert all(row.keys() == FAILURES.keys() for row in TABLE.values())


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
    assert backoff(error, attempts, POLICY, draw=low) == shortest
    assert backoff(error, attempts, POLICY, draw=high) == longest
    assert shortest <= backoff(error, attempts, POLICY) <= longest


def test_the_default_policy_outlasts_a_restart() -> None:
    """Five attempts of the default policy span at least three and a half seconds."""
    waits = [backoff(ConnectError("…"), number, RetryPolicy(), draw=low) for number in range(1, 5)]
    assert sum(waits) >= 3.5


def test_a_maximum_below_the_initial_wait_wins() -> None:
    """The longest of all waits bounds the first one too."""
    assert backoff(ConnectError("…"), 1, RetryPolicy(initial=5, maximum=0.1), draw=high) == 0.1


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
    assert backoff(error, 1, POLICY, draw=low) == wait


@pytest.mark.parametrize("error", [said(TooFrequentError, 2.0), GatewayError(503, retry_after=2.0)])
def test_retry_after_never_shortens_the_wait(error: KfqError) -> None:
    """Where back-off has grown beyond what was asked for, it stays."""
    assert backoff(error, 5, POLICY, draw=high) == 8.0


async def test_the_first_failure_counts_as_an_attempt() -> None:
    """With ``attempts=3`` two more are made, and the last error is returned."""
    errors = [ConnectError("2"), ConnectError("3"), ConnectError("4")]
    last = errors[1]

    async def attempt() -> KfqError:
        return errors.pop(0)

    ended = await retry(
        ConnectError("1"),
        attempt,
        retryable=lambda _: True,
        policy=RetryPolicy(attempts=3, initial=0.001, maximum=0.002),
        remaining=lambda: inf,
    )
    assert ended is last
    assert len(errors) == 1


async def test_a_result_ends_it() -> None:
    """What is no error is returned at once, even if it is falsy."""

    async def attempt() -> str:
        return ""

    assert await retry(ConnectError("1"), attempt, retryable=lambda _: True, policy=FAST, remaining=lambda: inf) == ""


async def test_what_must_not_be_repeated_is_not() -> None:
    """A first error that is final comes back without another attempt."""
    first = ConnectError("1")

    async def attempt() -> KfqError:
        raise AssertionError

    assert await retry(first, attempt, retryable=lambda _: False, policy=FAST, remaining=lambda: inf) is first


async def test_a_wait_that_would_outlive_the_call_is_not_begun() -> None:
    """When less time is left than the next wait takes, the last error comes back at once."""
    first = ConnectError("1")

    async def attempt() -> KfqError:
        raise AssertionError

    policy = RetryPolicy(initial=60, maximum=60)
    assert await retry(first, attempt, retryable=lambda _: True, policy=policy, remaining=lambda: 29.0) is first


async def test_a_bug_is_not_repeated() -> None:
    """An exception is no outcome: it passes through from the attempt in which it happened."""
    made = []

    async def attempt() -> KfqError:
        made.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await retry(ConnectError("1"), attempt, retryable=lambda _: True, policy=FAST, remaining=lambda: inf)
    assert len(made) == 1


async def test_each_repetition_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A log line says which operation failed how, and carries the ids for whoever wants to find the request."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    first = ConnectError("no connection to 127.0.0.1")
    first.operation, first.client_request_id, first.unique_code = "POST /x", "id-1", "u-1"

    async def attempt() -> str:
        return "done"

    await retry(first, attempt, retryable=lambda _: True, policy=FAST, remaining=lambda: inf)
    (record,) = caplog.records
    assert record.getMessage() == "POST /x: attempt 1 failed with ConnectError (not_sent); retry in 0.00 s"
    assert (record.name, record.levelname) == ("kfq_async", "INFO")
    assert vars(record) | {"client_request_id": "id-1", "unique_code": "u-1"} == vars(record)
