"""`NotificationReceiver`: notifications are handled at least once, never twice, and acknowledged afterwards."""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfq_async import (
    CallbackRejected,
    CallbackUrls,
    CallbackVerifier,
    ContractEvent,
    ContractEventVerifier,
    CorpIdentLinkRequest,
    Hooks,
    IdentityNotification,
    MemoryStore,
    NotificationDelivery,
    NotificationEvent,
    NotificationReceiver,
    RejectionReason,
    Reply,
)
from kfq_async.callbacks import parsing
from kfq_async.callbacks import receiver as receiver_module
from kfq_async.callbacks.stores_redis import RedisStore
from kfq_async.protocol.signing import load_json
from output import package_records
from senders import APP_ID, NOW, PATH, SIGNED, make_body, private_key, signed_event_headers, signed_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from kfq_async.callbacks import Claim, NotificationStore

BODY = make_body()
SUCCESS = Reply(200, b"success")
URLS = CallbackUrls([b"a secret of 32 random bytes....."], page="https://a.example/p", notify="https://a.example/n")


class Clock:
    """Clock set by a test."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Handler:
    """Handler that records deliveries, waits for its gate, and fails the first ``fails`` times."""

    def __init__(self, *, fails: int = 0) -> None:
        self.deliveries: list[NotificationDelivery[Any]] = []
        self.finished = 0
        self.fails = fails
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, delivery: NotificationDelivery[Any]) -> None:
        """Handle a notification, or fail."""
        self.deliveries.append(delivery)
        self.started.set()
        await self.gate.wait()
        if len(self.deliveries) <= self.fails:
            raise LookupError("手机号13800138000")
        self.finished += 1


def make_receiver(handler: Any, *, clock: Clock | None = None, **options: Any) -> NotificationReceiver:
    """Return a receiver that requires a signature."""
    clock = clock or Clock()
    verifier = CallbackVerifier([private_key().public_key()], app_id=APP_ID, clock=clock)
    return NotificationReceiver(handler, **{"verifier": verifier, "clock": clock, **options})


async def deliver(receiver: NotificationReceiver, body: bytes = BODY, path: str = PATH, **options: Any) -> Reply:
    """Deliver a signed notification."""
    return await receiver.receive(body, signed_headers(body, path=path, **options), path)


def rejection(reply: Reply) -> tuple[int, int, str]:
    """Return the HTTP status, code and reason of a reply that rejects a notification."""
    envelope = orjson.loads(reply.body)
    assert envelope.keys() == {"code", "message", "result", "timestamp"}
    assert reply.content_type == "application/json"
    return reply.status, envelope["code"], envelope["message"]


def notification_path(request_id: str) -> str:
    """Return the path of a request's notification URL."""
    return urlsplit(URLS.bind(CorpIdentLinkRequest(client_request_id=request_id)).auth_callback_url or "").path


async def test_a_notification_is_handled_and_acknowledged() -> None:
    """The handler gets the notification and its key; the reply that follows is the bare ``success``."""
    handler = Handler()
    reply = await deliver(make_receiver(handler))
    assert reply == SUCCESS
    assert reply.content_type == "text/plain; charset=utf-8"
    (delivery,) = handler.deliveries
    assert isinstance(delivery.notification, IdentityNotification)
    assert (delivery.notification.order_no, delivery.key, delivery.client_request_id) == ("ORDER-1", "ORDER-1:1", None)


@pytest.mark.parametrize("seconds", [1, 299])
async def test_duplicate_is_acknowledged(seconds: float) -> None:
    """A duplicate with a fresh timestamp is acknowledged without calling the handler."""
    handler, clock = Handler(), Clock()
    receiver = make_receiver(handler, clock=clock)
    assert await deliver(receiver) == SUCCESS
    clock.now += seconds
    assert await deliver(receiver) == SUCCESS
    assert len(handler.deliveries) == 1


async def test_replay_after_301_seconds_is_stale() -> None:
    """A recorded request is rejected after more than 300 seconds."""
    handler, clock = Handler(), Clock()
    receiver = make_receiver(handler, clock=clock)
    assert await deliver(receiver) == SUCCESS
    clock.now += 301
    assert rejection(await deliver(receiver)) == (401, 41001, "stale")
    assert len(handler.deliveries) == 1


async def test_duplicate_with_a_new_signature() -> None:
    """An order in the same status is a duplicate even with another nonce and signature."""
    handler, clock = Handler(), Clock()
    receiver = make_receiver(handler, clock=clock)
    assert await deliver(receiver) == SUCCESS
    clock.now += 3600
    later = str(round(clock.now * 1000))
    assert await deliver(receiver, make_body(verifyTime="x"), nonce="nonce-2", timestamp=later) == SUCCESS
    assert len(handler.deliveries) == 1


async def test_each_status_of_each_order_is_handled() -> None:
    """The key consists of order and status, so another status or order is another notification."""
    handler = Handler()
    receiver = make_receiver(handler)
    changes: list[dict[str, Any]] = [{"orderStatus": 2}, {"orderStatus": 1}, {"orderNo": "ORDER:1"}]
    for number, change in enumerate(changes):
        assert await deliver(receiver, make_body(**change), nonce=f"nonce-{number}") == SUCCESS
    assert [delivery.key for delivery in handler.deliveries] == ["ORDER-1:2", "ORDER-1:1", "ORDER%3A1:1"]


async def test_notification_without_an_order() -> None:
    """A notification without order or status is deduplicated by its content."""
    handler = Handler()
    receiver = make_receiver(handler)
    for number, body in enumerate([b'{"unionId":"u","userType":1}', b'{"userType": 1, "unionId": "u"}', b"{}"]):
        assert await deliver(receiver, body, nonce=f"nonce-{number}") == SUCCESS
    assert len(handler.deliveries) == 2
    assert all(len(delivery.key) == 64 for delivery in handler.deliveries)


async def test_nonce_reused_with_another_body() -> None:
    """A nonce used with another body is rejected even if the signature is valid."""
    handler = Handler()
    receiver = make_receiver(handler)
    assert await deliver(receiver) == SUCCESS
    assert rejection(await deliver(receiver, make_body(orderStatus=3))) == (401, 41002, "replayed")
    assert len(handler.deliveries) == 1


@pytest.mark.parametrize(("tolerance", "nonce_retention"), [(300, 660), (None, 604_800)])
async def test_nonce_retention(tolerance: float | None, nonce_retention: float) -> None:
    """Nonces are kept while their timestamps can be valid; without a tolerance, as long as handled notifications."""
    verifier = CallbackVerifier([private_key().public_key()], app_id=APP_ID, tolerance=tolerance, clock=Clock())
    clock = Clock(0)
    receiver = make_receiver(Handler(), verifier=verifier, store=MemoryStore(clock=clock))
    assert await deliver(receiver) == SUCCESS
    clock.now = nonce_retention - 1
    assert rejection(await deliver(receiver, make_body(orderStatus=3)))[2] == "replayed"
    clock.now = nonce_retention
    assert await deliver(receiver, make_body(orderStatus=3)) == SUCCESS


async def test_duplicate_during_handling() -> None:
    """A duplicate that arrives during handling is rejected as busy, and no second handler runs."""
    handler = Handler()
    handler.gate.clear()
    receiver = make_receiver(handler)
    first = asyncio.create_task(deliver(receiver))
    await handler.started.wait()
    assert rejection(await deliver(receiver)) == (503, 91000, "busy")
    handler.gate.set()
    assert await first == SUCCESS
    assert await deliver(receiver) == SUCCESS
    assert len(handler.deliveries) == 1


