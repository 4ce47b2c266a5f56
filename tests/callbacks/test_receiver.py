"""`NotificationReceiver`: at least once, never twice, and an answer that says which."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
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
    IdentityNotification,
    MemoryStore,
    NotificationDelivery,
    NotificationReceiver,
    Reply,
)
from kfq_async.callbacks.stores_redis import RedisStore
from senders import APP_ID, NOW, PATH, SIGNED, body_of, event_signed, key, signed

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from kfq_async.callbacks import Claim, NotificationStore

BODY = body_of()
SUCCESS = Reply(200, b"success")
URLS = CallbackUrls([b"a secret of 32 random bytes....."], page="https://a.example/p", notify="https://a.example/n")


class Clock:
    """Shows the seconds that a test sets."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Handler:
    """A handler that does as it is told."""

    def __init__(self, *, fails: int = 0) -> None:
        self.seen: list[NotificationDelivery[Any]] = []
        self.finished = 0
        self.fails = fails
        self.started = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, received: NotificationDelivery[Any]) -> None:
        """Handle a notification, or fail."""
        self.seen.append(received)
        self.started.set()
        await self.gate.wait()
        if len(self.seen) <= self.fails:
            raise LookupError("手机号13800138000")
        self.finished += 1


def receiver(handler: Any, *, clock: Clock | None = None, **options: Any) -> NotificationReceiver:
    """Make a receiver that demands a signature."""
    verifier = CallbackVerifier([key().public_key()], app_id=APP_ID, clock=clock or Clock())
    return NotificationReceiver(handler, **{"verifier": verifier, **options})


async def deliver(to: NotificationReceiver, body: bytes = BODY, path: str = PATH, **options: Any) -> Reply:
    """Deliver a notification as its sender would."""
    return await to.receive(body, signed(body, path=path, **options), path)


def refusal(reply: Reply) -> tuple[int, int, str]:
    """Return what a refusing answer says: HTTP status, the platform's number, and the reason."""
    envelope = orjson.loads(reply.body)
    assert envelope.keys() == {"code", "message", "result", "timestamp"}
    assert reply.content_type == "application/json"
    return reply.status, envelope["code"], envelope["message"]


def path_of(request_id: str) -> str:
    """Return the path of the notification URL of a request."""
    return urlsplit(URLS.bind(CorpIdentLinkRequest(client_request_id=request_id)).auth_callback_url or "").path


async def test_a_notification_is_handled_and_acknowledged() -> None:
    """The handler gets the notification and its key, and the sender reads the bare ``success`` afterwards."""
    handler = Handler()
    reply = await deliver(receiver(handler))
    assert reply == SUCCESS
    assert reply.content_type == "text/plain; charset=utf-8"
    (received,) = handler.seen
    assert isinstance(received.notification, IdentityNotification)
    assert (received.notification.order_no, received.key, received.client_request_id) == ("ORDER-1", "ORDER-1:1", None)


@pytest.mark.parametrize("seconds", [1, 299])
async def test_the_same_notification_again(seconds: float) -> None:
    """A notification that comes again while it is fresh is acknowledged without the handler."""
    handler, clock = Handler(), Clock()
    to = receiver(handler, clock=clock)
    assert await deliver(to) == SUCCESS
    clock.now += seconds
    assert await deliver(to) == SUCCESS
    assert len(handler.seen) == 1


async def test_the_same_notification_after_301_seconds() -> None:
    """The very same request after more than 300 seconds is stale: a recording is worth nothing then."""
    handler, clock = Handler(), Clock()
    to = receiver(handler, clock=clock)
    assert await deliver(to) == SUCCESS
    clock.now += 301
    assert refusal(await deliver(to)) == (401, 41001, "stale")
    assert len(handler.seen) == 1


async def test_signed_anew() -> None:
    """The same order in the same status, signed anew with another nonce, is the same notification."""
    handler, clock = Handler(), Clock()
    to = receiver(handler, clock=clock)
    assert await deliver(to) == SUCCESS
    clock.now += 3600
    later = str(round(clock.now * 1000))
    assert await deliver(to, body_of(verifyTime="x"), nonce="nonce-2", timestamp=later) == SUCCESS
    assert len(handler.seen) == 1


