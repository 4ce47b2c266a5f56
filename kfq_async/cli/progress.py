"""Progress of a run: a bar on a terminal, a line at intervals in a file or pipe."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kfq_async.cli.terminal import print_line
from kfq_async.languages import gettext
from kfq_async.onboarding import Outcome, OutcomeStatus
from kfq_async.onboarding.output.texts import state_text

__all__ = ["ProgressReporter", "format_counts", "join_counts"]

LINE_INTERVAL = 30.0
"""Seconds between two lines if the output is not a terminal."""
REFRESH_INTERVAL = 0.2
"""Seconds between two updates of the counts on a terminal."""


def format_counts(counts: Counter[OutcomeStatus]) -> str:
    """Return the counts as text, in the order of `OutcomeStatus`."""
    return join_counts((state_text(status), counts[status]) for status in OutcomeStatus if counts[status])


def join_counts(counts: Iterable[tuple[str, int]]) -> str:
    """Return names with their counts as text."""
    return gettext(", ").join(gettext("{count} {name}", count=count, name=name) for name, count in counts)


class ProgressReporter:
    """Context manager that counts outcomes and shows them."""

    def __init__(self, console: Console, total: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts: Counter[OutcomeStatus] = Counter()
        """Rows by status."""
        self.sent = 0
        """Rows that were sent in this run."""
        self._console = console
        self._total = total
        self._clock = clock
        self._started_at = self._shown_at = clock()
        self._progress = Progress(
            TextColumn(gettext("companies")),
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
            self._update_bar()
            self._progress.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started_at

    def print_message(self, text: str) -> None:
        """Print a line above the bar."""
        print_line(self._console, text, style="yellow")

    def record(self, outcome: Outcome) -> None:
        """Count an outcome, and show the counts if the interval has passed."""
        self.counts[outcome.status] += 1
        self.sent += outcome.sent
        on_terminal = self._console.is_terminal
        if self._clock() - self._shown_at >= (REFRESH_INTERVAL if on_terminal else LINE_INTERVAL):
            self._shown_at = self._clock()
            if on_terminal:
                self._update_bar()
            else:
                print_line(self._console, self._line())

    def _update_bar(self) -> None:
        self._progress.update(
            self._task, completed=self._done, rate=f"{self._rate:.0f}/s", counts=format_counts(self.counts)
        )

    def _line(self) -> str:
        done, total = self._done, self._total
        values = {"done": done, "total": total, "rate": self._rate, "counts": format_counts(self.counts)}
        if total is None:
            return gettext("{done} companies, {rate:.0f}/s: {counts}", **values)
        if not self._rate:
            return gettext("{done} of {total} companies, {rate:.0f}/s: {counts}", **values)
        left = (total - done) / self._rate
        return gettext("{done} of {total} companies, {rate:.0f}/s, {left:.0f} s left: {counts}", left=left, **values)

    @property
    def _rate(self) -> float:
        return self.sent / max(self.seconds, 0.001)

    @property
    def _done(self) -> int:
        """Rows that no longer need a request; after Ctrl-C, rows that were not sent are reported as pending."""
        return self.counts.total() - self.counts[OutcomeStatus.PENDING]
