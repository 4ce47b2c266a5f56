"""XLSX and XLS workbooks, read by python-calamine. A sheet is in memory while it is read."""

from __future__ import annotations

import datetime as dt
import re
import zlib
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile, is_zipfile

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr
from kfq_async.onboarding.input.mapping import TITLE_ROWS, find_heading_row
from kfq_async.onboarding.input.table import (
    Table,
    TableRow,
    column_name,
    make_row,
    strip_trailing_blanks,
    title_notice,
)
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from python_calamine import CalamineSheet, CalamineWorkbook

__all__ = ["open_workbook", "uncomputed_cells"]

_PASSWORD = re.compile(
    re.escape("EncryptedPackage".encode("utf-16-le"))
    + rb"|\x09\x08\x10\x00\x00\x06\x05\x00.{12}(\x86\x00\x00\x00)?\x2f\x00",
    re.DOTALL,
)
"""Mark of password protection: the OLE2 stream of a protected XLSX, or the FILEPASS record at the start of a protected
XLS. calamine does not distinguish it from a damaged file."""
_MAX_EXACT = 10**15
"""A spreadsheet keeps 15 digits of a number; the others are lost when it is typed."""
_Cell = tuple[MaskedStr, str]
"""Text of a cell, and an error message or an empty string."""
_FORMAT_AS_TEXT = "format the column as text and type it again"
_MERGED = "is merged with another cell and has no value of its own; unmerge it and fill in each cell"

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATIONSHIP_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ERROR = "holds a spreadsheet error, such as #N/A; correct it"
_FORMULA = "holds a formula without a computed value; open the file in a spreadsheet program and save it"
_SUSPICIOUS = re.compile(rb"<(?:\w+:)?f[\s/>]|\bt=[\"']e[\"']")
"""Mark of a formula or an error anywhere in the XML. Most sheets have none and are not parsed a second time."""
_CHUNK = 1 << 20
# The parser's own error, an unknown encoding, bytes that are not of the encoding, a damaged or encrypted archive.
_DAMAGED = (ET.ParseError, LookupError, ValueError, EOFError, zlib.error, NotImplementedError, RuntimeError)
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")


def open_workbook(
    file: Path, sheet: str | None, header_row: int | None = None, expected: Collection[str] = ()
) -> Table:
    """Open a sheet of a workbook; see `find_heading_row` for its headings, unless ``header_row`` says their row."""
    with _open_book(file) as book:
        name, others, calamine_sheet = _select_sheet(file, book, sheet)
    rows = enumerate(map(_to_cells, calamine_sheet.iter_rows() if calamine_sheet.height else ()), 1)
    filled = ((number, [text for text, _ in row]) for number, row in rows if _has_content(row))
    if header_row is not None:
        filled = (row for row in filled if row[0] == header_row)
    first = list(islice(filled, TITLE_ROWS))
    if not first and header_row is not None:
        raise SourceError(f"{file}: row {header_row} of the sheet {name} is blank; choose another --header-row")
    if not first:
        raise SourceError(f"{file}: the sheet {name} is empty; its first row must be the headings")
    heading_row, cells = first[find_heading_row([cells for _, cells in first], expected)]
    headings = strip_trailing_blanks(cells)
    notices = [f"only the sheet {name} is read, not {', '.join(others)}; choose another with --sheet"] if others else []
    notices += title_notice(heading_row, first[0][0])
    if not is_zipfile(file):
        notices.append("an error in a cell of an XLS looks like a blank cell; save it as XLSX to have errors reported")
    return Table(file, headings, partial(_read_rows, file, name, heading_row, headings), tuple(notices))


