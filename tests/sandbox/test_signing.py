"""Signatures in PDFs, and the uploads that they are made in."""

from __future__ import annotations

import io
import math
import re
import zlib
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pyhanko.pdf_utils.reader import PdfFileReader
from pypdf import PdfReader

from kfq_async.documents import Rect
from kfq_async.sandbox import signing
from kfq_async.sandbox.seals import draw_enterprise_seal, draw_person_seal
from kfq_async.sandbox.signing import PdfSigner, SignatureDetails, SigningError, Stamp
from kfq_async.sandbox.store import process_key
from pdfs import A4, build, pdf, show, stream
from signatures import pdfium_signatures, red_box, rendered, signed_fields, validations

if TYPE_CHECKING:
    from collections.abc import Mapping

MOMENT = datetime(2026, 4, 1, 10, 30, tzinfo=timezone(timedelta(hours=8)))
BOX, OTHER_BOX = Rect(100.0, 200.0, 220.0, 320.0), Rect(300.5, 400.25, 352.5, 452.25)
NOTE = "<</Type/Annot/Subtype/Text/Rect[10 10 30 30]/Contents(A note)>>"


@pytest.fixture(scope="module")
def signer() -> PdfSigner:
    """A signer with the key of the process."""
    return PdfSigner(process_key())


def seal(page: int, rect: Rect = BOX, **fields: int) -> Stamp:
    """Return the mark of an enterprise."""
    return Stamp(page, rect, draw_enterprise_seal("测试科技有限公司", "合同专用章", 120, 120), **fields)


def signature(page: int, rect: Rect = OTHER_BOX) -> Stamp:
    """Return the mark of a person."""
    return Stamp(page, rect, draw_person_seal("张䶮", 120, 120))


def details(name: str = "测试科技有限公司", field_name: str = "SANDBOX-1") -> SignatureDetails:
    """Return the details of a signature."""
    return SignatureDetails(name, field_name, MOMENT)


def sign_twice(signer: PdfSigner, content: bytes, pages: int = 2) -> bytes:
    """Let an enterprise seal the first and the last page, and a person sign the last."""
    first = content + signer.sign(content, [seal(1), seal(pages)], details())
    return first + signer.sign(first, [signature(pages)], details("张䶮", "SANDBOX-2"))


def two_pages(
    changes: Mapping[int, str | bytes] | None = None, *, root: str = "", pages: tuple[str, str] = ("", "")
) -> bytes:
    """Return a PDF of two pages, which are objects 3 and 4."""
    objects: dict[int, str | bytes] = {
        1: f"<</Type/Catalog/Pages 2 0 R{root}>>",
        2: "<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>",
        3: f"<</Type/Page/Parent 2 0 R{A4}/Contents 5 0 R{pages[0]}>>",
        4: f"<</Type/Page/Parent 2 0 R{A4}/Contents 5 0 R{pages[1]}>>",
        5: stream(b"0 0 m 1 1 l S"),
    }
    return build(objects | dict(changes or {}))


PLAIN = pdf([show("One", 50, 700), show("Two", 50, 700)])
TEXT_FIELD = "<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(b)/Rect[10 10 60 30]/P 3 0 R>>"


def with_object_streams() -> bytes:
    """Return a PDF with a cross-reference stream, whose pages are in an object stream."""
    inner = [
        (1, "<</Type/Catalog/Pages 2 0 R>>"),
        (2, "<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]>>"),
        (3, f"<</Type/Page/Parent 2 0 R{A4}>>"),
        (4, f"<</Type/Page/Parent 2 0 R{A4}>>"),
    ]
    offsets, text = [], ""
    for number, content in inner:
        offsets.append(f"{number} {len(text)}")
        text += f"{content} "
    head = " ".join(offsets) + " "
    packed = zlib.compress((head + text).encode())
    out = b"%PDF-1.5\n"
    holder = len(out)
    entries = f"/Type/ObjStm/N 4/First {len(head)}/Filter/FlateDecode"
    out += b"6 0 obj\n" + stream(packed, entries) + b"\nendobj\n"
    table = len(out)
    rows = [(0, 0, 255), *((2, 6, index) for index in range(4)), (0, 0, 0), (1, holder, 0), (1, table, 0)]
    data = b"".join(bytes([kind]) + place.to_bytes(2, "big") + bytes([last]) for kind, place, last in rows)
    out += b"7 0 obj\n" + stream(data, "/Type/XRef/Size 8/W[1 2 1]/Root 1 0 R") + b"\nendobj\n"
    return out + f"startxref\n{table}\n%%EOF\n".encode()


