"""Changes of contracts: what is looked at afterwards, and how doubt about the outcome is resolved."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve

from calls import NO_RETRY, refusal
from changing_platform import ADDED, CHANGING, OPERATOR, OTHER, PERSON, ChangingPlatform, task
from kfq_async import (
    BusinessError,
    ConnectionLost,
    ContractCompleted,
    ContractDraftRequest,
    ContractEnded,
    ContractSigner,
    ContractStateError,
    ContractStatus,
    ContractStuck,
    HiddenErrorPage,
    InternalNode,
    KfqError,
    OutcomeUnknown,
    Phase,
    ServerError,
    TasksUnavailable,
    Timeouts,
    TotalTimeout,
)
from servers import http_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

DOUBTS = ("time-out", "lost", "502", "generic", "hidden", "collision", "91000")
ROLLED_BACK = ("generic", "hidden", "collision")
"""Failures after which an addition has had no effect, if nothing else was under way."""
GUARDED = [name for name in CHANGING if name != "add_signers"]
APPROVAL = ("SIGNING", [task("APPROVE")])
SIGNATURE = ("SIGNING", [task("SIGN", PERSON, 2)])


async def outcome_of(platform: ChangingPlatform, call: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
    """Make a call, and return its result or its error."""
    async with platform.server, platform.open(**options) as session:
        try:
            return await call(session.contracts)
        except KfqError as error:
            return error


def platform_of(name: str, *failures: str) -> ChangingPlatform:
    """Return the platform of a change."""
    changing = CHANGING[name]
    return ChangingPlatform(changing.before, changing.after, *failures)


@pytest.mark.parametrize("failure", DOUBTS)
@pytest.mark.parametrize("name", CHANGING)
async def test_doubt_about_a_change_that_took_effect(name: str, failure: str) -> None:
    """A change that the contract shows is a success, sent once, whatever the response was."""
    platform = platform_of(name, f"{failure} after")
    tasks = await outcome_of(platform, CHANGING[name].call)
    status, open_tasks = CHANGING[name].after
    assert (tasks.status, len(tasks.todo_task_list)) == (status, len(open_tasks))
    assert (platform.posts, platform.looks) == (1, 2 if name == "add_signers" else 1)


@pytest.mark.parametrize("failure", DOUBTS)
@pytest.mark.parametrize("name", GUARDED)
async def test_doubt_about_a_change_without_effect(name: str, failure: str) -> None:
    """A change that the contract does not show is repeated, and looked at again."""
    platform = platform_of(name, failure)
    tasks = await outcome_of(platform, CHANGING[name].call)
    assert tasks.status == CHANGING[name].after[0]
    assert (platform.posts, platform.looks) == (2, 2)


@pytest.mark.parametrize("failure", DOUBTS)
async def test_doubt_about_an_addition_without_effect(failure: str) -> None:
    """An addition is repeated only after a refusal: otherwise the parties could be added twice."""
    platform = platform_of("add_signers", failure)
    outcome = await outcome_of(platform, CHANGING["add_signers"].call)
    if failure in ROLLED_BACK:
        assert len(outcome.todo_task_list) == 2
        assert platform.posts == 2
    else:
        assert type(outcome) is OutcomeUnknown
        assert (outcome.operation, outcome.attempts, platform.posts) == ("POST /contract/signer/add", 1, 1)


@pytest.mark.parametrize("failure", ROLLED_BACK)
async def test_an_addition_without_lane(failure: str) -> None:
    """Without a lane a refusal does not show that nobody was added: something else may have been under way."""
    platform = platform_of("add_signers", failure)
    outcome = await outcome_of(platform, CHANGING["add_signers"].call, lane=None)
    assert (type(outcome), platform.posts) == (OutcomeUnknown, 1)


@pytest.mark.parametrize("fails", [False, True])
async def test_an_addition_whose_lane_was_lost(*, fails: bool) -> None:
    """A lane that is lost before the response, or fails to tell, does not show it either."""
    platform = platform_of("add_signers", "hidden")

    class Lease:
        async def acquire(self, _platform: str) -> Lease:
            return self

        @property
        def remaining(self) -> float:
            if fails and platform.posts:
                raise OSError
            return 0.0 if platform.posts else 100.0

        async def release(self) -> None:
            """Release nothing."""

        def keep(self, _seconds: float) -> None:
            """Keep nothing."""

    outcome = await outcome_of(platform, CHANGING["add_signers"].call, lane=Lease())
    assert (type(outcome), type(outcome.original_error), platform.posts) == (OutcomeUnknown, HiddenErrorPage, 1)
    assert not outcome.in_lane


@pytest.mark.parametrize("name", CHANGING)
async def test_refusals(name: str) -> None:
    """A refusal with a reason of its own is raised as it is, and the contract is not looked at afterwards."""
    platform = platform_of(name, "refused")
    error = await outcome_of(platform, CHANGING[name].call)
    assert (type(error), error.attempts, platform.posts) == (BusinessError, 1, 1)
    assert platform.looks == (1 if name == "add_signers" else 0)


@pytest.mark.parametrize("name", CHANGING)
async def test_success_is_looked_at(name: str) -> None:
    """A success is looked at once."""
    platform = platform_of(name)
    tasks = await outcome_of(platform, CHANGING[name].call)
    looks = platform.looks
    assert (tasks.status, platform.posts, looks) == (CHANGING[name].after[0], 1, 2 if name == "add_signers" else 1)


UNCONFIRMED: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "approve": lambda contracts: contracts.approve("C-1", signer=OPERATOR, confirm=False),
    "refuse": lambda contracts: contracts.refuse("C-1", signer=OPERATOR, confirm=False),
    "sign": lambda contracts: contracts.sign_for_person("C-1", signer=PERSON, confirm=False),
    "finish": lambda contracts: contracts.finish("C-1", confirm=False),
    "recall": lambda contracts: contracts.recall("C-1", confirm=False),
    "add_signers": lambda contracts: contracts.add_signers("C-1", [ADDED], confirm=False),
}


@pytest.mark.parametrize("name", UNCONFIRMED)
async def test_changes_without_confirmation(name: str) -> None:
    """``confirm=False`` does not look afterwards, and returns nothing; in doubt the contract is looked at as always."""
    platform = platform_of(name)
    assert await outcome_of(platform, UNCONFIRMED[name]) is None
    assert (platform.posts, platform.looks) == (1, 1 if name == "add_signers" else 0)
    platform = platform_of(name, "lost after")
    tasks = await outcome_of(platform, UNCONFIRMED[name])
    assert (tasks.status, platform.posts) == (CHANGING[name].after[0], 1)


@pytest.mark.parametrize("failure", ["generic", "collision"])
async def test_refusals_that_go_on(failure: str) -> None:
    """A failure inside the platform that each repetition meets is raised in the end, with the number of attempts."""
    platform = platform_of("approve", failure, failure, failure)
    error = await outcome_of(platform, CHANGING["approve"].call)
    assert type(error) is (ServerError if failure == "generic" else BusinessError)
    assert (error.attempts, platform.posts) == (3, 3)


async def test_losses_that_go_on() -> None:
    """If the last repetition is lost, too, the outcome is unknown."""
    platform = platform_of("approve", "generic", "lost", "lost")
    error = await outcome_of(platform, CHANGING["approve"].call)
    assert (type(error), type(error.original_error), error.attempts) == (OutcomeUnknown, ConnectionLost, 3)
    assert error.phase is Phase.SENT


async def test_without_retries() -> None:
    """``attempts=1`` repeats nothing: the first failure is raised, but a change that took effect is a success."""
    platform = platform_of("approve", "generic")
    error = await outcome_of(platform, CHANGING["approve"].call, retry=NO_RETRY)
    assert (type(error), platform.posts) == (ServerError, 1)
    platform = platform_of("approve", "lost after")
    tasks = await outcome_of(platform, CHANGING["approve"].call, retry=NO_RETRY)
    assert tasks.status is ContractStatus.SIGNING


async def test_a_repetition_that_is_refused() -> None:
    """A lost request whose repetition is refused is still in doubt; one that was rolled back is refused."""
    platform = ChangingPlatform(APPROVAL, APPROVAL, "lost", "refused")
    error = await outcome_of(platform, CHANGING["approve"].call)
    assert (type(error), type(error.original_error), platform.posts) == (OutcomeUnknown, ConnectionLost, 2)
    platform = ChangingPlatform(APPROVAL, APPROVAL, "generic", "refused")
    error = await outcome_of(platform, CHANGING["approve"].call)
    assert (type(error), error.attempts, platform.posts) == (BusinessError, 2, 2)


async def test_a_request_that_takes_effect_late() -> None:
    """A lost request that the platform performs after the first look makes its repetition fail, and is a success."""
    platform = ChangingPlatform(APPROVAL, SIGNATURE, "lost", "refused after")
    tasks = await outcome_of(platform, CHANGING["approve"].call)
    assert ([each.task_type for each in tasks.todo_task_list], platform.posts) == (["SIGN"], 2)


async def test_a_contract_that_cannot_be_looked_at() -> None:
    """If the look fails, the outcome is unknown, with the details of the change."""
    for failure, original in (("lost", ConnectionLost), ("generic", ServerError)):
        platform = platform_of("approve", failure)
        platform.look_failure = http_response("<html>", 502)
        error = await outcome_of(platform, CHANGING["approve"].call)
        assert (type(error), type(error.original_error)) == (OutcomeUnknown, original)
        assert (error.operation, error.attempts, platform.posts) == ("POST /contract/approval", 1, 1)
        assert error.unique_code


async def test_a_call_without_time_left() -> None:
    """A change whose ``total`` is over is looked at, and not repeated."""
    timeouts = Timeouts(attempt=5, total=0.2)
    platform = platform_of("recall", "time-out")
    error = await outcome_of(platform, CHANGING["recall"].call, timeouts=timeouts)
    assert (type(error), type(error.original_error), platform.posts) == (OutcomeUnknown, TotalTimeout, 1)
    platform = platform_of("recall", "time-out after")
    tasks = await outcome_of(platform, CHANGING["recall"].call, timeouts=timeouts)
    assert tasks.status is ContractStatus.RECALLED


ENDS: list[tuple[str, str, list[dict[str, Any]], type[KfqError]]] = [
    ("approve", "REFUSAL_SIGN", [], ContractEnded),
    ("approve", "RECALLED", [], ContractEnded),
    ("approve", "START", [], ContractStuck),
    ("approve", "DRAFT", [], OutcomeUnknown),
    ("approve", "NEW_STATE", [], OutcomeUnknown),
    ("refuse", "COMPLETED", [], ContractCompleted),
    ("refuse", "EXPIRED", [], ContractEnded),
    ("refuse", "SIGNING", [task("SIGN", PERSON)], OutcomeUnknown),
    ("sign", "REFUSAL_SIGN", [], ContractEnded),
    ("finish", "RECALLED", [], ContractEnded),
    ("recall", "COMPLETED", [], ContractCompleted),
    ("recall", "REFUSAL_WRIT", [], ContractEnded),
    ("recall", "START", [], ContractStuck),
    ("add_signers", "COMPLETED", [], ContractCompleted),
    ("add_signers", "START", [], ContractStuck),
    ("add_signers", "RECALLED", [], OutcomeUnknown),
]


@pytest.mark.parametrize(("name", "status", "tasks", "kind"), ENDS)
async def test_doubt_about_a_contract_that_went_elsewhere(
    name: str, status: str, tasks: list[dict[str, Any]], kind: type[KfqError]
) -> None:
    """A contract in whose state the change has become impossible says so; nothing is repeated."""
    platform = ChangingPlatform(CHANGING[name].before, (status, tasks), "lost after")
    error = await outcome_of(platform, CHANGING[name].call)
    assert (type(error), error.attempts, platform.posts) == (kind, 1, 1)
    assert error.operation.startswith("POST /contract/")
    if isinstance(error, ContractStateError):
        assert (error.contract_id, error.tasks.status, error.phase) == ("C-1", error.status, Phase.ANSWERED)


STUCK: list[tuple[Callable[[Any], Awaitable[Any]], str, type[KfqError] | None]] = [
    (lambda contracts: contracts.approve("C-1", signer=OPERATOR), "SIGNING", None),
    (lambda contracts: contracts.approve("C-1", signer=OPERATOR, auto_finish=True), "SIGNING", ContractStuck),
    (lambda contracts: contracts.approve("C-1", signer=OPERATOR, auto_finish=True), "WRITING", ContractStuck),
    (lambda contracts: contracts.approve("C-1", signer=OPERATOR, auto_finish=True), "COMPLETED", None),
    (lambda contracts: contracts.approve("C-1", signer=OPERATOR), "START", ContractStuck),
    (lambda contracts: contracts.sign_for_person("C-1", signer=PERSON), "SIGNING", None),
    (lambda contracts: contracts.sign_for_person("C-1", signer=PERSON, auto_finish=True), "SIGNING", ContractStuck),
    (lambda contracts: contracts.refuse("C-1", signer=OPERATOR), "SIGNING", ContractStuck),
    (lambda contracts: contracts.refuse("C-1", signer=OPERATOR), "COMPLETED", ContractCompleted),
    (lambda contracts: contracts.recall("C-1"), "COMPLETED", ContractCompleted),
    (lambda contracts: contracts.recall("C-1"), "SIGNING", None),
    (lambda contracts: contracts.finish("C-1"), "COMPLETED", None),
    (lambda contracts: contracts.finish("C-1"), "START", ContractStuck),
    (lambda contracts: contracts.add_signers("C-1", [ADDED]), "SIGNING", ContractStuck),
    (lambda contracts: contracts.add_signers("C-1", [ADDED]), "START", ContractStuck),
]


@pytest.mark.parametrize(("call", "status", "kind"), STUCK)
async def test_success_that_was_none(
    call: Callable[[Any], Awaitable[Any]], status: str, kind: type[KfqError] | None
) -> None:
    """A contract without an open task, or in a wrong final state, is an error where it is known to be one."""
    platform = ChangingPlatform(("SIGNING", [task("APPROVE"), task("SIGN", PERSON, 2)]), (status, []))
    outcome = await outcome_of(platform, call)
    if kind is None:
        assert outcome.status == status
        return
    assert (type(outcome), outcome.attempts, platform.posts) == (kind, 1, 1)
    assert (outcome.contract_id, outcome.status, outcome.tasks.todo_task_list) == ("C-1", outcome.tasks.status, ())
    assert outcome.operation.startswith("POST /contract/")
    assert outcome.unique_code
    if isinstance(outcome, ContractStuck):
        assert outcome.recallable is (status != "START")
        assert ("session.contracts.recall" in str(outcome)) is outcome.recallable


async def test_doubt_that_ends_in_a_stuck_contract() -> None:
    """A change in doubt that took effect and left the contract stuck is `ContractStuck`."""
    platform = ChangingPlatform(APPROVAL, ("SIGNING", []), "lost after")
    error = await outcome_of(
        platform, lambda contracts: contracts.approve("C-1", signer=OPERATOR, auto_finish=True, confirm=False)
    )
    assert (type(error), platform.posts) == (ContractStuck, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("DRAFT", ContractStateError),
        ("RECALLED", ContractEnded),
        ("REFUSAL_SIGN", ContractEnded),
        ("EXPIRED", ContractEnded),
    ],
)
async def test_contracts_that_are_brought_to_life(status: str, kind: type[KfqError]) -> None:
    """Parties are added to a contract that is not running only with ``revive=True``."""
    platform = ChangingPlatform((status, []), SIGNATURE)
    error = await outcome_of(platform, lambda contracts: contracts.add_signers("C-1", [ADDED]))
    assert (type(error), platform.posts, error.attempts) == (kind, 0, 0)
    assert "revive=True" in str(error)
    assert error.operation == "POST /contract/signer/add"
    platform = ChangingPlatform((status, []), SIGNATURE)
    tasks = await outcome_of(platform, lambda contracts: contracts.add_signers("C-1", [ADDED], revive=True))
    assert (tasks.status, platform.posts) == ("SIGNING", 1)


@pytest.mark.parametrize("status", ["COMPLETED", "START"])
async def test_contracts_that_cannot_be_brought_to_life(status: str) -> None:
    """Parties are never added to a contract that is complete, or stuck at its start."""
    platform = ChangingPlatform((status, []), SIGNATURE)
    error = await outcome_of(platform, lambda contracts: contracts.add_signers("C-1", [ADDED], revive=True))
    assert (type(error), platform.posts) == (ContractCompleted if status == "COMPLETED" else ContractStuck, 0)


async def test_a_look_before_that_fails() -> None:
    """If the contract cannot be looked at before, nothing is added."""
    platform = platform_of("add_signers")
    platform.look_failure = http_response("<html>", 404)
    error = await outcome_of(platform, CHANGING["add_signers"].call)
    assert (error.operation, platform.posts) == ("GET /contract/tasks", 0)


async def test_a_contract_that_does_not_exist() -> None:
    """If there is no such contract, the operation itself says why it is refused."""
    platform = platform_of("add_signers", "refused")
    platform.look_failure = refusal(31000, "合同不存在")
    error = await outcome_of(platform, CHANGING["add_signers"].call)
    assert (type(error), error.operation, platform.posts) == (BusinessError, "POST /contract/signer/add", 1)


SENDER = ContractSigner(
    signer_type="SENDER",
    signer_order="2",
    internal_node_list=[InternalNode(node_type="AGENT_SIGN", signer_order="1", signer=OPERATOR)],
)
COMPANY = ContractSigner(
    signer_type="RECEIVER_ENT",
    signer_name="另一公司",
    signer_order="2",
    internal_node_list=[InternalNode(node_type="AGENT_SIGN", signer_order="1", signer=PERSON)],
)


@pytest.mark.parametrize(
    ("signer", "tasks", "is_done"),
    [
        (COMPANY, [task("SIGN", OTHER), task("SIGN", PERSON, 2)], True),
        (SENDER, [task("SIGN", OTHER), task("SIGN", None, 2)], True),
        (ADDED, [task("SIGN", OTHER), task("SIGN", None, 2)], False),
        (SENDER, [task("SIGN", OTHER), task("SIGN", PERSON, 2)], False),
        (ADDED, [task("SIGN", OTHER), task("SIGN", OTHER, 2)], False),
        (ADDED, [task("SIGN", PERSON)], False),
    ],
)
async def test_tasks_of_added_parties(signer: ContractSigner, tasks: list[dict[str, Any]], *, is_done: bool) -> None:
    """In doubt, parties count as added if one of them has a task that was not there before."""
    platform = ChangingPlatform(("SIGNING", [task("SIGN", OTHER)]), ("SIGNING", tasks), "lost after")
    outcome = await outcome_of(platform, lambda contracts: contracts.add_signers("C-1", [signer]))
    assert (not isinstance(outcome, KfqError)) is is_done
    assert platform.posts == 1


async def test_repetitions_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A repetition is logged with the ``uniqueCode`` of the request in doubt."""
    platform = platform_of("approve", "generic")
    with caplog.at_level(logging.INFO, "kfq_async"):
        await outcome_of(platform, CHANGING["approve"].call)
    (record,) = caplog.records
    unique_code = vars(record)["unique_code"]
    assert record.getMessage() == (
        "POST /contract/approval: attempt 1 failed with ServerError (answered), and the contract shows no effect; "
        f"retry; contract_id=C-1 unique_code={unique_code}"
    )
    assert len(unique_code) == 32


