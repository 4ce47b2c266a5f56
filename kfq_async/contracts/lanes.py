"""Lanes: operations that drive a contract reach a platform one at a time (protocol section 4.17)."""

from __future__ import annotations

import asyncio
import math
import sys
from contextlib import suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["LeasedTurn", "ProcessLane", "ProcessTurn", "check_lease"]

MAX_RELEASE = 1.0
"""Seconds that the release of a lease may take; afterwards it ends by itself."""

_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()
"""The lane of each platform, by its URL, in each event loop."""


class ProcessLane:
    """One lane per platform for all sessions of an event loop, first come, first served.

    All instances are the same lane. Sessions in other processes, or in the event loop of another thread, are not seen:
    their operations may overlap with these.
    """

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    async def acquire(self, platform: str) -> ProcessTurn:
        """Wait until the lane of a platform is free, and take it; see `Lane`."""
        locks = _locks.setdefault(asyncio.get_running_loop(), {})
        lock = locks.setdefault(platform, asyncio.Lock())
        await lock.acquire()
        return ProcessTurn(lock)


class ProcessTurn:
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


class LeasedTurn:
    """The lane of several processes, held by a lease that is renewed until the turn ends.

    Args:
        local: The lane of this process, acquired before.
        lease: Seconds for which the lane is held without a renewal.
        began: Time of the event loop at which the lease was asked for.
        renew: Renews the lease; returns whether it was still held.
        end: Ends the lease.
        leave: Gives back what a lease that goes on does not need, such as a connection.
    """

    def __init__(
        self,
        local: ProcessTurn,
        lease: float,
        began: float,
        *,
        renew: Callable[[], Awaitable[bool]],
        end: Callable[[], Awaitable[object]],
        leave: Callable[[], Awaitable[object]],
    ) -> None:
        self._local = local
        self._lease = lease
        self._held_until = began + lease
        self._renew = renew
        self._end = end
        self._leave = leave
        self._task: asyncio.Task[None] = asyncio.create_task(self._keep_renewing())

    @property
    def remaining(self) -> float:
        """Seconds until the lease ends without a renewal; not positive once it was lost."""
        return self._held_until - asyncio.get_running_loop().time()

    async def release(self) -> None:
        """Open the lane. Raises what the lock service raises; the lease then ends by itself."""
        self._task.cancel()
        try:
            async with asyncio.timeout(MAX_RELEASE):
                await self._end()
        finally:
            await self._local.release()

    def keep(self, seconds: float) -> None:
        """Open the lane of this process after so many seconds, and to others when the lease ends by itself."""
        self._task.cancel()
        self._local.keep(seconds)
        self._task = asyncio.create_task(self._leave_quietly())

    async def _keep_renewing(self) -> None:
        while self.remaining > 0:
            await asyncio.sleep(self._lease / 3)
            with suppress(Exception):  # the service is away: the lease may last until it is back
                await self._renew_once()

    async def _renew_once(self) -> None:
        began = asyncio.get_running_loop().time()
        self._held_until = began + self._lease if await self._renew() else -math.inf

    async def _leave_quietly(self) -> None:
        with suppress(Exception):  # the service is away
            await self._leave()


def check_lease(lease: object) -> float:
    """Return a lease; raise `TypeError` or `ValueError` unless it is a positive number of seconds."""
    if isinstance(lease, bool) or not isinstance(lease, int | float):
        raise TypeError(f"lease must be a number of seconds, not {type(lease).__name__}")
    if not 0 < lease <= sys.float_info.max:
        raise ValueError("lease must be more than 0 seconds, and finite")
    return lease
