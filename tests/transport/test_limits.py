"""`RateLimiter`: the spacing of permits, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import VirtualLoop
from kfq_async.transport.limits import PLATFORM_LIMIT, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop whose time passes only while every task sleeps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


async def acquire_at(limiter: RateLimiter, arrivals: list[float]) -> list[tuple[float, int]]:
    """Acquire a permit in one task for each arrival time, and return the time and number of each permit."""
    loop = asyncio.get_running_loop()
    issued: list[tuple[float, int]] = []

    async def acquire(number: int, arrival: float) -> None:
        await asyncio.sleep(arrival)
        permit = await limiter.acquire()
        issued.append((loop.time(), number))
        permit.release()

    await asyncio.gather(*(acquire(number, arrival) for number, arrival in enumerate(arrivals)))
    return issued


@given(st.lists(st.floats(0, 5), min_size=6, max_size=40))
def test_at_most_five_permits_in_any_second(arrivals: list[float]) -> None:
    """No window of one second holds more than five permits, the first second included."""
    issued = run_virtually(acquire_at(RateLimiter(PLATFORM_LIMIT), arrivals))
    times = [issued_at for issued_at, _ in issued]
    assert len(times) == len(arrivals)
    assert all(times[index + 5] - times[index] > 1.0 for index in range(len(times) - 5))


def test_no_burst_at_the_start() -> None:
    """Twenty tasks that arrive together get evenly spaced permits from the first one on."""
    issued = run_virtually(acquire_at(RateLimiter(10), [0.0] * 20))
    gaps = {round(later - earlier, 6) for (earlier, _), (later, _) in pairwise(issued)}
    assert gaps == {0.105}


def test_first_come_first_served() -> None:
    """Permits are issued in the order of arrival."""
    issued = run_virtually(acquire_at(RateLimiter(5), [number / 100 for number in range(50)]))
    assert [number for _, number in issued] == list(range(50))


def test_no_credit_for_a_pause() -> None:
    """After an idle minute permits are spaced as before."""
    issued = run_virtually(acquire_at(RateLimiter(5), [0.0, 60.0, 60.0, 60.0]))
    assert issued[3][0] - issued[1][0] == pytest.approx(0.42)


@pytest.mark.parametrize("arrival", [0.0, 0.1])
def test_cancelled_task_takes_no_permit(arrival: float) -> None:
    """A task that is cancelled while it waits for a permit delays no other task."""

    async def run() -> float:
        limiter = RateLimiter(1)
        loop = asyncio.get_running_loop()
        (await limiter.acquire()).release()
        cancelled = asyncio.create_task(acquire_at(limiter, [arrival]))
        other = asyncio.create_task(acquire_at(limiter, [0.05]))
        await asyncio.sleep(0.5)
        cancelled.cancel()
        await other
        return loop.time()

    assert run_virtually(run()) == pytest.approx(1.05)


def test_expired_tasks_take_no_permit() -> None:
    """Ten thousand tasks whose own timeout ends their wait for a permit do not delay the next one."""

    async def give_up(limiter: RateLimiter) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await limiter.acquire()

    async def run() -> float:
        limiter = RateLimiter(1)
        (await limiter.acquire()).release()
        await asyncio.gather(*(give_up(limiter) for _ in range(10_000)))
        await limiter.acquire()
        return asyncio.get_running_loop().time()

    assert run_virtually(run()) == pytest.approx(1.05)


def test_next_permit_waits_for_the_release() -> None:
    """The interval begins when a permit is released, and releasing it twice issues one permit."""

    async def run() -> list[float]:
        limiter = RateLimiter(1)
        loop = asyncio.get_running_loop()
        permit = await limiter.acquire()
        others = asyncio.create_task(acquire_at(limiter, [0.0, 0.0]))
        await asyncio.sleep(10)
        permit.release()
        permit.release()
        assert loop.time() == 10
        return [issued_at for issued_at, _ in await others]

    assert run_virtually(run()) == pytest.approx([11.05, 12.1])
