"""Reader of one sheet of a workbook, run in a process of its own by `workbook`.

A damaged workbook can make a reader abort, loop or fill the memory. Here that ends a child process with limits, and not
the program that onboards companies. The module imports nothing of the package, so that the process starts quickly.

It prints one JSON value per line: the extent of the sheet, a header, ``[row number, texts, messages by column, merged
ranges]`` for each row that is not blank, and ``null`` at the end; or an object with ``error``.

python-calamine reads the values. The XML of an Office Open XML sheet is read too, for what calamine takes for a blank
or for a number: errors, formulas that were never calculated, and digits that only a number format shows.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import posixpath
import re
import sys
import zlib
from collections import defaultdict
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile, is_zipfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from python_calamine import CalamineSheet, CalamineWorkbook

__all__ = ["OfficeXml", "ReaderError", "UncomputedCells", "column_letters", "main", "read_workbook"]

_MAX_MEMORY = 2 << 30
"""Address space of the process in bytes."""
_MAX_SECONDS = 120
"""Processor time of the process."""
_MAX_CELLS = 50_000_000
"""Cells of the rectangle that holds all cells of a sheet; calamine keeps each in memory, blank or not."""
_MAX_EXACT = 10**15
"""A spreadsheet keeps 15 digits of a number; the others are lost when it is typed."""

_PASSWORD = re.compile(
    re.escape("EncryptedPackage".encode("utf-16-le"))
    + rb"|\x09\x08\x10\x00\x00\x06\x05\x00.{12}(\x86\x00\x00\x00)?\x2f\x00",
    re.DOTALL,
)
"""Mark of password protection: the OLE2 stream of a protected XLSX, or the FILEPASS record at the start of a protected
XLS. calamine does not distinguish it from a damaged file."""
_CODE_PAGE = re.compile(rb"\x09\x08\x10\x00\x00\x06\x05\x00.{8,2000}?\x42\x00\x02\x00(..)", re.DOTALL)
"""The record CODEPAGE of an XLS of Excel 97 and later, whose texts are in UTF-16 (1200) whatever it says; calamine
obeys it."""
_UTF_16 = b"\xb0\x04"
_OPENDOCUMENT_ERROR = re.compile(rb'value-type="error"')
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_COLUMNS, _ROWS = 16_384, 1_048_576
_PADDED = re.compile("0{2,}")
_CHUNK = 1 << 16
# The parsers' own errors, an unknown encoding, bytes that are not of the encoding, a damaged or encrypted archive.
_DAMAGED = (
    ET.ParseError,
    expat.ExpatError,
    LookupError,
    ValueError,
    EOFError,
    zlib.error,
    BadZipFile,
    NotImplementedError,
    RuntimeError,
)

_FORMAT_AS_TEXT = "format the column as text and type it again"
_ERROR = "holds a spreadsheet error, such as #N/A; correct it"
_FORMULA = "holds a formula without a computed value; open the file in a spreadsheet program and save it"
_ZEROS = f"is shown with zeros at its start, which its number format adds; {_FORMAT_AS_TEXT}"
_SAVE_AGAIN = "open it in a spreadsheet program and save it as XLSX"
_UNREAD = "an error in a cell of an {} looks like a blank cell; save it as XLSX to have errors reported"

_Cell = tuple[str, str]
"""Text of a cell, and an error message or an empty string."""


class ReaderError(Exception):
    """The workbook cannot be read; the message begins with its path and says what to do."""


class UncomputedCells:
    """The cells of a sheet's XML that calamine misreads, and the extent of the sheet.

    Attributes:
        messages: By row (from 1), the column (from 0) and the error message of each such cell.
        last_row: Last row with a cell, from 1; 0 if there is none.
        last_column: Last column with a cell, from 0; -1 if there is none.
        filled: Number of cells with a value.
        hidden: Number of rows with cells that are hidden, by hand or by a filter.
    """

    def __init__(self, padded: Mapping[int, int], *, placeholders: bool) -> None:
        """Create a parser.

        Args:
            padded: By style, the least number of digits that its number format shows.
            placeholders: Whether a formula's 0 is a placeholder, since the program that wrote it cannot calculate.
        """
        self.messages: dict[int, list[tuple[int, str]]] = defaultdict(list)
        self.last_row: int = 0
        self.last_column: int = -1
        self.filled: int = 0
        self.hidden: int = 0
        self._padded, self._placeholders = padded, placeholders
        self._row, self._column, self._hidden = 0, -1, False
        self._cell: Mapping[str, str] = {}
        self._position = (0, 0)
        self._formula = False
        self._value: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start

    def read(self, read: Callable[[int], bytes]) -> None:
        """Parse the XML of the sheet in chunks."""
        while chunk := read(_CHUNK):
            self._parser.Parse(chunk, False)
        self._parser.Parse(b"", True)
        self._end_cell()

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        match name.rpartition(":")[2]:
            case "c":
                self._end_cell()
                self._start_cell(attributes)
            case "v" | "is":
                self.filled += 1
                self._value = []
                if self._formula or self._cell.get("s"):
                    self._parser.CharacterDataHandler = self._value.append
            case "f":
                self._formula = True
            case "row":
                self._end_cell()
                self._start_row(attributes)

    def _start_row(self, attributes: Mapping[str, str]) -> None:
        row = int(attributes.get("r", self._row + 1))
        if not self._row < row <= _ROWS:
            raise ReaderError(f"two rows say that they are row {row}, or rows are not in order; {_SAVE_AGAIN}")
        self._row, self._column = row, -1
        self._hidden = attributes.get("hidden") in {"1", "true"}

    def _start_cell(self, attributes: Mapping[str, str]) -> None:
        row, column = self._row, self._column + 1
        if "r" in attributes:
            match = _REFERENCE.fullmatch(attributes["r"])
            if match is None or not (0 < int(match[2]) <= _ROWS and _column_index(match[1]) < _COLUMNS):
                raise ReaderError(f"row {row} has a cell with a reference that no sheet has; {_SAVE_AGAIN}")
            row, column = int(match[2]), _column_index(match[1])
        self._column, self._cell, self._position = column, attributes, (row, column)
        self.hidden, self._hidden = self.hidden + self._hidden, False
        if row > self.last_row or column > self.last_column:
            self.last_row, self.last_column = max(row, self.last_row), max(column, self.last_column)
            if self.last_row * (self.last_column + 1) > _MAX_CELLS:
                raise ReaderError(
                    f"the cell {column_letters(column)}{row} lies far beyond the others; delete the rows and columns "
                    "that do not belong to the table, blank ones included, and save it"
                )

    def _end_cell(self) -> None:
        if message := self._message():
            row, column = self._position
            self.messages[row].append((column, message))
        self._cell, self._formula, self._value = {}, False, None
        self._parser.CharacterDataHandler = None

    def _message(self) -> str:
        """Return the error message of the cell that ends, or an empty string."""
        kind = self._cell.get("t", "n")
        if kind == "e":
            return _ERROR
        value = None if self._value is None else "".join(self._value).strip()
        if self._formula:
            # A formula with an empty text as its value has the type "str" and an element for the value.
            blank = not value and (kind != "str" or value is None)
            return _FORMULA if blank or (self._placeholders and kind == "n" and value == "0") else ""
        digits = self._padded.get(int(self._cell.get("s", 0)), 0) if kind == "n" else 0
        return _ZEROS if value and value.isdecimal() and len(value) < digits else ""


class OfficeXml:
    """The XML of an Office Open XML workbook."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower(): name for name in archive.namelist()}
        book = self._parse("xl/workbook.xml")
        targets = {link.get("Id"): link.get("Target", "") for link in self._parse("xl/_rels/workbook.xml.rels")}
        self._parts = {}
        self._placeholders = False
        for element in book.iter():
            if _local(element.tag) == "sheet":
                target = targets.get(next((value for name, value in element.items() if _local(name) == "id"), ""), "")
                self._parts[element.get("name")] = posixpath.normpath(posixpath.join("/xl", target)).lstrip("/")
            elif _local(element.tag) == "calcPr":
                self._placeholders = element.get("fullCalcOnLoad") in {"1", "true"}
        self._padded = self._padded_styles()

    def uncomputed_cells(self, sheet: str) -> UncomputedCells:
        """Return what the XML of a sheet says; raises an error of ``_DAMAGED`` if it cannot be read."""
        cells = UncomputedCells(self._padded, placeholders=self._placeholders)
        with self._archive.open(self._names[self._parts[sheet].lower()]) as stream:
            cells.read(stream.read)
        return cells

    def _padded_styles(self) -> dict[int, int]:
        """Return, by style, the digits of a number format of zeros only, such as 000000."""
        if "xl/styles.xml" not in self._names:
            return {}
        styles = self._parse("xl/styles.xml")
        elements = [(_local(element.tag), element) for element in styles.iter()]
        formats = {each.get("numFmtId"): each.get("formatCode", "") for tag, each in elements if tag == "numFmt"}
        digits = {number: len(code) for number, code in formats.items() if _PADDED.fullmatch(code)}
        cell_styles = next((list(each) for tag, each in elements if tag == "cellXfs"), [])
        numbers = enumerate(style.get("numFmtId") for style in cell_styles)
        return {style: digits[number] for style, number in numbers if number in digits}

    def _parse(self, part: str) -> ET.Element:
        return ET.fromstring(self._archive.read(self._names[part]))  # noqa: S314  # expat limits entity expansion


