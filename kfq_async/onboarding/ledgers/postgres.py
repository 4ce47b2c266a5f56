"""The ledger in PostgreSQL (extra ``postgres``), for several machines. Imported by those who use it."""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from kfq_async.errors import LedgerError
from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.ledgers.base import Hashes, describe_process
from kfq_async.onboarding.records import ENDED, FIXED, TOLD, Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

__all__ = ["SCHEMA", "PostgresLedger", "PostgresTransaction", "advisory_lock_id"]


VERSION = "1"
"""Of the tables, one more with every change of them."""
PAGE = 500
"""Entries that are read at a time."""

COLUMNS = Entry._fields
CHANGING = tuple(name for name in COLUMNS if name not in (*FIXED, *TOLD))
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
CREATE INDEX by_place ON entries (row_number, key_hash, generation);
CREATE TABLE requests (
    client_request_id text PRIMARY KEY REFERENCES entries (client_request_id) ON DELETE CASCADE, sealed bytea NOT NULL
)
"""
PUT = f"""
INSERT INTO entries ({", ".join(COLUMNS)}) VALUES ({", ".join("%s" for _ in COLUMNS)})
ON CONFLICT (key_hash, generation) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in CHANGING)}
"""  # noqa: S608  # our own names
SETTLE = f"""
UPDATE entries SET {", ".join(f"{name} = %s" for name in ENDED)} WHERE key_hash = %s AND generation = %s
"""  # noqa: S608
SELECT = f"SELECT {', '.join(COLUMNS)} FROM entries"  # noqa: S608
LATEST = "generation = (SELECT max(generation) FROM entries AS other WHERE other.key_hash = entries.key_hash)"
FIND = f"{SELECT} WHERE key_hash = ANY(%s) AND {LATEST}"
PART = f"""
{SELECT} WHERE state = ANY(%s) AND (row_number, key_hash) > (%s, %s) AND {LATEST}
ORDER BY row_number, key_hash LIMIT {PAGE}
"""
COMPLETE = """
UPDATE entries SET status = %s, status_at = %s WHERE client_request_id = %s AND (status IS NULL OR status = %s)
"""
SESSION = """
SELECT set_config('search_path', %s, false), set_config('application_name', 'kfq_async onboarding', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
        ELSE current_setting('synchronous_commit') END, false)
"""
"""Settings of each connection; what is committed must survive a power cut, whatever the database's default."""
SET_FACT = "INSERT INTO facts VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


SCHEMA = "kfq_onboarding"


class PostgresTransaction:
    """A ledger inside one transaction: what it finds is locked, and what it puts is there for all when it ends."""

    def __init__(self, connection: Connection, secret: bytes) -> None:
        self.connection = connection
        """Yours to use for what belongs into the same transaction."""
        self.secret = secret

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the latest generation of each company that is there, by its key."""
        # In one order, so that two transactions never wait for each other.
        found = await self.connection.execute(f"{FIND} ORDER BY key_hash FOR UPDATE", (list(keys),))
        return {entry.key_hash: entry async for entry in _entries(found)}

    async def asked(self, client_request_id: str) -> Entry | None:
        """Return the entry under this id."""
        found = await self.connection.execute(f"{SELECT} WHERE client_request_id = %s FOR UPDATE", (client_request_id,))
        return await anext(_entries(found), None)

    async def put(self, entries: Sequence[Entry]) -> None:
        """Write entries; what notifications wrote stays."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(PUT, [_values(entry, COLUMNS) for entry in entries])

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Write how calls ended; the rest stays."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(SETTLE, [_values(entry, (*ENDED, "key_hash", "generation")) for entry in entries])


