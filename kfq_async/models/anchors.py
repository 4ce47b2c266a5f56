"""Anchors: places of a document at which marks are put (protocol section 4.0).

An anchor comes from an uploaded document, so that a mark cannot refer to another one. It becomes positions once it is
known what is put there, because the size of a mark depends on its kind.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from attrs import field, frozen

from kfq_async.base_errors import DraftRefused
from kfq_async.models.masking import type_name

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "CONTROL_TYPES",
    "DATE_FORMATS",
    "DEFAULT_SIZES",
    "Anchor",
    "DateFormat",
    "DocumentLayout",
    "FractionAnchor",
    "Hit",
    "KeywordAnchor",
    "PageAnchor",
    "Spot",
    "WirePosition",
    "check_whole",
    "find_never_found",
    "fraction_anchor",
    "fractions_on_a4",
    "keyword_anchor",
    "page_anchor",
]

Hit = Literal["first", "last", "every"]
"""Which of several places of a keyword is meant."""
DateFormat: TypeAlias = Literal["YEAR_MONTH_DAY", "LINE", "BACK_SLASH"]
"""Format of a date mark."""
DATE_FORMATS: tuple[str, ...] = get_args(DateFormat)
CONTROL_TYPES = {"sign": "SIGNATURE", "seal": "SEAL", "chop": "CHOP_STAMP", "date": "SIGN_DATE"}
"""Kind of mark by the argument that places it."""
KEYWORD_TYPES = {"first": "1", "last": "-1", "every": "0"}
DEFAULT_SIZES = {"SIGNATURE": (112.0, 52.0), "SEAL": (120.0, 120.0), "CHOP_STAMP": (120.0, 120.0)}
"""Width and height in points that the platform takes for a control without a size."""
DATE_SIZE = (120.0, 30.0)
MIN_SIZE, MAX_SIZE = 10.0, 120.0
A4 = (595.0, 842.0)
"""Width and height in points of a page whose size is not known."""
NEVER_FOUND = frozenset(":.()/;!?[]")
"""Characters that end a piece of text when the platform searches a document, as blanks do."""


@frozen
class Spot:
    """Place of a keyword: the origin of its own first glyph, in raw user space of the page.

    Attributes:
        page: Page number, from 1 on.
        x: Left edge, in points.
        y: Baseline, in points, upwards.
    """

    page: int
    """Page number, from 1 on."""
    x: float
    """Left edge, in points."""
    y: float
    """Baseline, in points, upwards."""


class DocumentLayout(Protocol):
    """Pages and text of a document, by which anchors are placed; `kfq_async.documents` reads it from a PDF.

    The methods raise `ValueError` with a problem and its remedy.
    """

    def find(self, keyword: str, hit: Hit) -> Sequence[Spot]:
        """Return the places of a keyword."""
        ...

    def is_turned(self, page: int) -> bool:
        """Return whether a page is shown turned by 90 or 270 degrees, on which the platform squeezes marks."""
        ...

    def fractions_at_spot(self, spot: Spot, right: float, down: float, width: float, height: float) -> tuple[str, str]:
        """Return ``offsetX`` and ``offsetY`` of a box beside a keyword, as the platform puts it beside a hit."""
        ...

    def fractions_at(self, page: int, left: float, top: float, width: float, height: float) -> tuple[str, str]:
        """Return ``offsetX`` and ``offsetY`` of a box with its top left corner at a place of the page as shown."""
        ...


@frozen(kw_only=True)
class WirePosition:
    """Place of one mark, or of the same mark on several pages, in the terms of the wire; ``None`` leaves a key out."""

    sign_position_type: str
    page_config: str | None = None
    keyword: str | None = None
    keyword_type: str | None = None
    offset_x: str | None = None
    offset_y: str | None = None
    control_width: str | None = None
    control_height: str | None = None


@frozen(kw_only=True)
class Anchor(ABC):
    """Place of a document for a mark, from `UploadedDocument.keyword`, ``at`` or ``at_fraction``.

    Attributes:
        doc_id: Id of the document.
        width: Width of the mark's box in points, 10 to 120; ``None``: 112 for a signature, else 120.
        height: Height of the mark's box in points, 10 to 120; ``None``: 52 for a signature, 30 for a date, else 120.
    """

    doc_id: str
    """Id of the document."""
    width: float | None = None
    """Width of the mark's box in points, 10 to 120; ``None``: 112 for a signature, else 120."""
    height: float | None = None
    """Height of the mark's box in points, 10 to 120; ``None``: 52 for a signature, 30 for a date, else 120."""

    def __attrs_post_init__(self) -> None:
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is None:
                continue
            check_number(name, value)
            if not MIN_SIZE <= value <= MAX_SIZE:
                raise DraftRefused(name, f"must be from {MIN_SIZE:g} to {MAX_SIZE:g} points, not {value:g}")

    @abstractmethod
    def place(self, control_type: str) -> Iterator[WirePosition]:
        """Yield the positions of a mark of a kind; raise `ValueError` with the problem and its remedy."""

    def _size(self, control_type: str) -> tuple[float, float]:
        width, height = DEFAULT_SIZES.get(control_type, DATE_SIZE)
        return width if self.width is None else self.width, height if self.height is None else self.height

    def _size_on(self, page: int, control_type: str, layout: DocumentLayout | None) -> tuple[float, float]:
        """Return the size on a page; on a turned one a mark must be square, and is by default."""
        width, height = self._size(control_type)
        if layout is None or not layout.is_turned(page) or width == height:
            return width, height
        if self.width is self.height is None:
            side = min(width, height)
            return side, side
        raise ValueError(
            f"page {page} is turned by 90 or 270 degrees, and the platform squeezes a mark there that is not square: "
            "pass the same width and height"
        )

    def _sizes_sent(self, control_type: str, width: float, height: float) -> dict[str, str | None]:
        """Return the fields of a size; the platform's default is left out."""
        default = DEFAULT_SIZES.get(control_type, DATE_SIZE)
        return {
            "control_width": None if width == default[0] else f"{width:g}",
            "control_height": None if height == default[1] else f"{height:g}",
        }


