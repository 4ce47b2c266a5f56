"""Pages of other sites in a browser: they achieve nothing at the sandbox, and a service's links to it work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
import pytest_asyncio

from kfq_async import CORP_IDENT_LINK, AsyncSession, CorpIdentInfo, CorpIdentLink, CorpIdentLinkRequest
from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Fault
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from kfq_async.sandbox import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMPTY = "<!doctype html><link rel=icon href=data:,><h1>A page</h1>"
ATTACK = """
async ([sandbox, api, token, order]) => {
  const draft = JSON.stringify({appAuthToken: token, uniqueCode: "u", send: "1", signReId: "l", signerList: [],
    operator: {name: "a", contactType: "MOBILE", contact: "1"}});
  const tasks = api + "/contract/tasks?contractId=x&appAuthToken=" + token;
  const read = [];
  const attempt = async (url, options) => {
    try {
      const response = await fetch(url, options);
      if (response.type !== "opaque") read.push(await response.text());
    } catch (problem) {}
  };
  for (const mode of ["no-cors", "cors"]) {
    await attempt(api + "/contract/draft", {method: "POST", mode, body: draft});
    await attempt(tasks, {mode});
    await attempt(sandbox + "/sandbox/orders", {mode});
    await attempt(order, {mode, credentials: "include"});
    await attempt(order, {mode, method: "POST", body: new URLSearchParams({action: "complete"})});
  }
  await attempt(sandbox + "/sandbox/faults", {method: "PUT", body: '{"faults": []}',
    headers: {"Content-Type": "application/json"}});
  navigator.sendBeacon(api + "/contract/draft", draft);
  const embed = (tag, attributes) => new Promise(resolve => {
    const element = document.createElement(tag);
    element.onload = () => resolve(tag);
    element.onerror = () => resolve(null);
    Object.assign(element, attributes);
    document.body.append(element);
  });
  const embedded = [
    await embed("script", {src: sandbox + "/sandbox/orders"}),
    await embed("img", {src: tasks}),
    await embed("link", {rel: "stylesheet", href: sandbox + "/sandbox/"}),
  ];
  await embed("iframe", {src: sandbox + "/sandbox/"});
  await embed("iframe", {src: order});
  const opened = await new Promise(resolve => {
    const socket = new WebSocket(sandbox.replace("http", "ws") + "/sandbox/");
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  return {read, embedded: embedded.filter(tag => tag), opened};
}
"""
SUBMIT = """
([action, fields]) => {
  const form = Object.assign(document.createElement("form"), {method: "post", action, enctype: "text/plain"});
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), {name, value}));
  }
  document.body.append(form);
  form.submit();
}
"""


@pytest_asyncio.fixture(loop_scope="session")
async def site() -> AsyncIterator[ScriptedServer]:
    """A web server with a page, a redirect to the URL in its query, and a receiver of notifications."""

    async def script(_number: int, seen: ReceivedRequest) -> bytes:
        path, _, query = seen.target.partition("?")
        if path == "/go":
            return http_response(b"", 303, Location=query)
        return http_response(b"success") if path == "/hook" else http_response(EMPTY)

    async with ScriptedServer(script) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def visited(chromium: Browser) -> AsyncIterator[Page]:
    """A page whose console may hold messages, since a browser reports what is refused."""
    context = await chromium.new_context()
    yield await context.new_page()
    await context.close()


def under(name: str, server: ScriptedServer) -> str:
    """Return the origin of a server under another name of this machine."""
    return server.origin.replace("127.0.0.1", name)


async def link(sandbox: Sandbox, service: str) -> CorpIdentLink:
    """Request a link that leads back to a service."""
    request = CorpIdentLinkRequest(
        corp_ident_info=CorpIdentInfo(company_name="某某科技有限公司"),
        callback_page=f"{service}/back",
        auth_callback_url=f"{service}/hook",
    )
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        return await session.auth.corp_ident_link(request)


@pytest.mark.parametrize("name", ["evil.test", "localhost", "127.0.0.1"])
async def test_scripts_of_other_sites(visited: Page, sandbox: Sandbox, site: ScriptedServer, name: str) -> None:
    """A foreign page, on another port of this machine too, reads nothing, changes nothing, and uses up no fault."""
    order = await link(sandbox, site.origin)
    sandbox.inject_faults(Fault("502", times=1))
    await visited.goto(under(name, site))
    api = f"{sandbox.base_url}{API_PATH}"
    done = await visited.evaluate(ATTACK, [sandbox.origin, api, sandbox.token, order.auth_url])
    assert done == {"read": [], "embedded": [], "opened": False}
    frames = [await frame.content() for frame in visited.frames if frame != visited.main_frame]
    assert not [text for text in frames if "某某科技有限公司" in text or sandbox.public_key in text]
    assert sandbox.contracts == ()
    assert [order.status for order in sandbox.orders] == [None]
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        again = await session.send(CORP_IDENT_LINK, CorpIdentLinkRequest(account_name="13800138000"))
    assert again.attempts == 2


async def test_forms_of_other_sites(visited: Page, sandbox: Sandbox, site: ScriptedServer) -> None:
    """A form of a foreign page creates no contract and completes no order, even with the secret in the URL."""
    order = await link(sandbox, site.origin)
    draft = {
        "appAuthToken": sandbox.token,
        "uniqueCode": "u",
        "send": "0",
        "operator": {"name": "a", "contactType": "MOBILE", "contact": "1"},
        "signerList": [],
        "signReId": "l",
    }
    name, value = orjson.dumps(draft).decode()[:-2], '"}'  # a form writes name=value, which is JSON here
    code = order.auth_url.rpartition("=")[2]
    targets = {
        f"{sandbox.base_url}{API_PATH}/contract/draft": {name: value},
        order.auth_url: {"code": code, "action": "complete"},
        f"{sandbox.origin}/sandbox/": {"action": "reorder"},
    }
    for target, fields in targets.items():
        await visited.goto(under("evil.test", site))
        async with visited.expect_navigation(url=target):
            await visited.evaluate(SUBMIT, [target, fields])
        assert "沙箱拒绝了该请求" in await visited.inner_text("body")
    assert sandbox.contracts == ()
    assert [order.status for order in sandbox.orders] == [None]


@pytest.mark.parametrize("path", ["/sandbox/", "/sandbox/orders", "/"])
async def test_rebound_name(visited: Page, sandbox: Sandbox, path: str) -> None:
    """A foreign name that resolves to this machine shows nothing of the sandbox."""
    response = await visited.goto(f"{sandbox.origin.replace('127.0.0.1', 'evil.test')}{path}")
    assert response is not None
    assert response.status == 403
    assert "--allowed-host" in await visited.inner_text("body")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "app.localhost", "my-app.test"])
@pytest.mark.parametrize("redirected", [False, True])
async def test_link_of_a_service(
    visited: Page, sandbox: Sandbox, site: ScriptedServer, name: str, *, redirected: bool
) -> None:
    """A service under any name leads to the operator page by a link or a redirect, and the page leads back."""
    service = under(name, site)
    order = await link(sandbox, service)
    target = f"{service}/go?{order.auth_url}" if redirected else order.auth_url
    await visited.goto(service)
    await visited.evaluate("url => { location.href = url }", target)
    await visited.wait_for_url(order.auth_url)
    await visited.get_by_role("button", name="完成认证").click()
    await visited.wait_for_url(f"{service}/back")
    (back,) = [seen for seen in site.requests if seen.target == "/back"]
    assert "Referer" not in back.headers
    assert [order.status for order in sandbox.orders] == [1]
