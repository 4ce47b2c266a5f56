"""Kinds, ends and names of downloaded files."""

from __future__ import annotations

import io
import struct
import zipfile
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloads import PDF, make_zip
from kfq_async.protocol.downloads import (
    MAX_NAME,
    Ending,
    FileHead,
    FileKind,
    detect,
    file_name,
    is_json,
    may_begin_file,
    numbered_name,
    sent_name,
)
from pdfs import pdf, stream

ZIP = make_zip(PDF, b"second")


def is_whole(data: bytes, kind: FileKind, piece: int = 1000) -> bool:
    """Return whether data that arrives in pieces is a whole file."""
    ending = Ending()
    for start in range(0, len(data), piece):
        ending.add(data[start : start + piece])
    assert ending.size == len(data)
    return ending.is_whole(kind)


def make_zip64(content: bytes = b"x", *, changed: int = 0) -> bytes:
    """Return a ZIP whose end of central directory is that of Zip64, with an offset that is ``changed``."""
    plain = make_zip(content)
    body, end = plain[:-22], plain[-22:]
    entries, size, offset = struct.unpack("<10xHLL2x", end)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, offset + changed)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(body), 1)
    return body + record + locator + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        ("application/json", True),
        ("Application/JSON ; charset=utf-8", True),
        ("application/problem+json", True),
        ("application/octet-stream;charset=utf-8", False),
        ("text/html", False),
        (None, False),
    ],
)
def test_json(content_type: str | None, *, json: bool) -> None:
    """The content type tells an envelope."""
    assert is_json({} if content_type is None else {"Content-Type": content_type}) is json


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"%PDF-1.7\n", FileKind.PDF),
        (b"%PDF-2.0\n", FileKind.PDF),
        (b"\xef\xbb\xbf\r\n%PDF-1.4", FileKind.PDF),
        (ZIP[:1024], FileKind.ZIP),
        (make_zip(), FileKind.ZIP),
        (b"", None),
        (b"%PDF", None),
        (b"PK\x03", None),
        (b"x" + ZIP[:30], None),
        (b"<html>", None),
        (b'{"code": 31000}', None),
        (b"\x1f\x8b\x08", None),
    ],
)
def test_kind(head: bytes, kind: FileKind | None) -> None:
    """The first bytes tell a PDF or ZIP from anything else."""
    assert detect(head) is kind


@pytest.mark.parametrize(("body", "cut"), [(b"", True), (b"%PD", True), (b"PK", True), (b"%x", False), (b"{", False)])
def test_short_body(body: bytes, *, cut: bool) -> None:
    """A few bytes that begin a file may be one that was cut."""
    assert may_begin_file(body) is cut


@pytest.mark.parametrize("piece", [7, 1000, 100_000, 1 << 24])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%%EOF", FileKind.PDF),
        (PDF, FileKind.PDF),
        (make_zip(b"x" * 2000), FileKind.ZIP),
        (make_zip(), FileKind.ZIP),
        (make_zip64(), FileKind.ZIP),
    ],
)
def test_whole(data: bytes, kind: FileKind, piece: int) -> None:
    """A file is whole however it arrives."""
    assert is_whole(data, kind, piece)


@pytest.mark.parametrize(
    ("rest", "whole"),
    [
        (b"", True),
        (b"\r\n", True),
        (b"\0" * 900, True),
        (b"\n<!-- added by a proxy -->", True),
        (b"\n" * 1019, True),
        (b"\n" * 1020, False),
        (b"\n12 0 obj\n<< /Type /Sig", False),
        (b"\r\n1", False),
        (b"\nxref\n0 1", False),
    ],
)
def test_after_the_end_of_a_pdf(rest: bytes, *, whole: bool) -> None:
    """The end mark may be followed by a few bytes, but not by the beginning of a later revision that was cut."""
    assert is_whole(b"%PDF-1.7\n%%EOF" + rest, FileKind.PDF) is whole


@pytest.mark.parametrize("rest", [b"\0", b" ", b"\r\n", b"x", b"0", b"\xff\0", b"<!-- added -->", b"% comment\n"])
def test_much_after_the_end_of_a_pdf(rest: bytes) -> None:
    """Much may follow an end mark that is that of this file, but only if its table is seen."""
    text = pdf(["BT ET"])
    assert is_whole(text + (b"\n" + rest * 60_000)[:60_000], FileKind.PDF)
    assert not is_whole(text.replace(b"startxref\n", b"startxref\n1") + b"\n" * 2000, FileKind.PDF)
    assert not is_whole(text.replace(b"startxref", b"no_offset") + b"\n" * 2000, FileKind.PDF)
    assert not is_whole(text + b"\n" * (1 << 19), FileKind.PDF)


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf"])
def test_much_after_a_linearised_pdf(before: bytes) -> None:
    """The table to which the end of a linearised PDF refers is at its beginning, counted from its first byte."""
    start = b"%PDF-1.7\n1 0 obj\n<</Linearized 1>>\nendobj\nxref\n0 0\n"
    table = start.index(b"xref")
    for offset in (table, table + 1, 100_000):
        end = b"startxref\n%d\n%%%%EOF" % offset
        assert is_whole(before + start + bytes(1 << 19) + end + bytes(5000), FileKind.PDF) is (offset == table)


