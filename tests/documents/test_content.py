"""Glyphs of pages: operators, forms, fonts, and marked content; places by hand from the operators."""

from __future__ import annotations

import struct
from math import sqrt

import pytest

from kfq_async.documents import Limits, PdfError, open_pdf, text_runs
from kfq_async.documents.content import Glyph, PageReader
from pdfs import A4, pdf, show, stream

COURIER = "<</Type/Font/Subtype/Type1/BaseFont/Courier>>"
"""Every glyph is 0.6 of the size wide."""


def glyphs_of(content: str, **options: object) -> list[Glyph]:
    """Return the glyphs of the only page of a PDF; font /C is Courier."""
    fonts = {"C": COURIER, **options.pop("fonts", {})}  # type: ignore[dict-item]  # a mapping
    document = open_pdf(pdf([content], fonts=fonts, **options))  # type: ignore[arg-type]  # options of pdf()
    return PageReader(document).glyphs(document.pages[0])


def places(content: str, **options: object) -> list[tuple[str, float, float]]:
    """Return text and origin of each glyph."""
    return [(one.text, round(one.x, 3), round(one.y, 3)) for one in glyphs_of(content, **options)]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("BT /C 10 Tf 50 700 Td (ab) Tj ET", [("a", 50, 700), ("b", 56, 700)]),
        ("BT /C 10 Tf 5 Tc 2 Tw 50 Tz 50 700 Td (a b) Tj ET", [("a", 50, 700), (" ", 55.5, 700), ("b", 62, 700)]),
        ("BT /C 10 Tf 5 Ts 50 700 Td [(a) -100 (b)] TJ ET", [("a", 50, 705), ("b", 57, 705)]),
        ("BT /C 10 Tf 12 TL 50 700 Td (a) Tj T* (b) Tj ET", [("a", 50, 700), ("b", 50, 688)]),
        ("BT /C 10 Tf 50 700 Td 0 -20 TD (a) Tj (b) ' ET", [("a", 50, 680), ("b", 50, 660)]),
        ('BT /C 10 Tf 12 TL 50 700 Td 1 2 (a b) " ET', [("a", 50, 688), (" ", 58, 688), ("b", 67, 688)]),
        ("2 0 0 2 10 20 cm BT /C 10 Tf 5 5 Td (a) Tj ET", [("a", 20, 30)]),
        ("q 2 0 0 2 0 0 cm Q Q BT /C 10 Tf 1 0 0 1 7 8 Tm (a) Tj ET", [("a", 7, 8)]),
        ("/G gs BT 5 5 Td (ab) Tj ET", [("a", 5, 5), ("b", 17, 5)]),
        ("/H gs /No gs BT /C 10 Tf 5 5 Td (a) Tj ET", [("a", 5, 5)]),
        ("BT /No 10 Tf 5 5 Td (a) Tj ET", [("a", 5, 5)]),
        ("BT 5 5 Td (a) Tj ET q BT (b) Tj ET Q BT (c) Tj ET", [("a", 5, 5), ("b", 0, 0), ("c", 0, 0)]),
        ("BT /C 10 Tf [(a) /N (b)] TJ ET", [("a", 0, 0), ("b", 6, 0)]),
        ("Td /C Tf 1 (a) Td (x) Tc 1 2 cm BT /C 10 Tf (a) Tj 7 Tj ET", [("a", 0, 0)]),
        ("BT /C 10 Tf 1 0 0 1 99999999 5 Tm (a) Tj 1 0 0 1 5 5 Tm (b) Tj ET", [("b", 5, 5)]),
        ("BI /W 1 /H 1 ID (x) Tj \xff EI BT /C 10 Tf (a) Tj ET", [("a", 0, 0)]),
        ("BT /C 10 Tf (a) Tj ET BI ID x", [("a", 0, 0)]),
    ],
)
def test_text_operators(content: str, found: list[tuple[str, float, float]]) -> None:
    """Origins follow the text operators; operators with unfit operands are skipped."""
    state = f"/ExtGState<</G<</Font[{COURIER} 20]>>/H<</Font 3>>>>"
    assert places(content, resources=state) == found


@pytest.mark.parametrize(
    ("matrix", "direction"),
    [
        ("1 0 0 1", 0),
        ("0 1 -1 0", 90),
        ("-1 0 0 -1", 180),
        ("0 -1 1 0", 270),
        (f"{sqrt(0.5)} {sqrt(0.5)} {-sqrt(0.5)} {sqrt(0.5)}", 0),
        ("1 0 0 -1", 0),
        ("0 1 1 0", 0),
        ("0 -2 1 0.5", 270),
    ],
)
def test_directions(matrix: str, direction: int) -> None:
    """Text is turned by the quarter to which its matrix points; 45 degrees and mirrored text count as 0."""
    (glyph,) = glyphs_of(f"BT /C 10 Tf {matrix} 50 60 Tm (a) Tj ET")
    assert glyph.style.direction == direction
    assert glyph.width == pytest.approx(12 if "-2" in matrix else 6)


