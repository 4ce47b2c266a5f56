"""Description of a contract for ``kfq contract draft`` and ``preview``: options, or the request as JSON."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from attrs import evolve, field, fields_dict, frozen
from cyclopts import Parameter

from kfq_async.cli.options import Flag, UsageError
from kfq_async.errors import DecodeError, DraftRefused
from kfq_async.languages import gettext, translate
from kfq_async.models.anchors import Anchor, Hit
from kfq_async.models.contracts import ContractDraftRequest, SignDocument
from kfq_async.models.drafts import check_draft
from kfq_async.models.fields import SECRET
from kfq_async.models.files import UploadedDocument
from kfq_async.models.masking import MaskedStr
from kfq_async.models.parties import ContractSigner, ContractUser, InternalNode, PositionParam, RelationDoc
from kfq_async.protocol.codec import decode

__all__ = ["DraftOptions", "build_request"]

_KEYWORD = re.compile(r"(.+)@(first|last|every)(?:([+-]\d{1,4})(?:,([+-]?\d{1,4}))?)?", re.DOTALL)
_PAGE = re.compile(r"@(\d{1,5}):(\d{1,5}(?:\.\d+)?),(\d{1,5}(?:\.\d+)?)")
_HITS: dict[str, Hit] = {"first": "first", "last": "last", "every": "every"}
_OPTIONS = {
    "subject": "--subject",
    "sign_re_id": "--line",
    "operator": "--operator",
    "signers": "--signer",
    "expire_date": "--expires",
}
"""Options of the arguments of a draft."""
_ARGUMENT = re.compile(rf"(?:(?<=; )|\A)(?:{'|'.join(_OPTIONS)})(?=: )")
"""Argument with which a problem of a draft begins."""
Texts = Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)]


def _as_masked(values: Texts) -> tuple[str, ...]:  # attrs takes the annotation for the field
    return tuple(map(MaskedStr, values))


@frozen(kw_only=True)
class DraftOptions:
    """Options that describe a contract.

    Parameters
    ----------
    line
        Id of the business line (业务线).
    operator
        Employee who initiates the contract, as NAME:CONTACT, such as 李四:13800138000.
    subject
        Title of the contract (default: the name of the file).
    seal
        Place of your company's seal, repeatable: KEYWORD@last, or @first or @every, with an offset in points to the
        right and down such as @last+60,-5; or @PAGE:LEFT,TOP in points as a reader sees the page.
    seal_id
        Id of the seal.
    manual_seal
        Let the operator apply the seal on the signing page, and not the platform at once.
    chop
        Cross-page seal (骑缝章) of your company: its distance in points from the top of the pages.
    signer
        Person who signs, as NAME:CONTACT, repeatable; they sign in this sequence, after your company.
    sign
        Place of a signature, as for --seal: the first is that of the first signer, the second that of the second.
    search
        Whether keywords are found here, and sent as coordinates, or by the platform, as kfq contract find shows.
    expires
        Signing deadline, such as 2027-01-31; the day itself is not included.
    together
        Let all parties sign at once, and not one after the other.
    keep_open
        Do not finish the contract after the last signature.
    request
        The whole request instead of the options above, used with this document: JSON with the platform's field names,
        as --dry-run prints it; or a Python file, whose function request(document) returns a ContractDraftRequest.
    """

    line: str | None = None
    operator: str | None = field(default=None, **SECRET)
    subject: str | None = None
    seal: Texts = ()
    seal_id: str | None = None
    manual_seal: Flag = False
    chop: float | None = None
    signer: Texts = field(default=(), converter=_as_masked, repr=False)
    sign: Texts = ()
    search: Literal["here", "platform"] = "here"
    expires: str | None = None
    together: Flag = False
    keep_open: Flag = False
    request: Path | None = None

    @property
    def given(self) -> list[str]:
        """Options that were given besides ``request``, as typed."""
        names = [
            name
            for name, attribute in fields_dict(DraftOptions).items()
            if name != "request" and getattr(self, name) != attribute.default
        ]
        return [f"--{name.replace('_', '-')}" for name in names]


def build_request(options: DraftOptions, document: UploadedDocument, *, send: bool) -> ContractDraftRequest:
    """Return the request that the options describe; raise `UsageError` if one is invalid."""
    try:
        if options.request is not None:
            return _read_request(options, options.request, document, send=send)
        return ContractDraftRequest.of(
            document,
            subject=options.subject or document.name or "",
            sign_re_id=_require("--line", options.line),
            operator=_parse_user("--operator", _require("--operator", options.operator)),
            signers=_parties(options, document),
            expire_date=_parse_day(options.expires),
            send=send,
            auto_finish=not options.keep_open,
            together=options.together,
        )
    except DraftRefused as error:
        text = str(error)
        if options.request is None:
            text = _ARGUMENT.sub(lambda match: _OPTIONS[match[0]], text)
        raise UsageError(text) from None


def _parse_day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise UsageError(gettext("--expires must be a day, such as 2027-01-31, not {text!r}", text=text)) from None


def _require(option: str, value: str | None) -> str:
    if not value:
        raise UsageError(gettext("{option} is missing; give it, or the whole request with --request", option=option))
    return value


def _parties(options: DraftOptions, document: UploadedDocument) -> list[ContractSigner]:
    """Return the sender, if it has a seal to apply, and the persons."""
    if len(options.sign) > len(options.signer):
        counts = {"places": len(options.sign), "signers": len(options.signer)}
        raise UsageError(gettext("each --sign needs a --signer: {places} were given, and {signers}", **counts))
    parties = []
    if options.seal or options.seal_id or options.chop is not None:
        chop = None if options.chop is None else document.at(page=1, left=0, top=options.chop)
        seals = [_parse_place("--seal", text, document, options) for text in options.seal]
        auto = not options.manual_seal
        parties.append(ContractSigner.sender(seal=seals or None, seal_id=options.seal_id, auto=auto, chop=chop))
    for number, text in enumerate(options.signer):
        places = [_parse_place("--sign", place, document, options) for place in options.sign[number : number + 1]]
        parties.append(ContractSigner.person(_parse_user("--signer", text), sign=places or None))
    return parties


def _parse_user(option: str, text: str) -> ContractUser:
    """Parse NAME:CONTACT."""
    name, _, contact = text.replace("：", ":").rpartition(":")  # Chinese keyboards have a wide colon
    if not name.strip() or not contact.strip():
        raise UsageError(gettext("{option} must be NAME:CONTACT, such as 李四:13800138000", option=option))
    create = ContractUser.email if "@" in contact else ContractUser.mobile
    return create(name.strip(), contact.strip())


def _parse_place(option: str, text: str, document: UploadedDocument, options: DraftOptions) -> Anchor:
    """Parse a keyword with a hit and an offset, or a page with coordinates."""
    try:
        if match := _KEYWORD.fullmatch(text):
            keyword, hit, right, down = match.groups()
            return document.keyword(
                keyword, hit=_HITS[hit], right=int(right or 0), down=int(down or 0), search=options.search
            )
        if match := _PAGE.fullmatch(text):
            page, left, top = match.groups()
            return document.at(page=int(page), left=float(left), top=float(top))
    except DraftRefused as error:
        raise UsageError(
            gettext("{option} {value}: {problem}", option=option, value=text, problem=translate(error))
        ) from None
    raise UsageError(
        gettext(
            "{option} must be KEYWORD@last (or @first, @every; @last+60,-5 moves it right and down), or "
            "@PAGE:LEFT,TOP in points, not {text!r}",
            option=option,
            text=text,
        )
    )


def _read_request(options: DraftOptions, file: Path, document: UploadedDocument, *, send: bool) -> ContractDraftRequest:
    """Return the request of a file, with all positions on one document."""
    if options.given:
        raise UsageError(
            gettext("--request holds the whole request; leave out {options}", options=", ".join(options.given))
        )
    doc_id = document.doc_id
    request = _run_request(file, document) if file.suffix.lower() == ".py" else _decode_request(file)
    request = evolve(
        request,
        send="1" if send else "0",
        sign_document_list=(SignDocument(doc_id=doc_id),),
        signer_list=[_on_document(signer, doc_id) for signer in request.signer_list or ()],
    )
    check_draft(request, by_rule=False)
    return request


def _decode_request(file: Path) -> ContractDraftRequest:
    try:
        return decode(ContractDraftRequest, json.loads(file.read_bytes()), path="$")
    except OSError as error:
        raise UsageError(f"--request {file}: {translate(error.strerror)}") from None
    except (ValueError, RecursionError):
        raise UsageError(gettext("--request {file} is not JSON in UTF-8", file=file)) from None
    except DecodeError as error:
        raise UsageError(f"--request {file}: {translate('; '.join(error.problems))}") from None


def _run_request(file: Path, document: UploadedDocument) -> ContractDraftRequest:
    """Call the function ``request`` of a Python file; what the file itself raises is not caught."""
    if not file.is_file():
        raise UsageError(gettext("--request {file} is not a file", file=file))
    build = runpy.run_path(str(file)).get("request")
    request = build(document) if callable(build) else None
    if not isinstance(request, ContractDraftRequest):
        raise UsageError(
            gettext("--request {file} must define request(document), which returns a ContractDraftRequest", file=file)
        )
    return request


def _on_document(signer: ContractSigner, doc_id: str) -> ContractSigner:
    nodes = signer.internal_node_list
    return evolve(
        signer,
        position_param_list=_positions(signer.position_param_list, doc_id),
        internal_node_list=None if nodes is None else [_node(node, doc_id) for node in nodes],
    )


def _node(node: InternalNode, doc_id: str) -> InternalNode:
    return evolve(node, position_param_list=_positions(node.position_param_list, doc_id))


def _positions(positions: Sequence[PositionParam] | None, doc_id: str) -> Sequence[PositionParam] | None:
    if positions is None:
        return None
    return [evolve(position, relation_doc_list=(RelationDoc(doc_type="1", doc_id=doc_id),)) for position in positions]
