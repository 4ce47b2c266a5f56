"""Delivery of contract events over HTTP: requests, sequence, retries, redirects, and the record of the attempts."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, closing
from math import inf
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contract_platform import call_sandbox, contract_fixtures, start_contract
from kfq_async import ContractEvent, ContractEventVerifier, NotificationDelivery, NotificationReceiver
from kfq_async.sandbox import CapturedNotification, ContractNotification, Fault, Sandbox, events
from kfq_async.sandbox.events import EventSender
from kfq_async.sandbox.faults import FaultPlan, InjectionPoint
from kfq_async.sandbox.store import RecordTable, Store, process_key, public_text
from receivers import OK, acknowledge, fail_first, policy
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from servers import Script

REFUSED = "合同条款有误"


class Events:
    """Sender of events, and the receiver that it sends to."""

    def __init__(self, sender: EventSender, receiver: ScriptedServer) -> None:
        self.sender = sender
        self.receiver = receiver

    def publish(self, contract_id: str = "C1", url: str | None = None, **fields: object) -> None:
        """Publish an event."""
        body = {"callbackType": "RECALLED", "contractId": contract_id, "contractStatus": "RECALLED", **fields}
        self.sender.publish(contract_id, f"{self.receiver.origin}/events" if url is None else url, body)

    async def sent(self) -> tuple[ContractNotification, ...]:
        """Wait until every event is acknowledged or given up, and return them."""
        async with asyncio.timeout(30):
            await asyncio.wrap_future(self.sender.wait_for_notifications())
        return self.sender.notifications()

    async def attempted(self, number: int) -> ContractNotification:
        """Wait until the first event has had so many attempts on schedule, and return it."""
        async with asyncio.timeout(30):
            while self.sender.notifications()[0].scheduled_attempts < number:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.005)
        return self.sender.notifications()[0]

    @property
    def contracts(self) -> list[str]:
        """Contracts of the received events, in sequence."""
        return [contract_of(seen) for seen in self.receiver.requests]


def contract_of(seen: ReceivedRequest) -> str:
    """Return the ``contractId`` of a received event."""
    return str(orjson.loads(seen.body)["contractId"])


@asynccontextmanager
async def sending(
    script: Script = acknowledge,
    *,
    state: Path | None = None,
    faults: Sequence[Fault] = (),
    seed: int = 0,
    **settings: Any,
) -> AsyncIterator[Events]:
    """Run a receiver, and a sender that retries after 10 ms."""
    with closing(await asyncio.to_thread(Store, state)) as store:
        async with ScriptedServer(script) as receiver:
            sender = EventSender(
                store,
                process_key(),
                policy(**{"retry_after": (0.01, 0.01), **settings}),
                FaultPlan(faults, seed),
                time.time,
            )
            sender.open()
            try:
                yield Events(sender, receiver)
            finally:
                await sender.close()


async def test_captured_events() -> None:
    """Events that are captured are not sent; they have the headers of those that are, and count as acknowledged."""
    captured: list[CapturedNotification] = []
    async with sending(capture=captured.append) as sent:
        sent.publish(url="https://your-domain.com/events", reason=REFUSED)
        (event,) = await sent.sent()
    assert sent.receiver.requests == []
    assert (event.acknowledged, event.due_at) == (True, None)
    (notification,) = captured
    assert (notification.url, notification.path) == ("https://your-domain.com/events", "/events")
    assert notification.headers["User-Agent"] == "Java/17.0.15"
    assert isinstance(notification.notification, ContractEvent)
    delivered: list[object] = []

    async def handle(delivery: NotificationDelivery[ContractEvent]) -> None:
        delivered.append(delivery.notification)

    receiver = NotificationReceiver(handle, verifier=ContractEventVerifier([public_text(process_key())]))
    reply = await receiver.receive(notification.body, notification.headers, notification.path)
    assert (reply.body, delivered) == (b"success", [notification.notification])


async def test_request() -> None:
    """An event is one POST of compact JSON in UTF-8, with the headers of a Java program and no others of note."""
    async with sending() as sent:
        sent.publish(reason=REFUSED)
        (event,) = await sent.sent()
    (seen,) = sent.receiver.requests
    assert (seen.method, seen.target) == ("POST", "/events")
    assert seen.body == (
        '{"callbackType":"RECALLED","contractId":"C1","contractStatus":"RECALLED","reason":"合同条款有误"}'.encode()
    )
    assert set(seen.headers) == {
        "Host",
        "User-Agent",
        "Accept",
        "Content-Type",
        "sign",
        "Content-Length",
        "Connection",
    }
    assert seen.headers["User-Agent"].startswith("Java/")
    assert seen.headers["Content-Type"] == "application/json"
    assert (event.contract_id, event.callback_type, event.acknowledged, event.due_at) == ("C1", "RECALLED", True, None)
    assert event.body.encode() == seen.body
    (attempt,) = event.attempts
    assert (attempt.http_status, attempt.response_body, attempt.error) == (200, "success", None)
    assert (attempt.fault, attempt.nonce) == ("", "")


async def test_signature() -> None:
    """The receiver's verifier accepts an event with Chinese text under the sandbox's key."""
    async with sending() as sent:
        sent.publish(reason=REFUSED)
        await sent.sent()
    (seen,) = sent.receiver.requests
    event = ContractEventVerifier(public_text(process_key())).verify(seen.body, seen.headers)
    assert (event.contract_id, event.reason) == ("C1", REFUSED)


async def test_response_to_the_call_has_a_head_start() -> None:
    """An event is not sent at the moment of its call, whose response would otherwise come later."""
    async with sending() as sent:
        sent.publish()
        (event,) = await sent.sent()
    assert event.attempts[0].sent_at - event.created_at >= 0.015


@pytest.mark.parametrize("response", [http_response(b"no", 500), http_response(b"success", 201), http_response(b"")])
async def test_retried_until_acknowledged(response: bytes) -> None:
    """An event is sent with the same body and signature until a response acknowledges it."""
    async with sending(fail_first(2, response)) as sent:
        sent.publish()
        (event,) = await sent.sent()
    first, second, third = sent.receiver.requests
    assert first == second == third
    assert [attempt.acknowledged for attempt in event.attempts] == [False, False, True]
    assert (event.acknowledged, event.scheduled_attempts, event.due_at) == (True, 3, None)


async def test_given_up() -> None:
    """After the last retry the event is given up."""
    async with sending(fail_first(99)) as sent:
        sent.publish()
        (event,) = await sent.sent()
    assert len(sent.receiver.requests) == len(event.attempts) == 3
    assert (event.acknowledged, event.scheduled_attempts, event.due_at) == (False, 3, None)


async def test_sequence() -> None:
    """Events of all enterprises arrive one after another, in the sequence in which they happened."""
    running = 0

    async def slow(_number: int, _: ReceivedRequest) -> bytes:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0.005)
        running -= 1
        return OK

    numbers = [f"C{number}" for number in range(20)]
    async with sending(slow) as sent:
        for number in numbers:
            sent.publish(number, url=f"{sent.receiver.origin}/{number}")
        published = await sent.sent()
        assert sent.contracts == numbers
    assert [event.contract_id for event in published] == numbers
    assert all(event.acknowledged for event in published)


async def test_retries_without_a_pause_come_before_other_events() -> None:
    """An event is retried back to back; before a later retry, other events are sent."""
    async with sending(fail_first(3), retry_after=(0.0, 0.0, 0.1)) as sent:
        sent.publish("A")
        sent.publish("B")
        published = await sent.sent()
        assert sent.contracts == ["A", "A", "A", "B", "A"]
    assert all(event.acknowledged for event in published)
    first = published[0].attempts
    assert first[3].sent_at - first[2].sent_at >= 0.09


async def test_dropped_connection() -> None:
    """Each attempt whose connection is dropped is sent once more at once."""
    async with sending(fail_first(99, None), retry_after=(0.0, 0.0)) as sent:
        sent.publish()
        (event,) = await sent.sent()
        assert len(sent.receiver.requests) == len(event.attempts) == 6
    assert (event.scheduled_attempts, event.acknowledged) == (3, False)


async def test_acknowledged_after_a_dropped_connection() -> None:
    """The repetition of an attempt may acknowledge."""
    async with sending(fail_first(1, None), retry_after=()) as sent:
        sent.publish()
        (event,) = await sent.sent()
    assert [attempt.acknowledged for attempt in event.attempts] == [False, True]
    assert event.scheduled_attempts == 1


async def test_silent_receiver() -> None:
    """A response that keeps silent is given up; one that arrives slowly is not."""

    async def script(number: int, _: ReceivedRequest) -> bytes | tuple[bytes, ...]:
        if number == 0:
            await asyncio.sleep(30)
        return tuple(OK[start : start + 5] for start in range(0, len(OK), 5))

    async with sending(script, timeout=0.4) as sent:
        sent.publish()
        (event,) = await sent.sent()
    assert [attempt.error for attempt in event.attempts] == ["nothing received for 0.4 s", None]
    assert event.acknowledged
    assert event.attempts[1].seconds > 0.4


async def test_connection_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is not accepted is given up."""
    monkeypatch.setattr(events, "CONNECT_TIMEOUT", 0.1)

    async def never(*_: object) -> None:
        await asyncio.sleep(30)

    async with sending(retry_after=()) as sent:
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
        sent.publish()
        (event,) = await sent.sent()
        assert sent.receiver.requests == []
    assert [attempt.error for attempt in event.attempts] == ["no connection within 0.1 s"]


