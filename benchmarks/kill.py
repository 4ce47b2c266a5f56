"""Kill ``kfq onboard`` at random times, restart it each time, and check that each company has one order.

``python -m benchmarks.kill`` runs 5,000 invented companies against a sandbox that responds after 0.4 s and loses 10 %
of the requests or responses, with 50 kills. At random another runner is started meanwhile, by another name of the
ledger: a symbolic link, a hard link, a relative path, or that of a renamed copy of the source. Exit status 1 if a
company has no link, or two orders, if more than 2 × concurrency rows are in doubt after a kill, or if another runner is
not refused.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from attrs import frozen

from kfq_async.onboarding import SqliteLedger, State

if TYPE_CHECKING:
    from collections.abc import Iterator

KFQ = (sys.executable, "-m", "kfq_async")
FAULTS = ("lose-response@0.05", "lose-request@0.05")
CONCURRENCY = 20
MAX_DELAY = 1.5
"""Longest time from the first write of a run to its kill, in seconds."""
HARD_LINKS = "hard links"
"""Part of the message that refuses a ledger with several names."""
SECOND_RUNNERS = 0.4
"""Part of the kills before which a second runner is started."""
MAX_RUNS = 3
"""Maximum number of runs after the last kill."""


def main() -> int:
    """Kill, restart, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--delay", type=float, default=0.4, help="seconds until the sandbox responds")
    parser.add_argument("--seed", type=int, default=1)
    found = parser.parse_args()
    chance = random.Random(found.seed)  # noqa: S311  # reproducible times
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "companies.csv"
        write_companies(source, found.rows)
        killed, doubtful, second = [], [], SecondRunner(source, chance)
        with sandbox(found.delay) as base_url:
            for _ in range(found.kills):
                killed.append(run_and_kill(source, base_url, chance, second))
                doubtful.append(asyncio.run(rows_in_doubt(source.with_suffix(".ledger"))))
            print(f"{sum(killed)} of {found.kills} processes ended by SIGKILL")
            print(f"rows in doubt after a kill: {doubtful}, of {2 * CONCURRENCY} allowed")
            print(f"second runners refused: {second}")
            began = time.monotonic()
            for _ in range(MAX_RUNS):
                status = onboard(source, base_url).wait()
                if status != 1:
                    break  # otherwise the faults took all attempts of a row, which the next run asks again
            print(f"the last run took {time.monotonic() - began:.1f} s and exited with status {status}")
            wrong = max(doubtful) > 2 * CONCURRENCY or second.refused != second.started
            return judge(folder / "companies.links.csv", ordered_companies(base_url), found.rows, status) or int(wrong)


def write_companies(path: Path, count: int) -> None:
    """Write distinct invented companies."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["企业名称", "统一社会信用代码", "经办人账号"])
        rows.writerows([f"公司{number}", f"C{number:017d}", f"{number}@example.com"] for number in range(count))


@contextmanager
def sandbox(delay: float) -> Iterator[str]:
    """Run a sandbox with faults in its own process, and yield its base URL."""
    faults = [argument for fault in (*FAULTS, f"delay:{delay}") for argument in ("--fault", fault)]
    command = [*KFQ, "sandbox", "--port", "0", "--seed", "1", "--until-eof", *faults]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.terminate()


def onboard(source: Path, base_url: str, *options: str, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Start the command in the folder of the source."""
    environment = {**os.environ, "KFQ_APP_AUTH_TOKEN": "PV9LQWZA", "KFQ_BASE_URL": base_url, "NO_COLOR": "1"}
    command = [*KFQ, "onboard", source.name, "--yes", "--concurrency", str(CONCURRENCY), *options]
    return subprocess.Popen(command, env=environment, cwd=source.parent, stderr=stderr, text=True)


@frozen(kw_only=True)
class OtherName:
    """A way to start another runner on a ledger."""

    source: Path
    options: tuple[str, ...] = ()
    refusal: str = "in use by"
    """Part of the message that is expected."""


class SecondRunner:
    """Starts another runner by another name of the ledger while one is at work."""

    def __init__(self, source: Path, chance: random.Random) -> None:
        self._chance = chance
        self._ledger = source.with_suffix(".ledger")
        self._hard_link = source.with_name("hard")
        source.with_name("symbolic").symlink_to(self._ledger)
        copy = source.with_name("copy.csv")
        shutil.copy(source, copy)
        relative = f"--ledger=../{source.parent.name}/{self._ledger.name}"
        outputs = ("--out=second.csv", "--report=second.html")
        self._names = {
            "symbolic link": OtherName(source=source, options=("--ledger=symbolic", *outputs)),
            "hard link": OtherName(source=source, options=("--ledger=hard", *outputs), refusal=HARD_LINKS),
            "relative path": OtherName(source=source, options=(relative, *outputs)),
            "copy of the source": OtherName(source=copy),
        }
        self.started: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def start(self, base_url: str, first: subprocess.Popen[str]) -> None:
        """Start it by a name drawn at random; it counts if the first one outlives it."""
        name, other = self._chance.choice(list(self._names.items()))
        if other.refusal == HARD_LINKS:
            self._hard_link.hardlink_to(self._ledger)
        process = onboard(other.source, base_url, *other.options, stderr=subprocess.PIPE)
        _, shown = process.communicate()
        self._hard_link.unlink(missing_ok=True)
        if first.poll() is not None:
            return
        self.started[name] += 1
        if process.returncode == 2 and other.refusal in shown:
            self.refused[name] += 1
        else:
            print(f"{name}: exit status {process.returncode}: {shown}")

    def __str__(self) -> str:
        return ", ".join(f"{self.refused[name]} of {count} by {name}" for name, count in self.started.items())


async def rows_in_doubt(path: Path) -> int:
    """Count the rows whose request may have been sent."""
    async with SqliteLedger(path, exclusive=False) as ledger:
        return len([entry async for entry in ledger.entries([State.UNKNOWN])])


def run_and_kill(source: Path, base_url: str, chance: random.Random, second: SecondRunner) -> bool:
    """Start the command, kill it a random time after its first write; return whether it was still running."""
    process = onboard(source, base_url)
    ledger = source.with_suffix(".ledger-wal")
    deadline = time.monotonic() + 30
    before = ledger.stat().st_mtime_ns if ledger.exists() else 0
    while process.poll() is None and time.monotonic() < deadline:
        if ledger.exists() and ledger.stat().st_mtime_ns != before:
            break
        time.sleep(0.005)
    time.sleep(chance.uniform(0, MAX_DELAY))
    if chance.random() < SECOND_RUNNERS:
        second.start(base_url, process)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def ordered_companies(base_url: str) -> list[str]:
    """Return the company of each order in the sandbox."""
    with urllib.request.urlopen(base_url.removesuffix("/resrun-paas") + "/sandbox/orders", timeout=60) as response:  # noqa: S310
        return [order["companyName"] for order in json.load(response)["orders"]]


def judge(output: Path, orders: list[str], rows: int, status: int) -> int:
    """Compare orders and output with the rows; return the exit status."""
    with output.open(encoding="utf-8-sig", newline="") as file:
        linked = sum(row["auth_url"].startswith("http") for row in csv.DictReader(file))
    doubled = [name for name, count in Counter(orders).items() if count > 1]
    print(f"{rows} companies, {linked} links in the output, {len(orders)} orders, {len(doubled)} companies with two")
    return int(status != 0 or linked != rows or len(orders) != rows or bool(doubled))


if __name__ == "__main__":
    sys.exit(main())