def test_forms() -> None:
    """A form has its own matrix and resources, else those of the page; it draws itself twenty times at most."""
    forms: dict[int, str | bytes] = {
        500: stream(
            b"BT /D 10 Tf 1 2 Td (f) Tj ET /X Do",
            f"/Subtype/Form/BBox[0 0 9 9]/Matrix[2 0 0 2 100 0]/Resources<</Font<</D {COURIER}>>>>",
        ),
        501: stream(b"BT 3 4 Td (g) Tj ET", "/Subtype/Form/BBox[0 0 9 9]"),
        502: stream(b"/L Do BT (h) Tj ET", "/Subtype/Form"),
        503: stream(b"", "/Subtype/Image"),
    }
    names = "/XObject<</X 500 0 R/Y 501 0 R/L 502 0 R/I 503 0 R>>"
    content = "1 0 0 1 5 5 cm /C 10 Tf /X Do /Y Do /I Do /No Do 3 Do"
    assert places(content, resources=names, extra=forms) == [("f", 107, 9), ("g", 8, 9)]
    assert places("/C 10 Tf /L Do", resources=names, extra=forms) == [("h", 0, 0)] * 20


ACTUAL = "/Properties<</P<</ActualText(Z)>>/Q<</MCID 1>>>>"


@pytest.mark.parametrize(
    ("content", "texts", "hidden"),
    [
        ("/Span <</ActualText(X)>> BDC (a) Tj EMC (b) Tj", "Xb", False),
        ("/Span <</ActualText<FEFF7532>>> BDC (a) Tj EMC (b) Tj", "甲b", False),
        ("/Span /P BDC (a) Tj EMC (b) Tj", "Zb", False),
        ("/Span /Q BDC (ab) Tj EMC", "ab", False),
        ("/Span 5 BDC (ab) Tj EMC", "ab", False),
        ("/Span /No BDC (ab) Tj EMC EMC", "ab", False),
        ("/Span BMC (ab) Tj EMC", "ab", False),
        ("/Span <</ActualText(X)>> BDC EMC (ab) Tj", "ab", False),
        ("/Span <</ActualText(X)>> BDC (ab) Tj EMC", "ab", True),
        ("/Span /P BDC (a) Tj /Inner BMC (b) Tj EMC EMC", "ab", True),
    ],
)
def test_actual_text(content: str, texts: str, hidden: bool) -> None:  # noqa: FBT001  # one column of the table
    """An ActualText replaces the text of one glyph; over several it hides the document's text."""
    document = open_pdf(pdf([f"BT /F 10 Tf 9 9 Td {content} ET", show("other", 9, 9)], resources=ACTUAL))
    reader = PageReader(document)
    assert "".join(one.text for one in reader.glyphs(document.pages[0])) == texts
    assert reader.hidden is hidden
    assert bool(text_runs(document)) is not hidden


def test_fonts_of_one_byte() -> None:
    """Text comes from ToUnicode, else the encoding, else the code itself; widths from the file."""
    cmap = (
        b"/C C def 2 beginbfchar <01> <7532> <02> <> 7 <03> endbfchar"
        b" 3 beginbfrange <10> <12> <0041> <20> <21> [<0058> 7] <30> <31> <D83DDE00> 5 5 5 <40> <41> 7 endbfrange"
    )
    font = (
        "<</Type/Font/Subtype/TrueType/BaseFont/Own/FirstChar 1/Widths[500 600 /No 700]/ToUnicode 500 0 R"
        "/FontDescriptor<</FontName/Own/MissingWidth 250/FontBBox[0 -200 1000 800]/CapHeight 300>>>>"
    )
    content = "BT /U 10 Tf <01021012203031> Tj ET"
    found = glyphs_of(content, fonts={"U": font}, extra={500: stream(cmap)})
    assert [one.text for one in found] == ["甲", "\0", "A", "C", "X", "\U0001f600", "\U0001f601"]
    assert [one.width for one in found] == pytest.approx([5, 6, 2.5, 2.5, 2.5, 2.5, 2.5])
    assert {one.style.height for one in found} == {3}
    plain = font.replace("/ToUnicode 500 0 R", "").replace("FirstChar 1", "FirstChar/No")
    assert [one.text for one in glyphs_of("BT /U 10 Tf <41A00120> Tj ET", fonts={"U": plain})] == [
        "A",
        "\xa0",
        "\x01",
        " ",
    ]


