"""Uploads on the wire: limits of time, early responses, cancellation, closing, memory, TLS, proxies and observers."""

from __future__ import annotations

import asyncio
import gc
import io
import math
import socket
import struct
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiohttp import TraceConfig

from calls import NO_RETRY, TOKEN, open_session, refusal, respond
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    CredentialsError,
    DocumentUpload,
    KfqError,
    Phase,
    PoolTimeout,
    RetryPolicy,
    SessionError,
    StallTimeout,
    Timeouts,
    TotalTimeout,
    UnexpectedResponse,
    UploadedDocument,
)
from kfq_async.transport.sources import BytesSource, Worker
from kfq_async.transport.threads import FileThreads
from kfq_async.transport.upload import UploadAttempt, UploadCall, UploadFile, UploadPayload
from proxies import ForwardProxy, client_context, server_context
from servers import ScriptedServer, http_response
from tracebacks import render
from uploads import DOCUMENT, LARGE, PDF, PIECES, BodyServer, chunks, discard, open_descriptors, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TOO_LARGE = http_response("<html>413</html>", 413)
LIMITED = refusal(999_999)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A document that fits into no socket's buffer."""
    path = tmp_path / "large.pdf"
    path.write_bytes(LARGE)
    return path


async def upload(server: Any, source: Any, **options: Any) -> UploadedDocument | KfqError:
    """Upload once, unless ``retry`` is given; return the result or the error."""
    progress = options.pop("progress", None)
    async with open_session(server, **{"retry": NO_RETRY, "rate_limit": None, **options}) as session:
        try:
            return await session.files.upload_document(source, name="a", progress=progress)
        except KfqError as error:
            return error


# Limits of time


async def test_stall(path: Path) -> None:
    """A server that stops reading ends the attempt, long before the limit of the attempt, and it is repeated."""
    async with BodyServer() as server:
        progress: list[int] = []
        timeouts = Timeouts(stall=0.2)
        error = await upload(server, path, timeouts=timeouts, progress=lambda sent, _total: progress.append(sent))
        assert isinstance(error, StallTimeout)
        assert max(progress, default=0) < 8_000_000, "sent to the system's buffer, and not to the server"
        assert "no byte of the file was sent or received for 0.2 s (Timeouts.stall)" in str(error)
        assert error.phase is Phase.SENT
        await server.wait_for_end()
    assert path.as_posix() not in open_descriptors()


async def test_connection_without_a_limit_of_unsent_bytes() -> None:
    """A connection that is none of TCP, or has no socket, is used as it is."""
    ours, peer = socket.socketpair()
    with ours, peer:
        for transport in (None, asyncio.Transport({"socket": ours})):
            attempt = UploadAttempt(Timeouts(), total_at=math.inf)
            attempt.mark_connected(0.0, transport)
            assert attempt.stalled


async def test_stall_is_repeated(path: Path) -> None:
    """An upload that stalled is repeated: it has no effect unless it arrives whole."""

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            await asyncio.Event().wait()
        await discard(reader, server.sizes[number])
        writer.write(DOCUMENT)

    async with BodyServer(serve) as server, open_session(server, timeouts=Timeouts(stall=0.3)) as session:
        assert (await session.files.upload_document(path)).doc_id == "D1"
    assert server.sizes[0] == server.sizes[1]


async def test_file_that_opens_slowly() -> None:
    """Nothing was sent if the file was not open in time."""

    class Slow(io.BytesIO):
        seeks = 0

        def seek(self, *arguments: int) -> int:
            self.seeks += 1
            if self.seeks > 3:
                time.sleep(0.6)
            return super().seek(*arguments)

    async with BodyServer() as server:
        error = await upload(server, Slow(PDF), timeouts=Timeouts(stall=0.2))
    assert isinstance(error, StallTimeout)
    assert error.phase is Phase.NOT_SENT


