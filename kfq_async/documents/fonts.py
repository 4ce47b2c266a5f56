"""Fonts of a PDF: codes of a string, their text and widths, and the widths and heights that split text into runs."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kfq_async.documents.pdf import PdfDocument, reading
from kfq_async.documents.refusals import PdfError, PdfProblem
from kfq_async.documents.tokens import instructions

if TYPE_CHECKING:
    from pdfminer.pdffont import PDFFont

__all__ = ["Font", "FontLoader"]

_MAX_RANGE = 65_536
"""Maximum number of codes that one range of a CMap or of an array of widths covers."""
_NO_BREAK_SPACE = 0xA0


class Font:
    """Font of a content stream. Lengths are in units of text space, which a font of 1 point maps to points.

    Attributes:
        vertical: Whether the font is written from top to bottom.
        wide: Whether codes have more than one byte; word spacing does not apply to them.
        height: Height by which glyphs belong to a line: half the font's bounding box, or CapHeight if it is smaller.
        space: Width of a space.
    """

    def __init__(
        self,
        *,
        decode: Callable[[bytes], Iterator[tuple[int, int]]],
        text: Callable[[int, int], str | None],
        width: Callable[[int], float],
        height: float,
        space: float,
        wide: bool = False,
        vertical: bool = False,
    ) -> None:
        self.vertical = vertical
        """Whether the font is written from top to bottom."""
        self.wide = wide
        """Whether codes have more than one byte; word spacing does not apply to them."""
        self.height = height
        """Height by which glyphs belong to a line: half the font's bounding box, or CapHeight if it is smaller."""
        self.space = space
        """Width of a space."""
        self._decode = decode
        self._text = text
        self._width = width
        self._known: dict[tuple[int, int], tuple[str | None, float]] = {}

    def glyphs(self, string: bytes) -> Iterator[tuple[int, str | None, float]]:
        """Yield code, text and width of each glyph of a string; the text is ``None`` for a glyph that is skipped."""
        known = self._known
        for code, cid in self._decode(string):
            glyph = known.get((code, cid))
            if glyph is None:
                glyph = known[code, cid] = (self._text(code, cid), self._width(cid))
            yield code, *glyph


