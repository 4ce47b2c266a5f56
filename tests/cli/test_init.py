"""Entry point of the command `kfq`."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from kfq_async.cli import main


def test_missing_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the extra, kfq prints the command that installs it, and exits with 2."""
    monkeypatch.setattr("kfq_async.cli.find_spec", lambda _: None)
    with pytest.raises(SystemExit) as end:
        main(["demo"])
    assert end.value.code == 2
    assert "pip install 'kfq-async[cli]'" in capsys.readouterr().err


def test_python_m() -> None:
    """`python -m kfq_async` is the same command."""
    ran = subprocess.run([sys.executable, "-m", "kfq_async", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == version("kfq-async")
