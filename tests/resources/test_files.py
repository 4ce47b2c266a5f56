"""`session.files`: sources, names, contents, repeats and progress."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver

from calls import FAST_RETRY, NO_RETRY, TOKEN, open_session, refusal, respond
from kfq_async import (
    ANNEX_FILE,
    DOCUMENT_FILE,
    AsyncSession,
    ConnectionLost,
    DocumentUpload,
    FileChanged,
    FileRefused,
    KfqError,
    Operation,
    Phase,
    UnexpectedResponse,
    UploadedAttachment,
    UploadedDocument,
)
from servers import ScriptedServer, http_response, success
from uploads import DOCUMENT, PDF, PIECES, Pipe, chunks, open_descriptors, parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from servers import ReceivedRequest


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that stores whatever it gets."""
    async with ScriptedServer(respond(success({"docId": "D1", "fileId": "F1"}))) as server:
        yield server


@pytest.fixture
async def session(server: ScriptedServer) -> AsyncIterator[AsyncSession]:
    """A session without a rate limit."""
    async with open_session(server, rate_limit=None) as session:
        yield session


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A document of several pieces."""
    path = tmp_path / "采购合同.PDF"
    path.write_bytes(PIECES)
    return path


@pytest.fixture
def file(path: Path) -> Iterator[IO[bytes]]:
    """The same document, open."""
    with path.open("rb") as file:
        yield file


SOURCES: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "words": lambda data: memoryview(data[: len(data) // 4 * 4]).cast("I"),
    "BytesIO": io.BytesIO,
    "buffer": lambda data: io.BufferedReader(io.BytesIO(data)),
    "pipe": Pipe,
    "iterable": chunks,
    "large chunks": lambda data: chunks(data, 1 << 22),
    "small chunks": lambda data: chunks(data[:5000], 7),
}


# Sources


@pytest.mark.parametrize("kind", SOURCES)
async def test_sources(session: AsyncSession, server: ScriptedServer, kind: str) -> None:
    """Every source arrives as it is, as plain base64 of a known length."""
    source = SOURCES[kind](PIECES)
    assert await session.files.upload_document(source, name="合同") == UploadedDocument(
        doc_id="D1", extra={"fileId": "F1"}
    )
    sent = parse(server.requests[0])
    assert sent.content == {"small chunks": PIECES[:5000], "words": PIECES[: len(PIECES) // 4 * 4]}.get(kind, PIECES)
    assert sent.fields.pop("uniqueCode")
    assert sent.fields == {"appAuthToken": TOKEN, "fileName": "合同", "fileSuffix": ".pdf"}
    assert server.requests[0].headers["Content-Length"] == str(len(server.requests[0].body))
    assert "Transfer-Encoding" not in server.requests[0].headers
    assert server.requests[0].headers.getall("Content-Type") == ["application/json"]


@pytest.mark.parametrize("kind", [str, Path])
async def test_path(session: AsyncSession, server: ScriptedServer, path: Path, kind: type) -> None:
    """A path gives the name and the extension, in lower case, and is closed afterwards."""
    await session.files.upload_document(kind(path))
    sent = parse(server.requests[0])
    assert (sent.fields["fileName"], sent.fields["fileSuffix"], sent.content) == ("采购合同", ".pdf", PIECES)
    assert path.as_posix() not in open_descriptors()


async def test_open_file(session: AsyncSession, server: ScriptedServer, file: IO[bytes]) -> None:
    """An open file gives its name, is read from its position, and stays open."""
    file.seek(0)
    await session.files.upload_document(file)
    file.seek(5)
    await session.files.upload_attachment(file)
    document, attachment = map(parse, server.requests)
    assert (document.fields["fileName"], document.content) == ("采购合同", PIECES)
    assert attachment.content == PIECES[5:]
    assert not file.closed


async def test_open_file_with_a_number_for_its_name(session: AsyncSession) -> None:
    """A file whose name is a descriptor has no name."""
    with tempfile.TemporaryFile() as file:
        file.write(PDF)
        file.seek(0)
        with pytest.raises(FileRefused, match=r"the file: it has no name: pass name=…"):
            await session.files.upload_document(file)


async def test_attachment(session: AsyncSession, server: ScriptedServer, tmp_path: Path) -> None:
    """An attachment may hold anything."""
    (tmp_path / "图纸.JPG").write_bytes(b"no picture")
    assert await session.files.upload_attachment(tmp_path / "图纸.JPG") == UploadedAttachment(
        file_id="F1", extra={"docId": "D1"}
    )
    sent = parse(server.requests[0])
    assert (sent.fields["fileName"], sent.fields["fileSuffix"], sent.content) == ("图纸", ".jpg", b"no picture")
    assert server.requests[0].target.endswith("/openAPI/V2/annex/file")


async def test_no_signature(server: ScriptedServer) -> None:
    """A signature would need the whole body, and the platform ignores that of an upload."""

    class Unused:
        def sign(self, _: object) -> str:
            raise AssertionError

    async with open_session(server, signer=Unused()) as session:
        await session.files.upload_document(PDF, name="a")
    assert server.requests[0].headers["sign"] == ""


async def test_send(session: AsyncSession, server: ScriptedServer) -> None:
    """`AsyncSession.send` takes uploads with undocumented fields, and mappings that hold base64 themselves."""
    response = await session.send(
        DOCUMENT_FILE, DocumentUpload(PDF, name="a"), extra_body={"scene": 1}, extra_headers={"X-Trace": "t"}
    )
    assert (response.result.doc_id, response.attempts) == ("D1", 1)
    await session.send(DOCUMENT_FILE, {"fileName": "b", "file": "JVBERi0xLg==", "fileSuffix": ".pdf"})
    first, second = map(parse, server.requests)
    assert (first.fields["scene"], first.content, first.headers["X-Trace"]) == (1, PDF, "t")
    assert (second.fields["fileName"], second.content) == ("b", b"%PDF-1.")


@pytest.mark.parametrize(
    ("operation", "extra", "kind"),
    [
        (ANNEX_FILE, {}, TypeError),
        (Operation[Any, Any]("POST", "/document/file"), {}, TypeError),
        (Operation[Any, Any]("POST", "/document/file", request=DocumentUpload), {}, TypeError),
        (DOCUMENT_FILE, {"file": ""}, ValueError),
        (DOCUMENT_FILE, {"appAuthToken": ""}, ValueError),
    ],
)
async def test_wrong_operation(
    session: AsyncSession, operation: Operation[Any, Any], extra: dict[str, str], kind: type[Exception]
) -> None:
    """An upload goes to an operation that takes one, and its fields are its own."""
    with pytest.raises(kind):
        await session.send(operation, DocumentUpload(PDF, name="a"), extra_body=extra)


async def test_mocked_response(mocked: Callable[..., None]) -> None:
    """A mock of aiohttp responds although nothing is sent."""
    url = "https://home.kaifangqian.com/resrun-paas/kaifangqian/openAPI/V2/document/file"
    mocked(url, payload={"code": 10000, "message": "", "result": {"docId": "D7"}, "timestamp": 1})
    async with AsyncSession(TOKEN) as session:
        assert (await session.files.upload_document(PDF, name="a")).doc_id == "D7"


# Refusals


@pytest.mark.parametrize("upload", ["upload_document", "upload_attachment"])
async def test_wrong_type(session: AsyncSession, upload: str) -> None:
    """A wrong argument is a programming error, found before anything is read."""
    with pytest.raises(TypeError, match=r"Upload\.source must be a path, bytes, a binary file or an async iterable"):
        await getattr(session.files, upload)(5)


async def test_reference(session: AsyncSession, server: ScriptedServer, path: Path) -> None:
    """A reference stands at the end of the name, and the extension after it."""
    await session.files.upload_document(path, reference="PO-42")
    fields = parse(server.requests[0]).fields
    assert (fields["fileName"], fields["fileSuffix"]) == ("采购合同〔PO-42〕", ".pdf")


@pytest.mark.parametrize(("reference", "kind"), [(42, TypeError), ("PO 42", ValueError), ("", ValueError)])
async def test_wrong_reference(session: AsyncSession, path: Path, reference: Any, kind: type[Exception]) -> None:
    """A wrong reference is a programming error, whose traceback does not show the file."""
    with pytest.raises(kind, match=r"DocumentUpload\.reference must be ") as caught:
        await session.files.upload_document(PDF, name=path.name, reference=reference)
    assert caught.traceback[-1].name == "upload_document"
    assert "SECRET" not in repr(caught.traceback[-1].locals)
    assert "采购合同" not in repr(caught.traceback[-1].locals)


class _Broken(io.RawIOBase):
    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, *_: Any) -> int:
        return len(PIECES)

    def read(self, _: int = -1) -> bytes:
        raise OSError(5, "SECRET")


@pytest.mark.parametrize(
    ("source", "options", "text"),
    [
        (b"", {}, "合同: it is empty"),
        (b"%PDF-2.0\n", {}, "合同: it is a PDF 2.0"),
        (_Broken(), {}, "合同: it cannot be read (OSError)"),
        ("missing.pdf", {"name": None}, "missing.pdf: it cannot be read (FileNotFoundError)"),
        ("a\0b.pdf", {"name": None}, "it cannot be read (ValueError)"),
        (tempfile.gettempdir(), {}, ": it is no regular file: pass an open file"),
        (PDF, {"name": "字" * 129}, "its name has 129 characters"),
        (PDF, {"max_upload": len(PDF)}, f"for a file of {len(PDF)}, and max_upload is {len(PDF)}"),
    ],
)
async def test_refused(server: ScriptedServer, source: Any, options: dict[str, Any], text: str) -> None:
    """A file that the platform would refuse is refused before a byte is sent, with its name and a reason."""
    settings = {"max_upload": options.pop("max_upload", None)}
    async with open_session(server, **settings) as session:
        with pytest.raises(FileRefused) as caught:
            await session.files.upload_document(source, **{"name": "合同", **options})
    error = caught.value
    assert text in str(error)
    assert (error.phase, error.attempts, error.operation) == (Phase.NOT_SENT, 0, "POST /document/file")
    assert (error.__cause__, error.__context__) == (None, None)
    assert "SECRET" not in str(error)
    assert server.connections == 0


async def test_max_upload(server: ScriptedServer) -> None:
    """A body of exactly ``max_upload`` bytes is sent."""
    async with open_session(server, rate_limit=None) as session:
        await session.files.upload_document(PDF, name="a")
    size = len(server.requests[0].body)
    async with open_session(server, max_upload=size) as session:
        await session.files.upload_document(PDF, name="a")
    async with open_session(server, max_upload=size - 1) as session:
        with pytest.raises(FileRefused, match=f"its body has {size} bytes"):
            await session.files.upload_document(PDF, name="a")


async def test_payload_too_large() -> None:
    """The error for HTTP 413 names the sizes of the body and of the file."""
    async with (
        ScriptedServer(respond(http_response("<html>too large</html>", 413))) as server,
        open_session(server) as session,
    ):
        with pytest.raises(UnexpectedResponse) as caught:
            await session.files.upload_document(PDF, name="a")
    size = len(server.requests[0].body)
    assert f"a body of {size} bytes, for a file of {len(PDF)}" in str(caught.value)
    assert (caught.value.phase, caught.value.http_status, caught.value.attempts) == (Phase.ANSWERED, 413, 1)


@pytest.mark.parametrize("seekable", [False, True])
async def test_file_that_cannot_be_read(session: AsyncSession, path: Path, *, seekable: bool) -> None:
    """Whatever a file of the caller's raises is a refusal, with the name of the file."""

    class Failing(Pipe):
        name = path.as_posix()

        def readinto(self, _: Any) -> int:
            raise LookupError("SECRET")

    file: Any = Failing(b"")
    if seekable:
        file = path.open("rb")
        file.close()
    with pytest.raises(FileRefused) as caught:
        await session.files.upload_document(file)
    kind = "ValueError" if seekable else "LookupError"
    assert f"采购合同.PDF: it cannot be read ({kind})" in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_iterable_of_text(session: AsyncSession) -> None:
    """An iterable that yields text ends the call as a programming error."""

    async def texts() -> AsyncIterator[Any]:
        yield "text"

    with pytest.raises(TypeError, match="must yield bytes, not str"):
        await session.files.upload_document(texts(), name="a")


