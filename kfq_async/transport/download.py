"""Downloads: a file is received piece by piece, and counts only if all of it arrived."""

from __future__ import annotations

import asyncio
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from aiohttp import hdrs
from attrs import field, frozen

from kfq_async.errors import ConnectionLost, KfqError, Phase, UnexpectedResponse
from kfq_async.models.masking import type_name
from kfq_async.protocol.downloads import HEAD, Ending, detect, file_name, is_json, may_begin_file
from kfq_async.protocol.envelope import SUCCESS, Envelope, EnvelopeKind
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.call import Call
from kfq_async.transport.client import read_body
from kfq_async.transport.retry import RetryDecision
from kfq_async.transport.targets import Target

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Self

    from aiohttp import ClientResponse

    from kfq_async.config import Timeouts
    from kfq_async.protocol.downloads import FileKind
    from kfq_async.protocol.requests import PreparedCall
    from kfq_async.protocol.responses import HttpResponse
    from kfq_async.transport.call import CallSettings
    from kfq_async.transport.client import Client
    from kfq_async.transport.limits import Permit

__all__ = ["Download", "DownloadAttempt", "DownloadCall", "DownloadProgress", "DownloadStream"]

DownloadProgress: TypeAlias = "Callable[[int, int | None], object]"
"""Called with the number of bytes that arrived in this attempt, and with all, or ``None`` if that is unknown."""

_RECEIVED = Envelope(kind=EnvelopeKind.API, code=SUCCESS)
"""Stands for the success that a whole file is, since it comes without an envelope."""


def _progress(_instance: object, _attribute: object, value: Any) -> None:
    if value is not None and (not callable(value) or iscoroutinefunction(value)):
        raise TypeError(f"progress must be a plain function of two numbers, or None, not {type_name(value)}")


@frozen
class Download:
    """What one call downloads, and where to.

    Attributes:
        contract_id: Id of the contract, for the name of the file.
        target: Where the bytes go.
        progress: Called after each piece.
    """

    contract_id: str
    target: Target
    progress: DownloadProgress | None = field(default=None, validator=_progress)


class _Abandoned(Exception):
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
        self.download: Download | None = None
        self.failure: KfqError | None = None
        self.callback_error: Exception | None = None
        self.received = False
        """Whether all of the file was received."""
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
        raise _Abandoned

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
        await download.target.begin(file_name(response.headers, download.contract_id, kind), total)
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

    def _report(self, download: Download, received: int, total: int | None) -> None:
        if download.progress is None:
            return
        try:
            download.progress(received, total)
        except Exception as error:  # noqa: BLE001  # a function of the caller's
            self.callback_error = error
        else:
            return
        raise _Abandoned

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


class DownloadCall(Call):
    """One call that downloads a file."""

    __slots__ = ("_current", "_download")

    attempt_type = DownloadAttempt

    def __init__(self, client: Client, settings: CallSettings, prepared: PreparedCall, download: Download) -> None:
        super().__init__(client, settings, prepared)
        self._download = download
        self._current: DownloadAttempt | None = None

    def _create_attempt(self, permit: Permit | None) -> Attempt:
        attempt = self._current = cast("DownloadAttempt", super()._create_attempt(permit))
        attempt.download = self._download
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

    def _read_response(self, response: HttpResponse) -> Envelope | KfqError:
        assert self._current is not None  # noqa: S101  # it has received the response
        if self._current.received:
            return _RECEIVED
        outcome = super()._read_response(response)
        if isinstance(outcome, KfqError):
            return outcome
        return UnexpectedResponse("success was reported without a file", http_status=response.status)

    def _decide(self, error: KfqError) -> RetryDecision:
        """Return the consequence of ``error``: bytes that the caller has got are not sent again."""
        return super()._decide(error) if self._download.target.repeatable else RetryDecision.RAISE


class DownloadStream(Target):
    """Chunks of a download, from ``session.contracts.download_stream``: ``async with`` it, and iterate over it.

    The call begins with ``async with``, which raises whatever fails before the first chunk. The iteration raises at its
    end if not all of the file arrived. What was received before is of no use then. Leaving the block earlier closes the
    connection. A chunk has at most a few hundred KiB, and the next ones are read while the caller takes its time.

    Attributes:
        name: Name of the file on the platform, made safe for any file system; it ends with ``.pdf`` or ``.zip``.
        size: Size in bytes, ``None`` if unknown: the platform does not send it.
    """

    name: str = ""
    """Name of the file on the platform, made safe for any file system; it ends with ``.pdf`` or ``.zip``."""
    size: int | None = None
    """Size in bytes, ``None`` if unknown: the platform does not send it."""

    def __init__(self, receive: Callable[[Target], Awaitable[None]]) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None
        self._chunk = b""
        self._begun = asyncio.Event()
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise RuntimeError("a download stream can be used only once")
        self._task = asyncio.create_task(self._run())
        try:
            await self._begun.wait()
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
        self._begun.set()

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
            self._begun.set()
            self._filled.set()

    async def _close(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen: it would be logged otherwise