async def test_another_status_is_another_notification() -> None:
    """Each status of an order is handled, and so is each order."""
    handler = Handler()
    to = receiver(handler)
    changes: list[dict[str, Any]] = [{"orderStatus": 2}, {"orderStatus": 1}, {"orderNo": "ORDER:1"}]
    for number, change in enumerate(changes):
        assert await deliver(to, body_of(**change), nonce=f"nonce-{number}") == SUCCESS
    assert [received.key for received in handler.seen] == ["ORDER-1:2", "ORDER-1:1", "ORDER%3A1:1"]


async def test_what_names_no_order() -> None:
    """A notification without order or status is known by its content."""
    handler = Handler()
    to = receiver(handler)
    for number, body in enumerate([b'{"unionId":"u","userType":1}', b'{"userType": 1, "unionId": "u"}', b"{}"]):
        assert await deliver(to, body, nonce=f"nonce-{number}") == SUCCESS
    assert len(handler.seen) == 2
    assert all(len(received.key) == 64 for received in handler.seen)


async def test_a_known_nonce_with_another_body() -> None:
    """A nonce that has been used for something else is refused, although the signature is right."""
    handler = Handler()
    to = receiver(handler)
    assert await deliver(to) == SUCCESS
    assert refusal(await deliver(to, body_of(orderStatus=3))) == (401, 41002, "replayed")
    assert len(handler.seen) == 1


@pytest.mark.parametrize(("tolerance", "remembered"), [(300, 660), (None, 604_800)])
async def test_how_long_nonces_are_remembered(tolerance: float | None, remembered: float) -> None:
    """A nonce is remembered for as long as its timestamp can be valid, and as what is done where it always is."""
    verifier = CallbackVerifier([key().public_key()], app_id=APP_ID, tolerance=tolerance, clock=Clock())
    clock = Clock(0)
    to = receiver(Handler(), verifier=verifier, store=MemoryStore(clock=clock))
    assert await deliver(to) == SUCCESS
    clock.now = remembered - 1
    assert refusal(await deliver(to, body_of(orderStatus=3)))[2] == "replayed"
    clock.now = remembered
    assert await deliver(to, body_of(orderStatus=3)) == SUCCESS


async def test_while_the_first_is_still_being_handled() -> None:
    """A delivery that comes meanwhile is told to come again, at once, and no second handler runs."""
    handler = Handler()
    handler.gate.clear()
    to = receiver(handler)
    first = asyncio.create_task(deliver(to))
    await handler.started.wait()
    assert refusal(await deliver(to)) == (503, 91000, "busy")
    handler.gate.set()
    assert await first == SUCCESS
    assert await deliver(to) == SUCCESS
    assert len(handler.seen) == 1


async def test_a_handler_that_outlasts_its_lease() -> None:
    """In one process a handler at work is not run beside itself, even if its lease ran out."""
    handler, clock = Handler(), Clock(0)
    handler.gate.clear()
    to = receiver(handler, store=MemoryStore(clock=clock))
    first = asyncio.create_task(deliver(to))
    await handler.started.wait()
    clock.now = 3600
    assert refusal(await deliver(to))[2] == "busy"
    handler.gate.set()
    assert await first == SUCCESS
    assert await deliver(to) == SUCCESS
    assert len(handler.seen) == 1


async def test_after_the_handler_failed() -> None:
    """A failure is not acknowledged, and the next delivery runs the handler again, until one succeeds."""
    handler = Handler(fails=2)
    to = receiver(handler)
    assert refusal(await deliver(to)) == (503, 91000, "handler_failed")
    assert refusal(await deliver(to)) == (503, 91000, "handler_failed")
    assert await deliver(to) == SUCCESS
    assert await deliver(to) == SUCCESS
    assert (len(handler.seen), handler.finished) == (3, 1)


async def test_a_handler_that_was_cancelled_inside() -> None:
    """Something that the handler awaited was cancelled: that is a failure like any other."""
    calls = []

    async def handler(received: NotificationDelivery[IdentityNotification]) -> None:
        calls.append(received)
        if len(calls) == 1:
            raise asyncio.CancelledError

    to = receiver(handler)
    assert refusal(await deliver(to))[2] == "handler_failed"
    assert await deliver(to) == SUCCESS


