"""Values of an onboarding run: rows and problems of a source, ledger entries, call results and outcomes."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import define, field, frozen, setters

from kfq_async.models.fields import SECRET, as_masked, repr_masked
from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.models.masking import MaskedStr
from kfq_async.models.notifications import IdentityStatus

if TYPE_CHECKING:
    from kfq_async.errors import KfqError

__all__ = [
    "FINAL_STATES",
    "OUTCOME_STATUSES",
    "CallResult",
    "Entry",
    "Outcome",
    "OutcomeStatus",
    "Problem",
    "Row",
    "State",
]


class State(StrEnum):
    """State of an entry's request, as far as the ledger knows.

    Attributes:
        UNKNOWN: May have been sent; the result is not known. Stored just before the first byte is sent, so it is also
            the state of the requests under way after a kill. Retried under the same id.
        PENDING: Certainly not acted on. Sent by the next run, under the same id, with the row's data at that time.
        LINKED: The platform created an order; ``order_no`` and ``auth_url`` are set.
        REFUSED: The platform refused it; ``code`` and ``reason`` say why.
    """

    UNKNOWN = "unknown"
    """May have been sent; the result is not known. Stored just before the first byte is sent, so it is also the state
    of the requests under way after a kill. Retried under the same id."""
    PENDING = "pending"
    """Certainly not acted on. Sent by the next run, under the same id, with the row's data at that time."""
    LINKED = "linked"
    """The platform created an order; ``order_no`` and ``auth_url`` are set."""
    REFUSED = "refused"
    """The platform refused it; ``code`` and ``reason`` say why."""


FINAL_STATES = frozenset({State.LINKED, State.REFUSED})
"""States in which no request is sent under the same id."""


