"""`NotificationReceiver`: what comes to a callback URL is proved, handled once, and answered. No HTTP lives here."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, overload

import orjson
from attrs import frozen

from kfq_async.callbacks.authentication import NotificationDelivery, make_authenticator
from kfq_async.callbacks.stores import Claim, MemoryStore
from kfq_async.errors import CallbackRejected, RejectionReason
from kfq_async.models.fields import new_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import TracebackType

    from kfq_async.callbacks.authentication import AuthenticatedDelivery
    from kfq_async.callbacks.parsing import Headers
    from kfq_async.callbacks.signatures import CallbackVerifier, ContractEventVerifier
    from kfq_async.callbacks.stores import NotificationStore
    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.notifications import ContractEvent, IdentityNotification

__all__ = ["NotificationReceiver", "Reply"]

_LOG = logging.getLogger("kfq_async")
_SUCCESS = b"success"
"""What the sender wants to read, and nothing else (protocol sections 5.5 and 6.6)."""
_FAILURES = (RejectionReason.HANDLER_FAILED, RejectionReason.STORE_FAILED)


@frozen
class Reply:
    """What to answer, to be sent as it is."""

    status: int
    body: bytes

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` of the body."""
        return "text/plain; charset=utf-8" if self.body == _SUCCESS else "application/json"


