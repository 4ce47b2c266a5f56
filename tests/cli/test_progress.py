"""Progress of a run."""

from __future__ import annotations

import io

from rich.console import Console

from kfq_async.cli.progress import ProgressReporter
from kfq_async.languages import use_language
from kfq_async.onboarding import Outcome, OutcomeStatus


def outcome(status: OutcomeStatus, *, sent: bool = True) -> Outcome:
    """Return an outcome with this status."""
    return Outcome(row_number=1, status=status, sent=sent)


class Clock:
    """Clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.now


def test_lines_in_a_file() -> None:
    """A file gets a line with the counts and the remaining time every 30 seconds."""
    file, clock = io.StringIO(), Clock()
    with ProgressReporter(Console(file=file, width=40), total=100, clock=clock) as progress:
        for clock.now in range(1, 41):
            progress.record(outcome(OutcomeStatus.REFUSED if clock.now == 7 else OutcomeStatus.LINKED))
    assert file.getvalue() == "30 of 100 companies, 1/s, 70 s left: 29 linked, 1 refused\n"
    assert progress.counts == {OutcomeStatus.LINKED: 39, OutcomeStatus.REFUSED: 1}
    assert progress.sent == 40
    assert progress.seconds == 40


def test_without_a_total() -> None:
    """Without a total there is no remaining time."""
    file, clock = io.StringIO(), Clock()
    with ProgressReporter(Console(file=file, width=40), total=None, clock=clock) as progress:
        clock.now = 40
        progress.record(outcome(OutcomeStatus.INVALID, sent=False))
    assert file.getvalue() == "1 companies, 0/s: 1 invalid\n"
    assert progress.sent == 0


def test_nothing_sent() -> None:
    """While nothing was sent, the remaining time is not known."""
    file, clock = io.StringIO(), Clock()
    with ProgressReporter(Console(file=file, width=40), total=3, clock=clock) as progress, use_language("zh"):
        clock.now = 40
        progress.record(outcome(OutcomeStatus.INVALID, sent=False))
    assert file.getvalue() == "企业 1/3，0/s：数据无效 1\n"


def test_bar_on_a_terminal() -> None:
    """A terminal shows the bar, the counts and messages."""
    file, clock = io.StringIO(), Clock()
    console = Console(file=file, force_terminal=True, width=200)
    with ProgressReporter(console, total=2, clock=clock) as progress:
        progress.record(outcome(OutcomeStatus.LINKED))
        progress.print_message("a message")
        clock.now = 1
        progress.record(outcome(OutcomeStatus.UNKNOWN))
    shown = file.getvalue()
    assert "2/2" in shown
    assert "1 linked, 1 unknown" in shown
    assert "a message" in shown
