"""Output on any terminal, file or pipe: text of others controls nothing, and no character fails."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from calls import refusal, respond
from kfq_async.cli import app
from kfq_async.cli.terminal import print_json, print_line, replace_unencodable
from output import quiet_environment
from servers import ScriptedServer

EVIL = "\x1b]0;owned\x07\x9b2J[red]:smile:\u202e\u2028x"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[red]a long line\x1b of text[/red]", "[red]a long line  of text[/red]"),
        (":smile: [link=https://h.example]x[/link]", ":smile: [link=https://h.example]x[/link]"),
        ("a\nb\r\x9bc\u202e", "a b  c "),
    ],
)
def test_print_line(text: str, shown: str) -> None:
    """A line is neither folded nor read as markup, emoji codes or escape sequences."""
    file = io.StringIO()
    print_line(Console(file=file, width=10, color_system=None), text, style="red")
    assert file.getvalue() == f"{shown}\n"


class Terminal(io.TextIOWrapper):
    """Standard output with an encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, newline="")

    @property
    def shown(self) -> str:
        """Text that was written."""
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)


@pytest.mark.parametrize(
    ("encoding", "shown"), [("utf-8", "某a"), ("gb18030", "某a"), ("cp1252", "?a"), ("ascii", "?a"), ("cp437", "?a")]
)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_replace_unencodable(stream: str, encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that the encoding lacks is replaced."""
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, stream, terminal)
    replace_unencodable()
    terminal.write("某a")
    assert terminal.shown == shown


def test_streams_without_an_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is missing, or holds text, is left as it is."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", None)
    replace_unencodable()
    print_json("某")
    assert output.getvalue() == '"某"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
@pytest.mark.parametrize("text", ["某某科技", "é", EVIL, "\ud800", "a\x7fb"])
def test_print_json(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON is one printable line that holds every character, whatever the encoding."""
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    print_json({"text": text})
    line, end = terminal.shown[:-1], terminal.shown[-1]
    assert end == "\n"
    assert line.isprintable()
    assert json.loads(line) == {"text": text}


def test_print_json_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that shows Chinese gets Chinese."""
    terminal = Terminal("utf-8")
    monkeypatch.setattr(sys, "stdout", terminal)
    print_json({"key": "某某科技"})
    assert terminal.shown == '{"key": "某某科技"}\n'


COMMANDS = [
    (["--help"], 0, "kfq"),
    (["onboard", "--help"], 0, "--dry-run"),
    (["link", "--help"], 0, "--company-name"),
    (["link", "--company-name", "某某科技有限公司"], 2, "--token"),
    (["link", "--token", "T", "--file", "某某科技.json"], 2, "--file"),
    (["onboard", "某某科技有限公司.csv", "--token", "T"], 2, "cannot be read"),
    (["某某"], 2, ""),
]


@pytest.mark.parametrize(("arguments", "status", "part"), COMMANDS)
@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"},
        {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
        {"PYTHONUTF8": "1", "LC_ALL": "C"},
    ],
    ids=["windows-1252", "ascii", "c", "utf-8"],
)
def test_any_encoding(arguments: list[str], status: int, part: str, settings: dict[str, str]) -> None:
    """Help and errors are shown on terminals and pipes without Chinese too."""
    environment = {
        name: value for name, value in quiet_environment().items() if not name.startswith(("KFQ_", "LC_", "LANG"))
    }
    ran = subprocess.run(
        [sys.executable, "-m", "kfq_async", *arguments], capture_output=True, env=environment | settings, check=False
    )
    shown = (ran.stdout + ran.stderr).decode(errors="replace")
    assert (ran.returncode, "Traceback" in shown, "codec" in shown) == (status, False, False), shown
    assert part in shown


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_words_of_the_platform(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """No escape sequence, line break, markup or invisible character of the platform reaches the terminal."""
    async with ScriptedServer(respond(refusal(31000, EVIL + "\nsecond line"))) as server:
        arguments = ["link", "--company-name", "x", "--token", "T", "--base-url", server.base_url, *options]
        assert await asyncio.to_thread(app.run, arguments) == 1
    captured = capsys.readouterr()
    (line,) = (captured.out + captured.err).splitlines()
    assert line.isprintable()
    assert "31000" in line
