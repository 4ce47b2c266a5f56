"""`Watch` and `Ticker`: whose cancellation it was, and that nothing ticks on."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest, Timeouts
from kfq_async.transport.deadlines import Expiry, Ticker, Watch
from servers import ScriptedServer, Seen, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMEOUTS = Timeouts(connect=5, attempt=30)


async def in_task(body: Callable[[Watch], Awaitable[object]], *, total_at: float = inf) -> asyncio.Task[object]:
    """Start ``body`` with a watch over its own task and let it reach its first wait."""

    async def run() -> object:
        task = asyncio.current_task()
        assert task is not None
        watches.append(Watch(task, total_at))
        return await body(watches[0])

    watches: list[Watch] = []
    task: asyncio.Task[object] = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


async def caught(watch: Watch) -> Expiry | None:
    """Wait for a cancellation and claim it; what is not ours goes on."""
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        expiry = watch.claim()
        if expiry is None:
            raise
        return expiry
    raise AssertionError


@pytest.mark.parametrize(
    ("begun", "now", "expiry"),
    [
        (None, 1_000_000.0, None),
        (False, 134.9, None),
        (False, 135.0, Expiry.ATTEMPT),
        (True, 131.9, None),
        (True, 132.0, Expiry.ATTEMPT),
        (True, 200.0, Expiry.TOTAL),
        (False, 200.0, Expiry.TOTAL),
    ],
)
async def test_which_limit_ends_when(*, begun: bool | None, now: float, expiry: Expiry | None) -> None:
    """``read`` counts from the connection, before it ``connect`` is added, and ``total`` counts always."""

    async def body(watch: Watch) -> Expiry | None:
        if begun is not None:
            watch.begin(TIMEOUTS, 100.0)
        if begun:
            watch.connected(102.0)
        assert watch.begun is bool(begun)
        watch.expire(now)
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return watch.claim()
        return None

    task = await in_task(body, total_at=inf if begun is None else 200.0)
    assert await task is expiry
    assert task.cancelling() == 0


async def test_after_an_attempt_only_the_total_counts() -> None:
    """Between two attempts ``read`` is not running, and the next one starts without a connection."""

    async def body(watch: Watch) -> str:
        watch.begin(TIMEOUTS, 0.0)
        watch.connected(1.0)
        watch.end()
        watch.expire(1e9)
        await asyncio.sleep(0)
        watch.begin(TIMEOUTS, 2.0)
        return f"begun {watch.begun}"

    assert await (await in_task(body)) == "begun False"


async def test_our_own_cancellation_is_claimed_once() -> None:
    """An expired watch cancels its task once, and the task that claims it is as if never cancelled."""
    watches: list[Watch] = []

    async def body(watch: Watch) -> Expiry | None:
        watches.append(watch)
        expiry = await caught(watch)
        assert watch.claim() is None
        await asyncio.sleep(0)
        return expiry

    task = await in_task(body, total_at=1.0)
    watches[0].expire(2.0)
    watches[0].expire(3.0)
    assert task.cancelling() == 1
    assert await task is Expiry.TOTAL
    assert task.cancelling() == 0


@pytest.mark.parametrize("first", ["watch", "outside"])
async def test_a_cancellation_from_outside_wins(first: str) -> None:
    """When the deadline and somebody else cancel in the same moment, the task ends cancelled."""
    watches: list[Watch] = []

    async def body(watch: Watch) -> Expiry | None:
        watches.append(watch)
        return await caught(watch)

    task = await in_task(body, total_at=1.0)
    if first == "watch":
        watches[0].expire(2.0)
        task.cancel()
    else:
        task.cancel()
        watches[0].expire(2.0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert task.cancelling() == 1


async def test_a_task_that_was_cancelled_before_can_still_time_out() -> None:
    """Cleaning up under a cancellation may use the session: the count at the start is not held against it."""

    async def run() -> Expiry | None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            watch = Watch(task, 1.0)
            asyncio.get_running_loop().call_soon(watch.expire, 2.0)
            return await caught(watch)
        return None

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    assert await task is Expiry.TOTAL
    assert task.cancelling() == 1


async def test_an_overtaken_cancellation_is_taken_back() -> None:
    """A call that ended just before its deadline leaves no trace in the task's account of cancellations."""

    async def body(watch: Watch) -> int:
        task = asyncio.current_task()
        assert task is not None
        watch.expire(2.0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
        watch.settle()
        watch.settle()
        assert watch.claim() is None
        return task.cancelling()

    assert await (await in_task(body, total_at=1.0)) == 0


async def test_the_ticker_finds_what_has_expired() -> None:
    """A watch that was added is cancelled soon after its deadline, one that was discarded never."""
    ticker = Ticker()
    now = asyncio.get_running_loop().time()

    async def late(watch: Watch) -> Expiry | None:
        ticker.add(watch)
        return await caught(watch)

    async def gone(watch: Watch) -> str:
        ticker.add(watch)
        ticker.discard(watch)
        await asyncio.sleep(0.25)
        return "undisturbed"

    tasks = [await in_task(late, total_at=now), await in_task(gone, total_at=now)]
    assert await asyncio.gather(*tasks) == [Expiry.TOTAL, "undisturbed"]


async def test_a_closed_session_leaves_no_timer() -> None:
    """Once its session is closed, the ticker does not keep the event loop busy."""

    async def succeed(_number: int, _seen: Seen) -> bytes:
        return success()

    def ticking() -> bool:
        timers = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
        return any("Ticker" in repr(timer) for timer in timers if not timer.cancelled())

    async with ScriptedServer(succeed) as server:
        session = AsyncSession("PV9LQWZA", base_url=server.base_url)
        await session.auth.corp_ident_link(CorpIdentLinkRequest())
        assert ticking()
        await session.aclose()
        assert not ticking()


def pending(loop: asyncio.AbstractEventLoop) -> int:
    """Count the timers of an event loop that will still run."""
    return sum(not timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]


async def test_the_ticker_stops_by_itself() -> None:
    """Without a call under way nothing ticks, and the next call starts it again."""
    ticker, loop = Ticker(), asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    watches = [Watch(task, inf), Watch(task, inf)]
    before = pending(loop)
    for _ in range(2):
        for watch in watches:
            ticker.add(watch)
        assert pending(loop) == before + 1
        for watch in watches:
            ticker.discard(watch)
        await asyncio.sleep(0.25)
        assert pending(loop) == before


async def test_stopping_leaves_no_timer() -> None:
    """A closed session leaves nothing behind in the event loop; stopping twice is harmless."""
    ticker, loop = Ticker(), asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    watch = Watch(task, inf)
    before = pending(loop)
    ticker.add(watch)
    ticker.discard(watch)
    assert pending(loop) == before + 1
    ticker.stop()
    ticker.stop()
    assert pending(loop) == before


async def test_stopping_forgets_no_call() -> None:
    """A call that is still under way when its session is closed keeps its deadlines."""
    ticker = Ticker()

    async def late(watch: Watch) -> Expiry | None:
        ticker.add(watch)
        ticker.stop()
        return await caught(watch)

    assert await (await in_task(late, total_at=0.0)) is Expiry.TOTAL