@pytest.mark.parametrize("between", [b"", b"\n", b"\n% comment\r\n", bytes(5000)])
def test_cut_later_revision(between: bytes) -> None:
    """A PDF that was cut in a later revision is not whole, wherever it was cut in that."""
    first = pdf(["BT ET"]).rstrip()
    later = b"10 0 obj\n" + bytes(3000) + b"\nendobj\nxref\n0 0\ntrailer\n<<>>\nstartxref\n9\n%%EOF"
    for size in range(1, len(later)):
        assert not is_whole(first + between + later[:size], FileKind.PDF, 1 << 20), size
    assert is_whole(first + between + later, FileKind.PDF)
    table = b"xref\n0 0\n"
    for size in range(1, len(table)):
        assert not is_whole(first + between + table[:size], FileKind.PDF, 1 << 20), size


@pytest.mark.parametrize("padding", [b"", b"\n", b"junk", bytes(5000), b"x" * 5000])
def test_cut_after_a_pdf_inside(padding: bytes) -> None:
    """A PDF that was cut after another one that it contains is not whole."""
    inner = pdf(["BT ET"]) + padding
    outer = pdf([b" " * 2000], extra={600: stream(inner)})
    end = outer.index(inner) + len(inner)
    for size in range(end - len(padding) - 5, end + 200):
        assert not is_whole(outer[:size], FileKind.PDF, 1 << 20), size
    assert is_whole(outer, FileKind.PDF)


@given(st.integers(1, len(PDF) - 10))
def test_cut_pdf(size: int) -> None:
    """A PDF that was cut anywhere is not whole."""
    assert not is_whole(PDF[:size], FileKind.PDF, 1 << 20)


@given(st.integers(1, len(ZIP) - 1), st.integers(0, 1))
def test_cut_zip(size: int, form: int) -> None:
    """A ZIP that was cut anywhere is not whole, in either form."""
    data = (ZIP, make_zip64(PDF))[form]
    assert not is_whole(data[: min(size, len(data) - 1)], FileKind.ZIP, 1 << 20)


@pytest.mark.parametrize("comment", [b"", b"note", b"PK\5\6", b"PK\5\6" + bytes(30), b"c" * 0xFFFF])
def test_comment_of_a_zip(comment: bytes) -> None:
    """The comment at the end of a ZIP may be long, and look like an end itself."""
    data = make_zip(PDF, comment=comment)
    assert is_whole(data, FileKind.ZIP)
    assert not is_whole(data[:-1], FileKind.ZIP)
    assert not is_whole(data + b"x", FileKind.ZIP)


def test_nested_zip() -> None:
    """A ZIP that is cut where a ZIP inside it ends is not whole."""
    inner = make_zip(b"inner")
    outer = make_zip(inner, inner)
    for at in (outer.find(inner), outer.rfind(inner)):
        assert not is_whole(outer[: at + len(inner)], FileKind.ZIP)
    assert is_whole(outer, FileKind.ZIP)


@pytest.mark.parametrize("changed", [-1, 1])
def test_inconsistent_zip64(changed: int) -> None:
    """The directory of a Zip64 ends where its end record begins."""
    assert not is_whole(make_zip64(changed=changed), FileKind.ZIP)


def test_zip64_record_elsewhere() -> None:
    """A locator that points outside what was kept is not believed."""
    data = make_zip64()
    at = len(data) - 42
    for offset in (0, 2**60):
        assert not is_whole(data[: at + 8] + struct.pack("<Q", offset) + data[at + 16 :], FileKind.ZIP)


