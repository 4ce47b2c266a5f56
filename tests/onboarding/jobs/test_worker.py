"""Onboarding jobs: one job per row, without personal data, until its result is final."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from procrastinate.jobs import Job

from companies import MOBILE, PERSONAL, request, row, rows
from kfq_async import (
    AsyncSession,
    BusinessError,
    CallbackUrls,
    ConnectionLost,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    CredentialsError,
    LedgerError,
    RetryPolicy,
)
from kfq_async.onboarding.jobs.worker import MAX_ATTEMPTS, MAX_WAIT, TASK, OnboardingJobs, RetryStrategy
from kfq_async.onboarding.ledgers.postgres import PostgresLedger
from kfq_async.onboarding.records import Entry, OutcomeStatus, State
from kfq_async.onboarding.runner import BATCH
from kfq_async.protocol.requests import EncodedRequest
from kfq_async.sandbox import Fault, Sandbox
from tracebacks import render, variables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from kfq_async.onboarding.records import Outcome, Row

SECRET = b"s" * 32
ONCE = RetryPolicy(attempts=1)
SUSPENDED = str(Path(__file__).parents[2] / "suspended_process.py")


@pytest.fixture
async def jobs(postgres: str) -> AsyncIterator[OnboardingJobs]:
    """Jobs of an empty ledger."""
    async with OnboardingJobs(postgres, secret=SECRET, stalled_after=1) as jobs:
        yield jobs


async def rows_of(jobs: OnboardingJobs, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a query, and return its rows."""
    async with jobs.ledger.pool.connection() as connection:
        found = await connection.execute(query, values)
        return await found.fetchall() if found.description else []


async def statuses(jobs: OnboardingJobs) -> list[str]:
    """Return the statuses of all jobs that request links."""
    found = await rows_of(jobs, "SELECT status::text FROM procrastinate_jobs WHERE task_name = %s ORDER BY id", TASK)
    return [status for (status,) in found]


async def make_ready(jobs: OnboardingJobs) -> None:
    """Make jobs that wait for their next attempt ready."""
    await rows_of(jobs, "UPDATE procrastinate_jobs SET scheduled_at = NULL")


async def entries_of(jobs: OnboardingJobs) -> list[Entry]:
    """Return the current generations."""
    return [entry async for entry in jobs.ledger.entries()]


async def run_all(jobs: OnboardingJobs, session: AsyncSession) -> None:
    """Run the jobs that are ready."""
    await jobs.work(session, wait=False, signals=False)


async def until_linked(jobs: OnboardingJobs, count: int) -> None:
    """Wait until so many companies have their link."""
    async with asyncio.timeout(30):
        while sum(entry.state is State.LINKED for entry in await entries_of(jobs)) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # the database has no event to wait for


async def until_ordered(sandbox: Sandbox) -> None:
    """Wait until the sandbox has made an order."""
    async with asyncio.timeout(30):
        while not sandbox.orders:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the sandbox has no event to wait for


