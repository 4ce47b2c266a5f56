"""Operator page and console in a browser, at the width of a phone and of a desktop."""

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
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page


SCRIPT = "<script>alert(1)</script>"
UNMODIFIABLE = ("companyName", "creditCode", "companyType")

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def service() -> AsyncIterator[ScriptedServer]:
    """The integrator's service: a callback page, one that redirects to another origin, and a notification receiver."""

    async def script(_: int, seen: ReceivedRequest) -> bytes:
        if seen.method == "POST":
            return http_response(b"success")
        if seen.target.startswith("/redirect"):
            return http_response(b"", 302, Location=f"{other_origin(server)}/back")
        return http_response("<!doctype html><link rel=icon href=data:,><h1>Back at the service</h1>")

    server = ScriptedServer(script)
    async with server:
        yield server


def other_origin(service: ScriptedServer) -> str:
    """Return another origin of the same service."""
    return service.origin.replace("127.0.0.1", "localhost")


async def link(sandbox: Sandbox, service: ScriptedServer | None, path: str = "/back") -> CorpIdentLink:
    """Request a link, with callback URLs if there is a service."""
    company = CorpIdentInfo(
        company_name="某某科技有限公司", credit_code="91110000MA01234567", legal_rep_name="张三", company_type=1
    )
    request = CorpIdentLinkRequest(
        account_name="13800138000",
        corp_ident_info=company,
        corp_ident_config=CorpIdentConfig(corp_verify_methods=["legalRep", "letter"], unmodifiable_params=UNMODIFIABLE),
        opr_ident_info=OprIdentInfo(name="李四", id_card="110101199001011234", id_card_type=1, mobile="13800138000"),
        opr_ident_config=OprIdentConfig(unmodifiable_params=["name", "idCard"]),
        callback_page=f"{service.origin}{path}" if service else None,
        auth_callback_url=f"{service.origin}/hooks/kfq" if service else None,
    )
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return await session.auth.corp_ident_link(request)


def notifications_to(service: ScriptedServer) -> list[ReceivedRequest]:
    """Return the notifications that the service received."""
    return [seen for seen in service.requests if seen.method == "POST"]


async def test_locked_fields(page: Page, sandbox: Sandbox) -> None:
    """Unmodifiable fields are read-only, the others editable, and only the allowed methods are offered."""
    await page.goto((await link(sandbox, None)).auth_url)
    for name in (*UNMODIFIABLE, "name", "idCard"):
        assert not await page.locator(f"[name={name}]").is_editable()
    for name in ("legalRepName", "mobile", "bankCard", "idCardType"):
        assert await page.locator(f"[name={name}]").is_editable()
    assert await page.locator("[name=companyName]").input_value() == "某某科技有限公司"
    methods = await page.locator("[name=companyVerifyMethod]").evaluate_all("all => all.map(one => one.value)")
    assert methods == ["legalRep", "letter"]


async def test_complete(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """The operator edits, completes and returns to the service, which verifies the notification."""
    order = await link(sandbox, service)
    await page.goto(order.auth_url)
    await page.fill("[name=legalRepName]", "王五")
    await page.get_by_text("上传授权书").click()
    await page.get_by_role("button", name="完成认证").click()
    await page.wait_for_url(f"{service.origin}/back")
    assert await page.inner_text("h1") == "Back at the service"
    await sandbox.wait_for_notifications()
    (seen,) = notifications_to(service)
    verifier = CallbackVerifier([sandbox.public_key], app_id=sandbox.app_id)
    notification = verifier.verify(seen.body, seen.headers, seen.target)
    assert (notification.order_no, notification.order_status) == (order.order_no, 1)
    body = orjson.loads(seen.body)
    assert (body["name"], body["companyVerifyMethod"]) == ("王五", "letter")


async def test_abandon(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """The operator abandons and returns to the service, which is notified; the page then has no controls."""
    order = await link(sandbox, service)
    await page.goto(order.auth_url)
    await page.get_by_role("button", name="放弃认证").click()
    await page.wait_for_url(f"{service.origin}/back")
    await sandbox.wait_for_notifications()
    assert [orjson.loads(seen.body)["orderStatus"] for seen in notifications_to(service)] == [3]
    await page.goto(order.auth_url)
    assert await page.inner_text("h1") == "已撤销"
    assert await page.locator("button, input, a").count() == 0


async def test_review_and_expiry(page: Page, sandbox: Sandbox) -> None:
    """The sandbox's own buttons put the order in progress, from where it can continue, and expire it."""
    order = await link(sandbox, None)
    await page.goto(order.auth_url)
    await page.get_by_role("button", name="提交并置为认证中").click()
    await page.get_by_text("已提交，认证中").wait_for()
    await page.get_by_role("button", name="置为已失效").click()
    await page.get_by_text("订单已失效，此链接不能再用于认证。").wait_for()
    assert await page.locator("button").count() == 0
    assert [order.status for order in sandbox.orders] == [4]


async def test_callback_page_may_redirect(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """The callback page may redirect to another origin of this machine, such as a separate front end."""
    await page.goto((await link(sandbox, service, path="/redirect")).auth_url)
    await page.get_by_role("button", name="完成认证").click()
    await page.wait_for_url(f"{other_origin(service)}/back")


async def test_markup_is_shown_as_text(page: Page) -> None:
    """Markup in the names of a company and a person is shown as text everywhere, and no script runs."""
    async with Sandbox(strict=False) as sandbox:
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            request = CorpIdentLinkRequest(
                account_name=SCRIPT,
                client_user_id=SCRIPT,
                corp_ident_info=CorpIdentInfo(
                    company_name=SCRIPT, credit_code=SCRIPT, legal_rep_name=f'"{SCRIPT}', license=SCRIPT
                ),
                corp_ident_config=CorpIdentConfig(
                    corp_verify_methods=[SCRIPT], unmodifiable_params=[SCRIPT, "companyName"]
                ),
                opr_ident_info=OprIdentInfo(name=f"'>{SCRIPT}", id_card=SCRIPT, mobile=SCRIPT, bank_card=SCRIPT),
                opr_ident_config=OprIdentConfig(person_verify_methods=[f"'\"{SCRIPT}"]),
                auth_callback_url=f"http://127.0.0.1:1/{SCRIPT}",
                callback_page=f"javascript:{SCRIPT}",
            )
            order = await session.auth.corp_ident_link(request)
        await page.goto(order.auth_url)
        assert await page.locator("[name=companyName]").input_value() == SCRIPT
        assert await page.locator("[name=legalRepName]").input_value() == f'"{SCRIPT}'
        assert await page.get_by_text(SCRIPT).first.is_visible()
        await page.get_by_role("button", name="完成认证").click()
        await page.get_by_text("企业已完成实名认证。").wait_for()
        assert SCRIPT in await page.inner_text("dl")
        await page.goto(f"{sandbox.origin}/sandbox/")
        assert SCRIPT in await page.inner_text("main")
        assert await page.locator("script").count() == 0


async def test_console(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """The console shows a notification with its attempts, resends it with and without faults, and links to the page."""
    order = await link(sandbox, service)
    sandbox.complete(order.order_no)
    await sandbox.wait_for_notifications()
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
    assert [orjson.loads(seen.body)["orderStatus"] for seen in notifications_to(service)] == [1, 1, 3, 1]
    await page.get_by_role("link", name="打开认证页面").click()
    assert await page.inner_text("h1") == "已认证"
