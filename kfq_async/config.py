"""Settings of a call: `Timeouts` and `RetryPolicy`, and what a lane must have: `Lane`."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from attrs import Attribute, field, frozen

__all__ = ["Lane", "LaneTurn", "RetryPolicy", "Timeouts"]


def _seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    name = f"{type(instance).__name__}.{attribute.name}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not 0 < value <= sys.float_info.max:  # an int may be larger than any float
        raise ValueError(f"{name} must be more than 0 seconds, and finite")


def _optional_seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _seconds(instance, attribute, value)


def _attempts(_instance: object, _attribute: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"RetryPolicy.attempts must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"RetryPolicy.attempts includes the first one, so it must be at least 1, not {value}")


def _boolean(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(
            f"{type(instance).__name__}.{attribute.name} must be True or False, not a {type(value).__name__}"
        )


@frozen
class Timeouts:
    """Time limits of a call, in seconds, enforced to within a quarter of a second.

    Raises `TypeError` or `ValueError`, naming the argument, unless each is a positive, finite number.

    Attributes:
        connect: Limit for establishing the connection: name lookup, TCP and TLS.
        attempt: Limit for the rest of one attempt as a whole, even while bytes keep arriving. That of an upload begins
            with the last byte of the file; that of a download ends with the first one.
        total: Limit for the whole call, queueing, waits and retries included; ``None`` sets no limit.
        stall: Limit for the time without a byte while a file is sent or received, or its source is read before that.
    """

    connect: float = field(default=5.0, validator=_seconds)
    """Limit for establishing the connection: name lookup, TCP and TLS."""
    attempt: float = field(default=30.0, validator=_seconds)
    """Limit for the rest of one attempt as a whole, even while bytes keep arriving. That of an upload begins with the
    last byte of the file; that of a download ends with the first one."""
    total: float | None = field(default=None, validator=_optional_seconds)
    """Limit for the whole call, queueing, waits and retries included; ``None`` sets no limit."""
    stall: float = field(default=30.0, validator=_seconds)
    """Limit for the time without a byte while a file is sent or received, or its source is read before that."""


@frozen
class RetryPolicy:
    """Number of attempts and waits between them; the operation's `Idempotency` decides what is retried.

    Each wait is random, between half and all of an interval that doubles from ``initial`` to ``maximum`` seconds. The
    default outlasts a restart of the platform. Raises `TypeError` or `ValueError`, naming the argument.

    Attributes:
        attempts: Maximum number of requests, the first one included; 1 disables retries.
        initial: Upper bound of the first wait, in seconds.
        maximum: Upper bound of later waits, in seconds; a response's ``Retry-After`` may ask for more, up to 30 s.
        repeat_sent: Whether a request with a ``clientRequestId`` that may have arrived is retried under the same id.
            Whether the hosted platform honours the id is not documented; set ``False`` not to rely on it.
    """

    attempts: int = field(default=5, validator=_attempts)
    """Maximum number of requests, the first one included; 1 disables retries."""
    initial: float = field(default=0.5, validator=_seconds)
    """Upper bound of the first wait, in seconds."""
    maximum: float = field(default=8.0, validator=_seconds)
    """Upper bound of later waits, in seconds; a response's ``Retry-After`` may ask for more, up to 30 s."""
    repeat_sent: bool = field(default=True, validator=_boolean)
    """Whether a request with a ``clientRequestId`` that may have arrived is retried under the same id.

    Whether the hosted platform honours the id is not documented; set ``False`` not to rely on it.
    """


class LaneTurn(Protocol):
    """The right to send one request, held by one attempt (`Lane`).

    Attributes:
        remaining: Seconds for which nobody else can have the lane; infinite where that does not end by itself.
    """

    @property
    def remaining(self) -> float:
        """Seconds for which nobody else can have the lane; infinite where that does not end by itself.

        A request is sent only if its attempt fits in.
        """
        ...

    async def release(self) -> None:
        """Let the next one have the lane: nothing was sent, or the platform has responded."""

    def keep(self, seconds: float) -> None:
        """Let the next one have the lane after so many seconds, without a task that must live until then.

        The request was sent and its response is missing: the platform may still be working on it.
        """


class Lane(Protocol):
    """Lets requests that drive contracts reach a platform one at a time, such as `ProcessLane`."""

    async def acquire(self, platform: str) -> LaneTurn:
        """Wait for the lane of a platform, which is known by its URL, and take it. May be cancelled."""
        ...