async def test_beyond_patience() -> None:
    """A handler that needs longer goes on to its end; its sender is told to come again, and then ``success``."""
    handler = Handler()
    handler.gate.clear()
    to = receiver(handler, reply_timeout=0.01)
    assert refusal(await deliver(to)) == (503, 91000, "unfinished")
    assert refusal(await deliver(to)) == (503, 91000, "busy")
    handler.gate.set()
    await to.aclose()
    assert handler.finished == 1
    assert await deliver(receiver(handler, store=to._store)) == SUCCESS
    assert len(handler.seen) == 1


async def test_a_failure_beyond_patience() -> None:
    """A handler that fails after its sender was answered is reported all the same, and runs again."""
    rejected: list[CallbackRejected] = []
    handler = Handler(fails=1)
    handler.gate.clear()
    to = receiver(handler, reply_timeout=0.01, on_rejected=rejected.append)
    await deliver(to)
    handler.gate.set()
    async with asyncio.timeout(5):
        while len(rejected) < 2:  # noqa: ASYNC110  # the hook is called by nobody whom the test could await
            await asyncio.sleep(0)
        assert [problem.reason for problem in rejected] == ["unfinished", "handler_failed"]
        assert await deliver(to) == SUCCESS


async def test_the_sender_hangs_up() -> None:
    """A cancelled request leaves the handler at work, and closing waits for it."""
    handler = Handler()
    handler.gate.clear()
    to = receiver(handler)
    request = asyncio.create_task(deliver(to))
    await handler.started.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    handler.gate.set()
    await to.aclose()
    assert handler.finished == 1


async def test_closing() -> None:
    """After closing, which may be done twice, nothing more is accepted, and senders are told to come again."""
    handler = Handler()
    async with receiver(handler) as to:
        assert await deliver(to) == SUCCESS
    await to.aclose()
    assert refusal(await deliver(to)) == (503, 91000, "closing")


async def test_the_loop_ends_under_a_handler() -> None:
    """When everything is cancelled, as at the end of a program, the claim is given back for the next worker."""
    handler, store = Handler(), MemoryStore()
    handler.gate.clear()
    to = receiver(handler, store=store)
    request = asyncio.create_task(deliver(to))
    await handler.started.wait()
    (task,) = to._tasks
    task.cancel()
    assert refusal(await request) == (503, 91000, "unfinished")
    assert len(store) == 1, "the nonce"
    handler.gate.set()
    assert await deliver(receiver(handler, store=store)) == SUCCESS


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
def shared(request: pytest.FixtureRequest) -> NotificationStore:
    """A store that several workers use."""
    return MemoryStore() if request.param == "memory" else RedisStore(request.getfixturevalue("redis"))


async def test_in_another_worker(shared: NotificationStore) -> None:
    """What one worker is handling the other does not touch, and what one has handled the other acknowledges."""
    handler = Handler()
    handler.gate.clear()
    one, two = receiver(handler, store=shared), receiver(handler, store=shared)
    first = asyncio.create_task(deliver(one))
    await handler.started.wait()
    assert refusal(await deliver(two)) == (503, 91000, "busy")
    handler.gate.set()
    assert await first == SUCCESS
    assert await deliver(two) == SUCCESS
    assert refusal(await deliver(two, body_of(orderStatus=3)))[2] == "replayed"
    assert len(handler.seen) == 1


async def test_a_failure_in_another_worker(shared: NotificationStore) -> None:
    """What failed in one worker is handled by the other."""
    handler = Handler(fails=1)
    assert refusal(await deliver(receiver(handler, store=shared)))[2] == "handler_failed"
    assert await deliver(receiver(handler, store=shared)) == SUCCESS
    assert handler.finished == 1


async def test_a_burst_over_workers(shared: NotificationStore) -> None:
    """Of 100 deliveries at once to four workers one is handled, and whoever is told ``success`` was told the truth."""
    handler = Handler()
    workers = [receiver(handler, store=shared) for _ in range(4)]
    replies = await asyncio.gather(*(deliver(workers[number % 4]) for number in range(100)))
    assert handler.finished == len(handler.seen) == 1
    assert SUCCESS in replies
    assert {refusal(reply)[2] for reply in replies if reply != SUCCESS} <= {"busy"}


