"""`Arrivals`: what is seen to have arrived on a connection."""

from __future__ import annotations

import asyncio
import socket
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpResponseParser, HttpResponseParserPy

from kfq_async.transport import arrivals as arrivals_module
from kfq_async.transport.arrivals import Arrivals, holds_head, make_poll

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


def tls_transport(sock: socket.socket) -> asyncio.BaseTransport:
    """Return a transport that has a socket and TLS."""
    return asyncio.BaseTransport({"socket": sock, "ssl_object": object()})


@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_part_of_a_record(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that OpenSSL has read since the connection was given back are seen where the system counts them."""
    monkeypatch.setattr(sys, "platform", system)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        peer, _ = server.accept()
        with peer:
            arrivals = Arrivals(tls_transport(ours))
            peer.send(b"x")
            assert ours.recv(1)
            assert arrivals.while_idle(None) is (system == "linux")
            arrivals.user = 1
            assert not arrivals.while_idle(None)
            arrivals.release(1)
            assert not arrivals.while_idle(None)


def test_two_users() -> None:
    """A user that gives a connection back after another one has received it changes nothing."""
    ours, peer = socket.socketpair()
    with ours, peer:
        arrivals = Arrivals(tls_transport(ours))
        arrivals.user = 2
        arrivals.release(1)
        assert arrivals.user == 2
        assert not arrivals.unrequested
        arrivals.release(2)
        assert arrivals.user is None
        assert arrivals.unrequested


@pytest.mark.parametrize("problem", [OSError, ValueError])
def test_closed_connection(problem: type[Exception]) -> None:
    """The bytes of a closed connection are unknown; the loops report it with different exceptions."""
    found = Mock()
    found.fileno.return_value = -1
    found._sock.getsockopt.return_value = bytes(136)
    arrivals = Arrivals(tls_transport(found))
    found._sock.getsockopt.side_effect = problem
    assert arrivals.count() == b""
    arrivals.user = 1
    arrivals.release(1)
    assert not arrivals.while_idle(None)
    assert Arrivals(tls_transport(found)).count() == b""


RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize("kind", [HttpResponseParser, HttpResponseParserPy])
@pytest.mark.parametrize(("rest", "found"), [(b"", False), (b"HTTP/1.1 20", True), (b"HTTP/1.1 200 OK\r\nCo", True)])
async def test_part_of_a_head(kind: Any, rest: bytes, *, found: bool) -> None:
    """The beginning of a head that came with a response, or after it, is seen in the parser."""
    loop = asyncio.get_running_loop()
    parser = kind(BaseProtocol(loop), loop, 65536, response_with_body=True, max_line_size=8190, max_field_size=8190)
    messages, _, _ = parser.feed_data(RESPONSE + rest)
    assert len(messages) == 1
    assert holds_head(SimpleNamespace(_parser=parser)) is found


def test_parser_that_raises() -> None:
    """What a parser cannot take for a head is none, but has arrived; a protocol may have no parser."""
    assert holds_head(SimpleNamespace(_parser=Mock(feed_eof=Mock(side_effect=ValueError))))
    assert not holds_head(SimpleNamespace(_parser=None))