async def test_slow_upload(path: Path) -> None:
    """An upload may take longer than ``attempt``, which begins with its last byte, as long as bytes travel."""

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left = server.sizes[number]
        while left > 0:
            part = min(left, 4 << 20)
            await discard(reader, part)
            left -= part
            await asyncio.sleep(0.1)
        writer.write(DOCUMENT)

    async with BodyServer(serve) as server:
        assert isinstance(await upload(server, path, timeouts=Timeouts(attempt=0.5, stall=2)), UploadedDocument)


async def test_no_response(path: Path) -> None:
    """After the last byte the attempt has its usual limit."""

    async def serve(number: int, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await discard(reader, server.sizes[number])
        await asyncio.Event().wait()

    async with BodyServer(serve) as server:
        error = await upload(server, path, timeouts=Timeouts(attempt=0.3))
    assert type(error) is AttemptTimeout
    assert "0.3 s (Timeouts.attempt)" in str(error)


async def test_total(path: Path) -> None:
    """The limit of the whole call ends an upload that is under way."""
    async with BodyServer() as server:
        error = await upload(server, path, timeouts=Timeouts(total=0.3))
    assert isinstance(error, TotalTimeout)
    assert (error.phase, error.attempts) == (Phase.SENT, 1)


async def never() -> AsyncIterator[bytes]:
    """Yield a piece, and nothing more for ever."""
    yield PDF
    await asyncio.Event().wait()


async def test_total_while_reading() -> None:
    """The limit of the whole call bounds the time in which the source is read."""
    async with BodyServer() as server:
        error = await upload(server, never(), timeouts=Timeouts(total=0.1))
    assert isinstance(error, TotalTimeout)
    assert "while the file was being read" in str(error)
    assert (error.phase, error.attempts, server.sizes) == (Phase.NOT_SENT, 0, [])


class Blocked(io.RawIOBase):
    """Binary file, with or without ``seek``, whose second part never comes before it is `released`."""

    def __init__(self, *, seekable: bool) -> None:
        self.released = threading.Event()
        self.reading = threading.Event()
        self.name = "contract.pdf"
        self._seekable = seekable
        self._position = 0

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def seekable(self) -> bool:
        """Return whether the file can be read again."""
        return self._seekable

    def tell(self) -> int:
        """Return the beginning."""
        return 0

    def seek(self, _offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to the beginning, whatever is asked for."""
        self._position = 0
        return 2 * len(PDF) if whence == io.SEEK_END else 0

    def readinto(self, buffer: Any) -> int:
        """Read the first part, or block."""
        part = PDF[self._position : self._position + len(buffer)]
        self._position += len(part)
        if not part:
            self.reading.set()
            self.released.wait(30)
        buffer[: len(part)] = part
        return len(part)


def file_threads() -> list[threading.Thread]:
    """Return the threads that read files."""
    return [each for each in threading.enumerate() if each.name == "kfq_async file"]


@pytest.mark.parametrize("seekable", [False, True])
async def test_stall_while_reading(*, seekable: bool) -> None:
    """A source without a byte for too long ends the call, before or after the attempt has begun, in one thread."""
    source = Blocked(seekable=seekable)
    async with BodyServer() as server:
        before = file_threads()
        error = await upload(server, source, timeouts=Timeouts(stall=0.2), retry=RetryPolicy(initial=0.01))
        threads = [each for each in file_threads() if each not in before]
        source.released.set()
    assert isinstance(error, StallTimeout)
    assert error.phase is Phase.NOT_SENT
    assert len(threads) == 1
    assert (error.attempts, len(server.sizes)) == ((5, 0) if seekable else (0, 0))
    assert ("could be read for 0.2 s (Timeouts.stall)" in str(error)) is not seekable
    threads[0].join(10)
    assert not threads[0].is_alive()


async def test_stall_of_an_iterable() -> None:
    """An iterable without a chunk for too long ends the call, and empty chunks are none."""

    async def source() -> AsyncIterator[bytes]:
        yield PDF
        while True:
            await asyncio.sleep(0.01)
            yield b""

    async with BodyServer() as server:
        for each in (source(), never()):
            error = await upload(server, each, timeouts=Timeouts(stall=0.2, total=20), retry=RetryPolicy())
            assert type(error) is StallTimeout
            assert (error.phase, error.attempts, server.sizes) == (Phase.NOT_SENT, 0, [])


async def test_slow_iterable() -> None:
    """An iterable may take longer than ``stall`` as a whole."""

    async def source() -> AsyncIterator[bytes]:
        yield PDF
        for _ in range(10):
            await asyncio.sleep(0.1)
            yield b"x"

    async with ScriptedServer(respond(DOCUMENT)) as server:
        assert isinstance(await upload(server, source(), timeouts=Timeouts(stall=0.8)), UploadedDocument)


async def test_blocked_sources_hold_up_nothing_else() -> None:
    """Name look-ups, threads of the program, and uploads from elsewhere go on while files of the caller's block."""
    before = file_threads()
    sources = [Blocked(seekable=False) for _ in range(40)]
    async with ScriptedServer(respond(DOCUMENT)) as server:
        session = open_session(server, rate_limit=None)
        tasks = [asyncio.create_task(session.files.upload_document(each)) for each in sources]
        async with asyncio.timeout(10):
            while sum(each.reading.is_set() for each in sources) < 16:  # noqa: ASYNC110  # set in threads
                await asyncio.sleep(0.01)
        assert await asyncio.wait_for(asyncio.to_thread(str, 5), 10) == "5"
        assert await asyncio.wait_for(asyncio.get_running_loop().getaddrinfo("localhost", 80), 10)
        assert (await asyncio.wait_for(session.files.upload_document(PDF, name="a"), 10)).doc_id == "D1"
        threads = [each for each in file_threads() if each not in before]
        assert 17 <= len(threads) <= 32
        await session.aclose()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(each) for each in outcomes} == {SessionError}
        for each in sources:
            each.released.set()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
    assert sum(each.reading.is_set() for each in sources) == 16


async def test_no_thread_after_closing() -> None:
    """Closing the session ends its threads."""
    before = set(file_threads())
    async with ScriptedServer(respond(DOCUMENT)) as server:
        async with open_session(server, rate_limit=None) as session:
            for source in (PDF, io.BytesIO(PDF), chunks(PDF)):
                await session.files.upload_document(source, name="a")
            assert set(file_threads()) - before
        assert not set(file_threads()) - before


async def test_total_in_the_queue(path: Path) -> None:
    """An upload that waits for its turn has read its file, and has nothing open."""
    async with BodyServer() as server, open_session(server, concurrency=1, rate_limit=None) as session:
        first = await start(session, PIECES)
        with pytest.raises(PoolTimeout):
            await session.with_options(timeouts=Timeouts(total=0.2)).files.upload_document(path)
        assert path.as_posix() not in open_descriptors()
        first.cancel()
        await asyncio.wait({first})


async def test_total_before_an_attempt(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """The limit of the whole call may expire between the queue and the attempt."""

    class Expired(UploadAttempt):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.total_expired = True

    monkeypatch.setattr(UploadCall, "attempt_type", Expired)
    async with BodyServer() as server:
        error = await upload(server, path, timeouts=Timeouts(total=9))
    assert isinstance(error, TotalTimeout)
    assert (error.phase, server.sizes) == (Phase.NOT_SENT, [])


# Early responses


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (TOO_LARGE, UnexpectedResponse),
        (refusal(41000), CredentialsError),
        (DOCUMENT, UnexpectedResponse),
    ],
)
@pytest.mark.parametrize("closes", [False, True])
async def test_early_response(path: Path, response: bytes, kind: type[KfqError], *, closes: bool) -> None:
    """A response that comes while the file is being sent ends the sending and the connection."""

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(300_000)
        writer.write(response)
        await writer.drain()
        if closes:
            writer.write_eof()
        await server.hold(number, reader, writer)

    async with BodyServer(serve) as server:
        error = await upload(server, path)
        assert type(error) is kind, repr(error)
        await server.wait_for_end()
    assert path.as_posix() not in open_descriptors()
    if response is DOCUMENT:
        assert "success was reported before the whole file was sent" in str(error)
        assert error.phase is Phase.SENT
    else:
        assert error.phase is Phase.ANSWERED


