"""FastAPI integration: lifespan, dependency, router and error handler."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

import kfq_async as kfq
from integrations.service import ERRORS, Service
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
from web_servers import uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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


def test_missing_raw_path() -> None:
    """A server that does not set ``raw_path`` cannot receive notifications, and the error says so."""
    with pytest.raises(RuntimeError, match="raw_path"):
        raw_path(Request({"type": "http", "path": "/hooks/a b"}))


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

    scope = {"type": "http", "method": "POST", "path": "/hooks", "raw_path": b"/hooks", "headers": []}
    await app({**scope, "query_string": b"", "app": app}, receive, send)
    assert sent[0]["status"] == 400
    assert service.events == ["body_malformed"]


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


async def test_router_with_a_prefix() -> None:
    """The router works under a prefix, and its routes are not in the OpenAPI document."""
    service = Service()
    app = FastAPI()
    app.include_router(notification_router(service.url_receiver, "/hooks/"), prefix="/v1")
    assert app.openapi()["paths"] == {}
    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http, http.post(f"{origin}/v1/hooks", data=make_body()) as response:
            assert response.status == 401