async def test_closed_port() -> None:
    """A refused connection is recorded, and is no dropped one."""
    async with sending(retry_after=()) as sent:
        sent.publish(url="http://127.0.0.1:1/")
        (event,) = await sent.sent()
    (attempt,) = event.attempts
    assert (attempt.http_status, (attempt.error or "").partition(":")[0]) == (None, "ClientConnectorError")


@pytest.mark.parametrize(
    ("url", "error"),
    [("https://your-domain.com/events", "your-domain.com is not this machine"), ("hook", "not an http or https URL")],
)
async def test_disallowed_url(url: str, error: str) -> None:
    """An event for another machine is not sent, one attempt records the reason, and there is no retry."""
    async with sending() as sent:
        sent.publish(url=url)
        (event,) = await sent.sent()
    (attempt,) = event.attempts
    assert (attempt.http_status, event.due_at) == (None, None)
    assert (attempt.error or "").startswith(error)


def redirect(location: str | None, status: int = 302) -> Script:
    """Return a script that redirects every POST, and acknowledges every GET."""

    async def script(_number: int, seen: ReceivedRequest) -> bytes:
        if seen.method == "GET":
            return OK
        return http_response(b"", status, **({} if location is None else {"Location": location}))

    return script


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect(status: int) -> None:
    """A redirect is followed with a GET without body and signature, whose response counts."""
    async with sending(redirect("/elsewhere?x=1", status)) as sent:
        sent.publish()
        (event,) = await sent.sent()
    post, get = sent.receiver.requests
    assert (post.method, get.method, get.target, get.body) == ("POST", "GET", "/elsewhere?x=1", b"")
    assert not {"sign", "Content-Type", "Content-Length"} & set(get.headers)
    (attempt,) = event.attempts
    assert (attempt.http_status, attempt.acknowledged) == (200, True)