async def test_response_before_a_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A response is read although the server resets the connection at once, so that the next write fails."""
    mark_progress = UploadAttempt.mark_progress
    monkeypatch.setattr("kfq_async.transport.upload.SLICE", 1000)  # written at once
    calls: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        accepting = asyncio.create_task(asyncio.get_running_loop().sock_accept(listener))

        def respond_and_reset(attempt: UploadAttempt, now: float) -> None:
            mark_progress(attempt, now)
            calls.append(now)
            if len(calls) == 3:  # after the connection, and two writes
                connection, _ = accepting.result()
                connection.send(TOO_LARGE)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()

        monkeypatch.setattr(UploadAttempt, "mark_progress", respond_and_reset)
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/resrun-paas"
        async with AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY) as session:
            with pytest.raises(UnexpectedResponse) as caught:
                await session.files.upload_document(PIECES, name="a")
    assert caught.value.http_status == 413


async def test_early_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An early refusal for too many calls is repeated on another connection."""
    monkeypatch.setattr("kfq_async.transport.retry.MIN_TOO_FREQUENT", 0.01)

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            writer.write(LIMITED)
            await asyncio.Event().wait()
        await discard(reader, server.sizes[number])
        writer.write(DOCUMENT)

    async with BodyServer(serve) as server, open_session(server, rate_limit=None) as session:
        assert (await session.files.upload_document(path)).doc_id == "D1"
        assert len(server.sizes) == 2