@contextmanager
def _open_book(file: Path) -> Iterator[CalamineWorkbook]:
    """Open a workbook; errors inside become `SourceError`."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise SourceError(f"{file}: workbooks need python-calamine; run pip install 'kfq-async[onboarding]'") from None
    try:
        # An open stream, not a path: calamine would choose the format by the suffix of a path.
        with file.open("rb") as stream, CalamineWorkbook.from_object(stream) as book:
            yield book
            return
    except CalamineError:
        protected = _PASSWORD.search(file.read_bytes())
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None
    except BaseException as error:
        # Unforeseen damage makes Rust panic, which is not an Exception in Python.
        if type(error).__name__ != "PanicException":
            raise
        protected = None
    if protected:
        raise SourceError(f"{file} is protected by a password; open it and save it without one")
    raise SourceError(f"{file} is not a workbook, or damaged; open it in a spreadsheet program and save it as XLSX")


def _select_sheet(file: Path, book: CalamineWorkbook, sheet: str | None) -> tuple[str, list[str], CalamineSheet]:
    """Return the name of the sheet to read, the names of the other visible sheets with content, and the sheet."""
    if sheet is not None and sheet not in book.sheet_names:
        raise SourceError(f"{file} has no sheet {sheet}; it has {', '.join(book.sheet_names)}")
    with_content = [name for name in _visible_sheets(book) if book.get_sheet_by_name(name).height]
    if sheet is None and not with_content:
        raise SourceError(f"{file}: every visible sheet is empty; the first row must be the headings")
    name = with_content[0] if sheet is None else sheet
    return name, [other for other in with_content if other != name], book.get_sheet_by_name(name)


def _visible_sheets(book: CalamineWorkbook) -> list[str]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    wanted = (SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible)
    return [sheet.name for sheet in book.sheets_metadata if (sheet.typ, sheet.visible) == wanted]


def _read_rows(file: Path, name: str, heading_row: int, headings: tuple[str, ...]) -> Iterator[TableRow]:
    with _open_book(file) as book:
        sheet = book.get_sheet_by_name(name)
    first_column = (sheet.start or (0, 0))[1]
    unreadable = _unreadable_cells(file, name, sheet)
    for number, cells in enumerate(map(_to_cells, sheet.iter_rows()), 1):
        messages = {column - first_column: message for column, message in unreadable.get(number, ())}
        if number > heading_row and (_has_content(cells) or {*messages.values()} - {_MERGED}):
            yield _to_row(number, cells, headings, messages)


def _unreadable_cells(file: Path, name: str, sheet: CalamineSheet) -> Mapping[int, list[tuple[int, str]]]:
    """Return, by row, the column (from 0) and error message of each cell that only looks blank."""
    cells: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in range(top, min(bottom, sheet.total_height) + 1):
            cells[row + 1] += [(column, _MERGED) for column in range(left, right + 1) if (row, column) != (top, left)]
    for number, column, message in uncomputed_cells(file, name):
        cells[number].append((column, message))
    return cells


def _to_row(number: int, cells: Sequence[_Cell], headings: tuple[str, ...], messages: Mapping[int, str]) -> TableRow:
    problems = [
        Problem(column_name(headings, index), message)
        for index, (text, error) in enumerate(cells)
        if (message := error or (not text and messages.get(index)))
    ]
    return make_row(number, [text for text, _ in cells], headings, tuple(problems))


def _has_content(cells: Sequence[_Cell]) -> bool:
    return any(text.strip() for text, _ in cells)


def _to_cells(values: Sequence[Any]) -> list[_Cell]:
    return [(MaskedStr(text), error) for text, error in map(_to_text, values)]


def _to_text(value: Any) -> tuple[str, str]:
    """Return the text of a cell's value, and an error message or an empty string."""
    match value:
        case str():
            return value, ""
        case bool():
            return str(value).upper(), f"is a boolean; {_FORMAT_AS_TEXT}"
        case int() | float() if abs(value) >= _MAX_EXACT:
            # In scientific notation, so that no later run takes it for the complete number.
            return f"{value:.14E}", f"has more than 15 digits and has lost some of them; {_FORMAT_AS_TEXT}"
        case int() | float():
            return str(int(value) if value == int(value) else value), ""
        case dt.timedelta():
            return str(value), f"is a time; {_FORMAT_AS_TEXT}"
        case _:
            return value.isoformat(), f"is a date or time; {_FORMAT_AS_TEXT}"


def uncomputed_cells(file: Path, sheet: str) -> Iterator[tuple[int, int, str]]:
    """Yield row (from 1), column (from 0) and error message of each cell with an error or an uncomputed formula.

    A workbook that is not Office Open XML yields none. Raises `SourceError` if the XML of the sheet cannot be read: a
    cell that only looks blank would be sent as blank.
    """
    try:
        with ZipFile(file) as archive:
            part = _sheet_path(archive, sheet)
            with archive.open(part) as stream:
                suspicious = _is_suspicious(stream)
            if suspicious:
                with archive.open(part) as stream:
                    yield from _parse_cells(stream)
    except (BadZipFile, KeyError):
        return
    except _DAMAGED as error:
        raise SourceError(
            f"{file}: the XML of the sheet {sheet} cannot be read ({type(error).__name__}); open it in a spreadsheet "
            "program and save it as XLSX"
        ) from None


def _sheet_path(archive: ZipFile, sheet: str) -> str:
    """Return the path of a sheet inside the archive."""
    book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314  # expat limits the expansion of entities
    links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    ids = {each.get("name"): each.get(_RELATIONSHIP_ID) for each in book.iter(f"{_MAIN}sheet")}
    target = targets[ids[sheet]]
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _is_suspicious(stream: IO[bytes]) -> bool:
    tail = b""
    while chunk := stream.read(_CHUNK):
        if _SUSPICIOUS.search(tail + chunk):
            return True
        tail = chunk[-32:]
    return False


def _parse_cells(stream: IO[bytes]) -> Iterator[tuple[int, int, str]]:
    for _, element in ET.iterparse(stream):  # noqa: S314  # as above
        if element.tag == f"{_MAIN}c" and (message := _cell_error(element)):
            # A cell may lack the reference, and then its place is unknown.
            if reference := _REFERENCE.fullmatch(element.get("r", "")):
                yield int(reference[2]), _column_index(reference[1]), message
        elif element.tag == f"{_MAIN}row":
            element.clear()


def _cell_error(cell: ET.Element) -> str:
    if cell.get("t") == "e":
        return _ERROR
    # A formula with an empty text as its value has the type "str".
    uncomputed = cell.find(f"{_MAIN}f") is not None and not cell.findtext(f"{_MAIN}v")
    return _FORMULA if uncomputed and cell.get("t") != "str" else ""


def _column_index(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
