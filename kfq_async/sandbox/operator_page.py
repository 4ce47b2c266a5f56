"""The HTTP side of the page behind ``authUrl``: shown, filled in, and left for ``callbackPage``.

Assumed: the browser goes to ``callbackPage`` after completing, abandoning and review, as it stands in the request,
with no parameters added; an expired order keeps it here.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from aiohttp import web

from kfq_async.sandbox.addresses import policy_sources, web_address
from kfq_async.sandbox.forms import html, read_form, see_other
from kfq_async.sandbox.orders import EXPIRE, STATUS_AFTER, request_of
from kfq_async.sandbox.pages.frame import headers, refused
from kfq_async.sandbox.pages.identify import identify, not_found
from kfq_async.sandbox.state import page_url

if TYPE_CHECKING:
    from yarl import URL

    from kfq_async.sandbox.desk import Desk
    from kfq_async.sandbox.records import Order

__all__ = ["OperatorPage"]

PATH = "/sandbox/identify/{order_no}"


class OperatorPage:
    """The handlers, over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        return [web.get(PATH, self.show), web.post(PATH, self.act)]

    async def show(self, request: web.Request) -> web.Response:
        """Show the page to whoever has the order's secret."""
        order = self._order(request, request.query.get("code", ""))
        if order is None:
            return html(not_found(), headers(), 404)
        return html(identify(order), _headers(_callback_page(order)))

    async def act(self, request: web.Request) -> web.Response:
        """Do what the pressed button says; pressed twice, it counts once and leads to the same place."""
        form = await read_form(request)
        order = self._order(request, form.get("code", ""))
        if order is None:
            return html(not_found(), headers(), 404)
        action = form.get("action", "")
        if action not in STATUS_AFTER:
            return html(refused("操作无效", "没有这个按钮。"), headers(), 400)
        try:
            self._desk.act(order.order_no, action, form)
        except ValueError:
            if self._desk.order(order.order_no).status != STATUS_AFTER[action]:
                return see_other(page_url("", order), headers())
        target = None if action == EXPIRE else _callback_page(order)
        return see_other(page_url("", order) if target is None else str(target), headers())

    def _order(self, request: web.Request, code: str) -> Order | None:
        try:
            order = self._desk.order(request.match_info["order_no"])
        except LookupError:
            return None
        return order if compare_digest(order.code.encode(), code.encode()) else None


def _callback_page(order: Order) -> URL | None:
    return web_address(request_of(order).get("callbackPage"))


def _headers(target: URL | None) -> dict[str, str]:
    return headers("'self'" if target is None else f"'self' {policy_sources(target)}")
