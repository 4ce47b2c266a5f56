"""Delivery of contract events, one after another, with retries until they are acknowledged (protocol section 6).

Assumed, because it is not known: that every redirect is followed as the measured one was, and that the signature is not
sent along. The steps of the retry schedule that take hours at the platform are those of ``retry_after`` here.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from attrs import evolve

from kfq_async.protocol.signing import sign
from kfq_async.sandbox.callback_client import SENDS, CallbackClient, DeliveryResult, attempt_of
from kfq_async.sandbox.faults import InjectionPoint
from kfq_async.sandbox.store import ContractNotification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from yarl import URL

    from kfq_async.protocol.signing import PrivateKey
    from kfq_async.sandbox.callback_client import DeliveryPolicy
    from kfq_async.sandbox.faults import FaultPlan
    from kfq_async.sandbox.store import Store

__all__ = ["EventSender"]

CONNECT_TIMEOUT = 3.0
"""Seconds until a connection must stand (protocol section 6.1)."""
RESPONSE_HEAD_START = 0.02
"""Seconds between an event and its first attempt: no event precedes the response to its call (protocol section 6.7)."""
HEADERS = {"User-Agent": "Java/17.0.15", "Accept": "text/html, image/gif, image/jpeg, */*; q=0.2"}
"""Headers of every request, as from the platform's HTTP library."""
LOSE, DUPLICATE, DELAY = "event-lose", "event-duplicate", "event-delay"
REORDER, HOLD = "event-reorder", "event-hold"
"""Faults of an event."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 20


class EventSender:
    """Sends contract events while open, one at a time for all enterprises.

    `open` resumes those that an earlier sender left unacknowledged. ``faults`` are drawn when an event happens.
    """

    def __init__(
        self, store: Store, key: PrivateKey, policy: DeliveryPolicy, faults: FaultPlan, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._key = key
        self._policy = policy
        self._faults = faults
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[tuple[str, float, Future[None] | None]] = asyncio.Queue()
        """Notification id, earliest time by the loop's clock, and the future of a resend."""
        self._retries: dict[str, asyncio.TimerHandle] = {}
        """By notification id: the attempt on schedule that it waits for."""
        self._copies: set[asyncio.TimerHandle] = set()
        """Second copies that wait for their time."""
        self._overtaken: list[str] = []
        """Notification ids of the events that the next one overtakes."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._at_work = False
        self._worker: asyncio.Task[None] | None = None
        self._client = CallbackClient(
            aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_TIMEOUT, sock_read=policy.timeout, ceil_threshold=math.inf
            ),
            HEADERS,
            policy.capture,
        )

    def open(self) -> None:
        """Start sending, and resume the events that are due."""
        for event in self._store.contract_notifications.all("due_at IS NOT NULL AND NOT held"):
            self._schedule(event)
        self._worker = self._loop.create_task(self._work())

    async def close(self) -> None:
        """Cancel the running attempt, and send nothing more."""
        for waiting in (*self._retries.values(), *self._copies):
            waiting.cancel()
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await self._client.close()

    def publish(self, contract_id: str, url: str, body: Mapping[str, object]) -> None:
        """Store an event, and send it. Thread-safe."""
        now = self._clock()
        fault = self._faults.draw(InjectionPoint.EVENT)
        kind, seconds = ("", 0.0) if fault is None else (fault.kind, fault.seconds)
        event = ContractNotification(
            notification_id=secrets.token_hex(6),
            contract_id=contract_id,
            callback_type=str(body["callbackType"]),
            url=url,
            body=orjson.dumps(dict(body)).decode(),
            created_at=now,
            due_at=None if kind == LOSE else now + seconds if kind in {DELAY, REORDER} else now,
            fault=kind,
            held=kind == HOLD,
        )
        self._store.contract_notifications.add(event)
        self._loop.call_soon_threadsafe(self._begin, event, seconds)

    def _begin(self, event: ContractNotification, seconds: float) -> None:
        """Send a new event as its fault demands, and the events that it overtakes after it."""
        overtaken, self._overtaken = self._overtaken, []
        if event.fault == REORDER and not overtaken:
            self._schedule(event)
            self._overtaken = [event.notification_id]
        elif event.fault == DELAY:
            self._schedule(event)
        elif event.due_at is not None and not event.held:
            self._enqueue(event.notification_id, RESPONSE_HEAD_START)
        for notification_id in overtaken:
            waiting = self._retries.pop(notification_id, None)
            if waiting is not None:
                waiting.cancel()
                self._enqueue(notification_id)
        if event.fault == DUPLICATE:
            self._copy_later(event.notification_id, RESPONSE_HEAD_START + seconds)

    def _copy_later(self, notification_id: str, seconds: float) -> None:
        def send() -> None:
            self._copies.discard(handle)
            self._enqueue(notification_id, 0.0, Future())

        handle = self._loop.call_later(seconds, send)
        self._copies.add(handle)
        self._idle.clear()

    def hold(self, event: ContractNotification) -> ContractNotification:
        """Send an event no more on schedule, until it is released; raise `ValueError` if it is not waiting.

        Returns the changed event. So do `release` and `lose`. Thread-safe.
        """
        return self._change(event, lambda event: evolve(event, held=True))

    def release(self, event: ContractNotification) -> ContractNotification:
        """Send an event that is held now, and go on with its schedule; raise `ValueError` if it is not held."""
        now = self._clock()
        changed = self._change(event, lambda event: evolve(event, held=False, due_at=now), held=True)
        self._loop.call_soon_threadsafe(self._enqueue, event.notification_id)
        return changed

    def lose(self, event: ContractNotification) -> ContractNotification:
        """Give an event up; raise `ValueError` if it is acknowledged or given up already."""
        held = self._current(event).held
        return self._change(event, lambda event: evolve(event, due_at=None, held=False, fault=LOSE), held=held)

    def _change(
        self,
        event: ContractNotification,
        change: Callable[[ContractNotification], ContractNotification],
        *,
        held: bool = False,
    ) -> ContractNotification:
        """Change an event that waits for an attempt, or is held; its next attempt on schedule is cancelled."""
        while True:
            current = self._current(event)
            if current.due_at is None:
                raise ValueError("the event is acknowledged, or given up")
            if current.held is not held:
                raise ValueError("the event is held already" if current.held else "the event is not held")
            changed = change(current)
            if self._store.contract_notifications.compare_and_swap(current, changed):
                self._loop.call_soon_threadsafe(self._cancel_retry, event.notification_id)
                return changed

    def _current(self, event: ContractNotification) -> ContractNotification:
        (current,) = self._store.contract_notifications.all("notification_id = ?", event.notification_id)
        return current

    def _cancel_retry(self, notification_id: str) -> None:
        retry = self._retries.pop(notification_id, None)
        if retry is not None:
            retry.cancel()
        self._rest()

    def _rest(self) -> None:
        """Report that nothing is left to be sent, if so."""
        if self._queue.empty() and not self._retries and not self._copies and not self._at_work:
            self._idle.set()

    def notifications(self) -> tuple[ContractNotification, ...]:
        """Return all events with their attempts, oldest first."""
        return tuple(self._store.with_attempts(self._store.contract_notifications.all()))

    def find(self, notification_id: str) -> ContractNotification | None:
        """Return an event, or ``None`` if it does not exist."""
        return self._store.contract_notifications.one("notification_id = ?", notification_id)

    def resend(self, event: ContractNotification) -> Future[None]:
        """Send an event once more, whatever its state. Thread-safe. Returns a future that is done afterwards."""
        done: Future[None] = Future()
        self._loop.call_soon_threadsafe(self._enqueue, event.notification_id, 0.0, done)
        return done

    def wait_for_notifications(self) -> Future[bool]:
        """Return a future that is done when every event is acknowledged or given up. Thread-safe."""
        return asyncio.run_coroutine_threadsafe(self._idle.wait(), self._loop)

    def _enqueue(self, notification_id: str, delay: float = 0.0, done: Future[None] | None = None) -> None:
        self._queue.put_nowait((notification_id, self._loop.time() + delay, done))
        self._idle.clear()

    def _schedule(self, event: ContractNotification) -> None:
        """Send an event when it is due."""
        assert event.due_at is not None  # noqa: S101  # due
        delay = event.due_at - self._clock()
        if delay <= 0:
            self._enqueue(event.notification_id)
        else:
            self._retries[event.notification_id] = self._loop.call_later(delay, self._retry, event.notification_id)
            self._idle.clear()

    def _retry(self, notification_id: str) -> None:
        del self._retries[notification_id]
        self._enqueue(notification_id)

    async def _work(self) -> None:
        while True:
            notification_id, earliest, done = await self._queue.get()
            self._at_work = True
            await asyncio.sleep(earliest - self._loop.time())
            (event,) = self._store.contract_notifications.all("notification_id = ?", notification_id)
            if done is not None:
                if await self._attempt(event):
                    self._stop_schedule(event)
                done.set_result(None)
            elif event.due_at is not None and not event.held:
                await self._deliver(event)
            self._at_work = False
            self._rest()

    async def _deliver(self, event: ContractNotification) -> None:
        """Send an event on schedule; before a retry that waits, other events have their turn."""
        pause: float | None = 0.0
        while pause == 0.0:
            finished = await self._attempt(event)
            pauses = self._policy.retry_after[event.scheduled_attempts :]
            pause = pauses[0] if pauses and not finished else None
            due_at = None if pause is None else self._clock() + pause
            attempts = event.scheduled_attempts + 1
            event = self._replace(event, {"scheduled_attempts": attempts, "due_at": due_at})
            if event.held or event.due_at is None:
                return
        self._schedule(event)

    def _stop_schedule(self, event: ContractNotification) -> None:
        """Make no further attempt on schedule."""
        self._replace(event, {"due_at": None, "held": False})
        retry = self._retries.pop(event.notification_id, None)
        if retry is not None:
            retry.cancel()

    def _replace(self, event: ContractNotification, changes: Mapping[str, Any]) -> ContractNotification:
        """Change an event, and return it; one that was given up or held meanwhile stays so."""
        while True:
            current = self._current(event)
            kept = {"due_at": None} if current.due_at is None else {}
            changed = evolve(current, **{**changes, **kept})
            if self._store.contract_notifications.compare_and_swap(current, changed):
                return changed

    async def _attempt(self, event: ContractNotification) -> bool:
        """Send an event, and return whether it needs no further attempt: acknowledged, or not to be sent at all."""
        url = self._policy.target(event.url)
        if isinstance(url, str):
            not_sent = DeliveryResult(error=url)
            self._store.attempts.add(attempt_of(event.notification_id, not_sent, sent_at=self._clock()))
            return True
        result = DeliveryResult(dropped=True)
        for _ in range(SENDS):
            if result.dropped:
                sent_at, started = self._clock(), self._loop.time()
                result = await self._post(url, event.body.encode())
                seconds = self._loop.time() - started
                self._store.attempts.add(attempt_of(event.notification_id, result, sent_at=sent_at, seconds=seconds))
        return result.acknowledged

    async def _post(self, url: URL, body: bytes) -> DeliveryResult:
        """Send a signed request, and follow redirects with GET; the last response counts."""
        headers = {"Content-Type": "application/json", "sign": sign(body, self._key)}
        result = await self._client.notify(url, body, headers)
        for _ in range(MAX_REDIRECTS):
            if result.status not in REDIRECTS or result.location is None:
                break
            target = self._policy.target(result.location)
            if isinstance(target, str):
                return DeliveryResult(result.status, error=f"redirect not followed: {target}")
            result = await self._client.request("GET", target)
        return result
