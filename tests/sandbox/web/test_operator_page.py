"""The page behind authUrl over HTTP: who may use it, what its buttons do, and where they lead."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from kfq_async import AsyncSession, CorpIdentConfig, CorpIdentInfo, CorpIdentLinkRequest
from orders import COMPANY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.sandbox import Order, Sandbox

BACK = "http://127.0.0.1:8000/corp/callback?row=1"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without a screen."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


async def order(sandbox: Sandbox, **fields: Any) -> Order:
    """Make an order whose request says this."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await session.auth.corp_ident_link(
            CorpIdentLinkRequest(
                corp_ident_info=CorpIdentInfo(company_name="某某科技有限公司", credit_code="91110000MA01234567"),
                **fields,
            )
        )
    return sandbox.orders[-1]


def page_of(sandbox: Sandbox, order: Order) -> str:
    """Return where the order's form is sent."""
    return f"{sandbox.origin}/sandbox/identify/{order.order_no}"


async def press(
    http: aiohttp.ClientSession, sandbox: Sandbox, order: Order, action: str, **fields: str
) -> tuple[int, str | None]:
    """Press a button; return the status and where it leads."""
    form = {"code": order.code, "action": action, **fields}
    async with http.post(page_of(sandbox, order), data=form, allow_redirects=False) as response:
        assert "Content-Security-Policy" in response.headers
        assert response.headers["Referrer-Policy"] == "no-referrer"
        return response.status, response.headers.get("Location")


@pytest.mark.parametrize(("action", "status"), [("complete", 1), ("review", 2), ("abandon", 3)])
async def test_buttons_lead_back(http: aiohttp.ClientSession, sandbox: Sandbox, action: str, status: int) -> None:
    """Completing, review and abandoning change the order and lead to ``callbackPage`` as it was given."""
    made = await order(sandbox, callback_page=BACK)
    assert await press(http, sandbox, made, action) == (303, BACK)
    assert [order.status for order in sandbox.orders] == [status]


@pytest.mark.parametrize("target", [None, "", "javascript:alert(1)", "//elsewhere.example/", "nothing", "http://a;b/"])
@pytest.mark.parametrize("action", ["complete", "abandon"])
async def test_buttons_without_a_way_back(
    http: aiohttp.ClientSession, sandbox: Sandbox, target: str | None, action: str
) -> None:
    """Without a ``callbackPage`` that a browser should follow, the page itself shows what happened."""
    made = await order(sandbox, callback_page=target)
    shown = f"/sandbox/identify/{made.order_no}?code={made.code}"
    assert await press(http, sandbox, made, action) == (303, shown)
    async with http.get(sandbox.origin + shown) as response:
        page = await response.text()
    assert {"complete": "企业已完成实名认证", "abandon": "订单已撤销"}[action] in page
    assert ("callbackPage 不是 http 或 https 地址" in page) == bool(target)
    assert "<form" not in page


async def test_expiry_leads_nowhere(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """An order that expires under the operator's hands shows so, and does not lead back."""
    made = await order(sandbox, callback_page=BACK)
    shown = f"/sandbox/identify/{made.order_no}?code={made.code}"
    assert await press(http, sandbox, made, "expire") == (303, shown)
    async with http.get(sandbox.origin + shown) as response:
        assert "订单已失效" in await response.text()


async def test_what_was_typed(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """What the operator typed and chose is kept with the order, and a locked field stays as it was."""
    made = await order(sandbox, corp_ident_config=CorpIdentConfig(unmodifiable_params=["creditCode"]))
    typed = {"companyName": "乙公司", "creditCode": "forged", "companyVerifyMethod": "letter"}
    await press(http, sandbox, made, "complete", **typed)
    (after,) = sandbox.orders
    answers = orjson.loads(after.answers)
    assert answers["corpIdentInfo"]["companyName"] == after.company_name == "乙公司"
    assert answers["corpIdentInfo"]["creditCode"] == COMPANY["creditCode"]
    assert answers["companyVerifyMethod"] == "letter"
    assert after.verified_at is not None


@pytest.mark.parametrize("action", ["complete", "review", "abandon"])
async def test_pressed_twice(http: aiohttp.ClientSession, sandbox: Sandbox, action: str) -> None:
    """A double click counts once and leads to the same place."""
    made = await order(sandbox, callback_page=BACK, auth_callback_url="nowhere")
    assert await press(http, sandbox, made, action) == (303, BACK)
    assert await press(http, sandbox, made, action) == (303, BACK)
    assert len(await sandbox.settled()) == 1


async def test_pressed_too_late(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A button of an old window does nothing to an order that is final, and shows what became of it."""
    made = await order(sandbox, callback_page=BACK)
    sandbox.abandon(made.order_no)
    shown = f"/sandbox/identify/{made.order_no}?code={made.code}"
    assert await press(http, sandbox, made, "complete") == (303, shown)
    assert [order.status for order in sandbox.orders] == [3]


async def test_no_such_button(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A form without one of the buttons is refused and changes nothing."""
    made = await order(sandbox)
    for action in ("", "delete", "identified"):
        assert await press(http, sandbox, made, action) == (400, None)
    assert [order.status for order in sandbox.orders] == [None]


async def test_needs_the_secret(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Without the order's own secret in the form nothing happens, whatever stands in the address."""
    made, other = await order(sandbox), await order(sandbox)
    url = page_of(sandbox, made)
    for form in ({}, {"code": ""}, {"code": "x"}, {"code": other.code}, {"kode": made.code}):
        async with http.post(f"{url}?code={made.code}", data={"action": "complete", **form}) as response:
            assert response.status == 404
            assert "链接无效" in await response.text()
    async with http.post(url, json={"action": "complete", "code": made.code}) as response:
        assert response.status == 404
    async with http.post(f"{url}0", data={"action": "complete", "code": made.code}) as response:
        assert response.status == 404
    assert [order.status for order in sandbox.orders] == [None, None]


async def test_too_large(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A form of several megabytes is refused."""
    made = await order(sandbox)
    form = io.BytesIO(f"code={made.code}&action=complete&name={'x' * 2_000_000}".encode())
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    async with http.post(page_of(sandbox, made), data=form, headers=kind) as response:
        assert response.status == 413
    assert [order.status for order in sandbox.orders] == [None]


@pytest.mark.parametrize(
    ("target", "sources"),
    [
        (None, "'self'"),
        ("javascript:alert(1)", "'self'"),
        ("https://your-domain.com/corp/callback", "'self' https://your-domain.com"),
        (BACK, "'self' http://127.0.0.1:8000 http://localhost:* http://127.0.0.1:*"),
    ],
)
async def test_where_forms_may_lead(
    http: aiohttp.ClientSession, sandbox: Sandbox, target: str | None, sources: str
) -> None:
    """The policy lets the form lead to the sandbox and by way of ``callbackPage``, and nowhere else."""
    made = await order(sandbox, callback_page=target)
    async with http.get(f"{page_of(sandbox, made)}?code={made.code}") as response:
        assert f"form-action {sources}; frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
