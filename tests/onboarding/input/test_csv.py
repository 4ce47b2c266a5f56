"""CSV and TSV tables."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import TableRow, open_table
from kfq_async.onboarding.input.csv import _unescape_formula, escape_formula, open_csv


def rows(tmp_path: Path, text: str) -> list[TableRow]:
    """Read the rows of a text."""
    file = tmp_path / "a.csv"
    file.write_bytes(text.encode())
    return [*open_table(file).rows()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_detected(delimiter: str, tmp_path: Path) -> None:
    """The delimiter of the headings is that of the rows, whatever their cells hold."""
    (row,) = rows(tmp_path, f'税号{delimiter}"a,b;c"{delimiter}名\n1{delimiter}甲，乙{delimiter}3\n')
    assert row.cells == ("1", "甲，乙", "3")


def test_row_numbers_are_lines(tmp_path: Path) -> None:
    """A row on several lines has the number of its first; blank rows are counted and skipped."""
    found = rows(tmp_path, '\n税号,名\r\n1,"甲\r\n乙"\n\n , \n2,"丙\n丁\n戊"\n3,己')
    assert [(row.row_number, row.cells[1]) for row in found] == [(3, "甲\r\n乙"), (7, "丙\n丁\n戊"), (10, "己")]


@pytest.mark.parametrize("inside", ["\u2028", "\x85", "\x0c", "\x1d"])
def test_only_a_line_break_ends_a_row(inside: str, tmp_path: Path) -> None:
    """The other line separators of Unicode do not end a row of a CSV."""
    (row,) = rows(tmp_path, f"税号\n1{inside}2\n")
    assert row.cells == (f"1{inside}2",)


def test_width_of_rows(tmp_path: Path) -> None:
    """Too few or too many cells are problems of the row; blank cells at its end do not count."""
    short, long, blank = rows(tmp_path, "税号,名,,\n1\n1,2,3\n1,2,,,,\n")
    assert short.cells == ("1", "")
    assert [str(problem) for problem in short.problems] == [
        "has 1 cells for 2 headings; a cell or a delimiter is missing"
    ]
    assert [str(problem) for problem in long.problems] == [
        "has a cell beyond the last heading, in column C; is a cell split in two?"
    ]
    assert (blank.cells, blank.problems) == (("1", "2"), ())


@pytest.mark.parametrize(
    ("text", "line"),
    [('a,b\n1,2\n3,"4\n5,6\n', 3), ('a,b\n1,"2"3\n', 2), (f"a,b\n\n1,{'x' * 200_000}\n", 3), ('"a,b\n1,2\n', 1)],
)
def test_unclosed_quotation_mark(text: str, line: int, tmp_path: Path) -> None:
    """A row that cannot be parsed is an error that names the line on which it begins."""
    with pytest.raises(SourceError, match=f"the row that begins on line {line} cannot be parsed"):
        rows(tmp_path, text)


def test_headings_only(tmp_path: Path) -> None:
    """A table may have no rows."""
    assert rows(tmp_path, "税号,名\n") == []


def test_deleted_file(tmp_path: Path) -> None:
    """A file that is deleted between two reads is an error that names it."""
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
        *(("'=1", "''=1"), ("'a", "'a"), ("a=1", "a=1"), ("", ""), (" =1", "' =1"), ("\uff1d1", "'\uff1d1")),
        *(("\n=1", "\n'=1"), ("\t=1", "'\t'=1"), ("x;=1", "x;'=1"), ("x; '@1", "x; '@1"), ("x;'@1", "x;''@1")),
    ],
)
def test_formulas_are_escaped(cell: str, written: str, tmp_path: Path) -> None:
    """Text that a spreadsheet program would calculate gets an apostrophe, and reading removes exactly that one."""
    assert escape_formula(cell) == written
    (row,) = rows(tmp_path, f'税号,名\n1,"{written}"\n')
    assert row.cells == ("1", cell)


@given(st.text(alphabet="a'=+-@;\t\r\n \u3000\uff1d"))
def test_escaping_is_undone(cell: str) -> None:
    """Reading undoes what writing adds, and no part at which a program may split a cell is a formula."""
    written = escape_formula(cell)
    assert _unescape_formula(written) == cell
    assert not any(part.lstrip(" \u3000")[:1] in set("=+-@\uff1d") for part in re.split(r"[;\t\r\n]", written))
