"""For FastAPI (extra ``fastapi``): the session's life, `KfqSession` to depend on, notifications, errors."""

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
from kfq_async.integrations.web import HttpError, handle_notification, http_error, read_limited, web_session
from kfq_async.session import AsyncSession

__all__ = [
    "HttpError",
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
    """Return a lifespan that keeps one session for the application's life: ``FastAPI(lifespan=kfq_lifespan())``.

    ``lifespan`` is the application's own. It begins when there is a session, and ends when the ``receivers`` have
    finished their handlers, so those can use what it opened; the session is closed last, also when starting fails.
    Or enter ``kfq_lifespan(...)(app)`` inside your own.
    """
    kept = tuple(receivers)

    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[Any]:
        async with AsyncExitStack() as stack:
            app.state.kfq_session = await stack.enter_async_context(session_factory())
            state = None if lifespan is None else await stack.enter_async_context(lifespan(app))
            for receiver in kept:
                await stack.enter_async_context(receiver)
            yield state

    return living


def kfq_session(connection: HTTPConnection) -> AsyncSession:
    """Return the application's session; the key for ``app.dependency_overrides`` in tests."""
    session = getattr(connection.app.state, "kfq_session", None)
    if session is None:
        raise RuntimeError("there is no session: write FastAPI(lifespan=kfq_lifespan()), and let the lifespan run")
    assert isinstance(session, AsyncSession)  # noqa: S101  # set above
    return session


KfqSession = Annotated[AsyncSession, Depends(kfq_session)]
"""The application's session, for the parameters of path operations."""


def notification_router(receiver: NotificationReceiver, path: str) -> APIRouter:
    """Return a router that gives what is posted to ``path``, or one segment below it, to the receiver.

    ``path`` is written as in the URL: ``/hooks/a%20b``. Each kind of notification has its receiver, path and router.
    """
    router = APIRouter()
    decoded = unquote(path.rstrip("/"))

    @router.post(decoded, include_in_schema=False)
    @router.post(decoded + "/{segment}", include_in_schema=False)
    async def notified(request: Request) -> Response:
        try:
            reply = await handle_notification(receiver, request.stream(), request.headers.raw, raw_path(request))
        except ClientDisconnect:  # nobody reads the answer, but the receiver's hook should know
            reply = await receiver.reject(RejectionReason.BODY_MALFORMED, "the sender hung up")
        return Response(reply.body, reply.status, media_type=reply.content_type)

    return router


def raw_path(request: Request) -> bytes:
    """Return the undecoded path of a request, which `CallbackUrls` and signatures need; ``request.url`` decodes it."""
    path: bytes | None = request.scope.get("raw_path")
    if path is None:
        raise RuntimeError("this server does not tell the undecoded path (raw_path); uvicorn does")
    return path.partition(b"?")[0]


async def read_body(request: Request, limit: int) -> bytes | None:
    """Read a whole body, or return ``None`` as soon as it is larger than ``limit`` bytes."""
    return await read_limited(request.stream(), limit)


def add_error_handler(app: FastAPI, translate: Callable[[KfqError], HttpError] = http_error) -> None:
    """Let the errors of this package become HTTP answers; `http_error` has the table.

    A handler that you add for a class of errors (``app.add_exception_handler(kfq.BusinessError, ...)``) wins.
    """

    async def answer(_: Request, error: Exception) -> Response:
        assert isinstance(error, KfqError)  # noqa: S101  # it is registered for nothing else
        found = translate(error)
        return JSONResponse(found.body, found.status, headers=dict(found.headers))

    app.add_exception_handler(KfqError, answer)
