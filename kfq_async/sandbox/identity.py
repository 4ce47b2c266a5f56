"""What the sandbox decides: pure, given the clock's reading. It checks what the platform is known to check.

Assumed, since no source says it: that the auth family checks timestamp and nonce at all, in this order and
with these numbers; how ``clientRequestId`` is treated; that an unknown key is refused (so that a typo fails here
first); and every sentence of its messages.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING

import orjson

from kfq_async.models.identity import CorpIdentLinkRequest
from kfq_async.protocol.requests import REQUEST_ID
from kfq_async.sandbox.checks import PlatformResponse, Refused, check_fields, check_token, json_object, success
from kfq_async.sandbox.contracts import ContractService
from kfq_async.sandbox.orders import advance
from kfq_async.sandbox.store import Order
from kfq_async.sandbox.web.order_form import order_form

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from kfq_async.sandbox.faults import Fault
    from kfq_async.sandbox.notifications import Sender
    from kfq_async.sandbox.store import Notification, Store

__all__ = ["SAMPLE_TOKEN", "OrderService", "Platform", "PlatformResponse", "page_url"]


SAMPLE_TOKEN = "PV9LQWZA"  # noqa: S105  # the published sample's
"""The token of the published sample request."""
TOLERANCE_MS = 300_000
NONCE_LIFE_MS = 2 * TOLERANCE_MS


class Platform:
    """The state of the platform and what it answers."""

    def __init__(self, store: Store, *, tokens: Iterable[str], strict: bool) -> None:
        self.store = store
        self.tokens = tuple(tokens)
        self.contracts = ContractService(store, tokens=self.tokens, strict=strict)
        self._strict = strict
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def corp_ident_link(
        self, headers: Mapping[str, str], body: bytes, *, now_ms: float, origin: str
    ) -> PlatformResponse:
        """Answer a request for an identification link; ``origin`` is where the page will be."""
        try:
            token = check_token(headers.get("appAuthToken"), self.tokens)
            self._timestamp(headers.get("timestamp"), now_ms)
            self._nonce(token, headers.get("nonce"), now_ms)
            order = self._order(token, body, now_ms)
        except Refused as refused:
            return refused.reply
        return success({"orderNo": order.order_no, "authUrl": page_url(origin, order)})

    def _timestamp(self, timestamp: str | None, now_ms: float) -> None:
        if not timestamp:
            raise Refused(21000, "缺少 timestamp")
        if not (timestamp.isascii() and timestamp.isdecimal()):
            raise Refused(23000, "timestamp 须为毫秒数")
        if abs(int(timestamp[:20]) - now_ms) > TOLERANCE_MS:
            raise Refused(41001, "timestamp 与平台时间相差超过 300 秒")

    def _nonce(self, token: str, nonce: str | None, now_ms: float) -> None:
        if not nonce:
            raise Refused(21000, "缺少 nonce")
        while self._nonces and next(iter(self._nonces.values())) < now_ms - NONCE_LIFE_MS:
            self._nonces.popitem(last=False)
        if (token, nonce) in self._nonces:
            raise Refused(41002, "nonce 重复")
        self._nonces[token, nonce] = now_ms

    def _order(self, token: str, body: bytes, now_ms: float) -> Order:
        fields = json_object(body)
        check_fields(fields, CorpIdentLinkRequest, strict=self._strict)
        key = fields.get(REQUEST_ID)
        digest = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
        earlier = self.store.orders.one("token = ? AND client_request_id = ?", token, key) if key else None
        if earlier is not None:
            if earlier.digest != digest:
                raise Refused(31000, "同一 clientRequestId 已用于内容不同的请求")
            return earlier
        company = fields.get("corpIdentInfo") or {}
        order = Order(
            order_no=f"SBX{secrets.token_hex(6).upper()}",
            token=token,
            client_request_id=key or None,
            digest=digest,
            company_name=company.get("companyName") or "（未填写企业名称）",
            code=secrets.token_urlsafe(9),
            request=orjson.dumps(fields).decode(),
            created_at=now_ms / 1000,
        )
        if self.store.orders.add_once(order):
            return order
        # Another sandbox on the same state file was faster: its order is the one.
        return self._order(token, body, now_ms)


def page_url(origin: str, order: Order) -> str:
    """Return the URL of the page where the operator completes the order."""
    return f"{origin}/sandbox/identify/{order.order_no}?code={order.code}"


class OrderService:
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
            after = advance(before, action, order_form(before).answers(form), self._clock())
            if self.store.orders.compare_and_swap(before, after):  # otherwise somebody else was faster
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
