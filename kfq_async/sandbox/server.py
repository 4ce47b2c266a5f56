"""`Sandbox`: the platform in a box, in the event loop that is running or in a thread of its own."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kfq_async.protocol.answers import CONTEXT_PATH
from kfq_async.sandbox.app import make_app
from kfq_async.sandbox.faults import KINDS, Fault, Faults, Stage
from kfq_async.sandbox.listener import Listener
from kfq_async.sandbox.state import SAMPLE_TOKEN, Platform
from kfq_async.sandbox.store import Contract, Order, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Sandbox"]


def _is_ours(record: logging.LogRecord) -> bool:
    """Keep out what clients do wrong below HTTP: aiohttp would report it as an error, with a traceback."""
    problem = record.exc_info[1] if record.exc_info else None
    return not isinstance(problem, HttpProcessingError | ConnectionError)


_logger = logging.getLogger(__name__)
_logger.addFilter(_is_ours)


class Sandbox:
    """The platform in a box, on a loopback port.

    ``async with Sandbox() as sandbox`` runs it in the running event loop, ``with Sandbox() as sandbox`` in a
    thread of its own. ``port`` 0 takes a free one. ``state`` is a SQLite file that keeps the orders, created with
    mode 0600; without it they are gone at the end. ``tokens`` are the accepted ``appAuthToken``. ``strict=False``
    lets undocumented fields pass. ``faults`` go wrong on purpose, repeatably under the same ``seed``. ``clock``
    returns seconds since the epoch.

    Raises `ValueError` for a host that is not loopback, and `OSError` if the port is taken.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | Path | None = None,
        tokens: Iterable[str] = (SAMPLE_TOKEN,),
        strict: bool = True,
        faults: Iterable[Fault] = (),
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"host must be a loopback address such as 127.0.0.1, not {host}: this is no real platform")
        self._host = host
        self._port = port
        self._state = state
        self._tokens = tuple(tokens)
        self._strict = strict
        self._seed = seed
        self._faults = Faults(faults, seed)
        self._clock = clock
        self._platform: Platform | None = None
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._thread: _Thread | None = None

    @property
    def token(self) -> str:
        """The first of the accepted tokens."""
        return self._tokens[0]

    @property
    def origin(self) -> str:
        """``http://host:port``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """What a session takes as ``base_url``, with the context path."""
        return f"{self.origin}{CONTEXT_PATH}"

    @property
    def orders(self) -> tuple[Order, ...]:
        """All orders, oldest first."""
        return tuple(self._running().store.orders.all())

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All contracts, oldest first."""
        return tuple(self._running().store.contracts.all())

    def fail(self, *faults: Fault) -> None:
        """Replace the faults from here on; without any, all goes well."""
        self._fail(faults, self._seed)

    def _fail(self, faults: Iterable[Fault], seed: int) -> None:
        faults = tuple(faults)
        self._faults.set(faults, seed)
        for fault in faults:
            if KINDS[fault.kind].stage is Stage.LISTENING and self._listener is not None:
                self._listener.refuse(fault.seconds)

    def _running(self) -> Platform:
        if self._platform is None:
            raise RuntimeError("the sandbox is not running: use it inside `async with` or `with`")
        return self._platform

    async def start(self) -> None:
        """Listen; afterwards `base_url` holds the port."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        store = await asyncio.to_thread(Store, self._state)
        self._platform = Platform(store, tokens=self._tokens, strict=self._strict)
        app = make_app(self._platform, self._faults, self._fail, self._clock)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,  # compressed are answers only (protocol section 1.7)
            handle_signals=False,
            logger=_logger,
            shutdown_timeout=0.5,
        )
        try:
            await self._runner.setup()
            self._listener = Listener(self._runner, self._faults)
            self._port = await self._listener.open(self._host, self._port)
        except BaseException:
            await self.stop()
            raise
        self._fail(self._faults.left(), self._seed)

    async def stop(self) -> None:
        """Close the port and the state file."""
        listener, self._listener = self._listener, None
        runner, self._runner = self._runner, None
        platform, self._platform = self._platform, None
        if listener is not None:
            await listener.close()
        if runner is not None:
            await runner.cleanup()
        if platform is not None:
            platform.store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        thread = _Thread(self)
        thread.open()
        self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()


class _Thread:
    """Runs a sandbox in a thread with an event loop of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
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
