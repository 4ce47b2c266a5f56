"""What tools show of an exception besides its text: the local variables of its frames."""

from __future__ import annotations

import io
import traceback

from rich.console import Console
from rich.traceback import Traceback
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.serializer import serialize
from sentry_sdk.utils import event_from_exception

__all__ = ["render"]


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
