"""Layout of a document: where its text is printed, and what brings a mark to a place (protocol section 4.0).

The search differs from the platform's, which `find_keyword` follows: it finds a keyword at its own place, across
blanks, letter spacing and punctuation, in tagged files, and in another form of the same characters, such as Kangxi
radicals.
"""

from __future__ import annotations

import os
from array import array
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import normalize

from attrs import frozen

from kfq_async.documents.content import PageReader
from kfq_async.documents.marks import ABOVE_BASELINE, ControlBox, fraction_at, mark_of
from kfq_async.documents.pdf import Limits, Point, open_pdf
from kfq_async.documents.refusals import PdfError
from kfq_async.documents.runs import split_lines
from kfq_async.models.anchors import Spot, fractions_on_a4
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfq_async.documents.pdf import PdfDocument, PdfPage, Rect
    from kfq_async.models.anchors import Hit

__all__ = ["TextLayout", "UnreadText", "find_layout", "read_layout"]

BELOW_BASELINE = 1 - ABOVE_BASELINE
"""Share of a box that the platform puts below the baseline of a keyword."""
MAX_HITS = 100
"""Number of hits beyond which ``every`` is not what is meant."""
TOLERANCE = 0.5
"""Points by which a mark may lie outside its page."""
DEFAULT_LIMITS = Limits()
MAX_BYTES = 8 * 1024 * 1024
"""Size of a file, in bytes, beyond which an upload does not read its layout."""
MAX_SECONDS = 30.0
"""Time after which an upload gives up its layout."""
_PDF = b"%PDF-"
_SHOWN = 3
"""Number of lines and pages that an error shows."""
_MAX_SHOWN = 40
"""Number of characters of a line that an error shows."""


@frozen
class TextLine:
    """A printed line, without blanks.

    Attributes:
        text: Characters in their compatible form, such as full width.
        x: Left edge of each character's glyph, in raw user space.
        y: Baseline of each character's glyph, in raw user space.
    """

    text: str
    x: array[float]
    y: array[float]


class TextLayout:
    """Pages of a PDF, and the text printed on them; a `DocumentLayout`.

    Args:
        pages: Geometry of the pages.
        lines: Lines of each page, in the order of reading.
    """

    __slots__ = ("_lines", "_pages")

    def __init__(self, pages: Sequence[PdfPage], lines: Sequence[Sequence[TextLine]]) -> None:
        self._pages = pages
        self._lines = lines

    def find(self, keyword: str, hit: Hit) -> Sequence[Spot]:
        """See `DocumentLayout`."""
        needle = _compact(keyword)
        found = [
            Spot(page, line.x[start], line.y[start])
            for page, lines in enumerate(self._lines, 1)
            for line in lines
            for start in _occurrences(line.text, needle)
        ]
        if not found:
            raise ValueError(self._describe_miss(keyword, needle))
        if hit == "every" and len(found) > MAX_HITS:
            raise ValueError(f"“{printable(keyword)}” was found {len(found)} times, and at most {MAX_HITS} are marked")
        return {"first": found[:1], "last": found[-1:]}.get(hit, found)

    def is_turned(self, page: int) -> bool:
        """See `DocumentLayout`."""
        return self._page(page).rotate in {90, 270}

    def fractions_at_spot(self, spot: Spot, right: float, down: float, width: float, height: float) -> tuple[str, str]:
        """See `DocumentLayout`."""
        page = self._page(spot.page)
        return self._fractions(
            page, _moved(page, Point(spot.x, spot.y), right, down + BELOW_BASELINE * height), width, height
        )

    def fractions_at(self, page: int, left: float, top: float, width: float, height: float) -> tuple[str, str]:
        """See `DocumentLayout`."""
        geometry = self._page(page)
        return self._fractions(geometry, _moved(geometry, _top_left(geometry), left, top + height), width, height)

    def _page(self, number: int) -> PdfPage:
        if number > len(self._pages):
            raise ValueError(f"page {number} does not exist: the document has {len(self._pages)}")
        return self._pages[number - 1]

    def _fractions(self, page: PdfPage, corner: Point, width: float, height: float) -> tuple[str, str]:
        """Return the fractions of a box with its left bottom corner at a point, whose mark is inside the page."""
        try:
            x, y = fraction_at(page, corner, width, height)
        except ValueError as problem:
            failure = f"{problem}: it keeps every box inside the page as it was before it was turned or cropped"
        else:
            box = ControlBox(
                "SIGNATURE",
                0,
                page,
                float(x) * page.media_box.width,
                float(y) * page.media_box.height,
                width,
                height,
            )
            beyond = _points_outside(mark_of(box).rect, page.crop_box)
            if beyond <= TOLERANCE:
                return x, y
            failure = (
                f"a box of {width:g} × {height:g} points there would lie {beyond:.0f} points beyond the edge of page "
                f"{page.number}"
            )
        raise ValueError(f"{failure}; pass another place, right= or down=, or a smaller width and height")

    def _describe_miss(self, keyword: str, needle: str) -> str:
        """Return why a keyword was not found, and what was found instead."""
        text = f"“{printable(keyword)}” was not found"
        broken = [page for page, lines in enumerate(self._lines, 1) if needle in "".join(line.text for line in lines)]
        if broken:
            return f"{text} in one line: on page {broken[0]} it is broken over two, so pass a part of it"
        for length in range(len(needle) - 1, 1, -1):
            near = self._lines_with(needle[:length]) or self._lines_with(needle[-length:])
            if near:
                return f"{text}; found instead: {', '.join(near[:_SHOWN])}"
        empty = [str(page) for page, lines in enumerate(self._lines, 1) if not lines]
        if empty:
            return f"{text}; page {', '.join(empty[:_SHOWN])} has no text, as a scanned page: pass document.at(...)"
        return text

    def _lines_with(self, part: str) -> list[str]:
        return [
            f"“{printable(line.text, _MAX_SHOWN)}” on page {page}"
            for page, lines in enumerate(self._lines, 1)
            for line in lines
            if part in line.text
        ]