async def test_connection_is_kept(path: Path) -> None:
    """The connection of a complete upload serves the next call."""
    async with ScriptedServer(respond(DOCUMENT)) as server, open_session(server, rate_limit=None) as session:
        for _ in range(2):
            await session.files.upload_document(PIECES, name="a")
        assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("after", [0, 1, 500_000])
async def test_reset(path: Path, after: int) -> None:
    """A connection that is reset is repeated."""

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if number == 0:
            await reader.readexactly(after)
            writer.transport.abort()
            raise ConnectionError
        await discard(reader, server.sizes[number])
        writer.write(DOCUMENT)

    async with BodyServer(serve) as server, open_session(server, rate_limit=None) as session:
        assert (await session.files.upload_document(path)).doc_id == "D1"


# Cancellation and closing


async def start(session: AsyncSession, source: Any) -> asyncio.Task[UploadedDocument]:
    """Start an upload, and wait until its first piece was sent."""
    sent = asyncio.Event()
    task = asyncio.create_task(session.files.upload_document(source, name="a", progress=lambda *_: sent.set()))
    await sent.wait()
    return task


@pytest.mark.parametrize("source", ["path", "iterable"])
async def test_cancellation(path: Path, source: str) -> None:
    """A cancelled upload closes its file and its connection, and leaves no task."""
    async with BodyServer() as server, open_session(server) as session:
        before = open_descriptors()
        task = await start(session, path if source == "path" else chunks(LARGE))
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()
        await server.wait_for_end()
        assert [each for each in asyncio.all_tasks() if "write_bytes" in repr(each)] == []
        assert {each for each in open_descriptors() - before if not each.startswith("socket:")} == set()


async def test_cancellation_while_reading() -> None:
    """A call that is cancelled while its source is being read ends as cancelled, and its generator is closed."""
    started, closed = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        try:
            started.set()
            await asyncio.Event().wait()
            yield PDF
        finally:
            closed.set()

    async with AsyncSession(TOKEN) as session:
        task = asyncio.create_task(session.files.upload_document(source(), name="a"))
        await started.wait()
        task.cancel()
        await asyncio.wait({task})
    assert task.cancelled()
    assert closed.is_set()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_end_of_the_process(kind: type[BaseException]) -> None:
    """An exception of ``progress`` that ends the process is not kept for the call."""

    def end(*_: int) -> None:
        raise kind

    payload = UploadPayload(
        UploadFile(DocumentUpload(PDF, progress=end), BytesSource(PDF), Worker(FileThreads())), b"{"
    )
    with pytest.raises(kind):
        payload._report(1)
    assert payload.callback_error is None


