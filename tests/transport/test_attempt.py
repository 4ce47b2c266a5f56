"""`Attempt` and `DeadlineTimer`: which limit expires when, whose cancellation wins, and when the timer runs."""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import TYPE_CHECKING

import pytest

from calls import link_request, opened
from kfq_async import Timeouts
from kfq_async.transport.attempt import Attempt, DeadlineTimer
from servers import ScriptedServer, Seen, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMEOUTS = Timeouts(connect=5, attempt=30)


def attempt_of(timeouts: Timeouts = TIMEOUTS, *, total: float = inf) -> Attempt:
    """Make an attempt of the current task that begins now."""
    return Attempt(timeouts, total_at=asyncio.get_running_loop().time() + total)


async def expired(attempt: Attempt) -> str:
    """Sleep within the attempt's scope; return which limit expired."""
    try:
        async with attempt.scope:
            await asyncio.sleep(60)
    except TimeoutError:
        assert attempt.scope.expired()
        return "total" if attempt.total_expired else "attempt"
    raise AssertionError


async def started(body: Callable[[Attempt], Awaitable[object]], attempt: Attempt) -> asyncio.Task[object]:
    """Start ``body`` in a task and let it reach its first wait."""

    async def run() -> object:
        return await body(attempt)

    task: asyncio.Task[object] = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


def check_twice(attempt: Attempt, seconds: float) -> None:
    """Check the deadline twice, as of so many seconds from now."""
    now = asyncio.get_running_loop().time() + seconds
    attempt.check(now)
    attempt.check(now)


@pytest.mark.parametrize(
    ("connected", "total", "early", "late", "limit"),
    [
        (False, inf, 34.5, 35.5, "attempt"),
        (True, inf, 29.5, 30.5, "attempt"),
        (False, 20.0, 19.5, 20.5, "total"),
        (True, 20.0, 19.5, 20.5, "total"),
    ],
)
async def test_which_limit_expires_when(
    *, connected: bool, total: float, early: float, late: float, limit: str
) -> None:
    """``attempt`` counts from the connection, ``connect`` is added before it, and ``total`` counts always."""
    attempt = attempt_of(total=total)
    task = await started(expired, attempt)
    if connected:
        attempt.mark_connected(asyncio.get_running_loop().time())
    check_twice(attempt, early)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    check_twice(attempt, late)
    assert await task == limit
    assert task.cancelling() == 0


async def test_one_check_does_not_expire() -> None:
    """After a first check that is late, a response that lies in the socket can still be read."""

    async def answered(attempt: Attempt) -> str:
        async with attempt.scope:
            await asyncio.sleep(0.02)
        return "response"

    attempt = attempt_of()
    task = await started(answered, attempt)
    attempt.check(asyncio.get_running_loop().time() + 100)
    assert await task == "response"


async def test_a_new_deadline_counts_anew() -> None:
    """A check that was late for the connection is not held against the response."""
    attempt = attempt_of()
    task = await started(expired, attempt)
    now = asyncio.get_running_loop().time()
    attempt.check(now + 36)
    attempt.mark_connected(now + 36)
    attempt.check(now + 37)
    attempt.check(now + 67)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not attempt.scope.expired()
    attempt.check(now + 67)
    attempt.check(now + 67)
    assert await task == "attempt"


@pytest.mark.parametrize("first", ["timer", "outside"])
async def test_a_cancellation_from_outside_wins(first: str) -> None:
    """When the deadline and the caller cancel in the same moment, the task ends cancelled."""
    attempt = attempt_of(total=1.0)
    task = await started(expired, attempt)
    if first == "timer":
        check_twice(attempt, 2.0)
        await asyncio.sleep(0)
        task.cancel()
    else:
        task.cancel()
        check_twice(attempt, 2.0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_task_that_was_cancelled_before_can_still_time_out() -> None:
    """Cleaning up under a cancellation may use the session: earlier cancellations do not count."""

    async def run() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            attempt = attempt_of(total=0.0)
            asyncio.get_running_loop().call_soon(check_twice, attempt, 1.0)
            return await expired(attempt)
        raise AssertionError

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "total"
    assert task.cancelling() == 1


@pytest.mark.parametrize(
    ("connecting", "connected", "sent"), [(False, False, True), (True, False, False), (True, True, True)]
)
async def test_may_have_sent(*, connecting: bool, connected: bool, sent: bool) -> None:
    """Only an attempt that waits for its connection has certainly sent nothing."""
    attempt = attempt_of()
    attempt.connecting = connecting
    if connected:
        attempt.mark_connected(0.0)
    assert attempt.may_have_sent is sent


async def test_the_timer_expires_what_is_late() -> None:
    """An attempt that was added expires soon after its deadline, one that was discarded does not."""
    timer = DeadlineTimer()

    async def late(attempt: Attempt) -> str:
        timer.add(attempt)
        return await expired(attempt)

    async def discarded(attempt: Attempt) -> str:
        timer.add(attempt)
        timer.discard(attempt)
        async with attempt.scope:
            await asyncio.sleep(0.25)
        return "undisturbed"

    tasks = [await started(late, attempt_of(total=0.0)), await started(discarded, attempt_of(total=0.0))]
    assert await asyncio.gather(*tasks) == ["total", "undisturbed"]


async def test_the_timer_stops_by_itself() -> None:
    """Without an attempt the timer does not run, and the next attempt starts it."""
    timer = DeadlineTimer()
    attempts = [attempt_of(), attempt_of()]
    assert not timer.running
    for _ in range(2):
        for attempt in attempts:
            timer.add(attempt)
        assert timer.running
        for attempt in attempts:
            timer.discard(attempt)
        await asyncio.sleep(0.15)
        assert not timer.running


async def test_a_stopped_timer_does_not_run() -> None:
    """Stopping leaves nothing in the event loop; it is idempotent."""
    timer, attempt = DeadlineTimer(), attempt_of()
    timer.add(attempt)
    timer.discard(attempt)
    assert timer.running
    timer.stop()
    timer.stop()
    assert not timer.running


async def test_stopping_forgets_no_attempt() -> None:
    """An attempt that is running when its session is closed keeps its deadline."""
    timer = DeadlineTimer()

    async def late(attempt: Attempt) -> str:
        timer.add(attempt)
        timer.stop()
        return await expired(attempt)

    assert await (await started(late, attempt_of(total=0.0))) == "total"


async def test_a_closed_attempt_keeps_no_task() -> None:
    """The context of a pooled connection keeps the attempt, which keeps neither scope nor task."""
    attempt = attempt_of()
    async with attempt.scope:
        pass
    attempt.close()
    assert not hasattr(attempt, "scope")


async def test_a_blocked_loop_loses_no_response() -> None:
    """When the event loop was blocked beyond the limits, the response in the socket is read before they expire."""

    async def script(_number: int, _seen: Seen) -> bytes:
        asyncio.get_running_loop().call_soon(time.sleep, 0.4)
        return success()

    async with ScriptedServer(script) as server, opened(server, timeouts=Timeouts(attempt=0.2)) as session:
        assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
        assert len(server.seen) == 1
