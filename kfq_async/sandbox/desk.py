"""Where orders are moved on, by the page, the console or a test, and everybody concerned is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async.sandbox.orders import advance
from kfq_async.sandbox.sheet import sheet_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from kfq_async.sandbox.faults import Fault
    from kfq_async.sandbox.records import Notification, Order
    from kfq_async.sandbox.sender import Sender
    from kfq_async.sandbox.store import Store

__all__ = ["Desk"]


class Desk:
    """Changes orders and has notifications sent. Every method may be called from any thread and returns at once."""

    def __init__(self, store: Store, sender: Sender, clock: Callable[[], float]) -> None:
        self.store = store
        self._sender = sender
        self._clock = clock

    def order(self, order_no: str) -> Order:
        """Return an order. Raises `LookupError` if there is none of this number."""
        order = self.store.orders.one("order_no = ?", order_no)
        if order is None:
            raise LookupError(f"there is no order {order_no}")
        return order

    def act(self, order_no: str, action: str, form: Mapping[str, str]) -> Order:
        """Let the operator do something with the page, and return the order as it is then.

        Raises `LookupError` for an unknown order, `ValueError` for one with which this cannot be done.
        """
        while True:
            before = self.order(order_no)
            after = advance(before, action, sheet_of(before).answers(form), self._clock())
            if self.store.orders.swap(before, after):  # otherwise somebody else was faster
                break
        self._sender.notify(after)
        return after

    def notifications(self) -> tuple[Notification, ...]:
        """Return all notifications with their attempts, oldest first."""
        return tuple(self.store.with_attempts(self.store.notifications.all()))

    def resend(self, notification_id: str, fault: Fault | None) -> Future[None]:
        """Send a notification once more. Raises `LookupError` if there is none of this id."""
        note = self.store.notifications.one("notification_id = ?", notification_id)
        if note is None:
            raise LookupError(f"there is no notification {notification_id}")
        return self._sender.resend((note,), fault)

    def resend_reversed(self) -> Future[None]:
        """Send the two newest notifications once more, the newest first."""
        return self._sender.resend(tuple(self.store.notifications.newest(2)), None)

    def settled(self) -> Future[None]:
        """Return what is done when everything is acknowledged or given up."""
        return self._sender.settled()
