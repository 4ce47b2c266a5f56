"""A thread with an event loop of its own, for tests that have none."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SandboxThread"]


class Startable(Protocol):
    """What the thread runs."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""


class SandboxThread:
    """Runs something that starts and stops, as a sandbox does, in a thread with an event loop of its own."""

    def __init__(self, sandbox: Startable) -> None:
        self._sandbox = sandbox
        self._up: Future[None] = Future()
        self._stop: Callable[[], object] = bool
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="kfq-sandbox", daemon=True)

    def open(self) -> None:
        """Return when the sandbox listens, or raise what kept it from that."""
        self._thread.start()
        try:
            self._up.result()
        except Exception:
            self._thread.join()
            raise

    def close(self) -> None:
        """Return when everything is closed."""
        self._stop()
        self._thread.join()

    async def _serve(self) -> None:
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(end.set)
        try:
            await self._sandbox.start()
        except Exception as problem:  # noqa: BLE001  # it is raised in the thread that opens the sandbox
            self._up.set_exception(problem)
            return
        self._up.set_result(None)
        await end.wait()
        await self._sandbox.stop()
