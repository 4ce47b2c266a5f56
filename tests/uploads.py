"""Servers, sources and sessions that the tests of uploads share."""

from __future__ import annotations

import asyncio
import base64
import io
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson
from attrs import define, field

from servers import ReceivedRequest, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from ssl import SSLContext
    from types import TracebackType

PDF = b"%PDF-1.7\n" + b"SECRET-CONTENT\n" + bytes(range(256)) * 4
PIECES = PDF + b"".join(number.to_bytes(4, "big") * 64 for number in range(4096)) + b"end"
"""A document of several pieces, none of them like another."""
LARGE = PDF + bytes(24 * 1024 * 1024)
"""A document that fits into no socket's buffer."""
DOCUMENT = success({"docId": "D1"})


@define
class Sent:
    """What a server got of one upload."""

    headers: Any
    fields: dict[str, Any]
    content: bytes = field(repr=False)


def parse(request: ReceivedRequest) -> Sent:
    """Return the parts of an upload."""
    fields = orjson.loads(request.body)
    return Sent(request.headers, fields, base64.b64decode(fields.pop("file"), validate=True))


class Pipe(io.RawIOBase):
    """Binary file that can be read only once, and returns less than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read at most 1000 bytes."""
        part, self._left = self._left[: min(1000, len(buffer))], self._left[min(1000, len(buffer)) :]
        buffer[: len(part)] = part
        return len(part)


async def chunks(data: bytes, size: int = 70_000) -> AsyncIterator[bytes]:
    """Yield data in chunks."""
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


def open_descriptors() -> set[str]:
    """Return the regular files and sockets that this process has open."""
    paths = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            paths.add(descriptor.readlink().as_posix())
    return paths


class BodyServer:
    """Server that reads the head of each request and leaves its body, and the response, to ``serve``.

    Without ``serve`` it reads nothing. ``sizes`` are the announced lengths of the bodies.
    """

    def __init__(
        self,
        serve: Callable[[int, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None,
        *,
        ssl: SSLContext | None = None,
    ) -> None:
        self.sizes: list[int] = []
        self._released = asyncio.Event()
        self._ended = asyncio.Event()
        self._serve = serve or self.hold
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """Base URL for a session."""
        assert self._server is not None
        scheme = "http" if self._ssl is None else "https"
        return f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/resrun-paas"

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)  # little is on its way unread
        listener.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._connected, sock=listener, ssl=self._ssl)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hold(self, _number: int, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Read nothing until `wait_for_end`."""
        await self._released.wait()
        while await reader.read(1 << 20):
            pass
        raise ConnectionError

    async def wait_for_end(self) -> None:
        """Wait until the peer has closed a connection, which a server notices only while it reads."""
        self._released.set()
        await asyncio.wait_for(self._ended.wait(), 10)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                    self.sizes.append(int(length))
                    await self._serve(len(self.sizes) - 1, reader, writer)
        finally:
            writer.close()
            self._ended.set()
            self._tasks.discard(task)


async def discard(reader: asyncio.StreamReader, size: int) -> None:
    """Read a body without keeping it."""
    while size > 0:
        part = await reader.read(min(size, 1 << 20))
        if not part:
            raise ConnectionError
        size -= len(part)
