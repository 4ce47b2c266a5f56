"""Event loop with virtual time: it jumps to the next timer instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any


class _VirtualSelector(selectors.DefaultSelector):
    """Selector that advances the clock instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout:
            self.now += timeout
        return list(super().select(0))


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop for code that only sleeps: no sockets, threads or processes."""

    def __init__(self) -> None:
        self._clock = _VirtualSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._clock.now