@pytest.mark.parametrize(
    ("location", "status", "error"),
    [
        ("https://your-domain.com/", 302, "redirect not followed: your-domain.com is not this machine"),
        ("http://[", 302, "redirect not followed: not an http or https URL"),
        ("/elsewhere", 304, None),
        ("/elsewhere", 200, None),
        (None, 302, None),
    ],
)
async def test_redirect_that_is_not_followed(location: str | None, status: int, error: str | None) -> None:
    """A redirect to another machine, or without a target, is not followed and acknowledges nothing."""
    async with sending(redirect(location, status), retry_after=()) as sent:
        sent.publish()
        (event,) = await sent.sent()
        assert [seen.method for seen in sent.receiver.requests] == ["POST"]
    (attempt,) = event.attempts
    assert (attempt.http_status, attempt.acknowledged) == (status, False)
    assert (attempt.error or "").startswith(error or "")
    assert (attempt.error is None) == (error is None)


async def test_endless_redirect() -> None:
    """The number of redirects is bounded."""

    async def script(_number: int, _: ReceivedRequest) -> bytes:
        return http_response(b"success", 302, Location="/again")

    async with sending(script, retry_after=()) as sent:
        sent.publish()
        (event,) = await sent.sent()
        assert len(sent.receiver.requests) == 21
    (attempt,) = event.attempts
    assert (attempt.http_status, attempt.acknowledged) == (302, False)


