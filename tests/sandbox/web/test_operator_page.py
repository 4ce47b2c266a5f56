"""Page behind authUrl: its form and results, access to it, and the redirects of its buttons."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from kfq_async import AsyncSession, CorpIdentConfig, CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.sandbox import Sandbox
from kfq_async.sandbox.web.operator_page import operator_page
from orders import COMPANY, NOW, order_of
from pages import PAGES, ParsedPage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kfq_async.sandbox import Order

CALLBACK_PAGE = "http://127.0.0.1:8000/corp/callback?row=1"


def test_form_is_filled_in_and_locked() -> None:
    """The form holds the request's values, and unmodifiable fields are read-only, a choice included."""
    fields = ParsedPage(PAGES["form"]).fields
    assert {name: field.get("value") for name, field in fields.items() if "readonly" in field} == {
        "companyName": "某某科技有限公司",
        "companyType": "企业",
        "idCard": "110101199001011234",
    }
    assert fields["creditCode"]["value"] == "91110000MA01234567"
    assert fields["mobile"]["value"] == "13900139000"
    assert fields["code"] == {"type": "hidden", "name": "code", "value": "page-secret"}
    assert "13800138000" in ParsedPage(PAGES["form"]).text


def test_form_offers_the_allowed_methods() -> None:
    """The form offers the allowed methods in the order given, and all buttons."""
    parsed = ParsedPage(PAGES["form"])
    assert parsed.choices == {"companyVerifyMethod": ["letter", "invite"], "personVerifyMethod": ["face", "mobile"]}
    assert parsed.buttons == ["complete", "abandon", "review", "expire"]
    assert "开放签未公开真实页面" in PAGES["form"]
    assert "仅沙箱可用" in parsed.text


def test_form_in_progress() -> None:
    """An order in progress can be completed, abandoned and expired, but not put into review a second time."""
    parsed = ParsedPage(PAGES["in progress"])
    assert parsed.buttons == ["complete", "abandon", "expire"]
    assert "认证中" in parsed.text


def test_form_of_an_empty_request() -> None:
    """An empty request makes an empty form without locked fields."""
    fields = ParsedPage(operator_page(order_of({}))).fields
    assert fields["companyName"]["value"] == ""
    assert not [field for field in fields.values() if "readonly" in field]
    assert "经办人账号" not in operator_page(order_of({}))


def test_form_shows_unknown_unmodifiable_params() -> None:
    """A name in ``unmodifiableParams`` that is no field of the page is shown to the developer."""
    request = {"corpIdentConfig": {"unmodifiableParams": ["companyname"]}}
    assert "unmodifiableParams 包含本页没有的字段：companyname" in operator_page(order_of(request))


def test_form_tells_whether_there_is_a_licence() -> None:
    """The page tells whether the request contained a business licence, without its content."""
    assert "未提供" in operator_page(order_of({}))
    page = operator_page(order_of({"corpIdentInfo": {"license": "aGVsbG8="}}))
    assert "已随请求提供" in page
    assert "aGVsbG8" not in page


@pytest.mark.parametrize(
    ("status", "text"), [(1, "企业已完成实名认证。"), (3, "订单已撤销"), (4, "此链接不能再用于认证")]
)
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (None, "请求未设置 callbackPage"),
        ("javascript:alert(1)", "不是 http 或 https 地址"),
        ("http://h/", "订单已结束"),
    ],
)
def test_result(status: int, text: str, target: str | None, reason: str) -> None:
    """The page of a final order shows the result and why the browser stays here, without any control."""
    page = operator_page(order_of({"callbackPage": target}, status=status, verified_at=NOW if status == 1 else None))
    assert text in page
    assert reason in page
    assert {"form", "button", "input", "a"}.isdisjoint(ParsedPage(page).tags)
    assert ("2026-04-01 10:33:22" in page) == (status == 1)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


async def order(sandbox: Sandbox, **fields: Any) -> Order:
    """Make an order with these request fields, and return it."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await session.auth.corp_ident_link(
            CorpIdentLinkRequest(
                corp_ident_info=CorpIdentInfo(company_name="某某科技有限公司", credit_code="91110000MA01234567"),
                **fields,
            )
        )
    return sandbox.orders[-1]


def form_url(sandbox: Sandbox, order: Order) -> str:
    """Return the URL to which the form is posted."""
    return f"{sandbox.origin}/sandbox/identify/{order.order_no}"


def page_path(order: Order) -> str:
    """Return the path of the order's page, with its secret."""
    return f"/sandbox/identify/{order.order_no}?code={order.code}"


async def press(
    http: aiohttp.ClientSession, sandbox: Sandbox, order: Order, action: str, **fields: str
) -> tuple[int, str | None]:
    """Press a button; return the status and the target of the redirect."""
    form = {"code": order.code, "action": action, **fields}
    async with http.post(form_url(sandbox, order), data=form, allow_redirects=False) as response:
        assert "Content-Security-Policy" in response.headers
        assert response.headers["Referrer-Policy"] == "same-origin"
        return response.status, response.headers.get("Location")


@pytest.mark.parametrize(("action", "status"), [("complete", 1), ("review", 2), ("abandon", 3)])
async def test_buttons_redirect_to_the_callback_page(
    http: aiohttp.ClientSession, sandbox: Sandbox, action: str, status: int
) -> None:
    """Completing, review and abandoning change the order and redirect to ``callbackPage`` unchanged."""
    made = await order(sandbox, callback_page=CALLBACK_PAGE)
    assert await press(http, sandbox, made, action) == (303, CALLBACK_PAGE)
    assert [order.status for order in sandbox.orders] == [status]


