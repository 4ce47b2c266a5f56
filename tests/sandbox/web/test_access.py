"""Access control: the names under which the sandbox answers, and the pages to which it does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.web.access import AccessPolicy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OWN = "127.0.0.1:8899"
PAGE = "/sandbox/identify/SBX1"
CONTROL = "/sandbox/orders/SBX1/complete"
API = f"/resrun-paas{API_PATH}"
LINK = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def refusal(
    *headers: tuple[str, str], method: str = "POST", path: str = API, host: str | None = OWN, allowed: str = "kfq.test"
) -> str | None:
    """Return the reason for refusing a request with these headers besides ``Host``."""
    fields = CIMultiDict(headers if host is None else [("Host", host), *headers])
    return AccessPolicy(frozenset({allowed})).refusal(make_mocked_request(method, path, fields))


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:8899", "127.1.2.3:1", "[::1]", "[::1]:8899", "[0:0:0:0:0:0:0:1]:80"),
        *("localhost", "LocalHost:8080", "app.localhost:8899", "a.b.localhost"),
        *("kfq.test", "KFQ.test:443"),
    ],
)
def test_own_hosts(host: str) -> None:
    """Loopback addresses, ``localhost``, names below it and the allowed hosts are accepted, with any port."""
    assert refusal(host=host) is None


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8899", "10.0.0.1", "0.0.0.0", "[::]", "[fe80::1]", "192.168.1.2:8899"),
        *(
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "notlocalhost",
            "evil-localhost",
            "kfq.test.evil.example",
        ),
        *("www.kfq.test", "test", "localhost.", "127.0.0.1.", "evil.example.", "evil.example.localhost."),
        *("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.000.000.001", "１２７.0.0.1"),
        *("127.0.0.1@evil.example", "evil.example@127.0.0.1", "localhost:80@evil.example", "u:p@localhost"),
        *("127.0.0.1/evil.example", "localhost#evil", "localhost?evil", "localhost\\evil", "http://localhost"),
        *("127.0.0.1, evil.example", "localhost evil.example", "localhost:8899:8899", "localhost:x", "localhost:99999"),
        *("", ":8899", "::1", "[::1", "[127.0.0.1]", "[::1%lo]", "[localhost]", "<script>", "ⓛocalhost"),
    ],
)
def test_foreign_hosts(host: str) -> None:
    """Any other name, address, spelling of a loopback address, or malformed host is refused, with the option's name."""
    reason = refusal(host=host)
    assert reason is not None
    assert "--allowed-host" in reason


def test_one_host() -> None:
    """A request without a host, or with two of them, is refused, also if both are the sandbox's own."""
    assert refusal(host=None) is not None
    assert refusal(("Host", OWN)) is not None
    assert refusal(("Host", "evil.example")) is not None


@pytest.mark.parametrize(
    ("target", "accepted"), [("127.0.0.1:8899", True), ("kfq.test", True), ("evil.example", False)]
)
def test_target_with_a_host(target: str, *, accepted: bool) -> None:
    """The host of a target that is a complete URL counts like the header."""
    assert (refusal(path=f"http://{target}{API}") is None) is accepted


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-HTTP-Method-Override"])
def test_headers_of_proxies_do_not_count(name: str) -> None:
    """Headers that a client can set as it likes neither allow nor forbid a request."""
    assert refusal((name, "evil.example")) is None
    assert refusal((name, "127.0.0.1"), host="evil.example") is not None


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", [API, PAGE, "/sandbox/", "/sandbox/orders", "/nothing", "/"])
@pytest.mark.parametrize(
    "headers",
    [
        (("Origin", "https://evil.example"),),
        (("Origin", "null"),),
        (("Sec-Fetch-Site", "cross-site"),),
        (("Sec-Fetch-Site", "same-site"),),
    ],
)
def test_foreign_pages(method: str, path: str, headers: tuple[tuple[str, str], ...]) -> None:
    """No method and no path is open to the pages of other sites."""
    assert refusal(*headers, method=method, path=path) is not None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8899", OWN),
        ("http://LOCALHOST:8899", "localhost:8899"),
        ("http://[::1]:8899", "[::1]:8899"),
        ("https://app.localhost", "app.localhost"),
        ("https://kfq.test", "kfq.test"),
        ("https://kfq.test:8443", OWN),
    ],
)
def test_own_origins(origin: str, host: str) -> None:
    """The sandbox's own pages are accepted, those behind a proxy included, which may replace ``Host``."""
    assert refusal(("Origin", origin), host=host) is None


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "http://127.0.0.1:8000",
            "http://localhost:8899",
            "http://127.0.0.1",
            "http://[::1]:8899",
            "http://localhost",
        ),
        *("http://127.0.0.1.evil.example", "http://127.0.0.1:8899.evil.example", "http://evil.example:8899"),
        *("http://127.0.0.1:8899@evil.example", "http://evil.example@127.0.0.1:8899", "http://kfq.test@evil.example"),
        *("http://127.0.0.1:8899 http://evil.example", "http://127.0.0.1:8899, http://evil.example"),
        *("", "null", "NULL", "*", "127.0.0.1:8899", "//127.0.0.1:8899", "http:127.0.0.1:8899", "kfq.test"),
        *("file://", "file://127.0.0.1:8899", "chrome-extension://127.0.0.1:8899", "ws://127.0.0.1:8899"),
    ],
)
def test_foreign_origins(origin: str) -> None:
    """Another port, another name of this machine, a look-alike, an opaque origin and malformed text are refused."""
    assert refusal(("Origin", origin)) is not None


