"""Checks of functions that callers pass in."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock, Mock

import pytest

from kfq_async.models.functions import check_clock, is_asynchronous

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Calls:
    """Plain and asynchronous methods."""

    async def __call__(self, *_: int) -> None:
        """Do nothing."""

    async def method(self, *_: int) -> None:
        """Do nothing."""

    async def generator(self, *_: int) -> AsyncIterator[int]:
        """Yield a number."""
        yield 1

    def plain(self, *_: int) -> None:
        """Do nothing."""


ASYNCHRONOUS = [
    asyncio.sleep,
    Calls(),
    Calls().method,
    Calls().generator,
    partial(asyncio.sleep, 1),
    partial(partial(Calls()), 1),
    partial(Calls().method),
    AsyncMock(),
]


@pytest.mark.parametrize("function", ASYNCHRONOUS)
def test_asynchronous(function: Any) -> None:
    """A call of these only makes a coroutine or a generator."""
    assert is_asynchronous(function)
    with pytest.raises(TypeError, match=r"^clock must be a plain function that returns the seconds since the epoch"):
        check_clock(function)


@pytest.mark.parametrize("function", [time.time, Calls, Calls().plain, partial(max, 1), lambda: 1.0, Mock(), object])
def test_plain(function: Any) -> None:
    """A call of these does its work."""
    assert not is_asynchronous(function)
    check_clock(function)


@pytest.mark.parametrize("clock", [5, None, "time"])
def test_no_clock(clock: object) -> None:
    """A clock is a function."""
    with pytest.raises(TypeError, match=f"^clock must be a function that returns minutes, not {type(clock).__name__}$"):
        check_clock(clock, "minutes")
