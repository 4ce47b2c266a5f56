"""Detection of what arrives on a connection between two requests."""

from __future__ import annotations

import select
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    Count = Callable[[], bytes]
    Poll = Callable[[float], Sequence[object]]

__all__ = ["Arrivals", "make_poll"]

_BYTES_RECEIVED = slice(128, 136)
"""``tcpi_bytes_received`` in Linux's ``struct tcp_info``."""


class Arrivals:
    """Whether anything has arrived on a connection that no attempt uses.

    What the event loop has not read is seen by ``poll``, an end of the connection included. What it has read, and what
    OpenSSL or a parser keeps because it is incomplete, is seen by Linux's count of received bytes; other systems do not
    count them.
    """

    __slots__ = ("_count", "_received", "poll", "unrequested", "user")

    def __init__(self, transport: asyncio.BaseTransport | None) -> None:
        self.poll = make_poll(transport)
        """Function of a timeout in milliseconds: whether there are unread bytes, an end or an error."""
        self.unrequested = transport is None or transport.get_extra_info("ssl_object") is None
        """Whether what arrives is unrequested; a new TLS connection receives session tickets at any time."""
        self._count = make_count(transport)
        self._received = self._count()[_BYTES_RECEIVED]
        self.user: object = None
        """Attempt that uses the connection."""

    def while_idle(self) -> bool:
        """Return whether anything has arrived since the connection's last user gave it back.

        One that has read its response, but has not had its turn to call `release`, is forgotten.
        """
        if self.user is None:
            return bool(self.poll(0)) or self._received != self._count()[_BYTES_RECEIVED]
        self._received = self._count()[_BYTES_RECEIVED]
        return bool(self.poll(0))

    def before_request(self) -> bool:
        """Return whether anything has arrived for the connection's user, which has sent nothing."""
        return self.unrequested and (bool(self.poll(0)) or self._received != self._count()[_BYTES_RECEIVED])

    def release(self, user: object) -> None:
        """Count from now on what arrives, unless the connection has another user already."""
        if self.user is user:
            self.user = None
            self.unrequested = True
            try:  # noqa: SIM105  # `suppress` takes three calls
                self._received = self._count()[_BYTES_RECEIVED]
            except OSError:  # the connection was closed
                pass


def make_count(transport: asyncio.BaseTransport | None) -> Count:
    """Return a function that returns the ``tcp_info`` of a transport's socket, or ``b""`` where there is none."""
    sock = None if transport is None else transport.get_extra_info("socket")
    sock = getattr(sock, "_sock", sock)  # asyncio's wrapper is slower
    if sock is None or sys.platform != "linux":
        return bytes
    count = partial(sock.getsockopt, socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
    try:
        count()
    except OSError:  # closed, or not of TCP
        return bytes
    return count


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
