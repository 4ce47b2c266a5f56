"""Downloads: kind of a file, whether all of it arrived, and a safe name for it (protocol section 4.15)."""

from __future__ import annotations

import re
import struct
import unicodedata
from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias
from urllib.parse import unquote_plus

from attrs import field, frozen

from kfq_async.models.fields import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

__all__ = [
    "HEAD",
    "MAX_NAME",
    "DownloadProgress",
    "DownloadStream",
    "Ending",
    "FileHead",
    "FileKind",
    "detect",
    "file_name",
    "is_json",
    "may_begin_file",
    "numbered_name",
    "sent_name",
]

HEAD = 1024
"""Number of the first bytes by which a file is recognised: PDF readers accept a header anywhere in them."""
MAX_NAME = 255
"""Longest name of a file, in bytes of UTF-8."""
_PDF, _ZIP, _EMPTY_ZIP = b"%PDF-", b"PK\3\4", b"PK\5\6"
_PDF_END = b"%%EOF"
_PDF_END_WITHIN = 1024
"""Number of the last bytes of a PDF in which readers accept its end mark, whatever stands before and after it."""
_PDF_BLANK = b"\0\t\n\f\r "
_COMMENT = re.compile(rb"%[^\r\n]*")
_OBJECT = re.compile(rb"[0-9][\s\0]+[0-9]+[\s\0]+obj|xref|endstream")
"""Parts of a PDF that do not follow its last end mark: those of a later revision, or of a file that contains it."""
_OBJECT_BEGINNING = re.compile(rb"[0-9]{1,10}(?:[\s\0]+[0-9]{1,5}(?:[\s\0]+ob?)?)?")
_KEYWORDS = (b"xref", b"endstream")
_TABLE_OFFSET = re.compile(rb"startxref[\s\0]+([0-9]{1,15})[\s\0]+\Z")
_TABLE = re.compile(rb"[\s\0]*(?:xref\b|[0-9]+[\s\0]+[0-9]+[\s\0]+obj\b)")
"""Beginning of a cross-reference table, or of the object that holds one."""
_DIRECTORY_END = struct.Struct("<4s4x2xH2LH")
"""End of central directory of a ZIP: signature, entries, size and offset of the directory, length of the comment."""
_LOCATOR = struct.Struct("<4s4xQ4x")
"""Locator of the Zip64 end of central directory: signature and offset."""
_DIRECTORY_END_64 = struct.Struct("<4sQ28xQQ")
"""Zip64 end of central directory: signature, size of the rest, size and offset of the directory."""
_TAIL = 256 * 1024
"""Number of the last bytes that are kept: more than the longest end of a ZIP, and than most ends of a PDF."""
_FILE_NAME = re.compile(r"""(?:^|;)\s*filename\s*=\s*(?:"([^"]*)"|([^;]*))""", re.IGNORECASE)
_SEPARATORS = re.compile(r'[/\\<>:"|?*]')
"""Separators of paths, and what names on Windows must not hold."""
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])\s*", re.IGNORECASE)
"""Names of devices on Windows, whatever follows after a dot."""
_MAX_READ = 4096
"""Number of characters of a name that are read."""


DownloadProgress: TypeAlias = "Callable[[int, int | None], object]"
"""Called with the number of bytes that arrived in this attempt, and with all, or ``None`` if that is unknown."""


class DownloadStream(Protocol):
    """Chunks of a download, from ``session.contracts.download_stream``: ``async with`` it, and iterate over it.

    The call begins with ``async with``, which raises whatever fails before the first chunk. The iteration raises at its
    end if not all of the file arrived; what was received before is of no use then. Leaving the block earlier closes the
    connection. A chunk has at most a few hundred KiB, and the platform waits while the caller takes its time.

    Attributes:
        name: Name of the file on the platform, made safe for any file system; it ends with ``.pdf`` or ``.zip``.
        size: Size in bytes; ``None`` if it is unknown: the platform does not send it.
    """

    name: str
    """Name of the file on the platform, made safe for any file system; it ends with ``.pdf`` or ``.zip``."""
    size: int | None
    """Size in bytes; ``None`` if it is unknown: the platform does not send it."""

    async def __aenter__(self) -> Self:
        """Begin the call, and wait for the file to begin."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the call, and close the connection unless all of the file arrived."""
        ...

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        ...

    async def __anext__(self) -> bytes:
        """Return the next chunk."""
        ...


