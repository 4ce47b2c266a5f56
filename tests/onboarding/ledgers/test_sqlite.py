"""The ledger in a SQLite file: storage, lock, migration, errors."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import sys
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from companies import rows
from kfq_async import AsyncSession, LedgerError
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import OutcomeStatus, State
from kfq_async.onboarding.runner import Onboarding
from ledgers import all_of, entry, version_1_entries, version_1_values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kfq_async.onboarding.records import Entry
    from kfq_async.sandbox import Sandbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Path of a ledger that does not exist yet."""
    return tmp_path / "companies.ledger"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """An empty ledger."""
    async with SqliteLedger(path) as ledger:
        yield ledger


async def test_history(ledger: SqliteLedger) -> None:
    """History returns all generations of a company, the current one first."""
    await ledger.put([entry(1), entry(2), entry(1, State.PENDING, generation=2)])
    assert await ledger.history(entry(1).key_hash) == [entry(1, State.PENDING, generation=2), entry(1)]


async def test_runs(ledger: SqliteLedger) -> None:
    """Runs are numbered, and the last one can be read with its counts."""
    assert await ledger.last_run() is None
    assert await ledger.begin_run() == 1
    assert await ledger.begin_run() == 2
    run = await ledger.last_run()
    assert run is not None
    assert (run.run, run.ended_at, run.counts) == (2, None, {})
    await ledger.end_run(2, {"invalid": 3})
    run = await ledger.last_run()
    assert run is not None
    assert run.counts == {"invalid": 3}
    assert run.ended_at is not None
    assert run.ended_at >= run.began_at


async def test_facts(ledger: SqliteLedger, path: Path) -> None:
    """The first value recorded for a fact stays, also for other processes."""
    assert await ledger.record_fact("platform", "https://one.example") == "https://one.example"
    async with SqliteLedger(path, exclusive=False) as other:
        assert await other.record_fact("platform", "https://two.example") == "https://one.example"


async def test_damaged_file(path: Path) -> None:
    """If pages were overwritten, the error says which files to restore from a backup."""
    async with SqliteLedger(path) as ledger:
        await ledger.put([entry(number) for number in range(500)])

    def damage() -> None:
        whole = bytearray(path.read_bytes())
        whole[8192:-4096] = b"\xaa" * (len(whole) - 12288)
        path.write_bytes(whole)

    await asyncio.to_thread(damage)
    with pytest.raises(LedgerError, match=r"is damaged: restore it from a backup, together with companies"):
        await SqliteLedger(path).__aenter__()


async def test_copy(ledger: SqliteLedger, tmp_path: Path) -> None:
    """A copy holds the entries of its time, is private, and needs the ledger's secret."""
    await ledger.put([entry(1)])
    copy = tmp_path / "copy"
    await ledger.copy(copy)
    await ledger.put([entry(2)])
    async with SqliteLedger(copy, secret=ledger.secret) as copied:
        assert await all_of(copied) == [entry(1)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


async def test_purge(ledger: SqliteLedger, path: Path) -> None:
    """Companies finished before the time are deleted with all generations; open ones and later ones stay."""
    made = [
        entry(1, State.REFUSED),
        entry(2, State.REFUSED, ended_at=300.0),
        entry(3),
        entry(4),
        entry(5),
        entry(5, State.UNKNOWN, generation=2),
        entry(6),
        entry(7, State.UNKNOWN),
    ]
    await ledger.put(made)
    for number, status, at in ((3, 1, 100.0), (4, 1, 300.0), (6, 2, 100.0)):
        await ledger.complete(f"id-{number}-1", status, at)
    assert await ledger.purge(200.0) == 2
    assert [each.row_number for each in await all_of(ledger)] == [2, 4, 5, 6, 7]
    assert b"id-3-1" not in await asyncio.to_thread(path.read_bytes)
    assert await ledger.purge(200.0) == 0


async def test_reopen(path: Path) -> None:
    """Entries and secret are the same after closing and opening; the files are private."""
    async with SqliteLedger(path) as ledger:
        await ledger.put([entry(1)])
        secret = ledger.secret
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}
    async with SqliteLedger(path) as ledger:
        assert ledger.secret == secret
        assert await all_of(ledger) == [entry(1)]


async def test_not_open(path: Path) -> None:
    """Closing is idempotent; a ledger that is closed or not open yet says how to open it."""
    closed, unopened = SqliteLedger(path), SqliteLedger(path)
    async with closed:
        pass
    await closed.aclose()
    for ledger in (closed, unopened):
        with pytest.raises(LedgerError, match="not open: use it inside async with"):
            await ledger.find([b"x"])
    await unopened.aclose()