@pytest.mark.parametrize("target", [None, "", "javascript:alert(1)", "//elsewhere.example/", "nothing", "http://a;b/"])
@pytest.mark.parametrize("action", ["complete", "abandon"])
async def test_buttons_without_a_usable_callback_page(
    http: aiohttp.ClientSession, target: str | None, action: str
) -> None:
    """Without a safe ``callbackPage`` the page itself shows the result."""
    async with Sandbox(strict=False) as sandbox:
        made = await order(sandbox, callback_page=target)
        assert await press(http, sandbox, made, action) == (303, page_path(made))
        async with http.get(sandbox.origin + page_path(made)) as response:
            page = await response.text()
    assert {"complete": "企业已完成实名认证", "abandon": "订单已撤销"}[action] in page
    assert ("callbackPage 不是 http 或 https 地址" in page) == bool(target)
    assert "<form" not in page


async def test_expiry_does_not_redirect_to_the_callback_page(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """An order that expires shows its result on this page."""
    made = await order(sandbox, callback_page=CALLBACK_PAGE)
    assert await press(http, sandbox, made, "expire") == (303, page_path(made))
    async with http.get(sandbox.origin + page_path(made)) as response:
        assert "订单已失效" in await response.text()


async def test_submitted_fields_are_kept(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Submitted fields and methods are kept with the order, and a locked field keeps its value."""
    made = await order(sandbox, corp_ident_config=CorpIdentConfig(unmodifiable_params=["creditCode"]))
    fields = {"companyName": "乙公司", "creditCode": "forged", "companyVerifyMethod": "letter"}
    await press(http, sandbox, made, "complete", **fields)
    (after,) = sandbox.orders
    form_data = orjson.loads(after.form_data)
    assert form_data["corpIdentInfo"]["companyName"] == after.company_name == "乙公司"
    assert form_data["corpIdentInfo"]["creditCode"] == COMPANY["creditCode"]
    assert form_data["companyVerifyMethod"] == "letter"
    assert after.verified_at is not None


@pytest.mark.parametrize("action", ["complete", "review", "abandon"])
async def test_double_click(http: aiohttp.ClientSession, sandbox: Sandbox, action: str) -> None:
    """A double click acts once and redirects to the same page."""
    made = await order(sandbox, callback_page=CALLBACK_PAGE, auth_callback_url="http://127.0.0.1:9/")
    assert await press(http, sandbox, made, action) == (303, CALLBACK_PAGE)
    assert await press(http, sandbox, made, action) == (303, CALLBACK_PAGE)
    assert len(await sandbox.wait_for_notifications()) == 1


async def test_button_of_a_stale_page(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A button of a stale page does not change a final order, and leads to its result."""
    made = await order(sandbox, callback_page=CALLBACK_PAGE)
    sandbox.abandon(made.order_no)
    assert await press(http, sandbox, made, "complete") == (303, page_path(made))
    assert [order.status for order in sandbox.orders] == [3]


async def test_unknown_action(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A form with an unknown action is refused and changes nothing."""
    made = await order(sandbox)
    for action in ("", "delete", "identified"):
        assert await press(http, sandbox, made, action) == (400, None)
    assert [order.status for order in sandbox.orders] == [None]


async def test_form_needs_the_secret(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A form without the order's secret does nothing, even if the URL contains it."""
    made, other = await order(sandbox), await order(sandbox)
    url = form_url(sandbox, made)
    for form in ({}, {"code": ""}, {"code": "x"}, {"code": other.code}, {"kode": made.code}):
        async with http.post(f"{url}?code={made.code}", data={"action": "complete", **form}) as response:
            assert response.status == 404
            assert "链接无效" in await response.text()
    async with http.post(url, json={"action": "complete", "code": made.code}) as response:
        assert response.status == 404
    async with http.post(f"{url}0", data={"action": "complete", "code": made.code}) as response:
        assert response.status == 404
    assert [order.status for order in sandbox.orders] == [None, None]


async def test_large_form(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A form of several megabytes is refused."""
    made = await order(sandbox)
    form = io.BytesIO(f"code={made.code}&action=complete&name={'x' * 2_000_000}".encode())
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with http.post(form_url(sandbox, made), data=form, headers=headers) as response:
        assert response.status == 413
    assert [order.status for order in sandbox.orders] == [None]


@pytest.mark.parametrize(
    ("target", "sources"),
    [
        (None, "'self'"),
        ("javascript:alert(1)", "'self'"),
        ("https://your-domain.com/corp/callback", "'self' https://your-domain.com"),
        (CALLBACK_PAGE, "'self' http://127.0.0.1:8000 http://localhost:* http://127.0.0.1:*"),
    ],
)
async def test_policy_allows_the_callback_page(http: aiohttp.ClientSession, target: str | None, sources: str) -> None:
    """The policy lets the form lead to the sandbox and to ``callbackPage``, and nowhere else."""
    async with Sandbox(strict=False) as sandbox:
        made = await order(sandbox, callback_page=target)
        async with http.get(sandbox.origin + page_path(made)) as response:
            assert f"form-action {sources}; frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
