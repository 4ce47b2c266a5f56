"""FastAPI integration: lifespan, dependency, router and error handler."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import aiohttp
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Router
from yarl import URL

import kfq_async as kfq
from integrations.service import BOUND_PATH, ERRORS, Service
from kfq_async.integrations.fastapi import (
    ErrorResponse,
    KfqSession,
    add_error_handler,
    kfq_lifespan,
    kfq_session,
    notification_router,
    raw_path,
    read_body,
)
from senders import make_body
from web_servers import RawConnection, uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

    from kfq_async.errors import KfqError


def make_session() -> kfq.AsyncSession:
    """Return a session that sends no requests."""
    return kfq.AsyncSession("T")


async def test_lifespan_order() -> None:
    """The application's lifespan runs within the session's; receivers close before it exits, the session last."""
    events = []
    receiver = Service().url_receiver

    @asynccontextmanager
    async def app_lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        events.append(f"startup, session closed: {app.state.kfq_session.closed}")
        yield {"opened": 1}
        events.append(f"shutdown, session closed: {app.state.kfq_session.closed}")
        reply = await receiver.receive(b"", {}, "/")
        events.append(str(reply.status))

    app = FastAPI()
    async with kfq_lifespan(make_session, receivers=[receiver], lifespan=app_lifespan)(app) as state:
        assert state == {"opened": 1}
    assert app.state.kfq_session.closed
    assert events == ["startup, session closed: False", "shutdown, session closed: False", "503"]


async def test_restarted_application() -> None:
    """An application can be started repeatedly, as in tests; its receivers reopen."""
    receiver = Service().url_receiver
    app = FastAPI()
    lifespan = kfq_lifespan(make_session, receivers=[receiver])
    for _ in range(2):
        async with lifespan(app):
            assert (await receiver.receive(b"", {}, "/")).status == 401


async def test_failing_startup() -> None:
    """If startup fails, the session is closed."""

    @asynccontextmanager
    async def app_lifespan(_: FastAPI) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    app = FastAPI()
    with pytest.raises(OSError, match="no database"):
        async with kfq_lifespan(make_session, lifespan=app_lifespan)(app):
            pass
    assert app.state.kfq_session.closed


async def test_dependency_override() -> None:
    """``dependency_overrides`` replaces the session."""
    app = FastAPI()
    override = make_session()
    app.dependency_overrides[kfq_session] = lambda: override

    @app.get("/")
    async def is_overridden(kfq_session: KfqSession) -> bool:
        return kfq_session is override

    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http, http.get(origin) as response:
            assert await response.json() is True
    await override.aclose()


def test_missing_lifespan() -> None:
    """Without a session the error names the lifespan to configure."""
    request = Request({"type": "http", "app": FastAPI()})
    with pytest.raises(RuntimeError, match="lifespan=kfq_lifespan"):
        kfq_session(request)


def make_outer_app(session: kfq.AsyncSession) -> FastAPI:
    """Return an application with this session."""
    return FastAPI(lifespan=kfq_lifespan(lambda: session))


def make_mounted_app() -> FastAPI:
    """Return an application without a lifespan, whose only route returns the ID of its session."""
    app = FastAPI()

    @app.get("/session")
    async def session_id(kfq_session: KfqSession) -> int:
        return id(kfq_session)

    return app


async def get_session_id(app: Any, path: str) -> int:
    """Call an application without a server, and return the ID of the session it used."""
    sent = await call(app, "GET", path)
    assert sent[0]["status"] == 200
    return int(sent[1]["body"])


async def call(app: Any, method: str, path: str, body: bytes = b"", **scope: Any) -> list[dict[str, Any]]:
    """Call an application without a server, and return the messages that it sends."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    default_scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await app({**default_scope, **scope}, receive, send)
    return sent


@asynccontextmanager
async def started(*apps: FastAPI) -> AsyncIterator[None]:
    """Run the lifespans of applications."""
    async with AsyncExitStack() as stack:
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield


def mount_directly(outer: FastAPI, mounted: FastAPI) -> None:
    """Mount an application at ``/sub``."""
    outer.mount("/sub", mounted)


