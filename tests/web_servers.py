"""ASGI applications under uvicorn, Sanic and aiohttp, on real sockets, each with an event loop in a thread."""

from __future__ import annotations

import asyncio
import itertools
import random
import select
import socket
import threading
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from http.client import HTTPMessage, parse_headers
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from aiohttp import web
from attrs import frozen

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType

    from sanic import Sanic

_NUMBERS = itertools.count()


def sanic_name() -> str:
    """Return a name that is unique among the Sanic applications of this process."""
    return f"tested_{next(_NUMBERS)}"


def free_port() -> int:
    """Return a free port below the ephemeral range, so that no server on port 0 takes it before it is used."""
    for port in random.sample(range(20_000, 32_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no free port")


def wait_until_listening(process: subprocess.Popen[Any], port: int) -> None:
    """Wait for at most 30 seconds until a process listens on a port; fail if it ends before."""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("the server did not start")


@contextmanager
def uvicorn_serving(app: Any, **options: Any) -> Iterator[str]:
    """Serve an application and yield ``http://127.0.0.1:port``; fail if its startup fails.

    ``options`` are those of `uvicorn.Config`.
    """
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none", **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        assert server.started
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)


@contextmanager
def sanic_serving(app: Sanic[Any, Any]) -> Iterator[str]:
    """Serve an application and yield ``http://127.0.0.1:port``; raise exceptions of its startup."""
    with _serving(lambda listener: sanic_running(app, listener)) as origin:
        yield origin


@contextmanager
def aiohttp_serving(app: web.Application) -> Iterator[str]:
    """Serve an application and yield ``http://127.0.0.1:port``; raise exceptions of its startup."""
    with _serving(lambda listener: aiohttp_running(app, listener)) as origin:
        yield origin


@asynccontextmanager
async def aiohttp_running(app: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    """Run an application in the current event loop."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


@contextmanager
def _serving(run_app: Callable[[socket.socket], AbstractAsyncContextManager[None]]) -> Iterator[str]:
    started, stop, errors = threading.Event(), threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))

    async def serve() -> None:
        async with run_app(listener):
            started.set()
            await asyncio.to_thread(stop.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001  # raised in the thread that waits
            errors.append(error)
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(30)
    try:
        if errors:
            raise errors[0]
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(30)
        listener.close()


@asynccontextmanager
async def sanic_running(app: Sanic[Any, Any], listener: socket.socket) -> AsyncIterator[None]:
    """Run an application in the current event loop, as Sanic's guide shows."""
    app.config.TOUCHUP = False  # Sanic's optimization rewrites its classes, and can run only once per process
    server: Any = await app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
    await server.startup()
    await server.before_start()
    await server.after_start()
    try:
        yield
    finally:
        await server.before_stop()
        await server.close()
        await server.after_stop()


def exchange(origin: str, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send a raw request, read until the server closes the connection, and return status and body."""
    host, _, port = origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"{head}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)
        response = b"".join(iter(lambda: connection.recv(65_536), b""))
    response_head, _, response_body = response.partition(b"\r\n\r\n")
    return int(response_head.split()[1]), response_body


@frozen
class RawResponse:
    """Response on a `RawConnection`."""

    status: int
    headers: HTTPMessage
    body: bytes


class RawConnection:
    """Connection that sends any bytes and reads whole responses; use it in ``with``."""

    def __init__(self, origin: str) -> None:
        self._host, _, port = origin.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((self._host, int(port)), timeout=20)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._reader.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def post(self, path: str, *lines: str, body: bytes = b"") -> None:
        """Send a POST request with these header lines; its ``body`` need not fit them."""
        head = "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {self._host}", *lines])
        self.send(f"{head}\r\n\r\n".encode() + body)

    def response(self) -> RawResponse:
        """Read a response by its ``Content-Length``, or to the end of the connection if it has none."""
        status = int(self._reader.readline().split()[1])
        headers = parse_headers(self._reader)
        return RawResponse(status, headers, self._reader.read(int(headers.get("Content-Length", -1))))

    def drip(self) -> RawResponse:
        """Send a blank every 50 milliseconds until a response arrives, for at most 20 seconds; return the response."""
        for _ in range(400):
            with suppress(ConnectionError):
                self._socket.send(b" ")
            if select.select([self._socket], [], [], 0.05)[0]:
                break
        return self.response()

    def is_closed(self) -> bool:
        """Wait for the server to close the connection; raise `TimeoutError` if it does not within 20 seconds."""
        try:
            return self._reader.read(1) == b""
        except ConnectionError:
            return True
