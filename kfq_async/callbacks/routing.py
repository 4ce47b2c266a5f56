"""Routers: one handler per kind of notification, and together the handler of a `NotificationReceiver`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from kfq_async.callbacks.handlers import require_coroutine_function
from kfq_async.models.masking import type_name
from kfq_async.models.notifications import (
    ContractEvent,
    IdentityNotification,
    known_callback_type,
    known_identity_status,
)
from kfq_async.redaction import visible_status

if TYPE_CHECKING:
    from kfq_async.callbacks.authentication import NotificationDelivery

__all__ = ["ContractEventRouter", "IdentityRouter"]

_LOG = logging.getLogger("kfq_async")
KindT = TypeVar("KindT", str, int)
NotificationT = TypeVar("NotificationT", ContractEvent, IdentityNotification)
Handler: TypeAlias = "Callable[[NotificationDelivery[NotificationT]], Awaitable[object]]"
HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[object]])
EventHandlerT = TypeVar("EventHandlerT", bound="Handler[ContractEvent]")
IdentityHandlerT = TypeVar("IdentityHandlerT", bound="Handler[IdentityNotification]")


class _Router(Generic[KindT, NotificationT]):
    """What routers have in common: handlers by kind, and a fallback."""

    def __init__(self) -> None:
        self._handlers: dict[KindT, Handler[NotificationT]] = {}
        self._fallback: Handler[NotificationT] | None = None

    def _register(self, kinds: tuple[KindT, ...], handler: HandlerT) -> HandlerT:
        require_coroutine_function("handler", handler)
        for kind in kinds:
            if kind in self._handlers:
                raise ValueError(f"{kind!r} has a handler already: {_name(self._handlers[kind])}")
        self._handlers.update(dict.fromkeys(kinds, handler))
        return handler

    def fallback(self, handler: Handler[NotificationT]) -> Handler[NotificationT]:
        """Register the handler of everything else, as a decorator: ``@router.fallback``.

        Raises:
            TypeError: The handler is no coroutine function.
            ValueError: There is one already.
        """
        require_coroutine_function("handler", handler)
        if self._fallback is not None:
            raise ValueError(f"there is a fallback already: {_name(self._fallback)}")
        self._fallback = handler
        return handler

    async def _dispatch(self, kind: KindT | None, delivery: NotificationDelivery[NotificationT]) -> None:
        handler = self._fallback if kind is None else self._handlers.get(kind, self._fallback)
        if handler is None:
            status = None if kind is None else visible_status(str(kind))
            _LOG.info("notification without a handler acknowledged: status=%s", status or "none")
        else:
            await handler(delivery)


class ContractEventRouter(_Router[str, ContractEvent]):
    """Handlers of contract events by `CallbackType`, for a receiver with a `ContractEventVerifier`.

    ::

        events = kfq.ContractEventRouter()

        @events.on(kfq.CallbackType.COMPLETE)
        async def complete(delivery: kfq.NotificationDelivery[kfq.ContractEvent]) -> None: ...

        receiver = kfq.NotificationReceiver(events, verifier=...)

    An event that no handler takes is acknowledged, and logged at level INFO. An event is a hint, not the state of the
    contract: see `ContractEvent`.
    """

    def on(self, *kinds: str) -> Callable[[EventHandlerT], EventHandlerT]:
        """Register the handler of one or several kinds, as a decorator.

        Args:
            kinds: Members of `CallbackType`, or the texts of kinds that this version does not know.

        Raises:
            TypeError: A kind is no text, none is given, or the handler is no coroutine function.
            ValueError: A kind has a handler already.
        """
        checked = tuple(dict.fromkeys(known_callback_type(kind) for kind in _check_kinds(kinds, str, "CallbackType")))
        return lambda handler: self._register(checked, handler)

    async def __call__(self, delivery: NotificationDelivery[ContractEvent]) -> None:
        """Pass a delivery to its handler."""
        await self._dispatch(delivery.notification.callback_type, delivery)


class IdentityRouter(_Router[int, IdentityNotification]):
    """Handlers of identity notifications by `IdentityStatus`, for a receiver with `CallbackUrls`.

    ::

        identities = kfq.IdentityRouter()

        @identities.on(kfq.IdentityStatus.IDENTIFIED)
        async def identified(delivery: kfq.NotificationDelivery[kfq.IdentityNotification]) -> None: ...

        receiver = kfq.NotificationReceiver(identities, urls=...)

    A notification that no handler takes is acknowledged, and logged at level INFO. Notifications may overtake each
    other: compare with the status on record by `supersedes`.
    """

    def on(self, *kinds: int) -> Callable[[IdentityHandlerT], IdentityHandlerT]:
        """Register the handler of one or several states, as a decorator.

        Args:
            kinds: Members of `IdentityStatus`, or the numbers of states that this version does not know. A notification
                without a status goes to the fallback.

        Raises:
            TypeError: A kind is no number, none is given, or the handler is no coroutine function.
            ValueError: A kind has a handler already.
        """
        numbers = _check_kinds(kinds, int, "IdentityStatus")
        checked = tuple(dict.fromkeys(kind for kind in map(known_identity_status, numbers) if kind is not None))
        return lambda handler: self._register(checked, handler)

    async def __call__(self, delivery: NotificationDelivery[IdentityNotification]) -> None:
        """Pass a delivery to its handler."""
        await self._dispatch(delivery.notification.order_status, delivery)


def _check_kinds(kinds: tuple[KindT, ...], expected: type, name: str) -> tuple[KindT, ...]:
    remedy = f"write @router.on({name}.…)"
    if not kinds:
        raise TypeError(f"on takes at least one {name}: {remedy}")
    for kind in kinds:
        if not isinstance(kind, expected) or isinstance(kind, bool):
            raise TypeError(f"on takes members of {name}, not {type_name(kind)}: {remedy}")
    return kinds


def _name(handler: object) -> str:
    return getattr(handler, "__qualname__", type(handler).__qualname__)
