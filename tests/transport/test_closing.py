"""Ends of a call that the transport must keep apart: closed sessions and connectors, stalled uploads, queues."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from aiohttp import TCPConnector
from yarl import URL

from calls import (
    KEYED,
    NO_RETRY,
    RATE_LIMITED,
    SAFE_GET,
    TOKEN,
    StuckResolver,
    error_of,
    never_respond,
    open_session,
    respond,
)
from kfq_async import AsyncSession, ConnectTimeout, Phase, SessionError, Timeouts
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.translation import translate
from servers import ReceivedRequest, ScriptedServer, success


async def test_connector_closed_between_two_attempts() -> None:
    """A connector that its owner closed ends a call with `SessionError`, which keeps the phase ``sent``."""
    connector = TCPConnector()

    async def script(_number: int, _seen: ReceivedRequest) -> None:
        await connector.close()

    async with ScriptedServer(script) as server, open_session(server, connector=connector) as session:
        error = await error_of(session, SAFE_GET, {})
    assert (type(error), error.phase, error.attempts) == (SessionError, Phase.SENT, 2)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("end", ["close", "attempt timeout"])
async def test_closing_does_not_wait_for_a_stalled_upload(end: str) -> None:
    """A server that stops reading a large request delays neither the close of the session nor its connection."""
    arrived, closed = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        await closed.wait()
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas"
        timeouts = Timeouts(attempt=1 if end == "attempt timeout" else 60)
        session = AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY, timeouts=timeouts)
        call = asyncio.create_task(error_of(session, KEYED, {"a": "x" * 20_000_000}))
        await arrived.wait()
        await asyncio.sleep(0.1)
        try:
            async with asyncio.timeout(10):
                await session.aclose()
                error = await call
        finally:
            closed.set()
            call.cancel()
    assert error.phase is Phase.SENT


async def test_closing_ends_calls_that_wait_for_a_permit() -> None:
    """Closing a session ends calls that wait for a permit at once, and not one by one at the rate of the limit."""
    async with ScriptedServer(respond(success())) as server:
        session = open_session(server, rate_limit=0.05)
        await session.send(RATE_LIMITED)
        calls = [asyncio.create_task(error_of(session, RATE_LIMITED, {})) for _ in range(3)]
        await asyncio.sleep(0.05)
        await session.aclose()
        async with asyncio.timeout(10):
            errors = await asyncio.gather(*calls)
    assert {(type(error), error.phase) for error in errors} == {(SessionError, Phase.NOT_SENT)}


async def test_reason_of_a_limited_call_without_a_slot() -> None:
    """A limited call that has its permit, and waits for a slot, names ``concurrency`` and not ``rate_limit``."""
    async with ScriptedServer(never_respond) as server, open_session(server, concurrency=1) as session:
        running = asyncio.create_task(session.send(KEYED))
        await server.wait_for_requests()
        error = await error_of(session.with_options(timeouts=Timeouts(total=0.3)), RATE_LIMITED, {})
        running.cancel()
    assert "the concurrency of the session is 1" in str(error)


async def test_attempt_that_expires_while_connecting() -> None:
    """An attempt that expires before it has a connection is a `ConnectTimeout`: nothing was sent.

    aiohttp rounds its connect timeout up to a whole second above 5 s, so with ``Timeouts(connect=5.05, attempt=0.05)``
    the attempt's own deadline comes first.
    """
    timeouts = Timeouts(connect=5.05, attempt=0.05)
    attempt = Attempt(timeouts, total_at=float("inf"))
    attempt.connecting = True
    late = asyncio.get_running_loop().time() + 6
    with pytest.raises(TimeoutError) as caught:  # noqa: PT012  # the scope is what is tested
        async with attempt.scope:
            attempt.check(late)
            attempt.check(late)
            await asyncio.sleep(60)
    error = translate(caught.value, attempt, timeouts, URL("http://127.0.0.1:1/"))
    assert type(error) is ConnectTimeout
    assert error.phase is Phase.NOT_SENT


async def test_body_above_a_mebibyte_warns_of_nothing() -> None:
    """A request above 1 MiB, such as one with an uploaded file, causes no `ResourceWarning` of aiohttp."""
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        assert (await session.send(KEYED, {"a": "x" * 2_000_000})).attempts == 1


async def test_total_expires_before_the_first_attempt() -> None:
    """A ``total`` that expires before the first attempt is not reported as one between two attempts."""
    base_url = "http://127.0.0.1:1/resrun-paas"
    async with AsyncSession(TOKEN, base_url=base_url, timeouts=Timeouts(total=1e-9)) as session:
        error = await error_of(session, KEYED, {})
    assert error.attempts == 0
    assert "between two attempts" not in str(error)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_stalled_upload_is_dropped() -> None:
    """The connection of an upload whose attempt timed out is dropped, with the rest of the request unsent."""
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        await timed_out.wait()
        with suppress(ConnectionError):
            while piece := await reader.read(1_000_000):
                received += len(piece)
        writer.transport.abort()
        ended.set()

    timed_out, ended = asyncio.Event(), asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas"
        timeouts = Timeouts(attempt=1)
        async with AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY, timeouts=timeouts) as session:
            error = await error_of(session, KEYED, {"a": "x" * 50_000_000})
            await asyncio.sleep(0.05)
            timed_out.set()
            async with asyncio.timeout(30):
                await ended.wait()
    assert error.phase is Phase.SENT
    assert received < 50_000_000


async def test_closing_while_connecting() -> None:
    """Closing a session during a name lookup ends the call, unsent."""
    resolver = StuckResolver()
    base_url = "http://platform.invalid/x"
    async with TCPConnector(resolver=resolver) as connector:
        session = AsyncSession(TOKEN, base_url=base_url, connector=connector, timeouts=Timeouts(connect=1))
        call = asyncio.create_task(error_of(session, KEYED, {}))
        await resolver.called.wait()
        await session.aclose()
        error = await call
    assert (type(error), error.phase) == (SessionError, Phase.NOT_SENT)
