"""Many companies against the sandbox: every row has its outcome, and no company two orders."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import attrs
import pytest

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
from kfq_async.onboarding.decisions import written
from kfq_async.onboarding.failures import FAILURES
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.queues import BatchQueue
from kfq_async.onboarding.records import Entry, Outcome, OutcomeStatus, Problem, State
from kfq_async.onboarding.runner import BATCH, Onboarding, _next_size, prefetch, request_link
from kfq_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from kfq_async.onboarding.records import Row
    from kfq_async.sandbox import Sandbox


QUICK = RetryPolicy(attempts=2, initial=0.01, maximum=0.02)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """An empty ledger."""
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        yield ledger


async def outcomes_of(run: Onboarding) -> list[Outcome]:
    """Run to the end, and return the outcomes by row."""
    async with run:
        return sorted([outcome async for outcome in run], key=lambda outcome: outcome.row_number)


async def end_of(run: Onboarding, outcomes: list[Outcome], each: Callable[[], None] = lambda: None) -> None:
    """Run to the end, be it an error, collecting the outcomes; ``each`` is called after each of them."""
    async with run:
        async for outcome in run:
            outcomes.append(outcome)
            each()


async def _each(items: Sequence[object]) -> AsyncIterator[object]:
    for item in items:
        yield item


async def outcomes_after(run: Onboarding) -> list[Outcome]:
    """Go on to the end of a run that is open."""
    return [outcome async for outcome in run]


async def entries_of(ledger: SqliteLedger) -> list[Entry]:
    """Return the latest generations."""
    return [entry async for entry in ledger.entries()]


def endings(outcomes: Sequence[Outcome]) -> Counter[tuple[OutcomeStatus, bool]]:
    """Count the outcomes by their ending, and whether they were asked now."""
    return Counter((outcome.status, outcome.sent) for outcome in outcomes)


async def test_links_for_all(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Each row gets its link, and the same run again asks nothing."""
    first = await outcomes_of(Onboarding(session, ledger, rows(500)))
    again = await outcomes_of(Onboarding(session, ledger, rows(500)))
    assert endings(first) == {(OutcomeStatus.LINKED, True): 500}
    assert endings(again) == {(OutcomeStatus.LINKED, False): 500}
    assert [outcome.row_number for outcome in first] == list(range(2, 502))
    orders = {order.client_request_id: order.order_no for order in sandbox.orders}
    assert len(orders) == len(sandbox.orders) == 500
    assert {outcome.order_no for outcome in first} == set(orders.values())
    for before, after in zip(first, again, strict=True):
        assert before.entry is not None
        assert orders[before.entry.client_request_id] == before.order_no == after.order_no
        assert before.auth_url == after.auth_url is not None


