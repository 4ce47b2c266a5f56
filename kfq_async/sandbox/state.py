"""What the sandbox decides: pure, given the clock's reading. It checks what the platform is known to check.

Assumed, since no source says it: that the auth family checks timestamp and nonce at all, in this order and
with these numbers; how ``clientRequestId`` is treated; that an unknown key is refused (so that a typo fails here
first); and every sentence of its messages.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import orjson
from attrs import fields_dict, frozen

from kfq_async.errors import DecodeError
from kfq_async.models.fields import MODEL
from kfq_async.models.identity import CorpIdentLinkRequest
from kfq_async.protocol.codec import camel, decode
from kfq_async.protocol.envelope import SUCCESS
from kfq_async.protocol.requests import REQUEST_ID
from kfq_async.sandbox.store import Order, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SAMPLE_TOKEN", "Order", "Platform", "Reply"]

SAMPLE_TOKEN = "PV9LQWZA"  # noqa: S105  # the published sample's
"""The token of the published sample request."""
TOLERANCE_MS = 300_000
NONCE_LIFE_MS = 2 * TOLERANCE_MS


@frozen
class Reply:
    """Code, message and result of an answer."""

    code: int
    message: str
    result: object = None


class _Refused(Exception):
    """Carries a refusal from a check to `Platform.corp_ident_link`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(code, f"沙箱：{message}")


class Platform:
    """The state of the platform and what it answers."""

    def __init__(self, store: Store, *, tokens: Iterable[str], strict: bool) -> None:
        self.store = store
        self.tokens = tuple(tokens)
        self._strict = strict
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def corp_ident_link(self, headers: Mapping[str, str], body: bytes, *, now_ms: float, origin: str) -> Reply:
        """Answer a request for an identification link; ``origin`` is where the page will be."""
        try:
            token = self._token(headers.get("appAuthToken"))
            self._timestamp(headers.get("timestamp"), now_ms)
            self._nonce(token, headers.get("nonce"), now_ms)
            order = self._order(token, body, now_ms)
        except _Refused as refused:
            return refused.reply
        result = {"orderNo": order.order_no, "authUrl": page_url(origin, order)}
        return Reply(SUCCESS, "成功", result)

    def _token(self, token: str | None) -> str:
        if not token:
            raise _Refused(40000, "缺少 appAuthToken")
        if token not in self.tokens:
            raise _Refused(41000, "appAuthToken 无效")
        return token

    def _timestamp(self, timestamp: str | None, now_ms: float) -> None:
        if not timestamp:
            raise _Refused(21000, "缺少 timestamp")
        if not (timestamp.isascii() and timestamp.isdecimal()):
            raise _Refused(23000, "timestamp 须为毫秒数")
        if abs(int(timestamp[:20]) - now_ms) > TOLERANCE_MS:
            raise _Refused(41001, "timestamp 与平台时间相差超过 300 秒")

    def _nonce(self, token: str, nonce: str | None, now_ms: float) -> None:
        if not nonce:
            raise _Refused(21000, "缺少 nonce")
        while self._nonces and next(iter(self._nonces.values())) < now_ms - NONCE_LIFE_MS:
            self._nonces.popitem(last=False)
        if (token, nonce) in self._nonces:
            raise _Refused(41002, "nonce 重复")
        self._nonces[token, nonce] = now_ms

    def _order(self, token: str, body: bytes, now_ms: float) -> Order:
        fields = _object(body)
        self._check(fields)
        key = fields.get(REQUEST_ID)
        digest = hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()
        earlier = self.store.by_key(token, key) if key else None
        if earlier is not None:
            if earlier.digest != digest:
                raise _Refused(31000, "同一 clientRequestId 已用于内容不同的请求")
            return earlier
        company = fields.get("corpIdentInfo") or {}
        order = Order(
            order_no=f"SBX{secrets.token_hex(10).upper()}",
            token=token,
            client_request_id=key or None,
            digest=digest,
            company_name=company.get("companyName") or "（未填写企业名称）",
            code=secrets.token_urlsafe(12),
            request=orjson.dumps(fields).decode(),
            created_at=now_ms / 1000,
        )
        self.store.add(order)
        return order

    def _check(self, fields: dict[str, Any]) -> None:
        data = fields if self._strict else _known(fields, CorpIdentLinkRequest)
        try:
            decode(CorpIdentLinkRequest, data, path="$")
        except DecodeError as problem:
            raise _Refused(23000, f"请求字段不符：{'；'.join(problem.problems)}") from None


def page_url(origin: str, order: Order) -> str:
    """Return the URL of the page where the operator completes the order."""
    return f"{origin}/sandbox/identify/{order.order_no}?code={order.code}"


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise _Refused(25000, "请求体不是 JSON 对象")
    return {name: value for name, value in fields.items() if value is not None}


def _known(fields: dict[str, Any], model: type) -> dict[str, Any]:
    """Drop the keys that the model does not have, at both levels."""
    names = {camel(name): attribute for name, attribute in fields_dict(model).items()}
    known = {}
    for name in fields.keys() & names.keys():
        value = fields[name]
        inner = names[name].metadata.get(MODEL)
        known[name] = _known(value, inner) if inner and isinstance(value, dict) else value
    return known
