"""Console: lists orders, contracts, notifications and contract events, and resends them, notifications with a fault.

Besides the checks of `AccessPolicy`, it acts only on forms that carry this process's token.
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
from kfq_async.sandbox.lifecycle import STATUS_NAMES
from kfq_async.sandbox.orders import china_time, request_of
from kfq_async.sandbox.web.contract_page import CONTRACT_PATH
from kfq_async.sandbox.web.deliveries import act_on_event, delivery, delivery_state, event_buttons
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, page, refused
from kfq_async.sandbox.web.texts import status_pill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from kfq_async.sandbox.events import EventSender
    from kfq_async.sandbox.identity import OrderService
    from kfq_async.sandbox.store import Contract, ContractNotification, Notification, Order

__all__ = ["Console", "ConsoleInfo", "console_page"]

PATH = "/sandbox/"
LISTED = 100
"""Maximum number of records of each kind that the page lists."""
RESPONSE_WAIT = 1.0
"""Seconds to wait for the receiver's response, so that the page shows it at once."""
FAULTS = {
    "resend": None,
    "duplicate": "callback-duplicate",
    "delay": "callback-delay",
    "corrupt": "callback-corrupt",
}
"""Fault that each button of a notification injects."""


@frozen(kw_only=True)
class ConsoleInfo:
    """Settings of the sandbox that the console shows."""

    app_id: str
    public_key: str
    retry_after: tuple[float, ...]


