"""What is to be done with a row, given what the ledger holds, and what the end of a call makes of an entry. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import attrs
from attrs import frozen

from kfq_async.errors import (
    ApiError,
    EncodeError,
    KfqError,
    NonceError,
    ParameterError,
    Phase,
    ServerError,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
from kfq_async.onboarding.failures import systemic_failure_advice
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.records import OUTCOME_STATUSES, Entry, Outcome, OutcomeStatus, Problem, Row, State
from kfq_async.protocol.codec import encode, to_wire
from kfq_async.protocol.requests import REQUEST_ID, EncodedRequest

if TYPE_CHECKING:
    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.onboarding.records import CallResult

__all__ = [
    "Action",
    "Decision",
    "DecisionContext",
    "PendingRequest",
    "apply_result",
    "bound_to",
    "decide",
    "mark_pending",
    "next_generation",
    "outcome_of",
    "written",
]


def written(request: CorpIdentLinkRequest, request_id: str) -> EncodedRequest:
    """Write ``request`` under this id instead of its own; raises `EncodeError` for what cannot be sent."""
    fields = to_wire(request)
    fields[REQUEST_ID] = request_id  # it is the last field, so the order stays
    return EncodedRequest(encode(fields), request_id)


def bound_to(callbacks: CallbackUrls) -> Callable[[CorpIdentLinkRequest, str], EncodedRequest]:
    """Return a function like `written` that also binds the URLs to the id."""

    def bound(request: CorpIdentLinkRequest, request_id: str) -> EncodedRequest:
        return written(callbacks.bind(attrs.evolve(request, client_request_id=request_id)), request_id)

    return bound


_LINK = re.compile(r"https?://[!-~]{1,4000}")
CHANGED = (
    "its data, or the callback URLs, changed while it is unknown how its request ended; put the old ones back and run "
    "again, or open its next generation on purpose"
)
LINKED_BEFORE = "its data changed after its link was made; the link stands, and a new generation would make another"


class Action(StrEnum):
    """What happens to a row that is not sent."""

    KNOWN = "known"
    """Its end is in the ledger."""
    STOP = "stop"
    """Its data changed while it is unknown whether it was sent."""
    REPEAT = "repeat"
    """An earlier row of the file is the same."""
    INVALID = "invalid"
    """It must not be sent."""


@frozen(kw_only=True)
class Decision:
    """What is done with a row that is not sent."""

    row_number: int
    """Where the row stands in its source."""
    action: Action
    before: Entry | None = None
    """The entry that the ledger had."""
    entry: Entry | None = None
    """The entry as it must stand in the ledger afterwards, if it changes."""
    problems: tuple[Problem, ...] = ()
    """What was noticed, that of the row itself included."""


class PendingRequest(NamedTuple):
    """A row that is sent. A named tuple, since one is made for each company; it does not hold the row any more."""

    before: Entry | None
    """The entry that the ledger had."""
    entry: Entry
    """The entry as it must stand in the ledger before anything is sent."""
    request: EncodedRequest
    """What is sent."""
    in_doubt: bool
    """Whether an earlier run may have sent the same request."""
    problems: tuple[Problem, ...]
    """What was noticed about the row: warnings."""

    @property
    def row_number(self) -> int:
        """Where the row stands in its source."""
        return self.entry.row_number


@frozen(kw_only=True)
class DecisionContext:
    """What decisions depend on besides row and entry."""

    run: int
    hashes: Hashes
    new_id: Callable[[], str]
    now: float
    """Seconds since the epoch."""
    write: Callable[[CorpIdentLinkRequest, str], EncodedRequest] = written
    """Writes a request under an id."""
    retry_refused: bool = False
    """Whether refused rows are asked again, as their next generation."""
    strict: bool = False
    """Whether a repeated row is an error."""


def decide(row: Row, key: bytes | None, before: Entry | None, context: DecisionContext) -> Decision | PendingRequest:
    """Return what is to be done with ``row``, whose hashed key is ``key`` and whose latest generation ``before``."""
    if row.request is None or key is None or row.invalid:
        return _unfit(row, before, context)
    try:
        if before is None:
            return _opened(row, row.request, key, None, context)
        return _known(row, row.request, before, context)
    except EncodeError as problem:
        return _invalid(row, str(problem))


def _known(row: Row, data: CorpIdentLinkRequest, before: Entry, context: DecisionContext) -> Decision | PendingRequest:
    request = context.write(data, before.client_request_id)
    body = context.hashes.body(request.body)
    same = body == before.body_hash
    if before.run == context.run:
        return _repeated(row, before, same=same, strict=context.strict)
    if before.state is State.PENDING or (before.state is State.UNKNOWN and same):
        return PendingRequest(
            before=before,
            entry=before._replace(state=State.UNKNOWN, body_hash=body, row_number=row.row_number, run=context.run),
            request=request,
            in_doubt=before.state is State.UNKNOWN,
            problems=row.problems,
        )
    if before.state is State.REFUSED and (context.retry_refused or not same):
        return _opened(row, data, before.key_hash, before, context)
    action = Action.STOP if before.state is State.UNKNOWN else Action.KNOWN
    words = "" if same else CHANGED if action is Action.STOP else LINKED_BEFORE
    return Decision(
        row_number=row.row_number,
        action=action,
        before=before,
        entry=before._replace(row_number=row.row_number, run=context.run),
        problems=(*row.problems, *([Problem("", words, fatal=action is Action.STOP)] if words else ())),
    )


def _opened(
    row: Row, data: CorpIdentLinkRequest, key: bytes, before: Entry | None, context: DecisionContext
) -> PendingRequest:
    """Ask under a fresh id, for the first generation or the next."""
    request_id = context.new_id()
    request = context.write(data, request_id)
    entry = Entry(
        key_hash=key,
        generation=1 if before is None else before.generation + 1,
        client_request_id=request_id,
        body_hash=context.hashes.body(request.body),
        state=State.UNKNOWN,
        row_number=row.row_number,
        run=context.run,
        label=row.label,
        opened_at=context.now,
    )
    return PendingRequest(before, entry, request, in_doubt=False, problems=row.problems)


def _unfit(row: Row, before: Entry | None, context: DecisionContext) -> Decision:
    """Send nothing, and hide nothing: what was asked before, when the row was in order, stands."""
    actions = {State.LINKED: Action.KNOWN, State.UNKNOWN: Action.STOP}
    if before is None or before.run == context.run or before.state not in actions:
        return Decision(row_number=row.row_number, action=Action.INVALID, problems=row.problems)
    entry = before._replace(row_number=row.row_number, run=context.run)
    return Decision(
        row_number=row.row_number, action=actions[before.state], before=before, entry=entry, problems=row.problems
    )


def _repeated(row: Row, first: Entry, *, same: bool, strict: bool) -> Decision:
    if not same:
        return _invalid(
            row, f"row {first.row_number} is the same company with other data: keep one of them, or name a key"
        )
    words = f"repeats row {first.row_number}, asked once"
    if strict:
        return _invalid(row, words)
    problems = (*row.problems, Problem("", words, fatal=False))
    return Decision(row_number=row.row_number, action=Action.REPEAT, before=first, problems=problems)


def _invalid(row: Row, words: str) -> Decision:
    return Decision(row_number=row.row_number, action=Action.INVALID, problems=(*row.problems, Problem("", words)))


def next_generation(entry: Entry, *, new_id: str, now: float) -> Entry:
    """Return the next generation of a company, which the next run asks for; the old one stays as it is."""
    return Entry(
        key_hash=entry.key_hash,
        generation=entry.generation + 1,
        client_request_id=new_id,
        body_hash=b"",
        row_number=entry.row_number,
        state=State.PENDING,
        label=entry.label,
        opened_at=now,
    )


def mark_pending(entry: Entry, *, in_doubt: bool) -> Entry:
    """Return the entry of a row that was to be asked and was not, because the run ended."""
    return entry if in_doubt else entry._replace(state=State.PENDING)


def apply_result(entry: Entry, end: CallResult, *, in_doubt: bool, now: float) -> Entry:
    """Return the entry after its call ended, with a link or an error.

    ``in_doubt`` says that an earlier call may have been acted on. Doubt wins over everything but a link, and a
    refusal of the request's form, which every copy of it met.
    """
    ended = end.result
    if isinstance(ended, CorpIdentLink) and not _LINK.fullmatch(ended.auth_url):
        # The platform made an order, so it is no refusal; and what is no web address must not reach a spreadsheet.
        ended = UnexpectedResponse("the platform's link is no web address of http or https", http_status=200)
    code: int | None = None
    words: str | None = None
    order_no: str | None = None
    auth_url: str | None = None
    if isinstance(ended, KfqError):
        state, words = _state_after(ended, in_doubt=in_doubt), str(ended.args[0])
        code = ended.code if isinstance(ended, ApiError) else None
    else:
        state, order_no, auth_url = State.LINKED, ended.order_no, ended.auth_url
    return entry.ended(
        state=state,
        order_no=order_no,
        auth_url=auth_url,
        code=code,
        reason=words,
        attempts=end.attempts,
        seconds=end.seconds,
        ended_at=now,
    )


def _state_after(error: KfqError, *, in_doubt: bool) -> State:
    if isinstance(error, ParameterError):
        return State.REFUSED
    if in_doubt or error.phase is Phase.SENT:
        return State.UNKNOWN
    if error.phase is Phase.NOT_SENT or isinstance(error, TooFrequentError) or systemic_failure_advice(error):
        return State.PENDING
    if isinstance(error, ApiError) and not isinstance(error, ServerError | NonceError):
        return State.REFUSED
    return State.UNKNOWN


def outcome_after(ask: PendingRequest, entry: Entry, *, asked: bool) -> Outcome:
    """Return the outcome of a row whose entry is ``entry`` now."""
    ending = (
        OutcomeStatus.LINKED if entry.state is State.LINKED else OUTCOME_STATUSES[entry.state]
    )  # enumerations are hashed slowly
    return Outcome(entry.row_number, ending, asked, entry, ask.problems)


def outcome_of(decision: Decision | PendingRequest) -> Outcome:
    """Return the outcome of a row that is not asked now."""
    entry = decision.before
    ending = OUTCOME_STATUSES[entry.state] if entry else OutcomeStatus.PENDING
    if isinstance(decision, Decision) and decision.action is Action.REPEAT:
        ending = OutcomeStatus.REPEATED
    if isinstance(decision, Decision) and decision.action is Action.INVALID:
        ending, entry = OutcomeStatus.INVALID, None
    return Outcome(row_number=decision.row_number, status=ending, sent=False, entry=entry, problems=decision.problems)
