"""What every kind of file becomes: a table that can be read again and again. Values only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import field, frozen

from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Table", "TableRow", "column_name", "fit", "trim"]


@frozen
class TableRow:
    """One row below the headings that is not blank."""

    row_number: int
    """The row that a spreadsheet program shows, or the line that an editor shows; the first one is 1."""
    cells: tuple[str, ...] = field(repr=lambda cells: f"<{len(cells)} cells>")
    """One text for each heading; a blank cell is empty."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the row, or with a cell if that column is of use; `Problem.column` says which."""


@frozen
class Table:
    """The rows of one file or sheet, below its headings."""

    path: Path
    headings: tuple[str, ...]
    """As they stand in the file; one may be blank, or stand there twice."""
    read: Callable[[], Iterator[TableRow]] = field(repr=False)
    notices: tuple[str, ...] = ()
    """What whoever gave the file should know about how it was read."""

    def rows(self) -> Iterator[TableRow]:
        """Iterate over the rows from the start, as often as wanted.

        Raises `SourceError` when the file ends in the middle of a row, or is not there any more.
        """
        return self.read()


def column_name(headings: Sequence[str], index: int) -> str:
    """Return what a column is called in a problem: its heading, or its letters if it has none."""
    if index < len(headings) and headings[index].strip():
        return headings[index].strip()
    letters, rest = "", index + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(ord("A") + letter) + letters
    return f"column {letters}"


def trim(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the cells without the blank ones at the end."""
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return tuple(cells[:end])


def fit(number: int, cells: Sequence[str], headings: Sequence[str], problems: tuple[Problem, ...] = ()) -> TableRow:
    """Return the row with one cell for each heading; cells under no heading are a problem and are left out."""
    width = len(headings)
    if len(trim(cells)) > width:
        words = (
            f"has a cell beyond the last heading, in {column_name((), len(trim(cells)) - 1)}; is a cell split in two?"
        )
        problems = (*problems, Problem("", words))
    return TableRow(number, (*cells[:width], *[""] * (width - len(cells))), problems)
