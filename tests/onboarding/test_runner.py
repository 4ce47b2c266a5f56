"""Runs against the sandbox: each row has its outcome, and each company one order."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock

import attrs
import pytest

from clocks import VirtualLoop
from companies import PERSONAL, request, row, rows
from kfq_async import (
    AsyncSession,
    BusinessError,
    CallbackUrls,
    ConnectionLost,
    CorpIdentLink,
    KfqError,
    LedgerError,
    RetryPolicy,
    RunPaused,
    SessionError,
    SourceError,
    Timeouts,
)
from kfq_async.onboarding.decisions import encode_request
from kfq_async.onboarding.failures import MAX_FAILURES
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.queues import BatchQueue
from kfq_async.onboarding.records import Entry, Outcome, OutcomeStatus, Problem, State
from kfq_async.onboarding.runner import BATCH, Onboarding, prefetch, request_link
from kfq_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from kfq_async import Operation
    from kfq_async.onboarding.records import Row
    from kfq_async.protocol.requests import EncodedRequest


QUICK = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)


def unread(concurrency: int) -> int:
    """Return the most links that a run can make after the outcome that its caller has just read.

    No more than two groups are unrecorded at a time, and those of two commits may be unread. The speed of platform,
    disk and caller does not matter.
    """
    return 6 * concurrency


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """An empty ledger."""
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        yield ledger


async def outcomes_of(run: Onboarding) -> list[Outcome]:
    """Run to the end, and return the outcomes in the order of the rows."""
    async with run:
        return sorted([outcome async for outcome in run], key=lambda outcome: outcome.row_number)


async def collect(run: Onboarding, outcomes: list[Outcome], each: Callable[[], None] = lambda: None) -> None:
    """Run to the end or an error, and add the outcomes to a list; ``each`` is called after each of them."""
    async with run:
        async for outcome in run:
            outcomes.append(outcome)
            each()


async def asynchronously(items: Sequence[object]) -> AsyncIterator[object]:
    """Yield items from an async iterator."""
    for item in items:
        yield item


async def remaining(run: Onboarding) -> list[Outcome]:
    """Return the outcomes that an open run has left."""
    return [outcome async for outcome in run]


async def entries_of(ledger: SqliteLedger) -> list[Entry]:
    """Return the current generations."""
    return [entry async for entry in ledger.entries()]


def statuses(outcomes: Sequence[Outcome]) -> Counter[tuple[OutcomeStatus, bool]]:
    """Count the outcomes by status, and whether this run sent them."""
    return Counter((outcome.status, outcome.sent) for outcome in outcomes)


async def test_links_for_all(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Each row gets its link, and the next run sends nothing."""
    first = await outcomes_of(Onboarding(session, ledger, rows(500)))
    again = await outcomes_of(Onboarding(session, ledger, rows(500)))
    assert statuses(first) == {(OutcomeStatus.LINKED, True): 500}
    assert statuses(again) == {(OutcomeStatus.LINKED, False): 500}
    assert [outcome.row_number for outcome in first] == list(range(2, 502))
    orders = {order.client_request_id: order.order_no for order in sandbox.orders}
    assert len(orders) == len(sandbox.orders) == 500
    assert {outcome.order_no for outcome in first} == set(orders.values())
    for before, after in zip(first, again, strict=True):
        assert before.entry is not None
        assert orders[before.entry.client_request_id] == before.order_no == after.order_no
        assert before.auth_url == after.auth_url is not None


async def test_outcomes_are_in_the_ledger(session: AsyncSession, ledger: SqliteLedger) -> None:
    """An outcome is in the ledger before it is returned."""
    async with Onboarding(session, ledger, rows(300)) as run:
        async for outcome in run:
            assert outcome.entry is not None
            assert await ledger.find([outcome.entry.key_hash]) == {outcome.entry.key_hash: outcome.entry}