async def test_resend() -> None:
    """An acknowledged event can be sent once more, once."""
    async with sending() as sent:
        sent.publish()
        (event,) = await sent.sent()
        await asyncio.wrap_future(sent.sender.resend(event))
        (event,) = await sent.sent()
    assert len(sent.receiver.requests) == len(event.attempts) == 2
    assert event.scheduled_attempts == 1


async def test_acknowledged_resend_ends_the_schedule() -> None:
    """An acknowledged resend ends the wait for the next attempt; another one does not."""
    async with sending(fail_first(2), retry_after=(3600.0,)) as sent:
        sent.publish()
        event = await sent.attempted(1)
        await asyncio.wrap_future(sent.sender.resend(event))
        (event,) = sent.sender.notifications()
        assert (event.acknowledged, event.due_at is None) == (False, False)
        await asyncio.wrap_future(sent.sender.resend(event))
        (event,) = await sent.sent()
    assert (event.acknowledged, event.due_at, event.scheduled_attempts) == (True, None, 1)
    assert len(sent.receiver.requests) == 3


async def test_acknowledged_resend_during_an_attempt() -> None:
    """An acknowledged resend that was asked for during an attempt ends the schedule."""
    resumed = asyncio.Event()

    async def script(number: int, _: ReceivedRequest) -> bytes:
        if number == 0:
            await resumed.wait()
            return http_response(b"", 503)
        return OK

    async with sending(script, retry_after=(0.05,)) as sent:
        sent.publish("A")
        await sent.receiver.wait_for_requests(1)
        (event,) = sent.sender.notifications()
        again = sent.sender.resend(event)
        resumed.set()
        await asyncio.wrap_future(again)
        (event,) = await sent.sent()
        await asyncio.sleep(0.1)
        assert len(sent.receiver.requests) == 2
    assert (event.acknowledged, event.scheduled_attempts) == (True, 1)


async def test_acknowledged_resend_before_a_retry_that_is_due() -> None:
    """A retry that is due behind a resend is dropped once the resend is acknowledged."""
    resumed = asyncio.Event()

    async def script(number: int, _: ReceivedRequest) -> bytes:
        if number == 1:
            await resumed.wait()
        return OK if number else http_response(b"", 503)

    async with sending(script, retry_after=(0.3,)) as sent:
        sent.publish("A")
        sent.publish("B")
        await sent.receiver.wait_for_requests(2)
        (event, _) = sent.sender.notifications()
        sent.sender.resend(event)
        await asyncio.sleep(0.4)
        resumed.set()
        (event, _) = await sent.sent()
        assert sent.contracts == ["A", "B", "A"]
    assert (event.acknowledged, event.scheduled_attempts) == (True, 1)


async def test_close_stops_sending() -> None:
    """Closing cancels running and waiting attempts without an error."""
    async with sending(fail_first(99), retry_after=(0.05,) * 50) as sent:
        sent.publish("A")
        sent.publish("B")
        await sent.receiver.wait_for_requests(3)
        await sent.sender.close()
        seen = len(sent.receiver.requests)
        await asyncio.sleep(0.2)
        assert len(sent.receiver.requests) == seen


async def test_close_before_open() -> None:
    """A sender that never sent anything closes without an error."""
    with closing(await asyncio.to_thread(Store, None)) as store:
        await EventSender(store, process_key(), policy(), FaultPlan(), time.time).close()


async def test_restart_resumes_events(tmp_path: Path) -> None:
    """With a state file, events that are due are sent after a restart, in their sequence, and others at their time."""
    state = tmp_path / "state.db"
    async with sending(fail_first(99), state=state, retry_after=(0.3,)) as sent:
        for number in ("A", "B"):
            sent.publish(number, url="http://127.0.0.1:1/")
        sent.publish("C", url=f"{sent.receiver.origin}/")
        await sent.receiver.wait_for_requests(1)
        await sent.sender.close()
        waiting = [event.contract_id for event in sent.sender.notifications() if event.due_at is not None]
    assert waiting == ["A", "B", "C"]
    async with sending(state=state, retry_after=(0.3,)) as sent:
        published = await sent.sent()
    assert [event.scheduled_attempts for event in published] == [2, 2, 2]


async def test_lost() -> None:
    """A lost event is never sent, and counts as given up."""
    async with sending(faults=[Fault("event-lose", times=1)]) as sent:
        sent.publish("A")
        sent.publish("B")
        lost, kept = await sent.sent()
    assert sent.contracts == ["B"]
    assert (lost.fault, lost.due_at, lost.attempts) == ("event-lose", None, ())
    assert (kept.fault, kept.acknowledged) == ("", True)


