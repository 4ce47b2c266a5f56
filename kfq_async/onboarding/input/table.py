"""Table: headings and rows of one input file, in any format. Values only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from kfq_async.onboarding.input.workbook_reader import column_letters
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "TableRow", "column_name", "make_row", "strip_trailing_blanks", "title_notice"]


@frozen
class TableRow:
    """One row below the headings that is not blank.

    Attributes:
        row_number: Row number in a spreadsheet program, or line number in an editor; from 1.
        cells: One `MaskedStr` per heading; empty for a blank cell.
        problems: Problems of the row (`Problem.column` is empty), or of one cell, which matter if that column is used.
    """

    row_number: int
    """Row number in a spreadsheet program, or line number in an editor; from 1."""
    cells: tuple[str, ...] = field(repr=lambda cells: f"<{len(cells)} cells>")
    """One `MaskedStr` per heading; empty for a blank cell."""
    problems: tuple[Problem, ...] = ()
    """Problems of the row (`Problem.column` is empty), or of one cell, which matter if that column is used."""


@frozen
class Table:
    """Headings and rows of one file or sheet.

    Attributes:
        path: The file.
        headings: Headings as written in the file; they may be blank or occur twice.
        read: Returns an iterator over the rows from the start.
        notices: Remarks for the user about how the file was read.
        other_sheets: Names of the visible sheets with content that were not chosen.
    """

    path: Path
    headings: tuple[str, ...]
    """Headings as written in the file; they may be blank or occur twice."""
    read: Callable[[], Iterator[TableRow]] = field(repr=False)
    notices: tuple[str, ...] = ()
    """Remarks for the user about how the file was read."""
    other_sheets: tuple[str, ...] = ()
    """Names of the visible sheets with content that were not chosen."""

    def rows(self) -> Iterator[TableRow]:
        """Iterate over the rows from the start; can be called any number of times.

        Raises `SourceError` if the file ends in the middle of a row or no longer exists.
        """
        return self.read()


def column_name(headings: Sequence[str], index: int) -> str:
    """Return a column's heading, or its spreadsheet letters (``column B``) if it has none."""
    if index < len(headings) and headings[index].strip():
        return headings[index].strip()
    return f"column {column_letters(index)}"


def strip_trailing_blanks(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells without the blank ones at the end."""
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return tuple(cells[:end])


def make_row(
    row_number: int, cells: Sequence[str], headings: Sequence[str], problems: tuple[Problem, ...] = ()
) -> TableRow:
    """Return a row with one cell per heading.

    Data without a heading is a problem of the row: a cell beyond the last heading, which is dropped, or a cell under a
    blank heading.
    """
    width, filled = len(headings), len(strip_trailing_blanks(cells))
    if filled > width:
        message = f"has a cell beyond the last heading, in {column_name((), filled - 1)}; is a cell split in two?"
        problems = (*problems, Problem("", message))
    for index in range(min(filled, width)):
        if not headings[index].strip() and cells[index].strip():
            message = f"has data in {column_name((), index)}, which has no heading; write one, in one row of headings"
            problems = (*problems, Problem("", message))
    return TableRow(row_number, (*cells[:width], *[""] * (width - len(cells))), problems)


def title_notice(heading_row: int, first_row: int) -> tuple[str, ...]:
    """Return the notice that rows above the headings are skipped, if there are any."""
    if heading_row == first_row:
        return ()
    return (f"row {heading_row} holds the headings, and the title above it is skipped; or choose --header-row",)
