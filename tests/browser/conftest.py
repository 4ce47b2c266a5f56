"""Debian's Chromium, headless, and an eye on what it does behind the page's back."""

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
)
PHONE, DESKTOP = (375, 812), (1280, 800)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """A browser, started once: what has visited nothing is each new context in it.

    It belongs to the loop in which it was started, so tests in a browser, and what they ask, run in that one.
    """
    path = shutil.which("chromium")
    assert path is not None, "apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox in the loop of the browser."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="session", params=[PHONE, DESKTOP], ids=["phone", "desktop"])
async def page(request: pytest.FixtureRequest, chromium: Browser) -> AsyncIterator[Page]:
    """A page in the size of a phone and of a desktop.

    At the end the test fails if a request left this machine, a dialog opened, the console had something to complain
    about, as it does when a page violates its policy, or the last page was wider than the window.
    """
    width, height = request.param
    context = await chromium.new_context(viewport={"width": width, "height": height})
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    page.on("request", lambda request: complaints.extend(_foreign(request.url)))
    yield page
    wide = await page.evaluate("document.documentElement.scrollWidth")
    await context.close()
    assert complaints == []
    assert wide <= width


def _foreign(url: str) -> list[str]:
    """Return the URL if it leads away from this machine."""
    return [] if urlsplit(url).hostname in {"127.0.0.1", "localhost"} else [url]
