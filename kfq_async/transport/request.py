"""Faster request objects for aiohttp. Only an optimization: the package keeps all its promises without this module.

`Request` overrides public methods of `aiohttp.ClientRequest`, the same in all versions from 3.14.4 to 4, and falls
back to aiohttp's implementation whenever other code inspects the request or the body is large.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import ClientRequest, ClientResponse, hdrs
from aiohttp.http import StreamWriter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.connector import Connection
    from aiohttp.payload import Payload
    from aiohttp.typedefs import LooseHeaders

__all__ = ["Request"]

MAX_SMALL = 65_536
"""Largest body, in bytes, that is written at once, without a task that waits until the peer reads it."""
_ORIGINAL_SEND = ClientRequest.send


class Request(ClientRequest):
    """A request whose headers are complete, and whose small body is written together with them."""

    _small: bytes | None = None

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take over the headers of the client session, which starts with ``Host``."""
        self.headers = headers  # type: ignore[assignment]  # `ClientSession` passes a CIMultiDict

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add nothing: the client session has every header that aiohttp would add."""

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """Keep a small body as bytes."""
        if type(body) is bytes and len(body) <= MAX_SMALL and self.proxy is None and hdrs.EXPECT not in self.headers:
            self._small = body
            self.headers[hdrs.CONTENT_LENGTH] = str(len(body))
        else:
            self._small = None
            if type(body) is bytes and len(body) > MAX_SMALL:
                body = BytesIO(body)  # sent in pieces; aiohttp warns of bytes above 1 MiB
            super().update_body_from_data(body, _stacklevel)

    def _restore_payload(self) -> None:
        body, self._small = self._small, None
        if body is not None:
            super().update_body_from_data(body)

    def _payload(self) -> Payload | Literal[b""]:
        """Return the body as aiohttp's payload, for middlewares and other code that reads it before it is sent."""
        self._restore_payload()
        return super().body

    body = vars(ClientRequest)["body"].getter(_payload)

    async def send(self, conn: Connection) -> ClientResponse:
        """Write head and body, and return the response object that will receive the response."""
        body = self._small
        if body is None or self._traces or ClientRequest.send is not _ORIGINAL_SEND:
            self._restore_payload()
            return await super().send(conn)
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
