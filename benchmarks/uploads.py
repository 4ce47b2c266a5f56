"""Uploads, against base64 and a bare socket; run as a module, the server that receives them."""

from __future__ import annotations

import asyncio
import os
import socket
from binascii import b2a_base64
from typing import TYPE_CHECKING

import orjson

import kfq_async as kfq
from benchmarks.transfers import MIB, compare, peer

if TYPE_CHECKING:
    from pathlib import Path

PIECE = 384 * 1024
SUCCESS = orjson.dumps({"code": 10000, "message": "", "result": {"docId": "D1"}, "timestamp": 1775010802000})
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(SUCCESS),
    SUCCESS,
)


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


async def measure(folder: Path, size: int, rounds: int) -> None:
    """Compare the ways to upload a file of ``size`` MiB."""
    path = folder / "document.pdf"
    await asyncio.to_thread(write_document, path, size)
    content = await asyncio.to_thread(path.read_bytes)
    with peer("benchmarks.uploads") as port:
        async with kfq.AsyncSession("BENCH123", base_url=f"http://127.0.0.1:{port}", rate_limit=None) as session:

            async def bare() -> None:
                await asyncio.to_thread(upload_bare, path, port)

            async def from_path() -> None:
                await session.files.upload_document(path)

            async def from_bytes() -> None:
                await session.files.upload_document(content, name="a")

            contestants = {
                "base64 and a bare socket": bare,
                "upload_document(path)": from_path,
                "upload_document(bytes)": from_bytes,
            }
            await compare("upload", contestants, size, rounds)


def write_document(path: Path, size: int) -> None:
    """Write a file of ``size`` MiB that begins as a PDF."""
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        for _ in range(size):
            file.write(os.urandom(MIB))


if __name__ == "__main__":
    receive()
