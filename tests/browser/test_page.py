"""The page behind authUrl and the console in a real browser, at the width of a phone and of a desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
import pytest_asyncio

from kfq_async import (
    AsyncSession,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.callbacks import CallbackVerifier
from kfq_async.sandbox import Sandbox
from servers import ScriptedServer, Seen, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from kfq_async.sandbox import Sandbox

NASTY = "<script>alert(1)</script>"
UNMODIFIABLE = ("companyName", "creditCode", "companyType")

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[ScriptedServer]:
    """A service of the integrator's: a page to come back to, one that leads on, and one to be notified at."""

    async def script(_: int, seen: Seen) -> bytes:
        if seen.method == "POST":
            return answer(b"success")
        if seen.target.startswith("/on"):
            return answer(b"", 302, Location=f"{elsewhere(received)}/back")
        return answer("<!doctype html><link rel=icon href=data:,><h1>Back at the service</h1>")

    received = ScriptedServer(script)
    async with received:
        yield received


def elsewhere(service: ScriptedServer) -> str:
    """Return another origin at which the service is."""
    return service.origin.replace("127.0.0.1", "localhost")


async def link(sandbox: Sandbox, service: ScriptedServer | None, way: str = "/back") -> CorpIdentLink:
    """Ask for a link as a service does; without a service there is nowhere to come back to."""
    company = CorpIdentInfo(
        company_name="某某科技有限公司", credit_code="91110000MA01234567", legal_rep_name="张三", company_type=1
    )
    request = CorpIdentLinkRequest(
        account_name="13800138000",
        corp_ident_info=company,
        corp_ident_config=CorpIdentConfig(corp_verify_methods=["legalRep", "letter"], unmodifiable_params=UNMODIFIABLE),
        opr_ident_info=OprIdentInfo(name="李四", id_card="110101199001011234", id_card_type=1, mobile="13800138000"),
        opr_ident_config=OprIdentConfig(unmodifiable_params=["name", "idCard"]),
        callback_page=f"{service.origin}{way}" if service else None,
        auth_callback_url=f"{service.origin}/hooks/kfq" if service else None,
    )
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return await session.auth.corp_ident_link(request)


def told(service: ScriptedServer) -> list[Seen]:
    """Return the notifications that the service got."""
    return [seen for seen in service.seen if seen.method == "POST"]


async def test_locked_fields_are_locked(page: Page, sandbox: Sandbox) -> None:
    """What the request named as unmodifiable cannot be typed into, and the rest can."""
    await page.goto((await link(sandbox, None)).auth_url)
    for name in (*UNMODIFIABLE, "name", "idCard"):
        assert not await page.locator(f"[name={name}]").is_editable()
    for name in ("legalRepName", "mobile", "bankCard", "idCardType"):
        assert await page.locator(f"[name={name}]").is_editable()
    assert await page.locator("[name=companyName]").input_value() == "某某科技有限公司"
    shown = await page.locator("[name=companyVerifyMethod]").evaluate_all("all => all.map(one => one.value)")
    assert shown == ["legalRep", "letter"]