@frozen(kw_only=True)
class KeywordAnchor(Anchor):
    """Place beside a keyword.

    Attributes:
        text: The keyword.
        hit: Which hit is meant.
        right: Points to the right of it.
        down: Points below it.
        spots: Places of the keyword in the document; ``None`` leaves the search to the platform.
        layout: Layout of the document; ``None`` if the platform searches.
    """

    text: str
    """The keyword."""
    hit: Hit
    """Which hit is meant."""
    right: int = 0
    """Points to the right of it."""
    down: int = 0
    """Points below it."""
    spots: tuple[Spot, ...] | None = None
    """Places of the keyword in the document; ``None`` leaves the search to the platform."""
    layout: DocumentLayout | None = field(default=None, repr=False, eq=False)
    """Layout of the document; ``None`` if the platform searches."""

    def place(self, control_type: str) -> Iterator[WirePosition]:
        """Yield the positions of a mark of a kind; raise `ValueError` with the problem and its remedy."""
        if control_type == "CHOP_STAMP":
            raise ValueError("a cross-page seal is put at a height of all pages: pass document.at or at_fraction")
        if self.spots is None or self.layout is None:
            yield WirePosition(
                sign_position_type="KEYWORD",
                keyword=self.text,
                keyword_type=KEYWORD_TYPES[self.hit],
                offset_x=f"{self.right}" if self.right else None,
                offset_y=f"{self.down}" if self.down else None,
                **self._sizes_sent(control_type, *self._size(control_type)),
            )
            return
        for spot in self.spots:
            width, height = self._size_on(spot.page, control_type, self.layout)
            x, y = self.layout.fractions_at_spot(spot, self.right, self.down, width, height)
            yield WirePosition(
                sign_position_type="POSITION",
                page_config=f"{spot.page}",
                offset_x=x,
                offset_y=y,
                **self._sizes_sent(control_type, width, height),
            )


