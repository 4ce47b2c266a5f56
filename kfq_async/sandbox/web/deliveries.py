"""Deliveries on the console's pages: their state, body and attempts, and the buttons of contract events."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kfq_async.sandbox.orders import china_time

if TYPE_CHECKING:
    from concurrent.futures import Future

    from kfq_async.sandbox.events import EventSender
    from kfq_async.sandbox.store import ContractNotification, DeliveryAttempt, Notification
    from kfq_async.sandbox.web.console_texts import ConsoleTexts

__all__ = ["act_on_event", "delivery", "delivery_state", "event_buttons"]

_LOST, _HELD = "event-lose", "event-hold"
"""Faults that the state of the event shows."""
_ERRORS = {
    "ClientConnectorError": "no_connection",
    "ClientConnectorDNSError": "unknown_host",
    "ServerDisconnectedError": "disconnected",
}
"""Names of texts by the error of an attempt."""


def delivery_state(notification: Notification | ContractNotification, texts: ConsoleTexts) -> str:
    """Return labels for the state of a delivery, as HTML."""
    fault = getattr(notification, "fault", "")
    label = f'<span class="pill busy">{texts(fault)}</span> ' if fault and fault not in {_LOST, _HELD} else ""
    if notification.acknowledged:
        return f'<span>{label}<span class="pill good">{texts("acknowledged")}</span></span>'
    if notification.due_at is None:
        return f'<span>{label}<span class="pill bad">{texts("lost" if fault == _LOST else "stopped")}</span></span>'
    if getattr(notification, "held", False):
        return f'<span>{label}<span class="pill">{texts("held")}</span></span>'
    due = texts("next", time=china_time(notification.due_at, "%H:%M:%S"))
    return f'<span>{label}<span class="pill busy">{due}</span></span>'


def delivery(notification: Notification | ContractNotification, texts: ConsoleTexts) -> str:
    """Return target, body and attempts of a delivery, as HTML."""
    attempts = "".join(_attempt(attempt, texts) for attempt in notification.attempts)
    not_sent = f"<li>{texts('not_sent')}</li>"
    return (
        f'<p class="soft"><code>POST {escape(notification.url)}</code></p>'
        f"<details><summary>{texts('body')}</summary><pre>{escape(notification.body)}</pre></details>"
        f"<ol>{attempts or not_sent}</ol>"
    )


def event_buttons(event: ContractNotification, texts: ConsoleTexts) -> str:
    """Return the buttons of an event: those that are possible in its state."""
    actions = ["resend"]
    if event.due_at is not None:
        actions += ["release" if event.held else "hold", "discard"]
    return "".join(f'<button name="action" value="{action}">{texts(action)}</button>' for action in actions)


def act_on_event(sender: EventSender, event: ContractNotification, action: str) -> Future[None] | None:
    """Do what a button of an event says, and return a future if something is sent.

    Raises `LookupError` for another button, and `ValueError` if the event is in another state by now.
    """
    if action == "resend":
        return sender.resend(event)
    {"hold": sender.hold, "release": sender.release, "discard": sender.lose}[action](event)
    return None


def _error_text(error: str, texts: ConsoleTexts) -> str:
    """Return the error of an attempt in the page's language, or as recorded if there is no text for its kind."""
    kind, _, _ = error.partition(":")
    return texts(_ERRORS[kind]) if kind in _ERRORS else error


def _attempt(attempt: DeliveryAttempt, texts: ConsoleTexts) -> str:
    fault = f'<span class="pill busy">{texts(attempt.fault)}</span>' if attempt.fault else ""
    status = texts("no_response") if attempt.http_status is None else f"HTTP {attempt.http_status}"
    style = "good" if attempt.acknowledged else "bad"
    error = attempt.error and _error_text(attempt.error, texts)
    details = " ".join(f"<code>{escape(text)}</code>" for text in (attempt.response_body, error) if text)
    if attempt.acknowledged and attempt.fault == "callback-corrupt":
        style, details = "bad", f"{details} {texts('corrupt_accepted')}"
    elif attempt.acknowledged and attempt.http_status != 200:
        style, details = "busy", f"{details} {texts('other_status')}"
    return (
        f"<li><span>{china_time(attempt.sent_at, '%Y-%m-%d %H:%M:%S')}</span><span>"
        f'<span class="pill {style}">{status}</span> {fault}</span>'
        f"<span>{details} {attempt.seconds * 1000:.0f} ms</span></li>"
    )
