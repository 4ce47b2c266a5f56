"""Signing page behind the links of a contract, where a person signs, seals, approves, fills in, or refuses.

Assumed, because it is not known:

* everything that the page shows and asks for;
* that a link which needs login leads to the page once its account has logged in. The sandbox has no login: the page
  says which account would be needed, and acts as that account on request;
* that the browser returns to ``callbackPage`` as it was given, without added parameters, after a task was performed
  or refused; and that a short link, which has no ``callbackPage``, keeps it on the page;
* that the page of a task stays usable for a day after its link was opened, as the session does for which the platform
  exchanges a link without login (protocol section 4.14);
* that a person whose step names no position chooses one: a document, a page and one of nine places on it;
* that reasons and comments may be left out; the comment of an approval occurs in no event.
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
from attrs import evolve

from kfq_async.documents import PdfError
from kfq_async.models.parties import PositionParam, RelationDoc
from kfq_async.sandbox.addresses import web_address
from kfq_async.sandbox.checks import AuditedRefusal, Refused
from kfq_async.sandbox.collisions import DrivingKind
from kfq_async.sandbox.contract_repository import state_of
from kfq_async.sandbox.lifecycle import DELETED, DONE, DRAFT, ENTERPRISE_SEAL, OPEN, approve, fill_in, refuse, sign
from kfq_async.sandbox.links import SHORT_LINK, SIGNING_PAGE
from kfq_async.sandbox.positions import PlacedMark
from kfq_async.sandbox.rendering import page_sizes, render_page, shown_box
from kfq_async.sandbox.web.forms import html, read_form, see_other
from kfq_async.sandbox.web.frame import headers, policy_sources
from kfq_async.sandbox.web.signing_texts import SigningTexts
from kfq_async.sandbox.web.signing_view import (
    PLACES,
    STYLE,
    ContractSummary,
    DocumentView,
    Login,
    MarkView,
    PageView,
    PlaceChoice,
    TaskResult,
    TaskView,
    action_of,
    login_page,
    message_page,
    task_page,
    tasks_page,
)
from kfq_async.sandbox.web.tickets import Ticket, TicketSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from yarl import URL

    from kfq_async.documents import PdfPage
    from kfq_async.sandbox.collisions import Collision, Collisions
    from kfq_async.sandbox.contract_files import ContractFiles
    from kfq_async.sandbox.contract_repository import ContractRepository
    from kfq_async.sandbox.documents import ContractDocuments
    from kfq_async.sandbox.fixtures import Seal
    from kfq_async.sandbox.lifecycle import Change, ContractState, Party, Step
    from kfq_async.sandbox.stamps import Stamper
    from kfq_async.sandbox.store import Contract, ShortLink, Store

__all__ = ["SigningPage"]

LOGIN = f"{SIGNING_PAGE}/login"
COMPLETE_TASK, REFUSE_TASK = "complete", "refuse"
"""Actions of the buttons."""
PICTURE = f"{SIGNING_PAGE}/picture"
SESSION = 24 * 60 * 60
"""Seconds for which the page of a task stays usable."""
PICTURE_WIDTH = 1200
"""Width of a page's picture in pixels: sharp on a desktop, and on a phone with three pixels to a point."""
PICTURE_AGE = 60 * 60
"""Seconds for which the browser keeps a picture; the URL of a document that was signed since is another one."""
MARGIN = 40.0
"""Distance in points from a page's edge to a mark whose place the person chooses."""
MIN_SIDE = 10.0
"""Least width and height of a control (protocol section 4.0)."""
MAX_DIGITS = 6
SIGNATURE_BOX, SEAL_BOX = (112.0, 52.0), (120.0, 120.0)
"""Default sizes of a signature and a seal (protocol section 4.0)."""

