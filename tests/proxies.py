"""Forward proxies, and the TLS contexts of proxies, servers and clients."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from multidict import CIMultiDict
from yarl import URL

if TYPE_CHECKING:
    import trustme


class ForwardProxy:
    """Forward proxy, with TLS if ``ssl`` is given, that opens CONNECT tunnels and forwards their bytes unread.

    ``tunnels`` holds the targets and ``headers`` the headers of the CONNECT requests.
    """

    def __init__(self, *, ssl: ssl.SSLContext | None = None) -> None:
        self.tunnels: list[str] = []
        self.headers: list[CIMultiDict[str]] = []
        self._ssl = ssl
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """URL of the proxy."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return f"{'http' if self._ssl is None else 'https'}://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        method, target, _ = start.split(" ")
        assert method == "CONNECT"
        self.tunnels.append(target)
        self.headers.append(CIMultiDict(line.partition(": ")[::2] for line in lines))
        host, port = target.rsplit(":", 1)
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_forward(reader, inner_writer), _forward(inner_reader, writer))
        finally:
            writer.close()
            inner_writer.close()


class HoldingProxy:
    """Server in front of another one, whose responses to the requests for ``path`` it holds for ever.

    ``answered`` is set once the first of them has arrived.
    """

    def __init__(self, base_url: str, path: str) -> None:
        self.answered = asyncio.Event()
        self._target = URL(base_url)
        self._path = path.encode()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """Base URL for a session."""
        assert self._server is not None
        return str(self._target.with_port(self._server.sockets[0].getsockname()[1]))

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        inner_reader, inner_writer = await asyncio.open_connection(self._target.host, self._target.port)
        held = asyncio.Event()
        try:
            await asyncio.gather(
                self._send(reader, inner_writer, held),
                self._respond(inner_reader, writer, held),
            )
        finally:
            writer.close()
            inner_writer.close()

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: asyncio.Event) -> None:
        """Forward requests, and note one that is held; its first line arrives at once."""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if self._path in data.partition(b"\r\n")[0]:
                    held.set()
                writer.write(data)
                await writer.drain()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, held: asyncio.Event) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if held.is_set():
                    self.answered.set()
                else:
                    writer.write(data)
                    await writer.drain()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return the TLS context of a server of this name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the TLS context of a client that trusts this authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context