async def test_lock(path: Path, ledger: SqliteLedger) -> None:
    """A second runner is refused and the holder named; without exclusive access the ledger can be opened."""
    with pytest.raises(LedgerError, match=f"in use by process {os.getpid()} on .*, since 20.*: wait until it ends"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, exclusive=False) as reader:
        await ledger.put([entry(1)])
        assert await reader.complete("id-1-1", 1, 1.0)
        assert len(await all_of(reader)) == 1
    await ledger.aclose()
    async with SqliteLedger(path):
        pass


async def test_lock_without_a_known_holder(path: Path) -> None:
    """A second runner is refused also while the first one is still opening the ledger."""
    lock = sqlite3.connect(path.with_name("companies.ledger.lock"), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerError, match="in use by another process"):
        await SqliteLedger(path).__aenter__()
    lock.close()


async def test_given_secret(path: Path) -> None:
    """A given secret is not stored in a file, and another one is refused."""
    async with SqliteLedger(path, secret=b"s" * 32) as ledger:
        assert ledger.secret == b"s" * 32
    assert not path.with_name("companies.ledger.key").exists()
    with pytest.raises(
        LedgerError, match=r"created with another secret: restore companies\.ledger\.key, or pass that secret"
    ):
        await SqliteLedger(path, secret=b"t" * 32).__aenter__()


def _write_other_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE invoices (number)")
    database.close()


def _write_newer_version(path: Path) -> None:
    asyncio.run(_create(path))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def _write_text(path: Path) -> None:
    path.write_text("companies, and more companies" * 100)


def _make_folder(path: Path) -> None:
    path.mkdir()


def _delete_key(path: Path) -> None:
    asyncio.run(_create(path))
    path.with_name(f"{path.name}.key").unlink()


def _write_short_key(path: Path) -> None:
    asyncio.run(_create(path))
    path.with_name(f"{path.name}.key").write_text("abcd")


def _write_text_key(path: Path) -> None:
    asyncio.run(_create(path))
    path.with_name(f"{path.name}.key").write_text("secret")


async def _create(path: Path) -> None:
    async with SqliteLedger(path):
        pass


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_write_other_database, "companies.ledger is another program's database: name another file"),
        (
            _write_newer_version,
            "companies.ledger has schema version 99, and this version of the package supports 1 to 2: upgrade",
        ),
        (_write_text, "companies.ledger is not a ledger: name another file"),
        (_make_folder, "companies.ledger: Is a directory"),
        (_delete_key, r"companies.ledger.key is missing: restore it"),
        (_write_short_key, "companies.ledger.key does not hold 32 bytes as hexadecimal digits"),
        (_write_text_key, "companies.ledger.key does not hold 32 bytes as hexadecimal digits"),
    ],
)
def test_unusable_files(path: Path, prepare: Callable[[Path], None], message: str) -> None:
    """An unusable file is refused with a remedy and left unchanged."""
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError, match=message):
        asyncio.run(_create(path))
    assert before is None or path.read_bytes() == before


async def test_missing_folder(tmp_path: Path) -> None:
    """The error names the path that does not exist."""
    with pytest.raises(LedgerError, match=r"nowhere/companies\.ledger: No such file or directory"):
        await SqliteLedger(tmp_path / "nowhere" / "companies.ledger").__aenter__()


async def test_full_disk(ledger: SqliteLedger) -> None:
    """If the disk is full, the error says so; stored entries stay."""
    await ledger.put([entry(1)])

    def fill() -> None:
        ledger._run("PRAGMA max_page_count = 8")

    await ledger._do(fill)
    with pytest.raises(
        LedgerError, match="the disk is full; free some space and run again, completed work is not lost"
    ):
        await ledger.put([entry(number) for number in range(2, 2000)])
    assert await all_of(ledger) == [entry(1)]


async def test_other_database_errors(ledger: SqliteLedger, path: Path) -> None:
    """Any other error of SQLite is passed on with the ledger's path."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    async with SqliteLedger(path, exclusive=False, timeout=0) as second:
        with pytest.raises(LedgerError, match=r"companies\.ledger: database is locked"):
            await second.put([entry(1)])
    writer.close()


VERSION_1 = """
CREATE TABLE entries (
    key BLOB NOT NULL, generation INTEGER NOT NULL, client_request_id TEXT NOT NULL UNIQUE,
    body, number, state, order_no, auth_url, code, words, attempts, seconds, ended_at, run, label, opened_at, status,
    status_at, PRIMARY KEY (key, generation)
);
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL, counts TEXT);
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('platform', 'https://one.example');
INSERT INTO runs VALUES (1, 10.0, 11.0, NULL);
INSERT INTO runs VALUES (2, 20.0, 21.0, '{"linked": 2, "repeated": 1, "pending": 1, "invalid_rows": [[7, 9]]}');
PRAGMA application_id = 1801875820;
PRAGMA user_version = 1;
"""
"""The tables of the first version, with two runs."""
SECRET = b"s" * 32
KILLED = """
import asyncio, os, signal, sqlite3, sys
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger

class Killed(sqlite3.Connection):
    left = int(sys.argv[2])

    def execute(self, statement, *values):
        found = super().execute(statement, *values)
        Killed.left -= statement.startswith(("ALTER", "UPDATE", "PRAGMA user_version ="))
        if not Killed.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Killed, **options)
asyncio.run(SqliteLedger(sys.argv[1], secret=b"s" * 32).__aenter__())
"""
"""A process that opens a ledger and is killed after so many statements of the migration."""


@pytest.fixture
def version_1(path: Path) -> list[Entry]:
    """A ledger of the first version at the path; the entries that it holds."""
    entries = version_1_entries(SECRET)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(VERSION_1)
        database.execute("INSERT INTO facts VALUES ('check', ?)", (Hashes(SECRET).check(),))
        database.executemany(f"INSERT INTO entries VALUES ({', '.join('?' * 18)})", map(version_1_values, entries))
        database.commit()
    return entries


@pytest.mark.parametrize("exclusive", [True, False])
async def test_migration(path: Path, version_1: list[Entry], *, exclusive: bool) -> None:
    """A ledger of version 1 is migrated with all generations, runs and facts when it is opened, in either way."""
    async with SqliteLedger(path, secret=SECRET, exclusive=exclusive) as ledger:
        current = {each.key_hash: each for each in version_1}  # the last generation of each company
        assert await all_of(ledger) == list(current.values())
        for each in current.values():
            generations = [other for other in version_1 if other.key_hash == each.key_hash]
            assert await ledger.history(each.key_hash) == generations[::-1]
        run = await ledger.last_run()
        assert run is not None
        assert run.counts == {"linked": 2, "duplicate": 1, "pending": 1, "invalid_rows": [[7, 9]]}
        assert await ledger.begin_run() == 3
        assert await ledger.record_fact("platform", "https://two.example") == "https://one.example"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


async def test_run_after_migration(path: Path, version_1: list[Entry], session: AsyncSession, sandbox: Sandbox) -> None:
    """A run over a migrated ledger continues under the ids of version 1."""
    async with SqliteLedger(path, secret=SECRET) as ledger, Onboarding(session, ledger, rows(5)) as run:
        outcomes = {outcome.row_number: outcome.status async for outcome in run}
        after = {each.client_request_id: each.state for each in await all_of(ledger)}
    open_ids = {each.client_request_id for each in version_1 if each.state in {State.UNKNOWN, State.PENDING}}
    assert {order.client_request_id for order in sandbox.orders} == open_ids
    assert Counter(outcomes.values()) == {OutcomeStatus.LINKED: 4, OutcomeStatus.REFUSED: 1}
    assert after.keys() == {f"id-{company}" for company in ("0-1", "1-1", "2-1", "3-1", "4-2")}


async def test_concurrent_migration(path: Path, version_1: list[Entry]) -> None:
    """Processes that open an old ledger together migrate it once."""
    ledgers = [SqliteLedger(path, secret=SECRET, exclusive=False) for _ in range(4)]
    await asyncio.gather(*(each.__aenter__() for each in ledgers))
    assert [len(await all_of(each)) for each in ledgers] == [5] * 4
    await asyncio.gather(*(each.aclose() for each in ledgers))
    assert len(version_1) == 6


async def test_migration_while_in_use(path: Path, version_1: list[Entry]) -> None:
    """A ledger of version 1 that a runner of that version uses is not migrated under it."""
    lock = sqlite3.connect(path.with_name("companies.ledger.lock"), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(
        LedgerError, match="in use by another process, and has to be migrated to schema version 2 first"
    ):
        await SqliteLedger(path, secret=SECRET, exclusive=False, timeout=0).__aenter__()
    lock.close()
    async with SqliteLedger(path, secret=SECRET, exclusive=False) as ledger:
        assert len(await all_of(ledger)) == len(version_1) - 1


async def test_migration_under_another_secret(path: Path, version_1: list[Entry]) -> None:
    """A ledger of version 1 that cannot be opened is not migrated."""
    with pytest.raises(LedgerError, match="another secret"):
        await SqliteLedger(path, secret=b"t" * 32).__aenter__()
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(key) FROM entries").fetchone() == (len(version_1),)


@pytest.mark.parametrize("statements", [1, 4, 5, 7])
async def test_killed_while_migrating(path: Path, version_1: list[Entry], statements: int) -> None:
    """A process that dies while migrating leaves version 1 as it was, and the next one migrates it."""
    command = [sys.executable, "-c", KILLED, str(path), str(statements)]
    killed = await asyncio.create_subprocess_exec(*command)
    assert await killed.wait() == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("SELECT count(key) FROM entries WHERE state = 'unsent'").fetchone() == (2,)
    async with SqliteLedger(path, secret=SECRET) as ledger:
        assert len(await all_of(ledger)) == len(version_1) - 1
