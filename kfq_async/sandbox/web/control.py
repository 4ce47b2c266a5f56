"""JSON routes by which scripts act on orders, as the operator and the platform do, and send notifications once more.

Besides the checks of `AccessPolicy`, they take JSON alone, which a form of another site's page cannot send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from kfq_async.sandbox.faults import FAULT_KINDS, Fault, InjectionPoint, fault_kind
from kfq_async.sandbox.orders import STATUS_AFTER
from kfq_async.sandbox.web.frame import headers
from kfq_async.sandbox.web.order_form import order_form

if TYPE_CHECKING:
    from kfq_async.sandbox.identity import OrderService

__all__ = ["OrderControl"]

PATH = "/sandbox/orders/{order_no}"
RESEND = "resend"
_CALLBACK_KINDS = [name for name, kind in FAULT_KINDS.items() if kind.point is InjectionPoint.NOTIFICATION]


class OrderControl:
    """Handlers of the routes."""

    def __init__(self, order_service: OrderService) -> None:
        self._order_service = order_service

    def routes(self) -> list[web.RouteDef]:
        """Return the routes: one for each action, and one that sends a notification once more."""
        actions = "|".join(STATUS_AFTER)
        return [
            web.post(f"{PATH}/{{action:{actions}}}", self._perform),
            web.post(f"{PATH}/{RESEND}", self._resend),
        ]

    async def _perform(self, request: web.Request) -> web.Response:
        """Perform an action with the order's page as it is filled in."""
        if request.content_type != "application/json":
            return _refusal(400, "Content-Type must be application/json")
        action, order_no = request.match_info["action"], request.match_info["order_no"]
        try:
            order = self._order_service.perform(action, order_no, lambda order: order_form(order).form_data({}))
        except LookupError as problem:
            return _refusal(404, str(problem.args[0]))
        except ValueError as problem:
            return _refusal(409, str(problem))
        return _json({"orderNo": order.order_no, "orderStatus": order.status})

    async def _resend(self, request: web.Request) -> web.Response:
        """Send the newest notification of an order once more, with the fault that the body names, if it names one."""
        order_no = request.match_info["order_no"]
        try:
            if request.content_type != "application/json":
                raise ValueError("Content-Type must be application/json")
            text = orjson.loads(await request.read())["fault"]
            if not isinstance(text, str | None):
                raise TypeError("fault must be a string or null")
        except (ValueError, TypeError, KeyError) as problem:
            return _refusal(400, f'send {{"fault": null}} or {{"fault": "callback-duplicate"}}: {problem}')
        try:
            fault = _callback_fault(text)
        except ValueError as problem:
            return _refusal(400, str(problem))
        sent = self._order_service.store.notifications.all("order_no = ?", order_no)
        if not sent:
            return _refusal(404, f"order {order_no} does not exist, or has no notification yet")
        self._order_service.resend(sent[-1].notification_id, fault)
        return _json({"orderNo": order_no, "orderStatus": sent[-1].order_status})


def _callback_fault(text: str | None) -> Fault | None:
    """Return the fault of a text; raise `ValueError` for one that does not apply to notifications."""
    if text is None:
        return None
    fault = Fault.parse(text)
    if fault_kind(fault.kind).point is not InjectionPoint.NOTIFICATION:
        raise ValueError(
            f"fault {fault.kind!r} does not apply to notifications; those that do are {', '.join(_CALLBACK_KINDS)}"
        )
    return fault


def _refusal(status: int, problem: str) -> web.Response:
    return _json({"error": problem}, status)


def _json(document: object, status: int = 200) -> web.Response:
    body = orjson.dumps(document)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers())
