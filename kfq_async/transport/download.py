"""Downloads: a file is received piece by piece, and counts only if all of it arrived."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, cast

from aiohttp import hdrs
from attrs import frozen

from kfq_async.errors import ConnectionLost, FileNotWritten, KfqError, Phase, UnexpectedResponse
from kfq_async.models.functions import is_asynchronous
from kfq_async.models.masking import type_name
from kfq_async.protocol.downloads import (
    HEAD,
    DownloadProgress,
    Ending,
    FileHead,
    detect,
    file_name,
    is_json,
    may_begin_file,
    sent_name,
)
from kfq_async.protocol.envelope import SUCCESS, Envelope, EnvelopeKind
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.body import read_body
from kfq_async.transport.call import Call
from kfq_async.transport.retry import RetryDecision
from kfq_async.transport.targets import FileTarget, Target

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from aiohttp import ClientResponse

    from kfq_async.config import Timeouts
    from kfq_async.protocol.downloads import FileKind
    from kfq_async.protocol.operation import Operation
    from kfq_async.protocol.requests import PreparedCall
    from kfq_async.protocol.responses import HttpResponse
    from kfq_async.transport.call import CallSettings
    from kfq_async.transport.client import Client
    from kfq_async.transport.limits import Permit

__all__ = ["ChunkStream", "DownloadAttempt", "DownloadCall", "Downloader", "FileDownload", "HeadCall"]

_RECEIVED = Envelope(kind=EnvelopeKind.API, code=SUCCESS)
"""Stands for the success that a file is, since it comes without an envelope."""


def check_progress(value: Any) -> None:
    """Raise `TypeError` unless ``value`` is a plain function or ``None``."""
    if value is not None and (not callable(value) or is_asynchronous(value)):
        raise TypeError(f"progress must be a plain function of two numbers, or None, not {type_name(value)}")


@frozen
class FileDownload:
    """What one call downloads, and where to.

    Attributes:
        file_name: Name of a file to which the platform gives none.
        target: Where the bytes go.
        progress: Called after each piece.
    """

    file_name: str
    target: Target
    progress: DownloadProgress | None


class _Stopped(Exception):
    """Ends an attempt; the reason is kept elsewhere."""


class DownloadAttempt(Attempt):
    """Attempt that receives a file: from its first byte on ``stall`` bounds the time without one.

    ``failure`` is the error with which the file ended the attempt, and ``callback_error`` what ``progress`` raised.
    """

    __slots__ = ("_receiving", "_stall", "callback_error", "download", "failure", "received")

    def __init__(
        self, timeouts: Timeouts, *, total_at: float, cancelling: int = 0, permit: Permit | None = None
    ) -> None:
        super().__init__(timeouts, total_at=total_at, cancelling=cancelling, permit=permit)
        self.download: FileDownload | None = None
        self.failure: KfqError | None = None
        self.callback_error: Exception | None = None
        self.received: bool = False
        """Whether all of the file that is wanted was received."""
        self._stall = timeouts.stall
        self._receiving = False

    @property
    def stalled(self) -> bool:
        """Whether the attempt expired because no byte of the file arrived."""
        return self._receiving

    async def receive(self, response: ClientResponse) -> bytes | None:
        """Receive a file, and return nothing; of any other response return the body, or ``None`` if it is too long."""
        if response.status != 200 or self.unwritten or is_json(response.headers):
            return await read_body(response)
        try:
            return await self._receive(response)
        except KfqError as problem:
            self.failure = problem.with_traceback(None)
        raise _Stopped

    async def _receive(self, response: ClientResponse) -> bytes | None:
        content = response.content
        head = b""
        while len(head) < HEAD and (piece := await content.readany()):
            head += piece
            self._mark_progress()
        kind = detect(head)
        if kind is not None:
            await self._receive_file(response, head, kind)
            return b""
        if may_begin_file(head):
            raise ConnectionLost(f"the file was cut short after {len(head)} bytes", phase=Phase.SENT)
        self._mark_no_file()
        return await read_body(response, head)

    async def _receive_file(self, response: ClientResponse, piece: bytes, kind: FileKind) -> None:
        download, ending = self.download, Ending()
        assert download is not None  # noqa: S101  # set by the call
        total = None if hdrs.CONTENT_ENCODING in response.headers else response.content_length
        self._pause()
        await download.target.begin(file_name(response.headers, download.file_name, kind), total)
        while piece:
            self._pause()
            ending.add(piece)
            await download.target.write(piece)
            self._report(download, ending.size, total)
            self._mark_progress()
            piece = await response.content.readany()
        if not ending.is_whole(kind):
            raise ConnectionLost(f"the {kind[1:].upper()} was cut short after {ending.size} bytes", phase=Phase.SENT)
        self._pause()
        await download.target.finish()
        self.received = True

    def _report(self, download: FileDownload, received: int, total: int | None) -> None:
        if download.progress is None:
            return
        try:
            download.progress(received, total)
        except Exception as error:  # noqa: BLE001  # a function of the caller's
            self.callback_error = error
        else:
            return
        raise _Stopped

    def _mark_progress(self) -> None:
        """Restart the stall timeout: bytes arrived, or are awaited from now on."""
        self._receiving = True
        self._expires_at = min(self._total_at, asyncio.get_running_loop().time() + self._stall)

    def _mark_no_file(self) -> None:
        """Restart the attempt timeout, for the rest of a response that is no file."""
        self._receiving = False
        self._expires_at = min(self._total_at, asyncio.get_running_loop().time() + self._attempt_timeout)

    def _pause(self) -> None:
        """Suspend the stall timeout while the target, and not the platform, takes its time."""
        self._expires_at = self._total_at


class HeadAttempt(DownloadAttempt):
    """Attempt that receives the first bytes of a file, which show that it is one; the connection is closed then."""

    __slots__ = ("head",)

    def __init__(
        self, timeouts: Timeouts, *, total_at: float, cancelling: int = 0, permit: Permit | None = None
    ) -> None:
        super().__init__(timeouts, total_at=total_at, cancelling=cancelling, permit=permit)
        self.head: FileHead | None = None

    async def _receive_file(self, response: ClientResponse, piece: bytes, kind: FileKind) -> None:
        del piece
        self.head = FileHead(sent_name(response.headers), kind)
        self.received = True


class FileCall(Call):
    """One call whose success is a file."""

    __slots__ = ("_current",)

    attempt_type: ClassVar[type[Attempt]] = DownloadAttempt

    def __init__(self, client: Client, settings: CallSettings, prepared: PreparedCall) -> None:
        super().__init__(client, settings, prepared)
        self._current: DownloadAttempt | None = None

    def _create_attempt(self, permit: Permit | None) -> Attempt:
        attempt = self._current = cast("DownloadAttempt", super()._create_attempt(permit))
        return attempt

    def _read_response(self, response: HttpResponse) -> Envelope | KfqError:
        assert self._current is not None  # noqa: S101  # it has received the response
        if self._current.received:
            return _RECEIVED
        outcome = super()._read_response(response)
        if isinstance(outcome, KfqError):
            return outcome
        return UnexpectedResponse("success was reported without a file", http_status=response.status)


class HeadCall(FileCall):
    """One call that learns what header and first bytes tell of a file."""

    __slots__ = ()

    attempt_type: ClassVar[type[Attempt]] = HeadAttempt

    async def receive(self) -> FileHead:
        """Return what they tell, or raise the one `KfqError` of the call."""
        await self.fetch()
        head = cast("HeadAttempt", self._current).head
        assert head is not None  # noqa: S101  # the call has succeeded
        return head


class DownloadCall(FileCall):
    """One call that downloads a file."""

    __slots__ = ("_download",)

    def __init__(self, client: Client, settings: CallSettings, prepared: PreparedCall, download: FileDownload) -> None:
        super().__init__(client, settings, prepared)
        self._download = download

    def _create_attempt(self, permit: Permit | None) -> Attempt:
        attempt = super()._create_attempt(permit)
        cast("DownloadAttempt", attempt).download = self._download
        return attempt

    async def _attempt(self) -> Envelope | KfqError:
        """Receive the file once; raise what ``progress`` raised."""
        try:
            outcome = await super()._attempt()
        finally:
            attempt, self._current = self._current, None
            await self._download.target.discard()
        error = None if attempt is None else attempt.callback_error
        if error is None:
            return outcome
        try:
            raise error
        finally:
            del error, attempt  # the traceback holds this frame

    def _decide(self, error: KfqError) -> RetryDecision:
        """Return the consequence of ``error``: bytes that the caller has got are not sent again."""
        return super()._decide(error) if self._download.target.repeatable else RetryDecision.RAISE


class Downloader:
    """Downloads of a session, for its resources (`Downloads`); ``receive`` and ``receive_head`` make one call each."""

    def __init__(
        self,
        receive: Callable[[Operation[Any, Any], object, FileDownload], Awaitable[None]],
        receive_head: Callable[[Operation[Any, Any], object], Awaitable[FileHead]],
    ) -> None:
        self._receive = receive
        self._receive_head = receive_head

    async def read_head(self, operation: Operation[Any, Any], request: object) -> FileHead:
        """Return what header and first bytes tell of a file."""
        return await self._receive_head(operation, request)

    async def to_file(
        self,
        operation: Operation[Any, Any],
        request: object,
        *,
        file_name: str,
        to: str | os.PathLike[str],
        progress: DownloadProgress | None,
        check: Callable[[], Awaitable[None]] | None,
    ) -> Path:
        """Download into a file or folder; return the path."""
        target = FileTarget(to)
        check_progress(progress)
        download = FileDownload(file_name, target, progress)
        try:
            await target.check()
        except FileNotWritten as error:
            error.operation = operation.name
            raise
        if check is not None:
            await check()
        await self._receive(operation, request, download)
        return target.path

    def to_stream(
        self,
        operation: Operation[Any, Any],
        request: object,
        *,
        file_name: str,
        progress: DownloadProgress | None,
        check: Callable[[], Awaitable[None]] | None,
    ) -> ChunkStream:
        """Return the chunks of a download."""

        async def receive(target: Target) -> None:
            if check is not None:
                await check()
            await self._receive(operation, request, FileDownload(file_name, target, progress))

        check_progress(progress)
        return ChunkStream(receive)


class ChunkStream(Target):
    """Chunks of a download (`DownloadStream`); ``receive`` makes the call, in a task of its own."""

    def __init__(self, receive: Callable[[Target], Awaitable[None]]) -> None:
        self.name: str = ""
        self.size: int | None = None
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._chunk = b""
        self._started = asyncio.Event()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a download stream can be used only once")
        self._task = asyncio.create_task(self._run())
        try:
            await self._started.wait()
            if self._task.done():
                self._task.result()
        except BaseException:
            await self._close(self._task)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._task is not None  # noqa: S101  # entered first
        await self._close(self._task)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._task is None:
            raise RuntimeError("enter the download stream with 'async with' before iterating over it")
        await self._filled.wait()
        chunk, self._chunk = self._chunk, b""
        if chunk:
            if not self._task.done():
                self._filled.clear()
            self._emptied.set()
            return chunk
        self._task.result()
        raise StopAsyncIteration

    async def begin(self, name: str, total: int | None) -> None:
        """Let the caller in."""
        self.name, self.size = name, total
        self._emptied.set()
        self._started.set()

    async def write(self, piece: bytes) -> None:
        """Hand over a chunk, once the caller has taken the one before."""
        await self._emptied.wait()
        self._emptied.clear()
        self.repeatable = False
        self._chunk = piece
        self._filled.set()

    async def finish(self) -> None:
        """Do nothing: the end of the task ends the iteration."""

    async def discard(self) -> None:
        """Do nothing: the caller has the chunks."""

    async def _run(self) -> None:
        try:
            await self._receive(self)
        finally:
            self._started.set()
            self._filled.set()

    async def _close(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: it would be logged otherwise