def truetype(advances: list[int], units: int = 1000) -> bytes:
    """Return a TrueType font program that has the tables of widths alone."""
    head = bytes(18) + struct.pack(">H", units)
    hhea = bytes(34) + struct.pack(">H", len(advances))
    hmtx = b"".join(struct.pack(">Hh", advance, 0) for advance in advances)
    out, offset = struct.pack(">4sH6x", b"\0\1\0\0", 3), 12 + 3 * 16
    for tag, table in ((b"head", head), (b"hhea", hhea), (b"hmtx", hmtx)):
        out += struct.pack(">4sIII", tag, 0, offset, len(table))
        offset += len(table)
    return out + head + hhea + hmtx


@pytest.mark.parametrize(
    ("entries", "program", "space"),
    [
        ("/FirstChar 32/Widths[400]", b"", 4),
        ("/FirstChar 65/Widths[400 600]", truetype([100] * 32 + [333]), 3.33),
        ("/FirstChar 65/Widths[400 600]", truetype([250]), 2.5),
        ("/FirstChar 65/Widths[400 600]", truetype([250], 0), 5),
        ("/FirstChar 65/Widths[400 600]", b"no font", 5),
        ("/FirstChar 65/Widths[]", b"", 10),
        ("/FirstChar 32/Widths[400 600]/ToUnicode 500 0 R", b"", 6),
        ("/FirstChar 32/Widths[400 600]/ToUnicode 501 0 R", b"", 5),
    ],
)
def test_width_of_a_space(entries: str, program: bytes, space: float) -> None:
    """A space is as wide as U+0020, or glyph 32 of the font program, or the mean of the widths, or the size."""
    font = f"<</Subtype/TrueType/BaseFont/Own{entries}/FontDescriptor<</FontFile2 502 0 R>>>>"
    extra: dict[int, str | bytes] = {
        500: stream(b"1 beginbfchar <21> <0020> endbfchar"),
        501: stream(b"1 beginbfchar <20> <0041> endbfchar"),
        502: stream(program),
    }
    (glyph,) = glyphs_of("BT /U 10 Tf (A) Tj ET", fonts={"U": font}, extra=extra)
    assert glyph.style.space == pytest.approx(space)


def composite(descendant: str, encoding: str = "/Identity-H", entries: str = "") -> str:
    """Return a font with codes of several bytes."""
    return (
        f"<</Type/Font/Subtype/Type0/BaseFont/Own/Encoding{encoding}{entries}"
        f"/DescendantFonts[<</Type/Font/Subtype/CIDFontType2/BaseFont/Own{descendant}>>]>>"
    )


IDENTITY = "/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)>>"
GB1 = "/CIDSystemInfo<</Registry(Adobe)/Ordering(GB1)>>"


def test_fonts_of_several_bytes() -> None:
    """Codes are mapped by ToUnicode, else by the character collection; a glyph without text is skipped."""
    unicode_map = {500: stream(b"1 beginbfchar <0001> <7532> endbfchar")}
    font = composite(f"{IDENTITY}/W[1[500] 2 4 700]/DW 900", entries="/ToUnicode 500 0 R")
    found = glyphs_of("BT /U 10 Tf 9 Tw <0001000300010> Tj ET", fonts={"U": font}, extra=unicode_map)
    assert [(one.text, one.x, one.width) for one in found] == [("甲", 0, 5), ("甲", 12, 5)]
    assert places("BT /U 10 Tf <00010003> Tj ET", fonts={"U": composite(IDENTITY)}) == []
    # GBK: one byte for ASCII, two for 甲 and 乙; a byte that begins no character is skipped.
    text = "BT /U 10 Tf (a) Tj <BCD7FFD2D2> Tj ET"
    assert places(text, fonts={"U": composite(GB1, "/GBK-EUC-H")}) == [("a", 0, 0), ("甲", 10, 0), ("乙", 20, 0)]
    (glyph,) = glyphs_of("BT /U 10 Tf <0002> Tj ET", fonts={"U": composite(f"{GB1}/W[1[250]]")})
    assert (glyph.text, glyph.style.space) == ("!", 10)
    assert places("BT /U 10 Tf <FFFF> Tj ET", fonts={"U": composite(GB1)}) == []


def test_space_of_a_font_program() -> None:
    """Of a font of several bytes, glyph 32 of the program counts where no code is a space."""
    descendant = f"{IDENTITY}/W[1[500]]/FontDescriptor<</FontFile2 501 0 R>>"
    extra = {500: stream(b"1 beginbfchar <0001> <7532> endbfchar"), 501: stream(truetype([0] * 32 + [300]))}
    font = composite(descendant, entries="/ToUnicode 500 0 R")
    (glyph,) = glyphs_of("BT /U 10 Tf <0001> Tj ET", fonts={"U": font}, extra=extra)
    assert glyph.style.space == pytest.approx(3)


