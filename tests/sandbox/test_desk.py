"""The desk: orders moved on by several hands at once."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, cast

import pytest
from attrs import evolve

from kfq_async.sandbox import Order, Sandbox
from kfq_async.sandbox.desk import Desk
from kfq_async.sandbox.orders import COMPLETE, REVIEW
from kfq_async.sandbox.store import Store
from orders import NOW, order_of

if TYPE_CHECKING:
    from kfq_async.sandbox.sender import Sender


class Told:
    """Takes the place of the sender."""

    def __init__(self) -> None:
        self.orders: list[Order] = []

    def notify(self, order: Order) -> None:
        """Keep what would be notified."""
        self.orders.append(order)


def test_unknown_order() -> None:
    """An order that does not exist cannot be moved on, and the error names it."""
    with closing(Store(None)) as store:
        desk = Desk(store, cast("Sender", Told()), lambda: NOW)
        with pytest.raises(LookupError, match="there is no order SBX9"):
            desk.act("SBX9", COMPLETE, {})


def test_what_was_typed_is_kept_and_told() -> None:
    """The order that comes back, that which is kept and that which is notified are one."""
    with closing(Store(None)) as store:
        told = Told()
        store.orders.add(order_of())
        after = Desk(store, cast("Sender", told), lambda: NOW).act("SBX1", COMPLETE, {"companyName": "乙公司"})
        assert (after.status, after.company_name, after.verified_at) == (1, "乙公司", NOW)
        assert store.orders.all() == [after]
        assert told.orders == [after]


def test_somebody_was_faster() -> None:
    """If the order changes between look and leap, the new state counts, and nobody's change is lost."""
    with closing(Store(None)) as store:
        store.orders.add(order_of())
        told = Told()

        def clock() -> float:
            (order,) = store.orders.all()
            if order.status is None:
                store.orders.swap(order, evolve(order, status=3))
            return NOW

        with pytest.raises(ValueError, match="has orderStatus 3 already"):
            Desk(store, cast("Sender", told), clock).act("SBX1", REVIEW, {})
        assert [order.status for order in store.orders.all()] == [3]
        assert told.orders == []


def test_many_hands() -> None:
    """Of many threads that complete one order at the same time, one does it, and one notification goes out."""
    with Sandbox() as sandbox, ThreadPoolExecutor(8) as pool:
        store = sandbox._running().store
        store.orders.add(order_of({"authCallbackUrl": "nowhere"}))

        def complete(_: int) -> bool:
            try:
                sandbox.complete("SBX1")
            except ValueError:
                return False
            return True

        assert sum(pool.map(complete, range(32))) == 1
        assert len(asyncio.run(sandbox.settled())) == 1
