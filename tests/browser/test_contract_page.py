"""The console's page of a contract in a browser: the way there, the sender's buttons, and the look in the dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract_platform import contract_fixtures, start_contract
from kfq_async.sandbox import Sandbox

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_from_the_console(page: Page) -> None:
    """The console leads to the contract, where it is withdrawn and deleted; the pictures of its pages are shown."""
    async with Sandbox(fixtures=contract_fixtures()) as sandbox:
        contract_id = await start_contract(sandbox)
        await page.goto(f"{sandbox.origin}/sandbox/")
        await page.get_by_role("link", name="框架合同").click()
        assert page.url.endswith(f"/sandbox/contract/{contract_id}")
        picture = page.get_by_role("img", name="合同.pdf 第 1 / 1 页")
        await picture.scroll_into_view_if_needed()
        await page.wait_for_function("image => image.naturalWidth === 600", arg=await picture.element_handle())
        await page.get_by_label("原因（选填）").fill("条款有误")
        await page.get_by_role("button", name="撤回").click()
        assert await page.get_by_text("已撤回").count() == 1
        await page.get_by_role("link", name="English").click()
        await page.get_by_role("button", name="Delete").click()
        assert await page.get_by_text("deleted", exact=True).count() == 1
        assert sandbox.contracts[0].status == "DELETED"
        await page.wait_for_load_state("networkidle")


async def test_task_of_the_console(page: Page) -> None:
    """The link of an open task leads to its signing page, whose decision the contract's page shows."""
    async with Sandbox(fixtures=contract_fixtures()) as sandbox:
        contract_id = await start_contract(sandbox)
        await page.goto(f"{sandbox.origin}/sandbox/contract/{contract_id}")
        await page.get_by_role("link", name="打开签署页面").click()
        await page.wait_for_url("**/sandbox/sign**")
        while await page.locator("button.main").count():
            for box in await page.get_by_role("checkbox").all():
                await box.check()
            await page.locator("button.main").first.click()
            await page.wait_for_load_state()
        await page.goto(f"{sandbox.origin}/sandbox/contract/{contract_id}")
        assert await page.get_by_text("已完成", exact=True).count() == 1
        assert sandbox.contracts[0].status == "COMPLETE"
        await page.wait_for_load_state("networkidle")


async def test_dark(page: Page) -> None:
    """In the dark the text stands out from its background on all pages of the console."""
    await page.emulate_media(color_scheme="dark")
    async with Sandbox(fixtures=contract_fixtures()) as sandbox:
        contract_id = await start_contract(sandbox)
        for path in ("", f"contract/{contract_id}"):
            await page.goto(f"{sandbox.origin}/sandbox/{path}")
            await page.wait_for_load_state("networkidle")
            for selector in ("h1", ".soft", "a", ".pill", "button"):
                assert await page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector


CONTRAST = """element => {
    const parts = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([red, green, blue]) => [red, green, blue].map(each => each / 255)
        .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
        .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
    let ground = element;
    const fill = each => parts(getComputedStyle(each).backgroundColor);
    while (fill(ground)[3] === 0) ground = ground.parentElement;
    const [less, more] = [light(parts(getComputedStyle(element).color)), light(fill(ground))].sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
}"""
"""Contrast of an element's text against the background behind it, as the accessibility guidelines define it."""