def read_workbook(file: Path, sheet: str | None) -> Iterator[Any]:
    """Yield the extent of the sheet, its name with the notices, and its rows; see the module.

    Raises `ReaderError` if it cannot be read.
    """
    _check_code_page(file)
    with _open_book(file) as book, _office_xml(file) as xml:
        names = _candidates(file, book, sheet)
        cells = {name: _uncomputed_cells(file, xml, name) for name in names} if xml else {}
        filled = [name for name in names if (cells[name].filled if xml else book.get_sheet_by_name(name).height)]
        if sheet is None and not filled:
            raise ReaderError(f"{file}: every visible sheet is empty; the first row must be the headings")
        name, others = (filled[0], filled[1:]) if sheet is None else (sheet, [])
        scan = cells.get(name)
        yield {"extent": f"{column_letters(scan.last_column)}{scan.last_row}" if scan and scan.last_row else ""}
        calamine_sheet = book.get_sheet_by_name(name)
    yield {"sheet": name, "others": others, "notices": _notices(file, name, others, scan)}
    yield from _rows(calamine_sheet, scan.messages if scan else {})


def _notices(file: Path, name: str, others: Sequence[str], scan: UncomputedCells | None) -> list[str]:
    notices = [f"only the sheet {name} is read, not {', '.join(others)}; choose another with --sheet"] if others else []
    if scan is None:
        notices.append(_UNREAD.format("ODS or XLSB" if is_zipfile(file) else "XLS"))
    elif scan.hidden:
        notices.append(f"{scan.hidden} hidden or filtered rows are read like the others; delete what is not meant")
    return notices