async def test_handler_slower_than_its_lease() -> None:
    """One process never runs the handler twice concurrently, even if the lease expires."""
    handler, clock = Handler(), Clock(0)
    handler.gate.clear()
    receiver = make_receiver(handler, store=MemoryStore(clock=clock))
    first = asyncio.create_task(deliver(receiver))
    await handler.started.wait()
    clock.now = 3600
    assert rejection(await deliver(receiver))[2] == "busy"
    handler.gate.set()
    assert await first == SUCCESS
    assert await deliver(receiver) == SUCCESS
    assert len(handler.deliveries) == 1


async def test_handler_that_fails() -> None:
    """A failure is not acknowledged, and each later delivery runs the handler until it succeeds."""
    handler = Handler(fails=2)
    receiver = make_receiver(handler)
    assert rejection(await deliver(receiver)) == (503, 91000, "handler_failed")
    assert rejection(await deliver(receiver)) == (503, 91000, "handler_failed")
    assert await deliver(receiver) == SUCCESS
    assert await deliver(receiver) == SUCCESS
    assert (len(handler.deliveries), handler.finished) == (3, 1)


class LibraryStop(BaseException):
    """Exception by which a library ends its own work."""


def cancel_this_task() -> None:
    """Cancel the handler's own task."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


def raise_error(error: BaseException) -> None:
    """Raise an exception."""
    raise error


@pytest.mark.parametrize(
    "fail",
    [
        lambda: raise_error(LibraryStop("13800138000")),
        lambda: raise_error(GeneratorExit()),
        lambda: raise_error(asyncio.CancelledError()),
        lambda: raise_error(BaseExceptionGroup("two", [LibraryStop(), ValueError()])),
        cancel_this_task,
    ],
    ids=["own", "GeneratorExit", "CancelledError", "group", "cancel"],
)
async def test_handler_that_raises_a_base_exception(fail: Callable[[], None]) -> None:
    """Any exception counts as a failure: it is reported with its cause, and the next delivery runs the handler."""
    handled: list[str] = []
    rejected: list[CallbackRejected] = []

    async def handler(delivery: NotificationDelivery[IdentityNotification]) -> None:
        handled.append(delivery.key)
        if len(handled) == 1:
            fail()
            await asyncio.sleep(0)

    store = MemoryStore()
    receiver = make_receiver(handler, store=store, on_rejected=rejected.append)
    assert rejection(await deliver(receiver)) == (503, 91000, "handler_failed")
    assert [problem.reason for problem in rejected] == ["handler_failed"]
    assert rejected[0].__cause__ is not None
    assert "13800138000" not in str(rejected[0])
    assert await deliver(make_receiver(handler, store=store)) == SUCCESS, "the claim was released"
    assert len(handled) == 2


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt])
def test_handler_that_ends_the_process(stop: type[BaseException]) -> None:
    """`SystemExit` and `KeyboardInterrupt` end the process as usual, and leave the notification to another one."""

    async def handler(_: NotificationDelivery[IdentityNotification]) -> None:
        raise stop

    store = MemoryStore()
    with pytest.raises(stop):
        asyncio.run(deliver(make_receiver(handler, store=store)))
    assert len(store) == 1, "the nonce"
    assert asyncio.run(deliver(make_receiver(Handler(), store=store))) == SUCCESS


async def test_handler_that_returns_no_awaitable() -> None:
    """A decorated handler that returns no awaitable is reported, and not run again for the same notification."""
    keys: list[str] = []
    rejected: list[CallbackRejected] = []

    @functools.wraps(Handler.__call__)
    def handler(delivery: NotificationDelivery[IdentityNotification]) -> None:
        keys.append(delivery.key)

    receiver = make_receiver(handler, on_rejected=rejected.append)
    for _ in range(3):
        assert rejection(await deliver(receiver)) == (503, 91000, "handler_failed")
    assert rejection(await deliver(receiver, make_body(orderStatus=3), nonce="nonce-2"))[2] == "handler_failed"
    assert keys == ["ORDER-1:1", "ORDER-1:3"]
    assert "it returned no awaitable and is not called again for this notification" in str(rejected[0])
    assert "write it as `async def`" in str(rejected[0])


async def test_reply_timeout() -> None:
    """A handler slower than the reply timeout runs to completion, and a later delivery is acknowledged."""
    handler, store = Handler(), MemoryStore()
    handler.gate.clear()
    receiver = make_receiver(handler, store=store, reply_timeout=0.01)
    assert rejection(await deliver(receiver)) == (503, 91000, "unfinished")
    assert rejection(await deliver(receiver)) == (503, 91000, "busy")
    handler.gate.set()
    await receiver.aclose()
    assert handler.finished == 1
    assert await deliver(make_receiver(handler, store=store)) == SUCCESS
    assert len(handler.deliveries) == 1


async def test_failure_after_the_reply_timeout() -> None:
    """A failure after the reply is reported, and the next delivery runs the handler."""
    rejected: list[CallbackRejected] = []
    handler = Handler(fails=1)
    handler.gate.clear()
    receiver = make_receiver(handler, reply_timeout=0.01, on_rejected=rejected.append)
    await deliver(receiver)
    handler.gate.set()
    async with asyncio.timeout(5):
        while len(rejected) < 2:  # noqa: ASYNC110  # the task that calls the hook is not accessible
            await asyncio.sleep(0)
        assert [problem.reason for problem in rejected] == ["unfinished", "handler_failed"]
        assert await deliver(receiver) == SUCCESS


async def test_cancelled_request() -> None:
    """Cancelling a request does not interrupt the handler, and `aclose` waits for it."""
    handler = Handler()
    handler.gate.clear()
    receiver = make_receiver(handler)
    request = asyncio.create_task(deliver(receiver))
    await handler.started.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    handler.gate.set()
    await receiver.aclose()
    assert handler.finished == 1


async def test_platform_repeats_back_to_back() -> None:
    """Three deliveries in a row, each sent after the last reply, are handled once (protocol section 6.7)."""
    handler = Handler()
    handler.gate.clear()
    receiver = make_receiver(handler, reply_timeout=0.01)
    replies = [rejection(await deliver(receiver)) for _ in range(3)]
    assert replies == [(503, 91000, "unfinished"), (503, 91000, "busy"), (503, 91000, "busy")]
    handler.gate.set()
    await asyncio.sleep(0.01)
    assert [await deliver(receiver) for _ in range(3)] == [SUCCESS] * 3
    assert len(handler.deliveries) == 1


async def test_sender_drops_its_connections() -> None:
    """Six deliveries whose connections are dropped, so that the server cancels them, are handled once."""
    handler = Handler()
    handler.gate.clear()
    receiver = make_receiver(handler)
    for _ in range(6):
        request = asyncio.create_task(deliver(receiver))
        await handler.started.wait()
        request.cancel()
        await asyncio.wait({request})
    handler.gate.set()
    await asyncio.sleep(0)
    reply = await deliver(receiver)
    assert (reply.status, reply.body) == (200, b"success")
    assert len(handler.deliveries) == 1


@pytest.mark.parametrize("status", [1, 2, 5])
async def test_acknowledgement_is_exact(status: int) -> None:
    """An acknowledgement has status 200 and the bare text, whatever it acknowledges (protocol section 6.6)."""
    receiver = make_receiver(Handler())
    replies = [await deliver(receiver, make_body(orderStatus=status)) for _ in range(2)]
    assert [(reply.status, reply.body) for reply in replies] == [(200, b"success")] * 2


async def test_aclose() -> None:
    """A closed receiver rejects notifications with 503; `aclose` is idempotent."""
    handler = Handler()
    async with make_receiver(handler) as receiver:
        assert await deliver(receiver) == SUCCESS
    await receiver.aclose()
    assert rejection(await deliver(receiver)) == (503, 91000, "closing")


async def test_handler_that_outlasts_aclose() -> None:
    """A handler that does not return in time is cancelled, reported, and left to another worker."""
    rejected: list[CallbackRejected] = []
    handler, store = Handler(), MemoryStore()
    handler.gate.clear()
    receiver = make_receiver(handler, store=store, on_rejected=rejected.append)
    request = asyncio.create_task(deliver(receiver))
    await handler.started.wait()
    await receiver.aclose(within=0)
    assert rejection(await request) == (503, 91000, "handler_failed")
    assert [(problem.reason, type(problem.__cause__)) for problem in rejected] == [
        ("handler_failed", asyncio.CancelledError)
    ]
    handler.gate.set()
    assert await deliver(make_receiver(handler, store=store)) == SUCCESS
    assert handler.finished == 1


async def test_aclose_waits_for_a_lease_by_default() -> None:
    """Without ``within``, handlers have as long as their lease; with ``math.inf``, as long as they take."""
    handler = Handler()
    handler.gate.clear()
    receiver = make_receiver(handler, lease=0.01)
    request = asyncio.create_task(deliver(receiver))
    await handler.started.wait()
    await receiver.aclose()
    assert rejection(await request)[2] == "handler_failed"
    async with receiver:
        request = asyncio.create_task(deliver(receiver))
        await handler.started.wait()
        closing = asyncio.create_task(receiver.aclose(within=math.inf))
        await asyncio.sleep(0.05)
        handler.gate.set()
        assert await request == SUCCESS
        await closing


@pytest.mark.parametrize("within", [-1, float("nan")])
async def test_invalid_time_for_aclose(within: float) -> None:
    """``within`` is a duration."""
    with pytest.raises(ValueError, match=r"^within must be at least 0 seconds"):
        await make_receiver(Handler()).aclose(within=within)


async def test_handler_that_ignores_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that ignores its cancellation does not keep `aclose` waiting; it is reported, and keeps its claim."""
    monkeypatch.setattr(receiver_module, "_CANCELLATION_GRACE", 0.01)
    started, gate = asyncio.Event(), asyncio.Event()

    async def handler(_: NotificationDelivery[IdentityNotification]) -> None:
        started.set()
        while not gate.is_set():
            with suppress(asyncio.CancelledError):
                await gate.wait()

    rejected: list[CallbackRejected] = []
    hooks, store = Recorder(), MemoryStore()
    receiver = make_receiver(handler, store=store, on_rejected=rejected.append, hooks=[hooks])
    request = asyncio.create_task(deliver(receiver))
    await started.wait()
    await receiver.aclose(within=0)
    (problem,) = rejected
    assert problem.reason is RejectionReason.HANDLER_FAILED
    assert "it ignores its cancellation" in str(problem)
    assert rejection(await deliver(make_receiver(handler, store=store)))[2] == "busy"
    gate.set()
    assert await request == SUCCESS
    assert hooks.outcomes() == [("in_doubt", "handler_failed", None, 503), ("handled", None, None, 200)]


