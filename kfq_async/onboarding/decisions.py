"""Decisions on rows given their ledger entries, and the results of calls applied to entries. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import define, evolve, field, frozen

from kfq_async.callbacks.urls import CallbackUrls
from kfq_async.errors import (
    ApiError,
    ConnectError,
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
from kfq_async.onboarding.ledgers.base import HASH_BYTES, Hashes
from kfq_async.onboarding.records import OUTCOME_STATUSES, Entry, Outcome, OutcomeStatus, Problem, Row, State
from kfq_async.protocol.codec import encode, to_wire
from kfq_async.protocol.requests import REQUEST_ID, EncodedRequest

if TYPE_CHECKING:
    from kfq_async.onboarding.records import CallResult

__all__ = [
    "Decision",
    "DecisionContext",
    "PendingRequest",
    "SkipReason",
    "apply_result",
    "decide",
    "encode_request",
    "next_generation",
    "outcome_from_decision",
    "outcome_from_entry",
]

_LINK = re.compile(r"https?://[!-~]{1,4000}")
_REISSUE_UNKNOWN = "or run `kfq onboard reissue LEDGER --key KEY --even-unknown`, which may lead to a second order"
CHANGED_WHILE_UNKNOWN = (
    "its data changed while the result of its request is unknown: restore the data and run again, " + _REISSUE_UNKNOWN
)
CALLBACKS_CHANGED_WHILE_UNKNOWN = (
    "the callback URLs or their secret changed while the result of its request is unknown: give the former ones again, "
    "the former secret after the new one (KFQ_CALLBACK_SECRET=NEW,FORMER), and run again, " + _REISSUE_UNKNOWN
)
CHANGED_AFTER_LINK = (
    "its data changed after its link was issued, and the link is kept: run `kfq onboard reissue LEDGER --key KEY` for "
    "a new order"
)


def encode_request(request: CorpIdentLinkRequest, request_id: str) -> EncodedRequest:
    """Encode ``request`` under this id instead of its own; raise `EncodeError` if it cannot be written as JSON."""
    fields = to_wire(request)
    fields[REQUEST_ID] = request_id  # the last field either way, so the bytes are those of a request with this id
    return EncodedRequest(encode(fields), request_id)


class SkipReason(StrEnum):
    """Reason why a row is not sent."""

    RECORDED = "recorded"
    """The ledger has its result."""
    CONFLICT = "conflict"
    """It no longer matches its request, whose result is unknown."""
    DUPLICATE = "duplicate"
    """An earlier row is the same company with the same data."""
    INVALID = "invalid"
    """It must not be sent."""


@frozen(kw_only=True)
class Decision:
    """A row that is not sent."""

    row_number: int
    """Position of the row in its source."""
    reason: SkipReason
    before: Entry | None = field(default=None, repr=False)
    """The ledger's present entry."""
    entry: Entry | None = field(default=None, repr=False)
    """The entry to be written, if it changes."""
    problems: tuple[Problem, ...] = ()
    """Defects and warnings, those of the row included."""


@define(eq=False, kw_only=True)
class PendingRequest:
    """A row that is to be sent. It does not refer to the row, so that memory is freed.

    Not frozen, which would double the cost of creating it; do not modify it.
    """

    before: Entry | None = field(repr=False)
    """The ledger's present entry."""
    entry: Entry = field(repr=False)
    """The entry to be written: pending, or unknown if ``in_doubt``; it becomes unknown just before it is sent."""
    request: EncodedRequest
    in_doubt: bool
    """Whether an earlier run may have sent the same request."""
    problems: tuple[Problem, ...]
    """Warnings about the row."""

    @property
    def row_number(self) -> int:
        """Position of the row in its source."""
        return self.entry.row_number


@frozen(kw_only=True)
class DecisionContext:
    """Inputs of a decision besides row and entry."""

    run: int
    hashes: Hashes
    new_id: Callable[[], str]
    now: float
    """Seconds since the epoch."""
    callbacks: CallbackUrls | None = None
    """Binds the callback URLs of requests."""
    earlier_callbacks: Sequence[CallbackUrls] = ()
    """Those that requests whose result is unknown may have been sent with."""
    retry_refused: bool = False
    """Whether refused rows are sent as their next generation."""
    strict: bool = False
    """Whether a duplicate row is invalid."""


