"""A bounded queue that ends: what lies between two stages of a run."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BatchQueue"]

T = TypeVar("T")


class BatchQueue(Generic[T]):
    """Items in order, of which hardly more than ``size`` wait; it can be closed, with an error too.

    Iterate over it to take one after the other, as several tasks may, or `take` all that is there. asyncio's own
    queue has no end before Python 3.13, and hands on single items alone.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._items: deque[T] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closed = False
        self.error: BaseException | None = None
        """What closed it, unless it just ended."""

    async def put(self, items: Iterable[T]) -> None:
        """Add items at once, as soon as there is room for one of them; who lingers meanwhile is told to hurry."""
        while len(self._items) >= self.size:
            self._hurry.set()
            self._room.clear()
            await self._room.wait()
        self._items.extend(items)
        self._arrived.set()

    async def take(self, most: int | None = None, *, max_wait: float = 0.0) -> list[T]:
        """Wait for an item, then ``max_wait`` seconds for more, and return what is there, ``most`` items at the most.

        It lingers no longer than somebody waits for room, or the stream ends. Returns nothing when the stream was
        closed, after all that was put before; see ``error`` then.
        """
        if await self._filled() and max_wait:
            with suppress(TimeoutError):
                async with asyncio.timeout(max_wait):
                    await self._hurry.wait()
        self._room.set()
        if not self._closed:
            self._hurry.clear()
        return [self._items.popleft() for _ in range(min(len(self._items), most or len(self._items)))]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if not self._items and not await self._filled():
            raise StopAsyncIteration
        self._room.set()
        return self._items.popleft()

    async def _filled(self) -> bool:
        """Wait until there is an item, and return whether there is; without one it is closed."""
        while not self._items and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        return bool(self._items)

    def close(self, error: BaseException | None = None) -> None:
        """Let those who take know that nothing more comes."""
        self.error = self.error or error
        self._closed = True
        self._hurry.set()
        self._arrived.set()