async def test_aclose_during_a_store_operation() -> None:
    """A store that hangs after the handler has returned does not keep `aclose` waiting, and the handler ran once."""
    handler, rejected = Handler(), list[CallbackRejected]()
    store = HangingStore("mark_done")
    receiver = make_receiver(handler, store=store, on_rejected=rejected.append)
    request = asyncio.create_task(deliver(receiver))
    await store.hanging.wait()
    await receiver.aclose(within=0)
    assert rejection(await request) == (503, 91000, "store_failed")
    assert [problem.reason for problem in rejected] == ["store_failed"]
    store.hangs.clear()
    async with receiver:
        assert await deliver(receiver) == SUCCESS
    assert handler.finished == 1


async def test_release_that_hangs(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that cannot be released before `aclose` ends is left to its lease, and the failure is reported."""
    monkeypatch.setattr(receiver_module, "_CANCELLATION_GRACE", 0.01)
    store = HangingStore("release")
    receiver = make_receiver(Handler(fails=1), store=store)
    request = asyncio.create_task(deliver(receiver))
    await store.hanging.wait()
    await receiver.aclose(within=0)
    assert rejection(await request) == (503, 91000, "handler_failed")
    assert "could not release a claim" in caplog.text


@pytest.mark.parametrize("fails", [1, 0], ids=["failed", "cancelled"])
async def test_release_under_way(fails: int) -> None:
    """A claim that is being released when the receiver is closed, by two callers, is released."""
    handler, store = Handler(fails=fails), HangingStore("release")
    if not fails:
        handler.gate.clear()
    receiver = make_receiver(handler, store=store)
    request = asyncio.create_task(deliver(receiver))
    await (store.hanging if fails else handler.started).wait()
    first = asyncio.create_task(receiver.aclose(within=0))
    await store.hanging.wait()
    second = asyncio.create_task(receiver.aclose(within=0))
    await asyncio.sleep(0.01)
    store.resumed.set()
    await asyncio.gather(first, second)
    assert rejection(await request)[2] == "handler_failed"
    assert await deliver(make_receiver(Handler(), store=store)) == SUCCESS


async def test_cleanup_of_a_cancelled_handler() -> None:
    """What a handler does when it is cancelled is not interrupted by another call of `aclose`."""
    started, cleaning, gate, ended = (asyncio.Event() for _ in range(4))

    async def handler(_: NotificationDelivery[IdentityNotification]) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await gate.wait()
            ended.set()

    receiver = make_receiver(handler)
    request = asyncio.create_task(deliver(receiver))
    await started.wait()
    first = asyncio.create_task(receiver.aclose(within=0))
    await cleaning.wait()
    second = asyncio.create_task(receiver.aclose(within=0))
    await asyncio.sleep(0.01)
    gate.set()
    await asyncio.gather(first, second)
    assert ended.is_set()
    assert rejection(await request)[2] == "handler_failed"


async def test_cancellation_before_the_handler_starts() -> None:
    """A delivery that is cancelled before it begins is reported, and nothing is claimed."""
    handler, store, rejected = Handler(), MemoryStore(), list[CallbackRejected]()
    receiver = make_receiver(handler, store=store, on_rejected=rejected.append)
    request = asyncio.create_task(deliver(receiver))
    await asyncio.sleep(0)
    (task,) = asyncio.all_tasks() - {asyncio.current_task(), request}
    task.cancel()
    assert rejection(await request) == (503, 91000, "handler_failed")
    assert ([problem.reason for problem in rejected], handler.deliveries, len(store)) == (["handler_failed"], [], 0)


async def test_cancelled_handler_releases_its_claim() -> None:
    """Cancelling the handler's task, as `asyncio.run` does at the end, releases the claim for another worker."""
    handler, store = Handler(), MemoryStore()
    handler.gate.clear()
    receiver = make_receiver(handler, store=store)
    request = asyncio.create_task(deliver(receiver))
    await handler.started.wait()
    (task,) = asyncio.all_tasks() - {asyncio.current_task(), request}
    task.cancel()
    assert rejection(await request) == (503, 91000, "handler_failed")
    assert len(store) == 1, "the nonce"
    handler.gate.set()
    assert await deliver(make_receiver(handler, store=store)) == SUCCESS


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def shared(request: pytest.FixtureRequest) -> NotificationStore:
    """Store used by several workers."""
    return MemoryStore() if request.param == "memory" else RedisStore(request.getfixturevalue("redis"))


async def test_duplicate_in_another_worker(shared: NotificationStore) -> None:
    """A notification handled by one worker is busy in the other, and acknowledged there afterwards."""
    handler = Handler()
    handler.gate.clear()
    one, two = make_receiver(handler, store=shared), make_receiver(handler, store=shared)
    first = asyncio.create_task(deliver(one))
    await handler.started.wait()
    assert rejection(await deliver(two)) == (503, 91000, "busy")
    handler.gate.set()
    assert await first == SUCCESS
    assert await deliver(two) == SUCCESS
    assert rejection(await deliver(two, make_body(orderStatus=3)))[2] == "replayed"
    assert len(handler.deliveries) == 1


async def test_failure_in_another_worker(shared: NotificationStore) -> None:
    """A notification that failed in one worker is handled by the other."""
    handler = Handler(fails=1)
    assert rejection(await deliver(make_receiver(handler, store=shared)))[2] == "handler_failed"
    assert await deliver(make_receiver(handler, store=shared)) == SUCCESS
    assert handler.finished == 1


async def test_concurrent_duplicates_across_workers(shared: NotificationStore) -> None:
    """Of 100 concurrent deliveries to four workers one is handled, and the others are acknowledged or busy."""
    handler = Handler()
    workers = [make_receiver(handler, store=shared) for _ in range(4)]
    replies = await asyncio.gather(*(deliver(workers[number % 4]) for number in range(100)))
    assert handler.finished == len(handler.deliveries) == 1
    assert SUCCESS in replies
    assert {rejection(reply)[2] for reply in replies if reply != SUCCESS} <= {"busy"}


KILLED_WORKER = """
import asyncio, sys
from redis.asyncio import Redis
from kfq_async.callbacks.stores_redis import RedisStore
from output import package_records
from senders import *
from kfq_async import CallbackVerifier, NotificationReceiver

async def handler(delivery):
    print(delivery.key, flush=True)
    await asyncio.Event().wait()

async def main():
    store = RedisStore(Redis(host="127.0.0.1", port=int(sys.argv[1])))
    verifier = CallbackVerifier([private_key().public_key()], app_id=APP_ID, clock=lambda: NOW)
    await NotificationReceiver(handler, verifier=verifier, store=store, reply_timeout=60).receive(
        make_body(), signed_headers(make_body()), PATH
    )

asyncio.run(main())
"""


async def test_worker_killed_during_handling(redis: Redis, redis_port: int) -> None:
    """The claim of a killed worker lasts until its lease expires; then another worker handles the notification."""
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED_WORKER, f"{redis_port}"),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"ORDER-1:1\n"
    victim.kill()
    await victim.wait()
    handler = Handler()
    receiver = make_receiver(handler, store=RedisStore(redis))
    assert rejection(await deliver(receiver)) == (503, 91000, "busy")
    for name in await redis.keys():
        if str(await redis.get(name)).startswith("b'by "):
            assert 0 < await redis.pttl(name) <= 60_000
            await redis.pexpire(name, 0)
    assert await deliver(receiver) == SUCCESS
    assert [delivery.key for delivery in handler.deliveries] == ["ORDER-1:1"]


