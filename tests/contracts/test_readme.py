"""The guide to many contracts: its code runs against the sandbox."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

import kfq_async
from contract_platform import text_pdf
from guide_code import blocks, guide, run
from kfq_async import ContractStatus, ContractUser
from kfq_async.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = guide("contracts")
PLATFORM = blocks(GUIDE, "json")[0]
BASE_URL, SERVICE = "http://127.0.0.1:8899/resrun-paas", "http://127.0.0.1:8000"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with the PDF that the guide uploads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "劳动合同.pdf").write_bytes(text_pdf(1, "SIGNHERE"))
    return tmp_path


@pytest.mark.usefixtures("folder")
async def test_the_code_runs() -> None:
    """The drafts of the guide are sound, one is found by its reference, and without a lane some are not sound."""
    names: dict[str, Any] = {"kfq": kfq_async}
    names |= {"li": ContractUser.mobile("李四", "13800138000"), "zhang": ContractUser.mobile("张三", "13900139000")}

    async def receive(request: web.Request) -> web.Response:
        reply = await names["receiver"].receive(await request.read(), request.headers, request.raw_path)
        return web.Response(status=reply.status, body=reply.body, headers={"Content-Type": reply.content_type})

    service = web.Application()
    service.router.add_post("/events", receive)
    async with TestServer(service) as server:
        fixtures = json.loads(PLATFORM.replace(SERVICE, str(server.make_url("")).rstrip("/")))
        async with Sandbox(fixtures=fixtures, rate_limit_form="none", retry_after=[0.05] * 5) as sandbox:
            names["PUBLIC_KEY"] = sandbox.public_key
            _, follow, first, second, third, last = (
                code.replace(BASE_URL, sandbox.base_url) for code in blocks(GUIDE, "python")
            )
            sandbox.inject_faults("event-hold")
            await run(first, names)
            async with names["session"]:
                await run(second, names)
                assert names["tasks"].status == ContractStatus.SIGNING
                await run(third, names)
                for event in sandbox.events:
                    sandbox.release(event.notification_id)
                await run(follow, names)
                assert await names["find"]("PO-42") == names["drafts"][0].contract_id
                await run(last, names)
                contract_id = names["drafts"][1].contract_id
                await names["session"].contracts.recall(contract_id)
                assert await names["follow"](names["session"], contract_id) == [ContractStatus.RECALLED]
            await names["events"].aclose()
            await names["receiver"].aclose()
