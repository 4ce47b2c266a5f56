"""Life of a contract: parties, open tasks, transitions and their events (protocol sections 4.6 to 4.12, 6.2 to 6.4).

Pure: transitions take a state and return another with the events in the order in which the platform sends them.

Assumed, because only parts of it are known: that steps of the same order inside one enterprise follow one another in
the sequence of the list; that an enterprise seal counts as a signature where parties are added after one; that such a
contract keeps its automatic seals when all parties are asked to sign again; and that fields are filled in, in the same
sequence, before anybody signs or approves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from kfq_async.models.fields import SECRET, repr_masked
from kfq_async.models.parties import ContractUser, PositionParam
from kfq_async.sandbox.quirks import LATE_PARTIES, REVIVED_CONTRACTS, SIGNED_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kfq_async.sandbox.fixtures import Account

__all__ = [
    "APPROVER_CHECK",
    "COMPLETE",
    "DELETED",
    "DRAFT",
    "ENTERPRISE",
    "ENTERPRISE_SEAL",
    "EXPIRED",
    "PERSONAL",
    "RECALLED",
    "REFUSALS",
    "SENDER",
    "SIGNING",
    "START",
    "STATUS_NAMES",
    "WRITING",
    "Change",
    "ContractState",
    "LifecycleEvent",
    "Party",
    "Step",
    "TransitionError",
    "add_parties",
    "approve",
    "complete_unsigned",
    "delete",
    "double_tasks",
    "end",
    "event_body",
    "expire",
    "fill_in",
    "finish",
    "never_start",
    "open_tasks",
    "refuse",
    "set_deadline",
    "sign",
    "signed_steps",
    "stall",
    "start",
    "withdraw",
]

DRAFT, WRITING, SIGNING, COMPLETE = "DRAFT", "WRITING", "SIGNING", "COMPLETE"
START = "START"
"""Status of a contract whose start was disturbed; no call removes it."""
REFUSAL_WRITE, REFUSAL_SIGN = "REFUSAL_WRIT", "REFUSAL_SIGN"
"""Refusals; the platform spells the first one without its last letter."""
REFUSALS = frozenset({REFUSAL_WRITE, REFUSAL_SIGN})
RECALLED, EXPIRED, DELETED = "RECALLED", "EXPIRED", "DELETED"
SENDER, ENTERPRISE, PERSONAL = "SENDER", "ENTERPRISE", "PERSONAL"
ENTERPRISE_SEAL, APPROVER_CHECK = "ENTERPRISE_SEAL", "APPROVER_CHECK"
WAITING, OPEN, DONE, CLOSED = "waiting", "open", "done", "closed"
"""States of a step. ``closed`` steps never become tasks: after an end, or because they were added too late."""
STATUS_NAMES = {
    DRAFT: "草稿",
    START: "已发起",
    WRITING: "填写中",
    SIGNING: "签署中",
    COMPLETE: "已完成",
    REFUSAL_WRITE: "已拒填",
    REFUSAL_SIGN: "已拒签",
    RECALLED: "已撤回",
    EXPIRED: "已过期",
    DELETED: "已删除",
}


class TransitionError(ValueError):
    """Raised for a transition that the state does not allow; the text is in Chinese."""


@frozen(kw_only=True)
class Step:
    """What one person of a party does: a signature, a seal, an approval, or filling in fields.

    Attributes:
        task_id: ``taskId`` of the task that the step becomes.
        node_type: ``nodeType`` of an enterprise's step, or ``None`` for a personal receiver.
        order: ``signerOrder`` inside the enterprise.
        person: Person as named in the request, or ``None`` if the seal is applied automatically.
        fills_in: Whether the person fills in fields of a document.
        automatic: Whether the platform applies the seal by itself.
        seal_id: ``sealId``, or ``None``.
        positions: Sign positions.
        state: ``waiting``, ``open``, ``done`` or ``closed``.
    """

    task_id: str
    node_type: str | None = None
    order: int = 0
    person: ContractUser | None = None
    fills_in: bool = False
    automatic: bool = False
    seal_id: str | None = None
    positions: tuple[PositionParam, ...] = ()
    state: str = WAITING

    @property
    def is_approval(self) -> bool:
        """Whether it is an approval."""
        return self.node_type == APPROVER_CHECK and not self.fills_in

    @property
    def task_type(self) -> str:
        """``taskType``: ``WRITE``, ``APPROVE`` or ``SIGN``."""
        return "WRITE" if self.fills_in else "APPROVE" if self.is_approval else "SIGN"

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be done."""
        return self.state in {WAITING, OPEN}

    @property
    def has_begun(self) -> bool:
        """Whether it is open or done."""
        return self.state in {OPEN, DONE}


