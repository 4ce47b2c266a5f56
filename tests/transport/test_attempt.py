"""`Attempt` and `DeadlineTimer`: deadlines, cancellation, and the state of the timer."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

import pytest

from calls import link_request, open_session
from kfq_async import Timeouts
from kfq_async.transport.attempt import Attempt, DeadlineTimer
from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMEOUTS = Timeouts(connect=5, attempt=30)


def new_attempt(timeouts: Timeouts = TIMEOUTS, *, total: float = inf) -> Attempt:
    """Return an attempt of the current task that begins now."""
    return Attempt(timeouts, total_at=asyncio.get_running_loop().time() + total)


async def wait_until_expired(attempt: Attempt) -> str:
    """Wait within the attempt's scope, and return the name of the limit that expired."""
    try:
        async with attempt.scope:
            await asyncio.Event().wait()
    except TimeoutError:
        assert attempt.scope.expired()
        return "total" if attempt.total_expired else "attempt"
    raise AssertionError


async def start(body: Callable[[Attempt], Awaitable[object]], attempt: Attempt) -> asyncio.Task[object]:
    """Start ``body`` in a task, and let it reach its first wait."""

    async def run() -> object:
        return await body(attempt)

    task: asyncio.Task[object] = asyncio.create_task(run())
    await asyncio.sleep(0)
    return task


def check_twice(attempt: Attempt, seconds: float) -> None:
    """Check the deadline twice, as of ``seconds`` from now."""
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
async def test_limit_that_expires_first(
    *, connected: bool, total: float, early: float, late: float, limit: str
) -> None:
    """``attempt`` counts from the connection, ``connect`` is added before it, and ``total`` always counts."""
    attempt = new_attempt(total=total)
    task = await start(wait_until_expired, attempt)
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
    """After the first check past the deadline, a response that is in the socket can still be read."""

    async def body(attempt: Attempt) -> str:
        async with attempt.scope:
            await asyncio.sleep(0.02)
        return "response"

    attempt = new_attempt()
    task = await start(body, attempt)
    attempt.check(asyncio.get_running_loop().time() + 100)
    assert await task == "response"


async def test_connection_resets_the_check() -> None:
    """A check past the connection's deadline does not count for the deadline of the response."""
    attempt = new_attempt()
    task = await start(wait_until_expired, attempt)
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


@pytest.mark.parametrize("first", ["timer", "caller"])
async def test_cancellation_from_outside_wins(first: str) -> None:
    """When deadline and caller cancel at the same moment, the task ends cancelled."""
    attempt = new_attempt(total=1.0)
    task = await start(wait_until_expired, attempt)
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


async def test_earlier_cancellation_does_not_count() -> None:
    """A task that cleans up after its cancellation can use the session, and its attempts expire."""

    async def run() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            attempt = new_attempt(total=0.0)
            asyncio.get_running_loop().call_soon(check_twice, attempt, 1.0)
            return await wait_until_expired(attempt)
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
    attempt = new_attempt()
    attempt.connecting = connecting
    if connected:
        attempt.mark_connected(0.0)
    assert attempt.may_have_sent is sent


async def test_closed_attempt_keeps_no_task() -> None:
    """A closed attempt, which the context of a pooled connection keeps, holds neither scope nor task."""
    attempt = new_attempt()
    async with attempt.scope:
        pass
    attempt.close()
    assert not hasattr(attempt, "scope")


async def test_timer_expires_added_attempts() -> None:
    """An attempt that was added expires after its deadline, and one that was discarded does not."""
    timer = DeadlineTimer()

    async def added(attempt: Attempt) -> str:
        timer.add(attempt)
        return await wait_until_expired(attempt)

    async def discarded(attempt: Attempt) -> str:
        timer.add(attempt)
        timer.discard(attempt)
        async with attempt.scope:
            await asyncio.sleep(0.25)
        return "undisturbed"

    tasks = [await start(added, new_attempt(total=0.0)), await start(discarded, new_attempt(total=0.0))]
    assert await asyncio.gather(*tasks) == ["total", "undisturbed"]


async def test_timer_stops_without_attempts() -> None:
    """Without an attempt the timer stops by itself, and the next attempt starts it."""
    timer = DeadlineTimer()
    attempts = [new_attempt(), new_attempt()]
    assert not timer.running
    for _ in range(2):
        for attempt in attempts:
            timer.add(attempt)
        assert timer.running
        for attempt in attempts:
            timer.discard(attempt)
        await asyncio.sleep(0.15)
        assert not timer.running


async def test_close() -> None:
    """A closed timer interrupts the attempts under way and leaves nothing in the event loop; `close` is idempotent."""
    timer, attempt = DeadlineTimer(), new_attempt()

    async def body(attempt: Attempt) -> str:
        timer.add(attempt)
        asyncio.get_running_loop().call_soon(timer.close)
        return await wait_until_expired(attempt)

    await (await start(body, attempt))
    assert attempt.closed
    assert not timer.running
    timer.discard(attempt)
    timer.close()
    assert not timer.running


async def test_interrupt_after_the_deadline() -> None:
    """An attempt that has expired already can be interrupted."""
    attempt = new_attempt(total=0.0)
    with suppress(TimeoutError):
        async with attempt.scope:
            late = asyncio.get_running_loop().time() + 60
            attempt.check(late)
            attempt.check(late)
            asyncio.get_running_loop().call_soon(attempt.interrupt)  # after the scope has expired
            await asyncio.sleep(60)
    assert attempt.closed


async def test_blocked_loop_loses_no_response() -> None:
    """When the event loop was blocked beyond the deadline, the response in the socket is read before it expires."""

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        asyncio.get_running_loop().call_soon(time.sleep, 1.2)
        return success()

    # One second is for the request to arrive on a busy machine; the loop is then blocked for longer than that.
    async with ScriptedServer(script) as server, open_session(server, timeouts=Timeouts(attempt=1)) as session:
        assert (await session.auth.corp_ident_link(link_request())).order_no == "N1"
        assert len(server.requests) == 1
