"""`session.contracts` against the sandbox."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import ClientSession
from attrs import evolve

from contract_platform import text_pdf
from kfq_async import (
    CONTRACT_DRAFT,
    AsyncSession,
    BusinessError,
    ContractDraftRequest,
    ContractSigner,
    ContractStatus,
    ContractUser,
    CredentialPlacement,
    DecodeError,
    Operation,
    ParameterError,
    PositionParam,
    RelationDoc,
    ServerError,
    SignDocument,
)
from kfq_async.models.contracts import known_contract_status
from kfq_async.sandbox import Sandbox
from servers import ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Iterator

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
                    keyword="SIGNHERE",
                    keyword_type="1",
                    relation_doc_list=[RelationDoc(doc_type="1", doc_id="doc-1")],
                )
            ],
        )
    ],
)
KEPT = evolve(DRAFT, send="0", signer_list=())
"""Draft that needs no document."""
DOCUMENT = Operation[Any, Any]("POST", "/document/file", credentials=CredentialPlacement.PARAMETERS)


async def with_document(session: AsyncSession) -> ContractDraftRequest:
    """Upload a document, and return a draft with it."""
    fields = {"fileName": "合同", "fileSuffix": ".pdf", "file": base64.b64encode(text_pdf(1, "SIGNHERE")).decode()}
    doc_id = (await session.send(DOCUMENT, fields)).result["docId"]
    (signer,) = DRAFT.signer_list or ()
    (position,) = signer.position_param_list or ()
    position = evolve(position, relation_doc_list=[RelationDoc(doc_type="1", doc_id=doc_id)])
    return evolve(
        DRAFT,
        sign_document_list=[SignDocument(doc_id=doc_id)],
        signer_list=[evolve(signer, position_param_list=[position])],
    )


async def test_started_contract(session: AsyncSession) -> None:
    """A started contract is being signed, and has a task for each person."""
    draft = await session.contracts.draft(await with_document(session))
    tasks = await session.contracts.tasks(draft.contract_id)
    (task,) = tasks.todo_task_list
    assert tasks.status is ContractStatus.SIGNING
    assert (task.task_type, task.party_type, task.party_name) == ("SIGN", "PERSONAL", "13900139000")
    assert task.party is not None
    assert (task.party.name, task.party.contact_type, task.party.contact) == ("王五", "MOBILE", "13900139000")


async def test_unstarted_draft(session: AsyncSession) -> None:
    """A draft that was not started has no open tasks."""
    draft = await session.contracts.draft(KEPT)
    tasks = await session.contracts.tasks(draft.contract_id)
    assert (tasks.status, tasks.todo_task_list) == (ContractStatus.DRAFT, ())


async def test_body(session: AsyncSession, sandbox: Sandbox) -> None:
    """Every level of a draft is sent under its wire names."""
    draft = await with_document(session)
    await session.contracts.draft(draft)
    (contract,) = sandbox.contracts
    (document,) = draft.sign_document_list or ()
    assert json.loads(contract.request) == {
        "send": "1",
        "operator": {"name": "李四", "contactType": "EMAIL", "contact": "li@example.com"},
        "signReId": "line-1",
        "subject": "采购合同",
        "signDocumentList": [{"docId": document.doc_id}],
        "signerList": [
            {
                "signerType": "RECEIVER_PERSONAL",
                "signerOrder": "1",
                "receiver": {"name": "王五", "contactType": "MOBILE", "contact": "13900139000"},
                "positionParamList": [
                    {
                        "controlType": "SIGNATURE",
                        "signPositionType": "KEYWORD",
                        "relationDocList": [{"docType": "1", "docId": document.doc_id}],
                        "keyword": "SIGNHERE",
                        "keywordType": "1",
                    }
                ],
            }
        ],
    }


async def test_credentials(sandbox: Sandbox) -> None:
    """Token and ``uniqueCode`` are in the body of a POST and in the query of a GET."""

    async def script(_: int, seen: ReceivedRequest) -> bytes:
        tasks = [{"taskId": "T-1", "taskType": "SIGN"}]
        result = {"status": "SIGNING", "todoTaskList": tasks} if seen.method == "GET" else {"contractId": "c 1/中"}
        return success(result)

    async with ScriptedServer(script) as server, AsyncSession(sandbox.token, base_url=server.base_url) as session:
        await session.contracts.draft(DRAFT)
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
    """A deadline may have trailing text, which the platform ignores and a strict sandbox refuses."""
    request = evolve(KEPT, expire_date="2999-12-31 00:00")
    with pytest.raises(
        ParameterError, match=r"existing day yyyy-MM-dd: the platform would silently drop it @ \$\.expireDate"
    ):
        await session.contracts.draft(request)
    async with Sandbox(strict=False) as sandbox, AsyncSession(sandbox.token, base_url=sandbox.base_url) as lenient:
        assert (await lenient.contracts.draft(request)).contract_id


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


@pytest.fixture
def _no_pauses() -> Iterator[None]:
    """Collect no garbage: in the large process of the tests that takes longer than the margin of the rate limit."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_pauses")
async def test_rate_limit(session: AsyncSession, sandbox: Sandbox) -> None:
    """Concurrent drafts keep to the rate limit, so the sandbox refuses none."""
    assert await _attempts_of_drafts(session, 12) == [1] * 12
    assert len(sandbox.contracts) == 12


async def _attempts_of_drafts(session: AsyncSession, count: int) -> list[int]:
    responses = await asyncio.gather(*(session.send(CONTRACT_DRAFT, KEPT) for _ in range(count)))
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
    body["operator"] = {"name": "a", "contactType": "MOBILE", "contact": "13800138000"}
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
        "signerList": [{"signerType": "WITNESS", "typo": 1}],
    }
    fields["operator"] = {"name": "a", "contactType": "MOBILE", "contact": "13800138000"}
    async with Sandbox(strict=strict) as sandbox:
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            if strict:
                with pytest.raises(ParameterError, match=r"unknown key typo @ \$") as caught:
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
