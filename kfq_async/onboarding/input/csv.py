"""CSV and TSV tables, streamed."""

from __future__ import annotations

import csv
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr
from kfq_async.onboarding.input.mapping import TITLE_ROWS, find_heading_row
from kfq_async.onboarding.input.table import Table, TableRow, make_row, strip_trailing_blanks, title_notice

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

__all__ = ["escape_formula", "open_csv"]

_DECLARATION = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)
_DELIMITERS = (",", ";", "\t")
# Text that a spreadsheet program takes for a formula, at the start of a cell or behind a character at which it may
# split the cell: after any number of apostrophes, and of blanks, control and invisible characters, which it may drop.
# Writing adds one apostrophe there and reading removes exactly one, so that every text survives the round trip.
_START = r"(?:\A|(?<=[;\t\r\n]))"
_IGNORED = "\0-\x08\x0b\x0c\x0e- \x7f-\xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
_FORMULA = f"'*[{_IGNORED}]*[-=+@\t\r\uff0d\uff1d\uff0b\uff20]"
_ESCAPE = re.compile(f"{_START}(?={_FORMULA})")
_UNESCAPE = re.compile(f"{_START}'(?={_FORMULA})")


def escape_formula(cell: str) -> str:
    """Return the cell for a CSV: with an apostrophe wherever a spreadsheet program would calculate it."""
    return cell if cell.isalnum() else _ESCAPE.sub("'", cell)


def open_csv(file: Path, encoding: str, header_row: int | None = None, expected: Collection[str] = ()) -> Table:
    """Open a CSV or TSV; its delimiter is declared by a line ``sep=;``, or is the one that yields the most headings.

    Args:
        file: The file.
        encoding: Its encoding.
        header_row: Line of the headings; ``None``: detected, see `find_heading_row`.
        expected: Headings that the caller named.
    """
    declared = _declared_delimiter(file, encoding)
    found = [_find_headings(file, encoding, each, header_row, expected) for each in declared or _DELIMITERS]
    delimiter, heading_line, headings, first_line = max(found, key=lambda each: len(each[2]))
    if not headings:
        _raise_for_headings(file, encoding, delimiter, header_row)
    rows = partial(_read_rows, file, encoding, delimiter, heading_line, headings)
    return Table(file, headings, rows, title_notice(heading_line, first_line))


def _declared_delimiter(file: Path, encoding: str) -> str:
    """Return the delimiter of the line ``sep=;`` that Excel writes and reads, or an empty string."""
    with file.open(encoding=encoding, errors="replace", newline="") as stream:
        match = _DECLARATION.fullmatch(stream.readline(16))
    return match[1] if match else ""


def _find_headings(
    file: Path, encoding: str, delimiter: str, header_row: int | None, expected: Collection[str]
) -> tuple[str, int, tuple[str, ...], int]:
    """Return the delimiter, the line of the headings, the headings, and the line of the first record."""
    records = []
    with suppress(SourceError):  # raised again when the rows are read
        for record in _read_records(file, encoding, delimiter):
            records.append(record)
            if record[0] >= (header_row or 0) and len(records) >= TITLE_ROWS:
                break
    if header_row is not None:
        records = [record for record in records if record[0] == header_row]
    if not records:
        return delimiter, 0, (), 0
    line, cells = records[find_heading_row([cells for _, cells in records], expected)]
    return delimiter, line, tuple(map(_unescape_formula, strip_trailing_blanks(cells))), records[0][0]


def _raise_for_headings(file: Path, encoding: str, delimiter: str, header_row: int | None) -> NoReturn:
    for _ in _read_records(file, encoding, delimiter):
        pass  # damage has a message of its own
    if header_row is not None:
        raise SourceError(f"{file} has no data on line {header_row}; choose the line of the headings with --header-row")
    raise SourceError(f"{file} is blank; write the headings on its first line")


def _read_rows(
    file: Path, encoding: str, delimiter: str, heading_line: int, headings: tuple[str, ...]
) -> Iterator[TableRow]:
    # A row may be short: Excel leaves out the blank cells at the end of rows.
    for line, cells in _read_records(file, encoding, delimiter):
        if line > heading_line:
            yield make_row(line, list(map(_unescape_formula, cells)), headings)


def _read_records(file: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each record that is not blank, with the line on which it begins."""
    line = 1
    try:
        with file.open(encoding=encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            for cells in map(_mask, reader):
                declaration = line == 1 and _DECLARATION.fullmatch(delimiter.join(cells))
                if any(cell.strip() for cell in cells) and not declaration:
                    yield line, cells
                line = reader.line_num + 1
    except csv.Error:
        raise SourceError(
            f"{file}: the row that begins on line {line} cannot be parsed; "
            "close its quotation marks, and double those inside a cell"
        ) from None
    except UnicodeError:
        raise SourceError(f"{file} is not in {encoding} from line {line} on; give its --encoding") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None


def _mask(cells: list[str]) -> list[MaskedStr]:
    return list(map(MaskedStr, cells))


def _unescape_formula(cell: str) -> str:
    return _UNESCAPE.sub("", cell) if "'" in cell else cell
