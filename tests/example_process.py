"""Example services run as separate processes, and an HTTP client for their pages."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

import aiohttp
from attrs import frozen
from yarl import URL

from output import quiet_environment
from web_servers import free_port, wait_until_listening

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET_PATH = re.compile(r"/(?:hooks/kfq|done)/[\w-]+\.[\w-]{20}")
"""Path of a callback URL with its HMAC, which no log may hold."""


@contextmanager
def example(framework: str, *options: str) -> Iterator[str]:
    """Run ``python -m kfq_async.examples.{framework}_app`` until Ctrl-C, and yield its address."""
    port = free_port()
    command = [sys.executable, "-m", f"kfq_async.examples.{framework}_app", "--port", str(port), *options]
    with (
        TemporaryFile("w+", encoding="utf-8") as output,
        subprocess.Popen(
            command, env=quiet_environment(), stdout=output, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        try:
            wait_until_listening(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)
            _wait_or_kill(process)
            output.seek(0)
            printed = output.read()
    assert process.returncode == 0, printed
    assert "Traceback" not in printed, printed
    assert not SECRET_PATH.search(printed), printed


def _wait_or_kill(process: subprocess.Popen[str]) -> None:
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()


@frozen
class PageResponse:
    """HTTP response, before any redirect is followed."""

    status: int
    text: str
    location: str = ""


async def fetch(url: str, data: dict[str, str] | bytes | None = None) -> PageResponse:
    """Send a GET request, or POST a form, as a browser does; redirects are not followed."""
    async with (
        aiohttp.ClientSession() as http,
        http.request(
            "GET" if data is None else "POST", URL(url, encoded=True), data=data, allow_redirects=False
        ) as response,
    ):
        return PageResponse(response.status, await response.text(), response.headers.get("Location", ""))


def form_key(page: str) -> str:
    """Return the key in the form's hidden field."""
    match = re.search(r'name="key" value="([^"]+)"', page)
    assert match is not None
    return match[1]
