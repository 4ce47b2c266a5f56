"""What is Sanic's own."""

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
from integrations.service import TROUBLE, Service
from kfq_async.integrations.sanic import (
    HttpError,
    add_error_handler,
    kfq_session,
    notification_blueprint,
    read_body,
    setup_kfq,
)
from web_servers import exchange, sanic_name, sanic_serving

Request = sanic.Request[Any, Any]
TESTS = Path(__file__).parent.parent


def application() -> Sanic[Any, Any]:
    """Make an application under a name of its own."""
    return Sanic(sanic_name(), configure_logging=False)


def test_the_order_of_a_life() -> None:
    """Listeners registered afterwards find a session; receivers and session are closed at the end."""
    events = []
    receiver = Service().by_url
    app = application()
    setup_kfq(app, lambda: kfq.AsyncSession("T"), receivers=[receiver])
    app.blueprint(notification_blueprint(receiver, "/hooks"))

    @app.before_server_start
    async def begins(app: Sanic[Any, Any]) -> None:
        events.append(app.ctx.kfq_session.closed)

    @app.after_server_stop
    async def ends(app: Sanic[Any, Any]) -> None:
        events.append(app.ctx.kfq_session.closed)
        events.append((await receiver.receive(b"", {}, "/")).status)

    with sanic_serving(app):
        pass
    assert events == [False, False, 503]
    assert app.ctx.kfq_session.closed


def test_a_session_that_was_not_kept() -> None:
    """Without a session the error says what to call."""
    request = Request(b"/", {}, "1.1", "GET", None, application())  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="setup_kfq"):
        kfq_session(request)


def test_a_body_with_a_bound() -> None:
    """A handler of one's own reads no more than it wants, either."""
    app = application()

    @app.post("/", stream=True)
    async def size(request: Request) -> sanic.HTTPResponse:
        body = await read_body(request, 10)
        return sanic.json(None if body is None else len(body))

    with sanic_serving(app) as origin:
        for length, told in ((10, b"10"), (11, b"null")):
            head = f"POST / HTTP/1.1\r\nContent-Length: {length}"
            assert exchange(origin, head, bytes(length)) == (200, told)


async def test_answers_of_your_own() -> None:
    """The translation can be replaced as a whole, or for one class of errors."""
    app = application()

    def translate(error: kfq.KfqError) -> HttpError:
        return HttpError(418, {"mine": type(error).__name__}, {"X-Mine": "1"})

    async def busy(_: Request, error: Exception) -> sanic.HTTPResponse:
        return sanic.text(type(error).__name__, 409)

    add_error_handler(app, translate)
    app.error_handler.add(kfq.BusinessError, busy)

    @app.get("/<name>")
    async def trouble(_: Request, name: str) -> sanic.HTTPResponse:
        raise TROUBLE[name]

    with sanic_serving(app) as origin:
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{origin}/parameter") as answer:
                assert (answer.status, await answer.json()) == (418, {"mine": "ParameterError"})
                assert answer.headers["X-Mine"] == "1"
            async with http.get(f"{origin}/business") as answer:
                assert (answer.status, await answer.text()) == (409, "BusinessError")


ALONE = """
import sys
from sanic import Sanic
from integrations.service import Service, say
import kfq_async as kfq
from kfq_async.integrations.sanic import setup_kfq, notification_blueprint

app = Sanic("alone", configure_logging=False)
receiver = Service().by_url
setup_kfq(app, lambda: kfq.AsyncSession("T"), receivers=[receiver])
app.blueprint(notification_blueprint(receiver, "/hooks"))

@app.after_server_start
async def ready(app):
    say("started")

@app.after_server_stop
async def gone(app):
    say(f"closed: {app.ctx.kfq_session.closed}")

if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, motd=False)
    say(f"closed: {app.ctx.kfq_session.closed}")
"""


def test_a_server_in_a_process_of_its_own(tmp_path: Path, unused_port: int) -> None:
    """Started by Sanic's own runner and ended by a signal, the worker leaves nothing open."""
    script = tmp_path / "alone.py"
    script.write_text(ALONE, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-W", "error", str(script), str(unused_port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.2)
        status, _ = exchange(f"http://127.0.0.1:{unused_port}", "POST /hooks HTTP/1.1\r\nContent-Length: 2", b"{}")
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
    assert (status, process.returncode, said) == (401, 0, "closed: False\nclosed: True\n")