async def test_complete(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """The operator corrects a name, chooses, completes, lands at the service, and the service can prove it."""
    order = await link(sandbox, service)
    await page.goto(order.auth_url)
    await page.fill("[name=legalRepName]", "王五")
    await page.get_by_text("上传授权书").click()
    await page.get_by_role("button", name="完成认证").click()
    await page.wait_for_url(f"{service.origin}/back")
    assert await page.inner_text("h1") == "Back at the service"
    await sandbox.settled()
    (seen,) = told(service)
    verifier = CallbackVerifier([sandbox.public_key], app_id=sandbox.app_id)
    notification = verifier.verify(seen.body, seen.headers, seen.target)
    assert (notification.order_no, notification.order_status) == (order.order_no, 1)
    body = orjson.loads(seen.body)
    assert (body["name"], body["companyVerifyMethod"]) == ("王五", "letter")


async def test_abandon(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """The operator abandons, lands at the service, the service is told, and the link offers nothing more."""
    order = await link(sandbox, service)
    await page.goto(order.auth_url)
    await page.get_by_role("button", name="放弃认证").click()
    await page.wait_for_url(f"{service.origin}/back")
    await sandbox.settled()
    assert [orjson.loads(seen.body)["orderStatus"] for seen in told(service)] == [3]
    await page.goto(order.auth_url)
    assert await page.inner_text("h1") == "已撤销"
    assert await page.locator("button, input, a").count() == 0


async def test_review_and_expiry(page: Page, sandbox: Sandbox) -> None:
    """The sandbox's own buttons put the order into review, where it can go on, and let it expire, where it cannot."""
    order = await link(sandbox, None)
    await page.goto(order.auth_url)
    await page.get_by_role("button", name="提交并转入审核").click()
    await page.get_by_text("已提交，认证中").wait_for()
    await page.get_by_role("button", name="使订单失效").click()
    await page.get_by_text("订单已失效，此链接不能再用于认证。").wait_for()
    assert await page.locator("button").count() == 0
    assert [order.status for order in sandbox.orders] == [4]


async def test_the_way_back_may_lead_on(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """A page to come back to may itself lead to another origin of this machine, as to a front end of its own."""
    await page.goto((await link(sandbox, service, way="/on")).auth_url)
    await page.get_by_role("button", name="完成认证").click()
    await page.wait_for_url(f"{elsewhere(service)}/back")


async def test_markup_is_shown_as_text(page: Page, sandbox: Sandbox) -> None:
    """A company and a person called like a script are shown by that name everywhere, and nothing runs."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        request = CorpIdentLinkRequest(
            account_name=NASTY,
            client_user_id=NASTY,
            corp_ident_info=CorpIdentInfo(
                company_name=NASTY, credit_code=NASTY, legal_rep_name=f'"{NASTY}', license=NASTY
            ),
            corp_ident_config=CorpIdentConfig(corp_verify_methods=[NASTY], unmodifiable_params=[NASTY, "companyName"]),
            opr_ident_info=OprIdentInfo(name=f"'>{NASTY}", id_card=NASTY, mobile=NASTY, bank_card=NASTY),
            opr_ident_config=OprIdentConfig(person_verify_methods=[f"'\"{NASTY}"]),
            auth_callback_url=f"http://127.0.0.1:1/{NASTY}",
            callback_page=f"javascript:{NASTY}",
        )
        order = await session.auth.corp_ident_link(request)
    await page.goto(order.auth_url)
    assert await page.locator("[name=companyName]").input_value() == NASTY
    assert await page.locator("[name=legalRepName]").input_value() == f'"{NASTY}'
    assert await page.get_by_text(NASTY).first.is_visible()
    await page.get_by_role("button", name="完成认证").click()
    await page.get_by_text("企业已完成实名认证。").wait_for()
    assert NASTY in await page.inner_text("dl")
    await page.goto(f"{sandbox.origin}/sandbox/")
    assert NASTY in await page.inner_text("main")
    assert await page.locator("script").count() == 0


async def test_console(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """A developer sees what was notified and what came back, sends it again, well and badly, and opens the page."""
    order = await link(sandbox, service)
    sandbox.complete(order.order_no)
    await sandbox.settled()
    await page.goto(f"{sandbox.origin}/sandbox/")
    attempts = page.locator("ol li")
    assert await attempts.count() == 1
    assert "success" in await attempts.first.inner_text()
    await page.get_by_role("button", name="重发", exact=True).click()
    await page.wait_for_function("document.querySelectorAll('ol li').length === 2")
    await page.get_by_role("button", name="篡改后发送").click()
    await page.get_by_text("接收方接受了被篡改的通知").wait_for()
    await page.fill("[name=seconds]", "0.01")
    await page.get_by_role("button", name="延迟发送").click()
    await page.wait_for_function("document.querySelectorAll('ol li').length === 4")
    assert [orjson.loads(seen.body)["orderStatus"] for seen in told(service)] == [1, 1, 3, 1]
    await page.get_by_role("link", name="打开认证页面").click()
    assert await page.inner_text("h1") == "已认证"
