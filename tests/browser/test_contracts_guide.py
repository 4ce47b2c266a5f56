"""The first lines of the guide to contracts, with a person who signs in the browser."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

import kfq_async
from guide_code import blocks, run
from kfq_async import AsyncSession
from kfq_async.sandbox import Sandbox
from pdfs import pdf, show
from receivers import acknowledge
from servers import ScriptedServer

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.asyncio(loop_scope="session")
GUIDE = (Path(kfq_async.__file__).parent / "contracts/README.md").read_text("utf-8")
SERVICE = "http://127.0.0.1:8000"
FONT = (
    "<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UCS2-H/DescendantFonts[<</Type/Font/Subtype"
    "/CIDFontType0/BaseFont/STSong-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)/Supplement 2>>/DW 1000"
    "/FontDescriptor<</Type/FontDescriptor/FontName/STSong-Light/Flags 4/FontBBox[-25 -254 1000 880]/ItalicAngle 0"
    "/Ascent 880/Descent -120/CapHeight 880/StemV 80>>>>]>>"
)


def chinese(text: str, x: float, y: float) -> str:
    """Return the operators that show a Chinese text at a place."""
    return show(text, x, y, font="C").replace(f"({text})", f"<{text.encode('utf-16-be').hex()}>")


async def sign(page: Page, sandbox: Sandbox, service: ScriptedServer) -> None:
    """Sign the contract when the events of its seal and its start have arrived."""
    await service.wait_for_requests(2)
    async with AsyncSession("DEMO0001", base_url=sandbox.base_url) as session:
        link = await session.contracts.page_url(sandbox.contracts[0].contract_id, "13900139000", no_login=True)
    await page.goto(link.page_url)
    for box in await page.get_by_role("checkbox").all():
        await box.check()
    await page.locator("button.main").click()
    await page.wait_for_load_state("networkidle")  # the pictures of the pages are there, before the sandbox ends


async def test_the_first_lines_run(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract is sealed at once, signed in the browser, waited for and downloaded, with marks at its keywords."""
    monkeypatch.chdir(tmp_path)
    text = chinese("本合同由甲方盖章、乙方签字。", 60, 700) + chinese("甲方盖章：          乙方签字：", 60, 300)
    (tmp_path / "劳动合同.pdf").write_bytes(pdf([text], fonts={"C": FONT}))
    [platform] = blocks(GUIDE, "json")
    code = blocks(GUIDE, "python")[0]
    names: dict[str, Any] = {}
    async with (
        ScriptedServer(acknowledge) as service,
        Sandbox(fixtures=json.loads(platform.replace(SERVICE, service.origin))) as sandbox,
    ):
        monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", "DEMO0001")
        monkeypatch.setenv("KFQ_BASE_URL", sandbox.base_url)
        await asyncio.gather(run(code, names), sign(page, sandbox, service))
    [signed] = (tmp_path / "已签署").iterdir()
    assert signed.name == "劳动合同.pdf"
    [first] = PdfReader(signed).pages
    marks: Any = first["/Annots"]
    corners = [[float(edge) for edge in mark.get_object()["/Rect"][:2]] for mark in marks]
    assert corners == [pytest.approx(corner, abs=0.1) for corner in ([60, 254.16], [60 + 15 * 10 + 60, 280.14])]
