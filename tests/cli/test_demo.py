"""`kfq demo`: the main job."""

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
from kfq_async.cli.companies import COLUMNS, read_companies
from kfq_async.config import RetryPolicy
from kfq_async.sandbox import Sandbox


def write(tmp_path: Path, *rows: str) -> Path:
    """Write a CSV."""
    file = tmp_path / "companies.csv"
    file.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return file


def answers(url: str) -> bool:
    """Tell whether anybody answers."""
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except OSError:
        return False
    return True


@asynccontextmanager
async def sandbox_here(seed: int) -> AsyncIterator[str]:
    """The sandbox of the demo in its own event loop, for tests of what it does with the answers."""
    async with Sandbox(faults=command.FAULTS, seed=seed) as sandbox:
        yield sandbox.base_url


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process beside the demo."""
    monkeypatch.setattr(command, "_sandbox_process", sandbox_here)


def test_every_company_of_the_shipped_file_gets_its_link(capsys: pytest.CaptureFixture[str]) -> None:
    """Although answers are lost, each of the shipped companies ends with one link and one order."""
    assert run(["demo"]) == 0
    first, *_, last = capsys.readouterr().out.strip().splitlines()
    counts = [int(word) for word in last.split() if word.isdecimal()]
    companies, links, repeated, orders, duplicates = counts
    assert companies == links == orders == len(read_companies().requests) > 200
    assert repeated > 0
    assert duplicates == 0
    assert first.startswith("companies.csv: line 62")


@pytest.mark.usefixtures("at_home")
def test_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--file takes another CSV, and the accidents are told in plain words."""
    file = write(tmp_path, "甲,,,,,,,", ",91110000MA01234567,,2,,,,")
    assert run(["demo", "--file", str(file), "--concurrency", "1", "--all"]) == 0
    shown = capsys.readouterr().out
    assert "accidents: 6 % answered 0.4 s late, 6 % acted on but the answer lost, 4 % lost" in shown
    assert "2 companies, 2 links" in shown


@pytest.mark.usefixtures("at_home")
def test_companies_may_share_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two branches with one name, or two rows without any, are companies of their own and no duplicates."""
    rows = ("甲,91110000MA01234567,,,,,,", "甲,91110000MA01234568,,,,,,", ",1,,,,,,", ",2,,,,,,")
    assert run(["demo", "--file", str(write(tmp_path, *rows))]) == 0
    assert "4 orders in the sandbox, 0 duplicates" in capsys.readouterr().out


def test_a_poor_file_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no list of companies exits with 2 and names line and column."""
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,9,,,,"))]) == 2
    assert "line 2: company_type must be 1, 2 or 3" in capsys.readouterr().err


@pytest.mark.usefixtures("at_home")
def test_a_limit_below_one_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--limit 0 exits with 2."""
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,")), "--concurrency", "0"]) == 2
    assert "concurrency must be at least 1" in capsys.readouterr().err


@pytest.mark.usefixtures("at_home")
def test_a_missing_link_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A company that cannot get its link makes the exit status 1, and its row says why."""
    monkeypatch.setattr(command, "FAULTS", {"lose-request": "all lost"})
    monkeypatch.setattr(command, "RETRY", RetryPolicy(attempts=1))
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 1
    shown = capsys.readouterr().out
    assert "1 companies, 0 links" in shown
    assert "connection broke" in shown


@pytest.mark.usefixtures("at_home")
def test_a_second_order_is_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order under an id that nobody sent makes the exit status 1."""
    ordered = command._ordered
    monkeypatch.setattr(command, "_ordered", lambda base_url: [*ordered(base_url), "minted anew"])
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 1


def test_a_sandbox_that_does_not_start_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the sandbox cannot start, the demo says so instead of waiting."""
    monkeypatch.setattr(command, "FAULTS", {"nonsense": "what nobody knows"})
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 2
    assert "the sandbox did not start" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_its_sandbox_ends_with_it(number: signal.Signals) -> None:
    """However the demo is ended, it leaves no sandbox behind."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kfq_async", "demo", "--concurrency", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    base_url = next(line.split()[2] for line in process.stdout if line.startswith("sandbox at"))
    listing = base_url.replace("/resrun-paas", "/sandbox/orders")
    assert answers(listing)
    process.send_signal(number)
    process.communicate(timeout=20)
    until = time.monotonic() + 20
    while answers(listing):
        assert time.monotonic() < until
        time.sleep(0.05)
