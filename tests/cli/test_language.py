"""Language of the commands: --lang, KFQ_LANG and the locale, but English under --json."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from kfq_async.cli import app
from output import quiet_environment

LOCALE = {"LC_ALL": "", "LANG": "zh_CN.UTF-8"}


@pytest.mark.parametrize(
    ("arguments", "environment", "start"),
    [
        (["link", "--help"], {}, "Usage: "),
        (["link", "--help", "--lang", "zh"], {}, "用法："),
        (["--lang=zh", "link", "--help"], {}, "用法："),
        (["link", "--help"], {"KFQ_LANG": "zh"}, "用法："),
        (["link", "--help", "--lang", "en"], {"KFQ_LANG": "zh"}, "Usage: "),
        (["link", "--help"], LOCALE, "用法："),
        (["link", "--help"], LOCALE | {"KFQ_LANG": "en"}, "Usage: "),
    ],
)
def test_language(
    arguments: list[str],
    environment: dict[str, str],
    start: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The option comes before the variable, and the variable before the locale."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert app.run(arguments) == 0
    assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [(["link", "--lang", "fr"], {}, "--lang"), (["link"], {"KFQ_LANG": "fr"}, "KFQ_LANG")],
)
def test_unknown_language(
    arguments: list[str],
    environment: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another language is a usage error that lists those there are."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert app.run(arguments) == 2
    shown = capsys.readouterr().err
    assert named in shown
    assert '"en", "zh"' in shown


def test_english_under_json(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is read by programs, so that its texts do not depend on the reader."""
    assert app.run(["link", "--json", "--lang", "zh"]) == 2
    assert json.loads(capsys.readouterr().out)["text"].startswith("name the company")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(("options", "start"), [([], "Usage: kfq"), (["--lang", "zh"], "???kfq")])
def test_terminal_without_the_characters(encoding: str, options: list[str], start: str) -> None:
    """Chinese by locale becomes English where the terminal lacks the characters; --lang decides in any case."""
    environment = quiet_environment(**LOCALE, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    command = [sys.executable, "-m", "kfq_async", "link", "--help", *options]
    ran = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert ran.stdout.decode(encoding).startswith(start)
    assert ran.stderr == b""
