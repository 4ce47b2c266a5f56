"""Many companies on one machine: rows in, outcomes out, the ledger in between. Memory does not grow with the rows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Self

from kfq_async.errors import KfqError, RunPaused, SessionError
from kfq_async.onboarding.decisions import PendingRequest, apply_result, mark_pending, outcome_after, outcome_of
from kfq_async.onboarding.failures import SystemicFailureDetector
from kfq_async.onboarding.planner import Planner
from kfq_async.onboarding.queues import BatchQueue
from kfq_async.onboarding.records import CallResult, Outcome, Row
from kfq_async.resources.auth import CORP_IDENT_LINK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLink
    from kfq_async.onboarding.ledgers.base import Ledger
    from kfq_async.protocol.requests import EncodedRequest
    from kfq_async.session import AsyncSession

__all__ = ["BATCH", "CONCURRENCY", "Onboarding", "prefetch", "request_link"]


BATCH = 200
"""Rows that are read at a time."""


@asynccontextmanager
async def prefetch(rows: Iterable[Row] | AsyncIterable[Row], into: BatchQueue[Row]) -> AsyncIterator[None]:
    """Put rows into a stream meanwhile, and close it after the last one, with the error of a source that fails.

    A plain iterable is read in a thread, some rows at a time.
    """
    reader = asyncio.create_task(_read(rows, into))
    try:
        yield
    finally:
        reader.cancel()  # it may wait for a row that nobody needs any more
        await asyncio.gather(reader, return_exceptions=True)


async def _read(rows: Iterable[Row] | AsyncIterable[Row], into: BatchQueue[Row]) -> None:
    problem: Exception | None = None
    try:
        if isinstance(rows, AsyncIterable):
            async for row in rows:
                await into.put((_checked(row),))
        else:
            iterator = iter(rows)
            while problem is None:
                part, problem = await asyncio.to_thread(_part, iterator)
                await into.put(part)
    except Exception as raised:  # noqa: BLE001  # whoever takes the rows learns of it
        problem = raised
    into.close(None if isinstance(problem, StopIteration) else problem)


def _part(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """Return the next rows, and what ended them, be it the end."""
    part: list[Row] = []
    try:
        while len(part) < BATCH:
            part.append(_checked(next(rows)))
    except Exception as problem:  # noqa: BLE001  # it is handed on
        return part, problem
    return part, None


def _checked(row: object) -> Row:
    if not isinstance(row, Row):
        raise TypeError(f"rows must be of Row, not {type(row).__name__}: request_rows(requests) makes them of requests")
    return row


async def request_link(session: AsyncSession, request: EncodedRequest) -> CallResult:
    """Ask for a link; raises `SessionError`, which is the caller's mistake, and no other `KfqError`."""
    began = time.monotonic()
    ended: CorpIdentLink | KfqError
    try:
        answer = await session.send(CORP_IDENT_LINK, request)
        ended, attempts = answer.result, answer.attempts
    except SessionError:
        raise
    except KfqError as problem:
        ended, attempts = problem, problem.attempts
    return CallResult(ended, attempts, time.monotonic() - began)


CONCURRENCY = 10
"""Requests under way at a time, unless told otherwise: the platform's limits are not documented."""
ENDED = 2000
"""Calls that ended and wait to be written."""
LINGER = 0.1
"""Seconds in which calls that end are gathered: a commit on the disk costs as much as many rows do."""
AHEAD = 0.5
"""Seconds, about, that ids are in the ledger before they are used: what waits there is unknown after a kill."""
FEWEST, MOST = 50, 1000
"""Rows whose ids are committed together, by how many are asked for in that time."""


