"""Rows as jobs: every job is there once, says nothing about anybody, and ends with its company settled."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from procrastinate.jobs import Job

from companies import PERSONAL, request, row, rows
from kfq_async import (
    AsyncSession,
    BusinessError,
    CallbackUrls,
    ConnectionLost,
    CredentialsError,
    LedgerError,
    RetryPolicy,
)
from kfq_async.onboarding.jobs.worker import LONGEST_WAIT, MOST_ATTEMPTS, OnboardingJobs, _Again
from kfq_async.onboarding.ledgers.postgres import PostgresLedger
from kfq_async.onboarding.records import Entry, OutcomeStatus, State
from kfq_async.onboarding.runner import BATCH
from kfq_async.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from kfq_async.onboarding.records import Outcome, Row

SECRET = b"s" * 32
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
async def jobs(postgres: str) -> AsyncIterator[OnboardingJobs]:
    """No jobs yet; the companies of one ledger."""
    async with OnboardingJobs(postgres, secret=SECRET, stalled_after=1) as jobs:
        yield jobs


async def rows_of(jobs: OnboardingJobs, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Ask the database."""
    async with jobs.ledger.pool.connection() as connection:
        found = await connection.execute(query, values)
        return await found.fetchall() if found.description else []


async def statuses(jobs: OnboardingJobs) -> list[str]:
    """Return the statuses of all jobs for companies."""
    found = await rows_of(jobs, "SELECT status::text FROM procrastinate_jobs WHERE task_name = 'ask' ORDER BY id")
    return [status for (status,) in found]


async def make_ready(jobs: OnboardingJobs) -> None:
    """Let jobs that wait for their time be ready at once."""
    await rows_of(jobs, "UPDATE procrastinate_jobs SET scheduled_at = NULL")


async def entries_of(jobs: OnboardingJobs) -> list[Entry]:
    """Return where the companies stand."""
    return [entry async for entry in jobs.ledger.entries()]


async def run_all(jobs: OnboardingJobs, session: AsyncSession) -> None:
    """Run the jobs that are ready."""
    await jobs.work(session, wait=False, signals=False)


