"""The console's page of a contract: what it draws, the sender's buttons, and those of events."""

from __future__ import annotations

import asyncio
import base64
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from attrs import frozen

from contract_platform import (
    COMPANY,
    PARTNER,
    SECOND,
    call_sandbox,
    company,
    contract_fixtures,
    node,
    receiver,
    sender,
    text_pdf,
    user,
)
from kfq_async.documents import PdfError
from kfq_async.sandbox import Sandbox
from kfq_async.sandbox.checks import Refused
from kfq_async.sandbox.contract_files import ContractFiles
from kfq_async.sandbox.web import contract_page
from orders import HOSTILE
from pages import ParsedPage
from receivers import acknowledge, fail_first
from self_hosted import OPERATOR, PERSON
from servers import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from servers import Script


@frozen
class Console:
    """A sandbox, a client of its pages, and the receiver of its events."""

    sandbox: Sandbox
    http: aiohttp.ClientSession
    receiver: ScriptedServer

    async def draft(self, *signers: dict[str, Any], pages: int = 1, **changes: Any) -> str:
        """Draft a contract, which is started unless changed, and return its id."""
        content = base64.b64encode(text_pdf(pages, "SIGNHERE")).decode()
        document = await call_sandbox(self.sandbox, "document/file", fileName="合同", fileSuffix=".pdf", file=content)
        fields = {
            "send": "1",
            "operator": user(OPERATOR),
            "signReId": "sales",
            "subject": "框架合同",
            "signDocumentList": [document],
            "signerList": list(signers),
        }
        result = await call_sandbox(self.sandbox, "contract/draft", **(fields | changes))
        return str(result["contractId"])

    def url(self, contract_id: str, query: str = "") -> str:
        """Return the URL of the page."""
        return f"{self.sandbox.origin}/sandbox/contract/{contract_id}{query}"

    async def show(self, contract_id: str, query: str = "") -> tuple[int, str]:
        """Return status and content of the page."""
        async with self.http.get(self.url(contract_id, query)) as response:
            return response.status, await response.text()

    async def press(self, contract_id: str, query: str = "", **fields: str) -> tuple[int, str]:
        """Press a button, and return status and content of what is shown then."""
        _, page = await self.show(contract_id)
        found = re.search(r'name="token" value="([^"]+)"', page)
        token = {} if found is None else {"token": found[1]}
        async with self.http.post(self.url(contract_id, query), data=token | fields) as response:
            return response.status, await response.text()

    async def status(self, contract_id: str) -> str:
        """Return the status of a contract."""
        query = {"appAuthToken": self.sandbox.token, "uniqueCode": "u", "contractId": contract_id}
        url = f"{self.sandbox.base_url}/kaifangqian/openAPI/V2/contract/tasks"
        async with self.http.get(url, params=query) as response:
            return str((await response.json())["result"]["status"])

    async def events(self) -> list[str]:
        """Return ``callbackType/contractStatus`` of all events, once all were sent."""
        await self.sandbox.wait_for_notifications()
        bodies = [orjson.loads(event.body) for event in self.sandbox.events]
        return [f"{body['callbackType']}/{body['contractStatus']}" for body in bodies]


@asynccontextmanager
async def running(script: Script = acknowledge, **settings: Any) -> AsyncIterator[Console]:
    """Run a sandbox whose first enterprise has a callback URL."""
    async with ScriptedServer(script) as received, aiohttp.ClientSession() as http:
        fixtures = contract_fixtures()
        fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = f"{received.origin}/events"
        async with Sandbox(fixtures=fixtures, **{"retry_after": (), **settings}) as sandbox:
            yield Console(sandbox, http, received)


@pytest.fixture
async def console() -> AsyncIterator[Console]:
    """A running sandbox with its console."""
    async with running() as console:
        yield console


APPROVAL = sender(node("APPROVER_CHECK"), order="1", signerName=COMPANY)


def text_of(page: str) -> str:
    """Return the text that a page shows, in one line."""
    return " ".join(part.strip() for part in ParsedPage(page).text)


