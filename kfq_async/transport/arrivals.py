"""Detection of what arrives on a connection between two requests."""

from __future__ import annotations

import select
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    Info = Callable[[], bytes]
    Poll = Callable[[float], Sequence[object]]

__all__ = ["Arrivals", "make_poll"]

_BYTES_RECEIVED = slice(128, 136)
"""``tcpi_bytes_received`` in Linux's ``struct tcp_info``."""
_CLOSED = (OSError, ValueError)
"""Exceptions of a closed socket; the second one of uvloop."""


class Arrivals:
    """Whether anything has arrived on a connection that no attempt uses, or that has sent nothing yet.

    ``poll`` sees what the event loop has not read, and an end of the connection. Of what it has read, aiohttp sees a
    whole response, and its parser holds the beginning of a head. The beginning of a TLS record, which OpenSSL keeps, is
    seen by Linux's count of received bytes, unless it arrived together with the response before; elsewhere it is not.
    """

    __slots__ = ("_info", "_received", "over_tls", "poll", "unrequested", "user")

    def __init__(self, transport: asyncio.BaseTransport | None) -> None:
        self.over_tls: bool = transport is not None and transport.get_extra_info("ssl_object") is not None
        """Whether `while_idle` compares the count of received bytes, which a user ends by `release`."""
        self.poll: Poll = make_poll(transport)
        """Function of a timeout in milliseconds: whether there are unread bytes, an end or an error."""
        self.unrequested: bool = not self.over_tls
        """Whether what arrives is unrequested; a new TLS connection receives session tickets at any time."""
        self.user: object = None
        """Attempt that uses the connection, over TLS."""
        self._info = make_info(transport)
        self._received = self.count()

    def while_idle(self, protocol: object) -> bool:
        """Return whether anything has arrived since the connection was given back.

        If its last user has not called `release` yet, the count of received bytes is not compared.
        """
        if self.poll(0) or holds_head(protocol):
            return True
        return self.over_tls and self.user is None and self._received != self.count()

    def count(self) -> bytes:
        """Return the number of bytes that the connection has received, in the system's form; empty if unknown."""
        try:
            return self._info()[_BYTES_RECEIVED]
        except _CLOSED:
            return b""

    def release(self, user: object) -> None:
        """Count from now on what arrives, unless the connection has another user already."""
        if self.user is user:
            self.user = None
            self.unrequested = True
            self._received = self.count()


def holds_head(protocol: object) -> bool:
    """Return whether a protocol's parser, which the next response replaces, holds the beginning of a head."""
    parser: Any = getattr(protocol, "_parser", None)
    if parser is None:
        return False
    try:
        return parser.feed_eof() is not None or bool(getattr(parser, "_tail", b""))
    except Exception:  # noqa: BLE001  # what it holds is no head
        return True


def make_info(transport: asyncio.BaseTransport | None) -> Info:
    """Return a function that returns the ``tcp_info`` of a transport's socket, or ``b""`` where there is none."""
    sock = None if transport is None else transport.get_extra_info("socket")
    sock = getattr(sock, "_sock", sock)  # asyncio's wrapper is slower
    if sock is None or sys.platform != "linux":
        return bytes
    info = partial(sock.getsockopt, socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_RECEIVED.stop)
    try:
        info()
    except _CLOSED:  # or not of TCP
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


poll_descriptor: Callable[[int], Poll] = _with_poll if hasattr(select, "poll") else _with_select
