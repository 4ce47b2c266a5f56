"""`session.contracts`: drafted and looked at, against the sandbox."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession
from attrs import evolve

from kfq_async import (
    CONTRACT_DRAFT,
    AsyncSession,
    BusinessError,
    ContractDraftRequest,
    ContractSigner,
    ContractStatus,
    ContractUser,
    DecodeError,
    ParameterError,
    PositionParam,
    RelationDoc,
    ServerError,
)
from kfq_async.models.contracts import known_status
from kfq_async.sandbox import Sandbox
from servers import ScriptedServer, Seen, answer, success

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


async def test_a_started_contract_waits_for_its_parties(session: AsyncSession) -> None:
    """A contract that was started is being signed, and a task waits for each person."""
    draft = await session.contracts.draft(DRAFT)
    tasks = await session.contracts.tasks(draft.contract_id)
    (task,) = tasks.todo_task_list
    assert tasks.status is ContractStatus.SIGNING
    assert (task.task_type, task.party_type, task.party_name) == ("SIGN", "PERSONAL", "王五")
    assert task.party is not None
    assert (task.party.name, task.party.contact_type, task.party.contact) == ("王五", "MOBILE", "13900139000")


async def test_a_draft_waits_for_nobody(session: AsyncSession) -> None:
    """A contract that was only drafted has no open tasks."""
    draft = await session.contracts.draft(evolve(DRAFT, send="0"))
    tasks = await session.contracts.tasks(draft.contract_id)
    assert (tasks.status, tasks.todo_task_list) == (ContractStatus.DRAFT, ())


async def test_the_body_is_the_documented_one(session: AsyncSession, sandbox: Sandbox) -> None:
    """Every level of a draft arrives under the platform's own names."""
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


async def test_credentials_travel_in_body_and_query(sandbox: Sandbox) -> None:
    """The token and a fresh serial number are in the body of a draft and in the query of a look."""

    async def script(_: int, seen: Seen) -> bytes:
        result = {"status": "SIGNING", "todoTaskList": []} if seen.method == "GET" else {"contractId": "c 1/中"}
        return success(result)

    async with ScriptedServer(script) as server, AsyncSession(sandbox.token, base_url=server.base_url) as session:
        draft = await session.contracts.draft(DRAFT)
        await session.contracts.tasks(draft.contract_id)
        post, get = server.seen
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
async def test_what_the_platform_refuses(
    change: dict[str, Any], error: type[Exception], code: int, session: AsyncSession, sandbox: Sandbox
) -> None:
    """The sandbox refuses a draft as the platform is known to, and keeps nothing of it."""
    with pytest.raises(error) as caught:
        await session.contracts.draft(evolve(DRAFT, **change))
    assert getattr(caught.value, "code", None) == code
    assert sandbox.contracts == ()


async def test_a_deadline_in_the_future_is_accepted(session: AsyncSession) -> None:
    """A deadline may carry trailing text, as the platform tolerates it."""
    draft = await session.contracts.draft(evolve(DRAFT, expire_date="2999-12-31 00:00"))
    assert draft.contract_id


@pytest.mark.parametrize(("contract_id", "error"), [("", ParameterError), ("nobody", BusinessError)])
async def test_looking_for_nothing(contract_id: str, error: type[Exception], session: AsyncSession) -> None:
    """A missing or unknown contract is refused with the platform's number."""
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
def test_statuses_in_both_spellings(wire: str, known: str) -> None:
    """Both spellings of a status are one, and an unknown one stays readable."""
    assert known_status(wire) is known


async def test_an_unreadable_state_is_said() -> None:
    """A task without its id is an error that names the path."""

    async def script(_number: int, _seen: Seen) -> bytes:
        return answer({"code": 10000, "result": {"status": "SIGNING", "todoTaskList": [{"taskType": "SIGN"}]}})

    async with ScriptedServer(script) as server, AsyncSession("T", base_url=server.base_url) as session:
        with pytest.raises(DecodeError, match=r"required key missing @ \$\.result\.todoTaskList"):
            await session.contracts.tasks("c")


async def test_many_drafts_are_never_too_frequent(session: AsyncSession, sandbox: Sandbox) -> None:
    """Drafts asked for at once go out at the platform's pace, so that none is refused."""
    drafts = 12
    for answer_ in await _drafts(session, drafts):
        assert answer_ == 1
    assert len(sandbox.contracts) == drafts


async def _drafts(session: AsyncSession, count: int) -> list[int]:
    answers = await asyncio.gather(*(session.send(CONTRACT_DRAFT, DRAFT) for _ in range(count)))
    return [each.attempts for each in answers]


async def test_without_pacing_the_sandbox_refuses_too(sandbox: Sandbox) -> None:
    """Without pacing the sixth draft in a second is refused as the platform refuses it, and comes again."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, rate_limit=None) as session:
        attempts = await _drafts(session, 8)
    assert sorted(attempts)[:5] == [1, 1, 1, 1, 1]
    assert max(attempts) == 2
    assert len(sandbox.contracts) == 8


async def test_a_missing_serial_number_fails_after_the_fact(sandbox: Sandbox) -> None:
    """Without uniqueCode the platform drafts the contract and then answers an error; the SDK always sends one."""
    body: dict[str, Any] = {"appAuthToken": sandbox.token, "send": "0", "signReId": "x", "signerList": []}
    body["operator"] = {"name": "a", "contactType": "MOBILE", "contact": "1"}
    url = f"{sandbox.base_url}/kaifangqian/openAPI/V2/contract/draft"
    async with ClientSession() as http, http.post(url, json=body) as response:
        document = await response.json()
    assert (document["success"], document["code"]) == (False, 500)
    assert len(sandbox.contracts) == 1


@pytest.mark.parametrize("strict", [True, False])
async def test_unknown_fields(*, strict: bool) -> None:
    """A field that is not documented is refused at every level, unless the sandbox is told not to."""
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
                with pytest.raises(ParameterError, match="unknown key typo"):
                    await session.send(CONTRACT_DRAFT, fields)
            else:
                assert (await session.send(CONTRACT_DRAFT, fields)).result.contract_id
        assert len(sandbox.contracts) == int(not strict)


@pytest.mark.parametrize(("token", "code"), [("", 40000), ("WRONG001", 41000)])
async def test_tokens_are_checked(token: str, code: int, sandbox: Sandbox) -> None:
    """A missing and an unknown token are refused in body and query alike."""
    base = f"{sandbox.base_url}/kaifangqian/openAPI/V2/contract"
    async with ClientSession() as http:
        async with http.post(f"{base}/draft", json={"appAuthToken": token}) as response:
            assert (await response.json())["code"] == code
        async with http.get(f"{base}/tasks", params={"appAuthToken": token}) as response:
            assert (await response.json())["code"] == code
