"""Pacing: operations that the platform limits are sent evenly spaced (protocol section 1.8)."""

from __future__ import annotations

import asyncio

__all__ = ["PLATFORM_LIMIT", "Pace", "Turn"]

PLATFORM_LIMIT = 5.0
"""Calls a second that the platform allows for each path, and each IP address."""
MARGIN = 1.05
"""How much longer than necessary the distance is: what was sent a second apart need not arrive a second apart."""


class Pace:
    """The turns of one path: one after the other, in the order of asking, evenly spaced from the first on."""

    def __init__(self, per_second: float) -> None:
        self.distance = MARGIN / per_second
        """Seconds between two requests."""
        self._next_at = 0.0
        self._queue = asyncio.Lock()

    async def take(self) -> Turn:
        """Wait for one's turn. Nobody else has one until it is `Turn.over`."""
        await self._queue.acquire()
        try:
            await asyncio.sleep(self._next_at - asyncio.get_running_loop().time())
        except asyncio.CancelledError:
            self._queue.release()
            raise
        return Turn(self)

    def pass_on(self) -> None:
        """Let the next one wait out the distance from now."""
        self._next_at = asyncio.get_running_loop().time() + self.distance
        self._queue.release()


class Turn:
    """The right to send one request.

    It is over when bytes begin to leave, not when it was given: a wait for a slot or for a new connection in
    between would otherwise bunch requests up.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace: Pace | None = pace

    def over(self) -> None:
        """Pass the turn on. A second time does nothing."""
        pace, self._pace = self._pace, None
        if pace is not None:
            pace.pass_on()
