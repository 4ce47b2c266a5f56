"""The sandbox's notifications: sent, and repeated until acknowledged.

Assumed, since no source says it: the schedule, the time-out, and that every attempt has a fresh nonce and timestamp.
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

from kfq_async.protocol.signing import SigningInput
from kfq_async.sandbox.faults import Fault, Faults, Stage
from kfq_async.sandbox.orders import IDENTIFIED, WITHDRAWN, notification_body, request_of
from kfq_async.sandbox.store import DeliveryAttempt, Notification
from kfq_async.sandbox.web.addresses import is_loopback, web_address

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from yarl import URL

    from kfq_async.protocol.signing import Signer
    from kfq_async.sandbox.store import Order, Store


__all__ = ["DeliveryPolicy", "DeliveryResult", "Sender", "SignedNotification", "corrupted", "sign_notification"]


P = ParamSpec("P")
SLOTS = 100
"""Attempts under way at the same time."""
LARGEST_ANSWER = 4096
"""Bytes that are read of a receiver's answer."""
SHOWN = 200
"""Characters that are kept of it."""
DUPLICATE, DELAY, REORDER, CORRUPT = "callback-duplicate", "callback-delay", "callback-reorder", "callback-corrupt"


class Sender:
    """Sends notifications while it is open; what is not acknowledged by then is sent when it is opened again."""

    def __init__(
        self, store: Store, signer: Signer, faults: Faults, delivery: DeliveryPolicy, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._signer = signer
        self._faults = faults
        self._delivery = delivery
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(SLOTS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: dict[str, asyncio.Event] = {}
        self._held: dict[asyncio.Event, str] = {}
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=delivery.timeout, ceil_threshold=math.inf),
        )

    def open(self) -> None:
        """Go on with what an earlier run left."""
        for note in self._store.notifications.all("due_at IS NOT NULL"):
            self._start(self._follow, note)

    async def close(self) -> None:
        """Send no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()

    def notify(self, order: Order) -> None:
        """Tell ``authCallbackUrl``, if there is one, about the order's state. May be called from any thread."""
        url = request_of(order).get("authCallbackUrl")
        if not url or order.status is None:
            return
        now = self._clock()
        note = Notification(
            notification_id=secrets.token_hex(6),
            order_no=order.order_no,
            order_status=order.status,
            url=url,
            body=notification_body(order),
            created_at=now,
            due_at=now,
        )
        self._store.notifications.add(note)
        self._loop.call_soon_threadsafe(self._start, self._follow, note)

    def resend(self, notes: tuple[Notification, ...], fault: Fault | None) -> Future[None]:
        """Send notifications once more, one after the other, whatever their state. May be called from any thread.

        What it returns is done when they have been sent.
        """
        done: Future[None] = Future()
        self._loop.call_soon_threadsafe(self._start, self._resend, notes, fault, done)
        return done

    def settled(self) -> Future[None]:
        """Return what is done when everything is acknowledged or given up. May be called from any thread."""
        return asyncio.run_coroutine_threadsafe(self._settled(), self._loop)

    def _start(self, work: Callable[P, Coroutine[None, None, None]], *arguments: P.args, **named: P.kwargs) -> None:
        if not self._http.closed:
            task = self._loop.create_task(work(*arguments, **named))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _settled(self) -> None:
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _resend(self, notes: tuple[Notification, ...], fault: Fault | None, done: Future[None]) -> None:
        for note in notes:
            await self._deliver(note, fault)
        done.set_result(None)

    async def _follow(self, note: Notification) -> None:
        """Send a notification on schedule until it is acknowledged or the schedule ends."""
        ended = self._ended[note.notification_id] = asyncio.Event()
        while note.due_at is not None:
            await _first(ended, note.due_at - self._clock())
            note = self._now(note)
            if note.due_at is not None:
                await self._deliver(note, self._faults.draw(Stage.NOTIFYING))
                note = self._postpone(self._now(note))
        del self._ended[note.notification_id]

    def _now(self, note: Notification) -> Notification:
        """Return the notification as it is by now: the console may have had it acknowledged meanwhile."""
        (now,) = self._store.notifications.all("notification_id = ?", note.notification_id)
        return now

    def _postpone(self, note: Notification) -> Notification:
        """Count an attempt, and set the time of the next one."""
        waits = self._delivery.retry_after
        again = note.due_at is not None and note.step < len(waits)
        due = self._clock() + waits[note.step] if again else None
        after = evolve(note, step=note.step + 1, due_at=due)
        self._store.notifications.compare_and_swap(note, after)
        return after

    def _end(self, note: Notification) -> None:
        """Let nothing more be sent on schedule."""
        now = self._now(note)
        self._store.notifications.compare_and_swap(now, evolve(now, due_at=None))
        if note.notification_id in self._ended:
            self._ended[note.notification_id].set()

    async def _deliver(self, note: Notification, fault: Fault | None) -> None:
        """Send a notification once, or twice if that is the fault."""
        url = self._delivery.target(note.url)
        kind, seconds = (fault.kind, fault.seconds) if fault else ("", 0.0)
        if isinstance(url, str):
            self._record(note, kind, DeliveryResult(error=url), at=self._clock())
            self._end(note)
        elif kind == DUPLICATE:
            letter = self._sign(note, url)
            await asyncio.gather(
                self._post(note, url, kind, letter), self._post(note, url, kind, letter, after=seconds)
            )
        elif kind == DELAY:
            await self._post(note, url, kind, self._sign(note, url), after=seconds)
        elif kind == REORDER:
            letter = self._sign(note, url)
            await self._overtaken(note, seconds)
            await self._post(note, url, kind, letter)
        else:
            await self._post(note, url, kind)

    def _sign(self, note: Notification, url: URL) -> SignedNotification:
        return sign_notification(
            note.body,
            url,
            self._delivery.app_id,
            self._signer,
            nonce=secrets.token_hex(8),
            timestamp=f"{self._clock() * 1000:.0f}",
        )

    async def _overtaken(self, note: Notification, seconds: float) -> None:
        """Return when another notification has been sent, or after so many seconds."""
        event = asyncio.Event()
        self._held[event] = note.notification_id
        await _first(event, seconds)
        del self._held[event]

    async def _post(
        self, note: Notification, url: URL, kind: str, letter: SignedNotification | None = None, *, after: float = 0.0
    ) -> None:
        await asyncio.sleep(after)
        async with self._slots:
            letter = letter or self._sign(note, url)
            at, begun = self._clock(), self._loop.time()
            outcome = await self._exchange(url, corrupted(letter) if kind == CORRUPT else letter)
        self._record(note, kind, outcome, at=at, seconds=self._loop.time() - begun, nonce=letter.headers["nonce"])
        for event, held in self._held.items():
            if held != note.notification_id:
                event.set()

    async def _exchange(self, url: URL, letter: SignedNotification) -> DeliveryResult:
        """Send, and read no more of the answer than has to be known."""
        status, answer, error = None, b"", None
        try:
            async with self._http.post(
                url, data=letter.body, headers=letter.headers, allow_redirects=False
            ) as response:
                status = response.status
                async for chunk in response.content.iter_chunked(LARGEST_ANSWER):
                    answer += chunk
                    if len(answer) > LARGEST_ANSWER:
                        break
        except TimeoutError:
            error = f"no whole answer within {self._delivery.timeout:g} s"
        except (aiohttp.ClientError, OSError) as problem:
            error = f"{type(problem).__name__}: {problem}"[:SHOWN]
        return DeliveryResult(status, answer, error)

    def _record(
        self,
        note: Notification,
        kind: str,
        outcome: DeliveryResult,
        *,
        at: float,
        seconds: float = 0.0,
        nonce: str = "",
    ) -> None:
        self._store.attempts.add(
            DeliveryAttempt(
                attempt_id=secrets.token_hex(6),
                notification_id=note.notification_id,
                at=at,
                seconds=seconds,
                fault=kind,
                nonce=nonce,
                http_status=outcome.status,
                answer=outcome.answer.decode(errors="replace")[:SHOWN],
                error=outcome.error,
                acknowledged=outcome.acknowledged,
            )
        )
        if outcome.acknowledged and kind != CORRUPT:
            self._end(note)


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for what comes first, the event or so many seconds."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), max(0.0, seconds))


