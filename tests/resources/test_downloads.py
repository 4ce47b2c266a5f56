"""`session.contracts.download` and `download_stream`: whole files, names, targets, limits and errors."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import stat
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock
from urllib.parse import quote_plus

import pytest
from aiohttp import TraceConfig

from calls import NO_RETRY, TOKEN, open_session, refusal
from downloads import (
    CONTACT,
    LARGE,
    NAMED,
    PDF,
    HeldServer,
    chunked,
    files_in,
    head,
    make_zip,
    respond_to_downloads,
)
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    BusinessError,
    ConnectionLost,
    ContractStatus,
    ContractUnfinished,
    EncodeError,
    FileNotWritten,
    HiddenErrorPage,
    KfqError,
    Phase,
    RetryPolicy,
    SessionError,
    StallTimeout,
    Timeouts,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.transport import body, client, retry, targets
from kfq_async.transport.targets import FileTarget, PartialFile
from servers import PAUSE, ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

LENGTH = f"{NAMED}Content-Length: {len(PDF)}\r\n"


async def download(server: ScriptedServer, to: object, **options: Any) -> Path:
    """Download a contract, without a rate limit."""
    arguments = {name: options.pop(name) for name in ("allow_unfinished", "progress") if name in options}
    async with open_session(server, rate_limit=None, **options) as session:
        return await session.contracts.download("C1", contact=CONTACT, to=to, **arguments)  # type: ignore[arg-type]


async def download_error(server: ScriptedServer, to: object, **options: Any) -> Any:
    """Return the error of a download that fails."""
    with pytest.raises(KfqError) as caught:
        await download(server, to, **options)
    return caught.value


@pytest.mark.parametrize(
    "response",
    [
        chunked(PDF),
        (head() + PDF,),
        head(more=LENGTH) + PDF,
        (head(more=f"{NAMED}Content-Encoding: gzip\r\n") + gzip.compress(PDF),),
        chunked(PDF, kind="application/pdf"),
        chunked(PDF, kind="text/plain"),
        chunked(PDF, size=7000),
    ],
)
async def test_file(response: Any, tmp_path: Path) -> None:
    """A file arrives whole in every form of HTTP, as a private file, and nothing else is left."""
    async with ScriptedServer(respond_to_downloads(response)) as server:
        path = await download(server, tmp_path)
        tasks, get = server.requests
    assert path == tmp_path / "合同 1.pdf"
    assert path.read_bytes() == PDF
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files_in(tmp_path) == [path]
    assert "/contract/tasks?" in tasks.target
    assert "/contract/document/download?" in get.target
    assert get.target.endswith(f"contact={CONTACT}&contractId=C1")
    assert get.headers["Accept-Encoding"] == "identity"


async def test_zip(tmp_path: Path) -> None:
    """Several documents come as a ZIP."""
    archive = make_zip(PDF, PDF)
    response = chunked(archive, more="Content-Disposition: attachment;fileName=a%2Bb.zip\r\n")
    async with ScriptedServer(respond_to_downloads(response)) as server:
        path = await download(server, f"{tmp_path}/")
    assert path == tmp_path / "a+b.zip"
    assert path.read_bytes() == archive


CUT = {
    "in a properly ended chunked body": chunked(PDF[:-20]),
    "in a body without length": head() + PDF[:-20],
    "in a chunk": chunked(PDF)[:-20_000],
    "before the last chunk": chunked(PDF, end=False),
    "before its length": head(more=LENGTH) + PDF[:-20],
    "in gzip": head(more=f"{NAMED}Content-Encoding: gzip\r\n") + gzip.compress(PDF)[:-20],
    "at nothing": chunked(b""),
    "in the first bytes": chunked(b"%PD"),
    "in a ZIP": chunked(make_zip(PDF)[:-1]),
}


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
async def test_cut(cut: bytes, tmp_path: Path) -> None:
    """A file that was cut is retried, and otherwise an error that leaves nothing."""
    async with ScriptedServer(respond_to_downloads((cut,), (cut,), chunked(PDF))) as server:
        path = await download(server, tmp_path)
        assert path.read_bytes() == PDF
        assert len(server.requests) == 4
    path.unlink()
    older = tmp_path / "older.pdf"
    older.write_bytes(b"older")
    async with ScriptedServer(respond_to_downloads((cut,))) as server:
        error = await download_error(server, older, retry=RetryPolicy(attempts=2, initial=0.01))
    assert type(error) is ConnectionLost
    assert (error.phase, error.attempts, error.operation) == (Phase.SENT, 2, "GET /contract/document/download")
    assert files_in(tmp_path) == [older]
    assert older.read_bytes() == b"older"


@pytest.mark.parametrize(
    ("response", "kind", "phase"),
    [
        (refusal(31000, "无权限"), BusinessError, Phase.ANSWERED),
        (http_response({"success": False, "code": 401, "message": "…"}, 401), HiddenErrorPage, Phase.ANSWERED),
        (success({"contractId": "C1"}), UnexpectedResponse, Phase.SENT),
        (chunked(b'{"code": 31000, "message": "x"}'), BusinessError, Phase.ANSWERED),
        (http_response("<html>login"), UnexpectedResponse, Phase.SENT),
        (chunked(b"\x89PNG" + bytes(5000)), UnexpectedResponse, Phase.SENT),
        (chunked(PDF, kind="application/json"), UnexpectedResponse, Phase.SENT),
        (http_response(PDF, 206), UnexpectedResponse, Phase.SENT),
    ],
)
async def test_no_file(
    response: bytes, kind: type[KfqError], phase: Phase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is no file is the error that it is elsewhere, and leaves nothing."""
    monkeypatch.setattr(retry, "MIN_TOO_FREQUENT", 0.01)
    async with ScriptedServer(respond_to_downloads(response)) as server:
        error = await download_error(server, f"{tmp_path}/new/")
    assert type(error) is kind
    assert error.phase is phase
    assert files_in(tmp_path) == []


