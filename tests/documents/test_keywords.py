"""Runs and hits of keywords: each rule of the split, with gaps and baselines computed by hand."""

from __future__ import annotations

import pytest

from kfq_async.documents import Limits, PdfError, Point, PositionRefused, TextRun, find_keyword, open_pdf, text_runs
from pdfs import A4, pdf, show, stream

COURIER = "<</Type/Font/Subtype/Type1/BaseFont/Courier>>"
"""Glyphs and spaces are 0.6 of the size wide: at 10 points a gap splits beyond min(3, 1.8) points."""


def runs_of(*contents: str, boxes: str = A4) -> list[TextRun]:
    """Return the runs of pages with these contents; font /C is Courier."""
    return list(text_runs(open_pdf(pdf(contents, fonts={"C": COURIER}, boxes=boxes))))


def texts_of(*contents: str) -> list[str]:
    """Return the texts of the runs of pages with these contents."""
    return [run.text for run in runs_of(*contents)]


def text(string: str, x: float, y: float, **options: object) -> str:
    """Show text in Courier."""
    return show(string, x, y, font="C", **options)  # type: ignore[arg-type]  # options of show()


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (text("one two", 50, 700), ["one", "two"]),
        (text("a.b,c[d]e(f:g;h!i?j\\)k/l", 50, 700).replace("e(f", "e\\(f"), list("abcdefghijkl")),
        (text("x-y_z", 50, 700), ["x-y_z"]),
        (text("ab", 50, 700) + text("cd", 63.7, 700), ["abcd"]),  # gap 1.7
        (text("ab", 50, 700) + text("cd", 63.9, 700), ["ab", "cd"]),  # gap 1.9
        (text("ab", 50, 700, before="1.7 Tc"), ["ab"]),
        (text("ab", 50, 700, before="1.9 Tc"), ["a", "b"]),
        (text("cd", 62, 700) + text("ab", 50, 700), ["abcd"]),  # sorted by place
        (text("ab", 50, 680) + text("cd", 50, 700), ["cd", "ab"]),  # lines from the top
        (text("ab", 50, 700) + text("cd", 62, 690), ["ab", "cd"]),  # another line
        (text("ab", 50, 700) + text("cd", 62, 699.8), ["ab", "cd"]),  # another baseline
        (text("ab", 50, 700) + text("cd", 62, 700.04), ["abcd"]),
        (text("ab", 50, 700) + text("c", 62, 703, size=6), ["ab", "c"]),  # superscript
        (text("ab", 50, 700) + text("ab", 50.3, 700), ["ab"]),  # printed twice
        (text("a", 50, 700) + text("a", 52.1, 700), ["aa"]),
        (text("ab", 50, 700) + text("ab", 350, 700), ["ab", "ab"]),  # far apart on one line
        (text("ab", 50, 700) + text("x", 300, 703) + text("cd", 400, 700), ["ab", "x", "cd"]),
        (text("ab", 50, 700, size=10) + text("cd", 62, 700, size=20), ["abcd"]),
        ("", []),
    ],
)
def test_runs(content: str, texts: list[str]) -> None:
    """Blanks, punctuation, gaps, lines and baselines split text, operators do not."""
    assert texts_of(content) == texts


def test_blanks_are_those_of_java() -> None:
    """An ideographic space splits; a no-break space does not."""
    encoding = "<</Differences[1/uni3000 2/uni00A0 3/uni2007 4/uni0085 5/uni001C]>>"
    font = f"<</Type/Font/Subtype/Type1/BaseFont/Courier/Encoding{encoding}/FirstChar 0/Widths[{'600 ' * 256}]>>"
    data = pdf([show("a\x01b\x02c\x03d\x04e\x05f", 50, 700, font="J")], fonts={"J": font})
    assert [run.text for run in text_runs(open_pdf(data))] == ["a", "b\xa0c\u2007d\x85e", "f"]


@pytest.mark.parametrize(
    ("matrix", "x", "y"),
    [
        ("1 0 0 1", 90, 732),
        ("0 1 -1 0", 90, 90),
        ("-1 0 0 -1", 495, 90),
        ("0 -1 1 0", 732, 495),
    ],
)
def test_places_of_runs(matrix: str, x: float, y: float) -> None:
    """Places are taken along the text's direction, from the corner of the CropBox, rounded to 0.1."""
    # CropBox 585 × 822 with its corner at (10, 20); the origin (100.04, 110.04) lies (90.04, 90.04) inside.
    content = f"BT /C 10 Tf {matrix} 100.04 110.04 Tm (Sign) Tj ET"
    (run,) = runs_of(content, boxes="/MediaBox[0 0 595 842]/CropBox[10 20 595 842]/Rotate 90")
    assert (run.page, run.text, run.x, run.y) == (1, "Sign", x, y)
    assert run.origins[0] == Point(100.04, 110.04)


