"""How an identification order goes on, and what is notified about it (protocol sections 5.2 and 5.3). Pure.

Assumed, since no source says it: that the hosted platform knows these states; that what is not final may become
anything; and that its notifications look as the open-source platform reads those of its identity service.
``unionId`` is made up, since the request names no id of the enterprise; ``contactUnionId`` is ``clientUserId``;
``name`` is the legal representative's; ``actionType`` is left out, since nobody knows its values.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from attrs import evolve

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfq_async.sandbox.store import Order

__all__ = [
    "ABANDON",
    "COMPLETE",
    "EXPIRE",
    "EXPIRED",
    "FINAL",
    "IDENTIFIED",
    "IN_PROGRESS",
    "REVIEW",
    "STATUS_AFTER",
    "WITHDRAWN",
    "advance",
    "china_time",
    "notification_body",
    "request_of",
]

IDENTIFIED, IN_PROGRESS, WITHDRAWN, EXPIRED = 1, 2, 3, 4
FINAL = frozenset({IDENTIFIED, WITHDRAWN, EXPIRED})
COMPLETE, REVIEW, ABANDON, EXPIRE = "complete", "review", "abandon", "expire"
STATUS_AFTER = {COMPLETE: IDENTIFIED, REVIEW: IN_PROGRESS, ABANDON: WITHDRAWN, EXPIRE: EXPIRED}
"""The ``orderStatus`` that each action leads to."""
ENTERPRISE = 2
FIRST_IDENTIFICATION = 1
CHINA = timedelta(hours=8)


def advance(order: Order, action: str, answers: Mapping[str, Any], now: float) -> Order:
    """Return the order as it is after an action; ``answers`` are what the page holds, kept if it is handed in.

    Raises `ValueError` for an order that is final, or in that state already.
    """
    status = STATUS_AFTER[action]
    if order.status in FINAL or order.status == status:
        raise ValueError(f"order {order.order_no} has orderStatus {order.status} already and cannot {action}")
    if action not in {COMPLETE, REVIEW}:
        return evolve(order, status=status)
    return evolve(
        order,
        status=status,
        company_name=answers["corpIdentInfo"]["companyName"] or order.company_name,
        answers=orjson.dumps(answers).decode(),
        verified_at=now if status == IDENTIFIED else None,
    )


def notification_body(order: Order) -> str:
    """Return the JSON of the notification about the order's state; what is not known is left out."""
    request, answers = request_of(order), orjson.loads(order.answers)
    company = answers.get("corpIdentInfo") or request.get("corpIdentInfo") or {}
    fields = {
        "orderNo": order.order_no,
        "orderStatus": order.status,
        "unionId": _union_id(order, request.get("corpIdentInfo") or {}),
        "contactUnionId": request.get("clientUserId"),
        "userType": ENTERPRISE,
        "bizType": FIRST_IDENTIFICATION,
        "companyVerifyMethod": answers.get("companyVerifyMethod"),
        "personVerifyMethod": answers.get("personVerifyMethod"),
        "companyName": company.get("companyName"),
        "creditCode": company.get("creditCode"),
        "companyType": company.get("companyType"),
        "name": company.get("legalRepName"),
        "createTime": china_time(order.created_at),
        "verifyTime": None if order.verified_at is None else china_time(order.verified_at),
    }
    return orjson.dumps({name: value for name, value in fields.items() if value not in (None, "")}).decode()


def request_of(order: Order) -> dict[str, Any]:
    """Return the fields of the request that made the order."""
    fields: dict[str, Any] = orjson.loads(order.request)
    return fields


def china_time(seconds: float, style: str = "%Y%m%d%H%M%S") -> str:
    """Write a moment as the platform does, in China's time (protocol section 1.4)."""
    return (datetime.fromtimestamp(seconds, UTC) + CHINA).strftime(style)


def _union_id(order: Order, company: Mapping[str, object]) -> str:
    """Make up an id that the same company has under the same token."""
    known = orjson.dumps([order.token, company.get("creditCode") or company.get("companyName") or order.order_no])
    return f"sbx-{hashlib.sha256(known).hexdigest()[:16]}"
