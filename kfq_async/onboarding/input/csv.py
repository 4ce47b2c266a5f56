"""Tables with commas, semicolons or tabs (CSV and TSV); they stream."""

from __future__ import annotations

import csv
import re
from functools import partial
from typing import TYPE_CHECKING

from kfq_async.errors import SourceError
from kfq_async.onboarding.input.table import Table, TableRow, fit, trim
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["escape_formula", "open_csv"]

_DELIMITERS = (",", ";", "\t")
# What a spreadsheet program would take for a formula, behind any number of apostrophes: writing puts one more in
# front and reading takes exactly one away, so that every text comes back as it was.
_DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def escape_formula(cell: str) -> str:
    """Return a cell as it is written into a CSV: with an apostrophe in front if a program would calculate it."""
    return f"'{cell}" if _DANGEROUS.match(cell) else cell


def open_csv(file: Path, encoding: str) -> Table:
    """Open a CSV or TSV; the delimiter is the one that parts the headings most often."""
    delimiter = max(_DELIMITERS, key=partial(_width, file, encoding))
    number, headings = _headings(file, encoding, delimiter)
    if not headings:
        raise SourceError(f"{file} holds nothing but blanks; its first line must be the headings")
    return Table(file, headings, partial(_rows, file, encoding, delimiter, number, headings))


def _width(file: Path, encoding: str, delimiter: str) -> int:
    """Return how many headings a delimiter makes; none if it makes no table at all."""
    try:
        return len(_headings(file, encoding, delimiter)[1])
    except SourceError:
        return 0


def _headings(file: Path, encoding: str, delimiter: str) -> tuple[int, tuple[str, ...]]:
    found = next(((number, trim(cells)) for number, cells in _records(file, encoding, delimiter)), (0, ()))
    return found[0], tuple(_unescape_formula(heading) for heading in found[1])


def _rows(file: Path, encoding: str, delimiter: str, after: int, headings: tuple[str, ...]) -> Iterator[TableRow]:
    for number, cells in _records(file, encoding, delimiter):
        if number > after:
            short = len(cells) < len(headings)
            words = f"has {len(cells)} cells and the headings are {len(headings)}; a cell or a delimiter is missing"
            problems = (Problem("", words),) if short else ()
            yield fit(number, [_unescape_formula(cell) for cell in cells], headings, problems)


def _records(file: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank, with the line on which it begins."""
    number = 1
    try:
        with file.open(encoding=encoding, newline="") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield number, cells
                number = reader.line_num + 1
    except csv.Error:
        raise SourceError(
            f"{file}: the row that begins on line {number} does not end as it should; "
            "look for a quotation mark that is not closed, or one inside a cell that is not doubled"
        ) from None
    except UnicodeError:
        raise SourceError(f"{file}, at line {number} or after it, is not in {encoding}; say which it is") from None
    except OSError as problem:
        raise SourceError(f"{file} cannot be read: {problem.strerror}") from None


def _unescape_formula(cell: str) -> str:
    return cell[1:] if _GUARDED.match(cell) else cell
