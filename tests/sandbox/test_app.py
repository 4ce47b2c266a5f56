"""The sandbox's web application: envelopes, paths, pages, and malformed or hostile requests."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import io
import logging
import re
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import SAMPLE_TOKEN, Sandbox, app, server
from kfq_async.sandbox.checks import Download
from kfq_async.sandbox.responses import render
from self_hosted import OPERATOR, STOPPED_TOKEN, TOKEN, fixtures_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

API = f"/resrun-paas{API_PATH}"
PATH = f"{API}/auth/corp/ident/link"
NOW = 1_775_010_802.0
ACCOUNT = {"accountName": "13800138000"}
BODY = orjson.dumps(ACCOUNT)
NONE: Mapping[str, bytes | None] = MappingProxyType({})


def credentials(now: float | None = None, **changes: str) -> dict[str, str]:
    """Return valid headers but for the ``changes``."""
    milliseconds = round((time.time() if now is None else now) * 1000)
    headers = {"appAuthToken": SAMPLE_TOKEN, "timestamp": f"{milliseconds}", "nonce": f"{uuid4()}", "sign": ""}
    return headers | changes


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


async def post(http: aiohttp.ClientSession, sandbox: Sandbox, body: object = BODY, **options: Any) -> dict[str, Any]:
    """Request a link and return the envelope, which is always form A with HTTP 200."""
    data = io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
    headers = options.pop("headers", None) or credentials(**options)
    async with http.post(sandbox.origin + PATH, data=data, headers=headers) as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        envelope: dict[str, Any] = await response.json()
    assert list(envelope) == ["code", "message", "result", "timestamp"]
    assert type(envelope["code"]) is int
    assert type(envelope["timestamp"]) is int
    return envelope


async def raw(sandbox: Sandbox, data: bytes) -> bytes:
    """Send bytes unchanged, and return all bytes of the response."""
    host, port = sandbox.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def request(
    method: str = "POST", path: bytes = PATH.encode(), body: bytes = BODY, changes: Mapping[str, bytes | None] = NONE
) -> bytes:
    """Return the bytes of a request with valid headers but for the ``changes``; ``None`` leaves one out."""
    headers: dict[str, bytes | None] = {name: value.encode() for name, value in credentials().items()}
    headers |= {"Host": b"127.0.0.1", "Connection": b"close", "Content-Length": str(len(body)).encode()}
    headers |= changes
    lines = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in headers.items() if value is not None)
    return method.encode() + b" " + path + b" HTTP/1.1\r\n" + lines + b"\r\n" + body


def content(response: bytes) -> bytes:
    """Return the body of a chunked response."""
    head, _, rest = response.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    body = b""
    while size := int((line := rest.partition(b"\r\n"))[0], 16):
        body += line[2][:size]
        rest = line[2][size + 2 :]
    return body


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the logged errors, without warnings, which asyncio's debug mode logs on a slow machine."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def status(response: bytes) -> int:
    """Return the HTTP status of a response."""
    return int(response.split(b" ", 2)[1])


async def test_success(http: aiohttp.ClientSession) -> None:
    """The response to a valid request holds 10000, order number, page URL and the time in milliseconds."""
    async with Sandbox(clock=lambda: NOW) as sandbox:
        envelope = await post(http, sandbox, {"accountName": "13800138000"}, now=NOW)
        (order,) = sandbox.orders
        assert envelope == {
            "code": 10000,
            "message": "成功",
            "result": {
                "orderNo": order.order_no,
                "authUrl": f"{sandbox.origin}/sandbox/identify/{order.order_no}?code={order.code}",
            },
            "timestamp": 1_775_010_802_000,
        }


async def test_header_names_are_case_insensitive(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Header names are case-insensitive."""
    headers = {name.upper(): value for name, value in credentials().items()}
    assert (await post(http, sandbox, headers=headers))["code"] == 10000