async def test_lease_expires_in_a_slow_worker() -> None:
    """Without a crash a notification is handled twice only if its lease expires and a second worker takes over."""
    slow, handler, clock = Handler(), Handler(), Clock(0)
    slow.gate.clear()
    store = MemoryStore(clock=clock)
    first = asyncio.create_task(deliver(make_receiver(slow, store=store, lease=10)))
    await slow.started.wait()
    clock.now = 10
    other = make_receiver(handler, store=store)
    assert await deliver(other) == SUCCESS
    slow.gate.set()
    assert await first == SUCCESS
    assert await deliver(other) == SUCCESS
    assert (slow.finished, handler.finished) == (1, 1)


class FailingStore(MemoryStore):
    """Store whose methods named in ``fails`` raise."""

    def __init__(self, *fails: str) -> None:
        super().__init__()
        self.fails = set(fails)

    def _check(self, name: str) -> None:
        if name in self.fails:
            raise ConnectionError("redis://:password@10.0.0.1")

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Fail, or claim."""
        self._check("claim")
        return await super().claim(key, owner, lease=lease)

    async def mark_done(self, key: str, *, retention: float) -> None:
        """Fail, or mark as done."""
        self._check("mark_done")
        await super().mark_done(key, retention=retention)

    async def release(self, key: str, owner: str) -> None:
        """Fail, or release."""
        self._check("release")
        await super().release(key, owner)

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Fail, or register."""
        self._check("register_nonce")
        return await super().register_nonce(nonce, digest, retention=retention)


class HangingStore(MemoryStore):
    """Store whose methods named in ``hangs`` do not return before ``resumed`` is set."""

    def __init__(self, *hangs: str) -> None:
        super().__init__()
        self.hangs = set(hangs)
        self.hanging = asyncio.Event()
        self.resumed = asyncio.Event()

    async def _wait(self, name: str) -> None:
        if name in self.hangs:
            self.hanging.set()
            await self.resumed.wait()

    async def mark_done(self, key: str, *, retention: float) -> None:
        """Hang, or mark as done."""
        await self._wait("mark_done")
        await super().mark_done(key, retention=retention)

    async def release(self, key: str, owner: str) -> None:
        """Hang, or release."""
        await self._wait("release")
        await super().release(key, owner)


@pytest.mark.parametrize("fails", ["claim", "register_nonce"])
async def test_store_failure_before_handling(fails: str) -> None:
    """If the store fails, nothing is handled and the sender must retry."""
    handler, store = Handler(), FailingStore(fails, "release")
    receiver = make_receiver(handler, store=store)
    assert rejection(await deliver(receiver)) == (503, 91000, "store_failed")
    assert handler.deliveries == []
    store.fails.clear()
    assert await deliver(receiver) == SUCCESS


async def test_store_failure_after_handling() -> None:
    """A notification that was handled but not marked is not acknowledged; a later delivery only marks it."""
    handler, store = Handler(), FailingStore("mark_done")
    receiver = make_receiver(handler, store=store)
    assert rejection(await deliver(receiver))[2] == "store_failed"
    assert rejection(await deliver(receiver))[2] == "store_failed"
    store.fails.clear()
    assert await deliver(receiver) == SUCCESS
    assert await deliver(make_receiver(handler, store=store)) == SUCCESS
    assert len(handler.deliveries) == 1


