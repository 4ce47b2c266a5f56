"""`kfq onboard links`: whom to remind, with names from the source."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from kfq_async.cli.app import run
from kfq_async.onboarding import SqliteLedger
from kfq_async.onboarding.input import open_table

if TYPE_CHECKING:
    from pathlib import Path

    from kfq_async.sandbox import Sandbox

HEADINGS = "企业名称,信用代码,账号,经办人姓名,手机号"
ROWS = ("甲,91110000600037341L,甲@example.com,张三,", "=乙,C2,13800138000,李四,", "丙,C3,丙@example.com,王五,")
KEYS = ("row", "company", "operator", "contact", "key", "orderNo", "status", "authUrl")


@pytest.fixture
def options(kfq_sandbox: Sandbox) -> list[str]:
    """Options for the sandbox; rows are sent in their order."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url, "--concurrency", "1", "--force"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Source of three companies."""
    return write(tmp_path / "companies.csv", *ROWS)


@pytest.fixture
def ledger(options: list[str], source: Path, kfq_sandbox: Sandbox) -> Path:
    """Ledger of the source, in which the third company is identified."""
    assert run(["onboard", str(source), *options]) == 0
    path = source.with_suffix(".ledger")

    async def complete() -> None:
        async with SqliteLedger(path, exclusive=False) as opened:
            await opened.complete(str(kfq_sandbox.orders[2].client_request_id), 1, 1_000_000_000.0)

    asyncio.run(complete())
    return path


def write(file: Path, *rows: str, headings: str = HEADINGS) -> Path:
    """Write a CSV."""
    file.write_text("\n".join([headings, *rows]) + "\n", encoding="utf-8")
    return file


def names(output: str) -> list[tuple[object, ...]]:
    """Return row, names, contact, key and status of JSON Lines."""
    return [tuple(json.loads(line)[key] for key in (*KEYS[:5], "status")) for line in output.splitlines()]


