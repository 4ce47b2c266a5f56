"""Many companies across machines (extra ``procrastinate``): rows as jobs in PostgreSQL, which procrastinate runs.

A job holds the id of a request and nothing else. The request waits beside its entry, sealed, and is gone with its end.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision, exceptions
from procrastinate.jobs import Job
from procrastinate.schema import SchemaManager

from kfq_async.errors import KfqError, LedgerError
from kfq_async.onboarding.decisions import PendingRequest, outcome_of
from kfq_async.onboarding.failures import CircuitBreaker, systemic_failure_advice
from kfq_async.onboarding.jobs.outbox import Outbox
from kfq_async.onboarding.ledgers.postgres import SCHEMA, PostgresLedger, advisory_lock_id
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.queues import BatchQueue
from kfq_async.onboarding.records import Outcome, OutcomeStatus, State
from kfq_async.onboarding.runner import BATCH, prefetch, request_link

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.onboarding.ledgers.postgres import PostgresTransaction
    from kfq_async.onboarding.records import Row
    from kfq_async.session import AsyncSession

__all__ = ["OnboardingJobs"]

QUEUE = "kfq_onboarding"
MOST_ATTEMPTS = 30
"""Runs of a job whose outcome stays unknown, in two hours; then it failed, and the next `enqueue` makes another."""
LONGEST_WAIT = 300
"""Seconds between two runs of a job."""

_BY_LOCK = "CREATE INDEX kfq_jobs_by_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')"
"""procrastinate looks for other jobs under the lock of the one that it takes, and reads all that wait without this."""
_UNDER_WAY = """
SELECT lock FROM procrastinate_jobs
WHERE (status = 'todo' AND queueing_lock = ANY(%(ids)s)) OR (status = 'doing' AND lock = ANY(%(ids)s))
"""


class OnboardingJobs:
    """The companies of one ledger in PostgreSQL, as jobs for as many workers as you like; open it in ``async with``.

    ``conninfo``, ``secret``, ``schema`` and ``connections`` are those of `PostgresLedger`; procrastinate's tables are
    made in the same schema. ``callbacks`` binds each request's URLs to its id. The jobs of a worker that has not been
    heard of for ``stalled_after`` seconds are given to others.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        secret: bytes,
        schema: str = SCHEMA,
        callbacks: CallbackUrls | None = None,
        stalled_after: int = 30,
        connections: int = 10,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= stalled_after <= 59:
            raise ValueError(f"stalled_after must be from 1 to 59 seconds, not {stalled_after}")
        self.ledger = PostgresLedger(conninfo, secret=secret, schema=schema, exclusive=False, connections=connections)
        """Where each company stands."""
        self._waiting = Outbox(self.ledger, clock=clock)
        self._schema = schema
        self._callbacks = callbacks
        self._stalled_after = stalled_after
        self._clock = clock
        self._circuit_breaker = CircuitBreaker()
        self._app = App(connector=PsycopgConnector())
        self._task = self._app.task(name="ask", queue=QUEUE, retry=_Again(), pass_context=True)(self._ask)
        recover = self._app.task(name="recover", queue=QUEUE, queueing_lock="recover", priority=1)(self._recover)
        self._app.periodic(cron=f"* * * * * */{stalled_after}")(recover)

    async def __aenter__(self) -> Self:
        await self.ledger.__aenter__()
        try:
            await self._make_tables()
            await self._app.open_async(self.ledger.pool)
        except BaseException:
            await self.ledger.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._app.close_async()
        await self.ledger.aclose()

    async def enqueue(
        self,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        retry_refused: bool = False,
        strict: bool = False,
        tell: Callable[[Outcome], None] = lambda _: None,
    ) -> Counter[OutcomeStatus]:
        """Make jobs of what is to be asked, and return how many rows stand how; ``tell`` is called with each.

        Entry and job are one transaction, so that the same call again, after whatever happened, makes the jobs that
        are missing and none twice. Raises `LedgerError` if somebody else is at it.
        """
        counts: Counter[OutcomeStatus] = Counter()
        analysed = 0
        read: BatchQueue[Row] = BatchQueue(BATCH)
        async with self.ledger.claimed(), prefetch(rows, read):
            run = await self.ledger.begin_run()
            while part := await read.take():
                for outcome in await self._enqueue(part, run=run, retry_refused=retry_refused, strict=strict):
                    counts[outcome.status] += 1
                    tell(outcome)
                if counts.total() >= 2 * analysed:
                    analysed = counts.total()
                    await self._analyse()
        if read.error is not None:
            raise read.error
        return counts

    async def work(
        self, session: AsyncSession, *, concurrency: int = 10, wait: bool = True, signals: bool = True
    ) -> None:
        """Run jobs until the process is told to end, or with ``wait=False`` until none is ready.

        A row whose end is not known is asked again later, under the same id. After something that concerns every row,
        as a refused token, nothing is begun for a while, and the reason is logged. With ``signals``, SIGINT and SIGTERM
        let the requests under way end.
        """
        await self._app.run_worker_async(
            queues=[QUEUE],
            concurrency=concurrency,
            wait=wait,
            install_signal_handlers=signals,
            delete_jobs="successful",
            update_heartbeat_interval=self._stalled_after / 3,
            stalled_worker_timeout=self._stalled_after,
            additional_context={"session": session},
        )

    async def _make_tables(self) -> None:
        tables = await asyncio.to_thread(SchemaManager.get_schema)
        async with self.ledger.transaction() as transaction:
            connection = transaction.connection
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_lock_id(f"{self._schema} jobs"),))
            found = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
            if found == (None,):
                await connection.execute(tables)
                await connection.execute(_BY_LOCK)

    async def _analyse(self) -> None:
        """Let the server know that there are many: it takes a job in milliseconds then, and in seconds otherwise."""
        async with self.ledger.transaction() as transaction:
            await transaction.connection.execute("ANALYZE procrastinate_jobs, entries, requests")

    async def _enqueue(self, rows: Sequence[Row], *, run: int, **options: bool) -> list[Outcome]:
        try:
            async with self.ledger.transaction() as transaction:
                planner = Planner(transaction, run=run, callbacks=self._callbacks, clock=self._clock, **options)
                decisions = await planner.decide(rows)
                await self._defer(transaction, [each for each in decisions if isinstance(each, PendingRequest)])
        except exceptions.ProcrastinateException as problem:
            text = f"procrastinate: {type(problem).__name__}; apply its migrations if it was upgraded, and try again"
        else:
            return [outcome_of(decision) for decision in decisions]
        raise LedgerError(text)

    async def _defer(self, transaction: PostgresTransaction, asks: Sequence[PendingRequest]) -> None:
        """Let requests wait, each with one job."""
        waiting = await self._waiting.keep(transaction, asks)
        found = await transaction.connection.execute(_UNDER_WAY, {"ids": waiting})
        under_way = {lock async for (lock,) in found}
        if missing := [_job(request_id) for request_id in waiting if request_id not in under_way]:
            await self._app.job_manager.batch_defer_jobs_async(missing, connection=transaction.connection)

    async def _ask(self, context: JobContext, client_request_id: str) -> None:
        """Ask for one company, and settle its entry; what must be asked again is raised."""
        await self._circuit_breaker.released()
        begun = await self._waiting.begin(client_request_id)
        if begun is None:
            return
        request, in_doubt = begun
        end = await request_link(context.additional_context["session"], request)
        self._circuit_breaker.saw(end.result)
        state = await self._waiting.settle(client_request_id, end, in_doubt=in_doubt)
        if isinstance(end.result, KfqError) and state in {State.UNKNOWN, State.PENDING}:
            raise end.result

    async def _recover(self, timestamp: int) -> None:  # noqa: ARG002  # procrastinate tells each its time
        """Give the jobs of workers that were not heard of to others."""
        jobs = self._app.job_manager
        for job in await jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._stalled_after):
            await jobs.retry_job(job)


class _Again(BaseRetryStrategy):
    """Runs a job again: soon, then later and later; without end while the cause concerns every row."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):  # the worker was told to end
            return RetryDecision()
        shared = isinstance(exception, KfqError) and systemic_failure_advice(exception) is not None
        if job.attempts >= MOST_ATTEMPTS and not shared:
            return None
        return RetryDecision(retry_in={"seconds": min(2 ** min(job.attempts, 9), LONGEST_WAIT)})


def _job(client_request_id: str) -> Job:
    return Job(
        queue=QUEUE,
        lock=client_request_id,
        queueing_lock=client_request_id,
        task_name="ask",
        task_kwargs={"client_request_id": client_request_id},
    )
