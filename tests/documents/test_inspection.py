"""Inspection of keywords: lines, clauses, and reasons why the platform does not find what is there."""

from __future__ import annotations

import pytest

from kfq_async.documents import (
    KeywordReport,
    Point,
    PositionRefused,
    ProblemKind,
    Rect,
    box_beside,
    find_keyword,
    inspect_keyword,
    mark_of,
    open_pdf,
)
from pdfs import A4, pdf, show, stream

MAPPED = "<</Type/Font/Subtype/Type1/BaseFont/Courier/ToUnicode 500 0 R>>"
IMAGE = "<</Type/XObject/Subtype/Image/Width 1/Height 1/BitsPerComponent 8/ColorSpace/DeviceGray/Length 1>>"


def inspect(keyword: str, *pages: str, texts: str = "", resources: str = "") -> KeywordReport:
    """Inspect a keyword in pages; font /M shows the characters of `texts` as bytes 1, 2, 3 and so on."""
    codes = "".join(f"<{code:02x}> <{ord(text):04x}>\n" for code, text in enumerate(texts, 1))
    cmap = stream(f"{len(texts)} beginbfchar\n{codes}endbfchar".encode())
    image = IMAGE.encode() + b"\nstream\n0\nendstream"
    data = pdf(pages, fonts={"M": MAPPED}, resources=resources, extra={500: cmap, 501: image})
    return inspect_keyword(open_pdf(data), keyword)


def mapped(text: str, texts: str, x: float, y: float) -> str:
    """Show a text with font /M."""
    return show("".join(f"\\{texts.index(character) + 1:03o}" for character in text), x, y, font="M")


def problems(report: KeywordReport) -> list[tuple[str, str, tuple[int, ...], int | None]]:
    """Return the problems of a report."""
    return [(problem.kind.value, problem.text, problem.pages, problem.line) for problem in report.problems]


def test_occurrences() -> None:
    """Each run that holds the keyword has its line and its text, in the platform's order."""
    report = inspect(
        "Seal",
        show("The Seal of", 72, 700) + show("mySeal", 72, 600) + show("here", 300, 602) + show("Seal", 72, 500),
        show("Seal", 72, 700),
    )
    assert [(one.hit.page, one.line, one.line_text) for one in report.occurrences] == [
        (1, 1, "The Seal of"),
        (1, 2, "mySeal here"),
        (1, 3, "Seal"),
        (2, 1, "Seal"),
    ]
    assert report.hits == tuple(one.hit for one in report.occurrences)
    assert (report.searched, report.problems, report.parts) == ("Seal", (), ())


def test_shift() -> None:
    """The hit is the start of the run; the keyword itself stands further on, along the text."""
    (level,) = inspect("Seal", show("mySeal", 72, 600)).occurrences
    # Helvetica at 10 points: m is 8.33 wide, y 5.
    assert (level.run_origin, round(level.shift, 2)) == (Point(72, 600), 13.33)
    (turned,) = inspect("Seal", "BT /F 10 Tf 0 1 -1 0 100 200 Tm (mySeal) Tj ET").occurrences
    assert (turned.run_origin, round(turned.shift, 2)) == (Point(100, 200), 13.33)


SEAL_TEXTS = "Seal\xa0Prty"
TEXTS = "甲方盖章，处：乙⽅⻓长ＦＵLabcdefghij"


@pytest.mark.parametrize(
    ("text", "in_clause"),
    [
        ("甲方盖章", False),
        ("甲方盖章：", False),
        ("甲方盖章，处", True),
        ("甲方盖章abcdefghijaf", True),
        ("甲方盖章abcdefghija", False),
    ],
)
def test_clauses(text: str, *, in_clause: bool) -> None:
    """A run with a comma, or with a dozen more characters, is likely a clause."""
    (found,) = inspect("甲方盖章", mapped(text, TEXTS, 72, 600), texts=TEXTS).occurrences
    assert found.in_clause is in_clause


def test_clauses_of_words() -> None:
    """A line of ten words is likely a clause."""
    nine, ten = (inspect("Seal", show("Seal " + "word " * count, 72, 600)).occurrences for count in (8, 9))
    assert (nine[0].in_clause, ten[0].in_clause) == (False, True)


def test_tagged_documents() -> None:
    """In a document with an ActualText over several glyphs the platform finds nothing, and the places are shown."""
    hidden = "/Span <</ActualText (other)>> BDC " + show("other", 72, 400) + "EMC "
    report = inspect("Seal", show("Seal", 72, 600) + hidden)
    assert report.hits == ()
    assert [(one.line, one.line_text) for one in report.occurrences] == [(1, "Seal")]
    assert [problem.kind for problem in report.problems] == [ProblemKind.HIDDEN]


def test_stop_characters() -> None:
    """A keyword with a character at which the platform ends a piece of text is never found; its parts are counted."""
    report = inspect("Seal: (Party)", show("Seal: \\(Party\\) Seal", 72, 600))
    text = "the keyword has ': ()': the platform ends a piece of text there, so that the keyword is never found"
    assert problems(report) == [
        ("stop_character", text, (), None),
        ("split", "stands there in 2 pieces: Seal | Party", (1,), 1),
    ]
    assert report.parts == (("Seal", 2), ("Party", 1))


def test_keywords_of_punctuation() -> None:
    """A keyword of nothing but stop characters stands nowhere."""
    report = inspect("/", show("a/b", 72, 600))
    assert ([problem.kind for problem in report.problems], report.parts) == ([ProblemKind.STOP_CHARACTER], ())


def test_commas() -> None:
    """Of a keyword with a comma, the part before it is searched."""
    report = inspect("Seal,Party", show("Seal", 72, 600))
    assert (report.searched, len(report.hits)) == ("Seal", 1)
    assert problems(report) == [("comma", "only 'Seal', before the comma, is searched", (), None)]