@pytest.mark.parametrize("seconds", [0.0, 0.05])
async def test_duplicated(seconds: float) -> None:
    """A duplicated event arrives twice, with the same bytes and signature."""
    async with sending(faults=[Fault("event-duplicate", seconds=seconds, times=1)]) as sent:
        sent.publish("A")
        (event,) = await sent.sent()
    first, second = sent.receiver.requests
    assert (first.body, first.headers["sign"]) == (second.body, second.headers["sign"])
    assert (event.fault, event.scheduled_attempts, len(event.attempts)) == ("event-duplicate", 1, 2)


async def test_delayed() -> None:
    """A delayed event is overtaken by those that happen meanwhile."""
    async with sending(faults=[Fault("event-delay", seconds=0.2, times=1)]) as sent:
        for contract_id in "ABC":
            sent.publish(contract_id)
        delayed, *_ = await sent.sent()
    assert sent.contracts == ["B", "C", "A"]
    assert delayed.attempts[0].sent_at >= delayed.created_at + 0.2


async def test_reordered() -> None:
    """A reordered event is sent right after the next one, and without one after its time."""
    async with sending(faults=[Fault("event-reorder", seconds=60, times=1)]) as sent:
        for contract_id in "ABC":
            sent.publish(contract_id)
        await sent.sent()
    assert sent.contracts in (["B", "A", "C"], ["B", "C", "A"])
    async with sending(faults=[Fault("event-reorder", seconds=0.05)]) as sent:
        sent.publish("A")
        (event,) = await sent.sent()
    assert (sent.contracts, event.acknowledged) == (["A"], True)


async def test_all_reordered() -> None:
    """If every event is to be reordered, they change places two by two."""
    async with sending(faults=[Fault("event-reorder", seconds=60)]) as sent:
        for contract_id in "ABCD":
            sent.publish(contract_id)
        await sent.sent()
    assert sent.contracts == ["B", "A", "D", "C"]


async def test_held_from_the_start() -> None:
    """An event that a fault holds back is sent when it is released."""
    async with sending(faults=[Fault("event-hold", times=1)]) as sent:
        sent.publish("A")
        sent.publish("B")
        (event, _) = await sent.sent()
        assert (event.held, sent.contracts) == (True, ["B"])
        sent.sender.release(event)
        (event, _) = await sent.sent()
    assert (event.held, event.acknowledged, sent.contracts) == (False, True, ["B", "A"])


async def test_requests_do_not_change_the_choice() -> None:
    """What is drawn for requests does not change what is drawn for events."""
    plans = [FaultPlan([Fault("event-lose", probability=0.5), Fault("502", probability=0.5)], 7) for _ in range(2)]
    for _ in range(10):
        plans[0].draw()
    first, second = ([plan.draw(InjectionPoint.EVENT) is None for _ in range(50)] for plan in plans)
    assert first == second
    assert len(set(first)) == 2


async def test_reordered_after_its_time() -> None:
    """An event whose time was over before the next one happened is not sent again by that one."""
    async with sending(faults=[Fault("event-reorder", seconds=0.01, times=1)]) as sent:
        sent.publish("A")
        await sent.sent()
        sent.publish("B")
        await sent.sent()
    assert sent.contracts == ["A", "B"]


async def test_the_seed_repeats_the_choice() -> None:
    """The same seed loses the same events."""
    lost = []
    for seed in (1, 1, 2):
        async with sending(faults=[Fault("event-lose", probability=0.5)], seed=seed) as sent:
            for number in range(20):
                sent.publish(str(number))
            lost.append([event.contract_id for event in await sent.sent() if event.fault])
    assert lost[0] == lost[1] != lost[2]
    assert 0 < len(lost[0]) < 20


async def test_copies_end_with_the_sender() -> None:
    """A second copy that waits for its time is not sent after the close."""
    async with sending(faults=[Fault("event-duplicate", seconds=60)]) as sent:
        sent.publish("A")
        await sent.receiver.wait_for_requests(1)
        await sent.sender.close()
    assert sent.contracts == ["A"]