async def test_bound_of_other_responses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of responses concerns everything but files."""
    for module in (body, client):
        monkeypatch.setattr(module, "MAX_RESPONSE", 10_000)
    async with ScriptedServer(respond_to_downloads(chunked(b"x" * 100_000), chunked(PDF))) as server:
        error = await download_error(server, tmp_path)
        assert "exceeds 10000 bytes" in str(error)
        assert (await download(server, tmp_path)).read_bytes() == PDF


@pytest.mark.parametrize(("status", "shown"), [("SIGNING", "SIGNING"), ("NEW_ONE", "in an unknown state")])
async def test_unfinished(status: str, shown: str, tmp_path: Path) -> None:
    """A contract that is not complete is not downloaded, unless that is allowed."""
    task = {"taskId": "t", "taskType": "SIGN", "partyName": "王五"}
    tasks = success({"status": status, "todoTaskList": [task]})
    async with ScriptedServer(respond_to_downloads(chunked(PDF), tasks=tasks)) as server:
        error = await download_error(server, tmp_path)
        assert len(server.requests) == 1
        assert await download(server, tmp_path, allow_unfinished=True) == tmp_path / "合同 1.pdf"
        assert len(server.requests) == 2
    assert type(error) is ContractUnfinished
    assert (error.contract_id, error.status, error.phase) == ("C1", status, Phase.ANSWERED)
    assert error.tasks.todo_task_list[0].party_name == "王五"
    assert isinstance(error.status, ContractStatus) is (status == "SIGNING")
    assert str(error).startswith(f"GET /contract/document/download: the contract is {shown} and not COMPLETED, with 1 ")
    assert "王五" not in str(error)


async def test_targets(tmp_path: Path) -> None:
    """A folder is one that exists, or is named as one and made; anything else is the file, which is replaced."""
    (tmp_path / "there").mkdir()
    (tmp_path / "old.pdf").write_bytes(b"old")
    async with ScriptedServer(respond_to_downloads(chunked(PDF))) as server:
        for to, expected in (
            (tmp_path / "there", "there/合同 1.pdf"),
            (str(tmp_path / "there"), "there/合同 1 (2).pdf"),
            (f"{tmp_path}/a/b/", "a/b/合同 1.pdf"),
            (tmp_path / "new", "new"),
            (tmp_path / "old.pdf", "old.pdf"),
        ):
            path = await download(server, to)
            assert path == tmp_path / expected
            assert path.read_bytes() == PDF
    assert [path.name for path in files_in(tmp_path)] == ["a", "new", "old.pdf", "there"]
    assert [path.name for path in files_in(tmp_path / "there")] == ["合同 1 (2).pdf", "合同 1.pdf"]


async def test_relative_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is that of the working directory."""
    monkeypatch.chdir(tmp_path)
    async with ScriptedServer(respond_to_downloads(chunked(PDF))) as server:
        assert await download(server, "a.pdf") == Path("a.pdf")
        assert await download(server, "b/") == Path("b/合同 1.pdf")


