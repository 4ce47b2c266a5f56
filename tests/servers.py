"""HTTP server that sends the bytes a test gives it, for responses that no correct server sends."""

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
"""Seconds between the parts of a slow response."""
SUCCESS = {"orderNo": "N1", "authUrl": "https://example.com/a?code=SECRET"}


@frozen
class ReceivedRequest:
    """A received request."""

    method: str
    target: str
    headers: CIMultiDict[str]
    body: bytes


Script = Callable[[int, ReceivedRequest], Awaitable[bytes | tuple[bytes, ...] | None]]


class ScriptedServer:
    """Server that calls ``script(number, request)``, with ``number`` from 0, and sends the bytes it returns.

    ``None`` closes the connection without a response; the parts of a tuple are sent `PAUSE` seconds apart.
    ``keep_alive=False`` closes the connection after each response.
    """

    def __init__(self, script: Script, *, ssl: SSLContext | None = None, keep_alive: bool = True) -> None:
        self.requests: list[ReceivedRequest] = []
        self.connections = 0
        self._script = script
        self._ssl = ssl
        self._keep_alive = keep_alive
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._received = asyncio.Event()

    @property
    def origin(self) -> str:
        """Origin, such as ``http://127.0.0.1:8000``."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"{'http' if self._ssl is None else 'https'}://{host}:{port}"

    @property
    def base_url(self) -> str:
        """Base URL for a session."""
        return f"{self.origin}/resrun-paas"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_for_requests(self, number: int = 1) -> None:
        """Wait until so many requests have arrived."""
        while len(self.requests) < number:
            self._received.clear()
            await self._received.wait()

    def stop_listening(self) -> None:
        """Stop accepting connections."""
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
        self.requests.append(ReceivedRequest(method, target, headers, body))
        self._received.set()
        response = await self._script(len(self.requests) - 1, self.requests[-1])
        if response is None:
            return False
        for part in (response,) if isinstance(response, bytes) else response:
            writer.write(part)
            await writer.drain()
            if part is not response:
                await asyncio.sleep(PAUSE)
        close = not isinstance(response, bytes) or b"connection: close" in response.lower()
        return self._keep_alive and not close


def http_response(body: object, status: int = 200, **headers: str) -> bytes:
    """Return an HTTP response: text as HTML, other objects as JSON; ``Retry_After`` names the header Retry-After."""
    content_type = "application/json"
    if isinstance(body, str):
        body, content_type = body.encode(), "text/html"
    if not isinstance(body, bytes):
        body = orjson.dumps(body)
    lines = {"Content-Type": content_type, "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def success(result: object = SUCCESS) -> bytes:
    """Return a successful response."""
    return http_response({"code": 10000, "message": "成功", "result": result, "timestamp": 1775010802000})
