"""`ContractEvents`: claims, grace, order, bounds and end, in virtual time."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clocks import VirtualLoop
from kfq_async import (
    ContractDraft,
    ContractEvent,
    ContractEvents,
    ContractEventVerifier,
    NotificationDelivery,
    NotificationReceiver,
)
from kfq_async.contracts import events as module
from senders import SIGNED, make_body, private_key, signed_event_headers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine

T = TypeVar("T")
Seen = list[tuple[float, str, str]]
"""Time at which an event was yielded, its contract, and its kind."""


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop whose time passes only while every task sleeps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)


def open_events(**options: Any) -> ContractEvents:
    """Return events that go by the time of the loop."""
    return ContractEvents(clock=asyncio.get_running_loop().time, **{"grace": 30, **options})


async def deliver(
    events: ContractEvents, contract_id: str, kind: str = "SEND_SIGNING", *, reason: str | None = None
) -> None:
    """Deliver one event."""
    event = ContractEvent(contract_id=contract_id, contract_status="SIGNING", callback_type=kind, reason=reason)
    await events(NotificationDelivery(notification=event, key="k"))


async def watch(events: ContractEvents, seen: Seen) -> None:
    """Record what is yielded, and when."""
    async for event in events.unclaimed():
        seen.append((asyncio.get_running_loop().time(), event.contract_id, str(event.callback_type)))


def test_grace() -> None:
    """An event is yielded once ``grace`` is over since its own arrival, in the order of arrival, and once."""

    async def run() -> Seen:
        seen: Seen = []
        async with open_events() as events:
            await deliver(events, "C-1")
            task = asyncio.create_task(watch(events, seen))
            await asyncio.sleep(1)
            await deliver(events, "C-2")
            await deliver(events, "C-1", "SUBMIT_SIGN")
            await asyncio.sleep(100)
            await deliver(events, "C-1", "COMPLETE")
            await asyncio.sleep(100)
        await task
        return seen

    assert run_virtually(run()) == [
        (30, "C-1", "SEND_SIGNING"),
        (31, "C-2", "SEND_SIGNING"),
        (31, "C-1", "SUBMIT_SIGN"),
        (131, "C-1", "COMPLETE"),
    ]


def test_default_grace() -> None:
    """By default an event counts as unclaimed after 2 seconds."""

    async def run() -> float:
        async with ContractEvents(clock=asyncio.get_running_loop().time) as events:
            await deliver(events, "C-1")
            await anext(events.unclaimed())
            return asyncio.get_running_loop().time()

    assert run_virtually(run()) == 2


@pytest.mark.parametrize(
    ("claimed_at", "kinds"),
    [(0, []), (11, []), (39, []), (41, ["10"]), (60, ["10", "12"]), (101, ["10", "12", "70"])],
)
def test_claim(claimed_at: float, kinds: list[str]) -> None:
    """A claim drops the events that are not yet yielded, such as that of a start, and all that follow."""

    async def run() -> Seen:
        seen: Seen = []
        loop = asyncio.get_running_loop()
        async with open_events() as events:
            loop.call_at(claimed_at, events.claim, "C-1")
            task = asyncio.create_task(watch(events, seen))
            for moment in (10, 12, 70, 110):
                await asyncio.sleep(moment - loop.time())
                await deliver(events, "C-1", str(moment))
            await asyncio.sleep(100)
        await task
        return seen

    assert [kind for _, _, kind in run_virtually(run())] == kinds


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.floats(0, 20)), max_size=20), st.sets(st.sampled_from("ABC")))
def test_order(arrivals: list[tuple[str, float]], claimed: set[str]) -> None:
    """Events of each contract come in their order, each once, and none of a contract that was claimed."""

    async def run() -> Seen:
        seen: Seen = []
        async with open_events(grace=5) as events:
            for contract_id in claimed:
                events.claim(contract_id)
            task = asyncio.create_task(watch(events, seen))
            for number, (contract_id, pause) in enumerate(arrivals):
                await asyncio.sleep(pause)
                await deliver(events, contract_id, str(number))
            await asyncio.sleep(10)
        await task
        return seen

    expected = [(contract, str(number)) for number, (contract, _) in enumerate(arrivals) if contract not in claimed]
    assert [(contract, kind) for _, contract, kind in run_virtually(run())] == expected


def test_several_iterations() -> None:
    """Each event goes to one of several iterations, and one that is cancelled or left takes none with it."""

    async def run() -> tuple[Seen, list[str]]:
        seen: Seen = []
        async with open_events(grace=1) as events:
            tasks = [asyncio.create_task(watch(events, seen)) for _ in range(3)]
            await asyncio.sleep(1)
            for number in range(6):
                await deliver(events, f"C-{number}")
            tasks[0].cancel()
            await asyncio.sleep(10)
            for task in tasks[1:]:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for number in range(6, 9):
                await deliver(events, f"C-{number}")
            left = []
            for _ in range(3):
                async for event in events.unclaimed():
                    left.append(event.contract_id)
                    break
        return seen, left

    seen, left = run_virtually(run())
    assert [contract for _, contract, _ in seen] == [f"C-{number}" for number in range(6)]
    assert left == ["C-6", "C-7", "C-8"]


def test_expiry(caplog: pytest.LogCaptureFixture) -> None:
    """An event that is not taken is dropped after ``unknown_for``, with a warning that names the contract."""

    async def run() -> Seen:
        seen: Seen = []
        async with open_events(unknown_for=60) as events:
            for moment in (0, 1, 59):
                await asyncio.sleep(moment - asyncio.get_running_loop().time())
                await deliver(events, f"C-{moment}")
            await asyncio.sleep(1)
            task = asyncio.create_task(watch(events, seen))
            await asyncio.sleep(100)
        await task
        return seen

    assert run_virtually(run()) == [(60, "C-1", "SEND_SIGNING"), (89, "C-59", "SEND_SIGNING")]
    assert caplog.record_tuples == [
        (
            "kfq_async",
            logging.WARNING,
            "an unclaimed event (SEND_SIGNING) of contract C-0 was dropped: it was not taken for 60 s (unknown_for)",
        )
    ]


def test_expiry_without_iteration(caplog: pytest.LogCaptureFixture) -> None:
    """Events are dropped after ``unknown_for`` while none is taken, too."""

    async def run() -> None:
        events = open_events(unknown_for=60)
        await deliver(events, "C-1")
        await asyncio.sleep(60)
        await deliver(events, "C-2")

    run_virtually(run())
    (message,) = caplog.messages
    assert "of contract C-1 was dropped: it was not taken for 60 s" in message


def test_limit(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond ``limit`` the oldest event is dropped, with a warning; those of claimed contracts do not count."""

    async def run() -> Seen:
        seen: Seen = []
        async with open_events(limit=2) as events:
            for number in range(4):
                await deliver(events, f"C-{number}")
                if number == 1:
                    events.claim("C-0")
                    await deliver(events, "C-0")
            task = asyncio.create_task(watch(events, seen))
            await asyncio.sleep(100)
        await task
        return seen

    assert [contract for _, contract, _ in run_virtually(run())] == ["C-2", "C-3"]
    (message,) = caplog.messages
    assert message.endswith("of contract C-1 was dropped: 2 others are kept (limit)")


