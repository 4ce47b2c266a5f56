"""`session.contracts` against the sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
import pytest
from aiohttp import ClientSession
from attrs import evolve, frozen

from calls import FAST_RETRY, TOKEN, open_session, refusal, respond
from kfq_async import (
    CONTRACT_DRAFT,
    AsyncSession,
    BusinessError,
    ConnectionLost,
    ContractDraftRequest,
    ContractSigner,
    ContractStatus,
    ContractTasks,
    ContractUser,
    CredentialsError,
    DecodeError,
    HiddenErrorPage,
    KfqError,
    OutcomeUnknown,
    PageLink,
    ParameterError,
    Phase,
    PositionParam,
    RelationDoc,
    ServerError,
    TasksUnavailable,
)
from kfq_async.models.contracts import known_contract_status
from kfq_async.models.zones import CHINA
from kfq_async.protocol.requests import API_PATH
from kfq_async.resources import contracts
from kfq_async.resources.contracts import Contracts
from kfq_async.sandbox import Sandbox
from kfq_async.transport import retry
from servers import ReceivedRequest, ScriptedServer, http_response, success

PERSON = ContractUser(name="王五", contact_type="MOBILE", contact="13900139000")
DRAFT = ContractDraftRequest(
    send="1",
    operator=ContractUser(name="李四", contact_type="EMAIL", contact="li@example.com"),
    sign_re_id="line-1",
    subject="采购合同",
    signer_list=[
        ContractSigner(
            signer_type="RECEIVER_PERSONAL",
            signer_order="1",
            receiver=PERSON,
            position_param_list=[
                PositionParam(
                    control_type="SIGNATURE",
                    sign_position_type="KEYWORD",
                    keyword="乙方",
                    keyword_type="1",
                    relation_doc_list=[RelationDoc(doc_type="1", doc_id="doc-1")],
                )
            ],
        )
    ],
)


async def test_started_contract(session: AsyncSession) -> None:
    """A started contract is being signed, and has a task for each person."""
    draft = await session.contracts.draft(DRAFT)
    tasks = await session.contracts.tasks(draft.contract_id)
    (task,) = tasks.todo_task_list
    assert tasks.status is ContractStatus.SIGNING
    assert (task.task_type, task.party_type, task.party_name) == ("SIGN", "PERSONAL", "王五")
    assert task.party is not None
    assert (task.party.name, task.party.contact_type, task.party.contact) == ("王五", "MOBILE", "13900139000")


async def test_unstarted_draft(session: AsyncSession) -> None:
    """A draft that was not started has no open tasks."""
    draft = await session.contracts.draft(evolve(DRAFT, send="0"))
    tasks = await session.contracts.tasks(draft.contract_id)
    assert (tasks.status, tasks.todo_task_list) == (ContractStatus.DRAFT, ())


async def test_body(session: AsyncSession, sandbox: Sandbox) -> None:
    """Every level of a draft is sent under its wire names."""
    await session.contracts.draft(DRAFT)
    (contract,) = sandbox.contracts
    assert json.loads(contract.request) == {
        "send": "1",
        "operator": {"name": "李四", "contactType": "EMAIL", "contact": "li@example.com"},
        "signReId": "line-1",
        "subject": "采购合同",
        "signerList": [
            {
                "signerType": "RECEIVER_PERSONAL",
                "signerOrder": "1",
                "receiver": {"name": "王五", "contactType": "MOBILE", "contact": "13900139000"},
                "positionParamList": [
                    {
                        "controlType": "SIGNATURE",
                        "signPositionType": "KEYWORD",
                        "relationDocList": [{"docType": "1", "docId": "doc-1"}],
                        "keyword": "乙方",
                        "keywordType": "1",
                    }
                ],
            }
        ],
    }


async def test_credentials(sandbox: Sandbox) -> None:
    """Token and ``uniqueCode`` are in the body of a POST and in the query of a GET."""

    async def script(_: int, seen: ReceivedRequest) -> bytes:
        result = {"status": "SIGNING", "todoTaskList": []} if seen.method == "GET" else {"contractId": "c 1/中"}
        return success(result)

    async with ScriptedServer(script) as server, AsyncSession(sandbox.token, base_url=server.base_url) as session:
        draft = await session.contracts.draft(DRAFT)
        await session.contracts.tasks(draft.contract_id)
        post, get = server.requests
    body = orjson.loads(post.body)
    assert body["appAuthToken"] == sandbox.token
    assert len(body["uniqueCode"]) == 32
    assert "appAuthToken" not in post.headers
    assert f"appAuthToken={sandbox.token}&uniqueCode=" in get.target
    assert get.target.endswith("&contractId=c%201%2F%E4%B8%AD")
    assert get.body == b""


@pytest.mark.parametrize(
    ("change", "error", "code"),
    [
        ({"send": None}, ParameterError, 21000),
        ({"operator": None}, ParameterError, 21000),
        ({"operator": ContractUser(name="李四")}, ParameterError, 21000),
        ({"sign_re_id": None}, ParameterError, 21000),
        ({"sign_re_id": "x" * 65}, ParameterError, 23000),
        ({"sign_re_id": "a b"}, ParameterError, 23000),
        ({"expire_date": "tomorrow"}, ParameterError, 23000),
        ({"expire_date": "2020-01-01"}, BusinessError, 31000),
        ({"signer_list": None}, ServerError, 500),
    ],
)
async def test_refused_drafts(
    change: dict[str, Any], error: type[Exception], code: int, session: AsyncSession, sandbox: Sandbox
) -> None:
    """The sandbox refuses a draft as the platform is known to, and stores nothing."""
    with pytest.raises(error) as caught:
        await session.contracts.draft(evolve(DRAFT, **change))
    assert getattr(caught.value, "code", None) == code
    assert sandbox.contracts == ()


async def test_deadline_with_trailing_text(session: AsyncSession) -> None:
    """A deadline may have trailing text, which the platform ignores."""
    draft = await session.contracts.draft(evolve(DRAFT, expire_date="2999-12-31 00:00"))
    assert draft.contract_id


@pytest.mark.parametrize(("contract_id", "error"), [("", ParameterError), ("nobody", BusinessError)])
async def test_tasks_of_an_unknown_contract(contract_id: str, error: type[Exception], session: AsyncSession) -> None:
    """A missing or unknown contract id is refused with the platform's code."""
    with pytest.raises(error):
        await session.contracts.tasks(contract_id)


