"""The first write of a request: checked as it happens, with the credentials of a GET in the request line alone."""

from __future__ import annotations

import ssl
from unittest.mock import Mock

import aiohttp
import pytest
import trustme

from calls import NO_RETRY, SAFE_GET, TOKEN, UNSAFE_GET, error_of, link_request, open_session, respond
from kfq_async import AsyncSession, ConnectError, Phase
from kfq_async.transport.first_write import FirstWrite
from servers import ReceivedRequest, ScriptedServer, success

PATH = "/resrun-paas/kaifangqian/openAPI/V2/contract/tasks"
HEAD = b"GET /a?b=1 HTTP/1.1\r\nHost: h\r\n\r\n"


def target_of(seen: ReceivedRequest) -> str:
    """Return the request target, with ``U`` for the ``uniqueCode`` of the attempt."""
    before, _, after = seen.target.partition("&uniqueCode=")
    code, _, fields = after.partition("&")
    assert len(code) == 32
    return f"{before}&uniqueCode=U&{fields}"


def token_of(seen: ReceivedRequest) -> str:
    """Return the token in the query, or an empty text."""
    return seen.target.partition("appAuthToken=")[2].partition("&")[0]


@pytest.mark.parametrize(
    ("fields", "query"), [({}, ""), ({"contractId": "C-1"}, "contractId=C-1"), ({"a": "某?&"}, "a=%E6%9F%90%3F%26")]
)
async def test_request_target(fields: dict[str, str], query: str) -> None:
    """The credentials come first in the query, then the fields."""
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        await session.send(SAFE_GET, fields)
    assert target_of(server.requests[0]) == f"{PATH}?appAuthToken={TOKEN}&uniqueCode=U&{query}"


async def test_request_target_over_tls() -> None:
    """The credentials are added over TLS, too."""
    authority = trustme.CA()
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    authority.configure_trust(client_side)
    async with (
        ScriptedServer(respond(success()), ssl=server_side) as server,
        open_session(server, ssl=client_side) as session,
    ):
        await session.send(SAFE_GET, {"contractId": "C-1"})
    assert target_of(server.requests[0]) == f"{PATH}?appAuthToken={TOKEN}&uniqueCode=U&contractId=C-1"


async def test_request_target_at_a_proxy() -> None:
    """A proxy for ``http://`` receives the absolute URL with the credentials."""
    async with (
        ScriptedServer(respond(success())) as proxy,
        AsyncSession(TOKEN, base_url="http://platform.example/resrun-paas", proxy=proxy.origin) as session,
    ):
        await session.send(SAFE_GET, {"contractId": "C-1"})
    expected = f"http://platform.example{PATH}?appAuthToken={TOKEN}&uniqueCode=U&contractId=C-1"
    assert target_of(proxy.requests[0]) == expected


async def test_tenants_on_one_connection() -> None:
    """Each request on a shared connection has its own tenant's credentials, and a POST has none in its target."""
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        for token in ("A", "B", "A"):
            await session.for_token(token).send(SAFE_GET, {"a": "1"})
            await session.for_token(token).auth.corp_ident_link(link_request())
    assert server.connections == 1
    assert [token_of(seen) for seen in server.requests] == ["A", "", "B", "", "A", ""]


async def test_request_that_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is released unused keeps no credentials for its next request."""
    original = aiohttp.ClientRequest.send

    async def release(_self: aiohttp.ClientRequest, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        conn.release()
        raise aiohttp.ClientConnectionError

    async with ScriptedServer(respond(success())) as server, open_session(server, retry=NO_RETRY) as session:
        monkeypatch.setattr(aiohttp.ClientRequest, "send", release)
        error = await error_of(session, SAFE_GET, {})
        assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)
        monkeypatch.setattr(aiohttp.ClientRequest, "send", original)
        await session.auth.corp_ident_link(link_request())
        await session.for_token("OTHER").send(SAFE_GET, {})
    assert server.connections == 1
    assert [token_of(seen) for seen in server.requests] == ["", "OTHER"]


UNKNOWN = [
    b"",
    b"PRI * HTTP/2.0\r\n\r\n",
    b"GET /a\r\n\r\n",
    b"GET /a HTTP/1.1",
    b"GET  /a HTTP/1.1\r\n",
    b"\x00\xff\r\n",
]


@pytest.mark.parametrize("head", UNKNOWN)
async def test_head_of_an_unknown_form(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the credentials cannot be added to what is written, nothing is sent."""

    async def send(_self: aiohttp.ClientRequest, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        assert conn.transport is not None
        conn.transport.write(head)
        raise AssertionError

    monkeypatch.setattr(aiohttp.ClientRequest, "send", send)
    async with ScriptedServer(respond(success())) as server, open_session(server, retry=NO_RETRY) as session:
        error = await error_of(session, UNSAFE_GET, {})
        assert "ClientConnectionError" in str(error)
        assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)
    assert server.requests == []


def attach() -> tuple[Mock, Mock, FirstWrite]:
    """Return a transport, the connection that has it, and the `FirstWrite` attached to the connection."""
    transport, connection, attempt, arrivals = Mock(), Mock(), Mock(query_credentials="t=1"), Mock()
    connection.protocol.transport = transport
    connection.protocol.should_close = arrivals.unrequested = False
    return transport, connection, FirstWrite.attach(connection, attempt, arrivals)


def test_head_in_several_chunks() -> None:
    """A head may be written together with what follows it; only the first write is changed."""
    transport, connection, attached = attach()
    assert connection.protocol.transport is attached
    attached.writelines([HEAD[:5], HEAD[5:], b"body"])
    assert connection.protocol.transport == transport
    transport.write.assert_called_once_with(HEAD.replace(b"?", b"?t=1&") + b"body")
    assert "t=1" not in repr(transport.write.call_args)


def test_other_methods_are_those_of_the_transport() -> None:
    """The rest of the transport can be used before the head is written."""
    transport, _, attached = attach()
    attached.pause_reading()
    transport.pause_reading.assert_called_once_with()
    assert attached.is_closing() is transport.is_closing()


def test_detach_after_the_connection_was_lost() -> None:
    """The transport of a lost connection is not put back."""
    _, connection, _ = attach()
    connection.protocol.transport = None
    connection.add_callback.call_args.args[0]()
    assert connection.protocol.transport is None