@frozen(kw_only=True)
class Party:
    """A signing party.

    Attributes:
        party_type: ``SENDER``, ``ENTERPRISE`` or ``PERSONAL``.
        name: Name of the enterprise; ``None`` for a person, and if the request named none.
        order: ``signerOrder``.
        steps: Steps, sorted by their order; one for a person.
    """

    party_type: str
    name: str | None = field(default=None, **SECRET)
    order: int
    steps: tuple[Step, ...] = ()


@frozen(kw_only=True)
class ContractState:
    """State of a contract.

    Attributes:
        status: Status as on the wire (protocol section 6.3).
        ordered: Whether the parties sign one after another: ``signOrderType`` ``ORDER``.
        auto_finish: Whether the contract completes with its last step.
        parties: Parties, in the sequence of the request.
        deadline_ms: Deadline in milliseconds since the epoch, or ``None``.
        reason: First reason given for a refusal to sign or a withdrawal, or ``None``; later events repeat it.
    """

    status: str = DRAFT
    ordered: bool = True
    auto_finish: bool = True
    parties: tuple[Party, ...] = ()
    deadline_ms: int | None = None
    reason: str | None = field(default=None, repr=repr_masked)

    @property
    def sequence(self) -> tuple[Party, ...]:
        """Parties sorted by their order; those of the same order in the sequence of the request."""
        return tuple(sorted(self.parties, key=lambda party: party.order))

    @property
    def steps(self) -> Iterator[Step]:
        """Steps of all parties."""
        return (step for party in self.parties for step in party.steps)


@frozen(kw_only=True)
class LifecycleEvent:
    """Event of a contract, before it is written as JSON.

    Attributes:
        kind: ``callbackType`` (protocol section 6.4).
        status: Status at that moment.
        party: Party of the step, or ``None`` if the event is about no step.
        step: Step, or ``None``.
        reason: Reason, or ``None``.
    """

    kind: str
    status: str
    party: Party | None = None
    step: Step | None = None
    reason: str | None = field(default=None, repr=repr_masked)


@frozen
class Change:
    """Result of a transition.

    Attributes:
        state: The new state.
        events: Events in the order in which they are sent.
        refusal: Why the call is refused although the state has changed, or ``None``.
    """

    state: ContractState
    events: tuple[LifecycleEvent, ...] = ()
    refusal: str | None = None


def open_tasks(state: ContractState) -> list[tuple[Party, Step]]:
    """Return the open tasks, those of earlier parties first."""
    return [(party, step) for party in state.sequence for step in party.steps if step.state == OPEN]


def signed_steps(before: ContractState, after: ContractState) -> list[tuple[Party, Step]]:
    """Return the steps that were signed between two states, those of earlier parties first."""
    done = {step.task_id for step in before.steps if step.state == DONE}
    return [
        (party, step)
        for party in after.sequence
        for step in party.steps
        if step.state == DONE and step.task_type == "SIGN" and step.task_id not in done
    ]


def start(state: ContractState) -> Change:
    """Start a draft. The events of automatic seals precede ``SEND_SIGNING``."""
    _require(state, "发起", DRAFT)
    run = _Run(state)
    run.advance()
    run.emit("SEND_SIGNING")
    if run.state.status == COMPLETE:
        run.emit("COMPLETE")
    return run.change()


def fill_in(state: ContractState, task_id: str) -> Change:
    """Fill in the fields of a document."""
    return _complete(state, task_id, "SUBMIT_WRITE", announced=False)


