"""Identification orders: the operation that creates them, and the actions of the operator and the platform on them.

Assumed, because no source documents it: that the auth family checks timestamp and nonce at all, in this order and with
these codes; the treatment of ``clientRequestId``; that unknown keys and improper values are refused (so that a mistake
fails here first); and the wording of all messages.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson

from kfq_async.models.identity import CorpIdentLinkRequest
from kfq_async.protocol.requests import REQUEST_ID
from kfq_async.sandbox.checks import PlatformResponse, Refused, check_fields, check_token, json_object, success
from kfq_async.sandbox.orders import perform
from kfq_async.sandbox.store import Order
from kfq_async.sandbox.values import check_identity_values

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from concurrent.futures import Future

    from kfq_async.sandbox.faults import Fault
    from kfq_async.sandbox.notifications import NotificationSender
    from kfq_async.sandbox.store import Notification, Store

__all__ = ["PAGES", "SAMPLE_TOKEN", "IdentityService", "OrderService", "page_url"]

SAMPLE_TOKEN = "PV9LQWZA"  # noqa: S105  # the published sample's
"""``appAuthToken`` of the published sample request."""
PAGES = "/sandbox/identify/"
"""Start of the path of an order's page."""
TOLERANCE_MS = 300_000
NONCE_RETENTION_MS = 2 * TOLERANCE_MS


class IdentityService:
    """Operations of the auth family. Does no I/O except with the store."""

    def __init__(self, store: Store, *, tokens: Collection[str], strict: bool) -> None:
        self._store = store
        self._tokens = tokens
        self._strict = strict
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def corp_ident_link(
        self, headers: Mapping[str, str], body: bytes, *, now_ms: float, origin: str
    ) -> PlatformResponse:
        """Handle a request for an identification link; ``origin`` is that of the link."""
        try:
            token = check_token(headers.get("appAuthToken"), self._tokens)
            self._check_timestamp(headers.get("timestamp"), now_ms)
            self._check_nonce(token, headers.get("nonce"), now_ms)
            order = self._order(token, body, now_ms)
        except Refused as refused:
            return refused.response
        return success({"orderNo": order.order_no, "authUrl": page_url(origin, order)})

    def _check_timestamp(self, timestamp: str | None, now_ms: float) -> None:
        if not timestamp:
            raise Refused(21000, "缺少 timestamp")
        if not (timestamp.isascii() and timestamp.isdecimal()):
            raise Refused(23000, "timestamp 须为毫秒时间戳")
        if abs(int(timestamp[:20]) - now_ms) > TOLERANCE_MS:
            raise Refused(41001, "timestamp 与平台时间相差超过 300 秒")

    def _check_nonce(self, token: str, nonce: str | None, now_ms: float) -> None:
        if not nonce:
            raise Refused(21000, "缺少 nonce")
        while self._nonces and next(iter(self._nonces.values())) < now_ms - NONCE_RETENTION_MS:
            self._nonces.popitem(last=False)
        if (token, nonce) in self._nonces:
            raise Refused(41002, "nonce 重复")
        self._nonces[token, nonce] = now_ms

    def _order(self, token: str, body: bytes, now_ms: float) -> Order:
        """Return the order of this ``clientRequestId``, or a new one."""
        fields = json_object(body)
        check_fields(fields, CorpIdentLinkRequest, strict=self._strict)
        if self._strict:
            check_identity_values(fields)
        key = fields.get(REQUEST_ID)
        body_hash = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
        existing = self._store.orders.one("token = ? AND client_request_id = ?", token, key) if key else None
        if existing is not None:
            if existing.body_hash != body_hash:
                raise Refused(31000, "同一 clientRequestId 已用于内容不同的请求")
            return existing
        company = fields.get("corpIdentInfo") or {}
        order = Order(
            order_no=f"SBX{secrets.token_hex(6).upper()}",
            token=token,
            client_request_id=key or None,
            body_hash=body_hash,
            company_name=company.get("companyName") or "（未填写企业名称）",
            code=secrets.token_urlsafe(9),
            request=orjson.dumps(fields).decode(),
            created_at=now_ms / 1000,
        )
        if self._store.orders.add_once(order):
            return order
        # Another sandbox that shares the state file has just added an order with this id: return that one.
        return self._order(token, body, now_ms)


def page_url(origin: str, order: Order) -> str:
    """Return the URL of the page where the operator completes the order."""
    return f"{origin}{PAGES}{order.order_no}?code={order.code}"


class OrderService:
    """Changes orders and sends the notifications about them. All methods are thread-safe and return at once."""

    def __init__(self, store: Store, sender: NotificationSender, clock: Callable[[], float]) -> None:
        self.store = store
        self._sender = sender
        self._clock = clock

    def order(self, order_no: str) -> Order:
        """Return an order. Raises `LookupError` if it does not exist."""
        order = self.store.orders.one("order_no = ?", order_no)
        if order is None:
            raise LookupError(f"order {order_no} does not exist")
        return order

    def perform(self, action: str, order_no: str, fill_in: Callable[[Order], Mapping[str, Any]]) -> Order:
        """Perform an action of the operator or the platform, and return the changed order.

        ``fill_in`` returns the form data of the order's page, and is called again if the order has changed meanwhile.
        Raises `LookupError` if the order does not exist, `ValueError` if its state does not allow the action.
        """
        while True:
            before = self.order(order_no)
            after = perform(action, before, fill_in(before), self._clock())
            if self.store.orders.compare_and_swap(before, after):
                break
        self._sender.notify(after)
        return after

    def notifications(self) -> tuple[Notification, ...]:
        """Return all notifications with their attempts, oldest first."""
        return tuple(self.store.with_attempts(self.store.notifications.all()))

    def resend(self, notification_id: str, fault: Fault | None) -> Future[None]:
        """Send a notification once more. Raises `LookupError` if it does not exist."""
        notification = self.store.notifications.one("notification_id = ?", notification_id)
        if notification is None:
            raise LookupError(f"notification {notification_id} does not exist")
        return self._sender.resend((notification,), fault)

    def resend_reversed(self) -> Future[None]:
        """Send the two newest notifications once more, newest first."""
        return self._sender.resend(tuple(self.store.notifications.newest(2)), None)

    def wait_for_notifications(self) -> Future[None]:
        """Return a future that is done when every notification is acknowledged or given up."""
        return self._sender.wait_for_notifications()
