"""Methods of `session.contracts` that change a contract: what they send, return and raise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from attrs import frozen

from calls import FAST_RETRY, TOKEN, refusal, respond
from kfq_async import (
    AsyncSession,
    BusinessError,
    ConnectionLost,
    ContractSigner,
    ContractStatus,
    ContractTasks,
    ContractUser,
    CredentialsError,
    DecodeError,
    HiddenErrorPage,
    KfqError,
    ParameterError,
    Phase,
    PositionParam,
    TasksUnavailable,
)
from kfq_async.protocol.requests import API_PATH
from kfq_async.resources.contracts import Contracts
from kfq_async.transport import retry
from servers import ReceivedRequest, ScriptedServer, http_response, success

PERSON = ContractUser(name="王五", contact_type="MOBILE", contact="13900139000")
TASKS = {
    "status": "SIGNING",
    "todoTaskList": [
        {
            "taskId": "task-1",
            "taskType": "APPROVE",
            "partyType": "SENDER",
            "partyName": "某某科技有限公司",
            "partyAccount": "1900",
            "party": None,
        }
    ],
}
CONTRACT = {"contractId": "C-1"}
HIDDEN = http_response({"success": True, "message": "应用Token失效，请重新授权!", "code": 401, "result": None}, 401)
OPERATOR = ContractUser(name="李四", contact_type="EMAIL", contact="li@example.com")
WIRE_OPERATOR = {"name": "李四", "contactType": "EMAIL", "contact": "li@example.com"}
WIRE_PERSON = {"name": "王五", "contactType": "MOBILE", "contact": "13900139000"}
SIGNER = ContractSigner(signer_type="RECEIVER_PERSONAL", signer_order="2", receiver=PERSON)
POSITION = PositionParam(control_type="SIGNATURE", sign_position_type="POSITION", page_config="1", offset_x="0.5")


@frozen
class Change:
    """A method that changes a contract, and what it sends."""

    call: Callable[[Contracts], Awaitable[ContractTasks]]
    path: str
    fields: dict[str, object]
    result: object = CONTRACT
    looks_before: bool = False

    def respond(self, *responses: bytes | None) -> Callable[[int, ReceivedRequest], Any]:
        """Return the script of a server that sends the responses, after a look before if there is one."""
        return respond(*([success(TASKS)] if self.looks_before else []), *responses)


CHANGES = {
    "add_signers": Change(
        lambda contracts: contracts.add_signers("C-1", [SIGNER]),
        "/contract/signer/add",
        {"signerList": [{"signerType": "RECEIVER_PERSONAL", "signerOrder": "2", "receiver": WIRE_PERSON}]},
        looks_before=True,
    ),
    "approve": Change(
        lambda contracts: contracts.approve("C-1", signer=OPERATOR),
        "/contract/approval",
        {"signer": WIRE_OPERATOR, "approval": 1},
    ),
    "approve with a comment": Change(
        lambda contracts: contracts.approve("C-1", signer=OPERATOR, comment="同意"),
        "/contract/approval",
        {"signer": WIRE_OPERATOR, "approval": 1, "comment": "同意"},
    ),
    "refuse": Change(
        lambda contracts: contracts.refuse("C-1", signer=OPERATOR, comment=""),
        "/contract/approval",
        {"signer": WIRE_OPERATOR, "approval": 0, "comment": ""},
    ),
    "finish": Change(lambda contracts: contracts.finish("C-1"), "/contract/finish", {}),
    "recall": Change(lambda contracts: contracts.recall("C-1"), "/contract/recall", {}),
    "sign_for_person": Change(
        lambda contracts: contracts.sign_for_person("C-1", signer=PERSON),
        "/contract/sign/personal/proxy",
        {"signatureSubjectType": "PERSON", "signer": WIRE_PERSON},
        None,
    ),
    "sign_for_person with positions": Change(
        lambda contracts: contracts.sign_for_person(
            "C-1", signer=OPERATOR, subject_type="EMPLOYEE", positions=[POSITION]
        ),
        "/contract/sign/personal/proxy",
        {
            "signatureSubjectType": "EMPLOYEE",
            "signer": WIRE_OPERATOR,
            "positionParamList": [
                {"controlType": "SIGNATURE", "signPositionType": "POSITION", "pageConfig": "1", "offsetX": "0.5"}
            ],
        },
        None,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_changes(name: str) -> None:
    """A change sends its fields under their wire names, once, and returns the tasks as read afterwards."""
    change = CHANGES[name]
    responses = change.respond(success(change.result), success(TASKS))
    async with ScriptedServer(responses) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        tasks = await change.call(session.contracts)
        *_, post, get = server.requests
    assert len(server.requests) == (3 if change.looks_before else 2)
    assert tasks.status is ContractStatus.SIGNING
    (task,) = tasks.todo_task_list
    assert (task.task_id, task.task_type, task.party) == ("task-1", "APPROVE", None)
    assert (post.method, post.target) == ("POST", f"/resrun-paas{API_PATH}{change.path}")
    body = orjson.loads(post.body)
    assert len(body.pop("uniqueCode")) == 32
    assert body == {"appAuthToken": TOKEN, "contractId": "C-1", **change.fields}
    assert urlsplit(get.target).path.endswith("/contract/tasks")
    assert parse_qs(urlsplit(get.target).query)["contractId"] == ["C-1"]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(21000), ParameterError),
        (refusal(31000), BusinessError),
        (refusal(41000), CredentialsError),
    ],
)
async def test_refused_changes(name: str, response: bytes, error: type[KfqError]) -> None:
    """A change that is refused is sent once, and its contract is not read afterwards."""
    responses = CHANGES[name].respond(response)
    async with ScriptedServer(responses) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        with pytest.raises(error) as caught:
            await CHANGES[name].call(session.contracts)
        assert len(server.requests) == (2 if CHANGES[name].looks_before else 1)
    assert type(caught.value) is error
    assert caught.value.operation == f"POST {CHANGES[name].path}"


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    ("response", "error", "attempts"),
    [
        (None, ConnectionLost, 5),
        (refusal(31000), BusinessError, 1),
        (success({"status": 5, "todoTaskList": []}), DecodeError, 1),
        (
            HIDDEN,
            HiddenErrorPage,
            5,
        ),
    ],
)
async def test_tasks_that_cannot_be_read(
    name: str, response: bytes | None, error: type[KfqError], attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a success, failing to read the tasks says that the change took effect, with the details of its call."""
    monkeypatch.setattr(retry, "MIN_TOO_FREQUENT", 0.01)
    change = CHANGES[name]
    responses = change.respond(success(change.result), response)
    async with (
        ScriptedServer(responses) as server,
        AsyncSession(TOKEN, base_url=server.base_url, retry=FAST_RETRY) as session,
    ):
        with pytest.raises(TasksUnavailable, match="it took effect, but") as caught:
            await change.call(session.contracts)
    found = caught.value
    post = server.requests[1 if change.looks_before else 0]
    assert (found.phase, found.contract_id, found.attempts) == (Phase.ANSWERED, "C-1", 1)
    assert (found.operation, found.unique_code) == (
        f"POST {change.path}",
        orjson.loads(post.body)["uniqueCode"],
    )
    assert (type(found.original_error), found.original_error.attempts) == (error, attempts)
    assert len(server.requests) == (2 if change.looks_before else 1) + attempts
    assert found.__cause__ is None
    assert found.__context__ is None


