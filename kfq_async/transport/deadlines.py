"""Deadlines: one coarse tick of the session watches all calls, instead of a timer for each."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfq_async.config import Timeouts
    from kfq_async.transport.limits import Turn

__all__ = ["Expiry", "Ticker", "Watch"]

TICK = 0.1
"""Seconds between two looks at the deadlines, and so the most that a call outlives one."""


class Expiry(Enum):
    """Which of a call's limits ended."""

    ATTEMPT = auto()
    TOTAL = auto()


class Watch:
    """The deadlines of one call, in the time of the event loop.

    An expired watch cancels the call's task; whoever catches the `asyncio.CancelledError` asks `claim` whether
    it was this watch and nobody else. The accounts of `asyncio.Task.uncancel` are kept as `asyncio.timeout`
    keeps them, so cancelling from outside always wins.
    """

    __slots__ = ("_cancelling", "_expired", "_read", "_read_at", "_task", "begun", "total_at", "turn")

    def __init__(self, task: asyncio.Task[object], total_at: float) -> None:
        self._task = task
        self._cancelling = task.cancelling()
        self._expired: Expiry | None = None
        self._read = inf
        self._read_at = inf
        self.total_at = total_at
        self.begun = False
        """Whether the current attempt has a connection, so that bytes may have left."""
        self.turn: Turn | None = None
        """The turn of a paced operation, which is over when bytes begin to leave."""

    def begin(self, timeouts: Timeouts, now: float) -> None:
        """Start an attempt: ``attempt`` counts from the connection, and not later than ``connect`` from now."""
        self.begun = False
        self._read = timeouts.attempt
        self._read_at = now + timeouts.connect + timeouts.attempt

    def connected(self, now: float) -> None:
        """Note that the attempt has its connection."""
        self.begun = True
        if self.turn is not None:
            self.turn.over()
        self._read_at = now + self._read

    def end(self) -> None:
        """Note that the attempt is over; only ``total`` counts until the next one."""
        self._read_at = inf
        if self.turn is not None:
            self.turn.over()

    def expire(self, now: float) -> None:
        """Cancel the task if a deadline has passed."""
        if self._expired is None and now >= min(self.total_at, self._read_at):
            self._expired = Expiry.TOTAL if now >= self.total_at else Expiry.ATTEMPT
            self._task.cancel()

    def claim(self) -> Expiry | None:
        """Return which limit caused a cancellation that was just caught, or ``None`` if it must go on."""
        expired, self._expired = self._expired, None
        if expired is not None and self._task.uncancel() > self._cancelling:
            return None
        return expired

    def settle(self) -> None:
        """Take back a cancellation that the end of the call overtook."""
        if self._expired is not None:
            self._expired = None
            self._task.uncancel()


class Ticker:
    """Looks at all watches ten times a second while there are any."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, watch: Watch) -> None:
        """Look at ``watch`` from now on."""
        self._watches.add(watch)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TICK, self._tick, loop)

    def discard(self, watch: Watch) -> None:
        """Look no longer at ``watch``."""
        self._watches.discard(watch)

    def stop(self) -> None:
        """Leave no timer behind, unless a call is still under way."""
        if self._timer is not None and not self._watches:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for watch in self._watches:
            watch.expire(now)
        self._timer = loop.call_later(TICK, self._tick, loop) if self._watches else None
