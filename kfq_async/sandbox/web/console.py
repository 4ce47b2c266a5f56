"""Console: lists orders, contracts, notifications and contract events, and resends them, notifications with a fault.

Besides the checks of `AccessPolicy`, it acts only on forms that carry this process's token.
"""

from __future__ import annotations

import asyncio
import secrets
from hmac import compare_digest
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson
from aiohttp import web
from attrs import field, frozen

from kfq_async.models.fields import SECRET
from kfq_async.sandbox.faults import Fault
from kfq_async.sandbox.identity import page_url
from kfq_async.sandbox.orders import china_time, request_of
from kfq_async.sandbox.web.console_texts import ConsoleTexts
from kfq_async.sandbox.web.contract_page import contract_url
from kfq_async.sandbox.web.deliveries import act_on_event, delivery, delivery_state, event_buttons
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, page, refused
from kfq_async.sandbox.web.languages import choose_language, remember_language
from kfq_async.sandbox.web.search import CONTRACT_STATES, ORDER_STATES, Search
from kfq_async.sandbox.web.texts import contract_pill, language_switch, status_pill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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

    async def _show(self, request: web.Request) -> web.Response:
        texts, search = ConsoleTexts(choose_language(request)), Search.of(request.query)
        store, values = self._order_service.store, search.values
        shown = console_page(
            self._info,
            self._token,
            texts,
            search,
            orders=store.orders.newest(LISTED, search.orders, **values),
            contracts=store.contracts.newest(LISTED, search.contracts, **values),
            notifications=store.with_attempts(store.notifications.newest(LISTED, search.notifications, **values)),
            events=store.with_attempts(store.contract_notifications.newest(LISTED, search.events, **values)),
            counts=(
                store.orders.count(search.orders, **values),
                store.contracts.count(search.contracts, **values),
                store.notifications.count(search.notifications, **values),
                store.contract_notifications.count(search.events, **values),
            ),
        )
        return remember_language(request, html(shown, headers("'self'")))

    async def _submit(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        texts = ConsoleTexts(choose_language(request))
        if not compare_digest(form.get("token", "").encode(), self._token.encode()):
            return html(refused(texts("stale_title"), texts("stale_console"), lang=texts.html_lang), headers(), 403)
        try:
            sent = self._resend(form)
        except (LookupError, ValueError):
            return html(refused(texts("invalid_title"), texts("invalid_action"), lang=texts.html_lang), headers(), 400)
        if sent is not None:
            await asyncio.wait([asyncio.wrap_future(sent)], timeout=RESPONSE_WAIT)
        return see_other(_url(Search.of(request.query), texts), headers("'self'"))

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
    texts: ConsoleTexts,
    search: Search,
    *,
    orders: Sequence[Order],
    contracts: Sequence[Contract],
    notifications: Sequence[Notification],
    events: Sequence[ContractNotification],
    counts: tuple[int, int, int, int],
) -> str:
    """Return the page.

    ``token`` goes into its forms. The records are listed in the order given; ``counts`` are the numbers of all orders,
    contracts, notifications and events that are found.
    """
    url = _url(search, texts)
    forms = _Forms(url, token)
    all_orders, all_contracts, all_notifications, all_events = counts
    reorder = forms.form(_button("reorder", texts)) if len(notifications) > 1 and not search.fields else ""
    return page(
        texts("console_title"),
        f"{language_switch(_url(search, texts, lang=texts.other), texts)}<h1>{texts('console')}</h1>"
        f'<p class="soft">{texts("zone")}{texts("space")}<a href="{escape(url)}">{texts("refresh")}</a></p>'
        f"{_search_form(search, texts)}{_settings(info, texts)}"
        f"{_heading('notifications', len(notifications), all_notifications, texts, search=search, more=reorder)}"
        f"{''.join(_notification(each, forms, texts) for each in notifications)}"
        f"{_heading('orders', len(orders), all_orders, texts, search=search)}"
        f"{''.join(_order(each, texts) for each in orders)}"
        f"{_heading('contracts', len(contracts), all_contracts, texts, search=search)}"
        f"{''.join(_contract(each, texts) for each in contracts)}"
        f"{_heading('events', len(events), all_events, texts, search=search)}"
        f"{''.join(_event(each, forms, texts) for each in events)}",
        wide=True,
        lang=texts.html_lang,
    )


def _url(search: Search, texts: ConsoleTexts, *, lang: str = "") -> str:
    """Return the URL of a search; Chinese needs no ``lang``, unless it is asked for."""
    language = lang or ("en" if texts.lang == "en" else "")
    fields = {**({"lang": language} if language else {}), **search.fields}
    return f"{PATH}?{urlencode(fields)}" if fields else PATH


