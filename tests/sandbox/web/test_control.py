"""Routes by which scripts act on orders."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.sandbox import Sandbox


async def order(sandbox: Sandbox, hook: str | None = None) -> str:
    """Create an order, and return its number."""
    request = CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(company_name="甲"), auth_callback_url=hook)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return (await session.auth.corp_ident_link(request)).order_no


async def post(sandbox: Sandbox, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """Send a request below the path of the orders, and return status and JSON of the response."""
    url = f"{sandbox.origin}/sandbox/orders/{path}"
    async with aiohttp.ClientSession() as http, http.post(url, **options) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        return response.status, await response.json()


async def test_actions(sandbox: Sandbox) -> None:
    """Each action changes the order as the operator or the platform would, once."""
    for actions in ([("review", 2), ("complete", 1)], [("abandon", 3)], [("expire", 4)]):
        order_no = await order(sandbox)
        for action, status in actions:
            response = await post(sandbox, f"{order_no}/{action}", json={})
            assert response == (200, {"orderNo": order_no, "orderStatus": status})
            assert sandbox.orders[-1].status == status
        status, document = await post(sandbox, f"{order_no}/complete", json={})
        assert status == 409
        assert f"cannot complete order {order_no}" in document["error"]


async def test_unknown_orders(sandbox: Sandbox) -> None:
    """An order that does not exist, or has no notification, is not found."""
    assert await post(sandbox, "N1/complete", json={}) == (404, {"error": "order N1 does not exist"})
    order_no = await order(sandbox)
    status, document = await post(sandbox, f"{order_no}/resend", json={"fault": None})
    assert status == 404
    assert document["error"] == f"order {order_no} does not exist, or has no notification yet"


async def test_resend() -> None:
    """The newest notification is sent once more, with a fault on request."""
    async with Sandbox(retry_after=[]) as sandbox:
        order_no = await order(sandbox, "http://127.0.0.1:1/hook")
        for action in ("review", "complete"):
            await post(sandbox, f"{order_no}/{action}", json={})
        for fault in (None, "callback-corrupt"):
            response = await post(sandbox, f"{order_no}/resend", json={"fault": fault})
            assert response == (200, {"orderNo": order_no, "orderStatus": 1})
        await sandbox.wait_for_notifications()
        first, newest = sandbox.notifications
    assert "callback-corrupt" not in {attempt.fault for attempt in first.attempts}
    assert "callback-corrupt" in {attempt.fault for attempt in newest.attempts}


@pytest.mark.parametrize("body", [{}, [], None, {"fault": 1}])
async def test_invalid_bodies(body: object, sandbox: Sandbox) -> None:
    """An invalid body is refused with an example."""
    status, document = await post(sandbox, "N1/resend", json=body)
    assert status == 400
    assert '{"fault": "callback-duplicate"}' in document["error"]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("explode", "fault 'explode' does not exist; the kinds are refuse, "),
        ("502", "fault '502' does not apply to notifications; those that do are callback-duplicate, "),
    ],
)
async def test_invalid_faults(fault: str, problem: str, sandbox: Sandbox) -> None:
    """A fault that does not apply is refused with those that do."""
    status, document = await post(sandbox, "N1/resend", json={"fault": fault})
    assert status == 400
    assert problem in document["error"]


@pytest.mark.parametrize("action", ["complete", "resend"])
async def test_forms(action: str, sandbox: Sandbox) -> None:
    """Only the JSON content type is accepted, which a form of a page from another origin cannot send."""
    order_no = await order(sandbox)
    status, document = await post(sandbox, f"{order_no}/{action}", data={"fault": ""})
    assert status == 400
    assert "Content-Type must be application/json" in document["error"]
    assert sandbox.orders[0].status is None
