"""Detection of what arrives on a connection between two requests."""

from __future__ import annotations

import select
import socket
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    Poll = Callable[[float], Sequence[object]]

__all__ = ["Arrivals", "make_poll"]

_BYTES_RECEIVED = struct.Struct("128xQ")
"""Linux's ``struct tcp_info`` up to ``tcpi_bytes_received``."""


class Arrivals:
    """Whether anything has arrived on a connection since it was last released.

    What the event loop has not read is seen by ``poll``, an end of the connection included. What it has read, and what
    OpenSSL or a parser keeps because it is incomplete, is seen by Linux's count of received bytes; other systems do not
    count them.
    """

    __slots__ = ("_received", "_sock", "poll", "unrequested")

    def __init__(self, transport: asyncio.BaseTransport | None) -> None:
        self.poll = make_poll(transport)
        """Function of a timeout in milliseconds: whether there are unread bytes, an end or an error."""
        self._sock: Any = None if transport is None else transport.get_extra_info("socket")
        self.unrequested = transport is None or transport.get_extra_info("ssl_object") is None
        """Whether what arrives is unrequested; a new TLS connection receives session tickets at any time."""
        self._received = self._count()

    def restart(self) -> None:
        """Count from now on: the connection has served its request."""
        self.unrequested = True
        self._received = self._count()

    def any(self) -> bool:
        """Return whether anything has arrived that is unrequested."""
        return self.unrequested and (bool(self.poll(0)) or self._received != self._count())

    def _count(self) -> int | None:
        """Return the number of bytes that the socket has received, or ``None`` where it is unknown."""
        if self._sock is None:
            return None
        try:
            return received_bytes(self._sock)
        except OSError:  # closed, or not of TCP
            return None


def make_poll(transport: asyncio.BaseTransport | None) -> Poll:
    """Return a function of a timeout that tells whether a transport's socket has unread data, an end or an error."""
    sock = None if transport is None else transport.get_extra_info("socket")
    number = -1 if sock is None else sock.fileno()
    return poll_descriptor(number) if number >= 0 else lambda _: ()


def _received_on_linux(sock: socket.socket) -> int | None:
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.size)
    return int(_BYTES_RECEIVED.unpack(info)[0]) if len(info) == _BYTES_RECEIVED.size else None


def _received_elsewhere(_: socket.socket) -> None:
    return None


received_bytes: Callable[[socket.socket], int | None] = (
    _received_on_linux if sys.platform == "linux" else _received_elsewhere
)


def _with_poll(number: int) -> Poll:
    poller = select.poll()
    poller.register(number, select.POLLIN)
    return poller.poll


def _with_select(number: int) -> Poll:
    """Do the same where there is no ``poll``: on Windows, whose ``select`` takes any number."""
    return lambda timeout: select.select([number], [], [], timeout)[0]


poll_descriptor = _with_poll if hasattr(select, "poll") else _with_select
