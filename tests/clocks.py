"""An event loop whose time passes only while everybody waits, so that hours take no time."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class _Jump(selectors.DefaultSelector):
    """Moves the clock on instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout:
            self.now += timeout
        return list(super().select(0))


class VirtualLoop(asyncio.SelectorEventLoop):
    """For code that only sleeps: nothing may come from outside."""

    def __init__(self) -> None:
        self._clock = _Jump()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the time that has passed while everybody waited."""
        return self._clock.now
