"""HTML of the signing page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from attrs import field, frozen
from yarl import URL

from kfq_async.models.fields import SECRET
from kfq_async.sandbox.lifecycle import ENTERPRISE_SEAL, ContractState, Party, Step
from kfq_async.sandbox.orders import china_time
from kfq_async.sandbox.rendering import ShownBox
from kfq_async.sandbox.web.frame import page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfq_async.sandbox.web.signing_texts import SigningTexts

__all__ = [
    "PLACES",
    "STYLE",
    "ContractSummary",
    "DocumentView",
    "Login",
    "MarkView",
    "PageView",
    "PlaceChoice",
    "TaskResult",
    "TaskView",
    "action_of",
    "login_page",
    "message_page",
    "task_page",
    "tasks_page",
]

PLACES = tuple(f"{across}-{down}" for down in ("bottom", "middle", "top") for across in ("right", "center", "left"))
"""Places of a mark on a page that a person can choose, the default first."""
STYLE = """
.head{display:flex;gap:1rem;justify-content:space-between;align-items:flex-start}.head a{flex:none;padding:.2rem 0}
dl.facts{grid-template-columns:max-content 1fr max-content 1fr;margin:1rem 0 0}
.desk h3{margin:0 0 .7rem;font-size:1rem}
.desk{display:grid;grid-template-columns:minmax(0,1fr) 19rem;gap:2rem;align-items:start;margin-top:1.4rem}
.desk h2:first-child{margin-top:0}
.side{position:sticky;top:1rem;max-height:calc(100vh - 2rem);overflow:auto;padding:2px}
.panel{border:1px solid var(--line);border-radius:12px;padding:1.1rem 1.2rem 1.2rem;margin:0 0 1rem}
.panel h2{margin:0 0 .6rem}.panel button{width:100%;margin-top:.8rem}
.sheet{position:relative;margin:0 0 1.4rem}
.paper{position:relative;background:#fff;border:1px solid var(--line);border-radius:4px;overflow:hidden;
box-shadow:0 2px 10px #1b243321}
.paper img{display:block;width:100%;height:auto}
.paper svg{position:absolute;inset:0;width:100%;height:100%}
.paper rect{fill:#1d5bd61f;stroke:#1d5bd6;stroke-width:1.2;stroke-dasharray:5 3}
.paper text{fill:#1d5bd6;font:600 11px system-ui,"Noto Sans CJK SC",sans-serif;text-anchor:middle}
figcaption{font-size:.85rem;color:var(--soft);margin-top:.35rem}
figcaption strong{color:var(--blue)}
textarea{display:block;width:100%;min-height:4.5rem;margin-top:.25rem;padding:.5rem .7rem;font:inherit;
color:var(--ink);background:var(--card);border:1px solid var(--field-line);border-radius:8px;resize:vertical}
.check{display:flex;gap:.6rem;align-items:flex-start;padding:.7rem 0 0;color:var(--ink);font-size:1rem}
.panel .check input{width:1.3rem;height:1.3rem;min-height:0;margin:.15rem 0 0;padding:0;flex:none;
accent-color:var(--blue)}
.panel fieldset{margin:.9rem 0 0}.panel fieldset label{margin-top:.6rem}
button.stop{border-color:var(--bad-ink);color:var(--bad-ink)}
textarea:focus-visible,input[type=checkbox]:focus-visible{outline:3px solid var(--focus);outline-offset:1px}
ul.plain{list-style:none;margin:.4rem 0 0;padding:0}ul.plain li{padding:.15rem 0}
.steps{list-style:none;margin:.6rem 0 0;padding:0;border:0}
.steps>li{display:block;padding:.5rem 0;border-top:1px solid var(--line)}.steps>li:first-child{border:0;padding-top:0}
.steps ul li{display:flex;gap:.5rem;justify-content:space-between;align-items:baseline}
.steps .now{font-weight:600}
.told{display:flex;gap:1.2rem;align-items:center;margin:1.2rem 0}
.told .sign{margin:0;flex:none;text-align:center}.told h2{margin:0}
.jump{display:none}
main.narrow .panel button{width:auto}
@media(max-width:60rem){dl.facts{grid-template-columns:max-content 1fr;gap:.2rem 1rem;font-size:.95rem}
dl.facts dd{margin:0}.desk{grid-template-columns:minmax(0,1fr)}.side{position:static;max-height:none}
.jump{display:block;position:sticky;bottom:.8rem;text-align:center;background:var(--blue);color:var(--on-blue);
font-weight:600;padding:.7rem 1rem;border-radius:10px;text-decoration:none;box-shadow:0 4px 14px #1b243359;z-index:1}}
"""
"""Style of the page besides the common one."""


@frozen(kw_only=True)
class MarkView:
    """A mark that the task will leave on a page.

    Attributes:
        box: Place on the page as shown.
        control_type: ``controlType``.
    """

    box: ShownBox
    control_type: str


@frozen(kw_only=True)
class PageView:
    """A page of a document.

    Attributes:
        width: Width as shown, in points.
        height: Height as shown, in points.
        picture: URL of its picture.
        marks: Marks that the task will leave.
    """

    width: float
    height: float
    picture: str
    marks: tuple[MarkView, ...] = ()


@frozen(kw_only=True)
class DocumentView:
    """A document.

    Attributes:
        name: Name.
        pages: Pages; none if it cannot be shown.
        problem: Reason why it cannot be shown, or ``None``.
    """

    name: str
    pages: tuple[PageView, ...] = ()
    problem: str | None = None


@frozen(kw_only=True)
class ContractSummary:
    """Contract, as all pages about it name it.

    Attributes:
        contract_id: ``contractId``.
        subject: Title, or an empty text.
        number: ``sn``, or an empty text.
        sender: Enterprise that has sent it.
        state: State.
    """

    contract_id: str
    subject: str
    number: str
    sender: str
    state: ContractState


@frozen(kw_only=True)
class PlaceChoice:
    """Place of a mark that the person chooses, because the contract names none.

    Attributes:
        document: Index of the document.
        page: Page number, from 1 on.
        place: One of `PLACES`.
    """

    document: int
    page: int
    place: str


@frozen(kw_only=True)
class TaskResult:
    """Reason why a task cannot be performed any more, or not yet.

    Attributes:
        name: Name of its texts.
        style: Style of its sign.
        sign: Sign.
    """

    name: str
    style: str
    sign: str


@frozen(kw_only=True)
class TaskView:
    """Everything that the page of a task shows.

    Attributes:
        contract: Contract.
        party: Party of the task.
        step: Task.
        documents: Documents, as signed so far.
        problems: Reasons why a mark cannot be placed.
        choice: Place that the person has chosen, or ``None`` if the contract names the places.
        result: Reason why there is no form, or ``None``.
        fields: Hidden fields of the forms, which are also those of the page's URL; masked in ``repr``.
        action: Path to which the forms are posted.
        callback: Page to return to, or ``None``.
    """

    contract: ContractSummary
    party: Party
    step: Step
    documents: Sequence[DocumentView]
    problems: Sequence[str]
    choice: PlaceChoice | None
    result: TaskResult | None
    fields: Mapping[str, str] = field(repr=False)
    action: str
    callback: URL | None


@frozen(kw_only=True)
class Login:
    """Account that would have to log in.

    Attributes:
        name: Name of the person.
        contact: Login name; masked in ``repr``, as ``name`` is.
        party: Party that the person acts for, or an empty text.
        action: Path to which the form is posted.
        fields: Hidden fields of the form; masked in ``repr``.
        switch: URL of the page in the other language.
    """

    name: str = field(**SECRET)
    contact: str = field(**SECRET)
    party: str
    action: str
    fields: Mapping[str, str] = field(repr=False)
    switch: str


def action_of(step: Step) -> str:
    """Return the kind of a task: that of ``taskType``, or ``SEAL`` for an enterprise's seal."""
    return "SEAL" if step.task_type == "SIGN" and step.node_type == ENTERPRISE_SEAL else step.task_type


def task_page(view: TaskView, texts: SigningTexts) -> str:
    """Return the page of a task: its form or, if it cannot be performed, the reason; and the documents."""
    kind = action_of(view.step)
    title = view.contract.subject or texts("untitled")
    choice = view.choice
    place = {} if choice is None else {"document": choice.document, "page": choice.page, "place": choice.place}
    switch = f"{view.action}?{urlencode({**view.fields, **place, 'lang': texts.other})}"
    documents = "".join(_document(index, each, texts) for index, each in enumerate(view.documents))
    if view.result is None:
        top = f'<p class="soft">{texts(f"lead_{kind}")}</p>'
        forms = _forms(view, texts)
        jump = f'<a class="jump" href="#act">{texts("to_form", action=texts(f"task_{kind}"))}</a>'
    else:
        top, forms, jump = _result(view, view.result, texts), "", ""
    return _page(
        f"{texts(f'task_{kind}')} · {title}",
        f"{_head(title, switch, texts)}{top}{_facts(view, texts)}"
        f'<div class="desk"><section aria-labelledby="documents"><h2 id="documents">{texts("documents")}</h2>'
        f'{documents}{jump}</section><div class="side" id="act">{forms}{_my_marks(view, texts)}'
        f'{_progress(view.contract.state, view.step.task_id, texts)}</div></div><p class="note">{texts("assumed")}</p>',
        texts,
        wide=True,
    )


def message_page(name: str, texts: SigningTexts, *, more: str = "", **values: object) -> str:
    """Return a page of one message; ``more`` is HTML below it, ``values`` go into the message."""
    text = escape(texts(f"{name}_text", **values))
    return _page(texts(name), f"<h1>{texts(name)}</h1><p>{text}</p>{more}", texts)


def login_page(contract: ContractSummary, login: Login, texts: SigningTexts) -> str:
    """Return the page of a link that needs login."""
    party = f"<dt>{texts('party')}</dt><dd>{escape(login.party)}</dd>" if login.party else ""
    return _page(
        f"{texts('login')} · {contract.subject or texts('untitled')}",
        f"{_head(contract.subject or texts('untitled'), login.switch, texts)}<p>{texts('login_text')}</p>"
        f"<dl><dt>{texts('account')}</dt><dd>{escape(login.contact)}</dd><dt>{texts('person')}</dt>"
        f"<dd>{escape(login.name)}</dd>{party}<dt>{texts('sender')}</dt><dd>{escape(contract.sender)}</dd></dl>"
        f'<form method="post" action="{login.action}">{_hidden(login.fields)}'
        f'<button class="main" name="action" value="continue">'
        f"{escape(texts('login_as', name=login.name))}</button></form>"
        f'<p class="soft">{texts("login_hint")}</p>',
        texts,
    )


def tasks_page(
    contract: ContractSummary, tasks: Iterable[tuple[Party, Step, str]], switch: str, texts: SigningTexts
) -> str:
    """Return the page of a link to several tasks, or to none; each with the URL of its page.

    ``switch`` is the URL of the page in the other language.
    """
    items = "".join(
        f'<li><a href="{escape(url)}">{texts(f"task_{action_of(step)}")} · {escape(_name(party, step))} · '
        f"{_node(step, texts)}</a></li>"
        for party, step, url in tasks
    )
    title = contract.subject or texts("untitled")
    content = (
        f'<h2>{texts("choose")}</h2><ul class="plain">{items}</ul>'
        if items
        else f'<p class="notice"><strong>{texts("nothing")}</strong><br>{texts("nothing_text")}</p>'
    )
    return _page(title, f"{_head(title, switch, texts)}{content}{_progress(contract.state, '', texts)}", texts)


def _page(title: str, content: str, texts: SigningTexts, *, wide: bool = False) -> str:
    return page(title, content, wide=wide, lang=texts.html_lang, style=STYLE)


def _head(title: str, switch: str, texts: SigningTexts) -> str:
    return (
        f'<div class="head"><h1>{escape(title)}</h1>'
        f'<a href="{escape(switch)}" hreflang="{texts.other}" lang="{texts.other}">{texts("other_language")}</a></div>'
    )


def _facts(view: TaskView, texts: SigningTexts) -> str:
    contract, step = view.contract, view.step
    contact = (step.person.contact or "") if step.person else ""
    kind, node = texts(f"task_{action_of(step)}"), _node(step, texts)
    facts = {
        "sender": escape(contract.sender),
        "acting": f'{escape(_actor(view.party, step))} <span class="soft">{escape(contact)}</span>',
        "task": f"<strong>{kind}</strong>" + (f" · {node}" if node != kind else ""),
        "contract": f"<code>{escape(contract.contract_id)}</code> "
        f'<span class="pill">{texts(f"status_{contract.state.status}")}</span>',
    }
    if contract.number:
        facts["number"] = escape(contract.number)
    if contract.state.deadline_ms is not None:
        facts["deadline"] = china_time(contract.state.deadline_ms / 1000, "%Y-%m-%d %H:%M")
    return (
        f"<dl class='facts'>{''.join(f'<dt>{texts(name)}</dt><dd>{value}</dd>' for name, value in facts.items())}</dl>"
    )


def _document(index: int, document: DocumentView, texts: SigningTexts) -> str:
    if document.problem is not None:
        problem = escape(texts("not_drawn", reason=document.problem))
        return f'<h3>{escape(document.name)}</h3><p class="notice">{problem}</p>'
    count = texts("pages", count=len(document.pages))
    pages = "".join(_page_figure(index, number, document, texts) for number in range(1, len(document.pages) + 1))
    return f'<h3>{escape(document.name)} <span class="pill">{count}</span></h3>{pages}'


def _page_figure(index: int, number: int, document: DocumentView, texts: SigningTexts) -> str:
    """Return a page: its picture, and frames where marks will be, in the coordinates of the page as shown."""
    shown = document.pages[number - 1]
    caption = texts("page", number=number, count=len(document.pages))
    width, height = f"{shown.width:g}", f"{shown.height:g}"
    marks = (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(_mark(mark, texts) for mark in shown.marks)}</svg>"
        if shown.marks
        else ""
    )
    told = f" · <strong>{texts('marks_here', count=len(shown.marks))}</strong>" if shown.marks else ""
    return (
        f'<figure class="sheet" id="{_anchor(index, number)}"><div class="paper">'
        f'<img src="{escape(shown.picture)}" alt="{escape(document.name)} · {caption}" width="{round(shown.width)}" '
        f'height="{round(shown.height)}" loading="lazy" decoding="async">{marks}</div>'
        f"<figcaption>{caption}{told}</figcaption></figure>"
    )


def _mark(mark: MarkView, texts: SigningTexts) -> str:
    box = mark.box
    label = texts(f"mark_{mark.control_type}")
    text = (
        f'<text x="{box.left + box.width / 2:.2f}" y="{box.top + box.height / 2 + 4:.2f}">{label}</text>'
        if box.width > 12 * len(label)
        else ""
    )
    return (
        f'<rect x="{box.left:.2f}" y="{box.top:.2f}" width="{box.width:.2f}" height="{box.height:.2f}" rx="2">'
        f"<title>{label}</title></rect>{text}"
    )


def _my_marks(view: TaskView, texts: SigningTexts) -> str:
    problems = "".join(
        f'<p class="notice">{escape(texts("not_placed", reason=reason))}</p>' for reason in view.problems
    )
    links = "".join(
        f'<li><a href="#{_anchor(index, number)}">'
        f"{escape(texts('mark_link', name=document.name, number=number))}</a></li>"
        for index, document in enumerate(view.documents)
        for number, shown in enumerate(document.pages, start=1)
        if shown.marks
    )
    if not links and not problems:
        return ""
    return f'<section class="panel"><h2>{texts("my_marks")}</h2>{problems}<ul class="plain">{links}</ul></section>'


def _progress(state: ContractState, task_id: str, texts: SigningTexts) -> str:
    order = texts("in_order" if state.ordered else "any_order")
    parties = "".join(
        f"<li>{escape(_party_name(party))}<ul class='plain'>"
        f"{''.join(_step(step, task_id, texts) for step in party.steps)}</ul></li>"
        for party in state.sequence
    )
    return (
        f'<section class="panel"><h2>{texts("progress")}<span class="pill">{order}</span></h2>'
        f'<ul class="steps">{parties}</ul></section>'
    )


_STEP_STYLES = {"open": "busy", "done": "good", "waiting": "plain", "closed": "bad"}


def _step(step: Step, task_id: str, texts: SigningTexts) -> str:
    person = texts("automatic") if step.automatic or step.person is None else escape(step.person.name or "")
    now = ' class="now" aria-current="step"' if step.task_id == task_id else ""
    return (
        f"<li{now}><span>{_node(step, texts)} · {person}</span>"
        f'<span class="pill {_STEP_STYLES[step.state]}">{texts(f"state_{step.state}")}</span></li>'
    )


def _forms(view: TaskView, texts: SigningTexts) -> str:
    kind = action_of(view.step)
    start = f'<form method="post" action="{view.action}">{_hidden(view.fields)}'
    main = f'<button class="main" name="action" value="complete">{texts(f"do_{kind}")}</button>'
    agree = (
        f'<label class="check"><input type="checkbox" name="agree" value="1" required>'
        f"<span>{texts('agree')}</span></label>"
    )
    match kind:
        case "APPROVE":
            content = f"{_textarea('comment', texts)}{main}"
        case "WRITE":
            content = f'<p class="soft">{texts("no_fields")}</p>{main}'
        case _:
            content = f"{_place(view, texts)}{agree}{main}"
    return (
        f'<section class="panel"><h2>{texts(f"task_{kind}")}</h2>{start}{content}</form></section>'
        f'<details class="panel"><summary>{texts(f"refuse_{kind}")}</summary>'
        f'<p class="soft">{texts("refuse_warning")}</p>{start}'
        f"{_textarea('comment' if kind == 'APPROVE' else 'reason', texts)}"
        f'<button class="stop" name="action" value="refuse">{texts(f"refuse_{kind}")}</button></form></details>'
    )


def _place(view: TaskView, texts: SigningTexts) -> str:
    """Return the fields for the place of a mark, if the contract names none; the preview is a GET of the same form."""
    choice = view.choice
    if choice is None:
        return ""
    documents = {str(index): document.name for index, document in enumerate(view.documents)}
    count = max(len(document.pages) for document in view.documents)
    return (
        f'<fieldset><legend>{texts("place_legend")}</legend><p class="soft">{texts("place_hint")}</p>'
        f"{_select('document', documents, str(choice.document), texts('place_document'))}"
        f'<label>{texts("place_page")}<input type="number" inputmode="numeric" name="page" min="1" max="{count}" '
        f'value="{choice.page}" required></label>'
        f"{_select('place', {name: texts(f'at_{name}') for name in PLACES}, choice.place, texts('place_at'))}"
        f'<button formmethod="get" formnovalidate>{texts("preview")}</button></fieldset>'
    )


def _select(name: str, options: Mapping[str, str], chosen: str, label: str) -> str:
    items = "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options.items()
    )
    return f'<label>{label}<select name="{name}">{items}</select></label>'


def _textarea(name: str, texts: SigningTexts) -> str:
    return (
        f'<label>{texts(name)}<textarea name="comment" maxlength="200" rows="3"></textarea></label>'
        f'<p class="soft">{texts(f"{name}_hint")}</p>'
    )


def _result(view: TaskView, result: TaskResult, texts: SigningTexts) -> str:
    reason = view.contract.state.reason
    given = f"<p>{texts('given_reason')} · <q>{escape(reason)}</q></p>" if reason else ""
    back = f'<p><a href="{escape(str(view.callback))}">{texts("back")}</a></p>' if view.callback else ""
    detail = "done" if result.name.startswith("done_") else result.name
    return (
        f'<section class="panel told" role="status"><div class="sign {result.style}" aria-hidden="true">{result.sign}'
        f"</div><div><h2>{texts(result.name)}</h2><p>{texts(f'{detail}_text')}</p>{given}{back}</div></section>"
    )


def _hidden(fields: Mapping[str, str]) -> str:
    return "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in fields.items())


def _node(step: Step, texts: SigningTexts) -> str:
    return escape(texts.node("WRITE" if step.fills_in else step.node_type or ""))


def _party_name(party: Party) -> str:
    return party.name or " / ".join(
        (step.person.name or step.person.contact or "") for step in party.steps if step.person
    )


def _name(party: Party, step: Step) -> str:
    return party.name or (step.person.name if step.person else None) or ""


def _actor(party: Party, step: Step) -> str:
    person = (step.person.name if step.person else None) or ""
    return f"{party.name} · {person}" if party.name else person


def _anchor(index: int, number: int) -> str:
    return f"d{index}p{number}"
