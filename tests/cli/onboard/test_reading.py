"""Options for reading the input, which a ledger remembers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kfq_async.cli.app import run

if TYPE_CHECKING:
    from pathlib import Path

    from kfq_async.sandbox import Sandbox

HEADINGS = "编号,企业名称,信用代码,手机号"
COLUMN = ["--column", "account_name=手机号"]


@pytest.fixture
def connection_options(kfq_sandbox: Sandbox) -> list[str]:
    """Options for the token and base URL of the sandbox."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]


def write(path: Path, headings: str = HEADINGS, encoding: str = "utf-8") -> str:
    """Write a CSV of two companies, and return its path."""
    lines = [f"N{number},公司{number},C{number:05d},1380013800{number}" for number in range(2)]
    path.write_text("\n".join([headings, *lines]) + "\n", encoding=encoding)
    return str(path)


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was printed on standard error, as one line."""
    return " ".join(capsys.readouterr().err.split())


def test_remembered_columns(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plain command resumes a run with columns of its own, and so does the list of links."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options, *COLUMN]) == 0
    assert "last run: --column" not in shown(capsys)
    for more in ([], ["--dry-run"]):
        assert run(["onboard", source, *connection_options, *more]) == 0
        text = shown(capsys)
        assert "as in the ledger's last run: --column account_name=手机号 columns not used: 编号 platform: " in text
        assert "手机号 → account_name" in text
        assert "2 companies: 2 linked" in text
    assert len(kfq_sandbox.orders) == 2
    assert run(["onboard", "links", str(tmp_path / "companies.ledger"), "--source", source, "--json"]) == 0
    listed = capsys.readouterr()
    assert [json.loads(line)["contact"] for line in listed.out.splitlines()] == ["13800138000", "13800138001"]
    assert listed.err == "as in the ledger's last run: --column account_name=手机号\n"


def test_other_headings(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file without the remembered columns is read as without them, which a notice says; they stay remembered."""
    source = write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options, *COLUMN]) == 0
    write(tmp_path / "companies.csv", "编号,企业名称,信用代码,账号")
    capsys.readouterr()
    assert run(["onboard", source, *connection_options]) == 0
    text = shown(capsys)
    assert f"--column account_name=手机号 of the ledger's last run not used, since {source} does not fit" in text
    assert "2 companies: 2 linked" in text
    write(tmp_path / "companies.csv")
    assert run(["onboard", source, *connection_options]) == 0
    assert len(kfq_sandbox.orders) == 2


def test_given_options_come_first(
    connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options that are given replace the remembered ones of the same name; the others stay."""
    source = write(tmp_path / "companies.csv", encoding="gb18030")
    assert run(["onboard", source, *connection_options, *COLUMN, "--encoding", "gb18030", "--header-row", "1"]) == 0
    write(tmp_path / "companies.csv", "编号,企业名称,信用代码,经办人 手机", encoding="gb18030")
    capsys.readouterr()
    assert run(["onboard", source, *connection_options, "--column", "account_name=经办人 手机"]) == 0
    text = "as in the ledger's last run: --encoding gb18030 --header-row 1 columns not used: 编号 platform: "
    assert text in shown(capsys)
    assert run(["onboard", source, *connection_options]) == 0
    options = "--column 'account_name=经办人 手机' --encoding gb18030 --header-row 1"
    assert f"as in the ledger's last run: {options} columns not used: 编号 platform: " in shown(capsys)


def test_remembered_key(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The key column is remembered, too; a file without it is an error, since its companies cannot be recognised."""
    source = write(tmp_path / "companies.csv", "编号,企业名称,信用代码,账号")
    assert run(["onboard", source, *connection_options, "--key", "编号"]) == 0
    capsys.readouterr()
    assert run(["onboard", source, *connection_options]) == 0
    assert "as in the ledger's last run: --key 编号 platform: " in shown(capsys)
    write(tmp_path / "companies.csv", "甲,企业名称,信用代码,账号")
    assert run(["onboard", source, *connection_options]) == 2
    text = shown(capsys)
    assert "--key 编号 of the ledger's last run not used" in text
    assert "give the same --key again" in text
    assert len(kfq_sandbox.orders) == 2


def test_ledger_that_cannot_be_opened(
    connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run reports it, once."""
    source = write(tmp_path / "companies.csv", "编号,企业名称,信用代码,账号")
    ledger = tmp_path / "companies.ledger"
    ledger.write_text("no ledger", encoding="utf-8")
    assert run(["onboard", source, *connection_options]) == 2
    assert shown(capsys).count("companies.ledger is ") == 1
    assert ledger.read_text(encoding="utf-8") == "no ledger"


def test_file_that_cannot_be_read(
    connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file is reported, whatever the ledger remembers."""
    source = tmp_path / "companies.csv"
    assert run(["onboard", write(source), *connection_options, *COLUMN]) == 0
    source.unlink()
    capsys.readouterr()
    assert run(["onboard", str(source), *connection_options]) == 2
    assert "cannot be read: No such file" in shown(capsys)
