"""Drafts of contracts: checks for what the platform refuses in riddles, or makes something else of (protocol 4.6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from attrs import has

from kfq_async.base_errors import DraftRefused
from kfq_async.models.anchors import CONTROL_TYPES, DATE_FORMATS, MAX_SIZE, MIN_SIZE, find_never_found
from kfq_async.models.masking import type_name
from kfq_async.models.zones import CHINA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kfq_async.models.contracts import ContractDraftRequest
    from kfq_async.models.parties import ContractSigner, ContractUser, InternalNode, PositionParam

__all__ = ["check_choice", "check_documents", "check_draft", "check_flag", "check_sequence", "format_day"]

Problem = tuple[str, str]
"""Path of an argument, and what is wrong with it."""

MAX_TITLE, MAX_LINE_ID, MAX_PARTY_NAME, MAX_NODE_NAME, MAX_CONTACT = 200, 64, 50, 20, 255
"""Lengths in characters (protocol sections 4.0 and 4.6)."""
SIGNER_TYPES = ("SENDER", "RECEIVER_ENT", "RECEIVER_PERSONAL")
NODE_TYPES = ("ENTERPRISE_SEAL", "AGENT_SIGN", "LEGAL_PERSON_SIGN", "PERSONAL_SIGN", "APPROVER_CHECK")
ARGUMENTS = {kind: name for name, kind in CONTROL_TYPES.items()}
"""Argument that places a mark, by its kind."""
_CONTACTS = {
    "MOBILE": re.compile(r"1[3-9]\d{9}", re.ASCII),
    "EMAIL": re.compile(r"[A-Za-z0-9+_.-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", re.ASCII),
}
"""Forms of contacts that an account can have (protocol section 4.2); a draft is not checked for them."""
_PAGES = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*", re.ASCII)
_ORDER = re.compile(r"-?\d{1,3}", re.ASCII)


def check_sequence(name: str, value: Any) -> tuple[Any, ...]:
    """Return a sequence, or one model, as a tuple; raise `TypeError` that names the argument for anything else."""
    if has(type(value)):
        return (value,)
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise TypeError(f"{name} must be a sequence, not {type_name(value)}: write a list, even for one")
    return tuple(value)


def check_flag(name: str, value: object) -> bool:
    """Return a ``bool``; raise `TypeError` that names the argument for anything else."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be a bool, not {type_name(value)}")
    return value


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices; raise `DraftRefused` for anything else."""
    if value not in choices:
        raise DraftRefused(name, f"must be one of {', '.join(choices)}")
    return value


def format_day(name: str, day: object) -> str | None:
    """Return a day as ``yyyy-MM-dd``; raise `TypeError` for anything but a `date` or ``None``."""
    if day is None:
        return None
    if not isinstance(day, date) or isinstance(day, datetime):
        raise TypeError(f"{name} must be a date, such as date(2027, 1, 31), not {type_name(day)}")
    return day.isoformat()


def check_documents(names: Sequence[str | None]) -> None:
    """Raise `DraftRefused` if two documents have the same name: the platform cannot put them into one ZIP."""
    counts = Counter(name for name in names if name is not None)
    for index, name in enumerate(names):
        if name is not None and counts[name] > 1:
            raise DraftRefused(
                f"documents[{index}]",
                "two documents have one name, so that they cannot be downloaded: pass name= on upload",
            )


def check_draft(draft: ContractDraftRequest, *, by_rule: bool) -> None:
    """Raise `DraftRefused` with the problems of a draft; ``by_rule``: the business line prescribes the parties."""
    problems = list(_find_problems(draft, by_rule=by_rule))
    if problems:
        (path, problem), *others = problems
        raise DraftRefused(path, problem, *(f"{path}: {problem}" for path, problem in others))


def _find_problems(draft: ContractDraftRequest, *, by_rule: bool) -> Iterator[Problem]:
    yield from _check_title("subject", draft.subject)
    yield from _check_title("sn", draft.sn)
    if not draft.sign_re_id:
        yield "sign_re_id", "is missing: session.accounts.business_lines lists the business lines"
    elif len(draft.sign_re_id) > MAX_LINE_ID or " " in draft.sign_re_id:
        yield "sign_re_id", f"must have at most {MAX_LINE_ID} characters and no blank"
    yield from _check_person("operator", draft.operator)
    yield from _check_deadline(draft.expire_date)
    documents = {document.doc_id for document in draft.sign_document_list or ()}
    signers = draft.signer_list or ()
    if not signers and not by_rule:
        yield "signers", "must name a party; with mode='rule' the business line prescribes the sender"
    for index, signer in enumerate(signers):
        yield from _check_party(f"signers[{index}]", signer, draft, documents, by_rule=by_rule)


def _check_title(path: str, text: str | None) -> Iterator[Problem]:
    if text is not None:
        yield from _check_text(path, text, MAX_TITLE)


def _check_text(path: str, text: str, limit: int | None) -> Iterator[Problem]:
    if limit is not None and len(text) > limit:
        yield path, f"must have at most {limit} characters, not {len(text)}"
    if any(ord(character) > 0xFFFF for character in text):
        yield path, "must not hold characters beyond the basic multilingual plane, such as emoji and rare names"


def _check_deadline(day: str | None) -> Iterator[Problem]:
    if day is not None and date.fromisoformat(day) <= datetime.now(CHINA).date():
        yield "expire_date", "must be after today in China: the day itself is not included"


def _check_person(path: str, person: ContractUser | None, limit: int | None = None) -> Iterator[Problem]:
    if person is None:
        yield path, "is missing: pass ContractUser.mobile(name, number)"
        return
    for field in ("name", "contact"):
        if not getattr(person, field):
            yield f"{path}.{field}", "is missing"
    form = _CONTACTS.get(person.contact_type or "")
    if form is None:
        yield f"{path}.contact_type", "must be MOBILE or EMAIL: use ContractUser.mobile or ContractUser.email"
    elif person.contact and len(person.contact) <= MAX_CONTACT and form.fullmatch(person.contact) is None:
        yield f"{path}.contact", "is no account of the platform: a mobile number of 11 digits, or an e-mail address"
    yield from _check_text(f"{path}.name", person.name or "", limit)
    yield from _check_text(f"{path}.contact", person.contact or "", MAX_CONTACT)


def _check_order(path: str, order: str | None) -> Iterator[Problem]:
    if order is None or _ORDER.fullmatch(order) is None or not -128 <= int(order) <= 127:
        yield f"{path}.order", "must be a whole number from -128 to 127"


def _check_party(
    path: str, signer: ContractSigner, draft: ContractDraftRequest, documents: set[str | None], *, by_rule: bool
) -> Iterator[Problem]:
    if signer.signer_type not in SIGNER_TYPES:
        yield path, f"signer_type must be one of {', '.join(SIGNER_TYPES)}: the platform drops any other party silently"
        return
    yield from _check_order(path, signer.signer_order)
    is_sender = signer.signer_type == "SENDER"
    if is_sender and by_rule:
        yield path, "leave the sender out with mode='rule': the business line prescribes it"
    if signer.signer_type == "RECEIVER_PERSONAL":
        yield from _check_person(f"{path}.user", signer.receiver, MAX_PARTY_NAME)
        positions = signer.position_param_list or ()
        yield from _check_positions(path, positions, documents, sealing=False)
        yield from _check_marked(path, positions, draft)
        return
    if not is_sender:
        if not signer.signer_name:
            yield f"{path}.name", "is missing: the name of the enterprise"
        yield from _check_text(f"{path}.name", signer.signer_name or "", MAX_PARTY_NAME)
    nodes = signer.internal_node_list or ()
    if not nodes and not (is_sender and draft.auto_finish == 0):
        yield f"{path}.nodes", "must hold a step, such as InternalNode.seal(...)"
    for index, node in enumerate(nodes):
        node_path = f"{path}.nodes[{index}]" if len(nodes) > 1 else path
        yield from _check_node(node_path, node, draft, documents, is_sender=is_sender)


def _check_node(
    path: str, node: InternalNode, draft: ContractDraftRequest, documents: set[str | None], *, is_sender: bool
) -> Iterator[Problem]:
    if node.node_type not in NODE_TYPES:
        yield path, f"node_type must be one of {', '.join(NODE_TYPES)}"
        return
    yield from _check_order(path, node.signer_order)
    sealing, approving = node.node_type == "ENTERPRISE_SEAL", node.node_type == "APPROVER_CHECK"
    positions = node.position_param_list or ()
    automatic = node.auto_sign == "AUTO_SIGN"
    if approving and not is_sender:
        yield path, "approvals are for the sender only"
    if automatic and not (is_sender and sealing):
        yield f"{path}.auto", "the platform applies only the sender's seal by itself"
    elif automatic and not any(position.control_type in {"SEAL", "CHOP_STAMP"} for position in positions):
        yield f"{path}.seal", "an automatic seal needs a place: pass seal=document.keyword(...)"
    if is_sender and sealing and not node.seal_id and draft.send == "1":
        yield f"{path}.seal_id", "is missing: the sender's seal is needed when the contract starts"
    if not (automatic and is_sender and sealing):
        yield from _check_person(f"{path}.by", node.signer, None if is_sender else MAX_NODE_NAME)
    yield from _check_positions(path, positions, documents, sealing=sealing)
    if not approving:
        yield from _check_marked(path, positions, draft)


def _check_marked(path: str, positions: Sequence[PositionParam], draft: ContractDraftRequest) -> Iterator[Problem]:
    if not positions and draft.control_change_flag == "NECESSARY_NO_ADD":
        yield path, "has no place for a mark, and control_change_flag NECESSARY_NO_ADD lets the signer add none"


def _check_positions(
    path: str, positions: Iterable[PositionParam], documents: set[str | None], *, sealing: bool
) -> Iterator[Problem]:
    allowed = {"SEAL", "CHOP_STAMP", "SIGN_DATE"} if sealing else {"SIGNATURE", "SIGN_DATE"}
    for position in positions:
        kind = position.control_type or ""
        if kind not in ARGUMENTS:
            yield path, f"control_type must be one of {', '.join(ARGUMENTS)}"
            continue
        place = f"{path}.{ARGUMENTS[kind]}"
        if kind not in allowed:
            yield (
                place,
                "only an enterprise's seal step takes a seal"
                if kind != "SIGNATURE"
                else ("a seal step takes no signature: use InternalNode.sign"),
            )
        yield from _check_relation(place, position, documents)
        if kind == "SIGN_DATE" and position.sign_date_format not in DATE_FORMATS:
            yield place, f"sign_date_format must be one of {', '.join(DATE_FORMATS)}"
        for name in ("control_width", "control_height"):
            yield from _check_number(place, name, getattr(position, name), MIN_SIZE, MAX_SIZE)
        if position.sign_position_type == "KEYWORD":
            yield from _check_keyword(place, position)
        elif position.sign_position_type == "POSITION":
            yield from _check_coordinates(place, position, chop=kind == "CHOP_STAMP")
        else:
            yield place, "sign_position_type must be POSITION or KEYWORD"


def _check_relation(place: str, position: PositionParam, documents: set[str | None]) -> Iterator[Problem]:
    relations = position.relation_doc_list or ()
    if not relations:
        yield place, "relation_doc_list is missing: the platform then fills in a document that it cannot resolve"
    for relation in relations:
        if relation.doc_type not in {"1", "2"}:
            yield place, 'doc_type must be "1", an uploaded file, or "2", a template'
        elif relation.doc_type == "1" and documents and relation.doc_id not in documents:
            yield place, "refers to a document that is not one of the draft's documents"


def _check_keyword(place: str, position: PositionParam) -> Iterator[Problem]:
    if not position.keyword:
        yield place, "keyword is missing"
    elif problem := find_never_found(position.keyword):
        yield place, problem
    if position.keyword_type not in {"1", "0", "-1"}:
        yield place, 'keyword_type must be "1", "0" or "-1": it has no default on the platform'
    for name in ("offset_x", "offset_y"):
        value = getattr(position, name)
        if value is not None and re.fullmatch(r"-?\d{1,6}", value, re.ASCII) is None:
            yield place, f"{name} must be a whole number of points; leave it out for 0"


def _check_coordinates(place: str, position: PositionParam, *, chop: bool) -> Iterator[Problem]:
    pages = position.page_config or ""
    if pages in {"EVEN_NUMBER", "ODD_NUMBER"} and not chop:
        yield place, f"the platform swaps EVEN_NUMBER and ODD_NUMBER: list the pages instead of {pages}"
    elif pages not in {"ALL", "EVEN_NUMBER", "ODD_NUMBER"} and _PAGES.fullmatch(pages) is None:
        yield place, "page_config must be ALL, or a list of pages such as 1,2,7-10"
    elif any(int(low) < 1 or (high and int(high) < int(low)) for low, _, high in _ranges(pages)):
        yield place, "page_config must count pages from 1 on, and ranges upwards"
    for name in ("offset_y",) if chop else ("offset_x", "offset_y"):
        value = getattr(position, name)
        if value is None:
            yield place, f"{name} is missing"
        else:
            yield from _check_number(place, name, value, -1.0, 1.0)


def _ranges(pages: str) -> list[tuple[str, str, str]]:
    return [part.partition("-") for part in pages.split(",")] if pages[:1].isdigit() else []


def _check_number(place: str, name: str, text: str | None, low: float, high: float) -> Iterator[Problem]:
    if text is None:
        return
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not low <= number <= high:
        yield place, f"{name} must be a number from {low:g} to {high:g}"
