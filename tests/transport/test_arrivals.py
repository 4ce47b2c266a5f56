"""`Arrivals`: what is seen to have arrived on a connection."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from kfq_async.transport import arrivals as arrivals_module
from kfq_async.transport.arrivals import Arrivals, make_poll

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("make", [arrivals_module._with_poll, arrivals_module._with_select])
def test_readable_sockets(make: Callable[[int], Callable[[float], object]]) -> None:
    """Data and the end of the stream make a socket readable, whichever system call finds it out."""
    ours, peer = socket.socketpair()
    with ours, peer:
        poll = make(ours.fileno())
        assert not poll(0)
        peer.send(b"x")
        assert poll(0)
        ours.recv(1)
        assert not poll(0)
        peer.close()
        assert poll(0)


@pytest.mark.parametrize("found", [None, socket.socket()])
def test_transport_without_an_open_socket(found: socket.socket | None) -> None:
    """A transport that has no socket, or a closed one, holds no data."""
    if found is not None:
        found.close()
    assert not make_poll(asyncio.BaseTransport({"socket": found}))(0)
    assert not make_poll(None)(0)


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_bytes_that_were_read(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that were read since the connection was given back are seen where the system counts them."""
    monkeypatch.setattr(sys, "platform", system)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        peer, _ = server.accept()
        with peer:
            arrivals = Arrivals(asyncio.BaseTransport({"socket": ours}))
            peer.send(b"x")
            assert ours.recv(1)
            assert arrivals.while_idle() is arrivals.before_request() is (system == "linux")
            arrivals.user = 1
            arrivals.release(1)
            assert not arrivals.while_idle()


def test_two_users() -> None:
    """A user that gives a connection back after another one has received it changes nothing."""
    ours, peer = socket.socketpair()
    with ours, peer:
        arrivals = Arrivals(asyncio.BaseTransport({"socket": ours}))
        arrivals.user = 1
        assert not arrivals.while_idle()
        arrivals.user = 2
        arrivals.release(1)
        assert arrivals.user == 2
        peer.send(b"x")
        assert arrivals.while_idle()


def test_session_tickets() -> None:
    """What arrives on a new TLS connection is not unrequested before the connection has served a request."""
    ours, peer = socket.socketpair()
    with ours, peer:
        arrivals = Arrivals(asyncio.BaseTransport({"socket": ours, "ssl_object": object()}))
        peer.send(b"ticket")
        assert not arrivals.before_request()
        arrivals.user = 1
        arrivals.release(1)
        assert arrivals.before_request()


def test_closed_connection() -> None:
    """A connection that was closed can be given back."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        arrivals = Arrivals(asyncio.BaseTransport({"socket": ours}))
        arrivals.user = 1
        ours.close()
        arrivals.release(1)
        assert arrivals.user is None