_ENDED = {
    "REFUSAL_SIGN": TaskResult(name="refused", style="bad", sign="×"),
    "REFUSAL_WRIT": TaskResult(name="refused", style="bad", sign="×"),
    "RECALLED": TaskResult(name="recalled", style="bad", sign="×"),
    "EXPIRED": TaskResult(name="expired", style="bad", sign="!"),
    "DELETED": TaskResult(name="deleted", style="bad", sign="×"),
}
_CLOSED = TaskResult(name="closed", style="plain", sign="–")
_DRAFT = TaskResult(name="draft", style="plain", sign="…")
_WAITING = TaskResult(name="waiting", style="plain", sign="…")


class SigningPage:
    """Handlers of the page, and of the links that lead to it.

    Without ``collisions`` what persons do disturbs no other call. ``clock`` returns the time in seconds since the
    epoch.
    """

    def __init__(
        self,
        store: Store,
        repository: ContractRepository,
        files: ContractFiles,
        stamper: Stamper,
        clock: Callable[[], float],
        *,
        collisions: Collisions | None = None,
    ) -> None:
        self._store = store
        self._repository = repository
        self._collisions = collisions
        self._files = files
        self._stamper = stamper
        self._clock = clock
        self._tickets = TicketSigner()
        self._token = secrets.token_urlsafe(16)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of the page."""
        return [
            web.get(SHORT_LINK, self._open_short_link),
            web.post(SHORT_LINK, self._continue_short_link),
            web.get(LOGIN, self._open_task_link),
            web.post(LOGIN, self._continue_task_link),
            web.get(SIGNING_PAGE, self._show),
            web.post(SIGNING_PAGE, self._submit),
            web.get(PICTURE, self._picture),
        ]

    async def _open_short_link(self, request: web.Request) -> web.Response:
        """Open a link without login at once; show who would have to log in for any other."""
        return await asyncio.to_thread(self._short_link, request.query, logged_in=False)

    async def _continue_short_link(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        if not self._has_token(form):
            return _message("stale", SigningTexts(form.get("lang", "")), 403)
        return await asyncio.to_thread(self._short_link, form, logged_in=True)

    async def _open_task_link(self, request: web.Request) -> web.Response:
        """Show who would have to log in for the link of a task."""
        return await asyncio.to_thread(self._task_link, request.query, logged_in=False)

    async def _continue_task_link(self, request: web.Request) -> web.Response:
        form = await read_form(request)
        if not self._has_token(form):
            return _message("stale", SigningTexts(form.get("lang", "")), 403)
        return await asyncio.to_thread(self._task_link, form, logged_in=True)

    async def _show(self, request: web.Request) -> web.Response:
        """Show the page of a task if the URL contains its key."""
        ticket = self._tickets.read(request.query, self._clock())
        texts = SigningTexts(request.query.get("lang", ""))
        if ticket is None:
            return _message("invalid", texts, 404)
        return await asyncio.to_thread(self._task, ticket, request.query, texts)

    async def _submit(self, request: web.Request) -> web.Response:
        """Perform or refuse the task. A repeated form has no effect, and leads to the same page."""
        form = await read_form(request)
        ticket = self._tickets.read(form, self._clock())
        texts = SigningTexts(form.get("lang", ""))
        if ticket is None:
            return _message("invalid", texts, 403)
        if self._collisions is None:
            return await asyncio.to_thread(self._perform, ticket, form, texts, None)
        async with self._collisions.drive(DrivingKind.SIGNATURE, ticket.contract_id) as collision:
            return await asyncio.to_thread(self._perform, ticket, form, texts, collision)

    async def _picture(self, request: web.Request) -> web.Response:
        """Return the picture of one page of a document, under the same key as the page."""
        ticket = self._tickets.read(request.query, self._clock())
        if ticket is None:
            return web.Response(status=404, headers=headers())
        try:
            picture = await asyncio.to_thread(self._draw, ticket, request.query)
        except (Refused, PdfError, ModuleNotFoundError, LookupError, ValueError):
            return web.Response(status=404, headers=headers())
        cache = {"Cache-Control": f"private, max-age={PICTURE_AGE}"}
        return web.Response(body=picture, content_type="image/png", headers={**headers(), **cache})

    def _has_token(self, form: Mapping[str, str]) -> bool:
        return compare_digest(form.get("token", "").encode(), self._token.encode())

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)

    def _short_link(self, fields: Mapping[str, str], *, logged_in: bool) -> web.Response:
        texts = SigningTexts(fields.get("lang", ""))
        link = self._store.links.one("code = ?", fields.get("code", ""))
        if link is None:
            return _message("invalid", texts, 404)
        if link.expires_at is not None and link.expires_at <= self._clock():
            return _message("link_expired", texts, 410)
        contract = self._repository.find(link.contract_id, self._now_ms())
        tasks = _tasks_of(state_of(contract), link)
        if not link.no_login and not logged_in:
            party, name = (tasks[0][0].name, _name_of(tasks[0][1])) if tasks else (None, "")
            return self._login(contract, (name, link.contact, party or ""), SHORT_LINK, {"code": link.code}, texts)
        urls = [(party, step, self._page(contract, step, "", texts)) for party, step in tasks]
        if len(urls) == 1:
            return see_other(urls[0][2], headers("'self'"))
        switch = f"{SHORT_LINK}?{urlencode({'code': link.code, 'lang': texts.other})}"
        return html(tasks_page(_summary(contract), urls, switch, texts), headers(style=STYLE))

    def _task_link(self, fields: Mapping[str, str], *, logged_in: bool) -> web.Response:
        texts = SigningTexts(fields.get("lang", ""))
        try:
            contract = self._repository.find(fields.get("contractId"), self._now_ms())
        except Refused:
            return _message("invalid", texts, 404)
        found = _find(state_of(contract), fields.get("taskId", ""))
        if found is None or found[1].person is None:
            return _message("invalid", texts, 404)
        party, step = found
        callback = fields.get("callbackPage", "")
        if logged_in:
            return see_other(self._page(contract, step, callback, texts), headers("'self'"))
        kept = {"contractId": contract.contract_id, "taskId": step.task_id, "callbackPage": callback}
        person = (_name_of(step), found[1].person.contact or "", party.name or "")
        return self._login(contract, person, LOGIN, kept, texts)

    def _login(
        self,
        contract: Contract,
        person: tuple[str, str, str],
        path: str,
        fields: Mapping[str, str],
        texts: SigningTexts,
    ) -> web.Response:
        name, contact, party = person
        login = Login(
            name=name or contact,
            contact=contact,
            party=party,
            action=path,
            fields={**fields, "lang": texts.lang, "token": self._token},
            switch=f"{path}?{urlencode({**fields, 'lang': texts.other})}",
        )
        return html(login_page(_summary(contract), login, texts), headers("'self'", style=STYLE))

    def _page(self, contract: Contract, step: Step, callback: str, texts: SigningTexts) -> str:
        """Return the URL of the page of a task, with a new ticket."""
        ticket = Ticket(
            contract_id=contract.contract_id,
            task_id=step.task_id,
            callback_page=callback,
            until=int(self._clock()) + SESSION,
        )
        return self._page_of(ticket, texts)

    def _page_of(self, ticket: Ticket, texts: SigningTexts) -> str:
        return f"{SIGNING_PAGE}?{urlencode(self._fields(ticket, texts))}"

    def _fields(self, ticket: Ticket, texts: SigningTexts) -> dict[str, str]:
        return {**self._tickets.fields(ticket), "lang": texts.lang}

    def _found(self, ticket: Ticket) -> tuple[Contract, Party, Step] | None:
        """Return the contract and the task of a ticket; parties that sign again get other tasks."""
        contract = self._repository.find(ticket.contract_id, self._now_ms())
        found = _find(state_of(contract), ticket.task_id)
        return None if found is None else (contract, *found)

    def _task(self, ticket: Ticket, query: Mapping[str, str], texts: SigningTexts) -> web.Response:
        found = self._found(ticket)
        if found is None:
            return _message("closed", texts, 410)
        contract, party, step = found
        callback = web_address(ticket.callback_page)
        result = _task_result(contract, step)
        choice, marks, problems = None, list[PlacedMark](), list[str]()
        if result is None:
            choice, marks, problems = self._marks(contract, party, step, query)
        view = TaskView(
            contract=_summary(contract),
            party=party,
            step=step,
            documents=self._documents(contract, ticket, marks, texts),
            problems=problems,
            choice=choice,
            result=result,
            fields=self._fields(ticket, texts),
            action=SIGNING_PAGE,
            callback=callback,
        )
        return html(task_page(view, texts), headers(_targets(callback), style=STYLE, images=True))

    def _marks(
        self, contract: Contract, party: Party, step: Step, query: Mapping[str, str]
    ) -> tuple[PlaceChoice | None, list[PlacedMark], list[str]]:
        """Return the place that was chosen, the marks of a task, and why others cannot be placed."""
        if step.task_type != "SIGN":
            return None, [], []
        uploads = self._files.uploads(contract)
        seal = self._stamper.owner_of(party, step).seal
        choice, positions = None, step.positions
        marks, problems = list[PlacedMark](), list[str]()
        if not positions:
            try:
                choice = _choice({}, uploads)
                choice = _choice(query, uploads)
                positions = (_position(choice, step, uploads, seal),)
            except Refused as problem:
                problems.append(str(problem))
        for position in positions:
            try:
                marks += self._stamper.place((position,), uploads, seal)
            except (Refused, AuditedRefusal) as problem:
                problems.append(str(problem))
        return choice, marks, problems

    def _documents(
        self, contract: Contract, ticket: Ticket, marks: Sequence[PlacedMark], texts: SigningTexts
    ) -> list[DocumentView]:
        """Return the documents as signed so far, with the marks that the task will leave."""
        documents = []
        for index, file in enumerate(self._files.current(contract)):
            own = [mark for mark in marks if mark.doc_id == file.file_id]
            try:
                pages = tuple(
                    PageView(
                        width=width,
                        height=height,
                        picture=self._picture_url(ticket, index, number, len(file.content)),
                        marks=tuple(_mark_view(mark) for mark in own if mark.mark.page == number),
                    )
                    for number, (width, height) in enumerate(page_sizes(file.content), start=1)
                )
                documents.append(DocumentView(name=file.name, pages=pages))
            except ModuleNotFoundError:
                documents.append(DocumentView(name=file.name, problem=texts("extra")))
            except PdfError as problem:
                documents.append(DocumentView(name=file.name, problem=str(problem)))
        return documents

    def _picture_url(self, ticket: Ticket, document: int, page: int, size: int) -> str:
        """Return the URL of a page's picture; ``size`` grows with each signature, so that the URL changes."""
        fields = {**self._tickets.fields(ticket), "document": document, "page": page, "size": size}
        return f"{PICTURE}?{urlencode(fields)}"

    def _transition(
        self, contract: Contract, party: Party, step: Step, form: Mapping[str, str]
    ) -> Callable[[ContractState], Change]:
        """Return the transition of a form; raise `Refused` for a place that the documents do not have."""
        if form["action"] == REFUSE_TASK:
            # Browsers post a line break as CR LF.
            reason = form.get("comment", "").replace("\r\n", "\n").strip()
            return lambda state: refuse(state, step.task_id, reason or None)
        match step.task_type:
            case "APPROVE":
                return lambda state: approve(state, step.task_id)
            case "WRITE":
                return lambda state: fill_in(state, step.task_id)
        positions: tuple[PositionParam, ...] = ()
        if not step.positions:
            uploads = self._files.uploads(contract)
            positions = (_position(_choice(form, uploads), step, uploads, self._stamper.owner_of(party, step).seal),)
        return lambda state: sign(state, step.task_id, by_proxy=False, positions=positions)

    def _leave(self, ticket: Ticket, step: Step, action: str, texts: SigningTexts) -> web.Response:
        """Lead a form that came too late to where the first one led, or to the page, which tells what happened."""
        repeated = step.state == DONE and action == COMPLETE_TASK
        return see_other(self._target(ticket, texts) if repeated else self._page_of(ticket, texts), headers("'self'"))

    def _target(self, ticket: Ticket, texts: SigningTexts) -> str:
        """Return the page that follows a task: ``callbackPage``, or the page of the task, which shows the result."""
        callback = web_address(ticket.callback_page)
        return self._page_of(ticket, texts) if callback is None else str(callback)

    def _draw(self, ticket: Ticket, query: Mapping[str, str]) -> bytes:
        found = self._found(ticket)
        if found is None:
            raise LookupError("the task does not exist any more")
        documents = dict(enumerate(self._files.current(found[0])))
        return render_page(documents[int(query["document"])].content, int(query["page"]) - 1, PICTURE_WIDTH)

    def _perform(
        self, ticket: Ticket, form: Mapping[str, str], texts: SigningTexts, collision: Collision | None
    ) -> web.Response:
        found = self._found(ticket)
        if found is None:
            return _message("closed", texts, 410)
        contract, party, step = found
        action = form.get("action")
        again = f'<p><a href="{escape(self._page_of(ticket, texts))}">{texts("again")}</a></p>'
        if action not in {COMPLETE_TASK, REFUSE_TASK}:
            return _message("unknown", texts, 400, more=again)
        if step.state != OPEN:
            return self._leave(ticket, step, action, texts)
        if action == COMPLETE_TASK and step.task_type == "SIGN" and form.get("agree") != "1":
            return _message("unconfirmed", texts, 400, more=again)
        try:
            if collision is not None:
                kind = DrivingKind.APPROVAL if step.is_approval else DrivingKind.SIGNATURE
                collision = evolve(collision, kind=kind, is_form=True)
                contract = collision.found or contract
            self._repository.apply(contract, self._transition(contract, party, step, form), collision=collision)
        except (Refused, AuditedRefusal) as problem:
            found = self._found(ticket)
            if found is None:
                return _message("closed", texts, 410)
            if found[2].state == OPEN:
                return _message("failed", texts, 409, more=again, reason=str(problem))
            # Another form has performed the task meanwhile, or has ended the contract.
            return self._leave(ticket, found[2], action, texts)
        return see_other(self._target(ticket, texts), headers("'self'"))


