"""Help and exit statuses of `kfq`."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kfq_async.cli import app
from output import quiet_environment


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`kfq --help` lists every command."""
    assert app.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("completion", "demo", "doctor", "link", "sandbox", "verify-callback"))


def test_help_keeps_asterisks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The syntax of a fault appears in the help as it is typed, asterisks included."""
    monkeypatch.setenv("COLUMNS", "100")
    assert app.run(["sandbox", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]" in shown
    assert "such as delay:0.3@0.05, lose-response*2, 502/acted or 503:2*1@0.5. --faults " in shown
    assert app.run(["demo", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "loses the responses of others that it has executed." in shown


@pytest.mark.parametrize("arguments", [["nonsense"], ["link", "--no-such-option"], ["sandbox", "--port", "x"]])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error is printed on standard error and ends in status 2."""
    assert app.run(arguments) == 2
    captured = capsys.readouterr()
    assert arguments[-1].lstrip("-").split("=")[0] in captured.err


COMPLETE = """
source "$1"
COMP_WORDS=("${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
"$(complete -p kfq | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
echo "${COMPREPLY[*]}"
"""
"""Script for bash: load a completion, and print what it offers for a command line."""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ([""], {"contract", "doctor", "link", "sandbox", "verify-callback"}),
        (["sandbox", ""], {"complete", "orders"}),
        (["sandbox", "--"], {"--port", "--strict"}),
        (["sandbox", "--rate-limit-form", ""], {"api", "hidden"}),
        (["doctor", "--"], {"--hook", "--base-url", "--json"}),
    ],
)
def test_completion_in_bash(
    words: list[str], offered: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bash completes commands, options and their choices with the printed script."""
    assert app.run(["completion", "bash"]) == 0
    script = tmp_path / "kfq.bash"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    command = ["bash", "--norc", "-c", COMPLETE, "bash", str(script), "kfq", *words]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert offered <= set(ran.stdout.split())


def test_completion_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the script is a string."""
    assert app.run(["completion", "fish", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["shell"] == "fish"
    assert shown["script"].startswith("# Fish completion for kfq")


@pytest.mark.parametrize(("shell", "start"), [("zsh", "#compdef kfq"), ("fish", "# Fish completion for kfq")])
def test_completion_in_other_shells(shell: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each shell has a script of its own, with the commands."""
    assert app.run(["completion", shell]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(start)
    assert all(name in shown for name in ("verify-callback", "orders", "trust-env"))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["link", "--json", "--no-such-option"], "--no-such-option"),
        (["sandbox", "orders", "--json", "--base-url", "nonsense"], "--base-url must be like"),
    ],
)
def test_usage_errors_as_json(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a usage error is JSON on standard output, as every other error is."""
    assert app.run(arguments) == 2
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document.keys() == {"error", "text"}
    assert document["error"] == "UsageError"
    assert text in document["text"]
    assert captured.err == ""


def _raising(error: BaseException) -> Callable[..., int]:
    def command(*_: object, **__: object) -> int:
        raise error

    return command


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command without a traceback, with status 130."""
    monkeypatch.setattr(app, "app", _raising(KeyboardInterrupt()))
    assert app.run(["demo"]) == 130


def test_closed_pipe() -> None:
    """`kfq ... | head` ends quietly when the reader is gone."""
    script = (
        "from kfq_async.cli import app\n"
        "def closed(*_, **__): raise BrokenPipeError\n"
        "app.app = closed\n"
        "raise SystemExit(app.run([]))\n"
    )
    command, environment = [sys.executable, "-c", script], quiet_environment()
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