def test_end(caplog: pytest.LogCaptureFixture) -> None:
    """The end ends every iteration, drops what was not yielded with a warning, and refuses what comes later."""

    async def run() -> Seen:
        seen: Seen = []
        events = open_events()
        tasks = [asyncio.create_task(watch(events, seen)) for _ in range(2)]
        await asyncio.sleep(1)
        await deliver(events, "C-1")
        await events.aclose()
        await events.aclose()
        await asyncio.gather(*tasks)
        await watch(events, seen)
        with pytest.raises(RuntimeError, match="close the receiver first"):
            await deliver(events, "C-2")
        return seen

    assert run_virtually(run()) == []
    (message,) = caplog.messages
    assert message.endswith("of contract C-1 was dropped: closed")


def test_bound_of_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """The contracts that were claimed, or had an event, last are remembered."""
    monkeypatch.setattr(module, "MAX_CLAIMED", 2)

    async def run() -> Seen:
        seen: Seen = []
        async with open_events(grace=1) as events:
            task = asyncio.create_task(watch(events, seen))
            events.claim("C-1")
            events.claim("C-2")
            await deliver(events, "C-1")
            events.claim("C-3")
            for number in (1, 2, 3):
                await deliver(events, f"C-{number}")
            await asyncio.sleep(10)
        await task
        return seen

    assert [contract for _, contract, _ in run_virtually(run())] == ["C-2"]


