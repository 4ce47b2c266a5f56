"""`Sandbox`: a server on loopback, in the running event loop or in a thread."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from aiohttp.http import HttpProcessingError
from attrs import frozen

from kfq_async.models.hosts import is_loopback
from kfq_async.protocol.responses import CONTEXT_PATH
from kfq_async.protocol.signing import CanonicalRsa2Signer, load_private_key
from kfq_async.sandbox.accounts import AccountService
from kfq_async.sandbox.addresses import host_names
from kfq_async.sandbox.administration import ContractAdministration
from kfq_async.sandbox.app import make_app
from kfq_async.sandbox.callback_client import DeliveryPolicy
from kfq_async.sandbox.collisions import Collisions
from kfq_async.sandbox.contract_files import ContractFiles
from kfq_async.sandbox.contract_repository import ContractRepository
from kfq_async.sandbox.contracts import ContractService
from kfq_async.sandbox.directory import Directory
from kfq_async.sandbox.downloads import DownloadService
from kfq_async.sandbox.events import EventSender
from kfq_async.sandbox.fault_injection import FaultyListener
from kfq_async.sandbox.faults import Fault, FaultPlan, InjectionPoint, fault_kind
from kfq_async.sandbox.files import FileService
from kfq_async.sandbox.fixtures import DefaultFixtures, Fixtures, load_fixtures
from kfq_async.sandbox.gateway import RATE_LIMIT_FORMS, Gateway
from kfq_async.sandbox.identity import SAMPLE_TOKEN, IdentityService, OrderService
from kfq_async.sandbox.links import LinkService
from kfq_async.sandbox.notifications import NotificationSender
from kfq_async.sandbox.orders import ABANDON, COMPLETE, EXPIRE, REVIEW
from kfq_async.sandbox.quirks import COLLISIONS, check_quirks
from kfq_async.sandbox.signing import PdfSigner
from kfq_async.sandbox.stamps import Stamper
from kfq_async.sandbox.store import Store, load_or_create_key, process_key, public_text
from kfq_async.sandbox.web.access import AccessPolicy
from kfq_async.sandbox.web.console import Console, ConsoleInfo
from kfq_async.sandbox.web.contract_page import ContractPage
from kfq_async.sandbox.web.control import OrderControl
from kfq_async.sandbox.web.operator_page import OperatorPage
from kfq_async.sandbox.web.order_form import order_form
from kfq_async.sandbox.web.signing_page import SigningPage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from kfq_async.protocol.signing import PrivateKey
    from kfq_async.sandbox.callback_client import CapturedNotification
    from kfq_async.sandbox.store import Contract, ContractNotification, Notification, Order, StoredFile

__all__ = ["Sandbox"]

APP_ID = "SANDBOX1"
RETRY_AFTER = (0.0, 0.0, 5.0, 15.0, 60.0)
"""Three attempts back to back; then the platform's three steps, which take hours there (protocol section 6.7)."""
PLATFORM_RETRIES = (0.0, 0.0, 300.0, 7200.0, 86_400.0)
"""The same at the platform, at the longest: the next full 5 minutes, the next even hour, the next 23:30."""
CALLBACK_TIMEOUT = 5.0
IDLE_TIMEOUT = 60.0
"""Seconds after which an idle connection is closed (protocol section 1.10)."""
MAX_FIELD = 64 * 1024
"""Size of a header that is read at all, in bytes; the platform refuses smaller ones, with a page of its own."""
MAX_HEADERS = 1000
"""Number of headers that are read at all."""
MAX_BODY = 100 * 1024 * 1024
"""Maximum size of a request body in bytes, as in the bundled proxy (protocol section 1.7)."""
MAX_BODY_WITHOUT_PROXY = 256 * 1024 * 1024
"""The same with fixtures, which describe a platform without a proxy; it has no limit of its own."""

_logger = logging.getLogger(__name__)


def _is_sandbox_error(record: logging.LogRecord) -> bool:
    """Filter out client errors below HTTP, which aiohttp would log with a traceback."""
    problem = record.exc_info[1] if record.exc_info else None
    return not isinstance(problem, HttpProcessingError | ConnectionError)


