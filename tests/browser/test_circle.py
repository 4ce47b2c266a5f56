"""The whole circle in a browser, through both examples, on a phone and on a desk."""

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

SIZES = {"phone": (375, 812), "desk": (1280, 800)}
SCRIPT = "<script>alert(1)</script>"
PICTURES = os.environ.get("PICTURES")
"""A folder to look at what the tests saw."""

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.parametrize("size", SIZES)]


@pytest.fixture(scope="module", params=["fastapi", "sanic"])
def framework(request: pytest.FixtureRequest) -> str:
    """One framework after the other."""
    found: str = request.param
    return found


@pytest.fixture(scope="module")
def origin(framework: str) -> Iterator[str]:
    """The example, which each visit begins anew with a form of its own."""
    with example(framework) as origin:
        yield origin


@define(slots=False)  # Playwright leaves marks on the object whose methods it calls
class Visit:
    """A page, and what must not happen on it."""

    page: Page
    name: str
    visited: list[str] = field(factory=list)
    complaints: list[str] = field(factory=list)

    def requested(self, request: Request) -> None:
        """Note where a request goes."""
        self.visited.append(request.url)

    def said(self, message: ConsoleMessage) -> None:
        """Note what the browser complains about, violations of the Content-Security-Policy among it."""
        if message.type in {"error", "warning"} and "favicon" not in message.location.get("url", ""):
            self.complaints.append(message.text)

    async def fits(self) -> None:
        """Nothing hangs over the edge, and what is to be touched is large enough for a finger."""
        assert await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        for button in await self.page.locator("main button:visible, main a.button:visible").all():
            box = await button.bounding_box()
            assert box is not None
            assert box["height"] >= 36

    async def picture(self, step: str) -> None:
        """Keep what is seen, if somebody wants to look."""
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{self.name}-{step}.png", full_page=True)


@asynccontextmanager
async def visit(chromium: Browser, size: str, name: str) -> AsyncIterator[Visit]:
    """Open a page in a browser that knows nothing yet; afterwards hold against it what must not have happened."""
    width, height = SIZES[size]
    context = await chromium.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
    seen = Visit(await context.new_page(), name)
    seen.page.on("request", seen.requested)
    seen.page.on("console", seen.said)
    seen.page.on("dialog", lambda dialog: seen.complaints.append(f"dialog {dialog.message}"))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    yield seen
    assert {URL(url).host for url in seen.visited} == {"127.0.0.1"}
    assert seen.complaints == []
    await context.close()


async def fill_in(seen: Visit, origin: str, company: str) -> None:
    """Fill in the form and go to the identification page."""
    await seen.page.goto(origin)
    await seen.page.get_by_label("企业名称").fill(company)
    await seen.page.get_by_label("统一社会信用代码").fill("91110000MA01234567")
    await seen.page.get_by_label("经办人账号").fill("13800138000")
    await seen.fits()
    await seen.picture("1-form")
    await seen.page.get_by_role("button", name="前往认证").click()
    await expect(seen.page.get_by_role("heading", name="企业实名认证")).to_be_visible()
    await expect(seen.page.get_by_role("button", name="完成认证")).to_be_visible()
    await seen.fits()
    await seen.picture("2-identify")


async def test_identified(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """Fill in the form, identify the company on the platform's page, come back, and read that it is done."""
    async with visit(chromium, size, f"{framework}-{size}") as seen:
        await fill_in(seen, origin, "某某科技有限公司")
        await seen.page.get_by_role("button", name="完成认证").click()
        await expect(seen.page.get_by_role("heading", name="企业已完成实名认证")).to_be_visible(timeout=10_000)
        assert seen.page.url.startswith(f"{origin}/done/")
        await expect(seen.page.get_by_text("某某科技有限公司")).to_be_visible()
        await seen.fits()
        await seen.picture("3-done")


async def test_abandoned(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """Who gives up comes back as well, and reads that the order was withdrawn."""
    async with visit(chromium, size, f"{framework}-{size}-abandoned") as seen:
        await fill_in(seen, origin, "某某科技有限公司")
        await seen.page.get_by_role("button", name="放弃认证").click()
        await expect(seen.page.get_by_role("heading", name="认证已撤销")).to_be_visible(timeout=10_000)
        await seen.picture("3-done")
        await seen.page.get_by_role("link", name="重新发起认证").click()
        await expect(seen.page.get_by_label("企业名称")).to_have_value("")


async def test_a_review(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """A page that waits leads back to the platform's, and looks again by itself."""
    async with visit(chromium, size, f"{framework}-{size}-review") as seen:
        await fill_in(seen, origin, "某某科技有限公司")
        await seen.page.get_by_role("button", name="提交并转入审核").click()
        await expect(seen.page.get_by_role("heading", name="认证中")).to_be_visible(timeout=10_000)
        await seen.fits()
        await seen.picture("3-waiting")
        await seen.page.get_by_role("link", name="继续认证").click()
        await seen.page.get_by_role("button", name="完成认证").click()
        await expect(seen.page.get_by_role("heading", name="企业已完成实名认证")).to_be_visible(timeout=10_000)


async def test_a_script_as_a_name(chromium: Browser, framework: str, origin: str, size: str) -> None:
    """A company whose name is a script is shown as text, on every page that shows it."""
    async with visit(chromium, size, f"{framework}-{size}-script") as seen:
        await fill_in(seen, origin, SCRIPT)
        await seen.page.get_by_role("button", name="完成认证").click()
        await expect(seen.page.get_by_text(SCRIPT)).to_be_visible(timeout=10_000)
        await seen.fits()
        console = f"{URL(next(url for url in seen.visited if '/sandbox/' in url)).origin()}/sandbox/"
        await seen.page.goto(console)
        await expect(seen.page.get_by_text(SCRIPT).first).to_be_visible()