async def test_held_and_released() -> None:
    """An event that is held is not retried until it is released, and then goes on with its schedule."""
    async with sending(fail_first(1), retry_after=(60.0,)) as sent:
        sent.publish("A")
        event = await sent.attempted(1)
        assert sent.sender.hold(event).held
        (event,) = await sent.sent()  # nothing is under way
        assert (event.held, event.acknowledged, len(sent.contracts)) == (True, False, 1)
        assert not sent.sender.release(event).held
        (event,) = await sent.sent()
    assert (event.held, event.acknowledged, sent.contracts) == (False, True, ["A", "A"])


async def test_held_during_an_attempt() -> None:
    """An event that is held, or given up, while an attempt is under way stays so if that fails."""
    reached, proceed = asyncio.Event(), asyncio.Event()

    async def wait(_number: int, _seen: ReceivedRequest) -> bytes:
        reached.set()
        await proceed.wait()
        return http_response("no", 500)

    for act in ("hold", "lose"):
        reached.clear()
        proceed.clear()
        async with sending(wait, retry_after=(0.01,)) as sent:
            sent.publish("A")
            await reached.wait()
            (event,) = sent.sender.notifications()
            getattr(sent.sender, act)(event)
            proceed.set()
            (event,) = await sent.sent()
        assert (event.held, event.due_at is None, len(sent.contracts)) == (act == "hold", act == "lose", 1)


async def test_held_over_a_restart(tmp_path: Path) -> None:
    """The next sender does not send an event that is held, and can release it."""
    state = tmp_path / "state"
    async with sending(fail_first(1), state=state, retry_after=(60.0,)) as sent:
        sent.publish("A")
        sent.sender.hold(await sent.attempted(1))
    async with sending(state=state) as sent:
        (event,) = await sent.sent()
        assert (event.held, sent.contracts) == (True, [])


async def test_given_up_by_hand() -> None:
    """An event that is given up is not retried, whether it was held or not."""
    for held in (False, True):
        async with sending(fail_first(9), retry_after=(60.0,)) as sent:
            sent.publish("A")
            event = await sent.attempted(1)
            if held:
                event = sent.sender.hold(event)
            sent.sender.lose(event)
            (event,) = await sent.sent()
        assert (event.held, event.due_at, event.fault, len(sent.contracts)) == (False, None, "event-lose", 1)


@pytest.mark.parametrize("act", ["hold", "deliver"])
async def test_lost_race(act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that another one has overtaken is made again on what that has left."""
    async with sending(fail_first(1), retry_after=(60.0,)) as sent:
        if act == "hold":
            sent.publish("A")
            event = await sent.attempted(1)
        real, lost = RecordTable.compare_and_swap, [True]

        def lose_once(table: Any, old: Any, new: Any) -> bool:
            return False if lost and lost.pop() else real(table, old, new)

        monkeypatch.setattr(RecordTable, "compare_and_swap", lose_once)
        if act == "hold":
            assert sent.sender.hold(event).held
        else:
            sent.publish("A")
            assert (await sent.attempted(1)).scheduled_attempts == 1
        assert lost == []


async def test_what_cannot_be_held() -> None:
    """What is acknowledged or given up cannot be held, and what is not held cannot be released."""
    async with sending(fail_first(1), retry_after=(60.0,)) as sent:
        sent.publish("A")
        event = await sent.attempted(1)
        with pytest.raises(ValueError, match="not held"):
            sent.sender.release(event)
        sent.sender.hold(event)
        with pytest.raises(ValueError, match="held already"):
            sent.sender.hold(event)
        sent.sender.release(event)
        await sent.sent()
        for act in (sent.sender.hold, sent.sender.release, sent.sender.lose):
            with pytest.raises(ValueError, match="acknowledged, or given up"):
                act(event)


async def test_the_sandbox_holds_and_loses() -> None:
    """The sandbox's methods act on the event with an id."""
    async with contracts(retry_after=(60.0,), script=fail_first(9)) as (sandbox, _):
        await start_contract(sandbox)
        async with asyncio.timeout(30):
            while not sandbox.events or not sandbox.events[0].scheduled_attempts:  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.005)
        notification_id = sandbox.events[0].notification_id
        sandbox.hold(notification_id)
        assert sandbox.events[0].held
        sandbox.release(notification_id)
        sandbox.lose(notification_id)
        assert sandbox.events[0].fault == "event-lose"
        for act in (sandbox.hold, sandbox.release, sandbox.lose):
            with pytest.raises(LookupError, match="there is no contract event 'E1'"):
                act("E1")