async def test_file_that_blocks_no_thread(session: AsyncSession) -> None:
    """A file in non-blocking mode, which returns ``None`` while there is nothing, is refused."""

    class NonBlocking(Pipe):
        def readinto(self, _: Any) -> Any:
            return None

    with pytest.raises(TypeError, match="must yield bytes, not NoneType"):
        await session.files.upload_document(NonBlocking(b""), name="a")


async def test_iterable_that_raises(session: AsyncSession, server: ScriptedServer) -> None:
    """What an iterable raises leaves the call as it is, a `TimeoutError` included, and its generator is closed."""
    closed = []

    async def failing() -> AsyncIterator[bytes]:
        try:
            yield PDF
            raise TimeoutError("mine")
        finally:
            closed.append(True)

    with pytest.raises(TimeoutError, match="mine"):
        await session.files.upload_document(failing(), name="a")
    assert (closed, server.connections) == ([True], 0)


async def test_iterable_without_a_generator(session: AsyncSession, server: ScriptedServer) -> None:
    """Any asynchronous iterable will do."""

    class Chunks:
        def __init__(self) -> None:
            self._left = [PDF, b"more"]

        def __aiter__(self) -> Chunks:
            return self

        async def __anext__(self) -> bytes:
            if not self._left:
                raise StopAsyncIteration
            return self._left.pop(0)

    await session.files.upload_document(Chunks(), name="a")
    assert parse(server.requests[0]).content == PDF + b"more"


