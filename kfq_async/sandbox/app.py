"""The sandbox's HTTP side: routes, envelopes in the platform's shapes, and faults in between."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

import orjson
from aiohttp import web

from kfq_async.protocol.requests import API_PATH
from kfq_async.protocol.responses import CONTEXT_PATH
from kfq_async.sandbox.checks import PlatformResponse
from kfq_async.sandbox.fault_injection import FaultInjector
from kfq_async.sandbox.faults import KINDS, Fault
from kfq_async.sandbox.web import frame
from kfq_async.sandbox.web.forms import html

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kfq_async.sandbox.faults import Faults
    from kfq_async.sandbox.identity import Platform

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["make_app"]

API = f"{CONTEXT_PATH}{API_PATH}"
LARGEST_BODY = 100 * 1024 * 1024
"""Bytes, as the bundled proxy allows (protocol section 1.7)."""


def make_app(
    platform: Platform,
    faults: Faults,
    inject_faults: Callable[[list[Fault], int], None],
    clock: Callable[[], float],
    routes: Iterable[web.RouteDef],
) -> web.Application:
    """Build the application around the ``routes`` of its pages.

    ``inject_faults`` replaces the faults, ``clock`` returns seconds since the epoch.
    """
    site = _Site(platform, faults, inject_faults, clock)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[site.misfortune])
    app.on_shutdown.append(site.leave)
    for method, path, handler in (
        ("POST", "/auth/corp/ident/link", site.corp_ident_link),
        ("POST", "/contract/draft", site.contract_draft),
        ("GET", "/contract/tasks", site.contract_tasks),
    ):
        app.router.add_route(method, f"{API}{path}", handler)
        app.router.add_route("*", f"{API}{path}", site.wrong_method)
    app.router.add_routes(routes)
    app.router.add_get("/sandbox/orders", site.orders)
    app.router.add_get("/sandbox/faults", site.faults)
    app.router.add_put("/sandbox/faults", site.set_faults)
    app.router.add_route("*", "/{path:(?s:.*)}", site.elsewhere)
    return app


class _Site:
    """The handlers, over one platform."""

    def __init__(
        self,
        platform: Platform,
        faults: Faults,
        inject_faults: Callable[[list[Fault], int], None],
        clock: Callable[[], float],
    ) -> None:
        self._platform = platform
        self._faults = faults
        self._inject_faults = inject_faults
        self._clock = clock
        self._accidents = FaultInjector(self._now_ms)
        self._connections: WeakSet[object] = WeakSet()
        self._handling: set[asyncio.Task[object]] = set()

    async def corp_ident_link(self, request: web.Request) -> web.Response:
        body = await request.read()
        now = self._clock() * 1000
        host = request.host.encode("ascii", "backslashreplace").decode()  # JSON could not carry an invalid one
        origin = f"{request.scheme}://{host}"
        reply = self._platform.corp_ident_link(request.headers, body, now_ms=now, origin=origin)
        return self._envelope(reply)

    async def contract_draft(self, request: web.Request) -> web.Response:
        body = await request.read()
        return self._envelope(self._platform.contracts.draft(body, now_ms=self._clock() * 1000))

    async def contract_tasks(self, request: web.Request) -> web.Response:
        return self._envelope(self._platform.contracts.tasks(request.query))

    async def orders(self, _: web.Request) -> web.Response:
        listed = [
            {
                "orderNo": order.order_no,
                "clientRequestId": order.client_request_id,
                "companyName": order.company_name,
                "createdAt": order.created_at,
            }
            for order in self._platform.store.orders.all()
        ]
        return _json({"count": len(listed), "orders": listed})

    async def faults(self, _: web.Request) -> web.Response:
        """List what can go wrong, and what is still to come."""
        kinds = {name: kind.what for name, kind in KINDS.items()}
        return _json({"faults": [str(fault) for fault in self._faults.left()], "kinds": kinds})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Replace the faults: ``{"faults": ["drop*1"], "seed": 0}``. JSON alone, which no foreign page can send."""
        try:
            if request.content_type != "application/json":
                raise ValueError("Content-Type must be application/json")
            given = orjson.loads(await request.read())
            faults = [Fault.parse(text) for text in given["faults"]]
            self._inject_faults(faults, int(given.get("seed", 0)))
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            return _json({"error": f'send {{"faults": ["drop*1"], "seed": 0}}: {problem}'}, status=400)
        return await self.faults(request)

    async def wrong_method(self, _: web.Request) -> web.Response:
        """Answer as the platform's internal handler does, with HTTP 200 (protocol section 1.5, form B)."""
        return self._envelope(PlatformResponse(405, "沙箱：请求方式不符", internal=True))

    async def elsewhere(self, request: web.Request) -> web.Response:
        """Answer for a path that does not exist: the framework below the context path, the web server above it."""
        if request.path.startswith(f"{CONTEXT_PATH}/"):
            return self._envelope_c(404, request.path)
        if request.method in {"GET", "HEAD"}:
            return html(frame.web_application(), frame.headers())
        return html(frame.method_not_allowed(), frame.headers(), 405)

    @web.middleware
    async def misfortune(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let the fault happen whose turn it is."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)
        reused = self._seen(request)
        fault = self._faults.draw(reused=reused) if request.path.startswith(API) else None
        try:
            if fault is None:
                return await handler(request)
            return await self._accidents.inject(fault, request, lambda: handler(request))
        except web.HTTPRequestEntityTooLarge:
            return html(frame.too_large(), frame.headers(), 413)

    async def leave(self, _: web.Application) -> None:
        """Let go of requests whose clients have left; nothing else waits for them."""
        for task in self._handling:
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)

    def _seen(self, request: web.Request) -> bool:
        """Tell whether this connection has carried a request before."""
        reused = request.transport in self._connections
        self._connections.add(request.transport)
        return reused

    def _envelope(self, reply: PlatformResponse) -> web.Response:
        envelope = {"code": reply.code, "message": reply.message, "result": reply.result, "timestamp": self._now_ms()}
        return _json({"success": False, **envelope} if reply.internal else envelope)

    def _envelope_c(self, status: int, path: str) -> web.Response:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
        return _json({"timestamp": moment, "status": status, "error": "Not Found", "path": path}, status=status)

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")
