"""Errors of all commands: one form as text, one as JSON, in the reader's language, and on every terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from kfq_async.cli import app
from output import quiet_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NOWHERE = ("--base-url", "http://127.0.0.1:1")
CHINESE = re.compile("[\u4e00-\u9fff]")


def commands(chain: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the commands that do something by themselves."""
    level = app.app
    for name in chain:
        level = level[name]
    if level.default_command is not None:
        yield chain
    for name in level:
        if not name.startswith("-"):
            yield from commands((*chain, name))


COMMANDS = list(commands())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_usage_error_of_every_command(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error is ``kfq: TEXT`` on standard error with status 2, and with --json one object on standard output."""
    assert app.run([*command, "--no-such-option"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    error, remedy = captured.err.splitlines()
    assert error.startswith("kfq: ")
    assert f"{' '.join(('kfq', *command))} --help" in remedy
    assert app.run([*command, "--no-such-option", "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": "UsageError", "text": error.removeprefix("kfq: ")}
    assert captured.err == ""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_options_of_every_command(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command has --json and --lang."""
    monkeypatch.setenv("COLUMNS", "120")
    assert app.run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert "--lang" in shown
    assert "KFQ_LANG" in shown


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["onboard", "purge", "x.ledger", "--dry-run"], 'Command "onboard purge" requires --finished-before.'),
        (["onboard", "purge", "--finished-before", "2026-01-31"], 'Command "onboard purge" requires LEDGER.'),
        (
            ["onboard", "purge", "x.ledger", "--finished-befor", "2026-01-31"],
            (
                'Command "onboard purge" requires --finished-before. '
                "Did you mean --finished-before instead of --finished-befor?"
            ),
        ),
        (
            ["onboard", "purge", "x.ledger", "--finished-before"],
            'Command "onboard purge" parameter --finished-before requires an argument.',
        ),
    ],
)
def test_missing_options(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A required option that is not given is told apart from an option without its value."""
    assert app.run([*arguments, "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"error": "UsageError", "text": text}


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["nonsense"], 2, "未知命令“nonsense”。可用命令：contract, "),
        (["demoo"], 2, "未知命令“demoo”。是否为“demo”？可用命令："),
        (["link", "--nope"], 2, "未知选项：--nope。是否为 --token？"),
        (["sandbox", "--zzzz"], 2, "未知选项：--zzzz。"),
        (["sandbox", "--port", "x"], 2, "--port 的值“x”无效，应为整数。"),
        (["sandbox", "--port", "99999"], 2, "--port 应为 0 至 65535，而不是 99999"),
        (["sandbox", "complete"], 2, "命令“sandbox complete”必须指定 ORDER。"),
        (["onboard", "purge", "x.ledger", "--dry-run"], 2, "命令“onboard purge”必须指定 --finished-before。"),
        (
            ["onboard", "purge", "x.ledger", "--finished-before"],
            2,
            "命令“onboard purge”的参数 --finished-before 缺少值。",
        ),
        (["completion", "tcsh"], 2, "SHELL 的值“tcsh”无效。可选值："),
        (["contract", "wait", "a", "b"], 2, "多余的参数：b"),
        (["link", "--company-name", "a", "--company-name", "b"], 2, "--company-name 重复指定。"),
        (["link"], 2, "请指定企业：至少给出 --company-name，"),
        (["link", "--file", "no-such-file"], 2, "--file no-such-file: 文件或目录不存在"),
        (["onboard", "no-such-file.csv", "--dry-run"], 2, "无法读取 no-such-file.csv：文件或目录不存在"),
        (["sandbox", "orders", *NOWHERE], 1, "SandboxError: http://127.0.0.1:1 没有沙箱响应（"),
        (["link", "--company-name", "x", "--token", "a b"], 2, "app_auth_token 应为不含空格的可打印 ASCII 字符"),
        (
            ["sandbox", "orders", "--base-url", "ftp://h"],
            2,
            "--base-url 的格式应如 http://127.0.0.1:8899/resrun-paas：",
        ),
    ],
)
def test_errors_in_chinese(arguments: list[str], status: int, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors of commands, of the option parser, of the library and of the system are in Chinese, with the remedy."""
    assert app.run([*arguments, "--lang", "zh"]) == status
    shown = capsys.readouterr().err
    assert shown.startswith(f"kfq: {text}")
    assert not re.search(r"[a-z]+ [a-z]+ [a-z]+ [a-z]+", shown.partition("（[")[0])


def test_failed_call_in_chinese(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of a call names its class, as JSON does, and describes the rest in Chinese."""
    monkeypatch.setenv("KFQ_LANG", "zh")
    assert app.run(["contract", "status", "1", "--token", "x", *NOWHERE]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("kfq: ConnectError: ")
    assert "：无法连接 127.0.0.1:1（" in shown
    assert "［未发送，尝试 " in shown


def test_findings_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, findings and remedies of checks are in Chinese, in columns that count wide characters as two."""
    assert app.run(["doctor", *NOWHERE, "--lang", "zh"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "✗ 连接        ConnectError：无法连接 127.0.0.1:1（" in lines[3]
    assert lines[4].strip().startswith("处理办法：请检查主机与端口")
    assert cell_len(lines[4]) - cell_len(lines[4].lstrip()) == cell_len("✗ 连接        ")
    assert all(CHINESE.search(line) for line in lines)


CASES = (
    (["--help"], 0),
    (["contract", "--help"], 0),
    (["doctor", *NOWHERE], 1),
    (["link", "--nope"], 2),
    (["sandbox", "--faults"], 0),
)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize(("arguments", "status"), CASES)
def test_western_terminals(arguments: Sequence[str], status: int, encoding: str) -> None:
    """No text ends in a traceback where the terminal lacks its characters, Chinese ones neither."""
    environment = quiet_environment(PYTHONIOENCODING=encoding, KFQ_LANG="zh")
    command = [sys.executable, "-m", "kfq_async", *arguments]
    ran = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ran.returncode == status
    assert b"Traceback" not in ran.stderr
    assert (ran.stdout + ran.stderr).decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_tables_on_western_terminals(encoding: str, tmp_path: Path) -> None:
    """A table with Chinese names and headings is drawn with what the terminal has."""
    file = tmp_path / "companies.csv"
    file.write_text("company_name,account_name\n某某科技有限公司,13800138000\n", encoding="utf-8")
    environment = quiet_environment(PYTHONIOENCODING=encoding)
    command = [sys.executable, "-m", "kfq_async", "demo", "--lang", "zh", "--file", str(file)]
    ran = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert ran.stderr == b""
    assert "?" * len("某某科技有限公司") in ran.stdout.decode(encoding)
    assert "+--" in ran.stdout.decode(encoding)


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color(
    variables: dict[str, str],
    coloured: bool,  # noqa: FBT001  # a case
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """NO_COLOR leaves no colours, on a terminal either."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", **variables}.items():
        monkeypatch.setenv(name, value)
    assert app.run(["nonsense"]) == 2
    assert app.run(["link", "--help"]) == 0
    captured = capsys.readouterr()
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", captured.err + captured.out)) is coloured


@pytest.mark.parametrize("width", [40, 60, 100])
def test_width_of_chinese_help(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Chinese help fits the terminal, whose columns are half as wide as a character."""
    monkeypatch.setenv("COLUMNS", str(width))
    assert app.run(["contract", "draft", "--help", "--lang", "zh"]) == 0
    assert max(map(cell_len, capsys.readouterr().out.splitlines())) <= width