def hybrid() -> bytes:
    """Return a PDF with a table for old readers, which hides an object that its stream names."""
    plain = two_pages(pages=("/Annots[8 0 R]", ""))
    hidden = NOTE.encode()
    content = plain[: plain.index(b"xref\n")]
    packed = stream(zlib.compress(b"8 0 " + hidden), "/Type/ObjStm/N 1/First 4/Filter/FlateDecode")
    holder = len(content)
    content += b"6 0 obj\n" + packed + b"\nendobj\n"
    table = len(content)
    rows = bytes([1]) + holder.to_bytes(2, "big") + bytes([0]) + bytes([2, 0, 6, 0])
    content += b"7 0 obj\n" + stream(rows, "/Type/XRef/Size 9/W[1 2 1]/Index[6 1 8 1]/Root 1 0 R") + b"\nendobj\n"
    start = len(content)
    offsets = [content.index(b"\n%d 0 obj" % number) + 1 for number in range(1, 6)]
    lines = ["0000000000 65535 f ", *(f"{offset:010d} 00000 n " for offset in offsets), *["0000000000 65535 f "] * 3]
    text = "\n".join(
        ["xref", "0 9", *lines, f"trailer\n<</Root 1 0 R/Size 9/XRefStm {table}>>", "startxref", str(start), "%%EOF\n"]
    )
    return content + text.encode()


