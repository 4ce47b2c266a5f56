"""aiohttp.web integration, without an extra: the session's life, notifications, error responses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware
from yarl import URL

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
    "KFQ_SESSION",
    "CallbackUrlFilter",
    "ErrorResponse",
    "error_middleware",
    "http_error",
    "kfq_session",
    "mask_callback_urls",
    "notification_routes",
    "raw_path",
    "read_body",
    "setup_kfq",
    "web_session",
]

KFQ_SESSION = web.AppKey("kfq_session", AsyncSession)
"""Key of the session in the application: ``app[KFQ_SESSION]``."""


def setup_kfq(
    app: web.Application,
    session_factory: Callable[[], AsyncSession] = web_session,
    *,
    receivers: Iterable[NotificationReceiver] = (),
    close_within: float | None = CLOSE_WITHIN,
) -> None:
    """Open one session for the application, as ``app[KFQ_SESSION]``, in its ``cleanup_ctx``.

    Call this before you add a ``cleanup_ctx`` of your own: contexts are left in reverse, so what yours opens is closed
    before the session. Receivers are closed in ``on_shutdown``, while handlers can still use both.

    Args:
        app: The application.
        session_factory: Returns the session; called when the application starts.
        receivers: Receivers to close at shutdown.
        close_within: Seconds for which shutdown waits for running handlers, which are then cancelled and their
            notifications released (default: 10); ``None`` for the ``lease`` of each receiver. aiohttp waits for
            requests after that, up to the ``shutdown_timeout`` of `aiohttp.web.run_app`.
    """
    check_close_within(close_within)
    receivers = tuple(receivers)

    async def run_session(app: web.Application) -> AsyncIterator[None]:
        async with session_factory() as session:
            app[KFQ_SESSION] = session
            for receiver in receivers:
                await receiver.__aenter__()
            yield

    async def stop_receiving(_: web.Application) -> None:
        await close_receivers(receivers, close_within)

    app.cleanup_ctx.append(run_session)
    app.on_shutdown.append(stop_receiving)


def kfq_session(request: web.Request) -> AsyncSession:
    """Return the session of the application, or of the one that it is a subapplication of."""
    session = request.config_dict.get(KFQ_SESSION)
    if session is None:
        raise RuntimeError("no session: call setup_kfq(app) when creating the application")
    return session


def notification_routes(receiver: NotificationReceiver, path: str) -> list[web.RouteDef]:
    """Return routes that pass POST requests at ``path``, or one segment below it, to the receiver.

    Add them with ``app.add_routes(notification_routes(receiver, path))``. Both are served with and without a trailing
    slash. Each kind of notification needs a receiver and a path of its own. An acknowledgement has status 200, which
    your middleware must not change: the platform does not count one with 201 (protocol section 6.6).

    Args:
        receiver: Receiver, which should also be among the ``receivers`` of `setup_kfq`.
        path: Path, percent-encoded as in the URL: ``/hooks/a%20b``.
    """

    async def receive_notification(request: web.Request) -> web.Response:
        response = await handle_notification(receiver, _chunks(request), request.raw_headers, raw_path(request))
        reply = web.Response(
            body=response.body, status=response.status, headers={"Content-Type": response.content_type}
        )
        if response.close:
            reply.force_close()
        return reply

    return [web.post(_path_pattern(path), receive_notification)]


def _path_pattern(path: str) -> str:
    """Return a pattern for a path and one segment below it.

    The part with percent-escapes is written as a regular expression, since aiohttp compares decoded paths with what
    stands in a pattern as it is, encoded.
    """
    head, _, last = path.rstrip("/").rpartition("/")
    if "%" in head:
        head, last = "", f"{head}/{last}".removeprefix("/")
    literal = re.escape(URL(f"/{last}", encoded=True).path_safe[1:])
    return f"{head}/{{kfq_path:{literal}{'(?:/[^/]+)?' if last else '[^/]*'}/?}}"


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except (OSError, HttpProcessingError, web.PayloadAccessError, web.RequestPayloadError) as error:
        raise IncompleteBody(type(error).__name__) from None


def raw_path(request: web.Request) -> str:
    """Return the undecoded path of a request, as `CallbackUrls` and signatures require; ``request.path`` is decoded."""
    return request.raw_path.partition("?")[0]


async def read_body(request: web.Request, limit: int) -> bytes | None:
    """Return a whole body, or ``None`` as soon as it exceeds ``limit`` bytes."""
    return await read_limited(request.content.iter_any(), limit)


def error_middleware(translate: Callable[[KfqError], ErrorResponse] = http_error) -> Middleware:
    """Return a middleware that converts unhandled `KfqError` exceptions to JSON responses.

    ``web.Application(middlewares=[error_middleware()])``

    Args:
        translate: Returns the response for an error; the default is the table of `http_error`.
    """

    @web.middleware
    async def convert_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except KfqError as error:
            response = translate(error)
        return web.json_response(dict(response.body), status=response.status, headers=response.headers)

    return convert_errors