def decide(row: Row, key: bytes | None, before: Entry | None, context: DecisionContext) -> Decision | PendingRequest:
    """Decide on ``row``, given its hashed ``key`` and the entry of its current generation."""
    if row.request is None or key is None or row.invalid:
        return _decide_invalid(row, before, context)
    try:
        if before is None:
            return _new_generation(row, row.request, key, None, context)
        return _decide_known(row, row.request, before, context)
    except EncodeError as problem:
        return _invalid(row, str(problem))


def _decide_known(
    row: Row, data: CorpIdentLinkRequest, before: Entry, context: DecisionContext
) -> Decision | PendingRequest:
    request, body_hash = _encode(data, before.client_request_id, context)
    same = _same_data(before.body_hash, body_hash)
    if before.run == context.run:
        return _duplicate(row, before, same=same, strict=context.strict)
    entry = evolve(before, row_number=row.row_number, run=context.run)
    if before.state is State.PENDING:
        return _pending_request(row, before, evolve(entry, body_hash=body_hash), request)
    if before.state is State.UNKNOWN and (sent := _repeat(data, before, request, context)) is not None:
        return _pending_request(row, before, entry, sent)
    if before.state is State.REFUSED and (context.retry_refused or not same):
        return _new_generation(row, data, before.key_hash, before, context)
    if before.state is State.UNKNOWN:
        changed = Problem("", CALLBACKS_CHANGED_WHILE_UNKNOWN if same else CHANGED_WHILE_UNKNOWN)
        return _skip(row, SkipReason.CONFLICT, before, entry, changed)
    if same:
        return _skip(row, SkipReason.RECORDED, before, entry)
    return _skip(row, SkipReason.RECORDED, before, entry, Problem("", CHANGED_AFTER_LINK, fatal=False))


def _encode(data: CorpIdentLinkRequest, request_id: str, context: DecisionContext) -> tuple[EncodedRequest, bytes]:
    """Return a row's request under this id, and the hashes that its entry keeps of it; see `Entry.body_hash`."""
    plain = encode_request(data, request_id)
    data_hash = context.hashes.body(plain.body)
    if context.callbacks is None:
        return plain, data_hash
    bound = _bind(data, request_id, context.callbacks)
    return bound, context.hashes.body(bound.body) + data_hash


def _bind(data: CorpIdentLinkRequest, request_id: str, callbacks: CallbackUrls) -> EncodedRequest:
    return encode_request(callbacks.bind(evolve(data, client_request_id=request_id)), request_id)


def _same_data(before: bytes, now: bytes) -> bool:
    """Return whether two values of `Entry.body_hash` are of the same data, whatever the callback URLs.

    Earlier versions kept no hash of the data alone, so their bodies are compared as they were sent.
    """
    return before[-HASH_BYTES:] == now[-HASH_BYTES:] or before[:HASH_BYTES] == now[:HASH_BYTES]


def _repeat(
    data: CorpIdentLinkRequest, before: Entry, request: EncodedRequest, context: DecisionContext
) -> EncodedRequest | None:
    """Return the request as it may have been sent before, byte for byte, or ``None`` if that cannot be made of it."""
    sent = before.body_hash[:HASH_BYTES]
    if context.hashes.body(request.body) == sent:
        return request
    candidates = [_bind(data, before.client_request_id, each) for each in context.earlier_callbacks]
    candidates.append(encode_request(data, before.client_request_id))
    return next((each for each in candidates if context.hashes.body(each.body) == sent), None)


def _pending_request(row: Row, before: Entry, entry: Entry, request: EncodedRequest) -> PendingRequest:
    return PendingRequest(
        before=before,
        entry=entry,
        request=request,
        in_doubt=before.state is State.UNKNOWN,
        problems=row.problems,
    )


def _skip(row: Row, reason: SkipReason, before: Entry, entry: Entry, *changed: Problem) -> Decision:
    problems = (*row.problems, *changed)
    return Decision(row_number=row.row_number, reason=reason, before=before, entry=entry, problems=problems)


def _new_generation(
    row: Row, data: CorpIdentLinkRequest, key: bytes, before: Entry | None, context: DecisionContext
) -> PendingRequest:
    """Send the row under a fresh id, as its first generation or the next."""
    request_id = context.new_id()
    request, body_hash = _encode(data, request_id, context)
    entry = Entry(
        key_hash=key,
        generation=1 if before is None else before.generation + 1,
        client_request_id=request_id,
        body_hash=body_hash,
        state=State.PENDING,
        row_number=row.row_number,
        run=context.run,
        label=row.label,
        opened_at=context.now,
    )
    return PendingRequest(before=before, entry=entry, request=request, in_doubt=False, problems=row.problems)


