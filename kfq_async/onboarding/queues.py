"""A bounded, closable queue between two stages of a run."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BatchQueue"]

T = TypeVar("T")


class BatchQueue(Generic[T]):
    """FIFO queue that hands out batches and can be closed, also with an error.

    `put` waits while ``size`` items or more are queued. Iterate to get single items, from any number of tasks, or
    `take` a batch. `asyncio.Queue` cannot be closed before Python 3.13, and hands out single items only.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._items: deque[T] = deque()
        self._not_empty = asyncio.Event()
        self._not_full = asyncio.Event()
        self._closed = False
        self.error: BaseException | None = None
        """The error that it was closed with; ``None`` if it was closed without one, or is open."""

    async def put(self, items: Iterable[T]) -> None:
        """Add all items as soon as there is room for one."""
        while len(self._items) >= self.size:
            self._not_full.clear()
            await self._not_full.wait()
        self._items.extend(items)
        self._not_empty.set()

    async def take(self, limit: int | None = None) -> list[T]:
        """Wait for an item, and return at most ``limit`` items; none once the queue is closed and empty.

        See ``error`` then.
        """
        await self._wait_for_item()
        return self.take_now(limit)

    def take_now(self, limit: int | None = None) -> list[T]:
        """Return at most ``limit`` items without waiting."""
        self._not_full.set()
        count = len(self._items) if limit is None else min(limit, len(self._items))
        return [self._items.popleft() for _ in range(count)]

    def __len__(self) -> int:
        return len(self._items)

    @property
    def finished(self) -> bool:
        """Whether it is closed and empty."""
        return self._closed and not self._items

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._items and not await self._wait_for_item():
            raise StopAsyncIteration
        self._not_full.set()
        return self._items.popleft()

    async def _wait_for_item(self) -> bool:
        """Return ``True`` as soon as there is an item, ``False`` if the queue is closed and empty."""
        while not self._items and not self._closed:
            self._not_empty.clear()
            await self._not_empty.wait()
        return bool(self._items)

    def close(self, error: BaseException | None = None) -> None:
        """End the queue after the items in it; the first error given stays."""
        self.error = self.error or error
        self._closed = True
        self._not_empty.set()
