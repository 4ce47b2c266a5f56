"""Collisions of calls that drive contracts: what becomes of them, how often, and what never collides."""

from __future__ import annotations

import asyncio
import base64
import random
from collections import Counter
from contextlib import asynccontextmanager
from itertools import accumulate, count
from threading import Event
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from contract_platform import (
    SECOND,
    ContractPlatform,
    contract_fixtures,
    node,
    receiver,
    sender,
    text_pdf,
    user,
)
from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Sandbox, collisions
from kfq_async.sandbox.checks import PlatformResponse
from kfq_async.sandbox.collisions import (
    MEASURED,
    MIN_SECONDS,
    Collision,
    CollisionResult,
    Collisions,
    DrivingKind,
    driving_kind,
)
from kfq_async.sandbox.contract_repository import ContractRepository
from kfq_async.sandbox.gateway import AdmittedCall, ApiRequest
from kfq_async.sandbox.lifecycle import Change, ContractState, Party, Step, sign
from self_hosted import OPERATOR, PERSON, TOKEN
from signing_client import CALLBACK, HttpPage, serve_signing_page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.sandbox.store import Contract

DRAFT, APPROVAL, PROXY, ADD = (
    "/contract/draft",
    "/contract/approval",
    "/contract/sign/personal/proxy",
    "/contract/signer/add",
)
RECALL, FINISH = "/contract/recall", "/contract/finish"
SUCCESS, BUSINESS, GENERIC, HIDDEN = 10000, 31000, 500, 401
KINDS = DrivingKind
RESULTS = CollisionResult


@pytest.fixture
def platform() -> ContractPlatform:
    """A platform."""
    return ContractPlatform()


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let calls take no longer than they need; those that a ``gather`` begins still overlap."""
    for kind in MIN_SECONDS:
        monkeypatch.setitem(MIN_SECONDS, kind, 0)


def meet(platform: ContractPlatform, path: str, /, met: dict[str, Any], **fields: Any) -> PlatformResponse:
    """Call an operation that has met others."""
    body = orjson.dumps({"appAuthToken": TOKEN, "uniqueCode": "u", **fields})
    request = ApiRequest(body=body, address="192.0.2.250", now_ms=platform.now_ms, origin="http://127.0.0.1")
    platform.now_ms += 1000
    admitted = platform.gateway.admit(platform.operations[path], request)
    assert isinstance(admitted, AdmittedCall)
    kind = driving_kind(path, admitted.call.fields)
    assert kind is not None
    response = platform.gateway.perform(admitted, Collision(kind=kind, **met))
    assert isinstance(response, PlatformResponse)
    return response


def draw(kind: DrivingKind, crowd: int, result: CollisionResult) -> dict[str, Any]:
    """Return the chance that has a result in a crowd that was measured."""
    row = MEASURED[kind][crowd]
    ends = dict(zip(row, accumulate(row.values()), strict=True))
    return {"crowd": crowd, "chance": (ends[result] - row[result] / 2) / sum(row.values())}


def start(platform: ContractPlatform, crowd: int, result: CollisionResult, **fields: Any) -> tuple[int | None, str]:
    """Start a contract in a crowd; return the code and the contract's id, which a refusal does not tell."""
    asked = platform.draft_fields(platform.signer(), platform.signer(SECOND, "2"), **fields)
    response = meet(platform, DRAFT, draw(KINDS.START, crowd, result), **asked)
    contract_id = [contract.contract_id for contract in platform.store.contracts.all()][-1]
    if response.code == SUCCESS:
        assert response.result == {"contractId": contract_id}
    else:
        assert contract_id not in str(response)
    return response.code, contract_id


def with_approval(platform: ContractPlatform, *, last: bool = False, **fields: Any) -> str:
    """Start a contract that waits for an approval."""
    more = () if last else (platform.signer(order="2"),)
    return platform.draft(sender(node("APPROVER_CHECK")), *more, **fields)


def decide(contract_id: str, approval: int = 1) -> dict[str, Any]:
    """Return the fields of an approval."""
    return {"contractId": contract_id, "signer": user(OPERATOR), "approval": approval}


def proxy(contract_id: str, contact: str = PERSON) -> dict[str, Any]:
    """Return the fields of a signature by proxy."""
    return {"contractId": contract_id, "signatureSubjectType": "PERSON", "signer": user(contact)}


def found(platform: ContractPlatform, contract_id: str) -> Contract:
    """Return a contract as it is now."""
    return platform.repository.find(contract_id, platform.now_ms)


# What becomes of a start.


