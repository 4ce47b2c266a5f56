"""Minimal HTTP server in its own process that sends every request the same successful response.

``python -m benchmarks.server [--delay SECONDS] [CERTIFICATE]``; the port is the first line of its output.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import cast

import orjson

BODY = orjson.dumps(
    {
        "code": 10000,
        "message": "成功",
        "result": {"orderNo": "SBX9B4235A0DD75CCB8D739", "authUrl": "https://example.com/i/9B4235?code=TGwQiuBh9VSh"},
        "timestamp": 1775010802000,
    }
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n"
    b"Date: Tue, 24 Nov 2026 00:00:00 GMT\r\nServer: fixed\r\n\r\n%b"
) % (len(BODY), BODY)


class StaticServer(asyncio.Protocol):
    """Parses requests just enough to find where they end; responds at once, or after ``delay`` seconds."""

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what sends the response."""
        write = partial(cast("asyncio.Transport", transport).write, RESPONSE)
        loop = asyncio.get_running_loop()
        self._respond = partial(loop.call_later, self._delay, write) if self._delay else write
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            self._respond()


async def main(certificate: Path | None, delay: float) -> None:
    """Serve until standard input ends."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(StaticServer, delay), "127.0.0.1", 0, ssl=context, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with suppress(ImportError):
        import uvloop

        uvloop.install()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("certificate", type=Path, nargs="?")
    parser.add_argument("--delay", type=float, default=0.0)
    found = parser.parse_args()
    asyncio.run(main(found.certificate, found.delay))
