"""FastAPI integration (extra ``fastapi``): session lifespan and dependency, notifications, error responses, models.

Once this module is imported, models of this package are request bodies and results of path operations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi._compat import shared
from fastapi.encoders import encoders_by_class_tuples
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.routing import Host, Match, Mount
from starlette.types import Scope

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
from kfq_async.models.base import Model
from kfq_async.protocol.conversion import to_dict
from kfq_async.session import AsyncSession

__all__ = [
    "CallbackUrlFilter",
    "ErrorResponse",
    "KfqSession",
    "Lifespan",
    "add_error_handler",
    "http_error",
    "kfq_lifespan",
    "kfq_session",
    "mask_callback_urls",
    "notification_router",
    "raw_path",
    "read_body",
    "web_session",
]

# FastAPI asks pydantic about annotated results only; path operations without a return annotation need an encoder.
encoders_by_class_tuples[partial(to_dict, by_alias=True)] = (Model,)


def _read_models_from_bodies() -> None:
    """Let FastAPI read parameters that are models of this package from the body, as it reads pydantic's.

    FastAPI takes a parameter of any other class for one of the query, and has no public way to say otherwise for a
    class. Where a release decides in another place, ``Annotated[kfq.CorpIdentLinkRequest, Body()]`` remains.
    """
    name = "_annotation_is_complex"
    original = getattr(shared, name, None)
    if original is not None:
        setattr(shared, name, lambda annotation: _is_model(annotation) or original(annotation))


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Model)


_read_models_from_bodies()

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]

_running: list[Any] = []
"""Applications whose `kfq_lifespan` is running in this process."""


def kfq_lifespan(
    session_factory: Callable[[], AsyncSession] = web_session,
    *,
    receivers: Iterable[NotificationReceiver] = (),
    close_within: float | None = CLOSE_WITHIN,
    lifespan: Lifespan | None = None,
) -> Lifespan:
    """Return a lifespan that opens one session for the application: ``FastAPI(lifespan=kfq_lifespan())``.

    The session is opened first and closed last, also if startup fails. Alternatively, enter
    ``async with kfq_lifespan(...)(app)`` inside your lifespan.

    Args:
        session_factory: Returns the session.
        receivers: Receivers to close at shutdown, before the application's own lifespan ends.
        close_within: Seconds for which shutdown waits for running handlers, which are then cancelled and their
            notifications released (default: 10); ``None`` for the ``lease`` of each receiver. Servers wait for
            requests before that: bound it too, with ``uvicorn --timeout-graceful-shutdown``. Threads that a handler
            started cannot be cancelled.
        lifespan: The application's own lifespan, or ``None``. It is entered after the session is opened, and exited
            after the ``receivers`` are closed, so their handlers may use its resources.
    """
    check_close_within(close_within)
    receivers = tuple(receivers)

    @asynccontextmanager
    async def managed(app: Any) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            app.state.kfq_session = await stack.enter_async_context(session_factory())
            _running.append(app)
            stack.callback(_running.remove, app)
            state = None if lifespan is None else await stack.enter_async_context(lifespan(app))
            stack.push_async_callback(close_receivers, receivers, close_within)
            for receiver in receivers:
                await receiver.__aenter__()
            yield state

    return managed


def kfq_session(connection: HTTPConnection) -> AsyncSession:
    """Return the application's session; tests can replace it in ``app.dependency_overrides``.

    In an application that is mounted in another one, whose lifespan does not run, it is the session of the outer
    application. If several outer applications have a session, set ``app.state.kfq_session`` of the mounted one, or
    override this dependency.
    """
    session = getattr(connection.app.state, "kfq_session", None)
    if session is None:
        session = _outer_session(connection)
    assert isinstance(session, AsyncSession)  # noqa: S101  # set above
    return session


def _outer_session(connection: HTTPConnection) -> object:
    outermost_router = connection.scope.get("router")
    sessions = {
        id(app.state.kfq_session): app.state.kfq_session
        for app in tuple(_running)
        if app.router is outermost_router or _mounts(app, connection.app)
    }
    if not sessions:
        raise RuntimeError(
            "no session: create the application, or the one it is mounted in, with FastAPI(lifespan=kfq_lifespan()), "
            "and run its lifespan"
        )
    if len(sessions) > 1:
        raise RuntimeError(
            f"{len(sessions)} sessions: the application is mounted in several that have one; "
            "set its state.kfq_session, or override kfq_session in its dependency_overrides"
        )
    return next(iter(sessions.values()))


def _mounts(outer: Any, mounted: Any) -> bool:
    """Return whether an application is mounted in another one, at any depth, with or without middleware around it."""
    for route in outer.routes:
        if isinstance(route, Mount | Host):
            app: Any = route.app
            while app is not mounted and hasattr(app, "app") and not hasattr(app, "routes"):
                app = app.app
            if app is mounted or (hasattr(app, "routes") and _mounts(app, mounted)):
                return True
    return False


KfqSession = Annotated[AsyncSession, Depends(kfq_session)]
"""Dependency that injects the application's session into path operations."""


