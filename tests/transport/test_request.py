"""Wire format of a request, and the paths that `Request` leaves to aiohttp."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import orjson
import pytest
from aiohttp.streams import EmptyStreamReader
from multidict import CIMultiDict, CIMultiDictProxy

from calls import TOKEN, respond
from kfq_async import AsyncSession, CredentialPlacement, Idempotency, Operation
from kfq_async._version import __version__
from kfq_async.protocol.requests import API_PATH
from kfq_async.transport.request import _aiohttp_send
from servers import SUCCESS, ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Callable

POST = Operation[Any, Any]("POST", "/some/path")
GET = Operation[Any, Any]("GET", "/some/path", credentials=CredentialPlacement.PARAMETERS, idempotency=Idempotency.SAFE)
STATIC = ["Host", "User-Agent", "Accept", "Content-Type", "Accept-Encoding"]
CREDENTIALS = ["appAuthToken", "nonce", "timestamp", "uniqueCode", "sign"]


async def send_and_capture(
    operation: Operation[Any, Any], request: dict[str, object], **more: Any
) -> tuple[ReceivedRequest, str]:
    """Send a request, and return it as the server received it, with the server's host and port."""
    async with ScriptedServer(respond(success())) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        await session.send(operation, request, **more)
        return server.requests[0], server.origin.removeprefix("http://")


async def test_post() -> None:
    """``Host`` comes first, as HTTP recommends, the constant headers next, and ``Content-Length`` last."""
    seen, host = await send_and_capture(POST, {"a": "合同"})
    assert list(seen.headers) == [*STATIC, *CREDENTIALS, "Content-Length"]
    assert seen.headers["Host"] == host
    assert seen.headers["User-Agent"] == f"kfq-async/{__version__}"
    assert seen.headers["Accept"] == seen.headers["Content-Type"] == "application/json"
    assert "gzip" in seen.headers["Accept-Encoding"]
    assert seen.target == "/resrun-paas/kaifangqian/openAPI/V2/some/path"
    assert orjson.loads(seen.body) == {"a": "合同"}


async def test_get() -> None:
    """A GET carries neither a body nor its length."""
    seen, _ = await send_and_capture(GET, {"a": "1"})
    assert list(seen.headers) == [*STATIC, "sign"]
    assert seen.body == b""


async def test_extra_headers_replace_constant_headers() -> None:
    """A header that the caller sets is sent once, with the caller's value."""
    seen, _ = await send_and_capture(POST, {}, extra_headers={"user-agent": "mine", "Accept": "*/*", "X-Trace": "1"})
    assert seen.headers.getall("User-Agent") == ["mine"]
    assert seen.headers.getall("Accept") == ["*/*"]
    assert seen.headers.getall("X-Trace") == ["1"]


@pytest.mark.parametrize("size", [65_000, 66_000, 1_000_000])
async def test_body_of_any_size(size: int) -> None:
    """Bodies that are written together with the head, and larger ones, arrive whole."""
    seen, _ = await send_and_capture(POST, {"a": "x" * size})
    assert orjson.loads(seen.body) == {"a": "x" * size}
    assert seen.headers.getall("Content-Length") == [str(len(seen.body))]
    assert seen.headers.getall("Content-Type") == ["application/json"]


async def test_through_a_proxy_without_tls() -> None:
    """A proxy receives the whole URL, and the platform's host in ``Host``."""
    base_url = "http://platform.example/resrun-paas"
    async with (
        ScriptedServer(respond(success())) as proxy,
        AsyncSession(TOKEN, base_url=base_url, proxy=proxy.origin) as session,
    ):
        await session.send(POST, {"a": 1})
        assert proxy.requests[0].target == f"{base_url}/kaifangqian/openAPI/V2/some/path"
        assert proxy.requests[0].headers["Host"] == "platform.example"
        assert proxy.requests[0].body == b'{"a":1}'


async def test_connector_without_keep_alive() -> None:
    """With a connector that closes each connection, requests carry ``Connection: close``."""
    async with ScriptedServer(respond(success())) as server, aiohttp.TCPConnector(force_close=True) as connector:
        async with AsyncSession(TOKEN, base_url=server.base_url, connector=connector) as session:
            await session.send(POST, {})
            await session.send(POST, {})
        assert server.connections == 2
        assert [seen.headers["Connection"] for seen in server.requests] == ["close", "close"]


@pytest.fixture
def middlewares(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientMiddlewareType]:
    """Install client middlewares for every client session, as instrumentation and mocks do, and return their list."""
    installed: list[aiohttp.ClientMiddlewareType] = []
    original = aiohttp.ClientSession._request

    async def patched(self: aiohttp.ClientSession, *args: Any, **options: Any) -> aiohttp.ClientResponse:
        return await original(self, *args, **options, middlewares=installed)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", patched)
    return installed