def _message(name: str, texts: SigningTexts, status: int, *, more: str = "", **values: object) -> web.Response:
    return html(message_page(name, texts, more=more, **values), headers(style=STYLE), status)


def _targets(callback: URL | None) -> str:
    return "'self'" if callback is None else f"'self' {policy_sources(callback)}"


def _summary(contract: Contract) -> ContractSummary:
    request = orjson.loads(contract.request)
    return ContractSummary(
        contract_id=contract.contract_id,
        subject=request.get("subject") or "",
        number=request.get("sn") or "",
        sender=contract.enterprise,
        state=state_of(contract),
    )


def _name_of(step: Step) -> str:
    return (step.person.name if step.person else None) or ""


def _find(state: ContractState, task_id: str) -> tuple[Party, Step] | None:
    """Return a task, open or not."""
    for party in state.parties:
        for step in party.steps:
            if step.task_id == task_id:
                return party, step
    return None


def _tasks_of(state: ContractState, link: ShortLink) -> list[tuple[Party, Step]]:
    """Return the tasks that a short link leads to: the open ones or, if there are none, all of its contact."""
    own = [
        (party, step)
        for party in state.sequence
        for step in party.steps
        if step.person is not None
        and step.person.contact == link.contact
        and link.task_id in {None, step.task_id}
        and link.party_name in {None, party.name, step.person.name}
    ]
    return [(party, step) for party, step in own if step.state == OPEN] or own


