"""Downloads: CPU time per MiB, against aiohttp's own loop into a file; peak memory; longest stall of the event loop.

``python -m benchmarks.downloads [--size 60] [--rounds 5]`` prints the figures of one run, the ratios of its medians
included. A process of its own sends the file, in chunks and without a length, as the platform does. Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import aiohttp

import kfq_async as kfq
from benchmarks.files import longest_stall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

MIB = 1024 * 1024
CHUNK = 8192
"""Size of the chunks, that of the platform's buffer."""
HEAD = (
    b"HTTP/1.1 200 \r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n"
)
CONTESTANTS = ("aiohttp into a file", "download(to=path)", "download_stream()")


def send(size: int) -> None:
    """Accept one connection after the other, and respond to each request with a PDF of ``size`` MiB."""
    chunk = b"%x\r\n%b\r\n" % (CHUNK, os.urandom(CHUNK))
    block = chunk * (MIB // CHUNK)
    start, end = b"9\r\n%PDF-1.7\n\r\n", b"6\r\n%%EOF\n\r\n0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                if connection.recv(65536):
                    connection.sendall(HEAD + start)
                    for _ in range(size):
                        connection.sendall(block)
                    connection.sendall(end)


@contextmanager
def sender(size: int) -> Iterator[int]:
    """Run `send` in a process of its own; yield its port."""
    command = [sys.executable, "-m", "benchmarks.downloads", "--send", "--size", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def compare(path: Path, port: int, size: int, rounds: int) -> None:
    """Measure the contestants in turn, and print medians and ratios."""
    base_url = f"http://127.0.0.1:{port}"
    async with (
        kfq.AsyncSession("BENCH123", base_url=base_url, rate_limit=None) as session,
        aiohttp.ClientSession() as client,
    ):

        async def bare() -> None:
            async with client.get(base_url) as response:
                with path.open("wb") as file:  # as in aiohttp's documentation
                    async for chunk in response.content.iter_chunked(65536):
                        file.write(chunk)

        async def into_file() -> None:
            await session.contracts.download("C1", contact="c", to=path, allow_unfinished=True)

        async def as_stream() -> None:
            async with session.contracts.download_stream("C1", contact="c", allow_unfinished=True) as chunks:
                async for _ in chunks:
                    pass

        ways: dict[str, Callable[[], Awaitable[None]]] = dict(
            zip(CONTESTANTS, (bare, into_file, as_stream), strict=True)
        )
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, download in ways.items():
                before = time.process_time()
                await download()
                if number:  # the first round warms up
                    seconds[name].append(time.process_time() - before)
        print_ratios(seconds, size)
        for name, download in ways.items():
            await print_side_effects(name, download, rounds)


def print_ratios(seconds: dict[str, list[float]], size: int) -> None:
    """Print the CPU time per MiB of each contestant, and its ratio to the first one's."""
    print(f"{f'download of {size} MiB':<34} CPU ms/MiB   ratio")
    for name, values in seconds.items():
        figure = median(values)
        print(f"{name:<34} {figure / size * 1000:>10.2f} {figure / median(seconds[CONTESTANTS[0]]):>7.2f}")


async def print_side_effects(name: str, download: Callable[[], Awaitable[None]], rounds: int) -> None:
    """Print the longest stall of the event loop, and the peak memory, of a contestant."""
    stalls = [1000 * await longest_stall(download()) for _ in range(rounds)]
    tracemalloc.start()
    await download()
    peak = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    print(f"{name}: longest stall {median(stalls):.1f} ms (worst {max(stalls):.1f}), peak memory {peak:.2f} MiB")


def main() -> None:
    """Run the benchmark, or the sending process of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=60, help="size of the file in MiB")
    parser.add_argument("--rounds", type=int, default=5, help="downloads of each kind")
    parser.add_argument("--send", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        send(options.size)
    with TemporaryDirectory() as folder, sender(options.size) as port:
        asyncio.run(compare(Path(folder, "document.pdf"), port, options.size, options.rounds))


if __name__ == "__main__":
    main()