def test_several_origins() -> None:
    """Every ``Origin`` of a request must be the sandbox's own."""
    own, foreign = ("Origin", f"http://{OWN}"), ("Origin", "http://evil.example")
    assert refusal(own, own) is None
    assert refusal(own, foreign) is not None
    assert refusal(foreign, own) is not None


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_requests_of_own_pages_and_of_the_address_bar(site: str) -> None:
    """Requests of the sandbox's own pages, and addresses that a person opens, are accepted."""
    assert refusal(("Sec-Fetch-Site", site)) is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "unheard-of", ""])
def test_other_sites(site: str) -> None:
    """Every other value of ``Sec-Fetch-Site`` is refused, beside an acceptable one too."""
    assert refusal(("Sec-Fetch-Site", site)) is not None
    assert refusal(("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", site)) is not None


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_link_to_the_operator_page(site: str) -> None:
    """A link or a redirect of another site leads to the operator page, which changes nothing and needs a secret."""
    headers = {"Sec-Fetch-Site": site, **LINK}
    assert refusal(*headers.items(), method="GET", path=f"{PAGE}?code=x") is None
    for method, path in (("POST", PAGE), ("GET", "/sandbox/"), ("GET", "/sandbox/orders"), ("GET", API)):
        assert refusal(*headers.items(), method=method, path=path) is not None
    for change in ({"Sec-Fetch-Dest": "iframe"}, {"Sec-Fetch-Mode": "no-cors"}):
        assert refusal(*(headers | change).items(), method="GET", path=PAGE) is not None
    assert refusal(*headers.items(), ("Origin", "https://my-app.test"), method="GET", path=PAGE) is not None


@pytest.mark.parametrize("path", ["/", "/sandbox/contract", "/sandbox/sign", "/sandbox/sign/login"])
def test_links_to_the_signing_page(path: str) -> None:
    """Links of a contract open from another site; forms and pictures do not."""
    headers = {"Sec-Fetch-Site": "cross-site", **LINK}
    assert refusal(*headers.items(), method="GET", path=f"{path}?code=x") is None
    assert refusal(*headers.items(), method="POST", path=path) is not None
    assert refusal(*headers.items(), method="GET", path=f"{path}/picture") is not None
    assert refusal(*(headers | {"Sec-Fetch-Dest": "image"}).items(), method="GET", path=path) is not None


@pytest.mark.parametrize(
    "referer", ["http://evil.example/127.0.0.1:8899", "http://127.0.0.1:8000/", "https://h", "x", ""]
)
def test_foreign_referer(referer: str) -> None:
    """Where a browser sends nothing better, ``Referer`` tells the page; a link may lead to the operator page."""
    assert refusal(("Referer", referer)) is not None
    assert refusal(("Referer", referer), method="GET", path=PAGE) is None
    assert refusal(("Referer", referer), ("Origin", f"http://{OWN}")) is None
    assert refusal(("Referer", referer), ("Sec-Fetch-Site", "none")) is None


