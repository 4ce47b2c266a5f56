"""Text runs of a page: the platform's rule for where text is split (protocol section 4.0)."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cmp_to_key, lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from attrs import frozen

from kfq_async.documents.pdf import Point

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kfq_async.documents.content import Glyph
    from kfq_async.documents.pdf import Budget, PdfPage

__all__ = ["TextRun", "is_stop", "round_tenth", "split_lines", "split_runs"]

_STOPS = frozenset(",.[](:;!?)/")
_SPACE_TOLERANCE = 0.5
_WIDTH_TOLERANCE = 0.3
_SAME_LINE = 0.1
_CELL = 16.0
"""Size in points of the cells in which glyphs that are printed twice are looked up."""
_FAR = 64.0
"""Maximum distance in points within which a glyph is looked up as printed twice."""
_FEW = 32
"""Number of comparisons for one glyph that does not count towards the limit."""
_NO_BREAK = frozenset("\xa0\u2007\u202f")
_JAVA_CONTROLS = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f")


@frozen
class TextRun:
    """Text that the platform reads as one piece.

    Attributes:
        page: Page number, from 1 on.
        text: Text of the run, without blanks and punctuation that ends a run.
        x: Left edge of its first glyph, in points from the left edge of the CropBox, along the text's direction,
            rounded to 0.1.
        y: Baseline, in points below the top edge of the CropBox, across the text's direction, rounded to 0.1.
        origins: Origin in raw user space of each character's glyph.
    """

    page: int
    """Page number, from 1 on."""
    text: str
    """Text of the run, without blanks and punctuation that ends a run."""
    x: float
    """Left edge of its first glyph, in points from the left edge of the CropBox, along the text's direction,
    rounded to 0.1."""
    y: float
    """Baseline, in points below the top edge of the CropBox, across the text's direction, rounded to 0.1."""
    origins: tuple[Point, ...]
    """Origin in raw user space of each character's glyph."""


class _Placed(NamedTuple):
    """Glyph in the coordinates of its direction: x to the right, y downwards, from the corner of the CropBox."""

    x: float
    y: float
    top: float
    """``y`` less the glyph's height."""
    direction: int
    glyph: Glyph


def split_runs(page: PdfPage, glyphs: Iterable[Glyph], budget: Budget) -> list[TextRun]:
    """Return the runs of a page in the platform's order: by direction, then line by line, from left to right."""
    placed = _sorted(page, glyphs, budget)
    return [_run(page, piece) for word in _words(placed) for piece in _pieces(word)]


def split_lines(page: PdfPage, glyphs: Iterable[Glyph], budget: Budget) -> list[list[Glyph]]:
    """Return the glyphs of each printed line of a page, in the order of `split_runs`."""
    lines: list[list[Glyph]] = []
    last: _Placed | None = None
    for one in _sorted(page, glyphs, budget):
        if last is None or last.direction != one.direction or not _on_one_line(last, one):
            lines.append([])
        lines[-1].append(one.glyph)
        last = one
    return lines


def _sorted(page: PdfPage, glyphs: Iterable[Glyph], budget: Budget) -> list[_Placed]:
    placed = _drop_doubles((_place(page, glyph) for glyph in glyphs), budget)
    placed.sort(key=cmp_to_key(_compare))
    return placed


def round_tenth(value: float) -> float:
    """Round to 0.1, half up."""
    return math.floor(value * 10 + 0.5) / 10


def _run(page: PdfPage, piece: list[_Placed]) -> TextRun:
    first = piece[0]
    origins = tuple(Point(one.glyph.x, one.glyph.y) for one in piece for _ in one.glyph.text)
    text = "".join(one.glyph.text for one in piece)
    return TextRun(page.number, text, round_tenth(first.x), round_tenth(first.y), origins)


def _place(page: PdfPage, glyph: Glyph) -> _Placed:
    box, direction = page.crop_box, glyph.style.direction
    x, y = glyph.x - box.x0, glyph.y - box.y0
    if direction == 0:
        y = box.height - y
    elif direction == 90:
        x, y = y, x
    elif direction == 180:
        x = box.width - x
    else:
        x, y = box.height - y, box.width - x
    return _Placed(x, y, y - glyph.style.height, direction, glyph)