async def test_drawing(console: Console) -> None:
    """The page shows who signs when, what is done, open and waiting, and leads to the task that is open."""
    contract_id = await console.draft(
        APPROVAL,
        receiver(PERSON, order="2"),
        company(node("AGENT_SIGN", PARTNER), node("ENTERPRISE_SEAL", PARTNER, order="2"), order="3"),
    )
    status, page = await console.show(contract_id)
    text = text_of(page)
    assert status == 200
    assert "框架合同 签署中" in text
    steps = ("审批 · 待办 陈一 13900000001", "签字 · 等待", "经办人签字 · 等待", "企业盖章 · 等待")
    for shown in ("按顺序签署", "全部签署后自动完成", *steps):
        assert shown in text, shown
    assert text.index(COMPANY) < text.index("林二") < text.index("西方示例有限公司")
    [link] = re.findall(r'href="(/#/contract/sign\?[^"]+)"', page)
    assert f"contractId={contract_id}" in link
    await call_sandbox(console.sandbox, "contract/approval", contractId=contract_id, signer=user(OPERATOR), approval=1)
    text = text_of((await console.show(contract_id))[1])
    assert "审批 · 已完成" in text
    assert "签字 · 待办" in text


async def test_drawing_without_a_sequence(console: Console) -> None:
    """Parties that sign at once are drawn so, and a contract that is kept open says what completes it."""
    contract_id = await console.draft(
        receiver(PERSON), receiver(SECOND), signReId="free-order", signOrderType="NO_ORDER", autoFinish=0
    )
    _, page = await console.show(contract_id)
    assert "flow parallel" in page
    assert "不分顺序，同时签署" in text_of(page)
    assert "需调用结束接口才会完成" in text_of(page)
    assert text_of(page).count("签字 · 待办") == 2


async def test_automatic_seal(console: Console) -> None:
    """A seal that was applied automatically is done, and stands on the picture of its page."""
    position = {
        "controlType": "SEAL",
        "signPositionType": "POSITION",
        "pageConfig": "1",
        "offsetX": "0.2",
        "offsetY": "0.2",
    }
    before = await console.draft(APPROVAL, pages=2)
    first = await picture(console, before)
    content = console.sandbox.files[-1]
    seal = node(
        "ENTERPRISE_SEAL",
        autoSign="AUTO_SIGN",
        sealId="seal-a",
        positionParamList=[{**position, "relationDocList": [{"docType": "1", "docId": content.file_id}]}],
    )
    sealed = await call_sandbox(
        console.sandbox,
        "contract/draft",
        send="1",
        operator=user(OPERATOR),
        signReId="sales",
        subject="框架合同",
        signDocumentList=[{"docId": content.file_id}],
        signerList=[sender(seal, signerName=COMPANY), receiver(PERSON, order="2")],
    )
    text = text_of((await console.show(sealed["contractId"]))[1])
    assert "企业盖章 · 已完成 自动盖章 · 1 处签署位置" in text
    assert text.count("合同.pdf 第") == 2
    assert await picture(console, sealed["contractId"]) != first


async def picture(console: Console, contract_id: str, query: str = "?document=0&number=0") -> bytes:
    """Return the picture of a page."""
    async with console.http.get(console.url(contract_id, f"/page{query}")) as response:
        assert response.status == 200
        assert response.content_type == "image/png"
        assert response.headers["Cache-Control"].startswith("private")
        return await response.read()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?document=0",
        "?document=0&number=9",
        "?document=9&number=0",
        "?document=x&number=0",
        "?document=0&number=-1",
    ],
)
async def test_no_such_picture(query: str, console: Console) -> None:
    """What is no page of a document is not found."""
    contract_id = await console.draft(APPROVAL)
    for id_ in (contract_id, "unknown"):
        async with console.http.get(console.url(id_, f"/page{query}")) as response:
            assert response.status == 404


async def test_sender(console: Console) -> None:
    """A draft is started, gets a deadline, is withdrawn and deleted, each with the event that the platform sends."""
    contract_id = await console.draft(APPROVAL, send="0")
    _, page = await console.show(contract_id)
    assert [button for button in ParsedPage(page).buttons if button] == ["start", "deadline", "delete"]
    assert await console.status(contract_id) == "DRAFT"
    _, page = await console.press(contract_id, action="deadline", day="2030-01-31")
    assert "2030-01-31 23:59:59" in text_of(page)
    status, page = await console.press(contract_id, action="start")
    assert (status, await console.status(contract_id)) == (200, "SIGNING")
    _, page = await console.press(contract_id, action="deadline", day="")
    assert "截止日期 未设置" in text_of(page)
    assert "delete" not in ParsedPage(page).buttons
    await console.press(contract_id, action="withdraw", reason=" 条款有误 ")
    assert await console.status(contract_id) == "RECALLED"
    _, page = await console.press(contract_id, action="delete")
    assert await console.status(contract_id) == "DELETED"
    assert "发起方操作" not in text_of(page)
    assert await console.events() == [
        "DOCUMENT_DELAY/DRAFT",
        "SEND_SIGNING/SIGNING",
        "DOCUMENT_DELAY/SIGNING",
        "RECALLED/RECALLED",
        "DELETE/DELETED",
    ]
    assert orjson.loads(console.sandbox.events[3].body)["reason"] == "条款有误"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"action": "delete"}, "不可删除"),
        ({"action": "start"}, "不可发起"),
        ({"action": "deadline", "day": "soon"}, "操作无效"),
        ({"action": "deadline"}, "操作无效"),
        ({"action": "withdraw"}, "操作无效"),
        ({"action": "explode"}, "操作无效"),
        ({}, "操作无效"),
        ({"action": "resend", "notification": "unknown"}, "操作无效"),
    ],
)
async def test_refused_actions(fields: dict[str, str], text: str, console: Console) -> None:
    """What is impossible changes nothing, and the page says why."""
    contract_id = await console.draft(APPROVAL)
    status, page = await console.press(contract_id, **fields)
    assert status == 409
    assert text in text_of(page)
    assert await console.status(contract_id) == "SIGNING"


