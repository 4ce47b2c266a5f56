"""The sandbox's console over HTTP: what it holds, and notifications sent again, well or badly.

It answers only to a loopback ``Host``, so that no foreign name can be made to lead here, and acts only for forms
that carry this process's token, so that no foreign page can press its buttons.
"""

from __future__ import annotations

import asyncio
import secrets
from hmac import compare_digest
from html import escape
from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from attrs import frozen

from kfq_async.sandbox.faults import Fault
from kfq_async.sandbox.identity import page_url
from kfq_async.sandbox.orders import china_time, request_of
from kfq_async.sandbox.web.addresses import host_of, is_loopback
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, page, refused
from kfq_async.sandbox.web.texts import status_pill

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from concurrent.futures import Future

    from kfq_async.sandbox.identity import OrderService

    Handler = Callable[[web.Request], Awaitable[web.Response]]
    from collections.abc import Sequence

    from kfq_async.sandbox.store import Contract, DeliveryAttempt, Notification, Order

__all__ = ["About", "Console", "console"]


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

    def __init__(self, order_service: OrderService, about: About) -> None:
        self._order_service = order_service
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
        store = self._order_service.store
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
            return self._order_service.resend_reversed()
        kind = FAULTS[form["action"]]
        if kind is None:
            return self._order_service.resend(form["notification"], None)
        fault = Fault(kind, seconds=float(form["seconds"])) if kind == "callback-delay" else Fault(kind)
        return self._order_service.resend(form["notification"], fault)


_FAULTS = {
    "": "",
    "callback-duplicate": "重复",
    "callback-delay": "延迟",
    "callback-reorder": "乱序",
    "callback-corrupt": "篡改",
}


@frozen(kw_only=True)
class About:
    """What a developer has to know about this sandbox."""

    app_id: str
    public_key: str
    retry_after: tuple[float, ...]


def console(
    about: About,
    token: str,
    *,
    orders: Sequence[Order],
    contracts: Sequence[Contract],
    notifications: Sequence[Notification],
    counts: tuple[int, int, int],
) -> str:
    """Return the page; the records are the newest ones, the newest first, and ``counts`` tells how many there are."""
    schedule = "、".join(f"{seconds:g}" for seconds in about.retry_after) or "不重试"
    reorder = _button("reorder", "最新两条倒序重发")
    all_orders, all_contracts, all_notifications = counts
    return page(
        "kfq_async 沙箱控制台",
        '<h1>沙箱控制台</h1><p class="soft">时间均为中国时间（UTC+8）。<a href="/sandbox/">刷新</a></p>'
        f"<dl><dt>通知签名 appId</dt><dd><code>{escape(about.app_id)}</code></dd>"
        f"<dt>重试间隔（秒）</dt><dd>{schedule}</dd></dl>"
        f"<details><summary>通知签名公钥</summary><pre>{escape(about.public_key)}</pre></details>"
        '<p class="soft">通知的格式、签名、应答和重试间隔是沙箱的假设：开放签没有公开它如何通知 authCallbackUrl。</p>'
        f"{_heading('通知', notifications, all_notifications, _form(token, reorder) if len(notifications) > 1 else '')}"
        f"{''.join(_notification(each, token) for each in notifications)}"
        f"{_heading('认证订单', orders, all_orders)}{''.join(map(_order, orders))}"
        f"{_heading('合同', contracts, all_contracts)}{''.join(map(_contract, contracts))}",
        wide=True,
    )


def _heading(title: str, listed: Sequence[object], count: int, more: str = "") -> str:
    shown = f"最新 {len(listed)} / 共 {count}" if count > len(listed) else f"{count}"
    empty = "" if listed else '<p class="soft">还没有。</p>'
    return f'<h2>{title}<span class="pill">{shown}</span>{more}</h2>{empty}'


def _order(order: Order) -> str:
    request = request_of(order)
    callback = "" if request.get("authCallbackUrl") else " · 没有 authCallbackUrl，不发送通知"
    return (
        f'<article class="card"><h3><span>{escape(order.company_name)}</span>{status_pill(order.status)}</h3>'
        f'<p class="soft"><code>{escape(order.order_no)}</code> · {_time(order.created_at)}{callback}</p>'
        f'<p><a href="{escape(page_url("", order))}">打开认证页面</a></p></article>'
    )


def _contract(contract: Contract) -> str:
    return (
        f'<article class="card"><h3><code>{escape(contract.contract_id)}</code>'
        f'<span class="pill">{escape(contract.status)}</span></h3>'
        f'<p class="soft">{_time(contract.created_at)}</p></article>'
    )


def _notification(note: Notification, token: str) -> str:
    if note.acknowledged:
        state = '<span class="pill good">已确认</span>'
    elif note.due_at is None:
        state = '<span class="pill bad">已停止</span>'
    else:
        state = f'<span class="pill busy">{china_time(note.due_at, "%H:%M:%S")} 再发</span>'
    company = orjson.loads(note.body).get("companyName", "")
    buttons = _button("resend", "重发") + _button("duplicate", "重复发送") + _button("corrupt", "篡改后发送")
    delay = (
        '<label>延迟<input class="short" type="number" name="seconds" value="5" min="0" step="any">秒</label>'
        + _button("delay", "延迟发送")
    )
    return (
        f'<article class="card"><h3><span>{status_pill(note.order_status)} {escape(company)}</span>{state}</h3>'
        f'<p class="soft"><code>{escape(note.order_no)}</code> · {_time(note.created_at)}</p>'
        f'<p class="soft"><code>POST {escape(note.url)}</code></p>'
        f"<details><summary>正文</summary><pre>{escape(note.body)}</pre></details>"
        f"<ol>{''.join(map(_attempt, note.attempts)) or '<li>尚未发送</li>'}</ol>"
        f'<div class="row">{_form(token, buttons, note)}{_form(token, delay, note)}</div></article>'
    )


def _attempt(attempt: DeliveryAttempt) -> str:
    fault = f'<span class="pill busy">{_FAULTS[attempt.fault]}</span>' if attempt.fault else ""
    status = "无应答" if attempt.http_status is None else f"HTTP {attempt.http_status}"
    look = "good" if attempt.acknowledged else "bad"
    answer = " ".join(f"<code>{escape(text)}</code>" for text in (attempt.answer, attempt.error) if text)
    if attempt.acknowledged and attempt.fault == "callback-corrupt":
        look, answer = "bad", f"{answer} 接收方接受了被篡改的通知！"
    return (
        f"<li><span>{_time(attempt.at)}</span><span>"
        f'<span class="pill {look}">{status}</span> {fault}</span>'
        f"<span>{answer} {attempt.seconds * 1000:.0f} ms</span></li>"
    )


def _form(token: str, buttons: str, note: Notification | None = None) -> str:
    which = f'<input type="hidden" name="notification" value="{escape(note.notification_id)}">' if note else ""
    return (
        f'<form method="post" action="/sandbox/" class="row"><input type="hidden" name="token" value="{escape(token)}">'
        f"{which}{buttons}</form>"
    )


def _button(action: str, word: str) -> str:
    return f'<button name="action" value="{action}">{word}</button>'


def _time(seconds: float) -> str:
    return china_time(seconds, "%Y-%m-%d %H:%M:%S")