def _decide_invalid(row: Row, before: Entry | None, context: DecisionContext) -> Decision:
    """Skip a row that must not be sent, but keep the link or the unknown result from a time when it was valid."""
    reasons = {State.LINKED: SkipReason.RECORDED, State.UNKNOWN: SkipReason.CONFLICT}
    if before is None or before.run == context.run or before.state not in reasons:
        return Decision(row_number=row.row_number, reason=SkipReason.INVALID, problems=row.problems)
    entry = evolve(before, row_number=row.row_number, run=context.run)
    return Decision(
        row_number=row.row_number, reason=reasons[before.state], before=before, entry=entry, problems=row.problems
    )


def _duplicate(row: Row, first: Entry, *, same: bool, strict: bool) -> Decision:
    if not same:
        return _invalid(
            row,
            f"same company as row {first.row_number} with other data: delete one of the rows, or choose a key column",
        )
    message = f"duplicate of row {first.row_number}, which is sent once"
    if strict:
        return _invalid(row, message)
    problems = (*row.problems, Problem("", message, fatal=False))
    return Decision(row_number=row.row_number, reason=SkipReason.DUPLICATE, before=first, problems=problems)


def _invalid(row: Row, message: str) -> Decision:
    problems = (*row.problems, Problem("", message))
    return Decision(row_number=row.row_number, reason=SkipReason.INVALID, problems=problems)


def next_generation(entry: Entry, *, new_id: str, now: float) -> Entry:
    """Return the next generation of a company, which the next run sends; ``entry`` itself stays as it is."""
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


def apply_result(entry: Entry, call: CallResult, *, in_doubt: bool, now: float) -> Entry:
    """Return the entry with the result of its call, a link or an error.

    ``in_doubt`` says that an earlier call with the same request may have been acted on. The entry then stays unknown,
    unless this call returns a link or a `ParameterError`, which the earlier call must have met too.
    """
    result = call.result
    if isinstance(result, CorpIdentLink) and not _LINK.fullmatch(result.auth_url):
        # The platform created an order, so this is not a refusal; only a web address may reach a spreadsheet.
        result = UnexpectedResponse("the platform's link is not an http or https URL", http_status=200)
    code: int | None = None
    reason: str | None = None
    order_no: str | None = None
    auth_url: str | None = None
    if isinstance(result, KfqError):
        state, reason = _state_after(result, in_doubt=in_doubt), str(result.args[0])
        if state is State.UNKNOWN and (in_doubt or _follows_doubt(result)):
            reason = f"an earlier attempt may have been executed; last error: {reason}"
        code = result.code if isinstance(result, ApiError) else None
    else:
        state, order_no, auth_url = State.LINKED, result.order_no, result.auth_url
    return entry.with_result(
        state=state,
        order_no=order_no,
        auth_url=auth_url,
        code=code,
        reason=reason,
        attempts=call.attempts,
        seconds=call.seconds,
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


def _follows_doubt(error: KfqError) -> bool:
    """Return whether an error that tells that nothing was done is not about the attempt that may have been executed."""
    return error.phase is Phase.SENT and isinstance(error, ApiError | ConnectError)


def outcome_from_entry(pending: PendingRequest, entry: Entry, *, sent: bool) -> Outcome:
    """Return the outcome of a row whose entry is ``entry`` after the run; ``sent`` as in `Outcome`."""
    linked = entry.state is State.LINKED  # enumerations hash slowly, and most rows are linked
    return Outcome(
        row_number=entry.row_number,
        status=OutcomeStatus.LINKED if linked else OUTCOME_STATUSES[entry.state],
        sent=sent,
        entry=entry,
        problems=pending.problems,
    )


def outcome_from_decision(decision: Decision | PendingRequest) -> Outcome:
    """Return the outcome of a row that is not sent, or not yet."""
    entry = decision.before
    status = OUTCOME_STATUSES[entry.state] if entry else OutcomeStatus.PENDING
    if isinstance(decision, Decision) and decision.reason is SkipReason.DUPLICATE:
        status = OutcomeStatus.DUPLICATE
    if isinstance(decision, Decision) and decision.reason is SkipReason.INVALID:
        status, entry = OutcomeStatus.INVALID, None
    return Outcome(row_number=decision.row_number, status=status, sent=False, entry=entry, problems=decision.problems)
