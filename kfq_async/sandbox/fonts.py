"""Fonts of the sandbox's pictures: one of the system, or that of the extra ``sandbox``, cut down to a text.

Only Noto and Source Han are looked for on the system: their licence (OFL) allows them to be embedded anywhere.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from contextlib import suppress
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ASCENT", "DESCENT", "EmbeddedFont", "embed", "system_fonts"]

UNITS = 1000
"""Units of a font's em, as PDF counts widths."""
ASCENT, DESCENT = 880, -120
"""Height and depth of the em box of a Chinese character above and below the baseline."""
WEIGHT = 600
"""Weight at which a variable font is drawn: strokes as strong as those of a seal."""
NAMES = ("NotoSerifCJK-Bold", "NotoSerifCJK", "SourceHanSerif", "NotoSansCJK", "SourceHanSans", "NotoSansSC")
"""Beginnings of the names of fonts that may be embedded, the preferred first."""
SUFFIXES = {".otf", ".ttc", ".ttf"}
FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("~/.local/share/fonts"),
    Path("~/.fonts"),
    Path("~/Library/Fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
    Path("~/AppData/Local/Microsoft/Windows/Fonts"),
)
"""Usual folders of fonts on Linux, macOS and Windows."""
PACKAGE, PACKAGE_FONT = "justmytype_intl_cjk", "fonts/ofl/notosanssc/NotoSansSC[wght].ttf"
LETTERS = "ABCDEFGHIJKLMNOP"
TAG_LENGTH = 6
"""Number of letters before the name of a font that is cut down (ISO 32000-1, 9.6.4)."""

_lock = Lock()


@frozen
class EmbeddedFont:
    """A font with the glyphs of one text, as TrueType.

    Attributes:
        name: PostScript name, with the tag of a font that is cut down.
        data: The font file.
        codes: Glyph id of each character.
        widths: Advance width of each glyph id, in 1/1000 of the font size.
    """

    name: str
    data: bytes = field(repr=False)
    codes: Mapping[str, int]
    widths: tuple[int, ...]

    def encode(self, text: str) -> str:
        """Return the string operand that shows a text: two bytes a character, in hexadecimal."""
        return "<" + "".join(f"{self.codes[character]:04x}" for character in text) + ">"

    def width(self, text: str) -> float:
        """Return the advance width of a text, as a multiple of the font size."""
        return sum(self.widths[self.codes[character]] for character in text) / UNITS


@frozen(eq=False)
class _Typeface:
    """A font that was opened: the names of its glyphs by code point, and what draws them."""

    name: str
    units: int
    names: Mapping[int, str]
    glyphs: Any

    def lacks(self, text: str) -> int:
        """Return the number of characters that the font does not have."""
        return sum(ord(character) not in self.names for character in text)


def system_fonts(folders: Iterable[Path] = FOLDERS) -> list[Path]:
    """Return the fonts of the system that may be embedded, the preferred first."""
    found: list[Path] = []
    for folder in folders:
        with suppress(RuntimeError):  # there is no home
            found += sorted(folder.expanduser().rglob("*"))
    found = [path for path in found if path.suffix in SUFFIXES and path.name.startswith(NAMES)]
    return sorted(found, key=lambda path: next(rank for rank, name in enumerate(NAMES) if path.name.startswith(name)))


def embed(text: str) -> EmbeddedFont:
    """Return a font with the glyphs of a text: the first font that has all of them, or else the most of them.

    A character that it does not have becomes a box. Takes CPU time, above all the first time.

    Raises:
        ModuleNotFoundError: fontTools or the package of the font is not installed (extra ``sandbox``).
    """
    with _lock:  # fonts are read from their files as needed
        return _cut_down("".join(sorted(set(text))))


@lru_cache(64)
def _cut_down(characters: str) -> EmbeddedFont:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.cu2quPen import Cu2QuPen
    from fontTools.pens.transformPen import TransformPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    typeface = _typeface_for(characters)
    scale = UNITS / typeface.units
    drawn, widths = {}, []
    for code, name in enumerate([".notdef", *(typeface.names.get(ord(each), ".notdef") for each in characters)]):
        pen = TTGlyphPen(None)
        typeface.glyphs[name].draw(TransformPen(Cu2QuPen(pen, max_err=1.0), (scale, 0, 0, scale, 0, 0)))
        drawn[f"glyph{code}"] = pen.glyph()
        widths.append(round(typeface.glyphs[name].width * scale))
    order = list(drawn)
    order[0] = ".notdef"
    drawn[".notdef"] = drawn.pop("glyph0")
    codes = {character: code for code, character in enumerate(characters, start=1)}
    builder = FontBuilder(UNITS, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({ord(character): order[code] for character, code in codes.items()})
    builder.setupGlyf(drawn)
    builder.setupHorizontalMetrics({name: (width, 0) for name, width in zip(order, widths, strict=True)})
    builder.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    builder.setupOS2()
    builder.setupPost(keepGlyphNames=False)
    builder.updateHead(created=0, modified=0)  # the same bytes for the same text
    builder.font.recalcTimestamp = False
    written = io.BytesIO()
    builder.save(written)
    digest = hashlib.sha256(written.getvalue()).hexdigest()[:TAG_LENGTH]
    tag = "".join(LETTERS[int(digit, 16)] for digit in digest)
    return EmbeddedFont(f"{tag}+{typeface.name}", written.getvalue(), codes, tuple(widths))


def _typeface_for(characters: str) -> _Typeface:
    best: _Typeface | None = None
    for typeface in _typefaces():
        if best is None or typeface.lacks(characters) < best.lacks(characters):
            best = typeface
        if not best.lacks(characters):
            break
    assert best is not None  # noqa: S101  # the extra has a font
    return best


def _typefaces() -> Iterator[_Typeface]:
    for path in _paths():
        yield _open(path)


@cache
def _paths() -> tuple[Path, ...]:
    """Return the fonts in the order in which they are tried; that of the extra is the last."""
    return (*system_fonts(), Path(str(files(PACKAGE) / PACKAGE_FONT)))


@cache
def _open(path: Path) -> _Typeface:
    """Open a font; of a collection, the one with the forms of simplified Chinese."""
    from fontTools.ttLib import TTCollection, TTFont

    if path.suffix == ".ttc":
        members = TTCollection(path, lazy=True).fonts
        font = next((each for each in members if " SC" in each["name"].getDebugName(1)), members[0])
    else:
        font = TTFont(path, lazy=True)
    glyphs = font.getGlyphSet(location={"wght": WEIGHT} if "fvar" in font else None)
    name = font["name"].getDebugName(6).partition("-")[0]  # a variable font is named after its default weight
    return _Typeface(name, font["head"].unitsPerEm, font.getBestCmap(), glyphs)