def _search_form(search: Search, texts: ConsoleTexts) -> str:
    language = '<input type="hidden" name="lang" value="en">' if texts.lang == "en" else ""
    orders = _options(((state, texts(f"order_{state}")) for state in ORDER_STATES), search.state)
    contracts = _options(((state, texts(f"status_{state}")) for state in CONTRACT_STATES), search.state)
    clear = f'<a href="{escape(_url(Search(), texts))}">{texts("clear")}</a>' if search.fields else ""
    return (
        f'<form method="get" action="{PATH}" class="search" role="search">{language}'
        f'<label>{texts("search_for")}<input type="search" name="q" value="{escape(search.text)}"></label>'
        f'<label>{texts("state")}<select name="state"><option value="">{texts("any_state")}</option>'
        f'<optgroup label="{texts("orders")}">{orders}</optgroup>'
        f'<optgroup label="{texts("contracts")}">{contracts}</optgroup></select></label>'
        f'<button class="main">{texts("search")}</button>{clear}</form>'
    )


def _options(options: Iterable[tuple[str, str]], chosen: str) -> str:
    return "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{text}</option>' for value, text in options
    )


def _settings(info: ConsoleInfo, texts: ConsoleTexts) -> str:
    schedule = texts("separator").join(f"{seconds:g}" for seconds in info.retry_after) or texts("no_retries")
    return (
        f"<dl><dt>{texts('app_id')}</dt><dd><code>{escape(info.app_id)}</code></dd>"
        f"<dt>{texts('schedule')}</dt><dd>{schedule}</dd></dl>"
        f"<details><summary>{texts('public_key')}</summary><pre>{escape(info.public_key)}</pre></details>"
        f'<p class="soft">{texts("assumed_form")}{texts("space")}{texts("measured_schedule")}</p>'
    )


def _heading(title: str, listed: int, count: int, texts: ConsoleTexts, *, search: Search, more: str = "") -> str:
    shown = texts("listed", listed=listed, count=count) if count > listed else f"{count}"
    empty = "" if listed else f'<p class="soft">{texts("none_found" if search.fields else "none")}</p>'
    return f'<h2>{texts(title)}<span class="pill">{shown}</span>{more}</h2>{empty}'


def _order(order: Order, texts: ConsoleTexts) -> str:
    request = request_of(order)
    callback = "" if request.get("authCallbackUrl") else f" · {texts('no_callback')}"
    key = f" · <code>{escape(order.client_request_id)}</code>" if order.client_request_id else ""
    return (
        f'<article class="card"><h3><span>{escape(order.company_name)}</span>{status_pill(order.status, texts)}</h3>'
        f'<p class="soft"><code>{escape(order.order_no)}</code>{key} · {_time(order.created_at)}{callback}</p>'
        f'<p><a href="{escape(page_url("", order))}">{texts("open_order")}</a></p></article>'
    )


def _contract(contract: Contract, texts: ConsoleTexts) -> str:
    subject = str(orjson.loads(contract.request).get("subject") or contract.contract_id)
    return (
        f'<article class="card"><h3><a href="{escape(contract_url(contract.contract_id, texts))}">{escape(subject)}</a>'
        f"{contract_pill(contract.status, texts)}</h3>"
        f'<p class="soft"><code>{escape(contract.contract_id)}</code> · {escape(contract.enterprise)} · '
        f"{_time(contract.created_at)}</p></article>"
    )


def _event(event: ContractNotification, forms: _Forms, texts: ConsoleTexts) -> str:
    return (
        f'<article class="card"><h3><code>{escape(event.callback_type)}</code>{delivery_state(event, texts)}</h3>'
        f'<p class="soft"><code>{escape(event.contract_id)}</code> · {_time(event.created_at)}</p>'
        f"{delivery(event, texts)}"
        f"{forms.form(event_buttons(event, texts), event)}</article>"
    )


def _notification(notification: Notification, forms: _Forms, texts: ConsoleTexts) -> str:
    company = orjson.loads(notification.body).get("companyName", "")
    buttons = "".join(_button(action, texts) for action in ("resend", "duplicate", "corrupt"))
    delay = (
        f'<label>{texts("delay")}<input class="short" type="number" name="seconds" value="5" min="0" step="any">'
        f"{texts('seconds')}</label>"
        f'<button name="action" value="delay">{texts("send_delayed")}</button>'
    )
    return (
        f'<article class="card"><h3><span>{status_pill(notification.order_status, texts)} {escape(company)}</span>'
        f"{delivery_state(notification, texts)}</h3>"
        f'<p class="soft"><code>{escape(notification.order_no)}</code> · {_time(notification.created_at)}</p>'
        f"{delivery(notification, texts)}"
        f'<div class="row">{forms.form(buttons, notification)}{forms.form(delay, notification)}</div></article>'
    )


@frozen
class _Forms:
    """Forms of the page: their target, and the token that they carry."""

    url: str
    token: str = field(**SECRET)

    def form(self, content: str, notification: Notification | ContractNotification | None = None) -> str:
        """Return a form with buttons, for a notification or for all of them."""
        target = (
            f'<input type="hidden" name="notification" value="{escape(notification.notification_id)}">'
            if notification
            else ""
        )
        return (
            f'<form method="post" action="{escape(self.url)}" class="row">'
            f'<input type="hidden" name="token" value="{escape(self.token)}">{target}{content}</form>'
        )


def _button(action: str, texts: ConsoleTexts) -> str:
    return f'<button name="action" value="{action}">{texts(action)}</button>'


def _time(seconds: float) -> str:
    return china_time(seconds, "%Y-%m-%d %H:%M:%S")
