"""Onboarding jobs in PostgreSQL, run by procrastinate (extra ``procrastinate``), for workers on several machines.

A job holds nothing but the id of a request. The request waits, encrypted, in the outbox until its result is final.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision, exceptions
from procrastinate.jobs import Job
from procrastinate.schema import SchemaManager

from kfq_async.errors import KfqError, LedgerError, SessionError
from kfq_async.models.masking import MaskedBytes, MaskedStr
from kfq_async.onboarding.decisions import PendingRequest, outcome_from_decision
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
    from kfq_async.onboarding.records import CallResult, Row
    from kfq_async.session import AsyncSession

__all__ = ["OnboardingJobs"]

QUEUE = "kfq_onboarding"
TASK = "request_link"
MAX_ATTEMPTS = 30
"""Attempts of a job whose result stays unknown, over two hours; then it fails, and the next `enqueue` adds another."""
MAX_WAIT = 300
"""Longest wait between two attempts of a job, in seconds."""

_LOCK_INDEX = "CREATE INDEX kfq_jobs_by_lock ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing')"
"""Index for procrastinate's query for other jobs under a lock, which reads all waiting jobs otherwise."""
_QUEUED = """
SELECT lock FROM procrastinate_jobs
WHERE (status = 'todo' AND queueing_lock = ANY(%(ids)s)) OR (status = 'doing' AND lock = ANY(%(ids)s))
"""


