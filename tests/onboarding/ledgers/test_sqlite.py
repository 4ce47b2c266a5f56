"""The ledger in a SQLite file: storage, lock, migration, errors."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import stat
import sys
import threading
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from companies import rows
from kfq_async import AsyncSession, LedgerError
from kfq_async.onboarding.ledgers.base import Hashes, describe_process
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import OutcomeStatus, State
from kfq_async.onboarding.runner import Onboarding
from ledgers import all_of, entry, version_1_entries, version_1_values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from kfq_async.onboarding.records import Entry
    from kfq_async.sandbox import Sandbox


SECRET = b"s" * 32
OPEN = """
import asyncio, sys
from pathlib import Path
from kfq_async.onboarding.ledgers.sqlite import LedgerError, SqliteLedger

async def main():
    async with SqliteLedger(sys.argv[1], exclusive=sys.argv[2] == "1"):
        print("opened")

try:
    asyncio.run(main())
except LedgerError as error:
    print(error)
"""
"""A process that opens and closes a ledger."""
HOLD = """
import asyncio, sys
from pathlib import Path
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import Entry, State

async def main():
    async with SqliteLedger(sys.argv[1]) as ledger:
        await ledger.put([Entry(b"k" * 16, 1, "id-1-1", b"", 1, State.PENDING)])
        print("opened", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""
"""A process that keeps a ledger with one company open until the end of its input."""
FORK = """
import asyncio, os, sys
from kfq_async.onboarding.ledgers.sqlite import LedgerError, SqliteLedger

async def tell(work):
    try:
        await work
    except LedgerError as error:
        print(error, flush=True)

async def main():
    return await SqliteLedger(sys.argv[1]).__aenter__()

ledger = asyncio.run(main())
if os.fork():
    os.wait()
else:
    asyncio.run(tell(ledger.find([])))
    asyncio.run(tell(SqliteLedger(sys.argv[1], exclusive=False).__aenter__()))
"""
"""A process that is forked while it has a ledger open."""
LIMITED = """
import asyncio, resource, sys
from kfq_async.onboarding.ledgers.sqlite import LedgerError, SqliteLedger

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    asyncio.run(SqliteLedger(sys.argv[1]).__aenter__())
except LedgerError as error:
    sys.stdout.write(str(error))
"""
"""A process that opens a ledger and may not let a file grow."""


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


async def test_closing_once(path: Path) -> None:
    """Every caller waits until a busy ledger is closed, and cancelling one does not interrupt that."""
    free = threading.Event()
    async with SqliteLedger(path) as ledger:
        busy = ledger._thread.submit(free.wait, 30)
        callers = [asyncio.create_task(ledger.aclose()) for _ in range(3)]
        await asyncio.sleep(0)
        callers[0].cancel()
        await asyncio.wait({callers[0]})
        assert callers[0].cancelled()
        assert not busy.done()
        assert not any(each.done() for each in callers[1:])
        with pytest.raises(LedgerError, match="not open"):
            await ledger.find([b"x"])
        free.set()
        await asyncio.gather(*callers[1:])
        async with SqliteLedger(path):  # the lock is free
            pass


def test_end_of_the_loop_while_closing(path: Path) -> None:
    """A ledger is closed although the event loop ends before it."""
    free = threading.Event()
    ledger = SqliteLedger(path)

    async def begin_to_close() -> None:
        await ledger.__aenter__()
        ledger._thread.submit(free.wait, 30)
        closing_task = asyncio.create_task(ledger.aclose())
        await asyncio.sleep(0)
        assert not closing_task.done()

    asyncio.run(begin_to_close())
    free.set()
    ledger._thread.shutdown(wait=True)

    async def reopen() -> None:
        await ledger.aclose()
        async with SqliteLedger(path):
            pass

    asyncio.run(reopen())


async def open_elsewhere(path: Path, *, exclusive: bool = True) -> str:
    """Open and close the ledger in another process; return what it said: ``opened``, or the error."""
    command = [sys.executable, "-c", OPEN, str(path), str(int(exclusive))]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return said.decode().strip()


async def test_lock(path: Path) -> None:
    """A second runner is refused and the holder named; without exclusive access the ledger can be opened."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-c", HOLD, str(path)]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    await process.stdout.readline()
    with pytest.raises(LedgerError, match=f"in use by process {process.pid} on .*, since 20.*: wait until it ends"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, exclusive=False) as reader:
        assert await reader.complete("id-1-1", 1, 1.0)
        assert len(await all_of(reader)) == 1
    await process.communicate(b"")
    async with SqliteLedger(path):
        pass


async def test_lock_without_a_known_holder(path: Path) -> None:
    """A runner that ended is not named, whether it was closed or killed, while another one opens the ledger."""
    for ledger_is_closed in (True, False):
        async with SqliteLedger(path) as ledger:
            if not ledger_is_closed:
                await ledger.record_fact("unused", "")
        if not ledger_is_closed:
            killed = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
            await killed.wait()
            with closing(sqlite3.connect(path)) as database, database:
                holder = describe_process().replace(f"process {os.getpid()} ", f"process {killed.pid} ")
                database.execute("INSERT INTO facts VALUES ('holder', ?)", (holder,))
        lock = sqlite3.connect(path.with_name("companies.ledger.lock"), isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match="in use by another process: wait"):
            await SqliteLedger(path).__aenter__()
        lock.close()


async def test_second_opening_in_one_process(path: Path, ledger: SqliteLedger) -> None:
    """A second runner in the same process is refused, and neither it nor a reader releases the first one's locks."""
    with pytest.raises(LedgerError, match="in use by this process: use that SqliteLedger, or pass exclusive=False"):
        await SqliteLedger(path).__aenter__()
    async with SqliteLedger(path, exclusive=False):
        await ledger.put([entry(1)])
    wal = path.with_name("companies.ledger-wal")
    before = wal.stat().st_ino
    assert "in use by process" in await open_elsewhere(path)
    assert await open_elsewhere(path, exclusive=False) == "opened"
    assert wal.stat().st_ino == before  # SQLite deletes it if no other process has the ledger open
    await ledger.put([entry(2)])
    async with SqliteLedger(path, exclusive=False) as reader:
        assert await all_of(reader) == [entry(1), entry(2)]
    await ledger.aclose()
    assert await open_elsewhere(path) == "opened"


async def test_symbolic_link(path: Path, tmp_path: Path) -> None:
    """A symbolic link to a ledger is the ledger: it has the same lock and the same secret."""
    folder = tmp_path / "folder"
    folder.mkdir()
    link, linked_folder = folder / "link.ledger", tmp_path / "linked"
    link.symlink_to(path)
    linked_folder.symlink_to(tmp_path)
    async with SqliteLedger(link) as ledger:
        await ledger.put([entry(1)])
        for name in (path, link, linked_folder / path.name):
            assert "in use by" in await open_elsewhere(name)
    for name in (path, link, linked_folder / path.name):
        async with SqliteLedger(name) as ledger:
            assert await all_of(ledger) == [entry(1)]
    assert [file.name for file in folder.iterdir()] == ["link.ledger"]


@pytest.mark.parametrize("suffix", ["", ".key", ".lock"])
async def test_files_of_others(path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with a second name, for other readers, or of another owner is refused with the remedy."""
    await _create(path)
    file, name = path.with_name(f"companies.ledger{suffix}"), path.with_name("second name")
    name.hardlink_to(file)
    with pytest.raises(LedgerError, match=rf"{suffix} has 2 names \(hard links\): delete all but one"):
        await SqliteLedger(path).__aenter__()
    name.unlink()
    file.chmod(0o640)
    with pytest.raises(LedgerError, match=rf"{suffix} has mode 0640, so that others may use it: run chmod 600"):
        await SqliteLedger(path).__aenter__()
    file.chmod(0o600)
    await _create(path)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(LedgerError, match=r"belongs to another user \(uid \d+\): run as that user, or chown"):
        await SqliteLedger(path).__aenter__()


async def test_lost_lock(path: Path, ledger: SqliteLedger) -> None:
    """If the lock file is deleted and another runner opens the ledger, the first one can write nothing more."""
    await ledger.put([entry(1)])
    path.with_name("companies.ledger.lock").unlink()
    assert await open_elsewhere(path) == "opened"
    for write in (
        ledger.put([entry(2)]),
        ledger.record([entry(1)]),
        ledger.begin_run(),
        ledger.end_run(1, {}),
        ledger.purge(1e9),
    ):
        with pytest.raises(LedgerError, match=r"another process has taken over .*: let one of the two runs end"):
            await write
    assert await all_of(ledger) == [entry(1)]


async def test_replaced_while_open(path: Path, ledger: SqliteLedger) -> None:
    """A ledger that is replaced while it is open takes no more writes, also none of a receiver."""
    await ledger.put([entry(1)])
    async with SqliteLedger(path, exclusive=False) as receiver:
        for file in path.parent.iterdir():
            file.unlink()
        await _create(path)
        for write in (ledger.put([entry(2)]), ledger.record([entry(1)]), receiver.complete("id-1-1", 1, 1.0)):
            with pytest.raises(LedgerError, match=r"was moved, deleted or replaced while it was open: put the latest"):
                await write
        assert await all_of(ledger) == [entry(1)]
    async with SqliteLedger(path) as other:
        assert await all_of(other) == []


async def test_moved_while_open(path: Path, ledger: SqliteLedger) -> None:
    """A run goes on in a ledger that was moved, which its end reports; a receiver's statuses are refused."""
    run = await ledger.begin_run()
    async with SqliteLedger(path, exclusive=False) as receiver:
        moved = await asyncio.to_thread(path.rename, path.with_name("moved"))
        await ledger.put([entry(1)])
        for write in (ledger.end_run(run, {}), receiver.complete("id-1-1", 1, 1.0)):
            with pytest.raises(LedgerError, match=r"was moved, deleted or replaced"):
                await write
        moved.rename(path)
        assert await receiver.complete("id-1-1", 1, 1.0)
    await ledger.end_run(run, {})
    assert [each.status for each in await all_of(ledger)] == [1]


async def test_run_without_the_lock(path: Path) -> None:
    """A ledger that was opened to read takes no run, and no ids."""
    async with SqliteLedger(path, exclusive=False) as reader:
        for write in (reader.begin_run(), reader.put([entry(1)]), reader.record([entry(1)]), reader.purge(1e9)):
            with pytest.raises(LedgerError, match="opened with exclusive=False, to read only: open it without for a"):
                await write
        assert await all_of(reader) == []


async def test_concurrent_creation(path: Path) -> None:
    """Openings of a new ledger at once agree on one secret."""
    ledgers = [SqliteLedger(path, exclusive=False) for _ in range(8)]
    await asyncio.gather(*(each.__aenter__() for each in ledgers))
    assert len({each.secret for each in ledgers}) == 1
    await asyncio.gather(*(each.aclose() for each in ledgers))


async def test_unusable_lock(path: Path) -> None:
    """A lock that cannot be taken for another reason than a runner is named, with the reason."""
    await _create(path)
    path.with_name("companies.ledger.lock").write_text("no lock" * 1000)
    with pytest.raises(LedgerError, match=r"companies\.ledger\.lock is not a ledger: name another file"):
        await SqliteLedger(path).__aenter__()


async def test_another_process(ledger: SqliteLedger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open ledger is of no use to another process, which has none of its threads and locks."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    with pytest.raises(LedgerError, match="was opened before this process was forked: open it in the new process"):
        await ledger.find([])
    with pytest.raises(LedgerError, match="was open when this process was forked: open it only after the fork, or"):
        await SqliteLedger(path, exclusive=False).__aenter__()
    await ledger.aclose()
    monkeypatch.undo()
    await ledger.find([])  # still open here
    assert await all_of(ledger) == []


async def test_reader_of_a_new_ledger(path: Path) -> None:
    """A new ledger waits for its switch to WAL while another connection reads, but not without end."""
    await asyncio.to_thread(path.touch, 0o600)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        await _create_without_wal(path)
        assert reader.execute("SELECT count(*) FROM entries").fetchone() == (0,)
        with pytest.raises(LedgerError, match="another process writes to it; wait until it ends, and run again"):
            await SqliteLedger(path, timeout=0.05).__aenter__()
        opening = asyncio.create_task(SqliteLedger(path).__aenter__())
        await asyncio.sleep(0.1)
        assert not opening.done()
        reader.execute("COMMIT")
        await (await opening).aclose()


async def _create_without_wal(path: Path) -> None:
    """Create a ledger as a process leaves it that dies before the switch."""
    await _create(path.with_name("other"))
    with closing(sqlite3.connect(path.with_name("other"))) as other, closing(sqlite3.connect(path)) as database:
        other.execute("PRAGMA journal_mode=DELETE")
        other.backup(database)
    await asyncio.to_thread(path.with_name("other.key").rename, path.with_name("companies.ledger.key"))


async def test_fork(path: Path) -> None:
    """A process that was forked while the ledger was open can use neither the ledger nor its file."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "ignore", "-c", FORK, str(path), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert [line.partition(" ")[2] for line in said.decode().splitlines()] == [
        "was opened before this process was forked: open it in the new process",
        "was open when this process was forked: open it only after the fork, or start processes by spawn",
    ]


@pytest.mark.parametrize("exclusive", [True, False])
async def test_older_than_its_key(path: Path, tmp_path: Path, *, exclusive: bool) -> None:
    """A ledger without its -wal after a kill, or from an old backup, is refused; with all of its files it is not."""
    await _create(path)
    backup = await asyncio.to_thread(path.read_bytes)
    async with SqliteLedger(path) as ledger:
        await ledger.put([entry(1)])
        await asyncio.to_thread(_copy_files, path, tmp_path / "whole", ("", ".key", "-wal"))
        await asyncio.to_thread(_copy_files, path, tmp_path / "without", ("", ".key"))
    async with SqliteLedger(tmp_path / "whole" / path.name, exclusive=exclusive) as ledger:
        assert await all_of(ledger) == [entry(1)]
    await asyncio.to_thread(path.write_bytes, backup)
    for older in (path, tmp_path / "without" / path.name):
        with pytest.raises(LedgerError, match=r"older than companies\.ledger\.key, and lacks ids that were sent"):
            await SqliteLedger(older, exclusive=exclusive).__aenter__()


def _copy_files(path: Path, folder: Path, suffixes: tuple[str, ...]) -> None:
    folder.mkdir()
    for suffix in suffixes:
        shutil.copy(f"{path}{suffix}", folder)


async def test_old_copy_under_a_given_secret(path: Path, tmp_path: Path) -> None:
    """With a secret that is kept elsewhere no key file is made, so an old copy is not noticed."""
    async with SqliteLedger(path, secret=SECRET) as ledger:
        await ledger.put([entry(1)])
        await ledger.copy(tmp_path / "copy")
        await ledger.put([entry(2)])
    async with SqliteLedger(tmp_path / "copy", secret=SECRET) as ledger:
        assert await all_of(ledger) == [entry(1)]
    assert not path.with_name("companies.ledger.key").exists()


def test_key_of_a_lost_ledger(path: Path) -> None:
    """A new ledger beside the key of one that was used is refused; a key that was never used is taken."""
    asyncio.run(_create(path))
    path.unlink()
    asyncio.run(_create(path, entry(1)))
    path.unlink()
    with pytest.raises(LedgerError, match=r"are beside it \(companies\.ledger\.key\): put that ledger back"):
        asyncio.run(_create(path))
    assert not path.exists()


def test_database_without_tables_beside_a_used_key(path: Path) -> None:
    """A database that holds nothing, though it is not empty, is no reason to begin anew either."""
    asyncio.run(_create(path, entry(1)))
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 1")
    path.chmod(0o600)
    with pytest.raises(LedgerError, match=r"are beside it \(companies\.ledger\.key\): put that ledger back"):
        asyncio.run(_create(path))


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("empty", [True, False])
async def test_moved_without_its_wal(
    path: Path, tmp_path: Path, *, secret: bytes | None, exclusive: bool, empty: bool
) -> None:
    """Without its ledger, a -wal is kept as it is until the ledger is back beside it, which then has all entries."""
    whole, moved = tmp_path / "whole", tmp_path / "moved"
    async with SqliteLedger(path, secret=secret) as ledger:
        await ledger.put([entry(1)])
        suffixes = ("", "-wal") if secret else ("", "-wal", ".key")
        await asyncio.to_thread(_copy_files, path, whole, suffixes)
    ledger_file = whole / path.name
    await asyncio.to_thread(ledger_file.rename, moved)
    if empty:
        ledger_file.touch(0o600)
    before = {file.name: file.read_bytes() for file in whole.iterdir()}
    files = "companies.ledger-wal" if secret else "companies.ledger-wal, companies.ledger.key"
    for _ in range(2):
        with pytest.raises(LedgerError) as caught:
            await SqliteLedger(ledger_file, secret=secret, exclusive=exclusive).__aenter__()
        assert str(caught.value) == (
            f"{ledger_file} is missing or empty, and files of a ledger that was used are beside it ({files}): put that "
            "ledger back in its place beside them, and run again. Delete them only to begin a new ledger, which "
            "requests a second order for each company that was requested before"
        )
        assert {file.name: file.read_bytes() for file in whole.iterdir()} == before
    await asyncio.to_thread(moved.replace, ledger_file)
    async with SqliteLedger(ledger_file, secret=secret, exclusive=exclusive) as again:
        assert await all_of(again) == [entry(1)]


async def test_moved_during_a_run(path: Path, tmp_path: Path, ledger: SqliteLedger) -> None:
    """While a run goes on in a ledger that was moved, no second one begins beside its -wal; put back, it has all."""
    await ledger.put([entry(1)])
    await asyncio.to_thread(path.rename, tmp_path / "moved")
    for exclusive in (True, False):
        assert "is missing or empty" in await open_elsewhere(path, exclusive=exclusive)
    await ledger.put([entry(2)])
    await ledger.aclose()
    assert "is missing or empty" in await open_elsewhere(path)
    await asyncio.to_thread((tmp_path / "moved").rename, path)
    async with SqliteLedger(path) as again:
        assert await all_of(again) == [entry(1), entry(2)]


@pytest.mark.parametrize("state", [state for state in State if state is not State.PENDING])
async def test_rebind(ledger: SqliteLedger, path: Path, state: State) -> None:
    """A fact can be replaced until something may have been ordered, by the ledger's runner only."""
    await ledger.record_fact("platform", "a")
    assert await ledger.rebind("platform", "b")
    await ledger.put([entry(1, State.PENDING), entry(2, State.PENDING)])
    assert await ledger.rebind("platform", "c")
    await ledger.put([entry(2, state), entry(2, State.PENDING, generation=2)])
    assert await ledger.was_used()
    assert not await ledger.rebind("platform", "d")
    assert await ledger.fact("platform") == "c"
    async with SqliteLedger(path, exclusive=False) as reader:
        with pytest.raises(LedgerError, match="opened with exclusive=False, to read only"):
            await reader.rebind("platform", "e")


async def test_used_by_a_notification(ledger: SqliteLedger) -> None:
    """A notification about a company proves an order, whatever the state of its entry."""
    await ledger.put([entry(1, State.PENDING)])
    assert not await ledger.was_used()
    assert await ledger.complete("id-1-1", 2, 1.0)
    assert await ledger.was_used()


async def test_purge_while_another_process_reads(path: Path) -> None:
    """If a reader keeps deleted data in the files, purge says so, and cleans them when it is called again."""
    made = [entry(number, State.REFUSED, reason=f"MARK-{number}") for number in range(60)]
    async with SqliteLedger(path, timeout=0.05) as ledger:
        await ledger.put(made)
        with closing(sqlite3.connect(path)) as reader:
            found = reader.execute("SELECT * FROM entries")
            assert found.fetchone()
            with pytest.raises(LedgerError, match=r"60 companies are deleted, but deleted data stays readable .*: end"):
                await ledger.purge(200.0)
            found.close()
        assert await all_of(ledger) == []
        assert await ledger.purge(200.0) == 0
        files = [await asyncio.to_thread(file.read_bytes) for file in path.parent.iterdir()]
    assert [file for file in files if b"MARK-" in file] == []


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


async def _create(path: Path, *entries: Entry) -> None:
    async with SqliteLedger(path) as ledger:
        await ledger.put(entries)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (_write_other_database, "companies.ledger is another program's database: name another file"),
        (
            _write_newer_version,
            "companies.ledger has schema version 99, and this version of the package supports 1 to 3: upgrade",
        ),
        (_write_text, "companies.ledger is not a ledger: name another file"),
        (_make_folder, "companies.ledger is a folder or a device: name another file"),
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


async def test_writer_of_another_process(ledger: SqliteLedger, path: Path) -> None:
    """A write that waits too long for another one says so."""
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    async with SqliteLedger(path, exclusive=False, timeout=0) as second:
        with pytest.raises(LedgerError, match=r"companies\.ledger: another process writes to it; wait until it ends"):
            await second.complete("id-1-1", 1, 1.0)
    writer.close()
    assert await all_of(ledger) == []


async def test_file_size_limit(path: Path) -> None:
    """A file that cannot grow, as under a quota, is not taken for a ledger in use."""
    await _create(path)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LIMITED, str(path), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert b"the disk is full, or a quota or a limit on the size of files is reached; free some space" in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SQLITE_IOERR_LOCK", "its file system offers no locks: put the ledger on a local disk"),
        ("SQLITE_PROTOCOL", "its file system offers no locks: put the ledger on a local disk"),
        ("SQLITE_CANTOPEN_ISDIR", "it cannot be opened; check the permissions of the file and its folder"),
        ("SQLITE_READONLY_DIRECTORY", "it cannot be written; check the permissions of the file and its folder"),
        ("SQLITE_IOERR_READ", "disk I/O error"),
    ],
)
async def test_database_errors(name: str, message: str, ledger: SqliteLedger) -> None:
    """Each kind of error has its own message; one without a remedy is passed on."""

    def fail() -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = name
        raise error

    with pytest.raises(LedgerError, match=rf"companies\.ledger: {message}") as caught:
        await ledger._do(fail)
    assert caught.value.__context__ is None


async def test_error_of_the_module(ledger: SqliteLedger) -> None:
    """An error that is not SQLite's own, such as a value that cannot be bound, has no name and is passed on."""
    with pytest.raises(LedgerError, match=r"companies\.ledger: .*bind"):
        await ledger._do(lambda: ledger._run("SELECT ?", (object(),)))


async def test_tables_that_another_process_creates(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process fills between the look and the transaction is used as it is."""
    await ledger.put([entry(1)])
    looks = iter((True, True, False))
    monkeypatch.setattr(ledger, "_is_empty", lambda: next(looks))
    await ledger._do(ledger._prepare)
    assert len(await all_of(ledger)) == 1


async def test_busy_while_switching_to_wal(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The switch to WAL, which does not wait by itself, is tried again while another process uses the file."""
    run, refusals = ledger._run, iter((True, True, False))

    def refuse(*arguments: Any) -> Any:
        if next(refusals):
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise error
        return run(*arguments)

    monkeypatch.setattr(ledger, "_run", refuse)
    await ledger._do(ledger._switch_to_wal)
    assert next(refusals, None) is None


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
KILLED = """
import asyncio, os, signal, sqlite3, sys
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger

class Killed(sqlite3.Connection):
    left = int(sys.argv[2])

    def execute(self, statement, *values):
        found = super().execute(statement, *values)
        Killed.left -= statement.startswith(("ALTER", "UPDATE", "INSERT", "PRAGMA user_version ="))
        if not Killed.left:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

connect = sqlite3.connect
sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Killed, **options)
asyncio.run(SqliteLedger(sys.argv[1], secret=b"s" * 32).__aenter__())
"""
"""A process that opens a ledger and is killed after so many statements of the migration."""


VERSION_2 = """
CREATE TABLE entries (
    key_hash BLOB NOT NULL, generation INTEGER NOT NULL, client_request_id TEXT NOT NULL UNIQUE,
    label, opened_at, body_hash, row_number, run, state, order_no, auth_url, code, reason, attempts, seconds, ended_at,
    status, status_at, PRIMARY KEY (key_hash, generation)
);
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at REAL NOT NULL, ended_at REAL, counts TEXT);
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
INSERT INTO facts VALUES ('platform', 'https://one.example');
INSERT INTO entries VALUES (
    x'00000000000000000000000000000001', 1, 'id-1-1', 'C1', 0.0, x'62626262626262626262626262626262', 1, 0, 'linked',
    'O1', 'https://x', NULL, NULL, 0, 0.25, 100.5, NULL, NULL
);
PRAGMA application_id = 1801875820;
PRAGMA user_version = 2;
"""
"""The tables of the second version, with one company."""


def _write_version_2(path: Path) -> None:
    path.touch(0o600)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(VERSION_2)
        database.execute("INSERT INTO facts VALUES ('check', ?)", (Hashes(SECRET).check(),))
        database.commit()
    key = path.with_name("companies.ledger.key")
    key.touch(0o600)
    key.write_text(f"{SECRET.hex()}\n")


@pytest.mark.parametrize("exclusive", [True, False])
async def test_migration_of_version_2(path: Path, *, exclusive: bool) -> None:
    """A ledger of version 2 is migrated with its key file, and old copies of it are refused from then on."""
    await asyncio.to_thread(_write_version_2, path)
    before = await asyncio.to_thread(path.read_bytes)
    async with SqliteLedger(path, exclusive=exclusive) as ledger:
        assert ledger.secret == SECRET
        assert await all_of(ledger) == [entry(1)]
        assert await ledger.record_fact("platform", "https://two.example") == "https://one.example"
    async with SqliteLedger(path) as ledger:
        await ledger.put([entry(2)])
        assert await all_of(ledger) == [entry(1), entry(2)]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
    await asyncio.to_thread(path.write_bytes, before)
    with pytest.raises(LedgerError, match=r"is older than companies\.ledger\.key"):
        await SqliteLedger(path).__aenter__()


@pytest.fixture
def version_1(path: Path) -> list[Entry]:
    """A ledger of the first version at the path; the entries that it holds."""
    entries = version_1_entries(SECRET)
    path.touch(0o600)
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
        assert await ledger.record_fact("platform", "https://two.example") == "https://one.example"
    async with SqliteLedger(path, secret=SECRET) as ledger:
        assert await ledger.begin_run() == 3
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)


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
    lock_file = path.with_name("companies.ledger.lock")
    lock_file.touch(0o600)
    lock = sqlite3.connect(lock_file, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    with pytest.raises(
        LedgerError, match="in use by another process, and has to be migrated to schema version 3 first"
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


@pytest.mark.parametrize("statements", [1, 4, 5, 7, 8])
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


async def test_replaced_facts(path: Path) -> None:
    """A fact can be read and replaced; only a runner replaces one."""
    async with SqliteLedger(path) as ledger:
        assert await ledger.fact("tenant") is None
        await ledger.replace_fact("tenant", "one")
        await ledger.replace_fact("tenant", "two")
    async with SqliteLedger(path, exclusive=False) as ledger:
        assert await ledger.fact("tenant") == "two"
        with pytest.raises(LedgerError, match="exclusive=False"):
            await ledger.replace_fact("tenant", "three")
