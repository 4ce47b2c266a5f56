"""Downloads, against aiohttp's own loop into a file; run as a module, the server that sends them.

It sends the file in chunks and without a length, as the platform does.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import aiohttp

import kfq_async as kfq
from benchmarks.transfers import MIB, compare, peer

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 8192
"""Size of the chunks, that of the platform's buffer."""
HEAD = (
    b"HTTP/1.1 200 \r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n"
)


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


async def measure(folder: Path, size: int, rounds: int) -> None:
    """Compare the ways to download a file of ``size`` MiB."""
    path = folder / "download.pdf"
    with peer("benchmarks.downloads", str(size)) as port:
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

            contestants = {
                "aiohttp into a file": bare,
                "download(to=path)": into_file,
                "download_stream()": as_stream,
            }
            await compare("download", contestants, size, rounds)


if __name__ == "__main__":
    send(int(sys.argv[1]))