def _drop_doubles(placed: Iterable[_Placed], budget: Budget) -> list[_Placed]:
    """Drop glyphs of the same text that are nearer to an earlier one than a third of their width, such as shadows."""
    cells: defaultdict[tuple[str, int, int], list[_Placed]] = defaultdict(list)
    kept = []
    for one in placed:
        text, x, y = one.glyph.text, one.x, one.y
        near = min(one.glyph.width / 3 / max(len(text), 1), _FAR)
        earlier = [
            other
            for column in _cells(x, near)
            for row in _cells(y, near)
            for other in cells.get((text, column, row), ())
        ]
        if len(earlier) > _FEW:
            budget.spend("comparisons", len(earlier))
        if any(-near <= other.x - x < near and -near <= other.y - y < near for other in earlier):
            continue
        cells[text, int(x // _CELL), int(y // _CELL)].append(one)
        kept.append(one)
    return kept


def _cells(position: float, near: float) -> Sequence[int]:
    """Return the cells that a distance around a position touches."""
    first, last = int((position - near) // _CELL), int((position + near) // _CELL)
    return (first,) if first == last else range(first, last + 1)


def _compare(one: _Placed, other: _Placed) -> int:
    """Compare by direction, then line, then x; glyphs whose heights overlap are on one line."""
    if one.direction != other.direction:
        return -1 if one.direction < other.direction else 1
    if _on_one_line(one, other):
        return (one.x > other.x) - (one.x < other.x)
    return -1 if one.y < other.y else 1


def _on_one_line(one: _Placed, other: _Placed) -> bool:
    """Tell whether the heights of two glyphs overlap."""
    return one.top <= other.y <= one.y or other.top <= one.y <= other.y or abs(one.y - other.y) < _SAME_LINE


def _words(placed: Iterable[_Placed]) -> Iterator[list[_Placed]]:
    """Split sorted glyphs at the ends of lines and at gaps."""
    word: list[_Placed] = []
    last: _Placed | None = None
    mean = 0.0
    line_y, line_height = -math.inf, -1.0
    for one in placed:
        glyph = one.glyph
        count = max(len(glyph.text), 1)
        if last is None:
            mean = glyph.width / count
        else:
            style, before = glyph.style, last.glyph.style
            mean = (mean + glyph.width / count) / 2 if style.font == before.font else glyph.width / count
            gap = (style.space + before.space) / 2 * _SPACE_TOLERANCE
            if not (
                one.top <= line_y <= one.y
                or line_y - line_height <= one.y <= line_y
                or abs(one.y - line_y) < _SAME_LINE
            ):
                yield word
                word = []
                line_y, line_height = -math.inf, -1.0
            elif one.x - last.x - last.glyph.width > min(gap, mean * _WIDTH_TOLERANCE):
                yield word
                word = []
            if abs(one.x - last.x) > style.space + gap:
                line_y, line_height = -math.inf, -1.0
        line_y = max(line_y, one.y)
        line_height = max(line_height, glyph.style.height)
        word.append(one)
        last = one
    yield word


def _pieces(word: list[_Placed]) -> Iterator[list[_Placed]]:
    """Split a word at stop characters, which belong to no run, and where the baseline changes."""
    for (stop, _), group in groupby(word, key=lambda one: (is_stop(one.glyph.text), round_tenth(one.y))):
        if not stop:
            yield list(group)


@lru_cache(10_000)
def is_stop(text: str) -> bool:
    """Return whether a text ends a run and belongs to none: blanks and punctuation."""
    return all(character in _STOPS or _is_java_blank(character) for character in text)


def _is_java_blank(character: str) -> bool:
    """Tell whether Java's ``Character.isWhitespace`` holds: separators but no-break spaces, and control blanks."""
    return (character.isspace() and character not in _NO_BREAK and character != "\x85") or character in _JAVA_CONTROLS