@define(unsafe_hash=True, on_setattr=setters.NO_OP)
class Entry:
    """One generation of one company in the ledger; holds no personal data.

    Not frozen, which would make creating it three times as expensive, and a run creates two for each company; do not
    modify it: a link that is assigned would not be masked.

    Link and label are masked in ``repr``, also by themselves, so that tools that show the variables of a failed
    function do not show them.

    Attributes:
        key_hash: Keyed hash of the company's key, 16 bytes.
        generation: Counted from 1; the highest generation of a company is the current one.
        client_request_id: The id that every request of this generation carries.
        body_hash: Keyed hash of the request's body as sent, id included, 16 bytes; if callback URLs were bound,
            followed by that of the body without them, which tells whether the row's data changed. Empty if there was
            no request yet.
        row_number: Position of the row when it was last seen: spreadsheet row, line, or place in the iterator.
        state: The request's `State`.
        order_no: Number of the identification order; ``None`` unless linked.
        auth_url: The identification link, a secret; ``None`` unless linked.
        code: The platform's error code; ``None`` if it gave none.
        reason: Message of the last call's error; ``None`` if there was none.
        attempts: Attempts made by the last call.
        seconds: Duration of the last call, waits and retries included; ``None`` before the first call.
        ended_at: End of the last call, in seconds since the epoch; ``None`` before the first call.
        run: Number of the run that saw the row last; 0 if none did.
        label: The part of the key that may be shown: a valid credit code, or what the run was told to show; ``None`` if
            there is none.
        opened_at: Time at which the generation was opened, in seconds since the epoch.
        status: An `IdentityStatus` from a notification, set by `Ledger.complete` only; ``None`` if there was none.
        status_at: Time of that notification, in seconds since the epoch.
    """

    key_hash: bytes
    """Keyed hash of the company's key, 16 bytes."""
    generation: int
    """Counted from 1; the highest generation of a company is the current one."""
    client_request_id: str
    """The id that every request of this generation carries."""
    body_hash: bytes
    """Keyed hash of the request's body as sent, id included, 16 bytes; if callback URLs were bound, followed by that of
    the body without them, which tells whether the row's data changed. Empty if there was no request yet."""
    row_number: int
    """Position of the row when it was last seen: spreadsheet row, line, or place in the iterator."""
    state: State
    """The request's `State`."""
    order_no: str | None = None
    """Number of the identification order; ``None`` unless linked."""
    auth_url: str | None = field(default=None, **SECRET)
    """The identification link, a secret; ``None`` unless linked."""
    code: int | None = None
    """The platform's error code; ``None`` if it gave none."""
    reason: str | None = None
    """Message of the last call's error; ``None`` if there was none."""
    attempts: int = 0
    """Attempts made by the last call."""
    seconds: float | None = None
    """Duration of the last call, waits and retries included; ``None`` before the first call."""
    ended_at: float | None = None
    """End of the last call, in seconds since the epoch; ``None`` before the first call."""
    run: int = 0
    """Number of the run that saw the row last; 0 if none did."""
    label: str | None = field(default=None, converter=as_masked)
    """The part of the key that may be shown: a valid credit code, or what the run was told to show; ``None`` if there
    is none."""
    opened_at: float = 0.0
    """Time at which the generation was opened, in seconds since the epoch."""
    status: int | None = None
    """An `IdentityStatus` from a notification, set by `Ledger.complete` only; ``None`` if there was none."""
    status_at: float | None = None
    """Time of that notification, in seconds since the epoch."""

    def with_result(
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
        """Return the entry with the result of a call.

        Each company needs it once, so the fields are passed in their order: ``attrs.evolve`` takes twice as long.
        """
        return Entry(
            self.key_hash,
            self.generation,
            self.client_request_id,
            self.body_hash,
            self.row_number,
            state,
            order_no,
            auth_url,
            code,
            reason,
            attempts,
            seconds,
            ended_at,
            self.run,
            self.label,
            self.opened_at,
            self.status,
            self.status_at,
        )


@frozen
class Problem:
    """A defect of a row, or a warning about it.

    Attributes:
        column: The heading as written in the file, or the name of the field; empty if the whole row is meant.
        message: The defect and its remedy. It never repeats the cell's content, so it may be logged.
        fatal: Whether the row must not be sent; ``False`` makes it a warning.
    """

    column: str
    """The heading as written in the file, or the name of the field; empty if the whole row is meant."""
    message: str
    """The defect and its remedy. It never repeats the cell's content, so it may be logged."""
    fatal: bool = True
    """Whether the row must not be sent; ``False`` makes it a warning."""

    def __str__(self) -> str:
        return f"{self.column}: {self.message}" if self.column else self.message


def _as_masked_texts(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(MaskedStr, texts))


@frozen(kw_only=True)
class Row:
    """One company of a source.

    Attributes:
        row_number: Its position: the spreadsheet's row, the file's line, or the place in an iterator, counted from 1.
        key: Text that identifies the company between runs; ``None`` if the row has none, which makes it invalid.
        request: The request without its id, which the ledger assigns; ``None`` if the row cannot become a request,
            which makes it invalid.
        label: The part of the key that may be shown: a valid credit code, or what the source was told to show.
        problems: Defects and warnings found while reading the row.
        former_keys: Keys under which ledgers of earlier versions of the package may hold the company.
        invalid: Whether the row must not be sent.
    """

    row_number: int
    """Its position: the spreadsheet's row, the file's line, or the place in an iterator, counted from 1."""
    key: str | None = field(converter=as_masked)
    """Text that identifies the company between runs; ``None`` if the row has none, which makes it invalid."""
    request: CorpIdentLinkRequest | None = field(repr=repr_masked)
    """The request without its id, which the ledger assigns; ``None`` if the row cannot become a request, which makes it
    invalid."""
    label: str | None = field(default=None, converter=as_masked)
    """The part of the key that may be shown: a valid credit code, or what the source was told to show."""
    problems: tuple[Problem, ...] = ()
    """Defects and warnings found while reading the row."""
    former_keys: tuple[str, ...] = field(default=(), converter=_as_masked_texts, repr=repr_masked)
    """Keys under which ledgers of earlier versions of the package may hold the company."""

    @property
    def invalid(self) -> bool:
        """Whether the row must not be sent."""
        if self.key is None or self.request is None:
            return True
        return bool(self.problems) and any(problem.fatal for problem in self.problems)


class OutcomeStatus(StrEnum):
    """Status of one row after a run.

    Attributes:
        LINKED: It has its link.
        REFUSED: The platform refused it.
        INVALID: It was not sent; ``problems`` say why.
        UNKNOWN: It may have been acted on. The next run retries it under the same id, unless ``problems`` say
            otherwise.
        PENDING: It was not acted on. The next run sends it.
        DUPLICATE: An earlier row is the same company with the same data; the outcome is that row's.
    """

    LINKED = "linked"
    """It has its link."""
    REFUSED = "refused"
    """The platform refused it."""
    INVALID = "invalid"
    """It was not sent; ``problems`` say why."""
    UNKNOWN = "unknown"
    """It may have been acted on. The next run retries it under the same id, unless ``problems`` say otherwise."""
    PENDING = "pending"
    """It was not acted on. The next run sends it."""
    DUPLICATE = "duplicate"
    """An earlier row is the same company with the same data; the outcome is that row's."""


OUTCOME_STATUSES = {
    State.LINKED: OutcomeStatus.LINKED,
    State.REFUSED: OutcomeStatus.REFUSED,
    State.UNKNOWN: OutcomeStatus.UNKNOWN,
    State.PENDING: OutcomeStatus.PENDING,
}


_ORDER_ENDED = {
    int(IdentityStatus.WITHDRAWN): (
        "its order was withdrawn: run `kfq onboard reissue LEDGER --withdrawn` for a new link"
    ),
    int(IdentityStatus.EXPIRED): "its order expired: run `kfq onboard reissue LEDGER --expired` for a new link",
}


@define(kw_only=True, unsafe_hash=True)
class Outcome:
    """Result of one row; it is in the ledger before it is returned. Not frozen, as `Entry`; do not modify it.

    Attributes:
        row_number: Position of the row in its source.
        status: The row's `OutcomeStatus`.
        sent: Whether this run sent the row's request; ``False`` if the result was known before, or nothing was sent,
            such as without a connection.
        entry: The ledger's entry for the row; ``None`` for an invalid row, and for one that the ledger lacks.
        problems: Defects and warnings.
        order_no: Number of the identification order; ``None`` if there is none.
        auth_url: The link, a secret; ``None`` if there is none.
        reason: The reason why the row is not linked, or its warnings, without personal data; may be empty.
        reasons: The parts of ``reason``: the column, empty if the whole row is meant, and a message without it.
    """

    row_number: int
    """Position of the row in its source."""
    status: OutcomeStatus
    """The row's `OutcomeStatus`."""
    sent: bool
    """Whether this run sent the row's request; ``False`` if the result was known before, or nothing was sent, such as
    without a connection."""
    entry: Entry | None = field(default=None, repr=False)
    """The ledger's entry for the row; ``None`` for an invalid row, and for one that the ledger lacks."""
    problems: tuple[Problem, ...] = ()
    """Defects and warnings."""

    @property
    def order_no(self) -> str | None:
        """Number of the identification order; ``None`` if there is none."""
        return self.entry.order_no if self.entry else None

    @property
    def auth_url(self) -> str | None:
        """The link, a secret; ``None`` if there is none."""
        return self.entry.auth_url if self.entry else None

    @property
    def reason(self) -> str:
        """The reason why the row is not linked, or its warnings, without personal data; may be empty."""
        return "; ".join(f"{column}: {message}" if column else message for column, message in self.reasons)

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """The parts of ``reason``: the column, empty if the whole row is meant, and a message without it."""
        fatal_first = sorted(self.problems, key=lambda problem: not problem.fatal)
        reasons = [(problem.column, problem.message) for problem in fatal_first]
        if self.entry is not None and self.entry.reason and self.status is not OutcomeStatus.LINKED:
            reasons.insert(0, ("", self.entry.reason))
        if self.entry is not None and self.entry.status in _ORDER_ENDED:
            reasons.insert(0, ("", _ORDER_ENDED[self.entry.status]))
        return reasons


@define(eq=False, kw_only=True)
class CallResult:
    """Result of one call. Not frozen, which would double the cost of creating it; do not modify it."""

    result: CorpIdentLink | KfqError
    """The link, or the error that the call raised."""
    attempts: int
    """Attempts made."""
    seconds: float
    """Duration, waits and retries included."""