async def test_closing(path: Path) -> None:
    """Closing the session ends an upload as `SessionError`, with its file and its connection."""
    async with BodyServer() as server:
        session = open_session(server)
        task = await start(session, path)
        await session.aclose()
        with pytest.raises(SessionError) as caught:
            await task
        assert caught.value.phase is Phase.SENT
        assert path.as_posix() not in open_descriptors()
        await server.wait_for_end()


async def test_closing_while_reading() -> None:
    """Closing the session ends an upload whose source is being read."""
    started = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        started.set()
        await asyncio.Event().wait()
        yield PDF

    async with BodyServer() as server:
        session = open_session(server)
        task = asyncio.create_task(session.files.upload_document(source(), name="a"))
        await started.wait()
        closing = asyncio.create_task(session.aclose())
        with pytest.raises(SessionError) as caught:
            await task
        assert (caught.value.phase, caught.value.attempts) == (Phase.NOT_SENT, 0)
        await closing


async def test_closing_between_two_chunks() -> None:
    """A chunk that comes while the session is being closed does not keep the call alive."""
    closings = []

    async def source() -> AsyncIterator[bytes]:
        yield PDF
        closings.append(asyncio.create_task(session.aclose()))
        await asyncio.sleep(0)
        yield PDF
        await asyncio.Event().wait()

    async with BodyServer() as server:
        session = open_session(server, timeouts=Timeouts(stall=60))
        with pytest.raises(SessionError):
            await asyncio.wait_for(session.files.upload_document(source(), name="a"), 10)
        await asyncio.gather(*closings)


async def test_closed_session(path: Path) -> None:
    """A closed session reads nothing."""
    async with AsyncSession(TOKEN) as session:
        pass
    with pytest.raises(SessionError, match="the session is closed"):
        await session.files.upload_document(path.parent / "missing.pdf")