VICTIM = """
import asyncio, sys
from redis.asyncio import Redis
from kfq_async.callbacks.stores_redis import RedisStore
from senders import *
from kfq_async import CallbackVerifier, NotificationReceiver

async def handler(received):
    print(received.key, flush=True)
    await asyncio.Event().wait()

async def main():
    store = RedisStore(Redis(host="127.0.0.1", port=int(sys.argv[1])))
    verifier = CallbackVerifier([key().public_key()], app_id=APP_ID, clock=lambda: NOW)
    await NotificationReceiver(handler, verifier=verifier, store=store, reply_timeout=60).receive(
        body_of(), signed(body_of()), PATH
    )

asyncio.run(main())
"""


async def test_after_a_worker_was_killed_in_the_middle(redis: Redis, redis_port: int) -> None:
    """A worker killed inside the handler blocks its notification for the lease; then another handles it."""
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", VICTIM, f"{redis_port}"),
        stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"ORDER-1:1\n"
    victim.kill()
    await victim.wait()
    handler = Handler()
    to = receiver(handler, store=RedisStore(redis))
    assert refusal(await deliver(to)) == (503, 91000, "busy")
    for name in await redis.keys():
        if str(await redis.get(name)).startswith("b'by "):
            assert 0 < await redis.pttl(name) <= 60_000
            await redis.pexpire(name, 0)
    assert await deliver(to) == SUCCESS
    assert [received.key for received in handler.seen] == ["ORDER-1:1"]


async def test_a_lease_that_ran_out_under_a_slow_worker() -> None:
    """The one way to run twice with all alive: a handler slower than its lease, and a second worker."""
    slow, handler, clock = Handler(), Handler(), Clock(0)
    slow.gate.clear()
    store = MemoryStore(clock=clock)
    first = asyncio.create_task(deliver(receiver(slow, store=store, lease=10)))
    await slow.started.wait()
    clock.now = 10
    other = receiver(handler, store=store)
    assert await deliver(other) == SUCCESS
    slow.gate.set()
    assert await first == SUCCESS
    assert await deliver(other) == SUCCESS
    assert (slow.finished, handler.finished) == (1, 1)


class Broken(MemoryStore):
    """A store that fails where it is told to."""

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

    async def done(self, key: str, *, retention: float) -> None:
        """Fail, or remember."""
        self._check("done")
        await super().done(key, retention=retention)

    async def release(self, key: str, owner: str) -> None:
        """Fail, or release."""
        self._check("release")
        await super().release(key, owner)

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Fail, or remember."""
        self._check("first_use")
        return await super().register_nonce(nonce, digest, retention=retention)


@pytest.mark.parametrize("fails", ["claim", "first_use"])
async def test_a_store_that_is_away(fails: str) -> None:
    """Without its store a receiver handles nothing, and asks the sender to come again."""
    handler, store = Handler(), Broken(fails, "release")
    to = receiver(handler, store=store)
    assert refusal(await deliver(to)) == (503, 91000, "store_failed")
    assert handler.seen == []
    store.fails.clear()
    assert await deliver(to) == SUCCESS


async def test_a_store_that_goes_away_meanwhile() -> None:
    """What was handled and could not be marked is not acknowledged, and not handled again here: only marked."""
    handler, store = Handler(), Broken("done")
    to = receiver(handler, store=store)
    assert refusal(await deliver(to))[2] == "store_failed"
    assert refusal(await deliver(to))[2] == "store_failed"
    store.fails.clear()
    assert await deliver(to) == SUCCESS
    assert await deliver(receiver(handler, store=store)) == SUCCESS
    assert len(handler.seen) == 1


async def test_a_claim_that_cannot_be_given_back(caplog: pytest.LogCaptureFixture) -> None:
    """If the store fails after the handler did, the handler's failure is what is told, and the lease runs out."""
    handler, store = Handler(fails=1), Broken("release")
    to = receiver(handler, store=store)
    assert refusal(await deliver(to))[2] == "handler_failed"
    assert refusal(await deliver(to))[2] == "busy"
    assert "a claim could not be given back: ConnectionError" in caplog.text
    assert "password" not in caplog.text


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.integers(0, 1)), max_size=30))
@settings(deadline=None)
def test_any_history(history: list[tuple[str, bool, int]]) -> None:
    """Whatever fails in whichever worker: each order's handler succeeds once, and ``success`` is told from then on."""

    async def replay() -> None:
        succeeded: list[str] = []
        works = True

        async def handler(received: NotificationDelivery[IdentityNotification]) -> None:
            if not works:
                raise LookupError
            succeeded.append(received.notification.order_no or "")

        store = MemoryStore()
        workers = [NotificationReceiver(handler, urls=URLS, store=store) for _ in range(2)]
        for order, works, worker in history:  # the handler reads it
            reply = await workers[worker].receive(body_of(orderNo=order), {}, path_of(order))
            assert (reply == SUCCESS) == (order in succeeded)
            assert works <= (reply == SUCCESS)
        assert len(succeeded) == len(set(succeeded))

    asyncio.run(replay())


