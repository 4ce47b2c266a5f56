"""Sources of uploads: each is a file that can be opened, read and closed in a thread."""

from __future__ import annotations

import asyncio
import io
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from kfq_async.errors import FileRefused
from kfq_async.protocol.uploads import HEAD, FileFacts
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable

    from kfq_async.models.files import FileUpload
    from kfq_async.transport.threads import FileThreads

__all__ = ["MAX_IN_MEMORY", "PIECE", "Source", "Worker", "is_open_file", "label_of", "open_source", "read_exactly"]

T = TypeVar("T")

PIECE = 384 * 1024
"""Bytes of a file that are read at once; a multiple of 3, so that pieces of base64 join without padding."""
MAX_LABEL = 100
"""Number of characters of a file's name that an error shows."""
MAX_CLOSING = 0.2
"""Seconds for which the end of an upload waits for a thread that reads; the file is closed when it has read."""
MAX_IN_MEMORY = 1024 * 1024
"""Bytes of a source that can be read only once, beyond which it is kept in a temporary file."""


class Worker:
    """Runs the blocking functions of one upload, one after the other, in ``threads``.

    A thread cannot be interrupted: a cancelled `run` returns at once, and `finish` and the next `run` wait for its
    thread.
    """

    def __init__(self, threads: FileThreads) -> None:
        self._threads = threads
        self._work: asyncio.Future[Any] | None = None

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Call a function in a thread; raise `FileRefused` for whatever it raises, since files may raise anything."""
        try:
            if self._work is not None and not self._work.done():
                await asyncio.wait({self._work})
            call = self._threads.submit(function, *args)
            self._work = asyncio.wrap_future(call)
            try:
                return cast("T", await asyncio.shield(self._work))
            except asyncio.CancelledError:
                call.cancel()  # unless it has begun
                self._work.add_done_callback(_retrieve)
                raise
        except FileRefused:
            raise
        except Exception as problem:  # noqa: BLE001
            failure = f"it cannot be read ({type(problem).__name__})"
        raise FileRefused(failure)

    async def finish(self, close: Callable[[], None]) -> None:
        """Call ``close`` once no thread is at work, which is awaited for at most `MAX_CLOSING` seconds."""
        work = self._work
        try:
            if work is not None and not work.done():
                await asyncio.wait({work}, timeout=MAX_CLOSING)
        finally:
            if work is None or work.done():
                close()
            else:
                work.add_done_callback(lambda _: close())


def _retrieve(work: asyncio.Future[Any]) -> None:
    """Retrieve the exception of abandoned work: it would be logged otherwise."""
    if not work.cancelled():
        work.exception()


def is_open_file(source: object) -> bool:
    """Return whether a source is an open file of the caller's, which may block for ever, as a pipe does."""
    return not isinstance(source, str | os.PathLike | bytes | bytearray | memoryview) and not hasattr(
        source, "__aiter__"
    )


