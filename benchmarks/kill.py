"""Kill ``kfq onboard`` at random times, restart it each time, and check that each company has one order.

``python -m benchmarks.kill`` runs 5,000 invented companies against a sandbox that loses 10 % of the requests or
responses, with 50 kills. Now and then another runner is started meanwhile, by another name of the ledger. Exit status 1
if a company has no link, or two orders, if more than 2 × concurrency rows are in doubt after a kill, or if another
runner is not refused.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import random
import re
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

from kfq_async.onboarding import SqliteLedger, State

if TYPE_CHECKING:
    from collections.abc import Iterator

KFQ = (sys.executable, "-m", "kfq_async")
FAULTS = ("lose-response@0.05", "lose-request@0.05")
CONCURRENCY = 20
SECOND_RUNNERS = 0.2
"""Part of the kills before which a second runner is started."""
MAX_RUNS = 3
"""Maximum number of runs after the last kill."""


def main() -> int:
    """Kill, restart, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    found = parser.parse_args()
    chance = random.Random(found.seed)  # noqa: S311  # reproducible times
    with TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "companies.csv"
        write_companies(source, found.rows)
        killed, doubtful, second = [], [0], Second(folder, source)
        with sandbox() as base_url:
            for _ in range(found.kills):
                killed.append(run_and_kill(source, base_url, chance, second))
                doubtful.append(asyncio.run(rows_in_doubt(source.with_suffix(".ledger"))))
            print(f"rows in doubt after a kill: at most {max(doubtful)}, of {2 * CONCURRENCY} allowed;", end=" ")
            print(f"{second.refused} of {second.started} second runners were refused")
            began = time.monotonic()
            for _ in range(MAX_RUNS):
                status = onboard(source, base_url).wait()
                if status != 1:
                    break  # otherwise the faults took all attempts of a row, which the next run asks again
            print(f"{sum(killed)} of {found.kills} processes ended by SIGKILL, the last one ran for", end=" ")
            print(f"{time.monotonic() - began:.1f} s and exited with status {status}")
            wrong = max(doubtful) > 2 * CONCURRENCY or second.refused < second.started
            return judge(folder / "companies.links.csv", ordered_companies(base_url), found.rows, status) or int(wrong)


def write_companies(path: Path, count: int) -> None:
    """Write distinct invented companies."""
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["企业名称", "统一社会信用代码", "经办人账号"])
        rows.writerows([f"公司{number}", f"C{number:017d}", f"{number}@example.com"] for number in range(count))


@contextmanager
def sandbox() -> Iterator[str]:
    """Run a sandbox with faults in its own process, and yield its base URL."""
    faults = [argument for fault in FAULTS for argument in ("--fault", fault)]
    command = [*KFQ, "sandbox", "--port", "0", "--seed", "1", "--until-eof", *faults]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.terminate()


def onboard(source: Path, base_url: str, *options: str) -> subprocess.Popen[bytes]:
    """Start the command."""
    environment = {**os.environ, "KFQ_APP_AUTH_TOKEN": "PV9LQWZA", "KFQ_BASE_URL": base_url}
    command = [*KFQ, "onboard", str(source), "--concurrency", str(CONCURRENCY), *options]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


class Second:
    """Starts another runner by another name of the ledger while one is at work."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._options = [f"--{name}={folder / name}" for name in ("ledger", "out", "report")]
        (folder / "ledger").symlink_to(source.with_suffix(".ledger"))
        self.started = self.refused = 0

    def start(self, source: Path, base_url: str, first: subprocess.Popen[bytes]) -> None:
        """Start it; it counts if the first one outlives it."""
        status = onboard(source, base_url, *self._options).wait()
        if first.poll() is None:
            self.started += 1
            self.refused += status == 2


async def rows_in_doubt(path: Path) -> int:
    """Count the rows whose request may have been sent."""
    async with SqliteLedger(path, exclusive=False) as ledger:
        return len([entry async for entry in ledger.entries([State.UNKNOWN])])


def run_and_kill(source: Path, base_url: str, chance: random.Random, second: Second) -> bool:
    """Start the command, kill it a random time after its first write; return whether it was still running."""
    process = onboard(source, base_url)
    ledger = source.with_suffix(".ledger-wal")
    deadline = time.monotonic() + 30
    before = ledger.stat().st_mtime_ns if ledger.exists() else 0
    while process.poll() is None and time.monotonic() < deadline:
        if ledger.exists() and ledger.stat().st_mtime_ns != before:
            break
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.6))
    if chance.random() < SECOND_RUNNERS:
        second.start(source, base_url, process)
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
