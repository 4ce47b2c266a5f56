"""Lanes: what it costs to drive contracts one at a time: ``python -m benchmarks.lanes [--count 100] [--rounds 5]``.

The platform is a process of its own, whose operations take as long as was measured (protocol section 1.10). Each round
makes starts and approvals in every way, and the table gives calls per second, their ratio to one worker that needs no
lane, and the ratio of the reads that are made beside them, in the median over the rounds:

* ``worker``: one after another, without a lane;
* ``ProcessLane``: all in one gather;
* ``RedisLane``, ``PostgresLane``: the same, if ``--redis URL`` or ``--postgres DSN`` names a server.

Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from contextlib import AsyncExitStack
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from aiohttp import web
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from kfq_async import AsyncSession, Operation, ProcessLane
from kfq_async.contracts.lanes_postgres import PostgresLane
from kfq_async.contracts.lanes_redis import RedisLane
from kfq_async.resources.contracts import CONTRACT_APPROVAL, CONTRACT_DRAFT, CONTRACT_TASKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfq_async import Lane

SECONDS = {"draft": 0.027, "approval": 0.019, "tasks": 0.005}
"""Duration of each operation at the platform: the medians that were measured."""
READERS = 5
CALLS: dict[str, tuple[Operation[Any, Any], dict[str, object]]] = {
    "starts": (CONTRACT_DRAFT, {"send": "1"}),
    "approvals": (CONTRACT_APPROVAL, {"contractId": "C-1", "approval": 1}),
}


async def serve() -> None:
    """Serve until standard input ends; print the port."""

    async def respond(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(SECONDS[request.path.rpartition("/")[2]])
        result = {"contractId": "C-1", "status": "SIGNING", "todoTaskList": []}
        return web.json_response({"code": 10000, "message": "成功", "result": result, "timestamp": 1})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


async def drive(session: AsyncSession, name: str, count: int, *, at_once: bool) -> None:
    """Make so many calls of a kind."""
    operation, fields = CALLS[name]
    if at_once:
        await asyncio.gather(*(session.send(operation, fields) for _ in range(count)))
        return
    for _ in range(count):
        await session.send(operation, fields)


async def measure(base_url: str, lane: Lane | None, name: str, count: int, *, at_once: bool) -> tuple[float, float]:
    """Return calls per second, and reads per second beside them."""
    reads = 0

    async def read() -> None:
        nonlocal reads
        while True:
            await session.send(CONTRACT_TASKS, {"contractId": "C-1"})
            reads += 1

    async with AsyncSession("PV9LQWZA", base_url=base_url, rate_limit=None, lane=lane) as session:
        readers = [asyncio.create_task(read()) for _ in range(READERS)]
        await asyncio.sleep(0.05)
        reads, began = 0, perf_counter()
        await drive(session, name, count, at_once=at_once)
        taken = perf_counter() - began
        found = reads
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return count / taken, found / taken


async def open_lanes(stack: AsyncExitStack, options: argparse.Namespace) -> dict[str, Lane | None]:
    """Return the lanes to measure, by name."""
    lanes: dict[str, Lane | None] = {"worker": None, "ProcessLane": ProcessLane()}
    if options.redis:
        lanes["RedisLane"] = RedisLane(await stack.enter_async_context(Redis.from_url(options.redis)))
    if options.postgres:
        pool = AsyncConnectionPool(options.postgres, min_size=1, max_size=2, open=False)
        lanes["PostgresLane"] = PostgresLane(await stack.enter_async_context(pool))
    return lanes


async def compare(base_url: str, options: argparse.Namespace) -> None:
    """Measure every way in each round, and print the table."""
    async with AsyncExitStack() as stack:
        lanes = await open_lanes(stack, options)
        rates: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(options.rounds):
            for calls in CALLS:
                for name, lane in lanes.items():
                    rate = await measure(base_url, lane, calls, options.count, at_once=name != "worker")
                    rates.setdefault((calls, name), []).append(rate)
    write = sys.stdout.write
    write(f"{'calls':12}{'way':14}{'per second':>12}{'ratio':>8}{'reads beside':>14}{'ratio':>8}\n")
    for (calls, name), found in rates.items():
        ratios = [[own[i] / base[i] for i in (0, 1)] for own, base in zip(found, rates[calls, "worker"], strict=True)]
        (per_second, reads), (ratio, reads_ratio) = _medians(found), _medians(ratios)
        write(f"{calls:12}{name:14}{per_second:12.1f}{ratio:8.3f}{reads:14.1f}{reads_ratio:8.3f}\n")


def _medians(pairs: Sequence[Sequence[float]]) -> list[float]:
    return [median(values) for values in zip(*pairs, strict=True)]


def main() -> None:
    """Run the benchmark, or its platform."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lanes", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="calls of each kind in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--redis", help="URL of a Redis on loopback")
    parser.add_argument("--postgres", help="DSN of a PostgreSQL on loopback")
    parser.add_argument("--serve", action="store_true", help="be the platform")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    command = [sys.executable, "-m", "benchmarks.lanes", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as platform:
        assert platform.stdin is not None
        assert platform.stdout is not None
        port = int(platform.stdout.readline())
        asyncio.run(compare(f"http://127.0.0.1:{port}/resrun-paas", options))
        platform.stdin.close()


if __name__ == "__main__":
    main()