def _candidates(file: Path, book: CalamineWorkbook, sheet: str | None) -> list[str]:
    """Return the sheet, or the visible sheets."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    if sheet is None:
        wanted = (SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible)
        return [each.name for each in book.sheets_metadata if (each.typ, each.visible) == wanted]
    if sheet not in book.sheet_names:
        raise ReaderError(f"{file} has no sheet {sheet}; it has {', '.join(book.sheet_names)}")
    return [sheet]


@contextmanager
def _open_book(file: Path) -> Iterator[CalamineWorkbook]:
    """Open a workbook; errors inside become `ReaderError`."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise ReaderError(f"{file}: workbooks need python-calamine; run pip install 'kfq-async[onboarding]'") from None
    try:
        # An open stream, not a path: calamine would choose the format by the suffix of a path.
        with file.open("rb") as stream, CalamineWorkbook.from_object(stream) as book:
            yield book
            return
    except CalamineError:
        protected = _PASSWORD.search(file.read_bytes())
    except OSError as error:
        raise ReaderError(f"{file} cannot be read: {error.strerror}") from None
    except BaseException as error:
        # Unforeseen damage makes Rust panic, which is not an Exception in Python.
        if type(error).__name__ != "PanicException":
            raise
        protected = None
    if protected:
        raise ReaderError(f"{file} is protected by a password; open it and save it without one")
    raise ReaderError(f"{file} is not a workbook, or damaged; {_SAVE_AGAIN}")


def _check_code_page(file: Path) -> None:
    with suppress(OSError), file.open("rb") as stream:
        if (match := _CODE_PAGE.search(stream.read(_CHUNK))) and match[1] != _UTF_16:
            code_page = int.from_bytes(match[1], "little")
            raise ReaderError(f"{file} says that its texts are in the code page {code_page}; {_SAVE_AGAIN}")


