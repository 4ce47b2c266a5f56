"""Minimal HTTP server in its own process that sends every request the same successful response."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from contextlib import suppress
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
    """Parses requests just enough to find where they end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
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
            self._transport.write(RESPONSE)


async def main(certificate: str | None) -> None:
    """Serve until standard input ends."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(Path(certificate))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(StaticServer, "127.0.0.1", 0, ssl=context, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with suppress(OSError, AttributeError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
