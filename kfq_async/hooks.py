"""Observation of calls and notifications: `Hooks`, and the events that they get.

Events hold ids, numbers and names, nothing personal.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import frozen

from kfq_async.base_errors import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "AttemptEvent",
    "AttemptStart",
    "CallEvent",
    "Hooks",
    "NotificationEvent",
    "NotificationOutcome",
    "call_hooks",
    "check_hooks",
]

_LOG = logging.getLogger("kfq_async")
StopReason: TypeAlias = Literal["attempts", "total"]
"""Limit that ends the retries of a call."""


@frozen(kw_only=True)
class AttemptStart:
    """Attempt of a call that is about to be sent.

    Attributes:
        operation: ``METHOD /path``, such as ``POST /auth/corp/ident/link``.
        url: URL without its query.
        attempt: Number of the attempt within the call; the first one is 1.
        client_request_id: ``clientRequestId`` of the request; ``None`` if it has none.
        unique_code: ``uniqueCode`` (流水号) of the attempt, by which the platform's log knows it.
        offset: Seconds from the beginning of the call to that of the attempt, its waits included.
        slot_wait: Seconds waited for a slot of the session's ``concurrency``, and for its ``lane``.
        rate_limit_wait: Seconds waited for the session's ``rate_limit``.
    """

    operation: str
    """``METHOD /path``, such as ``POST /auth/corp/ident/link``."""
    url: str
    """URL without its query."""
    attempt: int
    """Number of the attempt within the call; the first one is 1."""
    client_request_id: str | None
    """``clientRequestId`` of the request; ``None`` if it has none."""
    unique_code: str
    """``uniqueCode`` (流水号) of the attempt, by which the platform's log knows it."""
    offset: float
    """Seconds from the beginning of the call to that of the attempt, its waits included."""
    slot_wait: float
    """Seconds waited for a slot of the session's ``concurrency``, and for its ``lane``."""
    rate_limit_wait: float
    """Seconds waited for the session's ``rate_limit``."""


@frozen(kw_only=True)
class AttemptEvent(AttemptStart):
    """End of one attempt of a call. It has the attributes of `AttemptStart` as well.

    Attributes:
        error: Name of the error's class; ``None`` after a success.
        phase: Stage at which the attempt ended; ``ANSWERED`` after a success.
        http_status: HTTP status of the response; ``None`` without one.
        code: ``code`` of the platform's response; ``None`` without one.
        seconds: Duration in seconds, without the waits.
    """

    error: str | None
    """Name of the error's class; ``None`` after a success."""
    phase: Phase
    """Stage at which the attempt ended; ``ANSWERED`` after a success."""
    http_status: int | None
    """HTTP status of the response; ``None`` without one."""
    code: int | None
    """``code`` of the platform's response; ``None`` without one."""
    seconds: float
    """Duration in seconds, without the waits."""


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
        order_no: ``orderNo`` of the result; ``None`` if it has none. Here and in ``contract_id``, ``***`` stands for a
            value that does not have the form of an id.
        contract_id: ``contractId`` of the result; ``None`` if it has none.
        stopped: Limit that kept an error that can be retried from being retried: ``attempts``
            (`RetryPolicy.attempts` were made), or ``total`` (the wait for the next attempt would have outlasted
            `Timeouts.total`). ``None`` otherwise.
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
    order_no: str | None = None
    """``orderNo`` of the result; ``None`` if it has none. Here and in ``contract_id``, ``***`` stands for a value that
    does not have the form of an id."""
    contract_id: str | None = None
    """``contractId`` of the result; ``None`` if it has none."""
    stopped: StopReason | None = None
    """Limit that kept an error that can be retried from being retried: ``attempts`` (`RetryPolicy.attempts` were made),
    or ``total`` (the wait for the next attempt would have outlasted `Timeouts.total`). ``None`` otherwise."""


class NotificationOutcome(StrEnum):
    """Outcome of an incoming notification.

    Attributes:
        HANDLED: The handler has returned, and the notification is marked as done.
        REPEATED: It was done before: acknowledged without the handler.
        REFUSED: Not authentic, malformed, or not now; the handler was not called.
        FAILED: The handler raised or was cancelled, or the store failed before it.
        IN_DOUBT: The handler is still running when the reply is due, and is reported again at its end; or it has run,
            but the store failed, or it returned no awaitable.
    """

    HANDLED = "handled"
    """The handler has returned, and the notification is marked as done."""
    REPEATED = "repeated"
    """It was done before: acknowledged without the handler."""
    REFUSED = "refused"
    """Not authentic, malformed, or not now; the handler was not called."""
    FAILED = "failed"
    """The handler raised or was cancelled, or the store failed before it."""
    IN_DOUBT = "in_doubt"
    """The handler is still running when the reply is due, and is reported again at its end; or it has run, but the
    store failed, or it returned no awaitable."""


