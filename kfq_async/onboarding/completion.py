"""Notification handler that records in the ledger which companies completed their identification."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kfq_async.callbacks.handlers import require_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.callbacks.authentication import NotificationDelivery
    from kfq_async.models.notifications import IdentityNotification
    from kfq_async.onboarding.ledgers.base import Ledger

    Handler = Callable[[NotificationDelivery[IdentityNotification]], Awaitable[None]]

__all__ = ["completion_handler"]


def completion_handler(
    ledger: Ledger, then: Handler | None = None, *, clock: Callable[[], float] | None = None
) -> Handler:
    """Return a handler for a `NotificationReceiver` that records each order's status in the ledger.

    A status that arrives late does not replace the one on record; see `kfq_async.supersedes`.

    The receiver needs ``urls``, since the id of the request is taken from the callback URL. An id that the ledger lacks
    is not an error: one receiver may serve other requests too. Open a `SqliteLedger` that another process uses with
    ``exclusive=False``.

    Args:
        ledger: An open ledger.
        then: A handler to call afterwards, a coroutine function; also called for ids that the ledger lacks.
        clock: Returns the time in seconds since the epoch; ``None`` for ``time.time``.

    Raises:
        TypeError: ``then`` is not a coroutine function.
    """
    if then is not None:
        require_coroutine_function("then", then)

    async def handler(delivery: NotificationDelivery[IdentityNotification]) -> None:
        status = delivery.notification.order_status
        if delivery.client_request_id is None:
            raise ValueError("the delivery has no client_request_id: pass urls=CallbackUrls(...) to the receiver")
        if status is not None:
            now = (clock or time.time)()  # looked up now, so that tools which freeze the time can replace it
            await ledger.complete(delivery.client_request_id, status, now)
        if then is not None:
            await then(delivery)

    return handler
