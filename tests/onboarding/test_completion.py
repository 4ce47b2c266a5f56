"""Notifications that are recorded in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from companies import rows
from kfq_async import CallbackUrls, IdentityNotification, IdentityStatus, NotificationDelivery, NotificationReceiver
from kfq_async.onboarding.completion import completion_handler
from kfq_async.onboarding.ledgers.sqlite import SqliteLedger
from kfq_async.onboarding.runner import Onboarding

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


async def test_notification_without_request_id(ledger: SqliteLedger) -> None:
    """A receiver without bound URLs cannot serve a ledger; the error names the missing argument."""
    with pytest.raises(ValueError, match=r"pass urls=CallbackUrls"):
        await completion_handler(ledger)(delivery(None, 1))
