"""Marks on pages: where the platform puts them, and which position brings one to a place (protocol section 4.0)."""

from __future__ import annotations

import math
import re
import struct
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

from kfq_async.documents.keywords import find_keyword
from kfq_async.documents.pages import java_integer, select_pages
from kfq_async.documents.pdf import PdfDocument, PdfPage, Rect
from kfq_async.documents.refusals import PositionRefused, Refusal
from kfq_async.models.anchors import DATE_FORMATS, DATE_SIZE, DEFAULT_SIZES, MAX_SIZE, MIN_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfq_async.documents.keywords import KeywordHit
    from kfq_async.documents.pdf import Point

__all__ = [
    "ABOVE_BASELINE",
    "ControlBox",
    "Mark",
    "MarkImage",
    "PositionFields",
    "box_beside",
    "fraction_at",
    "mark_of",
    "place",
]

_A4_HEIGHT = 842.0
"""Height in points of which ``offsetY`` of a ``CHOP_STAMP`` is a fraction, on pages of any size."""
ABOVE_BASELINE = 0.618
"""Share of a box that stands above the baseline of its keyword."""
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,10})?")
_FLOAT = re.compile(r"[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)", re.ASCII)
_JAVA_BLANKS = "".join(map(chr, range(33)))
_MAX_DIGITS = 20


@frozen(kw_only=True)
class PositionFields:
    """Fields of one entry of ``positionParamList``, as they are sent; ``None`` for one that is absent.

    Attributes:
        control_type: ``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``.
        sign_position_type: ``POSITION`` or ``KEYWORD``.
        sign_date_format: Format of a ``SIGN_DATE``: ``YEAR_MONTH_DAY``, ``LINE`` or ``BACK_SLASH``.
        page_config: Pages of a ``POSITION``.
        keyword: Text of a ``KEYWORD``.
        keyword_type: ``1`` first hit, ``0`` every hit, ``-1`` last hit.
        offset_x: Fraction of the page's width (``POSITION``) or whole points (``KEYWORD``).
        offset_y: Fraction of the page's height (``POSITION``) or whole points (``KEYWORD``).
        control_width: Width of the box in points, 10 to 120.
        control_height: Height of the box in points, 10 to 120.
    """

    control_type: str
    """``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``."""
    sign_position_type: str
    """``POSITION`` or ``KEYWORD``."""
    sign_date_format: str | None = None
    """Format of a ``SIGN_DATE``: ``YEAR_MONTH_DAY``, ``LINE`` or ``BACK_SLASH``."""
    page_config: str | None = None
    """Pages of a ``POSITION``."""
    keyword: str | None = None
    """Text of a ``KEYWORD``."""
    keyword_type: str | None = None
    """``1`` first hit, ``0`` every hit, ``-1`` last hit."""
    offset_x: str | None = None
    """Fraction of the page's width (``POSITION``) or whole points (``KEYWORD``)."""
    offset_y: str | None = None
    """Fraction of the page's height (``POSITION``) or whole points (``KEYWORD``)."""
    control_width: str | None = None
    """Width of the box in points, 10 to 120."""
    control_height: str | None = None
    """Height of the box in points, 10 to 120."""


@frozen
class MarkImage:
    """Picture of a seal or signature.

    Attributes:
        pixel_width: Width in pixels.
        pixel_height: Height in pixels.
    """

    pixel_width: int = 120
    """Width in pixels."""
    pixel_height: int = 120
    """Height in pixels."""


@frozen
class ControlBox:
    """Box of a control on a page, as the platform keeps it until the signature. Lengths are in points.

    Attributes:
        control_type: ``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``.
        document: Index of the document in the sequence given.
        page: Geometry of the page.
        left: Left edge from the left edge of the page as shown; ``None`` for a ``CHOP_STAMP`` by ``POSITION``.
        top: Top edge from the top edge of the page as shown.
        width: Width of the box.
        height: Height of the box.
        slice_index: Which slice of the picture stands on this page, from 0 on (``CHOP_STAMP``).
        slices: Number of slices into which the picture is cut, 1 for other controls.
    """

    control_type: str
    """``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``."""
    document: int
    """Index of the document in the sequence given."""
    page: PdfPage
    """Geometry of the page."""
    left: float | None
    """Left edge from the left edge of the page as shown; ``None`` for a ``CHOP_STAMP`` by ``POSITION``."""
    top: float
    """Top edge from the top edge of the page as shown."""
    width: float
    """Width of the box."""
    height: float
    """Height of the box."""
    slice_index: int = 0
    """Which slice of the picture stands on this page, from 0 on (``CHOP_STAMP``)."""
    slices: int = 1
    """Number of slices into which the picture is cut, 1 for other controls."""


@frozen
class Mark:
    """Mark on a page.

    Attributes:
        document: Index of the document in the sequence given.
        page: Page number, from 1 on.
        rect: Rectangle of the signature field, in raw user space.
    """

    document: int
    """Index of the document in the sequence given."""
    page: int
    """Page number, from 1 on."""
    rect: Rect
    """Rectangle of the signature field, in raw user space."""


