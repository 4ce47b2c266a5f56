"""What is seen of a run."""

from __future__ import annotations

import io

from rich.console import Console

from kfq_async.cli.onboard.progress import ProgressReporter
from kfq_async.onboarding import Outcome, OutcomeStatus


def outcome(ending: OutcomeStatus, *, asked: bool = True) -> Outcome:
    """Return an outcome of this kind."""
    return Outcome(row_number=1, status=ending, sent=asked)


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time that was set."""
        return self.now


def test_a_line_now_and_then_in_a_file() -> None:
    """Where nobody looks on, a line every half a minute says how far it is and how long it will take."""
    file, clock = io.StringIO(), Clock()
    with ProgressReporter(Console(file=file, width=40), total=100, clock=clock) as progress:
        for clock.now in range(1, 41):
            progress.note(outcome(OutcomeStatus.REFUSED if clock.now == 7 else OutcomeStatus.LINKED))
    assert file.getvalue() == "30 of 100 companies, 1/s, 70 s left: 29 linked, 1 refused\n"
    assert progress.counts == {OutcomeStatus.LINKED: 39, OutcomeStatus.REFUSED: 1}
    assert progress.asked == 40
    assert progress.seconds == 40


def test_without_a_total() -> None:
    """Where the number of rows is not known, neither is the time that is left."""
    file, clock = io.StringIO(), Clock()
    with ProgressReporter(Console(file=file, width=40), total=None, clock=clock) as progress:
        clock.now = 40
        progress.note(outcome(OutcomeStatus.INVALID, asked=False))
    assert file.getvalue() == "1 companies, 0/s: 1 invalid\n"
    assert progress.asked == 0


def test_a_bar_on_a_terminal() -> None:
    """A terminal shows the bar, the rate and the counts."""
    file, clock = io.StringIO(), Clock()
    console = Console(file=file, force_terminal=True, width=200)
    with ProgressReporter(console, total=2, clock=clock) as progress:
        progress.note(outcome(OutcomeStatus.LINKED))
        progress.say("a word")
        clock.now = 1
        progress.note(outcome(OutcomeStatus.UNKNOWN))
    shown = file.getvalue()
    assert "2/2" in shown
    assert "1 linked, 1 unknown" in shown
    assert "a word" in shown
