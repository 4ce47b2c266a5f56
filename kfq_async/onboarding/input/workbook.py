"""XLSX and XLS by python-calamine, the only module that imports it. A sheet is in memory while it is read."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile, is_zipfile

from kfq_async.errors import SourceError
from kfq_async.onboarding.input.table import Table, TableRow, column_name, fit, trim
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from python_calamine import CalamineSheet, CalamineWorkbook

__all__ = ["open_workbook", "uncomputed_cells"]


_LOCKED = re.compile(
    re.escape("EncryptedPackage".encode("utf-16-le"))
    + rb"|\x09\x08\x10\x00\x00\x06\x05\x00.{12}(\x86\x00\x00\x00)?\x2f\x00",
    re.DOTALL,
)
"""A password: the stream in which OLE2 holds a locked XLSX, or the record FILEPASS at the start of a locked XLS.
calamine only says that it does not know such a file."""
_EXACT = 10**15
"""A spreadsheet keeps 15 digits of a number; the others are lost when it is typed."""
_TYPE_AGAIN = "format the column as text and type it again"
_MERGED = "is merged with another cell and so has no value of its own; unmerge it and fill in each cell"


def open_workbook(file: Path, sheet: str | None) -> Table:
    """Open a sheet of a workbook; the first row that is not blank is its headings."""
    with _opened(file) as book:
        name, others, cells = _choose(file, book, sheet)
    rows = enumerate(cells.iter_rows() if cells.height else (), 1)
    after, first = next(((number, row) for number, row in rows if _filled(row)), (0, []))
    headings = trim([_text(value)[0] for value in first])
    if not headings:
        raise SourceError(f"{file}: the sheet {name} holds nothing; its first row must be the headings")
    notices = [f"only the sheet {name} is read, not {', '.join(others)}"] if others else []
    if not is_zipfile(file):
        notices.append("an XLS does not tell an error from a blank cell; save it as XLSX to have errors named")
    return Table(file, headings, partial(_rows, file, name, after, headings), tuple(notices))


@contextmanager
def _opened(file: Path) -> Iterator[CalamineWorkbook]:
    """Open a workbook; what goes wrong inside is said in words."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise SourceError(f"{file}: a workbook needs an extra; pip install 'kfq-async[onboarding]'") from None
    try:
        # An open stream, not a path: with a path it would go by the name's ending.
        with file.open("rb") as stream, CalamineWorkbook.from_object(stream) as book:
            yield book
            return
    except CalamineError:
        locked = _LOCKED.search(file.read_bytes())
    except OSError as problem:
        raise SourceError(f"{file} cannot be read: {problem.strerror}") from None
    except BaseException as problem:
        # What calamine does not foresee in a damaged file is a panic of Rust's, which is no Exception.
        if type(problem).__name__ != "PanicException":
            raise
        locked = None
    if locked:
        raise SourceError(f"{file} is protected by a password; open it and save it without one")
    raise SourceError(f"{file} is no workbook, or a damaged one; open it and save it again as XLSX")


def _choose(file: Path, book: CalamineWorkbook, wanted: str | None) -> tuple[str, list[str], CalamineSheet]:
    """Return the sheet to read and its name, and the names of those that are not read though they hold something."""
    if wanted is not None and wanted not in book.sheet_names:
        raise SourceError(f"{file} has no sheet {wanted}; it has {', '.join(book.sheet_names)}")
    filled = [name for name in _visible(book) if book.get_sheet_by_name(name).height]
    if wanted is None and not filled:
        raise SourceError(f"{file}: no visible sheet holds anything; the first row must be the headings")
    name = filled[0] if wanted is None else wanted
    return name, [other for other in filled if other != name], book.get_sheet_by_name(name)


def _visible(book: CalamineWorkbook) -> list[str]:
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    kind, seen = SheetTypeEnum.WorkSheet, SheetVisibleEnum.Visible
    return [sheet.name for sheet in book.sheets_metadata if (sheet.typ, sheet.visible) == (kind, seen)]


def _rows(file: Path, name: str, after: int, headings: tuple[str, ...]) -> Iterator[TableRow]:
    with _opened(file) as book:
        sheet = book.get_sheet_by_name(name)
    first_column = (sheet.start or (0, 0))[1]
    unseen = _unseen(file, name, sheet)
    for number, values in enumerate(sheet.iter_rows(), 1):
        hidden = {column - first_column: words for column, words in unseen.get(number, ())}
        if number > after and (_filled(values) or {*hidden.values()} - {_MERGED}):
            yield _row(number, values, headings, hidden)


