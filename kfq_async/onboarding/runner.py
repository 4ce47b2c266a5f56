"""Many companies on one machine: rows in, outcomes out, the ledger in between. Memory does not grow with the rows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from kfq_async.errors import KfqError, RunPaused, SessionError, TransportError, UnexpectedAnswer
from kfq_async.models.fields import mask
from kfq_async.onboarding.decisions import Action, Decision, advice_on, released, settled
from kfq_async.onboarding.entries import Entry
from kfq_async.onboarding.outcomes import ENDINGS, Outcome, outcome_of
from kfq_async.onboarding.planning import Planner
from kfq_async.onboarding.rows import Row
from kfq_async.onboarding.streams import Stream
from kfq_async.resources.auth import CORP_IDENT_LINK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLink
    from kfq_async.onboarding.ledger import Ledger
    from kfq_async.session import AsyncSession

__all__ = ["FAILURES", "IN_FLIGHT", "Onboarding"]

IN_FLIGHT = 10
"""Requests under way at a time, unless told otherwise: the platform's limits are not documented."""
FAILURES = 20
"""Calls in a row without an answer of the platform, after which a run pauses."""
BATCH = 200
"""Rows that are read at a time, whose ids are committed together before the first of them is sent."""
READ_AHEAD = 2
"""Such batches that wait for their turn."""
ENDED = 1000
"""Calls that ended and wait to be written."""
LINGER = 0.05
"""Seconds in which calls that end are gathered: a commit on the disk costs as much as many rows do."""


@frozen
class _Ended:
    """A call that is over, or was not made; what happened is not in the ledger yet."""

    decision: Decision
    entry: Entry = field(repr=mask)
    asked: bool


