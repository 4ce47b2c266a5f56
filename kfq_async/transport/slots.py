"""Slots: how many attempts are under way at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

__all__ = ["Slots"]


class Slots:
    """A semaphore whose free slots are taken without a coroutine, and whose waiters are served in their order.

    A slot that is given back goes straight to whoever waits longest, so nobody can overtake between two steps of the
    event loop, and a free slot means that nobody waits.
    """

    __slots__ = ("_waiting", "free")

    def __init__(self, number: int) -> None:
        self.free = number
        """Slots that are neither taken nor on their way to somebody."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if there is a free one."""
        if self.free:
            self.free -= 1
            return True
        return False

    def join(self) -> asyncio.Future[None]:
        """Queue for a slot; await what is returned, and `leave` if that is interrupted."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        return turn

    def leave(self, turn: asyncio.Future[None]) -> None:
        """Leave the queue, or pass on the slot that has come already."""
        if turn.done() and not turn.cancelled():
            self.release()
        else:
            with suppress(ValueError):  # `release` may have come past and dropped it
                self._waiting.remove(turn)

    def release(self) -> None:
        """Give a slot back."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