def approve(state: ContractState, task_id: str) -> Change:
    """Approve, through the API or on a page."""
    return _complete(state, task_id, "SUBMIT_APPROVE", announced=True)


def sign(state: ContractState, task_id: str, *, by_proxy: bool, positions: tuple[PositionParam, ...] = ()) -> Change:
    """Sign or seal, at more positions if any are given.

    After a signature by proxy no ``COMPLETE`` follows (protocol section 6.4).
    """
    _, step = _open_task(state, task_id)
    state = _with_step(state, evolve(step, positions=(*step.positions, *positions)))
    return _complete(state, task_id, "SUBMIT_SIGN", announced=not by_proxy)


def refuse(state: ContractState, task_id: str, reason: str | None) -> Change:
    """Refuse an approval, to sign, or to fill in; the event of the first has no reason."""
    party, step = _open_task(state, task_id)
    if step.is_approval:
        run = _Run(end(state, REFUSAL_SIGN))
        run.emit("REFUSAL_APPROVE", party, step)
        return run.change()
    run = _Run(end(evolve(state, reason=state.reason or reason), REFUSAL_WRITE if step.fills_in else REFUSAL_SIGN))
    run.emit("REFUSAL_WRITE" if step.fills_in else "REFUSAL_SIGN", party, step, reason=run.state.reason)
    return run.change()


def withdraw(state: ContractState, reason: str | None) -> Change:
    """Withdraw a running contract, through the API or on a page."""
    _require(state, "撤回", WRITING, SIGNING)
    run = _Run(end(evolve(state, reason=state.reason or reason), RECALLED))
    run.emit("RECALLED", reason=run.state.reason)
    return run.change()


def finish(state: ContractState, *, checked: bool = False) -> Change:
    """Finish a contract that was kept open; its status is not looked at unless ``checked`` (protocol section 4.10)."""
    if state.auto_finish:
        raise TransitionError("合同会自动结束，不能手动结束")
    if checked:
        _require(state, "结束", WRITING, SIGNING)
    if state.status == START:
        raise TransitionError("合同未能发起，不能手动结束")
    if open_tasks(state):
        raise TransitionError("合同还存在待完成的任务，不能手动结束")
    run = _Run(evolve(state, status=COMPLETE))
    run.emit("COMPLETE")
    return run.change()


def expire(state: ContractState) -> Change:
    """Expire a running contract; the event carries the status before (protocol section 6.4)."""
    _require(state, "过期", WRITING, SIGNING)
    return Change(end(state, EXPIRED), (LifecycleEvent(kind="EXPIRED", status=state.status),))


def set_deadline(state: ContractState, deadline_ms: int | None) -> Change:
    """Set the deadline of a draft or a running contract."""
    _require(state, "设置截止日期", DRAFT, WRITING, SIGNING)
    run = _Run(evolve(state, deadline_ms=deadline_ms))
    run.emit("DOCUMENT_DELAY")
    return run.change()


def delete(state: ContractState) -> Change:
    """Delete a draft, or a contract that has ended."""
    _require(state, "删除", DRAFT, COMPLETE, REFUSAL_WRITE, REFUSAL_SIGN, RECALLED, EXPIRED)
    run = _Run(evolve(state, status=DELETED))
    run.emit("DELETE")
    return run.change()


