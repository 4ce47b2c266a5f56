"""The outbox: encrypted requests, their states, and late results."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from companies import PERSONAL, request, rows
from kfq_async import BusinessError, ConnectionLost, CorpIdentLink, KfqError, LedgerError
from kfq_async.models.fields import new_id
from kfq_async.onboarding.decisions import DecisionContext, PendingRequest, decide, encode_request
from kfq_async.onboarding.jobs.outbox import Outbox, RequestCipher
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.ledgers.postgres import PostgresLedger
from kfq_async.onboarding.records import CallResult, Entry, State
from kfq_async.protocol.requests import EncodedRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


SECRET = b"s" * 32
LINK = CorpIdentLink(order_no="X", auth_url="https://x")


async def record(outbox: Outbox, entry: Entry, result: CorpIdentLink | KfqError) -> State | None:
    """Record the result of the first call."""
    return await outbox.record(
        entry.client_request_id, CallResult(result=result, attempts=1, seconds=1.0), in_doubt=False
    )


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    """A ledger whose outbox holds one request."""
    context = DecisionContext(run=1, hashes=Hashes(SECRET), new_id=new_id, now=1.0)
    (row,) = rows(1)
    pending = decide(row, context.hashes.key(row.key or ""), None, context)
    assert isinstance(pending, PendingRequest)
    async with PostgresLedger(postgres, secret=SECRET) as ledger:
        async with ledger.transaction() as transaction:
            await Outbox(ledger).add(transaction, [pending])
        yield ledger


async def only(ledger: PostgresLedger) -> Entry:
    """Return the one entry."""
    (entry,) = [entry async for entry in ledger.entries()]
    return entry


async def count(ledger: PostgresLedger) -> int:
    """Return the number of requests in the outbox."""
    async with ledger.pool.connection() as connection:
        ((number,),) = await (await connection.execute("SELECT count(*) FROM requests")).fetchall()
        return int(number)


async def test_start(ledger: PostgresLedger) -> None:
    """A request is pending until it is started, and unknown until its result; a second start knows of the first."""
    entry = await only(ledger)
    assert entry.state is State.PENDING
    for in_doubt in (False, True):
        started = await Outbox(ledger).start(entry.client_request_id)
        assert started is not None
        assert started[0] == encode_request(request(), entry.client_request_id)
        assert started[1] is in_doubt
        assert (await only(ledger)).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("result", "state", "left"),
    [
        (LINK, State.LINKED, 0),
        (BusinessError(31000, "no", http_status=200), State.REFUSED, 0),
        (ConnectionLost("lost"), State.PENDING, 1),
    ],
)
async def test_record(ledger: PostgresLedger, result: Any, state: State, left: int) -> None:
    """A final result deletes the request; any other keeps it."""
    entry = await only(ledger)
    assert await record(Outbox(ledger, clock=lambda: 7.0), entry, result) is state
    assert ((await only(ledger)).ended_at, await count(ledger)) == (7.0, left)
    started = await Outbox(ledger).start(entry.client_request_id)
    assert (started is not None) is bool(left)


async def test_late_results(ledger: PostgresLedger) -> None:
    """A result that comes after a final one, from a worker taken for dead, changes nothing."""
    outbox = Outbox(ledger)
    entry = await only(ledger)
    await record(outbox, entry, LINK)
    before = await only(ledger)
    late: list[CorpIdentLink | KfqError] = [ConnectionLost("lost"), CorpIdentLink(order_no="Y", auth_url="https://y")]
    assert [await record(outbox, entry, result) for result in late] == [State.LINKED] * 2
    assert await only(ledger) == before


async def test_purged_company(ledger: PostgresLedger) -> None:
    """A company that is purged while its request is sent stays deleted, and so does its request."""
    entry = await only(ledger)
    async with ledger.pool.connection() as connection:
        await connection.execute("DELETE FROM entries")
    outbox = Outbox(ledger)
    assert await outbox.start(entry.client_request_id) is None
    assert await record(outbox, entry, LINK) is None
    assert ([entry async for entry in ledger.entries()], await count(ledger)) == ([], 0)


async def test_concurrent_results(ledger: PostgresLedger) -> None:
    """Of several results at once one is recorded, and the request is deleted."""
    entry = await only(ledger)
    outbox = Outbox(ledger)
    links = [CorpIdentLink(order_no=str(number), auth_url="https://x") for number in range(5)]
    await asyncio.gather(*(record(outbox, entry, result) for result in links))
    assert (await only(ledger)).state is State.LINKED
    assert await count(ledger) == 0


async def test_earlier_request(ledger: PostgresLedger) -> None:
    """An earlier request of the same id that was put back in the database is not sent."""
    outbox = Outbox(ledger)
    entry = await only(ledger)
    earlier = RequestCipher(SECRET).encrypt(encode_request(request(name="旧名"), entry.client_request_id))
    async with ledger.pool.connection() as connection:
        await connection.execute("UPDATE requests SET sealed = %s", (earlier,))
    with pytest.raises(LedgerError, match=r"is not the one that was enqueued last, .*: enqueue its row again"):
        await outbox.start(entry.client_request_id)
    assert await only(ledger) == entry


REQUEST = encode_request(request(), "id-1")
CIPHER = RequestCipher(b"s" * 32)


def test_round_trip() -> None:
    """Decryption returns the request that was encrypted."""
    assert CIPHER.decrypt(CIPHER.encrypt(REQUEST), "id-1") == REQUEST


@given(st.binary(min_size=1))
def test_round_trip_of_any_body(body: bytes) -> None:
    """Any body survives encryption and decryption."""
    assert CIPHER.decrypt(CIPHER.encrypt(EncodedRequest(body, "x")), "x") == EncodedRequest(body, "x")


def test_ciphertext() -> None:
    """The ciphertext holds no personal data, and differs each time."""
    encrypted = CIPHER.encrypt(REQUEST)
    assert [each for each in PERSONAL if each.encode() in encrypted] == []
    assert CIPHER.encrypt(REQUEST) != encrypted


@pytest.mark.parametrize("place", [0, 12, 40, -1])
def test_changed_byte(place: int) -> None:
    """A changed byte is detected, and the error shows nothing of the content."""
    encrypted = bytearray(CIPHER.encrypt(REQUEST))
    encrypted[place] ^= 1
    with pytest.raises(LedgerError, match="cannot be decrypted") as caught:
        CIPHER.decrypt(bytes(encrypted), "id-1")
    assert caught.value.__context__ is None


@pytest.mark.parametrize("encrypted", [b"", b"short", bytes(12), bytes(13)])
def test_short_ciphertext(encrypted: bytes) -> None:
    """Bytes that are too short are refused with the same error."""
    with pytest.raises(LedgerError, match="cannot be decrypted"):
        CIPHER.decrypt(encrypted, "id-1")


def test_other_secret_and_other_id() -> None:
    """A request copied from another ledger, or from another id, is refused."""
    encrypted = CIPHER.encrypt(REQUEST)
    with pytest.raises(LedgerError):
        RequestCipher(b"t" * 32).decrypt(encrypted, "id-1")
    with pytest.raises(LedgerError):
        CIPHER.decrypt(encrypted, "id-2")
