"""Fixtures: the same service in each framework, on real sockets."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sanic
from aiohttp import web
from attrs import frozen
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sanic import Sanic

import kfq_async as kfq
from integrations.service import ERRORS, SIGNED_PATH, URLS, Service
from kfq_async.integrations import aiohttp as aiohttp_integration
from kfq_async.integrations import fastapi as fastapi_integration
from kfq_async.integrations import sanic as sanic_integration
from kfq_async.sandbox import Sandbox
from senders import private_key
from web_servers import aiohttp_serving, sanic_name, sanic_serving, uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

URL_PATH = "/hooks/a%20b"
SERVERS = ["fastapi-h11", "fastapi-httptools", "sanic", "sanic-h11", "sanic-httptools", "aiohttp"]
"""Framework, and the HTTP implementation of uvicorn if it serves the application."""


@frozen
class RunningService:
    """Running service, with its platform."""

    origin: str
    service: Service
    sandbox: Sandbox


def make_service() -> Service:
    """Return a service with both receivers; the second verifies signatures by the test key."""
    public = private_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Service(base64.b64encode(public).decode())


def fastapi_app(service: Service, factory: Callable[[], kfq.AsyncSession]) -> FastAPI:
    """Return the service in FastAPI."""
    app = FastAPI(lifespan=fastapi_integration.kfq_lifespan(factory, receivers=service.receivers))
    app.include_router(fastapi_integration.notification_router(service.receivers[0], URL_PATH))
    for receiver in service.receivers[1:]:
        app.include_router(fastapi_integration.notification_router(receiver, SIGNED_PATH))
    fastapi_integration.add_error_handler(app)

    @app.get("/link")
    async def link(session: fastapi_integration.KfqSession) -> str:
        return (
            await session.auth.corp_ident_link(URLS.bind(kfq.CorpIdentLinkRequest(account_name="13800138000")))
        ).order_no

    @app.get("/errors/{name}")
    async def raise_error(name: str) -> None:
        raise ERRORS[name]

    return app


def sanic_app(service: Service, factory: Callable[[], kfq.AsyncSession]) -> Sanic[Any, Any]:
    """Return the service in Sanic."""
    app: Sanic[Any, Any] = Sanic(sanic_name(), configure_logging=False)
    app.config.TOUCHUP = False  # Sanic's optimization rewrites its classes, and can run only once per process
    sanic_integration.setup_kfq(app, factory, receivers=service.receivers)
    app.blueprint(sanic_integration.notification_blueprint(service.receivers[0], URL_PATH))
    for receiver in service.receivers[1:]:
        app.blueprint(sanic_integration.notification_blueprint(receiver, SIGNED_PATH, name="verified"))
    sanic_integration.add_error_handler(app)

    @app.get("/link")
    async def link_order(request: sanic.Request[Any, Any]) -> sanic.HTTPResponse:
        session = sanic_integration.kfq_session(request)
        link = await session.auth.corp_ident_link(URLS.bind(kfq.CorpIdentLinkRequest(account_name="13800138000")))
        return sanic.json(link.order_no)

    @app.get("/errors/<name>")
    async def raise_error(_: sanic.Request[Any, Any], name: str) -> sanic.HTTPResponse:
        raise ERRORS[name]

    return app


def aiohttp_app(service: Service, factory: Callable[[], kfq.AsyncSession]) -> web.Application:
    """Return the service in aiohttp."""
    app = web.Application(middlewares=[aiohttp_integration.error_middleware()])
    aiohttp_integration.setup_kfq(app, factory, receivers=service.receivers)
    app.add_routes(aiohttp_integration.notification_routes(service.receivers[0], URL_PATH))
    for receiver in service.receivers[1:]:
        app.add_routes(aiohttp_integration.notification_routes(receiver, SIGNED_PATH))

    async def link(request: web.Request) -> web.Response:
        session = aiohttp_integration.kfq_session(request)
        link = await session.auth.corp_ident_link(URLS.bind(kfq.CorpIdentLinkRequest(account_name="13800138000")))
        return web.json_response(link.order_no)

    async def raise_error(request: web.Request) -> web.Response:
        raise ERRORS[request.match_info["name"]]

    app.add_routes([web.get("/link", link), web.get("/errors/{name}", raise_error)])
    return app


@contextmanager
def serving(server: str, service: Service, factory: Callable[[], kfq.AsyncSession]) -> Iterator[str]:
    """Run the service on one of the ``SERVERS`` and yield its origin."""
    if server == "sanic":
        with sanic_serving(sanic_app(service, factory)) as origin:
            yield origin
    elif server == "aiohttp":
        with aiohttp_serving(aiohttp_app(service, factory)) as origin:
            yield origin
    else:
        framework, _, http = server.partition("-")
        app = fastapi_app(service, factory) if framework == "fastapi" else sanic_app(service, factory)
        with uvicorn_serving(app, http=http) as origin:
            yield origin


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    """Each combination of framework and server."""
    server: str = request.param
    return server


@pytest.fixture
def running(server: str, kfq_sandbox: Sandbox) -> Iterator[RunningService]:
    """The service on each server; its platform is a sandbox."""

    def factory() -> kfq.AsyncSession:
        return kfq.AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url, retry=kfq.RetryPolicy(attempts=1))

    service = make_service()
    with serving(server, service, factory) as origin:
        yield RunningService(origin, service, kfq_sandbox)
