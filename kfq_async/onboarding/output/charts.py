"""Charts as inline SVG, coloured by CSS classes of the surrounding page. Pure."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Segment", "column_chart", "label_interval", "stacked_bar"]

WIDTH, HEIGHT = 360, 200
"""Size of a chart in its own units: the width of a phone's screen, so that its text stays readable there."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 352, 24, 156
_MAX_COLUMN_WIDTH = 40.0
_LABEL_WIDTH = 75.0
"""Width of a label with its margin."""
_MIN_COLUMN_HEIGHT = 0.8
"""Height at which one of thousands is still visible."""


@frozen
class Segment:
    """One segment of a stacked bar."""

    count: int
    label: str
    css_class: str
    """CSS class that colours it."""


def stacked_bar(segments: Sequence[Segment]) -> str:
    """Draw the parts of a whole side by side; empty segments are left out."""
    total = sum(segment.count for segment in segments)
    drawn, x = [], 0.0
    for segment in segments:
        width = 1000 * segment.count / total if total else 0.0
        if width:
            title = escape(f"{segment.label}: {segment.count:,}")
            drawn.append(
                f'<rect class="{escape(segment.css_class)}" x="{x:.2f}" y="0" width="{width:.2f}" height="24">'
                f"<title>{title}</title></rect>"
            )
        x += width
    description = escape(", ".join(f"{segment.label} {segment.count:,}" for segment in segments))
    return (
        f'<svg class="bar" viewBox="0 0 1000 24" preserveAspectRatio="none" role="img" aria-label="{description}">'
        f'<rect class="none" x="0" y="0" width="1000" height="24"/>{"".join(drawn)}</svg>'
    )


def column_chart(
    counts: Sequence[int],
    ticks: Sequence[tuple[float, str]],
    *,
    description: str,
    y_label: str,
    x_label: str,
    css_class: str,
) -> str:
    """Draw one column per count over a scale from 0.

    ``ticks`` are labels of the x axis with the index of the column at whose left edge they stand. ``description``
    is read out by screen readers.
    """
    top = _round_up(max(counts, default=0))
    width = _column_width(len(counts))
    drawn = [_scale_line(part * top / 4, top) for part in range(5) if top % 4 == 0 or part in {0, 4}]
    drawn += [_column(index, count, top, width, css_class) for index, count in enumerate(counts) if count]
    drawn += [_tick(_LEFT + index * width, label) for index, label in ticks]
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(description)}">'
        f'{"".join(drawn)}<path class="axis" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>'
        f'<text x="0" y="10">{escape(y_label)}</text>'
        f'<text class="end" x="{_RIGHT}" y="{HEIGHT - 8}">{escape(x_label)}</text></svg>'
    )


def label_interval(count: int) -> int:
    """Return the number of columns per label, in a chart of ``count`` columns."""
    return math.ceil(_LABEL_WIDTH / _column_width(count))


def _column_width(count: int) -> float:
    return min((_RIGHT - _LEFT) / max(count, 1), _MAX_COLUMN_WIDTH)


def _round_up(count: int) -> int:
    """Return the end of a scale: 1, 2, 4 or 8 times a power of ten."""
    if count <= 1:
        return 1
    power: int = 10 ** math.floor(math.log10(count))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= count)


def _height(value: float, top: int) -> float:
    return (_BOTTOM - _TOP) * value / top


def _scale_line(value: float, top: int) -> str:
    y = _BOTTOM - _height(value, top)
    return (
        f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        f'<text class="end" x="{_LEFT - 5}" y="{y + 3.5:.1f}">{value:,.0f}</text>'
    )


def _column(index: int, count: int, top: int, width: float, css_class: str) -> str:
    height = max(_height(count, top), _MIN_COLUMN_HEIGHT)
    gap = min(width * 0.12, 2)
    return (
        f'<rect class="{escape(css_class)}" x="{_LEFT + index * width + gap / 2:.2f}" y="{_BOTTOM - height:.2f}" '
        f'width="{width - gap:.2f}" height="{height:.2f}"><title>{count:,}</title></rect>'
    )


def _tick(x: float, label: str) -> str:
    anchor = "end" if x > _RIGHT - 20 else "middle"
    return (
        f'<path class="axis" d="M{x:.1f} {_BOTTOM}v4"/>'
        f'<text class="{anchor}" x="{x:.1f}" y="{_BOTTOM + 15}">{escape(label)}</text>'
    )
