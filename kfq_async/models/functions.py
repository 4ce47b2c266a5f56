"""Checks of functions that callers pass in."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from kfq_async.models.masking import type_name

__all__ = ["check_clock", "is_asynchronous"]


def is_asynchronous(function: Any) -> bool:
    """Return whether a call of ``function`` only makes a coroutine or an asynchronous generator, and does nothing.

    Methods and partials of such a function, and objects with ``async def __call__``, count.
    """
    while isinstance(function, functools.partial):
        function = function.func
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (function, getattr(type(function), "__call__", None))  # noqa: B004  # its kind, not whether it exists
    )


def check_clock(clock: object, returns: str = "the seconds since the epoch") -> None:
    """Raise `TypeError` unless ``clock`` is a plain function."""
    if not callable(clock):
        raise TypeError(f"clock must be a function that returns {returns}, not {type_name(clock)}")
    if is_asynchronous(clock):
        raise TypeError(f"clock must be a plain function that returns {returns}, not an async one")
