"""The same service in both frameworks, on real sockets."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, Any

import pytest
import sanic
from attrs import frozen
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi import FastAPI
from sanic import Sanic

import kfq_async as kfq
from integrations.service import TROUBLE, URLS, VERIFIED, Service
from kfq_async.integrations import fastapi as with_fastapi
from kfq_async.integrations import sanic as with_sanic
from kfq_async.sandbox import Sandbox
from senders import private_key
from web_servers import sanic_name, sanic_serving, uvicorn_serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOOKS = "/hooks/a%20b"


@frozen
class Served:
    """A service that runs."""

    origin: str
    service: Service
    sandbox: Sandbox
    app: Any


def with_key() -> Service:
    """Return a service that knows the senders' key."""
    public = private_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Service(base64.b64encode(public).decode())


def fastapi_app(service: Service, factory: Callable[[], kfq.AsyncSession]) -> FastAPI:
    """Return the service in FastAPI."""
    app = FastAPI(lifespan=with_fastapi.kfq_lifespan(factory, receivers=service.receivers))
    app.include_router(with_fastapi.notification_router(service.receivers[0], HOOKS))
    app.include_router(with_fastapi.notification_router(service.receivers[1], VERIFIED))
    with_fastapi.add_error_handler(app)

    @app.get("/link")
    async def link(session: with_fastapi.KfqSession) -> str:
        return (await session.auth.corp_ident_link(URLS.bind(kfq.CorpIdentLinkRequest()))).order_no

    @app.get("/trouble/{name}")
    async def trouble(name: str) -> None:
        raise TROUBLE[name]

    return app


def sanic_app(service: Service, factory: Callable[[], kfq.AsyncSession]) -> Sanic[Any, Any]:
    """Return the service in Sanic."""
    app: Sanic[Any, Any] = Sanic(sanic_name(), configure_logging=False)
    with_sanic.setup_kfq(app, factory, receivers=service.receivers)
    app.blueprint(with_sanic.notification_blueprint(service.receivers[0], HOOKS))
    app.blueprint(with_sanic.notification_blueprint(service.receivers[1], VERIFIED, name="verified"))
    with_sanic.add_error_handler(app)

    @app.get("/link")
    async def link(request: sanic.Request[Any, Any]) -> sanic.HTTPResponse:
        session = with_sanic.kfq_session(request)
        made = await session.auth.corp_ident_link(URLS.bind(kfq.CorpIdentLinkRequest()))
        return sanic.json(made.order_no)

    @app.get("/trouble/<name>")
    async def trouble(_: sanic.Request[Any, Any], name: str) -> sanic.HTTPResponse:
        raise TROUBLE[name]

    return app


@pytest.fixture(params=["fastapi", "sanic"])
def served(request: pytest.FixtureRequest, kfq_sandbox: Sandbox) -> Iterator[Served]:
    """The service in one framework, then in the other; its platform is a sandbox."""

    def factory() -> kfq.AsyncSession:
        return kfq.AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url, retry=kfq.RetryPolicy(attempts=1))

    service = with_key()
    if request.param == "fastapi":
        app: Any = fastapi_app(service, factory)
        serving = uvicorn_serving(app)
    else:
        app = sanic_app(service, factory)
        serving = sanic_serving(app)
    with serving as origin:
        yield Served(origin, service, kfq_sandbox, app)


@pytest.fixture
def unused_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
