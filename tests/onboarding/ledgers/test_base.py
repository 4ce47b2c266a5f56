"""The promises of every ledger, in SQLite and PostgreSQL, and the keyed hashes."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve, fields

from kfq_async import LedgerError
from kfq_async.onboarding.ledgers.base import (
    COLUMNS,
    HASH_BYTES,
    SECRET_BYTES,
    Hashes,
    describe_process,
    process_ended,
    read_entry,
)
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import Entry, State
from ledgers import all_of, entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from kfq_async.onboarding.ledgers.base import Ledger

    OpenLedger = Callable[[], AbstractAsyncContextManager[Ledger]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def open_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> OpenLedger:
    """Function that opens the test's ledger, which is empty the first time."""
    if request.param == "sqlite":
        return lambda: SqliteLedger(tmp_path / "companies.ledger")
    conninfo = request.getfixturevalue("postgres")

    @asynccontextmanager
    async def postgres_ledger() -> AsyncIterator[Ledger]:
        from kfq_async.onboarding.ledgers.postgres import PostgresLedger

        async with PostgresLedger(conninfo, secret=b"s" * 32) as ledger:
            yield ledger

    return postgres_ledger


@pytest.fixture
async def ledger(open_ledger: OpenLedger) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    async with open_ledger() as ledger:
        yield ledger


async def test_find(ledger: Ledger) -> None:
    """Find returns the current generation of each company that is there, and nothing for the others."""
    await ledger.put([entry(1), entry(2), entry(1, State.PENDING, generation=2)])
    found = await ledger.find([entry(1).key_hash, entry(2).key_hash, entry(3).key_hash])
    assert found == {entry(1).key_hash: entry(1, State.PENDING, generation=2), entry(2).key_hash: entry(2)}
    assert {type(each.state) for each in found.values()} == {State}


async def test_empty_batches(ledger: Ledger) -> None:
    """An empty batch is allowed and changes nothing."""
    await ledger.put([])
    await ledger.record([])
    assert await ledger.find([]) == {}
    assert await all_of(ledger) == []


async def test_put_replaces(ledger: Ledger) -> None:
    """Put replaces an entry of the same company and generation, except the status of a notification."""
    await ledger.put([entry(1, State.UNKNOWN)])
    assert await ledger.complete("id-1-1", 2, 50.0)
    await ledger.put([entry(1)])
    (stored,) = await all_of(ledger)
    assert stored == entry(1, status=2, status_at=50.0)


async def test_none_replaces_values(ledger: Ledger) -> None:
    """Values that are no longer set are removed, such as the link of a row that is sent again."""
    unset: dict[str, Any] = {"order_no": None, "auth_url": None, "reason": None, "seconds": None, "ended_at": None}
    await ledger.put([entry(1, reason="old"), entry(2)])
    await ledger.put([entry(1, **unset)])
    await ledger.record([entry(2, **unset)])
    assert await all_of(ledger) == [entry(1, **unset), entry(2, **unset)]


async def test_record(ledger: Ledger) -> None:
    """Record changes the result of an entry that is there, and no column that a later run wrote meanwhile."""
    await ledger.put([entry(1, State.UNKNOWN, row_number=9, run=4, order_no=None, auth_url=None)])
    await ledger.record([entry(1), entry(2)])
    assert await all_of(ledger) == [entry(1, row_number=9, run=4)]


async def test_record_unknown(ledger: Ledger) -> None:
    """Entries become unknown beside the results of others and keep all else; those that it lacks are ignored."""
    made = [entry(number, State.PENDING, reason=f"r{number}") for number in range(700)]
    await ledger.put(made)
    await ledger.record([entry(0)], unknown=[*made[1:600], entry(800, State.PENDING)])
    marked = [evolve(each, state=State.UNKNOWN) for each in made[1:600]]
    assert await all_of(ledger) == [entry(0), *marked, *made[600:]]


async def test_record_is_atomic(ledger: Ledger) -> None:
    """If the requests that are sent next cannot be marked, no result is written."""
    made = [entry(1, State.UNKNOWN), entry(2, State.PENDING)]
    await ledger.put(made)
    with pytest.raises((LedgerError, UnicodeError)):
        await ledger.record([entry(1)], unknown=[made[1], entry(3, client_request_id="\ud800")])
    assert await all_of(ledger) == made


async def test_record_mixed_results(ledger: Ledger) -> None:
    """Linked and refused entries of one large batch each get their own result."""
    refused: dict[str, Any] = {"order_no": None, "auth_url": None, "code": 31000, "reason": "no", "attempts": 3}
    results = [
        entry(number, State.REFUSED, **refused) if number % 3 == 0 else entry(number, attempts=1)
        for number in range(1200)
    ]
    await ledger.put([entry(number, State.UNKNOWN, seconds=None) for number in range(1200)])
    await ledger.record(results)
    assert await all_of(ledger) == results


@pytest.mark.parametrize("count", [1, 1200])
async def test_put_is_atomic(ledger: Ledger, count: int) -> None:
    """If one entry cannot be written, none is: here one with another company's id, which the error does not show."""
    await ledger.put([entry(0)])
    twice = entry(5000, client_request_id="id-0-1")
    with pytest.raises(LedgerError, match=r"(?i)unique") as caught:
        await ledger.put([*(entry(number) for number in range(1, count + 1)), twice])
    assert "id-0-1" not in str(caught.value)
    assert await all_of(ledger) == [entry(0)]


