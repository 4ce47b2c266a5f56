"""The ledger in PostgreSQL: storage, lock, migration, errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from procrastinate.schema import SchemaManager

from companies import PERSONAL, row, rows
from kfq_async import AsyncSession, LedgerError
from kfq_async.onboarding.decisions import encode_request
from kfq_async.onboarding.jobs import OnboardingJobs
from kfq_async.onboarding.jobs.outbox import RequestCipher
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.ledgers.postgres import PostgresLedger, advisory_lock_id
from kfq_async.onboarding.records import OutcomeStatus, State
from kfq_async.onboarding.runner import Onboarding
from ledgers import all_of, entry, version_1_entries, version_1_values
from tracebacks import render

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.onboarding.records import Entry
    from kfq_async.sandbox import Sandbox

SECRET = b"s" * 32


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    """An empty ledger."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        yield ledger


async def test_unstorable_text(ledger: PostgresLedger) -> None:
    """Characters that PostgreSQL cannot store are replaced."""
    await ledger.put([entry(1, reason="a\0b\udc80")])
    (stored,) = await all_of(ledger)
    assert stored.reason == "a�b?"


async def test_lock(ledger: PostgresLedger, postgres: str) -> None:
    """A second runner is refused and the holder named; without exclusive access the ledger can be opened."""
    await ledger.put([entry(1)])
    with pytest.raises(LedgerError, match=r"in use by process \d+ on .*, since"):
        async with PostgresLedger(postgres, secret=SECRET):
            pass
    async with PostgresLedger(postgres, secret=SECRET, exclusive=False) as reader:
        assert await reader.complete("id-1-1", 1, 1.0)
    await ledger.aclose()
    async with PostgresLedger(postgres, secret=SECRET) as reopened:
        assert len(await all_of(reopened)) == 1