class FontLoader:
    """Fonts of a document, each of which is loaded once."""

    def __init__(self, document: PdfDocument) -> None:
        self._document = document
        self._fonts: dict[int, tuple[Mapping[str, Any], Font]] = {}

    def load(self, reference: object) -> Font:
        """Return a font by its reference or dictionary; Helvetica for one that is missing or damaged."""
        spec = self._document.dictionary(reference)
        known = self._fonts.get(id(spec))
        if known is not None:
            return known[1]
        try:
            with reading():
                font = self._load(spec)
        except PdfError as error:
            if error.problem != PdfProblem.DAMAGED:
                raise
            font = self._helvetica()
        # The dictionary is kept, so that no other one can have its id.
        self._fonts[id(spec)] = spec, font
        return font

    def _helvetica(self) -> Font:
        """Return the font for text without one."""
        from pdfminer.psparser import LIT

        return self._simple({"Subtype": LIT("Type1"), "BaseFont": LIT("Helvetica")})

    def _load(self, spec: Mapping[str, Any]) -> Font:
        if not spec:
            return self._helvetica()
        return self._composite(spec) if self._document.name(spec.get("Subtype")) == "Type0" else self._simple(spec)

    def _simple(self, spec: Mapping[str, Any]) -> Font:
        """Load a font with codes of one byte."""
        from pdfminer.pdffont import PDFTrueTypeFont, PDFType1Font, PDFType3Font
        from pdfminer.pdfinterp import PDFResourceManager

        document = self._document
        kinds = {"TrueType": PDFTrueTypeFont, "Type3": PDFType3Font}
        kind = kinds.get(document.name(spec.get("Subtype")), PDFType1Font)
        miner = kind(PDFResourceManager(caching=False), {key: spec[key] for key in spec if key != "ToUnicode"})
        unicode_map = self._unicode_map(spec)
        widths = self._simple_widths(spec, miner)

        def text(code: int, _cid: int) -> str:
            if unicode_map is not None and code in unicode_map:
                return unicode_map[code]
            found = miner.cid2unicode.get(code, chr(code))
            return "\xa0" if code == _NO_BREAK_SPACE and found == " " else found

        def width(code: int) -> float:
            return widths(code) * miner.hscale

        codes = range(256)
        return Font(
            decode=lambda string: zip(string, string, strict=True),
            text=text,
            width=width,
            height=self._height(miner),
            space=self._space(spec, miner, unicode_map, 32, width, map(width, codes)),
        )

    def _simple_widths(self, spec: Mapping[str, Any], miner: PDFFont) -> Callable[[int], float]:
        """Return the widths of codes in glyph space: those of the file, else those of a standard font."""
        if "Widths" not in spec:
            return lambda code: miner.char_width(code) / miner.hscale
        first = self._document.resolve(spec.get("FirstChar"))
        first = first if isinstance(first, int) else 0
        widths = {
            code: float(width)
            for code, width in enumerate(self._document.items(spec["Widths"]), first)
            if isinstance(width, int | float)
        }
        missing = float(miner.default_width)
        return lambda code: widths.get(code, missing)

    def _composite(self, spec: Mapping[str, Any]) -> Font:
        """Load a font whose codes a CMap maps to glyphs."""
        from pdfminer.pdffont import PDFCIDFont
        from pdfminer.pdfinterp import PDFResourceManager

        document = self._document
        descendant = dict(document.dictionary(next(iter(document.items(spec.get("DescendantFonts"))), None)))
        descriptor = dict(document.dictionary(descendant.get("FontDescriptor")))
        program = descriptor.pop("FontFile2", None)
        descendant["FontDescriptor"] = descriptor
        descendant["Encoding"] = document.resolve(spec.get("Encoding"))
        for key in ("W", "W2"):
            self._check_ranges(document.items(descendant.get(key)))
        miner = PDFCIDFont(PDFResourceManager(caching=False), descendant)
        cmap: Any = miner.cmap
        unicode_map = self._unicode_map(spec)
        by_glyph = miner.unicode_map

        def text(code: int, cid: int) -> str | None:
            if unicode_map is not None:
                return unicode_map.get(code)
            try:
                return None if by_glyph is None else by_glyph.get_unichr(cid)
            except KeyError:
                return None

        def decode(string: bytes) -> Iterator[tuple[int, int]]:
            table = getattr(cmap, "code2cid", None)
            return _identity(string) if table is None else _by_table(string, table)

        space_cid = next((cid for code, cid in decode(b"\x00\x20") if code == 32), 32)
        return Font(
            decode=decode,
            text=text,
            width=miner.char_width,
            height=self._height(miner),
            space=self._space(
                spec,
                miner,
                unicode_map,
                space_cid,
                miner.char_width,
                (width * miner.hscale for width in miner.widths.values()),
                document.stream(program),
            ),
            wide=True,
            vertical=miner.is_vertical(),
        )

    def _unicode_map(self, spec: Mapping[str, Any]) -> dict[int, str] | None:
        """Return the texts of codes that ToUnicode gives; ``None`` without it."""
        data = self._document.stream(spec.get("ToUnicode"))
        return None if data is None else _read_unicode_map(data, self._document)

    def _check_ranges(self, widths: list[Any]) -> None:
        """Refuse an array of widths with a range that pdfminer.six would spell out for long."""
        numbers = [item if isinstance(item, int | float) else None for item in widths]
        for first, last in pairwise(numbers):
            if first is not None and last is not None and last - first > _MAX_RANGE:
                self._document.budget.exceeded(f"a range of more than {_MAX_RANGE} widths")

    def _height(self, miner: PDFFont) -> float:
        """Return the height by which glyphs belong to a line."""
        half = (miner.bbox[3] - miner.bbox[1]) / 2
        cap = self._document.resolve(miner.descriptor.get("CapHeight"))
        if isinstance(cap, int | float) and cap and (cap < half or not half):
            half = cap
        return float(half) * miner.vscale

    def _space(  # noqa: PLR0917  # each step of the rule looks elsewhere
        self,
        spec: Mapping[str, Any],
        miner: PDFFont,
        unicode_map: Mapping[int, str] | None,
        space_cid: int,
        width: Callable[[int], float],
        widths: Iterator[float],
        program: bytes | None = None,
    ) -> float:
        """Return the width of a space: by the code of U+0020, else glyph 32 of the program, else the mean width."""
        found = 0.0
        if unicode_map is None:
            found = width(space_cid)
        else:
            code = next((code for code, text in unicode_map.items() if text == " "), None)
            found = 0.0 if code is None else width(code)
        if found <= 0:
            if program is None:
                descriptor = self._document.dictionary(spec.get("FontDescriptor"))
                program = self._document.stream(descriptor.get("FontFile2"))
            found = _advance(program or b"", 32)
        if found <= 0:
            known = [one for one in widths if one > 0]
            found = sum(known) / len(known) if known else float(miner.default_width) * miner.hscale
        return found if found > 0 else 1.0


