"""`kfq demo`: every company ends with exactly one order."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kfq_async.cli import demo as command
from kfq_async.cli.app import run
from kfq_async.cli.demo import read_rows
from kfq_async.cli.options import UsageError
from kfq_async.config import RetryPolicy
from kfq_async.onboarding import FileSource
from kfq_async.sandbox import Sandbox

HEADINGS = "company_name,credit_code,legal_rep_name,company_type,account_name,operator_name,id_card,mobile"


def write(tmp_path: Path, *rows: str, headings: str = HEADINGS) -> Path:
    """Write a CSV."""
    file = tmp_path / "companies.csv"
    file.write_text("\n".join([headings, *rows]) + "\n", encoding="utf-8")
    return file


def is_up(url: str) -> bool:
    """Tell whether a server responds."""
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except OSError:
        return False
    return True


@asynccontextmanager
async def sandbox_in_process(seed: int) -> AsyncIterator[str]:
    """The sandbox of the demo in the event loop of the test."""
    async with Sandbox(faults=command.FAULTS, seed=seed) as sandbox:
        yield sandbox.base_url


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the process of the sandbox."""
    monkeypatch.setattr(command, "_sandbox_process", sandbox_in_process)


def test_shipped_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Although responses are lost, each of the shipped companies ends with one link and one order."""
    assert run(["demo"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    companies, links, retries, orders, duplicates = (int(word) for word in lines[-1].split() if word.isdecimal())
    assert companies == links == orders > 200
    assert companies == len({row.key for row in read_rows()} - {None})
    assert retries > 0
    assert duplicates == 0
    messages = [line for line in lines if line.startswith("row ")]
    assert [message.split(": ")[0] for message in messages] == ["row 62", "row 208", "row 233"]
    assert "row 19" in messages[0]
    assert "has none of the data that identifies a company" in messages[1]


@pytest.mark.usefixtures("in_process")
def test_file_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--file reads another CSV, and the faults are described in plain language."""
    file = write(tmp_path, "甲,,,,,,,", ",91110000MA01234567,,2,,,,")
    assert run(["demo", "--file", str(file), "--concurrency", "1", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "6 % of responses delayed by 0.4 s, 6 % of requests executed but their responses lost, 4 %" in shown
    assert "2 companies, 2 links" in shown


@pytest.mark.usefixtures("in_process")
def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints counts and companies on standard output, and the progress on standard error."""
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,")), "--json", "--lang", "zh"]) == 0
    captured = capsys.readouterr()
    shown = json.loads(captured.out)
    assert (shown["companies"], shown["links"], shown["passed"]) == (1, 1, True)
    (result,) = shown["results"]
    assert (result["companyName"], result["state"], result["row"]) == ("甲", "linked", 2)
    assert result["authUrl"].startswith("http://127.0.0.1:")
    assert "sandbox at" in captured.err


@pytest.mark.usefixtures("in_process")
def test_companies_with_the_same_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two branches with one name, or two rows without any, are separate companies and no duplicates."""
    rows = ("甲,91110000MA01234567,,,,,,", "甲,91110000MA01234568,,,,,,", ",1,,,,,,", ",2,,,,,,")
    assert run(["demo", "--file", str(write(tmp_path, *rows))]) == 0
    assert "4 orders in the sandbox, 0 duplicates" in capsys.readouterr().out


@pytest.mark.usefixtures("in_process")
def test_same_company_with_other_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A company that occurs twice is requested once, and the second row is named."""
    assert run(["demo", "--file", str(write(tmp_path, "甲,,张三,,,,,", "甲,,李四,,,,,"))]) == 0
    shown = capsys.readouterr().out
    assert "row 3: same company as row 2 with other data" in shown
    assert "1 companies, 1 links" in shown


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("甲,,,9,,,,", "row 2: company_type: must be 1 (企业), 2 (个体工商户) or 3 (其他)"),
        ("\n\n甲,,,x,,,,", "row 4: company_type"),
        ("甲,1.38E+10,,,,,,", "row 2: credit_code: is a number in scientific notation"),
        ("甲,1,,,,,,,x", "row 2: has a cell beyond the last heading"),
        ('"甲\n乙",1,,,,,,', "row 2: company_name: has a line break inside"),
        (f"甲,,,{'1' * 5000},,,,", "row 2: company_type"),
        ('"甲,,,,,,,', "the row that begins on line 2 cannot be parsed"),
        ("", "names no company"),
        (",,张三,,,,,", "names no company"),
    ],
)
def test_invalid_row(row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that cannot be sent is a usage error that names row and column, in a short message."""
    assert run(["demo", "--file", str(write(tmp_path, row))]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error) < 400


def test_unreadable_file(tmp_path: Path) -> None:
    """A missing file, and one without a known heading, are usage errors."""
    with pytest.raises(UsageError, match="No such file"):
        read_rows(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="no heading is recognised"):
        read_rows(write(tmp_path, "x", headings="y"))


@pytest.mark.parametrize("inside", ["\u2028", "\x85", "\x0c", "\n", "\r\n"])
def test_cell_with_a_line_separator(inside: str, tmp_path: Path) -> None:
    """A quoted cell is split neither at Unicode's line separators nor at a line break, and is no name."""
    first, second = FileSource(write(tmp_path, f'"甲{inside}乙",,,,,,,', "丙,,,,,,,"), key="company_name", checks=False)
    assert [problem.column for problem in first.problems] == ["company_name"]
    assert (first.invalid, second.invalid) == (True, False)


def test_needs_only_the_extra_cli() -> None:
    """Reading the shipped file and importing the command load no library of another extra."""
    script = (
        "import sys; from kfq_async.cli.demo import read_rows; read_rows();"
        "print({'python_calamine', 'stdnum', 'xlsxwriter', 'psycopg', 'procrastinate', 'redis'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.usefixtures("in_process")
def test_concurrency_below_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--concurrency 0 is a usage error."""
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,")), "--concurrency", "0"]) == 2
    assert "concurrency must be at least 1" in capsys.readouterr().err


@pytest.mark.usefixtures("in_process")
def test_missing_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A company without a link makes the exit status 1, and its row shows the reason."""
    monkeypatch.setattr(command, "FAULTS", {"lose-request": "all lost"})
    monkeypatch.setattr(command, "RETRY", RetryPolicy(attempts=1))
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 1
    shown = capsys.readouterr().out
    assert "1 companies, 0 links" in shown
    assert "connection was lost" in shown


@pytest.mark.usefixtures("in_process")
def test_systemic_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A systemic failure pauses the run; the companies that were not reached count as missing links."""
    monkeypatch.setattr(command, "SAMPLE_TOKEN", "WRONG001")
    assert run(["demo", "--file", str(write(tmp_path, *(f"甲{number},,,,,,," for number in range(30))))]) == 1
    shown = capsys.readouterr().out
    assert "41000" in shown
    assert "30 companies, 0 links" in shown


@pytest.mark.usefixtures("in_process")
def test_duplicate_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order with an id that was never assigned makes the exit status 1."""
    order_ids = command._order_ids
    monkeypatch.setattr(command, "_order_ids", lambda base_url: [*order_ids(base_url), "unassigned"])
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 1


def test_sandbox_that_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the sandbox cannot start, the demo ends with an error instead of waiting."""
    monkeypatch.setattr(command, "FAULTS", ("nonsense",))
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 2
    assert "the sandbox did not start: " in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_sandbox_ends_with_the_demo(number: signal.Signals) -> None:
    """Neither SIGTERM nor SIGKILL leaves a sandbox behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kfq_async", "demo", "--concurrency", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    base_url = next(line.split()[2] for line in process.stdout if line.startswith("sandbox at"))
    listing = base_url.replace("/resrun-paas", "/sandbox/orders")
    assert is_up(listing)
    process.send_signal(number)
    process.communicate(timeout=20)
    until = time.monotonic() + 20
    while is_up(listing):
        assert time.monotonic() < until
        time.sleep(0.05)
