"""The request that aiohttp sends for us: what it would find out anew each time is known here.

It overrides methods of `aiohttp.ClientRequest` that are public and the same from aiohttp 3.14.4 on. Whatever is out of
the ordinary, as a proxy or a large body, takes aiohttp's own way.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientRequest, ClientResponse, hdrs
from aiohttp.http import StreamWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.connector import Connection
    from aiohttp.typedefs import LooseHeaders

    from kfq_async.transport.deadlines import Watch

__all__ = ["Request", "current_watch"]

current_watch: ContextVar[Watch] = ContextVar("kfq_async.watch")
"""The watch of the call that is being sent, since aiohttp builds the request."""

_SMALL = 65_536
"""Bytes of a body that is written at once, without a task that waits for the other side to read it."""


class Request(ClientRequest):
    """Tells its watch when it has a connection: from then on bytes may have left."""

    _small: bytes | None = None

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take the headers as they are: the session put a copy together, ``Host`` first."""
        self.headers = headers  # type: ignore[assignment]  # `ClientSession` hands over a CIMultiDict

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add nothing: the session's headers hold what aiohttp would fill in."""

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """Keep a small body as it is, without the object that would write it piece by piece."""
        if type(body) is bytes and len(body) <= _SMALL and self.proxy is None and hdrs.EXPECT not in self.headers:
            self._small = body
            self.headers[hdrs.CONTENT_LENGTH] = str(len(body))
        else:
            super().update_body_from_data(body, _stacklevel)

    async def send(self, conn: Connection) -> ClientResponse:
        """Write head and body, and return the response that is yet to come."""
        watch = current_watch.get()
        if watch.begun:
            # aiohttp repeats a lost GET by itself; whether that is safe is not for it to say.
            raise aiohttp.ServerDisconnectedError
        watch.connected(self.loop.time())
        if self._small is None:
            return await super().send(conn)
        return await self._send_small(conn, self._small)

    async def _send_small(self, conn: Connection, body: bytes) -> ClientResponse:
        """Write head and body in one piece; aiohttp starts a task for the body, on Python 3.11 after the head."""
        protocol = conn.protocol
        assert protocol is not None  # noqa: S101  # a connection has one until it is released
        writer = StreamWriter(protocol, self.loop)
        await writer.write_headers(f"{self.method} {self.url.raw_path_qs} HTTP/1.1", self.headers)
        await writer.write_eof(body)
        return self.response_class(
            self.method,
            self.original_url,
            writer=None,
            continue100=None,
            timer=self._timer,
            request_info=self.request_info,
            traces=self._traces,
            loop=self.loop,
            session=self._session,
            stream_writer=writer,
        )
