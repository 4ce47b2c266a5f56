"""Structure of PDFs: pages, boxes, streams, damage, and files made to exhaust the reader."""

from __future__ import annotations

import base64
import subprocess
import sys
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kfq_async.documents import (
    Limits,
    PdfError,
    PdfProblem,
    PositionRefused,
    Rect,
    find_keyword,
    open_pdf,
    page_count,
    text_runs,
)
from kfq_async.documents.pdf import PdfDocument, load_pdfminer
from pdfs import A4, build, pdf, show, stream

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = pdf([show("Signature", 72, 700)])


def problem_of(data: bytes, limits: Limits | None = None) -> PdfProblem:
    """Return why a file cannot be read, its text included."""
    with pytest.raises(PdfError) as raised:
        text_runs(open_pdf(data, limits=limits or Limits()))
    return raised.value.problem


def page(entries: str, parent: str = "") -> bytes:
    """Return a PDF of one page."""
    return build(
        {
            1: "<</Type/Catalog/Pages 2 0 R>>",
            2: f"<</Type/Pages/Count 1/Kids[3 0 R]{parent}>>",
            3: f"<</Type/Page/Parent 2 0 R{entries}>>",
        }
    )


@pytest.mark.parametrize(
    ("entries", "parent", "media", "crop", "rotate"),
    [
        (A4, "", (0, 0, 595, 842), (0, 0, 595, 842), 0),
        ("", "/MediaBox[0 0 300 400]/Rotate 90", (0, 0, 300, 400), (0, 0, 300, 400), 90),
        ("/Rotate 180", "/MediaBox[0 0 300 400]/Rotate 90", (0, 0, 300, 400), (0, 0, 300, 400), 180),
        ("", "", (0, 0, 612, 792), (0, 0, 612, 792), 0),
        ("/MediaBox[300 400 10 20]", "", (10, 20, 300, 400), (10, 20, 300, 400), 0),
        ("/MediaBox[0 0 300]", "", (0, 0, 612, 792), (0, 0, 612, 792), 0),
        (f"{A4}/CropBox[-9 10 200 900]", "", (0, 0, 595, 842), (0, 10, 200, 842), 0),
        (f"{A4}/Rotate -90", "/CropBox[5 5 90 90]", (0, 0, 595, 842), (5, 5, 90, 90), 270),
        (f"{A4}/Rotate 450/UserUnit 2", "", (0, 0, 595, 842), (0, 0, 595, 842), 90),
        (f"{A4}/Rotate 45", "", (0, 0, 595, 842), (0, 0, 595, 842), 0),
        (f"{A4}/Rotate /No/UserUnit -1", "", (0, 0, 595, 842), (0, 0, 595, 842), 0),
    ],
)
def test_boxes(entries: str, parent: str, media: tuple[float, ...], crop: tuple[float, ...], rotate: int) -> None:
    """Boxes are ordered and inherited, the CropBox is cut to the MediaBox, Rotate is a quarter turn."""
    (only,) = open_pdf(page(entries, parent)).pages
    assert (only.media_box, only.crop_box, only.rotate) == (Rect(*media), Rect(*crop), rotate)
    assert only.user_unit == (2 if "UserUnit 2" in entries else 1)
    assert (only.media_box.width, only.media_box.height) == (media[2] - media[0], media[3] - media[1])


def test_pages_of_a_tree() -> None:
    """Pages of nested nodes come in order; a node that names itself, or is no dictionary, is passed over."""
    data = build(
        {
            1: "<</Type/Catalog/Pages 2 0 R>>",
            2: "<</Type/Pages/Kids[3 0 R 2 0 R 7 0 R 6 0 R]>>",
            3: "<</Type/Pages/Kids[4 0 R 5 0 R 99 0 R <</Type/Page/MediaBox[0 0 3 3]>>]>>",
            4: "<</Type/Page/MediaBox[0 0 1 1]>>",
            5: "<</Type/Page/MediaBox[0 0 2 2]>>",
            6: "<</MediaBox[0 0 4 4]>>",
            7: "<</Type/Pages/Kids 12>>",
        }
    )
    assert [one.media_box.x1 for one in open_pdf(data).pages] == [1, 2, 3, 4]
    assert page_count(data) == 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04",
        b"%PDF-1.7\n",
        ONE[:200],
        build({1: "<</Type/Catalog>>"}),
        build({1: "<</Type/Catalog/Pages 2 0 R>>", 2: "<</Type/Pages/Kids[]>>"}),
    ],
)
def test_damaged_files(data: bytes) -> None:
    """What is no PDF, or has no page, is damaged."""
    assert problem_of(data) == PdfProblem.DAMAGED


def test_repaired_files() -> None:
    """A file without a cross-reference table is read from its objects."""
    assert [run.text for run in text_runs(open_pdf(rebuilt(ONE)))] == ["Signature"]