async def test_closing_once(ledger: PostgresLedger, postgres: str) -> None:
    """Every caller waits until the ledger is closed, and cancelling one does not interrupt that."""
    free = asyncio.Event()
    ledger._open.push_async_callback(free.wait)
    callers = [asyncio.create_task(ledger.aclose()) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    await asyncio.wait(callers, timeout=0.1)
    assert [each.done() for each in callers] == [True, False, False]
    free.set()
    await asyncio.gather(*callers[1:])
    assert ledger.pool.closed
    async with PostgresLedger(postgres, secret=SECRET):  # the lock is free
        pass


async def test_closing_before_opening(postgres: str) -> None:
    """A ledger that was closed before it was opened is closed again at the end."""
    ledger = PostgresLedger(postgres, secret=SECRET)
    await ledger.aclose()
    async with ledger:
        assert not ledger.pool.closed
    assert ledger.pool.closed


async def test_run_without_the_lock(postgres: str) -> None:
    """A ledger that was opened to read takes no run."""
    async with PostgresLedger(postgres, secret=SECRET, exclusive=False) as reader:
        with pytest.raises(LedgerError, match="opened with exclusive=False, to read only: open it without for a run"):
            await reader.begin_run()


async def test_lost_lock(ledger: PostgresLedger, postgres: str) -> None:
    """If the connection that holds the lock breaks and another process takes it, the first one's next write fails."""
    await ledger.put([entry(1)])
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    await ledger.put([entry(2)])  # the lock is free
    async with PostgresLedger(postgres, secret=SECRET):
        with pytest.raises(LedgerError, match=r"broke, and process \d+ on .* has taken over the ledger"):
            await ledger.put([entry(3)])
        assert len(await all_of(ledger)) == 2


async def test_schemas_are_separate(ledger: PostgresLedger, postgres: str) -> None:
    """Two schemas of one database are two ledgers, also if a name must be quoted."""
    await ledger.put([entry(1)])
    async with PostgresLedger(postgres, secret=b"o" * 32, schema='Other "one"') as other:
        assert await all_of(other) == []
        await other.put([entry(2)])
    assert await all_of(ledger) == [entry(1)]


async def test_concurrent_creation(postgres: str) -> None:
    """Processes that start together create one set of tables."""
    ledgers = [PostgresLedger(postgres, secret=SECRET, exclusive=False) for _ in range(4)]
    await asyncio.gather(*(each.__aenter__() for each in ledgers))
    await ledgers[0].put([entry(1)])
    assert [len(await all_of(each)) for each in ledgers] == [1, 1, 1, 1]
    await asyncio.gather(*(each.aclose() for each in ledgers))


async def test_other_secret(ledger: PostgresLedger, postgres: str) -> None:
    """Under another secret no company would be recognised, so it is refused, and not shown."""
    with pytest.raises(LedgerError, match="created with another secret: pass that one") as caught:
        async with PostgresLedger(postgres, secret=b"t" * 32, exclusive=False):
            pass
    assert "ssss" not in str(caught.value)
    with pytest.raises(ValueError, match="32 bytes, not 4"):
        PostgresLedger(postgres, secret=b"four")


async def test_newer_version(ledger: PostgresLedger, postgres: str) -> None:
    """Tables of a newer version are refused."""
    async with ledger.pool.connection() as connection:
        await connection.execute("UPDATE facts SET value = '99' WHERE name = 'version'")
    await ledger.aclose()
    with pytest.raises(
        LedgerError, match="schema version 99, and this version of the package supports 1 to 3: upgrade"
    ):
        async with PostgresLedger(postgres, secret=SECRET):
            pass


async def test_no_server(tmp_path: object) -> None:
    """If there is no server, the error says so; its frames show neither the password nor the secret."""
    with pytest.raises(LedgerError, match=r"PostgreSQL: connection .*No such file") as caught:
        async with PostgresLedger(f"host={tmp_path} password={'hush' * 3}", secret=SECRET):
            pass
    shown = render(caught.value)
    assert "conninfo" in shown
    assert [each for each in ("hush" * 2, SECRET.decode()) if each in shown] == []


def test_invalid_conninfo() -> None:
    """An invalid connection string is refused without repeating it."""
    with pytest.raises(ValueError, match="conninfo must be like") as caught:
        PostgresLedger("password=hush hush", secret=SECRET)
    assert caught.value.__context__ is None
    assert "hush" not in str(caught.value)


async def test_synchronous_commit(postgres: str) -> None:
    """The ledger waits for the disk also where the database's default does not."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection:
        await connection.execute("ALTER ROLE postgres SET synchronous_commit = off")
        try:
            async with PostgresLedger(postgres, secret=SECRET) as ledger, ledger.pool.connection() as inside:
                assert await (await inside.execute("SHOW synchronous_commit")).fetchone() == ("on",)
        finally:
            await connection.execute("ALTER ROLE postgres RESET synchronous_commit")


async def test_timeouts(postgres: str) -> None:
    """Every connection waits for a lock, or stands still within a transaction, only so long."""
    async with PostgresLedger(postgres, secret=SECRET, timeout=5.0) as ledger, ledger.pool.connection() as inside:
        assert await (await inside.execute("SHOW lock_timeout")).fetchone() == ("5s",)
        assert await (await inside.execute("SHOW idle_in_transaction_session_timeout")).fetchone() == ("2500ms",)
    with pytest.raises(ValueError, match="timeout must be more than 0 seconds, not 0"):
        PostgresLedger(postgres, secret=SECRET, timeout=0)


async def test_locked_rows(ledger: PostgresLedger, postgres: str) -> None:
    """Waiting for rows that another process keeps locked ends with the remedy, and can be repeated."""
    await ledger.put([entry(1)])
    async with await psycopg.AsyncConnection.connect(postgres) as other:
        await other.execute("SELECT * FROM kfq_onboarding.entries FOR UPDATE")
        with pytest.raises(LedgerError, match=r"keeps rows of the ledger locked, .* pg_stat_activity, end it, and try"):
            await _put_at_once(ledger, entry(1))
    await _put_at_once(ledger, entry(1))


async def _put_at_once(ledger: PostgresLedger, changed: Entry) -> None:
    async with ledger.transaction() as transaction:
        await transaction.connection.execute("SET LOCAL lock_timeout = '1ms'")
        await transaction.put([changed])


async def test_standing_still(ledger: PostgresLedger, postgres: str) -> None:
    """A transaction that stands still is ended by the server, which releases its locks; the error says so."""
    await ledger.put([entry(1)])
    with pytest.raises(LedgerError, match="stood still within a transaction, of which nothing is stored; try again"):
        await _put_too_slowly(ledger, entry(1, reason="not stored"), postgres)
    assert await all_of(ledger) == [entry(1)]


async def _put_too_slowly(ledger: PostgresLedger, changed: Entry, postgres: str) -> None:
    """Write an entry and stand still until another process can lock it."""
    async with ledger.transaction() as transaction:
        await transaction.put([changed])
        await transaction.connection.execute("SET idle_in_transaction_session_timeout = '1ms'")
        async with await psycopg.AsyncConnection.connect(postgres) as other:
            await other.execute("SELECT * FROM kfq_onboarding.entries FOR UPDATE")
        await transaction.find([changed.key_hash])


async def test_onboarding(ledger: PostgresLedger, session: AsyncSession, sandbox: Sandbox) -> None:
    """A run uses it, no company is sent twice, and no personal data is in the database."""
    for sent in (300, 0):
        async with Onboarding(session, ledger, rows(300)) as run:
            outcomes = [outcome async for outcome in run]
        assert {outcome.status for outcome in outcomes} == {OutcomeStatus.LINKED}
        assert sum(outcome.sent for outcome in outcomes) == sent
    assert len(sandbox.orders) == 300
    async with ledger.pool.connection() as connection:
        dump = [
            str(row)
            for table in ("facts", "runs", "entries", "requests")
            async for row in await connection.execute(f"SELECT * FROM {table}")
        ]
    assert [each for each in PERSONAL if any(each in row for row in dump)] == []


VERSION_1 = """
CREATE SCHEMA kfq_onboarding;
SET search_path TO kfq_onboarding;
CREATE TABLE facts (name text PRIMARY KEY, value text NOT NULL);
CREATE TABLE runs (run bigint PRIMARY KEY, began_at double precision NOT NULL);
CREATE TABLE entries (
    key bytea NOT NULL, generation integer NOT NULL, client_request_id text NOT NULL UNIQUE, body bytea NOT NULL,
    state text NOT NULL, number bigint NOT NULL, run bigint NOT NULL, label text, order_no text, auth_url text,
    code bigint, words text, attempts integer NOT NULL, seconds double precision, opened_at double precision NOT NULL,
    ended_at double precision, status integer, status_at double precision,
    PRIMARY KEY (key, generation)
);
CREATE INDEX by_place ON entries (number, key, generation);
CREATE TABLE requests (
    client_request_id text PRIMARY KEY REFERENCES entries (client_request_id) ON DELETE CASCADE, sealed bytea NOT NULL
);
INSERT INTO facts VALUES ('version', '1'), ('holder', 'process 1 on old');
INSERT INTO runs VALUES (1, 10.0), (2, 20.0);
"""
"""The tables of the first version."""
INSERT = """
INSERT INTO kfq_onboarding.entries (
    key, generation, client_request_id, body, number, state, order_no, auth_url, code, words, attempts, seconds,
    ended_at, run, label, opened_at, status, status_at
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
JOB = """
INSERT INTO kfq_onboarding.procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
VALUES ('kfq_onboarding', 'ask', %(id)s, %(id)s, jsonb_build_object('client_request_id', %(id)s::text))
"""


@pytest.fixture
def version_1(postgres: str) -> list[Entry]:
    """Tables of the first version in the database; the entries that they hold."""
    entries = version_1_entries(SECRET)
    with psycopg.connect(postgres) as connection:
        connection.execute(VERSION_1)
        connection.execute("INSERT INTO facts VALUES ('check', %s)", (Hashes(SECRET).check().hex(),))
        connection.cursor().executemany(INSERT, map(version_1_values, entries))
    return entries


async def test_migration(postgres: str, version_1: list[Entry]) -> None:
    """Tables of version 1 are migrated with all generations and runs when they are opened."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        current = {each.key_hash: each for each in version_1}  # the last generation of each company
        assert await all_of(ledger) == list(current.values())
        assert await ledger.begin_run() == 3
        async with ledger.pool.connection() as connection:
            found = await connection.execute("SELECT client_request_id FROM entries ORDER BY client_request_id")
            assert await found.fetchall() == [(each.client_request_id,) for each in version_1]


async def test_run_after_migration(
    postgres: str, version_1: list[Entry], session: AsyncSession, sandbox: Sandbox
) -> None:
    """A run over migrated tables continues under the ids of version 1."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger, Onboarding(session, ledger, rows(5)) as run:
        outcomes = [outcome.status async for outcome in run]
    open_ids = {each.client_request_id for each in version_1 if each.state in {State.UNKNOWN, State.PENDING}}
    assert {order.client_request_id for order in sandbox.orders} == open_ids
    assert sorted(outcomes) == [*[OutcomeStatus.LINKED] * 4, OutcomeStatus.REFUSED]


async def test_jobs_after_migration(
    postgres: str, version_1: list[Entry], session: AsyncSession, sandbox: Sandbox
) -> None:
    """Requests and jobs that waited in version 1 are run after the migration, under their ids."""
    waiting = [each.client_request_id for each in version_1 if each.state in {State.UNKNOWN, State.PENDING}]
    companies = {each.client_request_id: row(each.row_number - 2).request for each in version_1}
    tables = await asyncio.to_thread(SchemaManager.get_schema)
    async with await psycopg.AsyncConnection.connect(postgres) as connection:
        await connection.execute("SET search_path TO kfq_onboarding")
        await connection.execute(tables)
        for client_request_id in waiting:
            company = companies[client_request_id]
            assert company is not None
            encrypted = RequestCipher(SECRET).encrypt(encode_request(company, client_request_id))
            await connection.execute("INSERT INTO requests VALUES (%s, %s)", (client_request_id, encrypted))
            await connection.execute(JOB, {"id": client_request_id})
    async with OnboardingJobs(postgres, secret=SECRET) as jobs:
        await jobs.work(session, wait=False, signals=False)
        assert {each.state for each in await all_of(jobs.ledger)} == {State.LINKED, State.REFUSED}
    assert sorted(order.client_request_id or "" for order in sandbox.orders) == waiting


async def test_concurrent_migration(postgres: str, version_1: list[Entry]) -> None:
    """Processes that open old tables together migrate them once."""
    ledgers = [PostgresLedger(postgres, secret=SECRET, exclusive=False) for _ in range(4)]
    await asyncio.gather(*(each.__aenter__() for each in ledgers))
    assert [len(await all_of(each)) for each in ledgers] == [len(version_1) - 1] * 4
    await asyncio.gather(*(each.aclose() for each in ledgers))


async def test_migration_while_in_use(postgres: str, version_1: list[Entry]) -> None:
    """Tables of version 1 that a runner of that version uses are not migrated under it."""
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as runner:
        await runner.execute("SELECT pg_advisory_lock(%s)", (advisory_lock_id("kfq_onboarding"),))
        with pytest.raises(LedgerError, match="in use by process 1 on old, and has to be migrated to schema version 3"):
            async with PostgresLedger(postgres, secret=SECRET, exclusive=False):
                pass
        await runner.execute("SELECT pg_advisory_unlock_all()")  # the server notices a closed connection later
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        assert len(await all_of(ledger)) == len(version_1) - 1


async def test_migration_of_version_2(postgres: str) -> None:
    """Tables of version 2, whose sealed requests had another name, are migrated when they are opened."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        await ledger.put([entry(1)])
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("ALTER TABLE kfq_onboarding.requests RENAME COLUMN sealed TO ciphertext")
        connection.execute("UPDATE kfq_onboarding.facts SET value = '2' WHERE name = 'version'")
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        assert len(await all_of(ledger)) == 1
    with psycopg.connect(postgres, autocommit=True) as connection:
        assert connection.execute("SELECT sealed FROM kfq_onboarding.requests").fetchall() == []


async def test_connection_lost_while_migrating(postgres: str, version_1: list[Entry]) -> None:
    """A connection that breaks while migrating leaves version 1 as it was, and the next one migrates it."""
    async with await psycopg.AsyncConnection.connect(postgres) as reader:
        await reader.execute("SELECT * FROM kfq_onboarding.entries")  # the migration waits for its end
        migrating = asyncio.create_task(PostgresLedger(postgres, secret=SECRET).__aenter__())
        await _terminate_waiting(postgres)
        with pytest.raises(LedgerError, match="PostgreSQL: terminating connection"):
            await migrating
        found = await reader.execute(
            "SELECT count(key), (SELECT value FROM kfq_onboarding.facts WHERE name = 'version') "
            "FROM kfq_onboarding.entries WHERE state = 'unsent'"
        )
        assert await found.fetchone() == (2, "1")
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        assert len(await all_of(ledger)) == len(version_1) - 1


async def _terminate_waiting(postgres: str) -> None:
    """Terminate the connection that waits for a lock, as soon as there is one."""
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with await psycopg.AsyncConnection.connect(postgres, autocommit=True) as connection, asyncio.timeout(30):
        while not await (await connection.execute(query)).fetchall():  # noqa: ASYNC110  # the server has no event for it
            await asyncio.sleep(0.05)
