"""Cost of a ledger, and memory of many rows: ``python -m benchmarks.onboarding``.

Each measurement runs in its own process against the minimal server; the contestants take turns. Ratios of links per
second are taken within each round, and shown as their median and quartiles.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING

from attrs import frozen

import kfq_async as kfq
from kfq_async.cli.onboard.garbage import fewer_collections
from kfq_async.onboarding import FileSource, Onboarding, Row, SqliteLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from kfq_async.onboarding import Entry, Ledger, State

HEADINGS = ("企业名称", "统一社会信用代码", "经办人账号")
CONTESTANTS = {
    "plain": "plain workers, no ledger",
    "null": "`Onboarding`, a ledger that stores nothing",
    "ledger": "`Onboarding`, `SqliteLedger`",
}


@frozen(kw_only=True)
class Setting:
    """What the contestants are compared under."""

    links: int
    concurrency: int
    delay: float
    """Seconds after which the server responds."""
    default_collections: bool = False
    """Whether Python looks for cyclic garbage as often as it does by default, and not as during ``kfq onboard``."""

    def __str__(self) -> str:
        responds = f"responses after {self.delay * 1000:.0f} ms" if self.delay else "responses at once"
        collections = ", Python's default collections" if self.default_collections else ""
        return f"{self.links:,} links, {self.concurrency} in flight, {responds}{collections}"


SETTINGS = (
    Setting(links=10_000, concurrency=50, delay=0.0),
    Setting(links=10_000, concurrency=50, delay=0.0, default_collections=True),
    Setting(links=2000, concurrency=10, delay=0.05),
)


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--many", type=int, default=100_000, help="rows whose memory is measured; 0 for none")
    parser.add_argument("--child", nargs=4, metavar=("KIND", "LINKS", "CONCURRENCY", "URL"))
    parser.add_argument("--default-collections", action="store_true", help="of a child; see Setting")
    found = parser.parse_args()
    if found.child:
        kind, links, concurrency, url = found.child
        with nullcontext() if found.default_collections else fewer_collections():
            print(json.dumps(asyncio.run(child(kind, int(links), int(concurrency), url))))
        return 0
    for setting in SETTINGS:
        with server(setting.delay) as url:
            costs(setting, found.rounds, url)
        print(f"A sync of the disk takes {sync_times()}.\n")
    if found.many:
        with server() as url:
            memory(found.many, url)
    return 0


def sync_times(count: int = 100) -> str:
    """Return how long the disk of the temporary folder takes to sync a page; each commit waits for that."""
    times = []
    with TemporaryFile() as file:
        for _ in range(count):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    low, middle, high = quantiles(times)
    return f"{middle:.1f} ms ({low:.1f} to {high:.1f})"


def costs(setting: Setting, rounds: int, url: str) -> None:
    """Compare a run with a ledger, the same run without one, and a plain pool of workers, in turn."""
    measured = []
    for number in range(rounds):
        kinds = list(CONTESTANTS)[:: -1 if number % 2 else 1]  # load that comes or goes meets each of them
        options = ["--default-collections"] if setting.default_collections else []
        measured.append({kind: measure(kind, setting.links, setting.concurrency, url, *options) for kind in kinds})

    def ratios(kind: str, other: str) -> str:
        found = [each[other]["seconds"] / each[kind]["seconds"] for each in measured]
        low, middle, high = quantiles(found)
        return f"{middle:.2f} ({low:.2f} to {high:.2f})"

    print(f"| {setting}; {rounds} rounds | links/s | CPU per link | to plain workers | to a run without ledger |")
    print("|---|---:|---:|---:|---:|")
    for kind, name in CONTESTANTS.items():
        rate = median(setting.links / each[kind]["seconds"] for each in measured)
        cpu = median(each[kind]["cpu"] for each in measured) / setting.links * 1e6
        print(f"| {name} | {rate:.0f} | {cpu:.0f} µs | {ratios(kind, 'plain')} | {ratios(kind, 'null')} |")
    print()


class NullLedger:
    """A ledger without a database, to measure the runner alone."""

    secret = bytes(32)

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:  # noqa: ARG002  # as `Ledger` has it
        """Return no entry."""
        return {}

    async def put(self, entries: Sequence[Entry]) -> None:
        """Store nothing."""

    async def record(self, entries: Sequence[Entry], *, unknown: Sequence[Entry] = ()) -> None:
        """Store nothing."""

    async def begin_run(self) -> int:
        """Return the number of the only run."""
        return 1

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:  # noqa: ARG002
        """Find no entry."""
        return False

    async def entries(self, states: Collection[State] = ()) -> AsyncIterator[Entry]:  # noqa: ARG002
        """Yield no entry."""
        none: tuple[Entry, ...] = ()
        for entry in none:
            yield entry


def memory(many: int, url: str) -> None:
    """Compare peak memory of many rows with that of a thousand, for each format."""
    print(f"| peak of the process | 1,000 rows | {many:,} rows | difference | a row |\n|---|---:|---:|---:|---:|")
    for kind in ("csv", "jsonl", "xlsx"):
        few, more = (measure(kind, rows, 50, url)["peak"] for rows in (1000, many))
        print(
            f"| {kind} | {few / 2**20:.1f} MiB | {more / 2**20:.1f} MiB | {(more - few) / 2**20:.1f} MiB "
            f"| {(more - few) / (many - 1000):.0f} B |"
        )


def measure(kind: str, links: int, concurrency: int, url: str, *options: str) -> dict[str, float]:
    """Run one measurement in its own process."""
    command = [sys.executable, "-m", "benchmarks.onboarding", "--child", kind, str(links), str(concurrency), url]
    command += options
    measured: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return measured


async def child(kind: str, count: int, concurrency: int, url: str) -> dict[str, float]:
    """Request the links; return seconds, CPU seconds and peak bytes."""
    with TemporaryDirectory() as folder:
        rows: Iterable[Row] = invented_rows(count)
        if kind in {"csv", "jsonl", "xlsx"}:
            path = Path(folder) / f"companies.{kind}"
            await asyncio.to_thread(write_in_another_process, path, count)
            rows = FileSource(path)
        async with kfq.AsyncSession("PV9LQWZA", base_url=url, concurrency=concurrency) as session:
            began, cpu = time.perf_counter(), time.process_time()
            if kind == "plain":
                await plain_workers(session, iter(rows), concurrency)
            else:
                opened: AbstractAsyncContextManager[Ledger]
                opened = nullcontext(NullLedger()) if kind == "null" else SqliteLedger(Path(folder) / "ledger")
                async with opened as ledger, Onboarding(session, ledger, rows, concurrency=concurrency) as run:
                    async for outcome in run:
                        assert outcome.order_no
            return {
                "seconds": time.perf_counter() - began,
                "cpu": time.process_time() - cpu,
                "peak": await asyncio.to_thread(peak),
            }


def peak() -> int:
    """Return this process's peak memory in bytes; ``ru_maxrss`` would start at its parent's."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