@pytest.mark.parametrize(
    "encryption",
    [
        f"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O({'o' * 32})/U({'u' * 32})>>",
        "/Encrypt<</Filter/Other/V 1>>",
    ],
)
def test_encrypted_files(encryption: str) -> None:
    """An encrypted file is named as such."""
    assert problem_of(build({1: "<</Type/Catalog>>"}, trailer=encryption)) == PdfProblem.ENCRYPTED


def test_files_encrypted_without_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """An encrypted file that opens with the empty password is refused too."""
    from pdfminer.pdfdocument import PDFDocument

    monkeypatch.setattr(PDFDocument, "_initialize_password", lambda *_: None)
    assert problem_of(build({1: "<</Type/Catalog>>"}, trailer="/Encrypt<<>>")) == PdfProblem.ENCRYPTED


def lzw(data: bytes) -> bytes:
    """Return data in codes of 9 bits, without compression."""
    codes = [256]
    for start in range(0, len(data), 200):
        codes += [*data[start : start + 200], 256]
    bits = "".join(f"{code:09b}" for code in [*codes[:-1], 257])
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))


def rebuilt(data: bytes) -> bytes:
    """Return a PDF without its cross-reference table, whose offsets have changed."""
    return data[: data.index(b"xref")] + data[data.index(b"trailer") :].replace(b"startxref\n", b"startxref\n9")


@pytest.mark.parametrize("damage", [bytes, rebuilt])
def test_locations(damage: Callable[[bytes], bytes]) -> None:
    """Objects are located by the table of the file, or where a search finds them."""
    data = damage(ONE)
    opened = open_pdf(data)
    assert opened.catalog_number() == 1
    found = opened.locations()
    assert found.keys() >= {1, 2, 10, 11}
    for number, place in found.items():
        assert (place.stream, place.generation) == (None, 0)
        assert data[place.position :].startswith(b"%d 0 obj" % number)


TEXT = show("Seal", 72, 700).encode()
TIFF = zlib.compress(bytes((byte - before) % 256 for before, byte in zip(b"\0" + TEXT, TEXT, strict=False)))
PNG = zlib.compress(b"".join(b"\0" + TEXT[start : start + 4].ljust(4) for start in range(0, len(TEXT), 4)))


@pytest.mark.parametrize(
    ("filters", "data"),
    [
        ("/Filter/FlateDecode", zlib.compress(TEXT)),
        ("/Filter[/ASCIIHexDecode/FlateDecode]", zlib.compress(TEXT).hex().encode() + b">"),
        ("/Filter/FlateDecode", zlib.compress(TEXT)[:-5]),
        ("/Filter/FlateDecode", zlib.compress(TEXT)[:-1] + b"?"),
        ("/Filter/FlateDecode", zlib.compress(TEXT.ljust(99_999), 0)[:70_000] + b"\xff" * 9_999),
        ("/Filter/A85", base64.a85encode(TEXT, adobe=True)[2:]),
        ("/Filter/RunLengthDecode", b"".join(bytes([0, byte]) for byte in TEXT) + b"\xfd \x80junk"),
        (f"/Filter/FlateDecode/DecodeParms<</Predictor 2/Columns {len(TEXT)}>>", TIFF),
        ("/Filter/FlateDecode/DecodeParms<</Predictor 12/Columns 4>>", PNG),
        ("/Filter/FlateDecode/DecodeParms<</Predictor 1>>", zlib.compress(TEXT)),
        ("/Filter/LZWDecode", lzw(TEXT)),
    ],
)
def test_filters(filters: str, data: bytes) -> None:
    """Streams are decoded through their filters and predictors."""
    built = pdf([""]).replace(stream(b""), stream(data, filters))
    assert [run.text for run in text_runs(open_pdf(rebuilt(built)))] == ["Seal"]


def test_an_image_is_no_text() -> None:
    """A stream with the filter of an image is not decoded."""
    data = pdf([""]).replace(stream(b""), stream(TEXT, "/Filter/DCTDecode"))
    assert text_runs(open_pdf(rebuilt(data))) == ()


def test_content_in_pieces() -> None:
    """Content streams of a page are read as one; what is no stream is passed over."""
    data = build(
        {
            1: "<</Type/Catalog/Pages 2 0 R>>",
            2: "<</Type/Pages/Kids[3 0 R]>>",
            3: f"<</Type/Page{A4}/Contents[4 0 R 9 0 R 5 0 R]>>",
            4: stream(b"BT /F 10 Tf 1 0 0 1 50 700"),
            5: stream(b"Tm (Approved) Tj ET"),
        }
    )
    assert [run.text for run in text_runs(open_pdf(rebuilt(data)))] == ["Approved"]


MIB = 1 << 20
DEFLATED = zlib.compress(b"\0" * (4 * MIB))


