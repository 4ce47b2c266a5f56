"""Ledger in a SQLite file: WAL, ``synchronous=FULL``, one runner at a time, proven by a fencing token in each write."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from itertools import chain, repeat
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import frozen

from kfq_async.errors import LedgerError
from kfq_async.models.masking import MaskedBytes, MaskedStr
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.ledgers.base import (
    COLUMNS,
    GENERATION_COLUMNS,
    RESULT_COLUMNS,
    STATUS_COLUMNS,
    Hashes,
    describe_process,
    process_ended,
    read_entry,
    replaces_status,
)
from kfq_async.onboarding.ledgers.files import (
    Key,
    Opening,
    check_in_place,
    check_private,
    connect,
    create_private,
    is_in_place,
    missing_error,
    next_to,
    register,
    unregister,
)
from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence

__all__ = ["Run", "SqliteLedger"]


APPLICATION_ID = 0x6B66716C
"""SQLite's ``application_id`` of a ledger: the letters ``kfql``."""
VERSION = 3
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
    2: ("INSERT INTO facts VALUES ('revision', 0)", "PRAGMA user_version = 3"),
}
"""Statements that bring the tables from a version to the next one."""
FACT = "SELECT value FROM facts WHERE name = ?"
SET_FACT = "INSERT OR REPLACE INTO facts VALUES (?, ?)"
NEXT_REVISION = "UPDATE facts SET value = value + 1 WHERE name = 'revision' RETURNING value"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608  # our own names
CURRENT = f"{SELECT} AS it WHERE generation = (SELECT max(generation) FROM entries WHERE key_hash = it.key_hash)"  # noqa: S608
FINISHED = f"{CURRENT} AND ((state = ? AND ended_at < ?) OR (status IN (?, ?, ?) AND status_at < ?))"
USED = "SELECT EXISTS (SELECT 1 FROM entries WHERE state != ? OR status IS NOT NULL)"
STATUS = "SELECT status FROM entries WHERE client_request_id = ?"
COMPLETE = "UPDATE entries SET status = ?, status_at = ? WHERE client_request_id = ?"

RECORDED = ("client_request_id", *RESULT_COLUMNS)
"""Columns of the values that `record` takes."""
IDENTIFIED = ("client_request_id",)
"""Columns of the entries that `record` marks as unknown."""
_REPLACED = tuple(name for name in COLUMNS if name not in {*GENERATION_COLUMNS, *STATUS_COLUMNS})
"""Columns of an existing entry that `put` replaces."""

sqlite3.register_adapter(MaskedStr, str.__str__)  # without one, two lookups that fail are made for each value

