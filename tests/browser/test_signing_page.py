"""Signing page in a browser: a contract from its draft to its end, at the width of a phone and of a desktop."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from contract_platform import COMPANY, call_sandbox, contract_fixtures, node, receiver, sender, text_pdf, user
from kfq_async.sandbox import Sandbox
from self_hosted import OPERATOR, PERSON, TOKEN
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[ScriptedServer]:
    """The integrator's service: receives events, links to the signing page, and is where the browser returns to."""

    async def script(_: int, seen: ReceivedRequest) -> bytes:
        if seen.method == "POST":
            return http_response(b"success")
        if seen.target.startswith("/to?"):
            return http_response(f"<!doctype html><link rel=icon href=data:,><a href='{seen.target[4:]}'>Sign</a>")
        return http_response("<!doctype html><link rel=icon href=data:,><h1>Back at the service</h1>")

    async with ScriptedServer(script) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def platform(service: ScriptedServer) -> AsyncIterator[Sandbox]:
    """A self-hosted platform that sends its events to the service."""
    fixtures = contract_fixtures()
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = f"{service.origin}/events"
    async with Sandbox(fixtures=fixtures) as sandbox:
        yield sandbox


async def draft(platform: Sandbox, *signers: dict[str, Any], **fields: Any) -> str:
    """Draft and start a contract about a document of three pages; return its id."""
    result = await call_sandbox(
        platform,
        "contract/draft",
        send="1",
        operator=user(OPERATOR),
        signReId="sales",
        subject="年度采购合同",
        signerList=list(signers),
        **fields,
    )
    return str(result["contractId"])


async def upload(platform: Sandbox) -> dict[str, str]:
    """Upload a document of three pages."""
    content = base64.b64encode(text_pdf(3, "SIGNHERE")).decode()
    result: dict[str, str] = await call_sandbox(
        platform, "document/file", fileName="采购合同", fileSuffix=".pdf", file=content
    )
    return result


def position(document: dict[str, str], **changes: str) -> dict[str, Any]:
    """Return a position on the first page of a document."""
    fields = {"controlType": "SIGNATURE", "signPositionType": "POSITION", "pageConfig": "1", "offsetX": "0.5"}
    related = [{"docType": "1", "docId": document["docId"]}]
    return {**fields, "offsetY": "0.7", "relationDocList": related, **changes}


async def ask(platform: Sandbox, operation: str, **query: str) -> Any:
    """Call an operation of the GET kind, and return its result."""
    url = f"{platform.base_url}/kaifangqian/openAPI/V2/contract/{operation}"
    asked = {"appAuthToken": TOKEN, "uniqueCode": "u", **query}
    async with aiohttp.ClientSession() as http, http.get(url, params=asked) as response:
        document = await response.json()
    assert document["code"] == 10000, document
    return document["result"]


async def task_link(platform: Sandbox, contract_id: str, callback: str) -> str:
    """Return the link of the only open task."""
    (task,) = (await ask(platform, "tasks", contractId=contract_id))["todoTaskList"]
    asked = {"contractId": contract_id, "taskId": task["taskId"], "callbackPage": callback}
    return str((await ask(platform, "taskUrl", **asked))["pageUrl"])


async def received(platform: Sandbox, service: ScriptedServer) -> list[str]:
    """Return ``callbackType`` of the events that the service received."""
    await platform.wait_for_notifications()
    return [orjson.loads(seen.body)["callbackType"] for seen in service.requests if seen.method == "POST"]


