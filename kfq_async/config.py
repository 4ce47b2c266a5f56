"""How long and how often: the two settings that every call carries."""

from __future__ import annotations

from math import isfinite
from typing import Any

from attrs import Attribute, field, frozen

__all__ = ["RetryPolicy", "Timeouts"]


def _seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    name = f"{type(instance).__name__}.{attribute.name}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be more than 0 seconds, not {value}")


def _optional_seconds(instance: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _seconds(instance, attribute, value)


def _attempts(_instance: object, _attribute: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"RetryPolicy.attempts must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"RetryPolicy.attempts counts the first one, so it must be at least 1, not {value}")


def _boolean(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{type(instance).__name__}.{attribute.name} must be True or False, not {value!r}")


@frozen
class Timeouts:
    """Time limits in seconds, kept to within a quarter of a second.

    Raises `ValueError`, naming the argument, for one that is not positive.
    """

    connect: float = field(default=5.0, validator=_seconds)
    """Making the connection: name look-up, TCP and TLS."""
    attempt: float = field(default=30.0, validator=_seconds)
    """The whole of one attempt after that, however steadily bytes arrive."""
    total: float | None = field(default=None, validator=_optional_seconds)
    """The whole call with its waits and repetitions; ``None`` sets no limit."""


@frozen
class RetryPolicy:
    """How a failed call is repeated; what may be repeated depends on the operation's `Idempotency`.

    Each wait is drawn from the upper half of an interval that doubles from ``initial`` to ``maximum`` seconds,
    so that the default outlasts a restart of the other side. Raises `ValueError`, naming the argument.
    """

    attempts: int = field(default=5, validator=_attempts)
    """Requests at the most, the first one included; 1 repeats nothing."""
    initial: float = field(default=0.5, validator=_seconds)
    """The longest first wait, in seconds."""
    maximum: float = field(default=8.0, validator=_seconds)
    """The longest of all waits, in seconds."""
    repeat_sent: bool = field(default=True, validator=_boolean)
    """Whether a request with a ``clientRequestId`` that may have arrived is repeated under the same id.

    Whether the hosted platform honours the id is not documented: ``False`` is for those who do not rely on it.
    """
