"""The console's page of a contract: who signs when, what is open, the documents, the events, and the sender's buttons.

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

from kfq_async.documents import PdfError
from kfq_async.sandbox.administration import possible_actions
from kfq_async.sandbox.checks import AuditedRefusal, Refused
from kfq_async.sandbox.contract_repository import state_of
from kfq_async.sandbox.links import task_link
from kfq_async.sandbox.orders import china_time
from kfq_async.sandbox.rendering import page_sizes, render_page
from kfq_async.sandbox.web.console_texts import ConsoleTexts
from kfq_async.sandbox.web.deliveries import act_on_event, delivery, delivery_state, event_buttons
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, page, refused
from kfq_async.sandbox.web.languages import choose_language, remember_language
from kfq_async.sandbox.web.texts import contract_pill, language_switch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfq_async.models.parties import ContractUser
    from kfq_async.sandbox.administration import ContractAdministration
    from kfq_async.sandbox.events import EventSender
    from kfq_async.sandbox.lifecycle import ContractState, Party, Step
    from kfq_async.sandbox.store import Contract, ContractNotification, Store

__all__ = ["ContractPage", "contract_url"]

CONTRACT_PATH = "/sandbox/contract/"
RESPONSE_WAIT = 1.0
"""Seconds to wait for the receiver's response, so that the page shows it at once."""
PICTURE_WIDTH = 600
"""Width of the picture of a page, in pixels."""
STYLE = """
.flow{list-style:none;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:1rem;border:0;font-size:1rem}
.flow>li{display:block;flex:1 1 14rem;border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem;min-width:0}
.flow h3{margin:0 0 .5rem;font-size:1rem;display:block}
.flow.ordered>li:not(:last-child)::after{content:"→";position:absolute;right:-.95rem;top:.7rem;color:var(--soft)}
.flow>li{position:relative}
.steps{list-style:none;border:0;margin:0;padding:0}
.steps li{display:grid;grid-template-columns:1.6rem minmax(0,1fr);gap:.2rem .4rem;padding:.4rem 0;border:0}
.steps .dot{width:1.2rem;height:1.2rem;line-height:1.2rem;border-radius:50%;text-align:center;font-size:.75rem;
margin-top:.2rem;background:var(--pill);color:var(--pill-ink)}
.steps .done .dot{background:var(--good);color:var(--good-ink)}
.steps .open .dot{background:var(--busy);color:var(--busy-ink)}
.steps .closed .dot{background:var(--bad);color:var(--bad-ink)}
.pages{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:1rem}
.pages figure{margin:0}.pages img{display:block;width:100%;height:auto;background:#fff;border:1px solid var(--line)}
.pages figcaption{font-size:.85rem;color:var(--soft);text-align:center}
.sender{display:flex;flex-wrap:wrap;gap:1rem;align-items:end}
.sender form{margin:0;display:flex;gap:.6rem;align-items:end;flex-wrap:wrap}
.sender label{flex:1 1 14rem}
@media(max-width:40rem){.flow{flex-direction:column}
.flow>li:nth-child(n){flex:none;border:1px solid var(--line);padding:.8rem 1rem}
.flow.ordered>li:not(:last-child)::after{content:"↓";right:auto;
left:1rem;top:auto;bottom:-1.15rem}.sender form,.sender button{width:100%}}
"""


