"""FastAPI under uvicorn and Sanic on real sockets, each in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastapi import FastAPI
    from sanic import Sanic

_NUMBERS = itertools.count()


def sanic_name() -> str:
    """Return a name that no other Sanic application of this process has."""
    return f"tested{next(_NUMBERS)}"


@contextmanager
def uvicorn_serving(app: FastAPI) -> Iterator[str]:
    """Serve it and yield ``http://127.0.0.1:port``; what the lifespan raises ends up here."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on", ws="none"))
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
    """Serve it and yield ``http://127.0.0.1:port``."""
    started, stop, failed = threading.Event(), threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))

    async def serve() -> None:
        async with sanic_running(app, listener):
            started.set()
            await asyncio.to_thread(stop.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as problem:  # noqa: BLE001  # it belongs to the thread that waits
            failed.append(problem)
            started.set()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait(30)
    try:
        if failed:
            raise failed[0]
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(30)
        listener.close()


@asynccontextmanager
async def sanic_running(app: Sanic[Any, Any], listener: socket.socket) -> AsyncIterator[None]:
    """Run it in this loop, as Sanic's guide shows."""
    app.config.TOUCHUP = False  # Sanic then rewrites itself, which it can do once per process only
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
    """Send bytes as they are, read until the other side closes, and return status and body."""
    host, _, port = origin.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"{head}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    first, _, rest = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), rest
