"""Rules for names, extensions and contents of uploads."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from kfq_async import AttachmentUpload, DocumentUpload, FileRefused, FileUpload, Operation
from kfq_async.protocol.operation import CredentialPlacement
from kfq_async.protocol.requests import BodyStream
from kfq_async.protocol.uploads import FileFacts, encoded_size, prepare_upload

if TYPE_CHECKING:
    from kfq_async.protocol.uploads import PreparedUpload

PDF = b"%PDF-1.4\n"
OLE, ZIP = bytes.fromhex("D0CF11E0A1B11AE1"), b"PK\x03\x04"
LONGEST = "字" * 128


class Stream(BodyStream):
    """A body whose start is all that is known."""

    def __init__(self, start: bytes) -> None:
        self.start = start

    @property
    def size(self) -> int:
        """Length of the start."""
        return len(self.start)

    def stream(self, start: bytes) -> Stream:
        """Return another one."""
        return Stream(start)


def prepare(upload: FileUpload) -> PreparedUpload:
    """Prepare an upload for an operation of its kind."""
    operation = Operation[FileUpload, Any](
        "POST", "/x/file", request=type(upload), credentials=CredentialPlacement.PARAMETERS
    )
    return prepare_upload(operation, upload, url=URL("http://x"), extra_body={}, extra_headers={})


def begin(upload: FileUpload, name: str | None = None, head: bytes = PDF) -> bytes:
    """Return the start of the body of an upload."""
    prepared = prepare(upload)
    prepared.begin(Stream(b""), FileFacts(name, len(head), head))
    request = prepared.write("T", nonce="n", timestamp="1", unique_code="u", signer=None)
    assert isinstance(request.body, Stream)
    assert prepared.body_size("T", "v") == request.body.size
    return request.body.start


def body(name: str, suffix: str = ".pdf") -> bytes:
    """Return the start of the body for a name."""
    return f'{{"appAuthToken":"T","uniqueCode":"u","fileName":"{name}","fileSuffix":"{suffix}","file":"'.encode()


@pytest.mark.parametrize(
    ("upload", "file_name", "start"),
    [
        (DocumentUpload(b""), "合同.PDF", body("合同")),
        (DocumentUpload(b""), "a.v1.2.Pdf", body("a.v1.2")),
        (DocumentUpload(b""), "a.pdf.pdf", body("a.pdf")),
        (DocumentUpload(b""), "no-extension", body("no-extension")),
        (DocumentUpload(b"", name="合同"), "a.pdf", body("合同")),
        (DocumentUpload(b"", name="合同.PDF"), "a.pdf", body("合同")),
        (DocumentUpload(b"", name="合同.v2"), "a.pdf", body("合同.v2")),
        (DocumentUpload(b"", name="合同.pdf"), None, body("合同")),
        (DocumentUpload(b"", name="合同"), None, body("合同")),
        (DocumentUpload(b"", name="合同.2"), None, body("合同.2")),
        (DocumentUpload(b"", name="a", suffix=".PDF"), None, body("a")),
        (DocumentUpload(b"", name="a", suffix="pdf"), "a.docx", body("a")),
        (DocumentUpload(b"", name=LONGEST), None, body(LONGEST)),
        (DocumentUpload(b"", reference="PO-42"), "合同.PDF", body("合同〔PO-42〕")),
        (DocumentUpload(b"", name="合同.pdf", reference="PO-42"), None, body("合同〔PO-42〕")),
        (DocumentUpload(b"", name=LONGEST[4:], reference="42"), None, body(f"{LONGEST[4:]}〔42〕")),
        (AttachmentUpload(b"", name="a.pdf", suffix=".zip"), None, body("a.pdf", ".zip")),
        (AttachmentUpload(b"", name="a.zip"), "b.bin", body("a", ".zip")),
        (FileUpload(b"", suffix="any"), "b.bin", body("b", ".any")),
    ],
)
def test_name_and_extension(upload: FileUpload, file_name: str | None, start: bytes) -> None:
    """The caller's name and extension win; else those of the file, the extension in lower case."""
    assert begin(upload, file_name) == start


@pytest.mark.parametrize(
    ("upload", "head"),
    [
        *((DocumentUpload(b"", suffix=suffix), OLE) for suffix in (".doc", ".docx", ".xls", ".xlsx")),
        *((DocumentUpload(b"", suffix=suffix), ZIP) for suffix in (".doc", ".docx", ".xls", ".xlsx")),
        (DocumentUpload(b"", suffix=".docx"), PDF),
        *((AttachmentUpload(b"", suffix=suffix), b"x") for suffix in (".wps", ".jpg", ".png", ".rar", ".doc", ".xlsx")),
    ],
)
def test_accepted(upload: FileUpload, head: bytes) -> None:
    """What the platform recognises is accepted; attachments are not looked at."""
    assert begin(upload, "a.b", head).endswith(b'"file":"')


