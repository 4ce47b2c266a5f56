"""Anchors: what a place of a document becomes on the wire, and what is refused before."""

from __future__ import annotations

from typing import Any

import pytest

from kfq_async import DraftRefused, UploadedDocument
from kfq_async.documents import read_layout
from kfq_async.models.anchors import WirePosition
from pdfs import A4, pdf, show

STORED: Any = UploadedDocument(doc_id="D-1")
"""A document without its layout; also called with what type checkers refuse."""
PAGES = pdf([show("Seal: here", 100, 400), show("Seal", 100, 400)], boxes=[A4, f"{A4}/Rotate 90"])
DOCUMENT = UploadedDocument(doc_id="D-1", layout=read_layout(PAGES))


def position(**fields: str | None) -> WirePosition:
    """Return a position by coordinates."""
    return WirePosition(sign_position_type="POSITION", **fields)


@pytest.mark.parametrize(
    ("anchor", "kind", "positions"),
    [
        (
            STORED.keyword("甲方盖章", hit="last", search="platform"),
            "SEAL",
            [WirePosition(sign_position_type="KEYWORD", keyword="甲方盖章", keyword_type="-1")],
        ),
        (
            STORED.keyword("甲方", hit="every", right=-5, down=8, width=60, height=52, search="platform"),
            "SIGNATURE",
            [
                WirePosition(
                    sign_position_type="KEYWORD",
                    keyword="甲方",
                    keyword_type="0",
                    offset_x="-5",
                    offset_y="8",
                    control_width="60",
                )
            ],
        ),
        (
            STORED.at(page=2, left=59.5, top=84.2),
            "SEAL",
            [position(page_config="2", offset_x="0.1000", offset_y="0.1000")],
        ),
        (
            STORED.at_fraction(x=0.25, y=0.5, pages=[1, 3], height=40.5),
            "SIGN_DATE",
            [position(page_config="1,3", offset_x="0.2500", offset_y="0.5000", control_height="40.5")],
        ),
        (
            STORED.at_fraction(x=0, y=1, pages=3),
            "SEAL",
            [position(page_config="3", offset_x="0.0000", offset_y="1.0000")],
        ),
        (
            STORED.at_fraction(x=0, y=1, pages="all"),
            "SEAL",
            [position(page_config="ALL", offset_x="0.0000", offset_y="1.0000")],
        ),
        (STORED.at(page=1, left=0, top=421), "CHOP_STAMP", [position(page_config="ALL", offset_y="0.5000")]),
        (STORED.at_fraction(x=0, y=0.5, pages=1), "CHOP_STAMP", [position(page_config="ALL", offset_y="0.5000")]),
        (
            DOCUMENT.keyword("here", hit="first"),
            "SIGNATURE",
            [position(page_config="1", offset_x="0.2110", offset_y="0.4868")],
        ),
        (
            DOCUMENT.keyword("Seal", hit="every"),
            "SIGNATURE",
            [
                position(page_config="1", offset_x="0.1681", offset_y="0.4868"),
                position(page_config="2", offset_x="0.6723", offset_y="0.0806", control_width="52"),
            ],
        ),
        (
            DOCUMENT.at(page=2, left=0, top=0, width=30, height=30),
            "SIGNATURE",
            [position(page_config="2", offset_x="0.0000", offset_y="0.0000", control_width="30", control_height="30")],
        ),
    ],
)
def test_positions(anchor: Any, kind: str, positions: list[WirePosition]) -> None:
    """An anchor becomes positions of the kind of mark; a size is sent where it is not the platform's default."""
    assert list(anchor.place(kind)) == positions


@pytest.mark.parametrize(
    ("anchor", "kind", "problem"),
    [
        (STORED.keyword("甲方", hit="last", search="platform"), "CHOP_STAMP", "a cross-page seal is put at a height"),
        (STORED.at(page=1, left=500, top=10), "SEAL", "is not inside an upright A4 page"),
        (STORED.at(page=1, left=10, top=-1), "SEAL", "is not inside an upright A4 page"),
        (DOCUMENT.at(page=2, left=10, top=10, width=60), "SIGNATURE", "page 2 is turned by 90 or 270 degrees"),
        (DOCUMENT.keyword("Seal", hit="last", right=800), "SEAL", "cannot reach this point on page 2"),
    ],
)
def test_places_that_fit_no_mark(anchor: Any, kind: str, problem: str) -> None:
    """A place that cannot be reached, and a mark that would be squeezed, have no position."""
    with pytest.raises(ValueError, match=problem):
        list(anchor.place(kind))


@pytest.mark.parametrize(
    ("make", "path", "problem"),
    [
        (lambda: STORED.keyword("甲方", hit="last"), "keyword", "the text of the document is not known here"),
        (lambda: STORED.keyword(" ", hit="last"), "keyword", "must not be empty"),
        (lambda: STORED.keyword("甲方", hit="any"), "hit", "must be one of first, last, every"),
        (lambda: STORED.keyword("甲方", hit="last", search="there"), "search", "must be 'here' or 'platform'"),
        (lambda: STORED.keyword("甲方:", hit="last", search="platform"), "keyword", "never finds a keyword with :"),
        (
            lambda: STORED.keyword("甲 方", hit="last", search="platform"),
            "keyword",
            "never finds a keyword with a blank",
        ),
        (lambda: STORED.keyword("甲,方", hit="last", search="platform"), "keyword", "the part before the comma only"),
        (lambda: DOCUMENT.keyword("乙方", hit="last"), "keyword", "was not found"),
        (lambda: DOCUMENT.keyword("Seal", hit="last", width=9), "width", "must be from 10 to 120 points, not 9"),
        (lambda: STORED.at(page=0, left=1, top=1), "page", "must be at least 1, not 0"),
        (lambda: STORED.at(page=1, left=float("nan"), top=1), "left", "must be a finite number"),
        (lambda: STORED.at(page=1, left=1, top=1, height=121), "height", "must be from 10 to 120 points, not 121"),
        (lambda: STORED.at_fraction(x=1.5, y=0, pages=1), "x", "must be a fraction of the page, from 0 to 1, not 1.5"),
        (lambda: STORED.at_fraction(x=0, y=0, pages=[]), "pages", "must name a page, or be 'all'"),
        (lambda: STORED.at_fraction(x=0, y=0, pages=[1, 0]), "pages[1]", "must be at least 1, not 0"),
    ],
)
def test_refused_anchors(make: Any, path: str, problem: str) -> None:
    """An argument out of range is refused by its name."""
    with pytest.raises(DraftRefused) as caught:
        make()
    assert caught.value.path == path
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: STORED.keyword(5, hit="last"), "keyword must be a str, not int"),
        (lambda: STORED.keyword("甲方", hit="last", right=1.5), "right must be a whole number, not float"),
        (lambda: STORED.keyword("甲方", hit="last", down=True), "down must be a whole number, not bool"),
        (lambda: STORED.at(page="1", left=1, top=1), "page must be a whole number, not str"),
        (lambda: STORED.at(page=1, left="1", top=1), "left must be a number, not str"),
        (lambda: STORED.at_fraction(x=0, y=0, pages="1"), "pages must be a whole number, not str"),
        (lambda: STORED.at(page=1, left=1, top=1, width="a"), "width must be a number, not str"),
    ],
)
def test_arguments_of_a_wrong_type(make: Any, problem: str) -> None:
    """An argument of a wrong type is refused by its name."""
    with pytest.raises(TypeError, match=f"^{problem}$"):
        make()