class FileKind(StrEnum):
    """Kind of a downloaded file; the value is its extension."""

    PDF = ".pdf"
    ZIP = ".zip"


@frozen
class FileHead:
    """What header and first bytes tell of a file.

    Attributes:
        name: Name as the platform sends it, unsafe for a file system; empty if it sends none.
        kind: Kind of the file.
    """

    name: str = field(**SECRET)
    kind: FileKind


def is_json(headers: Mapping[str, str]) -> bool:
    """Return whether a response is labelled as JSON, so that it is an envelope and no file."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


def detect(head: bytes) -> FileKind | None:
    """Return the kind of the file that begins with ``head``; ``None`` if it is neither."""
    if head.startswith((_ZIP, _EMPTY_ZIP)):
        return FileKind.ZIP
    return FileKind.PDF if _PDF in head[:HEAD] else None


def may_begin_file(body: bytes) -> bool:
    """Return whether a whole body is so short that it may be a file that was cut, an empty one included."""
    return any(magic.startswith(body) for magic in (_PDF, _ZIP))


class Ending:
    """Size, first and last bytes of a file, from which it is seen whether all of it arrived.

    A response without ``Content-Length`` that is cut at the right place looks complete to an HTTP client, and a proxy
    may give the length of what it has got. So only the file itself tells.
    """

    def __init__(self) -> None:
        self.size: int = 0
        """Number of bytes."""
        self._head = b""
        self._pieces: deque[bytes] = deque()
        self._kept = 0
        """Number of bytes of the pieces."""

    def add(self, piece: bytes) -> None:
        """Add the bytes that follow."""
        self.size += len(piece)
        if len(self._head) < 2 * HEAD:
            self._head = (self._head + piece)[: 2 * HEAD]
        self._pieces.append(piece)
        self._kept += len(piece)
        while self._kept - len(self._pieces[0]) >= _TAIL:
            self._kept -= len(self._pieces.popleft())

    def is_whole(self, kind: FileKind) -> bool:
        """Return whether the file ends as one of its kind does."""
        tail = b"".join(self._pieces)
        return self._is_whole_pdf(tail) if kind is FileKind.PDF else self._is_whole_zip(tail)

    def _is_whole_pdf(self, tail: bytes) -> bool:
        """Look for the last end mark, which must be that of the last revision, and of no PDF inside this one.

        Far from the end it counts only if its offset leads to a cross-reference table of this file: bytes that follow
        a PDF, and those of a PDF that contains another and was cut, may look alike.
        """
        at = tail.rfind(_PDF_END)
        if at < 0 or _continues_pdf(tail[at + len(_PDF_END) :]):
            return False
        offset = _TABLE_OFFSET.search(tail, max(0, at - 64), at)
        if len(tail) - at <= _PDF_END_WITHIN:
            inner = tail.rfind(_PDF, 0, at)
            origin = self.size - len(tail) + inner
            return offset is None or inner < 0 or origin < HEAD or not self._has_table(tail, origin + int(offset[1]))
        return offset is not None and self._has_table(tail, self._head.find(_PDF) + int(offset[1]))

    def _has_table(self, tail: bytes, offset: int) -> bool:
        """Return whether a cross-reference table is seen at an offset, near the end, or at the head if linearised."""
        at = offset - (self.size - len(tail))
        return bool(_TABLE.match(tail, at) if at >= 0 else _TABLE.match(self._head, offset))

    def _is_whole_zip(self, tail: bytes) -> bool:
        """Look for an end of central directory that ends with the file, and whose directory ends where it begins."""
        at = tail.rfind(_EMPTY_ZIP)
        while at >= 0:
            if self._ends_zip(tail, at):
                return True
            at = tail.rfind(_EMPTY_ZIP, 0, at)  # the comment may contain the signature
        return False

    def _ends_zip(self, tail: bytes, at: int) -> bool:
        if at + _DIRECTORY_END.size > len(tail):
            return False
        _, _, size, offset, comment = _DIRECTORY_END.unpack_from(tail, at)
        if at + _DIRECTORY_END.size + comment != len(tail):
            return False
        if at >= _LOCATOR.size and tail.startswith(b"PK\6\7", at - _LOCATOR.size):
            return self._ends_zip64(tail, at - _LOCATOR.size)
        return bool(offset + size == self.size - len(tail) + at)

    def _ends_zip64(self, tail: bytes, locator: int) -> bool:
        start = self.size - len(tail)
        at = _LOCATOR.unpack_from(tail, locator)[1] - start
        if not 0 <= at <= locator - _DIRECTORY_END_64.size:
            return False
        signature, rest, size, offset = _DIRECTORY_END_64.unpack_from(tail, at)
        return bool(signature == b"PK\6\6" and at + 12 + rest == locator and offset + size == start + at)


def _continues_pdf(rest: bytes) -> bool:
    """Return whether the bytes after an end mark belong to the PDF, which was cut in them."""
    if _OBJECT.search(rest):
        return True
    begun = _COMMENT.sub(b"", rest).strip(_PDF_BLANK)
    return begun != b"" and (
        any(word.startswith(begun) for word in _KEYWORDS) or _OBJECT_BEGINNING.fullmatch(begun) is not None
    )


def file_name(headers: Mapping[str, str], contract_id: str, kind: FileKind) -> str:
    """Return a name for a file in a folder of the caller's: that of the response, or else one of the contract's id.

    It is a single component, valid on every system, ends with the extension of the kind, and has at most `MAX_NAME`
    bytes.
    """
    for name in _sent_names(headers):
        if base := _clean(name, kind):
            return numbered_name(base, 1)
    base = _clean(contract_id[:_MAX_READ], kind) or f"contract{kind}"
    return numbered_name(base, 1)


def sent_name(headers: Mapping[str, str]) -> str:
    """Return the name of a file as the platform sends it, unsafe for a file system; empty if it sends none."""
    return next(filter(None, _sent_names(headers)), "")


def _sent_names(headers: Mapping[str, str]) -> Iterator[str]:
    """Yield the name in each of the two headers, decoded; empty if it is absent."""
    disposition = _FILE_NAME.search(headers.get("Content-Disposition", ""))
    given = (disposition[1] or disposition[2] or "") if disposition else ""
    for name in (given, headers.get("fileName", "")):
        yield unquote_plus(name[:_MAX_READ].strip())


def numbered_name(name: str, number: int) -> str:
    """Return ``name.pdf`` for 1, ``name (2).pdf`` for 2 and so on, shortened to `MAX_NAME` bytes."""
    base, suffix = name[:-4], name[-4:]
    end = suffix if number == 1 else f" ({number}){suffix}"
    return base.encode()[: MAX_NAME - len(end)].decode(errors="ignore").rstrip(" .") + end


def _clean(text: str, kind: FileKind) -> str:
    """Return a name without what is unsafe, with the extension of the kind; an empty text if nothing is left."""
    text = "".join(map(_clean_character, text))
    text = re.sub(r"\.{2,}", ".", _SEPARATORS.sub("_", text)).strip()
    suffix: str = kind
    if text.lower().endswith(suffix):
        text, suffix = text[: -len(suffix)], text[-len(suffix) :]
    text = text.strip(" .")
    if not text:
        return ""
    return f"{'_' if _RESERVED.fullmatch(text.partition('.')[0]) else ''}{text}{suffix}"


def _clean_character(character: str) -> str:
    """Return a character, a plain blank for any other, or nothing for what cannot be seen or be encoded.

    The last are control and format characters, which may change the direction of the text, and lone surrogates.
    """
    if character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else ""
