"""`kfq onboard` and the commands for its ledger."""

from __future__ import annotations

import asyncio
import csv
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from companies import PERSONAL
from kfq_async.cli.app import run
from kfq_async.cli.onboard import run as onboard_run
from kfq_async.errors import OnboardingError
from kfq_async.onboarding import SqliteLedger
from kfq_async.sandbox import Fault, Sandbox
from output import quiet_environment

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
TIME = r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC(?:[+-]\d\d:\d\d)?"
VALID_CODE = "91110000600037341L"
HEADINGS = "企业名称,统一社会信用代码,经办人账号,经办人姓名,证件号码,手机号,银行卡号"


@pytest.fixture
def connection_options(kfq_sandbox: Sandbox) -> list[str]:
    """Options for the token and base URL of the sandbox."""
    return ["--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]


def write(folder: Path, count: int, *more: str, name: str = "公司") -> Path:
    """Write a CSV of companies with personal data."""
    path = folder / "companies.csv"
    lines = [f"{name}{number},C{number:05d},{PERSONAL[2]},{','.join(PERSONAL)}" for number in range(count)]
    path.write_text("\n".join([HEADINGS, *lines, *more]) + "\n", encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of the output."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _complete(ledger: Path, client_request_id: str | None, status: int) -> None:
    """Record a status, as the handler of notifications does."""

    async def work() -> None:
        async with SqliteLedger(ledger) as opened:
            await opened.complete(str(client_request_id), status, 1_000_000_000.0)

    asyncio.run(work())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait_until(condition: Callable[[], bool]) -> None:
    """Wait for an effect of another process."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_run(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run writes output, report and ledger next to the input; the same command again sends nothing."""
    source = write(tmp_path, 30)
    assert run(["onboard", str(source), *connection_options]) == 0
    shown = capsys.readouterr().err
    assert "30 companies: 30 linked; 30 sent in" in shown
    rows = read(tmp_path / "companies.links.csv")
    assert {row["order_no"] for row in rows} == {order.order_no for order in kfq_sandbox.orders}
    assert [row["企业名称"] for row in rows] == [f"公司{number}" for number in range(30)]
    assert [row["row"] for row in rows] == [str(number) for number in range(2, 32)]
    assert {row["identity_status"] for row in rows} == {"no notification"}
    assert all(row["auth_url"].startswith(kfq_sandbox.origin) for row in rows)
    assert "<svg" in (tmp_path / "companies.report.html").read_text(encoding="utf-8")
    assert run(["onboard", str(source), *connection_options]) == 0
    assert "30 companies: 30 linked; 0 sent in" in capsys.readouterr().err
    assert read(tmp_path / "companies.links.csv") == rows
    assert len(kfq_sandbox.orders) == 30


def test_chinese_output(connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path) -> None:
    """With --lang zh, headings and states of the output are Chinese, and the identification state is in it."""
    source = write(tmp_path, 2)
    assert run(["onboard", str(source), *connection_options, "--lang", "zh"]) == 0
    _complete(tmp_path / "companies.ledger", kfq_sandbox.orders[0].client_request_id, 1)
    assert run(["onboard", str(source), *connection_options, "--lang", "zh"]) == 0
    rows = read(tmp_path / "companies.links.csv")
    assert {row["申请状态"] for row in rows} == {"已获链接"}
    assert sorted(row["认证状态"] for row in rows) == sorted(["已认证", "尚无通知"])


def test_rows_without_a_link(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The status is 1, and each such row is listed with its reason on the screen and in the output."""
    kfq_sandbox.inject_faults(Fault("code-31000", times=1))
    source = write(
        tmp_path, 1, "没有键,,,,,,", "公司0,C00000,另一个账号@example.com,,,,", ",C00000,另一个账号@example.com,,,,"
    )
    assert run(["onboard", str(source), *connection_options, "--concurrency", "1"]) == 1
    shown = capsys.readouterr().err
    states = [row["state"] for row in read(tmp_path / "companies.links.csv")]
    assert states == ["refused", "invalid", "linked", "invalid"]
    assert "row 2: refused: the platform reported error 31000" in shown
    assert "row 3: invalid: " in shown
    assert "row 5: invalid: same company as row 4 with other data" in shown


def test_many_rows_with_problems(
    connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The screen lists the first rows and the number of the others."""
    source = write(tmp_path, 0, *(["没有键,,,,,,"] * 25))
    assert run(["onboard", str(source), *connection_options]) == 1
    shown = capsys.readouterr().err
    assert shown.count("invalid: ") == 20
    assert "and 5 more rows without a link; the output lists their reasons" in shown
    assert run(["onboard", str(source), *connection_options, "--dry-run"]) == 1
    assert "and 5 more rows with problems" in capsys.readouterr().err


def test_warnings(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row with a warning is sent, counted on the screen and explained in the output; --strict refuses it."""
    source = write(tmp_path, 3, f"公司,91110000600037341L,{PERSONAL[2]},,,,")
    assert run(["onboard", str(source), *connection_options]) == 0
    shown = " ".join(capsys.readouterr().err.split())
    assert "3 rows have warnings (2-4); the output lists them" in shown
    page = (tmp_path / "companies.report.html").read_text(encoding="utf-8")
    assert "<dt><b>统一社会信用代码</b> must have 18 characters · 3</dt><dd>rows 2\N{NON-BREAKING HYPHEN}4</dd>" in page
    reasons = [row["reason"] for row in read(tmp_path / "companies.links.csv")]
    assert ["统一社会信用代码" in reason for reason in reasons] == [True, True, True, False]
    other = ["--ledger", str(tmp_path / "strict"), "--force"]
    assert run(["onboard", str(source), *connection_options, *other, "--strict"]) == 1
    assert [row["state"] for row in read(tmp_path / "companies.links.csv")] == ["invalid"] * 3 + ["linked"]


def test_blank_cells(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row without an account or a name, although there are columns for them, has a warning; --strict refuses it."""
    source = write(tmp_path, 0, f"公司,{VALID_CODE},,,,,", f",{VALID_CODE},甲@example.com,,,,", ",,,,,13800138000,")
    assert run(["onboard", str(source), *connection_options, "--dry-run"]) == 1
    shown = capsys.readouterr().err
    assert "row 2: pending: 经办人账号: is blank: the request has no accountName\n" in shown
    assert "row 3: pending: 企业名称: is blank: the request has no companyName\n" in shown
    assert "row 4: invalid: has neither a credit code nor an account" in " ".join(shown.split())
    assert shown.count("is blank") == 2
    assert run(["onboard", str(source), *connection_options]) == 1
    assert "2 rows have warnings (2-3); " in capsys.readouterr().err
    reasons = [row["reason"] for row in read(tmp_path / "companies.links.csv")]
    assert [": is blank: " in reason for reason in reasons] == [True, True, False]
    strict = ["--dry-run", "--strict", "--ledger", str(tmp_path / "new.ledger"), "--lang", "zh"]
    assert run(["onboard", str(source), *connection_options, *strict]) == 1
    assert "第 2 行：数据无效：经办人账号：未填写：请求中没有 accountName" in capsys.readouterr().err


def test_repeated_company(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repeated company is requested once, and both of its rows get the link; an unused column is named."""
    source = tmp_path / "companies.csv"
    source.write_text("企业名称,信用代码,经办人账号,备注\n" + "甲,C1,甲@example.com,\n" * 2, encoding="utf-8")
    assert run(["onboard", str(source), *connection_options]) == 0
    first, second = read(tmp_path / "companies.links.csv")
    assert first["auth_url"] == second["auth_url"]
    assert [row["state"] for row in (first, second)] == ["linked", "linked"]
    assert "row 2" in second["reason"]
    shown = capsys.readouterr().err
    assert "columns not used: 备注" in shown
    assert "2 companies: 1 linked, 1 " in shown


def test_pause(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A systemic failure ends in status 3 with the files written; the same command resumes."""
    source = write(tmp_path, 50)
    assert run(["onboard", str(source), "--token", "WRONG", *connection_options[2:]]) == 3
    shown = capsys.readouterr().err
    assert "50 companies: 50 pending; " in shown
    assert "paused: the platform reported error 41000" in shown
    assert "Check the token" in shown
    assert "Run the same command again to resume" in shown
    assert {row["state"] for row in read(tmp_path / "companies.links.csv")} == {"pending"}
    assert run(["onboard", str(source), *connection_options]) == 0
    assert len(kfq_sandbox.orders) == 50


def test_dry_run(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--dry-run compares the rows with the ledger; it neither sends nor writes anything."""
    source = write(tmp_path, 3, "没有键,,,,,,")
    before = sorted(tmp_path.iterdir())
    assert run(["onboard", str(source), "--dry-run"]) == 1
    shown = capsys.readouterr().err
    assert "4 companies: 1 invalid, 3 to send; nothing was sent" in shown
    assert "row 2: pending: 统一社会信用代码: " in shown
    assert sorted(tmp_path.iterdir()) == before
    assert not kfq_sandbox.orders
    run(["onboard", str(source), *connection_options])
    write(tmp_path, 5)
    files = {path: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in {".ledger", ".html", ".csv"}}
    capsys.readouterr()
    assert run(["onboard", str(source), *connection_options, "--dry-run"]) == 0
    assert "5 companies: 3 linked, 2 to send; nothing was sent" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in files} == files


def test_paths(connection_options: list[str], tmp_path: Path) -> None:
    """Each file can have another path; the suffix of the output decides its format."""
    source = write(tmp_path, 2)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out, ledger, report = (elsewhere / name for name in ("links.jsonl", "l.db", "r.html"))
    files = ["--out", str(out), "--ledger", str(ledger), "--report", str(report)]
    assert run(["onboard", str(source), *connection_options, *files]) == 0
    assert [json.loads(line)["state"] for line in out.read_text(encoding="utf-8").splitlines()] == ["linked"] * 2
    assert {path.name for path in elsewhere.iterdir()} >= {"links.jsonl", "l.db", "l.db.key", "r.html"}
    assert {path.name for path in tmp_path.iterdir()} == {"companies.csv", "elsewhere"}


def test_callback_urls(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --page and --notify, each request's URLs carry its id."""
    monkeypatch.setenv("KFQ_CALLBACK_SECRET", "ab" * 32)
    urls = ["--page", "https://shop.example/done", "--notify", "https://shop.example/hooks"]
    assert run(["onboard", str(write(tmp_path, 1)), *connection_options, *urls]) == 0
    (order,) = kfq_sandbox.orders
    assert json.loads(order.request)["authCallbackUrl"].startswith("https://shop.example/hooks/")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["companies.csv"], "the appAuthToken is missing; give --token"),
        (["nowhere.csv", "--token", "T"], "nowhere.csv"),
        (["companies.csv", "--token", "T", "--column", "company_name=甲方"], "甲方"),
        (["companies.csv", "--token", "T", "--rate-limit", "fast"], "--rate-limit must be like"),
        (["companies.csv", "--token", "T", "--concurrency", "0"], "--concurrency must be at least 1"),
        (["companies.csv", "--token", "T", "--base-url", "nonsense"], "base_url must be like"),
        (["companies.csv", "--token", "T", "--ledger", "no.ledger"], "is not a ledger"),
        (["companies.csv", "--token", "T", "--column", "company_name"], "--column must be field=heading"),
        (["status", "nowhere.ledger"], "nowhere.ledger does not exist; give the ledger of kfq onboard"),
        (["status", "companies.csv"], "is not a ledger"),
        (["reissue", "companies.csv"], "name the companies; give --expired, --withdrawn or --key"),
    ],
)
def test_usage_errors(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A usage error exits with 2 and says what to change."""
    write(tmp_path, 1)
    (tmp_path / "no.ledger").write_text("no ledger" * 1000)
    monkeypatch.chdir(tmp_path)
    assert run(["onboard", *arguments]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_ledger_in_use(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run on the same ledger is refused, with the process that holds it."""
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
        assert run(["onboard", str(source), *connection_options]) == 2
        assert f"in use by process {process.pid} on" in " ".join(capsys.readouterr().err.split())
        process.communicate()


def test_status_and_links(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ledger shows the status of the companies, and which of them to remind."""
    source, ledger = write(tmp_path, 4, "没有键,,,,,,", "没有键,,,,,,"), str(tmp_path / "companies.ledger")
    kfq_sandbox.inject_faults(Fault("code-31000", times=1))
    run(["onboard", str(source), *connection_options, "--concurrency", "1"])
    _complete(tmp_path / "companies.ledger", kfq_sandbox.orders[0].client_request_id, 1)
    capsys.readouterr()
    assert run(["onboard", "status", ledger]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == ["4 companies: 3 linked, 1 refused", "linked companies: 2 no notification, 1 identified"]
    assert re.fullmatch(rf"last run: {TIME} to {TIME}", shown[2])
    assert shown[3] == "invalid, never sent: rows 6-7"
    assert run(["onboard", "status", ledger, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["companies"] == {"linked": 3, "refused": 1}
    assert values["linked"] == {"no notification": 2, "identified": 1}
    assert values["last_run"]["invalid"] == 2
    times = [datetime.fromisoformat(values["last_run"][name]) for name in ("began", "ended")]
    assert [values["last_run"][name] for name in ("began", "ended")] == [time.isoformat() for time in times]
    assert run(["onboard", "links", ledger]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert run(["onboard", "links", ledger, "--unfinished", "--json"]) == 0
    left = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {link["orderNo"] for link in left} == {order.order_no for order in kfq_sandbox.orders[1:]}
    assert {(link["status"], link["key"]) for link in left} == {(None, None)}


def test_full_standard_output(
    connection_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An error of standard output is printed in one line."""

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    run(["onboard", str(write(tmp_path, 1)), *connection_options])
    monkeypatch.setattr("sys.stdout", Full())
    assert run(["onboard", "links", str(tmp_path / "companies.ledger")]) == 1
    assert "kfq: No space left on device" in capsys.readouterr().err


def test_empty_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The status of an empty ledger has no companies."""
    _complete(tmp_path / "l", "nobody", 1)
    assert run(["onboard", "status", str(tmp_path / "l")]) == 0
    assert capsys.readouterr().out.splitlines() == ["0 companies: none", "linked companies: none"]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--expired"], [2]),
        (["--withdrawn"], [3]),
        (["--expired", "--withdrawn", "--key", f"C00002,{PERSONAL[2]}"], [2, 3, 4]),
        (["--key", f"c00003,+86{PERSONAL[2]}"], [5]),
    ],
)
def test_reissue(
    *,
    options: list[str],
    rows: list[int],
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each selected company gets one new order, and no other company does."""
    source, ledger = write(tmp_path, 4), str(tmp_path / "companies.ledger")
    run(["onboard", str(source), *connection_options, "--concurrency", "1"])
    first = {order.order_no for order in kfq_sandbox.orders}
    for order, status in ((0, 4), (1, 3), (2, 1), (3, 7)):
        _complete(tmp_path / "companies.ledger", kfq_sandbox.orders[order].client_request_id, status)
    capsys.readouterr()
    assert run(["onboard", "reissue", ledger, *options]) == 0
    shown = f"a new generation: {'row' if len(rows) == 1 else 'rows'} {', '.join(map(str, rows))}."
    assert shown in capsys.readouterr().out
    assert run(["onboard", str(source), *connection_options]) == 0
    made = [order for order in kfq_sandbox.orders if order.order_no not in first]
    assert sorted(order.company_name for order in made) == [f"公司{row - 2}" for row in rows]
    capsys.readouterr()
    run(["onboard", "status", ledger, "--json"])
    assert json.loads(capsys.readouterr().out)["companies"] == {"linked": 4}


def test_reissue_without_companies(
    connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If no order expired, no generation is opened."""
    run(["onboard", str(write(tmp_path, 1)), *connection_options])
    assert run(["onboard", "reissue", str(tmp_path / "companies.ledger"), "--expired"]) == 0
    assert capsys.readouterr().out == "no company was selected\n"
    assert run(["onboard", "reissue", str(tmp_path / "companies.ledger"), "--expired", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"reissued": 0, "rows": []}


def test_reissue_errors(
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A key of two companies, of none, or of one with an unknown result is refused, the last unless confirmed."""
    monkeypatch.setattr("kfq_async.transport.retry.backoff", lambda *_: 0.0)
    source = write(tmp_path, 1, "公司甲,C00000,甲@example.com,,,,", "公司乙,C00009,乙@example.com,,,,")
    ledger = str(tmp_path / "companies.ledger")
    kfq_sandbox.inject_faults(Fault("lose-response"))
    assert run(["onboard", str(source), *connection_options, "--concurrency", "3", "--show-key"]) == 1
    capsys.readouterr()
    for key, text in (
        ("C00000", "matches the rows 2, 3; add the account"),
        ("C99999", "is not in the ledger; give CREDIT_CODE,ACCOUNT"),
    ):
        for options, option in (([], "--key"), (["--show-key"], f"--key {key}")):
            assert run(["onboard", "reissue", ledger, "--key", key, *options]) == 2
            assert f"kfq: {option} {text}" in " ".join(capsys.readouterr().err.split())
    assert run(["onboard", "reissue", ledger, "--key", VALID_CODE]) == 2
    assert f"--key {VALID_CODE} is not in the ledger" in " ".join(capsys.readouterr().err.split())
    assert run(["onboard", "reissue", ledger, "--key", "C00009"]) == 2
    assert "row 4: the result of its request is unknown" in " ".join(capsys.readouterr().err.split())
    assert run(["onboard", "reissue", ledger, "--key", "C00009", "--even-unknown"]) == 0


def test_purge(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Companies that finished before the day are listed with --dry-run, and deleted without; the others are not."""
    kfq_sandbox.inject_faults(Fault("code-31000", times=1))
    companies = write(tmp_path, 3, f"公司,{VALID_CODE},{PERSONAL[2]},,,,")
    run(["onboard", str(companies), *connection_options, "--concurrency", "1"])
    ledger = str(tmp_path / "companies.ledger")
    first, last = kfq_sandbox.orders[0], kfq_sandbox.orders[2]
    for order, status in ((first, 1), (last, 4)):
        _complete(tmp_path / "companies.ledger", order.client_request_id, status)
    capsys.readouterr()
    assert run(["onboard", "purge", ledger, "--finished-before", "2001-01-31"]) == 0
    assert capsys.readouterr().out == "0 companies deleted\n"
    assert run(["onboard", "purge", ledger, "--finished-before", "2001-01-31", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == []
    assert run(["onboard", "purge", ledger, "--finished-before", "2999-01-31", "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "2\t-\t-\trefused",
        f"3\t-\t{first.order_no}\tidentified",
        f"5\t{VALID_CODE}\t{last.order_no}\texpired",
    ]
    assert shown.err == "3 companies would be deleted\n"
    assert run(["onboard", "purge", ledger, "--finished-before", "2999-01-31", "--dry-run", "--json"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert listed[0] == {"row": 2, "key": None, "orderNo": None, "status": "refused"}
    assert run(["onboard", "purge", ledger, "--finished-before", "2999-01-31"]) == 0
    assert capsys.readouterr().out == "3 companies deleted\n"
    run(["onboard", "status", ledger])
    assert "1 companies: 1 linked" in capsys.readouterr().out
    assert run(["onboard", "purge", ledger, "--finished-before", "2999-01-31", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": 0}


def test_keys_are_shown_on_demand(
    connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ledger and listings have valid credit codes; other keys only with --show-key in the run, and in the listing."""
    companies = write(tmp_path, 1, f"公司,{VALID_CODE},{PERSONAL[2]},,,,")
    ledger = tmp_path / "companies.ledger"
    run(["onboard", str(companies), *connection_options])
    assert b"C00000" not in ledger.read_bytes()
    ledger.unlink()
    (tmp_path / "companies.ledger.key").unlink()
    run(["onboard", str(companies), *connection_options, "--show-key", "--force"])
    assert b"C00000" in ledger.read_bytes()
    for options, keys in (([], [None, VALID_CODE]), (["--show-key"], ["C00000", VALID_CODE])):
        capsys.readouterr()
        assert run(["onboard", "links", str(ledger), "--json", *options]) == 0
        assert [json.loads(line)["key"] for line in capsys.readouterr().out.splitlines()] == keys


def test_no_personal_data(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ledger, report and messages hold no personal data; the output does, like the input."""
    kfq_sandbox.inject_faults(Fault("code-31000", probability=0.3))
    companies = write(tmp_path, 50, "没有键,,," + ",".join(PERSONAL), f"公司,{VALID_CODE},{PERSONAL[2]},,,,")
    run(["onboard", str(companies), *connection_options])
    shown = "".join(capsys.readouterr())
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".csv")
    assert VALID_CODE.encode() in kept
    assert b"C00049" not in kept
    for personal in PERSONAL:
        assert personal.encode() not in kept
        assert personal not in shown
    modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir() if path.name != "companies.csv"}
    assert set(modes.values()) == {0}


def test_ledger_failure(
    connection_options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A failure of the ledger ends in status 3 with its message, and no file is reported as written."""
    source = write(tmp_path, 1500)
    limited = "PRAGMA max_page_count = 40"
    opened = SqliteLedger._open
    monkeypatch.setattr(
        "kfq_async.onboarding.ledgers.sqlite.SqliteLedger._open", lambda ledger: (opened(ledger), ledger._run(limited))
    )
    assert run(["onboard", str(source), *connection_options]) == 3
    shown = capsys.readouterr().err
    assert "the disk is full; free some space and run again" in " ".join(shown.split())
    assert "links: " not in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--report", "companies.csv"], "--report and the input are the same file"),
        (["--out", "./companies.csv"], "--out and the input are the same file"),
        (["--report", "companies.links.csv"], "--report and --out are the same file"),
        (["--report", "companies.ledger.key"], "--report and the ledger's .key are the same file"),
        (["--out", "l.csv", "--ledger", "l.csv"], "--out and --ledger are the same file"),
        (["--report", "nowhere/report.html"], "--report: nowhere/report.html cannot be written"),
        (["--ledger", "folder"], "--ledger: folder cannot be written"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_conflicting_paths(
    *,
    options: list[str],
    message: str,
    more: list[str],
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two paths to one file, and a path that cannot be written, are errors before anything is sent."""
    source = write(tmp_path, 1)
    before = source.read_bytes()
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(["onboard", "companies.csv", *connection_options, *options, *more]) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert source.read_bytes() == before
    assert not kfq_sandbox.orders


def test_ledger_of_another_platform_or_key(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger is refused for another platform and for another key, which would request every company anew."""
    source = str(write(tmp_path, 3))
    assert run(["onboard", source, *connection_options]) == 0
    for options, message in (
        ([*connection_options[:2], "--base-url", "http://127.0.0.1:9/x"], "name another --ledger for another platform"),
        (
            [*connection_options, "--key", "企业名称"],
            "has the key credit code and account, not 企业名称: give the same --key again",
        ),
    ):
        for more in ([], ["--dry-run"]):
            assert run(["onboard", source, *options, *more]) == 2
            assert message in " ".join(capsys.readouterr().err.split())
    assert len(kfq_sandbox.orders) == 3


def test_control_characters(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of a file are printed as blanks."""
    source = tmp_path / "companies.csv"
    source.write_text("企业名称,信用代码,账号,备\x1b[2J注\n,,,x\n", encoding="utf-8")
    assert run(["onboard", str(source), *connection_options]) == 1
    assert "columns not used: 备 [2J注" in capsys.readouterr().err


def test_unwritable_output(
    connection_options: list[str],
    kfq_sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An unwritable output is an error before anything is sent; after a later failure the ledger has everything."""
    source = write(tmp_path, 2)
    (tmp_path / "folder").mkdir()
    assert (
        run(["onboard", str(source), *connection_options, "--out", str(tmp_path / "folder" / "nowhere" / "links.csv")])
        == 2
    )
    assert not kfq_sandbox.orders

    def full(path: Path, _: str) -> None:
        raise OnboardingError(f"{path} cannot be written: No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(onboard_run, "_write_text", full)
        assert run(["onboard", str(source), *connection_options]) == 3
    shown = " ".join(capsys.readouterr().err.split())
    assert "companies.report.html cannot be written: No space left" in shown
    assert "Run the same command again to resume" in shown
    assert run(["onboard", str(source), *connection_options]) == 0
    assert len(kfq_sandbox.orders) == 2


def test_interrupt_before_the_run(
    connection_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the ledger is being opened sends nothing and ends in status 130."""
    source = write(tmp_path, 2)
    opened = SqliteLedger._open

    def interrupted(ledger: SqliteLedger) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        opened(ledger)

    monkeypatch.setattr(SqliteLedger, "_open", interrupted)
    assert run(["onboard", str(source), *connection_options]) == 130
    assert {row["state"] for row in read(tmp_path / "companies.links.csv")} == {"pending"}


@pytest.mark.parametrize("times", [1, 2])
def test_interrupt(times: int, kfq_sandbox: Sandbox, tmp_path: Path) -> None:
    """The first Ctrl-C finishes the requests in progress, the second stops at once; both can be resumed."""
    kfq_sandbox.inject_faults(Fault("delay", seconds=0.2 if times == 1 else 5.0))
    source = write(tmp_path, 500)
    environment = quiet_environment(KFQ_APP_AUTH_TOKEN=kfq_sandbox.token, KFQ_BASE_URL=kfq_sandbox.base_url)
    command = [sys.executable, "-m", "kfq_async", "onboard", str(source), "--concurrency", "5"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        _wait_until(lambda: _size(tmp_path / "companies.ledger-wal") > 0)
        process.send_signal(signal.SIGINT)
        while "Press Ctrl-C again to stop at once" not in (line := process.stderr.readline()):
            assert line
        if times == 2:
            process.send_signal(signal.SIGINT)
        shown = process.stderr.read()
    assert process.returncode == 130
    assert ("links: " in shown) is (times == 1)
    assert ("Interrupted. Run the same command again to resume." in shown) is (times == 2)
    assert "Traceback" not in shown
    kfq_sandbox.inject_faults()
    assert run(["onboard", str(source), "--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]) == 0
    assert len(kfq_sandbox.orders) == 500


@pytest.mark.parametrize("kill", [True, False])
def test_moved_during_a_run(
    *, kill: bool, kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Runs without the ledger that was moved are refused and send nothing; with it, each company has one order."""
    kfq_sandbox.inject_faults(Fault("delay", seconds=0.2))
    (tmp_path / "elsewhere").mkdir()
    source, ledger, moved = write(tmp_path, 40), tmp_path / "companies.ledger", tmp_path / "elsewhere" / "c.ledger"
    environment = quiet_environment(KFQ_APP_AUTH_TOKEN=kfq_sandbox.token, KFQ_BASE_URL=kfq_sandbox.base_url)
    command = [sys.executable, "-m", "kfq_async", "onboard", str(source), "--concurrency", "5"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        _wait_until(lambda: len(kfq_sandbox.orders) > 0)
        ledger.rename(moved)
        if kill:
            process.kill()
    assert process.returncode == (-signal.SIGKILL if kill else 3)
    kfq_sandbox.inject_faults()
    ordered = len(kfq_sandbox.orders)
    options = ["onboard", str(source), "--token", kfq_sandbox.token, "--base-url", kfq_sandbox.base_url]
    for more in (["--dry-run"], ["--yes"], []):
        assert run([*options, *more]) == 2
        shown = " ".join(capsys.readouterr().err.split())
        assert "(companies.ledger-wal, companies.ledger.key): put that ledger back in its place beside them" in shown
        assert "(new)" not in shown
        assert not ledger.exists()
    assert len(kfq_sandbox.orders) <= ordered + 5  # those under way when the run ended
    moved.rename(ledger)
    assert run(options) == 0
    assert len(kfq_sandbox.orders) == 40


def test_moved_between_runs(
    connection_options: list[str], kfq_sandbox: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first run of a ledger that was moved, or copied, warns of running two copies."""
    source, moved = write(tmp_path, 2), tmp_path / "elsewhere"
    assert run(["onboard", str(source), *connection_options]) == 0
    moved.mkdir()
    for suffix in ("", ".key"):
        (tmp_path / f"companies.ledger{suffix}").rename(moved / f"companies.ledger{suffix}")
    expected = f"the ledger was copied or moved from {(tmp_path / 'companies.ledger').resolve()}: never run two copies"
    for told in (True, False):
        capsys.readouterr()
        options = ["--ledger", str(moved / "companies.ledger"), "--force"]
        assert run(["onboard", str(source), *connection_options, *options]) == 0
        assert (expected in " ".join(capsys.readouterr().err.split())) is told
    assert len(kfq_sandbox.orders) == 2


def test_kill() -> None:
    """After repeated kills among faults, each company has one order and its link."""
    command = [sys.executable, "-m", "benchmarks.kill", "--rows", "300", "--kills", "4", "--delay", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 companies, 300 links in the output, 300 orders, 0 companies with two" in done.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_western_terminal(
    encoding: str, connection_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No command fails where standard output and error lack the characters of a text."""
    source, ledger = write(tmp_path, 2, "没有键,,,,,,"), str(tmp_path / "companies.ledger")
    commands = [
        ["--help"],
        [str(source), *connection_options, "--dry-run"],
        [str(source), *connection_options],
        [str(source), *connection_options, "--lang", "zh", "--retry-refused"],
        [str(tmp_path / "没有.csv"), *connection_options],
        ["status", ledger, "--lang", "zh"],
        ["links", ledger, "--source", str(source)],
        ["links", ledger, "--source", str(source), "--json"],
        ["links", ledger, "--source", str(source), "--out", str(tmp_path / "名单.csv")],
        ["reissue", ledger, "--key", "没有"],
        ["reissue", ledger, "--key", "没有", "--show-key", "--json"],
        ["purge", ledger, "--finished-before", "2999-01-31", "--dry-run", "--lang", "zh"],
        ["purge", ledger, "--finished-before", "2999-01-31", "--lang", "zh"],
        ["没有"],
    ]
    expected = [0, 1, 1, 1, 2, 0, 0, 0, 0, 2, 2, 0, 0, 2]
    for command, status in zip(commands, expected, strict=True):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
        for name, stream in zip(("stdout", "stderr"), streams, strict=True):
            monkeypatch.setattr(f"sys.{name}", stream)
        assert run(["onboard", *command]) == status, command
        for stream in streams:
            stream.flush()
        assert b"".join(stream.buffer.getvalue() for stream in streams), command


def test_summary_as_json(connection_options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json, the numbers of a run are on standard output, in English; messages are on standard error."""
    source = write(tmp_path, 2, "没有键,,,,,,")
    assert run(["onboard", str(source), *connection_options, "--dry-run", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"companies": 3, "to send": 2, "invalid": 1}
    assert run(["onboard", str(source), *connection_options, "--json", "--lang", "zh"]) == 1
    values = json.loads(capsys.readouterr().out)
    assert {name: values[name] for name in ("companies", "linked", "invalid", "unknown", "sent", "error")} == {
        "companies": 3,
        "linked": 2,
        "invalid": 1,
        "unknown": 0,
        "sent": 2,
        "error": None,
    }
    assert [values[name] for name in ("out", "report", "ledger")] == [
        str(tmp_path / name) for name in ("companies.links.csv", "companies.report.html", "companies.ledger")
    ]
    assert run(["onboard", str(source), "--token", "WRONG", *connection_options[2:], "--json", "--new-token"]) == 1
    assert json.loads(capsys.readouterr().out)["sent"] == 0
