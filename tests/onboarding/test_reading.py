"""Rows, read ahead from any kind of source."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from typing import TYPE_CHECKING

import pytest

from companies import row, rows
from kfq_async.onboarding.reading import BATCH, reading
from kfq_async.onboarding.streams import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kfq_async.onboarding.rows import Row


async def taken(stream: Stream[Row]) -> list[Row]:
    """Take all rows."""
    return [row async for row in stream]


async def slowly() -> AsyncIterator[Row]:
    """Yield rows as they come in from somewhere."""
    for each in rows(3):
        await asyncio.sleep(0)
        yield each


async def test_all_rows_in_their_order() -> None:
    """Whatever the source, each row comes once."""
    for source, expected in ((rows(2 * BATCH + 1), 2 * BATCH + 1), (iter(rows(3)), 3), (slowly(), 3), ([], 0)):
        stream: Stream[Row] = Stream(BATCH)
        async with reading(source, stream):
            found = await taken(stream)
        assert [each.number for each in found] == [each.number for each in rows(expected)]
        assert stream.error is None


async def test_no_more_than_is_needed() -> None:
    """A source without end is read a little ahead, away from the loop's thread, and left when nobody takes."""
    read = []
    threads = set()

    def endless() -> Iterator[Row]:
        for number in count():
            threads.add(threading.get_ident())
            read.append(number)
            yield row(number)

    stream: Stream[Row] = Stream(BATCH)
    async with reading(endless(), stream):
        assert (await anext(stream)).number == row(0).number
        await asyncio.sleep(0.05)
        assert len(read) <= 3 * BATCH
    assert threading.get_ident() not in threads


async def test_a_source_that_fails() -> None:
    """The rows before come, and then its error."""

    def failing() -> Iterator[Row]:
        yield from rows(BATCH + 5)
        raise OSError("gone")

    async def failing_slowly() -> AsyncIterator[Row]:
        for each in failing():
            yield each

    for source in (failing(), failing_slowly()):
        stream: Stream[Row] = Stream(BATCH)
        async with reading(source, stream):
            assert len(await taken(stream)) == BATCH + 5
        assert str(stream.error) == "gone"


async def test_what_is_no_row() -> None:
    """Requests by themselves are refused with advice."""
    stream: Stream[Row] = Stream(BATCH)
    async with reading([row(), row().request], stream):  # type: ignore[list-item]
        assert len(await taken(stream)) == 1
    with pytest.raises(TypeError, match="request_rows"):
        raise stream.error or AssertionError
