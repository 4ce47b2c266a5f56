"""Life of a contract: tasks, transitions, and the events with their statuses."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.models.parties import ContractUser, PositionParam
from kfq_async.protocol.codec import decode, to_wire
from kfq_async.sandbox.fixtures import Account
from kfq_async.sandbox.lifecycle import (
    Change,
    ContractState,
    LifecycleEvent,
    Party,
    Step,
    TransitionError,
    add_parties,
    approve,
    delete,
    event_body,
    expire,
    fill_in,
    finish,
    open_tasks,
    refuse,
    set_deadline,
    sign,
    signed_steps,
    start,
    withdraw,
)
from kfq_async.sandbox.quirks import QUIRKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

ANNA = ContractUser(name="安娜", contact_type="MOBILE", contact="13900001001")
BERT = ContractUser(name="伯特", contact_type="MOBILE", contact="13900001002")
CHEF = ContractUser(name="主管", contact_type="MOBILE", contact="13900001003")
SELLER, BUYER = "卖方有限公司", "买方有限公司"


def person(task_id: str, user: ContractUser = ANNA, order: int = 1) -> Party:
    """Return a personal receiver."""
    return Party(party_type="PERSONAL", order=order, steps=(Step(task_id=task_id, person=user),))


def enterprise(*steps: Step, order: int = 1, sender: bool = True) -> Party:
    """Return an enterprise with its steps."""
    return Party(
        party_type="SENDER" if sender else "ENTERPRISE",
        name=SELLER if sender else BUYER,
        order=order,
        steps=steps,
    )


def approval(task_id: str, order: int = 1) -> Step:
    """Return an approval."""
    return Step(task_id=task_id, node_type="APPROVER_CHECK", order=order, person=CHEF)


def seal(task_id: str, order: int = 1, *, automatic: bool = False) -> Step:
    """Return a seal, by hand or automatic."""
    user = None if automatic else CHEF
    return Step(task_id=task_id, node_type="ENTERPRISE_SEAL", order=order, person=user, automatic=automatic)


def contract(*parties: Party, ordered: bool = True, auto_finish: bool = True) -> ContractState:
    """Return a draft."""
    return ContractState(parties=parties, ordered=ordered, auto_finish=auto_finish)


def play(state: ContractState, *steps: Callable[[ContractState], Change]) -> tuple[ContractState, list[str]]:
    """Apply transitions, and return the last state and ``callbackType/contractStatus`` of every event."""
    events: list[LifecycleEvent] = []
    for step in steps:
        change = step(state)
        state = change.state
        events += change.events
    return state, [f"{event.kind}/{event.status}" for event in events]


def task_ids(state: ContractState) -> list[str]:
    """Return the ids of the open tasks."""
    return [step.task_id for _, step in open_tasks(state)]


def approved(task_id: str) -> Callable[[ContractState], Change]:
    """Return the approval of a task."""
    return lambda state: approve(state, task_id)


def signed(task_id: str) -> Callable[[ContractState], Change]:
    """Return a signature on a page."""
    return lambda state: sign(state, task_id, by_proxy=False)


def signed_by_proxy(task_id: str) -> Callable[[ContractState], Change]:
    """Return a signature by proxy."""
    return lambda state: sign(state, task_id, by_proxy=True)


def refused(task_id: str, reason: str | None = None) -> Callable[[ContractState], Change]:
    """Return the refusal of a task."""
    return lambda state: refuse(state, task_id, reason)


def withdrawn(reason: str | None = None) -> Callable[[ContractState], Change]:
    """Return a withdrawal."""
    return lambda state: withdraw(state, reason)


def added(*parties: Party) -> Callable[[ContractState], Change]:
    """Return the addition of parties, whose tasks get ids such as ``new-1`` where they need one."""
    numbers = count(1)
    return lambda state: add_parties(state, parties, lambda: f"new-{next(numbers)}", frozenset(QUIRKS))


def filling(task_id: str, user: ContractUser = ANNA) -> Step:
    """Return a step that fills in fields."""
    return Step(task_id=task_id, order=-1, person=user, fills_in=True)


def filled_in(task_id: str) -> Callable[[ContractState], Change]:
    """Return the filling in of a task."""
    return lambda state: fill_in(state, task_id)


def written(task_id: str, filling_id: str, order: int = 1) -> Party:
    """Return a person who fills in fields before signing."""
    party = person(task_id, order=order)
    return evolve(party, steps=(filling(filling_id), *party.steps))


LIVES: dict[str, tuple[ContractState, list[Callable[[ContractState], Change]], str, list[str], list[str]]] = {
    "a signature by proxy completes without an event of its own": (
        contract(person("a")),
        [start, signed_by_proxy("a")],
        "COMPLETE",
        [],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/COMPLETE"],
    ),
    "a signature on the page announces the completion": (
        contract(person("a")),
        [start, signed("a")],
        "COMPLETE",
        [],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"],
    ),
    "the next party's task does not exist before its turn": (
        contract(person("b", BERT, order=2), person("a", ANNA, order=1)),
        [start],
        "SIGNING",
        ["a"],
        ["SEND_SIGNING/SIGNING"],
    ),
    "equal orders follow the sequence of the list": (
        contract(person("a"), person("b", BERT)),
        [start, signed("a")],
        "SIGNING",
        ["b"],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING"],
    ),
    "without a sequence all parties have tasks": (
        contract(person("a"), enterprise(approval("c"), seal("d", 2), order=2), ordered=False),
        [start],
        "SIGNING",
        ["a", "c"],
        ["SEND_SIGNING/SIGNING"],
    ),
    "without a sequence the last one completes": (
        contract(person("a"), person("b", BERT), ordered=False),
        [start, signed("b"), signed("a")],
        "COMPLETE",
        [],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING", "SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"],
    ),
    "an automatic seal at the start comes before the start": (
        contract(enterprise(seal("s", automatic=True)), person("a", order=2)),
        [start],
        "SIGNING",
        ["a"],
        ["SUBMIT_SIGN/SIGNING", "SEND_SIGNING/SIGNING"],
    ),
    "nothing but automatic seals completes at the start": (
        contract(enterprise(seal("s", automatic=True), seal("t", 2, automatic=True))),
        [start],
        "COMPLETE",
        [],
        ["SUBMIT_SIGN/SIGNING", "SUBMIT_SIGN/SIGNING", "SEND_SIGNING/COMPLETE", "COMPLETE/COMPLETE"],
    ),
    "an automatic seal comes before the approval that caused it": (
        contract(enterprise(approval("c"), seal("s", 2, automatic=True))),
        [start, approved("c")],
        "COMPLETE",
        [],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING", "SUBMIT_APPROVE/COMPLETE", "COMPLETE/COMPLETE"],
    ),
    "a refused approval ends it": (
        contract(enterprise(approval("c")), person("a", order=2)),
        [start, refused("c", "太贵")],
        "REFUSAL_SIGN",
        [],
        ["SEND_SIGNING/SIGNING", "REFUSAL_APPROVE/REFUSAL_SIGN"],
    ),
    "a refused signature ends it": (
        contract(person("a"), person("b", BERT, order=2)),
        [start, refused("a", "太贵")],
        "REFUSAL_SIGN",
        [],
        ["SEND_SIGNING/SIGNING", "REFUSAL_SIGN/REFUSAL_SIGN"],
    ),
    "withdrawn and deleted": (
        contract(person("a")),
        [start, withdrawn("改期"), delete],
        "DELETED",
        [],
        ["SEND_SIGNING/SIGNING", "RECALLED/RECALLED", "DELETE/DELETED"],
    ),
    "a draft is deleted": (contract(person("a")), [delete], "DELETED", [], ["DELETE/DELETED"]),
    "the event of expiry carries the status before": (
        contract(person("a")),
        [start, expire],
        "EXPIRED",
        [],
        ["SEND_SIGNING/SIGNING", "EXPIRED/SIGNING"],
    ),
    "a deadline changes nothing else": (
        contract(person("a")),
        [lambda state: set_deadline(state, 5), start, lambda state: set_deadline(state, None)],
        "SIGNING",
        ["a"],
        ["DOCUMENT_DELAY/DRAFT", "SEND_SIGNING/SIGNING", "DOCUMENT_DELAY/SIGNING"],
    ),
    "kept open with nobody to act": (
        contract(enterprise(), auto_finish=False),
        [start],
        "SIGNING",
        [],
        ["SEND_SIGNING/SIGNING"],
    ),
    "kept open, the last task announces a completion that is none": (
        contract(enterprise(approval("c")), auto_finish=False),
        [start, approved("c"), finish, finish],
        "COMPLETE",
        [],
        [
            "SEND_SIGNING/SIGNING",
            "SUBMIT_APPROVE/SIGNING",
            "COMPLETE/SIGNING",
            "COMPLETE/COMPLETE",
            "COMPLETE/COMPLETE",
        ],
    ),
    "added after approvals only, a person has a task at once": (
        contract(enterprise(approval("c")), auto_finish=False),
        [start, approved("c"), added(person("a", order=2))],
        "SIGNING",
        ["a"],
        ["SEND_SIGNING/SIGNING", "SUBMIT_APPROVE/SIGNING", "COMPLETE/SIGNING"],
    ),
    "added while an earlier task is open, a person waits for its turn": (
        contract(person("a"), auto_finish=False),
        [start, added(person("b", BERT, order=2)), signed_by_proxy("a")],
        "SIGNING",
        ["b"],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING"],
    ),
    "added after the only signature, a person has no task": (
        contract(person("a"), auto_finish=False),
        [start, signed_by_proxy("a"), added(person("b", BERT, order=2)), finish],
        "COMPLETE",
        [],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING", "COMPLETE/COMPLETE"],
    ),
    "adding to a draft makes it sign without a task": (
        contract(person("a"), auto_finish=False),
        [added(person("b", BERT, order=2)), finish],
        "COMPLETE",
        [],
        ["COMPLETE/COMPLETE"],
    ),
    "adding to a withdrawn contract": (
        contract(person("a"), auto_finish=False),
        [start, withdrawn(), added(person("b", BERT, order=2))],
        "SIGNING",
        [],
        ["SEND_SIGNING/SIGNING", "RECALLED/RECALLED"],
    ),
    "adding to a refused contract": (
        contract(person("a"), auto_finish=False),
        [start, refused("a"), added(person("b", BERT, order=2))],
        "SIGNING",
        [],
        ["SEND_SIGNING/SIGNING", "REFUSAL_SIGN/REFUSAL_SIGN"],
    ),
    "without a sequence everybody is asked again": (
        contract(person("a"), enterprise(seal("s", automatic=True), order=2), ordered=False, auto_finish=False),
        [start, signed("a"), added(person("b", BERT, order=3))],
        "SIGNING",
        ["new-1", "new-2"],
        ["SUBMIT_SIGN/SIGNING", "SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING", "COMPLETE/SIGNING"],
    ),
    "the steps of an enterprise that is a party are added to it": (
        contract(enterprise(), auto_finish=False),
        [start, added(enterprise(approval("d", 2), approval("c", 1), order=7)), approved("c")],
        "SIGNING",
        ["d"],
        ["SEND_SIGNING/SIGNING", "SUBMIT_APPROVE/SIGNING"],
    ),
    "all fields are filled in before anybody approves or signs": (
        contract(enterprise(approval("c")), written("a", "f", 2), written("b", "g", 3)),
        [start, filled_in("f"), filled_in("g"), approved("c")],
        "SIGNING",
        ["a"],
        ["SEND_SIGNING/WRITING", "SUBMIT_WRITE/WRITING", "SUBMIT_WRITE/SIGNING", "SUBMIT_APPROVE/SIGNING"],
    ),
    "without a sequence all fill in at a time": (
        contract(written("a", "f"), written("b", "g"), ordered=False),
        [start],
        "WRITING",
        ["f", "g"],
        ["SEND_SIGNING/WRITING"],
    ),
    "refused to fill in, and deleted": (
        contract(written("a", "f")),
        [start, refused("f", "不填"), delete],
        "DELETED",
        [],
        ["SEND_SIGNING/WRITING", "REFUSAL_WRITE/REFUSAL_WRIT", "DELETE/DELETED"],
    ),
    "withdrawn while it is filled in": (
        contract(written("a", "f")),
        [start, lambda state: set_deadline(state, 5), withdrawn()],
        "RECALLED",
        [],
        ["SEND_SIGNING/WRITING", "DOCUMENT_DELAY/WRITING", "RECALLED/RECALLED"],
    ),
    "expired while it is filled in": (
        contract(written("a", "f")),
        [start, expire],
        "EXPIRED",
        [],
        ["SEND_SIGNING/WRITING", "EXPIRED/WRITING"],
    ),
    "added while it is filled in, a person waits for its turn": (
        contract(written("a", "f"), auto_finish=False),
        [start, added(person("b", BERT, order=2)), filled_in("f"), signed("a")],
        "SIGNING",
        ["b"],
        ["SEND_SIGNING/WRITING", "SUBMIT_WRITE/SIGNING", "SUBMIT_SIGN/SIGNING"],
    ),
    "a receiving enterprise signs, then seals": (
        contract(
            enterprise(Step(task_id="g", node_type="AGENT_SIGN", order=1, person=CHEF), seal("s", 2), sender=False)
        ),
        [start, signed("g"), signed("s")],
        "COMPLETE",
        [],
        ["SEND_SIGNING/SIGNING", "SUBMIT_SIGN/SIGNING", "SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"],
    ),
}


@pytest.mark.parametrize("name", LIVES)
def test_lives(name: str) -> None:
    """A contract ends in the status, with the tasks and after the events that a platform showed."""
    draft, steps, status, tasks, events = LIVES[name]
    state, seen = play(draft, *steps)
    assert (state.status, task_ids(state), seen) == (status, tasks, events)


@pytest.mark.parametrize("name", LIVES)
def test_states_are_kept_as_json(name: str) -> None:
    """A state is the same after it was written as JSON."""
    draft, steps, *_ = LIVES[name]
    state, _ = play(draft, *steps)
    assert decode(ContractState, to_wire(state)) == state


@pytest.mark.parametrize(
    ("draft", "steps", "last"),
    [
        (contract(person("a")), [start], start),
        (contract(person("a")), [], signed("a")),
        (contract(person("a")), [start], signed("b")),
        (contract(person("a")), [start, signed("a")], signed("a")),
        (contract(person("a")), [], withdrawn()),
        (contract(person("a")), [start, withdrawn()], withdrawn()),
        (contract(person("a")), [], expire),
        (contract(person("a")), [start], delete),
        (contract(person("a")), [delete], delete),
        (contract(person("a")), [start, signed("a")], lambda state: set_deadline(state, 1)),
        (contract(person("a")), [start], finish),
        (contract(person("a"), auto_finish=False), [start], finish),
        (contract(person("a")), [start], added(person("b"))),
        (contract(person("a"), auto_finish=False), [start], added()),
        (contract(auto_finish=False), [start, finish], added(person("b"))),
        (contract(person("a", order=2), auto_finish=False), [start], added(person("b", order=1))),
        (
            contract(enterprise(approval("c")), person("a", order=2), auto_finish=False),
            [start, approved("c")],
            added(enterprise(approval("d"))),
        ),
    ],
)
def test_transitions_that_are_not_allowed(
    draft: ContractState, steps: Iterable[Callable[[ContractState], Change]], last: Callable[[ContractState], Change]
) -> None:
    """A transition that the state does not allow is refused."""
    state, _ = play(draft, *steps)
    with pytest.raises(TransitionError):
        last(state)


@st.composite
def drafts(draw: st.DrawFn) -> ContractState:
    """Draw a draft of some enterprises and persons; every step has its number as an id, in the sequence of the list."""
    numbers = count()
    kinds = draw(st.lists(st.lists(st.sampled_from(["approval", "seal", "automatic"]), max_size=3), min_size=1))
    parties = []
    for kinds_of_party in kinds:
        order = draw(st.integers(-3, 3))
        steps = []
        for kind in kinds_of_party:
            number, place = str(next(numbers)), draw(st.integers(-3, 3))
            steps.append(
                approval(number, place) if kind == "approval" else seal(number, place, automatic=kind != "seal")
            )
        steps.sort(key=lambda step: step.order)
        parties.append(enterprise(*steps, order=order) if steps else person(str(next(numbers)), order=order))
    return contract(*parties, ordered=draw(st.booleans()))


@given(drafts(), st.randoms(use_true_random=False))
def test_every_step_is_done_once(draft: ContractState, random: Random) -> None:
    """Whichever open task is done next, the contract completes with its last step, and each step has one event."""
    change = start(draft)
    events = list(change.events)
    while tasks := open_tasks(change.state):
        assert change.state.status == "SIGNING"
        assert len(tasks) == 1 or not draft.ordered
        _, step = random.choice(tasks)
        change = (approved if step.is_approval else signed)(step.task_id)(change.state)
        events += change.events
    assert change.state.status == "COMPLETE"
    assert [event.kind for event in events if event.kind in {"SEND_SIGNING", "COMPLETE"}] == [
        "SEND_SIGNING",
        "COMPLETE",
    ]
    done = [event.step.task_id for event in events if event.step is not None]
    assert sorted(done) == sorted(step.task_id for step in draft.steps)
    if draft.ordered and not any(step.automatic for step in draft.steps):
        assert done == [step.task_id for party in draft.sequence for step in party.steps]


def test_a_signature_keeps_the_positions_that_come_with_it() -> None:
    """Positions of a signature by proxy are added to those of the draft."""
    own, more = PositionParam(keyword="甲方"), PositionParam(keyword="乙方")
    draft = contract(Party(party_type="PERSONAL", order=1, steps=(Step(task_id="a", person=ANNA, positions=(own,)),)))
    state, _ = play(draft, start, lambda state: sign(state, "a", by_proxy=True, positions=(more,)))
    assert [step.positions for step in state.steps] == [(own, more)]


def account_of(contact: str) -> Account | None:
    """Return the account of a contact: one identified, one not, one with an e-mail address, and no other."""
    accounts = {
        "13900001001": Account(name="安娜", contact_type="MOBILE", contact="13900001001", verified=True),
        "13900001003": Account(name="主管", contact_type="MOBILE", contact="13900001003"),
        "dora@example.org": Account(name="朵拉", contact_type="EMAIL", contact="dora@example.org"),
    }
    return accounts.get(contact)


def bodies(draft: ContractState, *steps: Callable[[ContractState], Change]) -> list[dict[str, object]]:
    """Return the bodies of all events."""
    state, events = draft, []
    for step in steps:
        change = step(state)
        state = change.state
        events += [event_body("c-1", event, account_of) for event in change.events]
    return events


def test_bodies_of_a_contract() -> None:
    """Bodies name the account, not the person of the request; an approval has no ``nodeType``."""
    assert bodies(
        contract(enterprise(seal("s", automatic=True), approval("c", 2)), person("a", order=2)),
        start,
        approved("c"),
        signed("a"),
    ) == [
        {
            "callbackType": "SUBMIT_SIGN",
            "contractId": "c-1",
            "contractStatus": "SIGNING",
            "nodeType": "ENTERPRISE_SEAL",
            "signerName": SELLER,
            "signerType": "ENTERPRISE",
            "taskId": "s",
        },
        {"callbackType": "SEND_SIGNING", "contractId": "c-1", "contractStatus": "SIGNING"},
        {
            "callbackType": "SUBMIT_APPROVE",
            "contractId": "c-1",
            "contractStatus": "SIGNING",
            "signer": {"contactType": "MOBILE", "name": "13900001003", "contact": "13900001003"},
            "signerName": SELLER,
            "signerType": "ENTERPRISE",
            "taskId": "c",
        },
        {
            "callbackType": "SUBMIT_SIGN",
            "contractId": "c-1",
            "contractStatus": "COMPLETE",
            "signer": {"contactType": "MOBILE", "name": "安娜", "contact": "13900001001"},
            "signerType": "PERSONAL",
            "taskId": "a",
        },
        {"callbackType": "COMPLETE", "contractId": "c-1", "contractStatus": "COMPLETE"},
    ]


@pytest.mark.parametrize(
    ("contact", "signer"),
    [
        ("dora@example.org", {"contactType": "MOBILE", "name": "dora@example.org"}),
        ("13900009999", {"contactType": "MOBILE", "name": "13900009999", "contact": "13900009999"}),
    ],
)
def test_signer_of_an_event(contact: str, signer: dict[str, object]) -> None:
    """The type of the contact is always MOBILE, and an account without a phone has no contact."""
    user = ContractUser(name="某人", contact_type="EMAIL", contact=contact)
    _, event = bodies(contract(person("a", user), person("b", order=2)), start, signed("a"))
    assert event["signer"] == signer


def test_task_types() -> None:
    """A task is to fill in, to approve, or to sign; filling in has no ``nodeType``."""
    agent = Step(task_id="f", node_type="AGENT_SIGN", order=-1, person=CHEF, fills_in=True)
    draft = contract(enterprise(agent, approval("c"), seal("s", 2)))
    assert [step.task_type for step in draft.steps] == ["WRITE", "APPROVE", "SIGN"]
    _, event = bodies(draft, start, filled_in("f"))
    assert (event["callbackType"], event["signerName"], "nodeType" in event) == ("SUBMIT_WRITE", SELLER, False)


def test_event_of_an_enterprise_without_a_name() -> None:
    """Null fields are left out of a body."""
    nameless = evolve(enterprise(seal("s"), sender=False), name=None)
    _, event, _ = bodies(contract(nameless), start, signed("s"))
    assert "signerName" not in event


def test_the_first_reason_is_repeated() -> None:
    """The reason of an event is the first that was recorded, not necessarily its own; approvals have none."""
    draft = contract(person("a"), auto_finish=False)
    events = bodies(draft, start, refused("a", "太贵"), added(person("b", order=2)), withdrawn("算了"))
    assert [(event["callbackType"], event.get("reason"), event.get("taskId")) for event in events] == [
        ("SEND_SIGNING", None, None),
        ("REFUSAL_SIGN", "太贵", "a"),
        ("RECALLED", "太贵", ""),
    ]
    (_, refusal) = bodies(contract(enterprise(approval("c"))), start, refused("c", "太贵"))
    assert "reason" not in refusal
    (_, refusal) = bodies(contract(written("a", "f")), start, refused("f", "不填"))
    assert refusal["reason"] == "不填"


def test_signed_steps() -> None:
    """What was signed between two states is told by party and step, without approvals and without old signatures."""
    steps = seal("s1", 1, automatic=True), approval("a1", 2), seal("s2", 3, automatic=True)
    draft = contract(enterprise(*steps), person("p1", BERT, 2))
    started = start(draft).state
    assert [step.task_id for _, step in signed_steps(draft, started)] == ["s1"]
    approved_ = approve(started, "a1").state
    assert [(party.party_type, step.task_id) for party, step in signed_steps(started, approved_)] == [("SENDER", "s2")]
    complete = sign(approved_, "p1", by_proxy=False).state
    assert [step.task_id for _, step in signed_steps(draft, complete)] == ["s1", "s2", "p1"]
    assert signed_steps(complete, complete) == []
