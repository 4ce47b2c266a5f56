"""`Sandbox`: the platform in a box, in the event loop that is running or in a thread of its own."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Protocol, Self

from aiohttp import web
from aiohttp.http import HttpProcessingError

from kfq_async.protocol.responses import CONTEXT_PATH
from kfq_async.protocol.signing import CanonicalRsa2Signer, load_private_key
from kfq_async.sandbox.app import make_app
from kfq_async.sandbox.fault_injection import Listener
from kfq_async.sandbox.faults import Fault, Faults, Stage, kind_of
from kfq_async.sandbox.identity import SAMPLE_TOKEN, OrderService, Platform
from kfq_async.sandbox.notifications import DeliveryPolicy, Sender
from kfq_async.sandbox.orders import ABANDON, COMPLETE, EXPIRE, REVIEW
from kfq_async.sandbox.store import Store, load_or_create_key, process_key, public_text
from kfq_async.sandbox.web.console import About, Console
from kfq_async.sandbox.web.operator_page import OperatorPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from kfq_async.protocol.signing import PrivateKey
    from kfq_async.sandbox.store import Contract, Notification, Order

__all__ = ["Sandbox", "SandboxThread"]


APP_ID = "SANDBOX1"
RETRY_AFTER = (0.5, 2.0, 5.0, 15.0, 60.0)
CALLBACK_TIMEOUT = 5.0
NOT_RUNNING = "the sandbox is not running: use it inside `async with` or `with`"


def _is_ours(record: logging.LogRecord) -> bool:
    """Keep out what clients do wrong below HTTP: aiohttp would report it as an error, with a traceback."""
    problem = record.exc_info[1] if record.exc_info else None
    return not isinstance(problem, HttpProcessingError | ConnectionError)


_logger = logging.getLogger(__name__)
_logger.addFilter(_is_ours)


def _faults(faults: Iterable[Fault | str]) -> list[Fault]:
    return [Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Sandbox:
    """The platform in a box, on a loopback port.

    ``async with Sandbox() as sandbox`` runs it in the running event loop, ``with Sandbox() as sandbox`` in a
    thread of its own. ``port`` 0 takes a free one. ``state`` is a SQLite file that keeps orders, notifications and
    the key, created with mode 0600; without it they are gone at the end. ``tokens`` are the accepted
    ``appAuthToken``. ``strict=False`` lets undocumented fields pass. ``faults`` go wrong on purpose, repeatably
    under the same ``seed``. ``clock`` returns seconds since the epoch.

    Notifications to ``authCallbackUrl`` carry ``app_id`` and are signed with ``private_key`` (RSA, in any form that
    `CanonicalRsa2Signer` takes; without one, a key of 2048 bits is made). They are repeated after ``retry_after``
    seconds each until they are acknowledged, and one attempt lasts at most ``callback_timeout`` seconds. They go
    to this machine alone, and to the ``callback_hosts``: what is notified here never happened, so a service that
    is in use must not hear of it by mistake.

    ``complete``, ``abandon``, ``expire`` and ``review`` play the operator. They, ``resend`` and whatever tells the
    state may be called from any thread or loop and return at once; notifications go out in the background.

    Raises `ValueError` for a host that is not loopback and for what is no key, and `OSError` if the port is taken.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | Path | None = None,
        tokens: Iterable[str] = (SAMPLE_TOKEN,),
        strict: bool = True,
        faults: Iterable[Fault | str] = (),
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        app_id: str = APP_ID,
        private_key: PrivateKey | None = None,
        retry_after: Iterable[float] = RETRY_AFTER,
        callback_timeout: float = CALLBACK_TIMEOUT,
        callback_hosts: Iterable[str] = (),
    ) -> None:
        if not _is_loopback(host):
            raise ValueError(f"host must be a loopback address such as 127.0.0.1, not {host}: this is no real platform")
        if isinstance(tokens, str):
            raise TypeError("tokens must be a list of tokens, not one str: write [token]")
        self._host = host
        self._port = port
        self._state = state
        self._tokens = tuple(tokens)
        if not self._tokens or not all(self._tokens):
            raise ValueError("tokens must hold at least one token, and none that is empty")
        self._strict = strict
        self._seed = seed
        self._faults = Faults(_faults(faults), seed)
        self._clock = clock
        self._delivery = DeliveryPolicy(
            app_id=app_id, retry_after=tuple(retry_after), timeout=callback_timeout, hosts=frozenset(callback_hosts)
        )
        self._key = None if private_key is None else load_private_key(private_key)
        self._platform: Platform | None = None
        self._order_service: OrderService | None = None
        self._sender: Sender | None = None
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._thread: SandboxThread | None = None

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
    def app_id(self) -> str:
        """What stands in the header ``appId`` of notifications."""
        return self._delivery.app_id

    @property
    def public_key(self) -> str:
        """The key that notifications are verified with, in bare base64, as the platform's pages show one.

        Raises `RuntimeError` before the first start, if no private key was given.
        """
        if self._key is None:
            raise RuntimeError("the sandbox makes its key when it starts: ask inside `async with` or `with`")
        return public_text(self._key)

    @property
    def orders(self) -> tuple[Order, ...]:
        """All orders, oldest first."""
        return tuple(self._running().store.orders.all())

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All contracts, oldest first."""
        return tuple(self._running().store.contracts.all())

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """All notifications with every attempt, oldest first."""
        return self._open_order_service().notifications()

    def complete(self, order_no: str) -> Order:
        """Let the operator complete the page as it is filled in, and return the order as it is then.

        This and its sisters raise `LookupError` for an unknown order, and `ValueError` for one that is final or in
        that state already.
        """
        return self._open_order_service().act(order_no, COMPLETE, {})

    def abandon(self, order_no: str) -> Order:
        """Let the operator abandon the order: ``orderStatus`` 3."""
        return self._open_order_service().act(order_no, ABANDON, {})

    def expire(self, order_no: str) -> Order:
        """Let the order expire: ``orderStatus`` 4."""
        return self._open_order_service().act(order_no, EXPIRE, {})

    def review(self, order_no: str) -> Order:
        """Let the operator hand in the page, and the order go into review: ``orderStatus`` 2."""
        return self._open_order_service().act(order_no, REVIEW, {})

    def resend(self, notification_id: str, fault: Fault | None = None) -> None:
        """Send a notification once more, whatever its state; the fault is one of the kinds ``callback-...``.

        Raises `LookupError` for an unknown notification, and `ValueError` for another kind of fault.
        """
        if fault is not None and kind_of(fault.kind).stage is not Stage.NOTIFYING:
            raise ValueError(f"fault {fault.kind!r} cannot happen to a notification")
        self._open_order_service().resend(notification_id, fault)

    async def settled(self) -> tuple[Notification, ...]:
        """Wait until every notification is acknowledged or given up, and return them; from any loop."""
        order_service = self._open_order_service()
        await asyncio.wrap_future(order_service.settled())
        return order_service.notifications()

    def inject_faults(self, *faults: Fault | str) -> None:
        """Replace the faults from here on, given as `Fault` or as text that it parses; without any, all goes well."""
        self._inject_faults(_faults(faults), self._seed)

    def _inject_faults(self, faults: Iterable[Fault], seed: int) -> None:
        faults = tuple(faults)
        self._faults.set(faults, seed)
        for fault in faults:
            if kind_of(fault.kind).stage is Stage.LISTENING and self._listener is not None:
                self._listener.refuse(fault.seconds)

    def _running(self) -> Platform:
        if self._platform is None:
            raise RuntimeError(NOT_RUNNING)
        return self._platform

    def _open_order_service(self) -> OrderService:
        if self._order_service is None:
            raise RuntimeError(NOT_RUNNING)
        return self._order_service

    async def start(self) -> None:
        """Listen; afterwards `base_url` holds the port."""
        if self._runner is not None:
            raise RuntimeError("the sandbox is running already")
        store = await asyncio.to_thread(Store, self._state)
        self._platform = Platform(store, tokens=self._tokens, strict=self._strict)
        try:
            order_service = await self._set_up(store)
            app = make_app(self._platform, self._faults, self._inject_faults, self._clock, self._routes(order_service))
            self._runner = web.AppRunner(
                app,
                access_log=None,
                auto_decompress=False,  # compressed are answers only (protocol section 1.7)
                handle_signals=False,
                logger=_logger,
                shutdown_timeout=0.5,
            )
            await self._runner.setup()
            self._listener = Listener(self._runner, self._faults)
            self._port = await self._listener.open(self._host, self._port)
        except BaseException:
            await self.stop()
            raise
        self._inject_faults(self._faults.left(), self._seed)

    async def _set_up(self, store: Store) -> OrderService:
        """Open what sends and what plays the operator."""
        if self._key is None:
            self._key = await asyncio.to_thread(
                process_key if self._state is None else lambda: load_or_create_key(store)
            )
        signer = CanonicalRsa2Signer(self.app_id, self._key)
        self._sender = Sender(store, signer, self._faults, self._delivery, self._clock)
        self._sender.open()
        self._order_service = OrderService(store, self._sender, self._clock)
        return self._order_service

    def _routes(self, order_service: OrderService) -> list[web.RouteDef]:
        about = About(app_id=self.app_id, public_key=self.public_key, retry_after=self._delivery.retry_after)
        return [*OperatorPage(order_service).routes(), *Console(order_service, about).routes()]

    async def stop(self) -> None:
        """Close the port and the state file; what is still to be notified is sent when the file is opened again."""
        listener, self._listener = self._listener, None
        runner, self._runner = self._runner, None
        sender, self._sender = self._sender, None
        platform, self._platform = self._platform, None
        self._order_service = None
        if listener is not None:
            await listener.close()
        if runner is not None:
            await runner.cleanup()
        if sender is not None:
            await sender.close()
        if platform is not None:
            platform.store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        thread = SandboxThread(self)
        thread.open()
        self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()


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