async def test_refused_start(console: Console) -> None:
    """A start is checked as that of the API, and the draft stays."""
    contract_id = await console.draft(send="0", signDocumentList=[])
    status, page = await console.press(contract_id, action="start")
    assert status == 409
    assert "合同没有签署文档" in text_of(page)
    assert "合同没有签署方" in text_of(page)
    assert await console.status(contract_id) == "DRAFT"


async def test_start_of_an_unknown_enterprise(tmp_path: Path) -> None:
    """A draft of an enterprise that other fixtures do not hold is started all the same."""
    fixtures = contract_fixtures()
    async with running(state=tmp_path / "state") as console:
        contract_id = await console.draft(APPROVAL, send="0")
    fixtures["enterprises"][0]["name"] = "改名后有限公司"
    async with Sandbox(fixtures=fixtures, state=tmp_path / "state") as sandbox, aiohttp.ClientSession() as http:
        await Console(sandbox, http, ScriptedServer(acknowledge)).press(contract_id, action="start")
        assert sandbox.contracts[0].status == "SIGNING"


async def test_a_document_that_is_gone(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that the state no longer holds is named, and the page is shown."""
    contract_id = await console.draft(APPROVAL)

    def fail(*_: object) -> Any:
        raise Refused(31000, "文档不存在")

    monkeypatch.setattr(ContractFiles, "current", fail)
    status, page = await console.show(contract_id)
    assert (status, "无法显示：文档不存在" in text_of(page)) == (200, True)


async def test_start_without_fixtures() -> None:
    """Without fixtures every enterprise is known, so that a draft can be started."""
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        console = Console(sandbox, http, ScriptedServer(acknowledge))
        contract_id = await call_default(console)
        await console.press(contract_id, action="start")
        assert sandbox.contracts[0].status == "SIGNING"


async def call_default(console: Console) -> str:
    """Draft a contract at a sandbox without fixtures, and return its id."""
    content = base64.b64encode(text_pdf(1, "SIGNHERE")).decode()
    body = {"appAuthToken": console.sandbox.token, "uniqueCode": "u"}
    url = f"{console.sandbox.base_url}/kaifangqian/openAPI/V2"
    upload = {"fileName": "合同", "fileSuffix": ".pdf", "file": content}
    async with console.http.post(f"{url}/document/file", json=body | upload) as response:
        document = (await response.json())["result"]
    draft = {
        "send": "0",
        "operator": {"name": "张三", "contactType": "MOBILE", "contact": "13800138000"},
        "signReId": "any",
        "signDocumentList": [document],
        "signerList": [receiver(PERSON)],
    }
    async with console.http.post(f"{url}/contract/draft", json=body | draft) as response:
        return str((await response.json())["result"]["contractId"])


@pytest.mark.parametrize("token", [{}, {"token": ""}, {"token": "wrong"}])
async def test_forms_without_the_token(token: dict[str, str], console: Console) -> None:
    """A form that the page did not make is refused."""
    contract_id = await console.draft(APPROVAL)
    async with console.http.post(
        console.url(contract_id), data=token | {"action": "withdraw", "reason": ""}
    ) as response:
        assert response.status == 403
        assert "表单已失效" in await response.text()
    assert await console.status(contract_id) == "SIGNING"


async def test_unknown_contract(console: Console) -> None:
    """A contract that does not exist has a page that says so, in the language asked for."""
    contract_id = await console.draft(APPROVAL)
    _, page = await console.show(contract_id)
    found = re.search(r'name="token" value="([^"]+)"', page)
    assert found is not None
    assert await console.show("unknown") == (404, (await console.show("other"))[1])
    assert "No such contract" in (await console.show("unknown", "?lang=en"))[1]
    async with console.http.post(console.url("unknown"), data={"token": found[1], "action": "start"}) as response:
        assert response.status == 404


async def test_foreign_sites(console: Console) -> None:
    """Another site can neither show the page nor press its buttons."""
    contract_id = await console.draft(APPROVAL)
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in ("", "/page?document=0&number=0"):
            async with console.http.get(console.url(contract_id, path), headers=headers) as response:
                assert response.status == 403


async def test_buttons_of_events() -> None:
    """Events are resent, held, released and lost on the page, and those of other contracts are not."""
    async with running(fail_first(1), retry_after=(60.0,)) as console:
        contract_id, other = await console.draft(APPROVAL), await console.draft(APPROVAL)
        async with asyncio.timeout(30):
            while not console.sandbox.events[0].scheduled_attempts:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.005)
        (event, _) = console.sandbox.events
        identified = {"notification": event.notification_id}
        assert (await console.press(other, action="hold", **identified))[0] == 409
        _, page = await console.press(contract_id, action="hold", **identified)
        assert "已暂停" in text_of(page)
        assert [button for button in ParsedPage(page).buttons if button][-3:] == ["resend", "release", "discard"]
        assert (await console.press(contract_id, action="hold", **identified))[0] == 409
        _, page = await console.press(contract_id, "?lang=en", action="discard", **identified)
        assert "SEND_SIGNING lost" in text_of(page)
        _, page = await console.press(contract_id, action="resend", **identified)
        assert "已确认" in text_of(page)
        assert len(console.sandbox.events[0].attempts) == 2


async def test_released_event() -> None:
    """An event that was held is sent when it is released."""
    async with running(fail_first(1), retry_after=(60.0,)) as console:
        contract_id = await console.draft(APPROVAL)
        async with asyncio.timeout(30):
            while not console.sandbox.events[0].scheduled_attempts:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.005)
        identified = {"notification": console.sandbox.events[0].notification_id}
        await console.press(contract_id, action="hold", **identified)
        await console.press(contract_id, action="release", **identified)
        await console.sandbox.wait_for_notifications()
        assert console.sandbox.events[0].acknowledged


async def test_faults_of_events() -> None:
    """A fault of an event is shown with it, and an event that was lost says so."""
    async with running(faults=["event-duplicate*1", "event-lose*1"]) as console:
        first, second = await console.draft(APPROVAL), await console.draft(APPROVAL)
        await console.sandbox.wait_for_notifications()
        assert "SEND_SIGNING 重复 已确认" in text_of((await console.show(first))[1])
        lost = text_of((await console.show(second))[1])
        assert "SEND_SIGNING 已丢弃" in lost
        assert "尚未发送" in lost


async def test_english(console: Console) -> None:
    """In English no Chinese is left but what the contract itself holds, and links and forms keep the language."""
    contract_id = await console.draft(APPROVAL, subject="Contract", pages=1)
    _, page = await console.show(contract_id, "?lang=en")
    text = text_of(page)
    for name in ("合同.pdf", COMPANY, "陈一", "中文"):
        text = text.replace(name, "")
    text = re.sub(r"\{[^}]*\}", "", text)  # the body of an event
    assert re.findall(r"[\u4e00-\u9fff]+", text.replace("东方示例有限公司", "")) == []
    assert 'lang="en"' in page
    assert f'action="/sandbox/contract/{contract_id}?lang=en"' in page
    assert "being signed" in text
    assert re.search(r'href="/#/contract/sign\?[^"]+&amp;lang=en"', page)


async def test_texts_are_escaped(console: Console) -> None:
    """Text of a contract is never markup."""
    contract_id = await console.draft(receiver(PERSON, receiver=user(PERSON) | {"name": "<b>&\"'"}), subject=HOSTILE)
    _, page = await console.show(contract_id)
    assert HOSTILE not in page
    assert "<b>" not in page
    assert HOSTILE in text_of(page)
    assert "<b>&\"'" in text_of(page)


async def test_a_document_that_cannot_be_drawn(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, or with a PDF that the library cannot open, the page says so."""
    contract_id = await console.draft(APPROVAL)
    for problem, text in (
        (ModuleNotFoundError(), "pip install 'kfq-async[sandbox]'"),
        (PdfError("broken"), "无法显示"),
    ):

        def fail(_content: bytes, problem: Exception = problem) -> Any:
            raise problem

        monkeypatch.setattr(contract_page, "page_sizes", fail)
        assert text in text_of((await console.show(contract_id))[1])