async def test_twenty_of_one_name(tmp_path: Path) -> None:
    """Twenty downloads of one name at once are twenty whole files, each its own."""
    contents = [PDF.replace(b"SECRET", b"%06d" % number) for number in range(20)]
    script = respond_to_downloads(*map(chunked, contents))
    async with ScriptedServer(script) as server, open_session(server, rate_limit=None) as session:
        calls = (
            session.contracts.download("C1", contact=CONTACT, to=f"{tmp_path}/x/", allow_unfinished=True)
            for _ in contents
        )
        paths = await asyncio.gather(*calls)
    assert {path.name for path in paths} == {
        "合同 1.pdf",
        *(f"合同 1 ({number}).pdf" for number in range(2, 21)),
    }
    assert sorted(path.read_bytes() for path in paths) == sorted(contents)
    assert len(files_in(tmp_path / "x")) == 20


@pytest.mark.parametrize("name", ["../../evil.pdf", "/etc/passwd", "..", "a\u202efdp.exe", "CON.pdf", "x" * 400])
async def test_hostile_names(name: str, tmp_path: Path) -> None:
    """Whatever the platform calls the file, it stays in the folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    more = f"Content-Disposition: attachment;fileName={quote_plus(name)}\r\n"
    async with ScriptedServer(respond_to_downloads(chunked(PDF, more=more))) as server:
        path = await download(server, folder)
    assert files_in(folder) == [path]
    assert files_in(tmp_path) == [folder]


@pytest.mark.parametrize(("more", "total"), [(NAMED, None), (LENGTH, len(PDF))])
async def test_progress(more: str, total: int | None, tmp_path: Path) -> None:
    """``progress`` counts the bytes that arrived, and begins again with a retry."""
    seen: list[tuple[int, int | None]] = []
    cut = (head(more=more), PDF[:300_000])
    async with ScriptedServer(respond_to_downloads(cut, (head(more=more), PDF))) as server:
        await download(server, tmp_path, progress=lambda *numbers: seen.append(numbers))
    assert {numbers[1] for numbers in seen} == {total}
    received = [numbers[0] for numbers in seen]
    assert received[-1] == len(PDF)
    (again,) = (index for index in range(1, len(received)) if received[index] <= received[index - 1])
    assert received[again - 1] == 300_000


async def test_failing_progress(tmp_path: Path) -> None:
    """What ``progress`` raises ends the call, and is raised as it is."""

    def fail(_received: int, _total: int | None) -> None:
        raise ZeroDivisionError

    async with ScriptedServer(respond_to_downloads(chunked(PDF))) as server:
        with pytest.raises(ZeroDivisionError):
            await download(server, tmp_path, progress=fail)
        assert len(server.requests) == 2
    assert files_in(tmp_path) == []


async def test_trickle(tmp_path: Path) -> None:
    """``attempt`` ends with the first byte: a file may take longer than that, as long as it does not stall."""
    parts = tuple(PDF[start : start + 40_000] for start in range(0, len(PDF), 40_000))
    async with ScriptedServer(respond_to_downloads((head() + parts[0], *parts[1:]))) as server:
        timeouts = Timeouts(attempt=3 * PAUSE, stall=5.0)
        path = await download(server, tmp_path, timeouts=timeouts, retry=NO_RETRY)
    assert path.read_bytes() == PDF
    assert len(parts) > 6


@pytest.mark.parametrize(
    ("sent", "timeouts", "kind"),
    [
        (b"", {"attempt": 0.1}, AttemptTimeout),
        (head(), {"attempt": 0.1}, AttemptTimeout),
        (head() + b"%", {"stall": 0.1}, StallTimeout),
        (head() + PDF[:50_000], {"stall": 0.1}, StallTimeout),
        (head() + PDF[:50_000], {"total": 0.3}, TotalTimeout),
        (head("text/html") + b"x" * 2000, {"attempt": 0.1}, AttemptTimeout),
        (head("application/json") + b"{", {"attempt": 0.1}, AttemptTimeout),
    ],
)
async def test_limits(sent: bytes, timeouts: dict[str, float], kind: type[KfqError], tmp_path: Path) -> None:
    """Each limit ends a download, and leaves nothing."""

    async def script(_number: int, _seen: ReceivedRequest) -> Any:
        return (sent, *(b"" for _ in range(200)))

    async with ScriptedServer(script) as server:
        error = await download_error(
            server, f"{tmp_path}/x/", allow_unfinished=True, timeouts=Timeouts(**timeouts), retry=NO_RETRY
        )
    assert type(error) is kind
    assert error.phase is Phase.SENT
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("way", ["cancel", "close"])
async def test_interruption(way: str, tmp_path: Path) -> None:
    """A cancellation or the end of the session closes the connection at once, and leaves nothing."""
    started = asyncio.Event()
    async with HeldServer() as server, open_session(server) as session:
        call = asyncio.create_task(
            session.contracts.download(
                "C1",
                contact=CONTACT,
                to=f"{tmp_path}/x/",
                allow_unfinished=True,
                progress=lambda *_: started.set(),
            )
        )
        await started.wait()
        if way == "cancel":
            call.cancel()
        else:
            await session.aclose()
        with pytest.raises(asyncio.CancelledError if way == "cancel" else SessionError):
            await call
        await asyncio.wait_for(server.ended.wait(), 5)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("method", ["open", "write", "publish"])
async def test_cancelled_thread(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancellation while a thread is at work waits for it, and leaves nothing."""
    loop, working, go_on = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    original = getattr(PartialFile, method)

    def wait(part: PartialFile) -> Any:
        loop.call_soon_threadsafe(working.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        return original(part)

    monkeypatch.setattr(PartialFile, method, wait)
    async with ScriptedServer(respond_to_downloads(chunked(PDF))) as server:
        call = asyncio.create_task(download(server, f"{tmp_path}/x/", allow_unfinished=True))
        await working.wait()
        call.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await call
    await asyncio.sleep(0.05)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("method", ["open", "write", "publish"])
async def test_disk_full(method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is an error that names the path and is an `OSError`, is not retried, and leaves nothing."""
    original = getattr(PartialFile, method)

    def fail(part: PartialFile) -> None:
        original(part) if method == "open" else None
        raise OSError(errno.ENOSPC, "x")

    monkeypatch.setattr(PartialFile, method, fail)
    older = tmp_path / "older.pdf"
    older.write_bytes(b"older")
    async with ScriptedServer(respond_to_downloads(chunked(PDF))) as server:
        error = await download_error(server, older)
        assert len(server.requests) == 2
    assert type(error) is FileNotWritten
    assert isinstance(error, OSError)
    assert (error.errno, error.path, error.phase) == (errno.ENOSPC, str(older), Phase.ANSWERED)
    assert f"{older} cannot be written: {os.strerror(errno.ENOSPC)} [answered, 1 attempt" in str(error)
    assert older.read_bytes() == b"older"
    assert files_in(tmp_path) == [older]


@pytest.mark.parametrize(("to", "code"), [("no/a.pdf", errno.ENOENT), ("file/", errno.ENOTDIR), ("pipe", errno.EEXIST)])
async def test_impossible_targets(to: str, code: int, tmp_path: Path) -> None:
    """What can be known of the target before the request is known then."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    async with ScriptedServer(respond_to_downloads(chunked(PDF))) as server:
        error = await download_error(server, f"{tmp_path}/{to}")
        assert server.requests == []
    assert type(error) is FileNotWritten
    assert (error.errno, error.phase) == (code, Phase.NOT_SENT)
    assert error.operation == "GET /contract/document/download"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"to": 1}, TypeError, "to must be a path"),
        ({"to": b"a.pdf"}, TypeError, "to must be a path"),
        ({"to": os.DirEntry}, TypeError, "to must be a path"),
        ({"to": ""}, ValueError, "to must be the path"),
        ({"to": "a\0b"}, ValueError, "to must be the path"),
        ({"to": "a", "progress": 1}, TypeError, "progress must be a plain function"),
        ({"to": "a", "progress": asyncio.sleep}, TypeError, "progress must be a plain function"),
        ({"to": "a", "progress": AsyncMock()}, TypeError, "progress must be a plain function"),
        ({"to": "a", "contact": 1}, TypeError, "contact"),
        ({"to": "a", "allow_unfinished": "no"}, TypeError, "allow_unfinished must be a bool, not str"),
    ],
)
async def test_invalid_arguments(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    """An invalid argument is refused before anything is sent."""
    async with ScriptedServer(respond_to_downloads(None)) as server, open_session(server) as session:
        with pytest.raises(error, match=text):
            await session.contracts.download("C1", **{"contact": CONTACT, **arguments})
        with pytest.raises(EncodeError, match="contractId"):
            await session.contracts.download("\ud800", contact=CONTACT, to="a", allow_unfinished=True)
        assert server.requests == []
        with pytest.raises(TypeError):
            session.contracts.download_stream("C1", contact=1)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="progress"):
            session.contracts.download_stream("C1", contact=CONTACT, progress=1)  # type: ignore[arg-type]


