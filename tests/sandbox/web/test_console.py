"""Console: its lists and states, access to it, and its buttons."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from contract_platform import contract_fixtures, start_contract
from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.sandbox import Sandbox
from orders import NOW
from pages import ParsedPage, attempt, console_of, event, notification
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from kfq_async.sandbox import DeliveryAttempt


@pytest.mark.parametrize(
    ("attempts", "due_at", "texts"),
    [
        ((attempt(),), None, ["已确认", "success", "12 ms"]),
        ((), NOW + 60, ["尚未发送", "下次发送 10:34:22"]),
        (
            (attempt(http_status=None, response_body="", error="TimeoutError", acknowledged=False),),
            None,
            ["已停止", "无响应", "TimeoutError"],
        ),
        (
            (attempt(http_status=None, response_body="", error="ClientConnectorError: Cannot …", acknowledged=False),),
            None,
            ["无响应", "<code>连接被拒绝，或无法到达</code>"],
        ),
        (
            (attempt(http_status=503, response_body="later", acknowledged=False),),
            NOW,
            ["HTTP 503", "later", "下次发送"],
        ),
        ((attempt(http_status=404),), None, ["已确认", "HTTP 404", "请只返回 HTTP 200"]),
        ((attempt(fault="callback-duplicate"),), None, ["重复"]),
        ((attempt(fault="callback-delay"),), None, ["延迟"]),
        ((attempt(fault="callback-reorder"),), None, ["乱序"]),
        ((attempt(fault="callback-corrupt"),), None, ["篡改", "接收方接受了被篡改的通知", "已停止"]),
        ((attempt(fault="callback-corrupt", http_status=401, acknowledged=False),), None, ["篡改", "HTTP 401"]),
    ],
)
def test_states_of_notifications_and_attempts(
    attempts: tuple[DeliveryAttempt, ...], due_at: float | None, texts: list[str]
) -> None:
    """The console shows the state of a notification and of each attempt."""
    page = console_of(notification(attempts, due_at=due_at))
    assert [text for text in texts if text not in page] == []


def test_warning_about_an_acknowledged_forgery_only() -> None:
    """The warning about a corrupted notification is shown only if a receiver acknowledged it."""
    attempts = (attempt(fault="callback-corrupt", http_status=401, acknowledged=False), attempt())
    assert "接收方接受了被篡改的通知" not in console_of(notification(attempts))


def test_reorder_button_needs_two_notifications() -> None:
    """The button that sends the two newest notifications in reverse order needs two of them."""
    assert "reorder" not in ParsedPage(console_of(notification())).buttons
    assert "reorder" in ParsedPage(console_of(notification(), notification())).buttons


def test_schedule() -> None:
    """The console shows the retry schedule, and labels it as an assumption."""
    assert "0.5、2" in console_of()
    assert "不重试" in console_of(retry_after=())
    assert "沙箱的假设" in console_of()


def test_orders_without_a_callback_url() -> None:
    """An order without ``authCallbackUrl`` is marked, because no notification is sent for it."""
    assert "未设置 authCallbackUrl" in console_of()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    """A receiver that acknowledges every notification."""

    async def acknowledge(_number: int, _seen: ReceivedRequest) -> bytes:
        return http_response(b"success")

    async with ScriptedServer(acknowledge) as receiver:
        yield receiver


async def completed(sandbox: Sandbox, url: str, name: str = "某某科技有限公司") -> str:
    """Make an order, complete it, and return the id of its notification once it is acknowledged or given up."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        info = CorpIdentInfo(company_name=name)
        link = await session.auth.corp_ident_link(CorpIdentLinkRequest(corp_ident_info=info, auth_callback_url=url))
    sandbox.complete(link.order_no)
    return (await sandbox.wait_for_notifications())[-1].notification_id


async def show(http: aiohttp.ClientSession, sandbox: Sandbox, **options: Any) -> tuple[int, str]:
    """Open the console; return the status and the page."""
    async with http.get(f"{sandbox.origin}/sandbox/", **options) as response:
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        return response.status, await response.text()


async def form_token(http: aiohttp.ClientSession, sandbox: Sandbox) -> str:
    """Return the token in the console's forms."""
    _, page = await show(http, sandbox)
    token: str = re.findall('name="token" value="([^"]+)"', page)[0]
    return token


