"""aiohttp.web integration: the session's life, subapplications, routes, errors and bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import sanic
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from starlette.responses import Response
from yarl import URL

import kfq_async as kfq
from integrations.service import BOUND_PATH, Service
from kfq_async.integrations.aiohttp import (
    KFQ_SESSION,
    ErrorResponse,
    error_middleware,
    kfq_session,
    notification_routes,
    raw_path,
    read_body,
    setup_kfq,
)
from senders import make_body
from web_servers import aiohttp_serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def make_session() -> kfq.AsyncSession:
    """Return a session that sends no requests."""
    return kfq.AsyncSession("T")


async def test_order_of_startup_and_shutdown() -> None:
    """Receivers close first, then what the application opened, and the session last."""
    receiver, app, events = Service().url_receiver, web.Application(), []
    setup_kfq(app, make_session, receivers=[receiver])

    async def resources(app: web.Application) -> AsyncIterator[None]:
        events.append(f"startup, session closed: {app[KFQ_SESSION].closed}")
        yield
        reply = await receiver.receive(b"", {}, "/")
        events.append(f"cleanup, session closed: {app[KFQ_SESSION].closed}, status {reply.status}")

    app.cleanup_ctx.append(resources)
    runner = web.AppRunner(app)
    await runner.setup()
    assert (await receiver.receive(b"", {}, "/")).status == 401
    await runner.cleanup()
    assert app[KFQ_SESSION].closed
    assert events == ["startup, session closed: False", "cleanup, session closed: False, status 503"]


def test_invalid_close_within() -> None:
    """A bound that no receiver takes is refused when the application is created."""
    with pytest.raises(ValueError, match="close_within must be at least 0"):
        setup_kfq(web.Application(), make_session, close_within=-1)


def test_missing_session() -> None:
    """Without a session the error names the function to call."""
    request = make_mocked_request("GET", "/", app=web.Application())
    with pytest.raises(RuntimeError, match=r"call setup_kfq\(app\)"):
        kfq_session(request)


async def test_subapplication() -> None:
    """A subapplication uses the session of the outer one, and its routes keep the undecoded path."""
    service = Service()
    outer, inner = web.Application(), web.Application()
    setup_kfq(outer, make_session, receivers=service.receivers)
    sessions = []

    async def show(request: web.Request) -> web.Response:
        sessions.append(kfq_session(request))
        return web.Response(text=raw_path(request))

    inner.add_routes([web.get("/show/{name}", show)])
    inner.add_routes(notification_routes(service.url_receiver, "/a%20b"))
    outer.add_subapp("/hooks", inner)
    with aiohttp_serving(outer) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/hooks/show/%C3%A9?a=1") as response:
                assert await response.text() == "/hooks/show/%C3%A9"
            async with http.post(f"{origin}{BOUND_PATH}", data=make_body()) as response:
                assert (response.status, await response.text()) == (200, "success")
        assert sessions == [outer[KFQ_SESSION]]
    assert service.events == ["row-1:ORDER-1:1"]


@pytest.mark.parametrize("path", ["/", ""])
async def test_receiver_at_the_root(path: str) -> None:
    """A receiver can be served at the root, too."""
    service, app = Service(), web.Application()
    app.add_routes(notification_routes(service.url_receiver, path))
    with aiohttp_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            for suffix in ("", "/segment", "/segment/"):
                async with http.post(f"{origin}{suffix}", data=b"{}") as response:
                    assert response.status == 401


@pytest.mark.parametrize("path", ["/a%20b/c", "/a/b%20c/", "/a%2Fb/c.d", "/%E5%90%88%E5%90%8C"])
async def test_encoded_paths(path: str) -> None:
    """Escapes anywhere in the path match the same path, and one segment below it, and nothing else."""
    app = web.Application()
    app.add_routes(notification_routes(Service().url_receiver, path))
    exact = path.rstrip("/")
    with aiohttp_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            for suffix, status in (("", 401), ("/", 401), ("/x.y", 401), ("/x/", 401), ("/x/y", 404), ("x", 404)):
                async with http.post(URL(f"{origin}{exact}{suffix}", encoded=True), data=b"{}") as response:
                    assert response.status == status
            async with http.post(URL(f"{origin}{exact.replace('.', 'x')}x/", encoded=True)) as response:
                assert response.status == 404


async def test_translated_errors() -> None:
    """An error is converted by the given function; other exceptions and responses pass."""

    def translate(error: kfq.KfqError) -> ErrorResponse:
        return ErrorResponse(418, {"error": type(error).__name__}, {"X-Error": "1"})

    async def fail(request: web.Request) -> web.Response:
        if request.query_string:
            raise web.HTTPNotFound
        raise kfq.TotalTimeout("total ended")

    app = web.Application(middlewares=[error_middleware(translate)])
    app.add_routes([web.get("/", fail)])
    with aiohttp_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(origin) as response:
                assert (response.status, await response.json()) == (418, {"error": "TotalTimeout"})
                assert response.headers["X-Error"] == "1"
            async with http.get(f"{origin}/?a") as response:
                assert response.status == 404


async def test_bounded_body() -> None:
    """A body is read up to its limit, which aiohttp's own does not lower."""

    async def measure(request: web.Request) -> web.Response:
        body = await read_body(request, 10)
        return web.Response(text=str(body and len(body)))

    app = web.Application(client_max_size=1)
    app.add_routes([web.post("/", measure)])
    with aiohttp_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            for size, text in ((10, "10"), (11, "None")):
                async with http.post(origin, data=bytes(size)) as response:
                    assert await response.text() == text


@pytest.mark.parametrize(
    ("reply", "content_type"),
    [(kfq.Reply(200, b"success"), "text/plain; charset=utf-8"), (kfq.Reply(503, b"{}"), "application/json")],
)
def test_reply_in_every_framework(reply: kfq.Reply, content_type: str) -> None:
    """A handler of one's own sends a reply as it is, by its headers or by the parts that a framework takes."""
    responses: list[Any] = [
        web.Response(body=reply.body, status=reply.status, headers=reply.headers),
        web.Response(body=reply.body, status=reply.status, content_type=reply.media_type, charset=reply.charset),
        Response(reply.body, reply.status, reply.headers),
        Response(reply.body, reply.status, media_type=reply.media_type),
        sanic.raw(reply.body, reply.status, content_type=reply.content_type),
    ]
    assert {response.headers.get("Content-Type") or response.content_type for response in responses} == {content_type}