@pytest.mark.parametrize("crowd", MEASURED[KINDS.START])
def test_a_sound_start(crowd: int, platform: ContractPlatform) -> None:
    """A start can go well in any crowd."""
    code, contract_id = start(platform, crowd, RESULTS.SOUND)
    status, tasks = platform.tasks(contract_id)
    assert (code, status, len(tasks)) == (SUCCESS, "SIGNING", 1)
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING"]


@pytest.mark.parametrize("crowd", MEASURED[KINDS.START])
def test_a_refused_start(crowd: int, platform: ContractPlatform) -> None:
    """A refused start leaves its draft, and says that the workflow failed."""
    asked = platform.draft_fields(platform.signer())
    response = meet(platform, DRAFT, draw(KINDS.START, crowd, RESULTS.REFUSED), **asked)
    (contract,) = platform.store.contracts.all()
    assert (response.code, response.internal, contract.status) == (BUSINESS, False, "DRAFT")
    assert "流程" in response.message
    assert platform.events == []


@pytest.mark.parametrize("crowd", [10, 20])
def test_a_refused_start_that_is_being_signed(crowd: int, platform: ContractPlatform) -> None:
    """A refused start sometimes leaves a contract that is being signed, without a task."""
    code, contract_id = start(platform, crowd, RESULTS.REFUSED_STUCK)
    assert (code, platform.tasks(contract_id)) == (BUSINESS, ("SIGNING", []))
    assert platform.events == []


@pytest.mark.parametrize("auto_finish", [0, 1])
def test_a_contract_that_never_starts(auto_finish: int, platform: ContractPlatform) -> None:
    """A contract in ``START`` stays there, whatever is called."""
    code, contract_id = start(platform, 90, RESULTS.NEVER_STARTED, autoFinish=auto_finish)
    assert (code, platform.tasks(contract_id)) == (SUCCESS, ("START", []))
    assert platform.events_of(contract_id) == ["COMPLETE/START"]
    added = [receiver(SECOND, "3", positionParamList=[platform.position()])]
    for path, fields in (
        (RECALL, {}),
        (FINISH, {}),
        (ADD, {"signerList": added}),
        (APPROVAL, decide(contract_id)),
        (PROXY, proxy(contract_id)),
    ):
        assert platform.code(path, **{"contractId": contract_id, **fields}) == (BUSINESS, False)
    assert platform.tasks(contract_id) == ("START", [])
    assert len(platform.events) == 1


def test_a_start_without_task(platform: ContractPlatform) -> None:
    """A start that is stuck can only be recalled."""
    code, contract_id = start(platform, 90, RESULTS.STUCK)
    assert (code, platform.tasks(contract_id)) == (SUCCESS, ("SIGNING", []))
    assert platform.code(PROXY, **proxy(contract_id)) == (BUSINESS, False)
    assert platform.code(FINISH, contractId=contract_id) == (BUSINESS, False)
    assert platform.code(RECALL, contractId=contract_id) == (SUCCESS, False)
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", "RECALLED/RECALLED"]


@pytest.mark.parametrize("crowd", [10, 90])
def test_a_start_that_is_complete(crowd: int, platform: ContractPlatform) -> None:
    """A start sometimes completes the contract although nobody acted; the documents are those of the upload."""
    code, contract_id = start(platform, crowd, RESULTS.COMPLETE)
    assert (code, platform.tasks(contract_id)) == (SUCCESS, ("COMPLETE", []))
    assert platform.events_of(contract_id) == ["SEND_SIGNING/COMPLETE", "COMPLETE/COMPLETE"]
    assert platform.store.updates.all() == []


def test_doubled_tasks(platform: ContractPlatform) -> None:
    """Each open task is there twice, and both are to be done before the next party's turn."""
    code, contract_id = start(platform, 90, RESULTS.DOUBLED)
    status, tasks = platform.tasks(contract_id)
    assert (code, status) == (SUCCESS, "SIGNING")
    assert [task["party"]["contact"] for task in tasks] == [PERSON, PERSON]
    assert len({task["taskId"] for task in tasks}) == 2
    for left in ([PERSON], [SECOND]):
        assert platform.code(PROXY, **proxy(contract_id)) == (SUCCESS, False)
        assert [task["party"]["contact"] for task in platform.tasks(contract_id)[1]] == left
    assert platform.code(PROXY, **proxy(contract_id, SECOND)) == (SUCCESS, False)
    assert platform.tasks(contract_id) == ("COMPLETE", [])


def test_a_start_that_is_refused_for_another_reason(platform: ContractPlatform) -> None:
    """A request that the platform refuses has the same refusal in a crowd."""
    response = meet(platform, DRAFT, draw(KINDS.START, 90, RESULTS.STUCK), **platform.draft_fields())
    assert (response.code, "没有签署方" in response.message) == (BUSINESS, True)


