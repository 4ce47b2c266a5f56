"""Decision table, back-off and the retry loop, without a network."""

from __future__ import annotations

import logging
from itertools import product
from math import inf

import pytest

from calls import FAST_RETRY
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
    HiddenErrorPage,
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
from output import package_records

SENT, NOT_SENT, ANSWERED = Phase.SENT, Phase.NOT_SENT, Phase.ANSWERED


def api_error(kind: type[ApiError], code: int | None, status: int = 200) -> ApiError:
    """Return the error for a refusal."""
    return kind(code, "…", http_status=status)


FAILURES: dict[str, list[KfqError]] = {
    "not sent": [ConnectError("…"), ConnectTimeout("…")],
    "no response": [
        AttemptTimeout("…", phase=SENT),
        ConnectionLost("…", phase=SENT),
        *(GatewayError(status) for status in (502, 503, 504)),
    ],
    "too frequent": [
        api_error(TooFrequentError, 999999),
        api_error(TooFrequentError, 500),
        api_error(TooFrequentError, 91000),
        api_error(TooFrequentError, None, 429),
    ],
    "ambiguous": [api_error(ServerError, 91000), api_error(ServerError, 43000)],
    "hidden": [api_error(HiddenErrorPage, 401, 401)],
    "nonce": [api_error(NonceError, 41002)],
    "clock": [api_error(ClockError, 41001)],
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
        api_error(ApiError, 77777),
        api_error(ApiError, None),
        api_error(BusinessError, 31000),
        api_error(CredentialsError, 41000),
        api_error(NotFoundError, None, 404),
        api_error(ParameterError, 21000),
        api_error(ServerError, 500),
        api_error(SignatureError, 26000),
    ],
}

RETRY, RAISE, UNKNOWN = RetryDecision.RETRY, RetryDecision.RAISE, RetryDecision.UNKNOWN

TABLE = {
    "SAFE": {
        "not sent": RETRY,
        "no response": RETRY,
        "too frequent": RETRY,
        "ambiguous": RETRY,
        "hidden": RETRY,
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
        "hidden": RAISE,
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
        "hidden": RAISE,
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
        "hidden": RAISE,
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
        "hidden": UNKNOWN,
        "nonce": UNKNOWN,
        "clock": RETRY,
        "untrusted": UNKNOWN,
        "final": RAISE,
    },
}

# Key and `repeat_sent` matter for KEYED only.
ROWS = {
    "SAFE": [(Idempotency.SAFE, has_key, repeat_sent) for has_key, repeat_sent in product([True, False], repeat=2)],
    "KEYED": [(Idempotency.KEYED, True, True)],
    "KEYED, repeat_sent=False": [(Idempotency.KEYED, True, False)],
    "KEYED, id set to None": [(Idempotency.KEYED, False, True), (Idempotency.KEYED, False, False)],
    "NONE": [(Idempotency.NONE, has_key, repeat_sent) for has_key, repeat_sent in product([True, False], repeat=2)],
}


@pytest.mark.parametrize(("row", "column"), [(row, column) for row in TABLE for column in FAILURES])
def test_decision_table(row: str, column: str) -> None:
    """Each failure leads to the decision in the table."""
    for error, (idempotency, has_key, repeat_sent) in product(FAILURES[column], ROWS[row]):
        decision = decide_retry(error, idempotency, has_key=has_key, repeat_sent=repeat_sent)
        assert decision is TABLE[row][column], f"{error!r} with {error.phase}"


def test_columns_are_failure_kinds() -> None:
    """Each column of the table is one kind of failure, and every kind has its column."""
    kinds = [{classify_failure(error) for error in errors} for errors in FAILURES.values()]
    assert kinds == [{failure} for failure in FailureKind]
    assert all(row.keys() == FAILURES.keys() for row in TABLE.values())


POLICY = RetryPolicy(initial=0.5, maximum=8)


def api_error_after(kind: type[ApiError], retry_after: float | None = None) -> ApiError:
    """Return the error for a refusal with a ``Retry-After`` of so many seconds."""
    error = kind(None, None, http_status=200)
    error.retry_after = retry_after
    return error


def draw_lowest(low: float, _high: float) -> float:
    """Draw the shortest wait."""
    return low


def draw_highest(_low: float, high: float) -> float:
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
def test_backoff_grows(attempts: int, shortest: float, longest: float) -> None:
    """Waits double up to the maximum, are drawn from the upper half of the interval, and never overflow."""
    error = ConnectError("…")
    assert backoff(error, attempts, POLICY, draw=draw_lowest) == shortest
    assert backoff(error, attempts, POLICY, draw=draw_highest) == longest
    assert shortest <= backoff(error, attempts, POLICY) <= longest