class _EitherSpelling(APIRoute):
    """Route that serves its path with and without a trailing slash; a redirect would lose notifications."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is Match.NONE:
            path = scope["path"]
            other = path.rstrip("/") if path.endswith("/") else path + "/"
            match, child_scope = super().matches({**scope, "path": other})
        return match, child_scope


def notification_router(receiver: NotificationReceiver, path: str) -> APIRouter:
    """Return a router that passes POST requests at ``path``, or one segment below it, to the receiver.

    Both are served with and without a trailing slash. Each kind of notification needs a receiver, path and router of
    its own. An acknowledgement has status 200, which your middleware must not change: the platform does not count one
    with 201 (protocol section 6.6).

    Args:
        receiver: Receiver, which should also be among the ``receivers`` of `kfq_lifespan`.
        path: Path, percent-encoded as in the URL: ``/hooks/a%20b``.
    """
    router = APIRouter(route_class=_EitherSpelling)
    decoded = unquote(path.rstrip("/"))

    @router.post(decoded or "/", include_in_schema=False)
    @router.post(decoded + "/{segment}", include_in_schema=False)
    async def receive_notification(request: Request) -> Response:
        response = await handle_notification(receiver, _chunks(request), request.headers.raw, raw_path(request))
        # HTTP/2 has no such header: it ends the stream alone.
        close = response.close and request.scope.get("http_version", "1.1").startswith("1")
        headers = {"Connection": "close"} if close else {}
        return Response(response.body, response.status, headers, media_type=response.content_type)

    return router


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise IncompleteBody("the client disconnected") from None


def raw_path(request: Request) -> bytes:
    """Return the undecoded path of a request, as `CallbackUrls` and signatures require; ``request.url`` is decoded.

    Where the server does not provide it (Mangum on AWS Lambda), the decoded path is percent-encoded again, all but
    letters, digits and ``/:@!$&'()*+,;=-._~``. The segments of `CallbackUrls` survive this unchanged. Elsewhere, the
    sender's spelling is lost (``%2F`` or ``/``, ``%3A`` or ``:``), so that a signature of a path with such characters
    is not valid.
    """
    path: bytes | None = request.scope.get("raw_path")
    if path is None:
        return quote(request.scope["path"], safe="/:@!$&'()*+,;=").encode()
    return path.partition(b"?")[0]


async def read_body(request: Request, limit: int) -> bytes | None:
    """Return a whole body, or ``None`` as soon as it exceeds ``limit`` bytes."""
    return await read_limited(request.stream(), limit)


def add_error_handler(app: FastAPI, translate: Callable[[KfqError], ErrorResponse] = http_error) -> None:
    """Convert unhandled `KfqError` exceptions to JSON responses.

    A handler added for a subclass (``app.add_exception_handler(kfq.BusinessError, ...)``) takes precedence.

    Args:
        app: The application.
        translate: Returns the response for an error; the default is the table of `http_error`.
    """

    async def handle_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, KfqError)  # noqa: S101  # the only type it is registered for
        response = translate(error)
        return JSONResponse(response.body, response.status, headers=dict(response.headers))

    app.add_exception_handler(KfqError, handle_error)
