"""Pictures of seals and signatures, drawn with lines and text: content of a PDF form (ISO 32000-1, 8.10).

Assumed, because only the size of the platform's pictures is known: what they show.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import field, frozen

from kfq_async.sandbox.fonts import EmbeddedFont, embed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["FONT", "Picture", "draw_date", "draw_enterprise_seal", "draw_person_seal"]

FONT = "F"
"""Name of a picture's font among its resources."""
LABEL = "SANDBOX 沙箱"
"""Text in every picture, so that no mark is taken for a real one."""
RED = "0.80 0.07 0.12"
SIDE = 120.0
"""Side of the square in which the round seal is drawn; it is stretched to the size of the picture."""
CENTRE = SIDE / 2
RING, RING_WIDTH = 57.0, 3.0
STAR, STAR_CENTRE = 15.0, 63.0
"""Radius of the star, and its height above the lower edge."""
ARC = 38.0
"""Radius of the baseline of the enterprise's name."""
ARC_SPAN = math.radians(250)
"""Angle over which a long name is spread."""
MAX_ARC_SIZE, MIN_ARC_SIZE = 15.0, 9.0
ARC_SPACING = 1.65
"""Advance of a short name's characters, as a multiple of the font size."""
NAME_Y, NAME_SIZE, NAME_WIDTH = 25.5, 9.0, 52.0
LABEL_Y, LABEL_SIZE, LABEL_WIDTH = 14.5, 6.0, 40.0
ROUND = 4 / 3 * (math.sqrt(2) - 1)
"""Distance of control points by which four Bézier curves become a circle."""
DATE_SIZE, CAP_HEIGHT = 14.0, 0.7
"""Font size of a date, and the height of its digits as a share of it."""
DATE_LABEL_SIZE = 5.0
LINE_HEIGHT = 1.08
MARGIN = 0.07
"""Distance of a person's frame from the edges, as a share of the shorter side."""


@frozen
class Picture:
    """Picture of a mark, in points.

    Attributes:
        width: Width.
        height: Height.
        content: Operators that draw it.
        font: Font of its text, named `FONT`.
    """

    width: float
    height: float
    content: bytes = field(repr=False)
    font: EmbeddedFont = field(repr=False)


@frozen
class _Size:
    """Size of text: its height, and how much it is stretched horizontally."""

    height: float
    stretch: float = 1.0


def draw_enterprise_seal(owner: str, name: str, width: int, height: int) -> Picture:
    """Return the picture of an enterprise's seal: ring, star, the owner's name on an arc, the seal's name below.

    Args:
        owner: Name of the enterprise, up to 50 characters.
        name: Name of the seal, such as 合同专用章; empty if unknown.
        width: Width of the picture in pixels, which are its points.
        height: Height of the picture in pixels.
    """
    font = embed(f"{owner}{name}{LABEL}")
    drawn = [
        f"{width / SIDE:.5f} 0 0 {height / SIDE:.5f} 0 0 cm {RED} RG {RED} rg {RING_WIDTH} w",
        *_circle(RING),
        *_star(),
        "BT",
        *_arc(owner, font),
        _centred(name, font, (CENTRE, NAME_Y), NAME_SIZE, NAME_WIDTH),
        _centred(LABEL, font, (CENTRE, LABEL_Y), LABEL_SIZE, LABEL_WIDTH),
        "ET",
    ]
    return _picture(width, height, drawn, font)


def draw_person_seal(owner: str, width: int, height: int) -> Picture:
    """Return the picture of a person's seal: the name in a frame. The arguments are those of the enterprise's seal."""
    font = embed(f"{owner}{LABEL}")
    margin = min(width, height) * MARGIN
    label = margin * 0.9
    inside = width - 4 * margin
    lines, size = _lines(owner, font, inside, height - 5 * margin)
    top = height / 2 + label / 2 + len(lines) * size * LINE_HEIGHT / 2
    drawn = [
        f"{RED} RG {RED} rg {margin / 2:.3f} w",
        f"{margin:.3f} {margin:.3f} {width - 2 * margin:.3f} {height - 2 * margin:.3f} re S",
        "BT",
        *(
            _centred(line, font, (width / 2, top - (number + 0.9) * size * LINE_HEIGHT), size, inside)
            for number, line in enumerate(lines)
        ),
        _centred(LABEL, font, (width / 2, 1.75 * margin), label, inside),
        "ET",
    ]
    return _picture(width, height, drawn, font)


