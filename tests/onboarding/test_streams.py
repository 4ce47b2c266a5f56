"""The queue between two stages."""

from __future__ import annotations

import asyncio

from kfq_async.onboarding.streams import Stream


async def test_takes_what_is_there() -> None:
    """Who takes gets all that waits, up to the size of the stream or what was asked for."""
    stream: Stream[int] = Stream(3)
    for number in range(3):
        await stream.put(number)
    assert await stream.take(1) == [0]
    assert await stream.take() == [1, 2]


async def test_waits_for_room() -> None:
    """Nobody puts more than the size until somebody takes."""
    stream: Stream[int] = Stream(1)
    await stream.put(1)
    waiting = asyncio.create_task(stream.put(2))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await stream.take() == [1]
    await waiting
    assert await stream.take() == [2]


async def test_waits_for_an_item() -> None:
    """Who takes from an empty stream waits for the next item."""
    stream: Stream[int] = Stream(1)
    waiting = asyncio.create_task(stream.take())
    await asyncio.sleep(0)
    await stream.put(1)
    assert await waiting == [1]


async def test_ends_for_everybody() -> None:
    """After it is closed and empty, all who take get nothing, as often as they ask."""
    stream: Stream[int] = Stream(2)
    await stream.put(1)
    waiting = [asyncio.create_task(stream.take()) for _ in range(3)]
    stream.close()
    assert sorted([await taken for taken in waiting]) == [[], [], [1]]
    assert await stream.take() == []
    assert stream.error is None


async def test_keeps_the_first_error() -> None:
    """What closed it first is its error; closing again changes nothing."""
    stream: Stream[int] = Stream(2)
    first = OSError("first")
    stream.close(first)
    stream.close()
    stream.close(OSError("second"))
    assert stream.error is first