async def test_by_url_alone() -> None:
    """With URLs as the only proof the request is known by its path, and no header is asked for."""
    handler = Handler()
    to = NotificationReceiver(handler, urls=URLS)
    assert await to.receive(BODY, {}, path_of("client-1").encode()) == SUCCESS
    assert await to.receive(BODY, {}, path_of("client-1")) == SUCCESS
    (received,) = handler.seen
    assert (received.client_request_id, received.key) == ("client-1", "client-1:ORDER-1:1")


async def test_who_holds_one_url_cannot_silence_another() -> None:
    """A body that names another's order does not count as that order's notification."""
    handler = Handler()
    to = NotificationReceiver(handler, urls=URLS)
    assert await to.receive(BODY, {}, path_of("client:2")) == SUCCESS
    assert await to.receive(BODY, {}, path_of("client-1")) == SUCCESS
    assert [received.key for received in handler.seen] == ["client%3A2:ORDER-1:1", "client-1:ORDER-1:1"]


async def test_a_page_is_no_notification() -> None:
    """The URL that the operator's browser was sent to cannot be used to notify."""
    request = URLS.bind(CorpIdentLinkRequest(client_request_id="client-1"))
    page = urlsplit(request.callback_page or "").path
    to = NotificationReceiver(Handler(), urls=URLS)
    assert refusal(await to.receive(BODY, {}, page)) == (401, 26000, "unknown_path")


async def test_by_url_and_signature() -> None:
    """With both proofs configured both must hold, and neither stands in for the other."""
    handler = Handler()
    to = receiver(handler, urls=URLS)
    path = path_of("client-1")
    assert refusal(await deliver(to)) == (401, 26000, "unknown_path")
    assert refusal(await to.receive(BODY, {}, path)) == (400, 21000, "header_missing")
    assert refusal(await deliver(to, by=key(number=1), path=path)) == (401, 26000, "bad_signature")
    assert handler.seen == []
    assert await deliver(to, path=path) == SUCCESS
    assert handler.seen[0].client_request_id == "client-1"


async def test_contract_events() -> None:
    """With a verifier for contract events these are handled, each content once, since they have no id."""
    handler = Handler()
    to = NotificationReceiver(handler, verifier=ContractEventVerifier([key().public_key()]))
    later = body_of(SIGNED, contractStatus="COMPLETE")
    for body in (body_of(SIGNED), body_of(SIGNED), later):
        assert await to.receive(body, event_signed(body), "/any/path") == SUCCESS
    first, second = handler.seen
    assert isinstance(first.notification, ContractEvent)
    assert first.key != second.key
    assert refusal(await to.receive(later, event_signed(BODY), "/")) == (401, 26000, "bad_signature")


async def test_both_kinds_in_one_store() -> None:
    """Receivers of both kinds may share a store."""
    handler, store = Handler(), MemoryStore()
    body = body_of(SIGNED)
    await deliver(receiver(handler, store=store))
    events = NotificationReceiver(handler, verifier=ContractEventVerifier([key().public_key()]), store=store)
    assert await events.receive(body, event_signed(body), "/") == SUCCESS
    assert len(handler.seen) == 2


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "urls or verifier must be given"),
        ({"urls": URLS, "verifier": ContractEventVerifier([key().public_key()])}, "contract events come to one URL"),
        ({"urls": URLS, "lease": 0}, "lease must be more than 0"),
        ({"urls": URLS, "reply_timeout": -1}, "reply_timeout must be more than 0"),
        ({"urls": URLS, "retention": float("nan")}, "retention must be more than 0"),
        ({"urls": URLS, "max_body": 0}, "max_body must be more than 0"),
    ],
)
def test_unusable_settings(options: dict[str, Any], problem: str) -> None:
    """A receiver that would prove nothing, or could not work, is refused when it is made."""
    with pytest.raises(ValueError, match=f"^{problem}"):
        NotificationReceiver(Handler(), **options)


