"""What is seen of a run while it goes: a bar on a terminal, a line now and then in a file."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kfq_async.onboarding import Outcome, OutcomeStatus

__all__ = ["ProgressReporter", "counted"]

EVERY = 30.0
"""Seconds between two lines where the output is no terminal."""
SHOWN = 0.2
"""Seconds between two looks at the counts on a terminal."""


def counted(counts: Counter[OutcomeStatus]) -> str:
    """Write counts, the usual endings first."""
    return ", ".join(f"{counts[ending]} {ending}" for ending in OutcomeStatus if counts[ending])


class ProgressReporter:
    """Counts outcomes and shows them; used in ``with``."""

    def __init__(self, console: Console, total: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[OutcomeStatus] = Counter()
        self.asked = 0
        """Rows that were sent in this run."""
        self._console = console
        self._total = total
        self._clock = clock
        self._began = self._said = clock()
        self._progress = Progress(
            TextColumn("companies"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[counts]}"),
            console=console,
        )
        self._task = self._progress.add_task("companies", total=total, rate="", counts="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._show()
            self._progress.stop()

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return self._clock() - self._began

    def say(self, words: str) -> None:
        """Print a line above the bar."""
        self._console.print(words, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def note(self, outcome: Outcome) -> None:
        """Count one outcome, and show it if it is time."""
        self.counts[outcome.status] += 1
        self.asked += outcome.sent
        terminal = self._console.is_terminal
        if self._clock() - self._said >= (SHOWN if terminal else EVERY):
            self._said = self._clock()
            if terminal:
                self._show()
            else:
                self._console.print(self._line(), markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        self._progress.update(
            self._task, completed=self._done, rate=f"{self._rate():.0f}/s", counts=counted(self.counts)
        )

    def _line(self) -> str:
        done, total = self._done, self._total
        of = "" if total is None else f" of {total}"
        left = "" if total is None or not self._rate() else f", {(total - done) / self._rate():.0f} s left"
        return f"{done}{of} companies, {self._rate():.0f}/s{left}: {counted(self.counts)}"

    def _rate(self) -> float:
        return self.asked / max(self.seconds, 0.001)

    @property
    def _done(self) -> int:
        """Rows that are not to be asked any more; after Ctrl-C, those that were released come as pending."""
        return self.counts.total() - self.counts[OutcomeStatus.PENDING]
