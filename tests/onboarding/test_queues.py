"""The bounded, closable queue between two stages."""

from __future__ import annotations

import asyncio
from itertools import chain

import pytest

from kfq_async.onboarding.queues import BatchQueue


async def all_of(queue: BatchQueue[int]) -> list[int]:
    """Return all items, one by one."""
    return [item async for item in queue]


async def test_take() -> None:
    """Take returns the queued items up to its limit, iteration single ones, both in order."""
    queue: BatchQueue[int] = BatchQueue(3)
    await queue.put(range(5))
    assert await anext(queue) == 0
    assert await queue.take(2) == [1, 2]
    assert await queue.take(9) == [3, 4]


async def test_put_waits_for_room() -> None:
    """Put waits while the size is reached, until an item is taken."""
    queue: BatchQueue[int] = BatchQueue(2)
    await queue.put([1, 2])
    waiting = asyncio.create_task(queue.put([3]))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await anext(queue) == 1
    await waiting
    waiting = asyncio.create_task(queue.put([4]))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await queue.take() == [2, 3]
    await waiting
    assert await queue.take() == [4]


async def test_take_waits_for_an_item() -> None:
    """Take from an empty queue waits for the next item; an empty put does not end the wait."""
    queue: BatchQueue[int] = BatchQueue(1)
    waiting = asyncio.create_task(queue.take())
    await queue.put([])
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.put([1])
    assert await waiting == [1]


async def test_take_now() -> None:
    """Items are taken up to a limit without waiting, which makes room; a closed queue is finished once it is empty."""
    queue: BatchQueue[int] = BatchQueue(2)
    assert queue.take_now() == []
    await queue.put([1, 2, 3])
    waiting = asyncio.create_task(queue.put([4]))
    await asyncio.sleep(0)
    assert queue.take_now(0) == []
    assert queue.take_now(2) == [1, 2]
    await waiting
    queue.close()
    assert (len(queue), queue.finished) == (2, False)
    assert queue.take_now() == [3, 4]
    assert queue.finished


async def test_close_ends_all_readers() -> None:
    """Once closed and empty, it ends for each reader, as often as they try; each item is read once."""
    queue: BatchQueue[int] = BatchQueue(2)
    waiting = [asyncio.create_task(all_of(queue)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(9):
        await queue.put([number])
    queue.close()
    taken = await asyncio.gather(*waiting)
    assert sorted(chain.from_iterable(taken)) == list(range(9))
    assert await queue.take() == []
    assert await all_of(queue) == []
    with pytest.raises(StopAsyncIteration):
        await anext(queue)
    assert queue.error is None


async def test_cancelled_reader_takes_no_item() -> None:
    """An item goes to another reader if the one it woke is cancelled."""
    queue: BatchQueue[int] = BatchQueue(2)
    waiting = [asyncio.create_task(anext(queue)) for _ in range(2)]
    await asyncio.sleep(0)
    await queue.put([1])
    waiting[0].cancel()
    assert await waiting[1] == 1


async def test_close_keeps_the_first_error() -> None:
    """The first error given stays; closing again changes nothing."""
    queue: BatchQueue[int] = BatchQueue(2)
    first = OSError("first")
    queue.close(first)
    queue.close()
    queue.close(OSError("second"))
    assert queue.error is first