async def test_resolved_doubt_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An operation whose response was lost, and whose effect the contract shows, is logged as such."""
    platform = ChangingPlatform(APPROVAL, ("SIGNING", []), "lost after")
    with caplog.at_level(logging.INFO, "kfq_async"):
        await outcome_of(platform, lambda contracts: contracts.approve("C-1", signer=OPERATOR, auto_finish=True))
    (record,) = caplog.records
    assert ": attempt 1 failed with OutcomeUnknown (sent), and the contract shows its effect; " in record.getMessage()
    assert vars(record)["contract_id"] == "C-1"


@pytest.mark.parametrize("failures", [(), ("lost", "lost", "lost"), ("generic", "refused"), ("lost after",)])
async def test_no_reference_cycle(failures: tuple[str, ...]) -> None:
    """An error of a change closes no reference cycle, which would keep the person's data."""
    platform = ChangingPlatform(APPROVAL, ("SIGNING", []), *failures)
    error = await outcome_of(platform, lambda contracts: contracts.approve("C-1", signer=OPERATOR, auto_finish=True))
    gc.collect()
    gc.disable()
    try:
        reference = weakref.ref(error)
        del error
        assert reference() is None
    finally:
        gc.enable()


DRAFT = ContractDraftRequest(
    subject="合同",
    send="1",
    signer_list=[ContractSigner(signer_type="RECEIVER_PERSONAL", signer_order="1", receiver=PERSON)],
)


