"""What tools show of an exception besides its text: the local variables of its frames."""

from __future__ import annotations

import io
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.traceback import Traceback
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.serializer import serialize
from sentry_sdk.utils import event_from_exception

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["render", "variables"]


def variables(error: BaseException) -> list[object]:
    """Return the local variables of an exception's frames, and the items in them, however deep.

    Exceptions that it suppresses are included, since some error trackers show those too.
    """
    found: list[object] = []
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        for frame, _ in traceback.walk_tb(current.__traceback__):
            found += _items(frame.f_locals.values())
        current = current.__cause__ or current.__context__
    return found


def _items(values: Iterable[object]) -> Iterator[object]:
    for value in values:
        yield value
        if isinstance(value, Mapping):
            yield from _items([*value.keys(), *value.values()])
        elif isinstance(value, list | tuple | set | frozenset):
            yield from _items(value)


def render(error: BaseException) -> str:
    """Return the tracebacks of the standard library, rich and Sentry with local variables, unshortened."""
    own = traceback.TracebackException.from_exception(error, capture_locals=True)
    console = Console(file=io.StringIO(), width=1000)
    console.print(
        Traceback.from_exception(
            type(error), error, error.__traceback__, show_locals=True, locals_max_length=1000, locals_max_string=100_000
        )
    )
    assert isinstance(console.file, io.StringIO)
    event, _ = event_from_exception(error, client_options={**DEFAULT_OPTIONS, "include_local_variables": True})
    return "\n".join([*own.format(), console.file.getvalue(), str(serialize(dict(event)))])
