"""CSV and TSV tables."""

import re
import unicodedata
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
    """Too many cells are a problem of the row; blank cells at its end may be missing and do not count."""
    short, long, blank = rows(tmp_path, "税号,名,,\n1\n1,2,3\n1,2,,,,\n")
    assert (short.cells, short.problems) == (("1", ""), ())
    assert [str(problem) for problem in long.problems] == [
        "has a cell beyond the last heading, in column C; is a cell split in two?"
    ]
    assert (blank.cells, blank.problems) == (("1", "2"), ())


def test_data_under_a_blank_heading(tmp_path: Path) -> None:
    """Data under a blank heading is never dropped without a word; a blank column is in order."""
    first, second = rows(tmp_path, "税号,,名\n1,x,甲\n2,,乙\n")
    assert [str(problem) for problem in first.problems] == [
        "has data in column B, which has no heading; write one, in one row of headings"
    ]
    assert second.problems == ()


@pytest.mark.parametrize(("first", "delimiter"), [("sep=;", ";"), ("SEP=|", "|"), ("sep=,", ","), ("sep=\t", "\t")])
def test_declared_delimiter(first: str, delimiter: str, tmp_path: Path) -> None:
    """The line in which Excel declares the delimiter is no row."""
    (row,) = rows(tmp_path, f"{first}\r\n税号{delimiter}名,称\r\n1{delimiter}甲\r\n")
    assert (row.row_number, row.cells[0]) == (3, "1")


def test_title(tmp_path: Path) -> None:
    """A title above the headings is skipped with a notice."""
    file = tmp_path / "a.csv"
    file.write_text("名单（截至20240630）\n\n单位：家;\n企业名称;税号\n甲;1\n")
    table = open_table(file)
    assert table.headings == ("企业名称", "税号")
    assert table.notices == ("row 4 holds the headings, and the title above it is skipped; or choose --header-row",)
    assert [(row.row_number, row.cells) for row in table.rows()] == [(5, ("甲", "1"))]


def test_header_row(tmp_path: Path) -> None:
    """The line of the headings can be chosen, and must not be blank."""
    file = tmp_path / "a.csv"
    file.write_text("企业名称,税号\n\n" + "x,y\n" * 20 + "甲方,代码\n1,2\n")
    table = open_table(file, header_row=23)
    assert (table.headings, table.notices) == (("甲方", "代码"), ())
    assert [row.cells for row in table.rows()] == [("1", "2")]
    for line in (2, 99):
        with pytest.raises(SourceError, match=f"has no data on line {line}"):
            open_table(file, header_row=line)


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
        *(("\u2003\x0b=1", "'\u2003\x0b=1"), ("\u200e\uff20a", "'\u200e\uff20a"), ("\u2060+1", "'\u2060+1")),
        *(("\x1f-1", "'\x1f-1"), ("a\u00a0=1", "a\u00a0=1"), ("x\r\u3000=1", "x\r'\u3000=1")),
        *(("\n=1", "\n'=1"), ("\t=1", "'\t'=1"), ("x;=1", "x;'=1"), ("x; '@1", "x; '@1"), ("x;'@1", "x;''@1")),
    ],
)
def test_formulas_are_escaped(cell: str, written: str, tmp_path: Path) -> None:
    """Text that a spreadsheet program would calculate gets an apostrophe, and reading removes exactly that one."""
    assert escape_formula(cell) == written
    (row,) = rows(tmp_path, f'税号,名\n1,"{written}"\n')
    assert row.cells == ("1", cell)


@given(st.text(alphabet="a'=+-@;\t\r\n \u3000\uff1d\u2003\u200e\x1f"))
def test_escaping_is_undone(cell: str) -> None:
    """Reading undoes what writing adds, and no part at which a program may split a cell is a formula."""
    written = escape_formula(cell)
    assert _unescape_formula(written) == cell
    assert not any(
        part.lstrip(" \u3000\u2003\u200e\x1f")[:1] in set("=+-@\uff1d") for part in re.split(r"[;\t\r\n]", written)
    )


def test_characters_that_a_program_may_drop() -> None:
    """A formula is recognised behind every blank, control and invisible character but line breaks, which end lines."""
    dropped = [chr(code) for code in range(0x10000) if is_dropped(chr(code))]
    assert len(dropped) > 100
    assert [character for character in dropped if escape_formula(f"{character}=1") != f"'{character}=1"] == []


def is_dropped(character: str) -> bool:
    """Return whether a character is white space, or a control or format character without a glyph."""
    bidi = unicodedata.bidirectional(character)
    hidden = unicodedata.category(character) in {"Cc", "Zs", "Zl", "Zp"} or (
        unicodedata.category(character) == "Cf" and bidi not in {"AL", "AN", "ON"}
    )
    return hidden and character not in "\t\r\n"
