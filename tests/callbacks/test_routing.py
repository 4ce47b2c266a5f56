"""Routers of notifications: which handler gets what, and what they refuse."""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING, Any

import pytest

import kfq_async as kfq
from integrations.service import BOUND_PATH, URLS
from senders import make_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Event = kfq.NotificationDelivery[kfq.ContractEvent]
Identity = kfq.NotificationDelivery[kfq.IdentityNotification]


def event(kind: str) -> Event:
    """Return the delivery of an event."""
    notification = kfq.ContractEvent(contract_id="c", contract_status="SIGNING", callback_type=kind)
    return kfq.NotificationDelivery(notification=notification, client_request_id=None, key="k")


def recorder(seen: list[tuple[str, Any]], name: str) -> Callable[[Any], Awaitable[None]]:
    """Return a handler that records its name and what it gets."""

    async def handle(delivery: Any) -> None:
        seen.append((name, delivery))

    return handle


async def test_handlers_by_kind() -> None:
    """Each kind goes to its handler, in either spelling of the platform; the others go to the fallback."""
    seen: list[tuple[str, Any]] = []
    events = kfq.ContractEventRouter()
    complete = recorder(seen, "complete")
    assert events.on(kfq.CallbackType.COMPLETE)(complete) is complete
    events.on("EXPIRED", kfq.CallbackType.RECALLED, "RECALLED")(recorder(seen, "ended"))
    events.on("BRAND_NEW")(recorder(seen, "new"))
    assert events.fallback(complete) is complete
    for kind in ("COMPLETED", "EXPIRED", "RECALLED", "BRAND_NEW", "DELETE"):
        await events(event(kind))
    assert [name for name, _ in seen] == ["complete", "ended", "ended", "new", "complete"]
    assert seen[1][1].notification.callback_type is kfq.CallbackType.EXPIRED


async def test_without_a_fallback(caplog: pytest.LogCaptureFixture) -> None:
    """What no handler takes is acknowledged, and logged."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    await kfq.ContractEventRouter()(event("DELETE"))
    (record,) = caplog.records
    assert record.getMessage() == "notification without a handler acknowledged: status=DELETE"


@pytest.mark.parametrize(("status", "shown"), [(None, "none"), (3, "3"), (13800138000, "***")])
async def test_state_without_a_handler(status: int | None, shown: str, caplog: pytest.LogCaptureFixture) -> None:
    """A state that does not have the form of one is masked."""
    caplog.set_level(logging.INFO, logger="kfq_async")
    notification = kfq.IdentityNotification(order_status=status)
    await kfq.IdentityRouter()(kfq.NotificationDelivery(notification=notification, key="k"))
    (record,) = caplog.records
    assert record.getMessage() == f"notification without a handler acknowledged: status={shown}"


async def test_handler_of_a_receiver() -> None:
    """A router is the handler of a receiver; a handler that fails makes the notification come again."""
    identities = kfq.IdentityRouter()
    seen = []

    @identities.on(kfq.IdentityStatus.IDENTIFIED, 17)
    async def identified(delivery: Identity) -> None:
        seen.append(delivery.client_request_id)
        if len(seen) == 1:
            raise ZeroDivisionError

    async with kfq.NotificationReceiver(identities, urls=URLS) as receiver:
        replies = [await receiver.receive(make_body(orderStatus=1), {}, BOUND_PATH) for _ in range(3)]
        await receiver.receive(make_body(orderStatus=17), {}, BOUND_PATH)
    assert [reply.status for reply in replies] == [503, 200, 200]
    assert seen == ["row-1", "row-1", "row-1"]


async def test_notification_without_a_status() -> None:
    """A notification without a status goes to the fallback."""
    seen: list[tuple[str, Any]] = []
    identities = kfq.IdentityRouter()
    identities.fallback(recorder(seen, "fallback"))
    notification = kfq.IdentityNotification()
    await identities(kfq.NotificationDelivery(notification=notification, client_request_id=None, key="k"))
    assert [name for name, _ in seen] == ["fallback"]


def test_double_registration() -> None:
    """A second handler of a kind, and a second fallback, are refused with the name of the first one."""
    events = kfq.ContractEventRouter()

    @events.on(kfq.CallbackType.COMPLETE)
    async def first(delivery: Event) -> None: ...

    events.fallback(functools.partial(first))
    with pytest.raises(ValueError, match=r"COMPLETE.* has a handler already: .*first$"):
        events.on("DELETE", "COMPLETED")(first)
    with pytest.raises(ValueError, match="there is a fallback already: partial"):
        events.fallback(first)
    events.on("DELETE")(first)


def test_plain_functions() -> None:
    """A handler must be a coroutine function, and is told so where it is registered."""
    events = kfq.ContractEventRouter()
    for register in (events.on("DELETE"), events.fallback):
        with pytest.raises(TypeError, match="must be a coroutine function"):
            register(print)  # type: ignore[arg-type, type-var]


@pytest.mark.parametrize("kinds", [(), (1,), (None,), (["DELETE"],), ("DELETE", 1)])
def test_kinds_of_events(kinds: Any) -> None:
    """A kind of event is a text."""
    with pytest.raises(TypeError, match=r"write @router.on\(CallbackType"):
        kfq.ContractEventRouter().on(*kinds)


@pytest.mark.parametrize("kinds", [(), ("1",), (None,), (True,), (1, "2")])
def test_kinds_of_identity_notifications(kinds: Any) -> None:
    """A state is a number."""
    with pytest.raises(TypeError, match=r"write @router.on\(IdentityStatus"):
        kfq.IdentityRouter().on(*kinds)
