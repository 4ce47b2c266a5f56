"""Rate limits of operations: requests to one path are evenly spaced (protocol section 1.8)."""

from __future__ import annotations

import asyncio

__all__ = ["PLATFORM_LIMIT", "Permit", "RateLimiter"]

PLATFORM_LIMIT = 5.0
"""Requests per second that the platform allows for each path and IP address."""
MARGIN = 1.05
"""Factor on the interval: requests sent a second apart need not arrive a second apart."""


class RateLimiter:
    """Permits for the requests of one path, first come, first served, evenly spaced from the first one on."""

    def __init__(self, per_second: float) -> None:
        self.interval: float = MARGIN / per_second
        """Seconds between two requests."""
        self._next_at = 0.0
        self._queue = asyncio.Lock()

    async def acquire(self) -> Permit:
        """Wait for a permit; the next one is not issued before `Permit.release`."""
        await self._queue.acquire()
        wait = self._next_at - asyncio.get_running_loop().time()
        if wait > 0:
            try:
                await asyncio.sleep(wait)
            except BaseException:
                self._queue.release()
                raise
        return Permit(self)

    def restart(self) -> None:
        """Start the interval before the next permit."""
        self._next_at = asyncio.get_running_loop().time() + self.interval
        self._queue.release()


class Permit:
    """Permission to send one request.

    It is released when the request begins to be sent, not when it is issued: otherwise a wait for a slot or a
    connection in between would bunch requests up.
    """

    __slots__ = ("_limiter",)

    def __init__(self, limiter: RateLimiter) -> None:
        self._limiter: RateLimiter | None = limiter

    def release(self) -> None:
        """Let the limiter issue the next permit. Idempotent."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.restart()
