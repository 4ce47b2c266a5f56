"""Sign positions: what they refer to, and the codes of those that the platform cannot place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contract_platform import changed, text_pdf
from kfq_async.sandbox.checks import AuditedRefusal, Refused
from kfq_async.sandbox.documents import ContractDocuments
from kfq_async.sandbox.fixtures import Seal
from kfq_async.sandbox.positions import check_positions, place_marks
from kfq_async.sandbox.quirks import QUIRKS
from kfq_async.sandbox.store import StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = frozenset(QUIRKS)
OK, BUSINESS, GENERIC, UNHANDLED = None, (31000, False), (500, True), (None, False)


def stored(doc_id: str, content: bytes) -> StoredFile:
    """Return an uploaded document."""
    return StoredFile(file_id=doc_id, kind="document", name=doc_id, suffix=".pdf", content=content, created_at=0)


@pytest.fixture
def documents() -> ContractDocuments:
    """Three documents: ``long`` of nine pages, ``short`` of two, and ``edge``, whose text begins at the left edge."""
    files = {"long": text_pdf(9, "SEALHERE"), "short": text_pdf(2, "SEALHERE"), "edge": text_pdf(1, "ATEDGE", left=0)}
    return ContractDocuments([stored(doc_id, content) for doc_id, content in files.items()])


def coordinates(*doc_ids: str, **changes: object) -> dict[str, Any]:
    """Return a position by coordinates with changes; ``None`` leaves a field out."""
    position = {
        "controlType": "SIGNATURE",
        "signPositionType": "POSITION",
        "relationDocList": [{"docType": "1", "docId": doc_id} for doc_id in doc_ids or ("long",)],
        "pageConfig": "1",
        "offsetX": "0.25",
        "offsetY": "0.75",
    }
    return changed(position, changes)


def keyword(*doc_ids: str, **changes: object) -> dict[str, Any]:
    """Return a position by keyword with changes; ``None`` leaves a field out."""
    position = {"signPositionType": "KEYWORD", "keyword": "SEALHERE", "keywordType": "1"}
    nothing = {"pageConfig": None, "offsetX": None, "offsetY": None}
    return coordinates(*doc_ids, **(nothing | position | changes))


def refusal(check: Callable[[], object]) -> tuple[int | None, bool] | None:
    """Return the code of a refusal and whether it is internal, or ``None`` if there is none."""
    try:
        check()
    except (Refused, AuditedRefusal) as refused:
        return refused.response.code, refused.response.internal
    return None


@pytest.mark.parametrize(
    ("position", "code"),
    [
        (coordinates(), OK),
        (coordinates(pageConfig="9"), OK),
        (coordinates("long", "short", pageConfig="1-2"), OK),
        (coordinates(controlType="SIGN_DATE", signDateFormat="LINE"), OK),
        (keyword(), OK),
        (keyword("long", "short", keywordType="0", offsetX="-10"), OK),
        (coordinates(controlType=None), BUSINESS),
        (coordinates(controlType="STAMP"), BUSINESS),
        (coordinates(controlType="SEAL"), BUSINESS),
        (coordinates(controlType="CHOP_STAMP"), BUSINESS),
        (coordinates(signPositionType=None), BUSINESS),
        (coordinates(signPositionType="PLACE"), BUSINESS),
        (coordinates(relationDocList=None), BUSINESS),
        (coordinates(relationDocList=[]), BUSINESS),
        (coordinates(relationDocList=[{"docId": "long"}]), BUSINESS),
        (coordinates(relationDocList=[{"docType": "3", "docId": "long"}]), BUSINESS),
        (coordinates(relationDocList=[{"docType": "2", "docId": "long"}]), BUSINESS),
        (coordinates(relationDocList=[{"docType": "1"}]), BUSINESS),
        (coordinates("other"), BUSINESS),
        (coordinates("long", "other"), BUSINESS),
        (coordinates(controlType="SIGN_DATE"), UNHANDLED),
        (coordinates(controlType="SIGN_DATE", signDateFormat="yyyy"), UNHANDLED),
        (coordinates(offsetX=None), BUSINESS),
        (coordinates(offsetY=""), BUSINESS),
        (coordinates(controlWidth="121"), BUSINESS),
        (coordinates(pageConfig="0"), BUSINESS),
        (coordinates(pageConfig="first"), GENERIC),
        (coordinates(pageConfig="10"), GENERIC),
        (coordinates("long", "short", pageConfig="3"), GENERIC),
        (keyword(keywordType=None), BUSINESS),
        (keyword(keyword="ABSENT"), BUSINESS),
        (keyword("long", "edge"), BUSINESS),
        (keyword("edge", keyword="ATEDGE"), BUSINESS),
        (keyword(offsetX="1.5"), GENERIC),
    ],
)
def test_positions_of_a_person(
    position: dict[str, Any], code: tuple[int | None, bool] | None, documents: ContractDocuments
) -> None:
    """A position is accepted, or refused with the platform's code."""
    assert refusal(lambda: check_positions([position], documents, ALL, on_seal=False)) == code


@pytest.mark.parametrize(
    ("position", "code"),
    [
        (coordinates(controlType="SEAL"), OK),
        (coordinates(controlType="CHOP_STAMP", offsetX=None, pageConfig="ALL"), OK),
        (keyword(controlType="CHOP_STAMP"), OK),
        (coordinates(controlType="SIGN_DATE", signDateFormat="LINE"), OK),
        (coordinates(), BUSINESS),
        (coordinates(controlType="CHOP_STAMP", offsetY=None, pageConfig="ALL"), BUSINESS),
    ],
)
def test_positions_of_a_seal(
    position: dict[str, Any], code: tuple[int, bool] | None, documents: ContractDocuments
) -> None:
    """A seal has no signature; a cross-page seal needs no horizontal offset."""
    assert refusal(lambda: check_positions([position], documents, ALL, on_seal=True)) == code


def test_fields_are_kept(documents: ContractDocuments) -> None:
    """A position is kept with its fields."""
    (kept,) = check_positions([coordinates("short", controlHeight="33.3")], documents, ALL, on_seal=False)
    assert (kept.page_config, kept.offset_x, kept.control_height) == ("1", "0.25", "33.3")
    assert [(related.doc_type, related.doc_id) for related in kept.relation_doc_list or ()] == [("1", "short")]


@pytest.mark.parametrize("related", [None, []])
def test_the_first_document_is_filled_in(related: list[object] | None, documents: ContractDocuments) -> None:
    """An operation that fills in documents takes the first one, if there is one."""
    sent = [coordinates(relationDocList=related)]
    (kept,) = check_positions(sent, documents, ALL, on_seal=False, filled_in=True)
    assert [entry.doc_id for entry in kept.relation_doc_list or ()] == ["long"]
    none = ContractDocuments([])
    assert refusal(lambda: check_positions(sent, none, ALL, on_seal=False, filled_in=True)) == BUSINESS


@pytest.mark.parametrize(
    ("position", "width", "code"),
    [
        (coordinates(controlType="SEAL"), 1, OK),
        (coordinates(controlType="CHOP_STAMP", pageConfig="ALL"), 9, OK),
        (coordinates(controlType="CHOP_STAMP", pageConfig="ALL"), 8, BUSINESS),
        (coordinates("short", controlType="CHOP_STAMP", pageConfig="ALL"), 8, OK),
        (coordinates(controlType="CHOP_STAMP", pageConfig="EVEN_NUMBER"), 4, OK),
        (coordinates(controlType="SEAL", controlHeight="NaN"), 120, UNHANDLED),
        (coordinates(controlType="SIGN_DATE", signDateFormat="LINE"), 120, GENERIC),
    ],
)
def test_marks(
    position: dict[str, Any], width: int, code: tuple[int | None, bool] | None, documents: ContractDocuments
) -> None:
    """What a draft accepts may fail when it is applied: too narrow a seal, a date, and a size that is no number."""
    kept = check_positions([position], documents, ALL, on_seal=True)
    assert refusal(lambda: place_marks(kept, documents, Seal(seal_id="s", pixel_width=width), ALL)) == code


def test_a_page_that_cannot_be_read() -> None:
    """A keyword in a page whose content is damaged is refused."""
    content = text_pdf(1, "SEALHERE").replace(b"<</Length", b"<</Filter/LZWDecode/Length")
    damaged = ContractDocuments([stored("long", content)])
    assert refusal(lambda: check_positions([coordinates()], damaged, ALL, on_seal=False)) == OK
    assert refusal(lambda: check_positions([keyword()], damaged, ALL, on_seal=False)) == BUSINESS
