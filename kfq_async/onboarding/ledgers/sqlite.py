"""The ledger in a SQLite file: WAL, ``synchronous=FULL``, one runner at a time."""

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
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import frozen

from kfq_async.errors import LedgerError
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.ledgers.base import SECRET_BYTES, Hashes, describe_process
from kfq_async.onboarding.records import ENDED, FIXED, TOLD, Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence

__all__ = ["Run", "SqliteLedger"]


MARK = 0x6B66716C
"""SQLite's ``application_id`` of a ledger: the letters ``kfql``."""
VERSION = 1
"""SQLite's ``user_version`` of a ledger, one more with every change of its tables."""
PAGE = 500
"""Entries that are read at a time."""
SIZES = (1, 5, 20, 50, 100, 150, 200, 300, 400, 500)
"""Entries in one statement. There are few sizes, since to prepare a statement takes SQLite as long as to run it, and
prepared ones are kept. They are large, since each statement gives way to the event loop's thread and waits for it
again: many statements of a few entries would cost both of them more than the writing does."""

COLUMNS = Entry._fields
SCHEMA = f"""
CREATE TABLE entries (
    key_hash BLOB NOT NULL, generation INTEGER NOT NULL, client_request_id TEXT NOT NULL UNIQUE,
    {", ".join(name for name in COLUMNS[3:])},
    PRIMARY KEY (key_hash, generation)
);
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL, counts TEXT);
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
HOLDER = "SELECT value FROM facts WHERE name = 'holder'"
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608  # our own names
LATEST = f"{SELECT} AS it WHERE generation = (SELECT max(generation) FROM entries WHERE key_hash = it.key_hash)"  # noqa: S608
FINISHED = f"""
SELECT key_hash FROM ({LATEST}) WHERE (state = ? AND ended_at < ?) OR (status IN (?, ?, ?) AND status_at < ?)
"""  # noqa: S608
COMPLETE = """
UPDATE entries SET status = ?, status_at = ? WHERE client_request_id = ? AND (status IS NULL OR status = ?)
"""

PUT = COLUMNS
"""What `put` writes, in its order."""
SETTLED = ("key_hash", "generation", *ENDED)
"""What `settle` writes, in its order."""
_CHANGING = tuple(name for name in COLUMNS if name not in FIXED and name not in TOLD)


def _put_statement(names: tuple[str, ...], rows: int) -> str:
    """Return the statement that writes so many entries of which these fields are set; the others become NULL."""
    return f"""
        INSERT INTO entries ({", ".join(names)}) VALUES {_marks(len(names), rows)}
        ON CONFLICT (key_hash, generation) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _CHANGING)}
    """  # noqa: S608  # our own names


def _settle_statement(names: tuple[str, ...], rows: int) -> str:
    """Return the statement that writes the ends of so many entries of which these fields are set."""
    changes = ", ".join(f"{name} = {f'new_{name}' if name in names else 'NULL'}" for name in ENDED)
    return f"""
        WITH new ({", ".join(f"new_{name}" for name in names)}) AS (VALUES {_marks(len(names), rows)})
        UPDATE entries SET {changes} FROM new WHERE key_hash = new_key_hash AND generation = new_generation
    """  # noqa: S608  # our own names


def _find_statement(rows: int) -> str:
    """Return the statement that finds all generations of so many companies, the latest last."""
    return f"{SELECT} WHERE key_hash IN ({', '.join('?' * rows)}) ORDER BY generation"


def _marks(columns: int, rows: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * rows)


T = TypeVar("T")

_BUSY = 10.0
"""Seconds that a notification waits while the runner writes."""
_PLAIN: dict[str, Callable[[Any], object]] = {"key_hash": bytearray, "body_hash": bytearray, "state": str}
"""What makes a field's value one of those that sqlite3 binds as they are."""
_STATEMENTS = 24
"""Those kept prepared; of many entries, one takes some hundred kilobytes."""


@frozen(kw_only=True)
class Run:
    """A run of the ledger's past."""

    run: int
    began_at: float
    """Seconds since the epoch."""
    ended_at: float | None
    """``None`` for a run that was killed, or is under way."""
    counts: Mapping[str, Any]
    """What whoever ran it wanted to be known, as how many rows were invalid."""


class SqliteLedger:
    """A ledger in the file ``path``; open it in ``async with``.

    Beside it stand ``path.key``, which holds the secret of its hashes, and ``path.lock``; all are made with mode
    0600. Give a ``secret`` of 32 bytes to keep that elsewhere. With ``exclusive=False`` it takes no lock: for a process
    that receives notifications, or only reads.

    Every method raises `LedgerError` for what a disk or another process does.
    """

    def __init__(self, path: str | Path, *, secret: bytes | None = None, exclusive: bool = True) -> None:
        self.path = Path(path)
        self._given = secret
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
        """Close the file and give the lock back; a second time does nothing."""
        with suppress(RuntimeError):  # it is closed already
            await self._do(self._close)
        self._thread.shutdown(wait=False)

    @property
    def secret(self) -> bytes:
        """The key of the hashes."""
        return self._secret

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the latest generation of each company that is there, by its key."""
        return await self._do(partial(self._find, keys))

    async def put(self, entries: Sequence[Entry]) -> None:
        """Write all or none, on the disk before this returns."""
        await self._do(partial(self._write_all, entries, PUT, _put_statement))

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Write how the calls of entries that are there ended, all or none, on the disk before this returns."""
        await self._do(partial(self._write_all, entries, SETTLED, _settle_statement))

    async def begin_run(self) -> int:
        """Return the number of a new run."""
        (run,) = await self._do(
            lambda: self._write("INSERT INTO runs (began_at) VALUES (?) RETURNING run", (time.time(),))[0]
        )
        return int(run)

    async def end_run(self, run: int, counts: Mapping[str, Any]) -> None:
        """Note that a run ended, and what came of it: numbers only."""
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
        """Keep a fact about the whole ledger when it is first told, and return what is kept."""

        def work() -> str:
            with self._transaction() as database:
                database.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
            ((kept,),) = self._run("SELECT value FROM facts WHERE name = ?", (name,))
            return str(kept)

        return await self._do(work)

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:
        """Note what a notification told; a final status stays. Return ``False`` if no entry has this id."""
        told = (int(status), at, client_request_id, IdentityStatus.IN_PROGRESS)

        def work() -> bool:
            self._write(COMPLETE, told)
            return bool(self._run("SELECT 1 FROM entries WHERE client_request_id = ?", (client_request_id,)))

        return await self._do(work)

    async def entries(self, states: Collection[State] = tuple(State)) -> AsyncIterator[Entry]:
        """Iterate over the latest generations in these states, by the place of their rows, as of this moment."""
        query = f"{LATEST} AND state IN ({', '.join('?' * len(states))}) ORDER BY row_number, key_hash"
        found = await self._do(lambda: self._opened().execute(query, tuple(states)))
        while rows := await self._do(lambda: found.fetchmany(PAGE)):
            for row in rows:
                yield _entry(row)

    async def copy(self, path: Path) -> None:
        """Copy the ledger to another file, as it stands at this moment."""

        def work() -> None:
            _private(path)
            with closing(sqlite3.connect(path)) as copy:
                self._opened().backup(copy)

        await self._do(work)

    async def past(self, key: bytes) -> list[Entry]:
        """Return all generations of a company, the latest first."""
        rows = await self._do(partial(self._run, f"{SELECT} WHERE key_hash = ? ORDER BY generation DESC", (key,)))
        return [_entry(row) for row in rows]

    async def purge(self, before: float) -> int:
        """Delete the companies that were finished before this moment, in seconds since the epoch; return how many.

        Finished is what was refused, and what is identified, withdrawn or expired. Its past goes with it.
        """
        final = (IdentityStatus.IDENTIFIED, IdentityStatus.WITHDRAWN, IdentityStatus.EXPIRED)
        values = (State.REFUSED, before, *final, before)

        def work() -> int:
            found = self._run(FINISHED, values)
            with self._transaction() as database:
                database.executemany("DELETE FROM entries WHERE key_hash = ?", found)
            self._run("VACUUM")  # what was deleted must not stay readable in the file
            self._run("PRAGMA wal_checkpoint(TRUNCATE)")
            return len(found)

        return await self._do(work)

    async def _do(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the ledger's own thread, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _translated, work, self.path)

    def _open(self) -> None:
        _private(self.path)
        if self._exclusive:
            self._lock = _locked(self.path.with_name(f"{self.path.name}.lock"), self.path)
        self._database = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, cached_statements=_STATEMENTS)
        self._claim()
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("PRAGMA secure_delete=ON")
        if self._exclusive:
            self._write("INSERT OR REPLACE INTO facts VALUES ('holder', ?)", (describe_process(),))

    def _claim(self) -> None:
        """Make the tables of an empty file, and refuse any other database before touching it."""
        ((mark,),) = self._run("PRAGMA application_id")
        ((version,),) = self._run("PRAGMA user_version")
        ((contents,),) = self._run("SELECT count(*) FROM sqlite_master")
        if contents and mark != MARK:
            raise LedgerError(f"{self.path} is another program's database: name another file")
        if contents and version != VERSION:
            raise LedgerError(
                f"{self.path} has schema {version}, and this version of the package knows {VERSION}: "
                "use the version that made it, or name a new file"
            )
        self._secret = self._given or _secret(self.path.with_name(f"{self.path.name}.key"), fresh=not contents)
        check = Hashes(self._secret).check()
        if not contents:
            with self._transaction() as database:
                for statement in SCHEMA.split(";"):
                    database.execute(statement)
                database.execute("INSERT INTO facts VALUES ('check', ?)", (check,))
                database.execute(f"PRAGMA application_id = {MARK}")
                database.execute(f"PRAGMA user_version = {VERSION}")
        elif self._run("SELECT value FROM facts WHERE name = 'check'") != [(check,)]:
            raise LedgerError(f"{self.path} was made under another secret than {self.path.name}.key holds: put it back")

    def _close(self) -> None:
        for database in (self._database, self._lock):
            if database is not None:
                database.close()
        self._database = self._lock = None

    def _find(self, keys: Collection[bytes]) -> dict[bytes, Entry]:
        found = {}
        for part in _parts(list(keys)):
            for row in self._run(_find_statement(len(part)), tuple(map(bytearray, part))):
                entry = _entry(row)  # by generation, so that the latest one comes last
                found[entry.key_hash] = entry
        return found

    def _write_all(
        self, entries: Sequence[Entry], names: tuple[str, ...], statement: Callable[[tuple[str, ...], int], str]
    ) -> None:
        steps = [_filled(statement, _columns(part, names)) for part in _parts(entries)]
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
            raise LedgerError("the ledger is not open: use it inside async with")
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


