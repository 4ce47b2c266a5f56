"""The queue between two stages."""

from __future__ import annotations

import asyncio
from itertools import chain

import pytest

from kfq_async.onboarding.queues import BatchQueue


async def all_of(stream: BatchQueue[int]) -> list[int]:
    """Take one after the other to the end."""
    return [item async for item in stream]


async def test_takes_what_is_there() -> None:
    """Who takes gets all that waits, and who iterates one after the other, in the order of the putting."""
    stream: BatchQueue[int] = BatchQueue(3)
    await stream.put(range(5))
    assert await anext(stream) == 0
    assert await stream.take(2) == [1, 2]
    assert await stream.take(9) == [3, 4]


async def test_waits_for_room() -> None:
    """Nobody puts while the size is reached, until somebody takes, be it one."""
    stream: BatchQueue[int] = BatchQueue(2)
    await stream.put([1, 2])
    waiting = asyncio.create_task(stream.put([3]))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await anext(stream) == 1
    await waiting
    waiting = asyncio.create_task(stream.put([4]))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await stream.take() == [2, 3]
    await waiting
    assert await stream.take() == [4]


async def test_waits_for_an_item() -> None:
    """Who takes from an empty stream waits for the next item, and nothing put adds none."""
    stream: BatchQueue[int] = BatchQueue(1)
    waiting = asyncio.create_task(stream.take())
    await stream.put([])
    await asyncio.sleep(0)
    assert not waiting.done()
    await stream.put([1])
    assert await waiting == [1]


async def test_lingers() -> None:
    """Who has time gets what comes meanwhile, and waits no longer than there is room, and the stream goes on."""
    stream: BatchQueue[int] = BatchQueue(3)
    await stream.put([1])
    waiting = asyncio.create_task(stream.take(max_wait=0.05))
    await asyncio.sleep(0.01)
    await stream.put([2])
    assert await waiting == [1, 2]
    for _ in range(2):
        await stream.put([1, 2, 3])
        waiting = asyncio.create_task(stream.take(max_wait=1000))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await stream.put([4])
            assert await waiting == [1, 2, 3]
        assert await stream.take() == [4]
    await stream.put([3])
    stream.close()
    async with asyncio.timeout(10):
        assert await stream.take(max_wait=1000) == [3]
        assert await stream.take(max_wait=1000) == []


async def test_ends_for_everybody() -> None:
    """After it is closed and empty, all who take get nothing, as often as they ask; no item is given twice."""
    stream: BatchQueue[int] = BatchQueue(2)
    waiting = [asyncio.create_task(all_of(stream)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(9):
        await stream.put([number])
    stream.close()
    taken = await asyncio.gather(*waiting)
    assert sorted(chain.from_iterable(taken)) == list(range(9))
    assert await stream.take() == []
    assert await all_of(stream) == []
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert stream.error is None


async def test_who_gives_up_takes_nothing_along() -> None:
    """An item goes to those who still wait when another one was cancelled at that moment."""
    stream: BatchQueue[int] = BatchQueue(2)
    waiting = [asyncio.create_task(anext(stream)) for _ in range(2)]
    await asyncio.sleep(0)
    await stream.put([1])
    waiting[0].cancel()
    assert await waiting[1] == 1


async def test_keeps_the_first_error() -> None:
    """What closed it first is its error; closing again changes nothing."""
    stream: BatchQueue[int] = BatchQueue(2)
    first = OSError("first")
    stream.close(first)
    stream.close()
    stream.close(OSError("second"))
    assert stream.error is first
