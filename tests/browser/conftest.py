"""A browser for the tests of what people see; without it they fail, since skipped tests prove nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Browser, async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUIET = ("quic", "background-networking", "component-update", "sync")
"""What a browser need not do in a test, above all nothing that leaves this machine."""


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    program = shutil.which("chromium")
    assert program is not None, "these tests need chromium (on Debian: apt-get install chromium)"
    options = ["--no-sandbox", *(f"--disable-{name}" for name in QUIET)]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        await browser.close()
