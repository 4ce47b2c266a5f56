"""`NotificationReceiver`: authenticates, deduplicates and acknowledges notifications. Contains no HTTP."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self, overload

import attrs
import orjson
from attrs import define, frozen

from kfq_async.callbacks.authentication import NotificationDelivery, make_authenticator
from kfq_async.callbacks.handlers import require_coroutine_function
from kfq_async.callbacks.stores import Claim, MemoryStore
from kfq_async.errors import CallbackRejected, RejectionReason
from kfq_async.hooks import Hooks, NotificationEvent, NotificationOutcome, call_hooks, check_hooks
from kfq_async.models.fields import MAX_KEY, new_id
from kfq_async.models.functions import check_clock
from kfq_async.models.masking import type_name
from kfq_async.models.notifications import ContractEvent
from kfq_async.redaction import MASK, printable, visible_id, visible_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from types import TracebackType

    from kfq_async.callbacks.authentication import AuthenticatedDelivery
    from kfq_async.callbacks.parsing import Headers
    from kfq_async.callbacks.signatures import CallbackVerifier, ContractEventVerifier
    from kfq_async.callbacks.stores import NotificationStore
    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.notifications import IdentityNotification

__all__ = ["NotificationReceiver", "Reply"]

_LOG = logging.getLogger("kfq_async")
_SUCCESS = b"success"
"""The acknowledgement: this text and nothing else (protocol sections 5.5 and 6.6)."""
_SERVICE_FAULTS = (RejectionReason.HANDLER_FAILED, RejectionReason.STORE_FAILED)
"""Reasons that are logged as errors."""
_CLOSED = {
    RejectionReason.HANDLER_FAILED: (
        "cancelled, since the receiver was closed, and close_within (within= of aclose) expired; the notification was "
        "released; interrupted"
    ),
    RejectionReason.STORE_FAILED: (
        "cancelled, since the receiver was closed, and close_within (within= of aclose) expired; interrupted"
    ),
}
"""Details of what was cancelled by `NotificationReceiver.aclose`."""
_RETRY_LATER = 503
"""HTTP status that asks the sender to retry."""
_LOGGED_IDS = ("client_request_id", "order_no", "contract_id", "status")
_STORE_METHODS = ("claim", "mark_done", "release", "register_nonce")
_FOREVER = 1e9
"""Seconds, 31 years, from which on a wait has no limit; timers cannot take every number."""
_CANCELLATION_GRACE = 1.0
"""Seconds for which `NotificationReceiver.aclose` waits for handlers that it cancelled."""


@frozen
class Reply:
    """HTTP response to a notification, to be sent unchanged.

    Attributes:
        status: HTTP status: 200 acknowledged, 400 malformed, 401 not authentic, 503 retry later.
        body: ``b"success"``, or the platform's JSON envelope with a code and, as ``message``, the reason.
        content_type: Value of the ``Content-Type`` header.
        media_type: The media type in it; with ``charset`` what `aiohttp.web.Response` takes, and alone what Starlette
            takes.
        charset: The charset in it, or ``None``.
        headers: The header as a dictionary, which every framework takes.
    """

    status: int
    """HTTP status: 200 acknowledged, 400 malformed, 401 not authentic, 503 retry later."""
    body: bytes
    """``b"success"``, or the platform's JSON envelope with a code and, as ``message``, the reason."""

    @property
    def content_type(self) -> str:
        """Value of the ``Content-Type`` header."""
        return self.media_type if self.charset is None else f"{self.media_type}; charset={self.charset}"

    @property
    def media_type(self) -> str:
        """The media type in ``content_type``."""
        return "text/plain" if self.body == _SUCCESS else "application/json"

    @property
    def charset(self) -> str | None:
        """The charset in ``content_type``, or ``None``."""
        return "utf-8" if self.body == _SUCCESS else None

    @property
    def headers(self) -> dict[str, str]:
        """``Content-Type`` as a dictionary of headers."""
        return {"Content-Type": self.content_type}


