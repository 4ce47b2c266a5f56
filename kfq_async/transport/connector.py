"""Connector for aiohttp's client session: every request of a session gets its connection here."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp

from kfq_async.transport.attempt import current_attempt

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import BaseConnector, ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["MAX_NEW", "Connector", "UnrequestedData", "is_readable"]

MAX_NEW = 10
"""Maximum number of new connections for one attempt: data arrived before the request on all but the last."""


class UnrequestedData(aiohttp.ClientConnectionError):
    """The peer sends data, or closes the connection, before it has received a request."""


class Connector:
    """Delegates to one of aiohttp's connectors, and records the progress of the attempt.

    It has exactly the attributes that `aiohttp.ClientSession` uses: a version of aiohttp that uses others fails before
    anything is sent.
    """

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector
        self._used: WeakSet[ResponseHandler] = WeakSet()
        """Connections that have served an attempt."""
        self._loop = connector._loop  # noqa: SLF001  # ClientSession compares it with its own
        self._timeout_ceil_threshold = connector._timeout_ceil_threshold  # noqa: SLF001  # the same
        self.allowed_protocol_schema_set = connector.allowed_protocol_schema_set

    @property
    def closed(self) -> bool:
        """Whether the connector is closed."""
        return self._connector.closed

    def close(self) -> Awaitable[None]:
        """Close all connections."""
        return self._connector.close()

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109  # aiohttp's signature
        """Return a connection on which nothing has arrived, and which the peer has not closed.

        Data that arrived before the request belongs to no request of ours: the connection is dropped.
        """
        attempt = current_attempt.get()
        if attempt.connected:
            # aiohttp retries a lost GET; whether a retry is safe is decided by the operation's idempotency.
            raise aiohttp.ServerDisconnectedError
        attempt.connecting = True
        attempt.proxy = req.proxy
        new = 0
        while new < MAX_NEW:
            connection = await self._connector.connect(req, traces, timeout)
            protocol, transport = connection.protocol, connection.transport
            assert protocol is not None  # noqa: S101  # a connection has one until it is released
            unread = transport is None or is_readable(transport)
            if protocol not in self._used:
                new += 1
                self._used.add(protocol)
                if unread and transport is not None and transport.get_extra_info("ssl_object") is not None:
                    unread = False  # session tickets or an alert: the event loop decrypts them
                    try:
                        await _let_read()
                    except asyncio.CancelledError:
                        connection.close()
                        raise
                    if (failure := protocol.exception()) is not None:
                        connection.close()
                        raise UnrequestedData from failure
            if not unread and not protocol.should_close:
                attempt.mark_connected(self._loop.time(), transport)
                return connection
            connection.close()
        raise UnrequestedData


async def _let_read() -> None:
    """Let the event loop read what has arrived: it polls after the first step, and reads before the last one."""
    for _ in range(3):
        await asyncio.sleep(0)


def is_readable(transport: asyncio.BaseTransport) -> bool:
    """Return whether the kernel holds data, the end of the stream, or an error for the socket of a transport."""
    sock = transport.get_extra_info("socket")
    number = -1 if sock is None else sock.fileno()
    return number >= 0 and _poll(number)


def _poll_one(number: int) -> bool:
    poller = select.poll()
    poller.register(number, select.POLLIN)
    return bool(poller.poll(0))


def _select_one(number: int) -> bool:
    """Do the same where there is no ``poll``: on Windows, whose ``select`` takes any number."""
    return bool(select.select([number], [], [], 0)[0])


_poll = _poll_one if hasattr(select, "poll") else _select_one