def _identity(string: bytes) -> Iterator[tuple[int, int]]:
    for code in struct.unpack(f">{len(string) // 2}H", string[: len(string) // 2 * 2]):
        yield code, code


def _by_table(string: bytes, table: Mapping[int, Any]) -> Iterator[tuple[int, int]]:
    """Yield code and glyph of each character, by a CMap that nests a table for each byte."""
    node, code = table, 0
    for byte in string:
        code = code << 8 | byte
        found = node.get(byte)
        if isinstance(found, Mapping):
            node = found
            continue
        if found is not None:
            yield code, found
        node, code = table, 0


def _read_unicode_map(data: bytes, document: PdfDocument) -> dict[int, str]:
    """Read a ToUnicode CMap: the text of each code."""
    found: dict[int, str] = {}
    for operator, operands in instructions(data, document.budget):
        match operator:
            case b"endbfchar":
                for code, text in zip(operands[::2], operands[1::2], strict=False):
                    if isinstance(code, bytes) and isinstance(text, bytes):
                        found[int.from_bytes(code)] = _utf16(text)
            case b"endbfrange":
                for low, high, text in zip(operands[::3], operands[1::3], operands[2::3], strict=False):
                    if isinstance(low, bytes) and isinstance(high, bytes):
                        _add_range(found, int.from_bytes(low), int.from_bytes(high), text, document)
            case _:
                pass
    return found


def _add_range(found: dict[int, str], low: int, high: int, text: object, document: PdfDocument) -> None:
    if high - low > _MAX_RANGE:
        document.budget.exceeded(f"a range of more than {_MAX_RANGE} characters")
    document.budget.spend("operators", max(high - low, 0))
    if isinstance(text, list):
        for code, one in zip(range(low, high + 1), text, strict=False):
            if isinstance(one, bytes):
                found[code] = _utf16(one)
    elif isinstance(text, bytes) and text:
        last = int.from_bytes(text[-2:])
        for code in range(low, high + 1):
            found[code] = _utf16(text[:-2] + (last + code - low & 0xFFFF).to_bytes(2))


def _utf16(data: bytes) -> str:
    """Return the text of a code; an empty entry is U+0000."""
    return data.rjust(2, b"\0").decode("utf-16-be", "replace") if data else "\0"


def _advance(program: bytes, glyph: int) -> float:
    """Return the advance width of a glyph of a TrueType font program in units of text space; 0 if it has none."""
    try:
        tables = _truetype_tables(io.BytesIO(program))
        units = struct.unpack_from(">H", program, tables[b"head"] + 18)[0]
        count = struct.unpack_from(">H", program, tables[b"hhea"] + 34)[0]
        advance: int = struct.unpack_from(">H", program, tables[b"hmtx"] + 4 * min(glyph, count - 1))[0]
        return float(advance / units)
    except (struct.error, KeyError, ZeroDivisionError):
        return 0.0


def _truetype_tables(file: io.BytesIO) -> dict[bytes, int]:
    """Return the offsets of the tables of a TrueType font program."""
    _, count = struct.unpack(">4sH6x", file.read(12))
    return {tag: offset for tag, _, offset, _ in (struct.unpack(">4sIII", file.read(16)) for _ in range(count))}
