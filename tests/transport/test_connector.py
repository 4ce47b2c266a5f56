"""`Connector`: connections with data that nobody requested, retries of aiohttp's own, and lost look-ups."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from calls import KEYED, LOOK, ONCE, TOKEN, failed, link_request, opened
from kfq_async import AsyncSession, ConnectError, ConnectionLost, OutcomeUnknown, Phase
from kfq_async.transport.connector import MAX_STALE, Connector
from servers import ScriptedServer, Seen, answer, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OTHER = success({"orderNo": "ANOTHER TENANT'S", "authUrl": "u"})


@asynccontextmanager
async def pushing(pushed: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve a platform that pushes data on each connection after its first response; yield base URL and requests."""
    requests: list[bytes] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                requests.append(await reader.readexactly(length))
                writer.write(success())
                await asyncio.sleep(0.02)
                writer.write(pushed)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas", requests
        await asyncio.gather(*filter(None, serving))


@pytest.mark.parametrize("pushed", [OTHER, answer("timeout", 408, Connection="close"), b"garbage"])
async def test_data_on_an_idle_connection_is_nobodys_response(pushed: bytes) -> None:
    """A connection on which something arrived while it was idle is dropped; the call goes on with another one."""
    async with pushing(pushed) as (base_url, requests), AsyncSession(TOKEN, base_url=base_url, retry=ONCE) as session:
        for _ in range(3):
            assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
            await asyncio.sleep(0.05)
    assert len(requests) == 3


async def test_many_idle_connections_with_data() -> None:
    """However many idle connections have to be dropped, the call is sent once, on a fresh one."""
    async with pushing(OTHER) as (base_url, requests), AsyncSession(TOKEN, base_url=base_url, retry=ONCE) as session:
        await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(20)))
        await asyncio.sleep(0.05)
        assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
    assert len(requests) == 21


class Talking(aiohttp.TCPConnector):
    """A connector whose connections all have data that nobody requested."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Make a connection, and mark it as one that is not to be used."""
        connection = await super().connect(*args, **options)
        self.made += 1
        assert connection.protocol is not None
        connection.protocol.force_close()
        return connection


async def test_a_bounded_number_of_connections() -> None:
    """A server that talks on every connection before it is spoken to gets no request, and the call ends as not sent."""

    async def script(_number: int, _seen: Seen) -> bytes:
        return success()

    connector = Talking()
    async with (
        ScriptedServer(script) as server,
        connector,
        opened(server, connector=connector, retry=ONCE) as session,
    ):
        error = await failed(session)
        assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)
        assert connector.made == MAX_STALE
        assert server.seen == []


async def test_aiohttp_repeats_nothing() -> None:
    """A GET whose connection is lost is sent once, whatever aiohttp would repeat."""

    async def script(_number: int, _seen: Seen) -> None:
        return None

    async with ScriptedServer(script) as server, opened(server, retry=ONCE) as session:
        error = await failed(session, LOOK, {})
        assert len(server.seen) == 1
    assert type(error) is OutcomeUnknown
    assert (type(error.original_error), error.phase) == (ConnectionLost, Phase.SENT)


class Waiting(aiohttp.abc.AbstractResolver):
    """A resolver that takes its time."""

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def resolve(self, *_: Any, **__: Any) -> Any:
        """Look a name up for a minute."""
        self.called.set()
        await asyncio.sleep(60)

    async def close(self) -> None:
        """Do nothing."""


async def test_a_connector_closed_during_a_look_up() -> None:
    """The cancellation that the closed connector causes is a failed attempt, not a cancellation of the caller."""
    resolver = Waiting()
    connector = aiohttp.TCPConnector(resolver=resolver, family=socket.AF_INET)
    async with AsyncSession(TOKEN, base_url="http://platform.invalid/x", connector=connector, retry=ONCE) as session:
        call = asyncio.create_task(failed(session, KEYED, {}))
        await resolver.called.wait()
        await connector.close()
        error = await call
    assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)
    assert not call.cancelled()


async def test_cancelling_during_a_look_up() -> None:
    """A cancellation from outside passes through."""
    resolver = Waiting()
    connector = aiohttp.TCPConnector(resolver=resolver, family=socket.AF_INET)
    async with (
        connector,
        AsyncSession(TOKEN, base_url="http://platform.invalid/x", connector=connector, retry=ONCE) as session,
    ):
        call = asyncio.create_task(session.send(KEYED))
        await resolver.called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_only_what_aiohttp_uses() -> None:
    """Another attribute than the known ones is an error, so another version of aiohttp fails before it sends."""
    async with aiohttp.TCPConnector() as connector:
        wrapped = Connector(connector)
        assert wrapped.allowed_protocol_schema_set == connector.allowed_protocol_schema_set
        assert not hasattr(wrapped, "limit")
        assert not wrapped.closed
        await wrapped.close()
        assert wrapped.closed
