"""What holds a worker back after something that concerns every row, so that it does not burn them."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from kfq_async.onboarding.watching import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.errors import KfqError
    from kfq_async.models.identity import CorpIdentLink

__all__ = ["Brake"]

_log = logging.getLogger("kfq_async")


class Brake:
    """Lets nothing begin for a while, twice as long each time, until a call has been answered as it should be.

    Times are in seconds; ``clock`` must not go back.
    """

    def __init__(
        self, *, first: float = 1.0, longest: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._pause = first
        self._until = clock()
        self._watch = Watch()

    async def released(self) -> None:
        """Wait until something may begin."""
        while (left := self._until - self._clock()) > 0:  # noqa: ASYNC110  # it may be pulled again meanwhile
            await asyncio.sleep(left)

    def saw(self, ended: CorpIdentLink | KfqError) -> None:
        """Take note of how a call ended: pause for what concerns every row, also twenty calls without an answer."""
        advice = self._watch.saw(ended)
        if advice is not None and self._clock() >= self._until:  # others that were under way saw the same
            _log.warning("paused for %g s: %s. %s", self._pause, ended, advice)
            self._until = self._clock() + self._pause
            self._pause = min(2 * self._pause, self._longest)
        elif advice is None and not self._watch.failures:
            self._pause = self._first