async def test_operator_account_of_changes() -> None:
    """The account of the session is in the change, and in the call that reads the tasks."""
    async with (
        ScriptedServer(respond(success(CONTRACT), success(TASKS))) as server,
        AsyncSession(TOKEN, base_url=server.base_url, operator_account="op-1") as session,
    ):
        await session.contracts.finish("C-1")
        post, get = server.requests
    assert orjson.loads(post.body)["operatorAccount"] == "op-1"
    assert parse_qs(urlsplit(get.target).query)["operatorAccount"] == ["op-1"]


@pytest.mark.parametrize(
    "call",
    [
        lambda contracts: contracts.add_signers("C-1", SIGNER),
        lambda contracts: contracts.add_signers("C-1", [PERSON]),
        lambda contracts: contracts.approve("C-1", signer="13900139000"),
        lambda contracts: contracts.refuse("C-1", signer=PERSON, comment=5),
        lambda contracts: contracts.finish(5),
        lambda contracts: contracts.recall(b"C-1"),
        lambda contracts: contracts.sign_for_person("C-1", signer=PERSON, positions=POSITION),
        lambda contracts: contracts.sign_for_person("C-1", signer=PERSON, subject_type=1),
        lambda contracts: contracts.task_url("C-1", 7),
        lambda contracts: contracts.page_url("C-1", 13900139000),
    ],
)
async def test_arguments_of_a_wrong_type(call: Callable[[Any], Awaitable[object]], session: AsyncSession) -> None:
    """An argument of a wrong type is refused by the name of its field."""
    with pytest.raises(TypeError, match=r"^Contract\w+Request\.\w+(\[0\])? must be "):
        await call(session.contracts)