def test_the_default_policy_outlasts_a_restart() -> None:
    """Five attempts of the default policy take at least three and a half seconds."""
    waits = [backoff(ConnectError("…"), number, RetryPolicy(), draw=draw_lowest) for number in range(1, 5)]
    assert sum(waits) >= 3.5


def test_maximum_below_the_initial_wait() -> None:
    """The maximum bounds the first wait too."""
    assert backoff(ConnectError("…"), 1, RetryPolicy(initial=5, maximum=0.1), draw=draw_highest) == 0.1


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (api_error_after(TooFrequentError), 1.0),
        (api_error_after(TooFrequentError, 0.0), 1.0),
        (api_error_after(TooFrequentError, 3.0), 3.0),
        (api_error_after(TooFrequentError, 3600.0), 30.0),
        (api_error_after(ServerError), 0.25),
        (api_error_after(ServerError, 2.0), 2.0),
        (GatewayError(503), 0.25),
        (GatewayError(503, retry_after=0.0), 0.25),
        (GatewayError(503, retry_after=7.0), 7.0),
        (GatewayError(503, retry_after=31.0), 30.0),
        (api_error_after(ClockError), 0.0),
        (api_error_after(ClockError, 9.0), 0.0),
    ],
)
def test_backoff_after_a_response(error: KfqError, wait: float) -> None:
    """`TooFrequentError` waits a second, ``Retry-After`` at most 30 seconds, and a corrected clock not at all."""
    assert backoff(error, 1, POLICY, draw=draw_lowest) == wait


@pytest.mark.parametrize("error", [api_error_after(TooFrequentError, 2.0), GatewayError(503, retry_after=2.0)])
def test_retry_after_never_shortens_the_wait(error: KfqError) -> None:
    """A back-off that has grown beyond ``Retry-After`` stays as it is."""
    assert backoff(error, 5, POLICY, draw=draw_highest) == 8.0


async def test_first_error_counts_as_an_attempt() -> None:
    """With ``attempts=3`` two more attempts are made, and the last error is returned."""
    errors = [ConnectError("2"), ConnectError("3"), ConnectError("4")]
    last = errors[1]

    async def attempt() -> KfqError:
        return errors.pop(0)

    outcome = await retry(
        ConnectError("1"),
        attempt,
        retryable=lambda _: True,
        policy=RetryPolicy(attempts=3, initial=0.01, maximum=0.02),
        remaining=lambda: inf,
    )
    assert outcome is last
    assert len(errors) == 1


async def test_result_ends_the_retries() -> None:
    """A result is returned at once, even if it is falsy."""

    async def attempt() -> str:
        return ""

    assert (
        await retry(ConnectError("1"), attempt, retryable=lambda _: True, policy=FAST_RETRY, remaining=lambda: inf)
        == ""
    )


async def test_final_error_is_not_retried() -> None:
    """A first error that is not retryable is returned without another attempt."""
    first = ConnectError("1")

    async def attempt() -> KfqError:
        raise AssertionError

    assert await retry(first, attempt, retryable=lambda _: False, policy=FAST_RETRY, remaining=lambda: inf) is first


async def test_wait_beyond_the_remaining_time_is_not_begun() -> None:
    """When less time remains than the next wait takes, the last error is returned at once."""
    first = ConnectError("1")

    async def attempt() -> KfqError:
        raise AssertionError

    policy = RetryPolicy(initial=60, maximum=60)
    assert await retry(first, attempt, retryable=lambda _: True, policy=policy, remaining=lambda: 29.0) is first


async def test_exception_is_not_retried() -> None:
    """An exception that an attempt raises passes through at once."""
    attempts = []

    async def attempt() -> KfqError:
        attempts.append(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await retry(ConnectError("1"), attempt, retryable=lambda _: True, policy=FAST_RETRY, remaining=lambda: inf)
    assert len(attempts) == 1


async def test_retry_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log record of a retry names operation, error and wait, and its attributes are the ids of the request."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    first = ConnectError("no connection to 127.0.0.1")
    first.operation, first.attempts, first.client_request_id, first.unique_code = "POST /x", 1, "id-1", "u-1"

    async def attempt() -> str:
        return "done"

    await retry(first, attempt, retryable=lambda _: True, policy=FAST_RETRY, remaining=lambda: inf)
    (record,) = package_records(caplog)
    text = "POST /x: attempt 1 failed with ConnectError (not_sent): no connection to 127.0.0.1; retry in 0.01 s"
    assert record.getMessage() == f"{text}; client_request_id=id-1 unique_code=u-1"
    assert (record.name, record.levelname) == ("kfq_async", "INFO")
    assert vars(record) | {"client_request_id": "id-1", "unique_code": "u-1"} == vars(record)
