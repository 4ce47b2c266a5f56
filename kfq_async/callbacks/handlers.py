"""Check that a handler is a coroutine function. Pure."""

from __future__ import annotations

import functools
import inspect

__all__ = ["require_coroutine_function"]


def require_coroutine_function(name: str, function: object) -> None:
    """Raise `TypeError` unless ``function`` is a coroutine function, such as one defined by ``async def``.

    Methods and partials of one, objects with ``async def __call__``, and wrappers whose ``__wrapped__`` is one
    (`functools.wraps`) count. A plain function that returns a coroutine cannot be recognised.
    """
    if not _is_coroutine_function(function):
        shown = getattr(function, "__qualname__", type(function).__qualname__)
        raise TypeError(
            f"{name} must be a coroutine function, and {shown} is not: write `async def {name}(delivery)`, and "
            "functools.wraps in a decorator around it"
        )


def _is_coroutine_function(function: object) -> bool:
    if isinstance(function, functools.partial):
        return _is_coroutine_function(function.func)
    if inspect.ismethod(function):
        return _is_coroutine_function(function.__func__)
    if inspect.isclass(function):
        return False
    call = inspect.getattr_static(type(function), "__call__", None)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        return True
    wrapped = inspect.getattr_static(function, "__wrapped__", None)
    return wrapped is not None and _is_coroutine_function(wrapped)
