"""Requests that wait: whoever begins one says so, and whoever comes too late changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companies import PERSONAL, request, rows
from kfq_async import BusinessError, ConnectionLost, CorpIdentLink, KfqError, LedgerError
from kfq_async.models.fields import new_id
from kfq_async.onboarding.decisions import DecisionContext, PendingRequest, decide, written
from kfq_async.onboarding.jobs.outbox import Outbox, RequestCipher
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.ledgers.postgres import PostgresLedger
from kfq_async.onboarding.records import CallResult, Entry, State
from kfq_async.protocol.requests import EncodedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


SECRET = b"s" * 32
LINK = CorpIdentLink(order_no="X", auth_url="https://x")


async def settle(waiting: Outbox, entry: Entry, ended: CorpIdentLink | KfqError) -> State | None:
    """Write the end of a call that was the only one."""
    return await waiting.settle(entry.client_request_id, CallResult(ended, 1, 1.0), in_doubt=False)


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    """A ledger in which one request waits."""
    context = DecisionContext(run=1, hashes=Hashes(SECRET), new_id=new_id, now=1.0)
    (row,) = rows(1)
    ask = decide(row, context.hashes.key(row.key or ""), None, context)
    assert isinstance(ask, PendingRequest)
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        async with ledger.transaction() as transaction:
            await Outbox(ledger).keep(transaction, [ask])
        yield ledger


async def only(ledger: PostgresLedger) -> Entry:
    """Return the one entry."""
    (entry,) = [entry async for entry in ledger.entries()]
    return entry


async def count(ledger: PostgresLedger) -> int:
    """Return how many requests wait."""
    async with ledger.pool.connection() as connection:
        ((number,),) = await (await connection.execute("SELECT count(*) FROM requests")).fetchall()
        return int(number)


async def test_begun_twice_is_in_doubt(ledger: PostgresLedger) -> None:
    """Waiting is pending; from the beginning until its end it is unknown, and the second who begins knows that."""
    entry = await only(ledger)
    assert entry.state is State.PENDING
    for in_doubt in (False, True):
        begun = await Outbox(ledger).begin(entry.client_request_id)
        assert begun is not None
        assert begun[0] == written(request(), entry.client_request_id)
        assert begun[1] is in_doubt
        assert (await only(ledger)).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("ended", "state", "left"),
    [
        (LINK, State.LINKED, 0),
        (BusinessError(31000, "no", http_status=200), State.REFUSED, 0),
        (ConnectionLost("lost"), State.PENDING, 1),
    ],
)
async def test_what_is_settled_waits_no_more(ledger: PostgresLedger, ended: Any, state: State, left: int) -> None:
    """With an end, the request is gone; without one, it waits on."""
    entry = await only(ledger)
    assert await settle(Outbox(ledger, clock=lambda: 7.0), entry, ended) is state
    assert ((await only(ledger)).ended_at, await count(ledger)) == (7.0, left)
    begun = await Outbox(ledger).begin(entry.client_request_id)
    assert (begun is not None) is bool(left)


async def test_who_was_taken_for_dead_settles_nothing(ledger: PostgresLedger) -> None:
    """A worker that comes back when another one has settled the row changes nothing."""
    waiting = Outbox(ledger)
    entry = await only(ledger)
    await settle(waiting, entry, LINK)
    before = await only(ledger)
    late: list[CorpIdentLink | KfqError] = [ConnectionLost("lost"), CorpIdentLink(order_no="Y", auth_url="https://y")]
    assert [await settle(waiting, entry, ended) for ended in late] == [State.LINKED] * 2
    assert await only(ledger) == before


async def test_who_was_purged_is_nobody(ledger: PostgresLedger) -> None:
    """A company that was deleted while it was asked does not come back, and neither does its request."""
    entry = await only(ledger)
    async with ledger.pool.connection() as connection:
        await connection.execute("DELETE FROM entries")
    waiting = Outbox(ledger)
    assert await waiting.begin(entry.client_request_id) is None
    assert await settle(waiting, entry, LINK) is None
    assert ([entry async for entry in ledger.entries()], await count(ledger)) == ([], 0)


async def test_two_settle_at_once(ledger: PostgresLedger) -> None:
    """Whoever is first is right, and the other one hears of it."""
    entry = await only(ledger)
    waiting = Outbox(ledger)
    ends = [CorpIdentLink(order_no=str(number), auth_url="https://x") for number in range(5)]
    await asyncio.gather(*(settle(waiting, entry, ended) for ended in ends))
    assert (await only(ledger)).state is State.LINKED
    assert await count(ledger) == 0


REQUEST = written(request(), "id-1")
SEAL = RequestCipher(b"s" * 32)


def test_comes_back_as_it_was() -> None:
    """What was sealed is what is opened."""
    assert SEAL.open(SEAL.seal(REQUEST), "id-1") == REQUEST


@given(st.binary(min_size=1))
def test_any_bytes(body: bytes) -> None:
    """Whatever can be sent comes back."""
    assert SEAL.open(SEAL.seal(EncodedRequest(body, "x")), "x") == EncodedRequest(body, "x")


def test_nothing_can_be_read() -> None:
    """The sealed bytes hold no person's data, and are other ones each time."""
    sealed = SEAL.seal(REQUEST)
    assert [each for each in PERSONAL if each.encode() in sealed] == []
    assert SEAL.seal(REQUEST) != sealed


@pytest.mark.parametrize("place", [0, 12, 40, -1])
def test_a_changed_byte(place: int) -> None:
    """Whatever is changed is noticed, and not shown."""
    sealed = bytearray(SEAL.seal(REQUEST))
    sealed[place] ^= 1
    with pytest.raises(LedgerError, match="was not sealed here") as caught:
        SEAL.open(bytes(sealed), "id-1")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(12), bytes(13)])
def test_no_seal_at_all(sealed: bytes) -> None:
    """What is too short to be one is refused in the same words."""
    with pytest.raises(LedgerError, match="was not sealed here"):
        SEAL.open(sealed, "id-1")


def test_another_secret_and_another_id() -> None:
    """A request moved to another ledger, or to another row's place, is refused."""
    sealed = SEAL.seal(REQUEST)
    with pytest.raises(LedgerError):
        RequestCipher(b"t" * 32).open(sealed, "id-1")
    with pytest.raises(LedgerError):
        SEAL.open(sealed, "id-2")