def _unseen(file: Path, name: str, sheet: CalamineSheet) -> Mapping[int, list[tuple[int, str]]]:
    """Return the cells of each row that look blank and are not, by column from 0 on, with what they are."""
    unseen: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in range(top, min(bottom, sheet.total_height) + 1):
            unseen[row + 1] += [(column, _MERGED) for column in range(left, right + 1) if (row, column) != (top, left)]
    for number, column, words in uncomputed_cells(file, name):
        unseen[number].append((column, words))
    return unseen


def _row(number: int, values: Sequence[Any], headings: tuple[str, ...], unseen: Mapping[int, str]) -> TableRow:
    cells, problems = [], []
    for index, value in enumerate(values):
        text, words = _text(value)
        cells.append(text)
        if said := words or (not text and unseen.get(index)):
            problems.append(Problem(column_name(headings, index), said))
    return fit(number, cells, headings, tuple(problems))


def _filled(values: Sequence[Any]) -> bool:
    return any(value.strip() if isinstance(value, str) else True for value in values)


def _text(value: Any) -> tuple[str, str]:
    """Return the text of a cell's value, and what is wrong with it as a text."""
    match value:
        case str():
            return value, ""
        case bool():
            return str(value).upper(), f"is a truth value; {_TYPE_AGAIN}"
        case int() | float() if abs(value) >= _EXACT:
            # Written as what it is now, so that no later run takes it for the whole number.
            return f"{value:.14E}", f"is a number of more than 15 digits and has lost some of them; {_TYPE_AGAIN}"
        case int() | float():
            return str(int(value) if value == int(value) else value), ""
        case dt.timedelta():
            return str(value), f"is a time; {_TYPE_AGAIN}"
        case _:
            return value.isoformat(), f"is a date or a time; {_TYPE_AGAIN}"


_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REF_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ERROR = "holds an error of the spreadsheet, as #N/A; correct it"
_FORMULA = "holds a formula that was never calculated; open the file in a spreadsheet program and save it again"
_SUSPICIOUS = re.compile(rb"<(?:\w+:)?f[\s/>]|\bt=[\"']e[\"']")
"""A formula or an error somewhere in the XML. Most sheets have none, and are not read a second time."""
_CHUNK = 1 << 20
_REFERENCE = re.compile(r"([A-Z]+)([0-9]+)")


def uncomputed_cells(file: Path, sheet: str) -> Iterator[tuple[int, int, str]]:
    """Yield the row, counted from 1, the column, counted from 0, and what is wrong, for each such cell.

    A workbook whose inside is of another kind than Excel's has none.
    """
    try:
        with ZipFile(file) as archive:
            part = _part(archive, sheet)
            with archive.open(part) as stream:
                suspicious = _is_suspicious(stream)
            if suspicious:
                with archive.open(part) as stream:
                    yield from _cells(stream)
    except (BadZipFile, KeyError, ET.ParseError):
        return


def _part(archive: ZipFile, sheet: str) -> str:
    """Return where a sheet is inside the archive."""
    book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314  # expat bounds what entities may grow to
    links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    ids = {each.get("name"): each.get(_REF_ID) for each in book.iter(f"{_MAIN}sheet")}
    target = targets[ids[sheet]]
    return target[1:] if target.startswith("/") else f"xl/{target}"


def _is_suspicious(stream: IO[bytes]) -> bool:
    tail = b""
    while chunk := stream.read(_CHUNK):
        if _SUSPICIOUS.search(tail + chunk):
            return True
        tail = chunk[-32:]
    return False


def _cells(stream: IO[bytes]) -> Iterator[tuple[int, int, str]]:
    for _, element in ET.iterparse(stream):  # noqa: S314  # as above
        if element.tag == f"{_MAIN}c" and (words := _wrong(element)):
            # The reference may be left out, and then nothing says where the cell is.
            if reference := _REFERENCE.fullmatch(element.get("r", "")):
                yield int(reference[2]), _column(reference[1]), words
        elif element.tag == f"{_MAIN}row":
            element.clear()


def _wrong(cell: ET.Element) -> str:
    if cell.get("t") == "e":
        return _ERROR
    # A formula whose value is an empty text says that it is a text.
    unvalued = cell.find(f"{_MAIN}f") is not None and not cell.findtext(f"{_MAIN}v")
    return _FORMULA if unvalued and cell.get("t") != "str" else ""


def _column(letters: str) -> int:
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