@pytest.mark.parametrize(
    ("changes", "body", "code"),
    [
        ({"appAuthToken": ""}, {}, 40000),
        ({"appAuthToken": "ANOTHER"}, {}, 41000),
        ({"timestamp": ""}, {}, 21000),
        ({"timestamp": "yesterday"}, {}, 23000),
        ({"timestamp": f"{round(NOW * 1000) - 300_000}"}, BODY, 10000),
        ({"timestamp": f"{round(NOW * 1000) - 300_001}"}, {}, 41001),
        ({"timestamp": f"{round(NOW * 1000) + 300_000}"}, BODY, 10000),
        ({"timestamp": f"{round(NOW * 1000) + 300_001}"}, {}, 41001),
        ({"nonce": ""}, {}, 21000),
        ({}, b"", 25000),
        ({}, b"accountName=a", 25000),
        ({}, b"[]", 25000),
        ({}, {"companyName": "a"}, 23000),
        ({}, {"corpIdentInfo": {"company": "a"}}, 23000),
        ({}, {"accountName": 1}, 23000),
        ({}, {"corpIdentInfo": {"companyName": 1}}, 23000),
        ({}, {"accountName": None, "corpIdentInfo": {"companyName": "a"}}, 10000),
        ({}, {"accountName": None, "corpIdentInfo": {"companyName": None}}, 23000),
    ],
)
async def test_responses_use_envelope_a(
    http: aiohttp.ClientSession, changes: dict[str, str], body: object, code: int
) -> None:
    """Success and refusals alike come with HTTP 200 in envelope A."""
    async with Sandbox(clock=lambda: NOW) as sandbox:
        envelope = await post(http, sandbox, body, now=NOW, **changes)
        assert envelope["code"] == code
        assert (envelope["result"] is None) == (code != 10000)
        assert len(sandbox.orders) == (code == 10000)


