"""Retries: decision table over idempotency and kind of failure, and back-off. The only module to import tenacity."""

from __future__ import annotations

import asyncio
import logging
from enum import Enum, auto
from random import uniform
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_result

from kfq_async.errors import (
    ApiError,
    AttemptTimeout,
    CertificateError,
    ClockError,
    ConnectError,
    GatewayError,
    HiddenErrorPage,
    KfqError,
    NonceError,
    Phase,
    PoolTimeout,
    ProxyError,
    TooFrequentError,
    TotalTimeout,
    TransportError,
)
from kfq_async.protocol.codes import AMBIGUOUS_CODES
from kfq_async.protocol.envelope import Envelope, EnvelopeKind
from kfq_async.protocol.operation import Idempotency
from kfq_async.transport.observation import describe_ids

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from kfq_async.config import RetryPolicy
    from kfq_async.hooks import StopReason

__all__ = ["FailureKind", "RetryDecision", "backoff", "classify_failure", "decide_retry", "log_retry", "retry"]

T = TypeVar("T")
MAX_RETRY_AFTER = 30.0
"""Longest ``Retry-After`` that is honoured, in seconds."""
MIN_TOO_FREQUENT = 1.0
"""Shortest wait after a rate-limit error, or a hidden error page, which may be one, in seconds."""

_log = logging.getLogger("kfq_async")


class FailureKind(Enum):
    """Columns of the decision table."""

    NOT_SENT = auto()
    """No connection, so nothing was sent."""
    NO_RESPONSE = auto()
    """Sent, without a complete response: timeout, connection lost, truncated, 502, 503, 504."""
    TOO_FREQUENT = auto()
    """Refused before it was executed."""
    AMBIGUOUS = auto()
    """The platform failed and may have acted."""
    HIDDEN = auto()
    """The hidden error page, which may stand for a rate limit, and for a failure after the platform has acted."""
    NONCE = auto()
    """The nonce was seen before, so a copy of the request may have been executed."""
    CLOCK = auto()
    """The timestamp was refused before anything was executed."""
    IN_DOUBT = auto()
    """The platform may have acted, and a retry has no prospect.

    The response may not be its own, ``total`` expired after the request was sent, or the operation failed inside and
    may have left something behind: such a failure has no code (protocol section 2.3).
    """
    FINAL = auto()
    """Any other response."""


class RetryDecision(Enum):
    """Consequence of a failure."""

    RETRY = auto()
    RAISE = auto()
    UNKNOWN = auto()
    """Raise `OutcomeUnknown`: a retry could execute the operation twice."""


_RETRY, _RAISE, _UNKNOWN = RetryDecision.RETRY, RetryDecision.RAISE, RetryDecision.UNKNOWN

_KEYED = {
    FailureKind.NOT_SENT: _RETRY,
    FailureKind.NO_RESPONSE: _RETRY,
    FailureKind.TOO_FREQUENT: _RETRY,
    FailureKind.AMBIGUOUS: _RETRY,
    FailureKind.NONCE: _RETRY,
    FailureKind.CLOCK: _RETRY,
}
_SAFE = _KEYED | {FailureKind.HIDDEN: _RETRY}
_KEYED_SENT_ONCE = {
    FailureKind.NOT_SENT: _RETRY,
    FailureKind.TOO_FREQUENT: _RETRY,
    FailureKind.NONCE: _RETRY,
    FailureKind.CLOCK: _RETRY,
}
_WITHOUT_KEY = {
    FailureKind.NOT_SENT: _RETRY,
    FailureKind.TOO_FREQUENT: _RETRY,
    FailureKind.CLOCK: _RETRY,
}
_NONE = {
    FailureKind.NOT_SENT: _RETRY,
    FailureKind.NO_RESPONSE: _UNKNOWN,
    FailureKind.TOO_FREQUENT: _RETRY,
    FailureKind.AMBIGUOUS: _UNKNOWN,
    FailureKind.HIDDEN: _UNKNOWN,
    FailureKind.NONCE: _UNKNOWN,
    FailureKind.CLOCK: _RETRY,
    FailureKind.IN_DOUBT: _UNKNOWN,
}


_API_ERRORS: Mapping[type[KfqError], FailureKind] = {
    TooFrequentError: FailureKind.TOO_FREQUENT,
    ClockError: FailureKind.CLOCK,
    HiddenErrorPage: FailureKind.HIDDEN,
    NonceError: FailureKind.NONCE,
}


def decide_retry(error: KfqError, idempotency: Idempotency, *, has_key: bool, repeat_sent: bool) -> RetryDecision:
    """Return the consequence of ``error`` for an operation.

    A ``KEYED`` request without an id, or under ``repeat_sent=False``, is retried only where nothing can have been
    executed; otherwise the error is raised as it is.
    """
    row: Mapping[FailureKind, RetryDecision]
    match idempotency:
        case Idempotency.SAFE:
            row = _SAFE
        case Idempotency.KEYED:
            row = _WITHOUT_KEY if not has_key else _KEYED if repeat_sent else _KEYED_SENT_ONCE
        case _:
            row = _NONE
    return row.get(classify_failure(error), RetryDecision.RAISE)