class _Box(NamedTuple):
    """Offsets and size of a control, as sent."""

    x: float
    y: float
    width: float
    height: float


def place(documents: Sequence[PdfDocument], fields: PositionFields) -> tuple[ControlBox, ...]:
    """Return the boxes of a position on the documents that it names, in the platform's order.

    Fields are checked in this order: date format, keyword, offsets, sizes, pages, search. That of the platform is not
    known where a position has several faults.

    Raises:
        PositionRefused: The platform refuses the position.
        PdfError: A document is damaged, or beyond a limit.
    """
    if fields.control_type == "SIGN_DATE" and fields.sign_date_format not in DATE_FORMATS:
        raise PositionRefused("signDateFormat", f"must be one of {', '.join(DATE_FORMATS)}", Refusal.UNHANDLED)
    by_keyword = fields.sign_position_type == "KEYWORD"
    if by_keyword and not fields.keyword:
        raise PositionRefused("keyword", "is missing")
    if by_keyword and not fields.keyword_type:
        raise PositionRefused("keywordType", "is missing")
    read = _points if by_keyword else _fraction
    chop = fields.control_type == "CHOP_STAMP"
    x = 0.0 if chop and not by_keyword else read("offsetX", fields.offset_x)
    y = read("offsetY", fields.offset_y)
    default = DEFAULT_SIZES.get(fields.control_type, DATE_SIZE)
    width = _size("controlWidth", fields.control_width, default[0])
    height = _size("controlHeight", fields.control_height, default[1])
    box = _Box(x, y, width, height)
    on_pages = _beside_keywords if by_keyword else _on_edges if chop else _at_fractions
    return tuple(
        placement for index, document in enumerate(documents) for placement in on_pages(index, document, fields, box)
    )


def box_beside(
    document: PdfDocument,
    hit: KeywordHit,
    control_type: str,
    *,
    right: int = 0,
    down: int = 0,
    width: float | None = None,
    height: float | None = None,
) -> ControlBox:
    """Return the box that a ``KEYWORD`` has beside one hit; `ControlBox.top` is 0 where it jumps to the page's top.

    Args:
        document: Document of the hit.
        hit: A hit of `find_keyword` or of `inspect_keyword`.
        control_type: ``SIGNATURE``, ``SEAL``, ``SIGN_DATE`` or ``CHOP_STAMP``.
        right: Points to the right of the hit, ``offsetX``.
        down: Points below the hit, ``offsetY``.
        width: Width of the box in points; ``None`` for the default of the control type.
        height: Height of the box in points; ``None`` for the default of the control type.
    """
    default = DEFAULT_SIZES.get(control_type, DATE_SIZE)
    size = default[0] if width is None else width, default[1] if height is None else height
    return _beside(hit, 0, document, control_type, _Box(right, down, *size))


def mark_of(placement: ControlBox, image: MarkImage = MarkImage()) -> Mark:
    """Return where the mark of a box lands once it is signed with a picture.

    The picture keeps its aspect and stands at the box's left and bottom edge; that of a cross-page seal is cut into
    slices and stretched to the box, a date is not fitted. On pages turned by 90 or 270 degrees, sides are swapped.

    Raises:
        PositionRefused: A cross-page seal of more slices than its picture has columns of pixels, or a size that is
            not a number.
    """
    if placement.slices > image.pixel_width:
        raise PositionRefused("pageConfig", f"selects more pages than the picture has columns ({image.pixel_width})")
    if math.isnan(placement.width) or math.isnan(placement.height):
        raise PositionRefused("controlWidth", "or controlHeight is not a number", Refusal.UNHANDLED)
    page, width, height = placement.page, placement.width, placement.height
    if placement.control_type == "CHOP_STAMP" or placement.left is None:
        width /= placement.slices
        left = (page.media_box.height if page.rotate in {90, 270} else page.media_box.width) - width
    else:
        left = placement.left
        if placement.control_type != "SIGN_DATE":
            width, height = _fit(width, height, image)
    top = placement.top + placement.height - height
    return Mark(placement.document, page.number, _to_user_space(page, left, top, width, height))


def fraction_at(page: PdfPage, corner: Point, width: float, height: float) -> tuple[str, str]:
    """Return ``offsetX`` and ``offsetY`` of a ``POSITION`` whose mark has its left bottom corner, as shown, at a point.

    For the place of a keyword, use the origin of its own first glyph, `KeywordHit.origin`. The error of 4 decimals is
    at most 1/20000 of the page's side.

    Args:
        page: Page of the mark.
        corner: Corner in raw user space: left and bottom on the page as shown.
        width: Width of the box in points.
        height: Height of the box in points.

    Raises:
        ValueError: The platform keeps the box inside the page, so that the point cannot be reached.
    """
    px, py = corner
    crop, media = page.crop_box, page.media_box
    x, y = {
        0: (px, crop.height - py - height),
        90: (py, px - height),
        180: (crop.width - px, py - height),
        270: (crop.height - py, crop.width - px - height),
    }[page.rotate]
    if x > media.width - width or y > media.height - height:
        raise ValueError(f"a box of {width:g} × {height:g} points cannot reach this point on page {page.number}")
    return f"{x / media.width:.4f}", f"{y / media.height:.4f}"


