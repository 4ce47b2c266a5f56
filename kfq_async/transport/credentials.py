"""Credentials in the query of a GET: added as the head is written, so that nothing before or after it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectionError

from kfq_async.models.masking import MaskedBytes
from kfq_async.protocol.requests import add_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from aiohttp.connector import Connection

__all__ = ["CredentialTransport"]


class CredentialTransport:
    """Stands in for the transport of a connection until the head of one request is written.

    aiohttp shows a request's URL to tracers, middlewares and logs, and in exceptions and responses, so it is given a
    URL without credentials. Any version of aiohttp, and whatever replaces its methods, sends a request by this
    transport: the credentials are added here, or nothing is sent.
    """

    def __init__(self, transport: Any, protocol: Any, credentials: str) -> None:
        self._transport = transport
        self._protocol = protocol
        self._credentials = credentials

    @classmethod
    def attach(cls, connection: Connection, credentials: str) -> Self:
        """Add ``credentials`` to the request that is sent next on ``connection``, before it is released."""
        protocol: Any = connection.protocol
        attached = protocol.transport = cls(protocol.transport, protocol, credentials)
        connection.add_callback(attached.detach)
        return attached

    def detach(self) -> None:
        """Put the transport back: the connection's next request is another one's. Idempotent."""
        if self._protocol.transport is self:
            self._protocol.transport = self._transport

    def write(self, data: bytes) -> None:
        """Write the head with the credentials.

        Raises `aiohttp.ClientConnectionError` if ``data`` does not begin with a request line; nothing is sent then.
        """
        head = _add_to_head(data, self._credentials)
        self.detach()
        self._transport.write(head)

    def writelines(self, chunks: Iterable[bytes]) -> None:
        """Write the head, and what follows it, with the credentials."""
        self.write(b"".join(chunks))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _add_to_head(data: bytes, credentials: str) -> MaskedBytes:
    line, end, rest = bytes(data).partition(b"\r\n")
    try:
        method, target, version = line.decode("ascii").split(" ")
    except ValueError:
        version = ""
    if not version.startswith("HTTP/1.") or not end:
        raise ClientConnectionError("the request does not begin with a request line")
    return MaskedBytes(f"{method} {add_credentials(target, credentials)} {version}".encode() + end + rest)
