"""Marks: boxes of positions, fitted pictures, turned and cropped pages, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.documents import (
    ControlBox,
    MarkImage,
    PdfDocument,
    PdfPage,
    Point,
    PositionFields,
    PositionRefused,
    Rect,
    Refusal,
    fraction_at,
    mark_of,
    open_pdf,
    place,
)
from pdfs import A4, pdf, show

SQUARE, WIDE, TALL = MarkImage(), MarkImage(240, 120), MarkImage(100, 200)
A4_RECT = Rect(0, 0, 595, 842)


def document(*boxes: str) -> PdfDocument:
    """Return a document with pages of these boxes."""
    return open_pdf(pdf([show("Seal", 72, 400)] * len(boxes), boxes=boxes))


def position(control_type: str = "SEAL", x: str | None = "0.5", y: str | None = "0.5", **fields: str) -> PositionFields:
    """Return the fields of a ``POSITION`` on the first page."""
    values = {"page_config": "1", **fields}
    return PositionFields(control_type=control_type, sign_position_type="POSITION", offset_x=x, offset_y=y, **values)


def keyword(control_type: str = "SEAL", **fields: str | None) -> PositionFields:
    """Return the fields of a ``KEYWORD``."""
    values = {"keyword": "Seal", "keyword_type": "1", **fields}
    return PositionFields(control_type=control_type, sign_position_type="KEYWORD", **values)


def rects(fields: PositionFields, *boxes: str, image: MarkImage = SQUARE) -> list[tuple[float, ...]]:
    """Return the rectangles of the marks of a position."""
    marks = [mark_of(placement, image) for placement in place([document(*boxes or [A4])], fields)]
    return [
        tuple(round(edge, 3) for edge in (mark.rect.x0, mark.rect.y0, mark.rect.x1, mark.rect.y1)) for mark in marks
    ]


@pytest.mark.parametrize(
    ("fields", "image", "rect"),
    [
        (position(), SQUARE, (297.5, 301, 417.5, 421)),
        (position(), WIDE, (297.5, 301, 417.5, 361)),
        (position(), TALL, (297.5, 301, 357.5, 421)),
        (position("SIGNATURE"), SQUARE, (297.5, 369, 349.5, 421)),
        (position("SIGN_DATE", sign_date_format="LINE"), SQUARE, (297.5, 391, 417.5, 421)),
        (position(x="1", y="1"), SQUARE, (475, 0, 595, 120)),
        (position(x="1e99", y="-1e99"), SQUARE, (475, float("inf"), 595, float("inf"))),
        (position(x="-0.1", y="0"), SQUARE, (-59.5, 722, 60.5, 842)),
        (position(x="0.25004", y="0e99"), SQUARE, (148.75, 722, 268.75, 842)),
        (position(x="0.25005", y="1e-99"), SQUARE, (148.809, 722, 268.809, 842)),
        (position(x="１", y=".5"), SQUARE, (475, 301, 595, 421)),
        (position(control_width="60"), SQUARE, (297.5, 301, 357.5, 361)),
        (position(control_width=" 20f ", control_height="1e1"), WIDE, (297.5, 411, 317.5, 421)),
        (position(control_width="100", control_height="49.9"), WIDE, (297.5, 371.1, 397.5, 421)),
    ],
)
def test_positions(fields: PositionFields, image: MarkImage, rect: tuple[float, ...]) -> None:
    """A box is kept inside the page to the right and below; its picture stands at the left and bottom edge."""
    assert rects(fields, image=image) == [rect]


TURNED = "/MediaBox[0 0 600 800]/Rotate {}"
CROPPED = "/MediaBox[0 0 600 800]/CropBox[50 100 550 700]/Rotate {}"
SHIFTED = "/MediaBox[100 200 700 1000]/Rotate {}"


@pytest.mark.parametrize(
    ("boxes", "rotate", "rect"),
    [
        (TURNED, 0, (150, 520, 270, 580)),
        (TURNED, 90, (220, 150, 280, 270)),
        (TURNED, 180, (330, 220, 450, 280)),
        (TURNED, 270, (320, 530, 380, 650)),
        (CROPPED, 0, (150, 320, 270, 380)),
        (CROPPED, 90, (220, 150, 280, 270)),
        (CROPPED, 180, (230, 220, 350, 280)),
        (CROPPED, 270, (220, 330, 280, 450)),
        (SHIFTED, 0, (150, 520, 270, 580)),
    ],
)
def test_turned_and_cropped_pages(boxes: str, rotate: int, rect: tuple[float, ...]) -> None:
    """Fractions are of the unrotated MediaBox, and are applied to the page as shown; corners of boxes are ignored.

    A wide picture in a box of 120 × 120 at left 150 (0.25 of 600), top 160 (0.2 of 800) is 120 × 60, top 220.
    """
    assert rects(position(x="0.25", y="0.2"), boxes.format(rotate), image=WIDE) == [rect]


def test_cross_page_seals() -> None:
    """Each page has a slice at its right edge as shown, at a fraction of 842 points, stretched to the box."""
    chop = position("CHOP_STAMP", x=None, y="0.5", page_config="ALL")
    boxes = [A4, "/MediaBox[0 0 400 400]", "/MediaBox[0 0 600 800]/Rotate 90"]
    expected = [(555, 301, 595, 421), (360, -141, 400, -21), (421, 760, 541, 800)]
    assert rects(chop, *boxes, image=WIDE) == expected
    placements = place([document(*boxes)], chop)
    assert [(one.left, one.slice_index, one.slices) for one in placements] == [(None, 0, 3), (None, 1, 3), (None, 2, 3)]
    with pytest.raises(PositionRefused, match="selects more pages than the picture has columns \\(2\\)") as refused:
        mark_of(placements[0], MarkImage(2, 500))
    assert refused.value.code == 31_000


def test_cross_page_seals_by_keyword() -> None:
    """By keyword the whole picture stands at the right edge, beside each hit."""
    assert rects(keyword("CHOP_STAMP", keyword_type="0"), A4, A4, image=WIDE) == [(475, 354.16, 595, 474.16)] * 2


@pytest.mark.parametrize(
    ("fields", "boxes", "rect"),
    [
        # The baseline 442 below the top: 0.618 of 120 is 74.16, so the box goes from 367.84 to 487.84.
        (keyword(), A4, (72, 354.16, 192, 474.16)),
        (keyword(offset_x="+10", offset_y="-5"), A4, (82, 359.16, 202, 479.16)),
        (keyword(offset_x="-100"), A4, (0, 354.16, 120, 474.16)),
        (keyword(offset_x="9999"), A4, (475, 354.16, 595, 474.16)),
        (keyword(offset_y="9999"), A4, (72, 0, 192, 120)),
        (keyword(offset_y="-247"), A4, (72, 601.16, 192, 721.16)),
        (keyword(offset_y="-248"), A4, (72, 722, 192, 842)),
        (keyword("SIGNATURE"), A4, (72, 380.136, 124, 432.136)),
        # A CropBox 600 high in 800: the baseline is 300 below its top; 300 + 200 - 74.16 from the top of 600.
        (keyword(), CROPPED.format(0), (22, 54.16, 142, 174.16)),
        (keyword(), "/MediaBox[0 0 100 842]", (0, 354.16, 120, 474.16)),
    ],
)
def test_keywords(fields: PositionFields, boxes: str, rect: tuple[float, ...]) -> None:
    """61.8 % of a box stand above the baseline; near the top of the page it jumps to the top."""
    assert rects(fields, boxes) == [rect]


def test_several_documents() -> None:
    """Documents are marked in order, each with pages or hits of its own; a keyword must be in each."""
    both = [document(A4), document(A4, A4)]
    every = place(both, position(page_config="ALL"))
    assert [(one.document, one.page.number) for one in every] == [(0, 1), (1, 1), (1, 2)]
    slices = place(both, position("CHOP_STAMP", page_config="ALL"))
    assert [one.slices for one in slices] == [1, 2, 2]
    assert mark_of(slices[1]).document == 1
    with pytest.raises(PositionRefused, match="keyword was not found"):
        place([*both, open_pdf(pdf([""]))], keyword())


@pytest.mark.parametrize(
    ("fields", "field", "refusal"),
    [
        (position("SIGN_DATE"), "signDateFormat", Refusal.UNHANDLED),
        (position("SIGN_DATE", sign_date_format="yyyy"), "signDateFormat", Refusal.UNHANDLED),
        (keyword(keyword=""), "keyword", Refusal.BUSINESS),
        (keyword(keyword_type=None), "keywordType", Refusal.BUSINESS),
        *((position(x=text), "offsetX", Refusal.BUSINESS) for text in (None, "", " 0.5", "50%", "NaN", ".", "1f")),
        (position(y=None), "offsetY", Refusal.BUSINESS),
        (position("CHOP_STAMP", y=None), "offsetY", Refusal.BUSINESS),
        *((keyword(offset_x=text), "offsetX", Refusal.BUSINESS) for text in ("", "0x10", "x", "１")),
        *((keyword(offset_y=text), "offsetY", Refusal.INTERNAL) for text in ("10.5", "10 ", "5f", "NaN", "9999999999")),
        *((position(control_width=text), "controlWidth", Refusal.BUSINESS) for text in ("9.99", "120.01", "x", "1e40")),
        (position(control_height="121"), "controlHeight", Refusal.BUSINESS),
        (position(page_config="2"), "pageConfig", Refusal.INTERNAL),
    ],
)  # fmt: skip
def test_refused_positions(fields: PositionFields, field: str, refusal: Refusal) -> None:
    """A field at fault is refused in the platform's form."""
    with pytest.raises(PositionRefused) as refused:
        place([document(A4)], fields)
    assert (refused.value.field, refused.value.refusal) == (field, refusal)