def test_vertical_writing() -> None:
    """Glyphs of a vertical font go down the page."""
    text = "BT /U 10 Tf 50 700 Td [<BCD7> -100 <D2D2>] TJ ET"
    assert places(text, fonts={"U": composite(GB1, "/GBK-EUC-V")}) == [("甲", 50, 700), ("乙", 50, 691)]


@pytest.mark.parametrize(
    "font",
    [
        "<</Type/Font/Subtype/Type3>>",
        "<</Type/Font/Subtype/Type0/DescendantFonts[]/Encoding 5>>",
        "42",
    ],
)
def test_damaged_fonts(font: str) -> None:
    """A font that cannot be read is replaced by Helvetica."""
    found = glyphs_of("BT /U 10 Tf (a) Tj ET BT /U 10 Tf (a) Tj ET", fonts={"U": "500 0 R"}, extra={500: font})
    assert [one.text for one in found] == ["a", "a"]
    assert [one.width for one in found] == pytest.approx([5.56, 5.56])


def test_type_3_fonts() -> None:
    """Widths and heights of a Type 3 font are in units of its own matrix."""
    font = (
        "<</Type/Font/Subtype/Type3/FontMatrix[0.01 0 0 0.01 0 0]/FontBBox[0 0 50 80]/FirstChar 97/Widths[60]"
        "/CharProcs<<>>/Encoding<</Differences[97/a]>>>>"
    )
    (glyph,) = glyphs_of("BT /U 10 Tf (a) Tj ET", fonts={"U": font})
    assert glyph.text == "a"
    assert (glyph.width, glyph.style.height) == pytest.approx((6, 4))


@pytest.mark.parametrize(
    "font",
    [
        composite(f"{IDENTITY}/W[1 99999999 500]"),
        composite(IDENTITY, entries="/ToUnicode 500 0 R"),
        composite(IDENTITY, entries="/ToUnicode 501 0 R"),
    ],
)
def test_fonts_made_to_exhaust_the_reader(font: str) -> None:
    """Ranges of widths and of characters are bounded."""
    extra = {
        500: stream(b"1 beginbfrange <00000000> <FFFFFFFF> <0041> endbfrange"),
        501: stream(b"beginbfrange " + b"<0000> <FFFF> <0041> " * 9 + b"endbfrange"),
    }
    data = pdf(["BT /U 10 Tf (a) Tj ET"], fonts={"U": font}, extra=extra)
    with pytest.raises(PdfError, match=r"too large to be read: .*more than "):
        text_runs(open_pdf(data, limits=Limits(operators=500_000)))


@pytest.mark.parametrize(
    ("string", "text"),
    [
        (r"(a\)b)", "a)b"),
        ("(a(b)c)", "a(b)c"),
        (r"(\101\53x\q\\)", "A+xq\\"),
        ("(a\\\nb)", "ab"),
        ("(a\\\r\nb)", "ab"),
        ("(a\r\nb)", "a\nb"),
        (r"(\n\t)", "\n\t"),
        ("<4 1 42 5>", "ABP"),
        ("(open", ""),
    ],
)
def test_strings(string: str, text: str) -> None:
    """Strings have escapes, nested parentheses and hexadecimal digits."""
    assert "".join(one.text for one in glyphs_of(f"BT /C 10 Tf {string} Tj")) == text


@pytest.mark.parametrize(
    ("content", "x"),
    [
        ("+5 0 Td", 5),
        ("--5 0 Td", -5),
        (".5 0 Td", 0.5),
        ("5. 0 Td", 5),
        ("5-3 0 Td", 5),
        ("% 9 0 Td\n2 0 Td", 2),
        ("<</A[1 2]/B(x)>> ] > ) 3 0 Td", 3),
    ],
)
def test_numbers(content: str, x: float) -> None:
    """Numbers are read leniently, comments and stray characters are passed over."""
    assert places(f"BT /#43 10 Tf {content} (a) Tj ET") == [("a", x, 0)]


def test_boxes_do_not_move_glyphs() -> None:
    """Origins are in raw user space, whatever boxes and rotation are."""
    data = pdf([show("a", 50, 60)], boxes=f"{A4}/CropBox[10 10 90 90]/Rotate 90".replace("[0 0 595", "[-5 -5 595"))
    document = open_pdf(data)
    (glyph,) = PageReader(document).glyphs(document.pages[0])
    assert (glyph.x, glyph.y) == (50, 60)
