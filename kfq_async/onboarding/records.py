"""What a ledger keeps: for each company and generation one entry. Values only, and no person's data."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from attrs import field, frozen

from kfq_async.models.fields import mask
from kfq_async.models.identity import CorpIdentLinkRequest
from kfq_async.models.notifications import IdentityStatus

if TYPE_CHECKING:
    from kfq_async.errors import KfqError
    from kfq_async.models.identity import CorpIdentLink

__all__ = ["ENDED", "FINAL_STATES", "FIXED", "TOLD", "Entry", "Problem", "Row", "State"]


class State(StrEnum):
    """How the request of an entry ended, as far as the ledger knows."""

    UNKNOWN = "unknown"
    """It may have been sent, and how it ended is not known. So it stands from before the first byte leaves until
    an answer is in the ledger, and after a kill. It is asked again under the same id."""
    PENDING = "pending"
    """Certainly nothing of it was acted on. It is asked again under the same id."""
    LINKED = "linked"
    """The platform made an order; ``order_no`` and ``auth_url`` are there."""
    REFUSED = "refused"
    """The platform said no, for good; ``code`` and ``words`` say why."""


FINAL_STATES = frozenset({State.LINKED, State.REFUSED})


class Entry(NamedTuple):
    """One generation of one company: a row of the ledger, in the order of its columns.

    A named tuple, since two are made for each company, and a frozen class takes more than twice as long to make.
    """

    key_hash: bytes
    """Keyed hash of what the company is recognised by; 16 bytes."""
    generation: int
    """From 1 on; the highest one counts, the others are its past."""
    client_request_id: str
    body_hash: bytes
    """Keyed hash of the request's body as it is sent, id included; 16 bytes."""
    row_number: int
    """Where the row stood when the entry was last seen."""
    state: State
    order_no: str | None = None
    auth_url: str | None = None
    code: int | None = None
    """The platform's number of a refusal."""
    reason: str | None = None
    """Why it is refused or unknown, without personal data."""
    attempts: int = 0
    """Requests made for it by its last call."""
    seconds: float | None = None
    """How long its last call took, its waits and repetitions included."""
    ended_at: float | None = None
    """When its last call ended, in seconds since the epoch."""
    run: int = 0
    """The run that saw it last, so that a company that stands twice in a file is noticed."""
    label: str | None = None
    """The part of the key that may be shown."""
    opened_at: float = 0.0
    """When the generation was opened, in seconds since the epoch."""
    status: int | None = None
    """An `IdentityStatus`, as a notification told; set by `Ledger.complete` and by nothing else."""
    status_at: float | None = None
    """When that was told, in seconds since the epoch."""

    def ended(
        self,
        *,
        state: State,
        order_no: str | None,
        auth_url: str | None,
        code: int | None,
        reason: str | None,
        attempts: int,
        seconds: float,
        ended_at: float,
    ) -> Entry:
        """Return the entry after a call; ``_replace`` takes nearly twice as long."""
        end = (state, order_no, auth_url, code, reason, attempts, seconds, ended_at)
        return Entry._make(self[:_END] + end + self[_AFTER_END:])

    def __repr__(self) -> str:
        """Leave the link out, which is a secret."""
        shown = (
            f"{name}={mask(value) if name == 'auth_url' else repr(value)}" for name, value in self._asdict().items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"


FIXED = ("key_hash", "generation", "client_request_id", "label", "opened_at")
"""What never changes while a generation lasts."""
TOLD = ("status", "status_at")
"""What notifications change."""
ENDED = ("state", "order_no", "auth_url", "code", "reason", "attempts", "seconds", "ended_at")
"""What the end of a call changes."""
_END = Entry._fields.index(ENDED[0])
_AFTER_END = _END + len(ENDED)


@frozen
class Problem:
    """What is wrong with a cell; its message never repeats what the cell holds, so they are fit for a log."""

    column: str
    """The heading as it stands in the file, or the name of the field."""
    message: str
    """What is wrong, and what to do."""
    fatal: bool = True
    """Whether the row must not be sent; otherwise it is a warning."""

    def __str__(self) -> str:
        return f"{self.column}: {self.message}" if self.column else self.message


@frozen(kw_only=True)
class Row:
    """One company of a source."""

    row_number: int
    """Where it stands: the spreadsheet's row, the file's line, or the place in an iterator from 1 on."""
    key: str | None = field(repr=mask)
    """What the company is recognised by; ``None`` if the row has nothing of the kind."""
    request: CorpIdentLinkRequest | None
    """What would be sent, without its id, which is the ledger's; ``None`` if the row cannot become a request."""
    label: str | None = None
    """A part of the key that is no person's data and may be shown, as the credit code."""
    problems: tuple[Problem, ...] = ()

    @property
    def invalid(self) -> bool:
        """Whether the row must not be sent."""
        if self.key is None or self.request is None:
            return True
        return bool(self.problems) and any(problem.fatal for problem in self.problems)


class OutcomeStatus(StrEnum):
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


OUTCOME_STATUSES = {
    State.LINKED: OutcomeStatus.LINKED,
    State.REFUSED: OutcomeStatus.REFUSED,
    State.UNKNOWN: OutcomeStatus.UNKNOWN,
    State.PENDING: OutcomeStatus.PENDING,
}


_OVER = {
    int(IdentityStatus.WITHDRAWN): "its order was withdrawn, and its next generation has to be opened on purpose",
    int(IdentityStatus.EXPIRED): "its order expired, and its next generation has to be opened on purpose",
}


class Outcome(NamedTuple):
    """How it ended for one row; when it is given out, the ledger has it."""

    row_number: int
    """Where the row stands in its source."""
    status: OutcomeStatus
    sent: bool
    """Whether it was sent in this run; otherwise its end was known before."""
    entry: Entry | None = None
    """What the ledger holds for it; ``None`` for an invalid row."""
    problems: tuple[Problem, ...] = ()
    """What was noticed about it, warnings included."""

    def __repr__(self) -> str:
        """Leave the entry out."""
        return (
            f"{type(self).__name__}(row_number={self.row_number}, status={self.status!r}, sent={self.sent}, "
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
        if self.entry is not None and self.entry.reason and self.status is not OutcomeStatus.LINKED:
            told.insert(0, self.entry.reason)
        if self.entry is not None and self.entry.status in _OVER:
            told.insert(0, _OVER[self.entry.status])
        return "; ".join(told)


class CallResult(NamedTuple):
    """How a call ended."""

    result: CorpIdentLink | KfqError
    attempts: int
    """Requests made."""
    seconds: float
    """How long it took, its waits and repetitions included."""