async def test_missing_token(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Without any credentials, the token is reported as missing first."""
    assert (await post(http, sandbox, headers={"Accept": "*/*"}))["code"] == 40000


async def test_lenient(http: aiohttp.ClientSession) -> None:
    """With ``strict=False``, undocumented fields are accepted at both levels."""
    async with Sandbox(strict=False) as sandbox:
        assert (await post(http, sandbox, {"new": 1, "corpIdentInfo": {"new": 1}}))["code"] == 10000


async def test_nonce(http: aiohttp.ClientSession) -> None:
    """A nonce is accepted once per token within ten minutes."""
    now = NOW
    async with Sandbox(clock=lambda: now, tokens=["A", "B"]) as sandbox:

        async def use(token: str) -> int:
            code: int = (await post(http, sandbox, now=now, nonce="n", appAuthToken=token))["code"]
            return code

        assert [await use("A"), await use("A"), await use("B"), await use("B")] == [10000, 41002, 10000, 41002]
        now += 600.001
        assert [await use("A"), await use("A")] == [10000, 41002]


async def test_client_request_id(http: aiohttp.ClientSession) -> None:
    """Same id and body, in any key order: same order and URL; other body: refused; other token: another order."""
    async with Sandbox(tokens=["A", "B"]) as sandbox:
        body = {"clientRequestId": "row-1", "accountName": "a@example.com"}
        first = await post(http, sandbox, body, appAuthToken="A")
        repeated = await post(http, sandbox, dict(reversed(body.items())), appAuthToken="A")
        other = await post(http, sandbox, body | {"accountName": "b@example.com"}, appAuthToken="A")
        other_token = await post(http, sandbox, body | {"accountName": "b@example.com"}, appAuthToken="B")
        assert repeated["result"] == first["result"]
        assert (other["code"], other["result"]) == (31000, None)
        assert other_token["result"]["orderNo"] != first["result"]["orderNo"]
        assert len(sandbox.orders) == 2


@pytest.mark.parametrize("body", [{}, {"clientRequestId": ""}, {"clientRequestId": None}])
async def test_no_id_makes_new_orders(
    http: aiohttp.ClientSession, sandbox: Sandbox, body: dict[str, str | None]
) -> None:
    """Without an id every request makes a new order."""
    numbers = {(await post(http, sandbox, body | ACCOUNT))["result"]["orderNo"] for _ in range(3)}
    assert {order.order_no for order in sandbox.orders} == numbers
    assert len(numbers) == 3


async def test_concurrent_requests_with_one_id(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Concurrent requests with one id make one order, and all of them return it."""
    envelopes = await asyncio.gather(*(post(http, sandbox, ACCOUNT | {"clientRequestId": "row-1"}) for _ in range(100)))
    assert {envelope["result"]["orderNo"] for envelope in envelopes} == {order.order_no for order in sandbox.orders}
    assert len(sandbox.orders) == 1


async def test_many_concurrent_requests(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Thousands of concurrent requests with distinct ids make as many orders, each with its own company."""

    async def one(number: int) -> None:
        body = {"clientRequestId": f"row-{number}", "corpIdentInfo": {"companyName": f"公司{number}"}}
        assert (await post(http, sandbox, body))["code"] == 10000

    await asyncio.gather(*(one(number) for number in range(2000)))
    assert {(order.client_request_id, order.company_name) for order in sandbox.orders} == {
        (f"row-{number}", f"公司{number}") for number in range(2000)
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_wrong_method(http: aiohttp.ClientSession, method: str) -> None:
    """A wrong method on an operation's path is envelope B with code 405 and HTTP 200."""
    async with (
        Sandbox(clock=lambda: NOW) as sandbox,
        http.request(method, sandbox.origin + PATH, headers=credentials()) as response,
    ):
        assert response.status == 200
        assert await response.json() == {
            "success": False,
            "message": "沙箱：不支持的请求方法",
            "code": 405,
            "result": None,
            "timestamp": 1_775_010_802_000,
        }
        assert sandbox.orders == ()


HIDDEN_ERROR_PAGE = {"success": True, "message": "应用Token失效，请重新授权!", "code": 401, "result": None}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/resrun-paas/nothing", f"{API}/contract/modify", f"{PATH}/"])
@pytest.mark.parametrize("accept", ["application/json", "text/html,*/*;q=0.8", "text/plain"])
async def test_unknown_path(http: aiohttp.ClientSession, method: str, path: str, accept: str) -> None:
    """An unknown path below the context path is the hidden error page: envelope B in JSON, with HTTP 401."""
    async with (
        Sandbox(clock=lambda: NOW) as sandbox,
        http.request(method, sandbox.origin + path, headers=credentials(Accept=accept)) as response,
    ):
        assert (response.status, response.content_type) == (401, "application/json")
        assert await response.json() == HIDDEN_ERROR_PAGE | {"timestamp": round(NOW * 1000)}


async def test_root(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """The context path itself is envelope B with code 200 for a GET, and unknown for a POST."""
    async with http.get(f"{sandbox.base_url}/") as response:
        envelope = await response.json()
        assert (response.status, envelope["success"], envelope["code"]) == (200, True, 200)
    async with http.post(f"{sandbox.base_url}/") as response:
        assert (response.status, (await response.json())["code"]) == (401, 401)


@pytest.mark.parametrize("path", ["/", "/resrun-paas", "/resrun-paasx/a", f"{API_PATH}/auth/corp/ident/link"])
async def test_outside_the_context_path(http: aiohttp.ClientSession, sandbox: Sandbox, path: str) -> None:
    """Outside the context path, a GET is an HTML page with HTTP 200, and a POST an HTML 405."""
    async with http.get(sandbox.origin + path) as response:
        assert (response.status, response.content_type) == (200, "text/html")
        assert "/resrun-paas" in await response.text()
    async with http.post(sandbox.origin + path, json={}) as response:
        assert (response.status, response.content_type) == (405, "text/html")
        assert "405 Not Allowed" in await response.text()
    async with http.head(sandbox.origin + path) as response:
        assert response.status == 200


async def test_page_behind_the_link(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """The URL in the response leads to a page with the company name, escaped, and a matching policy."""
    company = "<script>alert(1)</script>"
    envelope = await post(http, sandbox, {"corpIdentInfo": {"companyName": company}})
    async with http.get(envelope["result"]["authUrl"]) as response:
        page = await response.text()
        policy = response.headers["Content-Security-Policy"]
        assert (response.status, response.content_type, response.charset) == (200, "text/html", "utf-8")
        assert response.headers["Referrer-Policy"] == "same-origin"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert envelope["result"]["orderNo"] in page
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy


async def test_page_needs_the_secret(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """Without the order's secret there is no page, and the company is not named."""
    for name in ("甲公司", "乙公司"):
        await post(http, sandbox, {"corpIdentInfo": {"companyName": name}})
    order, other = sandbox.orders
    page = f"{sandbox.origin}/sandbox/identify/{order.order_no}"
    wrong = ["", "?code=", "?code=x", f"?code={other.code}", f"?code={order.code}x", f"?kode={order.code}"]
    urls = [page + query for query in wrong] + [page.lower() + f"?code={order.code}", page[:-1] + f"?code={order.code}"]
    for url in urls:
        async with http.get(url) as response:
            assert (response.status, response.content_type) == (404, "text/html")
            assert "Content-Security-Policy" in response.headers
            text = await response.text()
        assert "链接无效" in text
        assert "甲公司" not in text
    async with http.get(f"{page}?code={order.code}") as response:
        assert response.status == 200


async def test_orders_are_listed(http: aiohttp.ClientSession) -> None:
    """The list of orders holds number, id, company, state and time, oldest first, and no secret."""
    async with Sandbox(clock=lambda: NOW) as sandbox:
        url = f"{sandbox.origin}/sandbox/orders"
        async with http.get(url) as response:
            assert await response.json() == {"count": 0, "orders": []}
        await post(http, sandbox, {"clientRequestId": "row-1", "corpIdentInfo": {"companyName": "甲"}}, now=NOW)
        await post(http, sandbox, {"accountName": "13800138000"}, now=NOW)
        sandbox.expire(sandbox.orders[0].order_no)
        async with http.get(url) as response:
            text = await response.text()
        first, second = sandbox.orders
        assert orjson.loads(text) == {
            "count": 2,
            "orders": [
                {
                    "orderNo": first.order_no,
                    "clientRequestId": "row-1",
                    "companyName": "甲",
                    "orderStatus": 4,
                    "createdAt": NOW,
                },
                {
                    "orderNo": second.order_no,
                    "clientRequestId": None,
                    "companyName": "（未填写企业名称）",
                    "orderStatus": None,
                    "createdAt": NOW,
                },
            ],
        }
        for secret in (first.code, second.code, SAMPLE_TOKEN, "13800138000"):
            assert secret not in text


async def test_link_uses_the_host_of_the_request(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """The URL of the page has the host of the request, so that a forwarded port works."""
    envelope = await post(http, sandbox, headers=credentials(Host="localhost:8080"))
    assert envelope["result"]["authUrl"].startswith("http://localhost:8080/sandbox/identify/")


async def test_too_large(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A body beyond 100 MiB is the bundled proxy's HTML 413, makes no order and does no damage."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(101):
            yield bytes(1024 * 1024)

    async with http.post(sandbox.origin + PATH, data=chunks(), headers=credentials()) as response:
        assert (response.status, response.content_type) == (413, "text/html")
        assert "413 Request Entity Too Large" in await response.text()
    assert sandbox.orders == ()
    assert (await post(http, sandbox))["code"] == 10000


async def test_large(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """A body of several megabytes, such as a scanned licence, is accepted completely."""
    licence = "A" * 8_000_000
    assert (await post(http, sandbox, {"corpIdentInfo": {"license": licence}}))["code"] == 10000
    assert orjson.loads(sandbox.orders[0].request)["corpIdentInfo"]["license"] == licence


CHUNKED = {"Content-Length": None, "Transfer-Encoding": b"chunked"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"nonce": b"n" * 7000}, 10000),
        ({"nonce": b"\xff\xfe"}, 10000),
        ({"nonce": b"n,n;n=\t'\""}, 10000),
        ({"uniqueCode": b"\xff" * 4000}, 10000),
        ({"sign": b"s" * 7000}, 10000),
        ({"Cookie": b"a=\xff; \x80=; ;;"}, 10000),
        ({"X-Forwarded-For": b"::::,,,"}, 10000),
        ({"Content-Type": b"text/plain; charset=\xff"}, 10000),
        ({"Content-Type": b"multipart/form-data"}, 10000),
        ({"Content-Encoding": b"gzip"}, 10000),
        ({"Content-Encoding": b"br"}, 10000),
        ({"appAuthToken": b"\xff"}, 41000),
        ({"appAuthToken": b"T" * 7000}, 41000),
        ({"timestamp": b"9" * 7000}, 41001),
        ({"timestamp": b"\xd9\xa1\xd9\xa2"}, 23000),
    ],
)
async def test_hostile_headers(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, changes: dict[str, bytes | None], code: int
) -> None:
    """Headers that are long, not UTF-8 or malformed get a response in envelope A, and log no error."""
    response = await raw(sandbox, request(changes=changes))
    assert status(response) == 200
    assert orjson.loads(content(response))["code"] == code
    assert errors(caplog) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"Host": b"h" * 8000},
        {"Host": b"\xff\xfe"},
        {"Host": b"\xe4\xb8\xad"},
        {"Host": b"<script>:99999999"},
        {"Host": b""},
        {"Origin": b"\xff\xfe"},
        {"Sec-Fetch-Site": b"\xff"},
        {"Referer": b"\xff"},
    ],
)
async def test_hostile_origins(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, changes: dict[str, bytes | None]
) -> None:
    """Headers that say where a request comes from are refused if malformed, and log no error."""
    response = await raw(sandbox, request(changes=changes))
    assert status(response) == 403
    assert sandbox.orders == ()
    assert errors(caplog) == []


async def test_http_1_0_without_a_host(sandbox: Sandbox) -> None:
    """HTTP/1.0 does not require a host, but the sandbox does."""
    assert status(await raw(sandbox, b"GET /sandbox/orders HTTP/1.0\r\n\r\n")) == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/resrun-paas/../sandbox/orders", 401),
        (b"/resrun-paas/..%2f..%2fsandbox%2forders", 401),
        (b"/resrun-paas%2Fnothing", 401),
        (b"/resrun-paas/%ff%00%0a%0d", 401),
        (b"/resrun-paas/%ed%a0%80", 401),
        (b"/resrun-paas/" + b"a/" * 3000, 401),
        (b"/resrun-paas/x?%ff=%00&&=&=%ed%a0%80", 401),
        (PATH.encode() + b"%20", 401),
        (b"http://elsewhere.example/resrun-paas/x", 403),
        (b"http://127.0.0.1/resrun-paas/x", 401),
        (b"/../../../../etc/passwd", None),
        (b"//resrun-paas/x", None),
        (b"/%2e%2e/%2e%2e", None),
        (b"/%0a", None),
        (b"/%", None),
        (b"/sandbox/orders;x", None),
    ],
)
async def test_hostile_paths(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, method: str, path: bytes, expected: int | None
) -> None:
    """Traversal and malformed paths are unknown: 401 below the context path, a page or 405 outside.

    No path is open to another host.
    """
    response = await raw(sandbox, request(method, path, b""))
    assert status(response) == expected or (expected is None and status(response) == {"GET": 200, "POST": 405}[method])
    assert (b"text/html" in response) == (expected is None)
    assert b"root:" not in response
    assert errors(caplog) == []


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"?code=%ff",
        b"?code=%ed%a0%80",
        b"?code=%00",
        b"?code",
        b"?code=a&code=b",
        b"?" + b"&" * 5000,
        b"?code[]=a",
    ],
)
async def test_hostile_codes(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, query: bytes) -> None:
    """A malformed secret is a wrong secret."""
    await raw(sandbox, request())
    number = sandbox.orders[0].order_no.encode()
    for name in (number, b"%ff%00", b"a%2Fb", b"'%20OR%201=1--"):
        assert status(await raw(sandbox, request("GET", b"/sandbox/identify/" + name + query, b""))) == 404
    assert errors(caplog) == []


