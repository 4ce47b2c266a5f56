"""Pages of a PDF as pictures, with the fields and annotations that readers show (extra ``preview``)."""

from __future__ import annotations

import io
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from attrs import frozen

from kfq_async.documents import PdfError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pypdfium2 import PdfDocument

    from kfq_async.documents import PdfPage, Rect

__all__ = ["ShownBox", "outline_boxes", "page_sizes", "render_page", "shown_box", "shown_size"]

MAX_PIXELS = 16_000_000
"""Maximum number of pixels of a picture; that of a page which is very long is narrower than requested."""

MAX_HEIGHT = 16_000
"""Maximum height of a picture in pixels; browsers show none that is much higher."""
OUTLINE = "#d4001a"
"""Colour of outlined boxes."""
_ROUNDED_UP = 1 - 1e-9
"""Factor that keeps a width which is exact from being rounded up to the next pixel."""
_LOCK = Lock()
"""PDFium is not thread-safe, not even with different documents."""


@frozen
class ShownBox:
    """Rectangle on a page as it is shown, in points from its left and top edge."""

    left: float
    top: float
    width: float
    height: float


def shown_box(page: PdfPage, rect: Rect) -> ShownBox:
    """Return where a rectangle in raw user space stands on the page as it is shown: cut to its CropBox and turned."""
    crop = page.crop_box
    left, top = {
        0: (rect.x0 - crop.x0, crop.y1 - rect.y1),
        90: (rect.y0 - crop.y0, rect.x0 - crop.x0),
        180: (crop.x1 - rect.x1, rect.y0 - crop.y0),
        270: (crop.y1 - rect.y1, crop.x1 - rect.x1),
    }[page.rotate]
    if page.rotate in {90, 270}:
        return ShownBox(left, top, rect.height, rect.width)
    return ShownBox(left, top, rect.width, rect.height)


def shown_size(page: PdfPage) -> tuple[float, float]:
    """Return the width and height of a page as it is shown, in points."""
    width, height = page.crop_box.width, page.crop_box.height
    return (height, width) if page.rotate in {90, 270} else (width, height)


def outline_boxes(picture: bytes, boxes: Iterable[tuple[ShownBox, str]], page_width: float) -> bytes:
    """Return a PNG of a page with labelled rectangles.

    Args:
        picture: PNG of `render_page`.
        boxes: Rectangles on the page, and their labels in Latin letters and digits.
        page_width: Width of the page as it is shown, in points.
    """
    from PIL import Image, ImageDraw

    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    scale = image.width / page_width
    draw = ImageDraw.Draw(image)
    for box, label in boxes:
        left, top = box.left * scale, box.top * scale
        right, bottom = left + box.width * scale, top + box.height * scale
        draw.rectangle((left, top, right, bottom), outline=OUTLINE, width=3)
        draw.text((left + 6, top + 4), label, fill=OUTLINE, font_size=20)
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def page_sizes(content: bytes) -> list[tuple[float, float]]:
    """Return the width and height of each page as it is shown, in points: cut to its CropBox and turned.

    Takes time: call it outside the event loop.

    Raises:
        PdfError: The PDF cannot be read.
        ModuleNotFoundError: The extra ``preview``, a part of ``sandbox``, is not installed.
    """
    with _open(content) as document:
        return [document.get_page_size(index) for index in range(len(document))]


def render_page(content: bytes, page: int, width: int) -> bytes:
    """Return a PNG of a page, with its fields and annotations drawn.

    Takes time: call it outside the event loop.

    Args:
        content: The PDF.
        page: Index of the page, from 0 on.
        width: Width of the picture in pixels.

    Raises:
        IndexError: There is no such page.
        PdfError: The PDF cannot be read, or the page shows nothing, since its CropBox lies outside its MediaBox.
        ModuleNotFoundError: The extra ``preview``, a part of ``sandbox``, is not installed.
    """
    with _open(content) as document:
        if not 0 <= page < len(document):
            raise IndexError(f"page {page} of {len(document)}")
        document.init_forms()
        shown = document[page]
        points_wide, points_high = shown.get_size()
        if not points_wide or not points_high:
            raise PdfError(f"page {page + 1} cannot be drawn: no part of it is visible")
        area = points_wide * points_high
        scale = min(width / points_wide, MAX_HEIGHT / points_high, (MAX_PIXELS / area) ** 0.5)
        picture = shown.render(scale=scale * _ROUNDED_UP, rev_byteorder=True).to_pil()
        written = io.BytesIO()
        picture.save(written, "PNG")
    return written.getvalue()


@contextmanager
def _open(content: bytes) -> Iterator[PdfDocument]:
    import pypdfium2

    with _LOCK:
        try:
            with pypdfium2.PdfDocument(content) as document:
                yield document
        except pypdfium2.PdfiumError as problem:
            raise PdfError(f"the PDF cannot be drawn: {problem}") from None
