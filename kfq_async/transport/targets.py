"""Targets of downloads: a file beside its final place, which takes that place once it is whole."""

from __future__ import annotations

import asyncio
import errno
import os
from abc import ABC, abstractmethod
from contextlib import suppress
from io import FileIO
from pathlib import Path
from secrets import token_hex
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from kfq_async.errors import FileNotWritten, Phase
from kfq_async.models.masking import type_name
from kfq_async.protocol.downloads import numbered_name

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FileTarget", "PartialFile", "Target"]

T = TypeVar("T")
PIECE = 128 * 1024
"""Bytes that are written at once: a thread for each small piece would cost more than the writing."""
MAX_REMOVING = 1.0
"""Seconds for which the end of a download waits until the temporary file is removed; a thread goes on with it."""
MAX_OPENING = 10
"""Number of times that a folder is made, while other downloads remove it since they failed."""
_SEPARATORS = tuple(filter(None, (os.sep, os.altsep)))


class Target(ABC):
    """Where the bytes of a download go; of each attempt, all or none count."""

    repeatable = True
    """Whether another attempt can begin anew."""

    @abstractmethod
    async def begin(self, name: str, total: int | None) -> None:
        """Begin a file; ``name`` is a safe name for it, and ``total`` its size if that is known."""

    @abstractmethod
    async def write(self, piece: bytes) -> None:
        """Take the next bytes."""

    @abstractmethod
    async def finish(self) -> None:
        """End the file, which is whole."""

    @abstractmethod
    async def discard(self) -> None:
        """Drop what was written, unless `finish` has succeeded."""


class FileTarget(Target):
    """A file or folder of the caller's; all work on the disk is done in threads."""

    def __init__(self, to: str | os.PathLike[str]) -> None:
        given: object = to
        text = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        if not isinstance(text, str):
            raise TypeError(f"to must be a path, a str or os.PathLike[str], not {type_name(to)}")
        if not text or "\0" in text:
            raise ValueError("to must be the path of a file or folder, not empty, and without a NUL character")
        self.path: Path = Path(text)
        """Path of the file, once it is written."""
        self._to = Path(text)
        self._in_folder = text.endswith(_SEPARATORS)
        self._part: PartialFile | None = None

    async def check(self) -> None:
        """Raise `FileNotWritten` if it is certain that nothing can be written there."""
        self._in_folder = await self._run(is_folder, self._to, self._in_folder, phase=Phase.NOT_SENT)

    async def begin(self, name: str, total: int | None) -> None:
        """Create the temporary file, and the folder if it is absent."""
        del total
        self._part = PartialFile(self._to, name if self._in_folder else None)
        await self._run(self._part.open)

    async def write(self, piece: bytes) -> None:
        """Write the next bytes, once they are enough."""
        part = self._open_part()
        part.pending += piece
        if len(part.pending) >= PIECE:
            await self._run(part.write)

    async def finish(self) -> None:
        """Write the rest, and give the file its name."""
        self.path = await self._run(self._open_part().publish)
        self._part = None

    async def discard(self) -> None:
        """Remove the temporary file, and the folders that were made for it."""
        part, self._part = self._part, None
        if part is not None:
            part.abandoned = True
            await asyncio.wait({asyncio.get_running_loop().run_in_executor(None, part.remove)}, timeout=MAX_REMOVING)

    def _open_part(self) -> PartialFile:
        assert self._part is not None  # noqa: S101  # begun first
        return self._part

    async def _run(self, function: Callable[..., T], *args: object, phase: Phase = Phase.ANSWERED) -> T:
        """Call a function in a thread; raise `FileNotWritten` if the system refuses what it does."""
        try:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, function, *args))
        except OSError as problem:
            error = FileNotWritten(self._to, problem.errno, phase=phase)
        raise error


class PartialFile:
    """Temporary file of one attempt, which becomes ``to``, or a file of a free name like ``name`` in the folder ``to``.

    Its methods may block. One thread at a time is at work: a thread cannot be interrupted, and one that a cancellation
    leaves behind finds the file abandoned, while `remove` waits for it.
    """

    def __init__(self, to: Path, name: str | None) -> None:
        self.pending: bytearray = bytearray()
        """Bytes that are not yet written."""
        self.abandoned = False
        """Whether the file is not wanted any more."""
        self._to = to
        self._name = name
        self._temporary = (to.parent if name is None else to) / f".{token_hex(16)}.part"
        self._file: FileIO | None = None
        self._made: list[Path] = []
        self._lock = Lock()

    def open(self) -> None:
        """Create the file, and the folder if it is absent."""
        with self._lock:
            tries = 0
            while not self.abandoned and self._file is None:
                if self._name is not None:
                    self._make(self._to)
                try:
                    self._file = open_private(self._temporary)
                except FileNotFoundError:
                    tries += 1
                    if tries == MAX_OPENING:
                        raise

    def write(self) -> None:
        """Write what is pending."""
        with self._lock:
            self._write()

    def publish(self) -> Path:
        """Write the rest, and give the file its name once the disk has all of it; return its path."""
        path = self._to
        with self._lock:
            self._write()
            if self._file is None or self.abandoned:
                return path
            os.fsync(self._file.fileno())
            self._file.close()
            if self._name is None:
                self._temporary.replace(path)
            else:
                path = self._rename_new(self._name)
            self._file = None
            self._made.clear()
            sync_folder(path.parent)
        return path

    def remove(self) -> None:
        """Remove the file unless it has its name, and the folders that were made for it."""
        with self._lock:
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
                with suppress(OSError):
                    self._temporary.unlink()
                self._file = None
            while self._made:
                with suppress(OSError):  # another download is using it
                    self._made.pop().rmdir()

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, and remember which ones."""
        if folder.is_dir():
            return
        self._make(folder.parent)
        with suppress(FileExistsError):  # another download has just made it
            folder.mkdir()
            self._made.append(folder)

    def _write(self) -> None:
        if self._file is None or self.abandoned:
            return
        left = memoryview(self.pending)
        while left:
            left = left[self._file.write(left) :]
        self.pending = bytearray()

    def _rename_new(self, name: str) -> Path:
        """Rename the file to the first name that is free."""
        number = 1
        while True:
            path = self._to / numbered_name(name, number)
            with suppress(FileExistsError):
                rename_new(self._temporary, path)
                return path
            number += 1


def is_folder(path: Path, named_as_folder: bool) -> bool:  # noqa: FBT001  # called in a thread
    """Return whether files go into ``path`` and not in its place; raise `OSError` if neither is possible."""
    if path.is_dir():
        return True
    if named_as_folder:
        if path.exists():
            raise NotADirectoryError(errno.ENOTDIR, "")
        return True
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "")
    if path.exists() and not path.is_file():  # a device, or the like, which would be replaced
        raise FileExistsError(errno.EEXIST, "")
    return False


def open_private(path: Path) -> FileIO:
    """Create a file that only this user can read; raise `FileExistsError` if there is one."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
    return FileIO(descriptor, "wb")


def rename_new(source: Path, target: Path) -> None:
    """Rename a file; raise `FileExistsError` if there is one of that name, which `os.replace` would overwrite."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: reserve the name
        open_private(target).close()
        try:
            source.replace(target)
        except OSError:
            target.unlink()
            raise
    else:
        source.unlink()


def sync_folder(folder: Path) -> None:
    """Make a renaming durable, where the system can do that for a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