_logger.addFilter(_is_sandbox_error)


@frozen
class _Services:
    """What runs behind a sandbox that is running."""

    orders: OrderService
    notification_sender: NotificationSender
    event_sender: EventSender
    pdf_signer: PdfSigner


class Sandbox:
    """Local stand-in for the platform: its protocol over real HTTP, on a loopback port.

    ``async with Sandbox() as sandbox`` serves in the running event loop, ``with Sandbox() as sandbox`` in a thread.
    Where no source documents the platform's behaviour, above all for a repeated ``clientRequestId``, the sandbox makes
    an assumption and labels it as such. Assumptions say nothing about the hosted platform.

    Notifications to ``authCallbackUrl``, and contract events to the callback URL of a token in the fixtures, are sent
    to this machine only, and to ``callback_hosts``: they report things that never happened, and a service in production
    must not receive them by mistake. Contract events are sent one after another, after the response to the call that
    caused them.

    A request is answered under ``localhost``, a name below it, a loopback address, or one of ``allowed_hosts``; under
    any other ``Host``, and to the pages of other sites, the response is HTTP 403. A page could otherwise reach the
    sandbox from the developer's browser. A service may link or redirect to the page of an order.

    All properties and methods except `start` and `stop` are thread-safe, and all but `wait_for_notifications` return
    at once; notifications are sent in the background.

    Args:
        host: Loopback address to listen on; a name such as ``localhost`` is refused.
        port: Port to listen on; 0 takes a free one.
        state: SQLite file that keeps orders, contracts, notifications and the key; created with mode 0600. ``None``
            keeps them in memory.
        tokens: Accepted values of ``appAuthToken`` (default: that of the published sample). Those of fixtures are in
            the fixtures.
        fixtures: What a self-hosted platform holds: enterprises with their tokens, accounts, seals and business
            lines. A fixtures file, its JSON data, or `Fixtures`. ``None`` takes every business line, account and seal
            for known and granted, and offers identification links, which a self-hosted platform does not.
        strict: Whether to refuse undocumented fields, mistyped values, values outside the documented lists, malformed
            URLs, accounts that are neither a mobile number nor an e-mail address, an empty request for identification,
            and what the platform would silently drop, each with the field's path. ``False`` answers as the platform
            does: it ignores and converts. ``None`` is ``True`` without fixtures, ``False`` with them.
        rate_limit_form: Form of the response to a call beyond the rate limit, which depends on how a platform was
            packaged: ``internal`` (envelope B, 500), ``api`` (envelope A, 999999), or ``hidden`` (the hidden error
            page, or envelope A, 999999 if the request names an ``operatorAccount``). ``none`` sets no limit.
        quirks: Names of the faults of the platform that are imitated, of those in `QUIRKS`; the guide and
            ``kfq sandbox --quirks`` list them. ``None`` imitates all; ``()`` imitates none, so that the sandbox behaves
            as the documentation leads one to expect.
        faults: Faults to inject, as `Fault` or as text that `Fault.parse` reads.
        seed: Seed of the random choice that ``probability`` of a fault and the quirk ``collisions`` need; the same seed
            repeats the choice.
        clock: Returns the time in seconds since the epoch.
        app_id: Header ``appId`` of notifications.
        private_key: RSA key that signs notifications and contract events, in any form that `CanonicalRsa2Signer` takes.
            ``None`` generates a key of 2048 bits, which the state file keeps.
        retry_after: Seconds before each retry of a notification or event that was not acknowledged. By default, as the
            platform does with contract events, three attempts back to back and three more, here after 5, 15 and 60
            seconds instead of minutes and hours. An attempt whose connection the receiver drops is at once sent once
            more.
        retry_speed: Factor by which the platform's own schedule is accelerated, in place of ``retry_after``: three
            attempts back to back, then after 5 minutes, 2 hours and a day, each divided by it. The platform waits for
            the next full 5 minutes, even hour and 23:30, so that these are its longest pauses.
        callback_timeout: Seconds that one attempt to deliver a notification may take, and that the response to a
            contract event may keep silent.
        callback_hosts: Hosts that may be notified besides this machine.
        capture: Function that is given each notification and contract event as a `CapturedNotification`, whatever its
            host, in place of sending it, which then counts as acknowledged; called in the sandbox's event loop.
            ``None`` to send them.
        allowed_hosts: Hosts under which the sandbox can be reached besides the loopback ones, such as the name that a
            proxy has, without scheme and port.

    Attributes:
        token: First of the accepted tokens.
        fixtures: What the platform holds; without ``fixtures``, those by which every look-up succeeds.
        origin: ``http://host:port``.
        base_url: Base URL for `AsyncSession`: ``origin`` with the context path.
        app_id: Header ``appId`` of notifications.
        public_key: Key that verifies notifications and contract events, in bare base64.
        orders: All orders, oldest first.
        contracts: All contracts, oldest first.
        files: All uploaded files with their content, oldest first.
        notifications: All notifications of orders with their attempts, oldest first.
        events: All contract events with their attempts, oldest first.

    Raises `ValueError` or `TypeError` that names the argument and, when it starts, `OSError` if the port is taken.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        state: str | Path | None = None,
        tokens: Iterable[str] | None = None,
        fixtures: Fixtures | Mapping[str, Any] | str | Path | None = None,
        strict: bool | None = None,
        rate_limit_form: str = RATE_LIMIT_FORMS[0],
        quirks: Iterable[str] | None = None,
        faults: Iterable[Fault | str] = (),
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        app_id: str = APP_ID,
        private_key: PrivateKey | None = None,
        retry_after: Iterable[float] | None = None,
        retry_speed: float | None = None,
        callback_timeout: float = CALLBACK_TIMEOUT,
        callback_hosts: Iterable[str] = (),
        capture: Callable[[CapturedNotification], object] | None = None,
        allowed_hosts: Iterable[str] = (),
    ) -> None:
        # A name, localhost included, could resolve to another machine.
        if not is_loopback(host) or host.lower().endswith("localhost"):
            raise ValueError(
                f"host must be a loopback address such as 127.0.0.1, not {host}: the sandbox serves this machine only"
            )
        if isinstance(tokens, str):
            raise TypeError("tokens must be a list of tokens, not one str: write [token]")
        self._host = host
        self._port = port
        self._state = state
        if rate_limit_form not in RATE_LIMIT_FORMS:
            raise ValueError(f"rate_limit_form must be one of {', '.join(RATE_LIMIT_FORMS)}, not {rate_limit_form!r}")
        self._fixtures = _fixtures(tokens, fixtures)
        self._max_body = MAX_BODY if fixtures is None else MAX_BODY_WITHOUT_PROXY
        self._strict = fixtures is None if strict is None else strict
        self._rate_limit_form = rate_limit_form
        self._quirks = check_quirks(quirks)
        self._seed = seed
        self._faults = FaultPlan(_parse(faults), seed)
        self._clock = clock
        self._delivery = DeliveryPolicy(
            app_id=app_id,
            retry_after=_retry_after(retry_after, retry_speed),
            timeout=callback_timeout,
            hosts=host_names(callback_hosts, "callback_hosts"),
            capture=capture,
        )
        self._access = AccessPolicy(host_names(allowed_hosts, "allowed_hosts"))
        self._key = None if private_key is None else load_private_key(private_key)
        self._store: Store | None = None
        self._services: _Services | None = None
        self._runner: web.AppRunner | None = None
        self._listener: FaultyListener | None = None
        self._stopping = asyncio.Lock()
        self._thread: _SandboxThread | None = None

    @property
    def token(self) -> str:
        """First of the accepted tokens."""
        return self._fixtures.tokens[0]

    @property
    def fixtures(self) -> Fixtures:
        """What the platform holds; without ``fixtures``, those by which every look-up succeeds."""
        return self._fixtures

    @property
    def origin(self) -> str:
        """``http://host:port``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """Base URL for `AsyncSession`: `origin` with the context path."""
        return f"{self.origin}{CONTEXT_PATH}"

    @property
    def app_id(self) -> str:
        """Header ``appId`` of notifications."""
        return self._delivery.app_id

    @property
    def public_key(self) -> str:
        """Key that verifies notifications and contract events, in bare base64 as the platform's pages show it.

        Raises `RuntimeError` before the first start if no ``private_key`` was given.
        """
        if self._key is None:
            raise RuntimeError("the sandbox generates its key when it starts: use it inside `async with` or `with`")
        return public_text(self._key)

    @property
    def orders(self) -> tuple[Order, ...]:
        """All orders, oldest first. Raises `RuntimeError` if the sandbox is not running."""
        return tuple(self._running().orders.store.orders.all())

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All contracts, oldest first. Raises `RuntimeError` if the sandbox is not running."""
        return tuple(self._running().orders.store.contracts.all())

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """All uploaded files with their content, oldest first. Raises `RuntimeError` if the sandbox is not running."""
        return tuple(self._running().orders.store.files.all())

    @property
    def notifications(self) -> tuple[Notification, ...]:
        """All notifications of orders with their attempts, oldest first.

        Raises `RuntimeError` if the sandbox is not running.
        """
        return self._running().orders.notifications()

    @property
    def events(self) -> tuple[ContractNotification, ...]:
        """All contract events with their attempts, oldest first.

        Raises `RuntimeError` if the sandbox is not running.
        """
        return self._running().event_sender.notifications()

    def complete(self, order_no: str) -> Order:
        """Complete the identification with the page as it is filled in: ``orderStatus`` 1. Return the changed order.

        This method, `review`, `abandon` and `expire` raise `LookupError` if the order does not exist, `ValueError` if
        it is final or in that state already, and `RuntimeError` if the sandbox is not running.
        """
        return self._perform(COMPLETE, order_no)

    def review(self, order_no: str) -> Order:
        """Submit the page, and leave the identification in progress: ``orderStatus`` 2. Return the changed order."""
        return self._perform(REVIEW, order_no)

    def abandon(self, order_no: str) -> Order:
        """Abandon the identification: ``orderStatus`` 3. Return the changed order."""
        return self._perform(ABANDON, order_no)

    def expire(self, order_no: str) -> Order:
        """Expire the order: ``orderStatus`` 4. Return the changed order."""
        return self._perform(EXPIRE, order_no)

    def resend(self, notification_id: str, fault: Fault | None = None) -> None:
        """Send a notification or a contract event once more, whatever its state.

        ``fault`` is one of the kinds ``callback-...``, for a notification only.

        Raises `LookupError` if there is neither with this id, `ValueError` for another kind of fault or a fault for an
        event, and `RuntimeError` if the sandbox is not running.
        """
        if fault is not None and fault_kind(fault.kind).point is not InjectionPoint.NOTIFICATION:
            raise ValueError(f"fault {fault.kind!r} does not apply to notifications: use one of callback-...")
        services = self._running()
        event = services.event_sender.find(notification_id)
        if event is None:
            services.orders.resend(notification_id, fault)
        elif fault is None:
            services.event_sender.resend(event)
        else:
            raise ValueError("faults apply to notifications of orders only: resend a contract event without one")

    def hold(self, notification_id: str) -> None:
        """Hold a contract event back: it is not sent on schedule until `release`, not even by the next sandbox.

        This method, `release` and `lose` raise `LookupError` if there is no such event, `ValueError` if it is
        acknowledged, given up, or held or not held already, and `RuntimeError` if the sandbox is not running.
        """
        sender, event = self._event(notification_id)
        sender.hold(event)

    def release(self, notification_id: str) -> None:
        """Send a contract event that is held, and go on with its schedule."""
        sender, event = self._event(notification_id)
        sender.release(event)

    def lose(self, notification_id: str) -> None:
        """Give a contract event up: no further attempt is made on schedule."""
        sender, event = self._event(notification_id)
        sender.lose(event)

    def _event(self, notification_id: str) -> tuple[EventSender, ContractNotification]:
        sender = self._running().event_sender
        event = sender.find(notification_id)
        if event is None:
            raise LookupError(f"there is no contract event {notification_id!r}")
        return sender, event

    async def wait_for_notifications(self) -> tuple[Notification, ...]:
        """Wait until every notification and event is acknowledged or given up, and return the notifications of orders.

        Works in any loop; `events` holds the contract events.
        """
        services = self._running()
        await asyncio.wrap_future(services.orders.wait_for_notifications())
        await asyncio.wrap_future(services.event_sender.wait_for_notifications())
        return services.orders.notifications()

    def inject_faults(self, *faults: Fault | str) -> None:
        """Replace all faults, given as `Fault` or as text that `Fault.parse` reads; without any, remove them."""
        self._inject_faults(_parse(faults), self._seed)

    async def start(self) -> None:
        """Start listening; afterwards `base_url` holds the port.

        Raises `OSError` if the port is taken, `ValueError` for any file but a state file of this version, and
        `RuntimeError` if the sandbox is running.
        """
        if self._runner is not None:
            raise RuntimeError("the sandbox is already running")
        self._store = await asyncio.to_thread(Store, self._state)
        try:
            services = await self._start_services(self._store)
            self._runner = web.AppRunner(
                self._make_app(self._store, services),
                access_log=None,
                auto_decompress=False,  # only responses are compressed (protocol section 1.7)
                handle_signals=False,
                keepalive_timeout=IDLE_TIMEOUT,
                max_field_size=MAX_FIELD,
                max_headers=MAX_HEADERS,
                max_line_size=MAX_FIELD,
                logger=_logger,
                shutdown_timeout=0.5,
            )
            await self._runner.setup()
            server = self._runner.server
            assert server is not None  # noqa: S101  # set up
            self._listener = FaultyListener(server, self._faults)
            self._port = await self._listener.open(self._host, self._port)
        except BaseException:
            await self.stop()
            raise
        self._inject_faults(self._faults.remaining(), self._seed)

    async def stop(self) -> None:
        """Stop listening and close the state file. Idempotent; a call during another one waits for it.

        The next sandbox that opens the state file sends the notifications and events that are due.
        """
        async with self._stopping, AsyncExitStack() as parts:  # closes the rest even if it is cancelled
            listener, self._listener = self._listener, None
            runner, self._runner = self._runner, None
            services, self._services = self._services, None
            store, self._store = self._store, None
            if store is not None:
                parts.callback(store.close)
            if services is not None:
                parts.push_async_callback(services.event_sender.close)
                parts.push_async_callback(services.notification_sender.close)
            if runner is not None:
                parts.push_async_callback(runner.cleanup)
            if listener is not None:
                parts.push_async_callback(listener.close)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        thread = _SandboxThread(self)
        thread.open()
        self._thread = thread
        return self

    def __exit__(self, *_: object) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.close()

    def _running(self) -> _Services:
        if self._services is None:
            raise RuntimeError("the sandbox is not running: use it inside `async with` or `with`")
        return self._services

    def _perform(self, action: str, order_no: str) -> Order:
        return self._running().orders.perform(action, order_no, lambda order: order_form(order).form_data({}))

    def _inject_faults(self, faults: Iterable[Fault], seed: int) -> None:
        faults = tuple(faults)
        self._faults.replace(faults, seed)
        for fault in faults:
            if fault_kind(fault.kind).point is InjectionPoint.LISTENER and self._listener is not None:
                self._listener.refuse(fault.seconds)

    async def _start_services(self, store: Store) -> _Services:
        if self._key is None:
            self._key = await asyncio.to_thread(
                process_key if self._state is None else lambda: load_or_create_key(store)
            )
        signer = CanonicalRsa2Signer(self.app_id, self._key)
        notification_sender = NotificationSender(store, signer, self._faults, self._delivery, self._clock)
        event_sender = EventSender(store, self._key, self._delivery, self._faults, self._clock)
        orders = OrderService(store, notification_sender, self._clock)
        self._services = _Services(orders, notification_sender, event_sender, PdfSigner(self._key))
        notification_sender.open()
        event_sender.open()
        return self._services

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _make_app(self, store: Store, services: _Services) -> web.Application:
        info = ConsoleInfo(app_id=self.app_id, public_key=self.public_key, retry_after=self._delivery.retry_after)
        directory = Directory(self._fixtures, store)
        quirks = self._quirks
        files = FileService(store, quirks=quirks)
        contract_files = ContractFiles(store, files.document)
        stamper = Stamper(directory, contract_files, services.pdf_signer, self._clock, quirks=quirks)
        repository = ContractRepository(store, directory, stamper, services.event_sender.publish, quirks=quirks)
        collisions = Collisions(store, self._seed) if COLLISIONS in quirks else None
        api_services = (
            AccountService(directory),
            files,
            ContractService(repository, directory, files),
            LinkService(store, repository),
            DownloadService(repository, directory, contract_files),
        )
        identity_service = IdentityService(store, tokens=self._fixtures.tokens, strict=self._strict)
        return make_app(
            access=self._access,
            store=store,
            gateway=Gateway(directory, strict=self._strict, rate_limit_form=self._rate_limit_form, quirks=quirks),
            operations=[operation for service in api_services for operation in service.operations()],
            collisions=collisions,
            quirks=quirks,
            identity_service=identity_service if self._fixtures.identification else None,
            faults=self._faults,
            inject_faults=self._inject_faults,
            clock=self._clock,
            routes=[
                *OperatorPage(services.orders).routes(),
                *OrderControl(services.orders).routes(),
                *SigningPage(store, repository, contract_files, stamper, self._clock, collisions=collisions).routes(),
                *ContractPage(
                    store,
                    ContractAdministration(repository, contract_files, directory, self._now_ms, quirks=quirks),
                    services.event_sender,
                ).routes(),
                *Console(services.orders, services.event_sender, info).routes(),
            ],
            max_body=self._max_body,
        )


def _fixtures(tokens: Iterable[str] | None, fixtures: Fixtures | Mapping[str, Any] | str | Path | None) -> Fixtures:
    if fixtures is not None:
        if tokens is not None:
            raise ValueError("tokens must be left out with fixtures, which hold the tokens")
        return load_fixtures(fixtures)
    accepted = (SAMPLE_TOKEN,) if tokens is None else tuple(tokens)
    if not accepted or not all(accepted):
        raise ValueError("tokens must hold at least one token, and none that is empty")
    return DefaultFixtures.for_tokens(accepted)


def _retry_after(retry_after: Iterable[float] | None, speed: float | None) -> tuple[float, ...]:
    if speed is None:
        return RETRY_AFTER if retry_after is None else tuple(retry_after)
    if retry_after is not None:
        raise ValueError("retry_speed must be left out with retry_after, which holds the pauses")
    if not 0 < speed < math.inf:
        raise ValueError(f"retry_speed must be finite and more than 0, not {speed}")
    return tuple(seconds / speed for seconds in PLATFORM_RETRIES)


def _parse(faults: Iterable[Fault | str]) -> list[Fault]:
    return [Fault.parse(fault) if isinstance(fault, str) else fault for fault in faults]


class _SandboxThread:
    """Thread with an event loop that runs a sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._started: Future[None] = Future()
        self._stop: Callable[[], object] = bool
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="kfq-sandbox", daemon=True)

    def open(self) -> None:
        """Start the thread, and return when the sandbox listens; raise its error if it cannot start."""
        self._thread.start()
        try:
            self._started.result()
        except Exception:
            self._thread.join()
            raise

    def close(self) -> None:
        """Stop the sandbox, and return when the thread has ended."""
        self._stop()
        self._thread.join()

    async def _serve(self) -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stopped.set)
        try:
            await self._sandbox.start()
        except Exception as problem:  # noqa: BLE001  # raised by `open`
            self._started.set_exception(problem)
            return
        self._started.set_result(None)
        await stopped.wait()
        await self._sandbox.stop()
