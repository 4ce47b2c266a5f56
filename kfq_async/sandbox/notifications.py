"""Delivery of the sandbox's notifications, with retries until they are acknowledged.

Assumed, because no source says how the hosted platform sends notifications of an identification: that it does as it
does with contract events, where it is known which responses acknowledge and how often an event is sent (protocol
sections 6.6 and 6.7); the timeout; and a fresh nonce and timestamp for each attempt.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, ParamSpec

import aiohttp
import orjson
from attrs import evolve, field, frozen

from kfq_async.models.notifications import IdentityStatus
from kfq_async.protocol.signing import SigningInput
from kfq_async.sandbox.callback_client import SENDS, CallbackClient, DeliveryResult, attempt_of
from kfq_async.sandbox.faults import InjectionPoint
from kfq_async.sandbox.orders import notification_body, request_of
from kfq_async.sandbox.store import Notification

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from yarl import URL

    from kfq_async.protocol.signing import Signer
    from kfq_async.sandbox.callback_client import DeliveryPolicy
    from kfq_async.sandbox.faults import Fault, FaultPlan
    from kfq_async.sandbox.store import Order, Store

__all__ = ["NotificationSender", "SignedNotification", "corrupt", "sign_notification"]

P = ParamSpec("P")
CONCURRENCY = 100
"""Maximum number of concurrent attempts."""
DUPLICATE, DELAY, REORDER, CORRUPT = "callback-duplicate", "callback-delay", "callback-reorder", "callback-corrupt"


@frozen
class SignedNotification:
    """Body and headers of one attempt."""

    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def sign_notification(
    text: str, url: URL, app_id: str, signer: Signer, *, nonce: str, timestamp: str
) -> SignedNotification:
    """Sign a notification for one attempt."""
    body = text.encode()
    signing_input = SigningInput(body=body, query={}, nonce=nonce, timestamp=timestamp, uri=url.raw_path)
    headers = {"appId": app_id, "nonce": nonce, "timestamp": timestamp, "sign": signer.sign(signing_input)}
    return SignedNotification(body, headers)


def corrupt(signed: SignedNotification) -> SignedNotification:
    """Return the notification with another ``orderStatus`` under the same signature."""
    fields = orjson.loads(signed.body)
    identified = fields["orderStatus"] == IdentityStatus.IDENTIFIED
    fields["orderStatus"] = IdentityStatus.WITHDRAWN if identified else IdentityStatus.IDENTIFIED
    return SignedNotification(orjson.dumps(fields), signed.headers)


class NotificationSender:
    """Sends notifications while open; `open` resumes those that an earlier sender left unacknowledged."""

    def __init__(
        self, store: Store, signer: Signer, faults: FaultPlan, policy: DeliveryPolicy, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._signer = signer
        self._faults = faults
        self._policy = policy
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._semaphore = asyncio.Semaphore(CONCURRENCY)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped: dict[str, asyncio.Event] = {}
        """By notification id: set once no further attempt is to be made on schedule."""
        self._held_back: dict[asyncio.Event, str] = {}
        """Notification ids of the attempts that wait for another notification to be sent first."""
        self._client = CallbackClient(
            aiohttp.ClientTimeout(total=policy.timeout, ceil_threshold=math.inf),
            {"Content-Type": "application/json", "Accept-Encoding": "identity"},
            policy.capture,
        )

    def open(self) -> None:
        """Resume the notifications that are due."""
        for notification in self._store.notifications.all("due_at IS NOT NULL"):
            self._start(self._deliver_on_schedule, notification)

    async def close(self) -> None:
        """Cancel all attempts, and send nothing more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    def notify(self, order: Order) -> None:
        """Send the order's state to ``authCallbackUrl``, if there is one. Thread-safe."""
        url = request_of(order).get("authCallbackUrl")
        if not url or order.status is None:
            return
        now = self._clock()
        notification = Notification(
            notification_id=secrets.token_hex(6),
            order_no=order.order_no,
            order_status=order.status,
            url=url,
            body=notification_body(order),
            created_at=now,
            due_at=now,
        )
        self._store.notifications.add(notification)
        self._loop.call_soon_threadsafe(self._start, self._deliver_on_schedule, notification)

    def resend(self, notifications: tuple[Notification, ...], fault: Fault | None) -> Future[None]:
        """Send notifications once more, one after the other, whatever their state. Thread-safe.

        Returns a future that is done when they have been sent.
        """
        done: Future[None] = Future()
        self._loop.call_soon_threadsafe(self._start, self._resend, notifications, fault, done)
        return done

    def wait_for_notifications(self) -> Future[None]:
        """Return a future that is done when every notification is acknowledged or given up. Thread-safe."""
        return asyncio.run_coroutine_threadsafe(self._wait(), self._loop)

    def _start(self, work: Callable[P, Coroutine[None, None, None]], *arguments: P.args, **named: P.kwargs) -> None:
        if not self._client.closed:
            task = self._loop.create_task(work(*arguments, **named))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _wait(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _resend(self, notifications: tuple[Notification, ...], fault: Fault | None, done: Future[None]) -> None:
        for notification in notifications:
            await self._deliver(notification, fault)
        done.set_result(None)

    async def _deliver_on_schedule(self, notification: Notification) -> None:
        """Send a notification until it is acknowledged or the schedule ends."""
        stopped = self._stopped[notification.notification_id] = asyncio.Event()
        while notification.due_at is not None:
            await _wait_for(stopped, notification.due_at - self._clock())
            notification = self._reload(notification)
            if notification.due_at is not None:
                await self._deliver(notification, self._faults.draw(InjectionPoint.NOTIFICATION))
                notification = self._schedule_next(self._reload(notification))
        del self._stopped[notification.notification_id]

    def _reload(self, notification: Notification) -> Notification:
        """Return the stored notification: a copy sent on demand may have been acknowledged meanwhile."""
        (stored,) = self._store.notifications.all("notification_id = ?", notification.notification_id)
        return stored

    def _schedule_next(self, notification: Notification) -> Notification:
        """Count an attempt, and set the time of the next one."""
        delays, made = self._policy.retry_after, notification.scheduled_attempts
        retry = notification.due_at is not None and made < len(delays)
        due_at = self._clock() + delays[made] if retry else None
        after = evolve(notification, scheduled_attempts=made + 1, due_at=due_at)
        self._store.notifications.compare_and_swap(notification, after)
        return after

    def _stop_schedule(self, notification: Notification) -> None:
        """Make no further attempt on schedule."""
        stored = self._reload(notification)
        self._store.notifications.compare_and_swap(stored, evolve(stored, due_at=None))
        if notification.notification_id in self._stopped:
            self._stopped[notification.notification_id].set()

    async def _deliver(self, notification: Notification, fault: Fault | None) -> None:
        """Send a notification once, or twice if the fault says so."""
        url = self._policy.target(notification.url)
        kind, seconds = (fault.kind, fault.seconds) if fault else ("", 0.0)
        if isinstance(url, str):
            self._record(notification, kind, DeliveryResult(error=url), sent_at=self._clock())
            self._stop_schedule(notification)
        elif kind == DUPLICATE:
            signed = self._sign(notification, url)
            await asyncio.gather(
                self._attempt(notification, url, kind, signed),
                self._attempt(notification, url, kind, signed, delay=seconds),
            )
        elif kind == DELAY:
            await self._attempt(notification, url, kind, self._sign(notification, url), delay=seconds)
        elif kind == REORDER:
            signed = self._sign(notification, url)
            await self._wait_until_overtaken(notification, seconds)
            await self._attempt(notification, url, kind, signed)
        else:
            await self._attempt(notification, url, kind)

    def _sign(self, notification: Notification, url: URL) -> SignedNotification:
        return sign_notification(
            notification.body,
            url,
            self._policy.app_id,
            self._signer,
            nonce=secrets.token_hex(8),
            timestamp=f"{self._clock() * 1000:.0f}",
        )

    async def _wait_until_overtaken(self, notification: Notification, seconds: float) -> None:
        """Return when another notification has been sent, or after so many seconds."""
        event = asyncio.Event()
        self._held_back[event] = notification.notification_id
        await _wait_for(event, seconds)
        del self._held_back[event]

    async def _attempt(
        self,
        notification: Notification,
        url: URL,
        kind: str,
        signed: SignedNotification | None = None,
        *,
        delay: float = 0.0,
    ) -> None:
        await asyncio.sleep(delay)
        async with self._semaphore:
            signed = signed or self._sign(notification, url)
            sent = corrupt(signed) if kind == CORRUPT else signed
            for _ in range(SENDS):
                sent_at, started = self._clock(), self._loop.time()
                result = await self._client.notify(url, sent.body, sent.headers)
                seconds, nonce = self._loop.time() - started, sent.headers["nonce"]
                self._record(notification, kind, result, sent_at=sent_at, seconds=seconds, nonce=nonce)
                if not result.dropped:
                    break
        for event, waiting in self._held_back.items():
            if waiting != notification.notification_id:
                event.set()

    def _record(
        self,
        notification: Notification,
        kind: str,
        result: DeliveryResult,
        *,
        sent_at: float,
        seconds: float = 0.0,
        nonce: str = "",
    ) -> None:
        self._store.attempts.add(
            attempt_of(notification.notification_id, result, sent_at=sent_at, seconds=seconds, fault=kind, nonce=nonce)
        )
        if result.acknowledged and kind != CORRUPT:
            self._stop_schedule(notification)


async def _wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after so many seconds."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), max(0.0, seconds))
