"""Observation of calls: `Hooks`, and the events that they get. Events hold ids, numbers and names, nothing personal."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from kfq_async.base_errors import Phase

__all__ = ["AttemptEvent", "CallEvent", "Hooks", "check_hooks"]


@frozen(kw_only=True)
class AttemptEvent:
    """End of one attempt of a call.

    Attributes:
        operation: ``METHOD /path``, such as ``POST /auth/corp/ident/link``.
        attempt: Number of the attempt within the call; the first one is 1.
        client_request_id: ``clientRequestId`` of the request; ``None`` if it has none.
        unique_code: ``uniqueCode`` (流水号) of the attempt, by which the platform's log knows it.
        error: Name of the error's class; ``None`` after a success.
        phase: Stage at which the attempt ended; ``ANSWERED`` after a success.
        http_status: HTTP status of the response; ``None`` without one.
        code: ``code`` of the platform's response; ``None`` without one.
        offset: Seconds from the beginning of the call to that of the attempt, its waits included.
        seconds: Duration in seconds, without the waits.
        slot_wait: Seconds waited for a slot of the session's ``concurrency``, and for its ``lane``.
        rate_limit_wait: Seconds waited for the session's ``rate_limit``.
    """

    operation: str
    """``METHOD /path``, such as ``POST /auth/corp/ident/link``."""
    attempt: int
    """Number of the attempt within the call; the first one is 1."""
    client_request_id: str | None
    """``clientRequestId`` of the request; ``None`` if it has none."""
    unique_code: str
    """``uniqueCode`` (流水号) of the attempt, by which the platform's log knows it."""
    error: str | None
    """Name of the error's class; ``None`` after a success."""
    phase: Phase
    """Stage at which the attempt ended; ``ANSWERED`` after a success."""
    http_status: int | None
    """HTTP status of the response; ``None`` without one."""
    code: int | None
    """``code`` of the platform's response; ``None`` without one."""
    offset: float
    """Seconds from the beginning of the call to that of the attempt, its waits included."""
    seconds: float
    """Duration in seconds, without the waits."""
    slot_wait: float
    """Seconds waited for a slot of the session's ``concurrency``, and for its ``lane``."""
    rate_limit_wait: float
    """Seconds waited for the session's ``rate_limit``."""


@frozen(kw_only=True)
class CallEvent:
    """End of a call, with all its attempts.

    Attributes:
        operation: ``METHOD /path``, such as ``POST /auth/corp/ident/link``.
        attempts: Number of attempts made; 0 if the call failed before the first one.
        client_request_id: ``clientRequestId`` of the request; ``None`` if it has none.
        unique_code: ``uniqueCode`` (流水号) of the last attempt; ``None`` without one.
        error: Name of the class of the error that the call raised; ``None`` after a success.
        phase: Stage at which the call ended: that of the error, or ``ANSWERED`` after a success.
        http_status: HTTP status of the last response; ``None`` without one.
        code: ``code`` of the platform's response, or of the error; ``None`` without one.
        seconds: Duration in seconds, waits and retries included.
        slot_wait: Seconds waited for slots and the lane, in all attempts.
        rate_limit_wait: Seconds waited for the rate limit, in all attempts.
        attempt_events: The events of its attempts, in order.
    """

    operation: str
    """``METHOD /path``, such as ``POST /auth/corp/ident/link``."""
    attempts: int
    """Number of attempts made; 0 if the call failed before the first one."""
    client_request_id: str | None
    """``clientRequestId`` of the request; ``None`` if it has none."""
    unique_code: str | None
    """``uniqueCode`` (流水号) of the last attempt; ``None`` without one."""
    error: str | None
    """Name of the class of the error that the call raised; ``None`` after a success."""
    phase: Phase
    """Stage at which the call ended: that of the error, or ``ANSWERED`` after a success."""
    http_status: int | None
    """HTTP status of the last response; ``None`` without one."""
    code: int | None
    """``code`` of the platform's response, or of the error; ``None`` without one."""
    seconds: float
    """Duration in seconds, waits and retries included."""
    slot_wait: float
    """Seconds waited for slots and the lane, in all attempts."""
    rate_limit_wait: float
    """Seconds waited for the rate limit, in all attempts."""
    attempt_events: tuple[AttemptEvent, ...] = ()
    """The events of its attempts, in order."""


class Hooks:
    """Base class of hooks for `AsyncSession`: override what you need.

    Hooks are plain functions, called in the event loop, so they must not block. What one raises is logged, and changes
    nothing of the call.
    """

    def on_attempt(self, event: AttemptEvent) -> None:
        """Called at the end of each attempt."""

    def on_call(self, event: CallEvent) -> None:
        """Called at the end of each call, before it returns or raises."""


def check_hooks(value: Any) -> tuple[Hooks, ...]:
    """Return hooks as a tuple; raise `TypeError` for anything but a sequence of `Hooks`."""
    remedy = "pass a list of instances of kfq_async.Hooks"
    if not isinstance(value, list | tuple):
        raise TypeError(f"hooks must be a sequence of Hooks, not {type(value).__name__}: {remedy}")
    for hook in value:
        if not isinstance(hook, Hooks):
            raise TypeError(f"hooks must hold instances of Hooks, not {type(hook).__name__}: {remedy}")
    return tuple(value)
