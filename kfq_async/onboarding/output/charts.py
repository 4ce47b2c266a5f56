"""Pictures of numbers as inline SVG, coloured by the classes of the page that they stand in. Pure."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Segment", "apart", "bar", "columns"]

WIDTH, HEIGHT = 360, 200
"""Units of a chart: those of a telephone's screen, so that its words stay readable there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 352, 24, 156
_WIDEST = 40.0
"""Units of a column."""
_LABEL = 75.0
"""Units of a label, and of the space beside it."""


@frozen
class Segment:
    """A part of a bar."""

    count: int
    words: str
    style: str
    """The class that colours it."""


def bar(segments: Sequence[Segment]) -> str:
    """Draw parts of a whole beside each other; parts of nothing are left out."""
    total = sum(segment.count for segment in segments)
    drawn, at = [], 0.0
    for segment in segments:
        width = 1000 * segment.count / total if total else 0.0
        if width:
            title = escape(f"{segment.words}: {segment.count:,}")
            drawn.append(
                f'<rect class="{escape(segment.style)}" x="{at:.2f}" y="0" width="{width:.2f}" height="24">'
                f"<title>{title}</title></rect>"
            )
        at += width
    words = escape(", ".join(f"{segment.words} {segment.count:,}" for segment in segments))
    return (
        f'<svg class="bar" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label="{words}">'
        f'<rect class="none" x="0" y="0" width="1000" height="24"/>{"".join(drawn)}</svg>'
    )


def columns(
    counts: Sequence[int], ticks: Sequence[tuple[float, str]], *, words: str, upright: str, along: str, style: str
) -> str:
    """Draw a column for each count, a scale from 0 on, and ``ticks``, each at a column's beginning.

    ``upright`` and ``along`` say what the axes measure, and in which unit; ``words`` say it all to those who cannot
    see it.
    """
    top = _round_up(max(counts, default=0))
    slot = _slot(len(counts))
    drawn = [_scale(part * top / 4, top) for part in range(5) if top % 4 == 0 or part in {0, 4}]
    drawn += [_column(place, count, top, slot, style) for place, count in enumerate(counts) if count]
    drawn += [_tick(_LEFT + place * slot, label) for place, label in ticks]
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'{"".join(drawn)}<path class="axis" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>'
        f'<text x="0" y="10">{escape(upright)}</text>'
        f'<text class="end" x="{_RIGHT}" y="{HEIGHT - 8}">{escape(along)}</text></svg>'
    )


def apart(count: int) -> int:
    """Return how many columns a label takes, where there are so many of them."""
    return math.ceil(_LABEL / _slot(count))


def _slot(count: int) -> float:
    return min((_RIGHT - _LEFT) / max(count, 1), _WIDEST)


def _round_up(count: int) -> int:
    """Return the end of a scale: 1, 2, 4 or 8 times a power of ten."""
    if count <= 1:
        return 1
    power: int = 10 ** math.floor(math.log10(count))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= count)


def _height(value: float, top: int) -> float:
    return (_BOTTOM - _TOP) * value / top


def _scale(value: float, top: int) -> str:
    y = _BOTTOM - _height(value, top)
    return (
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        f'<text class="end" x="{_LEFT - 5}" y="{y + 3.5:.1f}">{value:,.0f}</text>'
    )


def _column(place: int, count: int, top: int, slot: float, style: str) -> str:
    height = max(_height(count, top), 0.8)  # one of thousands is to be seen too
    gap = min(slot * 0.12, 2)
    return (
        f'<rect class="{escape(style)}" x="{_LEFT + place * slot + gap / 2:.2f}" y="{_BOTTOM - height:.2f}" '
        f'width="{slot - gap:.2f}" height="{height:.2f}"><title>{count:,}</title></rect>'
    )


def _tick(x: float, label: str) -> str:
    side = "end" if x > _RIGHT - 20 else "middle"
    return (
        f'<path class="axis" d="M{x:.1f} {_BOTTOM}v4"/>'
        f'<text class="{side}" x="{x:.1f}" y="{_BOTTOM + 15}">{escape(label)}</text>'
    )
