"""`ContractEvents`: events of contracts that no draft is known to have made."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from attrs import frozen

from kfq_async.models.masking import type_name
from kfq_async.models.notifications import ContractEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator
    from types import TracebackType

    from kfq_async.callbacks.authentication import NotificationDelivery

__all__ = ["ContractEvents"]

_LOG = logging.getLogger("kfq_async")
MAX_CLAIMED = 100_000
"""Number of claimed contracts that are remembered; some 100 bytes each."""


@frozen
class _KeptEvent:
    """An event, and the time of its arrival in monotonic seconds."""

    arrived_at: float
    event: ContractEvent


class ContractEvents:
    """Events of contracts whose id is not known, since the response to the draft was lost.

    It is the handler of a `NotificationReceiver` for contract events::

        events = kfq.ContractEvents()
        receiver = kfq.NotificationReceiver(events, verifier=kfq.ContractEventVerifier(PUBLIC_KEY))
        ...
        draft = await session.contracts.draft(request)
        events.claim(draft.contract_id)

    A handler of your own passes its deliveries on: ``await events(delivery)``. `Contracts.wait` and `Contracts.watch`
    take the object as ``events``, and look at a contract as soon as an event of it arrives.

    The events of a contract that was claimed are dropped. Those of any other contract are yielded by `unclaimed`: of a
    draft whose response was lost, which `Contracts.find_lost` recognises, of a contract that another process started
    or that was begun on the platform's pages, and of one that was claimed before this process began. So look the id up
    in your own records first, and claim what turns out not to be lost: each further event of it would be yielded.

    An event arrives up to 5 seconds after the response to the draft was sent (protocol section 6.7), but the response
    may be late, or its id not yet claimed. Therefore an event counts as unclaimed only after ``grace`` seconds. With
    more than ``attempt`` of `Timeouts` the response has arrived by then, or is lost; with less, the event of a draft
    under way may be yielded, for whose contract `Contracts.find_lost` returns ``False``.

    Events are kept in memory and acknowledged at once, since the platform sends to all tenants one after another. One
    that was not yet yielded is lost with the process; the contract's next event brings its id again. The object belongs
    to the event loop of its first use, and its methods are not thread-safe. Close it with `aclose`, or use it in
    ``async with``.

    Args:
        grace: Seconds from the arrival of an event until it counts as unclaimed.
        unknown_for: Seconds for which an event is kept if `unclaimed` does not yield it; then it is dropped, with a
            warning in the log. More than ``grace``.
        limit: Maximum number of events that are kept, about 1 KiB each; the oldest one is dropped for another, with a
            warning in the log.
        clock: Returns monotonic seconds; ``None`` for ``time.monotonic``.

    Raises:
        ValueError: A setting is invalid.
    """

    def __init__(
        self,
        *,
        grace: float = 2.0,
        unknown_for: float = 3600.0,
        limit: int = 10_000,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not 0 <= grace < math.inf:
            raise ValueError(f"grace must be at least 0 seconds and finite, not {grace}")
        if not unknown_for > grace:
            raise ValueError(f"unknown_for must be more than grace, {grace} seconds, not {unknown_for}")
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._grace = grace
        self._unknown_for = unknown_for
        self._limit = limit
        self._clock = clock
        self._kept: deque[_KeptEvent] = deque()
        """Events of contracts that are not claimed, in the order of their arrival."""
        self._claimed: dict[str, str | None] = {}
        """Claimed contracts and their last reason, the one claimed or heard of last at the end."""
        self._subscribers: dict[str, list[Callable[[], None]]] = {}
        """Functions to call when an event of a contract arrives."""
        self._changed = asyncio.Event()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def __call__(self, delivery: NotificationDelivery[ContractEvent]) -> None:
        """Take an event; raise `RuntimeError` once closed, so that the platform sends it again later."""
        self._check_loop()
        if self._closed:
            raise RuntimeError("the events are closed: close the receiver first")
        event = delivery.notification
        subscribers = self._subscribers.get(event.contract_id, ())
        if subscribers or event.contract_id in self._claimed:
            self._refresh_claim(event.contract_id, event.reason)
            for notify in subscribers:
                notify()
            return
        self._drop_expired()
        if len(self._kept) == self._limit:
            self._drop_oldest(f"{self._limit} others are kept (limit)")
        self._kept.append(_KeptEvent(self._now(), event))
        self._changed.set()

    def claim(self, contract_id: str) -> None:
        """Say that a contract is known: none of its events is yielded from now on.

        The 100,000 contracts that were claimed or had an event last are remembered.

        Args:
            contract_id: Id of the contract, such as ``ContractDraft.contract_id``.

        Raises:
            TypeError: ``contract_id`` is not a ``str``.
        """
        if not isinstance(contract_id, str):
            raise TypeError(f"contract_id must be a str, such as draft.contract_id, not {type_name(contract_id)}")
        self._refresh_claim(contract_id, None)
        for kept in self._kept:
            if kept.event.contract_id == contract_id:
                self._refresh_claim(contract_id, kept.event.reason)
        self._kept = deque(kept for kept in self._kept if kept.event.contract_id != contract_id)

    @contextmanager
    def subscribe(self, contract_id: str, notify: Callable[[], None]) -> Iterator[None]:
        """Claim a contract, and call ``notify`` for each of its events that arrives within the block.

        `Contracts.wait` and `Contracts.watch` do so. An event tells that something has happened, and not the state.

        Args:
            contract_id: Id of the contract.
            notify: Called in the event loop, before the event is acknowledged; it must not block or raise.

        Raises:
            TypeError: ``contract_id`` is not a ``str``.
        """
        self._check_loop()
        self.claim(contract_id)
        self._subscribers.setdefault(contract_id, []).append(notify)
        try:
            yield
        finally:
            self._subscribers[contract_id].remove(notify)
            if not self._subscribers[contract_id]:
                del self._subscribers[contract_id]

    def reason_of(self, contract_id: str) -> str | None:
        """Return the last reason that an event of a claimed contract gave; ``None`` if none did."""
        return self._claimed.get(contract_id)

    async def unclaimed(self) -> AsyncGenerator[ContractEvent, None]:
        """Yield the events of contracts that are not claimed, each once, and wait for further ones until `aclose`.

        The events of a contract come in the order of their arrival. Of several iterations at a time each event goes to
        one of them. An iteration can be left and begun anew.

        Yields:
            The next event whose ``grace`` is over.
        """
        self._check_loop()
        while not self._closed:
            self._drop_expired()
            wait = self._kept[0].arrived_at + self._grace - self._now() if self._kept else None
            if wait is not None and wait <= 0:
                yield self._kept.popleft().event
                continue
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def aclose(self) -> None:
        """End every iteration, and drop the events that were not yielded, with a warning in the log. Idempotent.

        Close the receiver first: an event that arrives later is refused, and the platform sends it again.
        """
        self._check_loop()
        self._closed = True
        self._changed.set()
        while self._kept:
            self._drop_oldest("closed")

    def _refresh_claim(self, contract_id: str, reason: str | None) -> None:
        """Put a contract at the end of those that are claimed, with its reason if it has a new one."""
        known = self._claimed.pop(contract_id, None)
        self._claimed[contract_id] = known if reason is None else reason
        if len(self._claimed) > MAX_CLAIMED:
            del self._claimed[next(iter(self._claimed))]

    def _drop_expired(self) -> None:
        now = self._now()
        while self._kept and self._kept[0].arrived_at + self._unknown_for <= now:
            self._drop_oldest(f"it was not taken for {self._unknown_for} s (unknown_for)")

    def _drop_oldest(self, reason: str) -> None:
        event = self._kept.popleft().event
        _LOG.warning(
            "an unclaimed event (%s) of contract %s was dropped: %s", event.callback_type, event.contract_id, reason
        )

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif loop is not self._loop:
            raise RuntimeError("the events belong to the event loop of their first use; create an object for each loop")

    def _now(self) -> float:
        return (self._clock or time.monotonic)()  # looked up now, so that tools which freeze the time can replace it
