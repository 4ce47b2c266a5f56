"""The guide to the command line, and the commands that the guides show."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import kfq_async
from guide_code import blocks, guide, section
from kfq_async.cli import app
from kfq_async.cli.contract.results import ContractExit
from workbooks import write_workbook

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox

GUIDE = guide("cli")
PACKAGE = Path(kfq_async.__file__).parent


def commands(page: str) -> list[str]:
    """Return the `kfq` commands in the console blocks of a page."""
    return [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ kfq ")]


COMMANDS = [command for page in sorted(PACKAGE.rglob("README.md")) for command in commands(page.read_text("utf-8"))]


def test_it_names_every_command() -> None:
    """The table has each command of `kfq`."""
    named = set(re.findall(r"^\| `kfq ([\w-]+)", GUIDE, re.MULTILINE))
    assert named == {name for name in app.app if not name.startswith("-")}


def test_it_lists_every_exit_status() -> None:
    """The table has the statuses of all commands, and those of `kfq contract` under their numbers."""
    shown = dict(re.findall(r"^\| (\d+) \| (.*) \|$", section(GUIDE, "## Exit status"), re.MULTILINE))
    assert set(shown) == {"0", "1", "2", "3", "130"} | {str(status.value) for status in ContractExit}
    assert {int(status) for status, text in shown.items() if "kfq contract" in text} == set(ContractExit) - {0, 1, 2}


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_the_shown_commands_exist(command: str) -> None:
    """Each command of a guide is understood, with its options."""
    tokens = shlex.split(command, comments=True)[1:]
    bound = app.launcher.parse_args(tokens, exit_on_error=False)[1]
    function, _, unused = app.app.parse_args(list(bound.args), exit_on_error=False)[:3]
    assert callable(function)
    assert not unused


def test_the_commands_of_onboarding_run(
    kfq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The commands of the guide to many companies succeed, one after the other."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", kfq_sandbox.token)
    monkeypatch.setenv("KFQ_BASE_URL", kfq_sandbox.base_url)
    company = ["某某科技有限公司", "91110000MA01234567", "13800138000"]
    write_workbook(tmp_path / "companies.xlsx", ["企业名称", "统一社会信用代码", "经办人账号"], company)
    for command in commands(guide("onboarding")):
        assert app.run(shlex.split(command, comments=True)[1:]) == 0, command
    assert "1 companies: 1 linked" in capsys.readouterr().out
    written = {"companies.links.xlsx", "companies.report.html", "remind.xlsx"}
    assert {file.name for file in tmp_path.iterdir()} >= written
