"""`PostgresLane`: a lane shared by several processes, in PostgreSQL (extra ``postgres``)."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, cast

from psycopg.sql import SQL, Identifier

from kfq_async.contracts.lanes import LeasedTurn, ProcessLane, check_lease

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.sql import Composed
    from psycopg_pool import AsyncConnectionPool

    from kfq_async.contracts.lanes import ProcessTurn

    Connection = AsyncConnection[tuple[Any, ...]]

__all__ = ["PostgresLane"]

CREATE = """
CREATE TABLE IF NOT EXISTS {table} (platform text PRIMARY KEY, holder text NOT NULL, held_until timestamptz NOT NULL)
"""
WAIT = "SELECT extract(epoch FROM held_until - clock_timestamp())::float FROM {table} WHERE platform = %s"
HOLD = """
INSERT INTO {table} VALUES (%(platform)s, %(holder)s, clock_timestamp() + %(lease)s * interval '1 second')
ON CONFLICT (platform) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
"""
RENEW = """
UPDATE {table} SET held_until = clock_timestamp() + %(lease)s * interval '1 second'
WHERE platform = %(platform)s AND holder = %(holder)s
"""
END = "UPDATE {table} SET held_until = clock_timestamp() WHERE platform = %(platform)s AND holder = %(holder)s"


class PostgresLane:
    """One lane per platform for all processes that use the same database, by PostgreSQL's advisory locks.

    The calls of an event loop queue first come, first served, and one of each waits for the advisory lock. Beside it
    stands a lease in a table, renewed while the lane is held: an advisory lock ends with its connection, and after the
    death of its holder, or a response that never came, the platform may still be working. A call whose lease was lost
    is not sent. The lane is not fenced, since the platform takes no fencing token.

    While PostgreSQL is away, exclusive requests fail as `SessionError`, and nothing is sent.

    Args:
        pool: ``psycopg_pool`` pool, of which a process uses one connection at a time for the lane. Open and close it
            yourself; a pooler between it and the database must not share connections between transactions.
        lease: Seconds for which the lane is held without a renewal; longer than an attempt, `Timeouts.connect` and
            `Timeouts.attempt` together.
        table: Name of the table, created if it is missing; a row per platform.
    """

    def __init__(self, pool: AsyncConnectionPool[Any], *, lease: float = 60.0, table: str = "kfq_lanes") -> None:
        self._pool = pool
        self._lease = check_lease(lease)
        self._table = table
        self._created = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lease={self._lease}, table={self._table!r})"

    async def acquire(self, platform: str) -> LeasedTurn:
        """Wait until the lane of a platform is free, and take it; see `Lane`."""
        local = await ProcessLane().acquire(platform)
        try:
            async with AsyncExitStack() as stack:
                connection = await stack.enter_async_context(self._pool.connection())
                await connection.set_autocommit(True)
                stack.push_async_callback(connection.set_autocommit, False)
                return await self._acquire(connection, stack, platform, local)
        except BaseException:
            await local.release()
            raise

    async def _acquire(
        self, connection: Connection, stack: AsyncExitStack, platform: str, local: ProcessTurn
    ) -> LeasedTurn:
        await self._create(connection)
        lock = _lock_id(f"{self._table} {platform}")
        await connection.execute("SELECT pg_advisory_lock(%s)", (lock,))
        stack.push_async_callback(connection.execute, "SELECT pg_advisory_unlock(%s)", (lock,))
        while (wait := await self._wait(connection, platform)) > 0:  # noqa: ASYNC110  # of another process
            await asyncio.sleep(wait)
        values = {"platform": platform, "holder": secrets.token_hex(16), "lease": self._lease}
        began = asyncio.get_running_loop().time()
        await connection.execute(self._statement(HOLD), values)
        held = stack.pop_all()  # closed by the turn

        async def renew() -> bool:
            return (await connection.execute(self._statement(RENEW), values)).rowcount == 1

        async def end() -> None:
            async with held:
                await connection.execute(self._statement(END), values)

        return LeasedTurn(local, self._lease, began, renew=renew, end=end, leave=held.aclose)

    async def _create(self, connection: Connection) -> None:
        if self._created:
            return
        async with connection.transaction():
            # Two processes that create a table at once would fail.
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_lock_id(f"{self._table} table"),))
            await connection.execute(self._statement(CREATE))
        self._created = True

    async def _wait(self, connection: Connection, platform: str) -> float:
        """Return the seconds until the lease of an earlier holder ends."""
        row = await (await connection.execute(self._statement(WAIT), (platform,))).fetchone()
        return 0.0 if row is None else cast("float", row[0])

    def _statement(self, text: Any) -> Composed:
        return SQL(text).format(table=Identifier(*self._table.split(".")))


def _lock_id(name: str) -> int:
    """Return the number of an advisory lock: a 64-bit hash, so that a collision with other programs is unlikely."""
    return int.from_bytes(hashlib.sha256(f"kfq_async {name}".encode()).digest()[:8], signed=True)