def test_zip_of_java() -> None:
    """Sizes after the data, as a ZIP has that is written to a stream, make no difference."""

    class Stream(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            part = bytes(data)  # type: ignore[call-overload]  # a buffer
            self.data += part
            return len(part)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("合同.pdf", PDF)
    assert is_whole(stream.data, FileKind.ZIP)


def disposition(name: str) -> dict[str, str]:
    """Return the headers with which the platform names a file."""
    return {"Content-Disposition": f"attachment;fileName={quote_plus(name)}"}


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("采购合同.pdf", "采购合同.pdf"),
        ("采购合同.PDF", "采购合同.PDF"),
        ("a b+c.pdf", "a b+c.pdf"),
        ("100%25.pdf", "100%25.pdf"),
        ("采购/销售合同.pdf", "采购_销售合同.pdf"),
        ("../../etc/passwd", "_._etc_passwd.pdf"),
        ("..\\..\\boot.ini", "_._boot.ini.pdf"),
        ("C:\\x.pdf", "C__x.pdf"),
        ('a<b>"c|d?*.pdf', "a_b__c_d__.pdf"),
        (" .hidden.pdf", "hidden.pdf"),
        ("end. .pdf", "end.pdf"),
        ("a\u3000b\u00a0c.pdf", "a b c.pdf"),
        ("a\r\nb\tc\x7f\x00.pdf", "abc.pdf"),
        ("fdp.\u202egnp\u2066.pdf", "fdp.gnp.pdf"),
        ("con.pdf", "_con.pdf"),
        ("LPT1 .x.pdf", "_LPT1 .x.pdf"),
        ("COM².pdf", "_COM².pdf"),
        ("console.pdf", "console.pdf"),
        ("evil.exe", "evil.exe.pdf"),
        ("archive.zip", "archive.zip.pdf"),
        ("no suffix", "no suffix.pdf"),
        ("…", "….pdf"),
        ("", "C1.pdf"),
        (".pdf", "C1.pdf"),
        ("..", "C1.pdf"),
        ("\u202e \r\n. .pdf", "C1.pdf"),
    ],
)
def test_names(name: str, cleaned: str) -> None:
    """The platform's name is kept without what is unsafe, and ends with the extension of the file."""
    assert file_name(disposition(name), "C1", FileKind.PDF) == cleaned


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Content-Disposition": 'attachment; filename="a+b.pdf"; size=3'}, "a b.pdf"),
        ({"Content-Disposition": "attachment;FILENAME = a%2Bb.pdf ;x=y"}, "a+b.pdf"),
        ({"Content-Disposition": "attachment", "fileName": "%E5%90%88.pdf"}, "合.pdf"),
        ({"Content-Disposition": "attachment;fileName=", "fileName": "b.pdf"}, "b.pdf"),
        ({"fileName": "\udcff%FF\ud800.pdf"}, "\ufffd.pdf"),
        ({"fileName": "合同.pdf"}, "合同.pdf"),
        ({"fileName": "a%252Fb.pdf"}, "a%2Fb.pdf"),
        ({}, "C1.pdf"),
    ],
)
def test_headers(headers: dict[str, str], name: str) -> None:
    """The name is read from either header, and decoded once."""
    assert file_name(headers, "C1", FileKind.PDF) == name


@pytest.mark.parametrize(
    ("contract_id", "name"), [("C1", "C1.zip"), ("../x", "_x.zip"), ("..", "contract.zip"), ("NUL", "_NUL.zip")]
)
def test_id_as_name(contract_id: str, name: str) -> None:
    """Without a name of the platform's the contract's id serves, cleaned as well."""
    assert file_name({}, contract_id, FileKind.ZIP) == name


@given(st.text(), st.text(), st.sampled_from(FileKind), st.integers(1, 10_000))
def test_any_name(name: str, contract_id: str, kind: FileKind, number: int) -> None:
    """Whatever the platform sends, the name is one component that every system takes."""
    headers = {"fileName": name}
    made = numbered_name(file_name(headers, contract_id, kind), number)
    assert made.lower().endswith(kind)
    assert len(made.encode()) <= MAX_NAME
    assert not set(made) & set('/\\<>:"|?*')
    assert ".." not in made
    assert made[0] not in " ."
    assert made.isprintable()
    assert made.partition(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}


def test_long_names() -> None:
    """A long name is cut at a character, before the number and the extension."""
    name = file_name(disposition("合" * 300), "C1", FileKind.PDF)
    assert name == "合" * 83 + ".pdf"
    assert numbered_name(name, 12) == "合" * 82 + " (12).pdf"


@pytest.mark.parametrize("name", ["合" * 300 + ".pdf", "../a b+c.pdf", "\u202e..", ".pdf"])
def test_sent_names(name: str) -> None:
    """The name as it is sent is neither cut nor cleaned."""
    assert sent_name(disposition(name)) == name
    assert sent_name({"Content-Disposition": "attachment", "fileName": quote_plus(name)}) == name


def test_no_sent_name() -> None:
    """Without a name of the platform's it is empty."""
    assert sent_name({}) == sent_name({"Content-Disposition": "attachment;fileName=", "fileName": " "}) == ""


def test_head_shows_no_name() -> None:
    """The name of a document is not shown, wherever it is taken."""
    head = FileHead("SECRET", FileKind.PDF)
    assert "SECRET" not in f"{head!r} {head.name!r}"