def read_layout(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> TextLayout:
    """Read where the text of a PDF is printed. Takes CPU time: call it in a thread from a coroutine.

    Raises:
        PdfError: Damaged, encrypted, or beyond a limit.
        ModuleNotFoundError: pdfminer.six is not installed (extra ``pdf``).
    """
    document = open_pdf(data, limits=limits)
    reader = PageReader(document)
    return TextLayout(document.pages, [_read_lines(document, reader, page) for page in document.pages])


class UnreadText:
    """Layout of a document whose text is not read; a `DocumentLayout` that takes every page for an upright A4.

    Args:
        reason: Why it is not read.
    """

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason: str = reason

    def find(self, keyword: str, hit: Hit) -> Sequence[Spot]:
        """Raise `ValueError` with the reason."""
        raise ValueError(f"“{printable(keyword)}” ({hit}) cannot be searched for: {self.reason}")

    def is_turned(self, _page: int) -> bool:
        """See `DocumentLayout`."""
        return False

    def fractions_at_spot(self, spot: Spot, right: float, down: float, width: float, height: float) -> tuple[str, str]:
        """See `DocumentLayout`; there are no spots, so this is as `fractions_at`."""
        return self.fractions_at(spot.page, spot.x + right, spot.y + down, width, height)

    def fractions_at(self, _page: int, left: float, top: float, width: float, height: float) -> tuple[str, str]:
        """See `DocumentLayout`."""
        return fractions_on_a4(left, top, width, height)


def find_layout(source: object) -> TextLayout | UnreadText:
    """Return the layout of the source of an upload, or the reason why it cannot be read."""
    try:
        data = _read(source)
        return read_layout(data, limits=Limits(seconds=MAX_SECONDS)) if isinstance(data, bytes) else UnreadText(data)
    except (OSError, PdfError) as problem:
        return UnreadText(str(problem))
    except ModuleNotFoundError:
        return UnreadText("install kfq-async[pdf] before the upload")


def _read(source: object) -> bytes | str:
    """Return a PDF of bounded size, or why the source is none; a larger file is not read."""
    if isinstance(source, bytes | bytearray | memoryview):
        with memoryview(source).cast("B") as view:
            refusal = _refusal(bytes(view[: len(_PDF)]), len(view))
            return bytes(view) if refusal is None else refusal
    if not isinstance(source, str | os.PathLike):
        return "only the text of a path or of bytes is read: attach the file with kfq_async.documents.attach"
    path = Path(source)
    if not path.is_file():  # a pipe would block
        return "only the text of a regular file is read"
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        refusal = _refusal(file.read(len(_PDF)), size)
        if refusal is not None:
            return refusal
        file.seek(0)
        return file.read(size)  # no more, if it grows meanwhile


def _refusal(head: bytes, size: int) -> str | None:
    """Return why a file is not read, or ``None``."""
    if head != _PDF:
        return "only the text of a PDF is read"
    if size > MAX_BYTES:
        return f"it has more than {MAX_BYTES >> 20} MiB: attach the file with kfq_async.documents.attach"
    return None


def _read_lines(document: PdfDocument, reader: PageReader, page: PdfPage) -> list[TextLine]:
    lines = []
    for glyphs in split_lines(page, reader.glyphs(page), document.budget):
        shown = [(character, glyph) for glyph in glyphs for character in _compact(glyph.text)]
        if shown:
            x = array("d", [glyph.x for _, glyph in shown])
            y = array("d", [glyph.y for _, glyph in shown])
            lines.append(TextLine("".join(character for character, _ in shown), x, y))
    return lines


def _compact(text: str) -> str:
    """Return a text in its compatible form, without blanks."""
    return "".join(normalize("NFKC", text).split())


def _occurrences(text: str, part: str) -> Iterator[int]:
    start = text.find(part)
    while start >= 0:
        yield start
        start = text.find(part, start + len(part))


def _top_left(page: PdfPage) -> Point:
    """Return the top left corner of a page as shown, in raw user space."""
    box = page.crop_box
    return {
        0: Point(box.x0, box.y1),
        90: Point(box.x0, box.y0),
        180: Point(box.x1, box.y0),
        270: Point(box.x1, box.y1),
    }[page.rotate]


def _moved(page: PdfPage, point: Point, right: float, down: float) -> Point:
    """Move a point of raw user space to the right and down, as a reader sees the page."""
    x, y = {0: (right, -down), 90: (down, right), 180: (-right, down), 270: (-down, -right)}[page.rotate]
    return Point(point.x + x, point.y + y)


def _points_outside(rect: Rect, box: Rect) -> float:
    """Return by how many points a rectangle exceeds another one at most."""
    return max(box.x0 - rect.x0, box.y0 - rect.y0, rect.x1 - box.x1, rect.y1 - box.y1)