async def test_links_for_all(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """Rows become jobs, and jobs links; afterwards neither a job nor a request is left."""
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


async def test_no_personal_data(jobs: OnboardingJobs) -> None:
    """While jobs wait, no table holds personal data in clear, and a job holds its id only."""
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


async def test_enqueue_is_idempotent(jobs: OnboardingJobs) -> None:
    """Enqueueing the same rows again adds the jobs that are missing, and no others."""
    await jobs.enqueue(rows(4))
    await rows_of(jobs, "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = 1")
    await rows_of(jobs, "DELETE FROM procrastinate_jobs WHERE id = 2")
    assert await jobs.enqueue(rows(5)) == {OutcomeStatus.PENDING: 5}
    locks = [lock for (lock,) in await rows_of(jobs, "SELECT lock FROM procrastinate_jobs ORDER BY id")]
    assert len(locks) == len(set(locks)) == 5


async def test_outcomes(jobs: OnboardingJobs) -> None:
    """Each row has an outcome; an invalid or duplicate row has no job."""
    outcomes: list[Outcome] = []

    async def source() -> AsyncIterator[Row]:
        for number in range(BATCH):
            yield row(number)
        yield attrs.evolve(row(1), row_number=900)
        yield attrs.evolve(row(901), key=None)

    counts = await jobs.enqueue(source(), on_outcome=outcomes.append)
    assert counts == {OutcomeStatus.PENDING: BATCH, OutcomeStatus.DUPLICATE: 1, OutcomeStatus.INVALID: 1}
    assert Counter(outcome.status for outcome in outcomes) == counts
    assert await statuses(jobs) == ["todo"] * BATCH


async def test_full_batches(jobs: OnboardingJobs) -> None:
    """A source may end with a full batch."""

    async def source() -> AsyncIterator[Row]:
        for number in range(BATCH):
            yield row(number)

    assert await jobs.enqueue(source()) == {OutcomeStatus.PENDING: BATCH}


async def test_callbacks(postgres: str, session: AsyncSession, sandbox: Sandbox) -> None:
    """Requests carry callback URLs that are bound to their ids."""
    urls = CallbackUrls([b"k" * 32], page="http://127.0.0.1:9/page", notify="http://127.0.0.1:9/notify")
    async with OnboardingJobs(postgres, secret=SECRET, callbacks=urls) as jobs:
        await jobs.enqueue(rows(1))
        await run_all(jobs, session)
    (order,) = sandbox.orders
    bound = urls.bind(attrs.evolve(request(), client_request_id=order.client_request_id))
    assert str(bound.auth_callback_url) in order.request


async def test_refused(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """A refused row is final; ``retry_refused`` sends its next generation."""
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


async def test_unknown_is_retried(jobs: OnboardingJobs, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """After a lost response the row is unknown and its job waits; the retry has the same id, so there is one order."""
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


CODE = "91110000MA01234567"


def coded_row() -> Row:
    """Return the row of a company with a credit code, which may be shown as its label, but not by an error."""
    coded = attrs.evolve(request(), corp_ident_info=CorpIdentInfo(company_name="公司0", credit_code=CODE))
    return attrs.evolve(row(), request=coded, key=f"{CODE}\x1f{MOBILE}", label=CODE)


def logged_errors(caplog: pytest.LogCaptureFixture) -> list[BaseException]:
    """Return the exceptions that were logged, once each."""
    logged = [record.exc_info[1] for record in caplog.records if record.exc_info]
    return list({id(error): error for error in logged if error is not None}.values())


def requests_in_tracebacks(caplog: pytest.LogCaptureFixture) -> list[object]:
    """Return the requests among the variables of the exceptions that were logged."""
    held = [value for error in logged_errors(caplog) for value in variables(error)]
    return [value for value in held if isinstance(value, CorpIdentLinkRequest | EncodedRequest)]


REFUSE_LINKS = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON entries FOR EACH ROW WHEN (NEW.state = 'linked') EXECUTE FUNCTION refuse()
"""
REFUSE_REQUESTS = REFUSE_LINKS.replace("'linked'", "'unknown'")


@pytest.mark.parametrize(
    ("fault", "statement"),
    [
        ("lose-response", "SELECT 1"),
        (None, REFUSE_LINKS),
        (None, REFUSE_REQUESTS),
        (None, "UPDATE requests SET sealed = sealed || 'x'"),
        (None, "UPDATE entries SET body_hash = sha256('another body')"),
    ],
)
async def test_failed_job_shows_no_secrets(
    fault: str | None, statement: str, jobs: OnboardingJobs, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """The tracebacks that procrastinate logs for a failed job show no request, no link and no key."""
    if fault is not None:
        sandbox.inject_faults(Fault(fault))
    await jobs.enqueue([coded_row()])
    await rows_of(jobs, statement)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=ONCE) as session:
        with caplog.at_level("DEBUG"):
            await run_all(jobs, session)
    errors = logged_errors(caplog)
    assert (ConnectionLost if fault else LedgerError) in set(map(type, errors))
    assert requests_in_tracebacks(caplog) == []
    shown = "\n".join([*(repr(value) for each in errors for value in variables(each)), *map(render, errors)])
    assert "client_request_id" in shown
    secrets = (*PERSONAL, "公司0", CODE, "?code=", sandbox.token, SECRET.decode(), SECRET.hex())
    assert [each for each in secrets if each in shown + caplog.text] == []


async def test_data_changed_while_pending(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """A row that was not sent is sent as enqueued last, by one job."""
    await jobs.enqueue([row(1, name="旧名")])
    await jobs.enqueue([row(1, name="新名")])
    await run_all(jobs, session)
    assert [order.company_name for order in sandbox.orders] == ["新名"]


async def test_data_changed_while_unknown(jobs: OnboardingJobs, sandbox: Sandbox) -> None:
    """A request that may have been sent keeps its data, and the outcome names the remedy."""
    outcomes: list[Outcome] = []
    sandbox.inject_faults(Fault("lose-response"))
    await jobs.enqueue([row(1, name="旧名")])
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=ONCE) as session:
        await run_all(jobs, session)
        sandbox.inject_faults()
        assert await jobs.enqueue([row(1, name="新名")], on_outcome=outcomes.append) == {OutcomeStatus.UNKNOWN: 1}
        await make_ready(jobs)
        await run_all(jobs, session)
    assert "restore the data and run again" in outcomes[0].reason
    assert [order.company_name for order in sandbox.orders] == ["旧名"]


async def test_systemic_failure(
    jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused token is logged once, and the rows stay pending until it is replaced."""
    await jobs.enqueue(rows(3))
    async with AsyncSession("WRONG", base_url=sandbox.base_url) as refused:
        await run_all(jobs, refused)
    assert [entry.state for entry in await entries_of(jobs)] == [State.PENDING] * 3
    assert await statuses(jobs) == ["todo"] * 3
    assert caplog.text.count("paused for 1 s") == 1
    await make_ready(jobs)
    await run_all(jobs, session)
    assert len(sandbox.orders) == 3


async def test_closing_that_fails(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is closed even if closing the queue is cancelled."""
    jobs = OnboardingJobs(postgres, secret=SECRET)

    async def close_async() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        async with jobs:
            monkeypatch.setattr(jobs._app, "close_async", close_async)
    assert jobs.ledger.pool.closed


async def test_closed_session(jobs: OnboardingJobs, sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """A closed session is a programming error: the job stays, and the entry gets no result."""
    await jobs.enqueue(rows(1))
    session = AsyncSession(sandbox.token, base_url=sandbox.base_url)
    await session.aclose()
    with caplog.at_level("INFO"):
        await run_all(jobs, session)
    assert "SessionError" in {type(error).__name__ for error in logged_errors(caplog)}
    assert requests_in_tracebacks(caplog) == []
    (entry,) = await entries_of(jobs)
    assert (entry.state, entry.reason, await statuses(jobs)) == (State.UNKNOWN, None, ["todo"])


@pytest.mark.parametrize(
    "statement", ["DELETE FROM requests", "DELETE FROM entries", "UPDATE entries SET state = 'linked', order_no = 'O'"]
)
async def test_obsolete_job(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox, statement: str) -> None:
    """A company that was purged or got a final result meanwhile is not sent."""
    await jobs.enqueue(rows(1))
    await rows_of(jobs, statement)
    await run_all(jobs, session)
    assert (len(sandbox.orders), await statuses(jobs)) == (0, [])


async def test_dead_worker(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """A running worker takes over the jobs of one without a heartbeat."""
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


async def test_stop_worker(jobs: OnboardingJobs, session: AsyncSession, sandbox: Sandbox) -> None:
    """A worker that is stopped finishes the request under way; the next job waits for another worker."""
    sandbox.inject_faults(Fault("delay", seconds=1.0))
    await jobs.enqueue(rows(2))
    worker = asyncio.create_task(jobs.work(session, concurrency=1, signals=False))
    await until_ordered(sandbox)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert [entry.state for entry in await entries_of(jobs)] == [State.LINKED, State.PENDING]
    assert await statuses(jobs) == ["todo"]


async def test_concurrent_enqueue(jobs: OnboardingJobs, postgres: str) -> None:
    """Enqueueing is refused while another process does, which is named."""
    async with PostgresLedger(postgres, secret=SECRET):
        with pytest.raises(LedgerError, match=r"in use by process \d+"):
            await jobs.enqueue(rows(1))


def start_suspended(postgres: str, sandbox: Sandbox) -> subprocess.Popen[str]:
    """Start a worker that suspends itself when it records its first result."""
    command = [sys.executable, SUSPENDED, postgres, sandbox.base_url, sandbox.token]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_suspended_worker(jobs: OnboardingJobs, postgres: str, session: AsyncSession, sandbox: Sandbox) -> None:
    """A worker that is suspended within a transaction does not block `enqueue`, and loses nothing but its result."""
    await jobs.enqueue(rows(1))
    with start_suspended(postgres, sandbox) as process:
        try:
            _, status = await asyncio.to_thread(os.waitpid, process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            assert await jobs.enqueue(rows(2)) == {OutcomeStatus.UNKNOWN: 1, OutcomeStatus.PENDING: 1}
            process.send_signal(signal.SIGCONT)
            shown, _ = await asyncio.to_thread(process.communicate, timeout=60)
        finally:
            process.kill()
    assert "check that the server runs and can be reached, and try again" in shown
    await make_ready(jobs)
    await run_all(jobs, session)
    assert [entry.state for entry in await entries_of(jobs)] == [State.LINKED] * 2
    assert len(sandbox.orders) == 2


async def test_fetching_a_job_uses_the_index(jobs: OnboardingJobs) -> None:
    """The server reads a few jobs for each that it hands out, however many wait."""
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


async def test_reopen(jobs: OnboardingJobs, postgres: str, session: AsyncSession, sandbox: Sandbox) -> None:
    """Another process finds the tables and runs the jobs in them."""
    await jobs.enqueue(rows(2))
    async with OnboardingJobs(postgres, secret=SECRET) as others:
        await run_all(others, session)
    assert len(sandbox.orders) == 2


async def test_procrastinate_error(jobs: OnboardingJobs) -> None:
    """If procrastinate cannot add the jobs, no entries are added either, and the error names the remedy."""
    await rows_of(jobs, "ALTER TABLE procrastinate_jobs RENAME COLUMN args TO renamed")
    with pytest.raises(LedgerError, match=r"procrastinate: .*; apply its migrations"):
        await jobs.enqueue(rows(3))
    assert await entries_of(jobs) == []


async def test_conflicting_table(postgres: str) -> None:
    """A table that stands in the way is named, and the ledger is closed."""
    async with PostgresLedger(postgres, secret=SECRET) as ledger, ledger.pool.connection() as connection:
        await connection.execute("CREATE TABLE procrastinate_workers (id integer)")
    with pytest.raises(LedgerError, match="procrastinate_workers"):
        async with OnboardingJobs(postgres, secret=SECRET):
            pass


async def test_source_error(jobs: OnboardingJobs) -> None:
    """The rows before the failure have their jobs, and the same call adds the others."""

    def source() -> Iterator[Row]:
        yield from rows(BATCH + 10)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await jobs.enqueue(source())
    assert await statuses(jobs) == ["todo"] * (BATCH + 10)
    assert await jobs.enqueue(rows(BATCH + 20)) == {OutcomeStatus.PENDING: BATCH + 20}


def test_stalled_after() -> None:
    """A time that cron cannot express is refused."""
    with pytest.raises(ValueError, match="stalled_after must be from 1 to 59 seconds, not 60"):
        OnboardingJobs("dbname=x", secret=SECRET, stalled_after=60)


def waits_after(exception: BaseException, attempts: Sequence[int]) -> list[float | None]:
    """Return the seconds until the next attempt after so many attempts, or ``None`` if the job fails."""
    waits: list[float | None] = []
    for count in attempts:
        job = Job(queue="q", lock=None, queueing_lock=None, task_name=TASK, attempts=count)
        decision = RetryStrategy().get_retry_decision(exception=exception, job=job)
        if decision is None:
            waits.append(None)
        else:
            waits.append(round(_seconds_until(decision.retry_at)) if decision.retry_at else 0)
    return waits


def _seconds_until(moment: Any) -> float:
    return float((moment - type(moment).now(moment.tzinfo)).total_seconds())


def test_retry_strategy() -> None:
    """Waits double up to five minutes; after many attempts a job fails, except after a systemic failure."""
    assert waits_after(ConnectionLost("x"), [0, 1, 5, 9, MAX_ATTEMPTS]) == [1, 2, 32, MAX_WAIT, None]
    systemic = CredentialsError(41000, "x", http_status=200)
    assert waits_after(systemic, [0, MAX_ATTEMPTS]) == [1, MAX_WAIT]
    assert waits_after(BusinessError(31000, "x", http_status=200), [MAX_ATTEMPTS]) == [None]
    assert waits_after(asyncio.CancelledError(), [0, MAX_ATTEMPTS]) == [0, 0]
