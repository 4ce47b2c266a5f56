"""What is done with a row, as tables: state of the entry, whether the data changed, options."""

from __future__ import annotations

from itertools import count

import attrs
import pytest

from companies import PERSONAL, request, row
from kfq_async import (
    ApiError,
    BusinessError,
    CallbackUrls,
    CertificateError,
    ClockError,
    ConnectError,
    ConnectionLost,
    CorpIdentLink,
    CredentialsError,
    DecodeError,
    EncodeError,
    GatewayError,
    KfqError,
    NonceError,
    NotFoundError,
    ParameterError,
    Phase,
    ServerError,
    SignatureError,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.onboarding.decisions import (
    Action,
    Decision,
    DecisionContext,
    PendingRequest,
    apply_result,
    bound_to,
    decide,
    mark_pending,
    next_generation,
    outcome_of,
    written,
)
from kfq_async.onboarding.failures import systemic_failure_advice
from kfq_async.onboarding.ledgers.base import Hashes
from kfq_async.onboarding.records import CallResult, Entry, Outcome, OutcomeStatus, Problem, Row, State
from kfq_async.protocol.codec import encode, to_wire
from kfq_async.protocol.requests import EncodedRequest

HASHES = Hashes(bytes(32))


def context(run: int = 1, *, retry_refused: bool = False, strict: bool = False) -> DecisionContext:
    """Return rules whose ids are ``id-1``, ``id-2`` ..."""
    numbers = count(run * 10)
    return DecisionContext(
        run=run,
        hashes=HASHES,
        new_id=lambda: f"id-{next(numbers)}",
        now=1000.0,
        retry_refused=retry_refused,
        strict=strict,
    )


def decided(data: Row, before: Entry | None, own: DecisionContext) -> Decision | PendingRequest:
    """Decide on a row under the hash of its key."""
    return decide(data, None if data.key is None else HASHES.key(data.key), before, own)


def asked(data: Row | None = None) -> Entry:
    """Return the entry of a row that was asked for in run 1."""
    decision = decided(data or row(), None, context())
    assert isinstance(decision, PendingRequest)
    return decision.entry


def test_a_new_row() -> None:
    """A company that the ledger does not know is asked under a fresh id, and until then its end is unknown."""
    data = row(5)
    decision = decided(data, None, context())
    assert isinstance(decision, PendingRequest)
    assert data.request is not None
    assert decision.request == written(data.request, "id-10")
    assert decision.entry == Entry(
        key_hash=HASHES.key(data.key or ""),
        generation=1,
        client_request_id="id-10",
        body_hash=HASHES.body(decision.request.body),
        state=State.UNKNOWN,
        row_number=7,
        run=1,
        label="C5",
        opened_at=1000.0,
    )
    assert not decision.in_doubt


def test_nothing_personal_is_shown() -> None:
    """What is asked can be logged: neither its fields nor a link of its past are in its words."""
    before = asked()._replace(state=State.REFUSED, auth_url="https://secret.example")
    shown = repr(decided(row(), before, context(2, retry_refused=True)))
    assert "client_request_id='id-20'" in shown
    for personal in (*PERSONAL, "secret.example"):
        assert personal not in shown


@pytest.mark.parametrize(
    ("state", "changed", "retry_refused", "action", "generation", "words"),
    [
        (State.UNKNOWN, False, False, None, 1, ""),
        (State.UNKNOWN, True, False, Action.STOP, 1, "put the old ones back"),
        (State.UNKNOWN, True, True, Action.STOP, 1, "put the old ones back"),
        (State.PENDING, False, False, None, 1, ""),
        (State.PENDING, True, False, None, 1, ""),
        (State.LINKED, False, False, Action.KNOWN, 1, ""),
        (State.LINKED, True, True, Action.KNOWN, 1, "the link stands"),
        (State.REFUSED, False, False, Action.KNOWN, 1, ""),
        (State.REFUSED, False, True, None, 2, ""),
        (State.REFUSED, True, False, None, 2, ""),
    ],
)
def test_a_row_that_is_known(
    *, state: State, changed: bool, retry_refused: bool, action: Action | None, generation: int, words: str
) -> None:
    """One id for each row and generation; a next generation only after a definite refusal; no action is to ask."""
    before = asked()._replace(state=state)
    decision = decided(row(name="改名" if changed else None), before, context(2, retry_refused=retry_refused))
    assert decision.entry is not None
    assert decision.entry.generation == generation
    assert (decision.entry.client_request_id == before.client_request_id) is (generation == 1)
    assert decision.entry.run == 2
    assert (None if isinstance(decision, PendingRequest) else decision.action) is action
    if isinstance(decision, PendingRequest):
        assert decision.in_doubt is (state is State.UNKNOWN)
        assert decision.entry.state is State.UNKNOWN
        assert decision.request.client_request_id == decision.entry.client_request_id
        assert decision.entry.body_hash == HASHES.body(decision.request.body)
    assert words in " ".join(map(str, decision.problems))
    assert bool(decision.problems) is bool(words)


def test_a_row_that_moved() -> None:
    """A file may be sorted between runs: the company keeps its id, and its new place is noted."""
    before = asked()._replace(state=State.LINKED)
    decision = decided(attrs.evolve(row(), row_number=99), before, context(2))
    assert decision.entry == before._replace(row_number=99, run=2)


@pytest.mark.parametrize(
    ("name", "strict", "action", "words"),
    [
        (None, False, Action.REPEAT, "repeats row 2, asked once"),
        (None, True, Action.INVALID, "repeats row 2, asked once"),
        ("另一家", False, Action.INVALID, "row 2 is the same company with other data"),
    ],
)
def test_a_company_twice_in_a_file(*, name: str | None, strict: bool, action: Action, words: str) -> None:
    """The second row of a company is not asked; with other data, or strictly, it is an error."""
    again = attrs.evolve(row(name=name), row_number=8)
    decision = decided(again, asked(), context(strict=strict))
    assert isinstance(decision, Decision)
    assert (decision.action, decision.entry) == (action, None)
    assert words in str(decision.problems[-1])


@pytest.mark.parametrize(
    "broken",
    [
        attrs.evolve(row(), key=None),
        attrs.evolve(row(), request=None),
        attrs.evolve(row(), problems=(Problem("信用代码", "is wrong"),)),
    ],
)
def test_a_row_that_must_not_be_sent(broken: Row) -> None:
    """Without key or request, or with a fatal problem, a row is invalid if nothing was asked for it before."""
    for before in (None, *(asked()._replace(state=state) for state in (State.PENDING, State.REFUSED))):
        decision = decided(broken, before, context(2))
        assert decision == Decision(row_number=broken.row_number, action=Action.INVALID, problems=broken.problems)


@pytest.mark.parametrize(("state", "action"), [(State.LINKED, Action.KNOWN), (State.UNKNOWN, Action.STOP)])
def test_what_was_asked_before_is_not_hidden(state: State, action: Action) -> None:
    """A row that has become invalid keeps its link, or its doubt, and says what is wrong."""
    broken = attrs.evolve(row(), problems=(Problem("信用代码", "is wrong"),), row_number=9)
    before = asked()._replace(state=state)
    decision = decided(broken, before, context(2))
    assert decision == Decision(
        row_number=broken.row_number,
        action=action,
        before=before,
        entry=before._replace(row_number=9, run=2),
        problems=broken.problems,
    )
    assert decided(broken, before, context(1)) == Decision(
        row_number=broken.row_number, action=Action.INVALID, problems=broken.problems
    )


def test_a_warning_stops_nothing() -> None:
    """A problem that is not fatal goes along."""
    problem = Problem("信用代码", "is odd", fatal=False)
    decision = decided(attrs.evolve(row(), problems=(problem,)), None, context())
    assert isinstance(decision, PendingRequest)
    assert decision.problems == (problem,)


def test_a_row_that_json_cannot_carry() -> None:
    """Such a row is invalid, and its words name the field and not what it holds."""
    decision = decided(row(name="公\ud800司"), None, context())
    assert isinstance(decision, Decision)
    assert decision.action is Action.INVALID
    assert "$.corpIdentInfo.companyName" in str(decision.problems[-1])
    assert "公" not in str(decision.problems[-1])


def test_next_generation() -> None:
    """A generation opened on purpose is asked for by the next run, whatever its data; the old one is untouched."""
    old = asked()._replace(state=State.LINKED, order_no="O1", auth_url="https://x", status=4, status_at=9.0)
    opened = next_generation(old, new_id="id-new", now=2000.0)
    assert (opened.generation, opened.client_request_id, opened.state) == (2, "id-new", State.PENDING)
    assert (opened.order_no, opened.auth_url, opened.status) == (None, None, None)
    decision = decided(row(), opened, context(2))
    assert isinstance(decision, PendingRequest)
    assert (decision.entry.generation, decision.entry.client_request_id) == (2, "id-new")


def test_released() -> None:
    """A row that was not asked after all is pending, unless an earlier run may have sent it."""
    assert mark_pending(asked(), in_doubt=False).state is State.PENDING
    assert mark_pending(asked(), in_doubt=True).state is State.UNKNOWN


def test_settled_with_a_link() -> None:
    """A link ends all doubt, and wipes an old refusal."""
    before = asked()._replace(code=31000, reason="x", status=2, status_at=9.0)
    end = CallResult(CorpIdentLink(order_no="O1", auth_url="https://x"), attempts=2, seconds=0.5)
    assert apply_result(before, end, in_doubt=True, now=1001.0) == before._replace(
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
def test_settled_with_a_link_that_is_none(auth_url: str) -> None:
    """The platform made an order, and yet there is nothing to open: that is neither a link nor a refusal."""
    link = CorpIdentLink(order_no="O1", auth_url=auth_url)
    entry = apply_result(asked(), CallResult(link, 1, 0.1), in_doubt=False, now=1001.0)
    assert (entry.state, entry.auth_url) == (State.UNKNOWN, None)
    assert "no web address" in (entry.reason or "")


def api(kind: type[ApiError], code: int = 31000, *, phase: Phase = Phase.ANSWERED) -> ApiError:
    """Return an answer of the platform that is not success."""
    error = kind(code, "平台的话", http_status=200)
    error.phase = phase
    return error


@pytest.mark.parametrize(
    ("error", "state", "after_doubt"),
    [
        (ConnectError("x"), State.PENDING, State.UNKNOWN),
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
def test_settled_with_an_error(error: KfqError, state: State, after_doubt: State) -> None:
    """Doubt wins, of this call and of earlier ones; only a refusal of the form is sure to have met every copy."""
    for in_doubt, expected in ((False, state), (True, after_doubt)):
        entry = apply_result(asked(), CallResult(error, 1, 0.1), in_doubt=in_doubt, now=1001.0)
        assert entry.state is expected
        assert entry.reason == error.args[0]
        assert entry.code == getattr(error, "code", None)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (api(BusinessError, 41003), "Top up"),
        (api(CredentialsError, 40000), "token"),
        (api(CredentialsError, 41000), "token"),
        (api(CredentialsError, 42000), "token"),
        (api(SignatureError), "signer's key"),
        (api(ClockError), "clock"),
        (api(NotFoundError), "base URL"),
        (UnexpectedResponse("x", http_status=302), "base URL"),
        (UnexpectedResponse("x", http_status=407), "base URL"),
        (CertificateError("x"), "CA"),
    ],
)
def test_what_concerns_every_row(error: KfqError, advice: str) -> None:
    """The advice says what to mend before the run goes on."""
    assert advice in (systemic_failure_advice(error) or "")


@pytest.mark.parametrize(
    "error",
    [
        api(BusinessError),
        api(ParameterError),
        api(NonceError),
        api(ServerError),
        ConnectError("x"),
        UnexpectedResponse("x", http_status=413),
    ],
)
def test_what_concerns_one_row(error: KfqError) -> None:
    """One bad row never stops the others."""
    assert systemic_failure_advice(error) is None


@pytest.mark.parametrize("own", [None, "its own"])
def test_written(own: str | None) -> None:
    """Byte for byte what a request with this id is sent as, whatever id it had."""
    before = attrs.evolve(request(), client_request_id=own)
    expected = to_wire(attrs.evolve(before, client_request_id="id-1"))
    assert written(before, "id-1") == EncodedRequest(encode(expected), "id-1")
    assert before.client_request_id == own


def test_bound() -> None:
    """With URLs, they are bound to the id."""
    urls = CallbackUrls([b"s" * 32], page="https://shop.example/done", notify="https://shop.example/hooks")
    found = bound_to(urls)(request(), "id-1")
    assert found == written(urls.bind(attrs.evolve(request(), client_request_id="id-1")), "id-1")
    assert b'"authCallbackUrl":"https://shop.example/hooks/' in found.body


def test_what_json_cannot_carry() -> None:
    """It is named by its path."""
    with pytest.raises(EncodeError, match=r"\$\.corpIdentInfo\.companyName"):
        written(request(name="公\ud800司"), "id-1")


ENTRY = Entry(
    key_hash=b"k" * 16,
    generation=1,
    client_request_id="id",
    body_hash=b"b" * 16,
    state=State.LINKED,
    row_number=2,
    order_no="O1",
)
FATAL = Problem("手机号", "is wrong")
ODD = Problem("信用代码", "is odd", fatal=False)


@pytest.mark.parametrize(
    ("entry", "ending", "problems", "reason"),
    [
        (ENTRY, OutcomeStatus.LINKED, (), ""),
        (None, OutcomeStatus.INVALID, (ODD, FATAL), "手机号: is wrong; 信用代码: is odd"),
        (ENTRY._replace(reason="refused"), OutcomeStatus.REFUSED, (ODD,), "refused; 信用代码: is odd"),
        (ENTRY._replace(reason="of old"), OutcomeStatus.LINKED, (), ""),
        (ENTRY._replace(status=1), OutcomeStatus.LINKED, (), ""),
        (ENTRY._replace(status=3), OutcomeStatus.LINKED, (), "its order was withdrawn, and its next"),
        (ENTRY._replace(status=4), OutcomeStatus.LINKED, (ODD,), "its order expired, and its next"),
    ],
)
def test_reasons(entry: Entry | None, ending: OutcomeStatus, problems: tuple[Problem, ...], reason: str) -> None:
    """What keeps a row from its link comes first, then what is odd about it."""
    outcome = Outcome(row_number=2, status=ending, sent=False, entry=entry, problems=problems)
    assert outcome.reason.startswith(reason)
    assert bool(outcome.reason) is bool(reason)


@pytest.mark.parametrize(
    ("action", "state", "ending"),
    [
        (Action.KNOWN, State.LINKED, OutcomeStatus.LINKED),
        (Action.KNOWN, State.REFUSED, OutcomeStatus.REFUSED),
        (Action.STOP, State.UNKNOWN, OutcomeStatus.UNKNOWN),
        (Action.REPEAT, State.LINKED, OutcomeStatus.REPEATED),
        (Action.INVALID, State.LINKED, OutcomeStatus.INVALID),
    ],
)
def test_outcome_of(action: Action, state: State | None, ending: OutcomeStatus) -> None:
    """A row that is not asked stands as the ledger has it; one that is invalid has no entry."""
    before = ENTRY._replace(state=state) if state else None
    outcome = outcome_of(Decision(row_number=2, action=action, before=before))
    assert outcome.status is ending
    assert (outcome.entry is None) is (ending is OutcomeStatus.INVALID or before is None)


@pytest.mark.parametrize(
    ("state", "ending"),
    [(State.PENDING, OutcomeStatus.PENDING), (None, OutcomeStatus.PENDING), (State.UNKNOWN, OutcomeStatus.UNKNOWN)],
)
def test_outcome_of_a_row_that_would_be_asked(state: State | None, ending: OutcomeStatus) -> None:
    """Until it is asked, it stands as it did before."""
    before = ENTRY._replace(state=state) if state else None
    ask = PendingRequest(before, ENTRY, EncodedRequest(b"{}", "id"), in_doubt=False, problems=(ODD,))
    assert outcome_of(ask) == Outcome(row_number=2, status=ending, sent=False, entry=before, problems=(ODD,))
