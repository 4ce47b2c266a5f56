"""The fault matrix: the outcome of a call for every fault and every class of idempotency.

Each row names a fault of the sandbox, the error of one such attempt, its phase, and the outcome for an operation that
is ``SAFE`` (``contract/tasks``), ``KEYED`` (``auth/corp/ident/link``) or ``NONE`` (``contract/draft``). The faults
occur on real sockets; ``/acted`` and ``/unacted`` say whether the platform acts on the request, which the client cannot
know.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from attrs import evolve, frozen

from kfq_async import (
    ApiError,
    AsyncSession,
    AttemptTimeout,
    BusinessError,
    ClockError,
    ConnectError,
    ConnectionLost,
    ContractDraftRequest,
    ContractUser,
    CorpIdentLinkRequest,
    GatewayError,
    HiddenErrorPage,
    KfqError,
    NonceError,
    NotFoundError,
    OutcomeUnknown,
    Phase,
    RetryPolicy,
    ServerError,
    Timeouts,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.resources.contracts import CONTRACT_DRAFT, CONTRACT_TASKS
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import FAULT_KINDS, InjectionPoint
from kfq_async.transport import retry

WELL, RETRY, RAISE, UNKNOWN = "well", "retry", "raise", "unknown"
SENT, ANSWERED = Phase.SENT, Phase.ANSWERED

DRAFT = ContractDraftRequest(
    send="0",
    operator=ContractUser(name="李四", contact_type="MOBILE", contact="13800138000"),
    sign_re_id="line-1",
    signer_list=(),
)


@frozen
class Row:
    """One fault and its consequences."""

    fault: str
    error: type[KfqError]
    phase: Phase
    safe: str
    keyed: str
    none: str
    abandoned: bool = False
    """Whether the platform stops before it acts when the client disconnects."""


ROWS = [
    # the network                                    SAFE   KEYED  NONE
    Row("reset-reading", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("lose-request", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("lose-response", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("close", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("close/acted", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("delay-reading:2", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN, abandoned=True),
    Row("delay-acting:1", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN),
    Row("delay:2", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN),
    # incomplete and unusual responses
    Row("delay:0.01", KfqError, SENT, WELL, WELL, WELL),
    Row("trickle:0", KfqError, SENT, WELL, WELL, WELL),
    Row("gzip", KfqError, SENT, WELL, WELL, WELL),
    Row("digits", KfqError, SENT, WELL, WELL, WELL),
    Row("cut-head", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("cut-head/unacted", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("cut-body", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("cut-body/unacted", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("long-length", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("long-length/unacted", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("short-length", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("trickle", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN),
    Row("trickle/unacted", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN),
    Row("endless", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN),
    Row("endless/unacted", AttemptTimeout, SENT, RETRY, RETRY, UNKNOWN),
    Row("bad-gzip", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("bad-gzip/unacted", ConnectionLost, SENT, RETRY, RETRY, UNKNOWN),
    Row("huge", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("huge/unacted", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    # responses of proxies and of other servers
    Row("502", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("502/acted", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("503", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("503/acted", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("503:1", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("504", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("504/acted", GatewayError, SENT, RETRY, RETRY, UNKNOWN),
    Row("html", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("html/acted", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("malformed", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("malformed/acted", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("list", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("list/acted", UnexpectedResponse, SENT, RAISE, RAISE, UNKNOWN),
    Row("redirect", UnexpectedResponse, ANSWERED, RAISE, RAISE, RAISE),
    Row("413", UnexpectedResponse, ANSWERED, RAISE, RAISE, RAISE),
    Row("429", TooFrequentError, ANSWERED, RETRY, RETRY, RETRY),
    # responses of the platform
    Row("framework-404", NotFoundError, ANSWERED, RAISE, RAISE, RAISE),
    Row("framework-500", ServerError, ANSWERED, RAISE, RAISE, RAISE),
    Row("framework-500/acted", ServerError, ANSWERED, RAISE, RAISE, RAISE),
    Row("internal-401", HiddenErrorPage, ANSWERED, RETRY, RAISE, UNKNOWN),
    Row("internal-500", ServerError, ANSWERED, RAISE, RAISE, RAISE),
    Row("internal-500/acted", ServerError, ANSWERED, RAISE, RAISE, RAISE),
    Row("code-null", ApiError, ANSWERED, RAISE, RAISE, UNKNOWN),
    Row("code-31000", BusinessError, ANSWERED, RAISE, RAISE, RAISE),
    Row("code-41001", ClockError, ANSWERED, RETRY, RETRY, RETRY),
    Row("code-41002", NonceError, ANSWERED, RETRY, RETRY, UNKNOWN),
    Row("code-41002/acted", NonceError, ANSWERED, RETRY, RETRY, UNKNOWN),
    Row("code-43000", ServerError, ANSWERED, RETRY, RETRY, UNKNOWN),
    Row("code-43000/acted", ServerError, ANSWERED, RETRY, RETRY, UNKNOWN),
    Row("code-91000", ServerError, ANSWERED, RETRY, RETRY, UNKNOWN),
    Row("code-91000/acted", ServerError, ANSWERED, RETRY, RETRY, UNKNOWN),
    Row("frequent-a", TooFrequentError, ANSWERED, RETRY, RETRY, RETRY),
    Row("frequent-b", TooFrequentError, ANSWERED, RETRY, RETRY, RETRY),
    Row("frequent-c", TooFrequentError, ANSWERED, RETRY, RETRY, RETRY),
]
SEPARATE = {"refuse", "close-idle", "reset-connect"}
"""Faults with their own tests: one has no requests to count, one needs a used connection, one has two outcomes."""

POLICY = RetryPolicy(attempts=2, initial=0.02, maximum=0.02)
TIMEOUTS = Timeouts(connect=5.0, attempt=15.0)
EXPIRING = Timeouts(connect=5.0, attempt=0.5)
"""Timeouts for the rows in which an attempt is to expire; in the others none may, however busy the machine is."""


@frozen
class Outcome:
    """The end of a call, and the number of orders and contracts it created."""

    error: type[KfqError] | None
    original_error: type[KfqError] | None
    phase: Phase | None
    attempts: int
    created: int


Call = Callable[[AsyncSession, str], Awaitable[int]]


async def keyed(session: AsyncSession, _: str) -> int:
    """Request a link."""
    return (await session.send(CORP_IDENT_LINK, CorpIdentLinkRequest(account_name="a@example.com"))).attempts


async def safe(session: AsyncSession, contract_id: str) -> int:
    """Request the tasks of a contract."""
    return (await session.send(CONTRACT_TASKS, {"contractId": contract_id})).attempts


async def none(session: AsyncSession, _: str) -> int:
    """Draft a contract."""
    return (await session.send(CONTRACT_DRAFT, DRAFT)).attempts


@asynccontextmanager
async def sandbox_with_contract() -> AsyncIterator[tuple[Sandbox, str]]:
    """Yield a sandbox with one contract, and the contract's id."""
    async with Sandbox() as sandbox:
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            contract = await session.contracts.draft(DRAFT)
        yield sandbox, contract.contract_id


