"""Format detection of input files by content, whatever their names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kfq_async.errors import SourceError
from kfq_async.onboarding.input.csv import open_csv
from kfq_async.onboarding.input.encodings import detect_encoding
from kfq_async.onboarding.input.jsonl import open_json_lines
from kfq_async.onboarding.input.workbook import open_workbook

if TYPE_CHECKING:
    import os

    from kfq_async.onboarding.input.table import Table

__all__ = ["open_table"]

_ZIP = b"PK\x03\x04"
_OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")
_HEAD_BYTES = 4096
_WHITESPACE = b"\xef\xbb\xbf \t\r\n"


def open_table(path: str | os.PathLike[str], *, sheet: str | None = None, encoding: str | None = None) -> Table:
    """Open an input file: CSV (comma, semicolon or tab), XLSX, XLS or JSON Lines.

    Args:
        path: Regular file; it is read several times.
        sheet: Sheet of a workbook; ``None``: the first visible one that is not empty.
        encoding: Encoding of a text file; ``None``: detected from the whole file, UTF-8 or GB18030 (a superset of GBK).

    Raises `SourceError`, with the remedy, for any other file.
    """
    file = Path(path)
    head = _read_head(file)
    if head.startswith((_ZIP, _OLE2)):
        if encoding is not None:
            raise SourceError(f"{file} is a workbook, which has no encoding to choose; leave --encoding out")
        return open_workbook(file, sheet)
    if sheet is not None:
        raise SourceError(f"{file} is a text file, which has no sheets; leave --sheet out")
    if not head:
        raise SourceError(f"{file} is empty (0 bytes)")
    if (start := head.lstrip(_WHITESPACE)).startswith(b"<"):
        raise SourceError(f"{file} is HTML or XML, whatever its name; save it as XLSX")
    encoding = detect_encoding(file, encoding)
    return open_json_lines(file, encoding) if start.startswith((b"{", b"[")) else open_csv(file, encoding)


def _read_head(file: Path) -> bytes:
    """Return the first bytes of a regular file; a pipe could not be read a second time."""
    try:
        if file.exists() and not file.is_file():
            raise SourceError(f"{file} is a folder, a pipe or a device; give a regular file, since it is read twice")
        with file.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