@pytest.mark.parametrize(
    ("options", "pauses"),
    [
        ({}, (0.0, 0.0, 5.0, 15.0, 60.0)),
        ({"retry_after": [1]}, (1,)),
        ({"retry_speed": 1}, (0.0, 0.0, 300.0, 7200.0, 86_400.0)),
        ({"retry_speed": 3600}, (0.0, 0.0, 300 / 3600, 2.0, 24.0)),
    ],
)
def test_schedule(options: dict[str, Any], pauses: tuple[float, ...]) -> None:
    """The schedule is given, or that of the platform, accelerated."""
    assert Sandbox(**options)._delivery.retry_after == pauses


@pytest.mark.parametrize("options", [{"retry_speed": 0}, {"retry_speed": inf}, {"retry_speed": 1, "retry_after": ()}])
def test_invalid_schedule(options: dict[str, Any]) -> None:
    """A speed is a positive, finite number, and stands in place of the pauses."""
    with pytest.raises(ValueError, match="retry_speed must be"):
        Sandbox(**options)


def test_repr_hides_secrets() -> None:
    """The repr of an event contains neither URL nor body."""
    event = ContractNotification(
        notification_id="E",
        contract_id="C1",
        callback_type="RECALLED",
        url="http://h/secret-path",
        body=f'{{"reason":"{REFUSED}"}}',
        created_at=0.0,
        due_at=None,
    )
    assert "C1" in repr(event)
    assert "secret-path" not in repr(event)
    assert REFUSED not in repr(event)


@asynccontextmanager
async def contracts(script: Script = acknowledge, **settings: Any) -> AsyncIterator[tuple[Sandbox, ScriptedServer]]:
    """Run a sandbox whose first enterprise has a callback URL."""
    async with ScriptedServer(script) as receiver:
        fixtures = contract_fixtures()
        fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = f"{receiver.origin}/events"
        async with Sandbox(fixtures=fixtures, **{"retry_after": (), **settings}) as sandbox:
            yield sandbox, receiver


async def test_events_of_a_contract() -> None:
    """Every change of a contract is sent to the callback URL of its token, and can be looked at and sent again."""
    async with contracts() as (sandbox, receiver):
        contract_id = await start_contract(sandbox)
        await call_sandbox(sandbox, "contract/recall", contractId=contract_id)
        assert await sandbox.wait_for_notifications() == ()
        first, second = sandbox.events
        sandbox.resend(first.notification_id)
        await sandbox.wait_for_notifications()
        assert [len(event.attempts) for event in sandbox.events] == [2, 1]
        with pytest.raises(ValueError, match="resend a contract event without one"):
            sandbox.resend(first.notification_id, Fault("callback-corrupt"))
        verifier = ContractEventVerifier(sandbox.public_key)
    assert (first.contract_id, second.callback_type) == (contract_id, "RECALLED")
    received = [verifier.verify(seen.body, seen.headers) for seen in receiver.requests]
    assert [event.callback_type for event in received] == ["SEND_SIGNING", "RECALLED", "SEND_SIGNING"]


async def test_slow_receiver_does_not_delay_calls() -> None:
    """A call is answered while the receiver still holds an event back."""
    resumed = asyncio.Event()

    async def hold(_number: int, _: ReceivedRequest) -> bytes:
        await resumed.wait()
        return OK

    async with contracts(hold) as (sandbox, receiver):
        contract_id = await start_contract(sandbox)
        await receiver.wait_for_requests(1)
        await call_sandbox(sandbox, "contract/recall", contractId=contract_id)
        resumed.set()
        await sandbox.wait_for_notifications()
        assert [event.callback_type for event in sandbox.events] == ["SEND_SIGNING", "RECALLED"]
        assert all(event.acknowledged for event in sandbox.events)


@pytest.mark.parametrize("url", [None, ""])
async def test_no_callback_url(url: str | None) -> None:
    """Without a callback URL there are no events."""
    fixtures = contract_fixtures()
    fixtures["enterprises"][0]["developers"][0]["callbackUrl"] = url
    async with Sandbox(fixtures=fixtures) as sandbox:
        await start_contract(sandbox)
        assert sandbox.events == ()