async def open_source(upload: FileUpload, worker: Worker, mark_progress: Callable[[], None]) -> Source:
    """Return the source of an upload; what can be read only once is copied first, since its size must be known.

    ``mark_progress`` is called for each part of such a source. Whatever an async iterable of the caller's raises is
    raised as it is.
    """
    source: Any = upload.source
    if isinstance(source, str | os.PathLike):
        return PathSource(Path(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return BytesSource(source)
    if hasattr(source, "__aiter__"):
        return await _collect(source, None, worker, mark_progress)
    name = _name_of(source)
    start = await worker.run(_position, source)
    if start is not None:
        return FileObjectSource(source, name, start)
    return await _collect(_read_all(source, worker), name, worker, mark_progress)


def label_of(upload: FileUpload) -> str:
    """Return the name of a file for an error, from what is known without opening it."""
    source: Any = upload.source
    name = Path(source).name if isinstance(source, str | os.PathLike) else _name_of(source)
    return printable(name or upload.name or "the file", MAX_LABEL)


async def _collect(
    chunks: AsyncIterable[Any], name: str | None, worker: Worker, mark_progress: Callable[[], None]
) -> CollectedSource:
    source = CollectedSource(name)
    iterator = aiter(chunks)
    try:
        await source.collect(iterator, worker, mark_progress)
    except BaseException:
        await worker.finish(source.close)
        raise
    finally:
        if isinstance(iterator, AsyncGenerator):
            await iterator.aclose()
    return source


async def _read_all(file: IO[bytes], worker: Worker) -> AsyncGenerator[bytes]:
    while (piece := await worker.run(file.read, PIECE)) != b"":
        yield piece


def _position(file: IO[bytes]) -> int | None:
    """Return the position of a file, or ``None`` if it can be read only once."""
    return file.tell() if file.seekable() else None


def _name_of(file: object) -> str | None:
    """Return the name of an open file: some have a number, or none."""
    name = getattr(file, "name", None)
    return Path(name).name if isinstance(name, str) else None


def _version_of(file: object) -> object:
    """Return what changes with a file of the file system, or ``None`` for any other: the time of its last change."""
    if not isinstance(file, io.FileIO | io.BufferedReader | io.BufferedRandom):
        return None
    try:
        status = os.fstat(file.fileno())
    except OSError:  # a buffer over something else
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def read_exactly(file: IO[bytes], size: int) -> bytes:
    """Read so many bytes, or all that are left; one ``read`` of an unbuffered file may return less."""
    pieces = []
    while size > 0 and (piece := file.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Source(ABC):
    """A file that is opened for each attempt.

    ``name`` is its name with the extension, if it has one; ``repeatable`` tells whether it can be sent again, and
    ``fixed`` whether its bytes cannot change between two attempts. The methods may block.
    """

    repeatable = True
    fixed = False

    def __init__(self, name: str | None) -> None:
        self.name = name
        self.head: bytes = b""
        """The first bytes, as they were examined."""
        self._version: object = None

    @abstractmethod
    def open(self) -> IO[bytes]:
        """Return the file, at its first byte."""

    def release(self, file: IO[bytes]) -> None:
        """Close what `open` returned."""
        file.close()

    def close(self) -> None:  # noqa: B027  # most sources keep nothing
        """Close what the source itself keeps, at the end of the call."""

    def examine(self) -> FileFacts:
        """Return size and first bytes."""
        file = self.open()
        try:
            start = file.tell()
            size = file.seek(0, os.SEEK_END) - start
            file.seek(start)
            self._version = _version_of(file)
            self.head = read_exactly(file, HEAD)
            return FileFacts(self.name, max(size, 0), self.head)
        finally:
            self.release(file)

    def was_written(self, file: IO[bytes]) -> bool:
        """Return whether the file is known to have been written to, or replaced, since it was examined."""
        return _version_of(file) != self._version


class PathSource(Source):
    """A file of the file system, opened for each attempt."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.name)
        self._path = path

    def open(self) -> IO[bytes]:
        """Open the file; raise `FileRefused` for a folder or a device, which could block or never end."""
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise FileRefused("it is no regular file: pass an open file")
        return self._path.open("rb", buffering=0)


class BytesSource(Source):
    """Bytes in memory, which are not copied."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        super().__init__(None)
        self.fixed: bool = isinstance(data, bytes)
        self._data = data

    def open(self) -> IO[bytes]:
        """Return a file over the bytes."""
        return _MemoryFile(self._data)  # type: ignore[return-value]  # a raw file, as is an unbuffered one


class FileObjectSource(Source):
    """A binary file of the caller's, read from its position and never closed."""

    def __init__(self, file: IO[bytes], name: str | None, start: int) -> None:
        super().__init__(name)
        self._file = file
        self._start = start

    def open(self) -> IO[bytes]:
        """Return the file at the position at which the caller passed it."""
        self._file.seek(self._start)
        return self._file

    def release(self, file: IO[bytes]) -> None:
        """Leave the file open: it is the caller's."""


class CollectedSource(Source):
    """A copy of what can be read only once, since the size must be known before the first byte is sent.

    It is kept in memory, or beyond `MAX_IN_MEMORY` in a temporary file that only this user can read.
    """

    repeatable = False
    fixed = True

    def __init__(self, name: str | None) -> None:
        super().__init__(name)
        self._file = SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115  # closed by `close`

    async def collect(self, chunks: AsyncIterator[Any], worker: Worker, mark_progress: Callable[[], None]) -> None:
        """Copy the chunks in pieces, so that a small one costs no thread and a large one does not hold up the loop."""
        piece = bytearray()
        async for chunk in chunks:
            if not isinstance(chunk, bytes | bytearray | memoryview):
                raise TypeError(f"the source of an upload must yield bytes, not {type(chunk).__name__}")
            view = memoryview(chunk).cast("B")
            if view:
                mark_progress()
            for start in range(0, len(view), PIECE):
                piece += view[start : start + PIECE]
                if len(piece) >= PIECE:
                    await worker.run(self._file.write, piece)
                    piece = bytearray()
        await worker.run(self._file.write, piece)

    def open(self) -> IO[bytes]:
        """Return the copy."""
        self._file.seek(0)
        return self._file

    def release(self, file: IO[bytes]) -> None:
        """Keep the copy until the end of the call."""

    def close(self) -> None:
        """Delete the copy."""
        self._file.close()


class _MemoryFile(io.RawIOBase):
    """File over bytes; `io.BytesIO` would copy a ``bytearray``."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data).cast("B")
        self._position = 0

    def readinto(self, buffer: Any) -> int:
        part = self._view[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + (len(self._view) if whence == os.SEEK_END else 0)
        return self._position

    def close(self) -> None:
        self._view.release()
        super().close()