# What becomes of other calls.


@pytest.mark.parametrize("last", [False, True])
def test_a_stuck_approval(platform: ContractPlatform, *, last: bool) -> None:
    """An approval is answered with success although the contract loses its tasks."""
    contract_id = with_approval(platform, last=last)
    met = draw(KINDS.LAST_APPROVAL if last else KINDS.APPROVAL, 10, RESULTS.STUCK)
    assert meet(platform, APPROVAL, met, **decide(contract_id)).code == SUCCESS
    assert platform.tasks(contract_id) == ("SIGNING", [])
    assert platform.events_of(contract_id) == ["SEND_SIGNING/SIGNING", "SUBMIT_APPROVE/SIGNING"]
    assert platform.code(APPROVAL, **decide(contract_id)) == (BUSINESS, False)
    assert platform.code(RECALL, contractId=contract_id) == (SUCCESS, False)


def test_last_approvals_have_their_own_frequency(platform: ContractPlatform) -> None:
    """The same chance can leave a last approval sound, and another one stuck."""
    met = {"crowd": 10, "chance": 8 / 30}
    last, other = with_approval(platform, last=True), with_approval(platform)
    meet(platform, APPROVAL, met, **decide(last))
    meet(platform, APPROVAL, met, **decide(other))
    assert (platform.tasks(last), platform.tasks(other)) == (("COMPLETE", []), ("SIGNING", []))


def test_a_refusal_in_a_crowd(platform: ContractPlatform) -> None:
    """A refused approval may be stuck too, and may go well."""
    stuck, sound = with_approval(platform, last=True), with_approval(platform, last=True)
    meet(platform, APPROVAL, {"crowd": 10, "chance": 8 / 30}, **decide(stuck, approval=0))
    meet(platform, APPROVAL, {"crowd": 10, "chance": 6 / 30}, **decide(sound, approval=0))
    assert (platform.tasks(stuck), platform.tasks(sound)) == (("SIGNING", []), ("REFUSAL_SIGN", []))


def test_a_refused_signature_is_rolled_back(platform: ContractPlatform) -> None:
    """A signature that is answered with the generic failure has left nothing, and works when it is repeated alone."""
    contract_id = platform.draft(platform.signer())
    response = meet(platform, PROXY, draw(KINDS.SIGNATURE, 10, RESULTS.REFUSED), **proxy(contract_id))
    assert (response.code, response.internal) == (GENERIC, True)
    assert (len(platform.tasks(contract_id)[1]), platform.store.updates.all()) == (1, [])
    assert platform.code(PROXY, **proxy(contract_id)) == (SUCCESS, False)
    assert platform.tasks(contract_id) == ("COMPLETE", [])


def test_a_stuck_signature(platform: ContractPlatform) -> None:
    """A signature may be made, and leave the contract without a task."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND, "2"))
    met = draw(KINDS.SIGNATURE, 10, RESULTS.STUCK)
    assert meet(platform, PROXY, met, **proxy(contract_id)).code == SUCCESS
    assert platform.tasks(contract_id) == ("SIGNING", [])
    assert len(platform.store.updates.all()) == 1


def test_a_refused_addition(platform: ContractPlatform) -> None:
    """An addition that is answered with the hidden error page has added nobody, and works when it is repeated alone."""
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    fields = {
        "contractId": contract_id,
        "signerList": [receiver(SECOND, "2", positionParamList=[platform.position()])],
    }
    response = meet(platform, ADD, draw(KINDS.ADDITION, 10, RESULTS.REFUSED), **fields)
    assert (response.code, response.internal) == (HIDDEN, True)
    state = found(platform, contract_id)
    assert meet(platform, ADD, draw(KINDS.ADDITION, 10, RESULTS.SOUND), **fields).code == SUCCESS
    assert len(orjson.loads(state.state)["parties"]) == 1
    assert len(orjson.loads(found(platform, contract_id).state)["parties"]) == 2


# The same contract in the same moment.


def test_two_approvals_of_one_contract(platform: ContractPlatform) -> None:
    """Both are answered with success, and both events are sent."""
    contract_id = with_approval(platform)
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(APPROVAL, **decide(contract_id)) == (SUCCESS, False)
    assert meet(platform, APPROVAL, met, **decide(contract_id)).code == SUCCESS
    assert platform.events_of(contract_id)[1:] == ["SUBMIT_APPROVE/SIGNING"] * 2
    assert [task["taskType"] for task in platform.tasks(contract_id)[1]] == ["SIGN"]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("first", [0, 1])
def test_approved_and_refused(first: int, platform: ContractPlatform, *, last: bool) -> None:
    """A contract that is approved and refused in the same moment ends refused, and both events are sent."""
    contract_id = with_approval(platform, last=last)
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(APPROVAL, **decide(contract_id, first)) == (SUCCESS, False)
    assert meet(platform, APPROVAL, met, **decide(contract_id, 1 - first)).code == SUCCESS
    assert platform.tasks(contract_id) == ("REFUSAL_SIGN", [])
    events = {event.partition("/")[0] for event in platform.events_of(contract_id)}
    assert {"SUBMIT_APPROVE", "REFUSAL_APPROVE"} <= events


def test_two_recalls_of_one_contract(platform: ContractPlatform) -> None:
    """Both are answered with success, and both events are sent."""
    contract_id = platform.draft(platform.signer())
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(RECALL, contractId=contract_id) == (SUCCESS, False)
    assert meet(platform, RECALL, met, contractId=contract_id).code == SUCCESS
    assert platform.events_of(contract_id)[1:] == ["RECALLED/RECALLED"] * 2


def test_two_signatures_of_one_task(platform: ContractPlatform) -> None:
    """Both are answered with success, both events are sent, and the mark is there once."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND, "2"))
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(PROXY, **proxy(contract_id)) == (SUCCESS, False)
    assert meet(platform, PROXY, met, **proxy(contract_id)).code == SUCCESS
    assert platform.events_of(contract_id)[1:] == ["SUBMIT_SIGN/SIGNING"] * 2
    assert len(platform.store.updates.all()) == 1


