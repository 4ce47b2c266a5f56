"""Connector for aiohttp's client session: every request of a session gets its connection here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aiohttp

from kfq_async.transport.arrivals import Arrivals
from kfq_async.transport.attempt import current_attempt
from kfq_async.transport.first_write import FirstWrite, UnrequestedData

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import BaseConnector, ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["MAX_NEW", "Connector", "let_read"]

MAX_NEW = 10
"""Maximum number of new connections for one attempt: data arrived before the request on all but the last."""


class Connector:
    """Delegates to one of aiohttp's connectors, and records the progress of the attempt.

    It has exactly the attributes that `aiohttp.ClientSession` uses: a version of aiohttp that uses others fails before
    anything is sent.
    """

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector
        self._arrivals: WeakKeyDictionary[ResponseHandler, Arrivals] = WeakKeyDictionary()
        """What arrives on each connection that has served an attempt."""
        self._loop = connector._loop  # noqa: SLF001  # ClientSession compares it with its own
        self._timeout_ceil_threshold = connector._timeout_ceil_threshold  # noqa: SLF001  # the same
        self.allowed_protocol_schema_set: frozenset[str] = connector.allowed_protocol_schema_set

    @property
    def closed(self) -> bool:
        """Whether the connector is closed."""
        return self._connector.closed

    def close(self) -> Awaitable[None]:
        """Close all connections."""
        return self._connector.close()

    async def connect(self, req: ClientRequest, traces: list[Trace], timeout: ClientTimeout) -> Connection:  # noqa: ASYNC109  # aiohttp's signature
        """Return a connection on which nothing is seen to have arrived, and which the peer has not closed.

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
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101  # a connection has one until it is released
            arrivals = self._arrivals.get(protocol)
            if arrivals is None:
                new += 1
                arrivals = self._arrivals[protocol] = Arrivals(connection.transport)
                clean = await _examine(connection, protocol, arrivals)
            else:
                clean = not arrivals.while_idle(protocol)
            if clean and not protocol.should_close:
                attempt.mark_connected(self._loop.time(), connection.transport, arrivals)
                if traces or not getattr(req, "written_at_once", False):
                    FirstWrite.attach(connection, attempt, arrivals)
                return connection
            connection.close()
        raise UnrequestedData


async def _examine(connection: Connection, protocol: ResponseHandler, arrivals: Arrivals) -> bool:
    """Return whether nothing has arrived on a new connection except TLS session tickets.

    The event loop decrypts what has arrived. Raises `UnrequestedData` if that, an alert, ended the connection.
    """
    transport = connection.transport
    if transport is None or not arrivals.poll(0):
        return True
    if arrivals.unrequested:
        return False
    try:
        await let_read()
        if (failure := protocol.exception()) is not None:
            raise UnrequestedData from failure
    except BaseException:
        connection.close()
        raise
    return not transport.is_closing()


async def let_read() -> None:
    """Let the event loop read what has arrived, and tell the protocol of an end: each takes a step or two."""
    for _ in range(6):
        await asyncio.sleep(0)
