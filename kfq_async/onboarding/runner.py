"""Onboarding on one machine: links for rows, recorded in a ledger, in memory that does not grow with the rows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self

from kfq_async.errors import KfqError, Phase, RunPaused, SessionError
from kfq_async.onboarding.decisions import (
    PendingRequest,
    apply_result,
    outcome_from_decision,
    outcome_from_entry,
)
from kfq_async.onboarding.failures import SystemicFailureDetector
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.queues import BatchQueue
from kfq_async.onboarding.records import CallResult, Outcome, Row
from kfq_async.resources.auth import CORP_IDENT_LINK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLink
    from kfq_async.onboarding.ledgers.base import Ledger
    from kfq_async.protocol.requests import EncodedRequest
    from kfq_async.session import AsyncSession

__all__ = ["BATCH", "CONCURRENCY", "Onboarding", "prefetch", "request_link"]


BATCH = 200
"""Number of rows read at a time."""

CONCURRENCY = 10
"""Default number of concurrent requests: the platform's limits are not documented."""
COMMIT_WAIT = 0.1
"""Longest time in seconds for which results are collected before a commit, which costs as much as many rows."""
MAX_OUTCOMES = 2000
"""Maximum number of outcomes that wait for the caller."""
PLANNED = 500
"""Rows whose ids are committed ahead of their requests; no more are planned while so many wait."""


@asynccontextmanager
async def prefetch(rows: Iterable[Row] | AsyncIterable[Row], queue: BatchQueue[Row]) -> AsyncIterator[None]:
    """Read rows into a queue in the background, and close it after the last one, with the source's error if it fails.

    A plain iterable is read in a thread, `BATCH` rows at a time.
    """
    reader = asyncio.create_task(_read(rows, queue))
    try:
        yield
    finally:
        reader.cancel()  # it may wait for a row that is no longer needed
        await asyncio.gather(reader, return_exceptions=True)


async def _read(rows: Iterable[Row] | AsyncIterable[Row], queue: BatchQueue[Row]) -> None:
    error: Exception | None = None
    try:
        if isinstance(rows, AsyncIterable):
            async for row in rows:
                await queue.put((_checked(row),))
        else:
            iterator = iter(rows)
            while error is None:
                batch, error = await asyncio.to_thread(_next_batch, iterator)
                await queue.put(batch)
    except Exception as raised:  # noqa: BLE001  # the queue hands it on
        error = raised
    queue.close(None if isinstance(error, StopIteration) else error)


