"""What every ledger promises, whatever database is behind it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from kfq_async import LedgerError
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.records import State
from ledgers import all_of, entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from kfq_async.onboarding.ledgers.base import Ledger

    Opening = Callable[[], AbstractAsyncContextManager[Ledger]]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens the ledger of this test, which is empty the first time."""
    if request.param == "sqlite":
        return lambda: SqliteLedger(tmp_path / "companies.ledger")
    conninfo = request.getfixturevalue("postgres")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Ledger]:
        from kfq_async.onboarding.ledgers.postgres import PostgresLedger

        async with PostgresLedger(conninfo, secret=b"s" * 32) as ledger:
            yield ledger

    return opened


@pytest.fixture
async def ledger(opening: Opening) -> AsyncIterator[Ledger]:
    """An empty ledger."""
    async with opening() as ledger:
        yield ledger


async def test_finds_the_latest_generation(ledger: Ledger) -> None:
    """Of each company that is there the last generation, and nothing for the others."""
    await ledger.put([entry(1), entry(2), entry(1, State.PENDING, generation=2)])
    found = await ledger.find([entry(1).key_hash, entry(2).key_hash, entry(3).key_hash])
    assert found == {entry(1).key_hash: entry(1, State.PENDING, generation=2), entry(2).key_hash: entry(2)}
    assert {type(each.state) for each in found.values()} == {State}


async def test_nothing_is_nothing(ledger: Ledger) -> None:
    """An empty batch is no mistake."""
    await ledger.put([])
    await ledger.settle([])
    assert await ledger.find([]) == {}
    assert await all_of(ledger) == []


async def test_writes_over(ledger: Ledger) -> None:
    """The same company and generation is changed, and what a notification told stays."""
    await ledger.put([entry(1, State.UNKNOWN)])
    assert await ledger.complete("id-1-1", 2, 50.0)
    await ledger.put([entry(1)])
    (written,) = await all_of(ledger)
    assert written == entry(1)._replace(status=2, status_at=50.0)


async def test_writes_nothing_over_something(ledger: Ledger) -> None:
    """What is no longer set is taken away, as a link when a row is asked again."""
    bare: dict[str, Any] = {"order_no": None, "auth_url": None, "reason": None, "seconds": None, "ended_at": None}
    await ledger.put([entry(1)._replace(reason="old"), entry(2)])
    await ledger.put([entry(1)._replace(**bare)])
    await ledger.settle([entry(2)._replace(**bare)])
    assert await all_of(ledger) == [entry(1)._replace(**bare), entry(2)._replace(**bare)]


async def test_settles(ledger: Ledger) -> None:
    """The end of a call changes what it is about, and nothing that a later run wrote meanwhile."""
    await ledger.put([entry(1, State.UNKNOWN)._replace(row_number=9, run=4, order_no=None, auth_url=None)])
    await ledger.settle([entry(1), entry(2)])
    assert await all_of(ledger) == [entry(1)._replace(row_number=9, run=4)]


async def test_ends_of_many_kinds(ledger: Ledger) -> None:
    """Some linked, some refused, some with words: each entry has its own, in a batch of any size."""
    refused: dict[str, Any] = {"order_no": None, "auth_url": None, "code": 31000, "reason": "no", "attempts": 3}
    ends = [
        entry(number, State.REFUSED)._replace(**refused) if number % 3 == 0 else entry(number)._replace(attempts=1)
        for number in range(1200)
    ]
    await ledger.put([entry(number, State.UNKNOWN)._replace(seconds=None) for number in range(1200)])
    await ledger.settle(ends)
    assert await all_of(ledger) == ends


@pytest.mark.parametrize("count", [1, 1200])
async def test_all_or_none(ledger: Ledger, count: int) -> None:
    """If one entry cannot be written, none is: here an id that another company has, which the error does not show."""
    await ledger.put([entry(0)])
    twice = entry(5000)._replace(client_request_id="id-0-1")
    with pytest.raises(LedgerError, match=r"(?i)unique") as caught:
        await ledger.put([*(entry(number) for number in range(1, count + 1)), twice])
    assert "id-0-1" not in str(caught.value)
    assert await all_of(ledger) == [entry(0)]


async def test_in_the_order_of_the_file(ledger: Ledger) -> None:
    """All companies in these states once, by row, over many pages, though two may have stood at one place."""
    written = [entry(number, list(State)[number % 4])._replace(row_number=number // 3) for number in range(1200)]
    await ledger.put(written[::-1])
    assert await all_of(ledger) == sorted(written, key=lambda each: (each.row_number, each.key_hash))
    assert len(await all_of(ledger, State.REFUSED)) == 300


@pytest.mark.parametrize(("told", "kept"), [((2, 1), 1), ((2, 2, 4), 4), ((1, 2), 1), ((3, 1), 3), ((7, 1), 7)])
async def test_a_final_status_stays(told: tuple[int, ...], kept: int, ledger: Ledger) -> None:
    """Notifications overtake each other: only news about an order in progress is taken."""
    await ledger.put([entry(1)])
    for at, status in enumerate(told):
        assert await ledger.complete("id-1-1", status, float(at))
    (written,) = await all_of(ledger)
    assert (written.status, written.status_at) == (kept, float(told.index(kept)))


async def test_a_status_for_another_request(ledger: Ledger) -> None:
    """A notification about an order that is not in the ledger changes nothing, and the ledger says so."""
    assert not await ledger.complete("id-9-1", 1, 1.0)


async def test_runs_are_numbered(opening: Opening) -> None:
    """Each run has the next number, whoever opens the ledger."""
    async with opening() as ledger:
        assert [await ledger.begin_run(), await ledger.begin_run()] == [1, 2]
    async with opening() as ledger:
        assert await ledger.begin_run() == 3
