"""The ledger in a SQLite file: what it keeps, whom it refuses, what it says."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from kfq_async import LedgerError
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import State
from ledgers import all_of, entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger can be."""
    return tmp_path / "companies.ledger"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """An empty ledger."""
    async with SqliteLedger(path) as ledger:
        yield ledger


async def test_the_past(ledger: SqliteLedger) -> None:
    """All generations of a company, the latest first."""
    await ledger.put([entry(1), entry(2), entry(1, State.PENDING, generation=2)])
    assert await ledger.past(entry(1).key_hash) == [entry(1, State.PENDING, generation=2), entry(1)]


async def test_runs(ledger: SqliteLedger) -> None:
    """Runs are counted, and each keeps what came of it."""
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
    """The first one to tell a fact settles it, for other openings too."""
    assert await ledger.record_fact("platform", "https://one.example") == "https://one.example"
    async with SqliteLedger(path, exclusive=False) as other:
        assert await other.record_fact("platform", "https://two.example") == "https://one.example"


async def test_a_damaged_ledger(path: Path) -> None:
    """Where pages are overwritten, the words say that a backup is needed, and of what."""
    async with SqliteLedger(path) as ledger:
        await ledger.put([entry(number) for number in range(500)])

    def damage() -> None:
        whole = bytearray(path.read_bytes())
        whole[8192:-4096] = b"\xaa" * (len(whole) - 12288)
        path.write_bytes(whole)

    await asyncio.to_thread(damage)
    with pytest.raises(LedgerError, match=r"is damaged: restore it from a backup, together with companies"):
        await SqliteLedger(path).__aenter__()


async def test_purge(ledger: SqliteLedger, path: Path) -> None:
    """What was finished before the moment is gone, its past too; what is open stays, and so does what came later."""
    made = [
        entry(1, State.REFUSED),
        entry(2, State.REFUSED)._replace(ended_at=300.0),
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


async def test_is_there_again(path: Path) -> None:
    """What was written is there after closing and opening, under the same secret; the files are private."""
    async with SqliteLedger(path) as ledger:
        await ledger.put([entry(1)])
        secret = ledger.secret
        modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}
    async with SqliteLedger(path) as ledger:
        assert ledger.secret == secret
        assert await all_of(ledger) == [entry(1)]


async def test_closing(path: Path) -> None:
    """Closing twice does nothing, and a closed ledger says how it is used."""
    ledger = SqliteLedger(path)
    async with ledger:
        pass
    await ledger.aclose()
    unopened = SqliteLedger(path)
    with pytest.raises(LedgerError, match="use it inside async with"):
        await unopened.find([b"x"])
    await unopened.aclose()


async def test_one_runner(path: Path, ledger: SqliteLedger) -> None:
    """A second runner is refused and told who has it; who only receives notifications or reads is not."""
    with pytest.raises(LedgerError, match=f"in use by process {os.getpid()} on .*, since 20.*: wait for its end"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, exclusive=False) as reader:
        await ledger.put([entry(1)])
        assert await reader.complete("id-1-1", 1, 1.0)
        assert len(await all_of(reader)) == 1
    await ledger.aclose()
    async with SqliteLedger(path):
        pass


async def test_a_lock_whose_holder_is_not_known_yet(path: Path) -> None:
    """Who comes while the first one is still opening the ledger is refused as well."""
    lock = sqlite3.connect(path.with_name("companies.ledger.lock"), isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerError, match="in use by another process"):
        await SqliteLedger(path).__aenter__()
    lock.close()


async def test_a_secret_of_ones_own(path: Path) -> None:
    """A secret that is kept elsewhere leaves no file, and another one is refused."""
    async with SqliteLedger(path, secret=b"s" * 32) as ledger:
        assert ledger.secret == b"s" * 32
    assert not path.with_name("companies.ledger.key").exists()
    with pytest.raises(LedgerError, match="another secret"):
        await SqliteLedger(path, secret=b"t" * 32).__aenter__()


def _another_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE invoices (number)")
    database.close()


def _another_schema(path: Path) -> None:
    asyncio.run(_made(path))
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def _no_database(path: Path) -> None:
    path.write_text("companies, and more companies" * 100)


def _a_folder(path: Path) -> None:
    path.mkdir()


def _a_missing_key(path: Path) -> None:
    asyncio.run(_made(path))
    path.with_name(f"{path.name}.key").unlink()


def _a_cut_key(path: Path) -> None:
    asyncio.run(_made(path))
    path.with_name(f"{path.name}.key").write_text("abcd")


def _a_key_that_is_none(path: Path) -> None:
    asyncio.run(_made(path))
    path.with_name(f"{path.name}.key").write_text("secret")


async def _made(path: Path) -> None:
    async with SqliteLedger(path):
        pass


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_another_database, "companies.ledger is another program's database: name another file"),
        (_another_schema, "companies.ledger has schema 99, and this version of the package knows 1: use"),
        (_no_database, "companies.ledger is no ledger: name another file"),
        (_a_folder, "companies.ledger: Is a directory"),
        (_a_missing_key, r"companies.ledger.key is missing: put it back"),
        (_a_cut_key, "companies.ledger.key does not hold 32 bytes in hexadecimal digits"),
        (_a_key_that_is_none, "companies.ledger.key does not hold 32 bytes in hexadecimal digits"),
    ],
)
def test_what_is_no_ledger_of_ours(path: Path, prepare: Callable[[Path], None], words: str) -> None:
    """Each is refused in words that say what to do, and is left as it was."""
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError, match=words):
        asyncio.run(_made(path))
    assert before is None or path.read_bytes() == before


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The words name what is missing."""
    with pytest.raises(LedgerError, match=r"nowhere/companies\.ledger: No such file or directory"):
        await SqliteLedger(tmp_path / "nowhere" / "companies.ledger").__aenter__()


async def test_a_full_disk(ledger: SqliteLedger) -> None:
    """When the disk is full, the words say so; what was there stays."""
    await ledger.put([entry(1)])

    def fill() -> None:
        ledger._run("PRAGMA max_page_count = 8")

    await ledger._do(fill)
    with pytest.raises(LedgerError, match="the disk is full; make room and run again, nothing that is done is lost"):
        await ledger.put([entry(number) for number in range(2, 2000)])
    assert await all_of(ledger) == [entry(1)]


async def test_another_writer_that_does_not_end(ledger: SqliteLedger, path: Path) -> None:
    """What else the database says is handed on, with the ledger's name."""
    await ledger._do(lambda: ledger._run("PRAGMA busy_timeout = 0"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LedgerError, match=r"companies\.ledger: database is locked"):
        await ledger.put([entry(1)])
    other.close()
