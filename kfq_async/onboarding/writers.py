"""Tables as files: CSV, JSON Lines, and XLSX by XlsxWriter, which is imported here alone."""

from __future__ import annotations

import csv
import json
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from kfq_async.errors import SourceError
from kfq_async.onboarding.tables.delimited import guarded
from kfq_async.onboarding.tables.table import column_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

__all__ = ["XLSX_ROWS", "Write", "require_xlsx", "writer_for"]

Write: TypeAlias = "Callable[[Sequence[str]], None]"
"""Writes one row."""

XLSX_ROWS = 1_048_576
"""Rows of a sheet, the headings included."""
_LONGEST = 32_767
"""Characters of a cell of a sheet."""
# Half characters, and characters that XML has no way to write.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def writer_for(file: Path) -> Callable[[Path, Sequence[str]], AbstractContextManager[Write]]:
    """Return what writes a table of the kind that a file's name ends in; `SourceError` for any other ending."""
    writer = {".csv": _csv, ".jsonl": _json_lines, ".xlsx": _xlsx}.get(file.suffix.lower())
    if writer is None:
        raise SourceError(f"{file}: an output ends in .csv, .jsonl or .xlsx")
    return writer


def require_xlsx() -> None:
    """Raise `SourceError` if XlsxWriter, which an XLSX needs, is not installed."""
    try:
        import xlsxwriter  # noqa: F401
    except ImportError:
        raise SourceError("writing an XLSX needs an extra; pip install 'kfq-async[onboarding]'") from None


@contextmanager
def _csv(file: Path, headings: Sequence[str]) -> Iterator[Write]:
    """Write UTF-8 with a mark, without which Excel takes it for the system's own encoding."""
    with file.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        # Headings in quotation marks: what they hold is then never taken for the delimiter, nor for another format.
        csv.writer(stream, quoting=csv.QUOTE_ALL).writerow([guarded(heading) for heading in headings])
        writer = csv.writer(stream)
        yield lambda cells: writer.writerow([guarded(cell) for cell in cells])


@contextmanager
def _json_lines(file: Path, headings: Sequence[str]) -> Iterator[Write]:
    names = [column_name(headings, index) for index in range(len(headings))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(f"JSON cannot hold two columns {', '.join(twice)}; rename one, or write .csv or .xlsx")
    with file.open("w", encoding="utf-8", newline="\n", errors="replace") as stream:
        yield lambda cells: print(json.dumps(dict(zip(names, cells, strict=True)), ensure_ascii=False), file=stream)


@contextmanager
def _xlsx(file: Path, headings: Sequence[str]) -> Iterator[Write]:
    """Write rows as they come; each cell is a text, so there are no live formulas and no limit of hyperlinks."""
    require_xlsx()
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    # Its temporary files go where the output goes, so that they are cleaned up with it.
    options = {"constant_memory": True, "tmpdir": str(file.parent), "use_zip64": True}
    book = xlsxwriter.Workbook(str(file), options)
    sheet = book.add_worksheet()
    try:
        yield _row_writer(sheet, book.add_format({"num_format": "@"}), headings)
        book.close()
    except FileCreateError as problem:
        raise OSError(*problem.args[0].args) from None
    finally:
        # It leaves its own files open when the disk is full.
        streams: set[Any] = {sheet.row_data_fh, sheet.fh}
        for stream in streams - {None}:
            with suppress(OSError):
                stream.close()


def _row_writer(sheet: Worksheet, as_text: Format, headings: Sequence[str]) -> Write:
    """Return what writes the next row; columns are formatted as text, so that what is typed later stays one."""
    sheet.set_column(0, len(headings) - 1, 20, as_text)
    sheet.freeze_panes(1, 0)
    number = 0

    def write(cells: Sequence[str]) -> None:
        nonlocal number
        if number == XLSX_ROWS:
            raise SourceError(f"an XLSX holds {XLSX_ROWS:,} rows; write .csv")
        for index, cell in enumerate(cells):
            if cell:
                sheet.write_string(number, index, _UNWRITABLE.sub("\ufffd", cell)[:_LONGEST], as_text)
        number += 1

    write(headings)
    return write
