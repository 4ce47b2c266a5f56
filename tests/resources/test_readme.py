"""The guide to contracts: its code runs against the sandbox."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import kfq_async
from guide_code import blocks, guide, run, section
from kfq_async import CallbackType, ContractStatus
from kfq_async.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = guide("resources")
CONTRACT = GUIDE.partition("\n## Identification links\n")[0]
BASE_URL, SERVICE = "http://127.0.0.1:8899/resrun-paas", "http://127.0.0.1:8000"


def one_page_pdf() -> bytes:
    """Return a PDF of one empty page."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>",
    ]
    pdf, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(pdf))
        pdf += b"%d 0 obj%sendobj\n" % (number, content)
    entries = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    table = b"xref\n0 4\n0000000000 65535 f \n" + entries
    return pdf + table + b"trailer<</Size 4/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(pdf)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the PDF that the guide uploads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contract.pdf").write_bytes(one_page_pdf())
    return tmp_path


@pytest.mark.usefixtures("folder")
async def test_the_code_runs() -> None:
    """The contract of the guide is completed and downloaded, and its events arrive."""
    events: list[tuple[str, str]] = []
    completed = asyncio.Event()
    names: dict[str, Any] = {}

    async def record(_contract_id: str, callback_type: str, status: str, *, once_per: str) -> None:
        assert once_per
        events.append((callback_type, status))
        if status == ContractStatus.COMPLETED:
            completed.set()

    async def receive(request: web.Request) -> web.Response:
        reply = await names["receiver"].receive(await request.read(), request.headers, request.raw_path)
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})

    service = web.Application()
    service.router.add_post("/events", receive)
    [platform] = blocks(CONTRACT, "json")
    assert SERVICE in platform
    async with TestServer(service) as server:
        fixtures = json.loads(platform.replace(SERVICE, str(server.make_url("")).rstrip("/")))
        async with Sandbox(fixtures=fixtures) as sandbox:
            names |= {"record": record, "PUBLIC_KEY": sandbox.public_key}
            first, *others = blocks(CONTRACT, "python")
            assert BASE_URL in first
            await run(first.replace(BASE_URL, sandbox.base_url), names)
            async with names["session"]:
                for code in others:
                    await run(code, names)
            await completed.wait()
        await names["receiver"].aclose()
    assert names["path"].name == "采购合同-PO42.pdf"
    assert events == [
        (CallbackType.SEND_SIGNING, ContractStatus.SIGNING),
        (CallbackType.SUBMIT_APPROVE, ContractStatus.SIGNING),
        (CallbackType.SUBMIT_SIGN, ContractStatus.COMPLETED),
    ]


async def test_other_operations() -> None:
    """The other sections request a link, and send an operation and a field that the package does not know."""
    names: dict[str, Any] = {"request": kfq_async.CorpIdentLinkRequest(account_name="13800138000")}
    [identification] = blocks(section(GUIDE, "## Identification links"), "python")
    [others] = blocks(section(GUIDE, "## Other operations"), "python")
    assert 'AsyncSession("PV9LQWZA")' in identification
    async with Sandbox(strict=False) as sandbox:
        await run(identification.replace('"PV9LQWZA"', f'"PV9LQWZA", base_url="{sandbox.base_url}"'), names)
        assert names["link"].auth_url.startswith("http")
        async with kfq_async.AsyncSession(sandbox.token, base_url=sandbox.base_url) as names["session"]:
            await run(others, names)
        assert [order.order_no for order in sandbox.orders] == [
            names["link"].order_no,
            names["response"].result.order_no,
        ]
