"""Which kind of table a file is: its content says so, whatever its name says."""

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
_HEAD = 4096
_BLANKS = b"\xef\xbb\xbf \t\r\n"


def open_table(path: str | os.PathLike[str], *, sheet: str | None = None, encoding: str | None = None) -> Table:
    """Open a file of companies: CSV with commas, semicolons or tabs, XLSX, XLS or JSON Lines.

    ``sheet`` chooses one of a workbook; else it is the first that is visible and not empty. ``encoding`` says how
    a text is written; else it is looked for in the whole file, UTF-8 first and GB18030 (which GBK is part of) next.

    Raises `SourceError`, naming what to mend, for what is no such file.
    """
    file = Path(path)
    head = _head(file)
    if head.startswith((_ZIP, _OLE2)):
        if encoding is not None:
            raise SourceError(f"{file}: a workbook has no encoding to choose; leave it out")
        return open_workbook(file, sheet)
    if sheet is not None:
        raise SourceError(f"{file}: a text has no sheets to choose from; leave the sheet out")
    if not head:
        raise SourceError(f"{file} is empty, it has 0 bytes")
    if (start := head.lstrip(_BLANKS)).startswith(b"<"):
        raise SourceError(f"{file} is a web page or XML, whatever its name says; open it and save it as XLSX")
    encoding = detect_encoding(file, encoding)
    return open_json_lines(file, encoding) if start.startswith((b"{", b"[")) else open_csv(file, encoding)


def _head(file: Path) -> bytes:
    """Return the first bytes; only of a plain file, since a pipe cannot be read a second time."""
    try:
        if file.exists() and not file.is_file():
            raise SourceError(f"{file} is a folder or a device; give a file, which is read more than once")
        with file.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError as problem:
        raise SourceError(f"{file} cannot be read: {problem.strerror}") from None
