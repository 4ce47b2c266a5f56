"""XLSX, XLS, XLSB and ODS workbooks, read in a child process by `workbook_reader`."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr
from kfq_async.onboarding.input import workbook_reader
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
    from collections.abc import Collection, Generator, Iterator
    from pathlib import Path

__all__ = ["open_workbook"]

_MERGED = "is merged with another cell and has no value of its own; unmerge it and fill in each cell"


def open_workbook(
    file: Path, sheet: str | None, header_row: int | None = None, expected: Collection[str] = ()
) -> Table:
    """Open a sheet of a workbook; see `find_heading_row` for its headings, unless ``header_row`` says their row."""
    with closing(_read_sheet(file, sheet)) as messages:
        header = next(messages)
        rows = ((number, texts) for number, texts, _, _ in messages if header_row in {None, number})
        first = [(number, texts) for number, texts in islice(rows, TITLE_ROWS) if any(map(str.strip, texts))]
    name = header["sheet"]
    if not first and header_row is not None:
        raise SourceError(f"{file}: row {header_row} of the sheet {name} is blank; choose another --header-row")
    if not first:
        raise SourceError(f"{file}: the sheet {name} is empty; its first row must be the headings")
    heading_row, texts = first[find_heading_row([texts for _, texts in first], expected)]
    headings = strip_trailing_blanks(texts)
    notices = (*header["notices"], *title_notice(heading_row, first[0][0]))
    return Table(file, headings, partial(_read_rows, file, name, heading_row, headings), notices)


def _read_rows(file: Path, name: str, heading_row: int, headings: tuple[str, ...]) -> Iterator[TableRow]:
    with closing(_read_sheet(file, name)) as messages:
        next(messages)
        for number, texts, errors, merged in messages:
            if number > heading_row:
                problems = {index: message for index, message in errors if index < len(headings)}
                for index in _merged_blanks(texts, merged, len(headings)):
                    problems.setdefault(index, _MERGED)
                found = [Problem(column_name(headings, index), problems[index]) for index in sorted(problems)]
                yield make_row(number, list(map(MaskedStr, texts)), headings, tuple(found))


def _merged_blanks(texts: list[str], merged: list[tuple[int, int]], width: int) -> list[int]:
    """Return the columns with a heading whose cells are blank because they are merged with one before them."""
    columns = [column for left, right in merged for column in range(left, min(right + 1, width))]
    return [column for column in columns if column >= len(texts) or not texts[column]]


def _read_sheet(file: Path, sheet: str | None) -> Generator[Any, None, None]:
    """Yield the header and the rows that a `workbook_reader` prints.

    Raises `SourceError` with the reader's message, or if the reader ends before it is done.
    """
    # -P, since the reader's folder holds a csv.py; it imports from where this process does.
    command = [sys.executable, "-P", workbook_reader.__file__, json.dumps([sys.path, str(file), sheet])]
    extent = ""
    # A session of its own: Ctrl-C is for the program, which still needs the rows in progress.
    with subprocess.Popen(  # noqa: S603  # this interpreter, and a module of this package
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            for line in process.stdout or ():
                if not line.endswith(b"\n"):  # the reader was ended in the middle of a line
                    break
                match json.loads(line):
                    case None:
                        process.wait()
                        return
                    case {"error": text}:
                        raise SourceError(text)
                    case {"extent": extent}:
                        pass
                    case message:
                        yield message
        finally:
            process.kill()
    raise SourceError(_ended_early(file, extent))


def _ended_early(file: Path, extent: str) -> str:
    """Return the message for a reader that ended before it was done."""
    advice = "open it in a spreadsheet program and save it as XLSX"
    if extent:
        advice = (
            f"its sheet reaches to the cell {extent}: delete the rows and columns that do not belong to the table, "
            "blank ones included, and save it"
        )
    return f"{file} cannot be read: it is damaged, or takes too much memory or time; {advice}"