@define(eq=False)
class _Request:
    """What is known of a request.

    Attributes:
        started: Time at which `NotificationReceiver.receive` was called, by the performance counter; ``None`` before.
        client_request_id: Id carried by the URL.
        delivery: Its notification, once it is authenticated.
    """

    started: float | None = None
    client_request_id: str | None = None
    delivery: AuthenticatedDelivery | None = None


class NotificationReceiver:
    """Authenticates, deduplicates and acknowledges notifications.

    ``success`` is returned only after the handler has returned. A notification is therefore handled **at least once**
    if its sender retries, and **never twice** unless a process died or a lease expired before the notification was
    marked as done. The guarantee lasts as long as the store remembers. The handler gets a stable key to deduplicate
    by (`NotificationDelivery.key`), best in the transaction that does its work. If it raises, the reply is 503, and the
    next delivery runs it again.

    At least one of ``urls`` and ``verifier`` is required; if both are given, both checks must pass: neither is a
    fallback for the other. Close the receiver with `aclose`, or use it in ``async with``.

    Args:
        handler: Coroutine function (``async def``) that takes a `NotificationDelivery`, of a `ContractEvent` if
            ``verifier`` is a `ContractEventVerifier`, otherwise of an `IdentityNotification`. Methods, partials and
            objects with ``async def __call__`` are accepted; a decorator that returns a plain function must use
            `functools.wraps`.
        urls: Authenticates requests by their URL and adds ``client_request_id`` to deliveries; ``None`` to rely on
            the signature alone. Not for contract events.
        verifier: Authenticates requests by their signature; ``None`` to rely on the URL alone.
        store: State of claims and nonces; ``None`` for a `MemoryStore`. Several workers must share a
            store, such as ``RedisStore``.
        lease: Seconds for which a notification stays claimed if its worker dies; should exceed the handler's duration.
        reply_timeout: Seconds for which `receive` waits for the handler. On expiry it returns 503, the handler runs
            to completion, and a later delivery is acknowledged.
        retention: Seconds for which a handled notification is remembered (default: 7 days). Contract events have no
            id, so two with equal content within this time count as one.
        max_body: Maximum size of a body in bytes; ``None`` for 16 KiB for identity notifications, and 64 KiB for
            contract events.
        body_timeout: Seconds within which a body must arrive; the integrations apply it.
        on_rejected: Called with every `CallbackRejected`; may be asynchronous, and is then cancelled after
            ``reply_timeout``. The handler's exception is its ``__cause__``. ``None`` to log only.
        hooks: Observers, instances of `Hooks`: the outcome of each notification is reported to them.
        clock: Returns the time in seconds since the epoch, for the timestamps of replies; ``None`` for ``time.time``.

    Raises:
        TypeError: ``handler`` is not a coroutine function, or another argument has the wrong type.
        ValueError: A setting is invalid, or the settings would authenticate nothing.

    Attributes:
        max_body: Maximum size of a body in bytes.
        body_timeout: Seconds within which a body must arrive.
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
        max_body: int | None = None,
        body_timeout: float = 10.0,
        on_rejected: Callable[[CallbackRejected], object] | None = None,
        hooks: Sequence[Hooks] = (),
        clock: Callable[[], float] | None = None,
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
        max_body: int | None = None,
        body_timeout: float = 10.0,
        on_rejected: Callable[[CallbackRejected], object] | None = None,
        hooks: Sequence[Hooks] = (),
        clock: Callable[[], float] | None = None,
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
        max_body: int | None = None,
        body_timeout: float = 10.0,
        on_rejected: Callable[[CallbackRejected], object] | None = None,
        hooks: Sequence[Hooks] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        require_coroutine_function("handler", handler)
        self._authenticator = make_authenticator(urls, verifier)
        max_body = self._authenticator.max_body if max_body is None else max_body
        for name, value in {
            "lease": lease,
            "reply_timeout": reply_timeout,
            "retention": retention,
            "max_body": max_body,
            "body_timeout": body_timeout,
        }.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(f"{name} must be a number, not {type_name(value)}")
            if not value > 0:
                raise ValueError(f"{name} must be more than 0, not {value}")
        if store is not None:
            _check_store(store)
        if on_rejected is not None and not callable(on_rejected):
            raise TypeError(
                f"on_rejected must be a function of a CallbackRejected, or None, not {type_name(on_rejected)}"
            )
        if clock is not None:
            check_clock(clock)
        self._handler = handler
        self._store = MemoryStore() if store is None else store
        self._lease = lease
        self._reply_timeout = reply_timeout
        self._retention = retention
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._on_rejected = on_rejected
        self._hooks = check_hooks(hooks)
        self._clock = clock
        self._closing = False
        self._tasks: dict[asyncio.Task[CallbackRejected | None], _Request] = {}
        self._cancelled: set[asyncio.Task[Any]] = set()
        """Tasks whose handler was cancelled: another cancellation would interrupt what it does about that."""
        self._releasing: set[asyncio.Task[Any] | None] = set()
        """Tasks that release their claim."""
        self._in_progress: set[str] = set()
        self._unmarked: set[str] = set()
        """Store keys that were handled here but could not be marked as done."""
        self._not_awaited: set[str] = set()
        """Store keys for which the handler returned no awaitable."""

    @property
    def max_body(self) -> int:
        """Maximum size of a body in bytes."""
        return self._max_body

    @property
    def body_timeout(self) -> float:
        """Seconds within which a body must arrive."""
        return self._body_timeout

    async def __aenter__(self) -> Self:
        self._closing = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self, *, within: float | None = None) -> None:
        """Reject further notifications until the receiver is entered again, and wait for running handlers.

        A handler that has not returned in time is cancelled, reported as `RejectionReason.HANDLER_FAILED`, and its
        notification is released, so that another worker can handle it at once. One that ignores cancellation is left
        running after another second; its notification is released when the lease expires. A handler is cancelled
        once, however often this is called.

        Args:
            within: Seconds to wait before cancelling; ``None`` for the receiver's ``lease``, ``math.inf`` for no limit.
        """
        within = self._lease if within is None else within
        if not within >= 0:
            raise ValueError(f"within must be at least 0 seconds, or None, not {within}")
        self._closing = True
        running = await _wait(set(self._tasks), within)
        for task in running - self._cancelled - self._releasing:
            self._cancelled.add(task)
            task.cancel()
        hanging = await _wait(running, _CANCELLATION_GRACE)
        releasing = hanging & self._releasing
        for task in releasing:
            task.cancel()
        await _wait(releasing, _CANCELLATION_GRACE)
        for request in [request for task, request in self._tasks.items() if task in hanging - releasing]:
            detail = "it ignores its cancellation; the notification is released when the lease expires"
            rejection = CallbackRejected(RejectionReason.HANDLER_FAILED, detail)
            await self._report(rejection, request, NotificationOutcome.IN_DOUBT, replied=False)

    async def precheck(self, headers: Headers, path: str | bytes) -> Reply | None:
        """Check what can be checked before the body is read: path, signature headers, application and freshness.

        Returns the reply to send if the request is rejected, which is reported as by `receive`, or ``None`` if its
        body should be read. `receive` repeats these checks.

        Args:
            headers: Mapping or pairs, names in any case; not an iterator, since `receive` reads them again.
            path: Undecoded path, without query.
        """
        try:
            self._reject_if_closing()
            self._authenticator.precheck(headers, path)
        except CallbackRejected as error:
            rejection = error
        else:
            return None
        return await self._report_and_reply(rejection, _Request(), path)

    async def receive(self, body: bytes, headers: Headers, path: str | bytes) -> Reply:
        """Authenticate and handle one request, and return the reply to send.

        Cancellation, such as by a server whose client disconnects, does not interrupt the handler.

        Args:
            body: Raw bytes of the request's body.
            headers: Mapping or pairs, names in any case.
            path: Undecoded path, without query.
        """
        request = _Request(time.perf_counter())
        try:
            self._authenticate(body, headers, path, request)
        except CallbackRejected as error:
            rejection = error
        else:
            return await self._handle_within_timeout(request)
        return await self._report_and_reply(rejection, request, path)

    async def reject(self, reason: RejectionReason, detail: str = "", *, path: str | bytes | None = None) -> Reply:
        """Report a request that could not be read, such as one with too large a body, and return the reply to send.

        Args:
            reason: Reason of the rejection.
            detail: More about it, for the log.
            path: Undecoded path, without query. The report has the ``client_request_id`` of a bound URL.
        """
        return await self._report_and_reply(CallbackRejected(reason, detail), _Request(), path)

    async def _report_and_reply(
        self, rejection: CallbackRejected, request: _Request, path: str | bytes | None
    ) -> Reply:
        if request.client_request_id is None and path is not None:
            request.client_request_id = self._authenticator.request_id_of(path)
        await self._report(rejection, request, NotificationOutcome.REFUSED)
        return self._rejection_reply(rejection)

    def _reject_if_closing(self) -> None:
        if self._closing:
            raise CallbackRejected(RejectionReason.CLOSING)

    def _authenticate(self, body: bytes, headers: Headers, path: str | bytes, request: _Request) -> None:
        """Add the delivery, and the id that the URL carries, to what is known of a request."""
        self._reject_if_closing()
        if len(body) > self._max_body:
            raise CallbackRejected(RejectionReason.BODY_TOO_LARGE, f"{len(body)} bytes")
        head = self._authenticator.precheck(headers, path)
        request.client_request_id = head.client_request_id
        request.delivery = self._authenticator.authenticate(body, head)

    async def _handle_within_timeout(self, request: _Request) -> Reply:
        """Handle a delivery in a separate task, which neither the reply timeout nor cancellation interrupts."""
        task = asyncio.create_task(self._handle_and_report(request))
        self._tasks[task] = request
        task.add_done_callback(self._forget)
        await asyncio.wait({task}, timeout=self._reply_timeout)
        if task.done() and not task.cancelled():
            rejection = task.result()
        elif task.done():
            detail = "its task was cancelled before it began"
            rejection = CallbackRejected(RejectionReason.HANDLER_FAILED, detail)
            await self._report(rejection, request, NotificationOutcome.FAILED)
        else:
            detail = f"after reply_timeout={self._reply_timeout:g} s; it continues"
            rejection = CallbackRejected(RejectionReason.UNFINISHED, detail)
            await self._report(rejection, request, NotificationOutcome.IN_DOUBT)
        return _ACKNOWLEDGED if rejection is None else self._rejection_reply(rejection)

    def _forget(self, task: asyncio.Task[CallbackRejected | None]) -> None:
        del self._tasks[task]
        self._cancelled.discard(task)
        self._releasing.discard(task)

    async def _handle_and_report(self, request: _Request) -> CallbackRejected | None:
        """Handle a delivery and report its outcome; return the rejection, or ``None`` if it is acknowledged."""
        delivery = request.delivery
        assert delivery is not None  # noqa: S101  # it is authenticated
        try:
            outcome = await self._handle_once(delivery)
        except CallbackRejected as error:
            rejection = self._explain(error)
            await self._report(rejection, request, self._outcome_of(rejection, delivery.store_key))
            return rejection
        self._report_acknowledged(request, outcome)
        return None

    def _explain(self, rejection: CallbackRejected) -> CallbackRejected:
        """Return a rejection that tells the close of the receiver from a fault of handler or store."""
        cause = rejection.__cause__
        if not isinstance(cause, asyncio.CancelledError) or asyncio.current_task() not in self._cancelled:
            return rejection
        explained = CallbackRejected(rejection.reason, _CLOSED[rejection.reason])
        explained.__cause__ = cause
        return explained

    def _outcome_of(self, rejection: CallbackRejected, store_key: str) -> NotificationOutcome:
        if rejection.reason not in _SERVICE_FAULTS:
            return NotificationOutcome.REFUSED
        has_run = store_key in self._unmarked or store_key in self._not_awaited
        return NotificationOutcome.IN_DOUBT if has_run else NotificationOutcome.FAILED

    async def _handle_once(self, delivery: AuthenticatedDelivery) -> NotificationOutcome:
        """Handle a delivery unless it is done; never concurrently here, even if the lease of a running one expires."""
        if delivery.store_key in self._in_progress:
            raise CallbackRejected(RejectionReason.BUSY)
        self._in_progress.add(delivery.store_key)
        try:
            await self._check_nonce(delivery)
            handled = delivery.store_key not in self._unmarked and await self._claim_and_handle(delivery)
            if handled or delivery.store_key in self._unmarked:
                await self._mark_done(delivery.store_key)
            return NotificationOutcome.HANDLED if handled else NotificationOutcome.REPEATED
        finally:
            self._in_progress.discard(delivery.store_key)

    async def _check_nonce(self, delivery: AuthenticatedDelivery) -> None:
        if delivery.nonce is None:
            return
        with _rejecting(RejectionReason.STORE_FAILED):
            retention = self._authenticator.nonce_retention or self._retention
            registered = await self._store.register_nonce(delivery.nonce, delivery.content_digest, retention=retention)
        if not registered:
            raise CallbackRejected(RejectionReason.REPLAYED)

    async def _claim_and_handle(self, delivery: AuthenticatedDelivery) -> bool:
        """Return whether the handler has run; on any exception, release the claim."""
        owner = new_id()
        try:
            with _rejecting(RejectionReason.STORE_FAILED):
                claim = await self._store.claim(delivery.store_key, owner, lease=self._lease)
            if claim is Claim.HELD:
                raise CallbackRejected(RejectionReason.BUSY)
            if claim is Claim.GRANTED:
                await self._call_handler(delivery)
        except BaseException:
            await self._release(delivery.store_key, owner)
            raise
        return claim is Claim.GRANTED

    async def _call_handler(self, delivery: AuthenticatedDelivery) -> None:
        if delivery.store_key not in self._not_awaited:
            with _rejecting(RejectionReason.HANDLER_FAILED):
                result = self._handler(delivery.delivery)
                if inspect.isawaitable(result):
                    await result
                    return
            self._not_awaited.add(delivery.store_key)
        # It has run, and whether it succeeded cannot be told: each further run would repeat its work.
        detail = "it returned no awaitable and is not called again for this notification; write it as `async def`"
        raise CallbackRejected(RejectionReason.HANDLER_FAILED, detail)

    async def _mark_done(self, store_key: str) -> None:
        self._unmarked.add(store_key)
        with _rejecting(RejectionReason.STORE_FAILED):
            await self._store.mark_done(store_key, retention=self._retention)
        self._unmarked.discard(store_key)

    async def _release(self, store_key: str, owner: str) -> None:
        self._releasing.add(asyncio.current_task())
        try:
            with _rejecting(RejectionReason.STORE_FAILED):
                await self._store.release(store_key, owner)
        except CallbackRejected as rejection:
            problem = type(rejection.__cause__).__name__
            _LOG.warning("could not release a claim, which now lasts until its lease expires: %s", problem)

    def _report_acknowledged(self, request: _Request, outcome: NotificationOutcome) -> None:
        """Report a notification that is done to the hooks, and to the log at level DEBUG."""
        if self._hooks or _LOG.isEnabledFor(logging.DEBUG):
            event = self._event(request, outcome, None)
            _LOG.debug(
                "notification %s in %.3f s%s", outcome, event.seconds, _describe(event), extra=attrs.asdict(event)
            )
            call_hooks(self._hooks, "on_notification", event)

    def _event(
        self, request: _Request, outcome: NotificationOutcome, rejection: CallbackRejected | None
    ) -> NotificationEvent:
        delivery = None if request.delivery is None else request.delivery.delivery
        cause = None if rejection is None else rejection.__cause__
        ids: dict[str, str | None] = {}
        if delivery is not None:
            notification = delivery.notification
            if isinstance(notification, ContractEvent):
                ids["contract_id"] = visible_id(notification.contract_id)
                ids["status"] = visible_status(str(notification.callback_type))
                ids["key"] = delivery.key  # a digest
            else:
                status = notification.order_status
                ids["order_no"] = visible_id(notification.order_no)
                ids["status"] = visible_status(None if status is None else str(int(status)))
                ids["key"] = MASK if MASK in ids.values() else delivery.key
        return NotificationEvent(
            kind=self._authenticator.kind,
            outcome=outcome,
            reason=None if rejection is None else rejection.reason,
            error=None if cause is None else type(cause).__name__,
            http_status=_ACKNOWLEDGED.status if rejection is None else rejection.http_status,
            client_request_id=request.client_request_id,
            seconds=0.0 if request.started is None else time.perf_counter() - request.started,
            **ids,
        )

    async def _report(
        self, rejection: CallbackRejected, request: _Request, outcome: NotificationOutcome, *, replied: bool = True
    ) -> None:
        """Report a notification that is not acknowledged to log, hooks and ``on_rejected``.

        ``replied`` tells whether the rejection is the reply.
        """
        rejection.with_traceback(None)  # its frames hold the body, and would be kept by it
        event = self._event(request, outcome, rejection)
        level = logging.ERROR if rejection.reason in _SERVICE_FAULTS else logging.INFO
        text = f"{rejection}{_raised_at(rejection.__cause__)}"
        if replied and rejection.http_status == _RETRY_LATER:
            text += "; the sender was asked to retry"
        _LOG.log(level, "notification rejected: %s%s", text, _describe(event), extra=attrs.asdict(event))
        call_hooks(self._hooks, "on_notification", event)
        if self._on_rejected is None:
            return
        try:
            async with asyncio.timeout(self._reply_timeout):
                result = self._on_rejected(rejection)
                if inspect.isawaitable(result):
                    await result
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # a failing hook must not change the reply
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            _LOG.error("on_rejected raised %s%s", type(error).__name__, _raised_at(error))

    def _rejection_reply(self, rejection: CallbackRejected) -> Reply:
        """Return the platform's envelope; its message is the reason and discloses nothing about this service."""
        clock = self._clock or time.time  # looked up now, so that tools which freeze the time can replace it
        envelope = {
            "code": rejection.code,
            "message": rejection.reason.value,
            "result": None,
            "timestamp": round(clock() * 1000),
        }
        return Reply(rejection.http_status, orjson.dumps(envelope))