def test_whom_to_remind(ledger: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Companies that have not finished are listed with company, operator and contact, in the order of the source."""
    capsys.readouterr()
    assert run(["onboard", "links", str(ledger), "--unfinished", "--source", str(source), "--json"]) == 0
    first, second = ("甲", "张三", "甲@example.com"), ("=乙", "李四", "13800138000")
    listed = capsys.readouterr()
    assert names(listed.out) == [(2, *first, "91110000600037341L", None), (3, *second, None, None)]
    assert listed.err == ""
    assert [*json.loads(listed.out.splitlines()[0])] == [*KEYS]
    write(source, ROWS[2], ROWS[1], ROWS[0], ROWS[0])
    assert run(["onboard", "links", str(ledger), "--source", str(source), "--show-key", "--json"]) == 0
    third = ("丙", "王五", "丙@example.com")
    assert names(capsys.readouterr().out) == [
        (2, *third, "C3", "identified"),
        (3, *second, "C2", None),
        (4, *first, "91110000600037341L", None),
    ]


def test_text_is_no_formula(ledger: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that a spreadsheet program would calculate has an apostrophe in tab-separated text."""
    capsys.readouterr()
    assert run(["onboard", "links", str(ledger), "--unfinished", "--source", str(source)]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [cells[1] for cells in lines] == ["甲", "'=乙"]
    assert {len(cells) for cells in lines} == {8}


@pytest.mark.parametrize(
    ("suffix", "language", "headings"),
    [
        (".csv", "zh", ("行号", "企业", "经办人", "联系方式", "键", "订单号", "认证状态", "认证链接")),
        (".xlsx", "en", ("row", "company", "operator", "contact", "key", "order_no", "identity_status", "auth_url")),
        (".jsonl", "zh", KEYS),
    ],
)
def test_list_in_a_file(  # noqa: PLR0917  # cases and fixtures
    suffix: str,
    language: str,
    headings: tuple[str, ...],
    ledger: Path,
    source: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The list can be a file in the reader's language, which is written again, but replaces no other file."""
    out = source.with_name(f"remind{suffix}")
    command = ["onboard", "links", str(ledger), "--source", str(source), "--out", str(out), "--lang", language]
    for more in ([], ["--unfinished"]):
        capsys.readouterr()
        assert run([*command, *more]) == 0
        shown = capsys.readouterr()
        assert (shown.out, out.name in shown.err) == ("", True)
    table = open_table(out)
    assert list(table.headings) == list(headings)
    assert [row.cells[:4] for row in table.rows()] == [
        ("2", "甲", "张三", "甲@example.com"),
        ("3", "=乙", "李四", "13800138000"),
    ]
    foreign = out.with_name(f"foreign{suffix}")
    foreign.write_text("work")
    command[command.index(str(out))] = str(foreign)
    assert run(command) == 2
    assert foreign.read_text() == "work"
    assert run([*command, "--force"]) == 0


def test_ledger_with_a_key_column(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows are found by the key column of the ledger; a heading that is not recognised can be named."""
    source = write(tmp_path / "companies.csv", "甲,1,x@example.com", headings="甲方,编号,账号")
    column = ["--column", "company_name=甲方"]
    assert run(["onboard", str(source), *options, "--key", "编号", *column]) == 0
    capsys.readouterr()
    listing = ["onboard", "links", str(source.with_suffix(".ledger")), "--json", *column]
    assert run([*listing, "--source", str(source), "--show-key"]) == 0
    assert names(capsys.readouterr().out) == [(2, "甲", None, "x@example.com", "1", None)]
    other = write(tmp_path / "other.csv", "甲,x@example.com", headings="甲方,账号")
    assert run([*listing, "--source", str(other)]) == 2
    assert "编号" in json.loads(capsys.readouterr().out)["text"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "nowhere.csv"], "nowhere.csv"),
        (["--source", "others.csv"], "is in others.csv: give the file from which the ledger was made"),
        (["--out", "list.csv"], "--out needs --source"),
        (["--source", "companies.csv", "--out", "list.pdf"], "the output must end in .csv, .jsonl or .xlsx"),
        (["--source", "companies.csv", "--out", "companies.csv"], "companies.csv is the input or the ledger"),
        (["--source", "companies.csv", "--out", "nowhere/list.csv"], "cannot be written"),
        (["--source", "broken.csv"], "cannot be parsed"),
    ],
)
def test_usage_errors(
    arguments: list[str],
    message: str,
    ledger: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A source that does not fit the ledger, and a file that cannot be written, are errors with the remedy."""
    monkeypatch.chdir(ledger.parent)
    write(ledger.with_name("others.csv"), "丁,C9,丁@example.com,,")
    write(ledger.with_name("broken.csv"), '"丁,C9,丁@example.com,,')
    before = ledger.with_name("companies.csv").read_bytes()
    capsys.readouterr()
    assert run(["onboard", "links", ledger.name, *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert ledger.with_name("companies.csv").read_bytes() == before


def test_companies_that_the_source_lacks(ledger: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of linked companies that are not in the source is shown with the remedy; the others are listed."""
    for rows, text in (
        ((ROWS[0], "无,,,,"), "2 linked companies of the ledger are not in"),
        (ROWS[:2], "one linked company of the ledger is not in"),
    ):
        write(source, *rows)
        capsys.readouterr()
        assert run(["onboard", "links", str(ledger), "--source", str(source)]) == 1
        listed = capsys.readouterr()
        assert text in " ".join(listed.err.split())
        assert "read it as the run did: --column, " in " ".join(listed.err.split())
        assert listed.out.startswith("2\t甲\t")


def test_empty_ledger(tmp_path: Path, source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without linked companies the list is empty, whatever the source."""

    async def create() -> None:
        async with SqliteLedger(tmp_path / "new.ledger"):
            pass

    asyncio.run(create())
    assert run(["onboard", "links", str(tmp_path / "new.ledger"), "--source", str(source)]) == 0
    assert capsys.readouterr().out == ""