@frozen(kw_only=True)
class DeliveryPolicy:
    """How notifications are delivered. Raises `ValueError`, naming the argument."""

    app_id: str = field()
    retry_after: tuple[float, ...] = field()
    timeout: float = field()
    hosts: frozenset[str]

    @app_id.validator
    def _named(self, _attribute: object, value: str) -> None:
        if not (value and value.isascii() and value.isprintable()):
            raise ValueError(f"app_id goes into a header and must be printable ASCII, not {value!r}")

    @retry_after.validator
    def _finite(self, _attribute: object, value: tuple[float, ...]) -> None:
        if not all(0 <= seconds < math.inf for seconds in value):
            raise ValueError(f"retry_after holds seconds, 0 or more, not {value}")

    @timeout.validator
    def _positive(self, _attribute: object, value: float) -> None:
        if not 0 < value < math.inf:
            raise ValueError(f"callback_timeout must be more than 0 seconds, not {value}")

    def target(self, text: str) -> URL | str:
        """Return where to send, or in words why nothing is sent there."""
        url = web_address(text)
        if url is None:
            return "not an http or https URL"
        host = url.raw_host or ""
        if is_loopback(host) or host in self.hosts:
            return url
        return f"{host} is not this machine: name it in callback_hosts, if a sandbox may notify it"


@frozen
class SignedNotification:
    """What goes over the wire."""

    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


@frozen
class DeliveryResult:
    """What came back."""

    status: int | None = None
    answer: bytes = b""
    error: str | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has taken the notification."""
        return self.error is None and self.status == 200 and self.answer == b"success"


def sign_notification(
    text: str, url: URL, app_id: str, signer: Signer, *, nonce: str, timestamp: str
) -> SignedNotification:
    """Sign a notification for one attempt."""
    body = text.encode()
    signing_input = SigningInput(body=body, query={}, nonce=nonce, timestamp=timestamp, uri=url.raw_path)
    headers = {"appId": app_id, "nonce": nonce, "timestamp": timestamp, "sign": signer.sign(signing_input)}
    return SignedNotification(body, headers)


def corrupted(letter: SignedNotification) -> SignedNotification:
    """Let the notification say something else than what was signed."""
    fields = orjson.loads(letter.body)
    fields["orderStatus"] = WITHDRAWN if fields["orderStatus"] == IDENTIFIED else IDENTIFIED
    return SignedNotification(orjson.dumps(fields), letter.headers)