def test_directions_come_one_after_the_other() -> None:
    """Upright text comes before turned text, wherever it stands."""
    turned = "BT /C 10 Tf 0 1 -1 0 50 800 Tm (turned) Tj ET "
    assert texts_of(turned + text("upright", 50, 100)) == ["upright", "turned"]


PAGES = [
    text("Party A: Seal", 50, 700) + text("Seal,Date", 300, 700) + text("mySeals", 50, 600),
    text("nothing", 50, 700),
    text("Seal", 72, 500),
]


def hits(keyword: str, keyword_type: str = "0", pages: list[str] = PAGES) -> list[tuple[int, float, float, str]]:
    """Return the hits of a keyword: page, place and run."""
    document = open_pdf(pdf(pages, fonts={"C": COURIER}))
    return [(hit.page, hit.x, hit.y, hit.run) for hit in find_keyword(document, keyword, keyword_type)]


def test_hits() -> None:
    """Hits are the starts of runs, in the order of pages, lines and columns; one in a run counts once."""
    every = [(1, 104, 142, "Seal"), (1, 300, 142, "Seal"), (1, 50, 242, "mySeals"), (3, 72, 342, "Seal")]
    assert hits("Seal") == every
    assert hits("Seal", "1") == every[:1]
    assert hits("Seal", "-1") == every[-1:]
    assert hits("Seal,Nowhere") == every
    assert hits("s") == [(1, 50, 242, "mySeals")]
    assert hits("a", pages=[text("banana", 50, 700)]) == [(1, 50, 142, "banana")]


def test_the_origin_of_a_keyword() -> None:
    """A hit knows where the keyword's own first glyph stands, behind a ligature too."""
    encoding = "/Encoding<</Differences[1/f_i]>>/ToUnicode 500 0 R"
    font = f"<</Type/Font/Subtype/Type1/BaseFont/Courier{encoding}/FirstChar 0/Widths[{'600 ' * 256}]>>"
    extra = {500: stream(b"1 beginbfchar <01> <00660069> endbfchar 1 beginbfrange <41> <7A> <0041> endbfrange")}
    document = open_pdf(pdf([show("of\x01ceSeal", 50, 700, font="J")], fonts={"J": font}, extra=extra))
    (hit,) = find_keyword(document, "Seal", "1")
    assert (hit.run, hit.x, hit.origin) == ("officeSeal", 50, Point(80, 700))


@pytest.mark.parametrize(
    ("keyword", "keyword_type", "field"),
    [
        ("Nowhere", "1", "keyword"),
        ("seal", "1", "keyword"),
        ("Party A", "1", "keyword"),
        ("A:", "1", "keyword"),
        ("", "1", "keyword"),
        (None, "1", "keyword"),
        (",Seal", "1", "keyword"),
        ("Seal", None, "keywordType"),
        ("Seal", "2", "keywordType"),
    ],
)
def test_refused_keywords(keyword: str | None, keyword_type: str | None, field: str) -> None:
    """A keyword that is missing, absent, or holds a blank or punctuation is refused with 31000."""
    document = open_pdf(pdf(PAGES, fonts={"C": COURIER}))
    with pytest.raises(PositionRefused) as refused:
        find_keyword(document, keyword, keyword_type)
    assert (refused.value.field, refused.value.code) == (field, 31_000)


@pytest.mark.parametrize("x", [0, 0.04, -0.04])
def test_a_hit_at_the_left_edge(x: float) -> None:
    """A hit at x = 0, rounded to 0.1, is refused, unless another hit is taken."""
    pages = [text("Seal", 50, 700), text("Seal", x, 700)]
    with pytest.raises(PositionRefused, match=r"^keyword was found at the left edge of the page \(x = 0\)$"):
        hits("Seal", pages=pages)
    assert hits("Seal", "1", pages) == [(1, 50, 142, "Seal")]


def test_glyphs_printed_over_each_other_are_bounded() -> None:
    """Comparing many glyphs of one text in one place has a limit."""
    content = "".join(f"1 0 0 1 {50 + index / 100} 700 Tm (a) Tj " for index in range(200))
    data = pdf([f"BT /C 0.01 Tf {content} ET"], fonts={"C": COURIER})
    with pytest.raises(PdfError, match="more than 1000 comparisons"):
        text_runs(open_pdf(data, limits=Limits(comparisons=1_000)))
