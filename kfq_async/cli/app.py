"""Commands of ``kfq`` and their exit statuses."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError
from rich.console import Console

from kfq_async._version import __version__
from kfq_async.cli.contract import app as contract
from kfq_async.cli.demo import demo
from kfq_async.cli.doctor import doctor
from kfq_async.cli.help import HELP_FORMAT, HelpFormatter
from kfq_async.cli.link import link
from kfq_async.cli.onboard import app as onboard
from kfq_async.cli.options import JsonOutput, UsageError
from kfq_async.cli.sandbox import sandbox
from kfq_async.cli.sandbox_control import COMMANDS
from kfq_async.cli.terminal import can_encode, print_error, print_json, print_line, replace_unencodable
from kfq_async.cli.verify_callback import verify_callback
from kfq_async.languages import Language, gettext, language_of_environment, set_language, translate, use_language
from kfq_async.logs import LEVEL_VARIABLE, log_to_stderr

__all__ = ["run"]

app: App = App(
    name="kfq",
    help="""Contracts of 开放签 (Kaifangqian), identification links for one company or many, and a sandbox.

    Exit status: 0 success, 1 failure, 2 usage error, 130 interrupted; `kfq contract` and `kfq onboard` list further
    ones.
    """,
    version=__version__,
    help_format=HELP_FORMAT,
    help_formatter=HelpFormatter(),
    suppress_keyboard_interrupt=False,
    result_action="return_value",
)
launcher: App = app.meta
launcher.help_flags = launcher.version_flags = ()  # those of the command are meant
launcher.suppress_keyboard_interrupt = False
app.command(contract)
app.command(demo)
app.command(doctor)
app.command(link)
app.command(onboard)
sandbox_app: App = App(name="sandbox", usage="kfq sandbox [COMMAND] [OPTIONS]")
sandbox_app.default(sandbox)
for _command in COMMANDS:
    sandbox_app.command(_command)
app.command(sandbox_app)
app.command(verify_callback)


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /, *, json_: JsonOutput = False) -> int:
    """Print the script that completes commands and options in a shell.

    Load it with `source <(kfq completion bash)` in `~/.bashrc`; write it to `_kfq` in a folder of zsh's `fpath`, or to
    `~/.config/fish/completions/kfq.fish`.

    Parameters
    ----------
    shell
        Shell that the script is for.
    json_
        Print JSON instead of text.
    """
    script = app.generate_completion(shell=shell)
    if json_:
        print_json({"shell": shell, "script": script})
    else:
        sys.stdout.write(script)
    return 0


@launcher.default
def _launch(
    *arguments: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    lang: Annotated[Language | None, Parameter(env_var="KFQ_LANG", show_default=False)] = None,
) -> object:
    """Set the language, and run the command that the other arguments name.

    Parameters
    ----------
    lang
        Language of texts, en or zh (default: that of the locale). JSON is always English.
    """
    if lang is not None and not _wants_json(arguments):
        set_language(lang)
    return app(arguments, console=Console(), exit_on_error=False, print_error=False)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    replace_unencodable()
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = _wants_json(arguments)
    in_english = as_json or not can_encode("中文")
    with use_language("en" if in_english else language_of_environment(os.environ)):
        return _run(arguments, as_json=as_json)


def _run(arguments: Sequence[str], *, as_json: bool) -> int:
    try:
        if os.environ.get(LEVEL_VARIABLE):
            _start_logging()
        status = launcher(arguments, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        arguments = " ".join(map(shlex.quote, error.unused_tokens or ()))
        _print_error(UsageError(gettext("unexpected arguments: {arguments}", arguments=arguments)), as_json=as_json)
        return 2
    except CycloptsError as error:
        _print_error(error, as_json=as_json)
        if not as_json:
            command = " ".join(["kfq", *(error.command_chain or ())])
            print_line(
                Console(stderr=True), gettext("Run {command} --help for its arguments and options.", command=command)
            )
        return 2
    except UsageError as error:
        _print_error(error, as_json=as_json)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output is gone; print nothing more
        return 1
    except OSError as error:  # such as a full disk behind our output
        print_error(translate(error.strerror))
        return 1
    return status if isinstance(status, int) else 0


def _wants_json(arguments: Sequence[str]) -> bool:
    return "--json" in arguments


def _start_logging() -> None:
    try:
        log_to_stderr()
    except ValueError as error:
        raise UsageError(str(error)) from None


def _print_error(error: UsageError | CycloptsError, *, as_json: bool) -> None:
    text = str(error)
    if isinstance(error, MissingArgumentError) and error.keyword is None and error.argument is not None:
        # cyclopts has one text for an option without its value, and for one that is not given at all.
        name = error.argument.name
        required = name.lstrip("-").upper() if error.argument.field_info.is_positional else name
        text = text.replace(f" parameter {name} requires an argument.", f" requires {required}.")
    if as_json:
        print_json({"error": "UsageError", "text": text})
    else:
        print_error(translate(text))
