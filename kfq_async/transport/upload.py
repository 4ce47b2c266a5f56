"""Uploads: the file is read and encoded piece by piece, in threads, while it is sent."""

from __future__ import annotations

import asyncio
import socket
from binascii import b2a_base64
from contextlib import suppress
from hashlib import sha256
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from aiohttp import Payload

from kfq_async.errors import (
    FileChanged,
    FileRefused,
    KfqError,
    SessionError,
    StallTimeout,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.models.fields import new_id
from kfq_async.protocol.requests import BodyStream
from kfq_async.protocol.uploads import TAIL, encoded_size, prepare_upload
from kfq_async.transport.attempt import Attempt, current_attempt
from kfq_async.transport.call import Call
from kfq_async.transport.connector import let_read
from kfq_async.transport.retry import RetryDecision
from kfq_async.transport.sources import PIECE, Worker, is_open_file, label_of, open_source, read_exactly
from kfq_async.transport.translation import SESSION_CLOSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.abc import AbstractStreamWriter

    from kfq_async.config import Timeouts
    from kfq_async.models.files import FileUpload
    from kfq_async.protocol.envelope import Envelope
    from kfq_async.protocol.requests import HttpRequest, PreparedCall
    from kfq_async.protocol.uploads import PreparedUpload
    from kfq_async.transport.arrivals import Arrivals
    from kfq_async.transport.call import CallSettings
    from kfq_async.transport.client import Client
    from kfq_async.transport.limits import Permit
    from kfq_async.transport.sources import Source

__all__ = ["UploadAttempt", "UploadCall", "UploadPayload"]

SLICE = 64 * 1024
"""Bytes of the body that are written at once."""
MAX_UNSENT = 256 * 1024
"""Bytes that the system may hold unsent; with megabytes of them a slow line would look stalled, or finished."""


class UploadAttempt(Attempt):
    """Attempt that sends a file: ``stall`` bounds the time without a byte, and ``attempt`` begins after the last one.

    ``failure`` is the error with which the file ended the attempt.
    """

    __slots__ = ("_pending", "_sending", "_stall", "failure")

    def __init__(
        self, timeouts: Timeouts, *, total_at: float, cancelling: int = 0, permit: Permit | None = None
    ) -> None:
        super().__init__(timeouts, total_at=total_at, cancelling=cancelling, permit=permit)
        self.failure: KfqError | None = None
        self._stall = timeouts.stall
        self._sending = False
        self._pending = 0

    @property
    def stalled(self) -> bool:
        """Whether the attempt expired because no byte of the file was sent."""
        return self._sending

    def mark_connected(
        self, now: float, transport: asyncio.Transport | None = None, arrivals: Arrivals | None = None
    ) -> None:
        """Start the stall timeout, and release the permit."""
        super().mark_connected(now, transport, arrivals)
        self._sending = True
        self.mark_progress(now)
        sock = None if transport is None else transport.get_extra_info("socket")
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # not on Windows
        if sock is not None and option is not None:
            with suppress(OSError):  # not of TCP
                sock.setsockopt(socket.IPPROTO_TCP, option, MAX_UNSENT)

    async def let_read(self) -> None:
        """Let the event loop read a response that has arrived: a write that fails would close the connection first."""
        if self._arrivals is not None and self._arrivals.poll(0):
            await let_read()

    def mark_progress(self, now: float) -> None:
        """Restart the stall timeout: bytes were sent."""
        self._expires_at = min(self._total_at, now + self._stall)

    def mark_sent(self, now: float) -> None:
        """Start the attempt timeout: the last byte was sent."""
        self._sending = False
        self._expires_at = min(self._total_at, now + self._attempt_timeout)

    def check(self, now: float) -> None:
        """Expire the scope if the deadline has passed; bytes that left the transport's buffer are progress."""
        if self._sending and self._transport is not None:
            pending = self._transport.get_write_buffer_size()
            if pending != self._pending:
                self._pending = pending
                self.mark_progress(now)
        super().check(now)


def _name_file(problem: FileRefused, upload: FileUpload) -> FileRefused:
    """Return an error with the file's name, and without a traceback, whose frames hold parts of the file."""
    return type(problem)(f"{label_of(upload)}: {problem.args[0]}")


class UploadFile:
    """The file of one call, read anew for each attempt, which must find the bytes of the attempts before it."""

    def __init__(self, upload: FileUpload, source: Source, worker: Worker) -> None:
        self.upload = upload
        self.source = source
        self.worker = worker
        self.size = 0
        self.checked = 0
        """Number of bytes that an attempt has read."""
        self.digest = b""
        """SHA-256 of these bytes."""

    def stream(self, start: bytes) -> UploadPayload:
        """Return the body of an attempt: ``start``, the file as base64, and the end of the JSON object."""
        return UploadPayload(self, start)


class _Encoder:
    """Reads and encodes the file for one attempt, in a thread; raises `FileChanged` if it is not the same."""

    def __init__(self, file: UploadFile) -> None:
        self.position = 0
        """Number of bytes that were read."""
        self._upload = file
        self._hash = sha256()
        self._file: IO[bytes] | None = None

    def open(self) -> None:
        """Open the file."""
        self._file = self._upload.source.open()

    def read(self) -> memoryview:
        """Return the next piece as base64; the last one ends the body, and exists only if the file is unchanged."""
        assert self._file is not None  # noqa: S101  # opened first
        wanted = min(PIECE, self._upload.size - self.position)
        piece = read_exactly(self._file, wanted)
        if len(piece) < wanted:
            raise FileChanged("it became shorter while it was being sent")
        self.position += wanted
        last = self.position == self._upload.size
        if last and self._file.read(1):
            raise FileChanged("it became longer while it was being sent")
        if not self._upload.source.fixed:
            self._compare(self._file, piece)
        encoded = b2a_base64(piece, newline=False)
        return memoryview(encoded + TAIL if last else encoded)

    def _compare(self, file: IO[bytes], piece: bytes) -> None:
        """Compare a piece with what is known: from an attempt before, or from the examination of the file."""
        upload, source = self._upload, self._upload.source
        if upload.checked == 0 and not piece.startswith(source.head):
            raise FileChanged("its contents changed before it was sent")
        self._hash.update(piece)
        if self.position < upload.checked:
            return
        digest = self._hash.digest()
        if self.position > upload.checked:
            if self.position == upload.size and source.was_written(file):
                raise FileChanged("it was written to while it was waiting or being sent")
            upload.checked, upload.digest = self.position, digest
        elif digest != upload.digest:
            raise FileChanged("its contents changed between two attempts")

    def close(self) -> None:
        """Release the file. Idempotent."""
        file, self._file = self._file, None
        if file is not None:
            self._upload.source.release(file)


class _Abandoned(Exception):
    """Ends the sending of a body; the reason is kept elsewhere."""


class UploadPayload(Payload, BodyStream):
    """Body of one attempt, which aiohttp's own task writes."""

    _autoclose = True  # `close` of the call closes the file

    def __init__(self, file: UploadFile, start: bytes) -> None:
        super().__init__(None)
        self.complete: bool = False
        """Whether the last byte was written."""
        self.callback_error: BaseException | None = None
        """What ``progress`` raised."""
        self.file = file
        self._start = start
        self._encoder = _Encoder(file)
        self._attempt: UploadAttempt | None = None
        self._size = len(start) + encoded_size(file.size) + len(TAIL)

    @property
    def may_have_sent(self) -> bool:
        """Whether bytes of the request may have been sent; a mock responds without a request."""
        return self._attempt is not None and self._attempt.may_have_sent

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # aiohttp's
        """Raise `TypeError`: the body is never in memory as a whole."""
        raise TypeError("the body of an upload is read while it is sent")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body."""
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body, which has exactly the announced length."""
        del content_length
        attempt = self._attempt = cast("UploadAttempt", current_attempt.get())
        try:
            await self._write(writer, attempt)
        except FileRefused as problem:
            attempt.failure = _name_file(problem, self.file.upload)
        except _Abandoned:
            pass
        else:
            return
        raise _Abandoned  # aiohttp closes the connection

    async def _write(self, writer: AbstractStreamWriter, attempt: UploadAttempt) -> None:
        file, encoder, clock = self.file, self._encoder, asyncio.get_running_loop().time
        await file.worker.run(encoder.open)
        while encoder.position < file.size:
            piece = await file.worker.run(encoder.read)
            if encoder.position <= PIECE:
                await writer.write(self._start)  # nothing is sent of a file that cannot be read
            for start in range(0, len(piece), SLICE):
                await attempt.let_read()
                self.complete = encoder.position == file.size and start + SLICE >= len(piece)
                await writer.write(piece[start : start + SLICE])
                attempt.mark_progress(clock())
            self._report(encoder.position)
        await writer.drain()
        attempt.mark_sent(clock())

    def _report(self, sent: int) -> None:
        progress = self.file.upload.progress
        if progress is None:
            return
        try:
            progress(sent, self.file.size)
        except BaseException as error:  # a function of the caller's may raise anything
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
            cancelled = isinstance(error, asyncio.CancelledError)  # nobody asked for it
            self.callback_error = RuntimeError("progress raised CancelledError") if cancelled else error
        else:
            return
        raise _Abandoned

    async def release(self) -> None:
        """Close the file of the attempt, whose task has ended or is cancelled."""
        await self.file.worker.finish(self._encoder.close)


class UploadCall(Call):
    """One call that uploads a file."""

    __slots__ = ("_file", "_may_have_sent", "_payload", "_upload", "_worker")

    prepare: ClassVar[Callable[..., PreparedCall]] = staticmethod(prepare_upload)
    attempt_type: ClassVar[type[Attempt]] = UploadAttempt

    def __init__(self, client: Client, settings: CallSettings, prepared: PreparedCall) -> None:
        super().__init__(client, settings, prepared)
        self._upload = cast("PreparedUpload", prepared)
        blocking = is_open_file(self._upload.upload.source)
        self._worker = Worker(client.blocking_threads if blocking else client.file_threads)
        self._file: UploadFile | None = None
        self._payload: UploadPayload | None = None
        self._may_have_sent = False

    async def run(self) -> Envelope:
        """Return the envelope of a success, or raise the one `KfqError` of the call.

        What an async iterable or ``progress`` of the caller's raises is raised as it is.
        """
        try:
            return await super().run()
        finally:
            if self._file is not None:
                await self._worker.finish(self._file.source.close)

    async def _attempt(self) -> Envelope | KfqError:
        if self._file is None:
            problem = await self._open()
            if problem is not None:
                return problem
        try:
            outcome = await super()._attempt()
        finally:
            payload, self._payload = self._payload, None
            if payload is not None:
                self._may_have_sent = self._may_have_sent or payload.may_have_sent
                await payload.release()
        return outcome if payload is None else self._judge(outcome, payload)

    def _judge(self, outcome: Envelope | KfqError, payload: UploadPayload) -> Envelope | KfqError:
        """Return what an attempt came to, in view of what was sent; raise what ``progress`` raised."""
        error, payload.callback_error = payload.callback_error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # the traceback holds this frame
        if not isinstance(outcome, KfqError):
            if payload.complete or not payload.may_have_sent:  # a mocked response comes without a request
                return outcome
            outcome = UnexpectedResponse("success was reported before the whole file was sent", http_status=200)
            self._sent = True
        elif isinstance(outcome, UnexpectedResponse) and outcome.http_status == 413:
            outcome = UnexpectedResponse(
                f"HTTP 413: the platform, or a proxy in between, refused a body of {payload.size} bytes, for a file of "
                f"{payload.file.size}: raise its limit, or set max_upload to refuse such files before they are sent",
                http_status=413,
                phase=outcome.phase,
            )
        else:
            return outcome
        return self._complete(outcome)

    async def _open(self) -> KfqError | None:
        """Open the file and add it to the request; return the error if that is impossible.

        Raises `SessionError` if the session is closed meanwhile.
        """
        client, timeouts, raised = self._client, self._settings.timeouts, False
        client.open()
        clock = asyncio.get_running_loop().time
        scope = asyncio.timeout_at(min(self._total_at, clock() + timeouts.stall))

        def mark_progress() -> None:
            if not scope.expired() and not client.closed:
                scope.reschedule(min(self._total_at, clock() + timeouts.stall))

        client.waits.add(scope)
        try:
            async with scope:
                return await self._examine(mark_progress)
        except TimeoutError:
            if not scope.expired():
                raise
        except asyncio.CancelledError:
            if cast("asyncio.Task[Any]", asyncio.current_task()).cancelling() > self._cancelling:
                raise
            raised = True
        finally:
            client.waits.discard(scope)
        if raised:
            raise RuntimeError("the source of the upload raised CancelledError")
        if client.closed:
            raise SessionError(SESSION_CLOSED)
        if scope.when() == self._total_at:
            return TotalTimeout(f"total timeout ({timeouts.total} s) expired while the file was being read")
        return StallTimeout(f"no byte of the file could be read for {timeouts.stall} s (Timeouts.stall)")

    async def _examine(self, mark_progress: Callable[[], None]) -> FileRefused | None:
        upload = self._upload.upload
        try:
            source = await open_source(upload, self._worker, mark_progress)
            self._file = UploadFile(upload, source, self._worker)
            mark_progress()
            facts = await self._worker.run(self._file.source.examine)
            self._file.size = facts.size
            self._upload.begin(self._file, facts)
        except FileRefused as problem:
            return _name_file(problem, upload)
        size, limit = self._upload.body_size(self._settings.app_auth_token, new_id()), self._settings.max_upload
        if limit is not None and size > limit:
            text = f"its body has {size} bytes, for a file of {facts.size}, and max_upload is {limit}"
            return _name_file(FileRefused(text), upload)
        return None

    def _build_attempt(self) -> HttpRequest:
        request = super()._build_attempt()
        self._payload = cast("UploadPayload", request.body)
        return request

    def _decide(self, error: KfqError) -> RetryDecision:
        """Return the consequence of ``error``: what can be read only once is read and sent only once."""
        if self._upload.file is None:
            return RetryDecision.RAISE
        return super()._decide(error) if self._repeatable else RetryDecision.RAISE

    @property
    def _repeatable(self) -> bool:
        """Whether the file can be read again, or was not sent."""
        return not self._may_have_sent or self._file is None or self._file.source.repeatable