@frozen(kw_only=True)
class PageAnchor(Anchor):
    """Place of one page, in points as a reader sees the page.

    Attributes:
        page: Page number, from 1 on.
        left: Left edge of the mark's box, from the left edge of the page.
        top: Top edge of the mark's box, from the top edge of the page.
        layout: Layout of the document; ``None`` takes every page for an upright A4.
    """

    page: int
    """Page number, from 1 on."""
    left: float
    """Left edge of the mark's box, from the left edge of the page."""
    top: float
    """Top edge of the mark's box, from the top edge of the page."""
    layout: DocumentLayout | None = field(default=None, repr=False, eq=False)
    """Layout of the document; ``None`` takes every page for an upright A4."""

    def place(self, control_type: str) -> Iterator[WirePosition]:
        """Yield the positions of a mark of a kind; raise `ValueError` with the problem and its remedy."""
        if control_type == "CHOP_STAMP":
            if not 0 <= self.top <= A4[1]:
                raise ValueError(
                    f"top must be from 0 to {A4[1]:g} points for a cross-page seal, not {self.top:g}: the platform "
                    "takes it for a fraction of that height, on pages of any size"
                )
            yield from _on_all_pages(self.top / A4[1], self._sizes_sent(control_type, *self._size(control_type)))
            return
        width, height = self._size_on(self.page, control_type, self.layout)
        if self.layout is None:
            x, y = fractions_on_a4(self.left, self.top, width, height)
        else:
            x, y = self.layout.fractions_at(self.page, self.left, self.top, width, height)
        yield WirePosition(
            sign_position_type="POSITION",
            page_config=f"{self.page}",
            offset_x=x,
            offset_y=y,
            **self._sizes_sent(control_type, width, height),
        )


@frozen(kw_only=True)
class FractionAnchor(Anchor):
    """Place of one page or several, in the fractions of the wire.

    Attributes:
        x: Left edge of the mark's box, as a fraction of the page's width from 0 to 1.
        y: Top edge of the mark's box, as a fraction of the page's height from 0 to 1.
        pages: Page numbers, from 1 on; ``None`` for all pages.
    """

    x: float
    """Left edge of the mark's box, as a fraction of the page's width from 0 to 1."""
    y: float
    """Top edge of the mark's box, as a fraction of the page's height from 0 to 1."""
    pages: tuple[int, ...] | None = None
    """Page numbers, from 1 on; ``None`` for all pages."""

    def place(self, control_type: str) -> Iterator[WirePosition]:
        """Yield the positions of a mark of a kind; raise `ValueError` with the problem and its remedy."""
        sizes = self._sizes_sent(control_type, *self._size(control_type))
        if control_type == "CHOP_STAMP":
            yield from _on_all_pages(self.y, sizes)
            return
        yield WirePosition(
            sign_position_type="POSITION",
            page_config="ALL" if self.pages is None else ",".join(map(str, self.pages)),
            offset_x=f"{self.x:.4f}",
            offset_y=f"{self.y:.4f}",
            **sizes,
        )


def _on_all_pages(y: float, sizes: dict[str, str | None]) -> Iterator[WirePosition]:
    """Yield the place of a cross-page seal, which is on all pages, at their right edge."""
    yield WirePosition(sign_position_type="POSITION", page_config="ALL", offset_y=f"{y:.4f}", **sizes)


def fractions_on_a4(left: float, top: float, width: float, height: float) -> tuple[str, str]:
    """Return ``offsetX`` and ``offsetY`` of a box on an upright A4 page; raise `ValueError` if it is not inside."""
    page_width, page_height = A4
    if not 0 <= left <= page_width - width or not 0 <= top <= page_height - height:
        raise ValueError(
            f"a mark of {width:g} × {height:g} points at left={left:g}, top={top:g} is not inside an upright A4 page, "
            "which is assumed without the file's layout (extra pdf)"
        )
    return f"{left / page_width:.4f}", f"{top / page_height:.4f}"


