"""Fault injection over HTTP and TCP: damaged or replaced responses, broken connections, a closed port."""

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
from kfq_async.sandbox.checks import HIDDEN_ERROR_PAGE
from kfq_async.sandbox.faults import WAITS, InjectionPoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from kfq_async.sandbox.faults import Fault, FaultPlan

__all__ = ["FaultInjector", "FaultyListener"]

HUGE = 9 * 1024 * 1024
"""Size of the body of ``huge``, in bytes."""
BACKLOG = 1024
"""Maximum number of connections that wait to be accepted."""
_JSON = "application/json"


class FaultInjector:
    """Injects faults into requests; ``now_ms`` reads the sandbox's clock in milliseconds."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms

    async def inject(
        self, faults: Sequence[Fault], request: web.Request, handle: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Respond as the faults demand: delays, and at most one other.

        ``handle`` lets the platform act and returns its own response.
        """
        fault = next((fault for fault in faults if fault.kind not in WAITS), None)
        if fault is not None and fault.kind == "reset-reading":
            return _reset(request)
        await _wait(faults, "delay-reading")
        await request.read()
        await _wait(faults, "delay-acting")
        response: web.StreamResponse = web.json_response({})
        if fault is None or fault.acted:
            response = await handle()
        await _wait(faults, "delay")
        return response if fault is None else await self._respond(fault, request, response)

    async def _respond(self, fault: Fault, request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
        if fault.kind in {"lose-request", "lose-response"}:
            return _reset(request)
        error = _ERRORS.get(fault.kind) or _error_with_code(fault.kind)
        if error is not None:
            return self._error_response(fault, error)
        body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
        if fault.kind in _RAW:
            return _write_and_close(request, _RAW[fault.kind](body))
        if fault.kind in _STREAMED:
            return await _STREAMED[fault.kind](request, body, fault.seconds)
        return _ALTERED[fault.kind](body)

    def _error_response(self, fault: Fault, error: _Error) -> web.Response:
        headers = {"Location": "https://elsewhere.example/login?token=SECRET"} if fault.kind == "redirect" else {}
        if fault.seconds:
            headers["Retry-After"] = str(round(fault.seconds))
        if error.html:
            return web.Response(text=error.html, status=error.status, content_type="text/html", headers=headers)
        document = error.document
        if isinstance(document, dict):
            document = {"timestamp": self._now_ms(), **document}
        return web.Response(body=orjson.dumps(document), status=error.status, content_type=_JSON, headers=headers)


async def _wait(faults: Sequence[Fault], kind: str) -> None:
    """Wait for all delays of a kind."""
    for fault in faults:
        if fault.kind == kind:
            await asyncio.sleep(fault.seconds)


STEPS_OF_A_CONNECTION = 3
"""Steps of the event loop from the acceptance of a connection until it has its protocol."""


class FaultyListener:
    """Listening port that can reset new connections, or stop listening for a while.

    ``new_protocol`` makes the protocol that serves a connection.
    """

    def __init__(self, new_protocol: Callable[[], asyncio.Protocol], faults: FaultPlan) -> None:
        self._new_protocol = new_protocol
        self._faults = faults
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._address = ("", 0)
        self._reopening: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen and return the port; 0 takes a free one. Raises `OSError` if it is taken."""
        server = await self._loop.create_server(self._make_protocol, host, port, backlog=BACKLOG)
        self._servers.append(server)
        self._address = host, server.sockets[0].getsockname()[1]
        return self._address[1]

    def refuse(self, seconds: float) -> None:
        """Refuse new connections for so many seconds from now on. Thread-safe."""
        self._loop.call_soon_threadsafe(self._start_refusing, seconds)

    async def close(self) -> None:
        """Stop listening, and let connections that were just accepted get their protocol, which then closes them."""
        if self._reopening is not None:
            self._reopening.cancel()
            await asyncio.gather(self._reopening, return_exceptions=True)
        self._close_servers()
        for _ in range(STEPS_OF_A_CONNECTION):
            await asyncio.sleep(0)

    def _make_protocol(self) -> _FaultyProtocol:
        return _FaultyProtocol(self._new_protocol(), self._faults)

    def _start_refusing(self, seconds: float) -> None:
        if self._reopening is not None:
            self._reopening.cancel()
        self._close_servers()
        self._reopening = self._loop.create_task(self._reopen_after(seconds))

    async def _reopen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.open(*self._address)

    def _close_servers(self) -> None:
        while self._servers:
            self._servers.pop().close()


class _FaultyProtocol(asyncio.Protocol):
    """Passes a connection on to its protocol, or resets it at once if a fault applies."""

    def __init__(self, protocol: asyncio.Protocol, faults: FaultPlan) -> None:
        self._protocol: asyncio.Protocol = protocol
        self._faults = faults

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._faults.draw(InjectionPoint.CONNECTION) is None:
            self._protocol.connection_made(transport)
        else:
            self._protocol = asyncio.Protocol()  # ignores all further events of the connection
            _reset_on_close(transport.get_extra_info("socket"))
            cast("asyncio.Transport", transport).abort()

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, problem: Exception | None) -> None:
        self._protocol.connection_lost(problem)


# Error responses, which do not depend on the request.


@frozen
class _Error:
    status: int
    document: object = None
    html: str = ""


def _html(title: str) -> str:
    return f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"


def _internal(code: int, message: str, *, success: bool = False) -> dict[str, object]:
    return {"success": success, "message": message, "code": code, "result": None}


def _framework(status: int, error: str, **more: str) -> dict[str, object]:
    return {"timestamp": "2026-01-02 03:04:05", "status": status, "error": error, "path": "/resrun-paas/x", **more}


def _platform(code: int | None, message: str) -> _Error:
    return _Error(200, {"code": code, "message": f"沙箱：{message}", "result": None})


def _error_with_code(kind: str) -> _Error | None:
    """Return the error of ``code-NNNNN`` or ``internal-NNN``, or ``None`` for another kind."""
    envelope, _, code = kind.rpartition("-")
    if envelope == "code":
        return _platform(int(code), "模拟错误")
    return _Error(200, _internal(int(code), "沙箱：模拟错误")) if envelope == "internal" else None


_ERRORS = {
    "html": _Error(200, html=_html("开放签")),
    "list": _Error(200, [1, 2]),
    "redirect": _Error(302, html=_html("302 Found")),
    "413": _Error(413, html=_html("413 Request Entity Too Large")),
    "429": _Error(429, html=_html("429 Too Many Requests")),
    "502": _Error(502, html=_html("502 Bad Gateway")),
    "503": _Error(503, html=_html("503 Service Temporarily Unavailable")),
    "504": _Error(504, html=_html("504 Gateway Time-out")),
    "framework-404": _Error(404, _framework(404, "Not Found")),
    "framework-500": _Error(
        500,
        _framework(
            500,
            "Internal Server Error",
            message="沙箱：内部错误",
            exception="java.lang.IllegalStateException",
            trace="java.lang.IllegalStateException\n\tat sandbox.Example.run(Example.java:1)\n",
        ),
    ),
    "internal-401": _Error(401, _internal(401, HIDDEN_ERROR_PAGE.message, success=True)),
    "internal-500": _Error(200, _internal(500, "沙箱：操作失败")),
    "code-null": _platform(None, "错误码为空"),
    "code-31000": _platform(31000, "业务失败"),
    "code-41001": _platform(41001, "时间戳超出范围"),
    "code-41002": _platform(41002, "nonce 重复"),
    "code-43000": _platform(43000, "调用超时"),
    "code-91000": _platform(91000, "未知错误"),
    "frequent-a": _Error(200, {"code": TOO_FREQUENT, "message": TOO_FREQUENT_MESSAGE, "result": None}),
    "frequent-b": _Error(200, _internal(500, TOO_FREQUENT_MESSAGE)),
    "frequent-c": _Error(500, _framework(500, "Internal Server Error", message=TOO_FREQUENT_MESSAGE)),
}


# Broken connections and damaged responses.


def _reset(request: web.Request) -> web.Response:
    """Reset the connection like a crashed server."""
    connection = request.get_extra_info("socket")
    if connection is not None:  # the client may have disconnected meanwhile
        _reset_on_close(connection)
    request.protocol.force_close()
    return web.Response()


def _reset_on_close(connection: socket.socket) -> None:
    """Send a reset when this socket is closed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _transport(request: web.Request) -> asyncio.Transport | None:
    """Return the connection's transport; ``None`` if the client has disconnected."""
    return request.transport


def _write_and_close(request: web.Request, data: bytes) -> web.Response:
    """Write bytes to the connection, past the framework, and close it."""
    transport = _transport(request)
    if transport is not None:
        transport.write(data)
    request.protocol.force_close()
    return web.Response()


def _head(length: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % length


_RAW: dict[str, Callable[[bytes], bytes]] = {
    "close": lambda _: b"",
    "close-idle": lambda _: b"",
    "cut-head": lambda body: _head(len(body))[:40],
    "cut-body": lambda body: _head(len(body)) + body[: len(body) // 2],
    "long-length": lambda body: _head(len(body) + 100) + body,
    "short-length": lambda body: _head(len(body) - 5) + body,
}
"""Bytes that no framework would write; the connection is closed after them."""


async def _trickle(request: web.Request, body: bytes, seconds: float) -> web.Response:
    transport = _transport(request)
    if transport is None:
        return web.Response()
    for byte in _head(len(body)) + body:
        transport.write(bytes([byte]))
        await asyncio.sleep(seconds)
        if transport.is_closing():
            break
    request.protocol.force_close()
    return web.Response()


async def _endless(request: web.Request, _body: bytes, _seconds: float) -> web.Response:
    """Send chunks until the client disconnects."""
    transport = _transport(request)
    if transport is None:
        return web.Response()
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    transport.write(b'9\r\n{"code": \r\n')
    while not transport.is_closing():
        transport.write(b"1\r\n \r\n")
        await asyncio.sleep(0.02)
    return web.Response()


_STREAMED: dict[str, Callable[[web.Request, bytes, float], Awaitable[web.Response]]] = {
    "trickle": _trickle,
    "endless": _endless,
}


def _labelled_gzip(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=_JSON, headers={"Content-Encoding": "gzip"})


def _digits(body: bytes) -> web.Response:
    document = orjson.loads(body)
    document["code"] = str(document["code"])
    document["timestamp"] = str(document["timestamp"] // 1000)
    return web.Response(body=orjson.dumps(document), content_type=_JSON)


_ALTERED: dict[str, Callable[[bytes], web.Response]] = {
    "bad-gzip": _labelled_gzip,
    "digits": _digits,
    "gzip": lambda body: _labelled_gzip(gzip.compress(body)),
    "huge": lambda _: web.Response(body=b'{"code":10000,"result":"%b"}' % (b"x" * HUGE), content_type=_JSON),
    "malformed": lambda _: web.Response(body=b'{"code":10000,,}', content_type=_JSON),
}
