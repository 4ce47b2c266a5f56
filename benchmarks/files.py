"""Files: CPU time per MiB of an upload, against base64 and a bare socket; peak memory; longest stall of the loop.

``python -m benchmarks.files [--size 60] [--rounds 5]`` prints the figures of one run, the ratios of its medians
included. A process of its own receives what is sent. Loopback only.
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
from binascii import b2a_base64
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import orjson

import kfq_async as kfq

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

MIB = 1024 * 1024
PIECE = 384 * 1024
TICK = 0.001
"""Seconds between two looks at the clock, for the longest stall."""
SUCCESS = orjson.dumps({"code": 10000, "message": "", "result": {"docId": "D1"}, "timestamp": 1775010802000})
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(SUCCESS),
    SUCCESS,
)
CONTESTANTS = ("base64 and a bare socket", "upload_document(path)", "upload_document(bytes)")


def receive() -> None:
    """Accept one connection after the other, discard the bodies, and respond to each request with a success."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        while True:
            connection, _ = server.accept()
            with connection:
                while receive_one(connection):
                    connection.sendall(RESPONSE)


def receive_one(connection: socket.socket) -> bool:
    """Discard one request; return ``False`` at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            return False
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    left = next(int(value) for name, _, value in lines if name == b"content-length") - len(body)
    buffer = bytearray(MIB)
    while left > 0:
        count = connection.recv_into(buffer, min(left, MIB))
        if not count:
            return False
        left -= count
    return True


@contextmanager
def receiver() -> Iterator[int]:
    """Run `receive` in a process of its own; yield its port."""
    command = [sys.executable, "-m", "benchmarks.files", "--receive"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def upload_bare(path: Path, port: int) -> None:
    """Send the same request without a client: read, encode, send, and wait for the response."""
    start = b'{"appAuthToken":"BENCH123","uniqueCode":"1","fileName":"a","fileSuffix":".pdf","file":"'
    length = len(start) + (path.stat().st_size + 2) // 3 * 4 + 2
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as connection, path.open("rb", buffering=0) as file:
        connection.sendall(head + start)
        while piece := file.read(PIECE):
            connection.sendall(b2a_base64(piece, newline=False))
        connection.sendall(b'"}')
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


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


async def compare(path: Path, port: int, size: int, rounds: int) -> None:
    """Measure the contestants in turn, and print medians and ratios."""
    content = await asyncio.to_thread(path.read_bytes)
    async with kfq.AsyncSession("BENCH123", base_url=f"http://127.0.0.1:{port}", rate_limit=None) as session:

        async def bare() -> None:
            await asyncio.to_thread(upload_bare, path, port)

        async def from_path() -> None:
            await session.files.upload_document(path)

        async def from_bytes() -> None:
            await session.files.upload_document(content, name="a")

        ways: dict[str, Callable[[], Awaitable[None]]] = dict(
            zip(CONTESTANTS, (bare, from_path, from_bytes), strict=True)
        )
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, upload in ways.items():
                before = time.process_time()
                await upload()
                if number:  # the first round warms up
                    seconds[name].append(time.process_time() - before)
        print(f"upload of {size} MiB, {rounds} rounds     CPU ms/MiB   ratio")
        for name, values in seconds.items():
            figure = median(values)
            print(f"{name:<30} {figure / size * 1000:>10.2f} {figure / median(seconds[CONTESTANTS[0]]):>8.2f}")
        stalls = [1000 * await longest_stall(from_path()) for _ in range(rounds)]
        print(f"longest stall of the event loop: median {median(stalls):.1f} ms, worst {max(stalls):.1f} ms")
        tracemalloc.start()
        await from_path()
        peak = tracemalloc.get_traced_memory()[1]
        print(f"peak memory of upload_document(path): {peak / MIB:.2f} MiB")


def main() -> None:
    """Run the benchmark, or the receiving process of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=60, help="size of the file in MiB")
    parser.add_argument("--rounds", type=int, default=5, help="uploads of each kind")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receive:
        receive()
    with TemporaryDirectory() as folder, receiver() as port:
        path = Path(folder, "document.pdf")
        with path.open("wb") as file:
            file.write(b"%PDF-1.7\n")
            for _ in range(options.size):
                file.write(os.urandom(MIB))
        asyncio.run(compare(path, port, options.size, options.rounds))


if __name__ == "__main__":
    main()
