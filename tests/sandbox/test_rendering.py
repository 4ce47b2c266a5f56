"""Pages as pictures: sizes as shown, the width asked for, fields drawn, and PDFs that cannot be read."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from kfq_async.documents import PdfError, PdfPage, Rect
from kfq_async.sandbox.rendering import (
    MAX_HEIGHT,
    MAX_PIXELS,
    ShownBox,
    outline_boxes,
    page_sizes,
    render_page,
    shown_box,
    shown_size,
)
from pdfs import A4, pdf, stream

BLACK = "0 0 0 rg 0 0 595 421 re f"
"""Content of a page whose lower half is black."""
RED, WHITE, DARK = (255, 0, 0), (255, 255, 255), (0, 0, 0)


def picture_of(content: bytes, page: int = 0, width: int = 200) -> Image.Image:
    """Return a picture of a page."""
    return Image.open(io.BytesIO(render_page(content, page, width))).convert("RGB")


def with_field() -> bytes:
    """Return a PDF with a signature field whose appearance is a red square of 100 points at the left bottom."""
    field = "<</Type/Annot/Subtype/Widget/FT/Sig/T(A)/F 132/Rect[0 0 100 100]/AP<</N 501 0 R>>/P 10 0 R>>"
    appearance = stream(b"1 0 0 rg 0 0 100 100 re f", "/Type/XObject/Subtype/Form/BBox[0 0 100 100]")
    made = pdf([""], boxes=f"{A4}/Annots[500 0 R]", extra={500: field, 501: appearance})
    return made.replace(b"/Pages 2 0 R>>", b"/Pages 2 0 R/AcroForm<</Fields[500 0 R]/SigFlags 3>>>>", 1)


def test_sizes_are_those_shown() -> None:
    """A page is cut to its CropBox and turned before it is measured."""
    boxes = [A4, f"{A4}/Rotate 90", "/MediaBox[0 0 595 842]/CropBox[100 100 300 500]", "/MediaBox[0 0 300 200]"]
    assert page_sizes(pdf([""] * 4, boxes=boxes)) == [(595, 842), (842, 595), (200, 400), (300, 200)]


@pytest.mark.parametrize(
    ("rotate", "shown"),
    [
        (0, ShownBox(10, 350, 30, 40)),
        (90, ShownBox(10, 10, 40, 30)),
        (180, ShownBox(160, 10, 30, 40)),
        (270, ShownBox(350, 160, 40, 30)),
    ],
)
def test_boxes_as_shown(rotate: int, shown: ShownBox) -> None:
    """A rectangle is measured from the corner of the CropBox that is shown at the left and top."""
    crop = Rect(100, 100, 300, 500)
    page = PdfPage(number=1, media_box=Rect(0, 0, 595, 842), crop_box=crop, rotate=rotate)
    assert shown_box(page, Rect(110, 110, 140, 150)) == shown


@pytest.mark.parametrize(("rotate", "size"), [(0, (200, 400)), (90, (400, 200)), (180, (200, 400)), (270, (400, 200))])
def test_size_as_shown(rotate: int, size: tuple[float, float]) -> None:
    """The size of a page is that of its CropBox, turned."""
    crop = Rect(100, 100, 300, 500)
    assert shown_size(PdfPage(number=1, media_box=Rect(0, 0, 595, 842), crop_box=crop, rotate=rotate)) == size


def test_boxes_are_outlined() -> None:
    """Boxes are outlined at their places, which are points, whatever the width of the picture; labels are inside."""
    white = render_page(pdf([""]), 0, 1190)
    outlined = outline_boxes(white, [(ShownBox(100, 200, 50, 40), "12"), (ShownBox(-10, 0, 5, 5), "3")], 595)
    picture = Image.open(io.BytesIO(outlined))
    assert picture.size == (1190, 1684)
    drawn = picture.convert("L").point(lambda level: 255 if level < 255 else 0).getbbox()
    assert drawn == (200, 400, 301, 481)
    assert picture.getpixel((200, 400)) == (212, 0, 26)
    assert picture.getpixel((250, 470)) == WHITE
    assert picture.crop((204, 404, 240, 440)).convert("L").getextrema() != (255, 255)
    assert outline_boxes(white, [], 595) == outline_boxes(outline_boxes(white, [], 595), [], 595)


def test_a_page_is_drawn_at_a_width() -> None:
    """A picture has the width asked for, the page's aspect, and the page the right way up."""
    picture = picture_of(pdf(["", BLACK]), page=1)
    assert picture.size == (200, 284)
    assert picture.getpixel((100, 20)) == WHITE
    assert picture.getpixel((100, 260)) == DARK


def test_a_turned_page_is_drawn_turned() -> None:
    """With a turn of 90 degrees clockwise the page's bottom is at the left."""
    picture = picture_of(pdf([BLACK], boxes=f"{A4}/Rotate 90"), width=842)
    assert picture.size == (842, 595)
    assert picture.getpixel((100, 300)) == DARK
    assert picture.getpixel((700, 300)) == WHITE


def test_signature_fields_are_drawn() -> None:
    """The appearance of a signature field is part of the picture."""
    picture = picture_of(with_field(), width=595)
    assert picture.getpixel((50, 792)) == RED
    assert picture.getpixel((150, 792)) == WHITE


def test_a_long_page_is_drawn_smaller() -> None:
    """The number of pixels has a limit, whatever the width and the page's aspect."""
    picture = picture_of(pdf([""], boxes="/MediaBox[0 0 1000 14400]"), width=2000)
    assert picture.width * picture.height <= MAX_PIXELS * 1.01
    assert picture.height > 14 * picture.width


def test_a_narrow_page_is_drawn_smaller() -> None:
    """The height has a limit as well: browsers show no picture that is much higher."""
    picture = picture_of(pdf([""], boxes="/MediaBox[0 0 3 14400]"), width=1200)
    assert picture.size == (4, MAX_HEIGHT)


def test_a_page_without_a_visible_part() -> None:
    """A page whose CropBox lies outside its MediaBox is refused; the other pages are drawn."""
    content = pdf(["", BLACK], boxes=["/MediaBox[0 0 595 842]/CropBox[1000 1000 1100 1100]", A4])
    with pytest.raises(PdfError, match="page 1 cannot be drawn"):
        render_page(content, 0, 100)
    assert picture_of(content, 1).getpixel((100, 260)) == DARK


@pytest.mark.parametrize("page", [-1, 1])
def test_a_page_that_does_not_exist(page: int) -> None:
    """An index outside the document is refused."""
    with pytest.raises(IndexError, match=f"page {page} of 1"):
        render_page(pdf([""]), page, 100)


@pytest.mark.parametrize("draw", [page_sizes, lambda content: render_page(content, 0, 100)])
@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\nbroken"])
def test_a_file_that_cannot_be_read(draw: object, content: bytes) -> None:
    """A file that is no PDF is refused, and the next one is drawn all the same."""
    assert callable(draw)
    with pytest.raises(PdfError, match="cannot be drawn"):
        draw(content)
    assert page_sizes(pdf([""])) == [(595, 842)]


def test_pictures_are_drawn_from_several_threads() -> None:
    """Threads get the same picture as one alone."""
    content = with_field()
    expected = render_page(content, 0, 150)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: render_page(content, 0, 150), range(16))) == {expected}
