"""Notifications that are recorded in the ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from yarl import URL

from companies import rows
from kfq_async import (
    CallbackUrls,
    CorpIdentLinkRequest,
    IdentityNotification,
    IdentityStatus,
    NotificationDelivery,
    NotificationReceiver,
)
from kfq_async.onboarding.completion import completion_handler
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.runner import Onboarding
from ledgers import entry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from kfq_async import AsyncSession
    from kfq_async.sandbox import Sandbox

URLS = CallbackUrls([b"s" * 32], page="https://shop.example/done", notify="https://shop.example/hooks")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """An empty ledger."""
    async with SqliteLedger(tmp_path / "ledger") as ledger:
        yield ledger


def delivery(client_request_id: str | None, status: int | None) -> NotificationDelivery[IdentityNotification]:
    """Return the delivery that a receiver passes to its handler."""
    notification = IdentityNotification(order_no="O1", order_status=status)
    return NotificationDelivery(key="k", notification=notification, client_request_id=client_request_id)


async def test_end_to_end(session: AsyncSession, sandbox: Sandbox, ledger: SqliteLedger) -> None:
    """A notification to the URL of a bound request sets the status of its company, and of no other."""
    async with Onboarding(session, ledger, rows(2), callbacks=URLS) as run:
        async for _ in run:
            pass
    (first, second) = [entry async for entry in ledger.entries()]
    path = sandbox.orders[0].request.split('"authCallbackUrl":"https://shop.example')[1].split('"')[0]
    receiver = NotificationReceiver(completion_handler(ledger), urls=URLS)
    reply = await receiver.receive(b'{"orderNo":"O1","orderStatus":1}', {}, path)
    await receiver.aclose()
    assert reply.body == b"success"
    statuses = {entry.client_request_id: entry.status async for entry in ledger.entries()}
    assert sandbox.orders[0].client_request_id is not None
    assert statuses.pop(sandbox.orders[0].client_request_id) == IdentityStatus.IDENTIFIED
    assert list(statuses.values()) == [None]
    assert {first.status, second.status} == {None}


async def test_then(ledger: SqliteLedger) -> None:
    """The given handler gets every notification, also those of requests that the ledger lacks."""
    received = []

    async def then(delivered: NotificationDelivery[IdentityNotification]) -> None:
        received.append(delivered)

    handler = completion_handler(ledger, then)
    await handler(delivery("elsewhere", 1))
    await handler(delivery("elsewhere", None))
    assert [each.notification.order_status for each in received] == [1, None]


@pytest.mark.parametrize("statuses", [(5, 1), (1, 5), (10**20, 2, 1), (2, -(10**400), 1, 2)])
async def test_order_of_notifications(statuses: tuple[int, ...], ledger: SqliteLedger) -> None:
    """In whatever order notifications arrive, all are acknowledged and the ledger ends with the final status."""
    await ledger.put([entry(1, client_request_id="one")])
    path = URL(URLS.bind(CorpIdentLinkRequest(client_request_id="one")).auth_callback_url or "").raw_path
    receiver = NotificationReceiver(completion_handler(ledger), urls=URLS)
    for status in statuses:
        reply = await receiver.receive(f'{{"orderNo":"O1","orderStatus":{status}}}'.encode(), {}, path)
        assert (reply.status, reply.body) == (200, b"success")
    assert [each.status async for each in ledger.entries()] == [IdentityStatus.IDENTIFIED]


async def test_time_of_a_status(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A status is recorded with the time at which it arrived, also if a test has replaced ``time.time`` since."""
    await ledger.put([entry(1, client_request_id="one"), entry(2, client_request_id="two")])
    handler = completion_handler(ledger)
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    await handler(delivery("one", 1))
    await completion_handler(ledger, clock=lambda: 5.0)(delivery("two", 1))
    assert [each.status_at async for each in ledger.entries()] == [86_400.0, 5.0]


async def test_then_must_be_a_coroutine_function(ledger: SqliteLedger) -> None:
    """A plain function as further handler is refused at once: it would fail after each notification."""
    with pytest.raises(TypeError, match=r"^then must be a coroutine function"):
        completion_handler(ledger, lambda _: None)  # type: ignore[arg-type,return-value]


async def test_notification_without_request_id(ledger: SqliteLedger) -> None:
    """A receiver without bound URLs cannot serve a ledger; the error names the missing argument."""
    with pytest.raises(ValueError, match=r"pass urls=CallbackUrls"):
        await completion_handler(ledger)(delivery(None, 1))
