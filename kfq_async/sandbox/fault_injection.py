"""How each fault looks on the wire: wrong bytes, closed connections, and answers of the wrong kind."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
from typing import TYPE_CHECKING, cast

import orjson
from aiohttp import web
from attrs import frozen

from kfq_async.protocol.codes import TOO_FREQUENT, TOO_FREQUENT_MESSAGE
from kfq_async.sandbox.faults import Faults, Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.sandbox.faults import Fault

    Act = Callable[[], Awaitable[web.StreamResponse]]
    from aiohttp.web import AppRunner

__all__ = ["FaultInjector", "Listener", "reset"]


HUGE = 9 * 1024 * 1024
_JSON = "application/json"


@frozen
class _Canned:
    """An answer that does not depend on the request."""

    status: int
    document: object = None
    page: str = ""


def _page(title: str) -> str:
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


def _internal(code: int, message: str, *, success: bool = False) -> dict[str, object]:
    return {"success": success, "message": message, "code": code, "result": None}


def _framework(status: int, error: str, **more: str) -> dict[str, object]:
    return {"timestamp": "2026-01-02 03:04:05", "status": status, "error": error, "path": "/resrun-paas/x", **more}


def _refusal(code: int | None, message: str) -> _Canned:
    return _Canned(200, {"code": code, "message": f"沙箱：{message}", "result": None})


_CANNED = {
    "html": _Canned(200, page=_page("开放签")),
    "list": _Canned(200, [1, 2]),
    "redirect": _Canned(302, page=_page("302 Found")),
    "413": _Canned(413, page=_page("413 Request Entity Too Large")),
    "429": _Canned(429, page=_page("429 Too Many Requests")),
    "502": _Canned(502, page=_page("502 Bad Gateway")),
    "503": _Canned(503, page=_page("503 Service Temporarily Unavailable")),
    "504": _Canned(504, page=_page("504 Gateway Time-out")),
    "framework-404": _Canned(404, _framework(404, "Not Found")),
    "framework-500": _Canned(
        500,
        _framework(
            500,
            "Internal Server Error",
            message="沙箱：内部错误",
            exception="java.lang.IllegalStateException",
            trace="java.lang.IllegalStateException\n\tat sandbox.Example.run(Example.java:1)\n",
        ),
    ),
    "internal-401": _Canned(401, _internal(401, "沙箱：需要登录", success=True)),
    "internal-500": _Canned(200, _internal(500, "沙箱：操作失败")),
    "code-null": _refusal(None, "没有编号的错误"),
    "code-31000": _refusal(31000, "业务失败"),
    "code-41001": _refusal(41001, "时间戳超出范围"),
    "code-41002": _refusal(41002, "nonce 重复"),
    "code-43000": _refusal(43000, "调用超时"),
    "code-91000": _refusal(91000, "未知错误"),
    "frequent-a": _Canned(200, {"code": TOO_FREQUENT, "message": TOO_FREQUENT_MESSAGE, "result": None}),
    "frequent-b": _Canned(200, _internal(500, TOO_FREQUENT_MESSAGE)),
    "frequent-c": _Canned(500, _framework(500, "Internal Server Error", message=TOO_FREQUENT_MESSAGE)),
}


def _numbered(kind: str) -> _Canned | None:
    """Return the answer with any number of the platform's, or ``None`` for another kind of fault."""
    form, _, number = kind.rpartition("-")
    if form == "code":
        return _refusal(int(number), "模拟的错误")
    return _Canned(200, _internal(int(number), "沙箱：模拟的错误")) if form == "internal" else None


class FaultInjector:
    """Lets faults happen to requests; ``now_ms`` reads the sandbox's clock in milliseconds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    async def inject(self, fault: Fault, request: web.Request, act: Act) -> web.StreamResponse:
        """Answer a request in the fault's way; ``act`` lets the platform act and returns its own answer."""
        if fault.kind == "reset-reading":
            return reset(request)
        if fault.kind == "delay-reading":
            await asyncio.sleep(fault.seconds)
        await request.read()
        if fault.kind == "delay-acting":
            await asyncio.sleep(fault.seconds)
        answer: web.StreamResponse = web.json_response({})
        if fault.acted:
            answer = await act()
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind in {"lose", "drop"}:
            return reset(request)
        canned = _CANNED.get(fault.kind) or _numbered(fault.kind)
        if canned is not None:
            return self._canned(fault, canned)
        body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
        if fault.kind in _RAW:
            return _write(request, _RAW[fault.kind](body))
        if fault.kind in _STREAMED:
            return await _STREAMED[fault.kind](request, body, fault.seconds)
        return _ALTERED[fault.kind](body) if fault.kind in _ALTERED else answer

    def _canned(self, fault: Fault, canned: _Canned) -> web.Response:
        headers = {"Location": "https://elsewhere.example/login?token=SECRET"} if fault.kind == "redirect" else {}
        if fault.seconds:
            headers["Retry-After"] = str(round(fault.seconds))
        if canned.page:
            return web.Response(text=canned.page, status=canned.status, content_type="text/html", headers=headers)
        document = canned.document
        if isinstance(document, dict):
            document = {"timestamp": self._now_ms(), **document}
        return web.Response(body=orjson.dumps(document), status=canned.status, content_type=_JSON, headers=headers)


