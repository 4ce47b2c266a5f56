"""The service as an application of its own process, which prints its events: ``python -m`` runs it with Sanic."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import sanic
from fastapi import FastAPI, Request
from sanic import Sanic

import kfq_async as kfq
from integrations.service import URLS, Service
from kfq_async.integrations import fastapi as fastapi_integration
from kfq_async.integrations import sanic as sanic_integration

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/hooks/a%20b"
CLOSE_WITHIN = 0.5


class PrintedEvents(list[str]):
    """List that prints what is appended."""

    def append(self, event: str) -> None:
        """Append an event and print it, unbuffered."""
        super().append(event)
        print_line(f"event {event}")


class PrintingStore(kfq.MemoryStore):
    """Store that prints the release of a claim."""

    async def release(self, key: str, owner: str) -> None:
        """Release the claim and print that."""
        await super().release(key, owner)
        print_line("event released")


def print_line(line: str) -> None:
    """Print a line, unbuffered."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def make_receivers() -> list[kfq.NotificationReceiver]:
    """Return the receiver of a service that prints its events."""
    service = Service(store=PrintingStore())
    service.events = PrintedEvents()
    return service.receivers


def make_session() -> kfq.AsyncSession:
    """Return a session that sends no requests."""
    return kfq.AsyncSession("T")


def fastapi_app() -> FastAPI:
    """Return the service in FastAPI."""
    fastapi_integration.mask_callback_urls()
    receivers = make_receivers()
    kfq_lifespan = fastapi_integration.kfq_lifespan(make_session, receivers=receivers, close_within=CLOSE_WITHIN)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with kfq_lifespan(app):
            yield
        print_line(f"session closed: {app.state.kfq_session.closed}")

    app = FastAPI(lifespan=lifespan)
    for receiver in receivers:
        app.include_router(fastapi_integration.notification_router(receiver, PATH))

    @app.get("/done/{segment}")
    async def page(request: Request, segment: str) -> str:  # required by the route
        return URLS.match(fastapi_integration.raw_path(request))

    return app


def sanic_app() -> Sanic[Any, Any]:
    """Return the service in Sanic."""
    sanic_integration.mask_callback_urls()
    receivers = make_receivers()
    app: Sanic[Any, Any] = Sanic("service")
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 1.0

    @app.after_server_stop
    async def on_stop(app: Sanic[Any, Any]) -> None:  # registered first, so it runs last
        print_line(f"session closed: {app.ctx.kfq_session.closed}")

    sanic_integration.setup_kfq(app, make_session, receivers=receivers, close_within=CLOSE_WITHIN)
    for receiver in receivers:
        app.blueprint(sanic_integration.notification_blueprint(receiver, PATH))

    @app.get("/done/<segment>")
    async def page(request: sanic.Request[Any, Any], segment: str) -> sanic.HTTPResponse:
        if segment.startswith("cm93LTI"):
            raise RuntimeError("a fault, which Sanic logs with the URL")
        return sanic.text(URLS.match(request.path))

    return app


if __name__ == "__main__":
    sanic_app().run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=True, motd=False)
