"""FastAPI integration (extra ``fastapi``): session lifespan and dependency, notifications, error responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect, HTTPConnection

from kfq_async.callbacks import NotificationReceiver
from kfq_async.errors import KfqError, RejectionReason
from kfq_async.integrations.web import ErrorResponse, handle_notification, http_error, read_limited, web_session
from kfq_async.session import AsyncSession

__all__ = [
    "ErrorResponse",
    "KfqSession",
    "Lifespan",
    "add_error_handler",
    "http_error",
    "kfq_lifespan",
    "kfq_session",
    "notification_router",
    "raw_path",
    "read_body",
    "web_session",
]

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def kfq_lifespan(
    session_factory: Callable[[], AsyncSession] = web_session,
    *,
    receivers: Iterable[NotificationReceiver] = (),
    lifespan: Lifespan | None = None,
) -> Lifespan:
    """Return a lifespan that opens one session for the application: ``FastAPI(lifespan=kfq_lifespan())``.

    The session is opened first and closed last, also if startup fails. Alternatively, enter
    ``async with kfq_lifespan(...)(app)`` inside your lifespan.

    Args:
        session_factory: Returns the session.
        receivers: Receivers to close at shutdown, after their running handlers have returned.
        lifespan: The application's own lifespan, or ``None``. It is entered after the session is opened, and exited
            after the ``receivers`` are closed, so their handlers may use its resources.
    """
    receivers = tuple(receivers)

    @asynccontextmanager
    async def managed(app: FastAPI) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            app.state.kfq_session = await stack.enter_async_context(session_factory())
            state = None if lifespan is None else await stack.enter_async_context(lifespan(app))
            for receiver in receivers:
                await stack.enter_async_context(receiver)
            yield state

    return managed


def kfq_session(connection: HTTPConnection) -> AsyncSession:
    """Return the application's session; tests can replace it in ``app.dependency_overrides``."""
    session = getattr(connection.app.state, "kfq_session", None)
    if session is None:
        raise RuntimeError(
            "no session: create the application with FastAPI(lifespan=kfq_lifespan()), and run its lifespan"
        )
    assert isinstance(session, AsyncSession)  # noqa: S101  # set above
    return session


KfqSession = Annotated[AsyncSession, Depends(kfq_session)]
"""Dependency that injects the application's session into path operations."""


def notification_router(receiver: NotificationReceiver, path: str) -> APIRouter:
    """Return a router that passes POST requests at ``path``, or one segment below it, to the receiver.

    Each kind of notification needs a receiver, path and router of its own.

    Args:
        receiver: Receiver, which should also be among the ``receivers`` of `kfq_lifespan`.
        path: Path, percent-encoded as in the URL: ``/hooks/a%20b``.
    """
    router = APIRouter()
    decoded = unquote(path.rstrip("/"))

    @router.post(decoded, include_in_schema=False)
    @router.post(decoded + "/{segment}", include_in_schema=False)
    async def receive_notification(request: Request) -> Response:
        try:
            reply = await handle_notification(receiver, request.stream(), request.headers.raw, raw_path(request))
        except ClientDisconnect:  # the reply cannot be sent, but on_rejected is called
            reply = await receiver.reject(RejectionReason.BODY_MALFORMED, "the client disconnected")
        return Response(reply.body, reply.status, media_type=reply.content_type)

    return router


def raw_path(request: Request) -> bytes:
    """Return the undecoded path of a request, as `CallbackUrls` and signatures require; ``request.url`` is decoded."""
    path: bytes | None = request.scope.get("raw_path")
    if path is None:
        raise RuntimeError(
            "the ASGI server does not set raw_path, the undecoded path: use one that does, such as uvicorn"
        )
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