def test_two_signatures_whose_marks_meet(platform: ContractPlatform) -> None:
    """A signature that finds the document signed meanwhile is answered with success, and leaves no second mark."""
    contract_id = platform.draft(platform.signer())
    (task,) = platform.tasks(contract_id)[1]
    others: list[tuple[int | None, bool]] = []

    def transition(state: ContractState) -> Change:
        if not others:
            others.append(platform.code(PROXY, **proxy(contract_id)))
        return sign(state, task["taskId"], by_proxy=True)

    met = Collision(kind=KINDS.SIGNATURE, chance=0.5)
    assert platform.repository.apply(found(platform, contract_id), transition, collision=met).status == "COMPLETE"
    assert others == [(SUCCESS, False)]
    assert platform.events_of(contract_id)[1:] == ["SUBMIT_SIGN/COMPLETE"] * 2
    assert len(platform.store.updates.all()) == 1


def test_two_finishes_of_one_contract(platform: ContractPlatform) -> None:
    """Both are answered with success, and both events are sent."""
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    platform.code(PROXY, **proxy(contract_id))
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(FINISH, contractId=contract_id) == (SUCCESS, False)
    assert meet(platform, FINISH, met, contractId=contract_id).code == SUCCESS
    assert platform.events_of(contract_id)[2:] == ["COMPLETE/COMPLETE"] * 2


@pytest.mark.parametrize(("chance", "status"), [(0.64, "SIGNING"), (0.66, "COMPLETE")])
def test_two_persons_without_a_sequence(chance: float, status: str, platform: ContractPlatform) -> None:
    """Of contracts that two persons sign in the same moment, 13 of 20 are stuck."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND), signOrderType="NO_ORDER")
    met = {"found": found(platform, contract_id), "chance": chance}
    assert platform.code(PROXY, **proxy(contract_id)) == (SUCCESS, False)
    assert meet(platform, PROXY, met, **proxy(contract_id, SECOND)).code == SUCCESS
    assert platform.tasks(contract_id) == (status, [])
    assert len(platform.store.updates.all()) == 2


def test_an_addition_beside_a_signature(platform: ContractPlatform) -> None:
    """A party is added to what a signature has left in the same moment."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND, "2"), autoFinish=0)
    met = {"found": found(platform, contract_id), "chance": 0.0}
    assert platform.code(PROXY, **proxy(contract_id)) == (SUCCESS, False)
    added = [receiver(OPERATOR, "3", positionParamList=[platform.position()])]
    assert meet(platform, ADD, met, contractId=contract_id, signerList=added).code == SUCCESS
    assert len(orjson.loads(found(platform, contract_id).state)["parties"]) == 3
    assert len(platform.tasks(contract_id)[1]) == 1


@pytest.mark.parametrize("first", [RECALL, PROXY])
@pytest.mark.parametrize(("chance", "status"), [(0.89, "COMPLETE"), (0.91, "RECALLED")])
def test_a_recall_that_meets_the_last_signature(
    first: str, chance: float, status: str, platform: ContractPlatform
) -> None:
    """Both are answered with success; in 36 of 40 cases the contract is complete, whichever came first."""
    contract_id = platform.draft(platform.signer())
    fields = {RECALL: {"contractId": contract_id}, PROXY: proxy(contract_id)}
    met = {"found": found(platform, contract_id), "chance": chance}
    assert platform.code(first, **fields.pop(first)) == (SUCCESS, False)
    ((second, last),) = fields.items()
    assert meet(platform, second, met, **last).code == SUCCESS
    assert platform.tasks(contract_id) == (status, [])
    assert {event.partition("/")[0] for event in platform.events_of(contract_id)} >= {"SUBMIT_SIGN", "RECALLED"}


def test_a_refusal_that_meets_a_recall(platform: ContractPlatform) -> None:
    """Both are answered with success, and the contract is recalled."""
    contract_id = with_approval(platform)
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(RECALL, contractId=contract_id) == (SUCCESS, False)
    assert meet(platform, APPROVAL, met, **decide(contract_id, 0)).code == SUCCESS
    assert platform.tasks(contract_id) == ("RECALLED", [])


def test_an_addition_that_meets_a_finish(platform: ContractPlatform) -> None:
    """An addition that comes after the finish is refused."""
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    platform.code(PROXY, **proxy(contract_id))
    met = {"found": found(platform, contract_id), "chance": 0.5}
    assert platform.code(FINISH, contractId=contract_id) == (SUCCESS, False)
    added = [receiver(SECOND, "2", positionParamList=[platform.position()])]
    assert meet(platform, ADD, met, contractId=contract_id, signerList=added).code == BUSINESS
    assert platform.tasks(contract_id) == ("COMPLETE", [])


def test_a_contract_that_has_ended_for_both(platform: ContractPlatform) -> None:
    """A call that is impossible in the state that it found is refused, whatever another call does."""
    contract_id = platform.draft(platform.signer(), autoFinish=0)
    before = found(platform, contract_id)
    platform.code(PROXY, **proxy(contract_id))
    response = meet(platform, FINISH, {"found": before, "chance": 0.5}, contractId=contract_id)
    assert response.code == BUSINESS
    assert platform.tasks(contract_id) == ("SIGNING", [])


# How often.


