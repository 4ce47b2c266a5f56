"""Report of a run in a browser, at the width of a phone and of a desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfq_async.onboarding.output.report import report
from kfq_async.onboarding.output.statistics import Statistics
from kfq_async.onboarding.records import Entry, Problem, State

if TYPE_CHECKING:
    from playwright.async_api import Page

LONG = "a-heading-that-never-ends-" * 20

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def html() -> str:
    """A report with long texts and many rows."""
    statistics = Statistics()
    for number in range(3, 9000, 2):
        state = State.LINKED if number % 5 else State.UNKNOWN
        statistics.add(
            Entry(
                key_hash=b"",
                generation=1,
                client_request_id="",
                body_hash=b"",
                state=state,
                row_number=number,
                attempts=1,
                seconds=number / 3000,
                ended_at=1_775_016_000.0 + number,
            )
        )
    statistics.add_invalid(2, [Problem(LONG, LONG)])
    return report(statistics, made_at=1_775_016_000.0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_layout_and_colours(page: Page, html: str, scheme: str) -> None:
    """The page fits the window, loads nothing, and follows the colour scheme."""
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_content(html)
    background, colour = [
        await page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")
    ]
    dark = ("rgb(18, 22, 30)", "rgb(230, 234, 241)")
    assert ((background, colour) == dark) is (scheme == "dark")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    smallest = await page.evaluate(
        "Math.min(...[...document.querySelectorAll('.chart')].map(chart => chart.getBoundingClientRect().width / 360))"
    )
    assert smallest > 0.85  # scale of the drawing, whose text is 10.5 units high


async def test_print_is_light(page: Page, html: str) -> None:
    """The printed page has a white background in the dark colour scheme as well."""
    await page.emulate_media(media="print", color_scheme="dark")
    await page.set_content(html)
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
