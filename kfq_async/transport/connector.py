"""Connector for aiohttp's client session: every request of a session gets its connection here."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from kfq_async.transport.attempt import current_attempt
from kfq_async.transport.credentials import CredentialTransport

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiohttp import BaseConnector, ClientRequest, ClientTimeout
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

__all__ = ["Connector"]

MAX_STALE = 100
"""Maximum number of connections with unread data that are dropped for one request before it fails as not sent."""


class Connector:
    """Delegates to one of aiohttp's connectors, and records the progress of the attempt.

    It has exactly the attributes that `aiohttp.ClientSession` uses: a version of aiohttp that uses others fails before
    anything is sent.
    """

    def __init__(self, connector: BaseConnector) -> None:
        self._connector = connector
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
        """Return a connection on which no data is waiting.

        Data on an idle connection belongs to no request of ours, so the connection is dropped. Raises
        `aiohttp.ClientConnectionError` for a cancellation that was not requested: closing the connector during a name
        lookup causes one.
        """
        attempt = current_attempt.get()
        if attempt.connected:
            # aiohttp retries a lost GET; whether a retry is safe is decided by the operation's idempotency.
            raise aiohttp.ServerDisconnectedError
        attempt.connecting = True
        for _ in range(MAX_STALE):
            try:
                connection = await self._connector.connect(req, traces, timeout)
            except asyncio.CancelledError:
                if attempt.cancelled:
                    raise
                break
            protocol = connection.protocol
            assert protocol is not None  # noqa: S101  # a connection has one until it is released
            if not protocol.should_close:
                attempt.mark_connected(self._loop.time(), connection.transport)
                if attempt.query_credentials is not None:
                    CredentialTransport.attach(connection, attempt.query_credentials)
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError
