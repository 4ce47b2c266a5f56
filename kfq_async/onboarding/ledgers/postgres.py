"""Ledger in PostgreSQL (extra ``postgres``), for several machines; imported only where it is used."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, LiteralString, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from kfq_async.errors import LedgerError
from kfq_async.models.masking import MaskedBytes, MaskedStr
from kfq_async.onboarding.ledgers.base import (
    COLUMNS,
    GENERATION_COLUMNS,
    RESULT_COLUMNS,
    STATUS_COLUMNS,
    Hashes,
    describe_process,
    read_entry,
    replaces_status,
)
from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

__all__ = ["SCHEMA", "PostgresLedger", "PostgresTransaction", "advisory_lock_id"]


VERSION = "3"
"""Version of the tables, incremented with every change of them."""
PAGE = 500
"""Entries that are read at a time."""

TABLES = """
CREATE TABLE facts (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE runs (run bigint PRIMARY KEY, began_at double precision NOT NULL);
CREATE TABLE entries (
    key_hash bytea NOT NULL, generation integer NOT NULL, client_request_id text NOT NULL UNIQUE,
    body_hash bytea NOT NULL, state text NOT NULL, row_number bigint NOT NULL, run bigint NOT NULL, label text,
    order_no text, auth_url text,
    code bigint, reason text, attempts integer NOT NULL, seconds double precision, opened_at double precision NOT NULL,
    ended_at double precision, status integer, status_at double precision,
    PRIMARY KEY (key_hash, generation)
);
CREATE INDEX by_row_number ON entries (row_number, key_hash, generation);
CREATE TABLE requests (
    client_request_id text PRIMARY KEY REFERENCES entries (client_request_id) ON DELETE CASCADE,
    sealed bytea NOT NULL
)
"""
_FROM_VERSION_1 = """
ALTER TABLE entries RENAME COLUMN key TO key_hash;
ALTER TABLE entries RENAME COLUMN body TO body_hash;
ALTER TABLE entries RENAME COLUMN number TO row_number;
ALTER TABLE entries RENAME COLUMN words TO reason;
ALTER INDEX by_place RENAME TO by_row_number;
UPDATE entries SET state = 'pending' WHERE state = 'unsent';
DO $$ BEGIN
    IF to_regclass('procrastinate_jobs') IS NOT NULL THEN
        UPDATE procrastinate_jobs SET task_name = 'request_link' WHERE task_name = 'ask';
    END IF;
END $$;
UPDATE facts SET value = '3' WHERE name = 'version'
"""
_FROM_VERSION_2 = """
ALTER TABLE requests RENAME COLUMN ciphertext TO sealed;
UPDATE facts SET value = '3' WHERE name = 'version'
"""
MIGRATIONS = {"1": _FROM_VERSION_1, "2": _FROM_VERSION_2}
"""Statements that bring the tables from an older version to this one, jobs that wait in the same schema included."""
_REPLACED = tuple(name for name in COLUMNS if name not in {*GENERATION_COLUMNS, *STATUS_COLUMNS})
"""Columns of an existing entry that `put` replaces."""
PUT = f"""
INSERT INTO entries ({", ".join(COLUMNS)}) VALUES ({", ".join("%s" for _ in COLUMNS)})
ON CONFLICT (key_hash, generation) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _REPLACED)}
"""  # noqa: S608  # our own names
RECORD = f"""
UPDATE entries SET {", ".join(f"{name} = %s" for name in RESULT_COLUMNS)} WHERE key_hash = %s AND generation = %s
"""  # noqa: S608
MARK_UNKNOWN = f"UPDATE entries SET state = '{State.UNKNOWN}' WHERE client_request_id = ANY(%s)"  # noqa: S608  # as above
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608
CURRENT = "generation = (SELECT max(generation) FROM entries AS other WHERE other.key_hash = entries.key_hash)"
FIND = f"{SELECT} WHERE key_hash = ANY(%s) AND {CURRENT}"
NEXT_PAGE = f"""
{SELECT} WHERE state = ANY(%s) AND (row_number, key_hash) > (%s, %s) AND {CURRENT}
ORDER BY row_number, key_hash LIMIT {PAGE}
"""
STATUS = "SELECT status FROM entries WHERE client_request_id = %s FOR UPDATE"
COMPLETE = "UPDATE entries SET status = %s, status_at = %s WHERE client_request_id = %s"
CONFIGURE = """
SELECT set_config('search_path', %s, false), set_config('application_name', 'kfq_async onboarding', false),
    set_config('lock_timeout', %s, false), set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)
"""
"""Settings of each connection; a commit must survive a power cut, whatever the database's default is.

A transaction that stands still ends before others give up waiting for its locks.
"""
SET_FACT = "INSERT INTO facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
HOLDER = "SELECT value FROM facts WHERE name = 'holder'"
FENCE = "SELECT value FROM facts WHERE name = 'fence' FOR SHARE"

_PUT_VALUES: Callable[[Entry], tuple[object, ...]] = attrgetter(*COLUMNS)
_RECORD_VALUES: Callable[[Entry], tuple[object, ...]] = attrgetter(*RESULT_COLUMNS, "key_hash", "generation")


SCHEMA = "kfq_onboarding"
"""Default schema of the tables."""


class PostgresTransaction:
    """Ledger within one transaction: it locks the entries that it finds, and writes become visible at its end."""

    def __init__(self, connection: Connection, secret: bytes) -> None:
        self.connection = connection
        """For further statements of the same transaction."""
        self.secret = secret

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the current generations of these companies by key hash; those that the ledger lacks are left out."""
        # Locked in one order, so that two transactions cannot deadlock.
        found = await self.connection.execute(f"{FIND} ORDER BY key_hash FOR UPDATE", (list(keys),))
        return {entry.key_hash: entry async for entry in _entries(found)}

    async def find_request(self, client_request_id: str) -> Entry | None:
        """Return the entry with this id, or ``None``."""
        found = await self.connection.execute(f"{SELECT} WHERE client_request_id = %s FOR UPDATE", (client_request_id,))
        return await anext(_entries(found), None)

    async def put(self, entries: Sequence[Entry]) -> None:
        """Insert or replace entries; statuses of notifications are kept."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(PUT, [_storable(_PUT_VALUES(entry)) for entry in entries])

    async def record(self, entries: Sequence[Entry], *, unknown: Sequence[Entry] = ()) -> None:
        """Write the results of calls to existing entries, and mark others as unknown."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(RECORD, [_storable(_RECORD_VALUES(entry)) for entry in entries])
            if unknown:
                await cursor.execute(MARK_UNKNOWN, ([entry.client_request_id for entry in unknown],))


class PostgresLedger:
    """Ledger in a schema of a PostgreSQL database, to be opened in ``async with``.

    The tables are created if they do not exist, and migrated if an older version of the package created them, in one
    transaction, unless a runner is using the ledger. The lock is a session-level advisory lock, so connect directly
    and not through a PgBouncer that pools transactions.

    Every method raises `LedgerError` if the database or another process prevents it. None waits without bound for a
    process that is suspended in a transaction: the server rolls that back.

    Args:
        conninfo: A connection string, ``host=db.internal dbname=companies user=kfq`` or a ``postgresql://`` URL.
        secret: The key of the hashes, 32 bytes. It is never stored in the database, and every process needs the same.
        schema: The schema of the tables, one for each ledger.
        exclusive: Whether to take the lock, which runs need. ``False`` is for processes that receive notifications or
            only read, and for workers.
        connections: Maximum number of pooled connections of this process.
        timeout: Seconds for which a statement waits for another process's lock. The server ends a transaction that
            stands still for half as long.

    Attributes:
        pool: The pool; its connections have the schema as their search path.
        secret: The key of the hashes.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        secret: bytes,
        schema: str = SCHEMA,
        exclusive: bool = True,
        connections: int = 10,
        timeout: float = 20.0,
    ) -> None:
        conninfo, secret = MaskedStr(conninfo), MaskedBytes(secret)  # the names stand in tracebacks
        if not timeout > 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {timeout}")
        self._hashes = Hashes(secret)
        self._secret = secret
        self._conninfo = _checked(conninfo)
        self._schema = schema
        self._exclusive = exclusive
        self._timeout = timeout
        self._fence: str | None = None
        self._open = AsyncExitStack()
        self._closing: asyncio.Task[None] | None = None
        """The close under way, or done."""
        self.pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any, ...]]] = AsyncConnectionPool(
            conninfo,
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            min_size=1,
            max_size=connections,
            open=False,
            configure=self._configure,
        )
        """Connections with the schema as their search path."""

    async def __aenter__(self) -> Self:
        self._closing = None
        try:
            await self._prepare()
            with _translated():
                await self._open.enter_async_context(self.pool)
            if self._exclusive:
                await self._open.enter_async_context(self.lock())
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections and release the lock; idempotent.

        Every caller waits until that is done, and cancelling one does not interrupt it.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._open.aclose())
        await asyncio.shield(self._closing)

    @property
    def secret(self) -> bytes:
        """The key of the hashes, 32 bytes."""
        return self._secret

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """Hold the lock of the ledger's runner; raises `LedgerError` that names the holder if it is taken.

        The server releases it when this process ends in any way. If the connection breaks before and another process
        takes the lock, this one can write nothing more.
        """
        async with self._connection() as holder:
            if not await _value(holder, "SELECT pg_try_advisory_lock(%s)", (advisory_lock_id(self._schema),)):
                raise LedgerError(
                    f"the ledger {self._schema} is in use by {await _value(holder, HOLDER, ())}: wait until it ends"
                )
            fence = secrets.token_hex(16)
            await holder.execute(SET_FACT, ("holder", describe_process()))
            await holder.execute(SET_FACT, ("fence", fence))
            self._fence = fence
            try:
                yield
            finally:
                self._fence = None
                with suppress(psycopg.Error):  # the connection is broken; closing one takes the server a moment
                    await holder.execute("SELECT pg_advisory_unlock(%s)", (advisory_lock_id(self._schema),))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Begin a transaction; it is committed at the end of the block, or rolled back if an error is raised in it."""
        with _translated():
            async with self.pool.connection() as connection:
                if self._fence is not None:
                    await self._check_fence(connection)
                yield PostgresTransaction(connection, self._secret)

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the current generations of these companies by key hash; those that the ledger lacks are left out."""
        with _translated():
            async with self.pool.connection() as connection:
                found = await connection.execute(FIND, (list(keys),))
                return {entry.key_hash: entry async for entry in _entries(found)}

    async def put(self, entries: Sequence[Entry]) -> None:
        """Insert or replace entries: all or none, committed when this returns."""
        async with self.transaction() as transaction:
            await transaction.put(entries)

    async def record(self, entries: Sequence[Entry], *, unknown: Sequence[Entry] = ()) -> None:
        """Write the results of calls to existing entries, and mark others as unknown, whose requests are sent next.

        All or none, committed when this returns.
        """
        async with self.transaction() as transaction:
            await transaction.record(entries, unknown=unknown)

    async def begin_run(self) -> int:
        """Begin a run and return its number."""
        if self._fence is None:
            raise LedgerError(
                f"the ledger {self._schema} was opened with exclusive=False, to read only: open it without for a run"
            )
        query = "INSERT INTO runs SELECT coalesce(max(run), 0) + 1, %s FROM runs RETURNING run"
        async with self.transaction() as transaction:
            return int(await _value(transaction.connection, query, (time.time(),)))

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:
        """Record the status that a notification carried if it supersedes the one on record.

        ``at`` is in seconds since the epoch. Returns ``False`` if no entry has this id.
        """
        with _translated():
            async with self.pool.connection() as connection:
                found = await (await connection.execute(STATUS, (client_request_id,))).fetchone()
                if found is not None and replaces_status(status, found[0]):
                    await connection.execute(COMPLETE, (int(status), at, client_request_id))
                return found is not None

    async def entries(self, states: Collection[State] = tuple(State)) -> AsyncIterator[Entry]:
        """Iterate over the current generations in these states, ordered by row number."""
        page = await self._page(states, (-1, b""))
        while page:
            for entry in page:
                yield entry
            page = await self._page(states, (page[-1].row_number, page[-1].key_hash))

    async def _page(self, states: Collection[State], after: tuple[int, bytes]) -> list[Entry]:
        with _translated():
            async with self.pool.connection() as connection:
                return [entry async for entry in _entries(await connection.execute(NEXT_PAGE, (list(states), *after)))]

    async def _check_fence(self, connection: Connection) -> None:
        """Fail if the fencing token changed; block a takeover until the transaction ends."""
        if await _value(connection, FENCE, ()) != self._fence:
            holder = await _value(connection, HOLDER, ())
            raise LedgerError(f"the connection broke, and {holder} has taken over the ledger {self._schema}")

    async def _prepare(self) -> None:
        """Create the tables, migrate those of an older version, and refuse those of a newer one or another secret."""
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_lock_id(f"{self._schema} tables"),))
            if await _value(connection, "SELECT to_regclass('facts')", ()) is None:
                await connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(self._schema)))
                await connection.execute(TABLES)
                await connection.execute(SET_FACT, ("version", VERSION))
                await connection.execute(SET_FACT, ("check", self._hashes.check().hex()))
            facts = dict(await (await connection.execute("SELECT name, value FROM facts")).fetchall())
            if facts.get("version") not in {*MIGRATIONS, VERSION}:
                raise LedgerError(
                    f"the ledger {self._schema} has schema version {facts.get('version')}, and this version of the "
                    f"package supports 1 to {VERSION}: upgrade the package, or name another schema"
                )
            if facts.get("check") != self._hashes.check().hex():
                raise LedgerError(f"the ledger {self._schema} was created with another secret: pass that one")
            if facts["version"] != VERSION:
                await self._migrate(connection, MIGRATIONS[facts["version"]])

    async def _migrate(self, connection: Connection, statements: LiteralString) -> None:
        """Bring tables of an older version to this one, within the transaction of ``connection``.

        The runner's lock is held meanwhile: the statements of a runner of the older version would fail as soon as the
        columns have other names.
        """
        if not await _value(connection, "SELECT pg_try_advisory_xact_lock(%s)", (advisory_lock_id(self._schema),)):
            raise LedgerError(
                f"the ledger {self._schema} is in use by {await _value(connection, HOLDER, ())}, and has to be "
                f"migrated to schema version {VERSION} first: wait until it ends"
            )
        await connection.execute(statements)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """Open a connection outside the pool, in autocommit mode."""
        with _translated():
            async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                await self._configure(connection)
                yield connection

    async def _configure(self, connection: Connection) -> None:
        timeouts = (_milliseconds(self._timeout), _milliseconds(self._timeout / 2))
        await connection.execute(CONFIGURE, (Identifier(self._schema).as_string(), *timeouts))
        await connection.commit()


async def _entries(cursor: psycopg.AsyncCursor[tuple[Any, ...]]) -> AsyncIterator[Entry]:
    async for row in cursor:
        yield read_entry(row)


async def _value(connection: Connection, query: str, values: Sequence[object]) -> Any:
    row = await (await connection.execute(query, values)).fetchone()
    return None if row is None else row[0]


def _storable(values: Sequence[object]) -> list[object]:
    """Return the values with the characters replaced that PostgreSQL cannot store."""
    return [_storable_text(value) if isinstance(value, str) else value for value in values]


def _storable_text(text: str) -> str:
    return type(text)(text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}"))


def _milliseconds(seconds: float) -> str:
    return f"{math.ceil(seconds * 1000)}ms"  # 0 would be without end


def _checked(conninfo: str) -> str:
    """Refuse an invalid connection string without repeating it, since it may hold a password."""
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        pass
    else:
        return conninfo
    raise ValueError("conninfo must be like 'host=db.internal dbname=companies user=kfq' or a postgresql:// URL")


def advisory_lock_id(name: str) -> int:
    """Return the number of an advisory lock: a 64-bit hash, so that a collision with other programs is unlikely."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


_REMEDIES = {
    None: "check that the server runs and can be reached, and try again",
    "25P03": "this process stood still within a transaction, of which nothing is stored; try again",
    "55P03": (
        "another process keeps rows of the ledger locked, since it was suspended or left a transaction open; find it "
        "in pg_stat_activity, end it, and try again"
    ),
}
"""Remedies by SQLSTATE; a connection that failed or was lost has none."""


@contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of the database into `LedgerError`, without details, which may repeat values.

    Nor is the database's error shown with it: variables of psycopg hold the values of the statement, and the password.
    """
    try:
        yield
    except psycopg.Error as problem:
        text = problem.diag.message_primary or str(problem).partition("\n")[0]
        remedy = _REMEDIES.get(problem.sqlstate)
        raise LedgerError(f"PostgreSQL: {text}; {remedy}" if remedy else f"PostgreSQL: {text}") from None
