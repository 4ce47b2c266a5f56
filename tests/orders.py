"""Sample orders."""

from __future__ import annotations

from typing import Any

import orjson

from kfq_async.sandbox import Order

HOSTILE = "<script>alert(1)</script>\"' onload=x &amp; {braces}"
COMPANY = {
    "companyName": "某某科技有限公司",
    "creditCode": "91110000MA01234567",
    "legalRepName": "张三",
    "companyType": 1,
}
OPERATOR = {"name": "李四", "idCard": "110101199001011234", "idCardType": 1, "mobile": "13900139000"}
NOW = 1_775_010_802.0
"""2026-04-01 10:33:22 in China."""


def order_of(request: dict[str, Any] | None = None, **changes: Any) -> Order:
    """Return an order that this request made."""
    fields = {"corpIdentInfo": COMPANY} if request is None else request
    defaults = {
        "order_no": "SBX1",
        "token": "TOKEN-A",
        "client_request_id": "row-1",
        "body_hash": "d",
        "company_name": (fields.get("corpIdentInfo") or {}).get("companyName") or "（未填写企业名称）",
        "code": "page-secret",
        "request": orjson.dumps(fields).decode(),
        "created_at": NOW,
    }
    return Order(**{**defaults, **changes})
