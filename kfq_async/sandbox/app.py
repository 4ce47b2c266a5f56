"""The sandbox's web application: routes, limits of a connection, and fault injection."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec, TypeVar, cast
from weakref import WeakKeyDictionary, WeakSet

import orjson
from aiohttp import web

from kfq_async.protocol.requests import API_PATH
from kfq_async.protocol.responses import CONTEXT_PATH
from kfq_async.sandbox.checks import HIDDEN_ERROR_PAGE, PlatformResponse
from kfq_async.sandbox.collisions import driving_kind
from kfq_async.sandbox.fault_injection import FaultInjector
from kfq_async.sandbox.faults import FAULT_KINDS, Fault
from kfq_async.sandbox.gateway import ApiRequest
from kfq_async.sandbox.quirks import HIDDEN_ERRORS
from kfq_async.sandbox.responses import HEADERS, bad_request, is_acceptable, not_found, render
from kfq_async.sandbox.web import frame
from kfq_async.sandbox.web.forms import html

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kfq_async.sandbox.checks import Download
    from kfq_async.sandbox.collisions import Collisions
    from kfq_async.sandbox.faults import FaultPlan
    from kfq_async.sandbox.gateway import ApiOperation, Gateway
    from kfq_async.sandbox.identity import IdentityService
    from kfq_async.sandbox.store import Store
    from kfq_async.sandbox.web.access import AccessPolicy

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["make_app"]

P = ParamSpec("P")
T = TypeVar("T")

API = f"{CONTEXT_PATH}{API_PATH}"
GZIP = b"\x1f\x8b"
"""Leading bytes of gzip."""
MAX_REQUESTS = 100
"""Number of requests after which the platform closes a connection (protocol section 1.10)."""
READ_TIMEOUT = 60.0
"""Seconds that the platform waits for the rest of a request body (protocol section 1.10)."""


def make_app(
    *,
    access: AccessPolicy,
    store: Store,
    gateway: Gateway,
    operations: Iterable[ApiOperation],
    collisions: Collisions | None,
    quirks: frozenset[str],
    identity_service: IdentityService | None,
    faults: FaultPlan,
    inject_faults: Callable[[list[Fault], int], None],
    clock: Callable[[], float],
    routes: Iterable[web.RouteDef],
    max_body: int,
) -> web.Application:
    """Build the application; ``routes`` are those of its pages.

    ``quirks`` are the names of those that are imitated; without ``collisions`` calls that drive contracts do not
    disturb each other. Without ``identity_service`` the platform does not offer identification links.
    ``inject_faults`` replaces the faults and takes a seed; ``clock`` returns seconds since the epoch; ``max_body`` is
    in bytes.
    """
    platform = _PlatformHandlers(gateway, collisions, clock, quirks=quirks)
    admin = _AdminHandlers(store, faults, inject_faults)
    injection = _FaultMiddleware(faults, platform.now_ms)
    middlewares = [access.middleware, _ConnectionLimits().middleware, injection.middleware]
    app = web.Application(client_max_size=max_body, middlewares=middlewares)
    app.on_shutdown.append(injection.cancel_requests)
    handlers = {(operation.method, operation.path): platform.handler_of(operation) for operation in operations}
    if identity_service is not None:
        handlers["POST", "/auth/corp/ident/link"] = platform.corp_ident_link_handler(identity_service)
    for (method, path), handler in handlers.items():
        app.router.add_route(method, f"{API}{path}", handler)
        if method == "GET":
            app.router.add_route("HEAD", f"{API}{path}", handler)
        app.router.add_route("*", f"{API}{path}", platform.wrong_method)
    app.router.add_get(f"{CONTEXT_PATH}/", platform.root)
    app.router.add_routes(routes)
    app.router.add_get("/sandbox/orders", admin.orders)
    app.router.add_get("/sandbox/faults", admin.faults)
    app.router.add_put("/sandbox/faults", admin.set_faults)
    app.router.add_route("*", "/{path:(?s:.*)}", platform.unknown_path)
    return app


class _PlatformHandlers:
    """Handlers of the platform's paths."""

    def __init__(
        self,
        gateway: Gateway,
        collisions: Collisions | None,
        clock: Callable[[], float],
        *,
        quirks: frozenset[str],
    ) -> None:
        self._gateway = gateway
        self._quirks = quirks
        self._collisions = collisions
        self._clock = clock

    def now_ms(self) -> int:
        return round(self._clock() * 1000)

    def handler_of(self, operation: ApiOperation) -> Handler:
        """Return the handler of an operation that passes through the gateway."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                async with asyncio.timeout(READ_TIMEOUT):
                    body = await request.read()
            except TimeoutError:
                return self._half_a_body(request)
            api_request = ApiRequest(
                body=body,
                query=_joined_query(request),
                compressed=_is_compressed(request, body),
                address=_client_address(request),
                now_ms=self.now_ms(),
                origin=_origin(request),
            )
            return render(request, await self._respond(operation, api_request), self.now_ms())

        return handle

    async def _respond(self, operation: ApiOperation, request: ApiRequest) -> PlatformResponse | Download:
        """Perform a call, one that takes time in a thread; one that drives a contract meets others under way."""
        takes_time = operation.thread_above is not None and len(request.body) > operation.thread_above
        admitted = await _run(takes_time, self._gateway.admit, operation, request)
        if isinstance(admitted, PlatformResponse):
            return admitted
        fields = admitted.call.fields
        kind = driving_kind(operation.path, fields)
        if self._collisions is None or kind is None:
            return await _run(takes_time, self._gateway.perform, admitted)
        async with self._collisions.drive(kind, fields.get("contractId")) as collision:
            return await _run(takes_time, self._gateway.perform, admitted, collision)

    def corp_ident_link_handler(self, identity_service: IdentityService) -> Handler:
        """Return the handler of the operation for identification links."""

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            response = identity_service.corp_ident_link(
                request.headers, body, now_ms=self._clock() * 1000, origin=_origin(request)
            )
            return render(request, response, self.now_ms())

        return handle

    async def root(self, request: web.Request) -> web.Response:
        return render(request, PlatformResponse(200, "沙箱：操作成功", internal=True), self.now_ms())

    async def wrong_method(self, request: web.Request) -> web.Response:
        """Respond as the platform's internal handler does, with HTTP 200 (protocol section 1.5, form B)."""
        await _drain(request)
        return render(request, PlatformResponse(405, "沙箱：不支持的请求方法", internal=True), self.now_ms())

    async def unknown_path(self, request: web.Request) -> web.Response:
        """Respond as the login filter does below the context path, and as the web server does elsewhere."""
        await _drain(request)
        if request.path.startswith(f"{CONTEXT_PATH}/"):
            return self._hidden_error_page(request) or not_found(request, self._clock())
        if request.method in {"GET", "HEAD"}:
            return html(frame.web_application(), frame.headers(script=frame.START_SCRIPT))
        return html(frame.method_not_allowed(), frame.headers(), 405)

    def _half_a_body(self, request: web.Request) -> web.Response:
        cut_off = render(request, PlatformResponse(25000, "沙箱：请求体不完整"), self.now_ms())
        response = self._hidden_error_page(request) or cut_off
        response.force_close()
        return response

    def _hidden_error_page(self, request: web.Request) -> web.Response | None:
        """Return the hidden error page if the platform's quirk is imitated."""
        return render(request, HIDDEN_ERROR_PAGE, self.now_ms()) if HIDDEN_ERRORS in self._quirks else None


