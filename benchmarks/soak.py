"""Soak test: half an hour at full concurrency against a sandbox that injects a fault into one request in ten.

``python -m benchmarks.soak [--seconds 1800] [--report FILE]`` writes the result; exit status 1 if memory grew, a task
or connection leaked, or a company has not exactly one order. Loopback only, bounded in time and count.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import aiohttp

import kfq_async as kfq

FAULTS = (
    "delay:0.5@0.02",
    "lose-response@0.01",
    "lose-request@0.01",
    "reset-reading@0.01",
    "cut-body@0.01",
    "502@0.005",
    "503/acted@0.005",
    "504@0.005",
    "bad-gzip@0.005",
    "short-length@0.005",
    "frequent-a@0.005",
    "code-41002@0.005",
    "code-91000/acted@0.005",
    "close-idle@0.01",
)
CONCURRENCY = 100
MAX_LINKS = 3_000_000
MAX_GROWTH_MB = 20.0
"""Megabytes that memory may grow from the second tenth of the run to the last: garbage collection and caches."""


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


class Soak:
    """One run with its counters."""

    def __init__(self, session: kfq.AsyncSession, seconds: float) -> None:
        self.linked = 0
        self.attempts: Counter[int] = Counter()
        self.errors: Counter[str] = Counter()
        self.memory: list[float] = []
        self.descriptors: list[int] = []
        self._session = session
        self._end = time.monotonic() + seconds
        self._number = 0

    async def run(self) -> None:
        """Keep the session at full concurrency until the time is up."""
        sampling = asyncio.create_task(self._sample())
        await asyncio.gather(*(self._work() for _ in range(CONCURRENCY * 2)))
        sampling.cancel()
        await asyncio.gather(sampling, return_exceptions=True)

    async def _work(self) -> None:
        while time.monotonic() < self._end and self._number < MAX_LINKS:
            self._number += 1
            info = kfq.CorpIdentInfo(company_name=f"company {self._number}")
            request = kfq.CorpIdentLinkRequest(corp_ident_info=info)
            while True:  # retry an unknown outcome under the same id, as a user would
                try:
                    response = await self._session.send(kfq.CORP_IDENT_LINK, request)
                except kfq.KfqError as error:
                    self.errors[type(error).__name__] += 1
                else:
                    self.attempts[response.attempts] += 1
                    self.linked += 1
                    break

    async def _sample(self) -> None:
        while True:
            self.memory.append(_rss_mb())
            self.descriptors.append(_descriptors())
            await asyncio.sleep(2)


def _orders(state: Path) -> tuple[int, int]:
    """Return how many companies have an order, and how many more than one, from the sandbox's state file."""
    with closing(sqlite3.connect(state)) as database:
        counts = database.execute(
            "SELECT count(*), sum(number > 1) FROM (SELECT count(*) AS number FROM orders GROUP BY company_name)"
        )
        companies, duplicated = counts.fetchone()
    return companies, duplicated or 0


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _report(soak: Soak, companies: int, duplicated: int, seconds: float, left: int) -> tuple[str, bool]:
    tenth = max(1, len(soak.memory) // 10)
    first, last = mean(soak.memory[tenth : 2 * tenth] or soak.memory), mean(soak.memory[-tenth:])
    passed = last - first <= MAX_GROWTH_MB and left == 0 and duplicated == 0 and companies == soak.linked
    retries = sum((attempts - 1) * times for attempts, times in soak.attempts.items())
    lines = [
        "# Soak",
        "",
        (
            f"{datetime.now(UTC):%Y-%m-%d}, commit {_commit()}, {seconds:.0f} s, {CONCURRENCY} in flight, "
            f"Python {platform.python_version()}, aiohttp {aiohttp.__version__}, {os.cpu_count()} cores."
        ),
        "",
        f"Faults: {', '.join(FAULTS)}.",
        "",
        "| count | value |",
        "|---|---|",
        f"| links | {soak.linked} |",
        f"| retries | {retries} |",
        (
            f"| failed calls, sent anew under the same id | {sum(soak.errors.values())} "
            f"({', '.join(f'{name} {count}' for name, count in soak.errors.most_common()) or 'none'}) |"
        ),
        f"| companies with exactly one order | {companies - duplicated} |",
        f"| companies with two or more | {duplicated} |",
        f"| memory, second tenth of the run | {first:.1f} MB |",
        f"| memory, last tenth | {last:.1f} MB |",
        f"| memory, peak | {max(soak.memory):.1f} MB |",
        f"| open descriptors, peak | {max(soak.descriptors)} |",
        f"| tasks and connections leaked | {left} |",
        f"| verdict | {'passed' if passed else 'FAILED'} |",
    ]
    return "\n".join(lines) + "\n", passed


async def _main(seconds: float, report: Path | None) -> int:
    with TemporaryDirectory() as folder:
        state = Path(folder) / "state.db"
        command = [sys.executable, "-m", "kfq_async", "sandbox", "--port", "0", "--state", str(state)]
        faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
        process = subprocess.Popen([*command, *faults], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
        try:
            assert process.stdout is not None
            base_url = process.stdout.readline().split()[2]
            before = len(asyncio.all_tasks())
            timeouts = kfq.Timeouts(attempt=10)
            async with kfq.AsyncSession(
                "PV9LQWZA", base_url=base_url, concurrency=CONCURRENCY, timeouts=timeouts
            ) as session:
                soak = Soak(session, seconds)
                await soak.run()
            await asyncio.sleep(0.5)
            left = len(asyncio.all_tasks()) - before
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)
        companies, duplicated = await asyncio.to_thread(_orders, state)
    text, passed = _report(soak, companies, duplicated, seconds, left)
    sys.stdout.write(text)
    if report is not None:
        await asyncio.to_thread(report.write_text, text, encoding="utf-8")
    return 0 if passed else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    sys.exit(asyncio.run(_main(options.seconds, options.report)))
