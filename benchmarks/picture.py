"""The chart of the report: ratios on a logarithmic scale, and curves, as hand-written SVG."""

from __future__ import annotations

from html import escape
from math import log10
from typing import TYPE_CHECKING

from benchmarks.cases import JSON, SDK
from benchmarks.table import base_of, label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.rounds import Case

WIDTH = 900
LEFT, RIGHT = 230, 840
ROW = 20
COLOURS = {True: "#c2410c", False: "#64748b"}
"""Colours of this package and of all others."""


def _text(x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", weight: str = "normal") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="#0f172a">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, *, colour: str = "#cbd5e1", width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _scale(value: float, low: float, high: float) -> float:
    return LEFT + (RIGHT - LEFT) * log10(value / low) / log10(high / low)


def _row(case: Case, base: Case, y: float, high: float) -> list[str]:
    ratio = case.ratio(base)
    first, last = (bound / base.cost for bound in case.spread)
    colour = COLOURS[case.name.startswith(SDK)]
    x = _scale(ratio, 0.4, high)
    return [
        _text(LEFT - 10, y + 4, label(case), anchor="end"),
        _line(_scale(first, 0.4, high), y, _scale(last, 0.4, high), y, colour=colour, width=7),
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" stroke="white"/>',
        _text(max(x, _scale(last, 0.4, high)) + 9, y + 4, f"{ratio:.2f}", size=11),
    ]


def _group(title: str, cases: Sequence[Case], y: float, high: float) -> tuple[list[str], float]:
    parts = [_text(LEFT, y, title, size=14, weight="bold")]
    bottom = y + 12 + ROW * len(cases)
    for tick in (0.5, 1.0, 2.0, 5.0, 10.0, 20.0):
        x = _scale(tick, 0.4, high)
        parts += [_line(x, y + 8, x, bottom), _text(x, bottom + 12, f"{tick:g}", size=10, anchor="middle")]
    for number, case in enumerate(cases):
        parts += _row(case, base_of(cases, case), y + 20 + ROW * number, high)
    return parts, bottom + 40


def _curve(title: str, cases: Sequence[Case], y: float) -> tuple[list[str], float]:
    height = 180
    low, high = min(case.in_flight for case in cases), max(case.in_flight for case in cases)
    top = max(case.cost for case in cases) * 1.1
    parts = [_text(LEFT, y, title, size=14, weight="bold")]
    base = y + 15 + height
    for tick in range(0, int(top) + 1, max(1, int(top / 4))):
        level = base - height * tick / top
        parts += [_line(LEFT, level, RIGHT, level), _text(LEFT - 8, level + 4, f"{tick} µs", size=10, anchor="end")]
    for number in dict.fromkeys(case.in_flight for case in cases):
        parts.append(_text(_scale(number, low, high), base + 14, f"{number:,}", size=10, anchor="middle"))
    for name in (JSON, SDK):
        points = [(_scale(c.in_flight, low, high), base - height * c.cost / top) for c in cases if c.name == name]
        path = " ".join(f"{x:.1f},{level:.1f}" for x, level in points)
        colour = COLOURS[name == SDK]
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(_text(points[-1][0] - 5, points[-1][1] - 7, name, size=11, anchor="end"))
    return parts, base + 50


def draw(groups: Mapping[str, Sequence[Case]], curves: Mapping[str, Sequence[Case]]) -> str:
    """Return the SVG: the groups of ratios one below the other, then the curves."""
    title = "CPU of the client per link, as a ratio to aiohttp and json by hand"
    parts = [_text(WIDTH / 2, 28, title, size=16, anchor="middle", weight="bold")]
    parts.append(_text(WIDTH / 2, 46, "median and interquartile range of the rounds; less is better", anchor="middle"))
    ratios = [case.ratio(base_of(cases, case)) for cases in groups.values() for case in cases]
    high = max(2.5, *ratios) * 1.3
    y = 80.0
    for name, cases in groups.items():
        more, y = _group(name, cases, y, high)
        parts += more
    for name, cases in curves.items():
        more, y = _curve(name, cases, y)
        parts += more
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n'
    )