@frozen(kw_only=True)
class NotificationEvent:
    """Outcome of a notification that a `NotificationReceiver` was given.

    Attributes:
        kind: ``identity``, or ``contract`` for a contract event.
        outcome: What became of it.
        reason: `RejectionReason` if it was not acknowledged; ``None`` if it was.
        error: Name of the class of what handler or store raised; ``None`` otherwise.
        http_status: HTTP status of the reply.
        client_request_id: ``clientRequestId`` of the request, carried by the URL; ``None`` without `CallbackUrls`, and
            if the URL is not authentic.
        order_no: ``orderNo`` of an identity notification; ``None`` if it was refused or has none. Here and in the next
            three, ``***`` stands for a value that does not have the form of an id or a state.
        contract_id: ``contractId`` of a contract event; ``None`` if it was refused.
        status: ``orderStatus``, or ``callbackType`` of a contract event; ``None`` if it was refused or has none.
        key: `NotificationDelivery.key`; ``None`` if it was refused before it was read.
        seconds: Seconds since `NotificationReceiver.receive` was called; 0 if the body was not read.
    """

    kind: str
    """``identity``, or ``contract`` for a contract event."""
    outcome: NotificationOutcome
    """What became of it."""
    reason: str | None
    """`RejectionReason` if it was not acknowledged; ``None`` if it was."""
    error: str | None
    """Name of the class of what handler or store raised; ``None`` otherwise."""
    http_status: int
    """HTTP status of the reply."""
    client_request_id: str | None = None
    """``clientRequestId`` of the request, carried by the URL; ``None`` without `CallbackUrls`, and if the URL is not
    authentic."""
    order_no: str | None = None
    """``orderNo`` of an identity notification; ``None`` if it was refused or has none. Here and in the next three,
    ``***`` stands for a value that does not have the form of an id or a state."""
    contract_id: str | None = None
    """``contractId`` of a contract event; ``None`` if it was refused."""
    status: str | None = None
    """``orderStatus``, or ``callbackType`` of a contract event; ``None`` if it was refused or has none."""
    key: str | None = None
    """`NotificationDelivery.key`; ``None`` if it was refused before it was read."""
    seconds: float = 0.0
    """Seconds since `NotificationReceiver.receive` was called; 0 if the body was not read."""


class Hooks:
    """Base class of hooks for `AsyncSession` and `NotificationReceiver`: override what you need.

    Hooks are plain functions, called in the event loop, so they must not block. What one raises is logged, and changes
    nothing of the call or the notification.
    """

    def on_attempt_start(self, event: AttemptStart) -> Mapping[str, str] | None:
        """Called before each attempt is sent, in its task; returns headers to add, such as ``traceparent``.

        Those of the session and of ``extra_headers`` take precedence.
        """

    def on_attempt(self, event: AttemptEvent) -> None:
        """Called at the end of each attempt, in the same task."""

    def on_call(self, event: CallEvent) -> None:
        """Called at the end of each call, before it returns or raises."""

    def on_notification(self, event: NotificationEvent) -> None:
        """Called when the outcome of a notification is known, before its reply is returned."""


def call_hooks(hooks: Iterable[Hooks], name: str, event: object) -> list[Any]:
    """Call a method of all hooks, and return the results; what one raises is logged."""
    results = []
    for each in hooks:
        try:
            results.append(getattr(each, name)(event))
        except Exception as error:  # noqa: BLE001  # a hook must not change what it observes
            # By the name of the exception alone: the message may hold what the hook knows.
            _LOG.error("%s.%s raised %s", type(each).__name__, name, type(error).__name__)
    return results


def check_hooks(value: Any) -> tuple[Hooks, ...]:
    """Return hooks as a tuple; raise `TypeError` for anything but a sequence of `Hooks`."""
    remedy = "pass a list of instances of kfq_async.Hooks"
    if not isinstance(value, list | tuple):
        raise TypeError(f"hooks must be a sequence of Hooks, not {type(value).__name__}: {remedy}")
    for hook in value:
        if not isinstance(hook, Hooks):
            raise TypeError(f"hooks must hold instances of Hooks, not {type(hook).__name__}: {remedy}")
    return tuple(value)
