"""The sandbox's upload operations (protocol sections 4.4 and 4.5).

There is no conversion service, as on a self-hosted platform that was just installed: Office files are refused.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from kfq_async.documents import PdfError, PdfProblem, open_pdf
from kfq_async.sandbox.checks import Refused, check_column, success
from kfq_async.sandbox.gateway import ApiOperation
from kfq_async.sandbox.quirks import REFUSED_PDF_2, UNCHECKED_UPLOADS
from kfq_async.sandbox.store import StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kfq_async.sandbox.binding import Shape
    from kfq_async.sandbox.checks import PlatformResponse
    from kfq_async.sandbox.gateway import ApiCall
    from kfq_async.sandbox.store import Store

__all__ = ["ATTACHMENT", "DOCUMENT", "FileService", "decode_base64"]

DOCUMENT, ATTACHMENT = "document", "attachment"
"""Kinds of a stored file: to be signed, or attached."""
LARGE_BODY = 256 * 1024
"""Size of a body in bytes above which decoding it would hold up other calls."""
MAX_NAME = 128
DOCUMENT_SUFFIXES = (".pdf", ".doc", ".docx", ".xls", ".xlsx")
ATTACHMENT_SUFFIXES = (".doc", ".docx", ".wps", ".jpg", ".png", ".pdf", ".xlsx", ".zip", ".rar")
PDF, OLD_PDF = b"%PDF-", b"%PDF-1."
"""Leading bytes of a PDF, and of one before PDF 2.0."""
OFFICE = (b"\xd0\xcf\x11\xe0", b"PK\x03\x04")
"""Leading bytes of the old and of the new Office formats; any ZIP file passes for the latter."""

_UPLOAD: dict[str, Shape] = {"fileName": str, "file": str, "fileSuffix": str}
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_SKIPPED = bytes(set(range(256)) - set(_ALPHABET))


class FileService:
    """Uploads of documents and attachments, which the store keeps as they arrive.

    ``quirks`` are the names of those that are imitated.
    """

    def __init__(self, store: Store, *, quirks: frozenset[str]) -> None:
        self._store = store
        self._thread_above = LARGE_BODY if UNCHECKED_UPLOADS in quirks else 0  # a PDF is looked into

    def operations(self) -> Iterable[ApiOperation]:
        """Return the operations."""
        handlers: dict[str, Callable[[ApiCall], PlatformResponse]] = {
            "/document/file": self._upload_document,
            "/annex/file": self._upload_attachment,
        }
        for path, handler in handlers.items():
            yield ApiOperation(
                method="POST",
                path=path,
                shape=_UPLOAD,
                handler=handler,
                limited=True,
                thread_above=self._thread_above,
            )

    def document(self, doc_id: str) -> StoredFile | None:
        """Return a document by its ``docId``."""
        return self._store.files.one("file_id = ? AND kind = ?", doc_id, DOCUMENT)

    def attachment(self, file_id: str) -> StoredFile | None:
        """Return an attachment by its ``fileId``."""
        return self._store.files.one("file_id = ? AND kind = ?", file_id, ATTACHMENT)

    def _upload_document(self, call: ApiCall) -> PlatformResponse:
        name = call.fields.get("fileName")
        if name is None:
            raise Refused(21000, "缺少 fileName")
        if not name.strip():
            raise Refused(22000, "fileName 为空")
        _check_name_and_file(call)
        _check_suffix(call, DOCUMENT_SUFFIXES)
        content = _content(call)
        pdf = OLD_PDF if REFUSED_PDF_2 in call.quirks else PDF
        if not content.startswith((pdf, *OFFICE)):
            raise Refused(31000, "不支持的文件类型")
        if not content.startswith(pdf) or call.fields["fileSuffix"] != ".pdf":
            raise Refused(31000, "文件转换失败：沙箱没有 Office 转换服务，请上传 PDF")
        if UNCHECKED_UPLOADS not in call.quirks:
            _check_pdf(content)
        return success({"docId": self._keep(call, DOCUMENT, content)})

    def _upload_attachment(self, call: ApiCall) -> PlatformResponse:
        if call.fields.get("fileName") is None:
            raise Refused(21000, "缺少 fileName")
        _check_name_and_file(call)
        _check_suffix(call, ATTACHMENT_SUFFIXES)
        return success({"fileId": self._keep(call, ATTACHMENT, _content(call))})

    def _keep(self, call: ApiCall, kind: str, content: bytes) -> str:
        name = call.fields["fileName"]
        check_column(call.quirks, "fileName", name)
        stored = StoredFile(
            file_id=secrets.token_hex(16),
            kind=kind,
            name=name,
            suffix=call.fields["fileSuffix"],
            content=content,
            created_at=call.now_ms / 1000,
        )
        self._store.files.add(stored)
        return stored.file_id


def _content(call: ApiCall) -> bytes:
    text = call.fields["file"]
    if UNCHECKED_UPLOADS in call.quirks:
        return decode_base64(text)
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(31000, "file 不是标准 base64") from None


def _check_pdf(content: bytes) -> None:
    """Refuse a damaged PDF; without the extra ``sandbox`` none."""
    try:
        open_pdf(content)
    except ModuleNotFoundError:
        return
    except PdfError as problem:
        if problem.problem is PdfProblem.DAMAGED:
            raise Refused(31000, f"file 已损坏：{problem}") from None


def decode_base64(text: str) -> bytes:
    """Decode base64 as the platform does: characters outside the plain alphabet are skipped, padding may be absent.

    A ``data:`` prefix and the URL-safe alphabet therefore yield other bytes than were meant. Raises `Refused` if
    nothing comes out, or if a single character is left over.
    """
    with suppress(ValueError):
        if content := binascii.a2b_base64(text, strict_mode=True):  # the usual case, without further copies
            return content
    characters = text.encode(errors="replace").translate(None, _SKIPPED)
    digits, _, rest = characters.partition(b"=")
    if not digits or len(digits) % 4 == 1 or rest.strip(b"="):
        raise Refused(31000, "文件内容不是 base64")
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def _check_name_and_file(call: ApiCall) -> None:
    if len(call.fields["fileName"]) > MAX_NAME:
        raise Refused(23000, f"fileName 超过 {MAX_NAME} 个字符")
    if call.fields.get("file") is None:
        raise Refused(21000, "缺少 file")


def _check_suffix(call: ApiCall, suffixes: tuple[str, ...]) -> None:
    suffix = call.fields.get("fileSuffix")
    if suffix is None:
        raise Refused(21000, "缺少 fileSuffix")
    if suffix not in suffixes:
        raise Refused(23000, f"fileSuffix 须为 {'、'.join(suffixes)} 之一")