def test_a_size_that_is_no_number() -> None:
    """NaN is taken as a size, and refused at the signature."""
    (placement,) = place([document(A4)], position(control_width="NaN"))
    assert (placement.left, placement.top) == (297.5, 421)
    with pytest.raises(PositionRefused) as refused:
        mark_of(placement)
    assert refused.value.refusal == Refusal.UNHANDLED


sides = st.floats(100, 1500).map(lambda side: round(side, 1))


@given(sides, sides, st.floats(-50, 50), st.sampled_from([0, 90, 180, 270]), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_there_and_back(  # noqa: PLR0917  # drawn by Hypothesis
    width: float, height: float, corner: float, rotate: int, x: float, y: float
) -> None:
    """The fractions for a point bring a mark's left bottom corner as shown to it, within 1/20000 of a side."""
    media = Rect(corner, corner, corner + width, corner + height)
    crop = Rect(corner, corner + 10, corner + width * 0.9, corner + height)
    page = PdfPage(1, media, crop, rotate)
    wanted = Point(x * width, y * height)
    try:
        offset_x, offset_y = map(float, fraction_at(page, wanted, 52, 52))
    except ValueError:
        return
    rect = mark_of(ControlBox("SEAL", 0, page, offset_x * width, offset_y * height, 52, 52)).rect
    shown = {0: (rect.x0, rect.y0), 90: (rect.x1, rect.y0), 180: (rect.x1, rect.y1), 270: (rect.x0, rect.y1)}[rotate]
    assert shown == pytest.approx(wanted, abs=max(width, height) / 20_000 + 1e-6)


def test_fractions_of_a_keyword() -> None:
    """A position computed from a keyword's own first glyph marks that glyph."""
    page = PdfPage(1, A4_RECT, A4_RECT)
    assert fraction_at(page, Point(72, 400), 112, 52) == ("0.1210", "0.4632")
    with pytest.raises(ValueError, match=r"^a box of 112 × 52 points cannot reach this point on page 1$"):
        fraction_at(page, Point(500, 400), 112, 52)
    with pytest.raises(ValueError, match="cannot reach this point"):
        fraction_at(page, Point(100, -1), 112, 52)
