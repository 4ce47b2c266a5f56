"""Sanic integration (extra ``sanic``): session per worker, notifications, error responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from sanic import Blueprint, HTTPResponse, Request, Sanic
from sanic.response import json, raw

from kfq_async.callbacks import NotificationReceiver
from kfq_async.errors import KfqError
from kfq_async.integrations.web import ErrorResponse, handle_notification, http_error, read_limited, web_session
from kfq_async.session import AsyncSession

__all__ = [
    "ErrorResponse",
    "add_error_handler",
    "http_error",
    "kfq_session",
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
) -> None:
    """Open one session per worker, as ``app.ctx.kfq_session``, from before the server starts until it has stopped.

    Call this before registering listeners of your own. Sanic runs start listeners in order of registration and stop
    listeners in reverse, so yours will have a session. Close resources that handlers use in ``after_server_stop``.

    Args:
        app: The application.
        session_factory: Returns the session; called in each worker.
        receivers: Receivers to close before the server stops, after their running handlers have returned.
    """
    receivers = tuple(receivers)

    async def open_session(app: App) -> None:
        app.ctx.kfq_session = session_factory()
        for receiver in receivers:
            await receiver.__aenter__()

    async def close_receivers(_: App) -> None:
        for receiver in receivers:
            await receiver.aclose()

    async def close_session(app: App) -> None:
        await app.ctx.kfq_session.aclose()

    app.register_listener(open_session, "before_server_start")
    app.register_listener(close_receivers, "before_server_stop")
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

    Each kind of notification needs a receiver, path and blueprint of its own.

    Args:
        receiver: Receiver, which should also be among the ``receivers`` of `setup_kfq`.
        path: Path, percent-encoded as in the URL: ``/hooks/a%20b``.
        name: Name of the blueprint, unique within the application.
    """
    blueprint = Blueprint(name)

    async def receive_notification(request: AnyRequest, segment: str = "") -> HTTPResponse:  # noqa: ARG001  # required by the route
        # Sanic does not decode the path, but decodes headers, which are encoded back to their bytes.
        headers = [(key.encode(), value.encode("utf-8", "surrogateescape").strip()) for key, value in _headers(request)]
        reply = await handle_notification(receiver, _chunks(request), headers, request.path)
        return raw(reply.body, reply.status, content_type=reply.content_type)

    exact = path.rstrip("/")
    blueprint.add_route(receive_notification, exact, methods=["POST"], stream=True, name="exact")
    blueprint.add_route(receive_notification, f"{exact}/<segment>", methods=["POST"], stream=True, name="below")
    return blueprint


def _headers(request: AnyRequest) -> Iterable[tuple[str, str]]:
    return request.headers.items()


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    stream: Any = request.stream  # its annotation lacks read(), which Sanic's guide documents
    while (chunk := await stream.read()) is not None:
        yield chunk


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
