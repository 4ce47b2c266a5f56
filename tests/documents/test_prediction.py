"""Prediction of marks: kinds of files and positions, pictures, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kfq_async.documents import PdfError, PositionRefused, Rect, open_pdf, predict, predict_draft
from kfq_async.models.contracts import ContractDraftRequest
from kfq_async.models.parties import ContractSigner, InternalNode, PositionParam, RelationDoc
from pdfs import pdf, show

if TYPE_CHECKING:
    from pathlib import Path

DATA = pdf([show("Seal", 72, 400), show("Seal", 72, 300)])
POSITION = {
    "controlType": "SEAL",
    "signPositionType": "POSITION",
    "pageConfig": "2",
    "offsetX": "0.5",
    "offsetY": "0.5",
    "relationDocList": [{"docType": "1", "docId": "doc-1"}],
}
RECT = Rect(297.5, 301.0, 417.5, 421.0)
"""A box of 120 × 120 at the middle of an A4 page."""


@pytest.mark.parametrize("kind", ["bytes", "path", "text", "document"])
def test_files(kind: str, tmp_path: Path) -> None:
    """The file is given as its content, as a path, or opened."""
    path = tmp_path / "contract.pdf"
    path.write_bytes(DATA)
    files: dict[str, Any] = {"bytes": DATA, "path": path, "text": str(path), "document": open_pdf(DATA)}
    (mark,) = predict(files[kind], POSITION)
    assert (mark.page, mark.rect) == (2, RECT)


def test_rectangles_are_tuples() -> None:
    """A rectangle can be taken apart, and knows its size."""
    (mark,) = predict(DATA, POSITION)
    x0, y0, x1, y1 = mark.rect
    assert (x0, y0, x1, y1) == (mark.rect.x0, mark.rect.y0, mark.rect.x1, mark.rect.y1) == (297.5, 301, 417.5, 421)
    assert (mark.rect.width, mark.rect.height) == (120, 120)


@pytest.mark.parametrize(
    "position",
    [
        PositionParam(
            control_type="SEAL",
            sign_position_type="POSITION",
            page_config="2",
            offset_x="0.5",
            offset_y="0.5",
            relation_doc_list=(RelationDoc(doc_type="1", doc_id="doc-1"),),
        ),
        {**POSITION, "pageConfig": 2, "offsetX": 0.5, "offsetY": 5e-1, "keyword": None},
    ],
    ids=["model", "numbers"],
)
def test_positions(position: Any) -> None:
    """A position is a model, or its fields on the wire, where the platform reads a number as its text."""
    assert [(mark.page, mark.rect) for mark in predict(DATA, position)] == [(2, RECT)]


def test_keywords_and_pictures() -> None:
    """Every hit has its mark, fitted to the picture."""
    position = {"controlType": "SIGNATURE", "signPositionType": "KEYWORD", "keyword": "Seal", "keywordType": "0"}
    # Box 112 × 52 at x = 72, 0.618 · 52 above the baseline; a picture of 3 : 2 is 78 × 52.
    assert [(mark.page, *(round(edge, 2) for edge in mark.rect)) for mark in predict(DATA, position)] == [
        (1, 72, 380.14, 124, 432.14),
        (2, 72, 280.14, 124, 332.14),
    ]
    wide = predict(DATA, position, picture=(300, 200))
    assert [(mark.page, mark.rect.width, mark.rect.height) for mark in wide] == [(1, 78, 52), (2, 78, 52)]


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"controlType": "STAMP"}, "controlType", 31_000),
        ({"controlType": None}, "controlType", 31_000),
        ({"signPositionType": "position"}, "signPositionType", 31_000),
        ({"pageConfig": "3"}, "pageConfig", 500),
        ({"controlType": "SIGN_DATE"}, "signDateFormat", 401),
        ({"controlWidth": "NaN"}, "controlWidth", 401),
        ({"signPositionType": "KEYWORD"}, "keyword", 31_000),
    ],
)
def test_refusals(changes: dict[str, object], field: str, code: int) -> None:
    """A position that the platform refuses has the code of its response; 401 is that of the hidden error page."""
    with pytest.raises(PositionRefused) as refused:
        predict(DATA, {**POSITION, **changes})
    assert (refused.value.field, refused.value.code) == (field, code)


def test_cross_page_seals_of_narrow_pictures() -> None:
    """A cross-page seal of more slices than its picture has columns is refused."""
    position = {"controlType": "CHOP_STAMP", "signPositionType": "POSITION", "pageConfig": "ALL", "offsetY": "0.5"}
    assert [mark.page for mark in predict(DATA, position, picture=(2, 2))] == [1, 2]
    with pytest.raises(PositionRefused, match="more pages than the picture has columns"):
        predict(DATA, position, picture=(1, 100))


@pytest.mark.parametrize(
    ("position", "message"),
    [
        ({**POSITION, "offsetX": True}, "offsetX must be a str, not bool"),
        ({**POSITION, "keyword": ["Seal"]}, "keyword must be a str, not list"),
        ([POSITION], "position must be a PositionParam or a mapping, not list"),
    ],
)
def test_wrong_types(position: Any, message: str) -> None:
    """A value of the wrong type is named."""
    with pytest.raises(TypeError, match=message):
        predict(DATA, position)


def test_wrong_files_and_pictures(tmp_path: Path) -> None:
    """A file that is no PDF, one that is absent, and a picture without pixels are errors."""
    with pytest.raises(PdfError):
        predict(b"no PDF", POSITION)
    with pytest.raises(FileNotFoundError):
        predict(tmp_path / "absent.pdf", POSITION)
    with pytest.raises(ValueError, match="picture must be at least 1 × 1 pixels, not 0 × 120"):
        predict(DATA, POSITION, picture=(0, 120))


def draft(*positions: PositionParam, doc_id: str = "doc-1") -> ContractDraftRequest:
    """Return a draft whose sender has the positions, and whose receiver signs at a keyword."""
    keyword = PositionParam(
        control_type="SIGNATURE",
        sign_position_type="KEYWORD",
        keyword="Seal",
        keyword_type="1",
        relation_doc_list=(RelationDoc(doc_type="1", doc_id=doc_id),),
    )
    return ContractDraftRequest(
        signer_list=(
            ContractSigner(internal_node_list=(InternalNode(), InternalNode(position_param_list=positions))),
            ContractSigner(position_param_list=(keyword,)),
        )
    )


def test_drafts() -> None:
    """All positions of a draft are predicted, each on its documents, with its path in the request."""
    position = PositionParam(
        control_type="CHOP_STAMP",
        sign_position_type="POSITION",
        page_config="ALL",
        offset_y="0.5",
        relation_doc_list=(RelationDoc(doc_type="1", doc_id="doc-1"), RelationDoc(doc_type="1", doc_id="doc-2")),
    )
    one_page = pdf([show("Seal", 72, 400)])
    marks = predict_draft(draft(position), {"doc-1": DATA, "doc-2": open_pdf(one_page)}, picture=(240, 120))
    path = "signerList[0].internalNodeList[1].positionParamList[0]"
    assert [(mark.path, mark.control_type, mark.doc_id, mark.page) for mark in marks] == [
        (path, "CHOP_STAMP", "doc-1", 1),
        (path, "CHOP_STAMP", "doc-1", 2),
        (path, "CHOP_STAMP", "doc-2", 1),
        ("signerList[1].positionParamList[0]", "SIGNATURE", "doc-1", 1),
    ]
    assert [(mark.rect.width, mark.rect.height) for mark in marks] == [(60, 120), (60, 120), (120, 120), (104, 52)]
    assert predict_draft(ContractDraftRequest(), {}) == ()


def test_drafts_that_are_refused() -> None:
    """A position that is refused, or refers to an unknown document, is named by its path."""
    with pytest.raises(PositionRefused) as refused:
        predict_draft(draft(PositionParam(relation_doc_list=(RelationDoc(doc_id="doc-1"),))), {"doc-1": DATA})
    path = "signerList[0].internalNodeList[1].positionParamList[0]"
    assert (refused.value.field, refused.value.code) == (f"{path}.controlType", 31_000)
    with pytest.raises(PositionRefused, match="names a document that is not one of the files") as refused:
        predict_draft(draft(doc_id="doc-3"), {"doc-1": DATA})
    assert refused.value.field == "signerList[1].positionParamList[0].relationDocList"
