"""Text and bytes whose ``repr`` is masked: tracebacks, debuggers and error trackers show values by their ``repr``."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MASK",
    "MaskedBytes",
    "MaskedStr",
    "hide_arguments",
    "mask_secret",
    "mask_text",
    "mask_texts",
    "plain_text",
    "type_name",
]

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")
MASK = "'***'"
"""The ``repr`` of every secret."""


def hide_arguments(function: FunctionT) -> FunctionT:
    """Decorate a function whose exceptions must not show its arguments, of whatever type.

    Error trackers record the variables of each frame of a traceback, so it ends at a frame without them.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as problem:  # noqa: BLE001  # raised again
            raise problem.with_traceback(None) from None
        finally:
            del args, kwargs

    return cast("FunctionT", call)


def plain_text(value: str) -> str:
    """Return the characters of a ``str``; ``str()`` of a subclass, such as ``class Color(str, Enum)``, may differ."""
    return str.__str__(value)


def mask_secret(value: Any) -> Any:
    """Return a text or bytes, such as a key, with a masked ``repr``, and any other value unchanged."""
    return MaskedBytes(value) if isinstance(value, bytes) else mask_text(value)


def type_name(value: object) -> str:
    """Return the name of the type of a value, for messages: a masked ``str`` is a ``str``."""
    plain = next((kind for kind in (str, bytes) if isinstance(value, kind)), type(value))
    return plain.__name__


class MaskedStr(str):
    """A ``str`` whose ``repr`` is ``'***'``: a token, a link, or personal data.

    It is a ``str`` in every other respect: ``str()``, ``==``, JSON, pickle and database drivers see the text. A slice
    is masked too, since tools that shorten long values show the ``repr`` of a slice; what other methods return, such as
    ``split``, is plain.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return MASK

    def __getitem__(self, index: Any) -> str:
        return type(self)(super().__getitem__(index))


class MaskedBytes(bytes):
    """``bytes`` whose ``repr`` is ``b'***'``, such as the body of a request; a slice is masked too.

    `orjson.loads` takes exact ``bytes`` only: pass ``bytes(body)``.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"b{MASK}"

    def __getitem__(self, index: Any) -> Any:
        part = super().__getitem__(index)
        return type(self)(part) if isinstance(part, bytes) else part


def mask_text(value: Any) -> Any:
    """Return a text as a `MaskedStr`, and any other value unchanged."""
    if isinstance(value, MaskedStr) or not isinstance(value, str):
        return value
    return MaskedStr(plain_text(value))


def mask_texts(data: Any) -> Any:
    """Return a copy of JSON data in which every text is a `MaskedStr`, at any depth; keys stay as they are."""
    root = [data]
    containers: list[Any] = [root]
    while containers:  # a loop, since the data may be nested more deeply than Python recurses
        container = containers.pop()
        for key, item in container.items() if isinstance(container, dict) else enumerate(container):
            if isinstance(item, str):
                container[key] = MaskedStr(item)
            elif isinstance(item, dict | list):
                container[key] = item.copy()
                containers.append(container[key])
    return root[0]
