"""`Connector`: stale connections, retries by aiohttp, foreign exceptions and cancelled lookups."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import aiohttp
import pytest
import trustme

from calls import (
    DRAFT,
    KEYED,
    NO_RETRY,
    SAFE_GET,
    TOKEN,
    UNSAFE_GET,
    StuckResolver,
    error_of,
    link_request,
    open_session,
    respond,
)
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectionLost,
    OutcomeUnknown,
    Phase,
    SessionError,
    Timeouts,
)
from kfq_async.transport import connector as connector_module
from kfq_async.transport.arrivals import make_poll
from kfq_async.transport.connector import MAX_NEW, Connector
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from ssl import SSLContext

T = TypeVar("T")
UNREQUESTED = success({"orderNo": "ANOTHER TENANT'S", "authUrl": "u"})


@asynccontextmanager
async def serve_and_push(pushed: bytes) -> AsyncIterator[tuple[str, list[bytes], asyncio.Semaphore]]:
    """Run a server that sends ``pushed`` after each response, and yield its base URL, requests and pushes."""
    requests: list[bytes] = []
    pushes = asyncio.Semaphore(0)
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                requests.append(await reader.readexactly(length))
                writer.write(success())
                await asyncio.sleep(0.02)
                writer.write(pushed)
                pushes.release()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas", requests, pushes
        await asyncio.gather(*filter(None, serving))


async def wait_for(pushes: asyncio.Semaphore, number: int) -> None:
    """Wait until the client has received so many more pushes: a turn of the event loop after they were written."""
    for _ in range(number):
        await pushes.acquire()
    await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "pushed", [UNREQUESTED, UNREQUESTED[:20], http_response("timeout", 408, Connection="close"), b"garbage"]
)
async def test_idle_connection_with_data_is_dropped(pushed: bytes) -> None:
    """A connection that received data while it was idle is dropped, and the call uses another one."""
    async with (
        serve_and_push(pushed) as (base_url, requests, pushes),
        AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY) as session,
    ):
        for _ in range(3):
            assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
            await wait_for(pushes, 1)
    assert len(requests) == 3


async def test_many_idle_connections_with_data_are_dropped() -> None:
    """After twenty idle connections were dropped, the call is sent once, on a fresh one."""
    async with (
        serve_and_push(UNREQUESTED) as (base_url, requests, pushes),
        AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY) as session,
    ):
        await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(20)))
        await wait_for(pushes, 20)
        assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
    assert len(requests) == 21


class StaleConnector(aiohttp.TCPConnector):
    """A connector whose connections are all stale."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection that must not be used."""
        connection = await super().connect(*args, **options)
        self.made += 1
        assert connection.protocol is not None
        connection.protocol.force_close()
        return connection


async def test_stale_connections_are_bounded() -> None:
    """When every connection is stale the call fails as not sent, after a bounded number of connections."""
    connector = StaleConnector()
    async with (
        ScriptedServer(respond(success())) as server,
        connector,
        open_session(server, connector=connector, retry=NO_RETRY) as session,
    ):
        error = await error_of(session)
        assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)
        assert connector.made == MAX_NEW
        assert server.requests == []


@pytest.mark.parametrize("kept", [False, True])
async def test_aiohttp_retries_nothing(*, kept: bool) -> None:
    """A GET whose fresh or kept connection is lost is sent once, although aiohttp would retry it."""
    script = respond(*[success()] * kept, None)
    async with ScriptedServer(script) as server, open_session(server, retry=NO_RETRY) as session:
        if kept:
            await session.send(UNSAFE_GET)
        error = await error_of(session, UNSAFE_GET, {})
        assert (len(server.requests), server.connections) == (1 + kept, 1)
    assert type(error) is OutcomeUnknown
    assert (type(error.original_error), error.phase) == (ConnectionLost, Phase.SENT)


class CustomError(Exception):
    """An exception class that only a custom connector knows."""


FOREIGN = [
    aiohttp.ClientPayloadError("SECRET"),
    AssertionError("SECRET"),
    ConnectionResetError("SECRET"),
    CustomError("SECRET"),
    EOFError("SECRET"),
    ExceptionGroup("SECRET", [ValueError("SECRET")]),
    KeyError("SECRET"),
    RuntimeError("SECRET"),
    StopIteration("SECRET"),
    TimeoutError("SECRET"),
    UnicodeError("SECRET"),
]