@pytest.mark.parametrize(
    ("wire", "known"),
    [
        ("REFUSAL_WRIT", ContractStatus.REFUSAL_WRITE),
        ("REFUSAL_WRITE", ContractStatus.REFUSAL_WRITE),
        ("COMPLETE", ContractStatus.COMPLETED),
        ("COMPLETED", ContractStatus.COMPLETED),
        ("SOMETHING_NEW", "SOMETHING_NEW"),
    ],
)
def test_contract_status_spellings(wire: str, known: str) -> None:
    """Both spellings of a status are one member, and an unknown status stays text."""
    assert known_contract_status(wire) is known


async def test_invalid_result() -> None:
    """A task without its id is a `DecodeError` with the path."""

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        return http_response({"code": 10000, "result": {"status": "SIGNING", "todoTaskList": [{"taskType": "SIGN"}]}})

    async with ScriptedServer(script) as server, AsyncSession("T", base_url=server.base_url) as session:
        with pytest.raises(DecodeError, match=r"required key missing @ \$\.result\.todoTaskList"):
            await session.contracts.tasks("c")


async def test_rate_limit(session: AsyncSession, sandbox: Sandbox) -> None:
    """Concurrent drafts keep to the rate limit, so the sandbox refuses none."""
    assert await _attempts_of_drafts(session, 12) == [1] * 12
    assert len(sandbox.contracts) == 12


async def _attempts_of_drafts(session: AsyncSession, count: int) -> list[int]:
    responses = await asyncio.gather(*(session.send(CONTRACT_DRAFT, DRAFT) for _ in range(count)))
    return [response.attempts for response in responses]


