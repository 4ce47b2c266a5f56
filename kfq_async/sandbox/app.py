"""The sandbox's web application: routes, response envelopes in the platform's forms, and fault injection."""

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
from kfq_async.sandbox.faults import FAULT_KINDS, Fault
from kfq_async.sandbox.web import frame
from kfq_async.sandbox.web.forms import html

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kfq_async.sandbox.contracts import ContractService
    from kfq_async.sandbox.faults import FaultPlan
    from kfq_async.sandbox.identity import IdentityService
    from kfq_async.sandbox.store import Store
    from kfq_async.sandbox.web.access import AccessPolicy

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["make_app"]

API = f"{CONTEXT_PATH}{API_PATH}"
JSON_HEADERS = {"Cross-Origin-Resource-Policy": "same-origin", "X-Content-Type-Options": "nosniff"}
MAX_BODY = 100 * 1024 * 1024
"""Maximum size of a request body in bytes, as in the bundled proxy (protocol section 1.7)."""


def make_app(
    *,
    access: AccessPolicy,
    store: Store,
    identity_service: IdentityService,
    contract_service: ContractService,
    faults: FaultPlan,
    inject_faults: Callable[[list[Fault], int], None],
    clock: Callable[[], float],
    routes: Iterable[web.RouteDef],
) -> web.Application:
    """Build the application; ``routes`` are those of its pages.

    ``inject_faults`` replaces the faults and takes a seed; ``clock`` returns seconds since the epoch.
    """
    platform = _PlatformHandlers(identity_service, contract_service, clock)
    admin = _AdminHandlers(store, faults, inject_faults)
    injection = _FaultMiddleware(faults, platform.now_ms)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[access.middleware, injection.middleware])
    app.on_shutdown.append(injection.cancel_requests)
    for method, path, handler in (
        ("POST", "/auth/corp/ident/link", platform.corp_ident_link),
        ("POST", "/contract/draft", platform.contract_draft),
        ("GET", "/contract/tasks", platform.contract_tasks),
    ):
        app.router.add_route(method, f"{API}{path}", handler)
        app.router.add_route("*", f"{API}{path}", platform.wrong_method)
    app.router.add_routes(routes)
    app.router.add_get("/sandbox/orders", admin.orders)
    app.router.add_get("/sandbox/faults", admin.faults)
    app.router.add_put("/sandbox/faults", admin.set_faults)
    app.router.add_route("*", "/{path:(?s:.*)}", platform.unknown_path)
    return app


class _PlatformHandlers:
    """Handlers of the platform's paths."""

    def __init__(
        self, identity_service: IdentityService, contract_service: ContractService, clock: Callable[[], float]
    ) -> None:
        self._identity_service = identity_service
        self._contract_service = contract_service
        self._clock = clock

    def now_ms(self) -> int:
        return round(self._clock() * 1000)

    async def corp_ident_link(self, request: web.Request) -> web.Response:
        body = await request.read()
        origin = f"http://{request.headers['Host']}"
        response = self._identity_service.corp_ident_link(
            request.headers, body, now_ms=self._clock() * 1000, origin=origin
        )
        return self._envelope(response)

    async def contract_draft(self, request: web.Request) -> web.Response:
        body = await request.read()
        return self._envelope(self._contract_service.draft(body, now_ms=self._clock() * 1000))

    async def contract_tasks(self, request: web.Request) -> web.Response:
        return self._envelope(self._contract_service.tasks(request.query))

    async def wrong_method(self, _: web.Request) -> web.Response:
        """Respond as the platform's internal handler does, with HTTP 200 (protocol section 1.5, form B)."""
        return self._envelope(PlatformResponse(405, "沙箱：不支持的请求方法", internal=True))

    async def unknown_path(self, request: web.Request) -> web.Response:
        """Respond as the framework does below the context path, and as the web server does elsewhere."""
        if request.path.startswith(f"{CONTEXT_PATH}/"):
            return self._framework_error(404, request.path)
        if request.method in {"GET", "HEAD"}:
            return html(frame.web_application(), frame.headers())
        return html(frame.method_not_allowed(), frame.headers(), 405)

    def _envelope(self, response: PlatformResponse) -> web.Response:
        envelope = {
            "code": response.code,
            "message": response.message,
            "result": response.result,
            "timestamp": self.now_ms(),
        }
        return _json({"success": False, **envelope} if response.internal else envelope)

    def _framework_error(self, status: int, path: str) -> web.Response:
        """Return the framework's error document (protocol section 1.5, form C)."""
        timestamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
        return _json({"timestamp": timestamp, "status": status, "error": "Not Found", "path": path}, status=status)


class _AdminHandlers:
    """Handlers of the sandbox's own JSON paths."""

    def __init__(self, store: Store, faults: FaultPlan, inject_faults: Callable[[list[Fault], int], None]) -> None:
        self._store = store
        self._faults = faults
        self._inject_faults = inject_faults

    async def orders(self, _: web.Request) -> web.Response:
        """List the orders, without secrets."""
        orders = [
            {
                "orderNo": order.order_no,
                "clientRequestId": order.client_request_id,
                "companyName": order.company_name,
                "createdAt": order.created_at,
            }
            for order in self._store.orders.all()
        ]
        return _json({"count": len(orders), "orders": orders})

    async def faults(self, _: web.Request) -> web.Response:
        """List the remaining faults and the kinds."""
        kinds = {name: kind.description for name, kind in FAULT_KINDS.items()}
        return _json({"faults": [str(fault) for fault in self._faults.remaining()], "kinds": kinds})

    async def set_faults(self, request: web.Request) -> web.Response:
        """Replace the faults with those of a JSON body; a form cannot send JSON."""
        try:
            if request.content_type != "application/json":
                raise ValueError("Content-Type must be application/json")
            document = orjson.loads(await request.read())
            faults = [Fault.parse(text) for text in document["faults"]]
            self._inject_faults(faults, int(document.get("seed", 0)))
        except (ValueError, TypeError, KeyError, AttributeError) as problem:
            return _json({"error": f'send {{"faults": ["lose-response*1"], "seed": 0}}: {problem}'}, status=400)
        return await self.faults(request)


class _FaultMiddleware:
    """Injects the faults that are due into requests below the API path."""

    def __init__(self, faults: FaultPlan, now_ms: Callable[[], int]) -> None:
        self._faults = faults
        self._injector = FaultInjector(now_ms)
        self._connections: WeakSet[object] = WeakSet()
        self._handling: set[asyncio.Task[object]] = set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)
        reused = self._is_reused(request)
        fault = self._faults.draw(reused=reused) if request.path.startswith(API) else None
        try:
            if fault is None:
                return await handler(request)
            return await self._injector.inject(fault, request, lambda: handler(request))
        except web.HTTPRequestEntityTooLarge:
            return html(frame.too_large(), frame.headers(), 413)

    async def cancel_requests(self, _: web.Application) -> None:
        """Cancel the requests being handled, so that a long delay does not keep the sandbox from stopping."""
        for task in self._handling:
            task.cancel()
        await asyncio.gather(*self._handling, return_exceptions=True)

    def _is_reused(self, request: web.Request) -> bool:
        """Return whether this connection has carried a request before."""
        reused = request.transport in self._connections
        self._connections.add(request.transport)
        return reused


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(document), status=status, content_type="application/json", headers=JSON_HEADERS
    )