@contextmanager
def _office_xml(file: Path) -> Iterator[OfficeXml | None]:
    """Open the XML of a workbook; ``None`` if it is no Office Open XML."""
    try:
        if not is_zipfile(file):
            yield None
            return
        with ZipFile(file) as archive:
            names = {name.lower(): name for name in archive.namelist()}
            if "content.xml" in names and _OPENDOCUMENT_ERROR.search(archive.read(names["content.xml"])):
                raise ReaderError(f"{file}: a cell holds a spreadsheet error, such as #N/A; correct it")
            yield OfficeXml(archive) if "xl/workbook.xml" in names else None
    except _DAMAGED as error:
        raise ReaderError(f"{file}: its XML cannot be read ({type(error).__name__}); {_SAVE_AGAIN}") from None


def _uncomputed_cells(file: Path, xml: OfficeXml, sheet: str) -> UncomputedCells:
    try:
        return xml.uncomputed_cells(sheet)
    except ReaderError as error:
        raise ReaderError(f"{file}, sheet {sheet}: {error}") from None
    except _DAMAGED as error:
        raise ReaderError(
            f"{file}: the XML of the sheet {sheet} cannot be read ({type(error).__name__}); {_SAVE_AGAIN}"
        ) from None


def _rows(sheet: CalamineSheet, uncomputed: Mapping[int, list[tuple[int, str]]]) -> Iterator[list[Any]]:
    first_column = (sheet.start or (0, 0))[1]
    merged = _merged_ranges(sheet, first_column)
    for number, values in enumerate(sheet.iter_rows() if sheet.height else (), 1):
        cells = list(map(_to_text, values[: _width(values)]))
        messages = {column - first_column: message for column, message in uncomputed.get(number, ())}
        messages |= {column: error for column, (_, error) in enumerate(cells) if error}
        if messages or any(text.strip() for text, _ in cells):
            yield [number, [text for text, _ in cells], list(messages.items()), merged.get(number, [])]


def _width(values: Sequence[Any]) -> int:
    """Return the number of cells up to the last one that is not blank: a stray one can make rows 16,384 cells wide."""
    width = len(values)
    while width and values[width - 1] == "":
        width -= 1
    return width


def _merged_ranges(sheet: CalamineSheet, first_column: int) -> Mapping[int, list[tuple[int, int]]]:
    """Return, by row, the first and last column of cells that are merged with one before them."""
    ranges: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in range(top, min(bottom, sheet.total_height) + 1):
            ranges[row + 1].append((left - first_column + (row == top), right - first_column))
    return ranges


def _to_text(value: Any) -> _Cell:
    """Return the text of a cell's value, and an error message or an empty string."""
    match value:
        case str():
            return value, ""
        case bool():
            return str(value).upper(), f"is a boolean; {_FORMAT_AS_TEXT}"
        case float() if not math.isfinite(value):
            return "", f"is not a number (NaN) or infinite; {_FORMAT_AS_TEXT}"
        case int() | float() if abs(value) >= _MAX_EXACT:
            # In scientific notation, so that no later run takes it for the complete number.
            return f"{value:.14E}", f"has more than 15 digits and has lost some of them; {_FORMAT_AS_TEXT}"
        case int() | float():
            return str(int(value) if value == int(value) else value), ""
        case dt.timedelta():
            return str(value), f"is a time; {_FORMAT_AS_TEXT}"
        case _:
            return value.isoformat(), f"is a date or time; {_FORMAT_AS_TEXT}"


@cache
def _column_index(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1


def column_letters(index: int) -> str:
    """Return the letters of a column, such as AA for 26."""
    letters, rest = "", index + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return letters


def _local(name: str) -> str:
    """Return a name without its namespace, which differs between the Strict and the Transitional form."""
    return name.rpartition("}")[2]


def _limit_resources() -> None:
    """Limit memory and time of this process; there are no such limits on Windows."""
    try:
        import resource
    except ImportError:
        return
    limits = {resource.RLIMIT_AS: _MAX_MEMORY, resource.RLIMIT_CPU: _MAX_SECONDS, resource.RLIMIT_CORE: 0}
    for kind, limit in limits.items():
        _, hard = resource.getrlimit(kind)
        with suppress(ValueError, OSError):  # some systems cannot limit the address space
            resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


def main(file: str, sheet: str | None) -> None:
    """Print the sheet."""
    _limit_resources()
    try:
        for message in read_workbook(Path(file), sheet):
            _print(message)
    except ReaderError as error:
        _print({"error": str(error)})
    _print(None)
    sys.stdout.flush()


def _print(message: Any) -> None:
    sys.stdout.write(f"{json.dumps(message)}\n")


if __name__ == "__main__":
    sys.path, *_arguments = json.loads(sys.argv[1])
    main(*_arguments)