def bomb(content: bytes) -> bytes:
    """Return a PDF of one page with this content."""
    return pdf([content])


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (lambda: pdf([""] * 4), Limits(pages=3)),
        (lambda: pdf([""] * 4), Limits(objects=3)),
        (
            lambda: rebuilt(pdf([""]).replace(stream(b""), stream(DEFLATED, "/Filter/FlateDecode"))),
            Limits(decoded_bytes=MIB),
        ),
        (
            lambda: rebuilt(pdf([""]).replace(stream(b""), stream(b"\x81x" * 9999, "/Filter/RL"))),
            Limits(decoded_bytes=MIB),
        ),
        (lambda: rebuilt(pdf([""]).replace(stream(b""), stream(lzw(TEXT), "/Filter/LZW"))), Limits(decoded_bytes=99)),
        (lambda: bomb(b"q " * 2000), Limits(operators=1500)),
        (lambda: bomb(b"0 " * 100_001 + b"q"), Limits()),
        (lambda: bomb(b"[" * 100_001), Limits()),
        (lambda: bomb(b"/F 9 Tf [" + b"(%b)" % (b"x" * 1_000) * 301 + b"] TJ"), Limits()),
        (lambda: bomb(b"q " * 10_002), Limits()),
        (lambda: bomb(b"/Span BMC " * 10_002), Limits()),
        (lambda: bomb(b"(" + b"\\n" * 100_002), Limits()),
        (lambda: bomb(show("x" * 60, 9, 9).encode()), Limits(glyphs=50)),
        (lambda: build({1: "[" * 200}), Limits()),
        (lambda: build({1: "<</A[" + "0 " * 1_000_010 + "]>>"}), Limits()),
        (lambda: build({1: "<</A(" + "\\n" * 140_000 + ")>>"}), Limits()),
        (lambda: ONE, Limits(seconds=-1)),
    ],
)
def test_bombs(data: Callable[[], bytes], limits: Limits) -> None:
    """Pages, objects, decompression, operators, operands, glyphs, nesting, arrays, strings and time are bounded."""
    assert problem_of(data(), limits) == PdfProblem.TOO_LARGE


def test_forms_that_multiply() -> None:
    """A form that draws a form ten times, twenty deep, ends at the limit of operators."""
    forms = {
        500 + depth: stream(f"/X{depth + 1} Do ".encode() * 10, "/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
        for depth in range(20)
    }
    names = "".join(f"/X{depth} {500 + depth} 0 R" for depth in range(20))
    data = pdf(["/X0 Do"], resources=f"/XObject<<{names}>>", extra=forms)
    assert problem_of(data, Limits(operators=5_000)) == PdfProblem.TOO_LARGE


def test_an_object_stream_is_costly() -> None:
    """The objects of an object stream take more memory than its bytes."""
    entries = "/Type/ObjStm/N 1/First 4"
    data = rebuilt(build({1: "<</Type/Catalog/Pages 2 0 R>>", 3: stream(b"2 0 " + b"[]" * 1000, entries)}))
    assert problem_of(data, Limits(decoded_bytes=10_000)) == PdfProblem.TOO_LARGE


def test_cross_references_in_a_cycle() -> None:
    """A cross-reference section that names itself as the previous one is read once."""
    start = ONE.index(b"xref")
    data = ONE.replace(b"/Size", b"/Prev %d/Size" % start)
    assert page_count(data) == 1


def test_a_predictor_without_data() -> None:
    """A predictor whose lines are longer than the data is damage."""
    data = pdf([""]).replace(
        stream(b""), stream(zlib.compress(b"12"), "/Filter/Fl/DecodeParms<</Predictor 2/Columns 99999999>>")
    )
    assert problem_of(rebuilt(data)) == PdfProblem.DAMAGED


def test_time_is_bounded_while_a_file_is_read() -> None:
    """The time counts from opening the file on; without a limit it does not."""
    times = [0.0]
    data = bomb(b"q Q " * 1_000)
    document = PdfDocument(data, Limits(seconds=60), lambda: times[0])
    times[0] = 61.0
    with pytest.raises(PdfError, match=r"reading took longer than 60 s$"):
        text_runs(document)
    assert text_runs(open_pdf(data, limits=Limits(seconds=None))) == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(ONE) - 1), st.binary(max_size=6), st.integers(0, 30))
def test_any_damage_is_an_error_of_the_package(position: int, inserted: bytes, removed: int) -> None:
    """Whatever is changed in a file, it is read or refused."""
    data = ONE[:position] + inserted + ONE[position + removed :]
    with suppress(PdfError, PositionRefused):
        find_keyword(open_pdf(data), "Signature", "1")


MISSING = """
import sys
import kfq_async.documents
assert "pdfminer" not in sys.modules
sys.modules["pdfminer"] = None
try:
    kfq_async.documents.page_count(b"")
except ModuleNotFoundError as error:
    print(error.name, error, sep=": ")
"""


def test_without_the_extra() -> None:
    """The package imports without pdfminer.six, and says what to install where it is needed."""
    done = subprocess.run([sys.executable, "-c", MISSING], capture_output=True, text=True, check=True)
    assert done.stdout == "pdfminer: reading PDFs needs pdfminer.six; run pip install 'kfq-async[pdf]'\n"


def test_without_the_extra_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import that fails is not remembered."""
    load_pdfminer.cache_clear()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pdfminer.pdfdocument", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'kfq-async\[pdf\]'"):
            page_count(ONE)
    assert page_count(ONE) == 1