def mount_with_middleware(outer: FastAPI, mounted: FastAPI) -> None:
    """Mount an application at ``/sub``, with middleware around it."""
    outer.mount("/sub", CORSMiddleware(GZipMiddleware(mounted)))


def mount_deep(outer: FastAPI, mounted: FastAPI) -> None:
    """Mount an application at ``/sub/``, in another one that is mounted at ``/``."""
    middle = FastAPI()
    middle.mount("/sub", mounted)
    outer.mount("/", middle)


def mount_in_a_router(outer: FastAPI, mounted: FastAPI) -> None:
    """Mount an application at ``/sub`` by the route of a router."""
    outer.mount("/", Router([Mount("/sub", mounted)]))


@pytest.mark.parametrize("mount", [mount_directly, mount_with_middleware, mount_deep, mount_in_a_router])
async def test_session_of_a_mounted_application(mount: Callable[[FastAPI, FastAPI], None]) -> None:
    """A mounted application uses the session of the one around it, not that of another one, at any depth."""
    session, mounted, root = make_session(), make_mounted_app(), FastAPI()
    outer, unrelated = make_outer_app(session), make_outer_app(make_session())
    unrelated.mount("/static", PlainTextResponse("static"))
    mount(outer, mounted)
    root.mount("/outer", outer)
    async with started(unrelated, outer):
        assert await get_session_id(outer, "/sub/session") == id(session)
        assert await get_session_id(root, "/outer/sub/session") == id(session)


async def test_session_of_an_application_behind_other_middleware() -> None:
    """A mounted application that cannot be found among the routes uses the session of the application called."""
    session, mounted = make_session(), make_mounted_app()
    outer, unrelated = make_outer_app(session), make_outer_app(make_session())

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        await mounted(scope, receive, send)

    outer.mount("/hidden", forward)
    async with started(unrelated, outer):
        assert await get_session_id(outer, "/hidden/session") == id(session)


async def test_session_of_an_application_mounted_by_host() -> None:
    """An application that is mounted by the host's name uses the outer one's session."""
    session, mounted = make_session(), make_mounted_app()
    outer = make_outer_app(session)
    outer.router.host("sub.example", mounted)
    async with started(outer):
        sent = await call(outer, "GET", "/session", headers=[(b"host", b"sub.example")])
        assert int(sent[1]["body"]) == id(session)


async def test_own_session_of_a_mounted_application() -> None:
    """A session of the mounted application itself takes precedence over the outer one's."""
    session, mounted, outer = make_session(), make_mounted_app(), make_outer_app(make_session())
    outer.mount("/sub", mounted)
    mounted.state.kfq_session = session
    async with started(outer):
        assert await get_session_id(outer, "/sub/session") == id(session)
    await session.aclose()


async def test_two_outer_sessions() -> None:
    """If two sessions could be meant, the error says so and names the remedies."""
    mounted, inner, outer = make_mounted_app(), make_outer_app(make_session()), make_outer_app(make_session())
    inner.mount("/sub", mounted)
    outer.mount("/inner", inner)
    async with started(inner, outer):
        with pytest.raises(RuntimeError, match=r"2 sessions: .* set its state\.kfq_session, or override kfq_session"):
            await call(outer, "GET", "/inner/sub/session")


async def test_session_of_an_unrelated_application() -> None:
    """An application that is mounted nowhere does not get the session of another one in the process."""
    outer, unrelated = make_outer_app(make_session()), make_mounted_app()
    outer.mount("/sub", FastAPI())
    async with started(outer):
        with pytest.raises(RuntimeError, match="no session"):
            await call(unrelated, "GET", "/session")
    outer.mount("/late", unrelated)
    with pytest.raises(RuntimeError, match="no session"):
        await call(outer, "GET", "/late/session")


