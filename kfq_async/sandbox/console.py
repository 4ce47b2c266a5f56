"""The sandbox's console over HTTP: what it holds, and notifications sent again, well or badly.

It answers only to a loopback ``Host``, so that no foreign name can be made to lead here, and acts only for forms
that carry this process's token, so that no foreign page can press its buttons.
"""

from __future__ import annotations

import asyncio
import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING

from aiohttp import web

from kfq_async.sandbox.addresses import host_of, is_loopback
from kfq_async.sandbox.faults import Fault
from kfq_async.sandbox.forms import html, read_form, see_other
from kfq_async.sandbox.pages.console import console
from kfq_async.sandbox.pages.frame import headers, refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from concurrent.futures import Future

    from kfq_async.sandbox.desk import Desk
    from kfq_async.sandbox.pages.console import About

    Handler = Callable[[web.Request], Awaitable[web.Response]]

__all__ = ["Console"]

PATH = "/sandbox/"
SHOWN = 100
"""Records of each kind that the page lists."""
PATIENCE = 1.0
"""Seconds to wait for a receiver's answer, so that it stands on the page at once."""
FAULTS = {
    "resend": None,
    "duplicate": "callback-duplicate",
    "delay": "callback-delay",
    "corrupt": "callback-corrupt",
}


class Console:
    """The handlers, over one desk."""

    def __init__(self, desk: Desk, about: About) -> None:
        self._desk = desk
        self._about = about
        self._token = secrets.token_urlsafe(16)

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        return [
            web.get(PATH.rstrip("/"), self._guarded(self._move)),
            web.get(PATH, self._guarded(self._show)),
            web.post(PATH, self._guarded(self._act)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guard(request: web.Request) -> web.Response:
            if is_loopback(host_of(request.host)):
                return await handler(request)
            return html(refused("拒绝访问", "控制台只能以本机地址打开，例如 127.0.0.1 或 localhost。"), headers(), 403)

        return guard

    async def _move(self, _: web.Request) -> web.Response:
        return see_other(PATH, headers())

    async def _show(self, _: web.Request) -> web.Response:
        store = self._desk.store
        page = console(
            self._about,
            self._token,
            orders=store.orders.newest(SHOWN),
            contracts=store.contracts.newest(SHOWN),
            notifications=store.with_attempts(store.notifications.newest(SHOWN)),
            counts=(store.orders.count(), store.contracts.count(), store.notifications.count()),
        )
        return html(page, headers("'self'"))

    async def _act(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        if not compare_digest(form.get("token", "").encode(), self._token.encode()):
            return html(refused("拒绝操作", "表单已过期，请重新打开控制台。"), headers(), 403)
        try:
            sent = self._press(form)
        except (LookupError, ValueError):
            return html(refused("操作无效", "没有这条通知、这个按钮，或秒数不对。"), headers(), 400)
        await asyncio.wait([asyncio.wrap_future(sent)], timeout=PATIENCE)
        return see_other(PATH, headers("'self'"))

    def _press(self, form: Mapping[str, str]) -> Future[None]:
        """Do what a button says. Raises `LookupError` or `ValueError` if there is nothing to be done."""
        if form["action"] == "reorder":
            return self._desk.resend_reversed()
        kind = FAULTS[form["action"]]
        if kind is None:
            return self._desk.resend(form["notification"], None)
        fault = Fault(kind, seconds=float(form["seconds"])) if kind == "callback-delay" else Fault(kind)
        return self._desk.resend(form["notification"], fault)