async def test_receiver() -> None:
    """The object is the handler of a receiver, which acknowledges an event; once it is closed, the reply is 503."""
    verifier = ContractEventVerifier([private_key().public_key()])
    async with ContractEvents(grace=0) as events, NotificationReceiver(events, verifier=verifier) as receiver:
        body, later = make_body(SIGNED), make_body(SIGNED, contractId="C2")
        reply = await receiver.receive(body, signed_event_headers(body), "/events")
        assert (reply.status, reply.body) == (200, b"success")
        event = await anext(events.unclaimed())
        assert (event.contract_id, event.callback_type) == ("C1", "SUBMIT_SIGN")
        await events.aclose()
        assert (await receiver.receive(later, signed_event_headers(later), "/events")).status == 503


def test_other_loop() -> None:
    """The object belongs to the event loop of its first use."""
    events = ContractEvents(grace=0)
    events.claim("C-1")
    asyncio.run(deliver(events, "C-2"))
    for use in (deliver(events, "C-3"), anext(events.unclaimed()), events.aclose()):
        with pytest.raises(RuntimeError, match="event loop of their first use; create an object for each loop"):
            asyncio.run(_await(use))


async def _await(awaitable: Awaitable[object]) -> None:
    await awaitable


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"grace": -1}, "grace must be at least 0 seconds and finite, not -1"),
        ({"grace": math.inf}, "grace must be at least 0 seconds and finite, not inf"),
        ({"grace": 60, "unknown_for": 60}, "unknown_for must be more than grace, 60 seconds, not 60"),
        ({"limit": 0}, "limit must be at least 1, not 0"),
    ],
)
def test_settings(options: dict[str, Any], text: str) -> None:
    """A setting that would yield nothing is refused."""
    with pytest.raises(ValueError, match=text):
        ContractEvents(**options)


@pytest.mark.parametrize("contract_id", [None, ContractDraft(contract_id="C-1")])
def test_claim_of_no_id(contract_id: Any) -> None:
    """A claim of something else than an id, which would have no effect, is refused."""
    with pytest.raises(TypeError, match=r"contract_id must be a str, such as draft\.contract_id, not "):
        ContractEvents().claim(contract_id)


def test_subscription() -> None:
    """A subscription claims its contract, and is told of each of its events until its end."""

    async def run() -> tuple[list[str], Seen]:
        told: list[str] = []
        seen: Seen = []
        async with open_events(grace=1) as events:
            task = asyncio.create_task(watch(events, seen))
            await deliver(events, "C-1", "SEND_SIGNING")
            with events.subscribe("C-1", lambda: told.append("first")):
                await deliver(events, "C-1")
                with events.subscribe("C-1", lambda: told.append("second")):
                    await deliver(events, "C-1")
                    await deliver(events, "C-2")
                await deliver(events, "C-1")
            await deliver(events, "C-1")
            await asyncio.sleep(10)
        await task
        return told, seen

    told, seen = run_virtually(run())
    assert told == ["first", "first", "second", "first"]
    assert [contract for _, contract, _ in seen] == ["C-2"]


def test_subscription_beyond_the_bound_of_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract with a subscription stays claimed, however many others are."""
    monkeypatch.setattr(module, "MAX_CLAIMED", 2)

    async def run() -> tuple[list[int], Seen, str | None]:
        told: list[int] = []
        seen: Seen = []
        async with open_events(grace=1) as events:
            task = asyncio.create_task(watch(events, seen))
            with events.subscribe("C-0", lambda: told.append(1)):
                for number in (1, 2, 3):
                    events.claim(f"C-{number}")
                await deliver(events, "C-0", reason="…")
                await deliver(events, "C-2")
            await asyncio.sleep(10)
            reason = events.reason_of("C-0")
        await task
        return told, seen, reason

    told, seen, reason = run_virtually(run())
    assert told == [1]
    assert [contract for _, contract, _ in seen] == ["C-2"]
    assert reason == "…"


def test_reasons() -> None:
    """The reason of a claimed contract is the last one that an event gave, before or after the claim."""

    async def run() -> list[str | None]:
        async with open_events() as events:
            await deliver(events, "C-1", reason="first")
            await deliver(events, "C-1", reason="second")
            await deliver(events, "C-1")
            await deliver(events, "C-2", reason="other")
            before = events.reason_of("C-1")
            events.claim("C-1")
            claimed = events.reason_of("C-1")
            events.claim("C-1")
            await deliver(events, "C-1")
            later = events.reason_of("C-1")
            await deliver(events, "C-1", reason="third")
            return [before, claimed, later, events.reason_of("C-1"), events.reason_of("C-3")]

    assert run_virtually(run()) == [None, "second", "second", "third", None]
