"""Files of a SQLite ledger: private ones, the key, connections to them, and the ledgers open in this process."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from kfq_async.errors import LedgerError
from kfq_async.models.masking import MaskedBytes
from kfq_async.onboarding.ledgers.base import SECRET_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Key",
    "Opening",
    "check_in_place",
    "check_private",
    "connect",
    "create_private",
    "is_in_place",
    "missing_error",
    "next_to",
    "register",
    "unregister",
]

_PRIVATE = 0o600
_MISSING = "is missing: restore it, since the ledger recognises no company without it"


@frozen(eq=False)
class Opening:
    """A ledger that is open in this process."""

    path: Path
    """Its file, without symbolic links."""
    file_id: tuple[int, int]
    """Device and inode of the file."""
    exclusive: bool
    """Whether it is the runner's."""
    process: int
    """Id of the process that opened it."""


_openings: dict[tuple[int, int], list[Opening]] = {}
"""Open ledgers by device and inode, those of the parent process included after a fork."""
_guard = threading.Lock()
"""Held while a file is created or the registry changes."""


def next_to(path: Path, suffix: str) -> Path:
    """Return the path of a ledger's other file, such as ``PATH.key``."""
    return path.with_name(f"{path.name}{suffix}")


def create_private(path: Path) -> None:
    """Create an empty file with mode 0600, unless the path exists.

    An existing file is never opened: closing it would release every lock that this process holds on it, those of
    SQLite's other connections included (POSIX). Raises `LedgerError` if the path is no file.
    """
    with _guard, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PRIVATE))
    if not path.is_file():
        raise LedgerError(f"{path} is a folder or a device: name another file")


def check_in_place(path: Path, *, with_key: bool = True) -> None:
    """Raise `LedgerError` if a ledger is missing, or empty, and files beside it show that it was used.

    No file is created, or opened other than the key: SQLite deletes the ``-wal`` file beside an empty database, and
    with it the newest ids.

    Args:
        path: The ledger's file, without symbolic links.
        with_key: Whether its secret is in ``PATH.key``.
    """
    key, wal = next_to(path, ".key"), next_to(path, "-wal")
    found = [wal.name] if _size(wal) else []
    if with_key and Key.is_used(key):
        found.append(key.name)
    # Last: another process may have created and used the ledger meanwhile.
    if found and not _size(path):
        raise missing_error(path, found)


def missing_error(path: Path, beside: Sequence[str]) -> LedgerError:
    """Return the error about a ledger that is missing while these files beside it belong to one that was used."""
    return LedgerError(
        f"{path} is missing or empty, and files of a ledger that was used are beside it ({', '.join(beside)}): put "
        "that ledger back in its place beside them, and run again. Delete them only to begin a new ledger, which "
        "requests a second order for each company that was requested before"
    )


def _size(path: Path) -> int:
    """Return the size of a file, 0 if it is missing."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def check_private(path: Path) -> None:
    """Raise `LedgerError` for a file that others may use, that belongs to another user, or that has several names.

    Under another name a ledger would have another lock.
    """
    found = path.stat()
    if found.st_nlink > 1:
        raise LedgerError(f"{path} has {found.st_nlink} names (hard links): delete all but one, or copy the file")
    if os.name == "posix" and found.st_uid != os.geteuid():
        raise LedgerError(f"{path} belongs to another user (uid {found.st_uid}): run as that user, or chown the file")
    if os.name == "posix" and (mode := stat.S_IMODE(found.st_mode)) & ~_PRIVATE:
        raise LedgerError(f"{path} has mode {mode:04o}, so that others may use it: run chmod 600 on it")


def connect(path: Path, *, timeout: float, cached_statements: int = 128) -> sqlite3.Connection:
    """Connect to an existing database, in autocommit mode; ``timeout`` is in seconds."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        cached_statements=cached_statements,
    )


def register(path: Path, *, exclusive: bool) -> Opening:
    """Register an opening of a ledger.

    Raises `LedgerError` if the file has a runner in this process, also by another path, and if it was open when this
    process was forked, which SQLite does not support.
    """
    found = path.stat()
    opening = Opening(path, (found.st_dev, found.st_ino), exclusive, os.getpid())
    with _guard:
        others = _openings.setdefault(opening.file_id, [])
        if any(other.process != opening.process for other in others):
            raise LedgerError(
                f"{path} was open when this process was forked: open it only after the fork, or start processes by "
                "spawn"
            )
        if exclusive and any(other.exclusive for other in others):
            raise LedgerError(f"{path} is in use by this process: use that SqliteLedger, or pass exclusive=False")
        others.append(opening)
    return opening


def unregister(opening: Opening) -> None:
    """Remove an opening from the registry."""
    with _guard:
        others = _openings[opening.file_id]
        others.remove(opening)
        if not others:
            del _openings[opening.file_id]


def is_in_place(opening: Opening, *, missing: bool = False) -> bool:
    """Return whether the path of an opening still leads to the file that was opened.

    ``missing`` is the answer if it leads to none, or to an empty file, such as a runner leaves that was refused.
    """
    try:
        found = opening.path.stat()
    except FileNotFoundError:
        return missing
    return (found.st_dev, found.st_ino) == opening.file_id or (missing and not found.st_size)


@define
class Key:
    """Content of ``PATH.key``: the ledger's secret, and the revision that the ledger had at least reached.

    The ledger's revision is incremented by each commit that stores ids, and then written here before an id is sent. A
    ledger with a lower one lacks ids that were sent: it was restored from an old copy, or moved without its
    ``PATH-wal``.
    """

    path: Path
    secret: bytes = field(converter=MaskedBytes)
    revision: int = 0

    @classmethod
    def read(cls, path: Path, *, create: bool) -> Key:
        """Read the file; with ``create``, write it first if it is missing, durably."""
        if create:
            create_private(path)
            if not path.stat().st_size:
                key = cls(path, secrets.token_bytes(SECRET_BYTES))
                key.write(0)
                return key
        try:
            check_private(path)
            first, _, second = path.read_text(encoding="ascii").partition("\n")
            key = cls(path, bytes.fromhex(first), int(second or 0))
        except FileNotFoundError:
            raise LedgerError(f"{path} {_MISSING}") from None
        except ValueError:
            key = cls(path, b"")
        if len(key.secret) != SECRET_BYTES:
            raise LedgerError(f"{path} does not hold {SECRET_BYTES} bytes as hexadecimal digits: restore it")
        return key

    @classmethod
    def is_used(cls, path: Path) -> bool:
        """Return whether the file is the key of a ledger that stored ids; one that is being written is of a new one."""
        try:
            return int(path.read_text(encoding="ascii").partition("\n")[2] or 0) > 0
        except (FileNotFoundError, ValueError):
            return False

    def write(self, revision: int) -> None:
        """Write a revision, on the disk when this returns; only its digits change.

        Raises `LedgerError` if the file is missing, or holds another secret.
        """
        secret = self.secret.hex().encode("ascii")
        try:
            with self.path.open("r+b") as file:
                if file.read(len(secret)) not in {b"", secret}:
                    raise LedgerError(f"{self.path} was replaced by the key of another ledger: restore it")
                file.seek(0)
                file.write(b"%b\n%020d\n" % (secret, revision))
                file.flush()
                os.fsync(file.fileno())
        except FileNotFoundError:
            raise LedgerError(f"{self.path} {_MISSING}") from None
        self.revision = revision