async def test_thread_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that cannot be interrupted is awaited for a bounded time, and closes the file when it ends."""
    monkeypatch.setattr("kfq_async.transport.sources.MAX_CLOSING", 0.01)
    began, free, closed = threading.Event(), threading.Event(), asyncio.Event()

    def block() -> None:
        began.set()
        free.wait(10)

    threads = FileThreads()
    worker = Worker(threads)
    task = asyncio.create_task(worker.run(block))
    await asyncio.to_thread(began.wait, 10)
    task.cancel()
    await asyncio.wait({task})
    await worker.finish(closed.set)
    assert not closed.is_set()
    free.set()
    await asyncio.wait_for(closed.wait(), 5)
    await threads.aclose()


async def test_no_reference_cycle(path: Path) -> None:
    """A failed upload leaves no cycle that holds its file."""
    async with ScriptedServer(respond(refusal(31000))) as server, open_session(server) as session:
        with pytest.raises(KfqError):
            await session.files.upload_document(PDF, name="a")
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(KfqError):
                await session.files.upload_document(PDF, name="a")
            # A thread may hold the file for a moment after it was closed; a cycle would hold it for ever.
            async with asyncio.timeout(5):
                while any(isinstance(each, UploadFile | UploadPayload) for each in gc.get_objects()):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        finally:
            gc.enable()


# Memory


@pytest.mark.parametrize("source", ["path", "iterable"])
async def test_memory(path: Path, source: str) -> None:
    """A large file takes the memory of a few pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        yield PDF
        for _ in range(24):
            yield bytes(1 << 20)

    async def serve(number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await discard(reader, server.sizes[number])
        writer.write(DOCUMENT)

    async with BodyServer(serve) as server, open_session(server, rate_limit=None) as session:
        await session.files.upload_document(PDF, name="a")  # imports and caches
        tracemalloc.start()
        try:
            await session.files.upload_document(path if source == "path" else pieces(), name="a")
            assert tracemalloc.get_traced_memory()[1] < 12 << 20
        finally:
            tracemalloc.stop()
    assert server.sizes[1] > 32 << 20


# TLS and proxies


async def test_tls_and_tunnel() -> None:
    """An upload passes TLS, and the tunnel of a proxy."""
    authority = trustme.CA()
    context = client_context(authority)
    server_side = server_context(authority, "127.0.0.1")
    async with (
        ScriptedServer(respond(None, DOCUMENT), ssl=server_side) as server,
        ForwardProxy() as proxy,
        open_session(server, ssl=context, proxy=proxy.url, rate_limit=None) as session,
    ):
        assert (await session.files.upload_document(PIECES, name="a")).doc_id == "D1"
        assert [parse(request).content for request in server.requests] == [PIECES, PIECES]
        assert len(proxy.tunnels) == 2


async def test_stall_over_tls(path: Path) -> None:
    """A server that stops reading is noticed over TLS too."""
    authority = trustme.CA()
    async with BodyServer(ssl=server_context(authority, "127.0.0.1")) as server:
        error = await upload(server, path, ssl=client_context(authority), timeouts=Timeouts(stall=0.3))
        assert isinstance(error, StallTimeout)
        await server.wait_for_end()


# Observers


async def fail(source: Any, response: bytes | None = None, **options: Any) -> BaseException:
    """Return what an upload raises, without this module's frames, which hold the file."""
    async with ScriptedServer(respond(response)) as server, open_session(server, retry=NO_RETRY) as session:
        try:
            await session.files.upload_document(source, **options)
        except (KfqError, TypeError) as error:
            caught = error
    assert caught.__traceback__ is not None
    return caught.with_traceback(caught.__traceback__.tb_next)


@pytest.mark.parametrize(
    ("response", "options"),
    [
        (refusal(31000), {}),
        (TOO_LARGE, {}),
        (DOCUMENT.replace(b"docId", b"other"), {}),
        (None, {}),
        (None, {"suffix": ".xyz"}),
        (None, {"suffix": 5}),
        (None, {"progress": 5}),
    ],
)
async def test_tracebacks(response: bytes | None, options: dict[str, Any]) -> None:
    """No frame of a failed upload shows the file, its name, or the token."""
    shown = render(await fail(PDF, response, name="张三劳动合同", **options))
    assert "upload_document" in shown
    for secret in (PDF[9:23].decode(), "JVBERi0", TOKEN):
        assert secret not in shown
    assert ("张三" in shown) is (options.get("suffix") == ".xyz")  # the text of a `FileRefused` names the file


async def test_tracer() -> None:
    """A tracer of aiohttp gets the pieces as views, whose ``repr`` shows nothing."""
    shown: list[str] = []

    async def record(*event: Any) -> None:
        shown.append(repr(event) + repr(vars(event[-1]) if hasattr(event[-1], "__dict__") else event[-1]))

    tracing = TraceConfig()
    tracing.on_request_chunk_sent.append(record)
    tracing.on_request_start.append(record)
    tracing.on_request_end.append(record)
    async with ScriptedServer(respond(DOCUMENT)) as server, open_session(server) as session:
        http = session._client.open()
        tracing.freeze()
        http._trace_configs.append(tracing)
        await session.files.upload_document(PIECES, name="张三")
    text = "".join(shown)
    assert "chunk" in text
    for secret in (TOKEN, "张三", "SECRET", "JVBERi0"):
        assert secret not in text


async def test_payload_without_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """The older method of aiohttp's payloads writes the same body."""
    write = UploadPayload.write_with_length

    async def older(payload: UploadPayload, writer: Any, _length: int | None) -> None:
        monkeypatch.setattr(UploadPayload, "write_with_length", write)
        await payload.write(writer)

    monkeypatch.setattr(UploadPayload, "write_with_length", older)
    async with ScriptedServer(respond(DOCUMENT)) as server:
        assert isinstance(await upload(server, PIECES), UploadedDocument)
    assert parse(server.requests[0]).content == PIECES


def test_payload_is_never_whole() -> None:
    """Code that wants the whole body is told that there is none."""
    file = UploadFile.__new__(UploadFile)
    file.size = 3
    payload = UploadPayload(file, b"{")
    assert payload.size == 1 + 4 + 2
    with pytest.raises(TypeError, match="read while it is sent"):
        payload.decode()