async def test_async_sources(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Rows may come from an async iterator; a row is sent before the next one arrives."""
    first_linked = asyncio.Event()

    async def trickle() -> AsyncIterator[Row]:
        yield row(0)
        await first_linked.wait()
        yield row(1)

    async with Onboarding(session, ledger, trickle()) as run:
        numbers = []
        async for outcome in run:
            numbers.append(outcome.row_number)
            first_linked.set()
    assert numbers == [2, 3]


async def test_lost_requests_and_responses(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """With requests and responses lost, each company still has one order."""
    sandbox.inject_faults(Fault("lose-response", probability=0.1), Fault("lose-request", probability=0.1))
    found = await outcomes_of(
        Onboarding(session.with_options(retry=RetryPolicy(initial=0.01)), ledger, rows(300), concurrency=50)
    )
    again = await outcomes_of(Onboarding(session, ledger, rows(300)))
    assert {outcome.status for outcome in again} == {OutcomeStatus.LINKED}
    assert len(found) == len(sandbox.orders) == 300


async def test_unknown_is_retried(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """If each response was lost, the next run sends the same ids."""
    lossy = session.with_options(retry=QUICK)
    sandbox.inject_faults(Fault("lose-response"))
    first = await outcomes_of(Onboarding(lossy, ledger, rows(5)))
    sandbox.inject_faults()
    second = await outcomes_of(Onboarding(lossy, ledger, rows(5)))
    assert statuses(first) == {(OutcomeStatus.UNKNOWN, True): 5}
    assert all("connection was lost" in outcome.reason for outcome in first)
    assert statuses(second) == {(OutcomeStatus.LINKED, True): 5}
    assert len(sandbox.orders) == 5


async def test_data_changed_while_unknown(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A changed row is not sent while its result is unknown; with the old data restored it is."""
    sandbox.inject_faults(Fault("lose-response"))
    await outcomes_of(Onboarding(session.with_options(retry=QUICK), ledger, [row()]))
    sandbox.inject_faults()
    (stopped,) = await outcomes_of(Onboarding(session, ledger, [row(name="改名")]))
    (linked,) = await outcomes_of(Onboarding(session, ledger, [row()]))
    assert (stopped.status, stopped.sent) == (OutcomeStatus.UNKNOWN, False)
    assert "restore the data and run again" in stopped.reason
    assert (linked.status, len(sandbox.orders)) == (OutcomeStatus.LINKED, 1)


async def test_refused(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A refused row is sent again if its data changes, or with ``retry_refused``, each time under another id."""
    sandbox.inject_faults(Fault("code-31000", times=1))
    (refused,) = await outcomes_of(Onboarding(session, ledger, [row()]))
    (still,) = await outcomes_of(Onboarding(session, ledger, [row()]))
    sandbox.inject_faults(Fault("code-31000", times=1))
    (again,) = await outcomes_of(Onboarding(session, ledger, [row()], retry_refused=True))
    (mended,) = await outcomes_of(Onboarding(session, ledger, [row(name="改名")]))
    found = [refused, still, again, mended]
    assert [(each.status, each.sent) for each in found] == [
        (OutcomeStatus.REFUSED, True),
        (OutcomeStatus.REFUSED, False),
        (OutcomeStatus.REFUSED, True),
        (OutcomeStatus.LINKED, True),
    ]
    assert [each.entry.generation for each in found if each.entry] == [1, 1, 2, 3]
    assert "31000" in refused.reason
    assert refused.entry is not None
    assert refused.entry.code == 31000


async def test_invalid_and_duplicate_rows(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Invalid and duplicate rows are not sent, the others are; each row has its outcome."""
    broken = attrs.evolve(row(1), problems=(Problem("信用代码", "is wrong"),))
    odd = attrs.evolve(row(2), problems=(Problem("手机号", "is odd", fatal=False),))
    second = attrs.evolve(row(2), row_number=9)
    found = await outcomes_of(Onboarding(session, ledger, [broken, odd, second]))
    assert [outcome.status for outcome in found] == [
        OutcomeStatus.INVALID,
        OutcomeStatus.LINKED,
        OutcomeStatus.DUPLICATE,
    ]
    assert [outcome.reason for outcome in found] == [
        "信用代码: is wrong",
        "手机号: is odd",
        "duplicate of row 4, which is sent once",
    ]
    assert (found[0].order_no, found[0].auth_url) == (None, None)
    assert len(sandbox.orders) == 1


async def test_strict(session: AsyncSession, ledger: SqliteLedger) -> None:
    """With ``strict``, a duplicate row is invalid."""
    found = await outcomes_of(Onboarding(session, ledger, [row(), attrs.evolve(row(), row_number=9)], strict=True))
    assert [outcome.status for outcome in found] == [OutcomeStatus.LINKED, OutcomeStatus.INVALID]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("code-40000", "Check the token"),
        ("code-41000", "Check the token"),
        ("code-42000", "Check the token"),
        ("code-41003", "Top up the account"),
        (
            "internal-401",
            "this platform does not offer identification links.*Run it again with the base URL of a platform",
        ),
    ],
)
async def test_systemic_failure(
    kind: str, advice: str, session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger
) -> None:
    """The run pauses soon after the failure, leaves the rest pending, names the remedy, and can be continued."""
    outcomes: list[Outcome] = []

    def fail_after_thirty() -> None:
        if len(outcomes) == 30:
            sandbox.inject_faults(Fault(kind))

    with pytest.raises(RunPaused, match=advice) as paused:
        await collect(Onboarding(session, ledger, rows(1000), concurrency=5), outcomes, fail_after_thirty)
    assert isinstance(paused.value.original_error, KfqError)
    counts = statuses(outcomes)
    assert 30 <= counts[OutcomeStatus.LINKED, True] <= 30 + unread(5)
    assert 1 <= counts[OutcomeStatus.PENDING, True] <= 5
    assert {status for status, _ in counts} == {OutcomeStatus.LINKED, OutcomeStatus.PENDING}
    sandbox.inject_faults()
    again = await outcomes_of(Onboarding(session, ledger, rows(1000), concurrency=20))
    assert statuses(again)[OutcomeStatus.LINKED, False] == counts[OutcomeStatus.LINKED, True]
    assert {status for status, _ in statuses(again)} == {OutcomeStatus.LINKED}
    assert len(sandbox.orders) == 1000


