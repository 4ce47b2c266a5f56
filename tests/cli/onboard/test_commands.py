"""`kfq onboard`: spreadsheets of companies from the command line, and what is done with a ledger."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from companies import PERSONAL
from kfq_async.cli.app import run
from kfq_async.cli.onboard import job
from kfq_async.errors import OnboardingError
from kfq_async.onboarding import SqliteLedger
from kfq_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
HEADINGS = "企业名称,统一社会信用代码,经办人账号,经办人姓名,证件号码,手机号,银行卡号"


@pytest.fixture
def door(kfq_sandbox: Sandbox) -> list[str]:
    """The options that lead to the sandbox."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]


def write(folder: Path, count: int, *more: str, name: str = "公司") -> Path:
    """Write a CSV of companies, each with a person's data."""
    path = folder / "companies.csv"
    lines = [f"{name}{number},C{number:05d},{PERSONAL[2]},{','.join(PERSONAL)}" for number in range(count)]
    path.write_text("\n".join([HEADINGS, *lines, *more]) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Read the output."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _print_summary(ledger: Path, client_request_id: str | None, status: int) -> None:
    """Note a status as a notification would."""

    async def work() -> None:
        async with SqliteLedger(ledger) as opened:
            await opened.complete(str(client_request_id), status, 1_000_000_000.0)

    asyncio.run(work())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_spreadsheet_becomes_links(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One command makes the links, the report and the ledger next to the input; the same again asks nothing."""
    source = write(tmp_path, 30)
    assert run(["onboard", str(source), *door]) == 0
    said = capsys.readouterr().err
    assert "30 companies: 30 linked; 30 asked in" in said
    rows = read(tmp_path / "companies.links.csv")
    assert {row["订单号"] for row in rows} == {order.order_no for order in kfq_sandbox.orders}
    assert [row["企业名称"] for row in rows] == [f"公司{number}" for number in range(30)]
    assert all(row["认证链接"].startswith(kfq_sandbox.origin) for row in rows)
    assert "<svg" in (tmp_path / "companies.report.html").read_text(encoding="utf-8")
    assert run(["onboard", str(source), *door]) == 0
    assert "30 companies: 30 linked; 0 asked in" in capsys.readouterr().err
    assert read(tmp_path / "companies.links.csv") == rows
    assert len(kfq_sandbox.orders) == 30


def test_rows_that_are_not_linked(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1, and each such row is named with its reason, on the screen and in the output."""
    kfq_sandbox.inject_faults(Fault("code-31000", times=1))
    source = write(
        tmp_path, 1, "没有键,,,,,,", "公司0,C00000,另一个账号@example.com,,,,", ",C00000,另一个账号@example.com,,,,"
    )
    assert run(["onboard", str(source), *door, "--concurrency", "1"]) == 1
    said = capsys.readouterr().err
    states = [row["认证状态"] for row in read(tmp_path / "companies.links.csv")]
    assert states == ["refused", "invalid", "linked", "invalid"]
    assert "row 2: refused: the platform refused with code 31000" in said
    assert "row 3: invalid: " in said
    assert "row 5: invalid: same company as row 4 with other data" in said


def test_many_rows_with_problems(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The screen names the first ones, and says how many more there are."""
    source = write(tmp_path, 0, *(["没有键,,,,,,"] * 25))
    assert run(["onboard", str(source), *door]) == 1
    said = capsys.readouterr().err
    assert said.count("invalid: ") == 20
    assert "and 5 more rows without a link; the output says why" in said


def test_rows_that_look_odd(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What looks wrong is sent all the same, is counted on the screen and named in the output; strictly, it is not."""
    source = write(tmp_path, 3)
    assert run(["onboard", str(source), *door]) == 0
    assert "3 other rows look odd; the output says what" in capsys.readouterr().err
    assert all("统一社会信用代码" in row["说明"] for row in read(tmp_path / "companies.links.csv"))
    assert run(["onboard", str(source), *door, "--ledger", str(tmp_path / "strict"), "--strict"]) == 1
    assert {row["认证状态"] for row in read(tmp_path / "companies.links.csv")} == {"invalid"}


def test_a_company_twice(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is asked for once, and both of its rows have the link; a column that is not used is named."""
    source = tmp_path / "companies.csv"
    source.write_text("企业名称,信用代码,经办人账号,备注\n" + "甲,C1,甲@example.com,\n" * 2, encoding="utf-8")
    assert run(["onboard", str(source), *door]) == 0
    first, second = read(tmp_path / "companies.links.csv")
    assert first["认证链接"] == second["认证链接"]
    assert [row["认证状态"] for row in (first, second)] == ["linked", "linked"]
    assert "duplicate of row 2, which is sent once" in second["说明"]
    said = capsys.readouterr().err
    assert "columns not used: 备注" in said
    assert "2 companies: 1 linked, 1 duplicate" in said


def test_a_pause(door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What concerns every row ends in status 3, with the files written; the same command continues."""
    source = write(tmp_path, 50)
    assert run(["onboard", str(source), "--token", "WRONG", *door[2:]]) == 3
    said = capsys.readouterr().err
    assert "50 companies: 50 pending; " in said
    assert "paused: the platform refused with code 41000" in said
    assert "Check the token" in said
    assert "The same command again continues" in said
    assert {row["认证状态"] for row in read(tmp_path / "companies.links.csv")} == {"pending"}
    assert run(["onboard", str(source), *door]) == 0
    assert len(kfq_sandbox.orders) == 50


def test_a_rehearsal(door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--dry-run compares with the ledger, and neither sends nor writes anything."""
    source = write(tmp_path, 3, "没有键,,,,,,")
    before = sorted(tmp_path.iterdir())
    assert run(["onboard", str(source), "--dry-run"]) == 1
    said = capsys.readouterr().err
    assert "4 companies: 1 invalid, 3 to ask; nothing was sent" in said
    assert "row 2: pending: 统一社会信用代码: " in said
    assert sorted(tmp_path.iterdir()) == before
    assert not kfq_sandbox.orders
    run(["onboard", str(source), *door])
    write(tmp_path, 5)
    files = {path: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in {".ledger", ".html", ".csv"}}
    capsys.readouterr()
    assert run(["onboard", str(source), *door, "--dry-run"]) == 0
    assert "5 companies: 3 linked, 2 to ask; nothing was sent" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files} == files


def test_where_the_files_go(door: list[str], tmp_path: Path) -> None:
    """Each file can be put elsewhere; the name of the output says what it becomes."""
    source = write(tmp_path, 2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out, ledger, report = (elsewhere / name for name in ("links.jsonl", "l.db", "r.html"))
    files = ["--out", str(out), "--ledger", str(ledger), "--report", str(report)]
    assert run(["onboard", str(source), *door, *files]) == 0
    assert [json.loads(line)["认证状态"] for line in out.read_text(encoding="utf-8").splitlines()] == ["linked"] * 2
    assert {path.name for path in elsewhere.iterdir()} >= {"links.jsonl", "l.db", "l.db.key", "r.html"}
    assert {path.name for path in tmp_path.iterdir()} == {"companies.csv", "elsewhere"}


def test_bound_urls(door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --page and --notify, each request's URLs carry its id."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    urls = ["--page", "https://shop.example/done", "--notify", "https://shop.example/hooks"]
    assert run(["onboard", str(write(tmp_path, 1)), *door, *urls]) == 0
    (order,) = kfq_sandbox.orders
    assert json.loads(order.request)["authCallbackUrl"].startswith("https://shop.example/hooks/")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["companies.csv"], "give the appAuthToken as --token"),
        (["nowhere.csv", "--token", "T"], "nowhere.csv"),
        (["companies.csv", "--token", "T", "--column", "company_name=甲方"], "甲方"),
        (["companies.csv", "--token", "T", "--rate-limit", "fast"], "--rate-limit must be like"),
        (["companies.csv", "--token", "T", "--concurrency", "0"], "--concurrency must be at least 1"),
        (["companies.csv", "--token", "T", "--base-url", "nonsense"], "base_url must be like"),
        (["companies.csv", "--token", "T", "--ledger", "no.ledger"], "is not a ledger"),
        (["companies.csv", "--token", "T", "--column", "company_name"], "--column takes field=heading"),
        (["status", "nowhere.ledger"], "there is no such ledger"),
        (["status", "companies.csv"], "is not a ledger"),
        (["reissue", "companies.csv"], "say which: --expired, --withdrawn or --key"),
    ],
)
def test_wrong_use(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 2, and words that say what to change."""
    write(tmp_path, 1)
    (tmp_path / "no.ledger").write_text("no ledger" * 1000)
    monkeypatch.chdir(tmp_path)
    assert run(["onboard", *arguments]) == 2
    assert words in " ".join(capsys.readouterr().err.split())


def test_the_ledger_is_in_use(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run on the same ledger is refused, and told who has it."""
    source = write(tmp_path, 1)
    holder = f"""
import asyncio, sys
from kfq_async.onboarding import SqliteLedger
async def hold():
    async with SqliteLedger({str(tmp_path / "companies.ledger")!r}):
        print("held", flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(hold())
"""
    with subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert run(["onboard", str(source), *door]) == 2
        assert f"in use by process {process.pid} on" in " ".join(capsys.readouterr().err.split())
        process.communicate()


def test_status_and_links(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger says how far the companies are, and whom to remind."""
    source, ledger = write(tmp_path, 4, "没有键,,,,,,", "没有键,,,,,,"), str(tmp_path / "companies.ledger")
    kfq_sandbox.inject_faults(Fault("code-31000", times=1))
    run(["onboard", str(source), *door, "--concurrency", "1"])
    _print_summary(tmp_path / "companies.ledger", kfq_sandbox.orders[0].client_request_id, 1)
    capsys.readouterr()
    assert run(["onboard", "status", ledger]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["4 companies: 3 linked, 1 refused", "of the linked ones: 2 no news, 1 identified"]
    assert said[2].startswith("last run: 20")
    assert said[3] == "invalid and never sent in it: rows 6-7"
    assert run(["onboard", "status", ledger, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["companies"] == {"linked": 3, "refused": 1}
    assert values["linked"] == {"no news": 2, "identified": 1}
    assert values["last_run"]["invalid"] == 2
    assert run(["onboard", "links", ledger]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert run(["onboard", "links", ledger, "--unfinished", "--json"]) == 0
    left = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {link["orderNo"] for link in left} == {order.order_no for order in kfq_sandbox.orders[1:]}
    assert {(link["status"], link["key"][0]) for link in left} == {(None, "C")}


def test_an_output_that_is_full(
    door: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What keeps us from printing is said in a line."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    run(["onboard", str(write(tmp_path, 1)), *door])
    monkeypatch.setattr("sys.stdout", Full())
    assert run(["onboard", "links", str(tmp_path / "companies.ledger")]) == 1
    assert "kfq: No space left on device" in capsys.readouterr().err


def test_an_empty_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A ledger in which nothing has been done says so."""
    _print_summary(tmp_path / "l", "nobody", 1)
    assert run(["onboard", "status", str(tmp_path / "l")]) == 0
    assert capsys.readouterr().out.splitlines() == ["0 companies: none", "of the linked ones: none"]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--expired"], [2]),
        (["--withdrawn"], [3]),
        (["--expired", "--withdrawn", "--key", "C00002"], [2, 3, 4]),
        (["--key", f"C00003,{PERSONAL[2]}"], [5]),
        (["--key", "C00000"], [2]),
    ],
)
def test_reissue(
    *,
    options: list[str],
    rows: list[int],
    door: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The companies that were chosen get one new order each, and nobody else does."""
    source, ledger = write(tmp_path, 4), str(tmp_path / "companies.ledger")
    run(["onboard", str(source), *door, "--concurrency", "1"])
    first = {order.order_no for order in kfq_sandbox.orders}
    for order, status in ((0, 4), (1, 3), (2, 1), (3, 7)):
        _print_summary(tmp_path / "companies.ledger", kfq_sandbox.orders[order].client_request_id, status)
    capsys.readouterr()
    assert run(["onboard", "reissue", ledger, *options]) == 0
    said = f"a new generation: rows {', '.join(map(str, rows))}."
    assert said in capsys.readouterr().out
    assert run(["onboard", str(source), *door]) == 0
    made = [order for order in kfq_sandbox.orders if order.order_no not in first]
    assert sorted(order.company_name for order in made) == [f"公司{row - 2}" for row in rows]
    capsys.readouterr()
    run(["onboard", "status", ledger, "--json"])
    assert json.loads(capsys.readouterr().out)["companies"] == {"linked": 4}


def test_nothing_to_reissue(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing expired, nothing is opened."""
    run(["onboard", str(write(tmp_path, 1)), *door])
    assert run(["onboard", "reissue", str(tmp_path / "companies.ledger"), "--expired"]) == 0
    assert "0 companies have a new generation. Run" in capsys.readouterr().out


def test_reissue_where_it_is_not_clear(
    door: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key of two companies or of none is refused, and so is one in doubt, unless on purpose."""
    monkeypatch.setattr("kfq_async.transport.retry.wait_after", lambda *_: 0.0)
    source = write(tmp_path, 1, "公司甲,C00000,甲@example.com,,,,", "公司乙,C00009,乙@example.com,,,,")
    ledger = str(tmp_path / "companies.ledger")
    kfq_sandbox.inject_faults(Fault("drop"))
    door = [*door, "--concurrency", "3"]
    assert run(["onboard", str(source), *door]) == 1
    capsys.readouterr()
    for key, words in (
        ("C00000", "--key C00000 is that of the rows 2, 3: add the account"),
        ("C99999", "--key C99999: no such company in the ledger"),
        ("C00009", "row 4: it is unknown how its request ended"),
    ):
        assert run(["onboard", "reissue", ledger, "--key", key]) == 2
        assert words in " ".join(capsys.readouterr().err.split())
    assert run(["onboard", "reissue", ledger, "--key", "C00009", "--even-unknown"]) == 0


def test_purge(door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was finished before the day is deleted, the rest is not."""
    run(["onboard", str(write(tmp_path, 3)), *door])
    ledger = str(tmp_path / "companies.ledger")
    _print_summary(tmp_path / "companies.ledger", kfq_sandbox.orders[0].client_request_id, 1)
    capsys.readouterr()
    assert run(["onboard", "purge", ledger, "--finished-before", "2001-01-31"]) == 0
    assert capsys.readouterr().out == "0 companies deleted\n"
    assert run(["onboard", "purge", ledger, "--finished-before", "2999-01-31"]) == 0
    assert capsys.readouterr().out == "1 companies deleted\n"
    run(["onboard", "status", ledger])
    assert "2 companies: 2 linked" in capsys.readouterr().out


def test_no_personal_data(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the ledger nor the report nor what is said holds a person's data; only the output does, as the input."""
    kfq_sandbox.inject_faults(Fault("code-31000", probability=0.3))
    run(["onboard", str(write(tmp_path, 50, "没有键,,," + ",".join(PERSONAL))), *door])
    said = "".join(capsys.readouterr())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".csv")
    assert b"C00049" in kept
    for personal in PERSONAL:
        assert personal.encode() not in kept
        assert personal not in said
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir() if path.name != "companies.csv"}
    assert set(modes.values()) == {0}


def test_the_ledger_fails_in_the_middle(
    door: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 3 with the words of the disk, and nothing is claimed to be written."""
    source = write(tmp_path, 1500)
    limited = "PRAGMA max_page_count = 40"
    opened = SqliteLedger._open
    monkeypatch.setattr(
        "kfq_async.onboarding.ledgers.sqlite.SqliteLedger._open", lambda ledger: (opened(ledger), ledger._run(limited))
    )
    assert run(["onboard", str(source), *door]) == 3
    said = capsys.readouterr().err
    assert "the disk is full; free some space and run again" in " ".join(said.split())
    assert "links in" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "companies.csv"], "--report and the input are one file"),
        (["--out", "./companies.csv"], "--out and the input are one file"),
        (["--report", "companies.links.csv"], "--report and --out are one file"),
        (["--report", "companies.ledger.key"], "--report and the ledger's .key are one file"),
        (["--out", "l.csv", "--ledger", "l.csv"], "--out and --ledger are one file"),
        (["--report", "nowhere/report.html"], "--report: nowhere/report.html cannot be written"),
        (["--ledger", "folder"], "--ledger: folder cannot be written"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_files_that_are_in_the_way(
    *,
    options: list[str],
    words: str,
    more: list[str],
    door: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No file is written over another, and what cannot be written is found out before anything is sent."""
    source = write(tmp_path, 1)
    before = source.read_bytes()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(["onboard", "companies.csv", *door, *options, *more]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert source.read_bytes() == before
    assert not kfq_sandbox.orders


def test_a_ledger_of_another_platform(
    door: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Links of a rehearsal at home never stand in for those of the platform, and another key asks nobody twice."""
    source = str(write(tmp_path, 3))
    assert run(["onboard", source, *door]) == 0
    for options, words in (
        ([*door[:2], "--base-url", "http://127.0.0.1:9/x"], "name another --ledger for another platform"),
        ([*door, "--key", "企业名称"], "has the key credit code and account, not 企业名称: give the same --key again"),
    ):
        for more in ([], ["--dry-run"]):
            assert run(["onboard", source, *options, *more]) == 2
            assert words in " ".join(capsys.readouterr().err.split())
    assert len(kfq_sandbox.orders) == 3


def test_words_that_command_a_terminal(door: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a file or the platform says is shown as one line of plain text."""
    source = tmp_path / "companies.csv"
    source.write_text("企业名称,信用代码,备\x1b[2J注\n,,x\n", encoding="utf-8")
    assert run(["onboard", str(source), *door]) == 1
    assert "columns not used: 备 [2J注" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(
    door: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Before anything is sent it is found out, as far as that can be; afterwards the ledger has everything."""
    source = write(tmp_path, 2)
    (tmp_path / "folder").mkdir()
    assert run(["onboard", str(source), *door, "--out", str(tmp_path / "folder" / "nowhere" / "links.csv")]) == 2
    assert not kfq_sandbox.orders

    def full(path: Path, _: str) -> None:
        raise OnboardingError(f"{path} cannot be written: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(job, "_write_text", full)
        assert run(["onboard", str(source), *door]) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert "companies.report.html cannot be written: No space left" in said
    assert "The same command again continues" in said
    assert run(["onboard", str(source), *door]) == 0
    assert len(kfq_sandbox.orders) == 2


def test_ctrl_c_before_the_run(door: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the ledger is being opened sends nothing, and ends as any other."""
    source = write(tmp_path, 2)
    opened = SqliteLedger._open

    def interrupted(ledger: SqliteLedger) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        opened(ledger)

    monkeypatch.setattr(SqliteLedger, "_open", interrupted)
    assert run(["onboard", str(source), *door]) == 130
    assert {row["认证状态"] for row in read(tmp_path / "companies.links.csv")} == {"pending"}


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c(times: int, kfq_sandbox: Sandbox, tmp_path: Path) -> None:
    """One Ctrl-C finishes what is under way and writes the files, a second one ends at once; both can be continued."""
    kfq_sandbox.inject_faults(Fault("delay", seconds=0.2 if times == 1 else 5.0))
    source = write(tmp_path, 500)
    environment = {**os.environ, "KFQ_APP_AUTH_TOKEN": kfq_sandbox.token, "KFQ_BASE_URL": kfq_sandbox.base_url}
    command = [sys.executable, "-m", "kfq_async", "onboard", str(source), "--concurrency", "5"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        _until(lambda: _size(tmp_path / "companies.ledger-wal") > 0)
        process.send_signal(signal.SIGINT)
        assert "Ctrl-C again ends at once" in process.stderr.readline()
        if times == 2:
            process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert ("links in" in said) is (times == 1)
    assert ("Stopped at once" in said) is (times == 2)
    assert "Traceback" not in said
    kfq_sandbox.inject_faults()
    assert run(["onboard", str(source), "--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]) == 0
    assert len(kfq_sandbox.orders) == 500


def test_killed_at_random_instants() -> None:
    """Killed again and again among faults, each company has one order and its link in the end."""
    command = [sys.executable, "-m", "benchmarks.kill", "--rows", "300", "--kills", "4"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 companies, 300 links in the output, 300 orders, 0 companies with two" in done.stdout