def classify_failure(error: KfqError) -> FailureKind:
    """Return the column of the table that ``error`` belongs to."""
    match error:
        case CertificateError():
            return FailureKind.FINAL
        case ProxyError(http_status=status) if status < 500:
            return FailureKind.FINAL
        case PoolTimeout() | TotalTimeout():
            return FailureKind.IN_DOUBT if error.phase is Phase.SENT else FailureKind.FINAL
        case ConnectError() | AttemptTimeout(phase=Phase.NOT_SENT):
            return FailureKind.NOT_SENT
        case TransportError():
            return FailureKind.NO_RESPONSE
        case ApiError() if type(error) in _API_ERRORS:
            return _API_ERRORS[type(error)]
        case ApiError(code=code) if code in AMBIGUOUS_CODES:
            return FailureKind.AMBIGUOUS
        case ApiError(envelope=Envelope(kind=EnvelopeKind.API, code=None)):
            return FailureKind.IN_DOUBT
    return FailureKind.IN_DOUBT if error.phase is Phase.SENT else FailureKind.FINAL


async def retry(
    first: KfqError,
    attempt: Callable[[], Awaitable[T | KfqError]],
    *,
    retryable: Callable[[KfqError], bool],
    policy: RetryPolicy,
    remaining: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    stopped: Callable[[StopReason], None] | None = None,
) -> T | KfqError:
    """Attempt until there is a result, an error that is not ``retryable``, or no attempt or time left.

    Errors are values here: an exception is a cancellation or a bug, and propagates at once. ``first``, the error of
    the first attempt, counts as one. ``remaining`` returns the seconds left; a wait that exceeds them is not started.
    ``stopped`` is told the limit that a retryable error met.
    """
    failed = [first]

    async def step() -> T | KfqError:
        return failed.pop() if failed else await attempt()

    def stop(state: RetryCallState) -> bool:
        if state.attempt_number >= policy.attempts:
            reason: StopReason = "attempts"
        elif state.upcoming_sleep >= remaining():
            reason = "total"
        else:
            return False
        if stopped is not None:
            stopped(reason)
        return True

    retrying = AsyncRetrying(
        sleep=sleep,
        retry=retry_if_result(lambda outcome: isinstance(outcome, KfqError) and retryable(outcome)),
        wait=lambda state: backoff(_error(state), state.attempt_number, policy),
        stop=stop,
        before_sleep=_log_retry,
        retry_error_callback=_error,
    )
    try:
        outcome: T | KfqError = await retrying(step)
    finally:
        retrying.iter_state.reset()  # its actions refer to the object: a cycle that would keep the request
    return outcome


def backoff(
    error: KfqError, attempts: int, policy: RetryPolicy, *, draw: Callable[[float, float], float] = uniform
) -> float:
    """Return the seconds to wait after attempt number ``attempts`` failed with ``error``.

    The wait is drawn from the upper half of the interval. After `TooFrequentError` and `HiddenErrorPage` it is at least
    a second, and ``Retry-After`` may extend it to at most 30 seconds.
    """
    if isinstance(error, ClockError):
        return 0.0
    longest = min(policy.maximum, policy.initial * 2.0 ** min(attempts - 1, 64))
    wait = draw(longest / 2, longest)
    if isinstance(error, TooFrequentError | HiddenErrorPage):
        wait = max(wait, MIN_TOO_FREQUENT)
    if isinstance(error, ApiError | GatewayError) and error.retry_after is not None:
        wait = max(wait, min(error.retry_after, MAX_RETRY_AFTER))
    return wait


def _error(state: RetryCallState) -> KfqError:
    """Return the error of a failed attempt."""
    assert state.outcome is not None  # noqa: S101  # tenacity sets it before it calls
    error: KfqError = state.outcome.result()
    return error


def _log_retry(state: RetryCallState) -> None:
    log_retry(_error(state), f"retry in {state.upcoming_sleep:.2f} s")


def log_retry(error: KfqError, retry: str) -> None:
    """Log an attempt that failed and is followed by another one; ``retry`` tells when or how."""
    _log.info(
        "%s: attempt %d failed with %s (%s): %s; %s; %s",
        error.operation,
        error.attempts,
        type(error).__name__,
        error.phase,
        error.args[0],
        retry,
        describe_ids(error.client_request_id, error.unique_code),
        extra={
            "operation": error.operation,
            "attempt": error.attempts,
            "error": type(error).__name__,
            "phase": error.phase,
            "http_status": getattr(error, "http_status", None),
            "code": getattr(error, "code", None),
            "client_request_id": error.client_request_id,
            "unique_code": error.unique_code,
        },
    )
