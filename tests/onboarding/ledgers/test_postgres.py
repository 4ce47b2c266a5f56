"""The ledger in PostgreSQL: what it keeps, whom it refuses, what it says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest

from companies import PERSONAL, rows
from kfq_async import AsyncSession, LedgerError
from kfq_async.onboarding.ledgers.postgres import PostgresLedger
from kfq_async.onboarding.records import OutcomeStatus
from kfq_async.onboarding.runner import Onboarding
from ledgers import all_of, entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.sandbox import Sandbox

SECRET = b"s" * 32


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    """An empty ledger."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        yield ledger


async def test_texts_that_the_database_cannot_hold(ledger: PostgresLedger) -> None:
    """A zero character or half a character in somebody's words does not cost the entry."""
    await ledger.put([entry(1)._replace(reason="a\0b\udc80")])
    (written,) = await all_of(ledger)
    assert written.reason == "a�b?"


async def test_one_at_a_time(ledger: PostgresLedger, postgres: str) -> None:
    """A second one is told who is at work; readers and notifications need no lock."""
    await ledger.put([entry(1)])
    with pytest.raises(LedgerError, match=r"in use by process \d+ on .*, since"):
        async with PostgresLedger(postgres, secret=SECRET):
            pass
    async with PostgresLedger(postgres, secret=SECRET, exclusive=False) as reader:
        assert await reader.complete("id-1-1", 1, 1.0)
    await ledger.aclose()
    async with PostgresLedger(postgres, secret=SECRET) as next_one:
        assert len(await all_of(next_one)) == 1


async def test_who_lost_the_lock_writes_no_more(ledger: PostgresLedger, postgres: str) -> None:
    """If the connection that holds the lock breaks and another one takes it, the first is told at its next write."""
    await ledger.put([entry(1)])
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    await ledger.put([entry(2)])  # nobody took it
    async with PostgresLedger(postgres, secret=SECRET):
        with pytest.raises(LedgerError, match=r"broke, and process \d+ on .* has taken the ledger"):
            await ledger.put([entry(3)])
        assert len(await all_of(ledger)) == 2


async def test_schemas_are_ledgers_of_their_own(ledger: PostgresLedger, postgres: str) -> None:
    """Two batches share a database under two names, also such as must be quoted."""
    await ledger.put([entry(1)])
    async with PostgresLedger(postgres, secret=b"o" * 32, schema='Other "one"') as other:
        assert await all_of(other) == []
        await other.put([entry(2)])
    assert await all_of(ledger) == [entry(1)]


async def test_made_by_two_at_once(postgres: str) -> None:
    """Processes that start together find one set of tables."""
    ledgers = [PostgresLedger(postgres, secret=SECRET, exclusive=False) for _ in range(4)]
    await asyncio.gather(*(each.__aenter__() for each in ledgers))
    await ledgers[0].put([entry(1)])
    assert [len(await all_of(each)) for each in ledgers] == [1, 1, 1, 1]
    await asyncio.gather(*(each.aclose() for each in ledgers))


async def test_another_secret(ledger: PostgresLedger, postgres: str) -> None:
    """Under another secret no company would be recognised, so it is refused, and neither is shown."""
    with pytest.raises(LedgerError, match="another secret: give that one") as caught:
        async with PostgresLedger(postgres, secret=b"t" * 32, exclusive=False):
            pass
    assert "ssss" not in str(caught.value)
    with pytest.raises(ValueError, match="32 bytes, not 4"):
        PostgresLedger(postgres, secret=b"four")


async def test_another_schema(ledger: PostgresLedger, postgres: str) -> None:
    """Tables of another version are left alone."""
    async with ledger.pool.connection() as connection:
        await connection.execute("UPDATE facts SET value = '99' WHERE name = 'version'")
    await ledger.aclose()
    with pytest.raises(LedgerError, match="schema 99, and this version of the package knows 1"):
        async with PostgresLedger(postgres, secret=SECRET):
            pass


async def test_no_server(tmp_path: object) -> None:
    """A database that is not there is said to be not there."""
    with pytest.raises(LedgerError, match=r"PostgreSQL: connection .*No such file"):
        async with PostgresLedger(f"host={tmp_path}", secret=SECRET):
            pass


def test_no_connection_string() -> None:
    """What cannot be read as one is not repeated."""
    with pytest.raises(ValueError, match="conninfo must be like") as caught:
        PostgresLedger("password=hush hush", secret=SECRET)
    assert caught.value.__context__ is None
    assert "hush" not in str(caught.value)


async def test_what_is_committed_survives_the_power(postgres: str) -> None:
    """Where the database does not wait for its disk, the ledger does."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("ALTER ROLE postgres SET synchronous_commit = off")
        try:
            async with PostgresLedger(postgres, secret=SECRET) as ledger, ledger.pool.connection() as inside:
                assert await (await inside.execute("SHOW synchronous_commit")).fetchone() == ("on",)
        finally:
            await connection.execute("ALTER ROLE postgres RESET synchronous_commit")


async def test_a_run_over_it(ledger: PostgresLedger, session: AsyncSession, sandbox: Sandbox) -> None:
    """The runner of one machine works over it, nobody is asked twice, and no person's data is in the database."""
    for asked in (300, 0):
        async with Onboarding(session, ledger, rows(300)) as run:
            outcomes = [outcome async for outcome in run]
        assert {outcome.status for outcome in outcomes} == {OutcomeStatus.LINKED}
        assert sum(outcome.sent for outcome in outcomes) == asked
    assert len(sandbox.orders) == 300
    async with ledger.pool.connection() as connection:
        dump = [
            str(row)
            for table in ("facts", "runs", "entries", "requests")
            async for row in await connection.execute(f"SELECT * FROM {table}")
        ]
    assert [each for each in PERSONAL if any(each in row for row in dump)] == []