def _head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length


def _encoded(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=_JSON, headers={"Content-Encoding": "gzip"})


def _digits(body: bytes) -> web.Response:
    document = orjson.loads(body)
    document["code"] = str(document["code"])
    document["timestamp"] = str(document["timestamp"] // 1000)
    return web.Response(body=orjson.dumps(document), content_type=_JSON)


def _transport(request: web.Request) -> asyncio.Transport:
    """Return the connection's transport; while a request is handled there is one."""
    return cast("asyncio.Transport", request.transport)


def _write(request: web.Request, data: bytes) -> web.Response:
    """Put bytes on the wire past the framework, and close the connection."""
    _transport(request).write(data)
    request.protocol.force_close()
    return web.Response()


async def _trickle(request: web.Request, body: bytes, seconds: float) -> web.Response:
    transport = _transport(request)
    for byte in _head(len(body)) + body:
        transport.write(bytes([byte]))
        await asyncio.sleep(seconds)
        if transport.is_closing():
            break
    request.protocol.force_close()
    return web.Response()


async def _endless(request: web.Request, _body: bytes, _seconds: float) -> web.Response:
    """Send chunks until the client leaves."""
    transport = _transport(request)
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    transport.write(b'9\r\n{"code": \r\n')
    while not transport.is_closing():
        transport.write(b"1\r\n \r\n")
        await asyncio.sleep(0.02)
    return web.Response()


def reset(request: web.Request) -> web.Response:
    """Break the connection as a crashed server does, with a reset."""
    linger(request.get_extra_info("socket"))
    request.protocol.force_close()
    return web.Response()


def linger(connection: socket.socket) -> None:
    """Make closing this socket a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


_RAW: dict[str, Callable[[bytes], bytes]] = {
    "close": lambda _: b"",
    "close-idle": lambda _: b"",
    "cut-head": lambda body: _head(len(body))[:40],
    "cut-body": lambda body: _head(len(body)) + body[: len(body) // 2],
    "long-length": lambda body: _head(len(body) + 100) + body,
    "short-length": lambda body: _head(len(body) - 5) + body,
}
"""Bytes that no framework would write, and after which the connection closes."""
_STREAMED: dict[str, Callable[[web.Request, bytes, float], Awaitable[web.Response]]] = {
    "trickle": _trickle,
    "endless": _endless,
}
_ALTERED: dict[str, Callable[[bytes], web.Response]] = {
    "bad-gzip": _encoded,
    "digits": _digits,
    "gzip": lambda body: _encoded(gzip.compress(body)),
    "huge": lambda _: web.Response(body=b'{"code":10000,"result":"%b"}' % (b"x" * HUGE), content_type=_JSON),
    "malformed": lambda _: web.Response(body=b'{"code":10000,,}', content_type=_JSON),
}


BACKLOG = 1024


class _Gate(asyncio.Protocol):
    """Stands before the handler of a connection, and lets through what is not to be reset."""

    def __init__(self, handler: asyncio.Protocol, faults: Faults) -> None:
        self._handler: asyncio.Protocol = handler
        self._faults = faults

    # asyncio calls these; each passes on what it is told.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._faults.draw(Stage.CONNECTING) is None:
            self._handler.connection_made(transport)
        else:
            self._handler = asyncio.Protocol()
            linger(transport.get_extra_info("socket"))
            cast("asyncio.Transport", transport).abort()

    def data_received(self, data: bytes) -> None:
        self._handler.data_received(data)

    def eof_received(self) -> None:
        self._handler.eof_received()

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def connection_lost(self, problem: Exception | None) -> None:
        self._handler.connection_lost(problem)


class Listener:
    """Listens on a port, and can stop listening for a while."""

    def __init__(self, runner: AppRunner, faults: Faults) -> None:
        self._runner = runner
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._address = ("", 0)
        self._refusal: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen and return the port; 0 takes a free one. Raises `OSError` if it is taken."""
        server = await self._loop.create_server(self._gate, host, port, backlog=BACKLOG)
        self._servers.append(server)
        self._address = host, server.sockets[0].getsockname()[1]
        return self._address[1]

    def refuse(self, seconds: float) -> None:
        """Refuse new connections from now on, for a while. May be called from any thread."""
        self._loop.call_soon_threadsafe(self._begin_refusal, seconds)

    async def close(self) -> None:
        """Listen no longer."""
        if self._refusal is not None:
            self._refusal.cancel()
            await asyncio.gather(self._refusal, return_exceptions=True)
        self._stop_listening()

    def _begin_refusal(self, seconds: float) -> None:
        if self._refusal is not None:
            self._refusal.cancel()
        self._stop_listening()
        self._refusal = self._loop.create_task(self._listen_after(seconds))

    def _stop_listening(self) -> None:
        while self._servers:
            self._servers.pop().close()

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.open(*self._address)

    def _gate(self) -> _Gate:
        server = self._runner.server
        assert server is not None  # noqa: S101  # it has been set up
        return _Gate(server(), self._faults)