class Onboarding:
    """A run over many companies: open it in ``async with`` and iterate over its outcomes, in the order of their ends.

    ``rows`` is an iterable or async iterable of `Row`, read as far as is needed and never held as a whole; a plain
    iterable is read in a thread. ``concurrency`` bounds the requests under way, ``rate_limit`` how many begin in a
    second. ``retry_refused`` asks again for what was refused, ``strict`` takes a repeated row for an error, and
    ``callbacks`` binds each request's URLs to its id.

    When something happens that concerns every row, as a token that is refused, what is under way is finished, the rest
    stays pending, and the iteration ends with `RunPaused`. A `LedgerError` ends it too. Whatever happens, the process's
    death included: the same run again continues, and no company is asked for under two ids.
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
        clock: Callable[[], float] = time.time,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"in_flight must be at least 1, not {concurrency}")
        if rate_limit is not None and not rate_limit > 0:
            raise ValueError(f"per_second must be more than 0, or None for no bound, not {rate_limit}")
        self._session = session
        self._ledger = ledger
        self._rows = rows
        self._concurrency = concurrency
        self._distance = 1 / rate_limit if rate_limit else 0.0
        self._retry_refused = retry_refused
        self._strict = strict
        self._callbacks = callbacks
        self._clock = clock
        self._next_at = 0.0
        self._watch = SystemicFailureDetector()
        self._paused: RunPaused | None = None
        self._stopping = asyncio.Event()
        self._read: BatchQueue[Row] = BatchQueue(MOST)
        self._to_ask: BatchQueue[PendingRequest] = BatchQueue(FEWEST)
        self._ended: BatchQueue[Outcome] = BatchQueue(ENDED)
        self._outcomes: BatchQueue[Outcome] = BatchQueue(ENDED)
        self._given: deque[Outcome] = deque()
        self._main: asyncio.Task[None]
        self.run = 0
        """The number of this run in the ledger, once it has begun."""

    async def __aenter__(self) -> Self:
        self.run = await self._ledger.begin_run()
        self._main = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._main.cancel()
        await asyncio.gather(self._main, return_exceptions=True)

    def __aiter__(self) -> Self:
        if not self.run:
            raise RuntimeError("an Onboarding runs inside async with")
        return self

    async def __anext__(self) -> Outcome:
        if not self._given:
            self._given.extend(await self._outcomes.take())
        if not self._given:
            raise self._outcomes.error or StopAsyncIteration
        return self._given.popleft()

    def stop(self) -> None:
        """Ask for nothing more; what is under way is finished, and then the iteration ends."""
        self._stopping.set()
        self._read.close()

    async def _work(self) -> None:
        """Run all stages to their end, and hand on what ended them."""
        problem: BaseException | None = None
        try:
            async with prefetch(self._rows, self._read), asyncio.TaskGroup() as settling:
                settling.create_task(self._settle())
                async with asyncio.TaskGroup() as asking:
                    for _ in range(self._concurrency):
                        asking.create_task(self._ask())
                    await self._feed()
                    self._to_ask.close()
                self._ended.close()
            problem = self._paused or self._read.error
        except BaseExceptionGroup as group:
            problem = _first(group)
        finally:
            self._outcomes.close(problem)

    async def _feed(self) -> None:
        """Pass rows on, or their outcomes if they need not be asked."""
        planner = Planner(
            self._ledger,
            run=self.run,
            retry_refused=self._retry_refused,
            strict=self._strict,
            callbacks=self._callbacks,
            clock=self._clock,
        )
        time_of = asyncio.get_running_loop().time
        last = time_of()
        while (rows := await self._read.take(self._to_ask.size)) and not self._stopping.is_set():
            decisions = await planner.decide(rows)
            known = [outcome_of(decision) for decision in decisions if not isinstance(decision, PendingRequest)]
            await self._outcomes.put(known)
            await self._to_ask.put([decision for decision in decisions if isinstance(decision, PendingRequest)])
            now = time_of()
            self._to_ask.size = _next_size(self._to_ask.size, now - last)
            last = now

    async def _ask(self) -> None:
        """Ask for one row after the other."""
        async for each in self._to_ask:
            if self._distance:
                await self._turn()
            if self._stopping.is_set():
                outcome = outcome_after(each, mark_pending(each.entry, in_doubt=each.in_doubt), asked=False)
            else:
                end = await request_link(self._session, each.request)
                if advice := self._watch.saw(end.result):
                    self._pause(end.result, advice)
                entry = apply_result(each.entry, end, in_doubt=each.in_doubt, now=self._clock())
                outcome = outcome_after(each, entry, asked=True)
            await self._ended.put((outcome,))

    async def _turn(self) -> None:
        """Wait until the next request may begin, or the run is stopped."""
        at = max(self._next_at, asyncio.get_running_loop().time())
        self._next_at = at + self._distance
        with suppress(TimeoutError):
            async with asyncio.timeout_at(at):
                await self._stopping.wait()

    def _pause(self, original_error: CorpIdentLink | KfqError, advice: str) -> None:
        """Ask for nothing more, since what happened concerns every row."""
        if self._paused is None and isinstance(original_error, KfqError):
            self._paused = RunPaused(original_error, advice)
            self.stop()

    async def _settle(self) -> None:
        """Write what ended into the ledger, as much as there is at a time, and give it out after that."""
        while ended := await self._ended.take(max_wait=LINGER):
            await self._ledger.settle([outcome.entry for outcome in ended if outcome.entry is not None])
            await self._outcomes.put(ended)


def _next_size(size: int, seconds: float) -> int:
    """Return how many rows are decided on next, after so many took so long."""
    if seconds < AHEAD / 2:
        return min(2 * size, MOST)
    return max(size // 2, FEWEST) if seconds > 2 * AHEAD else size


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that ended a stage; the others are its consequences."""
    (problem, *_) = group.exceptions
    return _first(problem) if isinstance(problem, BaseExceptionGroup) else problem