class NotificationReceiver:
    """Proves, de-duplicates and answers what comes to a callback URL.

    The promise: ``success`` is answered only after the handler has returned, so a notification is handled **at least
    once** if its sender keeps coming; and **never twice**, unless a process died or a lease ran out before it was
    marked as done. That holds for as long as the store remembers. The handler gets a stable key to de-duplicate by,
    best in the transaction that does its work.

    ``handler`` is asynchronous and takes a `NotificationDelivery`. ``urls`` and ``verifier`` are the proofs: one
    must be given, and where both are, both must hold; nothing falls back from one to the other. With a
    `ContractEventVerifier` the receiver takes contract events, otherwise identity notifications.

    ``store`` is this process's memory by default; workers that share the work must share a store. The times are in
    seconds. ``lease`` is how long a notification stays claimed when its worker dies; the handler should need less.
    ``reply_timeout`` is how long `receive` waits: after it the answer is 503, the handler goes on to its end, and a
    later delivery is told ``success``. ``retention`` is how long the store knows what was done; contract events
    have no id, so that two with equal content within it are taken for one.

    ``max_body`` is in bytes. ``on_rejected`` is called with every `CallbackRejected`, and may be asynchronous; what the
    handler raised is the ``__cause__``. ``clock`` returns seconds since the epoch. Close it with `aclose`, or use it
    in ``async with``. Raises `ValueError` for unusable settings.
    """

    @overload
    def __init__(
        self,
        handler: Callable[[NotificationDelivery[IdentityNotification]], Awaitable[object]],
        *,
        urls: CallbackUrls | None = None,
        verifier: CallbackVerifier | None = None,
        store: NotificationStore | None = None,
        lease: float = 60.0,
        reply_timeout: float = 3.0,
        retention: float = 604_800.0,
        max_body: int = 65_536,
        on_rejected: Callable[[CallbackRejected], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None: ...

    @overload
    def __init__(
        self,
        handler: Callable[[NotificationDelivery[ContractEvent]], Awaitable[object]],
        *,
        urls: None = None,
        verifier: ContractEventVerifier,
        store: NotificationStore | None = None,
        lease: float = 60.0,
        reply_timeout: float = 3.0,
        retention: float = 604_800.0,
        max_body: int = 65_536,
        on_rejected: Callable[[CallbackRejected], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None: ...

    def __init__(
        self,
        handler: Callable[[NotificationDelivery[Any]], Awaitable[object]],
        *,
        urls: CallbackUrls | None = None,
        verifier: CallbackVerifier | ContractEventVerifier | None = None,
        store: NotificationStore | None = None,
        lease: float = 60.0,
        reply_timeout: float = 3.0,
        retention: float = 604_800.0,
        max_body: int = 65_536,
        on_rejected: Callable[[CallbackRejected], object] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authenticator = make_authenticator(urls, verifier)
        for name, value in {
            "lease": lease,
            "reply_timeout": reply_timeout,
            "retention": retention,
            "max_body": max_body,
        }.items():
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, not {value}")
        self._handler = handler
        self._store = MemoryStore() if store is None else store
        self._lease = lease
        self._reply_timeout = reply_timeout
        self._retention = retention
        self._max_body = max_body
        self._on_rejected = on_rejected
        self._clock = clock
        self._closing = False
        self._tasks: set[asyncio.Task[CallbackRejected | None]] = set()
        self._running: set[str] = set()
        self._unmarked: set[str] = set()
        """Handled here, while the store could not be told."""

    @property
    def max_body(self) -> int:
        """The largest body in bytes, for what reads it."""
        return self._max_body

    async def __aenter__(self) -> Self:
        self._closing = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Accept nothing more until it is entered again, and wait for the handlers at work.

        A second time does no harm.
        """
        self._closing = True
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def receive(self, body: bytes, headers: Headers, path: str | bytes) -> Reply:
        """Prove and handle one request, and return what to answer.

        ``body`` is the request's raw bytes, ``headers`` a mapping or pairs in any case, ``path`` the undecoded path
        without query. Cancelling it, as a server does when the sender hangs up, leaves the handler at work.
        """
        try:
            delivery = self._authenticated(body, headers, path)
        except CallbackRejected as problem:
            refusal = problem
        else:
            return await self._answer(delivery)
        return await self._refused(refusal)

    async def refuse(self, reason: RejectionReason, detail: str = "") -> Reply:
        """Report what could not even be read, as a body without end, and return what to answer."""
        return await self._refused(CallbackRejected(reason, detail))

    async def _refused(self, refusal: CallbackRejected) -> Reply:
        await self._report(refusal)
        return self._refuse(refusal)

    def _authenticated(self, body: bytes, headers: Headers, path: str | bytes) -> AuthenticatedDelivery:
        if self._closing:
            raise CallbackRejected(RejectionReason.CLOSING)
        if len(body) > self._max_body:
            raise CallbackRejected(RejectionReason.BODY_TOO_LARGE, f"{len(body)} bytes")
        return self._authenticator.authenticate(body, headers, path)

    async def _answer(self, delivery: AuthenticatedDelivery) -> Reply:
        """Let a task of its own do the work, so that neither patience nor a cancelled request can cut it short."""
        task = asyncio.create_task(self._handle(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=self._reply_timeout)
        if task.done() and not task.cancelled():
            refusal = task.result()
        else:
            refusal = CallbackRejected(RejectionReason.UNFINISHED)
            await self._report(refusal)
        return Reply(200, _SUCCESS) if refusal is None else self._refuse(refusal)

    async def _handle(self, delivery: AuthenticatedDelivery) -> CallbackRejected | None:
        """Return, and report, why it could not be handled, or ``None``."""
        try:
            await self._once(delivery)
        except CallbackRejected as problem:
            await self._report(problem)
            return problem
        return None

    async def _once(self, delivery: AuthenticatedDelivery) -> None:
        """Handle it unless it is done; two at a time never, even if the lease runs out under a handler at work."""
        if delivery.name in self._running:
            raise CallbackRejected(RejectionReason.BUSY)
        self._running.add(delivery.name)
        try:
            await self._check_nonce(delivery)
            if delivery.name in self._unmarked or await self._claimed_and_run(delivery):
                await self._mark(delivery.name)
        finally:
            self._running.discard(delivery.name)

    async def _check_nonce(self, delivery: AuthenticatedDelivery) -> None:
        if delivery.nonce is None:
            return
        with _asking_the_store():
            retention = self._authenticator.validity or self._retention
            first = await self._store.register_nonce(delivery.nonce, delivery.content, retention=retention)
        if not first:
            raise CallbackRejected(RejectionReason.REPLAYED)

    async def _claimed_and_run(self, delivery: AuthenticatedDelivery) -> bool:
        """Return whether the handler has run; when anything goes wrong, the claim is given back."""
        owner = new_id()
        try:
            with _asking_the_store():
                claim = await self._store.claim(delivery.name, owner, lease=self._lease)
            if claim is Claim.HELD:
                raise CallbackRejected(RejectionReason.BUSY)
            if claim is Claim.GRANTED:
                await self._run(delivery.received)
        except BaseException:
            await self._release(delivery.name, owner)
            raise
        return claim is Claim.GRANTED

    async def _run(self, received: NotificationDelivery[Any]) -> None:
        try:
            await self._handler(received)
        except asyncio.CancelledError as problem:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            error: BaseException = problem  # something that the handler awaited was cancelled, not the handler
        except Exception as problem:  # noqa: BLE001  # whatever it is, the notification must come again
            error = problem
        else:
            return
        raise CallbackRejected(RejectionReason.HANDLER_FAILED, type(error).__name__) from error

    async def _mark(self, name: str) -> None:
        self._unmarked.add(name)
        with _asking_the_store():
            await self._store.done(name, retention=self._retention)
        self._unmarked.discard(name)

    async def _release(self, name: str, owner: str) -> None:
        try:
            await self._store.release(name, owner)
        except Exception as problem:  # noqa: BLE001  # the lease will run out by itself
            _LOG.warning("a claim could not be given back: %s", type(problem).__name__)

    async def _report(self, refusal: CallbackRejected) -> None:
        level = logging.ERROR if refusal.reason in _FAILURES else logging.INFO
        _LOG.log(level, "notification rejected: %s%s", refusal, _place(refusal.__cause__))
        if self._on_rejected is None:
            return
        try:
            answer = self._on_rejected(refusal)
            if inspect.isawaitable(answer):
                await answer
        except Exception as problem:  # noqa: BLE001  # a hook that watches must not change the answer
            _LOG.error("the hook for rejected notifications failed: %s%s", type(problem).__name__, _place(problem))

    def _refuse(self, refusal: CallbackRejected) -> Reply:
        """Answer in the platform's envelope; the words name the reason and nothing of this service."""
        envelope = {
            "code": refusal.code,
            "message": refusal.reason.value,
            "result": None,
            "timestamp": round(self._clock() * 1000),
        }
        return Reply(refusal.http_status, orjson.dumps(envelope))


@contextmanager
def _asking_the_store() -> Iterator[None]:
    """Turn whatever a store raises into a refusal: without it nothing can be promised."""
    try:
        yield
    except Exception as problem:
        raise CallbackRejected(RejectionReason.STORE_FAILED, type(problem).__name__) from problem


def _place(error: BaseException | None) -> str:
    """Return where an error was raised, for a log; what it says may hold people's data."""
    traceback = None if error is None else error.__traceback__
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f" at {traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