async def test_entries_are_ordered(ledger: Ledger) -> None:
    """Entries iterates over each company in the states once, by row, over many pages, also if rows share a number."""
    made = [entry(number, list(State)[number % 4], row_number=number // 3) for number in range(1200)]
    await ledger.put(made[::-1])
    assert await all_of(ledger) == sorted(made, key=lambda each: (each.row_number, each.key_hash))
    assert len(await all_of(ledger, State.REFUSED)) == 300


@pytest.mark.parametrize(
    ("statuses", "final"),
    [
        ((2, 1), 1),
        ((2, 2, 4), 4),
        ((1, 2), 1),
        ((3, 1), 3),
        ((7, 1), 1),
        ((1, 7), 1),
        ((2, 7, 2), 7),
        ((-1, 4), 4),
        ((2**31 - 1, 3), 3),
        ((10**30, 1), 1),
        ((2, 2**31), 2),
        ((2, -(10**30)), 2),
    ],
)
async def test_final_status_stays(statuses: tuple[int, ...], final: int, ledger: Ledger) -> None:
    """Notifications may overtake each other: a status replaces those that it supersedes, and has 32 bits at most."""
    await ledger.put([entry(1)])
    for at, status in enumerate(statuses):
        assert await ledger.complete("id-1-1", status, float(at))
    (stored,) = await all_of(ledger)
    assert (stored.status, stored.status_at) == (final, float(statuses.index(final)))


async def test_status_of_an_unknown_id(ledger: Ledger) -> None:
    """Complete returns ``False`` for an id that the ledger lacks."""
    assert not await ledger.complete("id-9-1", 1, 1.0)


async def test_runs_are_numbered(open_ledger: OpenLedger) -> None:
    """Each run has the next number, also after the ledger was opened anew."""
    async with open_ledger() as ledger:
        assert [await ledger.begin_run(), await ledger.begin_run()] == [1, 2]
    async with open_ledger() as ledger:
        assert await ledger.begin_run() == 3


def test_columns() -> None:
    """The columns are the fields of an entry, and its values are read back in their order."""
    assert sorted(COLUMNS) == sorted(field.name for field in fields(Entry))
    made = entry(1)
    assert read_entry(entry_values(made)) == made


def test_state_of_another_version() -> None:
    """A state that this version does not know is unknown: the row is sent under the same id."""
    values = ["other" if isinstance(value, State) else value for value in entry_values(entry(1))]
    assert read_entry(values) == entry(1, State.UNKNOWN)


def test_values_are_masked() -> None:
    """Link and label are masked also by themselves, however the entry was made."""
    made = entry(1, label="C1", auth_url="https://x")
    read = read_entry([str(value) if isinstance(value, str) else value for value in entry_values(made)])
    for each in (made, read, evolve(made, generation=2), made.with_result(**RESULT)):
        assert (each.label, each.auth_url) == ("C1", "https://x")
        assert (repr(each.label), repr(each.auth_url)) == ("'***'", "'***'")
        assert "C1" not in repr(each)
    assert repr(evolve(made, auth_url=None).auth_url) == "None"


RESULT: dict[str, Any] = {
    "state": State.LINKED,
    "order_no": "O1",
    "auth_url": "https://x",
    "code": None,
    "reason": None,
    "attempts": 1,
    "seconds": 0.5,
    "ended_at": 1.0,
}


def entry_values(made: Entry) -> list[Any]:
    """Return the values of an entry in the order of `COLUMNS`."""
    return [getattr(made, name) for name in COLUMNS]


SECRET = bytes(range(SECRET_BYTES))


def test_hashes_are_deterministic() -> None:
    """Under one secret, the same text and the same request have the same hash each time."""
    one, other = Hashes(SECRET), Hashes(SECRET)
    assert one.key("甲") == other.key("甲")
    assert one.body(b"{}") == other.body(b"{}")
    assert one.check() == other.check()
    assert len(one.key("甲")) == HASH_BYTES


def test_hashes_are_pinned() -> None:
    """Ledgers outlive versions: the next version must recognise the hashes that this one stores."""
    hashes = Hashes(SECRET)
    for made, data, purpose in (
        (hashes.key("甲"), "甲".encode(), b"key"),
        (hashes.body(b"{}"), b"{}", b"body"),
        (hashes.token("T"), b"T", b"token"),
        (hashes.check(), b"", b"check"),
    ):
        assert made == hashlib.blake2b(data, digest_size=16, key=SECRET, person=purpose).digest()


def test_hashes_differ() -> None:
    """Another text, another purpose or another secret make another hash."""
    hashes, others = Hashes(SECRET), Hashes(bytes(SECRET_BYTES))
    made = {
        hashes.key(""),
        hashes.key("甲"),
        others.key("甲"),
        hashes.check(),
        others.check(),
        hashes.body(b""),
        hashes.body("甲".encode()),
    }
    assert len(made) == 7


def test_key_with_a_lone_surrogate() -> None:
    """A key may hold any text that a file can."""
    assert Hashes(SECRET).key("\ud800") != Hashes(SECRET).key("?")


def test_short_secret() -> None:
    """A secret of another length is refused."""
    with pytest.raises(ValueError, match=r"^a ledger's secret has 32 bytes, not 5$"):
        Hashes(b"short")


def test_processes_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A described process has ended only if it ran on this host and is there no longer."""
    own = describe_process()
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ended = own.replace(f"process {os.getpid()} on", f"process {process.pid} on")
    assert [process_ended(own), process_ended(ended)] == [False, True]
    elsewhere = ended.replace(f" on {socket.gethostname()},", " on another-host,")
    assert [process_ended(elsewhere), process_ended("another text")] == [None, None]

    def refuse(_process: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr("os.kill", refuse)
    assert not process_ended(ended)