class ContractPage:
    """Handlers of the page."""

    def __init__(self, store: Store, administration: ContractAdministration, event_sender: EventSender) -> None:
        self._store = store
        self._event_sender = event_sender
        self._administration = administration
        self._token = secrets.token_urlsafe(16)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        path = f"{CONTRACT_PATH}{{contract_id}}"
        return [web.get(path, self._show), web.post(path, self._submit), web.get(f"{path}/page", self._picture)]

    async def _show(self, request: web.Request) -> web.Response:
        return await self._respond(request)

    async def _submit(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        texts = ConsoleTexts(choose_language(request))
        if not compare_digest(form.get("token", "").encode(), self._token.encode()):
            return html(refused(texts("stale_title"), texts("stale"), lang=texts.html_lang), headers(), 403)
        contract = await asyncio.to_thread(self._administration.find, request.match_info["contract_id"])
        if contract is None:
            return _missing(texts)
        try:
            if "notification" in form:
                await self._act_on_event(contract, form)
            else:
                await asyncio.to_thread(self._act, contract, form)
        except (Refused, AuditedRefusal) as problem:
            return await self._respond(request, str(problem))
        except (LookupError, ValueError):
            return await self._respond(request, texts("invalid"))
        return see_other(contract_url(contract.contract_id, texts), headers("'self'"))

    async def _act_on_event(self, contract: Contract, form: Mapping[str, str]) -> None:
        """Do what a button of an event says; the page shows the response to what is sent."""
        event = self._event_sender.find(form["notification"])
        if event is None or event.contract_id != contract.contract_id:
            raise LookupError
        sent = act_on_event(self._event_sender, event, form["action"])
        if sent is not None:
            await asyncio.wait([asyncio.wrap_future(sent)], timeout=RESPONSE_WAIT)

    def _act(self, contract: Contract, form: Mapping[str, str]) -> None:
        match form["action"]:
            case "start":
                self._administration.start(contract)
            case "withdraw":
                self._administration.withdraw(contract, form["reason"])
            case "deadline":
                self._administration.set_deadline(contract, form["day"])
            case "delete":
                self._administration.delete(contract)
            case _:
                raise ValueError

    async def _picture(self, request: web.Request) -> web.Response:
        contract = await asyncio.to_thread(self._administration.find, request.match_info["contract_id"])
        if contract is None:
            raise web.HTTPNotFound
        try:
            document, number = int(request.query["document"]), int(request.query["number"])
            file = (await asyncio.to_thread(self._administration.files.current, contract))[document]
            picture = await asyncio.to_thread(render_page, file.content, number, PICTURE_WIDTH)
        except (KeyError, ValueError, IndexError, PdfError, Refused, ModuleNotFoundError):
            raise web.HTTPNotFound from None
        caching = {"Cache-Control": "private, max-age=3600"}  # the URL changes with the content
        return web.Response(body=picture, content_type="image/png", headers={**headers(), **caching})

    async def _respond(self, request: web.Request, problem: str = "") -> web.Response:
        texts = ConsoleTexts(choose_language(request))
        contract = await asyncio.to_thread(self._administration.find, request.match_info["contract_id"])
        if contract is None:
            return _missing(texts)
        documents = await asyncio.to_thread(self._documents, contract, texts)
        shown = self._page(contract, documents, texts, problem)
        response = html(shown, headers("'self'", style=STYLE, images=True), 409 if problem else 200)
        return remember_language(request, response)

    def _page(self, contract: Contract, documents: str, texts: ConsoleTexts, problem: str) -> str:
        state = state_of(contract)
        subject = str(orjson.loads(contract.request).get("subject") or texts("untitled"))
        switch = f"{CONTRACT_PATH}{contract.contract_id}?lang={texts.other}"
        notice = f'<p class="notice" role="alert">{escape(problem)}</p>' if problem else ""
        return page(
            f"{subject} · {texts('console')}",
            f"{language_switch(switch, texts)}"
            f'<p class="soft"><a href="/sandbox/{_lang(texts)}">{texts("console")}</a></p><h1>{escape(subject)}</h1>'
            f"<p>{contract_pill(contract.status, texts)}</p>{notice}"
            f"<dl>{_facts(contract, state, texts)}</dl>"
            f"<h2>{texts('flow')}</h2>{self._flow(contract, state, texts)}"
            f"{self._sender(contract, state, texts)}"
            f"<h2>{texts('documents')}</h2>{documents}"
            f"<h2>{texts('events')}</h2>{self._events(contract, texts)}"
            f'<p class="note">{texts("assumption")}</p>',
            wide=True,
            lang=texts.html_lang,
            style=STYLE,
        )

    def _flow(self, contract: Contract, state: ContractState, texts: ConsoleTexts) -> str:
        """Draw the parties in their sequence, each with its steps."""
        if not state.parties:
            return f'<p class="soft">{texts("no_parties")}</p>'
        parties = "".join(
            f'<li><h3><span class="soft">{party.order} · {texts(party.party_type)}</span><br>'
            f"{escape(_party_name(party) or texts('unnamed'))}</h3>"
            f'<ol class="steps">{self._steps(contract, party, texts)}</ol></li>'
            for party in state.sequence
        )
        return f'<ol class="flow {"ordered" if state.ordered else "parallel"}">{parties}</ol>'

    def _steps(self, contract: Contract, party: Party, texts: ConsoleTexts) -> str:
        return "".join(self._step(contract, party, step, texts) for step in party.steps)

    def _step(self, contract: Contract, party: Party, step: Step, texts: ConsoleTexts) -> str:
        person = step.person
        who = texts("automatic") if step.automatic or person is None else " ".join(filter(None, _names(party, person)))
        more = f" · {texts('positions', count=len(step.positions))}" if step.positions else ""
        link = ""
        if step.state == "open" and person is not None:
            url = escape(f"{task_link(contract.contract_id, step)}&lang={texts.lang}")
            link = f'<br><a href="{url}">{texts("act")}</a>'
        return (
            f'<li class="{step.state}"><span class="dot" aria-hidden="true">{_DOTS[step.state]}</span>'
            f"<span><strong>{texts.find(_step_kind(step), _step_kind(step))}</strong> · {texts(step.state)}<br>"
            f'<span class="soft">{escape(who)}{more}</span>{link}</span></li>'
        )

    def _sender(self, contract: Contract, state: ContractState, texts: ConsoleTexts) -> str:
        actions = possible_actions(state)
        if not actions:
            return ""
        fields = {
            "withdraw": f'<label>{texts("reason")}<input name="reason" maxlength="200"></label>',
            "deadline": f'<label>{texts("day")}<input type="date" name="day"></label>',
        }
        names = {"deadline": "set"}
        forms = "".join(
            f'<form method="post" action="{escape(contract_url(contract.contract_id, texts))}">'
            f'<input type="hidden" name="token" value="{escape(self._token)}">{fields.get(action, "")}'
            f'<button name="action" value="{action}">{texts(names.get(action, action))}</button></form>'
            for action in actions
        )
        return f'<h2>{texts("actions")}</h2><div class="sender">{forms}</div>'

    def _documents(self, contract: Contract, texts: ConsoleTexts) -> str:
        try:
            files = self._administration.files.current(contract)
            drawn = [
                figure
                for index, file in enumerate(files)
                for figure in _figures(contract, index, f"{file.name}{file.suffix}", file.content, texts)
            ]
        except Refused as problem:
            return f'<p class="soft">{texts("not_shown", problem=escape(str(problem)))}</p>'
        except ModuleNotFoundError:
            return f'<p class="soft">{texts("not_shown", problem=texts("extra"))}</p>'
        return f'<div class="pages">{"".join(drawn)}</div>'

    def _events(self, contract: Contract, texts: ConsoleTexts) -> str:
        found = self._store.contract_notifications.all("contract_id = ?", contract.contract_id)
        events: Sequence[ContractNotification] = self._store.with_attempts(found)
        shown = "".join(self._event(event, texts) for event in events)
        return shown or f'<p class="soft">{texts("no_events")}</p>'

    def _event(self, event: ContractNotification, texts: ConsoleTexts) -> str:
        state = delivery_state(event, texts)
        return (
            f'<article class="card"><h3><code>{escape(event.callback_type)}</code>{state}</h3>'
            f'<p class="soft">{_time(event.created_at)}</p>{delivery(event, texts)}'
            f'<form class="row" method="post" action="{escape(contract_url(event.contract_id, texts))}">'
            f'<input type="hidden" name="token" value="{escape(self._token)}">'
            f'<input type="hidden" name="notification" value="{escape(event.notification_id)}">'
            f"{event_buttons(event, texts)}</form></article>"
        )


_DOTS = {"waiting": "…", "open": "●", "done": "✓", "closed": "×"}


def contract_url(contract_id: str, texts: ConsoleTexts) -> str:
    """Return the URL of the page; Chinese needs no ``lang``."""
    return f"{CONTRACT_PATH}{contract_id}{_lang(texts)}"


def _lang(texts: ConsoleTexts) -> str:
    return "?lang=en" if texts.lang == "en" else ""


def _missing(texts: ConsoleTexts) -> web.Response:
    return html(refused(texts("missing_title"), texts("missing"), lang=texts.html_lang), headers(), 404)


def _facts(contract: Contract, state: ContractState, texts: ConsoleTexts) -> str:
    deadline = texts("no_deadline") if state.deadline_ms is None else _time(state.deadline_ms / 1000)
    facts = {
        "id": f"<code>{escape(contract.contract_id)}</code>",
        "sender": escape(contract.enterprise),
        "created": _time(contract.created_at),
        "deadline": deadline,
        "order": texts("ordered" if state.ordered else "unordered"),
        "ends": texts("ends_itself" if state.auto_finish else "kept_open"),
    }
    return "".join(f"<dt>{texts(name)}</dt><dd>{value}</dd>" for name, value in facts.items())


def _party_name(party: Party) -> str | None:
    if party.party_type != "PERSONAL":
        return party.name
    persons = [step.person for step in party.steps if step.person is not None]
    return persons[0].name if persons else None


def _names(party: Party, person: ContractUser) -> tuple[str | None, ...]:
    return (person.contact,) if party.party_type == "PERSONAL" else (person.name, person.contact)


def _step_kind(step: Step) -> str:
    return "fill_in" if step.fills_in else step.node_type or "signature"


def _figures(contract: Contract, index: int, name: str, content: bytes, texts: ConsoleTexts) -> list[str]:
    try:
        sizes = page_sizes(content)
    except PdfError as problem:
        return [f"<p>{escape(name)}<br>{texts('not_shown', problem=escape(str(problem)))}</p>"]
    figures = []
    for number, (width, height) in enumerate(sizes):
        query = urlencode({"document": index, "number": number, "version": len(content)})
        caption = escape(texts("page", name=name, number=number + 1, count=len(sizes)))
        figures.append(
            f'<figure><img src="{CONTRACT_PATH}{contract.contract_id}/page?{escape(query)}" loading="lazy" '
            f'width="{PICTURE_WIDTH}" height="{round(PICTURE_WIDTH * height / width)}" alt="{caption}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return figures


def _time(seconds: float) -> str:
    return china_time(seconds, "%Y-%m-%d %H:%M:%S")
