"""Exit statuses of `kfq`."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from kfq_async.cli import app


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`kfq --help` lists every command."""
    assert app.run(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("demo", "link", "sandbox"))


def test_help_keeps_asterisks_and_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault is written in the help as it is typed, asterisks included, and sentences stay whole."""
    monkeypatch.setenv("COLUMNS", "100")
    assert app.run(["sandbox", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "KIND[/acted|/unacted][:SECONDS][*TIMES][@PROBABILITY]" in shown
    assert "as in delay:0.3@0.05, lose-response*2 or 502/acted. --faults " in shown
    assert app.run(["demo", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "loses some, and drops some answers after having acted." in shown


@pytest.mark.parametrize("arguments", [["nonsense"], ["link", "--no-such-option"], ["sandbox", "--port", "x"]])
def test_wrong_use_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong use exits with 2 and says on standard error what is wrong."""
    assert app.run(arguments) == 2
    captured = capsys.readouterr()
    assert arguments[-1].lstrip("-").split("=")[0] in captured.err


def _raising(problem: BaseException) -> Callable[..., int]:
    def command(*_: object, **__: object) -> int:
        raise problem

    return command


def test_an_interrupt_is_status_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command without a traceback, with the shell's own status."""
    monkeypatch.setattr(app, "app", _raising(KeyboardInterrupt()))
    assert app.run(["demo"]) == 130


def test_a_closed_pipe_is_no_traceback() -> None:
    """`kfq ... | head` ends quietly when the reader has gone."""
    script = (
        "from kfq_async.cli import app\n"
        "def gone(*_, **__): raise BrokenPipeError\n"
        "app.app = gone\n"
        "raise SystemExit(app.run([]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
