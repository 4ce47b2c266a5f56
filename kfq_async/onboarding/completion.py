"""What notifications tell about companies, noted in the ledger, so that a report can say who has finished."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.callbacks.authentication import NotificationDelivery
    from kfq_async.models.notifications import IdentityNotification
    from kfq_async.onboarding.ledgers.base import Ledger

    Handler = Callable[[NotificationDelivery[IdentityNotification]], Awaitable[None]]

__all__ = ["completion_handler"]


def completion_handler(
    ledger: Ledger, then: Handler | None = None, *, clock: Callable[[], float] = time.time
) -> Handler:
    """Return a handler for a `NotificationReceiver` with ``urls``, which notes each order's status in the ledger.

    ``then`` is a handler of yours, called afterwards. An id that the ledger does not have is passed on all the same:
    one receiver may serve other requests too. For a `SqliteLedger` of another process, open it with
    ``exclusive=False``.
    """

    async def handler(received: NotificationDelivery[IdentityNotification]) -> None:
        status = received.notification.order_status
        if received.client_request_id is None:
            raise ValueError("the notification names no request: give the receiver urls=CallbackUrls(...)")
        if status is not None:
            await ledger.complete(received.client_request_id, status, clock())
        if then is not None:
            await then(received)

    return handler
