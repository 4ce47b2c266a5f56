"""State transitions of an identification order, and the notification about them (protocol 5.2 and 5.3). Pure.

Assumed, because no source documents it: that the hosted platform has these states; that an order in any state that is
not final may enter any other; and that its notifications have the form in which the open-source platform receives
those of its identity service. ``unionId`` is invented, because the request names no id of the enterprise;
``contactUnionId`` is ``clientUserId``; ``name`` is the legal representative's; ``actionType`` is left out, because its
values are not documented.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from attrs import evolve

from kfq_async.models.notifications import IdentityStatus
from kfq_async.models.zones import CHINA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfq_async.sandbox.store import Order

__all__ = [
    "ABANDON",
    "COMPLETE",
    "EXPIRE",
    "REVIEW",
    "STATUS_AFTER",
    "china_time",
    "notification_body",
    "perform",
    "request_of",
]

COMPLETE, REVIEW, ABANDON, EXPIRE = "complete", "review", "abandon", "expire"
STATUS_AFTER = {
    COMPLETE: IdentityStatus.IDENTIFIED,
    REVIEW: IdentityStatus.IN_PROGRESS,
    ABANDON: IdentityStatus.WITHDRAWN,
    EXPIRE: IdentityStatus.EXPIRED,
}
"""The ``orderStatus`` that each action leads to."""
ENTERPRISE = 2
FIRST_IDENTIFICATION = 1


def perform(action: str, order: Order, form_data: Mapping[str, Any], now: float) -> Order:
    """Return the order after an action; ``form_data`` is kept if the action submits the page.

    Raises `ValueError` if the order is final, or in that state already.
    """
    status = STATUS_AFTER[action]
    if (order.status is not None and order.status.final) or order.status == status:
        raise ValueError(f"cannot {action} order {order.order_no}: it already has orderStatus {order.status}")
    if action not in {COMPLETE, REVIEW}:
        return evolve(order, status=status)
    return evolve(
        order,
        status=status,
        company_name=form_data["corpIdentInfo"]["companyName"] or order.company_name,
        form_data=orjson.dumps(form_data).decode(),
        verified_at=now if action == COMPLETE else None,
    )


def notification_body(order: Order) -> str:
    """Return the JSON of the notification about the order's state, without the fields that are unknown."""
    request, form_data = request_of(order), orjson.loads(order.form_data)
    company = form_data.get("corpIdentInfo") or request.get("corpIdentInfo") or {}
    fields = {
        "orderNo": order.order_no,
        "orderStatus": order.status,
        "unionId": _union_id(order, request.get("corpIdentInfo") or {}),
        "contactUnionId": request.get("clientUserId"),
        "userType": ENTERPRISE,
        "bizType": FIRST_IDENTIFICATION,
        "companyVerifyMethod": form_data.get("companyVerifyMethod"),
        "personVerifyMethod": form_data.get("personVerifyMethod"),
        "companyName": company.get("companyName"),
        "creditCode": company.get("creditCode"),
        "companyType": company.get("companyType"),
        "name": company.get("legalRepName"),
        "createTime": china_time(order.created_at),
        "verifyTime": None if order.verified_at is None else china_time(order.verified_at),
    }
    return orjson.dumps({name: value for name, value in fields.items() if value not in (None, "")}).decode()


def request_of(order: Order) -> dict[str, Any]:
    """Return the fields of the request that created the order."""
    fields: dict[str, Any] = orjson.loads(order.request)
    return fields


def china_time(seconds: float, style: str = "%Y%m%d%H%M%S") -> str:
    """Format seconds since the epoch as the platform does, in China's time (protocol section 1.4)."""
    return datetime.fromtimestamp(seconds, CHINA).strftime(style)


def _union_id(order: Order, company: Mapping[str, object]) -> str:
    """Return an invented id, the same for the same company under the same token."""
    known = orjson.dumps([order.token, company.get("creditCode") or company.get("companyName") or order.order_no])
    return f"sbx-{hashlib.sha256(known).hexdigest()[:16]}"
