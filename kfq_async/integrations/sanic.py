"""For Sanic (extra ``sanic``): the session's life, `kfq_session` to ask for it, notifications, errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from sanic import Blueprint, HTTPResponse, Request, Sanic
from sanic.response import json, raw

from kfq_async.callbacks import NotificationReceiver
from kfq_async.errors import KfqError
from kfq_async.integrations.web import HttpError, handle_notification, http_error, read_limited, web_session
from kfq_async.session import AsyncSession

__all__ = [
    "HttpError",
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
    """Keep one session for the life of each worker, as ``app.ctx.kfq_session``.

    It is made before the server starts. Before the server stops, the ``receivers`` finish their handlers; the
    session is closed after that. Call this before you register listeners of your own: Sanic starts in that order
    and stops in the reverse one, so yours find a session, and what your handlers use is best closed in
    ``after_server_stop``.
    """
    kept = tuple(receivers)

    async def start(app: App) -> None:
        app.ctx.kfq_session = session_factory()
        for receiver in kept:
            await receiver.__aenter__()

    async def finish(_: App) -> None:
        for receiver in kept:
            await receiver.aclose()

    async def stop(app: App) -> None:
        await app.ctx.kfq_session.aclose()

    app.register_listener(start, "before_server_start")
    app.register_listener(finish, "before_server_stop")
    app.register_listener(stop, "after_server_stop")


def kfq_session(request: AnyRequest) -> AsyncSession:
    """Return the worker's session; with Sanic Extensions: ``app.ext.add_dependency(AsyncSession, kfq_session)``."""
    session = getattr(request.app.ctx, "kfq_session", None)
    if session is None:
        raise RuntimeError("there is no session: call setup_kfq(app) when you make the application")
    assert isinstance(session, AsyncSession)  # noqa: S101  # set above
    return session


def notification_blueprint(receiver: NotificationReceiver, path: str, *, name: str = "kfq_notifications") -> Blueprint:
    """Return a blueprint that gives what is posted to ``path``, or one segment below it, to the receiver.

    ``path`` is written as in the URL: ``/hooks/a%20b``. Each kind of notification has its receiver, path and
    blueprint, and each blueprint its ``name``.
    """
    blueprint = Blueprint(name)

    async def notified(request: AnyRequest, segment: str = "") -> HTTPResponse:  # noqa: ARG001  # it is in the path
        # Sanic does not decode the path. The headers are text here, so they go back to the bytes that they were.
        headers = [(key.encode(), value.encode("utf-8", "surrogateescape").strip()) for key, value in _pairs(request)]
        reply = await handle_notification(receiver, _chunks(request), headers, request.path)
        return raw(reply.body, reply.status, content_type=reply.content_type)

    exact = path.rstrip("/")
    blueprint.add_route(notified, exact, methods=["POST"], stream=True, name="exact")
    blueprint.add_route(notified, f"{exact}/<segment>", methods=["POST"], stream=True, name="below")
    return blueprint


def _pairs(request: AnyRequest) -> Iterable[tuple[str, str]]:
    return request.headers.items()


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    stream: Any = request.stream  # its type does not tell the method that Sanic's guide shows
    while (chunk := await stream.read()) is not None:
        yield chunk


async def read_body(request: AnyRequest, limit: int) -> bytes | None:
    """Read a whole body in a handler with ``stream=True``; ``None`` as soon as it is larger than ``limit`` bytes."""
    return await read_limited(_chunks(request), limit)


def add_error_handler(app: App, translate: Callable[[KfqError], HttpError] = http_error) -> None:
    """Let the errors of this package become HTTP answers; `http_error` has the table.

    A handler that you add for a class of errors (``app.error_handler.add(kfq.BusinessError, ...)``) wins.
    """

    async def answer(_: AnyRequest, error: KfqError) -> HTTPResponse:
        found = translate(error)
        return json(found.body, found.status, headers=dict(found.headers))

    app.error_handler.add(KfqError, answer)
