"""Commands of ``kfq`` and their exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Literal

from cyclopts import App, CycloptsError
from rich.console import Console

from kfq_async._version import __version__
from kfq_async.cli.contract import app as contract
from kfq_async.cli.demo import demo
from kfq_async.cli.doctor import doctor
from kfq_async.cli.link import link
from kfq_async.cli.onboard import app as onboard
from kfq_async.cli.options import UsageError
from kfq_async.cli.sandbox import sandbox
from kfq_async.cli.sandbox_control import COMMANDS
from kfq_async.cli.terminal import print_json, print_line, replace_unencodable
from kfq_async.cli.verify_callback import verify_callback
from kfq_async.logs import LEVEL_VARIABLE, log_to_stderr

__all__ = ["run"]

app: App = App(
    name="kfq",
    help="""Contracts of 开放签 (Kaifangqian), identification links for one company or many, and a sandbox.

    Exit status: 0 success, 1 failure, 2 usage error, 130 interrupted; `kfq contract` and `kfq onboard` list further
    ones.
    """,
    version=__version__,
    help_format="markdown",
    result_action="return_value",
)
app.command(contract)
app.command(demo)
app.command(doctor)
app.command(link)
app.command(onboard)
sandbox_app: App = App(name="sandbox")
sandbox_app.default(sandbox)
for _command in COMMANDS:
    sandbox_app.command(_command)
app.command(sandbox_app)
app.command(verify_callback)


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print the script that completes commands and options in a shell.

    Load it with `source <(kfq completion bash)` in `~/.bashrc`; write it to `_kfq` in a folder of zsh's `fpath`, or to
    `~/.config/fish/completions/kfq.fish`.

    Parameters
    ----------
    shell
        Shell that the script is for.
    """
    sys.stdout.write(app.generate_completion(shell=shell))
    return 0


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    replace_unencodable()
    console = Console(stderr=True)
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    if os.environ.get(LEVEL_VARIABLE):
        try:
            log_to_stderr()
        except ValueError as error:
            _print_error(console, "UsageError", str(error), as_json=as_json)
            return 2
    try:
        status = app(arguments, exit_on_error=False, print_error=not as_json, error_console=console)
    except CycloptsError as error:
        if as_json:  # otherwise cyclopts has printed it
            _print_error(console, "UsageError", str(error), as_json=True)
        return 2
    except UsageError as error:
        _print_error(console, "UsageError", str(error), as_json=as_json)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone; print nothing more
        return 1
    except OSError as error:  # such as a full disk behind our output
        print_line(console, f"kfq: {error.strerror}", style="red")
        return 1
    return status if isinstance(status, int) else 0


def _print_error(console: Console, name: str, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"error": name, "text": text})
    else:
        print_line(console, f"kfq: {text}", style="red")