def _at_fractions(index: int, document: PdfDocument, fields: PositionFields, box: _Box) -> Iterator[ControlBox]:
    """Yield the boxes of a ``POSITION``, kept inside the page to the right and below."""
    for number in select_pages(fields.page_config, len(document.pages), fields.control_type):
        page = document.pages[number - 1]
        media = page.media_box
        left = min(box.x * media.width, media.width - box.width)
        top = min(box.y * media.height, media.height - box.height)
        yield ControlBox(fields.control_type, index, page, left, top, box.width, box.height)


def _on_edges(index: int, document: PdfDocument, fields: PositionFields, box: _Box) -> Iterator[ControlBox]:
    """Yield the boxes of a cross-page seal: one slice on each page."""
    numbers = select_pages(fields.page_config, len(document.pages), fields.control_type)
    top = min(box.y * _A4_HEIGHT, _A4_HEIGHT - box.height)
    for position, number in enumerate(numbers):
        page = document.pages[number - 1]
        yield ControlBox(fields.control_type, index, page, None, top, box.width, box.height, position, len(numbers))


def _beside_keywords(index: int, document: PdfDocument, fields: PositionFields, box: _Box) -> Iterator[ControlBox]:
    """Yield the boxes beside the hits of a keyword; a box near the top of the page jumps to the top."""
    for hit in find_keyword(document, fields.keyword, fields.keyword_type):
        yield _beside(hit, index, document, fields.control_type, box)


def _beside(hit: KeywordHit, index: int, document: PdfDocument, control_type: str, box: _Box) -> ControlBox:
    page = document.pages[hit.page - 1]
    media = page.media_box
    left = max(min(hit.x + box.x, media.width - box.width), 0.0)
    top = hit.y + media.height - page.crop_box.height - ABOVE_BASELINE * box.height + box.y
    if top > media.height - box.height:
        top = media.height - box.height
    elif top < box.height:
        top = 0.0
    return ControlBox(control_type, index, page, left, top, box.width, box.height)


def _fit(width: float, height: float, image: MarkImage) -> tuple[float, float]:
    """Return the size of a picture that keeps its aspect in a box; aspects are compared with 2 decimals."""
    aspect, wanted = image.pixel_width / image.pixel_height, width / height
    if _round(aspect, 2) > _round(wanted, 2):
        return width, image.pixel_height * width / image.pixel_width
    if _round(aspect, 2) < _round(wanted, 2):
        return image.pixel_width * height / image.pixel_height, height
    return width, height


def _to_user_space(page: PdfPage, left: float, top: float, width: float, height: float) -> Rect:
    """Return a rectangle of the page as shown in user space with the origin (0, 0), as the platform does."""
    crop = page.crop_box
    if page.rotate in {90, 270}:
        x = top if page.rotate == 90 else crop.width - top - height
        y = left if page.rotate == 90 else crop.height - left - width
        return Rect(x, y, x + height, y + width)
    x = left if page.rotate == 0 else crop.width - left - width
    y = crop.height - top - height if page.rotate == 0 else top
    return Rect(x, y, x + width, y + height)


def _round(value: float, digits: int) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _fraction(field: str, text: str | None) -> float:
    """Read an offset of a ``POSITION``: a decimal number with 4 decimals."""
    if not text or _DECIMAL.fullmatch(text) is None:
        raise PositionRefused(field, "must be a decimal number, such as 0.25")
    number = Decimal(text)
    if number.adjusted() > _MAX_DIGITS:
        return math.copysign(math.inf, number) if number else 0.0
    return float(number.quantize(Decimal("0.0001"), ROUND_HALF_UP)) if number.adjusted() > -_MAX_DIGITS else 0.0


def _points(field: str, text: str | None) -> float:
    """Read an offset of a ``KEYWORD``: a whole number of points, 0 if absent."""
    if text is None:
        return 0.0
    if _java_float(text) is None:
        raise PositionRefused(field, "must be a whole number of points; leave it out for 0")
    number = java_integer(text)
    if number is None:
        raise PositionRefused(field, "must be a whole number of points", Refusal.INTERNAL)
    return float(number)


def _size(field: str, text: str | None, default: float) -> float:
    """Read a size in points; NaN passes, as it does on the platform."""
    if text is None:
        return default
    number = _java_float(text)
    if number is None or number < MIN_SIZE or number > MAX_SIZE:
        raise PositionRefused(field, "must be a number of points from 10 to 120; leave it out for the default")
    return number


def _java_float(text: str) -> float | None:
    """Read a number of 32 bits as Java's ``Float.parseFloat`` does; ``None`` for other texts."""
    stripped = text.strip(_JAVA_BLANKS)
    if _FLOAT.fullmatch(stripped) is None:
        return None
    digits = stripped if stripped.endswith(("NaN", "Infinity")) else stripped.rstrip("fFdD")
    number = float(digits)
    try:
        rounded: float = struct.unpack("<f", struct.pack("<f", number))[0]
    except OverflowError:
        return math.copysign(math.inf, number)
    return rounded