@pytest.mark.parametrize(
    "body",
    [gzip.compress(b"{}", mtime=0), b"no gzip at all", gzip.compress(bytes(200 * 1024 * 1024), 1, mtime=0)],
    ids=["gzip", "none", "bomb"],
)
async def test_compressed_body(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, body: bytes) -> None:
    """A compressed body is not decompressed, so it is no JSON object, and a bomb has no effect."""
    response = await raw(sandbox, request(body=body, changes={"Content-Encoding": b"gzip"}))
    assert status(response) == 200
    assert b'"code":25000' in response
    assert errors(caplog) == []


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /?\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        request(changes={"Transfer-Encoding": b"chunked"}),
        request(changes={"Content-Length": b"-1"}),
        request(changes=CHUNKED, body=b"zz\r\n"),
    ],
)
async def test_not_http(sandbox: Sandbox, caplog: pytest.LogCaptureFixture, garbage: bytes) -> None:
    """Malformed HTTP is refused with 400, without a traceback, and the next client is served."""
    assert status(await raw(sandbox, garbage)) == 400
    assert b'"code":10000' in await raw(sandbox, request())
    assert errors(caplog) == []


@pytest.mark.parametrize(
    ("start", "rest"),
    [
        (request(changes={"Content-Length": b"50"}, body=b""), b""),
        (request(changes={"Content-Length": b"50"}, body=b"{"), b"}"),
        (request(changes=CHUNKED, body=b"1\r\n{\r\n"), b"5\r\n"),
        (request(changes=CHUNKED, body=b"1\r\n{\r\n"), b"zz\r\n"),
    ],
    ids=["nothing", "a part", "a chunk", "a broken chunk"],
)
async def test_client_that_disconnects(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture, start: bytes, rest: bytes
) -> None:
    """A client that disconnects or breaks HTTP in the middle of a request makes no order and logs no error."""
    host, port = sandbox.origin.removeprefix("http://").split(":")
    for _ in range(5):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(start)
        await asyncio.sleep(0.01)
        writer.write(rest)
        await asyncio.sleep(0.01)
        writer.close()
        await writer.wait_closed()
    assert b'"code":10000' in await raw(sandbox, request())
    assert len(sandbox.orders) == 1
    assert errors(caplog) == []


async def test_no_cookies_and_no_cors(http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
    """No response sets a cookie, or lets a page from another origin read or embed it."""
    for path in ("/", "/sandbox/", "/sandbox/orders", "/sandbox/faults", "/resrun-paas/x", PATH):
        async with http.get(sandbox.origin + path) as response:
            assert "Set-Cookie" not in response.headers
            assert not [name for name in response.headers if name.lower().startswith("access-control-")]
            assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_internal_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An error inside the sandbox is logged under the package's name."""

    def broken() -> float:
        raise LookupError("no clock")

    async with Sandbox(clock=broken) as sandbox:
        assert status(await raw(sandbox, request())) == 500
    (record,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert record.name.startswith("kfq_async.")
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)


# HTTP facts of a self-hosted platform.


@pytest.fixture
async def self_hosted() -> AsyncIterator[Sandbox]:
    """A sandbox with the fixtures of a self-hosted platform."""
    async with Sandbox(fixtures=fixtures_document()) as sandbox:
        yield sandbox


async def lines(
    http: aiohttp.ClientSession, sandbox: Sandbox, headers: Mapping[str, str] = MappingProxyType({}), **options: Any
) -> tuple[aiohttp.ClientResponse, bytes]:
    """Ask for the business lines of a member, and return the response and its body."""
    params = {"appAuthToken": TOKEN, "uniqueCode": "u-1", "contact": OPERATOR} | options.pop("params", {})
    method = options.pop("method", "GET")
    async with http.request(method, f"{sandbox.origin}{API}/signRes", params=params, headers=headers) as response:
        return response, await response.read()


async def test_no_identification(http: aiohttp.ClientSession, self_hosted: Sandbox) -> None:
    """A self-hosted platform has no operations under ``auth/``; with ``identification`` in the fixtures it has."""
    async with http.post(self_hosted.origin + PATH, json={}, headers=credentials()) as response:
        assert (response.status, (await response.json())["code"]) == (401, 401)
    async with Sandbox(fixtures=fixtures_document() | {"identification": True}) as sandbox:
        assert (await post(http, sandbox, headers=credentials(appAuthToken=TOKEN)))["code"] == 10000
        refused = await post(http, sandbox, headers=credentials(appAuthToken=STOPPED_TOKEN))
        assert refused["code"] == 41000


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "contract/draft"), ("PUT", "personCreateAndAuth"), ("POST", "signRes"), ("DELETE", "contract/tasks")],
)
async def test_wrong_methods(http: aiohttp.ClientSession, self_hosted: Sandbox, method: str, path: str) -> None:
    """A wrong method for an existing path is envelope B with code 405 and HTTP 200."""
    async with http.request(method, f"{self_hosted.origin}{API}/{path}", data=b"{}") as response:
        envelope = await response.json()
        assert (response.status, envelope["success"], envelope["code"]) == (200, False, 405)


async def test_head(http: aiohttp.ClientSession, self_hosted: Sandbox) -> None:
    """HEAD is answered like GET, without the body, and the connection stays usable."""
    for accepted in ("identity", "gzip"):
        response, body = await lines(http, self_hosted, {"Accept-Encoding": accepted}, method="HEAD")
        assert (response.status, response.content_type, body) == (200, "application/json", b"")


@pytest.mark.parametrize(
    ("accept", "label"),
    [
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        (None, "application/json"),
        ("", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("text/plain", "text/plain"),
        ("text/html;q=0.5, application/json", "application/json"),
        ("text/html;q=high, image/png", "text/html"),
        ("image/png", "application/json"),
    ],
)
async def test_labels(self_hosted: Sandbox, accept: str | None, label: str) -> None:
    """The content type follows ``Accept``; as text the timestamp is a string. Scripts in it would not run."""
    headers = {} if accept is None else {"Accept": accept}
    async with aiohttp.ClientSession(skip_auto_headers=["Accept"]) as plain:
        response, body = await lines(plain, self_hosted, headers)
    envelope = orjson.loads(body)
    assert response.content_type == label
    assert envelope["code"] == 10000
    assert isinstance(envelope["timestamp"], int if label == "application/json" else str)
    assert response.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip", "gzip"), ("deflate, GZIP;q=0.5", "gzip"), ("identity", None), ("gzip;q=0", None), ("br, deflate", None)],
)
@pytest.mark.parametrize("path", [f"{API}/signRes", "/resrun-paas/nothing"])
async def test_compression(self_hosted: Sandbox, accepted: str, encoding: str | None, path: str) -> None:
    """Every envelope is chunked, and gzipped if the client accepts it."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as http,
        http.get(self_hosted.origin + path, headers={"Accept-Encoding": accepted}) as response,
    ):
        body = await response.read()
    assert response.headers.get("Content-Encoding") == encoding
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert "Content-Length" not in response.headers
    assert orjson.loads(gzip.decompress(body) if encoding else body)["result"] is None


async def test_http_1_0(self_hosted: Sandbox) -> None:
    """A client of HTTP/1.0 gets no chunks."""
    response = await raw(self_hosted, b"GET /resrun-paas/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    assert orjson.loads(response.partition(b"\r\n\r\n")[2])["code"] == 200


async def test_repeated_parameters(http: aiohttp.ClientSession, self_hosted: Sandbox) -> None:
    """The values of a repeated parameter are joined with commas; text is UTF-8."""
    query = f"appAuthToken={TOKEN}&uniqueCode=&contact=%E5%BC%A0+%2B%26&contact=b"
    async with http.get(f"{self_hosted.origin}{API}/signRes?{query}") as response:
        envelope = await response.json()
    assert envelope["code"] == 31000
    assert "张 +&,b" in envelope["message"]


def registration(**changes: object) -> dict[str, object]:
    """Return the body of a registration that succeeds."""
    account = {"contactType": "MOBILE", "contact": OPERATOR}
    return {"appAuthToken": TOKEN, "uniqueCode": "u-1", "account": account} | changes


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"Content-Type": "application/json; charset=GBK"}, orjson.dumps(registration()), 10000),
        ({"Content-Type": "text/plain"}, orjson.dumps(registration()), 10000),
        ({"Content-Type": "application/x-www-form-urlencoded"}, orjson.dumps(registration()), 10000),
        ({"appAuthToken": TOKEN}, orjson.dumps(registration(appAuthToken=None)), 40000),
        ({"Content-Encoding": "gzip"}, gzip.compress(orjson.dumps(registration())), 500),
        ({}, gzip.compress(orjson.dumps(registration())), 500),
        ({"Content-Encoding": "identity"}, orjson.dumps(registration()), 10000),
        ({"sign": "123456"}, orjson.dumps(registration()), 10000),
    ],
)
async def test_request_bodies(
    http: aiohttp.ClientSession, self_hosted: Sandbox, headers: dict[str, str], body: bytes, code: int
) -> None:
    """Bodies are UTF-8 JSON whatever is declared; a compressed one is not understood; headers are not read."""
    url = f"{self_hosted.origin}{API}/personCreateAndAuth"
    async with http.post(url, data=body, headers=headers, skip_auto_headers=["Content-Type"]) as response:
        assert (response.status, (await response.json())["code"]) == (200, code)


async def test_token_in_the_query_of_a_post(http: aiohttp.ClientSession, self_hosted: Sandbox) -> None:
    """The token of a POST is read in the body only; a chunked body is accepted."""

    async def chunks() -> AsyncIterator[bytes]:
        for byte in orjson.dumps(registration(appAuthToken=None)):
            yield bytes([byte])

    url = f"{self_hosted.origin}{API}/personCreateAndAuth?appAuthToken={TOKEN}"
    async with http.post(url, data=chunks()) as response:
        assert (await response.json())["code"] == 40000


async def test_large_upload(http: aiohttp.ClientSession, self_hosted: Sandbox) -> None:
    """A file of several megabytes is accepted completely, without stopping the event loop of the sandbox."""
    content = b"%PDF-1.7\n" + bytes(6 * 1024 * 1024)
    fields = {"appAuthToken": TOKEN, "uniqueCode": "u", "fileName": "大文件", "fileSuffix": ".pdf"}
    body = io.BytesIO(orjson.dumps(fields | {"file": base64.b64encode(content).decode()}))
    async with http.post(f"{self_hosted.origin}{API}/document/file", data=body) as response:
        envelope = await response.json()
    assert envelope["code"] == 10000
    (file,) = self_hosted.files
    assert envelope["result"] == {"docId": file.file_id}
    assert (file.kind, file.name, file.suffix, file.content) == ("document", "大文件", ".pdf", content)


async def test_rate_limit_by_forwarded_address(http: aiohttp.ClientSession) -> None:
    """The rate limit counts by the first address of ``X-Forwarded-For``, else by that of the connection."""
    fields = {"appAuthToken": TOKEN, "uniqueCode": "u", "fileName": "a", "fileSuffix": ".zip", "file": "UEsDBA=="}

    async def upload(sandbox: Sandbox, **headers: str) -> object:
        url = f"{sandbox.origin}{API}/annex/file"
        async with http.post(url, json=fields, headers={name.replace("_", "-"): x for name, x in headers.items()}) as r:
            return (await r.json())["code"]

    async with Sandbox(fixtures=fixtures_document(), clock=lambda: NOW, rate_limit_form="api") as sandbox:
        for _ in range(5):
            assert await upload(sandbox) == 10000
        assert await upload(sandbox) == 999999
        assert await upload(sandbox, X_Forwarded_For=" ") == 999999
        for _ in range(5):
            assert await upload(sandbox, X_Forwarded_For="192.0.2.1, 192.0.2.2") == 10000
        assert await upload(sandbox, X_Forwarded_For="192.0.2.1") == 999999
        assert await upload(sandbox, X_Forwarded_For="192.0.2.2") == 10000


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        (b"?contact=" + b"x" * 7000, b"", 200),
        (b"?contact=" + b"x" * 8200, b"", 400),
        (b"?contact=x", b"".join(b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(9)), 400),
        (b"?contact=x", b"".join(b"X-%d: x\r\n" % number for number in range(90)), 200),
        *((b"?contact=x", b"X: x\r\n" * count, 400) for count in (101, 500)),
        *((b"?contact=%b" % character, b"", 400) for character in (b"|", b"{", b"}", b"[", b"]", b'"', b"\\")),
        (b"?contact=%7C%7B", b"", 200),
    ],
)
async def test_heads(
    self_hosted: Sandbox, caplog: pytest.LogCaptureFixture, path: bytes, headers: bytes, expected: int
) -> None:
    """A head of more than 8192 bytes or 100 lines, or with unsafe characters in its target, is an HTML 400."""
    target = API.encode() + b"/signRes" + path
    head = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n%b\r\n" % (target, headers)
    response = await raw(self_hosted, head)
    assert status(response) == expected
    assert (b"text/html" in response) == (expected == 400)
    assert errors(caplog) == []


async def test_requests_on_a_connection(self_hosted: Sandbox) -> None:
    """The hundredth response on a connection announces its end; pages are not counted."""
    host, port = self_hosted.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    heads = []
    for path in ("/sandbox/orders", *["/resrun-paas/"] * 100):
        writer.write(f"HEAD {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        heads.append(await reader.readuntil(b"\r\n\r\n"))
    assert [b"Connection: close" in head for head in heads] == [False] * 100 + [True]
    assert await reader.read() == b""
    writer.close()


async def test_half_a_body(self_hosted: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body whose rest does not arrive is answered with the hidden error page, and the connection closed."""
    monkeypatch.setattr(app, "READ_TIMEOUT", 0.2)
    head = f"POST {API}/personCreateAndAuth HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"
    response = await raw(self_hosted, head.encode() + b'{"appAuthToken":')
    assert status(response) == 401
    assert orjson.loads(content(response))["code"] == 401


async def test_download_headers() -> None:
    """A download is chunked and never compressed; its name is form-encoded."""
    request = make_mocked_request("GET", "/", headers={"Accept-Encoding": "gzip"})
    response = render(request, Download("合同 a*~.pdf", b"%PDF-1.7"), 0)
    assert (response.content_type, response.charset, response.body) == (
        "application/octet-stream",
        "utf-8",
        b"%PDF-1.7",
    )
    name = "%E5%90%88%E5%90%8C+a*%7E.pdf"
    assert response.headers["Content-Disposition"] == f"attachment;fileName={name}"
    assert response.headers["fileName"] == name
    assert (response.chunked, response.compression) == (True, False)


async def test_refused_bodies(self_hosted: Sandbox) -> None:
    """A body that nobody wants is read to its end, so that the connection stays usable."""
    connections = []

    async def count(*_: object) -> None:
        connections.append(1)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(count)
    async with aiohttp.ClientSession(trace_configs=[trace]) as client:
        for path in (f"{API}/signRes", f"{API}/nothing", f"{API}/personCreateAndAuth"):
            async with client.post(self_hosted.origin + path, data=io.BytesIO(bytes(4 * 1024 * 1024))) as response:
                assert (await response.json())["code"] in {405, 401, 25000}
    assert len(connections) == 1


async def test_expect_continue(http: aiohttp.ClientSession, self_hosted: Sandbox) -> None:
    """A client that waits for permission to send its body gets it."""
    url = f"{self_hosted.origin}{API}/personCreateAndAuth"
    async with http.post(url, json=registration(), expect100=True) as response:
        assert (await response.json())["code"] == 10000


async def test_idle_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle connection is closed without an announcement."""
    monkeypatch.setattr(server, "IDLE_TIMEOUT", 0.2)
    async with Sandbox(fixtures=fixtures_document()) as sandbox:
        host, port = sandbox.origin.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"HEAD /resrun-paas/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.read(), 20)
        writer.close()
    assert status(head) == 200
    assert b"Connection:" not in head