_ACKNOWLEDGED = Reply(200, _SUCCESS)


def _describe(event: NotificationEvent) -> str:
    """Return the ids of a notification for the end of a line of the log."""
    ids = [(name, getattr(event, name)) for name in _LOGGED_IDS]
    described = " ".join(f"{name}={printable(value, MAX_KEY)}" for name, value in ids if value is not None)
    return f"; {described}" if described else ""


def _check_store(store: object) -> None:
    """Raise `TypeError` unless ``store`` has the methods of a `NotificationStore`."""
    if isinstance(store, type):
        raise TypeError(f"store must be an instance, such as MemoryStore(), not the class {store.__name__}")
    missing = [name for name in _STORE_METHODS if not callable(getattr(store, name, None))]
    if missing:
        raise TypeError(
            f"store must be a NotificationStore, such as MemoryStore(): a {type_name(store)} lacks {', '.join(missing)}"
        )


async def _wait(tasks: set[asyncio.Task[CallbackRejected | None]], seconds: float) -> set[asyncio.Task[Any]]:
    """Wait for tasks, and return those that have not ended in time."""
    if not tasks:
        return set()
    return (await asyncio.wait(tasks, timeout=None if seconds > _FOREVER else seconds))[1]


@contextmanager
def _rejecting(reason: RejectionReason) -> Iterator[None]:
    """Convert any exception of a handler or a store to a rejection, since the sender must then retry.

    Runs in the task of one delivery, which ends with the rejection even if it was cancelled.
    """
    try:
        yield
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None:
            task.uncancel()
        raise CallbackRejected(reason, type(error).__name__) from error


def _raised_at(error: BaseException | None) -> str:
    """Return the place where an exception was raised, for the log; its message may hold personal data."""
    traceback = None if error is None else error.__traceback__
    if traceback is None:
        return ""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f" at {traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