class OnboardingJobs:
    """Jobs for the companies of one PostgreSQL ledger, to be opened in ``async with``; run any number of workers.

    procrastinate's tables are created in the ledger's schema.

    Args:
        conninfo: As in `PostgresLedger`.
        secret: As in `PostgresLedger`; it also encrypts the requests that wait.
        schema: As in `PostgresLedger`.
        callbacks: Binds each request's callback URLs to its id; ``None`` leaves the URLs of the rows as they are.
        earlier_callbacks: As in `Onboarding`.
        stalled_after: Seconds without a heartbeat, 1 to 59, after which a worker's jobs are given to others.
        connections: As in `PostgresLedger`.
        timeout: As in `PostgresLedger`.
        clock: Returns the time in seconds since the epoch.

    Attributes:
        ledger: The open ledger, with each company's state.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        secret: bytes,
        schema: str = SCHEMA,
        callbacks: CallbackUrls | None = None,
        earlier_callbacks: Sequence[CallbackUrls] = (),
        stalled_after: int = 30,
        connections: int = 10,
        timeout: float = 20.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= stalled_after <= 59:
            raise ValueError(f"stalled_after must be from 1 to 59 seconds, not {stalled_after}")
        conninfo, secret = MaskedStr(conninfo), MaskedBytes(secret)  # the names stand in tracebacks
        self.ledger: PostgresLedger = PostgresLedger(
            conninfo, secret=secret, schema=schema, exclusive=False, connections=connections, timeout=timeout
        )
        """The ledger, with each company's state."""
        self._outbox = Outbox(self.ledger, clock=clock)
        self._schema = schema
        self._callbacks = callbacks
        self._earlier_callbacks = tuple(earlier_callbacks)
        self._stalled_after = stalled_after
        self._clock = clock
        self._circuit_breaker = CircuitBreaker()
        self._app = App(connector=PsycopgConnector())
        self._app.task(name=TASK, queue=QUEUE, retry=RetryStrategy(), pass_context=True)(self._request_link)
        recover = self._app.task(name="recover", queue=QUEUE, queueing_lock="recover", priority=1)(self._recover)
        self._app.periodic(cron=f"* * * * * */{stalled_after}")(recover)

    async def __aenter__(self) -> Self:
        await self.ledger.__aenter__()
        try:
            await self._create_tables()
            await self._app.open_async(self.ledger.pool)
        except BaseException:
            await self.ledger.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._app.close_async()
        finally:
            await self.ledger.aclose()

    async def enqueue(
        self,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        retry_refused: bool = False,
        strict: bool = False,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
    ) -> Counter[OutcomeStatus]:
        """Add a job for each row that is to be sent, and return the number of rows in each status.

        An entry and its job are added in one transaction, so the same call can be repeated after any interruption: it
        adds the jobs that are missing. Raises `LedgerError` if another process is enqueueing.

        Args:
            rows: As in `Onboarding`.
            retry_refused: As in `Onboarding`.
            strict: As in `Onboarding`.
            on_outcome: Called with the `Outcome` of each row; a row whose job waits is pending or unknown.
        """
        counts: Counter[OutcomeStatus] = Counter()
        analysed = 0
        queue: BatchQueue[Row] = BatchQueue(BATCH)
        async with self.ledger.lock(), prefetch(rows, queue):
            run = await self.ledger.begin_run()
            while batch := await queue.take():
                for outcome in await self._enqueue(batch, run=run, retry_refused=retry_refused, strict=strict):
                    counts[outcome.status] += 1
                    on_outcome(outcome)
                if counts.total() >= 2 * analysed:
                    analysed = counts.total()
                    await self._analyse()
        if queue.error is not None:
            raise queue.error
        return counts

    async def work(
        self, session: AsyncSession, *, concurrency: int = 10, wait: bool = True, signals: bool = True
    ) -> None:
        """Run jobs until the process is stopped.

        A request whose result is unknown is retried later, under the same id. After a systemic failure, such as a
        refused token, the reason is logged and no request is sent for a while.

        Args:
            session: An open session with the platform.
            concurrency: Maximum number of concurrent jobs.
            wait: ``False`` returns as soon as no job is ready.
            signals: Whether SIGINT and SIGTERM stop the worker, after its running requests.
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

    async def _create_tables(self) -> None:
        tables = await asyncio.to_thread(SchemaManager.get_schema)
        async with self.ledger.transaction() as transaction:
            connection = transaction.connection
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_lock_id(f"{self._schema} jobs"),))
            found = await (await connection.execute("SELECT to_regclass('procrastinate_jobs')")).fetchone()
            if found == (None,):
                await connection.execute(tables)
                await connection.execute(_LOCK_INDEX)

    async def _analyse(self) -> None:
        """Update the planner's statistics: with many rows, fetching a job otherwise takes seconds, not milliseconds."""
        async with self.ledger.transaction() as transaction:
            await transaction.connection.execute("ANALYZE procrastinate_jobs, entries, requests")

    async def _enqueue(self, rows: Sequence[Row], *, run: int, **options: bool) -> list[Outcome]:
        try:
            async with self.ledger.transaction() as transaction:
                planner = Planner(
                    transaction,
                    run=run,
                    callbacks=self._callbacks,
                    earlier_callbacks=self._earlier_callbacks,
                    clock=self._clock,
                    **options,
                )
                decisions = await planner.decide(rows)
                await self._defer(transaction, [each for each in decisions if isinstance(each, PendingRequest)])
        except exceptions.ProcrastinateException as problem:
            text = f"procrastinate: {type(problem).__name__}; apply its migrations if it was upgraded, and try again"
        else:
            return [outcome_from_decision(decision) for decision in decisions]
        raise LedgerError(text)

    async def _defer(self, transaction: PostgresTransaction, requests: Sequence[PendingRequest]) -> None:
        """Store requests in the outbox, and add a job for each that has none."""
        ids = await self._outbox.add(transaction, requests)
        found = await transaction.connection.execute(_QUEUED, {"ids": ids})
        queued = {lock async for (lock,) in found}
        if missing := [_job(request_id) for request_id in ids if request_id not in queued]:
            await self._app.job_manager.batch_defer_jobs_async(missing, connection=transaction.connection)

    async def _request_link(self, context: JobContext, client_request_id: str) -> None:
        """Send one request and record its result; an error after which it is to be retried is raised.

        No function that may fail holds the request in a variable: procrastinate logs the traceback, and error trackers
        capture the variables in it.
        """
        await self._circuit_breaker.wait_until_closed()
        error = await self._process(context.additional_context["session"], client_request_id)
        if error is not None:
            raise error

    async def _process(self, session: AsyncSession, client_request_id: str) -> KfqError | None:
        """Send one request and record its result; return the error after which it is to be retried, if any."""
        sent = await self._send(session, client_request_id)
        if sent is None:
            return None
        call, in_doubt = sent
        self._circuit_breaker.record(call.result)
        state = await self._outbox.record(client_request_id, call, in_doubt=in_doubt)
        return call.result if isinstance(call.result, KfqError) and state in {State.UNKNOWN, State.PENDING} else None

    async def _send(self, session: AsyncSession, client_request_id: str) -> tuple[CallResult, bool] | None:
        """Send one request; return the result, and whether the request may have been sent before."""
        started = await self._outbox.start(client_request_id)
        if started is None:
            return None
        request, in_doubt = started
        try:
            return await request_link(session, request), in_doubt
        except SessionError as error:
            del started, request
            raise error.with_traceback(None) from None

    async def _recover(self, timestamp: int) -> None:  # noqa: ARG002  # procrastinate passes it to periodic tasks
        """Give the jobs of workers without a heartbeat to others."""
        jobs = self._app.job_manager
        for job in await jobs.get_stalled_jobs(queue=QUEUE, seconds_since_heartbeat=self._stalled_after):
            await jobs.retry_job(job)


class RetryStrategy(BaseRetryStrategy):
    """Retries a job with exponential back-off; without limit after a systemic failure."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to retry, or ``None`` to let the job fail."""
        if isinstance(exception, asyncio.CancelledError):  # the worker is stopping
            return RetryDecision()
        systemic = isinstance(exception, KfqError) and systemic_failure_advice(exception) is not None
        if job.attempts >= MAX_ATTEMPTS and not systemic:
            return None
        return RetryDecision(retry_in={"seconds": min(2 ** min(job.attempts, 9), MAX_WAIT)})


def _job(client_request_id: str) -> Job:
    return Job(
        queue=QUEUE,
        lock=client_request_id,
        queueing_lock=client_request_id,
        task_name=TASK,
        task_kwargs={"client_request_id": client_request_id},
    )
