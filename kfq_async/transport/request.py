"""Request objects for aiohttp that mask the body, and are faster.

`Request` overrides public methods of `aiohttp.ClientRequest`, the same in all versions from 3.14.4 to 4, and falls
back to aiohttp's implementation whenever other code inspects the request or the body is large.
"""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import BytesPayload, ClientRequest, ClientResponse, Payload, hdrs
from aiohttp.http import StreamWriter

from kfq_async.models.masking import MaskedBytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.connector import Connection
    from aiohttp.typedefs import LooseHeaders

__all__ = ["Request"]

MAX_SMALL = 65_536
"""Largest body, in bytes, that is written at once, without a task that waits until the peer reads it."""


def _aiohttp_send() -> object:
    """Return aiohttp's own ``ClientRequest.send``, or ``None`` if instrumentation replaced it before this import."""
    send = vars(ClientRequest).get("send")
    original = isinstance(send, FunctionType) and send.__code__.co_qualname == "ClientRequest.send"
    return send if original else None


_ORIGINAL_SEND = _aiohttp_send()


class _Body(BytesPayload):
    """Body as aiohttp's payload, for code that reads it before it is sent; written in pieces, and masked."""

    def __init__(self, body: bytes) -> None:
        Payload.__init__(self, MaskedBytes(body))  # `BytesPayload` warns of more than 1 MiB
        self._size = len(body)

    async def as_bytes(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002  # aiohttp's
        """Return the body as exact ``bytes``, which some parsers require."""
        return bytes(self._value)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body, or as much of it as ``content_length`` allows."""
        body = self._value[:content_length]
        for start in range(0, len(body), MAX_SMALL):
            await writer.write(body[start : start + MAX_SMALL])


class Request(ClientRequest):
    """A request whose headers are complete, and whose small body is written together with them."""

    written_at_once: bool = False
    """Whether `send` writes head and body without giving way to the event loop, unless the request is traced."""
    _small: bytes | None = None

    def update_headers(self, headers: LooseHeaders | None) -> None:
        """Take over the headers of the client session, which starts with ``Host``."""
        self.headers = headers  # type: ignore[assignment]  # `ClientSession` passes a CIMultiDict

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        """Add nothing: the client session has every header that aiohttp would add."""

    def update_body_from_data(self, body: Any, _stacklevel: int = 3) -> None:
        """Keep a small body as bytes."""
        if isinstance(body, bytes) and len(body) <= MAX_SMALL and self.proxy is None:
            self._small = body
            self.written_at_once = ClientRequest.send is _ORIGINAL_SEND
            self.headers[hdrs.CONTENT_LENGTH] = str(len(body))
        else:
            self._small = None
            self.written_at_once = False
            super().update_body_from_data(_Body(body) if isinstance(body, bytes) else body, _stacklevel)

    def _restore_payload(self) -> None:
        body, self._small = self._small, None
        self.written_at_once = False
        if body is not None:
            super().update_body_from_data(_Body(body))

    def _payload(self) -> Payload | Literal[b""]:
        """Return the body as aiohttp's payload, for middlewares and other code that reads it before it is sent."""
        self._restore_payload()
        return super().body

    body = vars(ClientRequest)["body"].getter(_payload)

    async def send(self, conn: Connection) -> ClientResponse:
        """Write head and body, and return the response object that will receive the response."""
        body = self._small
        if body is None or self._traces or not self.written_at_once:
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
