"""Deliveries of notifications and contract events on the console's pages: their state, body and attempts."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kfq_async.sandbox.orders import china_time

if TYPE_CHECKING:
    from kfq_async.sandbox.store import ContractNotification, DeliveryAttempt, Notification

__all__ = ["delivery", "delivery_state"]

FAULT_TEXTS = {
    "callback-duplicate": "重复",
    "callback-delay": "延迟",
    "callback-reorder": "乱序",
    "callback-corrupt": "篡改",
}
"""Label of the fault of an attempt."""


def delivery_state(notification: Notification | ContractNotification) -> str:
    """Return a label for the state of a delivery, as HTML."""
    if notification.acknowledged:
        return '<span class="pill good">已确认</span>'
    if notification.due_at is None:
        return '<span class="pill bad">已停止</span>'
    return f'<span class="pill busy">下次发送 {china_time(notification.due_at, "%H:%M:%S")}</span>'


def delivery(notification: Notification | ContractNotification) -> str:
    """Return target, body and attempts of a delivery, as HTML."""
    return (
        f'<p class="soft"><code>POST {escape(notification.url)}</code></p>'
        f"<details><summary>请求体</summary><pre>{escape(notification.body)}</pre></details>"
        f"<ol>{''.join(map(_attempt, notification.attempts)) or '<li>尚未发送</li>'}</ol>"
    )


def _attempt(attempt: DeliveryAttempt) -> str:
    fault = f'<span class="pill busy">{FAULT_TEXTS[attempt.fault]}</span>' if attempt.fault else ""
    status = "无响应" if attempt.http_status is None else f"HTTP {attempt.http_status}"
    style = "good" if attempt.acknowledged else "bad"
    details = " ".join(f"<code>{escape(text)}</code>" for text in (attempt.response_body, attempt.error) if text)
    if attempt.acknowledged and attempt.fault == "callback-corrupt":
        style, details = "bad", f"{details} 接收方接受了被篡改的通知！"
    elif attempt.acknowledged and attempt.http_status != 200:
        style, details = "busy", f"{details} 按平台对合同事件的规则视为已确认；请只返回 HTTP 200。"
    return (
        f"<li><span>{china_time(attempt.sent_at, '%Y-%m-%d %H:%M:%S')}</span><span>"
        f'<span class="pill {style}">{status}</span> {fault}</span>'
        f"<span>{details} {attempt.seconds * 1000:.0f} ms</span></li>"
    )
