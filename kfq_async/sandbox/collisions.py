"""Collisions: calls that drive contracts at the same time disturb each other (protocol section 4.17).

A call is under way from its arrival until its response. One that met none is never disturbed. One that met others, of
other contracts, draws its result from `MEASURED`; calls of the same contract act as if each had been alone, and the
state is the one that protocol sections 4.11 and 4.17 tell.

Assumed, because it is not known:

* between the crowds that were measured, the nearest one by ratio applies; an operation that was measured in one crowd
  behaves so in every crowd;
* of two starts, the broken ones stay in ``START``; in a crowd of 10, what did not become ``COMPLETE`` is shared as in a
  crowd of 20; a start that stays in ``START`` sends no event but ``COMPLETE``, and a refused one none;
* the same tasks in double are both to be done;
* ``signer/add`` takes as long as an approval; on a page an approval takes and suffers the same as through the API, and
  everything else the same as a signature by proxy;
* a refused approval suffers the same as an approval that is followed by a task; one that meets a recall of the same
  contract leaves it recalled, and an addition that another call has made impossible is refused;
* a recall and a finish take as long as they did alone;
* a call that the platform refuses for another reason disturbs others all the same;
* a form of the signing page that is sent twice acts once, and the buttons of the sender on the console disturb nothing.
"""

from __future__ import annotations

import asyncio
import math
import random
from bisect import bisect
from contextlib import asynccontextmanager
from enum import Enum, auto
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from attrs import evolve, field, frozen

from kfq_async.sandbox.checks import OperationFailed, Refused
from kfq_async.sandbox.lifecycle import (
    COMPLETE,
    RECALLED,
    REFUSALS,
    Change,
    TransitionError,
    complete_unsigned,
    double_tasks,
    end,
    never_start,
    open_tasks,
    stall,
)
from kfq_async.sandbox.store import Contract

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from kfq_async.sandbox.lifecycle import ContractState
    from kfq_async.sandbox.store import Store

    Transition = Callable[[ContractState], Change]

__all__ = ["MEASURED", "MIN_SECONDS", "Collision", "CollisionResult", "Collisions", "DrivingKind", "driving_kind"]

WORKFLOW_FAULT = "流程出错"
"""Text of a refusal; the platform's own is not known."""


class DrivingKind(Enum):
    """What a call does to a contract."""

    START = auto()
    APPROVAL = auto()
    LAST_APPROVAL = auto()
    """Approval that no task follows."""
    SIGNATURE = auto()
    ADDITION = auto()
    RECALL = auto()
    FINISH = auto()

    @property
    def is_safe(self) -> bool:
        """Whether it disturbs no other contract, and is not disturbed by calls of others."""
        return self in {DrivingKind.RECALL, DrivingKind.FINISH}


MIN_SECONDS = {
    DrivingKind.START: 0.027,
    DrivingKind.APPROVAL: 0.019,
    DrivingKind.SIGNATURE: 0.049,
    DrivingKind.ADDITION: 0.019,
    DrivingKind.RECALL: 0.006,
    DrivingKind.FINISH: 0.008,
}
"""Least duration of a call in seconds: the median that was measured (protocol section 1.10)."""
_KINDS = {
    "/contract/draft": DrivingKind.START,
    "/contract/approval": DrivingKind.APPROVAL,
    "/contract/sign/personal/proxy": DrivingKind.SIGNATURE,
    "/contract/signer/add": DrivingKind.ADDITION,
    "/contract/recall": DrivingKind.RECALL,
    "/contract/finish": DrivingKind.FINISH,
}


class CollisionResult(Enum):
    """What becomes of a call that met others."""

    SOUND = auto()
    REFUSED = auto()
    """Refused and rolled back: a start leaves its draft."""
    REFUSED_STUCK = auto()
    """A start that is refused, and leaves a contract that is being signed without a task."""
    NEVER_STARTED = auto()
    """A start that is answered with success, and stays in ``START``."""
    STUCK = auto()
    """Answered with success; the contract is being signed without a task."""
    COMPLETE = auto()
    """A start that is answered with success and completes the contract, although nobody acted."""
    DOUBLED = auto()
    """A start that is answered with success, and leaves each open task twice."""