@pytest.mark.parametrize("keyword", ["", ",Seal"])
def test_empty_keywords(keyword: str) -> None:
    """A keyword of which nothing is left to search is refused."""
    with pytest.raises(PositionRefused, match="keyword is missing"):
        inspect(keyword, show("Seal", 72, 600))


def test_split_keywords() -> None:
    """A keyword over wide spacing or two lines is found in pieces, the second time too."""
    spaced = show("Se al", 72, 600)
    report = inspect(
        "Seal", spaced + show("Seal", 72, 500), show("x", 72, 700) + show("Se", 72, 600) + show("al", 72, 580)
    )
    assert problems(report) == [
        ("split", "stands there in 2 pieces: Se | al", (1,), 1),
        ("split", "stands there in 2 pieces, over lines 2 to 3: Se | al", (2,), 2),
    ]
    assert [one.hit.page for one in report.occurrences] == [1]


def test_split_keywords_within_longer_runs() -> None:
    """Only the pieces of the keyword are shown, not the whole runs."""
    report = inspect("Seal", show("xxS e aly", 72, 600))
    assert problems(report) == [("split", "stands there in 3 pieces: S | e | al", (1,), 1)]


def test_radicals() -> None:
    """A text with radicals in place of characters looks the same, and is not found."""
    report = inspect("甲方长", mapped("甲⽅⻓", TEXTS, 72, 600), texts=TEXTS)
    shown = "stands there as '甲⽅⻓', with radicals (⻓ U+2ED3, ⽅ U+2F45)"
    assert problems(report) == [("radical", shown, (1,), 1)]


def test_similar_texts() -> None:
    """A text in another width or case is not found."""
    report = inspect("ful", show("FULL", 72, 700) + mapped("ＦＵL⽅", TEXTS, 72, 600), texts=TEXTS)
    assert problems(report) == [
        ("similar", "stands there as 'FULL'", (1,), 1),
        ("similar", "stands there as 'ＦＵL⽅'", (1,), 2),
    ]


@pytest.mark.parametrize("keyword", ["SealParty", "Seal Party", "seal\u3000party"])
def test_blanks_within_runs(keyword: str) -> None:
    """A no-break space does not end a piece of text, and is a part of it."""
    report = inspect(keyword, mapped("Seal\xa0Party", SEAL_TEXTS, 72, 600), texts=SEAL_TEXTS)
    assert ("similar", "stands there as 'Seal\\xa0Party'", (1,), 1) in problems(report)


def test_keywords_of_blanks() -> None:
    """A keyword of nothing but blanks is similar to nothing."""
    assert [one.kind for one in inspect(" ", show("Seal", 72, 600)).problems] == [ProblemKind.STOP_CHARACTER]


def test_annotations() -> None:
    """Texts of annotations and form fields are not searched; they are named."""
    annotations = "<</Subtype/FreeText/Contents(Seal here)>> 500 0 R <</Subtype/Link>> <</FT/Btn/V/Yes>>"
    field = "<</FT/Tx/V<feff5361616c>/Contents(other)>>"
    data = pdf(["", ""], boxes=[f"{A4}/Annots[{annotations}]", A4], extra={500: field})
    assert problems(inspect_keyword(open_pdf(data), "Seal")) == [
        ("annotation", "stands in an annotation or form field, which the platform does not search", (1,), None)
    ]
    assert [one.pages for one in inspect_keyword(open_pdf(data), "\u5361\u616c").problems] == [(1,)]


def test_hits_at_the_left_edge() -> None:
    """A hit at x = 0 is refused by the platform."""
    report = inspect("Seal", show("Seal", 0, 600))
    text = "is found at the left edge of the page (x = 0): the platform refuses the position"
    assert problems(report) == [("left_edge", text, (1,), 1)]


def test_pictures() -> None:
    """Pages that draw a picture and no text are named: as an object, within a form, or in the content."""
    form = "/XObject<</I 501 0 R>>"
    inline = "BI /W 1 /H 1 /BPC 8 /CS /G ID 0 EI"
    report = inspect("Seal", show("Seal", 72, 600) + "/I Do", "/I Do", inline, "", resources=form)
    text = "pages with pictures and without text, such as scans: no keyword is found there"
    assert problems(report) == [("picture", text, (2, 3), None)]


@pytest.mark.parametrize(
    ("options", "rect"),
    [
        ({"control_type": "SEAL"}, (72, 354.2, 192, 474.2)),
        ({"control_type": "SIGNATURE"}, (72, 380.1, 124, 432.1)),
        ({"control_type": "SEAL", "right": 10, "down": 20, "width": 60, "height": 60}, (82, 357.1, 142, 417.1)),
    ],
)
def test_boxes_beside_hits(options: dict[str, object], rect: tuple[float, ...]) -> None:
    """The box of one hit is the one that the platform gives it: 61.8 % of it stand above the baseline."""
    document = open_pdf(pdf([show("Seal", 72, 400)]))
    (hit,) = find_keyword(document, "Seal", "1")
    mark = mark_of(box_beside(document, hit, **options))  # type: ignore[arg-type]  # parameters of the function
    assert mark.rect == pytest.approx(Rect(*rect), abs=0.05)


def test_boxes_near_the_top() -> None:
    """A box whose hit stands near the top of the page jumps to the top."""
    document = open_pdf(pdf([show("Seal", 72, 700)]))
    (hit,) = find_keyword(document, "Seal", "1")
    assert [box_beside(document, hit, kind).top for kind in ("SEAL", "SIGNATURE")] == [
        0,
        pytest.approx(109.86, abs=0.05),
    ]