# Repeats


def rewrite(path: Path, data: bytearray) -> None:
    """Write other contents into a file."""
    path.write_bytes(data)


LOST = respond(None, refusal(999_999), DOCUMENT)


async def attempts_of(
    source: Any, script: Callable[..., Any] = LOST, **options: Any
) -> tuple[list[ReceivedRequest], KfqError | UploadedDocument]:
    """Upload to a server that loses one response and limits the next; return the requests and what came of them."""
    async with ScriptedServer(script) as server, open_session(server, rate_limit=None, **options) as session:
        try:
            result: Any = await session.files.upload_document(source, name="a")
        except KfqError as error:
            result = error
        return server.requests, result


@pytest.mark.parametrize("kind", ["path", "file", "bytes", "bytearray", "BytesIO"])
async def test_repeat(monkeypatch: pytest.MonkeyPatch, path: Path, file: IO[bytes], kind: str) -> None:
    """A repeat opens the source again and sends the same bytes, apart from the serial number."""
    monkeypatch.setattr("kfq_async.transport.retry.MIN_TOO_FREQUENT", 0.01)
    source = {"path": path, "file": file}.get(kind) or SOURCES[kind](PIECES)
    requests, result = await attempts_of(source)
    assert isinstance(result, UploadedDocument)
    sent = [parse(request) for request in requests]
    assert [each.content for each in sent] == [PIECES] * 3
    assert len({each.fields.pop("uniqueCode") for each in sent}) == 3
    assert sent[0].fields == sent[1].fields == sent[2].fields


