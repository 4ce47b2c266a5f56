"""Both examples in a browser, from the form to the result, at the width of a phone and of a desktop."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import define, field
from playwright.async_api import Page, expect
from yarl import URL

from example_process import example

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, ConsoleMessage, Request

SIZES = {"phone": (375, 812), "desktop": (1280, 800)}
SCRIPT = "<script>alert(1)</script>"
SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""Folder in which the tests save screenshots, if set."""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.parametrize("size", SIZES)]


@pytest.fixture(scope="module", params=["fastapi", "sanic"])
def framework(request: pytest.FixtureRequest) -> str:
    """Name of the example's framework."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def origin(framework: str) -> Iterator[str]:
    """Origin of the running example."""
    with example(framework) as origin:
        yield origin


@define(slots=False)  # Playwright sets attributes on the object whose methods it calls
class Visit:
    """A page, with the requests that it made and the problems that it had."""

    page: Page
    name: str
    requests: list[str] = field(factory=list)
    problems: list[str] = field(factory=list)

    def on_request(self, request: Request) -> None:
        """Record the URL of a request."""
        self.requests.append(request.url)

    def on_console(self, message: ConsoleMessage) -> None:
        """Record errors and warnings of the browser, such as violations of the Content-Security-Policy."""
        if message.type in {"error", "warning"} and "favicon" not in message.location.get("url", ""):
            self.problems.append(message.text)

    async def check_layout(self) -> None:
        """The page fits the window, and buttons are large enough for a finger."""
        assert await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for button in await self.page.locator("main button:visible, main a.button:visible").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 36

    async def screenshot(self, step: str) -> None:
        """Save a screenshot if a folder is set."""
        if SCREENSHOTS:
            await self.page.screenshot(path=Path(SCREENSHOTS) / f"{self.name}-{step}.png", full_page=True)


@asynccontextmanager
async def open_page(chromium: Browser, size: str, name: str) -> AsyncIterator[Visit]:
    """Open a page in an empty context; at the end, check that it made no foreign request and had no problem."""
    width, height = SIZES[size]
    context = await chromium.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
    visit = Visit(await context.new_page(), name)
    visit.page.on("request", visit.on_request)
    visit.page.on("console", visit.on_console)
    visit.page.on("dialog", lambda dialog: visit.problems.append(f"dialog {dialog.message}"))
    visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
    yield visit
    assert {URL(url).host for url in visit.requests} == {"127.0.0.1"}
    assert visit.problems == []
    await context.close()


async def fill_in(visit: Visit, origin: str, company: str) -> None:
    """Fill in the example's form and continue to the operator page."""
    await visit.page.goto(origin)
    await visit.page.get_by_label("企业名称").fill(company)
    await visit.page.get_by_label("统一社会信用代码").fill("91110000MA01234567")
    await visit.page.get_by_label("经办人账号").fill("13800138000")
    await visit.check_layout()
    await visit.screenshot("1-form")
    await visit.page.get_by_role("button", name="前往认证").click()
    await expect(visit.page.get_by_role("heading", name="企业实名认证")).to_be_visible()
    await expect(visit.page.get_by_role("button", name="完成认证")).to_be_visible()
    await visit.check_layout()
    await visit.screenshot("2-identify")


async def test_identified(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """After completing the identification, the operator returns and sees the success."""
    async with open_page(chromium, size, f"{framework}-{size}") as visit:
        await fill_in(visit, origin, "某某科技有限公司")
        await visit.page.get_by_role("button", name="完成认证").click()
        await expect(visit.page.get_by_role("heading", name="企业已完成实名认证")).to_be_visible(timeout=10_000)
        assert visit.page.url.startswith(f"{origin}/done/")
        await expect(visit.page.get_by_text("某某科技有限公司")).to_be_visible()
        await visit.check_layout()
        await visit.screenshot("3-done")


async def test_abandoned(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """After abandoning, the operator returns, sees that the order was withdrawn, and can start over."""
    async with open_page(chromium, size, f"{framework}-{size}-abandoned") as visit:
        await fill_in(visit, origin, "某某科技有限公司")
        await visit.page.get_by_role("button", name="放弃认证").click()
        await expect(visit.page.get_by_role("heading", name="认证已撤销")).to_be_visible(timeout=10_000)
        await visit.screenshot("3-done")
        await visit.page.get_by_role("link", name="重新发起认证").click()
        await expect(visit.page.get_by_label("企业名称")).to_have_value("")


async def test_in_progress(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """The waiting page links back to the operator page, and refreshes itself."""
    async with open_page(chromium, size, f"{framework}-{size}-review") as visit:
        await fill_in(visit, origin, "某某科技有限公司")
        await visit.page.get_by_role("button", name="提交并置为认证中").click()
        await expect(visit.page.get_by_role("heading", name="认证中")).to_be_visible(timeout=10_000)
        await visit.check_layout()
        await visit.screenshot("3-waiting")
        await visit.page.get_by_role("link", name="继续认证").click()
        await visit.page.get_by_role("button", name="完成认证").click()
        await expect(visit.page.get_by_role("heading", name="企业已完成实名认证")).to_be_visible(timeout=10_000)


async def test_markup_in_a_name(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """Markup in a company name is shown as text on every page."""
    async with open_page(chromium, size, f"{framework}-{size}-script") as visit:
        await fill_in(visit, origin, SCRIPT)
        await visit.page.get_by_role("button", name="完成认证").click()
        await expect(visit.page.get_by_text(SCRIPT)).to_be_visible(timeout=10_000)
        await visit.check_layout()
        console = f"{URL(next(url for url in visit.requests if '/sandbox/' in url)).origin()}/sandbox/"
        await visit.page.goto(console)
        await expect(visit.page.get_by_text(SCRIPT).first).to_be_visible()