async def _run(
    in_thread: bool,  # noqa: FBT001  # the rest are arguments of the function
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    return await asyncio.to_thread(function, *args, **kwargs) if in_thread else function(*args, **kwargs)


async def _drain(request: web.Request) -> None:
    """Read a body that is not used, so that the connection stays usable (protocol section 1.10)."""
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_TIMEOUT):
            async for _ in request.content.iter_any():
                pass


def _joined_query(request: web.Request) -> dict[str, str]:
    """Return the query parameters; the platform joins the values of a repeated one with commas."""
    return {name: ",".join(request.query.getall(name)) for name in request.query}


def _is_compressed(request: web.Request, body: bytes) -> bool:
    return request.headers.get("Content-Encoding", "identity") != "identity" or body.startswith(GZIP)


def _client_address(request: web.Request) -> str:
    """Return the address that the rate limit counts by (protocol section 1.8)."""
    forwarded, _, _ = request.headers.get("X-Forwarded-For", "").partition(",")
    return forwarded.strip() or str(request.remote)


def _origin(request: web.Request) -> str:
    return f"http://{request.headers['Host']}"


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
                "orderStatus": order.status,
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


class _ConnectionLimits:
    """Limits of the platform's web server on a connection and on the head of a request (protocol section 1.10)."""

    def __init__(self) -> None:
        self._requests: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(f"{CONTEXT_PATH}/"):
            return await handler(request)
        count = self._requests[request.transport] = self._requests.get(request.transport, 0) + 1
        if not is_acceptable(request):
            response: web.StreamResponse = bad_request()
            response.force_close()
            return response
        response = await handler(request)
        if count >= MAX_REQUESTS:
            response.force_close()
        return response


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
        faults = self._faults.draw_for_request(reused=reused) if request.path.startswith(API) else ()
        try:
            if not faults:
                return await handler(request)
            return await self._injector.inject(faults, request, lambda: handler(request))
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
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json", headers=HEADERS)