UPLOADS = {
    "plain": PLAIN,
    "text after the end": PLAIN + b"a line\nanother",
    "much text after the end": PLAIN + b"x" * 3000,
    "no line feed at the end": PLAIN.rstrip(),
    "Windows line feeds": PLAIN.replace(b"\n", b"\r\n"),
    "a wrong place of the table": re.sub(rb"startxref\n\d+", b"startxref\n7", PLAIN),
    "no table": PLAIN[: PLAIN.index(b"xref\n")] + b"trailer\n<</Root 1 0 R/Size 14>>\n",
    "no place of the table": PLAIN[: PLAIN.index(b"startxref")],
    "a size that is too small": re.sub(rb"/Size \d+", b"/Size 3", PLAIN),
    "no size": re.sub(rb"/Size \d+", b"", PLAIN),
    "an object stream": with_object_streams(),
    "an object stream, and much text after the end": with_object_streams() + b"x" * 3000,
    "a hybrid file": hybrid(),
    "a shared list of annotations": two_pages({6: f"[{NOTE}]"}, pages=("/Annots 6 0 R", "/Annots 6 0 R")),
    "annotations of its own": two_pages({6: NOTE}, pages=(f"/Annots[{NOTE} 6 0 R 99 0 R null]", "/Annots null")),
    "an empty form": two_pages(root="/AcroForm<<>>"),
    "a form that is null": two_pages(root="/AcroForm null"),
    "a form with odd fields": two_pages(root="/AcroForm<</Fields[null 77 0 R 5 0 R]>>"),
    "a form with fields": two_pages(
        {6: "<</Fields 8 0 R/NeedAppearances true>>", 7: TEXT_FIELD, 8: "[7 0 R]"},
        root="/AcroForm 6 0 R",
        pages=("/Annots[7 0 R]", ""),
    ),
    "a wrong count of pages": two_pages({2: "<</Type/Pages/Count 7/Kids[3 0 R 4 0 R]>>"}),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_uploads(name: str, signer: PdfSigner) -> None:
    """Any file that can be opened can be signed twice: it stays a prefix, and independent readers find the marks."""
    upload = UPLOADS[name]
    signed = sign_twice(signer, upload)
    assert signed.startswith(upload)
    box, other = (tuple(map(float, (rect.x0, rect.y0, rect.x1, rect.y1))) for rect in (BOX, OTHER_BOX))
    fields = signed_fields(signed)
    assert [(field.page, field.rect) for field in fields] == [(1, box), (2, box), (2, other)]
    assert fields[0].value == fields[1].value != fields[2].value
    assert pdfium_signatures(signed) == 3
    assert sorted(validations(signed)) == [
        ("SANDBOX-1-1", "SANDBOX 沙箱 · 测试科技有限公司", True, "ENTIRE_REVISION"),
        ("SANDBOX-1-2", "SANDBOX 沙箱 · 测试科技有限公司", True, "ENTIRE_REVISION"),
        ("SANDBOX-2-1", "SANDBOX 沙箱 · 张䶮", True, "ENTIRE_FILE"),
    ]
    left, _, right, bottom = red_box(rendered(signed)) or (0, 0, 0, 0)
    assert (abs(left - 101) <= 1, abs(right - 219) <= 1, abs(bottom - (842 - 201)) <= 1) == (True, True, True)


@pytest.mark.parametrize(
    ("name", "page", "kept"),
    [
        ("a shared list of annotations", 0, ["/Text"]),
        ("a shared list of annotations", 1, ["/Text"]),
        ("annotations of its own", 0, ["/Text", "/Text"]),
        ("a form with fields", 0, ["/Widget"]),
        ("a hybrid file", 0, ["/Text"]),
    ],
)
def test_annotations_stay(name: str, page: int, kept: list[str], signer: PdfSigner) -> None:
    """What stood on a page before stays there."""
    annotations = PdfReader(io.BytesIO(sign_twice(signer, UPLOADS[name]))).pages[page]["/Annots"]
    found = [each.get_object() for each in annotations]  # type: ignore[attr-defined]  # an array
    assert [each["/Subtype"] for each in found if each.get("/FT") != "/Sig"] == kept


@pytest.mark.parametrize(
    "content",
    [
        build(
            {
                1: "<</Type/Catalog/Pages 2 0 R>>",
                2: f"<</Type/Pages/Count 2/Kids[<</Type/Page{A4}>><</Type/Page{A4}>>]>>",
            }
        ),
        two_pages({2: "<</Type/Pages/Count 4/Kids[3 0 R 3 0 R 4 0 R]>>"}),
        two_pages({3: f"<<{A4}/Contents 5 0 R>>"}),
    ],
)
def test_odd_page_trees(content: bytes, signer: PdfSigner) -> None:
    """Pages without an object or a type, and those that are listed twice, are signed where they are counted."""
    signed = content + signer.sign(content, [seal(1), signature(2)], details())
    rects = {field.rect for field in signed_fields(signed)}
    assert rects == {(100.0, 200.0, 220.0, 320.0), (300.5, 400.25, 352.5, 452.25)}
    assert {coverage for _, _, valid, coverage in validations(signed) if valid} == {"ENTIRE_FILE"}


def test_kids_that_are_no_pages(signer: PdfSigner) -> None:
    """What is listed among the pages and is none does not count as a page."""
    kids = "<</Type/Pages/Count 2/Kids[null 98 0 R 3 0 R 6 0 R 7 0 R 4 0 R]>>"
    content = two_pages({2: kids, 6: "<<>>", 7: "<</Kids 5>>"})
    signed = content + signer.sign(content, [seal(1), signature(2)], details())
    fields = [each.sig_field for each in PdfFileReader(io.BytesIO(signed), strict=False).embedded_signatures]
    assert sorted(each.raw_get("/P").idnum for each in fields) == [3, 4]


def test_what_a_signature_says(signer: PdfSigner) -> None:
    """Name, reason and certificate say SANDBOX; the time is the given one; the format is the usual one."""
    signed = PLAIN + signer.sign(PLAIN, [seal(1)], details())
    (found,) = PdfFileReader(io.BytesIO(signed)).embedded_signatures
    value = found.sig_object
    assert (value["/Filter"], value["/SubFilter"]) == ("/Adobe.PPKLite", "/adbe.pkcs7.detached")
    assert value["/Name"] == "SANDBOX 测试科技有限公司"
    assert "SANDBOX" in value["/Reason"]
    assert found.self_reported_timestamp == MOMENT
    subject = found.signer_cert.subject.native
    assert "not a real signature" in subject["organization_name"]
    assert found.signer_cert.self_signed == "maybe"
    assert found.signer_cert.not_valid_before < datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("bits", [2048, 4096])
def test_longest_name(bits: int) -> None:
    """The signature fits into its place for the longest name; the certificate has as many characters as it may."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    signed = PLAIN + PdfSigner(key).sign(PLAIN, [seal(1)], details("䶮" * 70))
    ((_, common_name, valid, coverage),) = validations(signed)
    assert (common_name, coverage) == ("SANDBOX 沙箱 · " + "䶮" * 51, "ENTIRE_FILE")
    assert valid


def test_a_picture_is_embedded_once(signer: PdfSigner) -> None:
    """Many marks of one step add little but their fields; slices and turned pages share the picture, too."""
    content = pdf([""] * 50)
    picture = seal(1).picture
    one = signer.sign(content, [Stamp(1, BOX, picture)], details())
    stamps = [Stamp(page, BOX, picture, 90 * (page % 4), page - 1, 50) for page in range(1, 51)]
    many = signer.sign(content, [*stamps, Stamp(1, OTHER_BOX, picture, 90, 0, 50)], details())
    assert many.count(b"/FontFile2") == 1
    assert len(one) < 25_000
    assert len(many) - len(one) < 60_000


def test_slices(signer: PdfSigner) -> None:
    """Slices of a picture side by side look like the picture."""
    content = pdf(["", ""])
    whole = content + signer.sign(content, [seal(1)], details())
    stamps = [seal(1, Rect(100.0 + 40 * n, 200.0, 140.0 + 40 * n, 320.0), slice_index=n, slices=3) for n in range(3)]
    sliced = content + signer.sign(content, stamps, details())
    one, other = rendered(whole), rendered(sliced)
    assert red_box(one) == red_box(other)
    last = content + signer.sign(content, stamps[2:], details())
    left, _, right, _ = red_box(rendered(last)) or (0, 0, 0, 0)
    assert (left >= 180, right) == (True, red_box(one)[2])  # type: ignore[index]  # there is one


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_turned_pages(rotate: int, signer: PdfSigner) -> None:
    """A mark stands upright on a page as shown: the star of a seal is above the middle."""
    content = pdf([""], boxes=f"{A4}/Rotate {rotate}")
    upright = pdf([""])
    stamp, turned = seal(1), seal(1, rotate=rotate)
    expected = rendered(upright + signer.sign(upright, [stamp], details()))
    found = rendered(content + signer.sign(content, [turned], details()))
    pictures = [image.crop(red_box(image)).resize((60, 60)).convert("1") for image in (expected, found)]
    pixels = [list(picture.tobytes()) for picture in pictures]
    differing = sum((one ^ other).bit_count() for one, other in zip(*pixels, strict=True))
    assert differing < 250  # of 3600; turned by 90 degrees it is more than 600


def test_files_that_cannot_be_signed(signer: PdfSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be opened, or not be written, is an error that says why."""
    with pytest.raises(SigningError, match="damaged"):
        signer.sign(b"%PDF-1.7\nnothing", [seal(1)], details())
    encrypted = PLAIN.replace(b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] /Encrypt << /Filter /Standard /V 9 >>")
    with pytest.raises(SigningError, match="encrypted"):
        signer.sign(encrypted, [seal(1)], details())
    with pytest.raises(SigningError, match="too far away"):
        signer.sign(PLAIN, [seal(1, Rect(-math.inf, 0.0, 0.0, 1.0))], details())
    broken = two_pages({6: "<</Fields(>>"}, root="/AcroForm 6 0 R")
    with pytest.raises(SigningError, match=r"damaged \(PdfStreamError\); save it again"):
        signer.sign(broken, [seal(1)], details())
    monkeypatch.setattr(signing, "_pages", lambda _: iter(()))
    with pytest.raises(SigningError, match=r"damaged \(ValueError\)"):
        signer.sign(PLAIN, [seal(1)], details())


def test_values_of_the_module() -> None:
    """A value that no PDF has is a mistake of the module, not of the file."""
    with pytest.raises(TypeError):
        signing._pdf_object(object())
