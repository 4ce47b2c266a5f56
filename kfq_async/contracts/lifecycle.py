"""States of a contract as looked at: whether it is stuck, and whether an operation took effect (protocol section 4.17).

Pure: the functions judge a state and its open tasks, and make no call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from kfq_async.errors import (
    ApiError,
    ContractCompleted,
    ContractEnded,
    ContractStateError,
    ContractStuck,
    KfqError,
    OutcomeUnknown,
)
from kfq_async.models.contracts import ContractDraftRequest, ContractStatus, ContractTasks
from kfq_async.models.parties import ContractSigner
from kfq_async.protocol.codec import to_wire
from kfq_async.protocol.codes import AMBIGUOUS_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.models.parties import ContractUser

__all__ = [
    "ENDED",
    "Addition",
    "Aim",
    "Effect",
    "StartPlan",
    "Verdict",
    "find_addition_obstacle",
    "find_stuck",
    "is_started",
]

RUNNING = frozenset({ContractStatus.APPROVING, ContractStatus.WRITING, ContractStatus.SIGNING})
ENDED = frozenset(
    {
        ContractStatus.APPROVE_FAILED,
        ContractStatus.REFUSAL_WRITE,
        ContractStatus.REFUSAL_SIGN,
        ContractStatus.EXPIRED,
        ContractStatus.RECALLED,
        ContractStatus.DELETED,
        ContractStatus.CLEAN_UP,
    }
)
"""Final states but ``COMPLETED``."""
RECEIVERS = ("RECEIVER_ENT", "RECEIVER_PERSONAL")


class Verdict(Enum):
    """Whether an operation took effect, as far as the contract shows."""

    DONE = auto()
    NOT_DONE = auto()
    UNCLEAR = auto()


class Effect(Protocol):
    """Effect of an operation on a contract, as the contract shows it."""

    def judge(self, tasks: ContractTasks, error: KfqError) -> Verdict:
        """Return whether the operation took effect, of which ``error`` left that open."""
        ...

    def find_obstacle(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """Return an error if the contract's state makes the operation impossible, which has not taken effect."""
        ...

    def find_problem(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """Return an error if the contract is not as a success of the operation leaves it."""
        ...


@frozen(kw_only=True)
class Aim:
    """Effect of an operation that brings a contract a step further, or to an end.

    Attributes:
        ends_as: Final state in which it has taken effect.
        is_pending: Whether, in a contract that is running, there is still something for it to do.
        ends: Whether it ends the contract. Otherwise it has taken effect as soon as it has nothing left to do.
        finishes: Whether the contract is known to finish by itself, so that it always waits for someone.
    """

    ends_as: ContractStatus
    is_pending: Callable[[ContractTasks], bool]
    ends: bool = False
    finishes: bool = False

    def judge(self, tasks: ContractTasks, error: KfqError) -> Verdict:  # noqa: ARG002  # the platform guards repetitions
        """See `Effect`."""
        if tasks.status == self.ends_as:
            return Verdict.DONE
        if tasks.status not in RUNNING:
            return Verdict.UNCLEAR
        if self.is_pending(tasks):
            return Verdict.NOT_DONE
        return Verdict.UNCLEAR if self.ends else Verdict.DONE

    def find_obstacle(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """See `Effect`."""
        if tasks.status == ContractStatus.COMPLETED:
            return ContractCompleted(contract_id, tasks)
        if tasks.status in ENDED:
            return ContractEnded(contract_id, tasks)
        return _find_start(contract_id, tasks)

    def find_problem(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """See `Effect`."""
        if self.ends and tasks.status == ContractStatus.COMPLETED != self.ends_as:
            return ContractCompleted(contract_id, tasks)
        return find_stuck(contract_id, tasks) if self.finishes else _find_start(contract_id, tasks)


@frozen(kw_only=True)
class Addition:
    """Effect of adding parties.

    Attributes:
        before: State and open tasks before.
        signers: Parties to add.
    """

    before: ContractTasks
    signers: Sequence[ContractSigner]

    def judge(self, tasks: ContractTasks, error: KfqError) -> Verdict:
        """See `Effect`. Only a refusal that came while nothing else was under way shows that nobody was added."""
        if self._has_new_task(tasks):
            return Verdict.DONE
        cause = error.original_error if isinstance(error, OutcomeUnknown) else error
        is_rolled_back = isinstance(cause, ApiError) and cause.code not in {None, *AMBIGUOUS_CODES}
        return Verdict.NOT_DONE if is_rolled_back and error.in_lane else Verdict.UNCLEAR

    def find_obstacle(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """See `Effect`."""
        return find_addition_obstacle(contract_id, tasks, revive=True)

    def find_problem(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """See `Effect`. Without any task, the added party has none, too."""
        if not tasks.todo_task_list:
            text = "the added party has no task, and session.contracts.finish would complete the contract without it"
            return ContractStuck(text, contract_id=contract_id, tasks=tasks)
        return _find_start(contract_id, tasks)

    def _has_new_task(self, tasks: ContractTasks) -> bool:
        """Return whether one of the added parties has a task that was not there before."""
        known = {task.task_id for task in self.before.todo_task_list}
        contacts = {person.contact for signer in self.signers for person in _people(signer)}
        is_sender = any(signer.signer_type == "SENDER" for signer in self.signers)
        return any(
            task.task_id not in known and (is_sender if task.party is None else task.party.contact in contacts)
            for task in tasks.todo_task_list
        )


@frozen(kw_only=True)
class StartPlan:
    """What a draft says about the contract that it starts.

    Attributes:
        finishes: Whether the contract finishes by itself after the last step.
        waits: Whether a party of the request has to act before.
    """

    finishes: bool
    waits: bool

    @classmethod
    def of(cls, request: object) -> StartPlan | None:
        """Return the plan of a request, or ``None`` if it starts no contract, or is no request."""
        if isinstance(request, ContractDraftRequest):
            request = to_wire(request)
        if not isinstance(request, Mapping) or not is_started(request):
            return None
        signers = _mappings(request.get("signerList"))
        return cls(finishes=request.get("autoFinish") in (None, 1), waits=any(map(_has_to_act, signers)))

    def find_problem(self, contract_id: str, tasks: ContractTasks) -> ContractStateError | None:
        """Return `ContractStuck` if the contract cannot be as planned."""
        if tasks.status == ContractStatus.COMPLETED and self.waits:
            text = "the contract is COMPLETED as soon as it was started, although a party had to act"
            return ContractStuck(text, contract_id=contract_id, tasks=tasks)
        if (self.finishes or self.waits) and _waits_for_no_one(tasks):
            text = f"the contract was started, and is {tasks.status} without an open task, so that nobody can act"
            return ContractStuck(text, contract_id=contract_id, tasks=tasks)
        return _find_start(contract_id, tasks)


def is_started(draft: Mapping[str, object]) -> bool:
    """Return whether the platform starts a contract that it drafts; in doubt it does."""
    send = draft.get("send")
    return send != "0" and not (type(send) is int and send == 0)


def find_addition_obstacle(contract_id: str, tasks: ContractTasks, *, revive: bool) -> ContractStateError | None:
    """Return an error if parties cannot be added, or only by bringing a contract to life and ``revive`` is not set."""
    if tasks.status == ContractStatus.COMPLETED:
        return ContractCompleted(contract_id, tasks)
    advice = "adding parties would put it back to SIGNING; pass revive=True if that is meant"
    if tasks.status in ENDED and not revive:
        return ContractEnded(contract_id, tasks, advice=advice)
    if tasks.status == ContractStatus.DRAFT and not revive:
        return ContractStateError(f"the contract is a DRAFT: {advice}", contract_id=contract_id, tasks=tasks)
    return _find_start(contract_id, tasks)


def find_stuck(contract_id: str, tasks: ContractTasks) -> ContractStuck | None:
    """Return an error if a contract that finishes by itself waits for no one, or is in ``START``."""
    if _waits_for_no_one(tasks):
        text = f"the contract is {tasks.status} without an open task, so that it cannot go on"
        return ContractStuck(text, contract_id=contract_id, tasks=tasks)
    return _find_start(contract_id, tasks)


def _find_start(contract_id: str, tasks: ContractTasks) -> ContractStuck | None:
    if tasks.status != ContractStatus.START:
        return None
    return ContractStuck("the contract stays in START", contract_id=contract_id, tasks=tasks)


def _waits_for_no_one(tasks: ContractTasks) -> bool:
    return tasks.status in {ContractStatus.WRITING, ContractStatus.SIGNING} and not tasks.todo_task_list


def _people(signer: ContractSigner) -> Iterator[ContractUser]:
    people = [signer.receiver, *(node.signer for node in signer.internal_node_list or ())]
    return (person for person in people if person is not None)


def _has_to_act(signer: Mapping[str, object]) -> bool:
    """Return whether a party of a draft has a step that the platform does not do by itself."""
    if signer.get("signerType") in RECEIVERS:
        return True
    return signer.get("signerType") == "SENDER" and any(
        node.get("nodeType") != "ENTERPRISE_SEAL" or node.get("autoSign") != "AUTO_SIGN"
        for node in _mappings(signer.get("internalNodeList"))
    )


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []
