"""What holds in FastAPI and in Sanic alike."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from yarl import URL

from integrations.service import REQUEST, URLS, VERIFIED
from kfq_async.sandbox import Fault
from senders import make_body, signed_headers
from web_servers import exchange

if TYPE_CHECKING:
    from integrations.conftest import Served

BOUND = (URLS.bind(REQUEST).auth_callback_url or "").removeprefix("http://127.0.0.1")
LARGE = 100 * 2**20


async def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Post as the platform would, the path as it stands."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(URL(url, encoded=True), data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.read()


async def get(url: str) -> tuple[int, Any, Any]:
    """Get JSON."""
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.json(), answer.headers


async def test_a_bound_notification_under_a_coded_path(served: Served) -> None:
    """``/hooks/a%20b`` reaches the receiver undecoded, is handled once, and acknowledged each time."""
    assert await post(served.origin + BOUND, make_body()) == (200, b"success")
    assert await post(served.origin + BOUND, make_body()) == (200, b"success")
    assert served.service.events == ["row-1:ORDER-1:1"]


async def test_a_path_of_somebody_else(served: Served) -> None:
    """What was not given out is refused, whatever stands below the path."""
    status, answer = await post(f"{served.origin}/hooks/a%20b/cm93LTE.forged", make_body())
    assert (status, orjson.loads(answer)["message"]) == (401, "unknown_path")
    status, _ = await post(f"{served.origin}/hooks/a%20b", make_body())
    assert status == 401
    assert served.service.events == ["unknown_path", "unknown_path"]


async def test_a_signed_notification(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Body and headers arrive as the sender signed them."""
    now = f"{asyncio.get_running_loop().time():.0f}"
    body = make_body(companyName="某某 科技")
    monkeypatch.setattr(served.service.receivers[1]._authenticator._verifier, "_tolerance", None)  # type: ignore[attr-defined]
    headers = signed_headers(body, path=VERIFIED, timestamp=now)
    assert await post(served.origin + VERIFIED, body, **headers) == (200, b"success")
    assert served.service.events == ["ORDER-1:1"]


async def test_a_repeated_header(served: Served) -> None:
    """Two values of a header of the signature are seen, and refused, not folded into one."""
    body = make_body()
    lines = [f"{name}: {value}" for name, value in signed_headers(body, path=VERIFIED).items()]
    head = "\r\n".join([f"POST {VERIFIED} HTTP/1.1", *lines, "NONCE: other", f"Content-Length: {len(body)}"])
    status, _ = await asyncio.to_thread(exchange, served.origin, head, body)
    assert (status, served.service.events) == (400, ["header_repeated"])


async def test_a_header_that_is_no_text(served: Served) -> None:
    """Bytes that no encoding explains are an ordinary forgery."""
    body = make_body()
    lines = [
        f"{name}: {value}" for name, value in (signed_headers(body, path=VERIFIED) | {"nonce": "\xff\xfe"}).items()
    ]
    head = "\r\n".join([f"POST {VERIFIED} HTTP/1.1", *lines, f"Content-Length: {len(body)}"])
    status, _ = await asyncio.to_thread(exchange, served.origin, head, body)
    assert status in {400, 401}
    assert len(served.service.events) == 1


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_of_100_mib(served: Served, declared: bool) -> None:  # noqa: FBT001
    """A huge body is refused long before it has been read, whether it tells its length or not."""
    sent, answer = await asyncio.to_thread(pour, served.origin, declared)
    assert answer.split(b"\r\n")[0].split()[1] == b"400"
    assert orjson.loads(answer.partition(b"\r\n\r\n")[2])["message"] == "body_too_large"
    assert sent < LARGE // 4
    assert served.service.events == ["body_too_large"]


def pour(origin: str, declared: bool) -> tuple[int, bytes]:  # noqa: FBT001
    """Send a body until there is an answer; return how much was sent, and the answer."""
    host, _, port = origin.removeprefix("http://").partition(":")
    length = f"Content-Length: {LARGE}" if declared else "Transfer-Encoding: chunked"
    block = bytes(65_536) if declared else b"10000\r\n" + bytes(65_536) + b"\r\n"
    sent = 0
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"POST {BOUND} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n\r\n".encode())
        connection.settimeout(0.002)
        while sent < LARGE:
            try:
                sent += connection.send(block)
                return sent, connection.recv(65_536)
            except TimeoutError:
                continue
            except ConnectionError:
                connection.settimeout(20)
                return sent, connection.recv(65_536)
    return sent, b""


async def test_a_sender_that_hangs_up(served: Served) -> None:
    """Half a body leaves no trace but a note, and the server goes on."""
    head = f"POST {BOUND} HTTP/1.1\r\nContent-Length: 1000"
    host, _, port = served.origin.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{head}\r\nHost: x\r\n\r\nhalf".encode())
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await writer.wait_closed()
    assert await post(served.origin + BOUND, make_body()) == (200, b"success")
    assert served.service.events[-1] == "row-1:ORDER-1:1"


async def test_another_method(served: Served) -> None:
    """Only POST is a notification."""
    async with aiohttp.ClientSession() as http:
        for method in ("GET", "PUT", "DELETE"):
            async with http.request(method, URL(served.origin + BOUND, encoded=True)) as answer:
                assert answer.status == 405
    assert served.service.events == []


async def test_a_handler_that_fails(served: Served) -> None:
    """The sender is told to come again, and the next delivery runs the handler."""
    body = make_body(orderNo="FAILS-ONCE")
    status, answer = await post(served.origin + BOUND, body)
    assert (status, orjson.loads(answer)["message"]) == (503, "handler_failed")
    assert await post(served.origin + BOUND, body) == (200, b"success")
    assert served.service.events == ["failed", "handler_failed", "row-1:FAILS-ONCE:1"]


async def test_a_handler_that_is_slow(served: Served) -> None:
    """The sender is not kept waiting, the handler ends its work, and the sender is told so when it comes again."""
    body = make_body(orderNo="SLOW")
    status, answer = await post(served.origin + BOUND, body)
    assert (status, orjson.loads(answer)["message"]) == (503, "unfinished")
    await asyncio.sleep(0.5)
    assert await post(served.origin + BOUND, body) == (200, b"success")
    assert served.service.events == ["unfinished", "row-1:SLOW:1"]


async def test_the_session_serves_requests(served: Served) -> None:
    """One session asks the platform for all of them."""
    answers = [await get(f"{served.origin}/link") for _ in range(3)]
    assert [order for _, order, _ in answers] == [order.order_no for order in served.sandbox.orders]


async def test_an_error_of_the_platform(served: Served) -> None:
    """A refusal of the platform becomes an answer that programs can read."""
    served.sandbox.inject_faults(Fault("code-31000"))
    status, body, _ = await get(f"{served.origin}/link")
    assert (status, body["error"], body["phase"], body["code"]) == (409, "business_error", "answered", 31000)
    assert body["uniqueCode"]


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("parameter", 422, "parameter_error"),
        ("business", 409, "business_error"),
        ("credentials", 502, "credentials_error"),
        ("frequent", 503, "too_frequent_error"),
        ("time-out", 504, "total_timeout"),
        ("unknown", 502, "outcome_unknown"),
    ],
)
async def test_errors_as_answers(served: Served, name: str, status: int, error: str) -> None:
    """Each kind of error has its status, and none tells what anybody typed."""
    found, body, headers = await get(f"{served.origin}/trouble/{name}")
    assert (found, body["error"]) == (status, error)
    assert ("Retry-After" in headers) == (name == "frequent")
    assert "138" not in str(body)
    assert "企业" not in str(body)