def _entry(row: Sequence[Any]) -> Entry:
    entry = Entry._make(row)
    return entry._replace(state=State(entry.state))


def _columns(entries: Sequence[Entry], names: tuple[str, ...]) -> dict[str, Iterable[object]]:
    """Return these fields of all entries by their names, without those that are ``None`` in every one.

    sqlite3 binds what is exactly a str, int, float or bytearray, and asks around for an adapter of all else each time,
    bytes and ``None`` included.
    """
    columns: dict[str, Iterable[object]] = {}
    for name, column in zip(Entry._fields, zip(*entries, strict=True), strict=True):
        if name in names and column.count(None) < len(column):
            plain = _PLAIN.get(name)
            columns[name] = map(plain, column) if plain else column
    return columns


def _filled(
    statement: Callable[[tuple[str, ...], int], str], columns: dict[str, Iterable[object]]
) -> tuple[str, tuple[object, ...]]:
    """Return the statement for these columns, and its values row by row."""
    values = tuple(chain.from_iterable(zip(*columns.values(), strict=True)))
    return statement(tuple(columns), len(values) // len(columns)), values


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Divide items into as few parts as statements can hold, and fill the last part up with its last item."""
    for at in range(0, len(items), SIZES[-1]):
        part = items[at : at + SIZES[-1]]
        size = next(size for size in SIZES if size >= len(part))
        yield [*part, *repeat(part[-1], size - len(part))]


def _translated(work: Callable[[], T], path: Path) -> T:
    """Do some work, and turn what SQLite and the disk say into words that help."""
    try:
        return work()
    except sqlite3.Error as problem:
        text = f"{path}: {problem}"
        if problem.sqlite_errorname == "SQLITE_FULL":
            text = f"{path}: the disk is full; make room and run again, nothing that is done is lost"
        elif problem.sqlite_errorname.startswith("SQLITE_CORRUPT"):
            text = f"{path} is damaged: restore it from a backup, together with {path.name}.key"
        elif problem.sqlite_errorname == "SQLITE_NOTADB":
            text = f"{path} is no ledger: name another file"
    except OSError as problem:
        text = f"{problem.filename or path}: {problem.strerror}"
    raise LedgerError(text)


def _private(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _secret(path: Path, *, fresh: bool) -> bytes:
    """Read the file that holds the secret, or make it, on the disk before the ledger relies on it."""
    if fresh and not path.exists():
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(made, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(SECRET_BYTES) + "\n")
            file.flush()
            os.fsync(made)
    try:
        found = bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        raise LedgerError(f"{path} is missing: put it back, since without it the ledger knows no row again") from None
    except ValueError:
        found = b""
    if len(found) != SECRET_BYTES:
        raise LedgerError(f"{path} does not hold {SECRET_BYTES} bytes in hexadecimal digits: put it back")
    return found


def _locked(path: Path, ledger: Path) -> sqlite3.Connection:
    """Take the lock, which the operating system gives back when this process ends, however it ends.

    It is a database of its own, exclusively held, so that it works wherever SQLite does and the ledger stays readable.
    """
    _private(path)
    lock = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        lock.close()
        raise LedgerError(f"{ledger} is in use by {_holder(ledger)}: wait for its end") from None
    return lock


def _holder(ledger: Path) -> str:
    with closing(sqlite3.connect(ledger, timeout=_BUSY)) as database, suppress(sqlite3.Error):
        for (holder,) in database.execute(HOLDER):
            return str(holder)
    return "another process"