@pytest.mark.parametrize("scope", [{}, {"raw_path": None}])
def test_missing_raw_path(scope: dict[str, Any]) -> None:
    """Without ``raw_path`` the path is encoded again: as yarl encodes the URLs of `CallbackUrls`, whose paths match."""
    urls = kfq.CallbackUrls([bytes(32)], page="https://x.example", notify="https://x.example/a b/回调/!$&'()*+,;=:@~")
    bound = URL(urls.bind(kfq.CorpIdentLinkRequest(client_request_id="编号 1/~")).auth_callback_url or "")
    path = raw_path(Request({"type": "http", "path": unquote(bound.raw_path), **scope}))
    assert path.decode() == bound.raw_path
    assert urls.match(path) == "编号 1/~"


@pytest.mark.parametrize("raw", [b"/hooks/a%2Fb", b"/hooks/a%2Fb?query"])
def test_raw_path(raw: bytes) -> None:
    """The undecoded path is returned without the query, which some clients put into it."""
    assert raw_path(Request({"type": "http", "path": "/hooks/a/b", "raw_path": raw})) == b"/hooks/a%2Fb"


async def test_notification_without_raw_path() -> None:
    """A notification is handled under a server that has no undecoded path."""
    service = Service()
    app = FastAPI()
    app.include_router(notification_router(service.url_receiver, "/hooks/a%20b"))
    sent = await call(app, "POST", unquote(BOUND_PATH), make_body(), raw_path=None)
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"success")


@pytest.mark.parametrize("http_version", ["1.0", "1.1", "2", "3"])
async def test_connection_header(http_version: str) -> None:
    """A rejection before the body closes the connection in HTTP/1; HTTP/2 forbids the header."""
    app = FastAPI()
    app.include_router(notification_router(Service().url_receiver, "/hooks"))
    sent = await call(app, "POST", "/hooks/unknown", http_version=http_version)
    assert sent[0]["status"] == 401
    assert ((b"connection", b"close") in sent[0]["headers"]) == http_version.startswith("1")


async def test_client_disconnect_is_reported() -> None:
    """A disconnect in the middle of a body is reported to ``on_rejected``."""
    service = Service()
    app = FastAPI()
    app.include_router(notification_router(service.url_receiver, "/hooks"))
    sent = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/hooks", "raw_path": BOUND_PATH.encode(), "headers": []}
    await app({**scope, "query_string": b"", "app": app}, receive, send)
    assert sent[0]["status"] == 400
    assert service.events == ["body_incomplete"]


async def test_read_body() -> None:
    """`read_body` returns ``None`` for a body larger than its limit."""
    app = FastAPI()

    @app.post("/")
    async def size(request: Request) -> int | None:
        body = await read_body(request, 10)
        return None if body is None else len(body)

    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            for length, expected in ((10, 10), (11, None)):
                async with http.post(origin, data=bytes(length)) as response:
                    assert await response.json() == expected


async def test_custom_error_responses() -> None:
    """The error translation can be replaced as a whole, or for one class of errors."""
    app = FastAPI()

    def translate(error: KfqError) -> ErrorResponse:
        return ErrorResponse(418, {"error": type(error).__name__}, {"X-Custom": "1"})

    async def handle_business_error(_: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__, 409)

    add_error_handler(app, translate)
    app.add_exception_handler(kfq.BusinessError, handle_business_error)

    @app.get("/{name}")
    async def raise_error(name: str) -> None:
        raise ERRORS[name]

    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/parameter") as response:
                assert (response.status, await response.json()) == (418, {"error": "ParameterError"})
                assert response.headers["X-Custom"] == "1"
            async with http.get(f"{origin}/business") as response:
                assert (response.status, await response.text()) == (409, "BusinessError")


def create_included(router: APIRouter) -> FastAPI:
    """Return an application with the router under a prefix."""
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    return app


def create_nested(router: APIRouter) -> FastAPI:
    """Return an application with the router in another router."""
    app, middle = FastAPI(), APIRouter(prefix="/v1")
    middle.include_router(router)
    app.include_router(middle)
    return app


def create_mounted(router: APIRouter) -> FastAPI:
    """Return an application with the router in a mounted application."""
    app, mounted = FastAPI(), FastAPI()
    mounted.include_router(router)
    app.mount("/v1", mounted)
    return app


