"""Sanic integration: listeners, blueprint and error handler."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
import sanic
from sanic import Sanic

import kfq_async as kfq
from integrations.service import BOUND_PATH, ERRORS, Service
from kfq_async.integrations.sanic import (
    ErrorResponse,
    add_error_handler,
    kfq_session,
    notification_blueprint,
    read_body,
    setup_kfq,
)
from senders import make_body
from web_servers import RawConnection, exchange, sanic_name, sanic_serving

Request = sanic.Request[Any, Any]


def make_app() -> Sanic[Any, Any]:
    """Return an application with a unique name."""
    return Sanic(sanic_name(), configure_logging=False)


def test_listener_order() -> None:
    """Listeners registered after `setup_kfq` have an open session; receivers and session are closed at the end."""
    events: list[bool | int] = []
    receiver = Service().url_receiver
    app = make_app()
    setup_kfq(app, lambda: kfq.AsyncSession("T"), receivers=[receiver])
    app.blueprint(notification_blueprint(receiver, "/hooks"))

    @app.before_server_start
    async def on_start(app: Sanic[Any, Any]) -> None:
        events.append(app.ctx.kfq_session.closed)

    @app.after_server_stop
    async def on_stop(app: Sanic[Any, Any]) -> None:
        events.append(app.ctx.kfq_session.closed)
        events.append((await receiver.receive(b"", {}, "/")).status)

    with sanic_serving(app):
        pass
    assert events == [False, False, 503]
    assert app.ctx.kfq_session.closed


def test_missing_setup() -> None:
    """Without a session the error names the function to call."""
    request = Request(b"/", {}, "1.1", "GET", None, make_app())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="setup_kfq"):
        kfq_session(request)


def test_read_body() -> None:
    """`read_body` returns ``None`` for a body larger than its limit."""
    app = make_app()

    @app.post("/", stream=True)
    async def size(request: Request) -> sanic.HTTPResponse:
        body = await read_body(request, 10)
        return sanic.json(None if body is None else len(body))

    with sanic_serving(app) as origin:
        for length, expected in ((10, b"10"), (11, b"null")):
            head = f"POST / HTTP/1.1\r\nContent-Length: {length}"
            assert exchange(origin, head, bytes(length)) == (200, expected)


async def test_custom_error_responses() -> None:
    """The error translation can be replaced as a whole, or for one class of errors."""
    app = make_app()

    def translate(error: kfq.KfqError) -> ErrorResponse:
        return ErrorResponse(418, {"error": type(error).__name__}, {"X-Custom": "1"})

    async def handle_business_error(_: Request, error: Exception) -> sanic.HTTPResponse:
        return sanic.text(type(error).__name__, 409)

    add_error_handler(app, translate)
    app.error_handler.add(kfq.BusinessError, handle_business_error)

    @app.get("/<name>")
    async def raise_error(_: Request, name: str) -> sanic.HTTPResponse:
        raise ERRORS[name]

    with sanic_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/parameter") as response:
                assert (response.status, await response.json()) == (418, {"error": "ParameterError"})
                assert response.headers["X-Custom"] == "1"
            async with http.get(f"{origin}/business") as response:
                assert (response.status, await response.text()) == (409, "BusinessError")


@pytest.mark.parametrize("strict_slashes", [None, True, False])
@pytest.mark.parametrize(("path", "prefix"), [("/hooks", ""), ("/hooks/", "/v1"), ("/", "/v1"), ("/", "")])
def test_spellings(path: str, prefix: str, strict_slashes: bool | None) -> None:  # noqa: FBT001
    """The blueprint serves its path and one segment below, each with and without a slash at the end."""
    service = Service()
    app: Sanic[Any, Any] = Sanic(sanic_name(), configure_logging=False, strict_slashes=bool(strict_slashes))
    blueprint = notification_blueprint(service.url_receiver, path)
    options = {"url_prefix": prefix} if prefix else {}
    app.blueprint(blueprint, strict_slashes=strict_slashes, **options)
    exact = (prefix + path).rstrip("/")
    called = [exact + "/", exact + "/segment", exact + "/segment/", *filter(None, [exact])]
    with sanic_serving(app) as origin, RawConnection(origin) as connection:
        for path_called in called:
            assert post_status(origin, path_called) == 401
        connection.post(f"{exact}/two/segments", "Content-Length: 0")
        assert connection.response().status == 404
    assert service.events == ["unknown_path"] * len(called)


def post_status(origin: str, path: str) -> int:
    """Return the status of an empty POST request."""
    with RawConnection(origin) as connection:
        connection.post(path, "Content-Length: 0")
        return connection.response().status


def test_body_read_by_a_middleware() -> None:
    """A body that a middleware has read is handled like any other."""
    service = Service()
    app = make_app()
    app.blueprint(notification_blueprint(service.url_receiver, "/hooks/a%20b"))

    @app.on_request
    async def read(request: Request) -> None:
        await request.receive_body()  # type: ignore[no-untyped-call]  # Sanic's

    body = make_body()
    with sanic_serving(app) as origin, RawConnection(origin) as connection:
        connection.post(BOUND_PATH, f"Content-Length: {len(body)}", body=body)
        assert connection.response().body == b"success"


def test_cancelled_reading() -> None:
    """Sanic's own timeout ends the reading of a body, and is not reported as a disconnect."""
    service = Service()
    app = make_app()
    app.config.RESPONSE_TIMEOUT = 0.2
    app.blueprint(notification_blueprint(service.url_receiver, "/hooks/a%20b"))
    with sanic_serving(app) as origin, RawConnection(origin) as connection:
        connection.post(BOUND_PATH, "Content-Length: 100")
        assert connection.response().status == 503
    assert service.events == []


@pytest.mark.parametrize("http_version", ["1.1", "2"])
def test_connection_header(http_version: str) -> None:
    """A rejection before the body closes the connection in HTTP/1.1; HTTP/2 forbids the header."""
    app = make_app()
    app.config.TOUCHUP = False
    app.blueprint(notification_blueprint(Service().url_receiver, "/hooks"))
    headers = dict(asyncio.run(asgi_response_headers(app, http_version)))
    assert headers.get(b"Connection") == (b"close" if http_version == "1.1" else None)
    assert int(headers[b"Content-Length"]) > 0


async def asgi_response_headers(app: Sanic[Any, Any], http_version: str) -> list[tuple[bytes, bytes]]:
    """Start an application, post to an unknown path, and return the headers of the response."""
    lifespan: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    for event in ("startup", "shutdown"):
        lifespan.put_nowait({"type": f"lifespan.{event}"})
    await app({"type": "lifespan"}, lifespan.get, send)
    scope = {"type": "http", "method": "POST", "path": "/hooks/a", "raw_path": b"/hooks/a", "query_string": b""}
    await app({**scope, "http_version": http_version, "headers": []}, lifespan.get, send)
    return next(list(message["headers"]) for message in sent if message["type"] == "http.response.start")


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_invalid_close_within(seconds: float) -> None:
    """An invalid limit is refused when the application is created, not when it stops."""
    with pytest.raises(ValueError, match="close_within must be at least 0 seconds, or None"):
        setup_kfq(make_app(), close_within=seconds)