async def test_release_failure(caplog: pytest.LogCaptureFixture) -> None:
    """If releasing a claim fails after the handler did, the handler's failure is reported and the lease remains."""
    handler, store = Handler(fails=1), FailingStore("release")
    receiver = make_receiver(handler, store=store)
    assert rejection(await deliver(receiver))[2] == "handler_failed"
    assert rejection(await deliver(receiver))[2] == "busy"
    assert "could not release a claim, which now lasts until its lease expires: ConnectionError" in caplog.text
    assert "password" not in caplog.text


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 1)), max_size=30))
@settings(deadline=None)
def test_any_sequence_of_failures(history: list[tuple[str, bool, int]]) -> None:
    """Whichever handlers fail, in any worker: each order succeeds once, and is acknowledged from then on."""

    async def replay() -> None:
        succeeded: list[str] = []
        works = True

        async def handler(delivery: NotificationDelivery[IdentityNotification]) -> None:
            if not works:
                raise LookupError
            succeeded.append(delivery.notification.order_no or "")

        store = MemoryStore()
        workers = [NotificationReceiver(handler, urls=URLS, store=store) for _ in range(2)]
        for order, works, worker in history:  # read by the handler
            reply = await workers[worker].receive(make_body(orderNo=order), {}, notification_path(order))
            assert (reply == SUCCESS) == (order in succeeded)
            assert works <= (reply == SUCCESS)
        assert len(succeeded) == len(set(succeeded))

    asyncio.run(replay())


async def test_authentication_by_url() -> None:
    """With ``urls`` alone the path authenticates and identifies the request, and no header is required."""
    handler = Handler()
    receiver = NotificationReceiver(handler, urls=URLS)
    assert await receiver.receive(BODY, {}, notification_path("client-1").encode()) == SUCCESS
    assert await receiver.receive(BODY, {}, notification_path("client-1")) == SUCCESS
    (delivery,) = handler.deliveries
    assert (delivery.client_request_id, delivery.key) == ("client-1", "client-1:ORDER-1:1")


async def test_one_url_cannot_suppress_the_notification_of_another() -> None:
    """A body that names the order of another request is not a duplicate of that request's notification."""
    handler = Handler()
    receiver = NotificationReceiver(handler, urls=URLS)
    assert await receiver.receive(BODY, {}, notification_path("client:2")) == SUCCESS
    assert await receiver.receive(BODY, {}, notification_path("client-1")) == SUCCESS
    assert [delivery.key for delivery in handler.deliveries] == ["client%3A2:ORDER-1:1", "client-1:ORDER-1:1"]


async def test_page_url_is_rejected() -> None:
    """The URL known to the operator's browser is not accepted for notifications."""
    request = URLS.bind(CorpIdentLinkRequest(client_request_id="client-1"))
    page = urlsplit(request.callback_page or "").path
    receiver = NotificationReceiver(Handler(), urls=URLS)
    assert rejection(await receiver.receive(BODY, {}, page)) == (401, 26000, "unknown_path")


async def test_authentication_by_url_and_signature() -> None:
    """With both configured, both checks must pass; neither is a fallback for the other."""
    handler = Handler()
    receiver = make_receiver(handler, urls=URLS)
    path = notification_path("client-1")
    assert rejection(await deliver(receiver)) == (401, 26000, "unknown_path")
    assert rejection(await receiver.receive(BODY, {}, path)) == (400, 21000, "header_missing")
    assert rejection(await deliver(receiver, by=private_key(number=1), path=path)) == (401, 26000, "bad_signature")
    assert handler.deliveries == []
    assert await deliver(receiver, path=path) == SUCCESS
    assert handler.deliveries[0].client_request_id == "client-1"


async def test_contract_events() -> None:
    """With a `ContractEventVerifier` each content is handled once, since events have no id."""
    handler = Handler()
    receiver = NotificationReceiver(handler, verifier=ContractEventVerifier([private_key().public_key()]))
    later = make_body(SIGNED, contractStatus="COMPLETE")
    for body in (make_body(SIGNED), make_body(SIGNED), later):
        assert await receiver.receive(body, signed_event_headers(body), "/any/path") == SUCCESS
    first, second = handler.deliveries
    assert isinstance(first.notification, ContractEvent)
    assert first.key != second.key
    assert rejection(await receiver.receive(later, signed_event_headers(BODY), "/")) == (401, 26000, "bad_signature")


async def test_store_shared_by_both_kinds() -> None:
    """Receivers of identity notifications and of contract events may share a store."""
    handler, store = Handler(), MemoryStore()
    body = make_body(SIGNED)
    await deliver(make_receiver(handler, store=store))
    events = NotificationReceiver(handler, verifier=ContractEventVerifier([private_key().public_key()]), store=store)
    assert await events.receive(body, signed_event_headers(body), "/") == SUCCESS
    assert len(handler.deliveries) == 2


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "urls or verifier is required"),
        (
            {"urls": URLS, "verifier": ContractEventVerifier([private_key().public_key()])},
            "urls cannot be combined with a ContractEventVerifier",
        ),
        ({"urls": URLS, "lease": 0}, "lease must be more than 0"),
        ({"urls": URLS, "reply_timeout": -1}, "reply_timeout must be more than 0"),
        ({"urls": URLS, "retention": float("nan")}, "retention must be more than 0"),
        ({"urls": URLS, "max_body": 0}, "max_body must be more than 0"),
        ({"urls": URLS, "body_timeout": 0}, "body_timeout must be more than 0"),
    ],
)
def test_invalid_settings(options: dict[str, Any], problem: str) -> None:
    """Settings that authenticate nothing, or are out of range, raise when the receiver is created."""
    with pytest.raises(ValueError, match=f"^{problem}"):
        NotificationReceiver(Handler(), **options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"clock": 5}, "clock must be a function that returns the seconds since the epoch, not int"),
        ({"clock": asyncio.sleep}, "clock must be a plain function"),
        ({"store": MemoryStore}, r"store must be an instance, such as MemoryStore\(\), not the class MemoryStore"),
        (
            {"store": {}},
            "store must be a NotificationStore, .*: a dict lacks claim, mark_done, release, register_nonce",
        ),
        ({"store": Mock(spec=["claim", "release"])}, "store must be .*: a Mock lacks mark_done, register_nonce"),
        ({"on_rejected": "log"}, "on_rejected must be a function of a CallbackRejected, or None, not str"),
        ({"lease": "60"}, "lease must be a number, not str"),
        ({"reply_timeout": None}, "reply_timeout must be a number, not NoneType"),
        ({"body_timeout": True}, "body_timeout must be a number, not bool"),
    ],
)
def test_settings_of_the_wrong_type(options: dict[str, Any], problem: str) -> None:
    """A setting of the wrong type raises when the receiver is created, and not with the first notification."""
    with pytest.raises(TypeError, match=f"^{problem}"):
        NotificationReceiver(Handler(), **{"urls": URLS, **options})


@pytest.mark.parametrize("clock", ["12:00", asyncio.sleep])
def test_clocks_of_the_wrong_type(clock: Any) -> None:
    """The clocks of verifiers and stores are plain functions, too."""
    with pytest.raises(TypeError, match=r"^clock must be a .*function that returns the seconds since the epoch"):
        CallbackVerifier([private_key().public_key()], app_id=APP_ID, clock=clock)
    with pytest.raises(TypeError, match=r"^clock must be a .*function that returns monotonic seconds"):
        MemoryStore(clock=clock)


async def test_max_body() -> None:
    """A body of more than ``max_body`` bytes is rejected before it is parsed."""
    handler = Handler()
    receiver = make_receiver(handler, max_body=len(BODY))
    assert await deliver(receiver) == SUCCESS
    assert rejection(await receiver.receive(BODY + b" ", {}, PATH)) == (400, 23000, "body_too_large")
    assert rejection(await make_receiver(handler).receive(b" " * 16_385, {}, PATH))[2] == "body_too_large"


