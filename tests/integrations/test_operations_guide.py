"""The guide to web frameworks: its second half, on handlers by kind, models, hooks, logs and tokens, runs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import kfq_async
from guide_code import blocks, guide, run
from senders import make_body
from web_servers import aiohttp_serving, uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.sandbox import Sandbox

GUIDE = guide("integrations")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> Iterator[None]:
    """The settings of the guide's services, and the logger as it was."""
    monkeypatch.setenv("KFQ_APP_AUTH_TOKEN", sandbox.token)
    monkeypatch.setenv("KFQ_BASE_URL", sandbox.base_url)
    logger = logging.getLogger("kfq_async")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


async def test_code(sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Every block runs; both services answer, a notification reaches the router, and the log is JSON."""
    names: dict[str, Any] = {"__name__": "guide"}
    for code in blocks(GUIDE, "python")[3:]:
        await run(code, names)
    url = names["urls"].bind(kfq_async.CorpIdentLinkRequest(client_request_id="row-1")).auth_callback_url
    path = url.removeprefix("https://your-domain.com")
    async with aiohttp.ClientSession() as http:
        with uvicorn_serving(names["fastapi_app"]) as origin:
            async with http.post(f"{origin}/links", json={"account_name": "13800138000"}) as response:
                assert (await response.json())["orderNo"] == sandbox.orders[-1].order_no
            async with http.post(f"{origin}/links", json={"accountName": 1}) as response:
                assert response.status == 422
        with aiohttp_serving(names["aiohttp_app"]) as origin:
            for status in (1, 2):
                async with http.post(f"{origin}{path}", data=make_body(orderStatus=status)) as response:
                    assert (response.status, await response.text()) == (200, "success")
    assert names["response"].result.order_no == sandbox.orders[0].order_no
    output = capsys.readouterr()
    assert "identified: row-1\nstatus: 2\n" in output.out
    (line,) = [json.loads(line) for line in output.err.splitlines() if "unique_code" in line]
    assert (line["level"], line["operation"], line["attempts"]) == ("DEBUG", "POST /auth/corp/ident/link", 1)
    handled = [json.loads(line) for line in output.err.splitlines() if "notification handled" in line]
    assert [(line["client_request_id"], line["status"], line["outcome"]) for line in handled] == [
        ("row-1", "1", "handled"),
        ("row-1", "2", "handled"),
    ]
    assert {datetime.fromisoformat(line["time"]).tzinfo for line in handled} == {UTC}
    await names["session"].aclose()
