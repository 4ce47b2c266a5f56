"""Uploads of documents and attachments."""

from __future__ import annotations

import base64
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from kfq_async.sandbox.checks import PlatformResponse, Refused
from kfq_async.sandbox.files import decode_base64
from self_hosted import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping

PDF = b"%PDF-1.7\n" + bytes(range(256)) + b"\n%%EOF\n"


def encoded(content: bytes) -> str:
    """Return plain base64."""
    return base64.b64encode(content).decode()


def upload(
    changes: Mapping[str, object] = MappingProxyType({}), path: str = "/document/file"
) -> tuple[Platform, PlatformResponse]:
    """Upload a PDF, but for the ``changes``."""
    platform = Platform()
    fields = {"fileName": "合同", "file": encoded(PDF), "fileSuffix": ".pdf", **changes}
    return platform, platform.call(path, fields)


def test_document() -> None:
    """A document is kept as it was uploaded."""
    platform, response = upload()
    assert isinstance(response.result, dict)
    stored = platform.files.document(response.result["docId"])
    assert stored is not None
    assert (stored.name, stored.suffix, stored.content) == ("合同", ".pdf", PDF)
    assert platform.files.attachment(stored.file_id) is None
    assert platform.files.document("none") is None
    assert "合同" not in repr(stored)


def test_attachment() -> None:
    """The content of an attachment is not inspected."""
    platform, response = upload({"file": encoded(b"anything"), "fileSuffix": ".zip"}, "/annex/file")
    assert isinstance(response.result, dict)
    stored = platform.files.attachment(response.result["fileId"])
    assert stored is not None
    assert stored.content == b"anything"
    assert platform.files.document(stored.file_id) is None


def test_ids() -> None:
    """The same file twice is two files."""
    platform, first = upload()
    second = platform.call("/document/file", {"fileName": "合同", "file": encoded(PDF), "fileSuffix": ".pdf"})
    assert first.result != second.result


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fileName": None}, 21000),
        ({"fileName": None, "file": None, "fileSuffix": None}, 21000),
        ({"fileName": ""}, 22000),
        ({"fileName": " \t"}, 22000),
        ({"fileName": "n" * 128}, 10000),
        ({"fileName": "n" * 129}, 23000),
        ({"fileName": "n" * 129, "file": None}, 23000),
        ({"fileName": 7}, 10000),
        ({"fileName": "\U00020000"}, 500),
        ({"file": None}, 21000),
        ({"file": ""}, 31000),
        ({"file": "!!!!"}, 31000),
        ({"fileSuffix": None}, 21000),
        ({"fileSuffix": ""}, 23000),
        ({"fileSuffix": "pdf"}, 23000),
        ({"fileSuffix": ".PDF"}, 23000),
        ({"fileSuffix": ".jpg"}, 23000),
        ({"fileSuffix": ".docx"}, 31000),
        ({"file": encoded(b"%PDF-1.")}, 10000),
        ({"file": encoded(b"\n" + PDF)}, 31000),
        ({"file": encoded(b"%PDF-2.0\n")}, 31000),
        ({"file": encoded(b"\xef\xbb\xbf" + PDF)}, 31000),
        ({"file": encoded(b"\xd0\xcf\x11\xe0\xa1\xb1"), "fileSuffix": ".doc"}, 31000),
        ({"file": encoded(b"PK\x03\x04rest"), "fileSuffix": ".docx"}, 31000),
        ({"file": encoded(b"PK\x03\x04rest")}, 31000),
        ({"file": "data:application/pdf;base64," + encoded(PDF)}, 31000),
        ({"file": base64.encodebytes(PDF).decode()}, 10000),
        ({"file": encoded(PDF).rstrip("=")}, 10000),
    ],
)
def test_document_checks(changes: dict[str, object], code: int) -> None:
    """The name is checked first, then the content's presence, the suffix, and what the content is."""
    assert upload(changes)[1].code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"fileName": None}, 21000),
        ({"fileName": "n" * 129}, 23000),
        ({"file": None}, 21000),
        ({"fileSuffix": None}, 21000),
        *(({"fileSuffix": suffix}, 23000) for suffix in (".xls", ".jpeg", ".toolongsuffix", ". pdf", "pdf", ".PDF")),
        *(({"fileSuffix": suffix}, 10000) for suffix in (".doc", ".docx", ".wps", ".jpg", ".png", ".xlsx", ".rar")),
    ],
)
def test_attachment_checks(changes: dict[str, object], code: int) -> None:
    """Attachments have suffixes of their own."""
    assert upload(changes, "/annex/file")[1].code == code


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("QUJD", b"ABC"),
        ("QUI=", b"AB"),
        ("QUI", b"AB"),
        ("QQ", b"A"),
        (" Q\nU\r\nJ\tD!?中", b"ABC"),
        ("-QUJD_", b"ABC"),
        ("QQ==\n", b"A"),
    ],
)
def test_base64(text: str, content: bytes) -> None:
    """Characters outside the plain alphabet are skipped, those of the URL-safe one included."""
    assert decode_base64(text) == content


@pytest.mark.parametrize("text", ["", "=", "!!!!", "Q", "QUJDQ", "QQ==QQ=="])
def test_undecodable_base64(text: str) -> None:
    """Nothing, a single character that is left over, and content after the padding are refused."""
    with pytest.raises(Refused) as caught:
        decode_base64(text)
    assert caught.value.response.code == 31000