@pytest.mark.parametrize("size", [1, 70_000])
async def test_middleware_reads_the_body(size: int, middlewares: list[aiohttp.ClientMiddlewareType]) -> None:
    """A client middleware reads the body of a request of any size, which is sent unchanged."""
    bodies = []

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        payload = request.body
        assert isinstance(payload, aiohttp.BytesPayload)
        bodies.append(await payload.as_bytes())
        assert payload.decode().encode() == bodies[0]
        return await handler(request)

    middlewares.append(middleware)
    seen, _ = await send_and_capture(POST, {"a": "x" * size})
    assert bodies == [seen.body]
    assert orjson.loads(bodies[0]) == {"a": "x" * size}


async def test_middleware_shortens_the_body(middlewares: list[aiohttp.ClientMiddlewareType]) -> None:
    """No more of the body is sent than ``Content-Length`` says, as with aiohttp's own payloads."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        assert request.body
        request.headers["Content-Length"] = "70000"
        return await handler(request)

    middlewares.append(middleware)
    seen, _ = await send_and_capture(POST, {"a": "x" * 200_000})
    assert seen.body == b'{"a":"' + b"x" * (70_000 - 6)


async def test_mock_sees_the_request(mocked: Callable[..., None]) -> None:
    """A mock of aiohttp sees body and headers of a POST, and matches a GET by its URL without credentials."""
    seen: list[dict[str, Any]] = []
    answer: dict[str, Any] = {
        "payload": {"code": 10000, "result": SUCCESS},
        "callback": lambda _, **how: seen.append(how),
    }
    url = f"http://platform.example{API_PATH}{POST.path}"
    mocked(url, **answer)
    mocked(f"{url}?contractId=C-1", method="GET", **answer)
    async with AsyncSession(TOKEN, base_url="http://platform.example") as session:
        await session.send(POST, {"a": "合同"})
        await session.send(GET, {"contractId": "C-1"})
    post, get = seen
    assert json.loads(post["data"]) == {"a": "合同"}
    assert post["headers"]["appAuthToken"] == TOKEN
    assert get["data"] is None


async def test_middleware_responds(middlewares: list[aiohttp.ClientMiddlewareType]) -> None:
    """A response that has no stream, as that of some mocking tools, is read."""

    class Response(aiohttp.ClientResponse):
        async def read(self) -> bytes:
            return success().partition(b"\r\n\r\n")[2]

    async def middleware(request: aiohttp.ClientRequest, _: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        options: dict[str, Any] = {"request_info": request.request_info, "session": request.session}
        options |= {"loop": asyncio.get_running_loop(), "traces": [], "timer": None, "continue100": None}
        response = Response(request.method, request.url, writer=None, stream_writer=Mock(output_size=0), **options)
        response.status, response.content = 200, EmptyStreamReader()
        response._headers = CIMultiDictProxy(CIMultiDict())
        return response

    middlewares.append(middleware)
    async with AsyncSession(TOKEN, base_url="http://platform.example") as session:
        assert (await session.send(POST, {})).result == SUCCESS


@pytest.mark.parametrize("size", [10, 70_000])
async def test_middleware_replaces_the_body(size: int, middlewares: list[aiohttp.ClientMiddlewareType]) -> None:
    """A body that a client middleware sets is sent, with its length."""
    body = b"y" * size

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        await request.update_body(body)
        request.headers["Content-Length"] = str(size)
        return await handler(request)

    middlewares.append(middleware)
    seen, _ = await send_and_capture(POST, {"a": 1})
    assert seen.body == body


async def test_replaced_send_reads_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instrumentation that replaces ``ClientRequest.send`` can add headers and read the body."""
    original = aiohttp.ClientRequest.send

    async def traced(self: aiohttp.ClientRequest, conn: Any) -> aiohttp.ClientResponse:
        self.headers["traceparent"] = "00-1-1-01"
        assert self.body
        return await original(self, conn)

    monkeypatch.setattr(aiohttp.ClientRequest, "send", traced)
    seen, _ = await send_and_capture(POST, {"a": 1})
    assert seen.headers["traceparent"] == "00-1-1-01"
    assert orjson.loads(seen.body) == {"a": 1}


def test_send_replaced_before_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instrumentation that was there first is recognised, even if it copies the name of the original."""
    original = aiohttp.ClientRequest.send
    assert _aiohttp_send() is original

    async def send(_self: aiohttp.ClientRequest, _conn: Any) -> None:
        """Send nothing."""

    for replacement in (send, functools.update_wrapper(send, original), Mock(wraps=original)):
        monkeypatch.setattr(aiohttp.ClientRequest, "send", replacement)
        assert _aiohttp_send() is None


async def test_trace_sees_headers_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A `TraceConfig`, such as tracers add to every client session, is notified of headers and chunks."""
    events: list[str] = []
    config = aiohttp.TraceConfig()

    async def sent(_session: object, _context: object, _params: object) -> None:
        events.append("sent")

    config.on_request_headers_sent.append(sent)
    config.on_request_chunk_sent.append(sent)
    original = aiohttp.ClientSession.__init__

    def traced(self: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
        original(self, *args, **options, trace_configs=[config])

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", traced)
    seen, _ = await send_and_capture(POST, {"a": 1})
    assert orjson.loads(seen.body) == {"a": 1}
    assert len(events) == 2
