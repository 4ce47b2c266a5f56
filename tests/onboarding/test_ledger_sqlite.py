"""The ledger in a SQLite file: what it keeps, whom it refuses, what it says."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from kfq_async import LedgerError
from kfq_async.onboarding.entries import Entry, State
from kfq_async.onboarding.ledger_sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def entry(number: int, state: State = State.LINKED, *, generation: int = 1) -> Entry:
    """Return an entry of the company with this number."""
    return Entry(
        key=number.to_bytes(16, "big"),
        generation=generation,
        client_request_id=f"id-{number}-{generation}",
        body=b"b" * 16,
        state=state,
        number=number,
        label=f"C{number}",
        order_no="O1",
        auth_url="https://x",
        ended_at=100.0,
    )


async def all_of(ledger: SqliteLedger, *states: State) -> list[Entry]:
    """Return the latest generations in these states."""
    return [each async for each in ledger.entries(states or tuple(State))]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger can be."""
    return tmp_path / "companies.ledger"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """An empty ledger."""
    async with SqliteLedger(path) as ledger:
        yield ledger


async def test_finds_the_latest_generation(ledger: SqliteLedger) -> None:
    """Of each company that is there the last generation, and nothing for the others."""
    await ledger.put([entry(1), entry(2), entry(1, State.UNSENT, generation=2)])
    found = await ledger.find([entry(1).key, entry(2).key, entry(3).key])
    assert found == {entry(1).key: entry(1, State.UNSENT, generation=2), entry(2).key: entry(2)}
    assert await ledger.past(entry(1).key) == [entry(1, State.UNSENT, generation=2), entry(1)]


async def test_writes_over(ledger: SqliteLedger) -> None:
    """The same company and generation is changed, and what a notification told stays."""
    await ledger.put([entry(1, State.UNKNOWN)])
    assert await ledger.complete("id-1-1", 2, 50.0)
    await ledger.put([entry(1)])
    (written,) = await all_of(ledger)
    assert written == entry(1)._replace(status=2, status_at=50.0)


async def test_all_or_none(ledger: SqliteLedger) -> None:
    """If one entry cannot be written, none is: here an id that another company has."""
    twice = entry(2)._replace(client_request_id="id-1-1")
    await ledger.put([entry(1)])
    with pytest.raises(LedgerError, match="UNIQUE"):
        await ledger.put([entry(3), twice])
    assert await all_of(ledger) == [entry(1)]


async def test_iterates_in_the_order_of_the_file(ledger: SqliteLedger) -> None:
    """All companies in these states once, by row, over many pages, though two may have stood at one place."""
    states = (State.LINKED, State.REFUSED)
    made = [entry(number, states[number % 2])._replace(number=number // 3) for number in range(1100)]
    await ledger.put(list(reversed(made)))
    assert await all_of(ledger) == sorted(made, key=lambda each: (each.number, each.key))
    assert len(await all_of(ledger, State.REFUSED)) == 550


@pytest.mark.parametrize(("told", "kept"), [((2, 1), 1), ((2, 2, 4), 4), ((1, 2), 1), ((3, 1), 3), ((7, 1), 7)])
async def test_a_final_status_stays(told: tuple[int, ...], kept: int, ledger: SqliteLedger) -> None:
    """Notifications overtake each other: only news about an order in progress is taken."""
    await ledger.put([entry(1)])
    for at, status in enumerate(told):
        assert await ledger.complete("id-1-1", status, float(at))
    (written,) = await all_of(ledger)
    assert written.status == kept


async def test_a_status_for_another_request(ledger: SqliteLedger) -> None:
    """A notification about an order that is not in the ledger changes nothing, and the ledger says so."""
    assert not await ledger.complete("id-9-1", 1, 1.0)


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
    assert await ledger.settle_on("platform", "https://one.example") == "https://one.example"
    async with SqliteLedger(path, alone=False) as other:
        assert await other.settle_on("platform", "https://two.example") == "https://one.example"


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
    assert [each.number for each in await all_of(ledger)] == [2, 4, 5, 6, 7]
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
    async with SqliteLedger(path, alone=False) as reader:
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
