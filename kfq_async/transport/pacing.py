"""Pacing: operations that the platform limits are sent evenly spaced (protocol section 1.8)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["PLATFORM_LIMIT", "Pace"]

PLATFORM_LIMIT = 5.0
"""Calls a second that the platform allows for each path, and each IP address."""
MARGIN = 1.05
"""How much longer than necessary the distance is: what was sent a second apart need not arrive a second apart."""


class Pace:
    """The turns of one path: one after the other, in the order of asking, evenly spaced from the first on."""

    def __init__(self, per_second: float) -> None:
        self._distance = MARGIN / per_second
        self._next_at = 0.0
        self._queue = asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn; what is done inside comes before anybody else's.

        The distance counts from the end of the block, so that a wait for a slot inside cannot bunch turns up.
        """
        loop = asyncio.get_running_loop()
        async with self._queue:
            await asyncio.sleep(self._next_at - loop.time())
            yield
            self._next_at = loop.time() + self._distance