MEASURED: Mapping[DrivingKind, Mapping[int, Mapping[CollisionResult, int]]] = {
    DrivingKind.START: {
        2: {CollisionResult.SOUND: 99, CollisionResult.NEVER_STARTED: 17, CollisionResult.REFUSED: 84},
        10: {
            CollisionResult.SOUND: 6,
            CollisionResult.NEVER_STARTED: 4,
            CollisionResult.COMPLETE: 2,
            CollisionResult.REFUSED: 15,
            CollisionResult.REFUSED_STUCK: 3,
        },
        20: {
            CollisionResult.SOUND: 4,
            CollisionResult.NEVER_STARTED: 3,
            CollisionResult.REFUSED: 11,
            CollisionResult.REFUSED_STUCK: 2,
        },
        90: {
            CollisionResult.SOUND: 9,
            CollisionResult.NEVER_STARTED: 7,
            CollisionResult.STUCK: 6,
            CollisionResult.COMPLETE: 2,
            CollisionResult.DOUBLED: 2,
            CollisionResult.REFUSED: 64,
        },
    },
    DrivingKind.APPROVAL: {10: {CollisionResult.SOUND: 7, CollisionResult.STUCK: 23}},
    DrivingKind.LAST_APPROVAL: {10: {CollisionResult.SOUND: 9, CollisionResult.STUCK: 21}},
    DrivingKind.SIGNATURE: {
        10: {CollisionResult.SOUND: 13, CollisionResult.STUCK: 2, CollisionResult.REFUSED: 15},
    },
    DrivingKind.ADDITION: {10: {CollisionResult.SOUND: 12, CollisionResult.REFUSED: 18}},
}
"""Results of calls of different contracts at the same moment, by kind and by the size of the crowd.

Counts of protocol section 4.17. Two starts: of 100 pairs, 30 of them of two enterprises; of these 5 of 34 starts that
were answered with success were broken, which is taken for all 116. Ten starts: 2 of 30 became ``COMPLETE``.
"""
COMPLETE_OVER_RECALL = 36 / 40
"""Share of the recalls that meet the last signature or approval, and after which the contract is complete."""
STUCK_SIGNERS = 13 / 20
"""Share of the contracts without a sequence that two persons sign in the same moment, and that are stuck then."""


def driving_kind(path: str, fields: Mapping[str, Any]) -> DrivingKind | None:
    """Return what an operation does to a contract, or ``None`` if it only reads, uploads, or keeps a draft."""
    kind = _KINDS.get(path)
    return None if kind is DrivingKind.START and fields.get("send") != "1" else kind


