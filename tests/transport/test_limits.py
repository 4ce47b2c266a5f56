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


def virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run in a time that passes only while everybody sleeps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


async def permits(limiter: RateLimiter, arrivals: list[float]) -> list[tuple[float, int]]:
    """Let tasks come at the given times, and return when each had its permit."""
    loop = asyncio.get_running_loop()
    taken: list[tuple[float, int]] = []

    async def come(number: int, arrival: float) -> None:
        await asyncio.sleep(arrival)
        permit = await limiter.acquire()
        taken.append((loop.time(), number))
        permit.release()

    await asyncio.gather(*(come(number, arrival) for number, arrival in enumerate(arrivals)))
    return taken


@given(st.lists(st.floats(0, 5), min_size=6, max_size=40))
def test_never_more_than_five_in_any_second(arrivals: list[float]) -> None:
    """Whenever calls come, no window of one second holds more than five, the first one included."""
    taken = virtually(permits(RateLimiter(PLATFORM_LIMIT), arrivals))
    times = [when for when, _ in taken]
    assert len(times) == len(arrivals)
    assert all(times[index + 5] - times[index] > 1.0 for index in range(len(times) - 5))


def test_no_burst_at_the_start() -> None:
    """Twenty calls at once go out one by one, evenly spaced from the first on."""
    taken = virtually(permits(RateLimiter(10), [0.0] * 20))
    gaps = {round(later - earlier, 6) for (earlier, _), (later, _) in pairwise(taken)}
    assert gaps == {0.105}


def test_first_come_first_served() -> None:
    """Permits are issued in the order in which they came, so none starves."""
    taken = virtually(permits(RateLimiter(5), [number / 100 for number in range(50)]))
    assert [number for _, number in taken] == list(range(50))


def test_a_pause_is_not_saved_up() -> None:
    """After a quiet minute there is no credit for a burst."""
    taken = virtually(permits(RateLimiter(5), [0.0, 60.0, 60.0, 60.0]))
    assert taken[3][0] - taken[1][0] == pytest.approx(0.42)


def test_one_that_leaves_takes_no_permit() -> None:
    """A task that is cancelled while it waits costs the others nothing."""

    async def run() -> float:
        limiter = RateLimiter(1)
        loop = asyncio.get_running_loop()
        (await limiter.acquire()).release()
        leaver = asyncio.create_task(permits(limiter, [0.0]))
        stayer = asyncio.create_task(permits(limiter, [0.1]))
        await asyncio.sleep(0.5)
        leaver.cancel()
        await stayer
        return loop.time()

    assert virtually(run()) == pytest.approx(1.05)