async def until_linked(jobs: OnboardingJobs, count: int) -> None:
    """Wait until so many companies have their link."""
    async with asyncio.timeout(30):
        while sum(entry.state is State.LINKED for entry in await entries_of(jobs)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the database tells nobody


async def test_every_company_gets_its_link(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """Rows become jobs, jobs become links, and afterwards neither job nor request is left."""
    assert await jobs.enqueue(rows(BATCH + 50)) == {OutcomeStatus.PENDING: BATCH + 50}
    await run_all(jobs, session)
    assert {entry.client_request_id: entry.order_no for entry in await entries_of(jobs)} == {
        order.client_request_id: order.order_no for order in sandbox.orders
    }
    assert len(sandbox.orders) == BATCH + 50
    assert await rows_of(jobs, "SELECT (SELECT count(*) FROM requests), (SELECT count(*) FROM procrastinate_jobs)") == [
        (0, 0)
    ]
    assert await jobs.enqueue(rows(BATCH + 50)) == {OutcomeStatus.LINKED: BATCH + 50}


async def test_nobody_is_in_the_database(jobs: OnboardingJobs) -> None:
    """While jobs wait, no table holds a person's data in clear, and no job more than its id."""
    await jobs.enqueue(rows(5))
    tables = await rows_of(
        jobs, "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'kfq_onboarding'"
    )
    cells = [cell for (table,) in tables for each in await rows_of(jobs, f"SELECT * FROM {table}") for cell in each]
    dump = b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
    assert {"entries", "requests", "procrastinate_jobs"} <= {table for (table,) in tables}
    assert [each for each in PERSONAL if each.encode() in dump] == []
    ids = sorted(entry.client_request_id for entry in await entries_of(jobs))
    found = await rows_of(jobs, "SELECT lock, queueing_lock, args FROM procrastinate_jobs ORDER BY lock")
    assert found == [(each, each, {"client_request_id": each}) for each in ids]


async def test_the_same_rows_again_make_no_job_twice(jobs: OnboardingJobs) -> None:
    """Loading again makes the jobs that are missing, and no others."""
    await jobs.enqueue(rows(4))
    await rows_of(jobs, "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = 1")
    await rows_of(jobs, "DELETE FROM procrastinate_jobs WHERE id = 2")
    assert await jobs.enqueue(rows(5)) == {OutcomeStatus.PENDING: 5}
    locks = [lock for (lock,) in await rows_of(jobs, "SELECT lock FROM procrastinate_jobs ORDER BY id")]
    assert len(locks) == len(set(locks)) == 5


async def test_rows_that_are_not_asked(jobs: OnboardingJobs) -> None:
    """Each row has its outcome; an invalid or repeated one makes no job."""
    told: list[Outcome] = []

    async def source() -> AsyncIterator[Row]:
        for number in range(BATCH):
            yield row(number)
        yield attrs.evolve(row(1), row_number=900)
        yield attrs.evolve(row(901), key=None)

    counts = await jobs.enqueue(source(), tell=told.append)
    assert counts == {OutcomeStatus.PENDING: BATCH, OutcomeStatus.REPEATED: 1, OutcomeStatus.INVALID: 1}
    assert Counter(outcome.status for outcome in told) == counts
    assert await statuses(jobs) == ["todo"] * BATCH


async def test_full_parts_only(jobs: OnboardingJobs) -> None:
    """A source that ends with a full part ends."""

    async def source() -> AsyncIterator[Row]:
        for number in range(BATCH):
            yield row(number)

    assert await jobs.enqueue(source()) == {OutcomeStatus.PENDING: BATCH}


async def test_urls_are_bound(postgres: str, session: AsyncSession, sandbox: Sandbox) -> None:
    """What the platform gets has the URLs of its id."""
    urls = CallbackUrls([b"k" * 32], page="http://127.0.0.1:9/page", notify="http://127.0.0.1:9/notify")
    async with OnboardingJobs(postgres, secret=SECRET, callbacks=urls) as jobs:
        await jobs.enqueue(rows(1))
        await run_all(jobs, session)
    (order,) = sandbox.orders
    bound = urls.bind(attrs.evolve(request(), client_request_id=order.client_request_id))
    assert str(bound.auth_callback_url) in order.request


async def test_a_refusal_is_settled(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """What the platform refuses for good ends; ``retry_refused`` opens its next generation."""
    sandbox.inject_faults(Fault("code-31000", times=1))
    await jobs.enqueue(rows(1))
    await run_all(jobs, session)
    (entry,) = await entries_of(jobs)
    assert (entry.state, entry.code, await statuses(jobs)) == (State.REFUSED, 31000, [])
    assert await jobs.enqueue(rows(1)) == {OutcomeStatus.REFUSED: 1}
    await jobs.enqueue(rows(1), retry_refused=True)
    await run_all(jobs, session)
    (entry,) = await entries_of(jobs)
    assert (entry.state, entry.generation) == (State.LINKED, 2)


async def test_an_unknown_outcome_is_asked_again(
    jobs: OnboardingJobs, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A lost answer leaves the row unknown and its job waiting; the same id is asked for, and it is one order."""
    sandbox.inject_faults(Fault("lose-response", times=1))
    await jobs.enqueue(rows(1))
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=ONCE) as session:
        await run_all(jobs, session)
        (entry,) = await entries_of(jobs)
        assert (entry.state, await statuses(jobs)) == (State.UNKNOWN, ["todo"])
        await make_ready(jobs)
        await run_all(jobs, session)
    (entry,) = await entries_of(jobs)
    (order,) = sandbox.orders
    assert (entry.state, entry.order_no) == (State.LINKED, order.order_no)
    assert [each for each in PERSONAL if each in caplog.text] == []


async def test_data_corrected_while_it_waits(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """What was certainly not sent is sent as it stands in the last file, by the one job."""
    await jobs.enqueue([row(1, name="旧名")])
    await jobs.enqueue([row(1, name="新名")])
    await run_all(jobs, session)
    assert [order.company_name for order in sandbox.orders] == ["新名"]


async def test_data_changed_while_unknown(jobs: OnboardingJobs, sandbox: Sandbox) -> None:
    """What may have been sent stays as it was, and the row is named."""
    told: list[Outcome] = []
    sandbox.inject_faults(Fault("lose-response"))
    await jobs.enqueue([row(1, name="旧名")])
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=ONCE) as session:
        await run_all(jobs, session)
        sandbox.inject_faults()
        assert await jobs.enqueue([row(1, name="新名")], tell=told.append) == {OutcomeStatus.UNKNOWN: 1}
        await make_ready(jobs)
        await run_all(jobs, session)
    assert "put the old ones back" in told[0].reason
    assert [order.company_name for order in sandbox.orders] == ["旧名"]


async def test_a_refused_token_burns_no_row(
    jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """What concerns every row is logged once, and the rows stay as they were until it is mended."""
    await jobs.enqueue(rows(3))
    async with AsyncSession("WRONG", base_url=sandbox.base_url) as refused:
        await run_all(jobs, refused)
    assert [entry.state for entry in await entries_of(jobs)] == [State.PENDING] * 3
    assert await statuses(jobs) == ["todo"] * 3
    assert caplog.text.count("paused for 1 s") == 1
    await make_ready(jobs)
    await run_all(jobs, session)
    assert len(sandbox.orders) == 3


async def test_a_closed_session_is_nobodys_outcome(jobs: OnboardingJobs, sandbox: Sandbox) -> None:
    """A mistake in the program leaves the job."""
    await jobs.enqueue(rows(1))
    session = AsyncSession(sandbox.token, base_url=sandbox.base_url)
    await session.aclose()
    await run_all(jobs, session)
    (entry,) = await entries_of(jobs)
    assert (entry.state, entry.reason, await statuses(jobs)) == (State.UNKNOWN, None, ["todo"])


@pytest.mark.parametrize(
    "gone", ["DELETE FROM requests", "DELETE FROM entries", "UPDATE entries SET state = 'linked', order_no = 'O'"]
)
async def test_a_job_that_is_not_needed(
    jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox, gone: str
) -> None:
    """A company that was purged or settled meanwhile is not asked."""
    await jobs.enqueue(rows(1))
    await rows_of(jobs, gone)
    await run_all(jobs, session)
    assert (len(sandbox.orders), await statuses(jobs)) == (0, [])


async def test_jobs_of_dead_workers_are_given_to_others(
    jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox
) -> None:
    """A worker that works finds the jobs of one that was not heard of, and runs them."""
    await jobs.enqueue(rows(3))
    await rows_of(
        jobs,
        """
        WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 h') RETURNING id)
        UPDATE procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead
        """,
    )
    worker = asyncio.create_task(jobs.work(session, signals=False))
    await until_linked(jobs, 3)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert len(sandbox.orders) == 3


async def test_told_to_end(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """The request under way ends, and what has not begun waits for another worker."""
    acting = asyncio.Event()
    sandbox.inject_faults(Fault("delay", seconds=0.3))
    await jobs.enqueue(rows(2))
    mark_pending = jobs._circuit_breaker.released

    async def begun() -> None:
        acting.set()
        await mark_pending()

    jobs._circuit_breaker.released = begun  # type: ignore[method-assign]
    worker = asyncio.create_task(jobs.work(session, concurrency=1, signals=False))
    await acting.wait()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert [entry.state for entry in await entries_of(jobs)] == [State.LINKED, State.PENDING]
    assert await statuses(jobs) == ["todo"]


async def test_one_loader_at_a_time(jobs: OnboardingJobs, postgres: str) -> None:
    """Who loads while another one does is told who it is."""
    async with PostgresLedger(postgres, secret=SECRET):
        with pytest.raises(LedgerError, match=r"in use by process \d+"):
            await jobs.enqueue(rows(1))


async def test_taking_a_job_does_not_read_them_all(jobs: OnboardingJobs) -> None:
    """However many wait, the server reads a few of them for each that it gives out."""
    await jobs.enqueue(rows(3000))
    counters = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'procrastinate_jobs'"
    async with jobs.ledger.pool.connection() as connection:
        before = await (await connection.execute(counters)).fetchone()
        for _ in range(20):
            await connection.execute("SELECT procrastinate_fetch_job_v2('{kfq_onboarding}', NULL)")
        after = await (await connection.execute(counters)).fetchone()
    assert before is not None
    assert after is not None
    assert 20 <= after[0] - before[0] < 20 * 10


async def test_opened_again(jobs: OnboardingJobs, postgres: str, session: AsyncSession, sandbox: Sandbox) -> None:
    """Another process finds the tables, and the jobs that wait in them."""
    await jobs.enqueue(rows(2))
    async with OnboardingJobs(postgres, secret=SECRET) as others:
        await run_all(others, session)
    assert len(sandbox.orders) == 2


async def test_without_its_job_there_is_no_entry(jobs: OnboardingJobs) -> None:
    """If procrastinate cannot take the jobs, the ledger has no entries of them either, and it is said why."""
    await rows_of(jobs, "ALTER TABLE procrastinate_jobs RENAME COLUMN args TO renamed")
    with pytest.raises(LedgerError, match=r"procrastinate: .*; apply its migrations"):
        await jobs.enqueue(rows(3))
    assert await entries_of(jobs) == []


async def test_tables_that_cannot_be_made(postgres: str) -> None:
    """What is in the way is named, and nothing is left open."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger, ledger.pool.connection() as connection:
        await connection.execute("CREATE TABLE procrastinate_workers (id integer)")
    with pytest.raises(LedgerError, match="procrastinate_workers"):
        async with OnboardingJobs(postgres, secret=SECRET):
            pass


async def test_a_source_that_fails(jobs: OnboardingJobs) -> None:
    """The rows before its failure have their jobs, and the same call again goes on."""

    def source() -> Iterator[Row]:
        yield from rows(BATCH + 10)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await jobs.enqueue(source())
    assert await statuses(jobs) == ["todo"] * (BATCH + 10)
    assert await jobs.enqueue(rows(BATCH + 20)) == {OutcomeStatus.PENDING: BATCH + 20}


def test_bounds_are_named() -> None:
    """A bound that cron cannot express is refused."""
    with pytest.raises(ValueError, match="stalled_after must be from 1 to 59 seconds, not 60"):
        OnboardingJobs("dbname=x", secret=SECRET, stalled_after=60)


def seconds(exception: BaseException, attempts: Sequence[int]) -> list[float | None]:
    """Return how long a job waits that ended so, after so many runs; ``None`` if it is given up."""
    waits: list[float | None] = []
    for count in attempts:
        job = Job(queue="q", lock=None, queueing_lock=None, task_name="ask", attempts=count)
        decision = _Again().get_retry_decision(exception=exception, job=job)
        if decision is None:
            waits.append(None)
        else:
            waits.append(round(_until(decision.retry_at)) if decision.retry_at else 0)
    return waits


def _until(moment: Any) -> float:
    return float((moment - type(moment).now(moment.tzinfo)).total_seconds())


def test_later_and_later() -> None:
    """Waits double up to five minutes; after many runs a row is left, unless the cause is everybody's."""
    assert seconds(ConnectionLost("x"), [0, 1, 5, 9, MOST_ATTEMPTS]) == [1, 2, 32, LONGEST_WAIT, None]
    everybodys = CredentialsError(41000, "x", http_status=200)
    assert seconds(everybodys, [0, MOST_ATTEMPTS]) == [1, LONGEST_WAIT]
    assert seconds(BusinessError(31000, "x", http_status=200), [MOST_ATTEMPTS]) == [None]
    assert seconds(asyncio.CancelledError(), [0, MOST_ATTEMPTS]) == [0, 0]
