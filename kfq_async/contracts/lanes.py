"""Lanes: operations that drive a contract reach a platform one at a time (protocol section 4.17)."""

from __future__ import annotations

import asyncio
import math
from weakref import WeakKeyDictionary

__all__ = ["ProcessLane"]

_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()
"""The lane of each platform, by its URL, in each event loop."""


class ProcessLane:
    """One lane per platform for all sessions of an event loop, first come, first served.

    All instances are the same lane. Sessions in other processes, or in the event loop of another thread, are not seen:
    their operations may overlap with these.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    async def acquire(self, platform: str) -> _ProcessTurn:
        """Wait until the lane of a platform is free, and take it; see `Lane`."""
        locks = _locks.setdefault(asyncio.get_running_loop(), {})
        lock = locks.setdefault(platform, asyncio.Lock())
        await lock.acquire()
        return _ProcessTurn(lock)


class _ProcessTurn:
    """The lane, held by one attempt."""

    __slots__ = ("_lock",)

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock

    @property
    def remaining(self) -> float:
        """Infinite."""
        return math.inf

    async def release(self) -> None:
        """Open the lane."""
        self._lock.release()

    def keep(self, seconds: float) -> None:
        """Open the lane after so many seconds."""
        asyncio.get_running_loop().call_later(seconds, self._lock.release)