async def plain_workers(session: kfq.AsyncSession, rows: Iterator[Row], concurrency: int) -> None:
    """Request the links from a pool of workers over the rows."""

    async def worker() -> None:
        for row in rows:
            assert row.request is not None
            await session.auth.corp_ident_link(row.request)

    await asyncio.gather(*(worker() for _ in range(concurrency)))


def invented_rows(count: int) -> Iterator[Row]:
    """Yield rows of invented companies."""
    for number in range(count):
        name, code, account = company(number)
        info = kfq.CorpIdentInfo(company_name=name, credit_code=code)
        request = kfq.CorpIdentLinkRequest(account_name=account, corp_ident_info=info, client_request_id=f"id-{number}")
        yield Row(row_number=number + 2, key=f"{code}\x1f{account}", request=request, label=code)


def company(number: int) -> tuple[str, str, str]:
    """Return an invented company."""
    return f"公司{number}", f"C{number:017d}", f"{number}@example.com"


def write_in_another_process(path: Path, count: int) -> None:
    """Write the file in another process, so that its memory is not measured."""
    command = f"from benchmarks.onboarding import write; from pathlib import Path; write(Path({str(path)!r}), {count})"
    subprocess.run([sys.executable, "-c", command], check=True)


def write(path: Path, count: int) -> None:
    """Write a file of invented companies."""
    if path.suffix == ".xlsx":
        import xlsxwriter  # noqa: PLC0415  # for one kind alone

        with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADINGS)
            for number in range(count):
                sheet.write_row(number + 1, 0, company(number))
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            table = csv.writer(file)
            table.writerow(HEADINGS)
            table.writerows(company(number) for number in range(count))
        else:
            for number in range(count):
                line = dict(zip(HEADINGS, company(number), strict=True))
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


@contextmanager
def server(delay: float = 0.0) -> Iterator[str]:
    """Run the server in its own process, and yield its base URL."""
    command = [sys.executable, "-m", "benchmarks.server", f"--delay={delay}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/resrun-paas"
        process.terminate()


if __name__ == "__main__":
    sys.exit(main())
