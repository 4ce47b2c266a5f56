"""Process that runs one contestant: ``python -m benchmarks.client CONTESTANT BASE_URL LOOP [CA]``.

Each line of standard input is a JSON object with ``links``, ``in_flight`` and ``limit``; each line of standard output
is one with ``cpu`` and ``wall`` in seconds and, on Linux, ``rss`` before and ``peak`` during the run in bytes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.contestants import CONTESTANTS, Drive, Target


class Client:
    """A contestant, opened once per number of connections."""

    def __init__(self, name: str, base_url: str, ca_file: str | None, stack: AsyncExitStack) -> None:
        self._open = CONTESTANTS[name]
        self._base_url = base_url
        self._ca_file = ca_file
        self._stack = stack
        self._drives: dict[int, Drive] = {}

    async def drive(self, limit: int) -> Drive:
        """Return the function that requests links over so many connections."""
        if limit not in self._drives:
            target = Target(self._base_url, limit, self._ca_file)
            self._drives[limit] = await self._stack.enter_async_context(self._open(target))
        return self._drives[limit]

    async def measure(self, *, links: int, in_flight: int, limit: int) -> dict[str, float]:
        """Request the links and return the cost; all connections are opened and used before."""
        drive = await self.drive(limit)
        connections = min(limit, in_flight)
        await drive(connections, connections)
        gc.collect()
        _reset_peak()
        rss, wall, cpu = _memory("VmRSS"), time.perf_counter(), time.process_time()
        await drive(links, in_flight)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return {"cpu": cpu, "wall": wall, "rss": rss, "peak": _memory("VmHWM")}


def _reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _memory(name: str) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    found = re.search(rf"^{name}:\s+(\d+) kB", status.read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def pin(*, server: bool) -> None:
    """Pin this process to one core: the server to the last, clients to the first."""
    with suppress(OSError, AttributeError):
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(cores) if server else min(cores)})


def loop_factory(name: str) -> Any:
    """Return the factory of an event loop by name."""
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop  # noqa: PLC0415  # optional

    return uvloop.new_event_loop


async def main(name: str, base_url: str, ca_file: str | None) -> None:
    """Run the measurements that standard input lists, until it ends."""
    async with AsyncExitStack() as stack:
        client = Client(name, base_url, ca_file, stack)
        while line := sys.stdin.readline():  # blocking, so that nothing else runs
            print(json.dumps(await client.measure(**json.loads(line))), flush=True)


if __name__ == "__main__":
    pin(server=False)
    with asyncio.Runner(loop_factory=loop_factory(sys.argv[3])) as runner:
        runner.run(main(sys.argv[1], sys.argv[2], sys.argv[4] if len(sys.argv) > 4 else None))
