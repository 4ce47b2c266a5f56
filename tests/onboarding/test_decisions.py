"""Decisions on rows by state, data and options, and the results of calls applied to entries."""

from __future__ import annotations

from itertools import count

import pytest
from attrs import evolve

from companies import PERSONAL, request, row
from kfq_async import (
    ApiError,
    BusinessError,
    CallbackUrls,
    ConnectError,
    ConnectionLost,
    CorpIdentLink,
    CredentialsError,
    DecodeError,
    EncodeError,
    GatewayError,
    KfqError,
    NonceError,
    ParameterError,
    Phase,
    ServerError,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.onboarding.decisions import (
    Decision,
    DecisionContext,
    PendingRequest,
    SkipReason,
    apply_result,
    decide,
    encode_request,
    next_generation,
    outcome_from_decision,
    outcome_from_entry,
)
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.records import CallResult, Entry, Outcome, OutcomeStatus, Problem, Row, State
from kfq_async.protocol.codec import encode, to_wire
from kfq_async.protocol.requests import EncodedRequest

HASHES = Hashes(bytes(32))


def context(run: int = 1, *, retry_refused: bool = False, strict: bool = False) -> DecisionContext:
    """Return a context whose ids count up from ten times the run's number."""
    numbers = count(run * 10)
    return DecisionContext(
        run=run,
        hashes=HASHES,
        new_id=lambda: f"id-{next(numbers)}",
        now=1000.0,
        retry_refused=retry_refused,
        strict=strict,
    )


def decide_on(data: Row, before: Entry | None, context: DecisionContext) -> Decision | PendingRequest:
    """Decide on a row with the hash of its key."""
    return decide(data, None if data.key is None else HASHES.key(data.key), before, context)


def sent_entry() -> Entry:
    """Return the entry of the first row, sent in run 1."""
    decision = decide_on(row(), None, context())
    assert isinstance(decision, PendingRequest)
    return evolve(decision.entry, state=State.UNKNOWN)


def test_new_row() -> None:
    """A company that the ledger lacks is sent under a fresh id, and is pending until just before."""
    data = row(5)
    decision = decide_on(data, None, context())
    assert isinstance(decision, PendingRequest)
    assert data.request is not None
    assert decision.request == encode_request(data.request, "id-10")
    assert decision.entry == Entry(
        key_hash=HASHES.key(data.key or ""),
        generation=1,
        client_request_id="id-10",
        body_hash=HASHES.body(decision.request.body),
        state=State.PENDING,
        row_number=7,
        run=1,
        label="C5",
        opened_at=1000.0,
    )
    assert not decision.in_doubt


def test_pending_request_repr() -> None:
    """A pending request may be logged: it shows no personal data and no former link."""
    before = evolve(sent_entry(), state=State.REFUSED, auth_url="https://secret.example")
    shown = repr(decide_on(row(), before, context(2, retry_refused=True)))
    assert "client_request_id='id-20'" in shown
    for personal in (*PERSONAL, "secret.example"):
        assert personal not in shown


@pytest.mark.parametrize(
    ("state", "changed", "retry_refused", "reason", "generation", "message"),
    [
        (State.UNKNOWN, False, False, None, 1, ""),
        (
            State.UNKNOWN,
            True,
            False,
            SkipReason.CONFLICT,
            1,
            "restore the data and run again, or run `kfq onboard reissue",
        ),
        (
            State.UNKNOWN,
            True,
            True,
            SkipReason.CONFLICT,
            1,
            "restore the data and run again, or run `kfq onboard reissue",
        ),
        (State.PENDING, False, False, None, 1, ""),
        (State.PENDING, True, False, None, 1, ""),
        (State.LINKED, False, False, SkipReason.RECORDED, 1, ""),
        (State.LINKED, True, True, SkipReason.RECORDED, 1, "the link is kept"),
        (State.REFUSED, False, False, SkipReason.RECORDED, 1, ""),
        (State.REFUSED, False, True, None, 2, ""),
        (State.REFUSED, True, False, None, 2, ""),
    ],
)
def test_known_row(
    *, state: State, changed: bool, retry_refused: bool, reason: SkipReason | None, generation: int, message: str
) -> None:
    """One id per row and generation, the next generation only after a refusal; without a reason the row is sent."""
    before = evolve(sent_entry(), state=state)
    decision = decide_on(row(name="改名" if changed else None), before, context(2, retry_refused=retry_refused))
    assert decision.entry is not None
    assert decision.entry.generation == generation
    assert (decision.entry.client_request_id == before.client_request_id) is (generation == 1)
    assert decision.entry.run == 2
    assert (None if isinstance(decision, PendingRequest) else decision.reason) is reason
    if isinstance(decision, PendingRequest):
        assert decision.in_doubt is (state is State.UNKNOWN)
        assert decision.entry.state is (State.UNKNOWN if decision.in_doubt else State.PENDING)
        assert decision.request.client_request_id == decision.entry.client_request_id
        assert decision.entry.body_hash == HASHES.body(decision.request.body)
    assert message in " ".join(map(str, decision.problems))
    assert bool(decision.problems) is bool(message)


def test_moved_row() -> None:
    """A file may be sorted between runs: the company keeps its id, and its new position is stored."""
    before = evolve(sent_entry(), state=State.LINKED)
    decision = decide_on(evolve(row(), row_number=99), before, context(2))
    assert decision.entry == evolve(before, row_number=99, run=2)


@pytest.mark.parametrize(
    ("name", "strict", "reason", "message"),
    [
        (None, False, SkipReason.DUPLICATE, "duplicate of row 2, which is sent once"),
        (None, True, SkipReason.INVALID, "duplicate of row 2, which is sent once"),
        ("另一家", False, SkipReason.INVALID, "same company as row 2 with other data"),
    ],
)
def test_duplicate_row(*, name: str | None, strict: bool, reason: SkipReason, message: str) -> None:
    """The second row of a company is not sent; with other data, or if strict, it is invalid."""
    second = evolve(row(name=name), row_number=8)
    decision = decide_on(second, sent_entry(), context(strict=strict))
    assert isinstance(decision, Decision)
    assert (decision.reason, decision.entry) == (reason, None)
    assert message in str(decision.problems[-1])


@pytest.mark.parametrize(
    "broken",
    [
        evolve(row(), key=None),
        evolve(row(), request=None),
        evolve(row(), problems=(Problem("信用代码", "is wrong"),)),
    ],
)
def test_invalid_row(broken: Row) -> None:
    """Without key or request, or with a fatal problem, a row is invalid unless it is linked or unknown."""
    for before in (None, *(evolve(sent_entry(), state=state) for state in (State.PENDING, State.REFUSED))):
        decision = decide_on(broken, before, context(2))
        assert decision == Decision(row_number=broken.row_number, reason=SkipReason.INVALID, problems=broken.problems)


@pytest.mark.parametrize(
    ("state", "reason"), [(State.LINKED, SkipReason.RECORDED), (State.UNKNOWN, SkipReason.CONFLICT)]
)
def test_row_became_invalid(state: State, reason: SkipReason) -> None:
    """A row that has become invalid keeps its link, or stays unknown, and names its problems."""
    broken = evolve(row(), problems=(Problem("信用代码", "is wrong"),), row_number=9)
    before = evolve(sent_entry(), state=state)
    decision = decide_on(broken, before, context(2))
    assert decision == Decision(
        row_number=broken.row_number,
        reason=reason,
        before=before,
        entry=evolve(before, row_number=9, run=2),
        problems=broken.problems,
    )
    assert decide_on(broken, before, context(1)) == Decision(
        row_number=broken.row_number, reason=SkipReason.INVALID, problems=broken.problems
    )


def test_warning() -> None:
    """A row with a warning is sent, and keeps the warning."""
    problem = Problem("信用代码", "is odd", fatal=False)
    decision = decide_on(evolve(row(), problems=(problem,)), None, context())
    assert isinstance(decision, PendingRequest)
    assert decision.problems == (problem,)


def test_unencodable_row() -> None:
    """A row that JSON cannot carry is invalid; the message names the field and not its content."""
    decision = decide_on(row(name="公\ud800司"), None, context())
    assert isinstance(decision, Decision)
    assert decision.reason is SkipReason.INVALID
    assert "$.corpIdentInfo.companyName" in str(decision.problems[-1])
    assert "公" not in str(decision.problems[-1])


def test_next_generation() -> None:
    """A reissued generation is sent by the next run under its id, whatever the row's data is now."""
    old = evolve(sent_entry(), state=State.LINKED, order_no="O1", auth_url="https://x", status=4, status_at=9.0)
    opened = next_generation(old, new_id="id-new", now=2000.0)
    assert (opened.generation, opened.client_request_id, opened.state) == (2, "id-new", State.PENDING)
    assert (opened.order_no, opened.auth_url, opened.status) == (None, None, None)
    decision = decide_on(row(), opened, context(2))
    assert isinstance(decision, PendingRequest)
    assert (decision.entry.generation, decision.entry.client_request_id) == (2, "id-new")


def test_apply_link() -> None:
    """A link outweighs doubt, and replaces an earlier error."""
    before = evolve(sent_entry(), code=31000, reason="x", status=2, status_at=9.0)
    call = CallResult(result=CorpIdentLink(order_no="O1", auth_url="https://x"), attempts=2, seconds=0.5)
    assert apply_result(before, call, in_doubt=True, now=1001.0) == evolve(
        before,
        state=State.LINKED,
        order_no="O1",
        auth_url="https://x",
        code=None,
        reason=None,
        attempts=2,
        seconds=0.5,
        ended_at=1001.0,
    )


@pytest.mark.parametrize("auth_url", ["", "javascript:alert(1)", "https://", "https://x y", "https://" + "x" * 5000])
def test_apply_unusable_link(auth_url: str) -> None:
    """An order whose link is not a web address makes the row unknown: it is neither linked nor refused."""
    link = CorpIdentLink(order_no="O1", auth_url=auth_url)
    entry = apply_result(sent_entry(), CallResult(result=link, attempts=1, seconds=0.1), in_doubt=False, now=1001.0)
    assert (entry.state, entry.auth_url) == (State.UNKNOWN, None)
    assert "not an http or https URL" in (entry.reason or "")


def api(kind: type[ApiError], code: int = 31000, *, phase: Phase = Phase.ANSWERED) -> ApiError:
    """Return an error response from the platform."""
    error = kind(code, "平台的话", http_status=200)
    error.phase = phase
    return error


def connect_error_after_doubt() -> ConnectError:
    """Return the error of a last attempt, before which another one was lost."""
    error = ConnectError("x")
    error.phase = Phase.SENT
    return error


@pytest.mark.parametrize(
    ("error", "state", "after_doubt"),
    [
        (ConnectError("x"), State.PENDING, State.UNKNOWN),
        (connect_error_after_doubt(), State.UNKNOWN, State.UNKNOWN),
        (ConnectionLost("x", phase=Phase.SENT), State.UNKNOWN, State.UNKNOWN),
        (GatewayError(502), State.UNKNOWN, State.UNKNOWN),
        (DecodeError(("x",)), State.UNKNOWN, State.UNKNOWN),
        (UnexpectedResponse("x", http_status=200), State.UNKNOWN, State.UNKNOWN),
        (UnexpectedResponse("x", http_status=404, phase=Phase.ANSWERED), State.PENDING, State.UNKNOWN),
        (UnexpectedResponse("x", http_status=413, phase=Phase.ANSWERED), State.UNKNOWN, State.UNKNOWN),
        (api(BusinessError), State.REFUSED, State.UNKNOWN),
        (api(BusinessError, phase=Phase.SENT), State.UNKNOWN, State.UNKNOWN),
        (api(ParameterError), State.REFUSED, State.REFUSED),
        (api(ParameterError, phase=Phase.SENT), State.REFUSED, State.REFUSED),
        (api(TooFrequentError), State.PENDING, State.UNKNOWN),
        (api(TooFrequentError, phase=Phase.SENT), State.UNKNOWN, State.UNKNOWN),
        (api(ServerError), State.UNKNOWN, State.UNKNOWN),
        (api(NonceError), State.UNKNOWN, State.UNKNOWN),
        (api(CredentialsError), State.PENDING, State.UNKNOWN),
        (api(BusinessError, 41003), State.PENDING, State.UNKNOWN),
        (api(ApiError), State.REFUSED, State.UNKNOWN),
    ],
)
def test_apply_error(error: KfqError, state: State, after_doubt: State) -> None:
    """Doubt outweighs errors, of this call and of earlier ones, except a refusal of the request's form."""
    for in_doubt, expected in ((False, state), (True, after_doubt)):
        entry = apply_result(
            sent_entry(), CallResult(result=error, attempts=1, seconds=0.1), in_doubt=in_doubt, now=1001.0
        )
        assert entry.state is expected
        earlier = "an earlier attempt may have been executed; last error: "
        follows = isinstance(error, ApiError | ConnectError) and error.phase is Phase.SENT
        doubt = expected is State.UNKNOWN and (in_doubt or follows)
        assert entry.reason == f"{earlier if doubt else ''}{error.args[0]}"
        assert entry.code == getattr(error, "code", None)


@pytest.mark.parametrize("own", [None, "its own"])
def test_encode_request(own: str | None) -> None:
    """The bytes are those of a request with this id, whatever id it has."""
    before = evolve(request(), client_request_id=own)
    expected = to_wire(evolve(before, client_request_id="id-1"))
    assert encode_request(before, "id-1") == EncodedRequest(encode(expected), "id-1")
    assert before.client_request_id == own


SECRET, OTHER_SECRET = b"s" * 32, b"o" * 32


def urls(host: str = "shop.example", secret: bytes = SECRET) -> CallbackUrls:
    """Return callback URLs at a host."""
    return CallbackUrls([secret], page=f"https://{host}/done", notify=f"https://{host}/hooks")


def bound(callbacks: CallbackUrls | None, *earlier: CallbackUrls, run: int = 2) -> DecisionContext:
    """Return a context with these callback URLs."""
    return evolve(context(run), callbacks=callbacks, earlier_callbacks=earlier)


def sent_with(callbacks: CallbackUrls | None, state: State = State.UNKNOWN) -> Entry:
    """Return the entry of the first row, sent with these callback URLs in run 1."""
    decision = decide_on(row(), None, bound(callbacks, run=1))
    assert isinstance(decision, PendingRequest)
    assert decision.entry.body_hash.startswith(HASHES.body(decision.request.body))
    return evolve(decision.entry, state=state)


def test_callbacks_are_bound() -> None:
    """Callback URLs are bound to the id, and the entry also keeps the hash of the data without them."""
    decision = decide_on(row(), None, bound(urls()))
    assert isinstance(decision, PendingRequest)
    assert b'"authCallbackUrl":"https://shop.example/hooks/' in decision.request.body
    plain = encode_request(request(), decision.request.client_request_id)
    assert decision.entry.body_hash == HASHES.body(decision.request.body) + HASHES.body(plain.body)


@pytest.mark.parametrize("before", [None, urls("old.example"), urls(secret=OTHER_SECRET)])
@pytest.mark.parametrize("now", [None, urls("old.example"), urls()])
@pytest.mark.parametrize("state", [State.LINKED, State.REFUSED])
def test_callbacks_are_no_data(state: State, before: CallbackUrls | None, now: CallbackUrls | None) -> None:
    """With other callback URLs, another secret or none, a row is not changed; with other data it is."""
    decision = decide_on(row(), sent_with(before, state), bound(now))
    assert isinstance(decision, Decision)
    assert (decision.reason, decision.problems) == (SkipReason.RECORDED, ())
    changed = decide_on(row(name="改名"), sent_with(before, state), bound(now))
    if state is State.REFUSED:
        assert isinstance(changed, PendingRequest)
    else:
        assert "its data changed" in str(changed.problems[-1])


@pytest.mark.parametrize(
    ("before", "now", "earlier"),
    [
        (urls(), urls(), []),
        (urls("old.example"), urls(), [urls("older.example"), urls("old.example")]),
        (urls(secret=OTHER_SECRET), urls(), [urls(secret=OTHER_SECRET)]),
        (urls(), None, [urls()]),
        (None, urls(), []),
        (None, None, []),
    ],
)
def test_doubt_is_repeated_byte_for_byte(
    before: CallbackUrls | None, now: CallbackUrls | None, earlier: list[CallbackUrls]
) -> None:
    """A request whose result is unknown is sent again with the callback URLs that it had."""
    first = decide_on(row(), None, bound(before, run=1))
    assert isinstance(first, PendingRequest)
    unknown = evolve(first.entry, state=State.UNKNOWN)
    again = decide_on(row(), unknown, bound(now, *earlier))
    assert isinstance(again, PendingRequest)
    assert again.request == first.request
    assert again.entry == evolve(unknown, run=2)


@pytest.mark.parametrize(
    ("name", "message"), [(None, "KFQ_CALLBACK_SECRET=NEW,FORMER"), ("改名", "restore the data and run again")]
)
def test_doubt_that_cannot_be_repeated(name: str | None, message: str) -> None:
    """Without the former callback URLs or the former data, the row is not sent, and the message says which of both."""
    decision = decide_on(row(name=name), sent_with(urls("old.example")), bound(urls()))
    assert isinstance(decision, Decision)
    assert decision.reason is SkipReason.CONFLICT
    assert message in str(decision.problems[-1])


def test_pending_row_takes_new_callbacks() -> None:
    """A row that was not sent is sent with the callback URLs of the present run."""
    decision = decide_on(row(), sent_with(urls("old.example"), State.PENDING), bound(urls()))
    assert isinstance(decision, PendingRequest)
    assert b"https://shop.example/hooks/" in decision.request.body
    assert decision.entry.body_hash.startswith(HASHES.body(decision.request.body))


@pytest.mark.parametrize("state", [State.LINKED, State.REFUSED, State.UNKNOWN])
def test_entries_of_earlier_versions(state: State) -> None:
    """An entry with the hash of the body as sent alone is recognised with the same callback URLs."""
    before = sent_with(urls(), state)
    decision = decide_on(row(), evolve(before, body_hash=before.body_hash[:16]), bound(urls()))
    assert isinstance(decision, PendingRequest) is (state is State.UNKNOWN)
    assert decision.problems == ()


def test_unencodable_request() -> None:
    """A field that JSON cannot carry is named by its path."""
    with pytest.raises(EncodeError, match=r"\$\.corpIdentInfo\.companyName"):
        encode_request(request(name="公\ud800司"), "id-1")


ENTRY = Entry(
    key_hash=b"k" * 16,
    generation=1,
    client_request_id="id",
    body_hash=b"b" * 16,
    state=State.LINKED,
    row_number=2,
    order_no="O1",
)
WARNING = Problem("信用代码", "is odd", fatal=False)


def pending(before: Entry | None) -> PendingRequest:
    """Return a request that is to be sent."""
    request = EncodedRequest(b"{}", "id")
    return PendingRequest(before=before, entry=ENTRY, request=request, in_doubt=False, problems=(WARNING,))


@pytest.mark.parametrize(
    ("reason", "state", "status"),
    [
        (SkipReason.RECORDED, State.LINKED, OutcomeStatus.LINKED),
        (SkipReason.RECORDED, State.REFUSED, OutcomeStatus.REFUSED),
        (SkipReason.CONFLICT, State.UNKNOWN, OutcomeStatus.UNKNOWN),
        (SkipReason.DUPLICATE, State.LINKED, OutcomeStatus.DUPLICATE),
        (SkipReason.INVALID, State.LINKED, OutcomeStatus.INVALID),
    ],
)
def test_outcome_from_decision(reason: SkipReason, state: State, status: OutcomeStatus) -> None:
    """A skipped row has the state that the ledger holds; an invalid one has no entry."""
    before = evolve(ENTRY, state=state)
    outcome = outcome_from_decision(Decision(row_number=2, reason=reason, before=before))
    assert outcome.status is status
    assert (outcome.entry is None) is (status is OutcomeStatus.INVALID)


@pytest.mark.parametrize(
    ("state", "status"),
    [(State.PENDING, OutcomeStatus.PENDING), (None, OutcomeStatus.PENDING), (State.UNKNOWN, OutcomeStatus.UNKNOWN)],
)
def test_outcome_from_pending_request(state: State | None, status: OutcomeStatus) -> None:
    """Until it is sent, a row has the state that the ledger held before."""
    before = evolve(ENTRY, state=state) if state else None
    assert outcome_from_decision(pending(before)) == Outcome(
        row_number=2, status=status, sent=False, entry=before, problems=(WARNING,)
    )


@pytest.mark.parametrize(("state", "status"), [(state, OutcomeStatus(state)) for state in State])
@pytest.mark.parametrize("sent", [True, False])
def test_outcome_from_entry(*, state: State, status: OutcomeStatus, sent: bool) -> None:
    """After the run, a row has the state of its entry and keeps its warnings."""
    after = evolve(ENTRY, state=state)
    assert outcome_from_entry(pending(None), after, sent=sent) == Outcome(
        row_number=2, status=status, sent=sent, entry=after, problems=(WARNING,)
    )