def add_parties(
    state: ContractState, parties: Iterable[Party], new_id: Callable[[], str], quirks: frozenset[str]
) -> Change:
    """Add parties to a contract that was kept open; ``new_id`` makes ids of tasks. There is no event.

    The status is not looked at, ``COMPLETE`` excepted, and becomes ``SIGNING``. Signing in sequence, a new step becomes
    a task in its turn if one is open now, or if nothing but approvals went before; otherwise it never does. Without a
    sequence, all parties are asked again, those who have signed included (protocol section 4.8). Each of these is a
    quirk: without ``revived-contracts`` only a running contract can be added to, without ``late-parties-without-task``
    each new step becomes a task in its turn, and without ``signed-again`` only the new parties are asked.
    """
    parties = tuple(parties)
    if state.status == COMPLETE:
        raise TransitionError("合同已完成，不能追加签署方")
    if state.status == START:
        raise TransitionError("合同未能发起，不能追加签署方")
    if state.auto_finish:
        raise TransitionError("合同会自动结束，不能追加签署方")
    if not parties:
        raise TransitionError("没有可追加的签署方")
    if REVIVED_CONTRACTS not in quirks:
        _require(state, "追加签署方", WRITING, SIGNING)
    if state.ordered and LATE_PARTIES in quirks:
        too_late = state.status not in {WRITING, SIGNING} or not (
            open_tasks(state) or all(step.is_approval for step in state.steps if step.state == DONE)
        )
        if too_late:
            state = _without_pending(state)
            parties = tuple(evolve(party, steps=_closed(party.steps)) for party in parties)
    for party in parties:
        state = _with_party(state, party)
    if not state.ordered and SIGNED_AGAIN in quirks:
        state = _asked_again(state, new_id)
    run = _Run(state)
    run.advance()
    return run.change()


def end(state: ContractState, status: str) -> ContractState:
    """Return a state without tasks, and with nothing left to do."""
    return evolve(_without_pending(state), status=status)


def stall(change: Change) -> Change:
    """Lose all tasks of a contract after a change: it is being signed, and stays so (protocol section 4.17)."""
    events = tuple(evolve(event, status=SIGNING) for event in change.events if event.kind != "COMPLETE")
    return Change(end(change.state, SIGNING), events)


def never_start(state: ContractState) -> Change:
    """Leave a draft in ``START``; its only event is ``COMPLETE`` (protocol sections 4.17 and 6.4)."""
    return Change(end(state, START), (LifecycleEvent(kind="COMPLETE", status=START),))


def complete_unsigned(change: Change) -> Change:
    """Complete a contract with its start, although nobody has acted (protocol section 4.17)."""
    run = _Run(end(change.state, COMPLETE))
    run.emit("SEND_SIGNING")
    run.emit("COMPLETE")
    return run.change()


def double_tasks(change: Change, new_id: Callable[[], str]) -> Change:
    """Open each task a second time; ``new_id`` makes ids of tasks (protocol section 4.17)."""
    state = change.state
    parties = tuple(
        evolve(party, steps=tuple(each for step in party.steps for each in _doubled(step, new_id)))
        for party in state.parties
    )
    return evolve(change, state=evolve(state, parties=parties))


def event_body(
    contract_id: str, event: LifecycleEvent, account_of: Callable[[str], Account | None]
) -> dict[str, object]:
    """Return the body of an event, sorted by name and without null fields (protocol section 6.2).

    ``account_of`` returns the account of a contact: the platform names the account, not the person of the request.
    """
    body: dict[str, object] = {
        "callbackType": event.kind,
        "contractId": contract_id,
        "contractStatus": event.status,
    }
    if event.party is not None and event.step is not None:
        body |= _step_fields(event.party, event.step, account_of)
    if event.reason is not None:
        body["reason"] = event.reason
    if event.kind == "RECALLED":
        body["taskId"] = ""
    return dict(sorted(body.items()))


def _step_fields(party: Party, step: Step, account_of: Callable[[str], Account | None]) -> dict[str, object]:
    fields: dict[str, object] = {"taskId": step.task_id, "signerType": PERSONAL}
    if party.party_type != PERSONAL:
        fields["signerType"] = ENTERPRISE
        if party.name is not None:
            fields["signerName"] = party.name
        if step.task_type == "SIGN":
            fields["nodeType"] = step.node_type
    if step.person is not None and not step.automatic:
        fields["signer"] = _signer(step.person.contact or "", account_of)
    return fields


def _signer(contact: str, account_of: Callable[[str], Account | None]) -> dict[str, object]:
    account = account_of(contact)
    fields: dict[str, object] = {"contactType": "MOBILE", "name": contact if account is None else account.shown_name}
    return fields if account is not None and account.contact_type != "MOBILE" else {"contact": contact, **fields}


