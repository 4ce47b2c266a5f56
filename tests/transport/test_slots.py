"""`Slots`: in order, none lost, none given twice."""

from __future__ import annotations

import asyncio
import random

import pytest

from kfq_async.transport.slots import Slots


async def taken(slots: Slots) -> None:
    """Wait for a slot as a call does."""
    turn = slots.join()
    try:
        await turn
    except BaseException:
        slots.leave(turn)
        raise


async def waiting(slots: Slots, number: int, log: list[int]) -> list[asyncio.Task[None]]:
    """Let so many tasks wait for a slot; each logs its number when it has one."""

    async def one(name: int) -> None:
        await taken(slots)
        log.append(name)

    tasks = [asyncio.create_task(one(name)) for name in range(number)]
    await asyncio.sleep(0)
    return tasks


def test_free_slots_are_taken_at_once() -> None:
    """As many as there are, and given back ones again."""
    slots = Slots(2)
    assert [slots.take() for _ in range(3)] == [True, True, False]
    slots.release()
    assert [slots.take(), slots.take()] == [True, False]


async def test_slots_go_round_in_order() -> None:
    """Whoever waits longest is served first, and one who comes new takes no slot that is on its way."""
    slots, log = Slots(1), list[int]()
    assert slots.take()
    tasks = await waiting(slots, 3, log)
    for served in range(1, 4):
        slots.release()
        assert not slots.take()
        await tasks[served - 1]
        assert log == list(range(served))
    slots.release()
    assert slots.free == 1


async def test_who_is_cancelled_in_the_queue_is_passed_over() -> None:
    """A slot goes to the next one who still waits."""
    slots, log = Slots(1), list[int]()
    slots.take()
    tasks = await waiting(slots, 3, log)
    tasks[0].cancel()
    slots.release()
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert log == [1]
    slots.release()
    assert slots.free == 1


async def test_who_is_cancelled_with_a_slot_on_its_way_passes_it_on() -> None:
    """A cancellation in the moment of being served loses no slot."""
    slots, log = Slots(1), list[int]()
    slots.take()
    tasks = await waiting(slots, 2, log)
    slots.release()
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (log, slots.free) == ([1], 0)


async def test_a_coroutine_that_is_closed_leaves_the_queue() -> None:
    """So it is with a coroutine that nobody will resume."""
    slots = Slots(1)
    slots.take()
    abandoned = taken(slots)
    abandoned.send(None)
    abandoned.close()
    slots.release()
    assert slots.free == 1


@pytest.mark.parametrize("seed", range(20))
async def test_no_slot_is_lost_whatever_is_cancelled(seed: int) -> None:
    """After a storm of cancellations all slots are free, and there never were more users than slots."""
    chance, slots, users, most = random.Random(seed), Slots(3), 0, 0

    async def one() -> None:
        nonlocal users, most
        if not slots.take():
            await taken(slots)
        try:
            users += 1
            most = max(most, users)
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
        finally:
            users -= 1
            slots.release()

    tasks = [asyncio.create_task(one()) for _ in range(60)]
    for task in chance.sample(tasks, 30):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (slots.free, most) == (3, 3)