class Console:
    """Handlers of the console."""

    def __init__(self, order_service: OrderService, event_sender: EventSender, info: ConsoleInfo) -> None:
        self._order_service = order_service
        self._event_sender = event_sender
        self._info = info
        self._token = secrets.token_urlsafe(16)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the console."""
        return [
            web.get(PATH.rstrip("/"), self._redirect),
            web.get(PATH, self._show),
            web.post(PATH, self._submit),
        ]

    async def _redirect(self, _: web.Request) -> web.Response:
        return see_other(PATH, headers())

    async def _show(self, _: web.Request) -> web.Response:
        store = self._order_service.store
        shown = console_page(
            self._info,
            self._token,
            orders=store.orders.newest(LISTED),
            contracts=store.contracts.newest(LISTED),
            notifications=store.with_attempts(store.notifications.newest(LISTED)),
            events=store.with_attempts(store.contract_notifications.newest(LISTED)),
            counts=(
                store.orders.count(),
                store.contracts.count(),
                store.notifications.count(),
                store.contract_notifications.count(),
            ),
        )
        return html(shown, headers("'self'"))

    async def _submit(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        if not compare_digest(form.get("token", "").encode(), self._token.encode()):
            return html(refused("拒绝操作", "表单已失效，请重新打开控制台。"), headers(), 403)
        try:
            sent = self._resend(form)
        except (LookupError, ValueError):
            return html(refused("操作无效", "通知不存在、操作未知，或秒数无效。"), headers(), 400)
        if sent is not None:
            await asyncio.wait([asyncio.wrap_future(sent)], timeout=RESPONSE_WAIT)
        return see_other(PATH, headers("'self'"))

    def _resend(self, form: Mapping[str, str]) -> Future[None] | None:
        """Act according to the pressed button, and return a future if something is sent.

        Raises `LookupError` or `ValueError` for an invalid form.
        """
        if form["action"] == "reorder":
            return self._order_service.resend_reversed()
        event = self._event_sender.find(form["notification"])
        if event is not None:
            return act_on_event(self._event_sender, event, form["action"])
        kind = FAULTS[form["action"]]
        if kind is None:
            return self._order_service.resend(form["notification"], None)
        fault = Fault(kind, seconds=float(form["seconds"])) if kind == "callback-delay" else Fault(kind)
        return self._order_service.resend(form["notification"], fault)


def console_page(
    info: ConsoleInfo,
    token: str,
    *,
    orders: Sequence[Order],
    contracts: Sequence[Contract],
    notifications: Sequence[Notification],
    events: Sequence[ContractNotification],
    counts: tuple[int, int, int, int],
) -> str:
    """Return the page.

    ``token`` goes into its forms. The records are listed in the order given; ``counts`` are the numbers of all orders,
    contracts, notifications and events.
    """
    schedule = "、".join(f"{seconds:g}" for seconds in info.retry_after) or "不重试"
    reorder = _form(token, _button("reorder", "倒序重发最新两条")) if len(notifications) > 1 else ""
    all_orders, all_contracts, all_notifications, all_events = counts
    return page(
        "kfq_async 沙箱控制台",
        '<h1>沙箱控制台</h1><p class="soft">时间均为北京时间（UTC+8）。<a href="/sandbox/">刷新</a></p>'
        f"<dl><dt>通知签名 appId</dt><dd><code>{escape(info.app_id)}</code></dd>"
        f"<dt>重试间隔（秒）</dt><dd>{schedule}</dd></dl>"
        f"<details><summary>通知验签公钥</summary><pre>{escape(info.public_key)}</pre></details>"
        '<p class="soft">通知的格式、签名、响应约定和重试间隔均为沙箱的假设：开放签未公开 authCallbackUrl 的通知规范。'
        "响应约定和重试次数取自平台对合同事件的实测行为：连续发送三次，对方断开连接时每次再补发一次，之后按间隔重试。</p>"
        f"{_heading('通知', notifications, all_notifications, reorder)}"
        f"{''.join(_notification(each, token) for each in notifications)}"
        f"{_heading('认证订单', orders, all_orders)}{''.join(map(_order, orders))}"
        f"{_heading('合同', contracts, all_contracts)}{''.join(map(_contract, contracts))}"
        f"{_heading('合同事件', events, all_events)}{''.join(_event(each, token) for each in events)}",
        wide=True,
    )


def _heading(title: str, listed: Sequence[object], count: int, more: str = "") -> str:
    shown = f"最新 {len(listed)} / 共 {count}" if count > len(listed) else f"{count}"
    empty = "" if listed else '<p class="soft">暂无记录。</p>'
    return f'<h2>{title}<span class="pill">{shown}</span>{more}</h2>{empty}'


def _order(order: Order) -> str:
    request = request_of(order)
    callback = "" if request.get("authCallbackUrl") else " · 未设置 authCallbackUrl，不发送通知"
    return (
        f'<article class="card"><h3><span>{escape(order.company_name)}</span>{status_pill(order.status)}</h3>'
        f'<p class="soft"><code>{escape(order.order_no)}</code> · {_time(order.created_at)}{callback}</p>'
        f'<p><a href="{escape(page_url("", order))}">打开认证页面</a></p></article>'
    )


def _contract(contract: Contract) -> str:
    subject = str(orjson.loads(contract.request).get("subject") or contract.contract_id)
    return (
        f'<article class="card"><h3><a href="{CONTRACT_PATH}{escape(contract.contract_id)}">{escape(subject)}</a>'
        f'<span class="pill">{STATUS_NAMES.get(contract.status, escape(contract.status))}</span></h3>'
        f'<p class="soft"><code>{escape(contract.contract_id)}</code> · {escape(contract.enterprise)} · '
        f"{_time(contract.created_at)}</p></article>"
    )


def _event(event: ContractNotification, token: str) -> str:
    return (
        f'<article class="card"><h3><code>{escape(event.callback_type)}</code>{delivery_state(event)}</h3>'
        f'<p class="soft"><code>{escape(event.contract_id)}</code> · {_time(event.created_at)}</p>'
        f"{delivery(event)}"
        f"{_form(token, event_buttons(event), event)}</article>"
    )


def _notification(notification: Notification, token: str) -> str:
    company = orjson.loads(notification.body).get("companyName", "")
    buttons = _button("resend", "重发") + _button("duplicate", "重复发送") + _button("corrupt", "篡改后发送")
    delay = (
        '<label>延迟<input class="short" type="number" name="seconds" value="5" min="0" step="any">秒</label>'
        + _button("delay", "延迟发送")
    )
    return (
        f'<article class="card"><h3><span>{status_pill(notification.order_status)} {escape(company)}</span>'
        f"{delivery_state(notification)}</h3>"
        f'<p class="soft"><code>{escape(notification.order_no)}</code> · {_time(notification.created_at)}</p>'
        f"{delivery(notification)}"
        f'<div class="row">{_form(token, buttons, notification)}{_form(token, delay, notification)}</div></article>'
    )


def _form(token: str, content: str, notification: Notification | ContractNotification | None = None) -> str:
    target = (
        f'<input type="hidden" name="notification" value="{escape(notification.notification_id)}">'
        if notification
        else ""
    )
    return (
        f'<form method="post" action="/sandbox/" class="row"><input type="hidden" name="token" value="{escape(token)}">'
        f"{target}{content}</form>"
    )


def _button(action: str, text: str) -> str:
    return f'<button name="action" value="{action}">{text}</button>'


def _time(seconds: float) -> str:
    return china_time(seconds, "%Y-%m-%d %H:%M:%S")