@pytest.mark.parametrize("kind", ["pipe", "iterable"])
async def test_once(kind: str) -> None:
    """What can be read only once is not repeated once it was begun."""
    requests, error = await attempts_of(SOURCES[kind](PIECES))
    assert isinstance(error, ConnectionLost)
    assert (error.phase, error.attempts, len(requests)) == (Phase.SENT, 1, 1)


class Resolver(AbstractResolver):
    """Finds the local host for every name, once ``before`` has ended."""

    def __init__(self, before: Callable[[], Awaitable[object]]) -> None:
        self._before = before

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        """Return the address."""
        await self._before()
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Close nothing."""


async def test_once_after_a_refused_connection(server: ScriptedServer) -> None:
    """What can be read only once is repeated as long as nothing was sent."""
    failures = [OSError("not yet")]

    async def fail_once() -> None:
        if failures:
            raise failures.pop()

    base_url = server.base_url.replace("127.0.0.1", "platform.example")
    async with (
        TCPConnector(resolver=Resolver(fail_once)) as connector,
        AsyncSession(TOKEN, base_url=base_url, connector=connector, retry=FAST_RETRY) as session,
    ):
        response = await session.send(DOCUMENT_FILE, DocumentUpload(chunks(PIECES), name="a"))
    assert response.attempts == 2
    assert parse(server.requests[0]).content == PIECES


@pytest.mark.parametrize("source", ["path", "bytearray"])
async def test_other_contents_in_a_repeat(path: Path, source: str) -> None:
    """A file whose contents changed between two attempts ends the second one before its last byte."""
    data = bytearray(PIECES)

    async def script(number: int, _: ReceivedRequest) -> bytes | None:
        data[-1] ^= 1
        rewrite(path, data)
        return None if number == 0 else DOCUMENT

    requests, error = await attempts_of(path if source == "path" else data, script)
    assert isinstance(error, FileChanged)
    assert ("采购合同.PDF: " if source == "path" else "a: ") + "its contents changed between two attempts" in str(error)
    assert (error.attempts, error.phase, len(requests)) == (2, Phase.SENT, 1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda path: os.truncate(path, len(PIECES) - 1), "it became shorter"),
        (lambda path: os.truncate(path, len(PIECES) + 1), "it became longer"),
        (lambda path: os.truncate(path, 0), "it became shorter"),
    ],
)
@pytest.mark.parametrize("opened", [False, True])
async def test_file_that_changes_while_it_is_sent(
    path: Path, file: IO[bytes], change: Callable[[Path], object], text: str, *, opened: bool
) -> None:
    """A file that grows or shrinks ends the attempt before its last byte, and the request never arrives whole."""
    async with ScriptedServer(respond(DOCUMENT)) as server, open_session(server) as session:
        with pytest.raises(FileChanged) as caught:
            await session.files.upload_document(file if opened else path, progress=lambda *_: change(path))
    error = caught.value
    assert f"采购合同.PDF: {text} while it was being sent" in str(error)
    assert (error.phase, error.attempts, server.connections, server.requests) == (Phase.NOT_SENT, 1, 1, [])
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("source", ["path", "file", "bytearray"])
@pytest.mark.parametrize("at", [9, 1023, -1])
async def test_other_contents_in_the_first_attempt(path: Path, file: IO[bytes], source: str, at: int) -> None:
    """A file that was edited in place after it was examined is not sent, as far as that can be seen."""
    data = bytearray(PIECES)

    async def edit() -> None:
        data[at] ^= 1
        await asyncio.to_thread(rewrite, path, data)
        os.utime(path, (1, 1))  # whatever the resolution of the file system

    given: Any = {"path": path, "file": file, "bytearray": data}[source]
    async with (
        ScriptedServer(respond(DOCUMENT)) as server,
        TCPConnector(resolver=Resolver(edit)) as connector,
        AsyncSession(TOKEN, base_url=server.base_url.replace("127.0.0.1", "a.example"), connector=connector) as session,
    ):
        if source == "bytearray" and at == -1:
            await session.files.upload_document(given, name="a")
            assert parse(server.requests[0]).content == data
            return
        with pytest.raises(FileChanged) as caught:
            await session.files.upload_document(given, name="a" if source == "bytearray" else None)
    name = "a" if source == "bytearray" else "采购合同.PDF"
    seen_at_the_end = at == -1 or source == "file"  # whose buffer holds the beginning
    problem = (
        "it was written to while it was waiting or being sent" if seen_at_the_end else "its contents changed before"
    )
    assert f"{name}: {problem}" in str(caught.value)
    assert (caught.value.phase, caught.value.attempts, server.requests) == (Phase.NOT_SENT, 1, [])


async def test_file_that_is_touched_after_an_attempt(path: Path) -> None:
    """A later time of change alone does not matter in a repeat, whose bytes are compared."""

    async def script(number: int, _: ReceivedRequest) -> bytes | None:
        os.utime(path, (1, 1))
        return None if number == 0 else DOCUMENT

    requests, error = await attempts_of(path, script)
    assert isinstance(error, UploadedDocument)
    assert len(requests) == 2


async def test_file_that_is_gone_in_a_repeat(path: Path) -> None:
    """A file that cannot be opened again ends the call; the phase is that of the attempt before."""

    async def script(_number: int, _: ReceivedRequest) -> None:
        os.unlink(path)  # noqa: PTH108  # ruff takes the other for blocking, and this one not

    requests, error = await attempts_of(path, script)
    assert isinstance(error, FileRefused)
    assert "采购合同.PDF: it cannot be read (FileNotFoundError)" in str(error)
    assert (error.attempts, error.phase, len(requests)) == (2, Phase.SENT, 1)


# Progress


async def test_progress(path: Path) -> None:
    """Progress counts the bytes of the file, and begins again with each attempt."""
    seen: list[tuple[int, int]] = []
    async with ScriptedServer(respond(None, DOCUMENT)) as server, open_session(server) as session:
        await session.files.upload_document(path, progress=lambda sent, total: seen.append((sent, total)))
    assert len(seen) % 2 == 0
    first, second = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    assert first == second == sorted(first)
    assert len(first) == 3
    assert first[-1] == (len(PIECES), len(PIECES))
    assert {total for _, total in seen} == {len(PIECES)}


async def test_progress_that_raises(path: Path) -> None:
    """What ``progress`` raises ends the call and leaves it as it is; nothing arrives whole or is repeated."""

    def fail(sent: int, _: int) -> None:
        raise LookupError(sent)

    async with ScriptedServer(respond(DOCUMENT)) as server, open_session(server) as session:
        gc.collect()
        gc.disable()
        try:
            with pytest.raises(LookupError) as caught:
                await session.files.upload_document(path, progress=fail)
            assert caught.value.__context__ is None
            assert path.as_posix() not in open_descriptors()
        finally:
            gc.enable()
        assert (server.connections, server.requests) == (1, [])


async def test_cancellation_that_nobody_asked_for(session: AsyncSession) -> None:
    """A `CancelledError` of the caller's functions does not end the task as cancelled."""

    def cancel(*_: int) -> None:
        raise asyncio.CancelledError

    async def cancelled() -> AsyncIterator[bytes]:
        yield PDF
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="progress raised CancelledError"):
        await session.files.upload_document(PDF, name="a", progress=cancel)
    with pytest.raises(RuntimeError, match="the source of the upload raised CancelledError"):
        await session.files.upload_document(cancelled(), name="a")


async def test_last_progress_raises() -> None:
    """An exception after the last byte ends the call as well."""

    def fail(sent: int, total: int) -> None:
        raise LookupError(sent, total)

    async with ScriptedServer(respond(DOCUMENT)) as server, open_session(server, retry=NO_RETRY) as session:
        with pytest.raises(LookupError):
            await session.files.upload_document(PDF, name="a", progress=fail)
