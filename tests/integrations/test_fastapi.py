"""What is FastAPI's own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

import kfq_async as kfq
from integrations.service import TROUBLE, Service
from kfq_async.integrations.fastapi import (
    HttpError,
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


def session() -> kfq.AsyncSession:
    """Make a session that asks nobody."""
    return kfq.AsyncSession("T")


async def test_the_order_of_a_life() -> None:
    """The application's own lifespan finds a session; handlers end before it ends, and the session last."""
    events = []
    receiver = Service().by_url

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        events.append(f"own begins, session closed: {app.state.kfq_session._shared.closed}")
        yield {"found": 1}
        events.append(f"own ends, session closed: {app.state.kfq_session._shared.closed}")
        reply = await receiver.receive(b"", {}, "/")
        events.append(str(reply.status))

    app = FastAPI()
    async with kfq_lifespan(session, receivers=[receiver], lifespan=own)(app) as state:
        assert state == {"found": 1}
    assert app.state.kfq_session._shared.closed
    assert events == ["own begins, session closed: False", "own ends, session closed: False", "503"]


async def test_a_second_life() -> None:
    """The same application can be started again, as tests do; its receivers open again."""
    receiver = Service().by_url
    app = FastAPI()
    living = kfq_lifespan(session, receivers=[receiver])
    for _ in range(2):
        async with living(app):
            assert (await receiver.receive(b"", {}, "/")).status == 401


async def test_a_start_that_fails() -> None:
    """When the application cannot start, its session is closed all the same."""

    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[None]:
        raise OSError("no database")
        yield

    app = FastAPI()
    with pytest.raises(OSError, match="no database"):
        async with kfq_lifespan(session, lifespan=own)(app):
            pass
    assert app.state.kfq_session._shared.closed


async def test_another_session_for_tests() -> None:
    """A test puts its own session in the application's place."""
    app = FastAPI()
    mine = session()
    app.dependency_overrides[kfq_session] = lambda: mine

    @app.get("/")
    async def token(kfq_session: KfqSession) -> bool:
        return kfq_session is mine

    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http, http.get(origin) as answer:
            assert await answer.json() is True
    await mine.aclose()


def test_a_lifespan_that_did_not_run() -> None:
    """Without a session the error says what to write."""
    request = Request({"type": "http", "app": FastAPI()})
    with pytest.raises(RuntimeError, match="lifespan=kfq_lifespan"):
        kfq_session(request)


def test_a_server_without_the_undecoded_path() -> None:
    """What cannot be proved is not guessed: such a server cannot receive notifications."""
    with pytest.raises(RuntimeError, match="raw_path"):
        raw_path(Request({"type": "http", "path": "/hooks/a b"}))


async def test_a_sender_that_hangs_up_is_noted() -> None:
    """Half a body reaches the hook for refusals."""
    service = Service()
    app = FastAPI()
    app.include_router(notification_router(service.by_url, "/hooks"))
    sent = []

    async def handle_notification() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/hooks", "raw_path": b"/hooks", "headers": []}
    await app({**scope, "query_string": b"", "app": app}, handle_notification, send)
    assert sent[0]["status"] == 400
    assert service.events == ["body_malformed"]


async def test_a_body_with_a_bound() -> None:
    """A handler of one's own reads no more than it wants, either."""
    app = FastAPI()

    @app.post("/")
    async def size(request: Request) -> int | None:
        body = await read_body(request, 10)
        return None if body is None else len(body)

    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            for length, told in ((10, 10), (11, None)):
                async with http.post(origin, data=bytes(length)) as answer:
                    assert await answer.json() == told


async def test_answers_of_your_own() -> None:
    """The translation can be replaced as a whole, or for one class of errors."""
    app = FastAPI()

    def translate(error: KfqError) -> HttpError:
        return HttpError(418, {"mine": type(error).__name__}, {"X-Mine": "1"})

    async def busy(_: Request, error: Exception) -> Response:
        return PlainTextResponse(type(error).__name__, 409)

    add_error_handler(app, translate)
    app.add_exception_handler(kfq.BusinessError, busy)

    @app.get("/{name}")
    async def trouble(name: str) -> None:
        raise TROUBLE[name]

    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/parameter") as answer:
                assert (answer.status, await answer.json()) == (418, {"mine": "ParameterError"})
                assert answer.headers["X-Mine"] == "1"
            async with http.get(f"{origin}/business") as answer:
                assert (answer.status, await answer.text()) == (409, "BusinessError")


async def test_a_router_among_others() -> None:
    """A prefix of the application's goes in front, and the documentation does not list what only the platform calls."""
    service = Service()
    app = FastAPI()
    app.include_router(notification_router(service.by_url, "/hooks/"), prefix="/v1")
    assert app.openapi()["paths"] == {}
    with uvicorn_serving(app) as origin:
        async with aiohttp.ClientSession() as http, http.post(f"{origin}/v1/hooks", data=make_body()) as answer:
            assert answer.status == 401