class _Run:
    """A transition under way: the state so far, and the events so far."""

    def __init__(self, state: ContractState) -> None:
        self.state = state
        self._events: list[LifecycleEvent] = []

    def change(self) -> Change:
        return Change(self.state, tuple(self._events))

    def emit(
        self, kind: str, party: Party | None = None, step: Step | None = None, *, reason: str | None = None
    ) -> None:
        self._events.append(LifecycleEvent(kind=kind, status=self.state.status, party=party, step=step, reason=reason))

    def advance(self) -> None:
        """Open the steps whose turn it is, apply automatic seals, and complete the contract after the last step."""
        self.state = evolve(self.state, status=WRITING if self._is_being_filled_in() else SIGNING)
        while turn := [(party, step) for party, step in self._next_steps() if step.state == WAITING]:
            for party, step in turn:
                self.state = _with_step(self.state, evolve(step, state=DONE if step.automatic else OPEN))
                if step.automatic:
                    self.emit("SUBMIT_SIGN", party, step)
        if self.state.auto_finish and not any(step.is_pending for step in self.state.steps):
            self.state = evolve(self.state, status=COMPLETE)

    def _next_steps(self) -> list[tuple[Party, Step]]:
        """Return the first step that is still to be done, of the first party or, without a sequence, of each."""
        fills_in = self._is_being_filled_in()
        firsts = [
            (party, pending[0])
            for party in self.state.sequence
            if (pending := [step for step in party.steps if step.is_pending and step.fills_in == fills_in])
        ]
        return firsts[:1] if self.state.ordered else firsts

    def _is_being_filled_in(self) -> bool:
        return any(step.is_pending and step.fills_in for step in self.state.steps)


def _complete(state: ContractState, task_id: str, kind: str, *, announced: bool) -> Change:
    party, step = _open_task(state, task_id)
    run = _Run(_with_step(state, evolve(step, state=DONE)))
    run.advance()
    run.emit(kind, party, step)
    if announced and not open_tasks(run.state):
        run.emit("COMPLETE")
    return run.change()


def _open_task(state: ContractState, task_id: str) -> tuple[Party, Step]:
    for party, step in open_tasks(state):
        if step.task_id == task_id:
            return party, step
    raise TransitionError("任务不存在或已处理")


def _require(state: ContractState, action: str, *statuses: str) -> None:
    if state.status not in statuses:
        raise TransitionError(f"合同状态为{STATUS_NAMES[state.status]}，不可{action}")


def _with_step(state: ContractState, changed: Step) -> ContractState:
    return evolve(
        state,
        parties=tuple(
            evolve(party, steps=tuple(changed if step.task_id == changed.task_id else step for step in party.steps))
            for party in state.parties
        ),
    )


def _without_pending(state: ContractState) -> ContractState:
    return evolve(state, parties=tuple(evolve(party, steps=_closed(party.steps)) for party in state.parties))


def _closed(steps: Iterable[Step]) -> tuple[Step, ...]:
    return tuple(evolve(step, state=CLOSED) if step.is_pending else step for step in steps)


def _doubled(step: Step, new_id: Callable[[], str]) -> tuple[Step, ...]:
    return (step, evolve(step, task_id=new_id())) if step.state == OPEN else (step,)


def _with_party(state: ContractState, added: Party) -> ContractState:
    """Add a party, or its steps to those of the enterprise of the same name."""
    known = next((party for party in state.parties if party.name is not None and party.name == added.name), None)
    if known is None:
        parties = (*state.parties, added)
        position = added
    else:
        steps = sorted((*known.steps, *added.steps), key=lambda step: step.order)
        position = evolve(known, steps=tuple(steps))
        parties = tuple(position if party is known else party for party in state.parties)
    state = evolve(state, parties=parties)
    if state.ordered:
        _, *later = state.sequence[state.sequence.index(position) :]
        if any(step.has_begun for party in later for step in party.steps):
            raise TransitionError("后续签署方已开始签署，不能在其之前追加")
    return state


def _asked_again(state: ContractState, new_id: Callable[[], str]) -> ContractState:
    return evolve(
        state,
        parties=tuple(
            evolve(
                party,
                steps=tuple(
                    step if step.automatic and step.state == DONE else evolve(step, state=WAITING, task_id=new_id())
                    for step in party.steps
                ),
            )
            for party in state.parties
        ),
    )