@pytest.mark.parametrize(
    ("changes", "status", "tasks", "is_stuck"),
    [
        ({}, "SIGNING", [task("SIGN", PERSON)], False),
        ({}, "START", [], True),
        ({}, "SIGNING", [], True),
        ({}, "WRITING", [], True),
        ({}, "COMPLETED", [], True),
        ({"auto_finish": 0}, "SIGNING", [], True),
        ({"auto_finish": 0, "signer_list": []}, "SIGNING", [], False),
        ({"auto_finish": 0, "signer_list": []}, "START", [], True),
        ({"auto_finish": 1, "signer_list": []}, "SIGNING", [], True),
        ({"signer_list": []}, "COMPLETED", [], False),
        ({"signer_list": None}, "COMPLETED", [], False),
        ({"signer_list": [COMPANY]}, "COMPLETED", [], True),
        ({"signer_list": [SENDER]}, "COMPLETED", [], True),
        (
            {
                "signer_list": [
                    ContractSigner(
                        signer_type="SENDER",
                        internal_node_list=[InternalNode(node_type="ENTERPRISE_SEAL", auto_sign="AUTO_SIGN")],
                    )
                ]
            },
            "COMPLETED",
            [],
            False,
        ),
        (
            {
                "signer_list": [
                    ContractSigner(signer_type="SENDER", internal_node_list=[InternalNode(node_type="ENTERPRISE_SEAL")])
                ]
            },
            "COMPLETED",
            [],
            True,
        ),
        ({"send": "0", "signer_list": []}, "DRAFT", [], False),
    ],
)
async def test_starts(changes: dict[str, Any], status: str, tasks: list[dict[str, Any]], *, is_stuck: bool) -> None:
    """A start whose contract cannot be as the request says is `ContractStuck`, with the id of the contract."""
    platform = ChangingPlatform(("", []), (status, tasks))
    request = evolve(DRAFT, **changes)
    outcome = await outcome_of(platform, lambda contracts: contracts.draft(request))
    if is_stuck:
        assert (type(outcome), outcome.contract_id, outcome.operation) == (ContractStuck, "C-1", "POST /contract/draft")
        return
    assert outcome.contract_id == "C-1"
    assert platform.looks == (0 if request.send == "0" else 1)
    if request.send == "0":
        assert outcome.tasks is None
    else:
        assert len(outcome.tasks.todo_task_list) == len(tasks)


