"""`Timeouts` and `RetryPolicy`: accepted values and defaults."""

from __future__ import annotations

from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest

from kfq_async import RetryPolicy, Timeouts

SECONDS: list[tuple[type, str]] = [
    (Timeouts, "connect"),
    (Timeouts, "attempt"),
    (Timeouts, "total"),
    (Timeouts, "stall"),
    (RetryPolicy, "initial"),
    (RetryPolicy, "maximum"),
]


def test_defaults() -> None:
    """Defaults: 5 s to connect, 30 s per attempt, no total limit, 30 s without a byte, five attempts."""
    assert Timeouts() == Timeouts(connect=5, attempt=30, total=None, stall=30)
    assert RetryPolicy() == RetryPolicy(attempts=5, initial=0.5, maximum=8, repeat_sent=True)


@pytest.mark.parametrize(("kind", "name"), SECONDS)
@pytest.mark.parametrize("value", [1, 0.001, 3600])
def test_positive_seconds(kind: Any, name: str, value: float) -> None:
    """Any positive number of seconds is accepted."""
    assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize(("kind", "name"), SECONDS)
@pytest.mark.parametrize("value", [0, -1, -0.5, nan, inf, -inf, 10**400])
def test_seconds_must_be_positive_and_finite(kind: Any, name: str, value: float) -> None:
    """Zero, a negative number, NaN or infinity is refused, naming the setting."""
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name} must be more than 0 seconds"):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), SECONDS)
@pytest.mark.parametrize("value", [True, "5", Decimal(5), b"1", [1]])
def test_seconds_must_be_a_number(kind: Any, name: str, value: object) -> None:
    """A value of a wrong type is refused, naming the setting and the type."""
    with pytest.raises(TypeError, match=rf"{kind.__name__}\.{name} must be a number.*{type(value).__name__}"):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), [pair for pair in SECONDS if pair[1] != "total"])
def test_only_total_may_be_none(kind: Any, name: str) -> None:
    """``None`` is refused, except for ``total``, where it means no limit."""
    with pytest.raises(TypeError, match=f"{name} must be a number of seconds, not NoneType"):
        kind(**{name: None})


@pytest.mark.parametrize("value", [0, -1])
def test_at_least_one_attempt(value: int) -> None:
    """``attempts`` includes the first one, so it must be at least 1."""
    with pytest.raises(ValueError, match=r"RetryPolicy\.attempts .* at least 1, not"):
        RetryPolicy(attempts=value)


@pytest.mark.parametrize("value", [True, 1.0, "5", None])
def test_attempts_must_be_an_int(value: Any) -> None:
    """A value of a wrong type is refused, naming the setting and the type."""
    with pytest.raises(TypeError, match=rf"RetryPolicy\.attempts must be an int, not {type(value).__name__}"):
        RetryPolicy(attempts=value)


def test_settings_are_values() -> None:
    """Settings are immutable and compare by value, so sessions can share them."""
    assert hash(Timeouts(attempt=1)) == hash(Timeouts(attempt=1.0))
    with pytest.raises(AttributeError):
        Timeouts().attempt = 1.0  # type: ignore[misc]


def test_repeat_sent_must_be_a_bool() -> None:
    """A string in place of True or False is refused."""
    value: Any = "no"
    with pytest.raises(TypeError, match=r"RetryPolicy\.repeat_sent must be True or False, not a str$"):
        RetryPolicy(repeat_sent=value)