async def test_wrong_context_path(sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A base URL without its context path pauses the run at the first responses."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url.removesuffix("/resrun-paas")) as session:
        with pytest.raises(RunPaused, match=r"did you mean .*/resrun-paas .*Check the base URL"):
            await outcomes_of(Onboarding(session, ledger, rows(100)))
    assert {entry.state for entry in await entries_of(ledger)} == {State.PENDING}


async def test_no_response(ledger: SqliteLedger) -> None:
    """Twenty calls in a row without a response pause the run, and the rows stay pending."""
    retry = RetryPolicy(attempts=1)
    async with AsyncSession("TOKEN", base_url="http://127.0.0.1:9/resrun-paas", retry=retry) as session:
        outcomes: list[Outcome] = []
        with pytest.raises(RunPaused, match="20 calls in a row"):
            await collect(Onboarding(session, ledger, rows(1000), concurrency=1), outcomes)
    assert set(statuses(outcomes)) == {(OutcomeStatus.PENDING, False)}  # nothing left this machine
    assert [each.entry.attempts for each in outcomes if each.entry and each.entry.attempts] == [1] * MAX_FAILURES


async def test_single_failures_do_not_pause(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A run continues through many failures that are not consecutive."""
    sandbox.inject_faults(Fault("lose-response", probability=0.5))
    once = session.with_options(retry=RetryPolicy(attempts=1))
    found = await outcomes_of(Onboarding(once, ledger, rows(200), concurrency=5))
    assert statuses(found)[OutcomeStatus.UNKNOWN, True] > MAX_FAILURES
    assert statuses(found)[OutcomeStatus.LINKED, True] > MAX_FAILURES


async def test_stop(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Requests under way are finished, the rest stays pending, and the next run continues."""
    sandbox.inject_faults(Fault("delay", seconds=0.02))
    async with Onboarding(session, ledger, rows(1000), concurrency=5) as run:
        outcomes = []
        async for outcome in run:
            outcomes.append(outcome)
            run.stop()
    counts = statuses(outcomes)
    assert counts.keys() <= {(OutcomeStatus.LINKED, True), (OutcomeStatus.PENDING, False)}
    assert 1 <= counts[OutcomeStatus.LINKED, True] <= unread(5)
    sandbox.inject_faults()
    again = await outcomes_of(Onboarding(session, ledger, rows(1000), concurrency=20))
    assert {outcome.status for outcome in again} == {OutcomeStatus.LINKED}
    assert len(sandbox.orders) == 1000


async def test_stop_with_a_waiting_source(session: AsyncSession, ledger: SqliteLedger) -> None:
    """A source that yields nothing more does not keep a stopped run from ending."""

    async def waiting() -> AsyncIterator[Row]:
        yield row()
        await asyncio.Event().wait()

    async with Onboarding(session, ledger, waiting()) as run:
        async for _ in run:
            run.stop()
    assert [entry.state for entry in await entries_of(ledger)] == [State.LINKED]


async def test_stop_keeps_doubt(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """An unknown row that was not sent again because the run was stopped is still unknown."""
    sandbox.inject_faults(Fault("lose-response"))
    await outcomes_of(Onboarding(session.with_options(retry=QUICK), ledger, rows(2)))
    sandbox.inject_faults()
    async with Onboarding(session, ledger, rows(2), rate_limit=0.001) as run:
        linked = await anext(run)  # the other row would be sent 1,000 s later
        run.stop()
        (unknown,) = await remaining(run)
    assert (linked.status, linked.sent) == (OutcomeStatus.LINKED, True)
    assert (unknown.status, unknown.sent) == (OutcomeStatus.UNKNOWN, False)


async def test_cancelled_run(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Leaving the run early cancels the requests under way; after the next run each company has one order."""
    sandbox.inject_faults(Fault("delay", seconds=0.01))
    async with Onboarding(session, ledger, rows(500), concurrency=20) as run:
        async for outcome in run:
            if outcome.row_number > 60:
                break
    sandbox.inject_faults()
    assert State.UNKNOWN in {entry.state for entry in await entries_of(ledger)}
    again = await outcomes_of(Onboarding(session, ledger, rows(500), concurrency=20))
    assert {outcome.status for outcome in again} == {OutcomeStatus.LINKED}
    assert len(sandbox.orders) == 500


async def test_concurrency(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """No more than ``concurrency`` requests are under way at a time."""
    sandbox.inject_faults(Fault("delay", seconds=0.02))
    active = most = 0
    send = session._send_encoded

    async def counting(*args: object) -> object:
        nonlocal active, most
        active += 1
        most = max(most, active)
        try:
            return await send(*args)  # type: ignore[arg-type]
        finally:
            active -= 1

    session._send_encoded = counting  # type: ignore[method-assign, assignment]
    await outcomes_of(Onboarding(session, ledger, rows(40), concurrency=4))
    assert most == 4


@pytest.mark.parametrize("concurrency", [1, 2, 7])
async def test_rows_in_doubt(concurrency: int, session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A row is unknown from the commit before its sending on, and no more than two groups are at any instant."""
    stored: dict[bytes, State] = {}
    doubtful = []
    put, record = ledger.put, ledger.record

    def note(entries: Sequence[Entry], unknown: Sequence[Entry] = ()) -> None:
        stored.update((entry.key_hash, entry.state) for entry in entries)
        stored.update((entry.key_hash, State.UNKNOWN) for entry in unknown)
        doubtful.append(sum(state is State.UNKNOWN for state in stored.values()))

    async def put_and_note(entries: Sequence[Entry]) -> None:
        await put(entries)
        note(entries)
        assert not any(entry.state is State.UNKNOWN for entry in entries)

    async def record_and_note(entries: Sequence[Entry], *, unknown: Sequence[Entry] = ()) -> None:
        await record(entries, unknown=unknown)
        note(entries, unknown)
        assert len(unknown) <= concurrency

    async def send_noted(operation: Operation[EncodedRequest, CorpIdentLink], request: EncodedRequest) -> object:
        (entry,) = [each async for each in ledger.entries() if each.client_request_id == request.client_request_id]
        assert entry.state is State.UNKNOWN
        return await send(operation, request)

    send = session._send_encoded
    session._send_encoded = send_noted  # type: ignore[method-assign, assignment]
    ledger.put, ledger.record = put_and_note, record_and_note  # type: ignore[method-assign]
    found = await outcomes_of(Onboarding(session, ledger, rows(60), concurrency=concurrency))
    assert statuses(found) == {(OutcomeStatus.LINKED, True): 60}
    assert max(doubtful) == 2 * concurrency
    assert doubtful[-1] == 0


async def test_rows_not_in_doubt(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """After the end of a process at any time, rows that were not in doubt may be corrected, sorted and deleted."""
    sandbox.inject_faults(Fault("delay", seconds=60))
    async with Onboarding(session, ledger, rows(50), concurrency=3) as run:
        async with asyncio.timeout(55):
            while len([each async for each in ledger.entries([State.UNKNOWN])]) < 6:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        states = Counter([entry.state async for entry in ledger.entries()])
        assert run.run == 1
    assert states == {State.UNKNOWN: 6, State.PENDING: 44}
    sandbox.inject_faults()
    doubtful = [each.row_number async for each in ledger.entries([State.UNKNOWN])]
    changed = [row(number, name=None if number + 2 in doubtful else "改名") for number in reversed(range(40))]
    found = await outcomes_of(Onboarding(session, ledger, changed, concurrency=3))
    assert statuses(found) == {(OutcomeStatus.LINKED, True): 40}
    assert sum("改名" in order.request for order in sandbox.orders) == 34


async def test_results_are_committed_after_a_while(
    session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger
) -> None:
    """A result does not wait for others that may never come."""
    sandbox.inject_faults(Fault("delay", seconds=60))
    send, first = session._send_encoded, True

    async def send_first_quickly(operation: Operation[EncodedRequest, CorpIdentLink], data: EncodedRequest) -> object:
        nonlocal first
        if first:
            first = False
            sandbox.inject_faults()
            result = await send(operation, data)
            sandbox.inject_faults(Fault("delay", seconds=60))
            return result
        return await asyncio.Event().wait()

    session._send_encoded = send_first_quickly  # type: ignore[method-assign, assignment]
    async with asyncio.timeout(55), Onboarding(session, ledger, rows(20), concurrency=10) as run:
        assert (await anext(run)).status is OutcomeStatus.LINKED


def test_full_commits() -> None:
    """Results that come steadily are committed by half a group; the wait for the first of them does not outlive it."""
    committed: list[int] = []
    numbers = count(1)

    async def put(entries: Sequence[Entry]) -> None:
        committed.append(sum(entry.state is State.LINKED for entry in entries))

    async def record(entries: Sequence[Entry], *, unknown: Sequence[Entry]) -> None:
        assert len(unknown) <= 10
        await put(entries)

    async def send_steadily(*_: object) -> tuple[CorpIdentLink, int]:
        await asyncio.sleep(0.015 * next(numbers) - asyncio.get_running_loop().time())
        return CorpIdentLink(order_no="X", auth_url="https://x"), 1

    async def main() -> None:
        session = AsyncMock(AsyncSession, _send_encoded=send_steadily)
        ledger = AsyncMock(SqliteLedger, secret=bytes(32), put=put, record=record)
        ledger.find.return_value = {}
        await outcomes_of(Onboarding(session, ledger, asynchronously([*rows(40)]), concurrency=10))  # type: ignore[arg-type]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())
    assert [number for number in committed if number] == [5] * 8


async def test_rate_limit(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Requests begin evenly spaced, so eleven of them take ten intervals or more."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await outcomes_of(Onboarding(session, ledger, rows(11), rate_limit=50))
    assert loop.time() - began >= 0.2


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
async def test_source_error(kind: str, session: AsyncSession, ledger: SqliteLedger) -> None:
    """The rows before the failure are sent, then the failure is raised."""

    def plain() -> Iterator[Row]:
        yield from rows(30)
        raise SourceError("line 32: cannot be read")

    async def asynchronous() -> AsyncIterator[Row]:
        for each in plain():
            yield each

    source: Callable[[], Iterator[Row] | AsyncIterator[Row]] = plain if kind == "plain" else asynchronous
    outcomes: list[Outcome] = []
    with pytest.raises(SourceError, match="line 32"):
        await collect(Onboarding(session, ledger, source()), outcomes)
    assert statuses(outcomes) == {(OutcomeStatus.LINKED, True): 30}


async def test_ledger_error(session: AsyncSession, ledger: SqliteLedger) -> None:
    """If the ledger fails, the run ends with its error, in the middle of the rows, each time it is read."""
    async with Onboarding(session, ledger, rows(500)) as run:
        await anext(run)
        await ledger.aclose()
        for _ in range(2):
            with pytest.raises(LedgerError, match="use it inside async with"):
                await remaining(run)


async def test_closed_session(session: AsyncSession, ledger: SqliteLedger) -> None:
    """A closed session is the caller's mistake: it is raised and is no outcome."""
    await session.aclose()
    with pytest.raises(SessionError, match="closed"):
        await outcomes_of(Onboarding(session, ledger, rows(3)))


async def test_callbacks(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Each request carries callback URLs that are bound to its id."""
    urls = CallbackUrls([b"s" * 32], page="https://shop.example/done", notify="https://shop.example/hooks")
    await outcomes_of(Onboarding(session, ledger, rows(2), callbacks=urls))
    for order in sandbox.orders:
        path = order.request.split('"authCallbackUrl":"https://shop.example')[1].split('"')[0]
        assert urls.match(path) == order.client_request_id


async def test_changed_callbacks(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """With other callback URLs nothing is requested twice, and a request in doubt is repeated with its own."""
    old = CallbackUrls([b"s" * 32], page="https://old.example/done", notify="https://old.example/hooks")
    new = CallbackUrls([b"n" * 32], page="https://new.example/done", notify="https://new.example/hooks")
    await outcomes_of(Onboarding(session, ledger, rows(1), callbacks=old))
    sandbox.inject_faults(Fault("lose-response"))
    await outcomes_of(Onboarding(session.with_options(retry=QUICK), ledger, rows(2), callbacks=old))
    sandbox.inject_faults()
    found = await outcomes_of(Onboarding(session, ledger, rows(3), callbacks=new, earlier_callbacks=[old]))
    assert [(each.status, each.sent, each.reason) for each in found] == [
        (OutcomeStatus.LINKED, sent, "") for sent in (False, True, True)
    ]
    hosts = ["old.example" if "old.example" in order.request else "new.example" for order in sandbox.orders]
    assert hosts == ["old.example", "old.example", "new.example"]


async def test_invalid_use(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Options out of range, values that are not rows and a run that is not open are refused with a remedy."""
    with pytest.raises(ValueError, match="concurrency must be at least 1, not 0"):
        Onboarding(session, ledger, rows(1), concurrency=0)
    with pytest.raises(ValueError, match="rate_limit must be more than 0 requests per second"):
        Onboarding(session, ledger, rows(1), rate_limit=0)
    with pytest.raises(RuntimeError, match="inside async with"):
        aiter(Onboarding(session, ledger, rows(1)))
    for wrong in ([row().request], asynchronously([row().request])):
        with pytest.raises(TypeError, match="request_rows"):
            await outcomes_of(Onboarding(session, ledger, wrong))  # type: ignore[arg-type]
    async with Onboarding(session, ledger, rows(0)) as run:
        assert [outcome async for outcome in run] == []


async def test_no_personal_data(
    session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """The ledger's files, the outcomes and the log hold no personal data, whatever the platform's messages say."""
    caplog.set_level("DEBUG")
    sandbox.inject_faults(Fault("code-31000", probability=0.3), Fault("lose-response", probability=0.1))
    quick = session.with_options(retry=QUICK, timeouts=Timeouts(total=10))
    found = await outcomes_of(Onboarding(quick, ledger, rows(200)))
    folder = ledger.path.parent
    stored = b"".join(await asyncio.to_thread(lambda: [file.read_bytes() for file in folder.iterdir()]))
    shown = "".join(map(repr, found)) + "".join(outcome.reason for outcome in found) + caplog.text
    assert b"C199" in stored
    for personal in PERSONAL:
        assert personal.encode() not in stored
        assert personal not in shown


async def all_of(queue: BatchQueue[Row]) -> list[Row]:
    """Return all rows."""
    return [row async for row in queue]


async def slowly() -> AsyncIterator[Row]:
    """Yield rows from an async source."""
    for each in rows(3):
        await asyncio.sleep(0)
        yield each


async def test_prefetch() -> None:
    """Each row of any source comes once, in order."""
    for source, expected in ((rows(2 * BATCH + 1), 2 * BATCH + 1), (iter(rows(3)), 3), (slowly(), 3), ([], 0)):
        queue: BatchQueue[Row] = BatchQueue(BATCH)
        async with prefetch(source, queue):
            found = await all_of(queue)
        assert [each.row_number for each in found] == [each.row_number for each in rows(expected)]
        assert queue.error is None


async def test_prefetch_is_bounded() -> None:
    """An endless source is read a few batches ahead, outside the loop's thread."""
    read = []
    threads = set()

    def endless() -> Iterator[Row]:
        for number in count():
            threads.add(threading.get_ident())
            read.append(number)
            yield row(number)

    queue: BatchQueue[Row] = BatchQueue(BATCH)
    async with prefetch(endless(), queue):
        assert (await anext(queue)).row_number == row(0).row_number
        await asyncio.sleep(0.05)
        assert len(read) <= 3 * BATCH
    assert threading.get_ident() not in threads


async def test_prefetch_source_error() -> None:
    """The rows before the failure come, and the queue has its error."""

    def failing() -> Iterator[Row]:
        yield from rows(BATCH + 5)
        raise OSError("gone")

    async def failing_slowly() -> AsyncIterator[Row]:
        for each in failing():
            yield each

    for source in (failing(), failing_slowly()):
        queue: BatchQueue[Row] = BatchQueue(BATCH)
        async with prefetch(source, queue):
            assert len(await all_of(queue)) == BATCH + 5
        assert str(queue.error) == "gone"


async def test_prefetch_of_requests() -> None:
    """Requests instead of rows are refused with a remedy."""
    queue: BatchQueue[Row] = BatchQueue(BATCH)
    async with prefetch([row(), row().request], queue):  # type: ignore[list-item]
        assert len(await all_of(queue)) == 1
    with pytest.raises(TypeError, match="request_rows"):
        raise queue.error or AssertionError


async def test_request_link(session: AsyncSession, sandbox: Sandbox) -> None:
    """The result has the link, the number of attempts, and the duration of all of them."""
    sandbox.inject_faults(Fault("lose-response", times=1))
    call = await request_link(session.with_options(retry=QUICK), encode_request(request(), "id-1"))
    assert isinstance(call.result, CorpIdentLink)
    assert call.attempts == 2
    assert call.seconds >= 0.005
    assert [order.client_request_id for order in sandbox.orders] == ["id-1"]


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [(Fault("code-31000"), BusinessError, 1), (Fault("lose-response"), ConnectionLost, 3)],
)
async def test_request_link_error(
    session: AsyncSession, sandbox: Sandbox, fault: Fault, kind: type[Exception], attempts: int
) -> None:
    """A refusal and a network error are results."""
    sandbox.inject_faults(fault)
    call = await request_link(session.with_options(retry=QUICK), encode_request(request(), "id-1"))
    assert (type(call.result), call.attempts) == (kind, attempts)


async def test_request_link_with_a_closed_session(session: AsyncSession) -> None:
    """The caller's mistake is raised."""
    await session.aclose()
    with pytest.raises(SessionError):
        await request_link(session, encode_request(request(), "id-1"))