T = TypeVar("T")
_TO_SQL: dict[str, Callable[[Any], object]] = {"key_hash": bytearray, "body_hash": bytearray, "state": str}
"""Conversions to the types that sqlite3 binds without looking for an adapter."""
_STATEMENTS = 24
"""Statements that are kept prepared; one of many entries takes some hundred kilobytes."""
_RETRY_PAUSE = 0.01
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
        UPDATE entries SET {changes} FROM new WHERE client_request_id = new_client_request_id
    """  # noqa: S608  # our own names


def _unknown_statement(_: tuple[str, ...], rows: int) -> str:
    """Return the statement that marks so many entries as unknown, by their ids."""
    return f"UPDATE entries SET state = '{State.UNKNOWN}' WHERE client_request_id IN ({', '.join('?' * rows)})"  # noqa: S608  # our own names


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
    """Its number, counted from 1."""
    began_at: float
    """Start, in seconds since the epoch."""
    ended_at: float | None
    """End, in seconds since the epoch; ``None`` if the run was killed, or is still running."""
    counts: Mapping[str, Any]
    """The counts given to `SqliteLedger.end_run`, such as the number of invalid rows; empty before."""


class SqliteLedger:
    """Ledger in a SQLite file, to be opened in ``async with``.

    A ledger consists of PATH, ``PATH.key``, ``PATH-wal`` and ``PATH-shm`` (both while it is open, and after a kill) and
    ``PATH.lock``. All have mode 0600 and belong to the user who runs it; a file with another mode, another owner or
    several hard links is refused. To move a ledger, close it and move PATH and ``PATH.key`` together; after a kill,
    move ``PATH-wal`` with them. A ledger that is older than its key is refused: companies that it lacks would be
    requested under second ids. A ledger of an older version of the package is migrated when it is opened, in one
    transaction, unless a runner is using it.

    Every method raises `LedgerError` if the disk or another process prevents it.

    Args:
        path: The file; it is created if it does not exist. A symbolic link stands for the file that it leads to.
        secret: The key of the hashes, 32 bytes, to be kept elsewhere; ``None`` keeps one in ``PATH.key``. With a
            secret, a ledger that was restored from an old copy is not noticed.
        exclusive: Whether to take the lock, which runs need, as do `begin_run`, `put`, `record`, `end_run` and
            `purge`. ``False`` is for processes that receive notifications or only read.
        timeout: Seconds for which a statement waits while another process writes or migrates.

    Attributes:
        path: The file.
        secret: The key of the hashes; empty before the ledger is open.
    """

    def __init__(
        self, path: str | Path, *, secret: bytes | None = None, exclusive: bool = True, timeout: float = 10.0
    ) -> None:
        self.path: Path = Path(path)
        self._file = self.path
        self._timeout = timeout
        self._given_secret = secret = None if secret is None else MaskedBytes(secret)  # the name stands in tracebacks
        self._exclusive = exclusive
        self._secret: bytes = MaskedBytes()
        self._key: Key | None = None
        self._fence: str | None = None
        self._process = os.getpid()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kfq-ledger")
        self._closing: Future[None] | None = None
        """The close under way, or done."""
        self._opening: Opening | None = None
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
        """Close the file and release the lock, after what the ledger is doing; idempotent.

        Every caller waits until that is done, and cancelling one does not interrupt it.
        """
        if os.getpid() != self._process:  # the thread and the lock are those of the process before
            return
        if self._closing is None:
            self._closing = self._thread.submit(_translated, self._close, self.path)
            self._thread.shutdown(wait=False)
        with suppress(LedgerError):  # nothing can be done about it
            await asyncio.shield(asyncio.wrap_future(self._closing))

    @property
    def secret(self) -> bytes:
        """The key of the hashes, 32 bytes."""
        return self._secret

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the current generations of these companies by key hash; those that the ledger lacks are left out."""
        return await self._do(partial(self._find, keys))

    async def put(self, entries: Sequence[Entry]) -> None:
        """Insert or replace entries: all or none, on the disk when this returns."""
        await self._do(partial(self._put, entries))

    async def record(self, entries: Sequence[Entry], *, unknown: Sequence[Entry] = ()) -> None:
        """Write the results of calls to existing entries, and mark others as unknown, whose requests are sent next.

        All or none, on the disk when this returns.
        """
        await self._do(partial(self._record, entries, unknown))

    async def begin_run(self) -> int:
        """Begin a run and return its number."""

        def work() -> int:
            with self._transaction(runner=True):
                ((run,),) = self._run("INSERT INTO runs (began_at) VALUES (?) RETURNING run", (time.time(),))
                return int(run)

        return await self._do(work)

    async def end_run(self, run: int, counts: Mapping[str, Any]) -> None:
        """Record the end of a run and its counts, which must be JSON and free of personal data.

        Raises `LedgerError` also if the file was moved or deleted during the run.
        """
        values = (time.time(), json.dumps(counts), run)

        def work() -> None:
            with self._transaction(runner=True):
                self._run("UPDATE runs SET ended_at = ?, counts = ? WHERE run = ?", values)
            self._check_place()

        await self._do(work)

    async def last_run(self) -> Run | None:
        """Return the last run, or ``None`` if there was none."""
        rows = await self._do(
            lambda: self._run("SELECT run, began_at, ended_at, counts FROM runs ORDER BY run DESC LIMIT 1")
        )
        for run, began_at, ended_at, counts in rows:
            return Run(run=run, began_at=began_at, ended_at=ended_at, counts=json.loads(counts or "{}"))
        return None

    async def runner_ended(self) -> bool | None:
        """Return whether the last runner's process has ended, or has closed the ledger, without taking a lock.

        ``None`` if it was on another machine and has not closed the ledger.
        """
        holder = await self.fact("holder")
        return holder is None or process_ended(holder)

    async def record_fact(self, name: str, value: str) -> str:
        """Store a fact about the whole ledger unless one of this name is stored; return the stored value."""

        def work() -> str:
            with self._transaction():
                self._run("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
            return str(self._fact(name))

        return await self._do(work)

    async def fact(self, name: str) -> str | None:
        """Return the fact of this name, or ``None``."""
        value = await self._do(lambda: self._fact(name))
        return None if value is None else str(value)

    async def replace_fact(self, name: str, value: str) -> None:
        """Store a fact about the whole ledger in place of the one of this name."""

        def work() -> None:
            with self._transaction(runner=True):
                self._run(SET_FACT, (name, value))

        await self._do(work)

    async def rebind(self, name: str, value: str) -> bool:
        """Store a fact in place of the one of this name, unless `was_used`; return whether it was stored."""

        def work() -> bool:
            with self._transaction(runner=True):
                if self._was_used():
                    return False
                self._run(SET_FACT, (name, value))
            return True

        return await self._do(work)

    async def was_used(self) -> bool:
        """Return whether a generation of a company is not pending, or has a status.

        Without one, nothing can have been ordered.
        """
        return await self._do(self._was_used)

    def _was_used(self) -> bool:
        return self._run(USED, (State.PENDING,)) == [(1,)]

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
        cursor = await self._do(lambda: self._query(query, tuple(states)))
        while page := await self._do(lambda: cursor.fetchmany(PAGE)):
            for entry in page:
                yield entry

    async def copy(self, path: Path) -> None:
        """Copy the ledger as of now to another file, without its secret."""

        def work() -> None:
            create_private(path)
            with closing(connect(path, timeout=self._timeout)) as copy:
                self._opened().backup(copy)

        await self._do(work)

    async def history(self, key: bytes) -> list[Entry]:
        """Return all generations of a company by its key hash, the current one first."""
        query = f"{SELECT} WHERE key_hash = ? ORDER BY generation DESC"
        return await self._do(lambda: list(self._query(query, (key,))))

    async def finished(self, before: float) -> list[Entry]:
        """Return the companies that `purge` would delete, ordered by row number."""
        return await self._do(lambda: self._finished(before))

    async def purge(self, before: float) -> int:
        """Delete the companies that were finished before this time, in seconds since the epoch; return their number.

        Finished companies are those refused, identified, withdrawn or expired. All their generations are deleted, and
        nothing of them stays readable in the files. Raises `LedgerError` if another process reads the ledger meanwhile,
        which keeps the files from being cleaned.
        """

        def work() -> int:
            with self._transaction(runner=True) as database:
                found = [(entry.key_hash,) for entry in self._finished(before)]
                database.executemany("DELETE FROM entries WHERE key_hash = ?", found)
            self._run("VACUUM")
            ((busy, _, _),) = self._run("PRAGMA wal_checkpoint(TRUNCATE)")
            if busy:
                raise LedgerError(
                    f"{len(found)} companies are deleted, but deleted data stays readable in {self.path} and its -wal, "
                    "since another process reads the ledger: end that process and purge again"
                )
            return len(found)

        return await self._do(work)

    def _finished(self, before: float) -> list[Entry]:
        final = tuple(status for status in IdentityStatus if status.final)
        query = f"{FINISHED} ORDER BY row_number, key_hash"
        return list(self._query(query, (State.REFUSED, before, *final, before)))

    async def _do(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the ledger's own thread, one call after the other."""
        if os.getpid() != self._process:
            raise LedgerError(f"{self.path} was opened before this process was forked: open it in the new process")
        try:
            future = asyncio.get_running_loop().run_in_executor(self._thread, _translated, work, self.path)
        except RuntimeError:  # the thread was shut down
            raise LedgerError(_NOT_OPEN) from None
        return await future

    def _open(self) -> None:
        self._file = Path(os.path.realpath(self.path))  # one lock for all symbolic links to the ledger
        check_in_place(self._file, with_key=self._given_secret is None)
        create_private(self._file)
        self._opening = register(self._file, exclusive=self._exclusive)
        if self._exclusive:
            self._lock = self._acquire_lock()
        self._database = connect(self._file, timeout=self._timeout, cached_statements=_STATEMENTS)
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA secure_delete=ON")
        self._prepare()
        self._switch_to_wal()
        if self._exclusive:
            with self._transaction():
                fence = secrets.token_hex(16)
                self._run(SET_FACT, ("fence", fence))
                self._run(SET_FACT, ("holder", describe_process()))
            self._fence = fence

    def _acquire_lock(self, *, timeout: float = 0.0, purpose: str = "") -> sqlite3.Connection:
        """Take the lock, which the operating system releases when this process ends in any way.

        It is a database of its own, locked exclusively: this works wherever SQLite does, and the ledger stays readable.
        """
        path = next_to(self._file, ".lock")
        create_private(path)
        check_private(path)
        lock = connect(path, timeout=timeout)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as problem:
            lock.close()
            if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise LedgerError(_describe(problem, path)) from None
        else:
            return lock
        raise LedgerError(f"{self.path} is in use by {self._holder()}{purpose}: wait until it ends")

    def _holder(self) -> str:
        """Return who holds the lock; a runner that was killed is still recorded."""
        with closing(connect(self._file, timeout=self._timeout)) as database, suppress(sqlite3.Error):
            for (holder,) in database.execute(FACT, ("holder",)):
                if not process_ended(holder):
                    return str(holder)
        return "another process"

    def _prepare(self) -> None:
        """Create the tables of an empty file, migrate those of an older version, and refuse any other database."""
        if not self._is_empty() and self._run("PRAGMA application_id") != [(APPLICATION_ID,)]:
            raise LedgerError(f"{self.path} is another program's database: name another file")
        check_private(self._file)
        if self._is_empty():
            with self._transaction():
                if self._is_empty():  # another process may have created them meanwhile
                    self._create_tables()
        version = self._version()
        if not 1 <= version <= VERSION:
            raise LedgerError(
                f"{self.path} has schema version {version}, and this version of the package supports 1 to {VERSION}: "
                "upgrade the package, or name a new file"
            )
        # Read before the ledger's revision: a runner writes them in the opposite order.
        check = self._read_secret(create=False).check()
        if self._fact("check") != check:
            raise LedgerError(
                f"{self.path} was created with another secret: restore {self.path.name}.key, or pass that secret"
            )
        if self._key is not None and self._key.revision > (self._fact("revision") or 0):
            raise LedgerError(
                f"{self.path} is older than {self._key.path.name}, and lacks ids that were sent: put its -wal file "
                "beside it, from the folder where it was used last, or restore the newest copy of ledger and key"
            )
        if version < VERSION:
            self._migrate()

    def _switch_to_wal(self) -> None:
        """Switch a new ledger to WAL; SQLite refuses at once, without its timeout, while another connection does so."""
        end = time.monotonic() + self._timeout
        while True:
            try:
                self._run("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as problem:
                if problem.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(_RETRY_PAUSE)
            else:
                return

    def _is_empty(self) -> bool:
        return self._run("SELECT count(*) FROM sqlite_master") == [(0,)]

    def _create_tables(self) -> None:
        check = self._read_secret(create=True).check()
        if self._key is not None and self._key.revision:
            raise missing_error(self._file, [self._key.path.name])
        for statement in SCHEMA.split(";"):
            self._run(statement)
        self._run(SET_FACT, ("check", check))
        self._run(SET_FACT, ("revision", 0))
        self._run(f"PRAGMA application_id = {APPLICATION_ID}")
        self._run(f"PRAGMA user_version = {VERSION}")

    def _read_secret(self, *, create: bool) -> Hashes:
        """Read the secret, with ``create`` also make one, and return the hashes that are keyed with it."""
        if self._given_secret is not None:
            self._secret = self._given_secret
        else:
            self._key = Key.read(next_to(self._file, ".key"), create=create)
            self._secret = self._key.secret
        return Hashes(self._secret)

    def _fact(self, name: str) -> Any:
        """Return the value of a fact, or ``None``."""
        return next((value for (value,) in self._run(FACT, (name,))), None)

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
            while (version := self._version()) < VERSION:
                for statement in MIGRATIONS[version]:
                    database.execute(statement)

    def _close(self) -> None:
        if self._fence is not None:
            with suppress(sqlite3.Error, LedgerError), self._transaction(runner=True):
                self._run("DELETE FROM facts WHERE name = 'holder'")
            self._fence = None
        for database in (self._database, self._lock):
            if database is not None:
                database.close()
        self._database = self._lock = None
        if self._opening is not None:
            unregister(self._opening)
            self._opening = None

    def _find(self, keys: Collection[bytes]) -> dict[bytes, Entry]:
        found = {}
        for batch in _batches(list(keys)):
            for entry in self._query(_find_statement(len(batch)), tuple(map(bytearray, batch))):
                found[entry.key_hash] = entry  # ordered by generation, so the current one comes last
        return found

    def _put(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        steps = _steps(entries, COLUMNS, _put_statement)
        with self._transaction(runner=True):
            for step in steps:
                self._run(*step)
            ((revision,),) = self._run(NEXT_REVISION)
        if self._key is not None:
            self._key.write(revision)

    def _record(self, entries: Sequence[Entry], unknown: Sequence[Entry]) -> None:
        steps = [*_steps(entries, RECORDED, _record_statement), *_steps(unknown, IDENTIFIED, _unknown_statement)]
        if not steps:
            return
        with self._transaction(runner=True):
            for step in steps:
                self._run(*step)

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[Any]:
        return self._opened().execute(statement, values).fetchall()

    def _query(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        """Return a cursor over entries, so that no frame holds a row with a link as plain text."""
        cursor = self._opened().cursor()
        cursor.row_factory = _to_entry
        return cursor.execute(statement, values)

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            raise LedgerError(_NOT_OPEN)
        return self._database

    @contextmanager
    def _transaction(self, *, runner: bool = False) -> Iterator[sqlite3.Connection]:
        """Begin a transaction, to be committed at the end of the block; a ``runner``'s must still own the ledger."""
        database = self._opened()
        database.execute("BEGIN IMMEDIATE")
        try:
            self._check_place(missing=runner)
            if runner:
                self._check_fence()
            yield database
        except BaseException:
            database.rollback()
            raise
        database.commit()

    def _check_place(self, *, missing: bool = False) -> None:
        """Fail if another file is in this one's place, or none unless ``missing``: no later run would find this one.

        A run goes on in a file that was moved or deleted, as SQLite does, so that its links reach the output.
        """
        if self._opening is not None and not is_in_place(self._opening, missing=missing):
            raise LedgerError(
                f"{self.path} was moved, deleted or replaced while it was open: put the latest one back, with its -wal "
                "and .key, and run again"
            )

    def _check_fence(self) -> None:
        """Fail unless this is the ledger's runner; the lock can be lost if the files are renamed or deleted."""
        if self._fence is None:
            raise LedgerError(f"{self.path} was opened with exclusive=False, to read only: open it without for a run")
        if self._fact("fence") != self._fence:
            holder = self._fact("holder") or "another process"
            raise LedgerError(f"{holder} has taken over {self.path}: let one of the two runs end, and run again")


def _to_entry(_: sqlite3.Cursor, row: tuple[Any, ...]) -> Entry:
    return read_entry(row)


def _steps(
    entries: Sequence[Entry], names: tuple[str, ...], statement: Callable[[tuple[str, ...], int], str]
) -> list[tuple[str, tuple[object, ...]]]:
    """Return the statements that write these columns of the entries, with their values."""
    return [_filled(statement, _columns(batch, names)) for batch in _batches(entries)]


def _columns(entries: Sequence[Entry], names: tuple[str, ...]) -> dict[str, Iterable[object]]:
    """Return the values of these columns in all entries, without the columns that are ``None`` in every entry.

    sqlite3 binds exact str, int, float and bytearray objects, and looks for an adapter of any other each time, bytes
    and ``None`` included.
    """
    columns: dict[str, Iterable[object]] = {}
    for name in names:
        column = list(map(attrgetter(name), entries))
        if column[0] is not None or column.count(None) < len(column):  # in this order, since it compares each text
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


_LOCKS_FAILED = "its file system offers no locks: put the ledger on a local disk"
_WRITE_FAILED = (
    "the disk is full, or a quota or a limit on the size of files is reached; free some space and run again, completed "
    "work is not lost"
)
_REMEDIES = {
    "SQLITE_FULL": "the disk is full; free some space and run again, completed work is not lost",
    "SQLITE_IOERR_WRITE": _WRITE_FAILED,
    "SQLITE_IOERR_SHMSIZE": _WRITE_FAILED,
    "SQLITE_IOERR_LOCK": _LOCKS_FAILED,
    "SQLITE_IOERR_RDLOCK": _LOCKS_FAILED,
    "SQLITE_IOERR_CHECKRESERVEDLOCK": _LOCKS_FAILED,
    "SQLITE_IOERR_SHMLOCK": _LOCKS_FAILED,
    "SQLITE_NOLFS": _LOCKS_FAILED,
    "SQLITE_PROTOCOL": _LOCKS_FAILED,
    "SQLITE_BUSY": "another process writes to it; wait until it ends, and run again",
    "SQLITE_CANTOPEN": "it cannot be opened; check the permissions of the file and its folder, which must be writable",
    "SQLITE_READONLY": "it cannot be written; check the permissions of the file and its folder",
}
"""What is wrong, and the remedy, by the name of SQLite's error; a longer name counts as its beginning does."""


def _translated(work: Callable[[], T], path: Path) -> T:
    """Run ``work``, and turn errors of SQLite and the disk into `LedgerError` with a remedy."""
    try:
        return work()
    except sqlite3.Error as problem:
        text = _describe(problem, path)
    except OSError as problem:
        text = f"{problem.filename or path}: {problem.strerror}"
    raise LedgerError(text)


def _describe(problem: sqlite3.Error, path: Path) -> str:
    name = getattr(problem, "sqlite_errorname", "")  # errors of the module itself have none
    if name.startswith("SQLITE_CORRUPT"):
        return f"{path} is damaged: restore it from a backup, together with {path.name}.key"
    if name == "SQLITE_NOTADB":
        return f"{path} is not a ledger: name another file"
    remedy = next((text for start, text in _REMEDIES.items() if name.startswith(start)), str(problem))
    return f"{path}: {remedy}"
