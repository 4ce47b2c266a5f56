"""First write of a request that aiohttp does not write at once: checked, completed and recorded as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectionError

from kfq_async.models.masking import MaskedBytes
from kfq_async.protocol.requests import add_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from aiohttp.connector import Connection

    from kfq_async.transport.arrivals import Arrivals
    from kfq_async.transport.attempt import Attempt

__all__ = ["FirstWrite", "UnrequestedData"]


class UnrequestedData(ClientConnectionError):
    """The peer sends data, or closes the connection, before it has received a request."""


class FirstWrite:
    """Stands in for the transport of a connection until the head of one request is written.

    Between the connector's check of the connection and the first write the event loop may run, for as long as tracing
    hooks take; so the check is repeated here, and only now does the attempt count as sent. Any version of aiohttp, and
    whatever replaces its methods, sends a request by this transport.

    aiohttp shows a request's URL to tracers, middlewares and logs, and in exceptions and responses, so it is given a
    URL without the credentials of a GET: they are added here, or nothing is sent.
    """

    def __init__(self, transport: Any, protocol: Any, attempt: Attempt, arrivals: Arrivals) -> None:
        self._transport = transport
        self._protocol = protocol
        self._attempt = attempt
        self._arrivals = arrivals
        self._received = arrivals.count()

    @classmethod
    def attach(cls, connection: Connection, attempt: Attempt, arrivals: Arrivals) -> Self:
        """Stand in for the request that is sent next on ``connection``, before it is released."""
        protocol: Any = connection.protocol
        attached = protocol.transport = cls(protocol.transport, protocol, attempt, arrivals)
        connection.add_callback(attached.detach)
        attempt.unwritten = True
        return attached

    def detach(self) -> None:
        """Put the transport back: the connection's next request is another one's. Idempotent."""
        if self._protocol.transport is self:
            self._protocol.transport = self._transport

    def write(self, data: bytes) -> None:
        """Write the head.

        Raises `UnrequestedData` if anything has arrived, and `aiohttp.ClientConnectionError` if the credentials cannot
        be added, since ``data`` does not begin with a request line; nothing is sent then.
        """
        if self._protocol.should_close or self._has_arrived():
            raise UnrequestedData
        credentials = self._attempt.query_credentials
        head = data if credentials is None else _add_to_head(data, credentials)
        self.detach()
        self._attempt.unwritten = False
        self._transport.write(head)

    def _has_arrived(self) -> bool:
        """Return whether anything has arrived since the connection was checked, session tickets excepted."""
        arrivals = self._arrivals
        return arrivals.unrequested and (bool(arrivals.poll(0)) or arrivals.count() != self._received)

    def writelines(self, chunks: Iterable[bytes]) -> None:
        """Write the head, and what follows it."""
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
