"""Sign positions of a request: what they refer to, and the platform's codes for what it cannot place (protocol 4.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve, fields_dict, frozen

from kfq_async.documents import (
    ControlBox,
    Mark,
    MarkImage,
    PdfError,
    PositionFields,
    PositionRefused,
    Refusal,
    mark_of,
    place,
)
from kfq_async.models.parties import PositionParam
from kfq_async.protocol.codec import decode
from kfq_async.sandbox.checks import AuditedRefusal, GenericFailure, Refused
from kfq_async.sandbox.quirks import MISSING_DEFAULTS, NAN_SIZES, SWAPPED_PAGES, UNSIGNABLE_DATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfq_async.sandbox.documents import ContractDocuments
    from kfq_async.sandbox.fixtures import Seal

__all__ = ["SEALS", "SIGN_DATE", "PlacedMark", "check_positions", "place_marks"]

SIGNATURE, SEAL, SIGN_DATE, CHOP_STAMP = "SIGNATURE", "SEAL", "SIGN_DATE", "CHOP_STAMP"
SEALS = frozenset({SEAL, CHOP_STAMP})
"""Kinds of mark that an enterprise's seal makes."""
UPLOADED, TEMPLATE = "1", "2"
_DEFAULTS = {"signDateFormat": "YEAR_MONTH_DAY", "keywordType": "1"}
"""Defaults that the platform's documentation names."""
_SWAPPED = {"EVEN_NUMBER": "ODD_NUMBER", "ODD_NUMBER": "EVEN_NUMBER"}


def check_positions(
    positions: Iterable[Mapping[str, Any]],
    documents: ContractDocuments,
    quirks: frozenset[str],
    *,
    on_seal: bool,
    filled_in: bool = False,
) -> tuple[PositionParam, ...]:
    """Return the positions, each with its documents.

    ``on_seal`` says whether they belong to a step of the type ``ENTERPRISE_SEAL``; ``filled_in`` whether the operation
    fills in the first document where a position names none.

    Raises `Refused` or `AuditedRefusal`.
    """
    checked = []
    for position in positions:
        documented = dict(position) if MISSING_DEFAULTS in quirks else {**_DEFAULTS, **position}
        checked.append(_checked(documented, documents, on_seal=on_seal, filled_in=filled_in))
        if NAN_SIZES not in quirks:
            _check_sizes(checked[-1])
        _boxes(checked[-1], documents, quirks)
    return tuple(checked)


@frozen
class PlacedMark:
    """Where a mark lands.

    Attributes:
        doc_id: ``docId`` of the document.
        box: Box of the control.
        mark: Page and rectangle.
        date_format: ``signDateFormat`` of a date, otherwise ``None``.
    """

    doc_id: str
    box: ControlBox
    mark: Mark
    date_format: str | None = None


def place_marks(
    positions: Iterable[PositionParam], documents: ContractDocuments, seal: Seal, quirks: frozenset[str]
) -> list[PlacedMark]:
    """Return where the marks of a seal land; refuse positions at which it cannot be applied.

    Raises `Refused` or `AuditedRefusal`.
    """
    image = MarkImage(seal.pixel_width, seal.pixel_height)
    placed = []
    for position in positions:
        is_date = position.control_type == SIGN_DATE
        if is_date and UNSIGNABLE_DATES in quirks:
            raise Refused(500, "操作失败，签署日期控件的尺寸无法解析", internal=True)
        date_format = position.sign_date_format if is_date else None
        related = position.relation_doc_list or ()
        for box in _boxes(position, documents, quirks):
            try:
                mark = mark_of(box, image)
            except PositionRefused as problem:
                raise _refusal(problem) from None
            placed.append(PlacedMark(related[mark.document].doc_id or "", box, mark, date_format))
    return placed


def _checked(
    position: dict[str, Any], documents: ContractDocuments, *, on_seal: bool, filled_in: bool
) -> PositionParam:
    _check_control_type(position.get("controlType"), on_seal=on_seal)
    if position.get("signPositionType") not in {"POSITION", "KEYWORD"}:
        raise Refused(31000, "signPositionType 须为 POSITION 或 KEYWORD")
    if filled_in and not position.get("relationDocList"):
        position["relationDocList"] = [{"docType": UPLOADED, "docId": doc_id} for doc_id in documents.ids[:1]]
    related = position.get("relationDocList")
    if not related:
        raise Refused(31000, "关联文档不存在")
    for entry in related:
        _check_related(entry, documents)
    return decode(PositionParam, position, path="$")


def _check_sizes(position: PositionParam) -> None:
    for size in (position.control_width, position.control_height):
        if size is not None and "NaN" in size:
            raise Refused(31000, "签署位置无效：控件的尺寸须为 10 到 120 磅")


def _check_control_type(control_type: str | None, *, on_seal: bool) -> None:
    if control_type not in {SIGNATURE, SEAL, SIGN_DATE, CHOP_STAMP}:
        raise Refused(31000, "controlType 须为 SIGNATURE、SEAL、SIGN_DATE、CHOP_STAMP 之一")
    if (control_type == SIGNATURE) if on_seal else (control_type in SEALS):
        raise Refused(31000, f"该签署方不支持控件类型 {control_type}")


def _check_related(entry: Mapping[str, str], documents: ContractDocuments) -> None:
    if entry.get("docType") not in {UPLOADED, TEMPLATE}:
        raise Refused(31000, "relationDocList.docType 须为 1 或 2")
    # There are no templates.
    if entry["docType"] == TEMPLATE or entry.get("docId") not in documents.ids:
        raise Refused(31000, f"关联文档不存在：{entry.get('docId')}")


def _boxes(position: PositionParam, documents: ContractDocuments, quirks: frozenset[str]) -> tuple[ControlBox, ...]:
    """Return where the platform puts a position; raise what it answers if it cannot."""
    if SWAPPED_PAGES not in quirks and position.control_type != CHOP_STAMP:
        page_config = _SWAPPED.get(position.page_config or "", position.page_config)
        position = evolve(position, page_config=page_config)
    names = fields_dict(PositionFields)
    opened = [documents.open(related.doc_id or "") for related in position.relation_doc_list or ()]
    try:
        return place(opened, PositionFields(**{name: getattr(position, name) for name in names}))
    except PositionRefused as problem:
        raise _refusal(problem) from None
    except PdfError as problem:
        raise Refused(31000, f"文档无法读取：{problem}") from None


def _refusal(problem: PositionRefused) -> Refused | AuditedRefusal:
    if problem.refusal is Refusal.UNHANDLED:
        return AuditedRefusal(f"签署位置无效：{problem}")
    if problem.refusal is Refusal.INTERNAL:
        return GenericFailure(f"签署位置无效：{problem}")
    return Refused(31000, f"签署位置无效：{problem}")