async def test_a_contract_is_approved_sealed_and_signed(platform: Sandbox, service: ScriptedServer, page: Page) -> None:
    """The operator approves and seals, a person signs, each on the page; the events arrive, and the marks are shown."""
    document = await upload(platform)
    seal = position(document, controlType="SEAL", offsetX="0.1")
    contract_id = await draft(
        platform,
        sender(node("APPROVER_CHECK"), node("ENTERPRISE_SEAL", order="2", sealId="seal-a", positionParamList=[seal])),
        receiver(PERSON, "2", positionParamList=[position(document), position(document, pageConfig="3")]),
        signDocumentList=[document],
    )
    back = f"{service.origin}/back"
    await page.goto(await task_link(platform, contract_id, back))
    await page.get_by_role("button", name="以 陈一 的身份继续").click()
    await page.get_by_label("审批意见").first.fill("同意")
    await page.get_by_role("button", name="同意", exact=True).click()
    await page.wait_for_url(back)
    await page.goto(await task_link(platform, contract_id, back))
    await page.get_by_role("button", name="以 陈一 的身份继续").click()
    await page.get_by_label("我已阅读全部文件").check()
    await page.get_by_role("button", name="确认盖章").click()
    await page.wait_for_url(back)
    link = await ask(platform, "pageUrl", contractId=contract_id, contact=PERSON, noLogin="true")
    await page.goto(link["pageUrl"])
    assert COMPANY in await page.inner_text("dl")
    assert await page.locator("svg rect").count() == 2
    await page.get_by_role("link", name="采购合同 · 第 3 页").click()
    picture = page.get_by_alt_text("采购合同 · 第 3 页")
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1200
    frame, paper = await page.locator("#d0p3 rect").bounding_box(), await picture.bounding_box()
    assert frame is not None
    assert paper is not None
    assert (frame["x"] - paper["x"]) / paper["width"] == pytest.approx(0.5, abs=0.01)
    # The picture keeps its aspect at the left and bottom of its box of 112 × 52 points.
    assert (frame["y"] - paper["y"] + frame["height"]) / paper["height"] == pytest.approx(0.7 + 52 / 842, abs=0.01)
    await page.get_by_label("我已阅读全部文件").check()
    await page.get_by_role("button", name="确认签署").click()
    await page.get_by_role("heading", name="您已签署").wait_for()
    assert await page.locator("button").count() == 0
    assert await received(platform, service) == [
        "SEND_SIGNING",
        "SUBMIT_APPROVE",
        "SUBMIT_SIGN",
        "SUBMIT_SIGN",
        "COMPLETE",
    ]
    assert (await ask(platform, "tasks", contractId=contract_id))["status"] == "COMPLETE"


async def test_a_person_refuses(platform: Sandbox, service: ScriptedServer, page: Page) -> None:
    """A person opens the link on the service's page, refuses with a reason by keyboard, and returns to the service."""
    document = await upload(platform)
    signer = receiver(PERSON, positionParamList=[position(document)])
    contract_id = await draft(platform, signer, signDocumentList=[document])
    link = await ask(platform, "pageUrl", contractId=contract_id, contact=PERSON)
    await page.goto(f"{service.origin}/to?{link['pageUrl']}")
    await page.get_by_role("link", name="Sign").click()
    await page.get_by_role("button", name="以 林二 的身份继续").press("Enter")
    summary = page.locator("summary")
    await summary.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.type("价格不符")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="合同已被拒绝").wait_for()
    assert "价格不符" in await page.inner_text("main")
    assert await received(platform, service) == ["SEND_SIGNING", "REFUSAL_SIGN"]
    await page.go_back()
    await page.reload()
    await page.get_by_role("heading", name="合同已被拒绝").wait_for()
    assert await received(platform, service) == ["SEND_SIGNING", "REFUSAL_SIGN"]


async def test_the_person_chooses_a_place(platform: Sandbox, page: Page) -> None:
    """Without a position the person previews a place, and signs there; a double click signs once."""
    document = await upload(platform)
    contract_id = await draft(platform, receiver(PERSON), signDocumentList=[document])
    link = await ask(platform, "pageUrl", contractId=contract_id, contact=PERSON, noLogin="true")
    await page.goto(f"{link['pageUrl']}&lang=en")
    await page.locator("[name=page]").fill("2")
    await page.locator("[name=place]").select_option("left-top")
    await page.get_by_role("button", name="Preview the place").click()
    await page.locator("#d0p2 rect").wait_for(state="attached")
    assert await page.locator("svg rect").count() == 1
    await page.get_by_label("I have read all documents").check()
    await page.get_by_role("button", name="Sign", exact=True).dblclick()
    await page.get_by_role("heading", name="You have signed").wait_for()
    kinds = [event.callback_type for event in platform.events]
    assert kinds == ["SEND_SIGNING", "SUBMIT_SIGN", "COMPLETE"]
    await page.get_by_role("link", name="中文").click()
    await page.get_by_role("heading", name="您已签署").wait_for()


async def test_the_page_of_a_signer_in_another_window(platform: Sandbox, page: Page) -> None:
    """Forms of two windows that are sent one after another sign once, and the later one sees the result."""
    document = await upload(platform)
    signer = receiver(PERSON, positionParamList=[position(document)])
    contract_id = await draft(platform, signer, signDocumentList=[document])
    link = await ask(platform, "pageUrl", contractId=contract_id, contact=PERSON, noLogin="true")
    other = await page.context.new_page()
    windows = (page, other)
    for window in windows:
        await window.goto(link["pageUrl"])
        await window.get_by_label("我已阅读全部文件").check()
    await asyncio.gather(*(window.get_by_role("button", name="确认签署").click() for window in windows))
    for window in windows:
        await window.get_by_role("heading", name="您已签署").wait_for()
    assert [event.callback_type for event in platform.events] == ["SEND_SIGNING", "SUBMIT_SIGN", "COMPLETE"]
