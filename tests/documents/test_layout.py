"""Layout of a document: the places of its keywords, and marks that stand there on any page."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

import kfq_async
from kfq_async import UploadedDocument
from kfq_async.documents import Limits, PdfError, TextLayout, attach, mark_of, open_pdf, place, read_layout
from kfq_async.documents.layout import find_layout
from kfq_async.documents.marks import PositionFields
from kfq_async.models.anchors import Spot
from pdfs import A4, pdf, show

if TYPE_CHECKING:
    from pathlib import Path

    from kfq_async.documents import Rect

BOXES = [
    A4,
    f"{A4}/Rotate 90",
    f"{A4}/Rotate 180",
    f"{A4}/Rotate 270",
    "/MediaBox[0 0 595 842]/CropBox[30 40 560 800]",
    "/MediaBox[-20 -30 575 812]",
    "/MediaBox[0 0 595 842]/CropBox[30 40 560 800]/Rotate 90",
]


def layout_of(*contents: str, boxes: str = A4) -> TextLayout:
    """Return the layout of a document with these pages."""
    return read_layout(pdf(contents, boxes=boxes))


def mark_at(data: bytes, page: int, x: str, y: str, size: float) -> Rect:
    """Return where the platform puts the mark of a square box."""
    fields = PositionFields(
        control_type="SEAL",
        sign_position_type="POSITION",
        page_config=f"{page}",
        offset_x=x,
        offset_y=y,
        control_width=f"{size:g}",
        control_height=f"{size:g}",
    )
    [box] = place([open_pdf(data)], fields)
    return mark_of(box).rect


@pytest.mark.parametrize("boxes", BOXES)
def test_a_mark_stands_at_its_keyword(boxes: str) -> None:
    """On any page the mark's left bottom corner, as shown, stands beside the keyword itself, not the line's start."""
    data = pdf([show("Party A (seal): here", 200, 400)], boxes=boxes)
    layout = read_layout(data)
    [spot] = layout.find("(seal)", "first")
    assert (spot.page, spot.y) == (1, 400)
    assert spot.x == pytest.approx(200 + 10 * (0.667 + 0.556 + 0.333 + 0.278 + 0.5 + 0.278 + 0.667 + 0.278))
    x, y = layout.fractions_at_spot(spot, 20, 5, 40, 40)
    rect = mark_at(data, 1, x, y, 40)
    below = 5 + 0.382 * 40
    left, bottom = {
        0: (spot.x + 20, spot.y - below),
        90: (spot.x + below - 40, spot.y + 20),
        180: (spot.x - 20 - 40, spot.y + below - 40),
        270: (spot.x - below, spot.y - 20 - 40),
    }[open_pdf(data).pages[0].rotate]
    assert (rect.x0, rect.y0) == pytest.approx((left, bottom), abs=0.06)


@pytest.mark.parametrize("boxes", BOXES)
def test_a_place_as_a_reader_sees_the_page(boxes: str) -> None:
    """On any page a place is counted from the top left corner of what is shown."""
    data = pdf([show("x", 200, 400)], boxes=boxes)
    page = open_pdf(data).pages[0]
    x, y = read_layout(data).fractions_at(1, 100, 60, 30, 30)
    rect, crop = mark_at(data, 1, x, y, 30), page.crop_box
    left, bottom = {
        0: (crop.x0 + 100, crop.y1 - 90),
        90: (crop.x0 + 60, crop.y0 + 100),
        180: (crop.x1 - 130, crop.y0 + 60),
        270: (crop.x1 - 90, crop.y1 - 130),
    }[page.rotate]
    assert (rect.x0, rect.y0) == pytest.approx((left, bottom), abs=0.06)


def test_hits() -> None:
    """Hits come in the order of reading: pages, lines from top to bottom, from left to right."""
    layout = layout_of(show("sign", 300, 100) + show("sign sign", 100, 500), show("sign", 50, 700))
    every = layout.find("sign", "every")
    assert [(spot.page, spot.y) for spot in every] == [(1, 500), (1, 500), (1, 100), (2, 700)]
    assert layout.find("sign", "first") == every[:1]
    assert layout.find("sign", "last") == every[-1:]


@pytest.mark.parametrize(
    "content",
    [
        show("S i g n : h e r e", 100, 500),
        show("   ", 10, 600) + show("Sign:here", 100, 500),
        show("Sign:here", 100, 500, before="5 Tc"),
        show("Sign:", 100, 500) + show("here", 180, 500),
        "/Span <</ActualText (x)>> BDC " + show("Sign:here", 100, 500) + " EMC",
    ],
)
def test_keywords_that_the_platform_does_not_find(content: str) -> None:
    """Blanks, letter spacing, punctuation and tags do not matter within a line."""
    [spot] = layout_of(content).find("Sign: here", "first")
    assert (spot.page, spot.x, spot.y) == (1, 100, 500)


def test_compatible_characters() -> None:
    """Another form of the same character is found, such as full width."""
    content = show("Sign", 100, 500)
    [spot] = layout_of(content).find("\uff33ign", "first")  # full width is meant
    assert spot.x == 100


@pytest.mark.parametrize(
    ("keyword", "problem"),
    [
        ("Witness", "“Witness” was not found"),
        ("Signing", "“Signing” was not found; found instead: “Signhere” on page 1"),
        ("where", "“where” was not found; found instead: “Signhere” on page 1"),
        ("here below", "“here below” was not found in one line: on page 1 it is broken over two, so pass a part of it"),
    ],
)
def test_keywords_that_are_not_found(keyword: str, problem: str) -> None:
    """The error says what was found instead."""
    with pytest.raises(ValueError, match=f"^{problem}$"):
        layout_of(show("Sign here", 100, 500) + show("below", 100, 400)).find(keyword, "last")


def test_pictures() -> None:
    """A page without text is named: the keyword may be in its picture."""
    with pytest.raises(ValueError, match="page 2 has no text, as a scanned page"):
        layout_of(show("a", 1, 1), "").find("seal", "first")


def test_too_many_hits() -> None:
    """A hundred hits can be meant, and more cannot."""
    content = "".join(show("x", 10 + 40 * column, 10 + 40 * row) for row in range(11) for column in range(10))
    assert len(layout_of(content).find("x", "first")) == 1
    with pytest.raises(ValueError, match="was found 110 times, and at most 100 are marked"):
        layout_of(content).find("x", "every")


@pytest.mark.parametrize(
    ("place_at", "problem"),
    [
        ((2, 10, 10, 40, 40), "page 2 does not exist: the document has 1"),
        ((1, 580, 10, 40, 40), "a box of 40 × 40 points cannot reach this point on page 1"),
        ((1, -30, 10, 40, 40), "a box of 40 × 40 points there would lie 30 points beyond the edge of page 1"),
        ((1, 10, -30, 40, 40), "a box of 40 × 40 points there would lie 30 points beyond the edge of page 1"),
    ],
)
def test_places_that_cannot_be_reached(place_at: tuple[int, float, float, float, float], problem: str) -> None:
    """A mark off the page is refused with the remedy."""
    with pytest.raises(ValueError, match=problem):
        layout_of(show("x", 100, 100)).fractions_at(*place_at)


def test_turned_pages() -> None:
    """A page that is turned by a right angle is known to be."""
    data = pdf([""] * 4, boxes=[f"{A4}/Rotate {turn}" for turn in (0, 90, 180, 270)])
    layout = read_layout(data)
    assert [layout.is_turned(page) for page in (1, 2, 3, 4)] == [False, True, False, True]


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths and bytes of PDFs are read; everything else has the reason, and takes pages for upright A4."""
    data = pdf([show("x", 100, 100)])
    path = tmp_path / "a.pdf"
    path.write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), path, str(path)):
        found = find_layout(source)
        assert found.find("x", "first") == [Spot(1, 100, 100)]
    (tmp_path / "b.pdf").write_bytes(b"PK")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reasons = {
        b"PK": "only the text of a PDF is read",
        b"%PDF-1.7 damaged": "the PDF is damaged",
        tmp_path: "only the text of a regular file is read",
        pipe: "only the text of a regular file is read",
        tmp_path / "b.pdf": "only the text of a PDF is read",
        tmp_path / "none.pdf": "only the text of a regular file is read",
        object(): "only the text of a path or of bytes is read",
    }
    for other, reason in reasons.items():
        with pytest.raises(ValueError, match=rf"^“x” \(last\) cannot be searched for: .*{reason}"):
            find_layout(other).find("x", "last")
    monkeypatch.setattr("kfq_async.documents.layout.MAX_BYTES", len(data) - 1)
    for large in (data, path):
        unread = find_layout(large)
        with pytest.raises(ValueError, match="it has more than 0 MiB: attach the file"):
            unread.find("x", "first")
    assert not unread.is_turned(1)
    assert unread.fractions_at(1, 59.5, 84.2, 10, 10) == ("0.1000", "0.1000")
    assert unread.fractions_at_spot(Spot(1, 50, 80), 9.5, 4.2, 10, 10) == ("0.1000", "0.1000")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pdfminer.six the reason is the extra that is missing."""

    def fail(*_: object, **_options: object) -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr("kfq_async.documents.layout.read_layout", fail)
    with pytest.raises(ValueError, match=r"install kfq-async\[pdf\] before the upload"):
        find_layout(b"%PDF-1.7").find("x", "first")


async def test_attach(tmp_path: Path) -> None:
    """A stored document gets the layout of its file, which is neither compared nor pickled nor shown."""
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([show("x", 100, 100)]))
    stored = UploadedDocument(doc_id="D-1", name="合同")
    document = await attach(stored, path)
    assert document.layout is not None
    assert document == stored
    assert "layout" not in repr(document)
    restored = pickle.loads(pickle.dumps(evolve(document, extra={"a": 1})))
    assert (restored.doc_id, restored.name, restored.layout, restored.extra) == ("D-1", "合同", None, {"a": 1})
    path.write_bytes(b"%PDF-")
    with pytest.raises(PdfError):
        await attach(stored, path)


def test_limits() -> None:
    """Reading keeps to limits."""
    with pytest.raises(PdfError, match="too large"):
        read_layout(pdf([show("xyz", 100, 100)]), limits=Limits(glyphs=2))


def test_the_package_has_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """``kfq_async.documents`` is there without an import of its own; other names are not."""
    monkeypatch.delattr(kfq_async, "documents")  # an import sets it
    assert kfq_async.documents.attach is attach
    with pytest.raises(AttributeError, match="module 'kfq_async' has no attribute 'nothing'"):
        _ = kfq_async.nothing
