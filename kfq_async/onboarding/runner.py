"""Many companies on one machine: rows in, outcomes out, the ledger in between. Memory does not grow with the rows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from kfq_async.errors import KfqError, RunPaused, SessionError, TransportError, UnexpectedAnswer
from kfq_async.models.fields import mask, new_id
from kfq_async.onboarding.decisions import Action, Decision, Rules, advice_on, decide, released, settled
from kfq_async.onboarding.entries import Entry, State
from kfq_async.onboarding.hashes import Hashes
from kfq_async.onboarding.rows import Problem, Row
from kfq_async.onboarding.streams import Stream
from kfq_async.resources.auth import CORP_IDENT_LINK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLink, CorpIdentLinkRequest
    from kfq_async.onboarding.ledger import Ledger
    from kfq_async.session import AsyncSession

__all__ = ["FAILURES", "IN_FLIGHT", "Ending", "Onboarding", "Outcome"]

IN_FLIGHT = 10
"""Requests under way at a time, unless told otherwise: the platform's limits are not documented."""
FAILURES = 20
"""Calls in a row without an answer of the platform, after which a run pauses."""
BATCH = 200
"""Rows whose ids are committed together, before the first of them is sent."""


class Ending(StrEnum):
    """How it ended for a row."""

    LINKED = "linked"
    """It has its link."""
    REFUSED = "refused"
    """The platform said no."""
    INVALID = "invalid"
    """It was never sent; ``problems`` say why."""
    UNKNOWN = "unknown"
    """It may have been acted on; the same run again asks under the same id, unless ``problems`` say otherwise."""
    PENDING = "pending"
    """Nothing of it was acted on; the same run again asks."""
    REPEATED = "repeated"
    """It is the same as an earlier row, whose outcome is its own."""


_ENDINGS = {
    State.LINKED: Ending.LINKED,
    State.REFUSED: Ending.REFUSED,
    State.UNKNOWN: Ending.UNKNOWN,
    State.UNSENT: Ending.PENDING,
}


@frozen(kw_only=True)
class Outcome:
    """How it ended for one row; when it is given out, the ledger has it."""

    number: int
    """Where the row stands in its source."""
    ending: Ending
    asked: bool
    """Whether it was sent in this run; otherwise its end was known before."""
    entry: Entry | None = field(default=None, repr=False)
    """What the ledger holds for it; ``None`` for an invalid row."""
    problems: tuple[Problem, ...] = ()
    """What was noticed about it, warnings included."""

    @property
    def order_no(self) -> str | None:
        """Number of the identification order."""
        return self.entry.order_no if self.entry else None

    @property
    def auth_url(self) -> str | None:
        """The link; a secret."""
        return self.entry.auth_url if self.entry else None

    @property
    def reason(self) -> str:
        """Why it is not linked, or what is odd about it, without personal data."""
        told = [str(problem) for problem in self.problems]
        if self.entry is not None and self.entry.words and self.ending is not Ending.LINKED:
            told.insert(0, self.entry.words)
        return "; ".join(told)


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
        self._read: Stream[Row] = Stream(BATCH)
        self._to_ask: Stream[Decision] = Stream(BATCH)
        self._ended: Stream[_Ended] = Stream(BATCH)
        self._outcomes: Stream[Outcome] = Stream(BATCH)
        self._main: asyncio.Task[None] | None = None
        self.run = 0
        """The number of this run in the ledger, once it has begun."""

    async def __aenter__(self) -> Self:
        self.run = await self._ledger.begin_run()
        self._main = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._main is not None:
            self._main.cancel()
            await asyncio.gather(self._main, return_exceptions=True)

    def __aiter__(self) -> Self:
        if self._main is None:
            raise RuntimeError("an Onboarding runs inside async with")
        return self

    async def __anext__(self) -> Outcome:
        for outcome in await self._outcomes.take(1):
            return outcome
        raise StopAsyncIteration

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
            problem = self._paused
        except BaseExceptionGroup as group:
            problem = _first(group)
        finally:
            self._outcomes.close(problem)

    async def _take_in(self) -> None:
        """Read rows ahead; a source that fails has its rows before that asked all the same."""
        try:
            if isinstance(self._rows, AsyncIterable):
                async for row in self._rows:
                    await self._read.put(row)
            else:
                rows = iter(self._rows)
                while part := await asyncio.to_thread(lambda: list(islice(rows, BATCH))):
                    for row in part:
                        await self._read.put(row)
        except Exception as problem:  # noqa: BLE001  # it is raised where the rows are taken
            self._read.close(problem)
        else:
            self._read.close()

    async def _feed(self) -> None:
        """Commit the ids of a batch of rows, and only then pass it on."""
        hashes = Hashes(self._ledger.secret)
        bind = self._callbacks.bind if self._callbacks else _unbound
        while (rows := await self._read.take()) and not self._stopping.is_set():
            rules = Rules(
                run=self.run,
                hashes=hashes,
                new_id=new_id,
                now=self._clock(),
                bind=bind,
                retry_failed=self._retry_failed,
                strict=self._strict,
            )
            found = await self._ledger.find({hashes.key(row.key) for row in rows if row.key is not None})
            decisions = await asyncio.to_thread(_decide_all, rows, found, rules)
            await self._ledger.put([entry for decision in decisions if (entry := decision.entry) is not None])
            for decision in decisions:
                if decision.action is Action.ASK:
                    await self._to_ask.put(decision)
                else:
                    await self._outcomes.put(_known(decision))

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
        while ended := await self._ended.take():
            await self._ledger.put([each.entry for each in ended])
            for each in ended:
                await self._outcomes.put(
                    Outcome(
                        number=each.decision.row.number,
                        ending=_ENDINGS[each.entry.state],
                        asked=each.asked,
                        entry=each.entry,
                        problems=each.decision.problems,
                    )
                )


def _unbound(request: CorpIdentLinkRequest) -> CorpIdentLinkRequest:
    return request


def _decide_all(rows: Sequence[Row], found: Mapping[bytes, Entry], rules: Rules) -> list[Decision]:
    """Decide row by row, so that a row finds an earlier one of the same company in its batch."""
    latest = dict(found)
    decisions = []
    for row in rows:
        before = None if row.key is None else latest.get(rules.hashes.key(row.key))
        decision = decide(row, before, rules)
        if decision.entry is not None:
            latest[decision.entry.key] = decision.entry
        decisions.append(decision)
    return decisions


def _known(decision: Decision) -> Outcome:
    """Return the outcome of a row that is not asked."""
    endings = {Action.INVALID: Ending.INVALID, Action.REPEAT: Ending.REPEATED, Action.STOP: Ending.UNKNOWN}
    entry = decision.entry
    ending = endings.get(decision.action) or (_ENDINGS[entry.state] if entry else Ending.PENDING)
    return Outcome(number=decision.row.number, ending=ending, asked=False, entry=entry, problems=decision.problems)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error that ended a stage; the others are its consequences."""
    (problem, *_) = group.exceptions
    return _first(problem) if isinstance(problem, BaseExceptionGroup) else problem