class PostgresLedger:
    """A ledger in the database ``conninfo``, in a ``schema`` of its own; open it in ``async with``.

    ``secret`` has 32 bytes and is kept by you: it never enters the database, and all who use the ledger need the same.
    With ``exclusive=False`` it takes no lock: for a process that receives notifications, or only reads. The lock is one
    of the session's, so connect past a PgBouncer that pools transactions. ``connections`` bounds those of this process.

    Every method raises `LedgerError` for what the database or another process does.
    """

    def __init__(
        self, conninfo: str, *, secret: bytes, schema: str = SCHEMA, exclusive: bool = True, connections: int = 10
    ) -> None:
        self._hashes = Hashes(secret)
        self._secret = secret
        self._conninfo = _checked(conninfo)
        self._schema = schema
        self._exclusive = exclusive
        self._fence: str | None = None
        self._open = AsyncExitStack()
        self.pool = AsyncConnectionPool(
            conninfo,
            connection_class=psycopg.AsyncConnection[tuple[Any, ...]],
            min_size=1,
            max_size=connections,
            open=False,
            configure=self._configure,
        )
        """Connections whose tables are those of the schema."""

    async def __aenter__(self) -> Self:
        try:
            await self._claim_schema()
            with _translated():
                await self._open.enter_async_context(self.pool)
            if self._exclusive:
                await self._open.enter_async_context(self.claimed())
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections and give the lock back; a second time does nothing."""
        await self._open.aclose()

    @property
    def secret(self) -> bytes:
        """The key of the hashes."""
        return self._secret

    @asynccontextmanager
    async def claimed(self) -> AsyncIterator[None]:
        """Be the only one who opens generations; raises `LedgerError` that names who is at it already.

        The server gives the lock back when this process ends, however it ends. Should the connection break before,
        so that another one takes the lock, nothing more can be written here.
        """
        async with self._connected() as holder:
            if not await _value(holder, "SELECT pg_try_advisory_lock(%s)", (advisory_lock_id(self._schema),)):
                other = await _value(holder, "SELECT value FROM facts WHERE name = 'holder'", ())
                raise LedgerError(f"the ledger {self._schema} is in use by {other}: wait for its end")
            fence = secrets.token_hex(16)
            await holder.execute(SET_FACT, ("holder", describe_process()))
            await holder.execute(SET_FACT, ("fence", fence))
            self._fence = fence
            try:
                yield
            finally:
                self._fence = None
                with suppress(psycopg.Error):  # it is broken; a closed one would keep the lock for a moment more
                    await holder.execute("SELECT pg_advisory_unlock(%s)", (advisory_lock_id(self._schema),))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """Do several things at once, or none of them if an error is raised."""
        with _translated():
            async with self.pool.connection() as connection:
                if self._fence is not None:
                    await self._check_fence(connection)
                yield PostgresTransaction(connection, self._secret)

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the latest generation of each company that is there, by its key."""
        with _translated():
            async with self.pool.connection() as connection:
                found = await connection.execute(FIND, (list(keys),))
                return {entry.key_hash: entry async for entry in _entries(found)}

    async def put(self, entries: Sequence[Entry]) -> None:
        """Write all or none, committed before this returns."""
        async with self.transaction() as transaction:
            await transaction.put(entries)

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Write how calls ended, all or none, committed before this returns."""
        async with self.transaction() as transaction:
            await transaction.settle(entries)

    async def begin_run(self) -> int:
        """Return the number of a new run."""
        query = "INSERT INTO runs SELECT coalesce(max(run), 0) + 1, %s FROM runs RETURNING run"
        async with self.transaction() as transaction:
            return int(await _value(transaction.connection, query, (time.time(),)))

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:
        """Note what a notification told; a final status stays. Return ``False`` if no entry has this id."""
        told = (int(status), at, client_request_id, int(IdentityStatus.IN_PROGRESS))
        with _translated():
            async with self.pool.connection() as connection:
                await connection.execute(COMPLETE, told)
                known = "SELECT 1 FROM entries WHERE client_request_id = %s"
                return await _value(connection, known, (client_request_id,)) is not None

    async def entries(self, states: Collection[State] = tuple(State)) -> AsyncIterator[Entry]:
        """Iterate over the latest generations in these states, by the place of their rows."""
        part = await self._part(states, (-1, b""))
        while part:
            for entry in part:
                yield entry
            part = await self._part(states, (part[-1].row_number, part[-1].key_hash))

    async def _part(self, states: Collection[State], place: tuple[int, bytes]) -> list[Entry]:
        with _translated():
            async with self.pool.connection() as connection:
                return [entry async for entry in _entries(await connection.execute(PART, (list(states), *place)))]

    async def _check_fence(self, connection: Connection) -> None:
        """Keep the transaction from one who lost the lock, and whoever takes the lock from going on before its end."""
        if await _value(connection, "SELECT value FROM facts WHERE name = 'fence' FOR SHARE", ()) != self._fence:
            other = await _value(connection, "SELECT value FROM facts WHERE name = 'holder'", ())
            raise LedgerError(f"the connection broke, and {other} has taken the ledger {self._schema} over")

    async def _claim_schema(self) -> None:
        """Make the tables where there are none, and refuse those that are not this version's or this secret's."""
        async with self._connected() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_lock_id(f"{self._schema} tables"),))
            if await _value(connection, "SELECT to_regclass('facts')", ()) is None:
                await connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(self._schema)))
                await connection.execute(TABLES)
                await connection.execute(SET_FACT, ("version", VERSION))
                await connection.execute(SET_FACT, ("check", self._hashes.check().hex()))
            facts = dict(await (await connection.execute("SELECT name, value FROM facts")).fetchall())
        if facts.get("version") != VERSION:
            raise LedgerError(
                f"the ledger {self._schema} has schema {facts.get('version')}, and this version of the package knows "
                f"{VERSION}: use the version that made it, or name another schema"
            )
        if facts.get("check") != self._hashes.check().hex():
            raise LedgerError(f"the ledger {self._schema} was made under another secret: give that one")

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """Open a connection of one's own, which commits each statement."""
        with _translated():
            async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                await self._configure(connection)
                yield connection

    async def _configure(self, connection: Connection) -> None:
        await connection.execute(SESSION, (Identifier(self._schema).as_string(),))
        await connection.commit()


async def _entries(cursor: psycopg.AsyncCursor[tuple[Any, ...]]) -> AsyncIterator[Entry]:
    async for row in cursor:
        entry = Entry._make(row)
        yield entry._replace(state=State(entry.state))


async def _value(connection: Connection, query: str, values: Sequence[object]) -> Any:
    row = await (await connection.execute(query, values)).fetchone()
    return None if row is None else row[0]


def _values(entry: Entry, names: Sequence[str]) -> list[object]:
    values = [getattr(entry, name) for name in names]
    return [_storable(value) if isinstance(value, str) else value for value in values]


def _storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot hold."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _checked(conninfo: str) -> str:
    """Refuse what is no connection string without repeating it, since it may hold a password."""
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        pass
    else:
        return conninfo
    raise ValueError("conninfo must be like 'host=db.internal dbname=companies user=kfq' or a postgresql:// URL")


def advisory_lock_id(name: str) -> int:
    """Return the number of a lock; those of other programs are hardly the same among 2^64."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what the database says into words that help; details, which may repeat values, are left out."""
    try:
        yield
    except psycopg.Error as problem:
        text = problem.diag.message_primary or str(problem).partition("\n")[0]
    else:
        return
    raise LedgerError(f"PostgreSQL: {text}")