def check_number(name: str, value: Any) -> None:
    """Raise `TypeError` or `DraftRefused`, naming the argument, unless it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, not {type_name(value)}")
    if not math.isfinite(value):
        raise DraftRefused(name, "must be a finite number")


def check_whole(name: str, value: Any, *, least: int | None = None) -> None:
    """Raise `TypeError` or `DraftRefused`, naming the argument, unless it is a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {type_name(value)}")
    if least is not None and value < least:
        raise DraftRefused(name, f"must be at least {least}, not {value}")


def keyword_anchor(
    doc_id: str,
    layout: DocumentLayout | None,
    text: str,
    *,
    hit: Hit,
    right: int,
    down: int,
    width: float | None,
    height: float | None,
    search: str,
) -> KeywordAnchor:
    """Return the anchor of a keyword; raise `TypeError` or `DraftRefused`, naming the argument."""
    if not isinstance(text, str):
        raise TypeError(f"keyword must be a str, not {type_name(text)}")
    if hit not in KEYWORD_TYPES:
        raise DraftRefused("hit", f"must be one of {', '.join(KEYWORD_TYPES)}")
    check_whole("right", right)
    check_whole("down", down)
    if search not in {"here", "platform"}:
        raise DraftRefused("search", "must be 'here' or 'platform'")
    if not text.strip():
        raise DraftRefused("keyword", "must not be empty")
    spots: tuple[Spot, ...] | None = None
    failure: str | None = None
    if search == "platform":
        failure = find_never_found(text)
        if failure is not None:
            raise DraftRefused("keyword", failure)
    elif layout is None:
        raise DraftRefused(
            "keyword",
            "the text of the document is not known here: attach the file with kfq_async.documents.attach, or pass "
            "search='platform'",
        )
    else:
        try:
            spots = tuple(layout.find(text, hit))
        except ValueError as problem:
            failure = str(problem)
        if failure is not None:
            raise DraftRefused("keyword", failure)
    return KeywordAnchor(
        doc_id=doc_id,
        text=text,
        hit=hit,
        right=right,
        down=down,
        width=width,
        height=height,
        spots=spots,
        layout=None if spots is None else layout,
    )


def find_never_found(keyword: str) -> str | None:
    """Return why the platform never finds a keyword, or finds another one; ``None`` if it may find it."""
    stops = sorted({character for character in keyword if character in NEVER_FOUND or character.isspace()})
    if stops:
        named = " ".join("a blank" if stop.isspace() else stop for stop in stops)
        return f"the platform never finds a keyword with {named}: pass a part of it"
    if "," in keyword:
        return "the platform searches for the part before the comma only: pass that part"
    return None


def page_anchor(
    doc_id: str,
    layout: DocumentLayout | None,
    *,
    page: int,
    left: float,
    top: float,
    width: float | None,
    height: float | None,
) -> PageAnchor:
    """Return the anchor of a place of a page; raise `TypeError` or `DraftRefused`, naming the argument."""
    check_whole("page", page, least=1)
    check_number("left", left)
    check_number("top", top)
    return PageAnchor(doc_id=doc_id, page=page, left=left, top=top, width=width, height=height, layout=layout)


def fraction_anchor(
    doc_id: str,
    *,
    x: float,
    y: float,
    pages: int | Sequence[int] | Literal["all"],
    width: float | None,
    height: float | None,
) -> FractionAnchor:
    """Return the anchor of a place in fractions; raise `TypeError` or `DraftRefused`, naming the argument."""
    for name, value in (("x", x), ("y", y)):
        check_number(name, value)
        if not 0 <= value <= 1:
            raise DraftRefused(name, f"must be a fraction of the page, from 0 to 1, not {value:g}")
    if pages == "all":
        listed = None
    elif isinstance(pages, Sequence) and not isinstance(pages, str | bytes):
        listed = tuple(pages)
        for index, page in enumerate(listed):
            check_whole(f"pages[{index}]", page, least=1)
        if not listed:
            raise DraftRefused("pages", "must name a page, or be 'all'")
    else:
        check_whole("pages", pages, least=1)
        listed = (int(pages),)
    return FractionAnchor(doc_id=doc_id, x=x, y=y, pages=listed, width=width, height=height)