def _next_batch(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """Return the next rows, and the error or `StopIteration` that ended them, if any."""
    batch: list[Row] = []
    try:
        while len(batch) < BATCH:
            batch.append(_checked(next(rows)))
    except Exception as error:  # noqa: BLE001  # it is handed on
        return batch, error
    return batch, None


def _checked(row: object) -> Row:
    if not isinstance(row, Row):
        raise TypeError(f"rows must be Row objects, not {type(row).__name__}: use request_rows(requests) for requests")
    return row


async def request_link(session: AsyncSession, request: EncodedRequest) -> CallResult:
    """Request a link; every `KfqError` becomes the result, except `SessionError`, the caller's mistake."""
    began = time.monotonic()
    result: CorpIdentLink | KfqError
    try:
        link, attempts = await session._send_encoded(CORP_IDENT_LINK, request)  # noqa: SLF001
        result = link
    except SessionError:
        raise
    except KfqError as error:
        result, attempts = error.with_traceback(None), error.attempts  # its frames would keep the request
    return CallResult(result=result, attempts=attempts, seconds=time.monotonic() - began)


class Onboarding:
    """Request links for many companies, in ``async with``; iterate over it to get an `Outcome` per row.

    Outcomes come in the order in which they are known. The ledger has an outcome before it is returned, and a row's id
    before anything is sent. After any interruption, even a killed process, start the same run again: it resumes, and no
    company is requested under two ids. At most ``2 * concurrency`` rows are in doubt then; all others that have no link
    may be corrected, moved or deleted before.

    After a systemic failure, such as a refused token, the running requests are finished, the remaining rows stay
    pending, and the iteration raises `RunPaused`. It raises `LedgerError` if the ledger fails, and the source's error
    if reading the rows fails, in both cases after the outcomes known so far.

    Args:
        session: An open session with the platform.
        ledger: An open ledger, such as `SqliteLedger`.
        rows: A `FileSource`, the rows that `request_rows` makes of requests, or any other iterable or async
            iterable of `Row`, read as far as needed and never held as a whole. A plain iterable is read in a
            thread.
        concurrency: Maximum number of concurrent requests.
        rate_limit: Maximum number of requests started per second, evenly spaced; ``None`` disables the limit.
        retry_refused: Whether to send refused rows again, as their next generation.
        strict: Whether a duplicate row is invalid.
        callbacks: Binds each request's callback URLs to its id; ``None`` leaves the URLs of the rows as they are. They
            are no part of a row's data: with other ones no row counts as changed.
        earlier_callbacks: Those of earlier runs, if they were others or had another secret first: a request whose
            result is unknown is retried with the URLs that it was sent with.
        clock: Returns the time in seconds since the epoch.

    Attributes:
        run: Number of the run in the ledger; 0 before it has begun.
    """

    def __init__(
        self,
        session: AsyncSession,
        ledger: Ledger,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        concurrency: int = CONCURRENCY,
        rate_limit: float | None = None,
        retry_refused: bool = False,
        strict: bool = False,
        callbacks: CallbackUrls | None = None,
        earlier_callbacks: Sequence[CallbackUrls] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        if rate_limit is not None and not rate_limit > 0:
            raise ValueError(
                f"rate_limit must be more than 0 requests per second, or None to disable it, not {rate_limit}"
            )
        self._session = session
        self._ledger = ledger
        self._source = rows
        self._concurrency = concurrency
        self._interval = 1 / rate_limit if rate_limit else 0.0
        self._retry_refused = retry_refused
        self._strict = strict
        self._callbacks = callbacks
        self._earlier_callbacks = tuple(earlier_callbacks)
        self._clock = clock
        self._next_at = 0.0
        self._detector = SystemicFailureDetector()
        self._paused: RunPaused | None = None
        self._stopping = asyncio.Event()
        self._rows: BatchQueue[Row] = BatchQueue(PLANNED)
        self._planned: BatchQueue[PendingRequest] = BatchQueue(PLANNED)
        self._requests: BatchQueue[PendingRequest] = BatchQueue(2 * concurrency)
        self._results: list[Outcome] = []
        self._in_doubt = 0
        """Requests that the ledger holds as unknown, and whose result has not been taken for a commit."""
        self._commit_due = asyncio.Event()
        self._commit_timer: asyncio.TimerHandle | None = None
        self._outcomes: BatchQueue[Outcome] = BatchQueue(MAX_OUTCOMES)
        self._batch: deque[Outcome] = deque()
        self._main: asyncio.Task[None]
        self.run: int = 0
        """Number of the run in the ledger; 0 before it has begun."""

    async def __aenter__(self) -> Self:
        self.run = await self._ledger.begin_run()
        self._main = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)

    def __aiter__(self) -> Self:
        if not self.run:
            raise RuntimeError("use the Onboarding inside async with")
        return self

    async def __anext__(self) -> Outcome:
        if not self._batch:
            self._batch.extend(await self._outcomes.take())
        if not self._batch:
            raise self._outcomes.error or StopAsyncIteration
        return self._batch.popleft()

    def stop(self) -> None:
        """Send no more requests; running ones are finished, then the iteration ends."""
        self._stopping.set()
        self._rows.close()
        self._commit_due.set()

    async def _run(self) -> None:
        """Run all stages to their end, and close the outcomes with the error that ended them, if any."""
        error: BaseException | None = None
        try:
            async with prefetch(self._source, self._rows), asyncio.TaskGroup() as stages:
                stages.create_task(self._commit_groups())
                for _ in range(self._concurrency):
                    stages.create_task(self._send_requests())
                await self._plan_rows()
            error = self._paused or self._rows.error
        except BaseExceptionGroup as group:
            error = _first(group)
        finally:
            self._outcomes.close(error)

    async def _plan_rows(self) -> None:
        """Turn rows into pending requests, or into outcomes if nothing is to be sent."""
        planner = Planner(
            self._ledger,
            run=self.run,
            retry_refused=self._retry_refused,
            strict=self._strict,
            callbacks=self._callbacks,
            earlier_callbacks=self._earlier_callbacks,
            clock=self._clock,
        )
        while (rows := await self._rows.take(PLANNED)) and not self._stopping.is_set():
            decisions = await planner.decide(rows)
            skipped = [each for each in decisions if not isinstance(each, PendingRequest)]
            await self._outcomes.put(map(outcome_from_decision, skipped))
            await self._planned.put([each for each in decisions if isinstance(each, PendingRequest)])
            self._commit_due.set()
        self._planned.close()
        self._commit_due.set()

    async def _commit_groups(self) -> None:
        """Commit results together with the next group of requests, which are unknown from then on.

        At any instant, the ledger has at most twice as many rows in doubt as there are concurrent calls: those being
        sent or not recorded yet, and those that are sent next. One transaction does both, since it costs as much as
        many rows.
        """
        while not self._planned.finished or self._in_doubt:
            await self._commit_due.wait()
            self._commit_due.clear()
            if self._stopping.is_set():
                await self._outcomes.put(_outcome_unsent(each) for each in self._planned.take_now())
            if self._commit_timer is not None:
                self._commit_timer.cancel()
            results, self._results = self._results, []
            self._in_doubt -= len(results)
            group = self._planned.take_now(min(self._concurrency, self._room))
            self._in_doubt += len(group)
            changed = [outcome.entry for outcome in results if outcome.entry is not None]
            await self._ledger.record(changed, unknown=[each.entry for each in group if not each.in_doubt])
            await self._requests.put(group)
            await self._outcomes.put(results)
            if self._planned and self._room >= self._concurrency:
                self._commit_due.set()
        self._requests.close()

    @property
    def _room(self) -> int:
        """How many more requests may be in doubt."""
        return 2 * self._concurrency - self._in_doubt

    async def _send_requests(self) -> None:
        """Send requests one after another."""
        async for pending in self._requests:
            if self._interval:
                await self._wait_for_rate_limit()
            if self._stopping.is_set():
                self._add_result(_outcome_unsent(pending))
            else:
                call = await request_link(self._session, pending.request)
                if advice := self._detector.record(call.result):
                    self._pause(call.result, advice)
                entry = apply_result(pending.entry, call, in_doubt=pending.in_doubt, now=self._clock())
                self._add_result(outcome_from_entry(pending, entry, sent=_was_sent(call.result)))

    def _add_result(self, outcome: Outcome) -> None:
        """Add a result to the next commit, which is due with half a group, with the last result, or after a while."""
        self._results.append(outcome)
        count = len(self._results)
        if 2 * count >= self._concurrency or count == self._in_doubt:
            self._commit_due.set()
        elif count == 1:
            self._commit_timer = asyncio.get_running_loop().call_later(COMMIT_WAIT, self._commit_due.set)

    async def _wait_for_rate_limit(self) -> None:
        """Wait until the next request may begin, or the run is stopped."""
        at = max(self._next_at, asyncio.get_running_loop().time())
        self._next_at = at + self._interval
        with suppress(TimeoutError):
            async with asyncio.timeout_at(at):
                await self._stopping.wait()

    def _pause(self, result: CorpIdentLink | KfqError, advice: str) -> None:
        """Stop because of a systemic failure."""
        if self._paused is None and isinstance(result, KfqError):
            self._paused = RunPaused(result, advice)
            self.stop()


def _was_sent(result: CorpIdentLink | KfqError) -> bool:
    """Return whether a byte of the request can have reached the platform."""
    return not isinstance(result, KfqError) or result.phase is not Phase.NOT_SENT


def _outcome_unsent(pending: PendingRequest) -> Outcome:
    """Return the outcome of a row that was not sent, because the run ended."""
    return outcome_from_entry(pending, pending.entry, sent=False)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that ended a stage; the others follow from it."""
    (error, *_) = group.exceptions
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