def _task_result(contract: Contract, step: Step) -> TaskResult | None:
    """Return why a task cannot be performed, or ``None`` if it is open."""
    if contract.status in _ENDED and (step.state != DONE or contract.status == DELETED):
        return _ENDED[contract.status]
    match step.state:
        case "open":
            return None
        case "done":
            return TaskResult(name=f"done_{action_of(step)}", style="good", sign="✓")
        case "waiting":
            return _DRAFT if contract.status == DRAFT else _WAITING
    return _CLOSED


def _mark_view(placed: PlacedMark) -> MarkView:
    return MarkView(box=shown_box(placed.box.page, placed.mark.rect), control_type=placed.box.control_type)


def _choice(fields: Mapping[str, str], uploads: ContractDocuments) -> PlaceChoice:
    """Return the place that a person has chosen: at first the right bottom of the last page of the first document.

    Raises `Refused` for a place that the documents do not have, and if a document cannot be read.
    """
    document = _number(fields.get("document", "0"), range(len(uploads.ids)))
    count = len(uploads.open(uploads.ids[document]).pages)
    page = _number(fields.get("page", str(count)), range(1, count + 1))
    place = fields.get("place", PLACES[0])
    if place not in PLACES:
        raise Refused(31000, "签署位置无效")
    return PlaceChoice(document=document, page=page, place=place)