async def test_starts_without_confirmation() -> None:
    """``confirm=False`` does not look at a contract that was started."""
    platform = ChangingPlatform(("", []), ("START", []))
    draft = await outcome_of(platform, lambda contracts: contracts.draft(DRAFT, confirm=False))
    assert (draft.contract_id, draft.tasks, platform.looks) == ("C-1", None, 0)


@pytest.mark.parametrize(("signers", "is_stuck"), [([{"signerType": "RECEIVER_PERSONAL"}], True), ("none", False)])
async def test_starts_as_plain_data(signers: object, *, is_stuck: bool) -> None:
    """A mapping in place of the model is judged by its wire names."""
    platform = ChangingPlatform(("", []), ("COMPLETED", []))
    fields: Any = {"send": 1, "autoFinish": 0, "signerList": signers}
    outcome = await outcome_of(platform, lambda contracts: contracts.draft(fields))
    assert (type(outcome) is ContractStuck) is is_stuck


async def test_a_start_that_cannot_be_looked_at() -> None:
    """If the look fails, the error has the id of the contract."""
    platform = ChangingPlatform(("", []), ("SIGNING", []))
    platform.look_failure = http_response("<html>", 502)
    error = await outcome_of(platform, lambda contracts: contracts.draft(DRAFT))
    assert (type(error), error.contract_id, platform.posts) == (TasksUnavailable, "C-1", 1)


@pytest.mark.parametrize("name", ["confirm", "auto_finish"])
async def test_flags_of_a_wrong_type(name: str) -> None:
    """A flag that is no ``bool`` is refused by its name, and nothing is sent."""
    platform = platform_of("approve")
    flags: Any = {name: 1}
    async with platform.server, platform.open() as session:
        with pytest.raises(TypeError, match=f"^{name} must be a bool, not int$"):
            await session.contracts.approve("C-1", signer=OPERATOR, **flags)
    assert platform.posts == platform.looks == 0
