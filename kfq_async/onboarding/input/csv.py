"""CSV and TSV tables, streamed."""

from __future__ import annotations

import csv
import re
from functools import partial
from typing import TYPE_CHECKING

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr
from kfq_async.onboarding.input.table import Table, TableRow, make_row, strip_trailing_blanks
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["escape_formula", "open_csv"]

_DELIMITERS = (",", ";", "\t")
# Text that a spreadsheet program takes for a formula, at the start of a cell or behind a character at which it may
# split the cell: after any number of apostrophes and of blanks that it trims. Writing adds one apostrophe there and
# reading removes exactly one, so that every text survives the round trip.
_START = r"(?:\A|(?<=[;\t\r\n]))"
_FORMULA = "'*[ \u00a0\u200b\u3000\ufeff]*[-=+@\t\r\uff0d\uff1d\uff0b\uff20]"
_ESCAPE = re.compile(f"{_START}(?={_FORMULA})")
_UNESCAPE = re.compile(f"{_START}'(?={_FORMULA})")


def escape_formula(cell: str) -> str:
    """Return the cell for a CSV: with an apostrophe wherever a spreadsheet program would calculate it."""
    return cell if cell.isalnum() else _ESCAPE.sub("'", cell)


def open_csv(file: Path, encoding: str) -> Table:
    """Open a CSV or TSV; its delimiter is the one that yields the most headings."""
    delimiter = max(_DELIMITERS, key=partial(_count_headings, file, encoding))
    line, headings = _read_headings(file, encoding, delimiter)
    if not headings:
        raise SourceError(f"{file} is blank; write the headings on its first line")
    return Table(file, headings, partial(_read_rows, file, encoding, delimiter, line, headings))


def _count_headings(file: Path, encoding: str, delimiter: str) -> int:
    """Return the number of headings under a delimiter; 0 if the file cannot be parsed with it."""
    try:
        return len(_read_headings(file, encoding, delimiter)[1])
    except SourceError:
        return 0


def _read_headings(file: Path, encoding: str, delimiter: str) -> tuple[int, tuple[str, ...]]:
    """Return the headings and their line."""
    line, cells = next(_read_records(file, encoding, delimiter), (0, []))
    return line, tuple(_unescape_formula(heading) for heading in strip_trailing_blanks(cells))


def _read_rows(
    file: Path, encoding: str, delimiter: str, heading_line: int, headings: tuple[str, ...]
) -> Iterator[TableRow]:
    for line, cells in _read_records(file, encoding, delimiter):
        if line > heading_line:
            problems: tuple[Problem, ...] = ()
            if len(cells) < len(headings):
                message = f"has {len(cells)} cells for {len(headings)} headings; a cell or a delimiter is missing"
                problems = (Problem("", message),)
            yield make_row(line, [_unescape_formula(cell) for cell in cells], headings, problems)


def _read_records(file: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield each record that is not blank, with the line on which it begins."""
    line = 1
    try:
        with file.open(encoding=encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            for cells in map(_mask, reader):
                if any(cell.strip() for cell in cells):
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
