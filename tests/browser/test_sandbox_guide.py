"""The guide to the sandbox: its code runs, with a browser in which a person approves, seals and signs."""

from __future__ import annotations

import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from guide_code import blocks, guide, run, section
from kfq_async.sandbox import Sandbox
from pdfs import pdf, show
from receivers import acknowledge
from servers import ScriptedServer

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")
GUIDE = section(guide("sandbox"), "# A contract on a laptop")
BASE_URL, SERVICE = "http://127.0.0.1:8899/resrun-paas", "http://127.0.0.1:8000"


async def test_the_code_runs(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The contract of the guide is approved, sealed and signed in the browser, and its signatures verify."""
    monkeypatch.chdir(tmp_path)
    save_contract()
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    [platform] = blocks(GUIDE, "json")
    assert SERVICE in platform
    names: dict[str, Any] = {}
    async with (
        ScriptedServer(acknowledge) as service,
        Sandbox(fixtures=json.loads(platform.replace(SERVICE, service.origin))) as sandbox,
    ):
        for code in blocks(GUIDE, "python"):
            await run(code.replace(BASE_URL, sandbox.base_url), names)
            while opened:
                await act(page, opened.pop())
        await sandbox.wait_for_notifications()
        events = [(event.callback_type, event.acknowledged) for event in sandbox.events]
    assert events == [
        (kind, True) for kind in ("SEND_SIGNING", "SUBMIT_APPROVE", "SUBMIT_SIGN", "SUBMIT_SIGN", "COMPLETE")
    ]
    assert names["path"].name == "采购合同-PO42.pdf"
    fields = PdfReader(names["path"]).get_fields() or {}
    assert len(fields) == 2
    assert capsys.readouterr().out.count("SANDBOX 沙箱") == 2


def save_contract() -> None:
    """Save the PDF that the guide uploads."""
    Path("contract.pdf").write_bytes(pdf([show("CONTRACT", 90, 600)]))


async def act(page: Page, url: str) -> None:
    """Open a signing page, and do what it asks for."""
    await page.goto(url)
    for box in await page.get_by_role("checkbox").all():
        await box.check()
    await page.locator("button.main").click()
    await page.wait_for_load_state("networkidle")  # the pictures of the pages are there, before the sandbox ends
