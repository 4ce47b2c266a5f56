"""Ctrl-C during ``kfq onboard``: the first one finishes what was sent, the second one stops at once."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from kfq_async.languages import gettext

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.cli.progress import ProgressReporter

__all__ = ["InterruptHandler"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class InterruptHandler:
    """Signal handler: the first Ctrl-C finishes the requests in progress, the second one cancels the run.

    Attributes:
        interrupted: Whether a signal came.
    """

    def __init__(self, progress: ProgressReporter) -> None:
        self.interrupted: bool = False
        """Whether a signal came."""
        self._progress = progress
        self._stop: Callable[[], None] = lambda: None

    def attach(self, stop: Callable[[], None]) -> None:
        """Set the function that stops the run, now that there is one."""
        self._stop = stop
        if self.interrupted:
            stop()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        for number in _SIGNALS:
            with suppress(NotImplementedError):  # on Windows, Ctrl-C ends the process at once
                asyncio.get_running_loop().add_signal_handler(number, self._handle)
        return self

    async def __aexit__(self, *_: object) -> None:
        for number in _SIGNALS:
            with suppress(NotImplementedError):  # as above
                asyncio.get_running_loop().remove_signal_handler(number)

    def _handle(self) -> None:
        if self.interrupted and self._task is not None:
            self._task.cancel()
            return
        self.interrupted = True
        self._stop()
        self._progress.print_message(
            gettext("Finishing the requests in progress. Press Ctrl-C again to stop at once; nothing is lost.")
        )