def create_proxied(router: APIRouter) -> Any:
    """Return an application under a root path, as under ``uvicorn --root-path /v1``."""
    app = FastAPI()
    app.include_router(router)

    async def proxied(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": "/v1"}, receive, send)

    return proxied


def create_unredirecting(router: APIRouter) -> FastAPI:
    """Return an application that does not redirect paths with other slashes."""
    app = FastAPI(redirect_slashes=False)
    app.include_router(router, prefix="/v1")
    return app


CREATORS = [create_included, create_nested, create_mounted, create_proxied, create_unredirecting]


@pytest.mark.parametrize("path", ["/hooks", "/hooks/"])
@pytest.mark.parametrize("create", CREATORS)
async def test_spellings(create: Callable[[APIRouter], Any], path: str) -> None:
    """The router serves its path and one segment below, each with and without a slash at the end, without redirects."""
    service = Service()
    app = create(notification_router(service.url_receiver, path))
    for called in ("/v1/hooks", "/v1/hooks/", "/v1/hooks/segment", "/v1/hooks/segment/"):
        sent = await call(app, "POST", called, raw_path=called.encode())
        assert (called, sent[0]["status"]) == (called, 401)
    assert service.events == ["unknown_path"] * 4
    for called in ("/v1/hooks/two/segments", "/v1/hook", "/v1/hookss"):
        assert (await call(app, "POST", called))[0]["status"] == 404
    assert (await call(app, "GET", "/v1/hooks/"))[0]["status"] == 405


async def test_root_path() -> None:
    """The router serves the root of an application, and both spellings of a prefix."""
    service = Service()
    app = FastAPI()
    app.include_router(notification_router(service.url_receiver, "/"))
    app.include_router(notification_router(service.url_receiver, "/"), prefix="/v1")
    for called in ("/", "/segment", "/v1/", "/v1", "/v1/segment"):
        assert (await call(app, "POST", called))[0]["status"] == 401
    assert len(service.events) == 5


async def test_bound_notification_under_a_mount() -> None:
    """The receiver gets the whole path, prefix included."""
    service = Service()
    app, mounted = FastAPI(), FastAPI()
    mounted.include_router(notification_router(service.url_receiver, "/a%20b/"))
    app.mount("/hooks", mounted)
    with uvicorn_serving(app) as origin, RawConnection(origin) as connection:
        body = make_body()
        connection.post(BOUND_PATH, f"Content-Length: {len(body)}", body=body)
        assert connection.response().body == b"success"


async def test_routes_are_not_documented() -> None:
    """The routes are not in the OpenAPI document."""
    app = FastAPI()
    app.include_router(notification_router(Service().url_receiver, "/hooks"), prefix="/v1")
    assert app.openapi()["paths"] == {}


async def test_defaults_do_not_change_the_status() -> None:
    """Dependencies and default responses of the application leave an acknowledgement as it is."""

    async def created(response: Response) -> None:
        response.status_code = 201

    service = Service()
    app = FastAPI(dependencies=[Depends(created)], default_response_class=HTMLResponse)
    app.include_router(notification_router(service.url_receiver, "/hooks/a%20b"), default_response_class=HTMLResponse)
    sent = await call(app, "POST", unquote(BOUND_PATH), make_body(), raw_path=BOUND_PATH.encode())
    assert (sent[0]["status"], sent[1]["body"]) == (200, b"success")
    assert (b"content-type", b"text/plain; charset=utf-8") in sent[0]["headers"]


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_invalid_close_within(seconds: float) -> None:
    """An invalid limit is refused when the application is created, not when it stops."""
    with pytest.raises(ValueError, match="close_within must be at least 0 seconds, or None"):
        kfq_lifespan(close_within=seconds)


async def test_hung_handlers_are_cancelled_together() -> None:
    """At shutdown every receiver waits ``close_within`` seconds at the same time, then handlers are cancelled."""
    services = [Service(), Service()]
    app = FastAPI()
    async with kfq_lifespan(make_session, receivers=[s.url_receiver for s in services], close_within=0.2)(app):
        for service in services:
            await service.url_receiver.receive(make_body(orderNo="HANGS"), {}, BOUND_PATH)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began >= 0.2
    assert [service.events for service in services] == [["unfinished", "cancelled", "handler_failed"]] * 2
