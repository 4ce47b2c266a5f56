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
    from collections.abc import Collection

    from kfq_async.onboarding.input.table import Table

__all__ = ["open_table"]

_ZIP = b"PK\x03\x04"
_OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")
_OTHER_FORMATS = {
    b"<": "HTML or XML",
    b"%PDF": "a PDF",
    b"MIME-Version:": "a web archive (MHTML)",
    b"ID;P": "a SYLK file",
    b"{\\rtf": "a text document (RTF)",
}
_HEAD_BYTES = 4096
_WHITESPACE = b"\xef\xbb\xbf \t\r\n"


def open_table(
    path: str | os.PathLike[str],
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    header_row: int | None = None,
    expected: Collection[str] = (),
) -> Table:
    """Open an input file: CSV (comma, semicolon or tab), XLSX, XLS or JSON Lines.

    Args:
        path: Regular file; it is read several times.
        sheet: Sheet of a workbook; ``None``: the first visible one that is not empty.
        encoding: Encoding of a text file; ``None``: detected from the whole file, UTF-8 or GB18030 (a superset of GBK).
        header_row: Row of the headings, from 1; ``None``: the first one that is not blank, or the one below a title.
        expected: Headings that the caller named; a row with one of them is the row of headings.

    Raises `SourceError`, with the remedy, for any other file.
    """
    file = Path(path)
    head = _read_head(file)
    if head.startswith((_ZIP, _OLE2)):
        if encoding is not None:
            raise SourceError(f"{file} is a workbook, which has no encoding to choose; leave --encoding out")
        return open_workbook(file, sheet, header_row, expected)
    if sheet is not None:
        raise SourceError(f"{file} is a text file, which has no sheets; leave --sheet out")
    start = head.lstrip(_WHITESPACE)
    _check_format(file, head, start)
    encoding = detect_encoding(file, encoding)
    if not start.startswith((b"{", b"[")):
        return open_csv(file, encoding, header_row, expected)
    if header_row is not None:
        raise SourceError(f"{file} is JSON, which has no row of headings; leave --header-row out")
    return open_json_lines(file, encoding)


def _check_format(file: Path, head: bytes, start: bytes) -> None:
    """Raise `SourceError` for a file that is neither a workbook nor a table in text."""
    if not head:
        raise SourceError(f"{file} is empty (0 bytes)")
    if file.name.startswith("~$"):
        raise SourceError(f"{file} is what Excel leaves beside an open workbook; give the workbook itself")
    for mark, kind in _OTHER_FORMATS.items():
        if start.startswith(mark):
            raise SourceError(f"{file} is {kind}, whatever its name; open it and save it as XLSX")


def _read_head(file: Path) -> bytes:
    """Return the first bytes of a regular file; a pipe could not be read a second time."""
    try:
        if file.exists() and not file.is_file():
            raise SourceError(f"{file} is a folder, a pipe or a device; give a regular file, since it is read twice")
        with file.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