@pytest.mark.parametrize(
    ("upload", "file_name", "head", "text"),
    [
        (DocumentUpload(b""), None, PDF, "it has no name"),
        (DocumentUpload(b"", name=" \u3000"), None, PDF, "its name is blank"),
        (DocumentUpload(b"", name=LONGEST + "a"), None, PDF, "its name has 129 characters"),
        (
            DocumentUpload(b"", name=LONGEST[3:], reference="42"),
            None,
            PDF,
            "its name has 129 characters with 〔42〕, and",
        ),
        (DocumentUpload(b"", name=" ", reference="42"), None, PDF, "its name is blank"),
        (DocumentUpload(b"", reference="42"), None, PDF, "it has no name"),
        (DocumentUpload(b"", name="a\ud800"), None, PDF, "its name is not valid Unicode"),
        (DocumentUpload(b"", name="合同😀"), None, PDF, "beyond U.FFFF"),
        (AttachmentUpload(b"", name="𠮷.pdf"), None, PDF, "beyond U.FFFF"),
        (DocumentUpload(b""), "a.pdf", b"", "it is empty"),
        (DocumentUpload(io.BytesIO()), "a.pdf", b"", r"it is empty from its position on: .* call seek\(0\)"),
        (AttachmentUpload(b""), "a.zip", b"", "it is empty"),
        (DocumentUpload(b""), "a", ZIP, "it has no extension, and the platform takes .pdf, .doc"),
        (DocumentUpload(b"", name="q.jpeg"), None, b"x", "its extension is .jpeg, and .* .pdf, .doc.*: pass the right"),
        (DocumentUpload(b"", name="v1.2"), None, ZIP, "its extension is .2, and the platform takes .pdf, .doc"),
        (DocumentUpload(b"", name="q.jpeg"), "a.gif", PDF, "its extension is .gif, and"),
        (AttachmentUpload(b"", name="q.JPEG"), None, b"x", "its extension is .jpeg, and .*: pass suffix='.jpg'"),
        (AttachmentUpload(b"", name="q"), None, b"x", "it has no extension, and the platform takes .doc"),
        (DocumentUpload(b""), "a.jpg", PDF, "its extension is .jpg, and the platform takes .pdf, .doc"),
        (DocumentUpload(b"", suffix=". pdf"), "a.pdf", PDF, "its extension is . pdf, and"),
        (AttachmentUpload(b""), "a.xls", OLE, "its extension is .xls, and the platform takes .doc, .docx, .wps"),
        (AttachmentUpload(b""), "a.jpeg", b"x", "its extension is .jpeg, and .*: pass suffix='.jpg'"),
        (AttachmentUpload(b""), "a." + "x" * 300, b"x", "its extension is .x{19}…, and"),
        (DocumentUpload(b""), "a.pdf", b"%PDF-2.0\n", "it is a PDF 2.0, which the platform does not recognise"),
        (DocumentUpload(b""), "a.docx", b"%PDF-2.0\n", "it is a PDF 2.0"),
        (DocumentUpload(b""), "a", b"\n%PDF-1.4", "its PDF begins at byte 1"),
        (DocumentUpload(b""), "a.pdf", b"\xef\xbb\xbf%PDF-1.4", "its PDF begins at byte 3"),
        (DocumentUpload(b""), "a.pdf", b"hello", "it is no PDF"),
        (DocumentUpload(b""), "a.pdf", b"%PDF-x", "it is no PDF"),
        (DocumentUpload(b""), "a.pdf", ZIP, "it is an Office file or a ZIP archive and no PDF"),
        (DocumentUpload(b""), "a.pdf", OLE, "it is an Office file or a ZIP archive and no PDF"),
        (DocumentUpload(b""), "a.xls", b"<table>", "it is no Office file, although its extension is .xls"),
    ],
)
def test_refused(upload: FileUpload, file_name: str | None, head: bytes, text: str) -> None:
    """What the platform would refuse has a sentence of its own."""
    with pytest.raises(FileRefused, match=text):
        begin(upload, file_name, head)


@given(st.integers(0, 10_000))
def test_encoded_size(size: int) -> None:
    """The size of base64 is known before it is encoded."""
    assert encoded_size(size) == len(base64.b64encode(bytes(size)))
