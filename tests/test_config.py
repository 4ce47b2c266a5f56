"""`Timeouts` and `RetryPolicy`: what they accept."""

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
    (RetryPolicy, "initial"),
    (RetryPolicy, "maximum"),
]


def test_the_documented_defaults() -> None:
    """Without settings: 5 s to connect, 30 s to answer, no limit for the call, five attempts."""
    assert Timeouts() == Timeouts(connect=5, attempt=30, total=None)
    assert RetryPolicy() == RetryPolicy(attempts=5, initial=0.5, maximum=8, repeat_sent=True)


@pytest.mark.parametrize(("kind", "name"), SECONDS)
@pytest.mark.parametrize("value", [1, 0.001, 3600])
def test_seconds_may_be_whole_or_not(kind: Any, name: str, value: float) -> None:
    """Any positive number of seconds is taken as it is."""
    assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize(("kind", "name"), SECONDS)
@pytest.mark.parametrize("value", [0, -1, -0.5, nan, inf, -inf])
def test_seconds_must_be_positive_and_finite(kind: Any, name: str, value: float) -> None:
    """A limit that could never hold, or never end, is refused by its name."""
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.{name} must be more than 0 seconds"):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), SECONDS)
@pytest.mark.parametrize("value", [True, "5", Decimal(5), b"1", [1]])
def test_seconds_must_be_a_number(kind: Any, name: str, value: object) -> None:
    """A wrong type is refused by the setting's name and the type's."""
    with pytest.raises(TypeError, match=rf"{kind.__name__}\.{name} must be a number.*{type(value).__name__}"):
        kind(**{name: value})


@pytest.mark.parametrize(("kind", "name"), [pair for pair in SECONDS if pair[1] != "total"])
def test_only_the_total_may_be_unlimited(kind: Any, name: str) -> None:
    """``None`` is no number of seconds, save for ``total``, where it means no limit."""
    with pytest.raises(TypeError, match=f"{name} must be a number of seconds, not NoneType"):
        kind(**{name: None})


@pytest.mark.parametrize("value", [0, -1])
def test_at_least_one_attempt(value: int) -> None:
    """``attempts`` counts the first one, so nothing below 1 makes sense."""
    with pytest.raises(ValueError, match=r"RetryPolicy\.attempts .* at least 1, not"):
        RetryPolicy(attempts=value)


@pytest.mark.parametrize("value", [True, 1.0, "5", None])
def test_attempts_are_counted_in_whole_numbers(value: Any) -> None:
    """A wrong type is refused by name."""
    with pytest.raises(TypeError, match=rf"RetryPolicy\.attempts must be an int, not {type(value).__name__}"):
        RetryPolicy(attempts=value)


def test_settings_are_values() -> None:
    """Settings can be shared between sessions, since nobody can change them."""
    assert hash(Timeouts(attempt=1)) == hash(Timeouts(attempt=1.0))
    with pytest.raises(AttributeError):
        Timeouts().attempt = 1.0  # type: ignore[misc]