@pytest.mark.usefixtures("without_waiting")
@pytest.mark.parametrize(("kind", "crowd"), [(kind, crowd) for kind, rows in MEASURED.items() for crowd in rows])
async def test_frequencies(kind: DrivingKind, crowd: int, platform: ContractPlatform) -> None:
    """Over many seeds each result of a crowd is as frequent as it was measured."""
    row = MEASURED[kind][crowd]
    is_last = kind is KINDS.LAST_APPROVAL
    step = Step(task_id="task", state="done" if is_last else "open")
    change = Change(ContractState(parties=(Party(party_type="PERSONAL", order=1, steps=(step,)),)))
    counted: Counter[CollisionResult] = Counter()
    for seed in range(4000 // crowd):
        box = Collisions(platform.store, seed)
        driven = KINDS.APPROVAL if is_last else kind
        met = await asyncio.gather(*(_drive(box, driven) for _ in range(crowd)))
        assert {each.crowd for each in met if each is not None} == {crowd}
        counted.update(each.result(change) for each in met if each is not None)
    total = sum(counted.values())
    assert total >= 3900
    assert counted.keys() == row.keys()
    for result, times in row.items():
        assert counted[result] / total == pytest.approx(times / sum(row.values()), abs=0.03)


async def _drive(box: Collisions, kind: DrivingKind, contract_id: str | None = None) -> Collision | None:
    async with box.drive(kind, contract_id) as collision:
        return collision


def test_the_table_is_the_measured_one() -> None:
    """Ninety starts, ten approvals, signatures and additions add up to what was counted."""
    starts = MEASURED[KINDS.START][90]
    answered = [starts[result] for result in starts if result is not RESULTS.REFUSED]
    assert (sum(starts.values()), sum(answered), starts[RESULTS.SOUND]) == (90, 26, 9)
    assert sum(MEASURED[KINDS.START][2].values()) == 200
    for kind in (KINDS.APPROVAL, KINDS.LAST_APPROVAL, KINDS.SIGNATURE, KINDS.ADDITION):
        assert sum(MEASURED[kind][10].values()) == 30


@pytest.mark.parametrize(
    ("crowd", "nearest"), [(2, 2), (4, 2), (5, 10), (14, 10), (15, 20), (42, 20), (43, 90), (500, 90)]
)
def test_the_nearest_crowd(crowd: int, nearest: int) -> None:
    """A crowd that was not measured behaves as the nearest one by ratio."""
    change = Change(ContractState())
    for chance in (number / 200 for number in range(200)):
        here, there = (Collision(kind=KINDS.START, crowd=each, chance=chance) for each in (crowd, nearest))
        assert here.result(change) is there.result(change)


@pytest.mark.usefixtures("without_waiting")
async def test_the_seed_repeats_the_results(platform: ContractPlatform) -> None:
    """The same seed draws the same chances, another one does not."""
    drawn = []
    for seed in (1, 1, 2):
        box = Collisions(platform.store, seed)
        met = await asyncio.gather(*(_drive(box, KINDS.START) for _ in range(5)))
        drawn.append([each.chance for each in met if each is not None])
    assert drawn[0] == drawn[1] != drawn[2]


# Who meets whom.


@pytest.mark.usefixtures("without_waiting")
async def test_one_after_another_meets_none(platform: ContractPlatform) -> None:
    """A call that begins when the one before has ended meets none."""
    box = Collisions(platform.store, 0)
    assert [await _drive(box, kind) for kind in MIN_SECONDS] == [None] * len(MIN_SECONDS)


@pytest.mark.usefixtures("without_waiting")
async def test_recalls_and_finishes_meet_no_other_contract(platform: ContractPlatform) -> None:
    """They neither disturb nor are disturbed; of the same contract they are."""
    first, second = platform.draft(platform.signer()), platform.draft(platform.signer())
    box = Collisions(platform.store, 0)
    safe = await asyncio.gather(
        _drive(box, KINDS.RECALL, first), _drive(box, KINDS.FINISH, second), _drive(box, KINDS.SIGNATURE)
    )
    assert set(safe) == {None}
    shared = await asyncio.gather(
        _drive(box, KINDS.RECALL, first), _drive(box, KINDS.SIGNATURE, first), _drive(box, KINDS.START)
    )
    seen = [each and (each.crowd, each.found and each.found.contract_id) for each in shared]
    assert seen == [(1, first), (2, first), (2, None)]


@pytest.mark.usefixtures("without_waiting")
async def test_a_contract_that_does_not_exist(platform: ContractPlatform) -> None:
    """Calls of contracts that do not exist are not calls of the same contract."""
    box = Collisions(platform.store, 0)
    met = await asyncio.gather(*(_drive(box, KINDS.APPROVAL, "none") for _ in range(2)))
    assert [each and (each.crowd, each.found) for each in met] == [(2, None)] * 2


def test_what_drives() -> None:
    """A draft drives only if it is started; reads, uploads and registrations never do."""
    assert driving_kind(DRAFT, {"send": "1"}) is KINDS.START
    assert [driving_kind(path, {}) for path in (DRAFT, "/contract/tasks", "/document/file", "/signRes")] == [None] * 4
    assert driving_kind(DRAFT, {"send": "0"}) is None
    kinds = {driving_kind(path, {}) for path in (APPROVAL, PROXY, ADD, RECALL, FINISH)}
    assert kinds == MIN_SECONDS.keys() - {KINDS.START}


# Over HTTP.


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Sandbox, aiohttp.ClientSession]]:
    """Serve a self-hosted platform whose clock passes every window of the rate limit."""
    moments = count(1_775_010_802, 2)
    async with (
        Sandbox(fixtures=contract_fixtures(), clock=lambda: next(moments), **options) as sandbox,
        aiohttp.ClientSession() as http,
    ):
        yield sandbox, http


async def send(sandbox: Sandbox, http: aiohttp.ClientSession, path: str, /, **fields: Any) -> dict[str, Any]:
    """Send a call, and return the envelope."""
    url = f"{sandbox.base_url}{API_PATH}{path}"
    async with http.post(url, json={"appAuthToken": TOKEN, "uniqueCode": "u", **fields}) as response:
        document: dict[str, Any] = await response.json()
    return document


async def upload(sandbox: Sandbox, http: aiohttp.ClientSession) -> str:
    """Upload a document."""
    fields = {"fileName": "合同", "file": base64.b64encode(text_pdf(1, "SIGNHERE")).decode(), "fileSuffix": ".pdf"}
    return str((await send(sandbox, http, "/document/file", **fields))["result"]["docId"])


def waiting_contract(doc_id: str, **fields: Any) -> dict[str, Any]:
    """Return a draft that waits for an approval, without sign positions."""
    return {
        "send": "1",
        "operator": user(OPERATOR),
        "signReId": "sales",
        "signDocumentList": [{"docId": doc_id}],
        "signerList": [sender(node("APPROVER_CHECK")), receiver(order="2")],
        **fields,
    }


