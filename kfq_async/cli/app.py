"""The commands of ``kfq`` and what their ends mean for the exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError
from rich.console import Console

from kfq_async._version import __version__
from kfq_async.cli.demo import demo
from kfq_async.cli.link import link
from kfq_async.cli.onboard import app as onboard
from kfq_async.cli.options import UsageError
from kfq_async.cli.sandbox import sandbox

__all__ = ["run"]

app = App(
    name="kfq",
    help="Identification links of 开放签 (Kaifangqian): for one company, for many, and a sandbox to try them on.",
    version=__version__,
    help_format="markdown",
    result_action="return_value",
)
app.command(demo)
app.command(link)
app.command(onboard)
app.command(sandbox)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    errors = Console(stderr=True)
    try:
        status = app(arguments, exit_on_error=False, error_console=errors)
    except CycloptsError:
        return 2  # it has been printed
    except UsageError as problem:
        errors.print(f"kfq: {problem}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; nothing is left to say
        return 1
    except OSError as problem:  # as a full disk behind our output
        errors.print(f"kfq: {problem.strerror}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    return status if isinstance(status, int) else 0
