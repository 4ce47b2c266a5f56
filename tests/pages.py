"""Sample pages of the sandbox, and a parser for them."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import orjson

from kfq_async.sandbox import Contract, ContractNotification, DeliveryAttempt, Notification
from kfq_async.sandbox.web import frame
from kfq_async.sandbox.web.console import ConsoleInfo, console_page
from kfq_async.sandbox.web.console_texts import ConsoleTexts
from kfq_async.sandbox.web.operator_page import not_found_page, operator_page
from kfq_async.sandbox.web.search import Search
from orders import COMPANY, HOSTILE, NOW, OPERATOR, order_of

REQUEST: dict[str, Any] = {
    "accountName": "13800138000",
    "corpIdentInfo": COMPANY,
    "corpIdentConfig": {
        "unmodifiableParams": ["companyName", "companyType"],
        "corpVerifyMethods": ["letter", "invite"],
    },
    "oprIdentInfo": OPERATOR,
    "oprIdentConfig": {"unmodifiableParams": ["idCard"]},
    "callbackPage": "https://your-domain.com/corp/callback",
}


class ParsedPage(HTMLParser):
    """Tags, attributes, text, fields and buttons of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text: list[str] = []
        self.fields: dict[str, dict[str, str | None]] = {}
        self.choices: dict[str, list[str]] = {}
        self.buttons: list[str | None] = []
        self.style = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect names, fields and buttons."""
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        values = dict(attrs)
        name = values.get("name") or ""
        if tag == "button":
            self.buttons.append(values.get("value"))
        elif values.get("type") == "radio":
            self.choices.setdefault(name, []).append(values["value"] or "")
        elif tag in {"input", "select"}:
            self.fields[name] = values

    def handle_data(self, data: str) -> None:
        """Collect text, without the style."""
        if self.tags and self.tags[-1] == "style" and not self.style:
            self.style = data
        elif data.strip():
            self.text.append(data)


def hostile(value: Any) -> Any:
    """Replace every text by markup."""
    if isinstance(value, dict):
        return {name: hostile(item) for name, item in value.items()}
    if isinstance(value, list):
        return [HOSTILE for _ in value]
    return HOSTILE if isinstance(value, str) else value


def notification(attempts: tuple[DeliveryAttempt, ...] = (), **changes: Any) -> Notification:
    """Return a notification with these attempts."""
    defaults: dict[str, Any] = {
        "notification_id": "N1",
        "order_no": "SBX1",
        "order_status": 1,
        "url": "http://127.0.0.1:8000/hook",
        "body": orjson.dumps({"companyName": "某某科技有限公司"}).decode(),
        "created_at": NOW,
        "due_at": None,
        "attempts": attempts,
    }
    return Notification(**{**defaults, **changes})


def event(attempts: tuple[DeliveryAttempt, ...] = (), **changes: Any) -> ContractNotification:
    """Return a notification of a contract event with these attempts."""
    defaults: dict[str, Any] = {
        "notification_id": "E1",
        "contract_id": "C1",
        "callback_type": "SEND_SIGNING",
        "url": "http://127.0.0.1:8000/events",
        "body": '{"callbackType":"SEND_SIGNING"}',
        "created_at": NOW,
        "due_at": None,
        "attempts": attempts,
    }
    return ContractNotification(**{**defaults, **changes})


def attempt(**changes: Any) -> DeliveryAttempt:
    """Return an acknowledged attempt but for the ``changes``."""
    defaults: dict[str, Any] = {
        "attempt_id": "A",
        "notification_id": "N1",
        "sent_at": NOW,
        "seconds": 0.0123,
        "fault": "",
        "nonce": "n",
        "http_status": 200,
        "response_body": "success",
        "error": None,
        "acknowledged": True,
    }
    return DeliveryAttempt(**{**defaults, **changes})


def console_of(
    *notifications: Notification,
    name: str = "某某科技有限公司",
    retry_after: tuple[float, ...] = (0.5, 2),
    events: tuple[ContractNotification, ...] = (),
    lang: str = "zh",
) -> str:
    """Return the console with an order, a contract, and these notifications and events."""
    contract = Contract(
        contract_id=name, token="TOKEN-A", enterprise=name, status=name, request="{}", state="{}", created_at=NOW
    )
    return console_page(
        ConsoleInfo(app_id=name, public_key="MIIB", retry_after=retry_after),
        "form-token",
        ConsoleTexts(lang),
        Search(),
        orders=[order_of({"corpIdentInfo": {"companyName": name}})],
        contracts=[contract],
        notifications=notifications,
        events=events,
        counts=(1, 1, len(notifications), len(events)),
    )


_HOSTILE_NOTIFICATION = notification(
    (attempt(response_body=HOSTILE, error=HOSTILE),),
    url=HOSTILE,
    body=orjson.dumps({"companyName": HOSTILE}).decode(),
    order_no=HOSTILE,
)
_HOSTILE_EVENT = event(
    (attempt(response_body=HOSTILE, error=HOSTILE),),
    url=HOSTILE,
    body=HOSTILE,
    contract_id=HOSTILE,
    callback_type=HOSTILE,
)
_NOTIFICATION = notification((attempt(response_body="a", error="b"),))
PAGES = {
    "form": operator_page(order_of(REQUEST)),
    "hostile form": operator_page(order_of(hostile(REQUEST), order_no=HOSTILE, code=HOSTILE)),
    "in progress": operator_page(order_of(REQUEST, status=2)),
    "identified": operator_page(order_of(REQUEST, status=1, verified_at=NOW)),
    "withdrawn": operator_page(order_of(REQUEST, status=3)),
    "hostile result": operator_page(order_of(hostile(REQUEST), order_no=HOSTILE, status=4)),
    "console": console_of(_NOTIFICATION, events=(event((attempt(),)),)),
    "hostile console": console_of(_HOSTILE_NOTIFICATION, name=HOSTILE, events=(_HOSTILE_EVENT,)),
    "not_found": not_found_page(),
    "refused": frame.refused("a", "b"),
    "method_not_allowed": frame.method_not_allowed(),
    "too_large": frame.too_large(),
    "web_application": frame.web_application(),
}