async def press(http: aiohttp.ClientSession, sandbox: Sandbox, token: str | None = None, **form: str) -> int:
    """Press a button of the console, and return the status."""
    form["token"] = await form_token(http, sandbox) if token is None else token
    async with http.post(f"{sandbox.origin}/sandbox/", data=form, allow_redirects=False) as response:
        assert response.headers.get("Location") == ("/sandbox/" if response.status == 303 else None)
        return response.status


async def test_empty(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """The console of a new sandbox shows appId and key, four empty lists and no button."""
    status, page = await show(http, sandbox)
    assert status == 200
    assert sandbox.app_id in page
    assert sandbox.public_key in page
    assert page.count("暂无记录。") == 4
    assert 'method="post"' not in page


async def test_path_without_a_slash(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """The path without the trailing slash redirects to the console."""
    async with http.get(f"{sandbox.origin}/sandbox") as response:
        assert response.url.path == "/sandbox/"
        assert "沙箱控制台" in await response.text()


async def test_lists(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """The console lists orders with their pages, contracts, and notifications with the receiver's responses."""
    await completed(sandbox, f"{receiver.origin}/hook")
    draft = {
        "send": "0",
        "operator": {"name": "a", "contactType": "MOBILE", "contact": "13800138000"},
        "signReId": "l",
        "signerList": [],
        "appAuthToken": sandbox.token,
        "uniqueCode": "u",
    }
    url = f"{sandbox.base_url}/kaifangqian/openAPI/V2/contract/draft"
    async with http.post(url, data=orjson.dumps(draft)) as response:
        assert response.status == 200
    _, page = await show(http, sandbox)
    (order,), (contract,) = sandbox.orders, sandbox.contracts
    for text in (
        order.company_name,
        f"/sandbox/identify/{order.order_no}?code={order.code}",
        contract.contract_id,
        f"POST {receiver.origin}/hook",
        "已确认",
        "HTTP 200",
    ):
        assert text in page
    assert sandbox.token not in page


async def test_newest_hundred(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """At most the newest hundred records of a kind are listed, beside their total number."""
    for number in range(102):
        await completed(sandbox, "https://your-domain.com/", f"公司{number:03}")
    _, page = await show(http, sandbox)
    assert page.count("最新 100 / 共 102") == 2
    assert "公司101" in page
    assert "公司001" not in page


@pytest.mark.parametrize(("action", "requests"), [("resend", 1), ("duplicate", 2), ("corrupt", 1), ("delay", 1)])
async def test_buttons_of_a_notification(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer, action: str, requests: int
) -> None:
    """Each button sends the notification once more with its fault, and the next page shows the response."""
    notification_id = await completed(sandbox, receiver.origin)
    assert await press(http, sandbox, action=action, notification=notification_id, seconds="0.05") == 303
    assert len(receiver.requests) == 1 + requests
    texts = {"resend": "HTTP 200", "duplicate": "重复", "corrupt": "接收方接受了被篡改的通知", "delay": "延迟"}
    assert texts[action] in (await show(http, sandbox))[1]


async def test_reorder(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """The two newest notifications are sent once more, newest first."""
    for name in "甲乙丙":
        await completed(sandbox, receiver.origin, name)
    assert await press(http, sandbox, action="reorder") == 303
    assert [orjson.loads(seen.body)["companyName"] for seen in receiver.requests] == ["甲", "乙", "丙", "丙", "乙"]


async def test_page_does_not_wait_for_a_long_delay(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer
) -> None:
    """A notification that is delayed by an hour does not delay the page."""
    notification_id = await completed(sandbox, receiver.origin)
    async with asyncio.timeout(10):
        assert await press(http, sandbox, action="delay", notification=notification_id, seconds="3600") == 303


@pytest.mark.parametrize("retry_after", [(), (3600.0,)])
async def test_unacknowledged_notification(http: aiohttp.ClientSession, retry_after: tuple[float, ...]) -> None:
    """A notification without an acknowledgement is shown as given up, or with the time of its next attempt."""
    async with Sandbox(retry_after=retry_after) as sandbox:
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            request = CorpIdentLinkRequest(account_name="13800138000", auth_callback_url="http://127.0.0.1:1/")
            link = await session.auth.corp_ident_link(request)
        sandbox.complete(link.order_no)
        assert "尚未发送" in (await show(http, sandbox))[1] or sandbox.notifications[0].attempts
        while not sandbox.notifications[0].scheduled_attempts:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.005)
        _, page = await show(http, sandbox)
    assert "无响应" in page
    assert ("下次发送" if retry_after else "已停止") in page


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": "explode"},
        {"action": "resend"},
        {"action": "resend", "notification": "none"},
        {"action": "delay", "notification": "ID"},
        {"action": "delay", "notification": "ID", "seconds": "soon"},
        {"action": "delay", "notification": "ID", "seconds": "-1"},
        {"action": "delay", "notification": "ID", "seconds": "nan"},
        {"action": "delay", "notification": "ID", "seconds": "inf"},
    ],
)
async def test_invalid_forms(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer, form: dict[str, str]
) -> None:
    """An invalid form is refused and sends nothing."""
    notification_id = await completed(sandbox, receiver.origin)
    fields = {name: notification_id if value == "ID" else value for name, value in form.items()}
    assert await press(http, sandbox, **fields) == 400
    assert len(receiver.requests) == 1


async def test_form_needs_the_token(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """A form without this process's token, which a page from another origin would send, does nothing."""
    notification_id = await completed(sandbox, receiver.origin)
    for token in ("", "x", "\udcff".encode(errors="replace").decode()):
        assert await press(http, sandbox, token, action="resend", notification=notification_id) == 403
    async with http.post(f"{sandbox.origin}/sandbox/", json={"action": "resend"}) as response:
        assert response.status == 403
    assert len(receiver.requests) == 1


async def test_token_changes_with_a_restart(http: aiohttp.ClientSession, receiver: ScriptedServer) -> None:
    """A form of a console that was opened before a restart is refused."""
    sandbox = Sandbox()
    async with sandbox:
        await completed(sandbox, receiver.origin)
        await completed(sandbox, receiver.origin)
        token = await form_token(http, sandbox)
    async with sandbox:
        assert await press(http, sandbox, token, action="reorder") == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:80", "kfq.localhost"])
async def test_loopback_hosts_are_accepted(http: aiohttp.ClientSession, sandbox: Sandbox, host: str) -> None:
    """The console works under every loopback host, with any port."""
    assert (await show(http, sandbox, headers={"Host": host}))[0] == 200


@pytest.mark.parametrize(
    ("attempts", "due_at", "state"),
    [
        ((attempt(),), None, "已确认"),
        ((attempt(http_status=503, acknowledged=False),), None, "已停止"),
        ((), NOW + 60, "下次发送 10:34:22"),
    ],
)
def test_states_of_events(attempts: tuple[DeliveryAttempt, ...], due_at: float | None, state: str) -> None:
    """The console shows a contract event with its contract, URL, body, state and attempts."""
    page = console_of(events=(event(attempts, due_at=due_at),))
    for text in ("SEND_SIGNING", "C1", "POST http://127.0.0.1:8000/events", "callbackType", state):
        assert text in page
    buttons = ["resend"] if due_at is None else ["resend", "hold", "discard"]
    assert [button for button in ParsedPage(page).buttons if button] == buttons


async def platform_with_records(sandbox: Sandbox) -> None:
    """Make three orders, the last of them completed, and start a contract."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        for name, account, key in (
            ("甲公司", "13800000001", "row-1"),
            ("乙公司", "li@example.org", "row_2"),
            ("Third Ltd", "13900000003", "row%3"),
        ):
            info = CorpIdentInfo(company_name=name)
            request = CorpIdentLinkRequest(account_name=account, corp_ident_info=info, client_request_id=key)
            link = await session.auth.corp_ident_link(request)
    sandbox.complete(link.order_no)
    await start_contract(sandbox)


def cards(page: str) -> list[str]:
    """Return the titles of the cards of a page."""
    return [re.sub("<[^>]+>", "", title) for title in re.findall("<h3>(.*?)</h3>", page)]


@pytest.fixture(scope="module")
def filled() -> Iterator[Sandbox]:
    """A sandbox with orders and a contract."""
    fixtures = contract_fixtures() | {"identification": True}
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = None
    with Sandbox(fixtures=fixtures) as sandbox:
        asyncio.run(platform_with_records(sandbox))
        yield sandbox


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "甲公司"}, ["甲公司待认证"]),
        ({"q": "公司"}, ["乙公司待认证", "甲公司待认证", "框架合同签署中"]),
        ({"q": "third"}, ["Third Ltd已认证"]),
        ({"q": " 13900000003 "}, ["Third Ltd已认证"]),
        ({"q": "LI@example"}, ["乙公司待认证"]),
        ({"q": "row-1"}, ["甲公司待认证"]),
        ({"q": "row_2"}, ["乙公司待认证"]),
        ({"q": "row%3"}, ["Third Ltd已认证"]),
        ({"q": "%"}, ["Third Ltd已认证"]),
        ({"q": "_2"}, ["乙公司待认证"]),
        ({"q": "!"}, []),
        ({"q": "' OR 1=1 --"}, []),
        ({"q": "accountName"}, []),
        ({"state": "1"}, ["Third Ltd已认证"]),
        ({"state": "new"}, ["乙公司待认证", "甲公司待认证"]),
        ({"state": "new", "q": "row"}, ["乙公司待认证", "甲公司待认证"]),
        ({"state": "3"}, []),
        ({"state": "COMPLETE"}, []),
        ({"state": "SIGNING", "q": "甲公司"}, []),
    ],
)
async def test_search_for_orders(
    http: aiohttp.ClientSession, filled: Sandbox, query: dict[str, str], found: list[str]
) -> None:
    """Orders are found by number, company, account, clientRequestId and state; wildcards stand for themselves."""
    _, page = await show(http, filled, params=query)
    assert cards(page) == found


async def test_search_for_ids(http: aiohttp.ClientSession, filled: Sandbox) -> None:
    """An order and a contract are found by their ids, also by a part in another letter case."""
    order, contract = filled.orders[0], filled.contracts[0]
    assert cards((await show(http, filled, params={"q": order.order_no[2:].lower()}))[1]) == ["甲公司待认证"]
    (card,) = cards((await show(http, filled, params={"q": contract.contract_id}))[1])
    assert card.endswith("签署中")


@pytest.mark.parametrize(
    "query", [{"q": "陈一"}, {"q": "13900000001"}, {"q": "东方示例"}, {"q": "框架"}, {"state": "SIGNING"}]
)
async def test_search_for_contracts(http: aiohttp.ClientSession, filled: Sandbox, query: dict[str, str]) -> None:
    """A contract is found by its enterprise, its people, their accounts and its state."""
    (card,) = cards((await show(http, filled, params=query))[1])
    assert card.endswith("签署中")


async def test_form_of_the_search(http: aiohttp.ClientSession, filled: Sandbox) -> None:
    """The form keeps what was searched for, and offers to clear it; an unknown state is none."""
    _, page = await show(http, filled, params={"q": '"><script>', "state": "SIGNING", "lang": "en"})
    assert 'name="q" value="&quot;&gt;&lt;script&gt;"' in page
    assert '<option value="SIGNING" selected>being signed</option>' in page
    assert '<a href="/sandbox/?lang=en">Clear</a>' in page
    assert "<script" not in page
    assert page.count("None that match.") == 4
    _, page = await show(http, filled, params={"state": "NEW"})
    assert " selected" not in page
    assert "清除条件" not in page
    assert len(cards(page)) == 4


async def test_search_shows_notifications(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer
) -> None:
    """A search lists the notifications of the orders that it finds; their buttons lead back to it."""
    await completed(sandbox, receiver.origin, "甲公司")
    notification_id = await completed(sandbox, receiver.origin, "乙公司")
    _, page = await show(http, sandbox, params={"q": "乙公司"})
    assert cards(page) == ["已认证 乙公司已确认", "乙公司已认证"]
    assert "reorder" not in page
    (action,) = set(re.findall('<form method="post" action="([^"]+)"', page))
    form = {"token": await form_token(http, sandbox), "action": "resend", "notification": notification_id}
    async with http.post(sandbox.origin + action, data=form, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, action)


@pytest.mark.parametrize(
    ("query", "headers", "lang"),
    [
        ("", {}, "zh-CN"),
        ("", {"Accept-Language": "en-GB,en;q=0.9"}, "en"),
        ("", {"Accept-Language": "fr-FR, zh-TW;q=0.5, en;q=0.8"}, "en"),
        ("", {"Accept-Language": "en;q=0, zh"}, "zh-CN"),
        ("", {"Accept-Language": "de, *;q=0.5, ;;, en;q=x"}, "zh-CN"),
        ("?lang=en", {}, "en"),
        ("?lang=zh-CN", {"Accept-Language": "en"}, "zh-CN"),
        ("?lang=fr", {"Accept-Language": "en"}, "en"),
        ("", {"Cookie": "kfq_lang=en"}, "en"),
        ("", {"Cookie": "kfq_lang=zh", "Accept-Language": "en"}, "zh-CN"),
        ("?lang=zh", {"Cookie": "kfq_lang=en"}, "zh-CN"),
        ("", {"Cookie": "kfq_lang=fr"}, "zh-CN"),
    ],
)
async def test_language(
    http: aiohttp.ClientSession, sandbox: Sandbox, query: str, headers: dict[str, str], lang: str
) -> None:
    """The language is that of the URL, else the one chosen before, else the browser's."""
    async with http.get(f"{sandbox.origin}/sandbox/{query}", headers=headers) as response:
        page = await response.text()
        assert f'<html lang="{lang}">' in page
        assert ("kfq_lang" in response.cookies) == (query not in {"", "?lang=fr"})
    assert ("Sandbox console" in page) == (lang == "en")


async def test_language_is_remembered(sandbox: Sandbox) -> None:
    """The language of a URL stays chosen on pages without one, and the cookie is for the console alone."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        async with http.get(f"{sandbox.origin}/sandbox/?lang=en") as response:
            cookie = response.cookies["kfq_lang"]
            assert (cookie["path"], cookie["samesite"], cookie["httponly"]) == ("/sandbox/", "Lax", True)
        assert "Sandbox console" in (await show(http, sandbox))[1]
        async with http.get(f"{sandbox.origin}/sandbox/contract/none") as response:
            assert "No such contract" in await response.text()
        async with http.post(f"{sandbox.origin}/sandbox/", data={"token": "x"}) as response:
            assert (response.status, "open the console again" in await response.text()) == (403, True)


async def test_english_has_no_chinese(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """In English no Chinese is left but the link to it, and links and forms keep the language."""
    await completed(sandbox, receiver.origin, "Example Ltd")
    await completed(sandbox, receiver.origin, "Example Ltd")
    _, page = await show(http, sandbox, params={"lang": "en"})
    assert re.findall("[一-鿿]+", page.replace(">中文</a>", "")) == []
    assert '<a href="/sandbox/?lang=zh" hreflang="zh" lang="zh">中文</a>' in page
    assert set(re.findall('<form method="post" action="([^"]+)"', page)) == {"/sandbox/?lang=en"}


@pytest.mark.parametrize(("action", "status", "requests"), [("resend", 303, 1), ("hold", 400, 0), ("corrupt", 400, 0)])
async def test_buttons_of_an_event(
    http: aiohttp.ClientSession, receiver: ScriptedServer, action: str, status: int, requests: int
) -> None:
    """A contract event can be sent once more, and has no faults."""
    fixtures = contract_fixtures()
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = f"{receiver.origin}/events"
    async with Sandbox(fixtures=fixtures) as sandbox:
        await start_contract(sandbox)
        await sandbox.wait_for_notifications()
        (sent,) = sandbox.events
        assert await press(http, sandbox, action=action, notification=sent.notification_id) == status
        assert len(receiver.requests) == 1 + requests
        assert [each.target for each in receiver.requests] == ["/events"] * (1 + requests)


async def test_holding_an_event(http: aiohttp.ClientSession, receiver: ScriptedServer) -> None:
    """An event is held back and released in the console's list."""
    fixtures = contract_fixtures()
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = f"{receiver.origin}/events"
    async with Sandbox(fixtures=fixtures, faults=["event-hold"]) as sandbox:
        await start_contract(sandbox)
        (held,) = sandbox.events
        assert await press(http, sandbox, action="release", notification=held.notification_id) == 303
        await sandbox.wait_for_notifications()
        assert sandbox.events[0].acknowledged