@pytest.mark.parametrize("raised", FOREIGN, ids=lambda raised: type(raised).__name__)
@pytest.mark.parametrize("phase", [Phase.NOT_SENT, Phase.SENT])
async def test_exception_of_a_custom_connector(
    raised: Exception, phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any exception of a connector is ``not_sent`` before the connection stands, and ``sent`` afterwards."""

    class Failing(aiohttp.TCPConnector):
        """A connector that fails before or after it has a connection."""

        async def connect(self, *args: Any, **options: Any) -> Any:
            """Raise, or return a connection that raises when it is used."""
            if phase is Phase.NOT_SENT:
                raise type(raised)(*raised.args)
            connection = await super().connect(*args, **options)

            async def fail() -> Any:
                raise type(raised)(*raised.args)

            assert connection.protocol is not None
            monkeypatch.setattr(connection.protocol, "read", fail)
            return connection

    async with (
        ScriptedServer(respond(success())) as server,
        Failing(limit=1) as connector,
        open_session(server, connector=connector, retry=NO_RETRY) as session,
    ):
        for _ in range(2):
            error = await error_of(session, SAFE_GET, {})
            assert isinstance(error, ConnectError if phase is Phase.NOT_SENT else ConnectionLost | AttemptTimeout)
            assert error.phase is phase
            assert "SECRET" not in str(error)
            assert error.__context__ is None


async def test_connector_that_cancels_without_reason() -> None:
    """A `CancelledError` that a connector raises by itself fails the attempt, and does not cancel the caller."""

    class Cancelling(aiohttp.TCPConnector):
        """A connector that raises `asyncio.CancelledError`."""

        async def connect(self, *_: Any, **__: Any) -> Any:
            """Raise although the task is not cancelled."""
            raise asyncio.CancelledError

    async with Cancelling() as connector, AsyncSession(TOKEN, connector=connector, retry=NO_RETRY) as session:
        error = await error_of(session, KEYED, {})
    assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)


async def test_idle_connection_closed_by_the_server() -> None:
    """A connection that the server closed while it was idle is not reused, and the call is sent once."""
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(success())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        closed.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas"
        async with AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY) as session:
            for _ in range(3):
                assert (await session.send(KEYED)).attempts == 1
                await closed.wait()
                closed.clear()
                await asyncio.sleep(0.05)  # the end of the connection reaches the client


async def test_connector_closed_during_a_lookup() -> None:
    """Closing the connector during a name lookup fails the attempt, and does not cancel the caller."""
    resolver = StuckResolver()
    connector = aiohttp.TCPConnector(resolver=resolver, family=socket.AF_INET)
    async with AsyncSession(
        TOKEN, base_url="http://platform.invalid/x", connector=connector, retry=NO_RETRY
    ) as session:
        call = asyncio.create_task(error_of(session, KEYED, {}))
        await resolver.called.wait()
        await connector.close()
        error = await call
    assert (type(error), error.phase) == (SessionError, Phase.NOT_SENT)
    assert not call.cancelled()


async def test_cancellation_during_a_lookup() -> None:
    """A cancellation by the caller during a name lookup passes through."""
    resolver = StuckResolver()
    connector = aiohttp.TCPConnector(resolver=resolver, family=socket.AF_INET)
    async with (
        connector,
        AsyncSession(TOKEN, base_url="http://platform.invalid/x", connector=connector, retry=NO_RETRY) as session,
    ):
        call = asyncio.create_task(session.send(KEYED))
        await resolver.called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_attributes_that_aiohttp_uses() -> None:
    """Other attributes do not exist, so a version of aiohttp that uses them fails before anything is sent."""
    async with aiohttp.TCPConnector() as connector:
        wrapped = Connector(connector)
        assert wrapped.allowed_protocol_schema_set == connector.allowed_protocol_schema_set
        assert not hasattr(wrapped, "limit")
        assert not wrapped.closed
        await wrapped.close()
        assert wrapped.closed


# Data that the event loop has not read yet


class PushingServer:
    """A server in a thread of its own: it answers, and pushes when the test says so, while the event loop is blocked.

    ``early`` is sent on each of the first ``early_connections`` new connections before a request.
    """

    def __init__(self, *, ssl: SSLContext | None = None, early: bytes = b"", early_connections: int = 0) -> None:
        self.requests = 0
        self.connections = 0
        self._early = early
        self._early_connections = early_connections
        self._ssl = ssl
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._ssl))
        host, port = self._server.sockets[0].getsockname()
        self.base_url = f"{'http' if self._ssl is None else 'https'}://{host}:{port}/resrun-paas"
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def push(self, data: bytes) -> None:
        """Send data on the last connection, or close it if there is none; return when that is done."""

        async def push() -> None:
            if data:
                self._writers[-1].write(data)
            else:
                self._writers[-1].transport.abort()
            await asyncio.sleep(0.01)  # an aborted connection is closed in the next step

        self._run(push())

    def push_raw(self, data: bytes) -> None:
        """Send bytes on the socket of the last connection, below TLS."""
        os.write(self._writers[-1].get_extra_info("socket").fileno(), data)

    def _run(self, step: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.connections <= self._early_connections:
                writer.write(self._early)
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
                self.requests += 1
                writer.write(success())

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


class Slow(aiohttp.TCPConnector):
    """A connector that returns a new connection when something has arrived on it, or after a moment."""

    longest = 0.1
    """Seconds to wait at most."""

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Wait without giving way to the event loop: the kernel receives meanwhile."""
        connection = await super().connect(*args, **options)
        poll, end = make_poll(connection.transport), time.monotonic() + self.longest
        while not poll(0) and time.monotonic() < end:
            pass
        return connection


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize("pushed", [UNREQUESTED, http_response("timeout", 408, Connection="close"), b""])
async def test_data_that_the_kernel_holds(pushed: bytes, *, tls: bool, authority: trustme.CA) -> None:
    """A connection is dropped if data, or its end, arrived on it while the event loop was blocked."""
    server_context, context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    authority.configure_trust(context)
    with PushingServer(ssl=server_context if tls else None) as server:
        async with AsyncSession(
            TOKEN, base_url=server.base_url, ssl=context if tls else None, retry=NO_RETRY
        ) as session:
            for number in range(1, 4):
                assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
                assert server.connections == number
                server.push(pushed)
        assert server.requests == 3


async def test_cancellation_while_tickets_are_read(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is cancelled while the event loop reads session tickets gives its new connection back."""
    server_context, context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    authority.configure_trust(context)
    reading = asyncio.Event()

    async def read_for_ever() -> None:
        reading.set()
        await asyncio.Event().wait()

    with PushingServer(ssl=server_context) as server:
        async with (
            Slow(ssl=context, limit=1) as connector,
            AsyncSession(TOKEN, base_url=server.base_url, connector=connector, retry=NO_RETRY) as session,
        ):
            with monkeypatch.context() as patch:
                patch.setattr(connector_module, "let_read", read_for_ever)
                call = asyncio.create_task(session.send(KEYED))
                await reading.wait()
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            assert (await session.send(KEYED)).attempts == 1


@contextmanager
def serve_handshakes(context: ssl.SSLContext) -> Iterator[str]:
    """Accept connections in a thread, make the TLS handshake of each and close it; yield the base URL."""

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            if closing:
                connection.close()
                return
            with suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

    closing: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}/resrun-paas"
        finally:
            closing.append(True)
            socket.create_connection(listener.getsockname()).close()
            thread.join()


async def test_server_that_wants_a_certificate(authority: trustme.CA) -> None:
    """A TLS 1.3 server refuses the client's certificate after the handshake: nothing was sent."""
    server_context, context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    authority.configure_trust(server_context)
    authority.configure_trust(context)
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.minimum_version = ssl.TLSVersion.TLSv1_3
    with serve_handshakes(server_context) as base_url:
        connector = Slow(ssl=context)
        connector.longest = 10
        async with connector, AsyncSession(TOKEN, base_url=base_url, connector=connector) as session:
            for operation in (KEYED, DRAFT):
                error = await error_of(session, operation, {})
                assert (type(error), error.phase, error.attempts) == (CertificateError, Phase.NOT_SENT, 1)
                assert "refused the TLS handshake: TLSV13_ALERT_CERTIFICATE_REQUIRED" in str(error)


async def test_session_tickets_are_no_response(authority: trustme.CA) -> None:
    """The session tickets that a TLS 1.3 server sends after the handshake do not make a new connection stale."""
    server_context, context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    authority.configure_trust(context)
    with PushingServer(ssl=server_context) as server:
        async with AsyncSession(TOKEN, base_url=server.base_url, ssl=context, retry=NO_RETRY) as session:
            for _ in range(3):
                await session.auth.corp_ident_link(link_request())
        assert (server.connections, server.requests) == (1, 3)


async def test_part_of_a_tls_record(authority: trustme.CA) -> None:
    """A connection is dropped if the beginning of a TLS record was read while it was idle."""
    server_context, context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    authority.configure_trust(context)
    with PushingServer(ssl=server_context) as server:
        async with AsyncSession(TOKEN, base_url=server.base_url, ssl=context, retry=NO_RETRY) as session:
            await session.auth.corp_ident_link(link_request())
            server.push_raw(b"\x17\x03\x03\x01\x00" + bytes(10))  # application data, 10 bytes of 256
            await asyncio.sleep(0.05)
            await session.auth.corp_ident_link(link_request())
        assert (server.connections, server.requests) == (2, 2)


# The time between the check of a connection and the first write


def trace(monkeypatch: pytest.MonkeyPatch, event: str, hook: Callable[..., Coroutine[Any, Any, None]]) -> None:
    """Call a tracing hook, as instrumentation does, in every session that is opened from now on."""
    config = aiohttp.TraceConfig()
    getattr(config, event).append(hook)
    monkeypatch.setattr(aiohttp, "ClientSession", partial(aiohttp.ClientSession, trace_configs=[config]))


@pytest.mark.parametrize("event", ["on_request_headers_sent", "on_request_chunk_sent"])
@pytest.mark.parametrize("pushed", [UNREQUESTED, UNREQUESTED[:20], b""])
async def test_data_that_arrives_before_the_first_write(
    event: str, pushed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that arrives while a hook delays the first write is no response: the call is sent on another connection."""
    pushes = 0

    async def push(*_: object) -> None:
        nonlocal pushes
        if server.requests == 1 and not pushes:
            pushes += 1
            await asyncio.to_thread(server.push, pushed)
            await asyncio.sleep(0.05)

    trace(monkeypatch, event, push)
    with PushingServer() as server:
        async with AsyncSession(TOKEN, base_url=server.base_url) as session:
            for _ in range(2):
                assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
        assert (server.connections, server.requests, pushes) == (2, 2, 1)


@pytest.mark.parametrize("event", ["on_request_headers_sent", "on_request_chunk_sent"])
@pytest.mark.parametrize("problem", [KeyError("x"), asyncio.CancelledError(), OSError("x")])
async def test_hook_that_fails_before_the_first_write(
    event: str, problem: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that raises before anything is written leaves the call unsent."""

    async def fail(*_: object) -> None:
        raise problem

    trace(monkeypatch, event, fail)
    async with ScriptedServer(respond(success())) as server, open_session(server, retry=NO_RETRY) as session:
        error = await error_of(session, DRAFT, {})
        assert (type(error), error.phase) == (ConnectError, Phase.NOT_SENT)
    assert server.requests == []


async def test_hook_that_hangs_before_the_first_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that expires before anything is written leaves the call unsent."""

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    trace(monkeypatch, "on_request_headers_sent", hang)
    timeouts = Timeouts(attempt=0.1)
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, retry=NO_RETRY, timeouts=timeouts) as session,
    ):
        error = await error_of(session, DRAFT, {})
        assert (type(error), error.phase) == (AttemptTimeout, Phase.NOT_SENT)
        assert "not written within 0.1 s" in str(error)
    assert server.requests == []


@pytest.mark.parametrize(("early", "kind"), [(3, None), (MAX_NEW, ConnectError)])
async def test_new_connection_with_data(early: int, kind: type[ConnectError] | None) -> None:
    """A new connection on which data arrived is dropped as well, up to a number."""
    with PushingServer(early=UNREQUESTED, early_connections=early) as server:
        async with (
            Slow() as connector,
            AsyncSession(TOKEN, base_url=server.base_url, connector=connector, retry=NO_RETRY) as session,
        ):
            if kind is None:
                assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
                assert server.connections == early + 1
            else:
                error = await error_of(session)
                assert (type(error), error.phase) == (kind, Phase.NOT_SENT)
                assert "UnrequestedData" in str(error)
                assert (server.connections, server.requests) == (early, 0)