def test_default_limits() -> None:
    """A body of an identity notification may have 16 KiB, one of a contract event 64 KiB; each has 10 s to arrive."""
    events = NotificationReceiver(Handler(), verifier=ContractEventVerifier([private_key().public_key()]))
    assert (events.max_body, events.body_timeout) == (65_536, 10)
    assert (make_receiver(Handler()).max_body, NotificationReceiver(Handler(), urls=URLS).max_body) == (16_384, 16_384)
    assert (make_receiver(Handler(), max_body=5).max_body, make_receiver(Handler(), body_timeout=2).body_timeout) == (
        5,
        2,
    )


@pytest.mark.parametrize(
    ("change", "path", "expected"),
    [
        ({"sign": None}, PATH, (400, 21000, "header_missing")),
        ({"SIGN": "x"}, PATH, (400, 23000, "header_repeated")),
        ({"appId": "other"}, PATH, (401, 41000, "wrong_app")),
        ({"timestamp": "1"}, PATH, (401, 41001, "stale")),
        ({"nonce": "n" * 257}, PATH, (400, 23000, "header_malformed")),
        ({"sign": "AAAA"}, PATH, (401, 26000, "bad_signature")),
        ({"sign": "A" * 65_536}, PATH, (401, 26000, "bad_signature")),
        ({}, b"/\xff", (401, 26000, "unknown_path")),
    ],
)
async def test_precheck(change: dict[str, str | None], path: str | bytes, expected: tuple[int, int, str]) -> None:
    """What path and headers give away is rejected and reported before the body is read, in the same way as with it."""
    rejected: list[CallbackRejected] = []
    receiver = make_receiver(Handler(), on_rejected=rejected.append)
    headers = {name: value for name, value in {**signed_headers(BODY), **change}.items() if value is not None}
    reply = await receiver.precheck(headers, path)
    assert reply is not None
    assert rejection(reply) == expected
    assert [problem.reason for problem in rejected] == [expected[2]]
    assert rejection(await receiver.receive(b"{", headers, path)) == expected


async def test_precheck_of_each_kind() -> None:
    """A request whose path and headers are valid passes; one for another path or without a signature does not."""
    by_url = NotificationReceiver(Handler(), urls=URLS)
    events = NotificationReceiver(Handler(), verifier=ContractEventVerifier([private_key().public_key()]))
    body = make_body(SIGNED)
    assert await make_receiver(Handler()).precheck(signed_headers(BODY), PATH) is None
    assert await by_url.precheck({}, notification_path("client-1")) is None
    assert await events.precheck(signed_event_headers(body), "/any/path") is None
    replies = [await by_url.precheck({}, "/n/forged.mac"), await events.precheck({"sign": "AAAA"}, "/any/path")]
    assert [reply and rejection(reply)[2] for reply in replies] == ["unknown_path", "bad_signature"]
    await by_url.aclose()
    reply = await by_url.precheck({}, notification_path("client-1"))
    assert reply is not None
    assert rejection(reply) == (503, 91000, "closing")


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (BODY, {}, (400, 21000, "header_missing")),
        (BODY, [*signed_headers(BODY).items(), ("sign", "x")], (400, 23000, "header_repeated")),
        (BODY, {**signed_headers(BODY), "timestamp": "soon"}, (400, 41001, "timestamp_malformed")),
        (BODY, {**signed_headers(BODY), "appId": "other"}, (401, 41000, "wrong_app")),
        (BODY, {**signed_headers(BODY), "sign": "no base64"}, (401, 26000, "bad_signature")),
        (BODY, signed_headers(BODY, by=private_key(1024, 1)), (401, 26000, "bad_signature")),
        ("张".encode("gbk"), signed_headers(BODY), (400, 25000, "body_malformed")),
        (b"[]", signed_headers(b"[]"), (400, 25000, "body_malformed")),
    ],
)
async def test_invalid_input(body: bytes, headers: Any, expected: tuple[int, int, str]) -> None:
    """Invalid input is rejected in the platform's envelope and reported, without calling the handler or the store."""
    rejected: list[CallbackRejected] = []
    handler, store = Handler(), MemoryStore()
    receiver = make_receiver(handler, store=store, on_rejected=rejected.append)
    assert rejection(await receiver.receive(body, headers, PATH)) == expected
    assert [(problem.http_status, problem.code, problem.reason) for problem in rejected] == [expected]
    assert (handler.deliveries, len(store)) == ([], 0)


async def test_request_that_could_not_be_read() -> None:
    """A body that an integration gave up reading is reported, and answered so that its sender retries."""
    rejected: list[CallbackRejected] = []
    receiver = make_receiver(Handler(), on_rejected=rejected.append)
    reply = await receiver.reject(RejectionReason.BODY_TIMEOUT, "10 s", path=PATH)
    assert rejection(reply) == (503, 91000, "body_timeout")
    assert [str(problem) for problem in rejected] == ["the body took too long to arrive: 10 s"]


async def test_rejection_carries_the_time() -> None:
    """A rejection carries this machine's time, from which a sender can tell its clock offset."""
    receiver = make_receiver(Handler(), clock=Clock(NOW + 400.0))
    assert orjson.loads((await deliver(receiver)).body) == {
        "code": 41001,
        "message": "stale",
        "result": None,
        "timestamp": 1_750_000_400_000,
    }


async def test_asynchronous_on_rejected() -> None:
    """``on_rejected`` may be asynchronous, and gets the handler's exception as the cause."""
    rejected = []

    async def hook(problem: CallbackRejected) -> None:
        await asyncio.sleep(0)
        rejected.append(problem)

    await deliver(make_receiver(Handler(fails=1), on_rejected=hook))
    assert [type(problem.__cause__) for problem in rejected] == [LookupError]


async def test_on_rejected_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """An exception in ``on_rejected`` is logged and does not change the reply."""

    def hook(_: CallbackRejected) -> None:
        raise ValueError("13800138000")

    assert rejection(await make_receiver(Handler(), on_rejected=hook).receive(BODY, {}, PATH))[2] == "header_missing"
    assert f"on_rejected raised ValueError at {__file__}:" in caplog.text
    assert "13800138000" not in caplog.text


