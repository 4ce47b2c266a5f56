"""Sanic integration (extra ``sanic``): session per worker, notifications, error responses."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from sanic import Blueprint, HTTPResponse, Request, Sanic
from sanic.asgi import ASGIApp
from sanic.exceptions import BadRequest
from sanic.response import json, raw

from kfq_async.callbacks import NotificationReceiver
from kfq_async.errors import KfqError
from kfq_async.integrations.web import (
    CLOSE_WITHIN,
    CallbackUrlFilter,
    ErrorResponse,
    IncompleteBody,
    check_close_within,
    close_receivers,
    handle_notification,
    http_error,
    mask_callback_urls,
    read_limited,
    web_session,
)
from kfq_async.session import AsyncSession

__all__ = [
    "CallbackUrlFilter",
    "ErrorResponse",
    "add_error_handler",
    "http_error",
    "kfq_session",
    "mask_callback_urls",
    "notification_blueprint",
    "read_body",
    "setup_kfq",
    "web_session",
]

App = Sanic[Any, Any]
AnyRequest = Request[Any, Any]


def setup_kfq(
    app: App,
    session_factory: Callable[[], AsyncSession] = web_session,
    *,
    receivers: Iterable[NotificationReceiver] = (),
    close_within: float | None = CLOSE_WITHIN,
) -> None:
    """Open one session per worker, as ``app.ctx.kfq_session``, from before the server starts until it has stopped.

    Call this before registering listeners of your own. Sanic runs start listeners in order of registration and stop
    listeners in reverse, so yours will have a session. Close resources that handlers use in ``after_server_stop``.

    Args:
        app: The application.
        session_factory: Returns the session; called in each worker.
        receivers: Receivers to close before the server stops.
        close_within: Seconds for which a stopping worker waits for running handlers, which are then cancelled and
            their notifications released (default: 10); ``None`` for the ``lease`` of each receiver. After that, Sanic
            waits for requests, up to ``GRACEFUL_SHUTDOWN_TIMEOUT``. Threads that a handler started cannot be
            cancelled.
    """
    check_close_within(close_within)
    receivers = tuple(receivers)

    async def open_session(app: App) -> None:
        app.ctx.kfq_session = session_factory()
        for receiver in receivers:
            await receiver.__aenter__()

    async def stop_receiving(_: App) -> None:
        await close_receivers(receivers, close_within)

    async def close_session(app: App) -> None:
        await app.ctx.kfq_session.aclose()

    app.register_listener(open_session, "before_server_start")
    app.register_listener(stop_receiving, "before_server_stop")
    app.register_listener(close_session, "after_server_stop")


def kfq_session(request: AnyRequest) -> AsyncSession:
    """Return the worker's session; with Sanic Extensions: ``app.ext.add_dependency(AsyncSession, kfq_session)``."""
    session = getattr(request.app.ctx, "kfq_session", None)
    if session is None:
        raise RuntimeError("no session: call setup_kfq(app) when creating the application")
    assert isinstance(session, AsyncSession)  # noqa: S101  # set above
    return session


def notification_blueprint(receiver: NotificationReceiver, path: str, *, name: str = "kfq_notifications") -> Blueprint:
    """Return a blueprint that passes POST requests at ``path``, or one segment below it, to the receiver.

    Both are served with and without a trailing slash. Each kind of notification needs a receiver, path and blueprint
    of its own. An acknowledgement has status 200, which your middleware must not change: the platform does not count
    one with 201 (protocol section 6.6).

    Args:
        receiver: Receiver, which should also be among the ``receivers`` of `setup_kfq`.
        path: Path, percent-encoded as in the URL: ``/hooks/a%20b``.
        name: Name of the blueprint, unique within the application.
    """
    blueprint = Blueprint(name)

    async def receive_notification(request: AnyRequest, segment: str = "") -> HTTPResponse:  # noqa: ARG001  # required by the route
        # Sanic does not decode the path, but decodes headers, which are encoded back to their bytes.
        headers = [(key.encode(), value.encode("utf-8", "surrogateescape").strip()) for key, value in _headers(request)]
        response = await handle_notification(receiver, _notification_chunks(request), headers, request.path)
        reply_headers = {"Content-Length": str(len(response.body))}  # Sanic omits it under an ASGI server
        if response.close:
            reply_headers |= _close_after_response(request)
        return raw(response.body, response.status, reply_headers, content_type=response.content_type)

    exact = path.rstrip("/")
    for route, uri in (("exact", exact or "/"), ("below", f"{exact}/<segment>")):
        blueprint.add_route(receive_notification, uri, methods=["POST"], stream=True, strict_slashes=False, name=route)
    return blueprint


def _headers(request: AnyRequest) -> Iterable[tuple[str, str]]:
    return request.headers.items()


def _close_after_response(request: AnyRequest) -> dict[str, str]:
    """Close the connection without reading the rest of the body; return the headers that this requires."""
    stream: Any = request.stream
    if isinstance(stream, ASGIApp):
        return {"Connection": "close"} if request.version.startswith("1") else {}  # HTTP/2 has no such header
    stream.keep_alive = False  # Sanic's server adds the header
    stream.request_body = None
    return {}


async def _notification_chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    try:
        async for chunk in _chunks(request):
            yield chunk
    except BadRequest as error:
        raise IncompleteBody(str(error)) from None
    except CancelledError:
        if request.conn_info is None or not request.conn_info.lost:
            raise
        raise IncompleteBody("the client disconnected") from None


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    """Return the chunks of a body; raise `BadRequest` if it ends prematurely, except for Sanic's own cancellation."""
    stream: Any = request.stream  # its annotation lacks what Sanic's guide documents
    yield request.body  # not empty if a middleware has read it
    while stream.request_body:
        if not isinstance(stream, ASGIApp):
            yield await stream.read() or b""
            continue
        # ASGIApp.read() waits forever after the last message, and takes a disconnect for the end of the body.
        message = await stream.transport.receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("the client disconnected")
        stream.request_body = message.get("more_body", False)
        yield message.get("body", b"")


async def read_body(request: AnyRequest, limit: int) -> bytes | None:
    """Return a whole body, or ``None`` as soon as it exceeds ``limit`` bytes; for handlers with ``stream=True``."""
    return await read_limited(_chunks(request), limit)


def add_error_handler(app: App, translate: Callable[[KfqError], ErrorResponse] = http_error) -> None:
    """Convert unhandled `KfqError` exceptions to JSON responses.

    A handler added for a subclass (``app.error_handler.add(kfq.BusinessError, ...)``) takes precedence.

    Args:
        app: The application.
        translate: Returns the response for an error; the default is the table of `http_error`.
    """

    async def handle_error(_: AnyRequest, error: KfqError) -> HTTPResponse:
        response = translate(error)
        return json(response.body, response.status, headers=dict(response.headers))

    app.error_handler.add(KfqError, handle_error)