def draw_date(text: str, width: float, height: float) -> Picture:
    """Return the picture of a date: black text of 14 points in the middle of its box (protocol section 4.0).

    Args:
        text: The date.
        width: Width of the box in points.
        height: Height of the box in points.
    """
    font = embed(f"{text}{LABEL}")
    middle = (width / 2, height / 2 - DATE_SIZE * CAP_HEIGHT / 2)
    label = min(DATE_LABEL_SIZE, middle[1])
    drawn = [
        "0 g",
        "BT",
        _centred(text, font, middle, DATE_SIZE, width),
        _centred(LABEL, font, (width / 2, label / 4), label, width),
        "ET",
    ]
    return _picture(width, height, drawn, font)


def _picture(width: float, height: float, drawn: Sequence[str], font: EmbeddedFont) -> Picture:
    return Picture(width, height, "\n".join(filter(None, drawn)).encode("ascii"), font)


def _circle(radius: float) -> Iterator[str]:
    """Yield the operators of a circle around the centre."""
    near = radius * ROUND
    yield f"{CENTRE + radius:.3f} {CENTRE} m"
    for a, b in ((1, 0), (0, 1), (-1, 0), (0, -1)):  # directions in which the quarters begin; they end at (-b, a)
        points = (
            (a * radius - b * near, b * radius + a * near),
            (-b * radius + a * near, a * radius + b * near),
            (-b * radius, a * radius),
        )
        yield " ".join(f"{CENTRE + x:.3f} {CENTRE + y:.3f}" for x, y in points) + " c"
    yield "s"


def _star() -> Iterator[str]:
    """Yield the operators of a star with five points."""
    for number in range(5):
        angle = math.pi / 2 + number * math.tau * 2 / 5
        x, y = CENTRE + STAR * math.cos(angle), STAR_CENTRE + STAR * math.sin(angle)
        yield f"{x:.3f} {y:.3f} {'l' if number else 'm'}"
    yield "f"


def _arc(text: str, font: EmbeddedFont) -> Iterator[str]:
    """Yield the operators of text along the upper part of the ring; a long one is smaller and narrower."""
    total = max(font.width(text), 1.0)
    available = ARC_SPAN * (ARC + MIN_ARC_SIZE / 2) / total
    size = min(max(available, MIN_ARC_SIZE), MAX_ARC_SIZE)
    em_angle = min(ARC_SPAN / total, size * ARC_SPACING / (ARC + size / 2))
    stretch = min(1.0, em_angle * (ARC + size / 3) / size)
    angle = math.pi / 2 + em_angle * total / 2
    for character in text:
        advance = font.width(character)
        middle = angle - em_angle * advance / 2
        angle -= em_angle * advance
        # The glyph stands upright on the circle: its baseline is the tangent, its middle on the ray.
        along, up = (math.sin(middle), -math.cos(middle)), (math.cos(middle), math.sin(middle))
        back = advance * size * stretch / 2
        x, y = CENTRE + ARC * up[0] - back * along[0], CENTRE + ARC * up[1] - back * along[1]
        yield _show(font.encode(character), _Size(size, stretch), along, (x, y))


def _centred(text: str, font: EmbeddedFont, middle: tuple[float, float], size: float, width: float) -> str:
    """Return the operators of a line of text around a point of its baseline, made narrower to fit a width."""
    if not text:
        return ""
    natural = font.width(text) * size
    stretch = width / max(natural, width)
    return _show(font.encode(text), _Size(size, stretch), (1.0, 0.0), (middle[0] - natural * stretch / 2, middle[1]))


def _show(operand: str, size: _Size, along: tuple[float, float], start: tuple[float, float]) -> str:
    a, b = along
    wide = size.stretch
    matrix = f"{a * wide:.5f} {b * wide:.5f} {-b:.5f} {a:.5f} {start[0]:.3f} {start[1]:.3f}"
    return f"/{FONT} {size.height:.3f} Tf {matrix} Tm {operand} Tj"


def _lines(text: str, font: EmbeddedFont, width: float, height: float) -> tuple[list[str], float]:
    """Return the lines of a text, and the font size, that make it largest in a box."""
    best: tuple[list[str], float] = ([], 0.0)
    for count in range(1, len(text) + 1):
        step = math.ceil(len(text) / count)
        lines = [text[start : start + step] for start in range(0, len(text), step)]
        widest = max(font.width(line) for line in lines)
        size = min(width / max(widest, 1.0), height / (len(lines) * LINE_HEIGHT))
        if size > best[1]:
            best = lines, size
    return best
