"""Waits for the state of a contract: the schedule of their looks, which waits for the same contract share.

Assumed, because it is not known: that a contract in ``APPROVE_FAILED`` does not go on.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextlib import contextmanager, nullcontext, suppress
from copy import copy
from random import uniform
from typing import TYPE_CHECKING

from attrs import frozen

from kfq_async.contracts.events import ContractEvents
from kfq_async.contracts.lifecycle import ENDED, find_stuck
from kfq_async.errors import (
    CertificateError,
    ContractCompleted,
    ContractEnded,
    ContractStateError,
    HiddenErrorPage,
    KfqError,
    NonceError,
    ProxyError,
    ServerError,
    TooFrequentError,
    TotalTimeout,
    TransportError,
    UnexpectedResponse,
)
from kfq_async.models.contracts import ContractStatus, ContractTasks
from kfq_async.models.masking import type_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

__all__ = ["ContractWaits", "WaitTarget", "WatchedContract", "interval_after", "is_transient", "parse_until"]

SHORTEST = 2.0
"""Shortest interval between two looks, in seconds."""
LONGEST = 60.0
"""Longest interval between two looks, in seconds."""
GROWTH = 1.5
"""Factor between the intervals, and between the bounds of the range that each is drawn from."""
LOOKS_PER_SECOND = 50.0
"""Looks that the waits of a session make per second at most, besides those that an event brings forward."""
STUCK_FOR = 1.0
"""Seconds between the two looks that must show a contract stuck, so that no event makes one of a single moment."""

FINAL = ENDED | {ContractStatus.COMPLETED}

Interruptible = Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]
"""Calls and awaits a function; raises `SessionError` if the session is closed, before or meanwhile."""

_log = logging.getLogger("kfq_async")


def interval_after(looks: int, *, draw: Callable[[float, float], float] = uniform) -> float:
    """Return the seconds from look number ``looks`` to the next one: 2 to 3, then more with each look, up to 60."""
    lowest = min(LONGEST / GROWTH, SHORTEST * GROWTH ** min(looks - 1, 64))
    return draw(lowest, lowest * GROWTH)


def is_transient(error: KfqError) -> bool:
    """Return whether the next look may succeed after one that failed, its retries included."""
    match error:
        case CertificateError():
            return False
        case ProxyError(http_status=status) | UnexpectedResponse(http_status=status):
            return status >= 500
    return isinstance(error, TransportError | TooFrequentError | HiddenErrorPage | NonceError | ServerError)


def parse_until(until: object) -> frozenset[ContractStatus]:
    """Return the states of an ``until``; raise `TypeError` or `ValueError` if it is not one state or several."""
    if not isinstance(until, Iterable):
        raise TypeError(f"until must be a ContractStatus or several, not {type_name(until)}")
    with suppress(ValueError):
        statuses = frozenset(map(ContractStatus, [until] if isinstance(until, str) else until))
        if statuses:
            return statuses
    raise ValueError(f"until must be one or several of {', '.join(ContractStatus)}")


@frozen(kw_only=True)
class WatchedContract:
    """A contract to look at.

    Attributes:
        contract_id: Id of the contract.
        tenant: Token and account that it is looked at with; waits with the same ones share their looks.
        look: Reads state and open tasks of the contract.
        events: Events that bring the next look forward.
    """

    contract_id: str
    tenant: Hashable
    look: Callable[[], Awaitable[ContractTasks]]
    events: ContractEvents | None


@frozen
class Look:
    """State and open tasks of a contract, and when the look began, in the seconds of the event loop."""

    began_at: float
    tasks: ContractTasks


class WaitTarget:
    """States to wait for, and what ends the wait otherwise.

    Args:
        contract: Contract to wait for.
        until: States to wait for.
        auto_finish: Whether the contract is known to finish by itself.
    """

    def __init__(self, contract: WatchedContract, until: frozenset[ContractStatus], *, auto_finish: bool) -> None:
        self._contract = contract
        self._until = until
        self._auto_finish = auto_finish
        self._stuck_since: float | None = None

    def is_reached(self, look: Look) -> bool:
        """Return whether the contract is in one of the states."""
        return look.tasks.status in self._until

    def find_problem(self, look: Look) -> ContractStateError | None:
        """Return an error if the contract has ended otherwise, or was stuck at an earlier look, too."""
        contract_id, events, tasks = self._contract.contract_id, self._contract.events, look.tasks
        if tasks.status == ContractStatus.COMPLETED:
            return ContractCompleted(contract_id, tasks)
        if tasks.status in ENDED:
            return ContractEnded(contract_id, tasks, reason=None if events is None else events.reason_of(contract_id))
        stuck = find_stuck(contract_id, tasks) if self._auto_finish else None
        if stuck is None or self._stuck_since is None:
            self._stuck_since = None if stuck is None else look.began_at
            return None
        return stuck if look.began_at - self._stuck_since >= STUCK_FOR else None


class ContractWaits:
    """Waits for contracts, of a session and its views.

    No task runs for them: of the waits for a contract one looks, while the others wait for what it finds, and one of
    these goes on if it is cancelled.

    Args:
        interruptible: See `Interruptible`.
    """

    def __init__(self, interruptible: Interruptible) -> None:
        self._interruptible = interruptible
        self._looks: dict[Hashable, _SharedLooks] = {}
        """Looks at each contract that is waited for."""
        self._next_turn = -math.inf
        """Time of the next look that no event brings forward, in seconds of the event loop."""

    async def wait(self, contract: WatchedContract, target: WaitTarget, *, total: float | None) -> ContractTasks:
        """Return state and open tasks once the target is reached; raise `KfqError` if it cannot be.

        Raises `TotalTimeout` after ``total`` seconds.
        """
        with self._join(contract) as looks:
            try:
                async with asyncio.timeout(total):
                    return await _reach(contract, target, looks)
            except TimeoutError:  # of ``total``: those of a look are transient
                error = looks.total_timeout(total)
        try:
            raise error
        finally:
            del error  # the traceback holds this frame: a local variable would close a reference cycle

    async def watch(self, contract: WatchedContract) -> AsyncGenerator[ContractTasks, None]:
        """Yield state and open tasks whenever they have changed, until a final state."""
        shown: object = None
        with self._join(contract) as looks:
            last = looks.join()
            while True:
                last = await looks.next(last, contract.look)
                tasks = last.tasks
                state = tasks.status, frozenset(task.task_id for task in tasks.todo_task_list)
                if state != shown:
                    shown = state
                    yield tasks
                if tasks.status in FINAL:
                    return

    @contextmanager
    def _join(self, contract: WatchedContract) -> Iterator[_SharedLooks]:
        """Keep the looks at a contract while it is waited for, and let its events bring them forward."""
        key = contract.tenant, contract.contract_id
        looks = self._looks.get(key)
        if looks is None:
            looks = self._looks[key] = _SharedLooks(contract.contract_id, self._interruptible, self._take_turn)
        looks.users += 1
        events = contract.events
        try:
            with nullcontext() if events is None else events.subscribe(contract.contract_id, looks.wake):
                yield looks
        finally:
            looks.users -= 1
            if not looks.users:
                del self._looks[key]

    def _take_turn(self) -> float:
        """Return the time at which the next look may begin, in seconds of the event loop."""
        turn = max(self._next_turn, asyncio.get_running_loop().time())
        self._next_turn = turn + 1 / LOOKS_PER_SECOND
        return turn


async def _reach(contract: WatchedContract, target: WaitTarget, looks: _SharedLooks) -> ContractTasks:
    """Look until the target is reached; raise the problem that a look shows."""
    last = looks.join()
    while True:
        last = await looks.next(last, contract.look)
        if target.is_reached(last):
            return last.tasks
        problem = target.find_problem(last)
        if problem is not None:
            try:
                raise problem
            finally:
                del problem  # as in `ContractWaits.wait`


class _SharedLooks:
    """Looks at one contract, one after another, for all that wait for it."""

    def __init__(self, contract_id: str, interruptible: Interruptible, take_turn: Callable[[], float]) -> None:
        self.users = 0
        """Waits and iterations under way."""
        self._contract_id = contract_id
        self._interruptible = interruptible
        self._take_turn = take_turn
        self._last: Look | None = None
        """Last look that succeeded."""
        self._failure: KfqError | None = None
        """Transient error of the looks since then."""
        self._refusal: KfqError | None = None
        """Error that ends every wait."""
        self._one_at_a_time = asyncio.Lock()
        self._looks = 0
        """Looks since the schedule began."""
        self._began_at = -math.inf
        self._due_at = -math.inf
        self._changed = asyncio.Event()
        """Set when the next look is due earlier."""
        self._woken = asyncio.Event()
        """Set when the next look is due at once."""

    def join(self) -> Look | None:
        """Begin the schedule anew for another wait; return the last look if it is too old for it."""
        self._refusal = None
        self._looks = 0
        last = self._last
        is_recent = last is not None and asyncio.get_running_loop().time() - last.began_at < SHORTEST
        due_at = self._began_at + (interval_after(1) if is_recent else SHORTEST)
        if due_at < self._due_at:
            self._due_at = due_at
            self._changed.set()
        return None if is_recent else last

    def wake(self) -> None:
        """Let the next look be at once."""
        self._woken.set()
        self._changed.set()

    async def next(self, after: Look | None, look: Callable[[], Awaitable[ContractTasks]]) -> Look:
        """Return the look that follows a given one, made by ``look`` unless another wait makes it.

        Raises `KfqError` if it is refused for good, and `SessionError` once the session is closed.
        """
        while self._last is None or self._last is after:
            if self._refusal is not None:
                raise copy(self._refusal)  # each wait has a traceback of its own
            await self._interruptible(self._one_at_a_time.acquire)
            try:
                if self._last is after and self._refusal is None:
                    await self._interruptible(self._pause)
                    await self._look(look)
            finally:
                self._one_at_a_time.release()
        return self._last

    async def _pause(self) -> None:
        clock = asyncio.get_running_loop().time
        while not self._woken.is_set() and clock() < self._due_at:
            self._changed.clear()
            await _wait(self._changed, self._due_at)
        if not self._woken.is_set():
            await _wait(self._woken, self._take_turn())

    async def _look(self, look: Callable[[], Awaitable[ContractTasks]]) -> None:
        """Look once, and set the time of the next look."""
        clock = asyncio.get_running_loop().time
        self._changed.clear()
        self._woken.clear()
        self._began_at = clock()
        try:
            tasks = await look()
        except KfqError as problem:
            self._note(problem.with_traceback(None))
        else:
            self._last = Look(self._began_at, tasks)
            self._failure = None
        self._looks += 1
        self._due_at = clock() + interval_after(self._looks)

    def _note(self, error: KfqError) -> None:
        if not is_transient(error):
            self._refusal = error
            return
        if self._failure is None:
            _log.warning("contract %s, which is waited for, will be looked at again: %s", self._contract_id, error)
        self._failure = error

    def total_timeout(self, total: float | None) -> TotalTimeout:
        """Return the error of a wait whose ``total`` seconds are over."""
        return TotalTimeout.of_wait(total, None if self._last is None else self._last.tasks, self._failure)


async def _wait(event: asyncio.Event, until: float) -> None:
    """Wait for an event, until a time of the event loop at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(until):
            await event.wait()