@frozen(kw_only=True)
class Collision:
    """What a call met.

    Attributes:
        kind: What the call does.
        crowd: Number of calls that drive different contracts at the same time, this one included.
        found: Contract as the call found it when it arrived, if another call of the same contract was under way;
            otherwise ``None``.
        chance: Random number from 0 to 1 that decides what becomes of the call.
        is_form: Whether the call is a form of the signing page; one that is sent twice acts once.
    """

    kind: DrivingKind
    crowd: int = 1
    found: Contract | None = field(default=None, repr=False)
    chance: float
    is_form: bool = False

    def change(self, transition: Transition, before: ContractState, state: ContractState) -> Change:
        """Return what becomes of a contract; ``before`` is the state that the call found, ``state`` that of now.

        Raises `TransitionError`, `Refused` or `OperationFailed` if the call is refused, and nothing changes.
        """
        if state != before:
            return self._overtaken(transition, before, state)
        change = transition(state)
        match self.result(change):
            case CollisionResult.REFUSED:
                raise _refusal(self.kind)
            case CollisionResult.REFUSED_STUCK:
                return evolve(stall(change), events=(), refusal=WORKFLOW_FAULT)
            case CollisionResult.NEVER_STARTED:
                return never_start(state)
            case CollisionResult.STUCK:
                return stall(change)
            case CollisionResult.COMPLETE:
                return complete_unsigned(change)
            case CollisionResult.DOUBLED:
                return double_tasks(change, lambda: str(uuid4()))
        return change

    def result(self, change: Change) -> CollisionResult:
        """Return what becomes of a call that would make this change."""
        if self.crowd == 1:
            return CollisionResult.SOUND
        is_last = (
            self.kind is DrivingKind.APPROVAL and change.state.status not in REFUSALS and not open_tasks(change.state)
        )
        rows = MEASURED[DrivingKind.LAST_APPROVAL if is_last else self.kind]
        results, counts = zip(*rows[min(rows, key=self._distance)].items(), strict=True)
        result: CollisionResult = results[bisect(list(accumulate(counts)), self.chance * sum(counts))]
        return result

    def _distance(self, crowd: int) -> float:
        return abs(math.log(crowd / self.crowd))

    def _overtaken(self, transition: Transition, before: ContractState, state: ContractState) -> Change:
        """Return what becomes of a contract that another call has changed since this one arrived."""
        alone = transition(before)
        repeated = Change(state, tuple(evolve(event, status=state.status) for event in alone.events))
        ends = {alone.state.status, state.status}
        if alone.state.status in REFUSALS and state.status != RECALLED:
            return Change(end(state, alone.state.status), alone.events)
        if ends == {COMPLETE, RECALLED}:
            winner = COMPLETE if self.chance < COMPLETE_OVER_RECALL else RECALLED
            return repeated if state.status == winner else alone
        try:
            change = transition(state)
        except TransitionError:
            if self.is_form or self.kind is DrivingKind.ADDITION:
                raise
            return repeated
        two_signers = self.kind is DrivingKind.SIGNATURE and not state.ordered
        return stall(change) if two_signers and self.chance < STUCK_SIGNERS else change


def _refusal(kind: DrivingKind) -> TransitionError | Refused:
    if kind is DrivingKind.START:
        return TransitionError(WORKFLOW_FAULT)
    if kind is DrivingKind.SIGNATURE:
        return Refused(500, f"操作失败，{WORKFLOW_FAULT}", internal=True)
    return OperationFailed(WORKFLOW_FAULT)


class Collisions:
    """Calls that drive contracts, under way in one event loop.

    ``seed`` makes the results repeatable, in the sequence in which calls arrive.
    """

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._random = random.Random(seed)  # noqa: S311  # no secret
        self._under_way: set[_DrivingCall] = set()

    @asynccontextmanager
    async def drive(self, kind: DrivingKind, contract_id: str | None = None) -> AsyncIterator[Collision | None]:
        """Be under way until the end of the block, which begins after the least duration; yield what the call met.

        ``contract_id`` names the contract of all calls but a start.
        """
        contract = None if contract_id is None else self._store.contracts.one("contract_id = ?", contract_id)
        call = _DrivingCall(kind, contract)
        for other in self._under_way:
            call.meet(other)
            other.meet(call)
        self._under_way.add(call)
        try:
            await asyncio.sleep(MIN_SECONDS[kind])
            yield call.collision(self._random.random)
        finally:
            self._under_way.remove(call)


class _DrivingCall:
    """A call under way; ``contract`` is as the call found it."""

    def __init__(self, kind: DrivingKind, contract: Contract | None) -> None:
        self._kind = kind
        self._contract = contract
        self._crowd = 1
        self._is_shared = False

    def meet(self, other: _DrivingCall) -> None:
        if self._contract_id is not None and self._contract_id == other._contract_id:
            self._is_shared = True
        elif not self._kind.is_safe and not other._kind.is_safe:
            self._crowd += 1

    def collision(self, draw: Callable[[], float]) -> Collision | None:
        """Return what the call has met, or ``None`` if it met no other."""
        if self._crowd == 1 and not self._is_shared:
            return None
        found = self._contract if self._is_shared else None
        return Collision(kind=self._kind, crowd=self._crowd, found=found, chance=draw())

    @property
    def _contract_id(self) -> str | None:
        return None if self._contract is None else self._contract.contract_id
