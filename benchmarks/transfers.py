"""Shared by the benchmarks of uploads and downloads: the other side as a process, and the figures."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import tracemalloc
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    Transfer = Callable[[], Awaitable[None]]

MIB = 1024 * 1024
TICK = 0.001
"""Seconds between two looks at the clock, for the longest stall."""


@contextmanager
def peer(module: str, *options: str) -> Iterator[int]:
    """Run a module as the other side, in a process of its own; yield the port that it prints."""
    with subprocess.Popen([sys.executable, "-m", module, *options], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def compare(title: str, contestants: Mapping[str, Transfer], size: int, rounds: int) -> None:
    """Print the CPU time of each contestant, its ratio to that of the first one, longest stall and peak memory."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, transfer in contestants.items():
            before = time.process_time()
            await transfer()
            if number:  # the first round warms up
                seconds[name].append(time.process_time() - before)
    base = median(next(iter(seconds.values())))
    print(f"{f'{title} of {size} MiB, {rounds} rounds':<30} CPU ms/MiB   ratio   stall ms (worst)   peak MiB")
    for name, transfer in contestants.items():
        figure = median(seconds[name])
        stalls = [1000 * await longest_stall(transfer()) for _ in range(rounds)]
        print(f"{name:<30} {figure / size * 1000:>10.2f} {figure / base:>7.2f}", end="")
        print(f" {median(stalls):>10.1f} ({max(stalls):.1f}) {await peak_memory(transfer()) / MIB:>12.2f}", flush=True)


async def longest_stall(work: Awaitable[object]) -> float:
    """Await ``work``; return the longest time, in seconds, for which the event loop did nothing else."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        before = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            longest = max(longest, now - before - TICK)
            before = now

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(10 * TICK)
    longest = 0.0
    await work
    watcher.cancel()
    return longest


async def peak_memory(work: Awaitable[object]) -> int:
    """Await ``work``; return the largest number of bytes that Python had allocated for it."""
    tracemalloc.start()
    try:
        await work
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
