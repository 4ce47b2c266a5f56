"""The sandbox's HTTP side: routes, envelopes in the platform's shapes, and faults in between."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from hmac import compare_digest
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from kfq_async.protocol.answers import CONTEXT_PATH
from kfq_async.protocol.requests import API_PATH
from kfq_async.sandbox import pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.sandbox.faults import Faults
    from kfq_async.sandbox.state import Platform, Reply

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["make_app"]

API = f"{CONTEXT_PATH}{API_PATH}"
LARGEST_BODY = 100 * 1024 * 1024
"""Bytes, as the bundled proxy allows (protocol section 1.7)."""


def make_app(platform: Platform, faults: Callable[[], Faults], clock: Callable[[], float]) -> web.Application:
    """Build the application; ``clock`` returns seconds since the epoch."""
    site = _Site(platform, faults, clock)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[site.misfortune])
    app.router.add_post(f"{API}/auth/corp/ident/link", site.corp_ident_link)
    app.router.add_route("*", f"{API}/auth/corp/ident/link", site.wrong_method)
    app.router.add_get("/sandbox/identify/{order_no}", site.identify)
    app.router.add_get("/sandbox/orders", site.orders)
    app.router.add_route("*", "/{path:.*}", site.elsewhere)
    return app


class _Site:
    """The handlers, over one platform."""

    def __init__(self, platform: Platform, faults: Callable[[], Faults], clock: Callable[[], float]) -> None:
        self._platform = platform
        self._faults = faults
        self._clock = clock

    async def corp_ident_link(self, request: web.Request) -> web.Response:
        body = await request.read()
        now = self._clock() * 1000
        origin = f"{request.scheme}://{request.host}"
        reply = self._platform.corp_ident_link(request.headers, body, now_ms=now, origin=origin)
        return self._envelope_a(reply)

    async def identify(self, request: web.Request) -> web.Response:
        order = self._platform.store.by_number(request.match_info["order_no"])
        if order is None or not compare_digest(order.code.encode(), request.query.get("code", "").encode()):
            return _html(pages.not_found(), status=404)
        return _html(pages.identify(order))

    async def orders(self, _: web.Request) -> web.Response:
        listed = [
            {
                "orderNo": order.order_no,
                "clientRequestId": order.client_request_id,
                "companyName": order.company_name,
                "createdAt": order.created_at,
            }
            for order in self._platform.store
        ]
        return _json({"count": len(listed), "orders": listed})

    async def wrong_method(self, _: web.Request) -> web.Response:
        """Answer as the platform's internal handler does, with HTTP 200 (protocol section 1.5, form B)."""
        code, message = 405, "沙箱：请求方式不符"
        return _json({"success": False, "message": message, "code": code, "result": None, "timestamp": self._now_ms()})

    async def elsewhere(self, request: web.Request) -> web.Response:
        """Answer for a path that does not exist: the framework below the context path, the web server above it."""
        if request.path.startswith(f"{CONTEXT_PATH}/"):
            return _envelope_c(404, request.path)
        if request.method in {"GET", "HEAD"}:
            return _html(pages.web_application())
        return _html(pages.method_not_allowed(), status=405)

    @web.middleware
    async def misfortune(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the fault happen whose turn it is."""
        fault = self._faults().draw() if request.path.startswith(API) else None
        if fault is None:
            return await handler(request)
        if fault.kind == "lose":
            return _reset(request)
        response = await handler(request)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            return response
        return _reset(request)

    def _envelope_a(self, reply: Reply) -> web.Response:
        return _json(
            {"code": reply.code, "message": reply.message, "result": reply.result, "timestamp": self._now_ms()}
        )

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def _envelope_c(status: int, path: str) -> web.Response:
    moment = time.strftime("%Y-%m-%d %H:%M:%S")
    document = {"timestamp": moment, "status": status, "error": "Not Found", "path": path}
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def _html(page: str, status: int = 200) -> web.Response:
    return web.Response(text=page, status=status, content_type="text/html", headers=pages.HEADERS)


def _reset(request: web.Request) -> web.Response:
    """Break the connection as a crashed server does, with a reset."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