def created(sandbox: Sandbox) -> int:
    """Return the number of orders and contracts besides the first contract."""
    return len(sandbox.orders) + len(sandbox.contracts) - 1


async def outcome(call: Call, fault: Fault, timeouts: Timeouts, expected: Outcome) -> Outcome:
    """Make one call under a fault, and wait until the platform has finished."""
    async with sandbox_with_contract() as (sandbox, contract_id):
        sandbox.inject_faults(fault)
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=POLICY, timeouts=timeouts) as session:
            try:
                attempts = await call(session, contract_id)
                result = Outcome(None, None, None, attempts, 0)
            except KfqError as error:
                original_error = type(error.original_error) if isinstance(error, OutcomeUnknown) else None
                result = Outcome(type(error), original_error, error.phase, error.attempts, 0)
        for _ in range(400):
            if created(sandbox) == expected.created:
                break
            await asyncio.sleep(0.01)
        return evolve(result, created=created(sandbox))


def expect(row: Row, outcome: str, fault: Fault, *, creates: bool) -> Outcome:
    """Return the outcome that a cell of the table stands for; a fault without ``times`` is permanent."""
    once = fault.times == 1
    acted = int(fault.acted and creates and not row.abandoned)
    if outcome == WELL:
        return Outcome(None, None, None, 1, int(creates))
    if outcome == RETRY and once:
        return Outcome(None, None, None, 2, int(creates))
    if outcome == RETRY:
        return Outcome(row.error, None, row.phase, 2, acted)
    if outcome == RAISE:
        return Outcome(row.error, None, row.phase, 1, acted)
    return Outcome(OutcomeUnknown, row.error, row.phase, 1, acted)


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
async def test_faults(row: Row, times: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under any fault a call ends as its idempotency class requires, and reports correctly what may have happened.

    The wait after a rate limit is tested in ``transport``.
    """
    monkeypatch.setattr(retry, "MIN_TOO_FREQUENT", POLICY.initial)
    fault = evolve(Fault.parse(row.fault), times=times)
    calls: list[tuple[Call, Outcome]] = [
        (safe, expect(row, row.safe, fault, creates=False)),
        (keyed, expect(row, row.keyed, fault, creates=True)),
        (none, expect(row, row.none, fault, creates=True)),
    ]
    timeouts = EXPIRING if row.error is AttemptTimeout else TIMEOUTS
    results = await asyncio.gather(*(outcome(call, fault, timeouts, expected) for call, expected in calls))
    assert results == [expected for _, expected in calls]


def test_the_matrix_is_complete() -> None:
    """Every fault that can affect a call has a row."""
    callbacks = {InjectionPoint.NOTIFICATION, InjectionPoint.EVENT}
    calls = {name for name, kind in FAULT_KINDS.items() if kind.point not in callbacks}
    assert {Fault.parse(row.fault).kind for row in ROWS} | SEPARATE == calls
    assert FAULT_KINDS["refuse"].point is InjectionPoint.LISTENER


@pytest.mark.parametrize("call", [safe, keyed, none])
async def test_a_refused_connection_is_retried(call: Call) -> None:
    """A refused connection means that nothing was sent, so every class is retried until the server listens."""
    async with sandbox_with_contract() as (sandbox, contract_id):
        sandbox.inject_faults(Fault("refuse", seconds=0.6))
        await asyncio.sleep(0.05)
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            assert await call(session, contract_id) > 1
        assert created(sandbox) == (0 if call is safe else 1)


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("call", [safe, keyed, none])
async def test_a_reset_before_the_request(call: Call, times: int | None) -> None:
    """A new connection that is reset counts as not sent if the reset arrived before the request, else as sent."""
    async with sandbox_with_contract() as (sandbox, contract_id):
        sandbox.inject_faults(Fault("reset-connect", times=times))
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=POLICY) as session:
            try:
                end: object = (times, await call(session, contract_id) <= 2)
            except KfqError as error:
                original_error = type(error.original_error) if isinstance(error, OutcomeUnknown) else None
                end = (times, type(error), original_error, error.phase)
        number = created(sandbox)
    succeeded = (1, True)
    dropped = (None, ConnectError, None, Phase.NOT_SENT)
    lost = (times, OutcomeUnknown, ConnectionLost, SENT) if call is none else (None, ConnectionLost, None, SENT)
    assert end in {succeeded, dropped, lost}
    assert number == int(end == succeeded and call is not safe)


@pytest.mark.parametrize("call", [safe, keyed, none])
async def test_a_stale_connection_counts_as_sent(call: Call) -> None:
    """A connection that the server closes on reuse may have carried the request, so all but a draft are retried."""
    async with sandbox_with_contract() as (sandbox, contract_id):
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=POLICY) as session:
            await session.contracts.tasks(contract_id)
            sandbox.inject_faults(Fault("close-idle", times=1))
            if call is none:
                with pytest.raises(OutcomeUnknown) as caught:
                    await call(session, contract_id)
                assert (type(caught.value.original_error), caught.value.phase) == (ConnectionLost, SENT)
            else:
                assert await call(session, contract_id) == 2
        assert created(sandbox) == (1 if call is keyed else 0)
