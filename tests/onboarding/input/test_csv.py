"""Tables with commas, semicolons or tabs."""

from pathlib import Path

import pytest

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import TableRow, open_table
from kfq_async.onboarding.input.csv import escape_formula, open_csv


def rows(tmp_path: Path, text: str) -> list[TableRow]:
    """Read the rows of a text."""
    file = tmp_path / "a.csv"
    file.write_bytes(text.encode())
    return [*open_table(file).rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(delimiter: str, tmp_path: Path) -> None:
    """What parts the headings parts the rows, whatever else stands in them."""
    (row,) = rows(tmp_path, f'税号{delimiter}"a,b;c"{delimiter}名\n1{delimiter}甲，乙{delimiter}3\n')
    assert row.cells == ("1", "甲，乙", "3")


def test_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    """A row that goes over several lines has the number of the first, and blank rows count but do not come."""
    found = rows(tmp_path, '\n税号,名\r\n1,"甲\r\n乙"\n\n , \n2,"丙\n丁\n戊"\n3,己')
    assert [(row.row_number, row.cells[1]) for row in found] == [(3, "甲\r\n乙"), (7, "丙\n丁\n戊"), (10, "己")]


@pytest.mark.parametrize("inside", ["\u2028", "\x85", "\x0c", "\x1d"])
def test_only_a_line_break_ends_a_row(inside: str, tmp_path: Path) -> None:
    """What Unicode calls the end of a line is none in a CSV."""
    (row,) = rows(tmp_path, f"税号\n1{inside}2\n")
    assert row.cells == (f"1{inside}2",)


def test_the_width_of_rows(tmp_path: Path) -> None:
    """Too few and too many cells are problems of the row; blank ones at the end are none too many."""
    short, long, blank = rows(tmp_path, "税号,名,,\n1\n1,2,3\n1,2,,,,\n")
    assert short.cells == ("1", "")
    assert [str(problem) for problem in short.problems] == [
        "has 1 cells and the headings are 2; a cell or a delimiter is missing"
    ]
    assert [str(problem) for problem in long.problems] == [
        "has a cell beyond the last heading, in column C; is a cell split in two?"
    ]
    assert (blank.cells, blank.problems) == (("1", "2"), ())


@pytest.mark.parametrize(
    ("text", "line"),
    [('a,b\n1,2\n3,"4\n5,6\n', 3), ('a,b\n1,"2"3\n', 2), (f"a,b\n\n1,{'x' * 200_000}\n", 3), ('"a,b\n1,2\n', 1)],
)
def test_a_quotation_mark_that_is_not_closed(text: str, line: int, tmp_path: Path) -> None:
    """A row that has no end is named by the line on which it begins; those before it are read."""
    with pytest.raises(SourceError, match=f"the row that begins on line {line} does not end as it should"):
        rows(tmp_path, text)


def test_headings_alone(tmp_path: Path) -> None:
    """A table without rows is one."""
    assert rows(tmp_path, "税号,名\n") == []


def test_a_file_that_went_is_said(tmp_path: Path) -> None:
    """A file that goes away between two readings is named."""
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    table = open_csv(file, "utf-8")
    file.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        [*table.rows()]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        *(("=1+1", "'=1+1"), ("+86", "'+86"), ("-1", "'-1"), ("@a", "'@a"), ("\t1", "'\t1"), ("\r1", "'\r1")),
        *(("'=1", "''=1"), ("'a", "'a"), ("a=1", "a=1"), ("", "")),
    ],
)
def test_formulas_are_guarded(cell: str, written: str, tmp_path: Path) -> None:
    """What a program would calculate gets an apostrophe in front, and reading takes exactly it away."""
    assert escape_formula(cell) == written
    (row,) = rows(tmp_path, f'税号,名\n1,"{written}"\n')
    assert row.cells == ("1", cell)
