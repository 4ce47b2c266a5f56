"""A bounded queue that ends: what lies between two stages of a run."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

__all__ = ["Stream"]

T = TypeVar("T")


class _End:
    pass


_END = _End()


class Stream(Generic[T]):
    """Items in order, at most ``size`` of them waiting; several may take, and it can be closed, with an error too."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = asyncio.Event()
        self._items: asyncio.Queue[T | _End] = asyncio.Queue()
        self.error: BaseException | None = None
        """What closed it, unless it just ended."""

    @property
    def waiting(self) -> bool:
        """Whether `take` would return at once."""
        return not self._items.empty()

    async def put(self, item: T) -> None:
        """Add an item, as soon as there is room."""
        while self._items.qsize() >= self._size:
            self._room.clear()
            await self._room.wait()
        self._items.put_nowait(item)

    async def take(self, most: int | None = None) -> list[T]:
        """Wait for an item, and return it with those that are there already, ``most`` at the most.

        Returns nothing when the stream was closed, after all that was put before; see ``error`` then.
        """
        taken: list[T] = []
        item = await self._items.get()
        while not isinstance(item, _End):
            taken.append(item)
            self._room.set()
            if len(taken) == (most or self._size) or self._items.empty():
                return taken
            item = self._items.get_nowait()
        self._items.put_nowait(item)  # for whoever takes next
        return taken

    def close(self, error: BaseException | None = None) -> None:
        """Let those who take know that nothing more comes."""
        self.error = self.error or error
        self._items.put_nowait(_END)
