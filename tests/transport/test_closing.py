"""Ends of a call that the transport must keep apart: closed sessions and connectors, stalled uploads, queues."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientRequest, ClientResponse, TCPConnector
from yarl import URL

from calls import (
    DRAFT,
    KEYED,
    NO_RETRY,
    RATE_LIMITED,
    SAFE_GET,
    TOKEN,
    StuckResolver,
    error_of,
    link_request,
    never_respond,
    open_session,
    refusal,
    respond,
)
from kfq_async import (
    AsyncSession,
    ConnectError,
    ConnectTimeout,
    CorpIdentLinkRequest,
    KfqError,
    OutcomeUnknown,
    Phase,
    RetryPolicy,
    SessionError,
    Timeouts,
)
from kfq_async.protocol.requests import HttpRequest, PreparedCall
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.call import Call
from kfq_async.transport.translation import translate
from servers import ReceivedRequest, ScriptedServer, http_response, success


async def test_connector_closed_during_a_call() -> None:
    """A connector that its owner closed ends a call with `SessionError`, with its phase."""
    connector = TCPConnector()

    async def script(_number: int, _seen: ReceivedRequest) -> None:
        await connector.close()

    async with ScriptedServer(script) as server, open_session(server, connector=connector) as session:
        error = await error_of(session, SAFE_GET, {})
    assert (type(error), error.phase, error.attempts) == (SessionError, Phase.SENT, 1)


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


# What closing ends


async def test_closing_ends_a_wait_for_the_next_attempt() -> None:
    """A call that waits for its next attempt ends when the session is closed, with the phase of the last one."""
    async with ScriptedServer(respond(None)) as server:
        session = open_session(server, retry=RetryPolicy(initial=60, maximum=60))
        calls = [
            asyncio.create_task(error_of(session, KEYED, {"clientRequestId": "1"})),
            asyncio.create_task(error_of(session, SAFE_GET, {})),
        ]
        await server.wait_for_requests(2)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(10):
            await session.aclose()
            errors = await asyncio.gather(*calls)
    assert {(type(error), error.phase, error.attempts) for error in errors} == {(SessionError, Phase.SENT, 1)}


async def test_closing_ends_a_handshake() -> None:
    """A call in a TLS handshake ends when the session is closed, unsent."""
    connected = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        session = AsyncSession(TOKEN, base_url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x")
        call = asyncio.create_task(error_of(session, KEYED, {}))
        await connected.wait()
        async with asyncio.timeout(10):
            await session.aclose()
            error = await call
    assert (type(error), error.phase) == (SessionError, Phase.NOT_SENT)


async def test_closing_leaves_an_operation_without_a_key_in_doubt() -> None:
    """A draft that was sent when the session was closed may have taken effect: `OutcomeUnknown`."""
    async with ScriptedServer(never_respond) as server:
        session = open_session(server)
        call = asyncio.create_task(error_of(session, DRAFT, {}))
        await server.wait_for_requests()
        await session.aclose()
        error = await call
    assert (type(error), error.phase) == (OutcomeUnknown, Phase.SENT)
    assert type(error.original_error) is SessionError


@pytest.mark.parametrize("within", [False, True], ids=["outside", "inside"])
async def test_nothing_runs_on_after_closing(*, within: bool) -> None:
    """When `aclose` returns the calls have ended, also in a task group, which raises their errors."""
    async with ScriptedServer(never_respond) as server:
        session = open_session(server, concurrency=2)
        if within:
            with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012  # the task group is what is tested
                async with asyncio.TaskGroup() as group:
                    for _ in range(4):
                        group.create_task(session.send(KEYED))
                    await server.wait_for_requests(2)
                    await session.aclose()
            assert len(caught.value.exceptions) == 4
        else:
            calls = [asyncio.create_task(error_of(session, KEYED, {})) for _ in range(4)]
            await server.wait_for_requests(2)
            await session.aclose()
            await asyncio.sleep(0)
            assert all(call.done() for call in calls)


@pytest.mark.parametrize("cancelled", [False, True])
async def test_closing_twice_at_once(*, cancelled: bool) -> None:
    """A second caller of `aclose` returns when all is closed, also if the first caller was cancelled."""
    async with ScriptedServer(never_respond) as server:
        session = open_session(server)
        call = asyncio.create_task(error_of(session, KEYED, {}))
        await server.wait_for_requests()
        first = asyncio.create_task(session.aclose())
        await asyncio.sleep(0)
        if cancelled:
            first.cancel()
        await session.aclose()
        assert call.done()
        if cancelled:
            with pytest.raises(asyncio.CancelledError):
                await first
        else:
            assert first.done()
        await session.aclose()
        assert type(await call) is SessionError


async def test_closing_before_a_call_uses_its_slot() -> None:
    """A call that got its slot in the very step in which the session is closed sends nothing."""
    async with ScriptedServer(respond(success())) as server:
        session = open_session(server, concurrency=1)
        queued: list[asyncio.Task[Any]] = []

        async def queue_another() -> None:
            await server.wait_for_requests()
            queued.append(asyncio.create_task(error_of(session, KEYED, {})))

        async with asyncio.TaskGroup() as group:
            group.create_task(queue_another())
            await session.send(KEYED)  # its end hands its slot to the other one
            await session.aclose()
        error = await queued[0]
        assert (type(error), error.phase, error.attempts) == (SessionError, Phase.NOT_SENT, 0)
        assert len(server.requests) == 1


async def test_session_that_a_call_closes() -> None:
    """A signer, which runs within a call, can close the session; the close does not wait for that call for ever."""
    closing: list[asyncio.Task[None]] = []

    class Closer:
        """A signer that closes the session."""

        def sign(self, _: object) -> str:
            """Start to close the session, and sign."""
            closing.append(asyncio.create_task(session.aclose()))
            return "signature"

    async with ScriptedServer(never_respond) as server:
        session = open_session(server, signer=Closer())
        async with asyncio.timeout(10):
            error = await error_of(session, KEYED, {})
            await closing[0]
    assert (type(error), error.phase) == (SessionError, Phase.NOT_SENT)


async def test_interrupting_a_wait_that_has_expired() -> None:
    """A call whose ``total`` expires in the step in which the session is closed is interrupted once."""
    interrupted = asyncio.Event()
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        client = session._client

        def interrupt() -> None:
            client._interrupt_calls()
            interrupted.set()

        with suppress(TimeoutError):
            async with asyncio.timeout(None) as scope:
                client.waits.add(scope)
                scope.reschedule(0.0)
                asyncio.get_running_loop().call_soon(interrupt)  # after the scope has expired
                await asyncio.sleep(60)
        client.waits.discard(scope)
        assert scope.expired()
        assert interrupted.is_set()


async def test_pending_cancellation_comes_first() -> None:
    """A task that is cancelled before its call sends nothing, and ends as cancelled."""
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:

        async def cancel_and_call() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await session.send(KEYED)

        call = asyncio.create_task(cancel_and_call())
        with pytest.raises(asyncio.CancelledError):
            await call
        assert server.requests == []


async def test_call_in_a_task_that_ignored_a_cancellation() -> None:
    """In a task that swallowed a cancellation, such as a clean-up, a failure of the connector is no cancellation."""

    class Cancelling(TCPConnector):
        """A connector that raises `asyncio.CancelledError`."""

        async def connect(self, *_: Any, **__: Any) -> Any:
            """Raise although the task is not cancelled."""
            raise asyncio.CancelledError

    started = asyncio.Event()

    async def clean_up(session: AsyncSession) -> Any:
        try:
            started.set()
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return await error_of(session, KEYED, {})

    async with Cancelling() as connector, AsyncSession(TOKEN, connector=connector, retry=NO_RETRY) as session:
        call = asyncio.create_task(clean_up(session))
        await started.wait()
        await asyncio.sleep(0)
        call.cancel()
        error = await call
    assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)


# What a failed call leaves


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(http_response(b"", 502), id="gateway"),
        pytest.param(None, id="lost"),
        pytest.param(refusal(31000), id="refused"),
        pytest.param(success(None), id="unreadable"),
        pytest.param(success({"orderNo": 5, "authUrl": ["u"]}), id="of wrong types"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nno gzip", id="not compressed"
        ),
        pytest.param(b"SSH-2.0\r\n\r\n", id="not HTTP"),
    ],
)
async def test_failed_call_leaves_no_cycle(response: bytes | None) -> None:
    """A failed call leaves nothing for the garbage collector, which would keep its request for a while."""
    async with ScriptedServer(respond(response)) as server, open_session(server) as session:
        assert await garbage_of(session) == 0


async def test_call_without_a_connection_leaves_no_cycle() -> None:
    """A call that reaches nobody leaves nothing for the garbage collector that holds its request."""
    async with AsyncSession(
        TOKEN, base_url="http://127.0.0.1:1/x", retry=RetryPolicy(attempts=2, initial=0.001)
    ) as session:
        assert await garbage_of(session) == 0


async def garbage_of(session: AsyncSession) -> int:
    """Return how many objects that hold the request, or its call, five failed calls leave in cycles."""
    kept = (CorpIdentLinkRequest, Call, PreparedCall, HttpRequest, ClientRequest, ClientResponse)
    for number in range(6):
        if number == 1:
            gc.collect()
            gc.disable()
        with suppress(KfqError):
            await session.auth.corp_ident_link(link_request())
    try:
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return sum(isinstance(item, kept) for item in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
