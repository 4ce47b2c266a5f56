"""Server processes of both frameworks: shutdown on SIGTERM, and what their logs show of callback URLs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen

from integrations.service import BOUND_PATH, bound_path
from output import quiet_environment
from senders import make_body
from web_servers import RawConnection, free_port, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parent.parent
UVICORN = ["uvicorn", "--factory", "--timeout-graceful-shutdown", "1"]
COMMANDS = {
    "fastapi-h11": [*UVICORN, "integrations.service_process:fastapi_app", "--http", "h11"],
    "fastapi-httptools": [*UVICORN, "integrations.service_process:fastapi_app", "--http", "httptools"],
    "sanic-uvicorn": [*UVICORN, "integrations.service_process:sanic_app"],
    "sanic": ["integrations.service_process"],
}
"""Modules to run, with their arguments, by server."""


@frozen
class ServiceProcess:
    """Running server process."""

    origin: str
    process: subprocess.Popen[bytes]
    output: Path

    def post(self, path: str, body: bytes) -> int:
        """Post a notification and return the status."""
        with RawConnection(self.origin) as connection:
            connection.post(path, f"Content-Length: {len(body)}", body=body)
            return connection.response().status

    def terminate(self) -> list[str]:
        """Send SIGTERM, wait for the process to end, for at most 60 seconds, and return the lines of its output."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        return self.output.read_text(encoding="utf-8").splitlines()


@pytest.fixture(params=COMMANDS)
def service_process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceProcess]:
    """The service on each server; access logs are on."""
    port, output = free_port(), tmp_path / "output"
    command = COMMANDS[request.param]
    command = [sys.executable, "-m", *command, *(["--port", str(port)] if "uvicorn" in command else [str(port)])]
    environment = quiet_environment(PYTHONPATH=str(TESTS))
    with (
        output.open("wb") as file,
        subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment) as process,
    ):
        try:
            wait_until_listening(process, port)
            yield ServiceProcess(f"http://127.0.0.1:{port}", process, output)
        finally:
            process.kill()


def events_of(lines: list[str]) -> list[str]:
    """Return the events among the lines of an output."""
    return [line.removeprefix("event ") for line in lines if line.startswith("event ")]


def test_hung_handler(service_process: ServiceProcess) -> None:
    """A handler that never ends does not keep the process from ending; its claim is released, which is reported."""
    assert service_process.post(BOUND_PATH, make_body(orderNo="HANGS")) == 503
    assert service_process.post(bound_path("row-2"), make_body()) == 200
    assert events_of(service_process.terminate()) == [
        "unfinished",
        "row-2:ORDER-1:1",
        "cancelled",
        "released",
        "handler_failed",
    ]


def test_idle_shutdown(service_process: ServiceProcess) -> None:
    """A process with an open connection and a body that has not ended ends, too."""
    assert service_process.post(BOUND_PATH, make_body()) == 200
    with RawConnection(service_process.origin) as idle, RawConnection(service_process.origin) as endless:
        idle.post("/hooks/unknown", "Content-Length: 0")
        assert idle.response().status == 404
        endless.post(BOUND_PATH, "Content-Length: 100")
        lines = service_process.terminate()
    assert events_of(lines)[0] == "row-1:ORDER-1:1"
    assert "session closed: True" in lines


def test_logs_hold_no_callback_url(service_process: ServiceProcess) -> None:
    """Neither access nor error logs hold the HMAC of a callback URL; the rest of the path stays."""
    assert service_process.post(BOUND_PATH, make_body()) == 200
    pages = [bound_path("row-1", page=True), bound_path("row-2", page=True)]
    for page in pages:
        with RawConnection(service_process.origin) as connection:
            connection.send(f"GET {page}?a=1 HTTP/1.1\r\nHost: h\r\n\r\n".encode())
            assert connection.response().status in {200, 500}
    with RawConnection(service_process.origin) as connection:
        connection.post(BOUND_PATH, "Content-Length: 100", body=b"half")
        time.sleep(0.2)
    output = "\n".join(service_process.terminate())
    for path in (BOUND_PATH, *pages):
        head, _, mac = path.rpartition(".")
        assert mac not in output
        assert f"{head}.***" in output
