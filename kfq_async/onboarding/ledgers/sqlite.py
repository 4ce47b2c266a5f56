"""Ledger in a SQLite file: WAL, ``synchronous=FULL``, one runner at a time."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import frozen

from kfq_async.errors import LedgerError
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.ledgers.base import (
    COLUMNS,
    GENERATION_COLUMNS,
    RESULT_COLUMNS,
    SECRET_BYTES,
    STATUS_COLUMNS,
    Hashes,
    describe_process,
    read_entry,
    replaces_status,
)
from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence

__all__ = ["Run", "SqliteLedger"]


APPLICATION_ID = 0x6B66716C
"""SQLite's ``application_id`` of a ledger: the letters ``kfql``."""
VERSION = 2
"""SQLite's ``user_version`` of a ledger, incremented with every change of its tables."""
PAGE = 500
"""Entries that are read at a time."""
SIZES = (1, 5, 20, 50, 100, 150, 200, 300, 400, 500)
"""Numbers of entries in one statement. They are few, since preparing a statement takes SQLite as long as running it,
and prepared ones are kept. They are large, since each statement hands the interpreter lock to the event loop's thread
and back: many statements of a few entries would cost both threads more than the writing does."""

SCHEMA = f"""
CREATE TABLE entries (
    key_hash BLOB NOT NULL, generation INTEGER NOT NULL, client_request_id TEXT NOT NULL UNIQUE,
    {", ".join(COLUMNS[3:])},
    PRIMARY KEY (key_hash, generation)
);
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL, counts TEXT);
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
MIGRATIONS = {
    1: (
        "ALTER TABLE entries RENAME COLUMN key TO key_hash",
        "ALTER TABLE entries RENAME COLUMN body TO body_hash",
        "ALTER TABLE entries RENAME COLUMN number TO row_number",
        "ALTER TABLE entries RENAME COLUMN words TO reason",
        "UPDATE entries SET state = 'pending' WHERE state = 'unsent'",
        """UPDATE runs SET counts = replace(counts, '"repeated":', '"duplicate":')""",
        "PRAGMA user_version = 2",
    ),
}
"""Statements that bring the tables from an older version to this one."""
HOLDER = "SELECT value FROM facts WHERE name = 'holder'"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608  # our own names
CURRENT = f"{SELECT} AS it WHERE generation = (SELECT max(generation) FROM entries WHERE key_hash = it.key_hash)"  # noqa: S608
FINISHED = f"""
SELECT key_hash FROM ({CURRENT}) WHERE (state = ? AND ended_at < ?) OR (status IN (?, ?, ?) AND status_at < ?)
"""  # noqa: S608
STATUS = "SELECT status FROM entries WHERE client_request_id = ?"
COMPLETE = "UPDATE entries SET status = ?, status_at = ? WHERE client_request_id = ?"

RECORDED = ("key_hash", "generation", *RESULT_COLUMNS)
"""Columns of the values that `record` takes."""
_REPLACED = tuple(name for name in COLUMNS if name not in {*GENERATION_COLUMNS, *STATUS_COLUMNS})
"""Columns of an existing entry that `put` replaces."""

T = TypeVar("T")
_TO_SQL: dict[str, Callable[[Any], object]] = {"key_hash": bytearray, "body_hash": bytearray, "state": str}
"""Conversions to the types that sqlite3 binds without looking for an adapter."""
_STATEMENTS = 24
"""Statements that are kept prepared; one of many entries takes some hundred kilobytes."""
_NOT_OPEN = "the ledger is not open: use it inside async with"


def _put_statement(names: tuple[str, ...], rows: int) -> str:
    """Return the statement that writes so many entries of which these columns are set; the others become NULL."""
    return f"""
        INSERT INTO entries ({", ".join(names)}) VALUES {_placeholders(len(names), rows)}
        ON CONFLICT (key_hash, generation) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _REPLACED)}
    """  # noqa: S608  # our own names


def _record_statement(names: tuple[str, ...], rows: int) -> str:
    """Return the statement that writes so many results of which these columns are set; the others become NULL."""
    changes = ", ".join(f"{name} = {f'new_{name}' if name in names else 'NULL'}" for name in RESULT_COLUMNS)
    return f"""
        WITH new ({", ".join(f"new_{name}" for name in names)}) AS (VALUES {_placeholders(len(names), rows)})
        UPDATE entries SET {changes} FROM new WHERE key_hash = new_key_hash AND generation = new_generation
    """  # noqa: S608  # our own names


def _find_statement(rows: int) -> str:
    """Return the statement that finds all generations of so many companies, the current one last."""
    return f"{SELECT} WHERE key_hash IN ({', '.join('?' * rows)}) ORDER BY generation"


def _placeholders(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


@frozen(kw_only=True)
class Run:
    """One run of the ledger.

    Attributes:
        run: Its number, counted from 1.
        began_at: Start, in seconds since the epoch.
        ended_at: End, in seconds since the epoch; ``None`` if the run was killed, or is still running.
        counts: The counts given to `SqliteLedger.end_run`, such as the number of invalid rows; empty before.
    """

    run: int
    """Number of the run."""
    began_at: float
    """Seconds since the epoch."""
    ended_at: float | None
    """Seconds since the epoch; ``None`` if the run was killed, or is still running."""
    counts: Mapping[str, Any]
    """The counts given to `SqliteLedger.end_run`."""


class SqliteLedger:
    """Ledger in a SQLite file, to be opened in ``async with``.

    Beside it are ``PATH.key``, which holds the secret, and ``PATH.lock``; all have mode 0600. A ledger of an older
    version of the package is migrated when it is opened, in one transaction, unless a runner is using it.

    Every method raises `LedgerError` if the disk or another process prevents it.

    Args:
        path: The file; it is created if it does not exist.
        secret: The key of the hashes, 32 bytes, to be kept elsewhere; ``None`` keeps one in ``PATH.key``.
        exclusive: Whether to take the lock, which runs need. ``False`` is for processes that receive notifications or
            only read.
        timeout: Seconds for which a statement waits while another process writes or migrates.

    Attributes:
        path: The file.
        secret: The key of the hashes; empty before the ledger is open.
    """

    def __init__(
        self, path: str | Path, *, secret: bytes | None = None, exclusive: bool = True, timeout: float = 10.0
    ) -> None:
        self.path = Path(path)
        self._timeout = timeout
        self._given_secret = secret
        self._exclusive = exclusive
        self._secret = b""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kfq-ledger")
        self._database: sqlite3.Connection | None = None
        self._lock: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._do(self._open)
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the file and release the lock; idempotent."""
        with suppress(LedgerError):  # closed already
            await self._do(self._close)
        self._thread.shutdown(wait=False)

    @property
    def secret(self) -> bytes:
        """The key of the hashes, 32 bytes."""
        return self._secret

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the current generations of these companies by key hash; those that the ledger lacks are left out."""
        return await self._do(partial(self._find, keys))

    async def put(self, entries: Sequence[Entry]) -> None:
        """Insert or replace entries: all or none, on the disk when this returns."""
        await self._do(partial(self._write_all, entries, COLUMNS, _put_statement))

    async def record(self, entries: Sequence[Entry]) -> None:
        """Write the results of calls to existing entries: all or none, on the disk when this returns."""
        await self._do(partial(self._write_all, entries, RECORDED, _record_statement))

    async def begin_run(self) -> int:
        """Begin a run and return its number."""
        (run,) = await self._do(
            lambda: self._write("INSERT INTO runs (began_at) VALUES (?) RETURNING run", (time.time(),))[0]
        )
        return int(run)

    async def end_run(self, run: int, counts: Mapping[str, Any]) -> None:
        """Record the end of a run and its counts, which must be JSON and free of personal data."""
        values = (time.time(), json.dumps(counts), run)
        await self._do(lambda: self._write("UPDATE runs SET ended_at = ?, counts = ? WHERE run = ?", values))

    async def last_run(self) -> Run | None:
        """Return the last run, or ``None`` if there was none."""
        rows = await self._do(
            lambda: self._run("SELECT run, began_at, ended_at, counts FROM runs ORDER BY run DESC LIMIT 1")
        )
        for run, began_at, ended_at, counts in rows:
            return Run(run=run, began_at=began_at, ended_at=ended_at, counts=json.loads(counts or "{}"))
        return None

    async def record_fact(self, name: str, value: str) -> str:
        """Store a fact about the whole ledger unless one of this name is stored; return the stored value."""

        def work() -> str:
            with self._transaction() as database:
                database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
            ((stored,),) = self._run("SELECT value FROM facts WHERE name = ?", (name,))
            return str(stored)

        return await self._do(work)

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:
        """Record the status that a notification carried if it supersedes the one on record.

        ``at`` is in seconds since the epoch. Returns ``False`` if no entry has this id.
        """

        def work() -> bool:
            with self._transaction():
                found = self._run(STATUS, (client_request_id,))
                if found and replaces_status(status, found[0][0]):
                    self._run(COMPLETE, (int(status), at, client_request_id))
            return bool(found)

        return await self._do(work)

    async def entries(self, states: Collection[State] = tuple(State)) -> AsyncIterator[Entry]:
        """Iterate over the current generations in these states, ordered by row number, as of now."""
        query = f"{CURRENT} AND state IN ({', '.join('?' * len(states))}) ORDER BY row_number, key_hash"
        cursor = await self._do(lambda: self._opened().execute(query, tuple(states)))
        while rows := await self._do(lambda: cursor.fetchmany(PAGE)):
            for row in rows:
                yield read_entry(row)

    async def copy(self, path: Path) -> None:
        """Copy the ledger as of now to another file, without its secret."""

        def work() -> None:
            _create_private(path)
            with closing(sqlite3.connect(path)) as copy:
                self._opened().backup(copy)

        await self._do(work)

    async def history(self, key: bytes) -> list[Entry]:
        """Return all generations of a company by its key hash, the current one first."""
        rows = await self._do(partial(self._run, f"{SELECT} WHERE key_hash = ? ORDER BY generation DESC", (key,)))
        return [read_entry(row) for row in rows]

    async def purge(self, before: float) -> int:
        """Delete the companies that were finished before this time, in seconds since the epoch; return their number.

        Finished companies are those refused, identified, withdrawn or expired. All their generations are deleted.
        """
        final = tuple(status for status in IdentityStatus if status.final)
        values = (State.REFUSED, before, *final, before)

        def work() -> int:
            found = self._run(FINISHED, values)
            with self._transaction() as database:
                database.executemany("DELETE FROM entries WHERE key_hash = ?", found)
            self._run("VACUUM")  # deleted rows must not stay readable in the file
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")
            return len(found)

        return await self._do(work)

    async def _do(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the ledger's own thread, one call after the other."""
        try:
            future = asyncio.get_running_loop().run_in_executor(self._thread, _translated, work, self.path)
        except RuntimeError:  # the thread was shut down
            raise LedgerError(_NOT_OPEN) from None
        return await future

    def _open(self) -> None:
        _create_private(self.path)
        if self._exclusive:
            self._lock = self._acquire_lock()
        self._database = sqlite3.connect(
            self.path, timeout=self._timeout, isolation_level=None, cached_statements=_STATEMENTS
        )
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA secure_delete=ON")
        self._prepare()
        self._database.execute("PRAGMA journal_mode=WAL")
        if self._exclusive:
            self._write("INSERT OR REPLACE INTO facts VALUES ('holder', ?)", (describe_process(),))

    def _acquire_lock(self, *, timeout: float = 0.0, purpose: str = "") -> sqlite3.Connection:
        """Take the lock, which the operating system releases when this process ends in any way.

        It is a database of its own, locked exclusively: this works wherever SQLite does, and the ledger stays readable.
        """
        path = self.path.with_name(f"{self.path.name}.lock")
        _create_private(path)
        lock = sqlite3.connect(path, timeout=timeout, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            lock.close()
            raise LedgerError(f"{self.path} is in use by {self._holder()}{purpose}: wait until it ends") from None
        return lock

    def _holder(self) -> str:
        with closing(sqlite3.connect(self.path, timeout=self._timeout)) as database, suppress(sqlite3.Error):
            for (holder,) in database.execute(HOLDER):
                return str(holder)
        return "another process"

    def _prepare(self) -> None:
        """Create the tables of an empty file, migrate those of an older version, and refuse any other database."""
        ((application_id,),) = self._run("PRAGMA application_id")
        version = self._version()
        ((tables,),) = self._run("SELECT count(*) FROM sqlite_master")
        if tables and application_id != APPLICATION_ID:
            raise LedgerError(f"{self.path} is another program's database: name another file")
        if tables and not 1 <= version <= VERSION:
            raise LedgerError(
                f"{self.path} has schema version {version}, and this version of the package supports 1 to {VERSION}: "
                "upgrade the package, or name a new file"
            )
        self._secret = self._given_secret or _read_secret(
            self.path.with_name(f"{self.path.name}.key"), create=not tables
        )
        check = Hashes(self._secret).check()
        if not tables:
            with self._transaction() as database:
                for statement in SCHEMA.split(";"):
                    database.execute(statement)
                database.execute("INSERT INTO facts VALUES ('check', ?)", (check,))
                database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {VERSION}")
            return
        if self._run("SELECT value FROM facts WHERE name = 'check'") != [(check,)]:
            raise LedgerError(
                f"{self.path} was created with another secret: restore {self.path.name}.key, or pass that secret"
            )
        if version < VERSION:
            self._migrate()

    def _version(self) -> int:
        ((version,),) = self._run("PRAGMA user_version")
        return int(version)

    def _migrate(self) -> None:
        """Bring the tables of an older version to this one in one transaction.

        Without exclusive access the lock is held meanwhile: the statements of a runner of the older version would fail
        as soon as the columns have other names.
        """
        purpose = f", and has to be migrated to schema version {VERSION} first"
        lock = nullcontext() if self._lock else closing(self._acquire_lock(timeout=self._timeout, purpose=purpose))
        with lock, self._transaction() as database:
            # Another process may have migrated it while this one waited for the lock.
            for statement in MIGRATIONS.get(self._version(), ()):
                database.execute(statement)

    def _close(self) -> None:
        for database in (self._database, self._lock):
            if database is not None:
                database.close()
        self._database = self._lock = None

    def _find(self, keys: Collection[bytes]) -> dict[bytes, Entry]:
        found = {}
        for batch in _batches(list(keys)):
            for row in self._run(_find_statement(len(batch)), tuple(map(bytearray, batch))):
                entry = read_entry(row)  # ordered by generation, so the current one comes last
                found[entry.key_hash] = entry
        return found

    def _write_all(
        self, entries: Sequence[Entry], names: tuple[str, ...], statement: Callable[[tuple[str, ...], int], str]
    ) -> None:
        steps = [_filled(statement, _columns(batch, names)) for batch in _batches(entries)]
        with self._transaction() if len(steps) > 1 else nullcontext():  # one statement is a transaction by itself
            for step in steps:
                self._run(*step)

    def _write(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        with self._transaction():
            return self._run(statement, values)

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        return self._opened().execute(statement, values).fetchall()

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise LedgerError(_NOT_OPEN)
        return self._database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        database = self._opened()
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
        except BaseException:
            database.rollback()
            raise
        database.commit()


def _columns(entries: Sequence[Entry], names: tuple[str, ...]) -> dict[str, Iterable[object]]:
    """Return the values of these columns in all entries, without the columns that are ``None`` in every entry.

    sqlite3 binds exact str, int, float and bytearray objects, and looks for an adapter of any other each time, bytes
    and ``None`` included.
    """
    columns: dict[str, Iterable[object]] = {}
    for name, column in zip(names, zip(*map(attrgetter(*names), entries), strict=True), strict=True):
        if column.count(None) < len(column):
            convert = _TO_SQL.get(name)
            columns[name] = map(convert, column) if convert else column
    return columns


def _filled(
    statement: Callable[[tuple[str, ...], int], str], columns: dict[str, Iterable[object]]
) -> tuple[str, tuple[object, ...]]:
    """Return the statement for these columns, and its values row by row."""
    values = tuple(chain.from_iterable(zip(*columns.values(), strict=True)))
    return statement(tuple(columns), len(values) // len(columns)), values


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Divide items into as few batches as statements can hold, and pad the last one with its last item."""
    for at in range(0, len(items), SIZES[-1]):
        batch = items[at : at + SIZES[-1]]
        size = next(size for size in SIZES if size >= len(batch))
        yield [*batch, *repeat(batch[-1], size - len(batch))]


def _translated(work: Callable[[], T], path: Path) -> T:
    """Run ``work``, and turn errors of SQLite and the disk into `LedgerError` with a remedy."""
    try:
        return work()
    except sqlite3.Error as problem:
        text = f"{path}: {problem}"
        if problem.sqlite_errorname == "SQLITE_FULL":
            text = f"{path}: the disk is full; free some space and run again, completed work is not lost"
        elif problem.sqlite_errorname.startswith("SQLITE_CORRUPT"):
            text = f"{path} is damaged: restore it from a backup, together with {path.name}.key"
        elif problem.sqlite_errorname == "SQLITE_NOTADB":
            text = f"{path} is not a ledger: name another file"
    except OSError as problem:
        text = f"{problem.filename or path}: {problem.strerror}"
    raise LedgerError(text)


def _create_private(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _read_secret(path: Path, *, create: bool) -> bytes:
    """Read the secret from its file; with ``create``, write the file first if it is missing, durably."""
    if create and not path.exists():
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(made, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(made)
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise LedgerError(f"{path} is missing: restore it, since the ledger recognises no company without it") from None
    except ValueError:
        found = b""
    if len(found) != SECRET_BYTES:
        raise LedgerError(f"{path} does not hold {SECRET_BYTES} bytes as hexadecimal digits: restore it")
    return found