class Onboarding:
    """A run over many companies: open it in ``async with`` and iterate over its outcomes, in the order of their ends.

    ``rows`` is an iterable or async iterable of `Row`, read as far as is needed and never held as a whole; a plain
    iterable is read in a thread. ``in_flight`` bounds the requests under way, ``per_second`` how many begin in a
    second. ``retry_failed`` asks again for what was refused, ``strict`` takes a repeated row for an error, and
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
        in_flight: int = IN_FLIGHT,
        per_second: float | None = None,
        retry_failed: bool = False,
        strict: bool = False,
        callbacks: CallbackUrls | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if in_flight < 1:
            raise ValueError(f"in_flight must be at least 1, not {in_flight}")
        if per_second is not None and not per_second > 0:
            raise ValueError(f"per_second must be more than 0, or None for no bound, not {per_second}")
        self._session = session
        self._ledger = ledger
        self._rows = rows
        self._in_flight = in_flight
        self._distance = 1 / per_second if per_second else 0.0
        self._retry_failed = retry_failed
        self._strict = strict
        self._callbacks = callbacks
        self._clock = clock
        self._next_at = 0.0
        self._failures = 0
        self._paused: RunPaused | None = None
        self._stopping = asyncio.Event()
        self._read: Stream[list[Row]] = Stream(READ_AHEAD)
        self._to_ask: Stream[Decision] = Stream(BATCH)
        self._ended: Stream[_Ended] = Stream(ENDED)
        self._outcomes: Stream[list[Outcome]] = Stream(READ_AHEAD)
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
            self._given.extend(chain.from_iterable(await self._outcomes.take()))
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
            async with asyncio.TaskGroup() as stages:
                reader = stages.create_task(self._take_in())
                stages.create_task(self._settle())
                async with asyncio.TaskGroup() as asking:
                    for _ in range(self._in_flight):
                        asking.create_task(self._ask())
                    await self._feed()
                    self._to_ask.close()
                self._ended.close()
                reader.cancel()  # after a stop it may wait for a row that nobody needs
            problem = self._paused or self._read.error
        except BaseExceptionGroup as group:
            problem = _first(group)
        finally:
            self._outcomes.close(problem)

    async def _take_in(self) -> None:
        """Read rows ahead; if the source fails, the rows before that are asked all the same."""
        problem: Exception | None = None
        try:
            if isinstance(self._rows, AsyncIterable):
                async for row in self._rows:
                    await self._read.put([_checked(row)])
            else:
                rows = iter(self._rows)
                while problem is None:
                    part, problem = await asyncio.to_thread(_part, rows)
                    await self._read.put(part)
        except Exception as raised:  # noqa: BLE001  # it ends the iteration over the outcomes
            problem = raised
        self._read.close(None if isinstance(problem, StopIteration) else problem)

    async def _feed(self) -> None:
        """Pass rows on, or their outcomes if they need not be asked."""
        planner = Planner(
            self._ledger,
            run=self.run,
            retry_failed=self._retry_failed,
            strict=self._strict,
            callbacks=self._callbacks,
            clock=self._clock,
        )
        while (parts := await self._read.take()) and not self._stopping.is_set():
            decisions = await planner.decide(list(chain.from_iterable(parts)))
            known = [outcome_of(decision) for decision in decisions if decision.action is not Action.ASK]
            if known:
                await self._outcomes.put(known)
            for decision in decisions:
                if decision.action is Action.ASK:
                    await self._to_ask.put(decision)

    async def _ask(self) -> None:
        """Ask for one row after the other."""
        while decisions := await self._to_ask.take(1):
            for decision in decisions:
                await self._turn()
                await self._ended.put(await self._asked(decision))

    async def _turn(self) -> None:
        """Wait until the next request may begin, or the run is stopped."""
        if not self._distance:
            return
        at = max(self._next_at, asyncio.get_running_loop().time())
        self._next_at = at + self._distance
        with suppress(TimeoutError):
            async with asyncio.timeout_at(at):
                await self._stopping.wait()

    async def _asked(self, decision: Decision) -> _Ended:
        assert decision.entry is not None and decision.request is not None  # noqa: PT018, S101  # what is asked has both
        if self._stopping.is_set():
            return _Ended(decision, released(decision.entry, in_doubt=decision.in_doubt), asked=False)
        began = time.monotonic()
        ended: CorpIdentLink | KfqError
        try:
            answer = await self._session.send(CORP_IDENT_LINK, decision.request)
            ended, attempts = answer.result, answer.attempts
        except SessionError:
            raise
        except KfqError as problem:
            ended, attempts = problem, problem.attempts
        self._watch(ended)
        entry = settled(
            decision.entry,
            ended,
            attempts=attempts,
            in_doubt=decision.in_doubt,
            seconds=time.monotonic() - began,
            now=self._clock(),
        )
        return _Ended(decision, entry, asked=True)

    def _watch(self, ended: CorpIdentLink | KfqError) -> None:
        """Pause the run if what happened concerns every row."""
        if not isinstance(ended, TransportError | UnexpectedAnswer):
            self._failures = 0
        else:
            self._failures += 1
        if self._paused is not None or not isinstance(ended, KfqError):
            return
        advice = advice_on(ended)
        if advice is None and self._failures >= FAILURES:
            advice = f"{FAILURES} calls in a row had no answer of the platform: check the network and the base URL"
        if advice is not None:
            self._paused = RunPaused(ended, advice)
            self.stop()

    async def _settle(self) -> None:
        """Write what ended into the ledger, as much as there is at a time, and give it out after that."""
        while ended := await self._ended.take(1):
            await asyncio.sleep(LINGER)
            ended += await self._ended.take() if self._ended.waiting else []
            await self._ledger.settle([each.entry for each in ended])
            await self._outcomes.put([_outcome(each) for each in ended])


def _outcome(ended: _Ended) -> Outcome:
    return Outcome(
        number=ended.decision.row.number,
        ending=ENDINGS[ended.entry.state],
        asked=ended.asked,
        entry=ended.entry,
        problems=ended.decision.problems,
    )


def _checked(row: object) -> Row:
    if not isinstance(row, Row):
        raise TypeError(f"rows must be of Row, not {type(row).__name__}: request_rows(requests) makes them of requests")
    return row


def _part(rows: Iterator[Row]) -> tuple[list[Row], Exception | None]:
    """Return the next rows, and what ended them, be it the end."""
    part: list[Row] = []
    try:
        while len(part) < BATCH:
            part.append(_checked(next(rows)))
    except Exception as problem:  # noqa: BLE001  # it is handed on
        return part, problem
    return part, None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that ended a stage; the others are its consequences."""
    (problem, *_) = group.exceptions
    return _first(problem) if isinstance(problem, BaseExceptionGroup) else problem
