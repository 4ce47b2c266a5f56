"""Debian's Chromium, headless, with checks that every page of a test must pass."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import async_playwright

from kfq_async.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest
    from playwright.async_api import Browser, Page

ARGUMENTS = (
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)
PHONE, DESKTOP = (375, 812), (1280, 800)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A browser, started once; each new context in it is empty.

    It belongs to the loop in which it was started, and so do the tests that use it.
    """
    path = shutil.which("chromium")
    assert path is not None, "apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox in the browser's loop."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="session", params=[PHONE, DESKTOP], ids=["phone", "desktop"])
async def page(request: pytest.FixtureRequest, chromium: Browser) -> AsyncIterator[Page]:
    """A page at the size of a phone and of a desktop.

    The test fails if a request left this machine, a dialog opened, the browser console logged anything, such as a
    violation of the Content-Security-Policy, or the last page was wider than the window.
    """
    width, height = request.param
    context = await chromium.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
    page = await context.new_page()
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda problem: messages.append(str(problem)))
    page.on("dialog", lambda dialog: messages.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: messages.extend(_foreign(request.url)))
    yield page
    page_width = await page.evaluate("document.documentElement.scrollWidth")
    await context.close()
    assert messages == []
    assert page_width <= width


def _foreign(url: str) -> list[str]:
    """Return the URL if its host is not this machine."""
    return [] if urlsplit(url).hostname in {"127.0.0.1", "localhost"} else [url]