async def test_without_rate_limit(sandbox: Sandbox) -> None:
    """Without a rate limit the sandbox refuses the sixth draft in a second, which is then retried."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, rate_limit=None) as session:
        attempts = await _attempts_of_drafts(session, 8)
    assert sorted(attempts)[:5] == [1, 1, 1, 1, 1]
    assert max(attempts) == 2
    assert len(sandbox.contracts) == 8


async def test_missing_unique_code(sandbox: Sandbox) -> None:
    """Without ``uniqueCode`` the platform drafts the contract and then responds with an error."""
    body: dict[str, Any] = {"appAuthToken": sandbox.token, "send": "0", "signReId": "x", "signerList": []}
    body["operator"] = {"name": "a", "contactType": "MOBILE", "contact": "1"}
    url = f"{sandbox.base_url}/kaifangqian/openAPI/V2/contract/draft"
    async with ClientSession() as http, http.post(url, json=body) as response:
        document = await response.json()
    assert (document["success"], document["code"]) == (False, 500)
    assert len(sandbox.contracts) == 1


@pytest.mark.parametrize("strict", [True, False])
async def test_unknown_fields(*, strict: bool) -> None:
    """An undocumented field is refused at every level, unless the sandbox is not strict."""
    fields: dict[str, Any] = {
        "send": "0",
        "signReId": "x",
        "typo": 1,
        "signerList": [{"signerType": "SENDER", "typo": 1}],
    }
    fields["operator"] = {"name": "a", "contactType": "MOBILE", "contact": "1"}
    async with Sandbox(strict=strict) as sandbox:
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            if strict:
                with pytest.raises(ParameterError, match="unknown key … @ ") as caught:
                    await session.send(CONTRACT_DRAFT, fields)
                assert caught.value.message is not None
                assert "unknown key typo" in caught.value.message.raw
            else:
                assert (await session.send(CONTRACT_DRAFT, fields)).result.contract_id
        assert len(sandbox.contracts) == int(not strict)


@pytest.mark.parametrize(("token", "code"), [("", 40000), ("WRONG001", 41000)])
async def test_invalid_tokens(token: str, code: int, sandbox: Sandbox) -> None:
    """A missing or unknown token is refused in body and query alike."""
    base = f"{sandbox.base_url}/kaifangqian/openAPI/V2/contract"
    async with ClientSession() as http:
        async with http.post(f"{base}/draft", json={"appAuthToken": token}) as response:
            assert (await response.json())["code"] == code
        async with http.get(f"{base}/tasks", params={"appAuthToken": token}) as response:
            assert (await response.json())["code"] == code


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


CHANGES = {
    "add_signers": Change(
        lambda contracts: contracts.add_signers("C-1", [SIGNER]),
        "/contract/signer/add",
        {"signerList": [{"signerType": "RECEIVER_PERSONAL", "signerOrder": "2", "receiver": WIRE_PERSON}]},
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
    responses = respond(success(change.result), success(TASKS))
    async with ScriptedServer(responses) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        tasks = await change.call(session.contracts)
        post, get = server.requests
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
        (http_response({"success": False, "code": 500, "message": "操作失败，null"}), ServerError),
        (HIDDEN, OutcomeUnknown),
        (http_response("<html>", 502), OutcomeUnknown),
        (None, OutcomeUnknown),
    ],
)
async def test_failed_changes(name: str, response: bytes | None, error: type[KfqError]) -> None:
    """A change that fails is sent once, its contract is not read, and only a refusal is certain."""
    async with ScriptedServer(respond(response)) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        with pytest.raises(error) as caught:
            await CHANGES[name].call(session.contracts)
        assert len(server.requests) == 1
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
    responses = respond(success(CHANGES[name].result), response)
    async with (
        ScriptedServer(responses) as server,
        AsyncSession(TOKEN, base_url=server.base_url, retry=FAST_RETRY) as session,
    ):
        with pytest.raises(TasksUnavailable, match="it took effect, but") as caught:
            await CHANGES[name].call(session.contracts)
    found = caught.value
    assert (found.phase, found.contract_id, found.attempts) == (Phase.ANSWERED, "C-1", 1)
    assert (found.operation, found.unique_code) == (
        f"POST {CHANGES[name].path}",
        orjson.loads(server.requests[0].body)["uniqueCode"],
    )
    assert (type(found.original_error), found.original_error.attempts) == (error, attempts)
    assert len(server.requests) == 1 + attempts
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


LATER = datetime.now(UTC) + timedelta(hours=2)
PAGES: list[tuple[Callable[[Contracts], Awaitable[PageLink]], str, dict[str, str]]] = [
    (
        lambda contracts: contracts.task_url("C-1", "task-1"),
        "/contract/taskUrl",
        {"contractId": "C-1", "taskId": "task-1"},
    ),
    (
        lambda contracts: contracts.task_url(
            "C-1", "task-1", callback_page="https://your-domain.example/back?a=1&b=二"
        ),
        "/contract/taskUrl",
        {"contractId": "C-1", "taskId": "task-1", "callbackPage": "https://your-domain.example/back?a=1&b=二"},
    ),
    (
        lambda contracts: contracts.page_url("C-1", "13900139000"),
        "/contract/pageUrl",
        {"contractId": "C-1", "contact": "13900139000", "noLogin": "false"},
    ),
    (
        lambda contracts: contracts.page_url(
            "C-1", "a+b@example.com", task_id="task-1", party_name="王五", no_login=True, expires_at=LATER
        ),
        "/contract/pageUrl",
        {
            "contractId": "C-1",
            "contact": "a+b@example.com",
            "taskId": "task-1",
            "partyName": "王五",
            "noLogin": "true",
            "pageUrlExpireTime": f"{LATER.astimezone(CHINA):%Y-%m-%d %H:%M:%S}",
        },
    ),
]


@pytest.mark.parametrize(("call", "path", "fields"), PAGES)
async def test_pages(call: Callable[[Contracts], Awaitable[PageLink]], path: str, fields: dict[str, str]) -> None:
    """A page's link is asked for with a query, retried, and masked."""
    url = "https://sign.example/#/sign?mobile=13900139000&code=ab12CD34"
    responses = respond(None, success({"pageUrl": url, "qrCode": "x"}))
    async with ScriptedServer(responses) as server, open_session(server) as session:
        link = await call(session.contracts)
        *_, seen = server.requests
    assert (link.page_url, link.extra) == (url, {"qrCode": "x"})
    assert repr(link) == "PageLink(page_url='***', extra=<qrCode>)"
    assert repr(link.page_url) == "'***'"
    assert (seen.method, urlsplit(seen.target).path) == ("GET", f"/resrun-paas{API_PATH}{path}")
    query = dict(parse_qsl(urlsplit(seen.target).query, strict_parsing=True))
    assert (query.pop("appAuthToken"), len(query.pop("uniqueCode"))) == (TOKEN, 32)
    assert query == fields


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"expires_at": LATER}, ValueError, "expires_at needs no_login=True"),
        ({"no_login": True, "expires_at": LATER.replace(tzinfo=None)}, ValueError, "expires_at must have a time zone"),
        ({"no_login": True, "expires_at": LATER - timedelta(hours=3)}, ValueError, "expires_at must be in the future"),
        ({"no_login": True, "expires_at": datetime.min.replace(tzinfo=UTC)}, ValueError, "must be in the future"),
        ({"no_login": True, "expires_at": "2999-01-01 00:00:00"}, TypeError, "expires_at must be a datetime, not str"),
        ({"no_login": 1}, TypeError, "no_login must be a bool, not int"),
        ({"party_name": 5}, TypeError, "party_name must be a str, not int"),
    ],
)
async def test_invalid_links(options: dict[str, Any], error: type[Exception], text: str, session: AsyncSession) -> None:
    """An end that the platform would take as expired, or ignore, is refused, and so are wrong types."""
    with pytest.raises(error, match=text):
        await session.contracts.page_url("C-1", "13900139000", **options)


async def test_end_within_this_second(monkeypatch: pytest.MonkeyPatch, session: AsyncSession) -> None:
    """An end is sent in whole seconds, so one that lies in the current second is not in the future."""
    now = datetime(2026, 11, 27, 8, 0, 0, 200_000, tzinfo=UTC)
    monkeypatch.setattr(contracts, "datetime", Mock(now=lambda _: now))
    with pytest.raises(ValueError, match="must be in the future"):
        await session.contracts.page_url("C-1", "a", no_login=True, expires_at=now.replace(microsecond=900_000))


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