async def test_secrets(tmp_path: Path) -> None:
    """Neither token nor account is in an error, in its frames, or in what tracers see."""
    seen: list[str] = []

    async def trace(_session: object, _context: object, parameters: Any) -> None:
        seen.append(f"{parameters.url} {parameters.headers}")

    config = TraceConfig()
    config.on_request_start.append(trace)
    config.freeze()
    script = respond_to_downloads(chunked(PDF[:-20]))
    async with ScriptedServer(script) as server, open_session(server, retry=NO_RETRY) as session:
        session._client.open().trace_configs.append(config)  # instrumentation does the same
        with pytest.raises(ConnectionLost) as caught:
            await session.contracts.download("C1", contact=CONTACT, to=tmp_path, allow_unfinished=True)
    assert CONTACT not in str(caught.value)
    frames = [frame for frame, _ in walk_tb(caught.value.__traceback__) if "kfq_async" in frame.f_code.co_filename]
    shown = repr([frame.f_locals for frame in frames])
    assert "ContractDownloadRequest" in shown
    assert CONTACT not in shown
    assert TOKEN not in shown
    assert CONTACT not in repr(vars(caught.value))
    assert CONTACT not in "".join(seen)


@pytest.fixture
async def stream_session() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that opens a session with a server that sends the given responses."""
    opened: list[Any] = []

    async def start(*responses: Any, **options: Any) -> tuple[AsyncSession, ScriptedServer]:
        server = await ScriptedServer(respond_to_downloads(*responses)).__aenter__()
        session = open_session(server, rate_limit=None, **options)
        opened.extend((session, server))
        return session, server

    yield start
    for resource in opened:
        await resource.__aexit__(None, None, None)


async def test_stream(stream_session: Callable[..., Any]) -> None:
    """A stream yields the chunks, and has name and size."""
    session, server = await stream_session((head(more=LENGTH), PDF[:100_000], PDF[100_000:]))
    seen: list[int] = []
    chunks: list[bytes] = []
    stream = session.contracts.download_stream("C1", contact=CONTACT, progress=lambda now, _: seen.append(now))
    assert server.requests == []
    async with stream as opened:
        assert opened is stream
        assert (stream.name, stream.size) == ("合同 1.pdf", len(PDF))
        async for chunk in stream:
            chunks.append(chunk)
            await asyncio.sleep(0.01)
    assert b"".join(chunks) == PDF
    assert len(chunks) > 1
    assert seen[-1] == len(PDF)


async def test_cut_stream(stream_session: Callable[..., Any]) -> None:
    """A stream raises at its end if not all of the file arrived, and is not retried after its first chunk."""
    session, server = await stream_session((head() + PDF[:-20],))
    received = bytearray()

    async def read() -> None:
        async with session.contracts.download_stream("C1", contact=CONTACT) as chunks:
            async for chunk in chunks:
                received.extend(chunk)

    with pytest.raises(ConnectionLost, match="cut short"):
        await read()
    assert received == PDF[:-20]
    assert len(server.requests) == 2


async def test_retried_stream(stream_session: Callable[..., Any]) -> None:
    """What fails before the first chunk is retried."""
    session, server = await stream_session(None, chunked(b""), chunked(PDF))
    async with session.contracts.download_stream("C1", contact=CONTACT) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == PDF
    assert len(server.requests) == 4


@pytest.mark.parametrize("allow_unfinished", [False, True])
async def test_refused_stream(stream_session: Callable[..., Any], *, allow_unfinished: bool) -> None:
    """What fails before the first chunk is raised at the beginning of the block."""
    session, _ = await stream_session(refusal(31000))
    stream = session.contracts.download_stream("C1", contact=CONTACT, allow_unfinished=allow_unfinished)
    with pytest.raises(BusinessError):
        async with stream:
            pytest.fail("the block was entered")


async def test_left_stream() -> None:
    """Leaving the block early closes the connection, and reads no further than it must."""
    seen: list[int] = []
    async with HeldServer() as server, open_session(server) as session:
        async with session.contracts.download_stream(
            "C1", contact=CONTACT, allow_unfinished=True, progress=lambda now, _: seen.append(now)
        ) as chunks:
            await anext(chunks)
            await asyncio.sleep(0.1)
            assert seen[-1] < len(LARGE) / 4
        await asyncio.wait_for(server.ended.wait(), 5)


async def test_cancelled_stream() -> None:
    """A cancellation while the stream is opened ends its call."""

    async def never(_number: int, _seen: ReceivedRequest) -> bytes | None:
        await asyncio.Event().wait()
        return None

    async with ScriptedServer(never) as server, open_session(server) as session:
        stream = session.contracts.download_stream("C1", contact=CONTACT, allow_unfinished=True)
        entering = asyncio.create_task(stream.__aenter__())
        await server.wait_for_requests()
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert len(asyncio.all_tasks()) <= 3


async def test_slow_reader(stream_session: Callable[..., Any]) -> None:
    """The time that the caller takes does not count as a stall."""
    session, _ = await stream_session((head() + LARGE,), timeouts=Timeouts(stall=0.2), retry=NO_RETRY)
    async with session.contracts.download_stream("C1", contact=CONTACT) as chunks:
        received = len(await anext(chunks))
        await asyncio.sleep(0.5)
        async for chunk in chunks:
            received += len(chunk)
    assert received == len(LARGE)


async def test_misuse_of_a_stream(stream_session: Callable[..., Any]) -> None:
    """A stream is entered once, before the iteration."""
    session, _ = await stream_session(chunked(PDF))
    stream = session.contracts.download_stream("C1", contact=CONTACT)
    with pytest.raises(RuntimeError, match="async with"):
        await anext(stream)
    async with stream:
        pass
    with pytest.raises(RuntimeError, match="only once"):
        await stream.__aenter__()


async def test_slow_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that hangs does not hold up the error for long; a thread removes the file later."""
    monkeypatch.setattr(targets, "MAX_REMOVING", 0.05)
    loop, go_on = asyncio.get_running_loop(), asyncio.Event()
    original = PartialFile.remove

    def wait(part: PartialFile) -> None:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        original(part)

    monkeypatch.setattr(PartialFile, "remove", wait)
    async with ScriptedServer(respond_to_downloads(chunked(PDF[:-20]))) as server:
        await download_error(server, tmp_path / "a.pdf", retry=NO_RETRY)
        assert len(files_in(tmp_path)) == 1
        go_on.set()
        await loop.shutdown_default_executor()
    assert files_in(tmp_path) == []


def test_target_of_a_windows_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each separator of the system ends the name of a folder."""
    monkeypatch.setattr(targets, "_SEPARATORS", ("\\", "/"))
    assert FileTarget("x\\")._in_folder  # seen otherwise on Windows only
    assert not FileTarget("x\\y")._in_folder
