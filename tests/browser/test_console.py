"""Console in a browser: languages and search, without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest

if TYPE_CHECKING:
    from playwright.async_api import Page

    from kfq_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG_NAME = "北京一个名字非常非常长的示例信息技术股份有限公司上海第二分公司"


async def order(sandbox: Sandbox, name: str, key: str) -> str:
    """Make an order, and return its number."""
    request = CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(company_name=name), client_request_id=key)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return (await session.auth.corp_ident_link(request)).order_no


async def test_search(page: Page, sandbox: Sandbox) -> None:
    """A search by text and state is a plain form; its result can be reloaded, and cleared."""
    await order(sandbox, LONG_NAME, "row-1" * 20)
    sandbox.complete(await order(sandbox, "乙公司", "row-2"))
    await page.goto(f"{sandbox.origin}/sandbox/")
    await page.get_by_role("searchbox").fill("公司")
    await page.get_by_label("状态").select_option("已认证")
    await page.get_by_role("button", name="搜索").click()
    assert await page.locator("h3").all_inner_texts() == ["乙公司\n已认证"]
    await page.reload()
    assert await page.get_by_role("searchbox").input_value() == "公司"
    assert await page.locator("h3").count() == 1
    await page.get_by_text("清除条件").click()
    assert await page.locator("h3").count() == 2


async def test_languages(page: Page, sandbox: Sandbox) -> None:
    """The first language is the browser's; the other one stays chosen, and survives a search."""
    await order(sandbox, LONG_NAME, "row-1")
    await page.goto(f"{sandbox.origin}/sandbox/")
    assert await page.locator("h1").inner_text() == "沙箱控制台"
    await page.get_by_text("English").click()
    await page.get_by_role("searchbox").fill("ROW-1")
    await page.get_by_role("button", name="Search").click()
    assert await page.locator("h1").inner_text() == "Sandbox console"
    assert await page.locator("h3").all_inner_texts() == [f"{LONG_NAME}\nnot started"]
    await page.goto(f"{sandbox.origin}/sandbox/")
    assert await page.locator("h1").inner_text() == "Sandbox console"
