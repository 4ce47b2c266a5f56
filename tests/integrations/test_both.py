"""Behaviour common to the FastAPI and Sanic integrations."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from yarl import URL

from integrations.service import BOUND_PATH, SIGNED_PATH
from kfq_async.sandbox import Fault
from senders import make_body, signed_headers
from web_servers import exchange

if TYPE_CHECKING:
    from integrations.conftest import RunningService

LARGE_BODY = 100 * 2**20


async def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Post a notification; the path is sent undecoded."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(URL(url, encoded=True), data=body, headers=headers) as response,
    ):
        return response.status, await response.read()


async def get(url: str) -> tuple[int, Any, Any]:
    """Return the status, JSON and headers of a GET request."""
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.json(), response.headers


async def test_bound_notification_with_an_encoded_path(running: RunningService) -> None:
    """A notification to ``/hooks/a%20b`` reaches the receiver undecoded, is handled once and acknowledged each time."""
    assert await post(running.origin + BOUND_PATH, make_body()) == (200, b"success")
    assert await post(running.origin + BOUND_PATH, make_body()) == (200, b"success")
    assert running.service.events == ["row-1:ORDER-1:1"]


async def test_path_that_was_not_bound(running: RunningService) -> None:
    """A path that was not bound is rejected, with or without a segment."""
    status, reply = await post(f"{running.origin}/hooks/a%20b/cm93LTE.forged", make_body())
    assert (status, orjson.loads(reply)["message"]) == (401, "unknown_path")
    status, _ = await post(f"{running.origin}/hooks/a%20b", make_body())
    assert status == 401
    assert running.service.events == ["unknown_path", "unknown_path"]


async def test_signed_notification(running: RunningService) -> None:
    """Body and headers reach the receiver unchanged, so the signature is valid."""
    body = make_body(companyName="某某 科技")
    headers = signed_headers(body, path=SIGNED_PATH)
    assert await post(running.origin + SIGNED_PATH, body, **headers) == (200, b"success")
    assert running.service.events == ["ORDER-1:1"]


async def test_repeated_header(running: RunningService) -> None:
    """A repeated signature header is rejected, not merged into one value."""
    body = make_body()
    lines = [f"{name}: {value}" for name, value in signed_headers(body, path=SIGNED_PATH).items()]
    head = "\r\n".join([f"POST {SIGNED_PATH} HTTP/1.1", *lines, "NONCE: other", f"Content-Length: {len(body)}"])
    status, _ = await asyncio.to_thread(exchange, running.origin, head, body)
    assert (status, running.service.events) == (400, ["header_repeated"])


async def test_undecodable_header(running: RunningService) -> None:
    """A header that cannot be decoded is rejected like any forged one."""
    body = make_body()
    lines = [
        f"{name}: {value}" for name, value in (signed_headers(body, path=SIGNED_PATH) | {"nonce": "\xff\xfe"}).items()
    ]
    head = "\r\n".join([f"POST {SIGNED_PATH} HTTP/1.1", *lines, f"Content-Length: {len(body)}"])
    status, _ = await asyncio.to_thread(exchange, running.origin, head, body)
    assert status in {400, 401}
    assert len(running.service.events) == 1


@pytest.mark.parametrize("declared", [True, False])
async def test_large_body(running: RunningService, declared: bool) -> None:  # noqa: FBT001
    """A body of 100 MiB is rejected before a quarter of it is sent, with and without ``Content-Length``."""
    sent, response = await asyncio.to_thread(send_large_body, running.origin, declared)
    assert response.split(b"\r\n")[0].split()[1] == b"400"
    assert orjson.loads(response.partition(b"\r\n\r\n")[2])["message"] == "body_too_large"
    assert sent < LARGE_BODY // 4
    assert running.service.events == ["body_too_large"]


def send_large_body(origin: str, declared: bool) -> tuple[int, bytes]:  # noqa: FBT001
    """Send a body until a response arrives; return the number of bytes sent, and the response."""
    host, _, port = origin.removeprefix("http://").partition(":")
    length = f"Content-Length: {LARGE_BODY}" if declared else "Transfer-Encoding: chunked"
    block = bytes(65_536) if declared else b"10000\r\n" + bytes(65_536) + b"\r\n"
    sent = 0
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"POST {BOUND_PATH} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n\r\n".encode())
        connection.settimeout(0.002)
        while sent < LARGE_BODY:
            try:
                sent += connection.send(block)
                return sent, connection.recv(65_536)
            except TimeoutError:
                continue
            except ConnectionError:
                connection.settimeout(20)
                return sent, connection.recv(65_536)
    return sent, b""


async def test_client_disconnects(running: RunningService) -> None:
    """A disconnect in the middle of a body does not affect later requests."""
    head = f"POST {BOUND_PATH} HTTP/1.1\r\nContent-Length: 1000"
    host, _, port = running.origin.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"{head}\r\nHost: x\r\n\r\nhalf".encode())
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await writer.wait_closed()
    assert await post(running.origin + BOUND_PATH, make_body()) == (200, b"success")
    assert running.service.events[-1] == "row-1:ORDER-1:1"


async def test_other_methods(running: RunningService) -> None:
    """Methods other than POST are not allowed."""
    async with aiohttp.ClientSession() as http:
        for method in ("GET", "PUT", "DELETE"):
            async with http.request(method, URL(running.origin + BOUND_PATH, encoded=True)) as response:
                assert response.status == 405
    assert running.service.events == []


async def test_failing_handler(running: RunningService) -> None:
    """A failure has status 503, and the next delivery runs the handler."""
    body = make_body(orderNo="FAILS-ONCE")
    status, reply = await post(running.origin + BOUND_PATH, body)
    assert (status, orjson.loads(reply)["message"]) == (503, "handler_failed")
    assert await post(running.origin + BOUND_PATH, body) == (200, b"success")
    assert running.service.events == ["failed", "handler_failed", "row-1:FAILS-ONCE:1"]


async def test_slow_handler(running: RunningService) -> None:
    """Beyond the reply timeout the status is 503, the handler completes, and the next delivery is acknowledged."""
    body = make_body(orderNo="SLOW")
    status, reply = await post(running.origin + BOUND_PATH, body)
    assert (status, orjson.loads(reply)["message"]) == (503, "unfinished")
    await asyncio.sleep(0.5)
    assert await post(running.origin + BOUND_PATH, body) == (200, b"success")
    assert running.service.events == ["unfinished", "row-1:SLOW:1"]


async def test_session_is_shared_by_requests(running: RunningService) -> None:
    """One session serves all requests."""
    responses = [await get(f"{running.origin}/link") for _ in range(3)]
    assert [order for _, order, _ in responses] == [order.order_no for order in running.sandbox.orders]


async def test_platform_error(running: RunningService) -> None:
    """An error of the platform becomes a JSON response."""
    running.sandbox.inject_faults(Fault("code-31000"))
    status, body, _ = await get(f"{running.origin}/link")
    assert (status, body["error"], body["phase"], body["code"]) == (409, "business_error", "answered", 31000)
    assert body["uniqueCode"]


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("parameter", 422, "parameter_error"),
        ("business", 409, "business_error"),
        ("credentials", 502, "credentials_error"),
        ("frequent", 503, "too_frequent_error"),
        ("timeout", 504, "total_timeout"),
        ("unknown", 502, "outcome_unknown"),
    ],
)
async def test_error_responses(running: RunningService, name: str, status: int, error: str) -> None:
    """Each kind of error has its status, and no response contains user input."""
    response_status, body, headers = await get(f"{running.origin}/errors/{name}")
    assert (response_status, body["error"]) == (status, error)
    assert ("Retry-After" in headers) == (name == "frequent")
    assert "138" not in str(body)
    assert "企业" not in str(body)