async def status_of(sandbox: Sandbox, http: aiohttp.ClientSession, contract_id: str) -> tuple[str, int]:
    """Return the status and the number of open tasks."""
    query = {"appAuthToken": TOKEN, "uniqueCode": "u", "contractId": contract_id}
    async with http.get(f"{sandbox.base_url}{API_PATH}/contract/tasks", params=query) as response:
        result = (await response.json())["result"]
    return result["status"], len(result["todoTaskList"])


class Held:
    """Holds the first call that changes a contract, once `hold` was called, until it is released."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._is_next = False
        self._arrived, self._released, self._applied = Event(), Event(), Event()
        apply = ContractRepository.apply

        def apply_held(*args: Any, **options: Any) -> Contract:
            if not self._is_next:
                return apply(*args, **options)
            self._is_next = False
            self._arrived.set()
            assert self._released.wait(60)
            try:
                return apply(*args, **options)
            finally:
                self._applied.set()

        monkeypatch.setattr(ContractRepository, "apply", apply_held)

    async def hold(self, call: asyncio.Task[Any]) -> None:
        """Hold a call that was just begun."""
        self._is_next = True
        assert not call.done()
        assert await asyncio.to_thread(self._arrived.wait, 60)

    async def release(self) -> None:
        """Let the call go on, and wait until it has changed the contract."""
        self._released.set()
        assert await asyncio.to_thread(self._applied.wait, 60)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Holder of a call."""
    return Held(monkeypatch)


async def start_contracts(sandbox: Sandbox, http: aiohttp.ClientSession, count: int, **fields: Any) -> list[str]:
    """Start contracts that wait for an approval, one after another."""
    asked = waiting_contract(await upload(sandbox, http), **fields)
    return [(await send(sandbox, http, DRAFT, **asked))["result"]["contractId"] for _ in range(count)]


@pytest.mark.parametrize("options", [{"seed": 1}, {"seed": 5}, {"seed": 5, "quirks": ()}])
async def test_overlapping_approvals(options: dict[str, Any], held: Held) -> None:
    """Approvals that are sent while another one is under way are stuck as often as the seed says, if the quirk is on.

    Reads and calls that drive nothing go on beside them.
    """
    drawn = random.Random(options["seed"])
    stuck = sum(drawn.random() >= 7 / 30 for _ in range(20)) if "quirks" not in options else 0
    async with serving(**options) as (sandbox, http):
        first, recalled, *others = await start_contracts(sandbox, http, 22)
        call = asyncio.create_task(send(sandbox, http, APPROVAL, **decide(first)))
        await held.hold(call)
        responses = [await send(sandbox, http, APPROVAL, **decide(each)) for each in others]
        assert {response["code"] for response in responses} == {SUCCESS}
        found = Counter([await status_of(sandbox, http, each) for each in others])
        assert (await send(sandbox, http, RECALL, contractId=recalled))["code"] == SUCCESS
        await start_contracts(sandbox, http, 1, send="0")
        await held.release()
        assert (await call)["code"] == SUCCESS
        assert await status_of(sandbox, http, first) == ("SIGNING", 1)
        assert await status_of(sandbox, http, recalled) == ("RECALLED", 0)
    assert found == Counter({("SIGNING", 0): stuck, ("SIGNING", 1): 20 - stuck})


async def test_a_call_whose_client_has_gone(held: Held) -> None:
    """A call that the platform has begun to perform goes on without its client, and still disturbs others."""
    async with serving() as (sandbox, http):
        first, second = await start_contracts(sandbox, http, 2)
        call = asyncio.create_task(send(sandbox, http, APPROVAL, **decide(first)))
        await held.hold(call)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert (await send(sandbox, http, APPROVAL, **decide(second)))["code"] == SUCCESS
        assert await status_of(sandbox, http, second) == ("SIGNING", 0)
        await held.release()
        assert await status_of(sandbox, http, first) == ("SIGNING", 1)


@pytest.mark.usefixtures("without_waiting")
async def test_one_after_another_is_never_disturbed() -> None:
    """Of hundreds of calls, each sent after the response to the one before, all are sound."""
    async with serving() as (sandbox, http):
        started = await start_contracts(sandbox, http, 150)
        for contract_id in started:
            assert (await send(sandbox, http, APPROVAL, **decide(contract_id)))["code"] == SUCCESS
        found = {await status_of(sandbox, http, contract_id) for contract_id in started}
        assert found == {("SIGNING", 1)}
        assert len(sandbox.contracts) == 150
        approved = [event for event in sandbox.events if orjson.loads(event.body)["callbackType"] == "SUBMIT_APPROVE"]
        assert len(approved) == 150