def test_own_referer() -> None:
    """The sandbox's own pages may send requests without ``Origin``."""
    assert refusal(("Referer", f"http://{OWN}/sandbox/?a=b#c")) is None


@given(st.text(), st.sampled_from(["{}.evil.example", "evil.example/{}", "{}@evil.example", "evil.example#{}"]))
def test_no_text_makes_a_foreign_host_an_own_one(text: str, pattern: str) -> None:
    """Nothing that is put before or behind a foreign name makes it one of this machine."""
    name = pattern.format(text)
    assert refusal(host=name) is not None
    assert refusal(("Origin", f"http://{name}")) is not None


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/contract/draft",
        PAGE,
        "/sandbox",
        "/sandbox/",
        "/sandbox/orders",
        CONTROL,
        "/sandbox/faults",
        "/",
        "/nothing",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_every_route(
    http: aiohttp.ClientSession, sandbox: Sandbox, method: str, path: str, headers: dict[str, str]
) -> None:
    """Every route and method, unknown ones included, responds with the reason alone, and grants no page anything."""
    async with http.request(method, sandbox.origin + path, headers=headers) as response:
        assert (response.status, response.content_type) == (403, "text/plain")
        text = await response.text()
        assert method == "HEAD" or text.startswith("沙箱拒绝了该请求：")
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


async def test_websocket(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A page of another site cannot open a WebSocket."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await http.ws_connect(f"{sandbox.origin}/sandbox/", origin="https://evil.example")
    assert caught.value.status == 403


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_refused_requests_do_nothing(
    http: aiohttp.ClientSession, sandbox: Sandbox, headers: dict[str, str]
) -> None:
    """A refused request makes no contract and no order, and leaves the faults for the requests of the test."""
    sandbox.inject_faults(Fault("502", times=1))
    draft = {
        "appAuthToken": sandbox.token,
        "uniqueCode": "u",
        "send": "1",
        "signReId": "l",
        "operator": {"name": "a", "contactType": "MOBILE", "contact": "13800138000"},
        "signerList": [],
    }
    url = f"{sandbox.base_url}{API_PATH}/contract/draft"
    for _ in range(2):
        async with http.post(
            url, data=orjson.dumps(draft), headers={"Content-Type": "text/plain", **headers}
        ) as response:
            assert response.status == 403
    assert sandbox.contracts == ()
    async with http.post(url, data=orjson.dumps(draft)) as response:
        assert response.status == 502
    async with http.post(url, data=orjson.dumps(draft)) as response:
        assert response.status == 200
    assert len(sandbox.contracts) == 1


async def test_body_is_not_awaited(sandbox: Sandbox) -> None:
    """A refused request gets its response before its body has arrived."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(sandbox.origin.rsplit(":", 1)[1]))
    writer.write(f"POST {API} HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000\r\n\r\n".encode())
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n")
    writer.close()
    assert b" 403 " in head


async def test_allowed_hosts(http: aiohttp.ClientSession) -> None:
    """Under an allowed host, in any case, the sandbox serves; under others it does not."""
    async with Sandbox(allowed_hosts=["KFQ.test"]) as sandbox:
        async with http.get(f"{sandbox.origin}/sandbox/orders", headers={"Host": "kfq.test"}) as response:
            assert response.status == 200
        async with http.get(f"{sandbox.origin}/sandbox/orders", headers={"Host": "other.test"}) as response:
            assert response.status == 403


@pytest.mark.parametrize("argument", ["allowed_hosts", "callback_hosts"])
@pytest.mark.parametrize("host", ["", "*", "*.test", "kfq.test:8899", "http://kfq.test", "a b", "公司.cn"])
def test_invalid_hosts(argument: str, host: str) -> None:
    """A host with a scheme, a port or a wildcard is refused by the name of the argument."""
    with pytest.raises(ValueError, match=argument):
        Sandbox(**{argument: [host]})  # type: ignore[arg-type]  # one of two arguments


@pytest.mark.parametrize("argument", ["allowed_hosts", "callback_hosts"])
def test_one_str_is_no_list_of_hosts(argument: str) -> None:
    """A single str, which would be taken apart into letters, is refused."""
    with pytest.raises(TypeError, match=rf"{argument} must be a list of hosts, not one str: write \[host\]"):
        Sandbox(**{argument: "kfq.test"})  # type: ignore[arg-type]  # one of two arguments
