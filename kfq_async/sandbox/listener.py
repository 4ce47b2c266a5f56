"""The sandbox's port: where connections are refused or reset before a request is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from kfq_async.sandbox.accidents import linger
from kfq_async.sandbox.faults import Faults, Stage

if TYPE_CHECKING:
    from aiohttp.web import AppRunner

__all__ = ["Listener"]

BACKLOG = 1024


class _Gate(asyncio.Protocol):
    """Stands before the handler of a connection, and lets through what is not to be reset."""

    def __init__(self, handler: asyncio.Protocol, faults: Faults) -> None:
        self._handler: asyncio.Protocol = handler
        self._faults = faults

    # asyncio calls these; each passes on what it is told.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._faults.draw(Stage.CONNECTING) is None:
            self._handler.connection_made(transport)
        else:
            self._handler = asyncio.Protocol()
            linger(transport.get_extra_info("socket"))
            cast("asyncio.Transport", transport).abort()

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def connection_lost(self, problem: Exception | None) -> None:
        self._handler.connection_lost(problem)


class Listener:
    """Listens on a port, and can stop listening for a while."""

    def __init__(self, runner: AppRunner, faults: Faults) -> None:
        self._runner = runner
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._address = ("", 0)
        self._refusal: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen and return the port; 0 takes a free one. Raises `OSError` if it is taken."""
        server = await self._loop.create_server(self._gate, host, port, backlog=BACKLOG)
        self._servers.append(server)
        self._address = host, server.sockets[0].getsockname()[1]
        return self._address[1]

    def refuse(self, seconds: float) -> None:
        """Refuse new connections from now on, for a while. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._begin_refusal, seconds)

    async def close(self) -> None:
        """Listen no longer."""
        if self._refusal is not None:
            self._refusal.cancel()
            await asyncio.gather(self._refusal, return_exceptions=True)
        self._stop_listening()

    def _begin_refusal(self, seconds: float) -> None:
        if self._refusal is not None:
            self._refusal.cancel()
        self._stop_listening()
        self._refusal = self._loop.create_task(self._listen_after(seconds))

    def _stop_listening(self) -> None:
        while self._servers:
            self._servers.pop().close()

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.open(*self._address)

    def _gate(self) -> _Gate:
        server = self._runner.server
        assert server is not None  # noqa: S101  # it has been set up
        return _Gate(server(), self._faults)