def _number(text: str, allowed: range) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else -1
    if number not in allowed:
        raise Refused(31000, "所选文件没有该页")
    return number


def _position(choice: PlaceChoice, step: Step, uploads: ContractDocuments, seal: Seal) -> PositionParam:
    """Return the sign position of a place that a person has chosen; its box has the picture's aspect."""
    doc_id = uploads.ids[choice.document]
    page = uploads.open(doc_id).pages[choice.page - 1]
    is_seal = step.node_type == ENTERPRISE_SEAL
    width, height = SEAL_BOX if is_seal else SIGNATURE_BOX
    width = max(min(width, height * seal.pixel_width / seal.pixel_height), MIN_SIDE)
    offset_x, offset_y = _offsets(page, choice.place, width, height)
    return PositionParam(
        control_type="SEAL" if is_seal else "SIGNATURE",
        sign_position_type="POSITION",
        page_config=str(choice.page),
        offset_x=offset_x,
        offset_y=offset_y,
        control_width=f"{width:.2f}",
        control_height=f"{height:.2f}",
        relation_doc_list=(RelationDoc(doc_type="1", doc_id=doc_id),),
    )


def _offsets(page: PdfPage, place: str, width: float, height: float) -> tuple[str, str]:
    """Return ``offsetX`` and ``offsetY`` that bring a box to a place of the page as shown (protocol section 4.0).

    The platform takes them of the unrotated MediaBox, and displaces marks on cropped pages. On a turned page it keeps
    the box further to the left or above where it could not reach the place.
    """
    crop, media = page.crop_box, page.media_box
    turned = page.rotate in {90, 270}
    shown_width, shown_height = (crop.height, crop.width) if turned else (crop.width, crop.height)
    across, _, down = place.partition("-")
    left = {"left": MARGIN, "center": (shown_width - width) / 2, "right": shown_width - width - MARGIN}[across]
    top = {"top": MARGIN, "middle": (shown_height - height) / 2, "bottom": shown_height - height - MARGIN}[down]
    right_by, down_by = {
        0: (crop.x0, -crop.y0),
        90: (crop.y0, crop.x0),
        180: (-crop.x0, crop.y0),
        270: (-crop.y0, -crop.x0),
    }[page.rotate]
    x, y = (max(left, 0.0) + right_by) / media.width, (max(top, 0.0) + down_by) / media.height
    return f"{x:.4f}", f"{y:.4f}"
