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

    Info = Callable[[], bytes]
    Poll = Callable[[float], Sequence[object]]

__all__ = ["Arrivals", "make_poll"]

_BYTES_RECEIVED = slice(128, 136)
"""``tcpi_bytes_received`` in Linux's ``struct tcp_info``."""
_ESTABLISHED = 1
"""``tcpi_state``, its first byte, of a connection that neither side has closed."""


class Arrivals:
    """Whether anything has arrived on a connection that no attempt uses.

    Linux counts the bytes that a connection has received: those that the event loop has not read, and those that it has
    read and that OpenSSL or a parser keeps, since they are incomplete. Elsewhere only the unread ones are seen.
    """

    __slots__ = ("_info", "_received", "poll", "unrequested", "user")

    def __init__(self, transport: asyncio.BaseTransport | None) -> None:
        self.poll = make_poll(transport)
        """Function of a timeout in milliseconds: whether there are unread bytes, an end or an error."""
        self.unrequested = transport is None or transport.get_extra_info("ssl_object") is None
        """Whether what arrives is unrequested; a new TLS connection receives session tickets at any time."""
        self.user: object = None
        """Attempt that uses the connection."""
        self._info = make_info(transport)
        self._received = self._info()[_BYTES_RECEIVED]

    def while_idle(self) -> bool:
        """Return whether anything has arrived, or the peer has closed the connection, since it was given back.

        If its last user has read the response but has not had its turn to call `release`, what was read is unknown.
        """
        info = self._info()
        if not info or self.user is not None:
            self._received = info[_BYTES_RECEIVED]
            return bool(self.poll(0))
        return info[0] != _ESTABLISHED or info[_BYTES_RECEIVED] != self._received

    def before_request(self) -> bool:
        """Return whether anything has arrived for the connection's user, which has sent nothing."""
        return self.unrequested and (bool(self.poll(0)) or self._info()[_BYTES_RECEIVED] != self._received)

    def release(self, user: object) -> None:
        """Count from now on what arrives, unless the connection has another user already."""
        if self.user is user:
            self.user = None
            self.unrequested = True
            try:  # noqa: SIM105  # `suppress` takes three calls
                self._received = self._info()[_BYTES_RECEIVED]
            except OSError:  # the connection was closed
                pass


def make_info(transport: asyncio.BaseTransport | None) -> Info:
    """Return a function that returns the ``tcp_info`` of a transport's socket, or ``b""`` where there is none."""
    sock = None if transport is None else transport.get_extra_info("socket")
    sock = getattr(sock, "_sock", sock)  # asyncio's wrapper is slower
    if sock is None or sys.platform != "linux":
        return bytes
    info = partial(sock.getsockopt, socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
    try:
        info()
    except OSError:  # closed, or not of TCP
        return bytes
    return info


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
