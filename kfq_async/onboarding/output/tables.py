"""Tables in CSV, JSON Lines and XLSX, streamed; each cell is text, a number or a link, and none is a formula."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from unicodedata import east_asian_width

from attrs import frozen

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr, hide_arguments
from kfq_async.onboarding.input.csv import escape_formula
from kfq_async.onboarding.input.table import column_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import TextIO

    from xlsxwriter import Workbook

__all__ = ["XLSX_ROWS", "Cell", "Column", "TableWriter", "check_columns", "require_xlsx", "writer_for"]

Cell: TypeAlias = "str | int"
XLSX_ROWS = 1_048_576
"""Rows of a sheet, including the headings."""
XLSX_LINKS = 65_530
"""Links of a sheet that can be clicked; Excel repairs a workbook with more."""
_XLSX_LINK_CHARACTERS = 2_079
_XLSX_CELL_CHARACTERS = 32_767
_MEASURED_ROWS = 200
"""Rows after which the widths of columns are settled."""
_MIN_WIDTH = 8
"""Least width of a column, in characters."""
_MAX_WIDTH = 40
"""Greatest width of a column; text is longer than that in columns of links and reasons."""
# Lone surrogates, and characters that XML cannot hold.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_URL_CHARACTERS = r"(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*"
# A URL that XlsxWriter and Excel leave as it is (RFC 3986).
_URL = re.compile(rf"https?://{_URL_CHARACTERS}(?:#{_URL_CHARACTERS})?")


@frozen
class Column:
    """Column of a table.

    Attributes:
        heading: Heading in CSV and XLSX.
        key: Key in JSON Lines; ``None``: the heading.
        kind: Kind of its cells. A link can be clicked in an XLSX.
    """

    heading: str
    key: str | None = None
    kind: Literal["text", "number", "link"] = "text"


class TableWriter(ABC):
    """Writer of one table, row by row."""

    @abstractmethod
    def write_row(self, cells: Sequence[Cell]) -> None:
        """Write the next row; an empty text is a blank cell."""

    def write_totals(  # noqa: B027  # most formats have no sheets
        self, title: str, totals: Mapping[tuple[str, str], Mapping[str, int]]
    ) -> None:
        """Add a sheet of totals after the rows, where the format has sheets.

        Args:
            title: Name of the sheet.
            totals: Numbers by name, in groups; each group has two headings.
        """


def writer_for(file: Path) -> Callable[[Path, Sequence[Column], str], AbstractContextManager[TableWriter]]:
    """Return the function that opens a writer for a file's suffix; raises `SourceError` for an unknown suffix.

    Its arguments are the file, the columns, and the name of the sheet, which other formats ignore.
    """
    writer = {".csv": _csv, ".jsonl": _json_lines, ".xlsx": _xlsx}.get(file.suffix.lower())
    if writer is None:
        raise SourceError(f"{file}: the output must end in .csv, .jsonl or .xlsx")
    return writer


def check_columns(file: Path, columns: Sequence[Column]) -> None:
    """Raise `SourceError` if the format of the file cannot hold these columns."""
    if file.suffix.lower() == ".jsonl":
        _json_keys(columns)


def require_xlsx() -> None:
    """Raise `SourceError` if XlsxWriter is not installed."""
    try:
        import xlsxwriter  # noqa: F401
    except ImportError:
        raise SourceError("writing an XLSX needs XlsxWriter; run pip install 'kfq-async[onboarding]'") from None


@contextmanager
def _csv(file: Path, columns: Sequence[Column], _sheet: str) -> Iterator[TableWriter]:
    """Write UTF-8 with a BOM; without it, Excel assumes the encoding of the system."""
    with file.open("w", encoding="utf-8-sig", newline="", errors="replace") as stream:
        writer = _CsvWriter(stream)
        writer.write_row([column.heading for column in columns])
        yield writer


class _CsvWriter(TableWriter):
    def __init__(self, stream: TextIO) -> None:
        # Quoted, so that nothing in a cell is mistaken for a delimiter or for another format.
        self._writer = csv.writer(stream, quoting=csv.QUOTE_ALL)

    def write_row(self, cells: Sequence[Cell]) -> None:
        self._writer.writerow([escape_formula(cell) if isinstance(cell, str) else cell for cell in cells])


@contextmanager
def _json_lines(file: Path, columns: Sequence[Column], _sheet: str) -> Iterator[TableWriter]:
    keys = _json_keys(columns)
    with file.open("w", encoding="utf-8", newline="\n", errors="replace") as stream:
        yield _JsonLinesWriter(stream, keys)


class _JsonLinesWriter(TableWriter):
    def __init__(self, stream: TextIO, keys: Sequence[str]) -> None:
        self._stream, self._keys = stream, keys

    def write_row(self, cells: Sequence[Cell]) -> None:
        print(json.dumps(dict(zip(self._keys, cells, strict=True)), ensure_ascii=False), file=self._stream)


def _json_keys(columns: Sequence[Column]) -> list[str]:
    headings = [column.heading for column in columns]
    keys = [column.key or column_name(headings, index) for index, column in enumerate(columns)]
    if repeated := sorted(key for key, count in Counter(keys).items() if count > 1):
        raise SourceError(
            f"JSON cannot hold two columns {', '.join(repeated)}; rename one, or choose a .csv or .xlsx with --out"
        )
    return keys


@contextmanager
def _xlsx(file: Path, columns: Sequence[Column], sheet: str) -> Iterator[TableWriter]:
    """Write streamed sheets; all text is written as text, so there are no formulas."""
    require_xlsx()
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    # Its temporary files go next to the output, so that they are cleaned up with it.
    options = {"constant_memory": True, "tmpdir": str(file.parent), "use_zip64": True}
    book = xlsxwriter.Workbook(str(file), options)
    try:
        writer = _XlsxWriter(book, columns, sheet)
        yield writer
        writer.finish()
        book.close()
    except FileCreateError as error:
        raise OSError(*error.args[0].args) from None
    finally:
        # XlsxWriter leaves its files open when the disk is full.
        streams: set[Any] = {stream for each in book.worksheets() for stream in (each.row_data_fh, each.fh)}
        for stream in streams - {None}:
            with suppress(OSError):
                stream.close()


class _XlsxWriter(TableWriter):
    """Writer of a sheet with a frozen row of headings and a filter; columns of text stay text when they are edited."""

    def __init__(self, book: Workbook, columns: Sequence[Column], sheet: str) -> None:
        self._book, self._columns = book, columns
        self._sheet = book.add_worksheet(sheet)
        self._heading_format = book.add_format({"bold": True, "bg_color": "#DDE6F0", "bottom": 1, "text_wrap": True})
        self._formats = {
            "text": book.add_format({"num_format": "@"}),
            "number": book.add_format({"num_format": "0"}),
            "link": book.add_format({"num_format": "@", "font_color": "#0563C1", "underline": 1}),
        }
        self._widths = [_MIN_WIDTH] * len(columns)
        self._links = 0
        self._rows = 1
        self._sheet.freeze_panes(1, 0)
        for index, column in enumerate(columns):
            self._sheet.write_string(0, index, _xml_text(column.heading), self._heading_format)
            self._measure(index, column.heading)

    def write_row(self, cells: Sequence[Cell]) -> None:
        if self._rows == XLSX_ROWS:
            raise SourceError(f"an XLSX holds {XLSX_ROWS:,} rows; choose a .csv with --out")
        for index, (column, cell) in enumerate(zip(self._columns, cells, strict=True)):
            if isinstance(cell, int):
                self._sheet.write_number(self._rows, index, cell, self._formats["number"])
            elif cell:
                self._write_text(index, cell, link=column.kind == "link")
            if self._rows <= _MEASURED_ROWS:
                self._measure(index, str(cell))
        self._rows += 1

    @hide_arguments
    def _write_text(self, index: int, cell: str, *, link: bool) -> None:
        text = MaskedStr(_xml_text(cell))
        if link and self._links < XLSX_LINKS and len(cell) <= _XLSX_LINK_CHARACTERS and _URL.fullmatch(cell):
            self._links += 1
            self._sheet.write_url(self._rows, index, text, self._formats["link"])
        else:
            self._sheet.write_string(self._rows, index, text, self._formats["text"])

    def _measure(self, index: int, text: str) -> None:
        """Widen a column for a text, in which East Asian characters take the room of two."""
        width = sum(2 if east_asian_width(character) in "FW" else 1 for character in text[:_MAX_WIDTH]) + 2
        self._widths[index] = min(max(self._widths[index], width), _MAX_WIDTH)

    def finish(self) -> None:
        """Set the widths of the columns, and the filter."""
        for index, (column, width) in enumerate(zip(self._columns, self._widths, strict=True)):
            self._sheet.set_column(index, index, width, self._formats["number" if column.kind == "number" else "text"])
        self._sheet.autofilter(0, 0, self._rows - 1, len(self._columns) - 1)

    def write_totals(self, title: str, totals: Mapping[tuple[str, str], Mapping[str, int]]) -> None:
        sheet = self._book.add_worksheet(title)
        sheet.set_column(0, 0, _MAX_WIDTH // 2)
        row = 0
        for headings, numbers in totals.items():
            for index, heading in enumerate(headings):
                sheet.write_string(row, index, heading, self._heading_format)
            for name, number in numbers.items():
                row += 1
                sheet.write_string(row, 0, name)
                sheet.write_number(row, 1, number)
            row += 2


def _xml_text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)[:_XLSX_CELL_CHARACTERS]
