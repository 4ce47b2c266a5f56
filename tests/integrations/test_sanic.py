"""Sanic integration: listeners, blueprint, error handler, and a server process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import sanic
from sanic import Sanic

import kfq_async as kfq
from integrations.service import ERRORS, Service
from kfq_async.integrations.sanic import (
    ErrorResponse,
    add_error_handler,
    kfq_session,
    notification_blueprint,
    read_body,
    setup_kfq,
)
from web_servers import exchange, free_port, sanic_name, sanic_serving

Request = sanic.Request[Any, Any]
TESTS = Path(__file__).parent.parent


def make_app() -> Sanic[Any, Any]:
    """Return an application with a unique name."""
    return Sanic(sanic_name(), configure_logging=False)


def test_listener_order() -> None:
    """Listeners registered after `setup_kfq` have an open session; receivers and session are closed at the end."""
    events: list[bool | int] = []
    receiver = Service().url_receiver
    app = make_app()
    setup_kfq(app, lambda: kfq.AsyncSession("T"), receivers=[receiver])
    app.blueprint(notification_blueprint(receiver, "/hooks"))

    @app.before_server_start
    async def on_start(app: Sanic[Any, Any]) -> None:
        events.append(app.ctx.kfq_session.closed)

    @app.after_server_stop
    async def on_stop(app: Sanic[Any, Any]) -> None:
        events.append(app.ctx.kfq_session.closed)
        events.append((await receiver.receive(b"", {}, "/")).status)

    with sanic_serving(app):
        pass
    assert events == [False, False, 503]
    assert app.ctx.kfq_session.closed


def test_missing_setup() -> None:
    """Without a session the error names the function to call."""
    request = Request(b"/", {}, "1.1", "GET", None, make_app())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="setup_kfq"):
        kfq_session(request)


def test_read_body() -> None:
    """`read_body` returns ``None`` for a body larger than its limit."""
    app = make_app()

    @app.post("/", stream=True)
    async def size(request: Request) -> sanic.HTTPResponse:
        body = await read_body(request, 10)
        return sanic.json(None if body is None else len(body))

    with sanic_serving(app) as origin:
        for length, expected in ((10, b"10"), (11, b"null")):
            head = f"POST / HTTP/1.1\r\nContent-Length: {length}"
            assert exchange(origin, head, bytes(length)) == (200, expected)


async def test_custom_error_responses() -> None:
    """The error translation can be replaced as a whole, or for one class of errors."""
    app = make_app()

    def translate(error: kfq.KfqError) -> ErrorResponse:
        return ErrorResponse(418, {"error": type(error).__name__}, {"X-Custom": "1"})

    async def handle_business_error(_: Request, error: Exception) -> sanic.HTTPResponse:
        return sanic.text(type(error).__name__, 409)

    add_error_handler(app, translate)
    app.error_handler.add(kfq.BusinessError, handle_business_error)

    @app.get("/<name>")
    async def raise_error(_: Request, name: str) -> sanic.HTTPResponse:
        raise ERRORS[name]

    with sanic_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/parameter") as response:
                assert (response.status, await response.json()) == (418, {"error": "ParameterError"})
                assert response.headers["X-Custom"] == "1"
            async with http.get(f"{origin}/business") as response:
                assert (response.status, await response.text()) == (409, "BusinessError")


SERVER = """
import sys
from sanic import Sanic
from integrations.service import Service, print_line
import kfq_async as kfq
from kfq_async.integrations.sanic import setup_kfq, notification_blueprint

app = Sanic("server", configure_logging=False)
receiver = Service().url_receiver
setup_kfq(app, lambda: kfq.AsyncSession("T"), receivers=[receiver])
app.blueprint(notification_blueprint(receiver, "/hooks"))

@app.after_server_start
async def on_start(app):
    print_line("started")

@app.after_server_stop
async def on_stop(app):
    print_line(f"closed: {app.ctx.kfq_session.closed}")

if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
    print_line(f"closed: {app.ctx.kfq_session.closed}")
"""


def test_server_process(tmp_path: Path) -> None:
    """A worker run by Sanic's runner closes its session and receivers when it is terminated."""
    port = free_port()
    script = tmp_path / "server.py"
    script.write_text(SERVER, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(script), str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.2)
        status, _ = exchange(f"http://127.0.0.1:{port}", "POST /hooks HTTP/1.1\r\nContent-Length: 2", b"{}")
        process.send_signal(signal.SIGTERM)
        output = process.stdout.read()
    assert (status, process.returncode, output) == (401, 0, "closed: False\nclosed: True\n")
