"""Connector for aiohttp's client session: every request of a session gets its connection here."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import aiohttp

from kfq_async.transport.attempt import current_attempt
from kfq_async.transport.credentials import CredentialTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from aiohttp import BaseConnector, ClientRequest, ClientTimeout
    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

    Poll = Callable[[float], Sequence[object]]

__all__ = ["MAX_NEW", "Connector", "UnrequestedData", "let_read", "make_poll"]

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
        self._polls: WeakKeyDictionary[ResponseHandler, Poll] = WeakKeyDictionary()
        """For each connection that has served an attempt, a function that tells whether data has arrived."""
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
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101  # a connection has one until it is released
            poll = self._polls.get(protocol)
            if poll is None:
                new += 1
                clean = await self._examine(connection, protocol)
            else:
                clean = not poll(0)
            if clean and not protocol.should_close:
                attempt.mark_connected(self._loop.time(), connection.transport)
                if attempt.query_credentials is not None:
                    CredentialTransport.attach(connection, attempt.query_credentials)
                return connection
            connection.close()
        raise UnrequestedData

    async def _examine(self, connection: Connection, protocol: ResponseHandler) -> bool:
        """Return whether nothing has arrived on a new connection except TLS session tickets.

        The event loop decrypts what has arrived. Raises `UnrequestedData` if that, an alert, ended the connection.
        """
        transport = connection.transport
        poll = self._polls[protocol] = make_poll(transport)
        if transport is None or not poll(0):
            return True
        if transport.get_extra_info("ssl_object") is None:
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


def make_poll(transport: asyncio.BaseTransport | None) -> Poll:
    """Return a function of a timeout that tells whether a transport's socket has unread data, an end or an error."""
    sock = None if transport is None else transport.get_extra_info("socket")
    number = -1 if sock is None else sock.fileno()
    return poll_descriptor(number) if number >= 0 else lambda _: ()


def _with_poll(number: int) -> Poll:
    poller = select.poll()
    poller.register(number, select.POLLIN)
    return poller.poll


def _with_select(number: int) -> Poll:
    """Do the same where there is no ``poll``: on Windows, whose ``select`` takes any number."""
    return lambda timeout: select.select([number], [], [], timeout)[0]


poll_descriptor = _with_poll if hasattr(select, "poll") else _with_select
