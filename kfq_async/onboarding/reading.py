"""Rows read ahead of those who take them, whatever kind of source they come from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kfq_async.onboarding.rows import Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kfq_async.onboarding.streams import Stream

__all__ = ["BATCH", "reading"]

BATCH = 200
"""Rows that are read at a time."""


@asynccontextmanager
async def reading(rows: Iterable[Row] | AsyncIterable[Row], into: Stream[Row]) -> AsyncIterator[None]:
    """Put rows into a stream meanwhile, and close it after the last one, with the error of a source that fails.

    A plain iterable is read in a thread, some rows at a time.
    """
    reader = asyncio.create_task(_read(rows, into))
    try:
        yield
    finally:
        reader.cancel()  # it may wait for a row that nobody needs any more
        await asyncio.gather(reader, return_exceptions=True)


async def _read(rows: Iterable[Row] | AsyncIterable[Row], into: Stream[Row]) -> None:
    problem: Exception | None = None
    try:
        if isinstance(rows, AsyncIterable):
            async for row in rows:
                await into.put((_checked(row),))
        else:
            iterator = iter(rows)
            while problem is None:
                part, problem = await asyncio.to_thread(_part, iterator)
                await into.put(part)
    except Exception as raised:  # noqa: BLE001  # whoever takes the rows learns of it
        problem = raised
    into.close(None if isinstance(problem, StopIteration) else problem)


def _part(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """Return the next rows, and what ended them, be it the end."""
    part: list[Row] = []
    try:
        while len(part) < BATCH:
            part.append(_checked(next(rows)))
    except Exception as problem:  # noqa: BLE001  # it is handed on
        return part, problem
    return part, None


def _checked(row: object) -> Row:
    if not isinstance(row, Row):
        raise TypeError(f"rows must be of Row, not {type(row).__name__}: request_rows(requests) makes them of requests")
    return row
