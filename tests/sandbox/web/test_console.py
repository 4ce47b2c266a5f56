"""The console over HTTP: who may use it, and what its buttons do."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from kfq_async import AsyncSession, CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.sandbox import Sandbox
from servers import ScriptedServer, Seen, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser without a screen."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    """Something that acknowledges everything."""

    async def accept(_number: int, _seen: Seen) -> bytes:
        return answer(b"success")

    async with ScriptedServer(accept) as receiver:
        yield receiver


async def completed(sandbox: Sandbox, url: str, name: str = "某某科技有限公司") -> str:
    """Make an order, complete it, and return the notification's id once it is acknowledged or not."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        info = CorpIdentInfo(company_name=name)
        link = await session.auth.corp_ident_link(CorpIdentLinkRequest(corp_ident_info=info, auth_callback_url=url))
    sandbox.complete(link.order_no)
    return (await sandbox.settled())[-1].notification_id


async def show(http: aiohttp.ClientSession, sandbox: Sandbox, **options: Any) -> tuple[int, str]:
    """Open the console."""
    async with http.get(f"{sandbox.origin}/sandbox/", **options) as response:
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        return response.status, await response.text()


async def press(http: aiohttp.ClientSession, sandbox: Sandbox, token: str | None = None, **form: str) -> int:
    """Press a button of the console as it was opened, and return the status."""
    if token is None:
        token = re.findall('name="token" value="([^"]+)"', (await show(http, sandbox))[1])[0]
    url = f"{sandbox.origin}/sandbox/"
    async with http.post(url, data={"token": token, **form}, allow_redirects=False) as response:
        assert response.headers.get("Location") == ("/sandbox/" if response.status == 303 else None)
        return response.status


async def test_empty(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A fresh sandbox has a console with appId and key, and nothing in it yet."""
    status, page = await show(http, sandbox)
    assert status == 200
    assert sandbox.app_id in page
    assert sandbox.public_key in page
    assert page.count("还没有。") == 3
    assert "<form" not in page


async def test_short_address(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """The address without the slash leads to it."""
    async with http.get(f"{sandbox.origin}/sandbox") as response:
        assert response.url.path == "/sandbox/"
        assert "沙箱控制台" in await response.text()


async def test_lists(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """Orders with their pages, contracts, notifications with the receiver's answers: all of it is there."""
    await completed(sandbox, f"{receiver.origin}/hook")
    draft = {
        "send": "0",
        "operator": {"name": "a", "contactType": "MOBILE", "contact": "1"},
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
    """Of very many the newest hundred are listed, and the page says of how many."""
    for number in range(102):
        await completed(sandbox, "nowhere", f"公司{number:03}")
    _, page = await show(http, sandbox)
    assert page.count("最新 100 / 共 102") == 2
    assert "公司101" in page
    assert "公司001" not in page


@pytest.mark.parametrize(("action", "requests"), [("resend", 1), ("duplicate", 2), ("corrupt", 1), ("delay", 1)])
async def test_buttons_of_a_notification(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer, action: str, requests: int
) -> None:
    """Each button sends the notification once more in its way, and the answer is on the page that follows."""
    note = await completed(sandbox, receiver.origin)
    assert await press(http, sandbox, action=action, notification=note, seconds="0.05") == 303
    assert len(receiver.seen) == 1 + requests
    words = {"resend": "HTTP 200", "duplicate": "重复", "corrupt": "接收方接受了被篡改的通知", "delay": "延迟"}
    assert words[action] in (await show(http, sandbox))[1]


async def test_reorder(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """The newest two come again, the newest first."""
    for name in "甲乙丙":
        await completed(sandbox, receiver.origin, name)
    assert await press(http, sandbox, action="reorder") == 303
    assert [orjson.loads(seen.body)["companyName"] for seen in receiver.seen] == ["甲", "乙", "丙", "丙", "乙"]


async def test_the_page_does_not_wait_long(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer
) -> None:
    """A notification that is held back for an hour does not hold back the page."""
    note = await completed(sandbox, receiver.origin)
    async with asyncio.timeout(10):
        assert await press(http, sandbox, action="delay", notification=note, seconds="3600") == 303


@pytest.mark.parametrize("retry_after", [(), (3600.0,)])
async def test_states_of_a_notification(http: aiohttp.ClientSession, retry_after: tuple[float, ...]) -> None:
    """A notification that nobody acknowledged is shown as given up, or with the time of its next attempt."""
    async with Sandbox(retry_after=retry_after) as sandbox:
        async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
            request = CorpIdentLinkRequest(auth_callback_url="http://127.0.0.1:1/")
            link = await session.auth.corp_ident_link(request)
        sandbox.complete(link.order_no)
        assert "尚未发送" in (await show(http, sandbox))[1] or sandbox.notifications[0].attempts
        while not sandbox.notifications[0].step:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.005)
        _, page = await show(http, sandbox)
    assert "无应答" in page
    assert ("再发" if retry_after else "已停止") in page


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"action": "explode"},
        {"action": "resend"},
        {"action": "resend", "notification": "none"},
        {"action": "delay", "notification": "NOTE"},
        {"action": "delay", "notification": "NOTE", "seconds": "soon"},
        {"action": "delay", "notification": "NOTE", "seconds": "-1"},
        {"action": "delay", "notification": "NOTE", "seconds": "nan"},
        {"action": "delay", "notification": "NOTE", "seconds": "inf"},
    ],
)
async def test_poor_forms(
    http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer, form: dict[str, str]
) -> None:
    """A form that says nothing sensible is refused and sends nothing."""
    note = await completed(sandbox, receiver.origin)
    known = {name: note if value == "NOTE" else value for name, value in form.items()}
    assert await press(http, sandbox, **known) == 400
    assert len(receiver.seen) == 1


async def test_needs_the_token(http: aiohttp.ClientSession, sandbox: Sandbox, receiver: ScriptedServer) -> None:
    """A form without this process's token, as a foreign page would send it, does nothing."""
    note = await completed(sandbox, receiver.origin)
    for token in ("", "x", "\udcff".encode(errors="replace").decode()):
        assert await press(http, sandbox, token, action="resend", notification=note) == 403
    async with http.post(f"{sandbox.origin}/sandbox/", json={"action": "resend"}) as response:
        assert response.status == 403
    assert len(receiver.seen) == 1


async def test_the_token_is_the_processes_own(http: aiohttp.ClientSession, receiver: ScriptedServer) -> None:
    """A console that was opened before a restart has to be opened again."""
    sandbox = Sandbox()
    async with sandbox:
        await completed(sandbox, receiver.origin)
        await completed(sandbox, receiver.origin)
        token = re.findall('name="token" value="([^"]+)"', (await show(http, sandbox))[1])[0]
    async with sandbox:
        assert await press(http, sandbox, token, action="reorder") == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "", "<script>"])
async def test_loopback_only(http: aiohttp.ClientSession, sandbox: Sandbox, host: str) -> None:
    """Under a foreign name the console shows nothing and does nothing, so that no foreign page can read it."""
    status, page = await show(http, sandbox, headers={"Host": host})
    assert status == 403
    assert "控制台只能以本机地址打开" in page
    assert sandbox.public_key not in page
    async with http.post(f"{sandbox.origin}/sandbox/", data={}, headers={"Host": host}) as response:
        assert response.status == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "[::1]:80", "kfq.localhost"])
async def test_every_name_of_this_machine(http: aiohttp.ClientSession, sandbox: Sandbox, host: str) -> None:
    """Under any name of this machine it works, a forwarded port included."""
    assert (await show(http, sandbox, headers={"Host": host}))[0] == 200