async def test_a_body_beyond_the_bound() -> None:
    """A body of more than ``max_body`` bytes is refused before anything is read of it."""
    handler = Handler()
    to = receiver(handler, max_body=len(BODY))
    assert await deliver(to) == SUCCESS
    assert refusal(await to.receive(BODY + b" ", {}, PATH)) == (400, 23000, "body_too_large")
    assert refusal(await receiver(handler).receive(b" " * 65_537, {}, PATH))[2] == "body_too_large"


@pytest.mark.parametrize(
    ("body", "headers", "said"),
    [
        (BODY, {}, (400, 21000, "header_missing")),
        (BODY, [*signed(BODY).items(), ("sign", "x")], (400, 23000, "header_repeated")),
        (BODY, {**signed(BODY), "timestamp": "soon"}, (400, 41001, "timestamp_malformed")),
        (BODY, {**signed(BODY), "appId": "other"}, (401, 41000, "wrong_app")),
        (BODY, {**signed(BODY), "sign": "no base64"}, (401, 26000, "bad_signature")),
        (BODY, signed(BODY, by=key(1024, 1)), (401, 26000, "bad_signature")),
        ("张".encode("gbk"), signed(BODY), (400, 25000, "body_malformed")),
        (b"[]", signed(b"[]"), (400, 25000, "body_malformed")),
    ],
)
async def test_bad_input(body: bytes, headers: Any, said: tuple[int, int, str]) -> None:
    """Whatever is wrong is answered in the platform's envelope, handled by nobody, remembered nowhere, and reported."""
    rejected: list[CallbackRejected] = []
    handler, store = Handler(), MemoryStore()
    to = receiver(handler, store=store, on_rejected=rejected.append)
    assert refusal(await to.receive(body, headers, PATH)) == said
    assert [(problem.http_status, problem.code, problem.reason) for problem in rejected] == [said]
    assert (handler.seen, len(store)) == ([], 0)


async def test_the_envelope_says_when() -> None:
    """The answer to what is refused carries this machine's clock, so that a sender can see how far it is off."""
    to = receiver(Handler(), clock=Clock(NOW + 400.0))
    to._clock = Clock(NOW + 400.0)
    assert orjson.loads((await deliver(to)).body) == {
        "code": 41001,
        "message": "stale",
        "result": None,
        "timestamp": 1_750_000_400_000,
    }


async def test_a_hook_that_is_asynchronous() -> None:
    """The hook may be asynchronous, and sees what the handler raised."""
    rejected = []

    async def hook(problem: CallbackRejected) -> None:
        await asyncio.sleep(0)
        rejected.append(problem)

    await deliver(receiver(Handler(fails=1), on_rejected=hook))
    assert [type(problem.__cause__) for problem in rejected] == [LookupError]


async def test_a_hook_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A hook that fails changes no answer, and is named in the log."""

    def hook(_: CallbackRejected) -> None:
        raise ValueError("13800138000")

    assert refusal(await receiver(Handler(), on_rejected=hook).receive(BODY, {}, PATH))[2] == "header_missing"
    assert f"the hook for rejected notifications failed: ValueError at {__file__}:" in caplog.text
    assert "13800138000" not in caplog.text


async def test_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The log says where a handler failed, as an error, and repeats nothing of what it said or was given."""
    caplog.set_level(logging.INFO, "kfq_async")
    to = receiver(Handler(fails=1))
    await deliver(to)
    await to.receive(BODY, {}, PATH)
    failed, missing = caplog.records
    assert (failed.levelname, missing.levelname) == ("ERROR", "INFO")
    assert failed.getMessage().startswith(
        f"notification rejected: the handler failed, retry later: LookupError at {__file__}:"
    )
    assert missing.getMessage() == "notification rejected: a header is missing or blank: appId"
    assert [secret for secret in ("13800138000", "张三", "ORDER-1") if secret in caplog.text] == []


async def test_what_a_handler_is_given_hides_people() -> None:
    """What the handler is given can be logged without naming a person."""
    handler = Handler()
    await deliver(receiver(handler))
    assert [secret for secret in ("13800138000", "张三", "110101199001011234") if secret in repr(handler.seen)] == []
