"""Repeating a call whose first attempt has failed. tenacity is imported here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from random import uniform
from typing import TYPE_CHECKING, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from kfq_async.errors import ApiError, ClockError, GatewayError, KfqError, TooFrequentError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.config import RetryPolicy

__all__ = ["repeat", "wait_after"]

T = TypeVar("T")
LONGEST_RETRY_AFTER = 30.0
SHORTEST_TOO_FREQUENT = 1.0

_log = logging.getLogger("kfq_async")


async def repeat(
    first: KfqError,
    attempt: Callable[[], Awaitable[T | KfqError]],
    *,
    again: Callable[[KfqError], bool],
    policy: RetryPolicy,
    remaining: Callable[[], float],
) -> T | KfqError:
    """Attempt again until there is a result, or ``again`` says no, or attempts or time are used up.

    Errors come as values: an exception is a cancellation or a bug, and passes through at once. ``first`` counts
    as the first attempt. ``remaining`` are the seconds left; a wait that would outlive them is not begun.
    """
    failed = [first]

    async def step() -> T | KfqError:
        return failed.pop() if failed else await attempt()

    def outlives(state: RetryCallState) -> bool:
        return state.upcoming_sleep >= remaining()

    retrying = AsyncRetrying(
        sleep=asyncio.sleep,
        retry=retry_if_result(lambda outcome: isinstance(outcome, KfqError) and again(outcome)),
        wait=lambda state: wait_after(_outcome(state), state.attempt_number, policy),
        stop=lambda state: stop_after_attempt(policy.attempts)(state) or outlives(state),
        before_sleep=_note,
        retry_error_callback=_outcome,
    )
    outcome: T | KfqError = await retrying(step)
    return outcome


def wait_after(
    error: KfqError, attempts: int, policy: RetryPolicy, *, draw: Callable[[float, float], float] = uniform
) -> float:
    """Return the seconds to wait after attempt number ``attempts`` ended in ``error``.

    The wait comes from the upper half of the grown interval. Too frequent waits a second at least, and
    ``Retry-After`` can lengthen the wait up to half a minute.
    """
    if isinstance(error, ClockError):
        return 0.0
    longest = min(policy.maximum, policy.initial * 2.0 ** min(attempts - 1, 64))
    wait = draw(longest / 2, longest)
    if isinstance(error, TooFrequentError):
        wait = max(wait, SHORTEST_TOO_FREQUENT)
    if isinstance(error, ApiError | GatewayError) and error.retry_after is not None:
        wait = max(wait, min(error.retry_after, LONGEST_RETRY_AFTER))
    return wait


def _outcome(state: RetryCallState) -> KfqError:
    """Return the error that an attempt ended in; only called after one that failed."""
    assert state.outcome is not None  # noqa: S101  # tenacity sets it before it asks
    error: KfqError = state.outcome.result()
    return error


def _note(state: RetryCallState) -> None:
    error = _outcome(state)
    _log.info(
        "%s: attempt %d failed with %s (%s); again in %.2f s",
        error.operation,
        state.attempt_number,
        type(error).__name__,
        error.phase,
        state.upcoming_sleep,
        extra={"client_request_id": error.client_request_id, "unique_code": error.unique_code},
    )
