"""How it ended for a row, as whoever asked for it wants to know. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from kfq_async.models.notifications import IdentityStatus
from kfq_async.onboarding.decisions import Action, Ask, Decision
from kfq_async.onboarding.entries import Entry, State

if TYPE_CHECKING:
    from kfq_async.onboarding.rows import Problem

__all__ = ["Ending", "Outcome", "outcome_of"]


class Ending(StrEnum):
    """How it ended for a row."""

    LINKED = "linked"
    """It has its link."""
    REFUSED = "refused"
    """The platform said no."""
    INVALID = "invalid"
    """It was never sent; ``problems`` say why."""
    UNKNOWN = "unknown"
    """It may have been acted on; the same run again asks under the same id, unless ``problems`` say otherwise."""
    PENDING = "pending"
    """Nothing of it was acted on; the same run again asks."""
    REPEATED = "repeated"
    """It is the same as an earlier row, whose outcome is its own."""


_ENDINGS = {
    State.LINKED: Ending.LINKED,
    State.REFUSED: Ending.REFUSED,
    State.UNKNOWN: Ending.UNKNOWN,
    State.UNSENT: Ending.PENDING,
}


_OVER = {
    int(IdentityStatus.WITHDRAWN): "its order was withdrawn, and its next generation has to be opened on purpose",
    int(IdentityStatus.EXPIRED): "its order expired, and its next generation has to be opened on purpose",
}


class Outcome(NamedTuple):
    """How it ended for one row; when it is given out, the ledger has it."""

    number: int
    """Where the row stands in its source."""
    ending: Ending
    asked: bool
    """Whether it was sent in this run; otherwise its end was known before."""
    entry: Entry | None = None
    """What the ledger holds for it; ``None`` for an invalid row."""
    problems: tuple[Problem, ...] = ()
    """What was noticed about it, warnings included."""

    def __repr__(self) -> str:
        """Leave the entry out."""
        return (
            f"{type(self).__name__}(number={self.number}, ending={self.ending!r}, asked={self.asked}, "
            f"problems={self.problems!r})"
        )

    @property
    def order_no(self) -> str | None:
        """Number of the identification order."""
        return self.entry.order_no if self.entry else None

    @property
    def auth_url(self) -> str | None:
        """The link; a secret."""
        return self.entry.auth_url if self.entry else None

    @property
    def reason(self) -> str:
        """Why it is not linked, or what is odd about it, without personal data."""
        told = [str(problem) for problem in sorted(self.problems, key=lambda problem: not problem.fatal)]
        if self.entry is not None and self.entry.words and self.ending is not Ending.LINKED:
            told.insert(0, self.entry.words)
        if self.entry is not None and self.entry.status in _OVER:
            told.insert(0, _OVER[self.entry.status])
        return "; ".join(told)


def outcome_after(ask: Ask, entry: Entry, *, asked: bool) -> Outcome:
    """Return the outcome of a row whose entry is ``entry`` now."""
    ending = Ending.LINKED if entry.state is State.LINKED else _ENDINGS[entry.state]  # enumerations are hashed slowly
    return Outcome(entry.number, ending, asked, entry, ask.problems)


def outcome_of(decision: Decision | Ask) -> Outcome:
    """Return the outcome of a row that is not asked now."""
    entry = decision.before
    ending = _ENDINGS[entry.state] if entry else Ending.PENDING
    if isinstance(decision, Decision) and decision.action is Action.REPEAT:
        ending = Ending.REPEATED
    if isinstance(decision, Decision) and decision.action is Action.INVALID:
        ending, entry = Ending.INVALID, None
    return Outcome(number=decision.number, ending=ending, asked=False, entry=entry, problems=decision.problems)