@pytest.mark.parametrize("quirks", [(), ("collisions",)])
async def test_who_waits(quirks: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads, uploads and kept drafts never wait; calls that drive wait only while the quirk is on."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(collisions, "asyncio", type("Clock", (), {"sleep": staticmethod(sleep)}))
    async with serving(quirks=quirks) as (sandbox, http):
        (kept,) = await start_contracts(sandbox, http, 1, send="0")
        assert await status_of(sandbox, http, kept) == ("DRAFT", 0)
        assert waited == []
        (contract_id,) = await start_contracts(sandbox, http, 1, autoFinish=0)
        await send(sandbox, http, APPROVAL, **decide(contract_id))
        await send(sandbox, http, ADD, contractId=contract_id, signerList=[receiver(SECOND, "3")])
        await send(sandbox, http, PROXY, **proxy(contract_id))
        await send(sandbox, http, RECALL, contractId=contract_id)
        await send(sandbox, http, FINISH, contractId=contract_id)
    assert waited == ([0.027, 0.019, 0.019, 0.049, 0.006, 0.008] if quirks else [])


# On the signing page.


class OneCollision(Collisions):
    """Lets each call meet the same."""

    def __init__(self, platform: ContractPlatform, **met: Any) -> None:
        super().__init__(platform.store, 0)
        self.met = met
        self.driven: list[tuple[DrivingKind, str | None]] = []

    @asynccontextmanager
    async def drive(self, kind: DrivingKind, contract_id: str | None = None) -> AsyncIterator[Collision | None]:
        """Meet."""
        self.driven.append((kind, contract_id))
        yield Collision(kind=kind, **self.met) if self.met else None


async def test_a_person_meets_others(platform: ContractPlatform) -> None:
    """A signature on the page may fail, after which the same page signs; alone it always does."""
    contract_id = platform.draft(platform.signer())
    box = OneCollision(platform, **draw(KINDS.SIGNATURE, 10, RESULTS.REFUSED))
    async with serve_signing_page(platform, box) as desk:
        page = await desk.open_task(contract_id)
        assert box.driven == []
        assert (await desk.press(page)).status == 409
        assert platform.tasks(contract_id)[0] == "SIGNING"
        box.met = {}
        assert (await desk.press(page)).status == 303
        assert platform.tasks(contract_id) == ("COMPLETE", [])
    assert box.driven == [(KINDS.SIGNATURE, contract_id)] * 2


async def test_an_approval_on_the_page(platform: ContractPlatform) -> None:
    """An approval on the page is stuck as one through the API is."""
    contract_id = with_approval(platform)
    async with serve_signing_page(platform, OneCollision(platform, crowd=10, chance=8 / 30)) as desk:
        assert (await desk.press(await desk.open_task(contract_id))).status == 303
    assert platform.tasks(contract_id) == ("SIGNING", [])


async def test_a_form_that_is_sent_twice(platform: ContractPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forms of one task that are performed at the same time sign once, and both lead to the result."""
    contract_id = platform.draft(platform.signer())
    box = OneCollision(platform, found=found(platform, contract_id), chance=0.5)
    async with serve_signing_page(platform, box) as desk:
        page = await desk.open_task(contract_id)
        others: list[HttpPage] = []
        apply = platform.repository.apply

        def apply_late(*args: Any, **options: Any) -> Contract:
            monkeypatch.undo()
            others.append(asyncio.run_coroutine_threadsafe(desk.press(page), loop).result(60))
            return apply(*args, **options)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(platform.repository, "apply", apply_late)
        pressed = await desk.press(page)
    assert [each.location for each in (pressed, *others)] == [CALLBACK] * 2
    assert platform.events_of(contract_id)[1:] == ["SUBMIT_SIGN/COMPLETE", "COMPLETE/COMPLETE"]


async def test_two_persons_on_the_page(platform: ContractPlatform) -> None:
    """Two persons who sign a contract without a sequence in the same moment may leave it stuck."""
    contract_id = platform.draft(platform.signer(), platform.signer(SECOND), signOrderType="NO_ORDER")
    box = OneCollision(platform, found=found(platform, contract_id), chance=0.0)
    async with serve_signing_page(platform, box) as desk:
        tasks = [task["taskId"] for task in platform.tasks(contract_id)[1]]
        pages = [await desk.open_task(contract_id, task_id) for task_id in tasks]
        assert [(await desk.press(page)).status for page in pages] == [303, 303]
    assert platform.tasks(contract_id) == ("SIGNING", [])
    assert platform.events_of(contract_id)[1:] == ["SUBMIT_SIGN/SIGNING"] * 2
