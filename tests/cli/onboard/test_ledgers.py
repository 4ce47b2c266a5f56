"""Status of a ledger: the last run, and what to do next."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

from kfq_async.cli.onboard.ledgers import read_status
from kfq_async.onboarding import SqliteLedger, State
from kfq_async.onboarding.ledgers.base import describe_process
from ledgers import entry

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def ended_process() -> int:
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


async def last_line(ledger: SqliteLedger) -> str:
    """Return the last line of the status."""
    return (await read_status(ledger)).lines[-1].partition(" to ")[2]


async def test_run_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in progress is told from one that was killed, or that an error stopped, unless another machine had it."""
    own, killed = describe_process(), await asyncio.to_thread(ended_process)
    path = tmp_path / "l"
    async with SqliteLedger(path) as ledger, SqliteLedger(path, exclusive=False) as reader:
        await ledger.begin_run()
        assert await last_line(reader) == "now (in progress)"
        monkeypatch.setattr("socket.gethostname", lambda: "another")
        assert await last_line(reader) == "now (in progress, or killed)"
        monkeypatch.undo()
        await ledger.replace_fact("holder", own.replace(own.split()[1], str(killed), 1))
        stopped = "an unknown time (killed, or stopped by an error): run kfq onboard again to resume"
        assert await last_line(reader) == stopped
    async with SqliteLedger(path, exclusive=False) as reader:
        assert await last_line(reader) == stopped


async def test_unknown_companies(tmp_path: Path) -> None:
    """The status says what to do about companies whose result is unknown."""
    async with SqliteLedger(tmp_path / "l") as ledger:
        await ledger.put([entry(1, State.LINKED)])
        assert len((await read_status(ledger)).lines) == 2
        await ledger.put([entry(2, State.UNKNOWN)])
        assert (await read_status(ledger)).lines[-1] == (
            "unknown: run kfq onboard again, which retries them with the same ids"
        )