@pytest.mark.parametrize("error", [LibraryStop(), asyncio.CancelledError(), GeneratorExit()])
async def test_on_rejected_that_raises_a_base_exception(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """An exception of any kind in ``on_rejected`` does not change the reply."""
    receiver = make_receiver(Handler(), on_rejected=lambda _: raise_error(error))
    assert rejection(await receiver.receive(BODY, {}, PATH))[2] == "header_missing"
    assert f"on_rejected raised {type(error).__name__} at" in caplog.text


def test_on_rejected_that_ends_the_process() -> None:
    """`SystemExit` in ``on_rejected`` ends the process."""
    receiver = make_receiver(Handler(), on_rejected=lambda _: raise_error(SystemExit(3)))
    with pytest.raises(SystemExit):
        asyncio.run(receiver.receive(BODY, {}, PATH))


async def test_on_rejected_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """``on_rejected`` delays the reply by no more than the reply timeout."""

    async def hook(_: CallbackRejected) -> None:
        await asyncio.Event().wait()

    receiver = make_receiver(Handler(), on_rejected=hook, reply_timeout=0.01)
    assert rejection(await receiver.receive(BODY, {}, PATH))[2] == "header_missing"
    assert "on_rejected raised TimeoutError" in caplog.text


async def test_cancelled_request_during_on_rejected() -> None:
    """Cancelling a request that is being reported cancels the hook and passes through."""
    started = asyncio.Event()

    async def hook(_: CallbackRejected) -> None:
        started.set()
        await asyncio.Event().wait()

    receiver = make_receiver(Handler(), on_rejected=hook)
    request = asyncio.create_task(receiver.receive(BODY, {}, PATH))
    await started.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_rejection_keeps_no_frames() -> None:
    """A reported rejection has no traceback, whose frames would hold the body and the URL."""
    rejected: list[CallbackRejected] = []
    receiver = make_receiver(Handler(), on_rejected=rejected.append)
    await receiver.receive(BODY, {**signed_headers(BODY), "sign": "AAAA"}, PATH)
    assert [problem.__traceback__ for problem in rejected] == [None]


async def test_replaced_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recorded notification is accepted, and forgotten later, by tests that replace the functions of ``time``."""
    handler = Handler()
    verifier = CallbackVerifier([private_key().public_key()], app_id=APP_ID)
    receiver = NotificationReceiver(handler, verifier=verifier, retention=100)
    assert rejection(await deliver(receiver))[2] == "stale"
    monkeypatch.setattr(time, "time", lambda: NOW)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    assert await deliver(receiver) == SUCCESS
    assert orjson.loads((await receiver.receive(BODY, {}, PATH)).body)["timestamp"] == NOW * 1000
    monkeypatch.setattr(time, "monotonic", lambda: 101.0)
    assert await deliver(receiver) == SUCCESS
    assert len(handler.deliveries) == 2


async def test_body_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each body is parsed and written in canonical form once; one whose signature is malformed, not at all."""
    parsed: list[bytes] = []

    def count(body: bytes) -> object:
        parsed.append(body)
        return load_json(body)

    monkeypatch.setattr(parsing, "load_json", count)
    receiver = make_receiver(Handler())
    assert rejection(await receiver.receive(BODY, {**signed_headers(BODY), "sign": "AAAA"}, PATH))[2] == "bad_signature"
    assert parsed == []
    assert await deliver(receiver) == SUCCESS
    assert parsed == [BODY]


async def test_log_records(caplog: pytest.LogCaptureFixture) -> None:
    """A handler's failure is logged as an error with its place, without its message or personal data."""
    caplog.set_level(logging.INFO, "kfq_async")
    receiver = make_receiver(Handler(fails=1))
    await deliver(receiver)
    await receiver.receive(BODY, {}, PATH)
    failed, missing = package_records(caplog)
    assert (failed.levelname, missing.levelname) == ("ERROR", "INFO")
    assert failed.getMessage().startswith(f"notification rejected: the handler failed: LookupError at {__file__}:")
    assert missing.getMessage() == "notification rejected: a header is missing or blank: appId"
    assert failed.getMessage().endswith("; the sender was asked to retry; order_no=ORDER-1 status=1")
    assert [secret for secret in ("13800138000", "张三") if secret in caplog.text] == []


async def test_log_of_a_handler_that_outlasts_aclose(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that was cancelled by the close of its receiver is told from one that failed."""
    handler = Handler()
    handler.gate.clear()
    receiver = NotificationReceiver(handler, urls=URLS)
    request = asyncio.create_task(receiver.receive(BODY, {}, notification_path("client-1")))
    await handler.started.wait()
    await receiver.aclose(within=0)
    await request
    (record,) = package_records(caplog)
    assert record.getMessage().startswith(
        "notification rejected: the handler failed: cancelled, since the receiver was closed, and close_within "
        "(within= of aclose) expired; the notification was released; interrupted at "
    )
    assert record.getMessage().endswith(
        "; the sender was asked to retry; client_request_id=client-1 order_no=ORDER-1 status=1"
    )
    assert vars(record)["error"] == "CancelledError"


async def test_log_of_a_store_that_outlasts_aclose(caplog: pytest.LogCaptureFixture) -> None:
    """A store that was cancelled by the close is told from one that failed; the handler has run."""
    store = HangingStore("mark_done")
    receiver = make_receiver(Handler(), store=store)
    request = asyncio.create_task(deliver(receiver))
    await store.hanging.wait()
    await receiver.aclose(within=0)
    await request
    (record,) = package_records(caplog)
    assert "the store failed: cancelled, since the receiver was closed, " in record.getMessage()
    assert "released" not in record.getMessage()


async def test_log_of_a_slow_handler(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that outlasts its reply is logged with the limit that it met."""
    caplog.set_level(logging.INFO, "kfq_async")
    handler = Handler()
    handler.gate.clear()
    receiver = make_receiver(handler, reply_timeout=0.01)
    await deliver(receiver)
    handler.gate.set()
    await receiver.aclose()
    (record,) = package_records(caplog)
    assert record.getMessage().startswith(
        "notification rejected: the handler is still running: after reply_timeout=0.01 s; it continues; "
        "the sender was asked to retry; "
    )


async def test_id_of_a_rejected_request() -> None:
    """The id of an authentic URL is reported whatever else is wrong; a foreign URL has none."""
    hooks = Recorder()
    verifier = CallbackVerifier([private_key().public_key()], app_id=APP_ID, clock=Clock())
    receiver = NotificationReceiver(Handler(), urls=URLS, verifier=verifier, hooks=[hooks], max_body=10)
    path = notification_path("client-1")
    await receiver.reject(RejectionReason.BODY_TIMEOUT, path=path)
    await receiver.reject(RejectionReason.BODY_TIMEOUT, path="/n/foreign")
    await receiver.precheck({}, path)
    await receiver.receive(bytes(11), {}, path)
    await receiver.aclose()
    await receiver.receive(b"{}", {}, path)
    assert [(event.reason, event.client_request_id) for event in hooks.events] == [
        ("body_timeout", "client-1"),
        ("body_timeout", None),
        ("header_missing", "client-1"),
        ("body_too_large", "client-1"),
        ("closing", "client-1"),
    ]


async def test_log_records_at_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    """At level DEBUG each notification is one line with its ids, which are attributes of the record too."""
    caplog.set_level(logging.DEBUG, "kfq_async")
    receiver = NotificationReceiver(Handler(), urls=URLS)
    path = notification_path("client-1")
    for body in (BODY, BODY, b"{"):
        await receiver.receive(body, {}, path)
    handled, repeated, refused = package_records(caplog)
    assert re.fullmatch(
        r"notification handled in 0\.\d{3} s; client_request_id=client-1 order_no=ORDER-1 status=1",
        handled.getMessage(),
    )
    assert repeated.getMessage().startswith("notification repeated in ")
    assert refused.getMessage().endswith("; client_request_id=client-1")
    assert [record.levelname for record in (handled, repeated, refused)] == ["DEBUG", "DEBUG", "INFO"]
    assert vars(handled)["key"] == "client-1:ORDER-1:1"
    assert (vars(refused)["outcome"], vars(refused)["reason"]) == ("refused", "body_malformed")
    assert [
        secret for secret in ("13800138000", "张三", path) if secret in str([vars(r) for r in caplog.records])
    ] == []


async def test_log_records_are_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """An order number with a line break does not begin another line."""
    caplog.set_level(logging.DEBUG, "kfq_async")
    await deliver(make_receiver(Handler()), make_body(orderNo="a\nERROR forged"))
    assert all("\n" not in record.getMessage() for record in package_records(caplog))


@pytest.mark.parametrize(
    ("changes", "order_no", "status", "key"),
    [
        ({"orderStatus": "13800138000"}, "ORDER-1", "***", "***"),
        ({"orderNo": "13800138000"}, "***", "1", "***"),
        ({"orderNo": "https://h.example/?token=SECRET"}, "***", "1", "***"),
        ({"orderStatus": 77}, "ORDER-1", "77", "client-1:ORDER-1:77"),
    ],
)
async def test_values_in_place_of_ids(
    changes: dict[str, Any], order_no: str, status: str, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not have the form of an id or a state is masked in logs and events, also of authentic notifications."""
    caplog.set_level(logging.DEBUG, "kfq_async")
    hooks, handler = Recorder(), Handler()
    receiver = NotificationReceiver(handler, urls=URLS, hooks=[hooks])
    await receiver.receive(make_body(**changes), {}, notification_path("client-1"))
    (event,), (record,) = hooks.events, package_records(caplog)
    assert (event.order_no, event.status, event.key) == (order_no, status, key)
    assert record.getMessage().endswith(f"; client_request_id=client-1 order_no={order_no} status={status}")
    assert not any(value in f"{event} {vars(record)}" for value in ("13800138000", "SECRET"))
    assert handler.finished == 1


async def test_values_in_place_of_the_ids_of_an_event(caplog: pytest.LogCaptureFixture) -> None:
    """The same holds for contract events, whose key is a digest."""
    caplog.set_level(logging.DEBUG, "kfq_async")
    hooks = Recorder()
    receiver = NotificationReceiver(
        Handler(), verifier=ContractEventVerifier([private_key().public_key()]), hooks=[hooks]
    )
    body = make_body({**SIGNED, "contractId": "13800138000", "callbackType": "手机号13800138000"})
    await receiver.receive(body, signed_event_headers(body), "/")
    (event,), (record,) = hooks.events, package_records(caplog)
    assert (event.contract_id, event.status, len(event.key or "")) == ("***", "***", 64)
    assert "13800138000" not in f"{event} {vars(record)}"


class Recorder(Hooks):
    """Keeps the events of notifications."""

    def __init__(self) -> None:
        self.events: list[NotificationEvent] = []

    def on_notification(self, event: NotificationEvent) -> None:
        """Keep an event."""
        self.events.append(event)

    def outcomes(self) -> list[tuple[str, str | None, str | None, int]]:
        """Return outcome, reason, error and HTTP status of each event."""
        return [(event.outcome, event.reason, event.error, event.http_status) for event in self.events]


async def test_hooks() -> None:
    """Each notification is reported with its outcome and its ids, and with nothing personal."""
    hooks, handler = Recorder(), Handler(fails=1)
    receiver = NotificationReceiver(handler, urls=URLS, hooks=[Hooks(), hooks])
    path = notification_path("client-1")
    for _ in range(3):
        await receiver.receive(BODY, {}, path)
    await receiver.receive(b"[]", {}, path)
    await receiver.precheck({}, "/foreign")
    await receiver.reject(RejectionReason.BODY_TOO_LARGE)
    assert hooks.outcomes() == [
        ("failed", "handler_failed", "LookupError", 503),
        ("handled", None, None, 200),
        ("repeated", None, None, 200),
        ("refused", "body_malformed", None, 400),
        ("refused", "unknown_path", None, 401),
        ("refused", "body_too_large", None, 400),
    ]
    failed, handled, _, malformed, foreign, _ = hooks.events
    assert (failed.client_request_id, failed.order_no, failed.status, failed.key) == (
        "client-1",
        "ORDER-1",
        "1",
        "client-1:ORDER-1:1",
    )
    assert (handled.kind, handled.contract_id) == ("identity", None)
    assert (malformed.client_request_id, malformed.order_no, malformed.key) == ("client-1", None, None)
    assert (foreign.client_request_id, foreign.seconds) == (None, 0)
    assert handled.seconds > 0
    assert [secret for secret in ("13800138000", "张三", "110101199001011234") if secret in repr(hooks.events)] == []


async def test_hooks_of_contract_events() -> None:
    """Contract events are reported with contract and kind of event."""
    hooks = Recorder()
    verifier = ContractEventVerifier([private_key().public_key()])
    receiver = NotificationReceiver(Handler(), verifier=verifier, hooks=[hooks])
    body = make_body(SIGNED)
    await receiver.receive(body, signed_event_headers(body), "/")
    await receiver.receive(body, {}, "/")
    handled, refused = hooks.events
    assert (handled.kind, handled.contract_id, handled.status, handled.order_no) == (
        "contract",
        "C1",
        "SUBMIT_SIGN",
        None,
    )
    assert (refused.kind, refused.contract_id, refused.reason) == ("contract", None, "header_missing")
    assert "李四" not in repr(hooks.events)


async def test_hooks_of_a_notification_without_order_and_status() -> None:
    """Fields that were not sent are ``None``."""
    hooks = Recorder()
    await deliver(make_receiver(Handler(), hooks=[hooks]), b"{}")
    (event,) = hooks.events
    assert (event.outcome, event.order_no, event.status) == ("handled", None, None)


async def test_hooks_of_a_slow_handler() -> None:
    """A notification whose handler is still running is in doubt, and reported again when the handler has returned."""
    hooks, handler = Recorder(), Handler()
    handler.gate.clear()
    receiver = make_receiver(handler, reply_timeout=0.01, hooks=[hooks])
    await deliver(receiver)
    await deliver(receiver)
    handler.gate.set()
    await receiver.aclose()
    await deliver(receiver)
    assert hooks.outcomes() == [
        ("in_doubt", "unfinished", None, 503),
        ("refused", "busy", None, 503),
        ("handled", None, None, 200),
        ("refused", "closing", None, 503),
    ]


async def test_hooks_of_a_failing_store() -> None:
    """A store that fails after the handler leaves the notification in doubt; before it, the notification failed."""
    hooks, store = Recorder(), FailingStore("mark_done")
    receiver = make_receiver(Handler(), store=store, hooks=[hooks])
    await deliver(receiver)
    store.fails = {"register_nonce"}
    await deliver(receiver, make_body(orderStatus=3), nonce="nonce-2")
    store.fails.clear()
    await deliver(receiver)
    assert hooks.outcomes() == [
        ("in_doubt", "store_failed", "ConnectionError", 503),
        ("failed", "store_failed", "ConnectionError", 503),
        ("repeated", None, None, 200),
    ]


async def test_hooks_of_a_handler_that_returns_no_awaitable() -> None:
    """It has run, and whether it succeeded cannot be told."""
    hooks = Recorder()

    @functools.wraps(Handler.__call__)
    def handler(_: NotificationDelivery[IdentityNotification]) -> None:
        pass

    await deliver(make_receiver(handler, hooks=[hooks]))
    assert hooks.outcomes() == [("in_doubt", "handler_failed", None, 503)]


async def test_failing_hooks(caplog: pytest.LogCaptureFixture) -> None:
    """What a hook raises is logged by its name, and the notification is handled."""

    class Broken(Hooks):
        def on_notification(self, event: NotificationEvent) -> None:
            raise LookupError(event.order_no)

    assert await deliver(make_receiver(Handler(), hooks=[Broken()])) == SUCCESS
    assert [record.getMessage() for record in package_records(caplog)] == ["Broken.on_notification raised LookupError"]


async def test_repr_of_a_delivery_hides_personal_data() -> None:
    """A `NotificationDelivery` can be logged without disclosing personal data."""
    handler = Handler()
    await deliver(make_receiver(handler))
    assert [
        secret for secret in ("13800138000", "张三", "110101199001011234") if secret in repr(handler.deliveries)
    ] == []
