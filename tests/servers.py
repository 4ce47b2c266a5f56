"""A server made by hand, for what no well-behaved server does: it answers with the bytes that a test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import orjson
from attrs import frozen
from multidict import CIMultiDict

if TYPE_CHECKING:
    from ssl import SSLContext

PAUSE = 0.05
"""Seconds between the pieces of a slow answer."""
SUCCESS = {"orderNo": "N1", "authUrl": "https://example.com/a?code=SECRET"}


@frozen
class Seen:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes


Script = Callable[[int, Seen], Awaitable[bytes | tuple[bytes, ...] | None]]


class ScriptedServer:
    """Calls ``script`` with the number of the request, from 0, and writes what it returns.

    ``None`` closes the connection without an answer; a tuple is written piece by piece, slowly.
    """

    def __init__(self, script: Script, *, ssl: SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self._script = script
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    @property
    def origin(self) -> str:
        """``http://host:port``."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"{'http' if self._ssl is None else 'https'}://{host}:{port}"

    @property
    def base_url(self) -> str:
        """What a session takes."""
        return f"{self.origin}/resrun-paas"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._ssl)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.vanish()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def saw(self, number: int = 1) -> None:
        """Wait until so many requests have come."""
        while len(self.seen) < number:
            self._news.clear()
            await self._news.wait()

    def vanish(self) -> None:
        """Refuse new connections from here on."""
        assert self._server is not None
        self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        start, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = start.split(" ")
        headers = CIMultiDict[str]()
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            headers.add(name, value.strip())
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
        self.seen.append(Seen(method, target, headers, body))
        self._news.set()
        answer = await self._script(len(self.seen) - 1, self.seen[-1])
        if answer is None:
            return False
        for piece in (answer,) if isinstance(answer, bytes) else answer:
            writer.write(piece)
            await writer.drain()
            if piece is not answer:
                await asyncio.sleep(PAUSE)
        return isinstance(answer, bytes) and b"connection: close" not in answer.lower()


def answer(body: object, status: int = 200, **headers: str) -> bytes:
    """Write an HTTP answer; a ``body`` that is not bytes becomes JSON. Underscores in header names are hyphens."""
    kind = "application/json"
    if isinstance(body, str):
        body, kind = body.encode(), "text/html"
    if not isinstance(body, bytes):
        body = orjson.dumps(body)
    lines = {"Content-Type": kind, "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def success(result: object = SUCCESS) -> bytes:
    """Write the answer of a success."""
    return answer({"code": 10000, "message": "成功", "result": result, "timestamp": 1775010802000})