async def test_an_outcome_is_in_the_ledger_when_it_is_given_out(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Whoever acts on an outcome can rely on it, even if the process dies right after."""
    async with Onboarding(session, ledger, rows(300)) as run:
        async for outcome in run:
            assert outcome.entry is not None
            assert await ledger.find([outcome.entry.key_hash]) == {outcome.entry.key_hash: outcome.entry}


async def test_async_sources(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Rows may come from anything asynchronous, and one that trickles in is asked before the next one comes."""
    linked = asyncio.Event()

    async def trickle() -> AsyncIterator[Row]:
        yield row(0)
        await linked.wait()
        yield row(1)

    async with Onboarding(session, ledger, trickle()) as run:
        numbers = []
        async for outcome in run:
            numbers.append(outcome.row_number)
            linked.set()
    assert numbers == [2, 3]


async def test_faults(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """With answers lost on the way, each company still has one order."""
    sandbox.inject_faults(Fault("lose-response", probability=0.1), Fault("lose-request", probability=0.1))
    found = await outcomes_of(
        Onboarding(session.with_options(retry=RetryPolicy(initial=0.01)), ledger, rows(300), concurrency=50)
    )
    again = await outcomes_of(Onboarding(session, ledger, rows(300)))
    assert {outcome.status for outcome in again} == {OutcomeStatus.LINKED}
    assert len(found) == len(sandbox.orders) == 300


async def test_unknown_is_asked_again_under_its_id(
    session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger
) -> None:
    """Where every answer was lost, the next run asks for the same order."""
    lossy = session.with_options(retry=QUICK)
    sandbox.inject_faults(Fault("lose-response"))
    first = await outcomes_of(Onboarding(lossy, ledger, rows(5)))
    sandbox.inject_faults()
    second = await outcomes_of(Onboarding(lossy, ledger, rows(5)))
    assert endings(first) == {(OutcomeStatus.UNKNOWN, True): 5}
    assert all("connection was lost" in outcome.reason for outcome in first)
    assert endings(second) == {(OutcomeStatus.LINKED, True): 5}
    assert len(sandbox.orders) == 5


async def test_a_row_changed_while_unknown(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """It is stopped and named, and goes on when the old data is back."""
    sandbox.inject_faults(Fault("lose-response"))
    await outcomes_of(Onboarding(session.with_options(retry=QUICK), ledger, [row()]))
    sandbox.inject_faults()
    (stopped,) = await outcomes_of(Onboarding(session, ledger, [row(name="改名")]))
    (linked,) = await outcomes_of(Onboarding(session, ledger, [row()]))
    assert (stopped.status, stopped.sent) == (OutcomeStatus.UNKNOWN, False)
    assert "put the old ones back" in stopped.reason
    assert (linked.status, len(sandbox.orders)) == (OutcomeStatus.LINKED, 1)


async def test_a_refused_row(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """It stays refused until its data changes or it is asked again on purpose; each time under another id."""
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


async def test_invalid_and_repeated_rows(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """What must not be sent is not, the rest is; each row has its outcome."""
    broken = attrs.evolve(row(1), problems=(Problem("信用代码", "is wrong"),))
    odd = attrs.evolve(row(2), problems=(Problem("手机号", "is odd", fatal=False),))
    again = attrs.evolve(row(2), row_number=9)
    found = await outcomes_of(Onboarding(session, ledger, [broken, odd, again]))
    assert [outcome.status for outcome in found] == [
        OutcomeStatus.INVALID,
        OutcomeStatus.LINKED,
        OutcomeStatus.REPEATED,
    ]
    assert [outcome.reason for outcome in found] == [
        "信用代码: is wrong",
        "手机号: is odd",
        "repeats row 4, asked once",
    ]
    assert (found[0].order_no, found[0].auth_url) == (None, None)
    assert len(sandbox.orders) == 1


async def test_strict(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Strictly, a repeated row is invalid."""
    found = await outcomes_of(Onboarding(session, ledger, [row(), attrs.evolve(row(), row_number=9)], strict=True))
    assert [outcome.status for outcome in found] == [OutcomeStatus.LINKED, OutcomeStatus.INVALID]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("code-40000", "Check the token"),
        ("code-41000", "Check the token"),
        ("code-42000", "Check the token"),
        ("code-41003", "Top up the account"),
    ],
)
async def test_what_concerns_every_row_pauses(
    kind: str, advice: str, session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger
) -> None:
    """The run stops asking, leaves the rest pending, says what to do, and goes on when that is done."""
    outcomes: list[Outcome] = []

    def fail_after_thirty() -> None:
        if len(outcomes) == 30:
            sandbox.inject_faults(Fault(kind))

    with pytest.raises(RunPaused, match=advice) as paused:
        await end_of(Onboarding(session, ledger, rows(1000), concurrency=5), outcomes, fail_after_thirty)
    assert isinstance(paused.value.original_error, KfqError)
    counted = endings(outcomes)
    assert 30 <= counted[OutcomeStatus.LINKED, True] < 300
    assert 1 <= counted[OutcomeStatus.PENDING, True] <= 5
    assert {ending for ending, _ in counted} == {OutcomeStatus.LINKED, OutcomeStatus.PENDING}
    sandbox.inject_faults()
    again = await outcomes_of(Onboarding(session, ledger, rows(1000), concurrency=20))
    assert endings(again)[OutcomeStatus.LINKED, False] == counted[OutcomeStatus.LINKED, True]
    assert {ending for ending, _ in endings(again)} == {OutcomeStatus.LINKED}
    assert len(sandbox.orders) == 1000


async def test_a_wrong_context_path_pauses(sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A base URL without its context path is found out by the first answers."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url.removesuffix("/resrun-paas")) as session:
        with pytest.raises(RunPaused, match=r"did you mean .*/resrun-paas .*Check the base URL"):
            await outcomes_of(Onboarding(session, ledger, rows(100)))
    assert {entry.state for entry in await entries_of(ledger)} == {State.PENDING}


async def test_nobody_answers(ledger: SqliteLedger) -> None:
    """Twenty calls in a row without an answer pause the run, and nothing was sent."""
    retry = RetryPolicy(attempts=1)
    async with AsyncSession("TOKEN", base_url="http://127.0.0.1:9/resrun-paas", retry=retry) as session:
        outcomes: list[Outcome] = []
        with pytest.raises(RunPaused, match="20 calls in a row"):
            await end_of(Onboarding(session, ledger, rows(1000), concurrency=1), outcomes)
    assert endings(outcomes)[OutcomeStatus.PENDING, True] == FAILURES


async def test_single_failures_do_not_pause(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Only failures in a row do: a run goes on through many of them."""
    sandbox.inject_faults(Fault("lose-response", probability=0.5))
    once = session.with_options(retry=RetryPolicy(attempts=1))
    found = await outcomes_of(Onboarding(once, ledger, rows(200), concurrency=5))
    assert endings(found)[OutcomeStatus.UNKNOWN, True] > FAILURES
    assert endings(found)[OutcomeStatus.LINKED, True] > FAILURES


async def test_stopping(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """What is under way is finished, the rest is released, and the same run again continues."""
    sandbox.inject_faults(Fault("delay", seconds=0.02))
    async with Onboarding(session, ledger, rows(1000), concurrency=5) as run:
        outcomes = []
        async for outcome in run:
            outcomes.append(outcome)
            run.stop()
    counted = endings(outcomes)
    assert counted.keys() <= {(OutcomeStatus.LINKED, True), (OutcomeStatus.PENDING, False)}
    assert 1 <= counted[OutcomeStatus.LINKED, True] < 50
    sandbox.inject_faults()
    again = await outcomes_of(Onboarding(session, ledger, rows(1000), concurrency=20))
    assert {outcome.status for outcome in again} == {OutcomeStatus.LINKED}
    assert len(sandbox.orders) == 1000


async def test_stopping_while_the_source_is_silent(session: AsyncSession, ledger: SqliteLedger) -> None:
    """A source that has nothing to say does not keep the run from ending."""

    async def silent() -> AsyncIterator[Row]:
        yield row()
        await asyncio.Event().wait()

    async with Onboarding(session, ledger, silent()) as run:
        async for _ in run:
            run.stop()
    assert [entry.state for entry in await entries_of(ledger)] == [State.LINKED]


async def test_stopping_keeps_doubt(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A row in doubt that was not asked again is still in doubt."""
    sandbox.inject_faults(Fault("lose-response"))
    await outcomes_of(Onboarding(session.with_options(retry=QUICK), ledger, [row()]))
    sandbox.inject_faults()
    run = Onboarding(session, ledger, [row()], rate_limit=0.001)
    run._next_at = asyncio.get_running_loop().time() + 1000
    async with run:
        await asyncio.sleep(0.1)
        run.stop()
        (outcome,) = [outcome async for outcome in run]
    assert (outcome.status, outcome.sent) == (OutcomeStatus.UNKNOWN, False)


async def test_killed_without_a_word(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Leaving in the middle cancels what is under way; each company has one order in the end all the same."""
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


async def test_at_most_so_many_at_a_time(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """No more than ``concurrency`` requests are under way."""
    sandbox.inject_faults(Fault("delay", seconds=0.02))
    inside = most = 0
    send = session.send

    async def counting(*args: object) -> object:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        try:
            return await send(*args)  # type: ignore[arg-type]
        finally:
            inside -= 1

    session.send = counting  # type: ignore[method-assign, assignment]
    await outcomes_of(Onboarding(session, ledger, rows(40), concurrency=4))
    assert most == 4


async def test_a_ledger_that_is_slower_than_the_platform(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Calls wait for it: no more ends are held than are written next, and those that are under way."""
    run = Onboarding(session, ledger, rows(100), concurrency=10)
    run._ended.size = 5
    sizes = []
    settle = ledger.settle

    async def slowly(entries: Sequence[Entry]) -> None:
        sizes.append(len(entries))
        await asyncio.sleep(0.02)
        await settle(entries)

    ledger.settle = slowly  # type: ignore[method-assign]
    assert endings(await outcomes_of(run)) == {(OutcomeStatus.LINKED, True): 100}
    assert max(sizes) <= 15


async def test_at_most_so_many_a_second(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Requests begin evenly spaced, so a run of eleven takes ten distances at the least."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await outcomes_of(Onboarding(session, ledger, rows(11), rate_limit=50))
    assert loop.time() - began >= 0.2


@pytest.mark.parametrize("kind", ["plain", "asynchronous"])
async def test_a_source_that_fails(kind: str, session: AsyncSession, ledger: SqliteLedger) -> None:
    """The rows before the failure are asked, and then the failure is raised."""

    def plain() -> Iterator[Row]:
        yield from rows(30)
        raise SourceError("line 32: cannot be read")

    async def asynchronous() -> AsyncIterator[Row]:
        for each in plain():
            yield each

    source: Callable[[], Iterator[Row] | AsyncIterator[Row]] = plain if kind == "plain" else asynchronous
    outcomes: list[Outcome] = []
    with pytest.raises(SourceError, match="line 32"):
        await end_of(Onboarding(session, ledger, source()), outcomes)
    assert endings(outcomes) == {(OutcomeStatus.LINKED, True): 30}


async def test_a_ledger_that_fails(session: AsyncSession, ledger: SqliteLedger) -> None:
    """When the ledger cannot be written any more, the run ends with its words."""
    async with Onboarding(session, ledger, rows(500)) as run:
        await anext(run)
        await ledger._do(ledger._close)
        for _ in range(2):
            with pytest.raises(LedgerError, match="use it inside async with"):
                await outcomes_after(run)


async def test_a_session_that_is_closed(session: AsyncSession, ledger: SqliteLedger) -> None:
    """A mistake of the caller's is raised, and is no outcome of a row."""
    await session.aclose()
    with pytest.raises(SessionError, match="closed"):
        await outcomes_of(Onboarding(session, ledger, rows(3)))


async def test_bound_urls(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """Each request carries URLs that name its id."""
    urls = CallbackUrls([b"s" * 32], page="https://shop.example/done", notify="https://shop.example/hooks")
    await outcomes_of(Onboarding(session, ledger, rows(2), callbacks=urls))
    for order in sandbox.orders:
        path = order.request.split('"authCallbackUrl":"https://shop.example')[1].split('"')[0]
        assert urls.match(path) == order.client_request_id


async def test_wrong_use(session: AsyncSession, ledger: SqliteLedger) -> None:
    """Options out of range are named, and a run that was not opened says how it is."""
    with pytest.raises(ValueError, match="in_flight must be at least 1, not 0"):
        Onboarding(session, ledger, rows(1), concurrency=0)
    with pytest.raises(ValueError, match="per_second must be more than 0"):
        Onboarding(session, ledger, rows(1), rate_limit=0)
    with pytest.raises(RuntimeError, match="inside async with"):
        aiter(Onboarding(session, ledger, rows(1)))
    for wrong in ([row().request], _each([row().request])):
        with pytest.raises(TypeError, match="request_rows"):
            await outcomes_of(Onboarding(session, ledger, wrong))  # type: ignore[arg-type]
    async with Onboarding(session, ledger, rows(0)) as run:
        assert [outcome async for outcome in run] == []


async def test_no_personal_data(
    session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the ledger's files nor the outcomes nor the log hold a person's data, whatever the platform says."""
    caplog.set_level("DEBUG")
    sandbox.inject_faults(Fault("code-31000", probability=0.3), Fault("lose-response", probability=0.1))
    quick = session.with_options(retry=QUICK, timeouts=Timeouts(total=10))
    found = await outcomes_of(Onboarding(quick, ledger, rows(200)))
    folder = ledger.path.parent
    kept = b"".join(await asyncio.to_thread(lambda: [file.read_bytes() for file in folder.iterdir()]))
    shown = "".join(map(repr, found)) + "".join(outcome.reason for outcome in found) + caplog.text
    assert b"C199" in kept
    for personal in PERSONAL:
        assert personal.encode() not in kept
        assert personal not in shown


@pytest.mark.parametrize(
    ("size", "seconds", "expected"),
    [(50, 0.01, 100), (800, 0.01, 1000), (100, 0.5, 100), (400, 2.0, 200), (60, 2.0, 50)],
)
def test_ids_are_ahead_by_a_time(size: int, seconds: float, expected: int) -> None:
    """The faster the platform, the more ids are committed together: what waits is in doubt after a kill."""
    assert _next_size(size, seconds) == expected


async def taken(stream: BatchQueue[Row]) -> list[Row]:
    """Take all rows."""
    return [row async for row in stream]


async def slowly() -> AsyncIterator[Row]:
    """Yield rows as they come in from somewhere."""
    for each in rows(3):
        await asyncio.sleep(0)
        yield each


async def test_all_rows_in_their_order() -> None:
    """Whatever the source, each row comes once."""
    for source, expected in ((rows(2 * BATCH + 1), 2 * BATCH + 1), (iter(rows(3)), 3), (slowly(), 3), ([], 0)):
        stream: BatchQueue[Row] = BatchQueue(BATCH)
        async with prefetch(source, stream):
            found = await taken(stream)
        assert [each.row_number for each in found] == [each.row_number for each in rows(expected)]
        assert stream.error is None


async def test_no_more_than_is_needed() -> None:
    """A source without end is read a little ahead, away from the loop's thread, and left when nobody takes."""
    read = []
    threads = set()

    def endless() -> Iterator[Row]:
        for number in count():
            threads.add(threading.get_ident())
            read.append(number)
            yield row(number)

    stream: BatchQueue[Row] = BatchQueue(BATCH)
    async with prefetch(endless(), stream):
        assert (await anext(stream)).row_number == row(0).row_number
        await asyncio.sleep(0.05)
        assert len(read) <= 3 * BATCH
    assert threading.get_ident() not in threads


async def test_reading_from_a_source_that_fails() -> None:
    """The rows before come, and then its error."""

    def failing() -> Iterator[Row]:
        yield from rows(BATCH + 5)
        raise OSError("gone")

    async def failing_slowly() -> AsyncIterator[Row]:
        for each in failing():
            yield each

    for source in (failing(), failing_slowly()):
        stream: BatchQueue[Row] = BatchQueue(BATCH)
        async with prefetch(source, stream):
            assert len(await taken(stream)) == BATCH + 5
        assert str(stream.error) == "gone"


async def test_what_is_no_row() -> None:
    """Requests by themselves are refused with advice."""
    stream: BatchQueue[Row] = BatchQueue(BATCH)
    async with prefetch([row(), row().request], stream):  # type: ignore[list-item]
        assert len(await taken(stream)) == 1
    with pytest.raises(TypeError, match="request_rows"):
        raise stream.error or AssertionError


QUICK = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)


async def test_a_link(session: AsyncSession, sandbox: Sandbox) -> None:
    """A link is an end, with the requests that it took, and the time of all of them."""
    sandbox.inject_faults(Fault("lose-response", times=1))
    end = await request_link(session.with_options(retry=QUICK), written(request(), "id-1"))
    assert isinstance(end.result, CorpIdentLink)
    assert end.attempts == 2
    assert end.seconds >= 0.005
    assert [order.client_request_id for order in sandbox.orders] == ["id-1"]


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [(Fault("code-31000"), BusinessError, 1), (Fault("lose-response"), ConnectionLost, 3)],
)
async def test_an_error(
    session: AsyncSession, sandbox: Sandbox, fault: Fault, kind: type[Exception], attempts: int
) -> None:
    """A refusal is an end as well, and so is a network that fails."""
    sandbox.inject_faults(fault)
    end = await request_link(session.with_options(retry=QUICK), written(request(), "id-1"))
    assert (type(end.result), end.attempts) == (kind, attempts)


async def test_a_mistake(session: AsyncSession) -> None:
    """What the caller did wrong is no end of a call."""
    await session.aclose()
    with pytest.raises(SessionError):
        await request_link(session, written(request(), "id-1"))
