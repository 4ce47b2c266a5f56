"""The examples as their users start them: processes of their own, on loopback."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
from attrs import frozen
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterator


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def example(framework: str, *options: str) -> Iterator[str]:
    """Run ``python -m kfq_async.examples.{framework}_app`` until Ctrl-C, and yield its address."""
    port = free_port()
    command = [sys.executable, "-m", f"kfq_async.examples.{framework}_app", "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            _wait(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            said = _end(process)
    assert process.returncode == 0, said
    assert "Traceback" not in said, said


def _end(process: subprocess.Popen[str]) -> str:
    try:
        return process.communicate(timeout=20)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def _wait(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the example did not start")


@frozen
class ApiResponse:
    """What a browser gets, before it follows a redirection."""

    status: int
    text: str
    location: str = ""


async def ask(url: str, data: dict[str, str] | bytes | None = None) -> ApiResponse:
    """Ask as a browser does: GET, or POST of a form."""
    async with (
        aiohttp.ClientSession() as http,
        http.request(
            "GET" if data is None else "POST", URL(url, encoded=True), data=data, allow_redirects=False
        ) as answer,
    ):
        return ApiResponse(answer.status, await answer.text(), answer.headers.get("Location", ""))


def key_of(page: str) -> str:
    """Return the key that is hidden in the form."""
    found = re.search(r'name="key" value="([^"]+)"', page)
    assert found is not None
    return found[1]
