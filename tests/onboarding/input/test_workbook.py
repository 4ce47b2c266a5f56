"""XLSX and XLS, as people make them."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
import xlsxwriter

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import Table, TableRow, open_table, workbook
from kfq_async.onboarding.input.workbook import uncomputed_cells
from workbooks import rewrite, write_workbook

XLS = Path(__file__).parents[2] / "wire" / "companies.xls"
OLE2 = bytes.fromhex("d0cf11e0a1b11ae1")


def said(row: TableRow) -> list[str]:
    """Return the problems of a row in words."""
    return [str(problem) for problem in row.problems]


def cells_of(table: Table) -> dict[int, tuple[str, ...]]:
    """Return the cells of each row by its number."""
    return {row.row_number: row.cells for row in table.rows()}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (13800138000, "13800138000"),
        (13800138000.5, "13800138000.5"),
        (-1, "-1"),
        (999999999999999, "9" * 15),
        ("=1+1", "=1+1"),
    ],
)
def test_a_value_is_a_text(value: object, text: str, tmp_path: Path) -> None:
    """A number is written as people write it, and a text is a text, whatever it looks like."""
    (row,) = open_table(write_workbook(tmp_path / "a.xlsx", ["税号"], [value])).rows()
    assert (row.cells, row.problems) == ((text,), ())


@pytest.mark.parametrize(
    ("value", "text", "words"),
    [
        (True, "TRUE", "is a truth value"),
        (110101199001011237, "1.10101199001011E+17", "more than 15 digits and has lost some"),
        (10**15, "1.00000000000000E+15", "more than 15 digits"),
        (dt.date(2024, 1, 2), "2024-01-02", "is a date or a time"),
        (dt.datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00", "is a date or a time"),  # noqa: DTZ001  # a cell has no zone
        (dt.timedelta(hours=36), "1 day, 12:00:00", "is a time"),
    ],
)
def test_a_value_that_is_no_text_is_said(value: object, text: str, words: str, tmp_path: Path) -> None:
    """What a spreadsheet program made of a text is a problem of its column, with the remedy."""
    file = tmp_path / "a.xlsx"
    formats = {dt.date: "yyyy-mm-dd", dt.datetime: "yyyy-mm-dd hh:mm", dt.timedelta: "[h]:mm"}
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "税号")
        sheet.write(1, 0, value, book.add_format({"num_format": formats.get(type(value), "General")}))
    (row,) = open_table(file).rows()
    assert row.cells == (text,)
    (problem,) = said(row)
    assert problem.startswith("税号: ")
    assert words in problem
    assert problem.endswith("format the column as text and type it again")


def test_rows_have_the_numbers_of_the_program(tmp_path: Path) -> None:
    """Blank rows and columns around and between count, and do not come."""
    rows = [["税号", "名"], ["1", "甲"], [], ["", " "], ["2", "乙"]]
    table = open_table(write_workbook(tmp_path / "a.xlsx", *rows, first_row=2, first_column=3))
    assert table.headings == ("税号", "名")
    assert cells_of(table) == {4: ("1", "甲"), 7: ("2", "乙")}
    assert cells_of(table) == cells_of(table)


def test_a_cell_beyond_the_headings_is_said(tmp_path: Path) -> None:
    """A cell under no heading is a problem of its row."""
    (row,) = open_table(write_workbook(tmp_path / "a.xlsx", ["税号"], ["1", "", "x"])).rows()
    assert said(row) == ["has a cell beyond the last heading, in column C; is a cell split in two?"]


def test_merged_cells_are_said(tmp_path: Path) -> None:
    """Only the first of merged cells has the value; a row below it is named, one with nothing else does not come."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(1, 1, ["名", "税号", "账号"])
        sheet.merge_range(2, 1, 4, 1, "甲")
        sheet.write_row(2, 2, ["1", "a"])
        sheet.write_row(3, 2, ["2", "b"])
        sheet.merge_range(5, 1, 5, 2, "乙")
    first, second, third = open_table(file).rows()
    assert (first.row_number, first.problems) == (3, ())
    assert second.cells == ("", "2", "b")
    assert said(second) == [
        "名: is merged with another cell and so has no value of its own; unmerge it and fill in each cell"
    ]
    assert third.row_number == 6
    assert [problem.column for problem in third.problems] == ["税号"]


def test_errors_and_formulas_are_said(tmp_path: Path) -> None:
    """A formula counts as its value; one in error or without a value is named, also where nothing else is."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["税号", "名", "账号"])
        sheet.write_formula(1, 0, '="a"&"b"', None, "ab")
        sheet.write_formula(1, 1, "=1+1", None, 2)
        sheet.write_formula(1, 2, '=""', None, "")
        sheet.write_formula(2, 1, "=NA()", None, "#N/A")
        sheet.write_formula(3, 0, "=A1", None, 7)
        sheet.write_row(3, 1, ["甲", "x"])
    rewrite(file, "xl/worksheets/sheet1.xml", "<v>7</v>", "<v></v>")
    rewrite(file, "xl/worksheets/sheet1.xml", '<c r="C2">', '<c r="C2" t="str">')  # as Excel does
    good, error, formula = open_table(file).rows()
    assert (good.cells, good.problems) == (("ab", "2", ""), ())
    assert (error.row_number, said(error)) == (3, ["名: holds an error of the spreadsheet, as #N/A; correct it"])
    assert said(formula) == [
        "税号: holds a formula that was never calculated; open the file in a spreadsheet program and save it again"
    ]


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """Make a workbook with an empty sheet, a hidden one, a chart, and two that hold something."""
    file = tmp_path / "sheets.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        book.add_worksheet("空")
        chart = book.add_chart({"type": "bar"})
        chart.add_series({"values": "=甲!$A$1:$A$2"})
        book.add_chartsheet("图").set_chart(chart)
        hidden = book.add_worksheet("藏")
        hidden.write(0, 0, "编号")
        hidden.hide()
        book.add_worksheet("甲").write(0, 0, "税号")
        book.add_worksheet("乙").write(0, 0, "账号")
    return file


def test_the_first_sheet_with_something_is_read(sheets: Path) -> None:
    """Empty and hidden sheets are passed over, and those that are not read are named."""
    table = open_table(sheets)
    assert table.headings == ("税号",)
    assert table.notices == ("only the sheet 甲 is read, not 乙",)


def test_a_sheet_can_be_chosen(sheets: Path) -> None:
    """A sheet is chosen by its name, hidden or not; a name that is none is said with those that are."""
    assert open_table(sheets, sheet="乙").headings == ("账号",)
    assert open_table(sheets, sheet="藏").headings == ("编号",)
    with pytest.raises(SourceError, match="has no sheet 丙; it has 空, 图, 藏, 甲, 乙"):
        open_table(sheets, sheet="丙")
    with pytest.raises(SourceError, match="the sheet 空 holds nothing"):
        open_table(sheets, sheet="空")


@pytest.mark.parametrize("rows", [[], [[" "]], [["", "\u3000"], [" "]]])
def test_an_empty_workbook_is_said(rows: list[list[str]], tmp_path: Path) -> None:
    """A workbook without anything in it has no headings."""
    with pytest.raises(SourceError, match=r"holds (anything|nothing); (the|its) first row must be the headings"):
        open_table(write_workbook(tmp_path / "a.xlsx", *rows))


def test_an_old_workbook_is_read() -> None:
    """An XLS is read like an XLSX, and what it cannot tell is said."""
    table = open_table(XLS)
    assert table.notices == ("an XLS does not tell an error from a blank cell; save it as XLSX to have errors named",)
    first, second, third, fourth = table.rows()
    assert first.cells == ("甲公司", "91110000600037341L", "13800138000", "2024-01-02")
    assert said(second) == ["手机号: is a truth value; format the column as text and type it again"]
    assert third.cells[0] == "丙公司"
    assert [problem.column for problem in fourth.problems] == ["企业名称"]


@pytest.mark.parametrize(
    "inside",
    [
        "EncryptedPackage".encode("utf-16-le"),
        bytes.fromhex("0908100000060500") + bytes(12) + bytes.fromhex("2f003600"),
        bytes.fromhex("0908100000060500") + bytes(12) + bytes.fromhex("860000002f003600"),
    ],
)
def test_a_password_is_said(inside: bytes, tmp_path: Path) -> None:
    """A workbook that is locked, new or old, is named as such."""
    file = tmp_path / "locked.xlsx"
    file.write_bytes(OLE2 + bytes(504) + inside + bytes(512))
    with pytest.raises(SourceError, match="is protected by a password; open it and save it without one"):
        open_table(file)


def test_a_damaged_workbook_is_said(tmp_path: Path) -> None:
    """A workbook whose inside is broken is named, whether that shows at its opening or later."""
    file = rewrite(write_workbook(tmp_path / "a.xlsx", ["税号"]), "xl/worksheets/sheet1.xml", "</c>", "</d>")
    with pytest.raises(SourceError, match="is no workbook, or a damaged one"):
        open_table(file)
    file.write_bytes(XLS.read_bytes()[:3000])
    with pytest.raises(SourceError, match="is no workbook, or a damaged one"):
        open_table(file)


class PanicException(BaseException):
    """What PyO3 raises when Rust panics; it cannot be imported."""


@pytest.mark.parametrize(("happens", "comes"), [(PanicException, SourceError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_panic_is_said(
    happens: type[BaseException], comes: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that makes calamine panic is a damaged one; a person's Ctrl-C is none of this."""

    def panic(*_: object) -> None:
        raise happens

    monkeypatch.setattr("python_calamine.CalamineWorkbook", SimpleNamespace(from_object=panic))
    with pytest.raises(comes):
        open_table(write_workbook(tmp_path / "a.xlsx", ["税号"]))


def test_a_workbook_that_went_is_said(tmp_path: Path) -> None:
    """A file that goes away between two readings is named."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号"], ["1"])
    table = open_table(file)
    file.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        [*table.rows()]


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-calamine the error says what to install."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(SourceError, match=r"a workbook needs an extra; pip install 'kfq-async\[onboarding\]'"):
        open_table(write_workbook(tmp_path / "a.xlsx", ["税号"]))


SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make a workbook with an error in AB3 and a formula in B2."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        sheet.write_formula(2, 27, "=NA()", None, "#N/A")
        sheet.write_formula(1, 1, "=A1", None, 7)
    return file


def places(file: Path) -> list[tuple[int, int]]:
    """Return row and column of what is found."""
    return [(row, column) for row, column, _ in uncomputed_cells(file, "企业")]


def test_they_are_found(file: Path) -> None:
    """An error is found, and a formula if it has no value; a value that is an empty text is one."""
    assert places(file) == [(3, 27)]
    assert places(rewrite(file, SHEET, "<v>7</v>", "<v/>")) == [(2, 1), (3, 27)]
    assert places(rewrite(file, SHEET, '<c r="B2">', '<c r="B2" t="str">')) == [(3, 27)]


def test_most_sheets_are_not_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet without formulas and errors is not parsed."""
    monkeypatch.delattr(workbook, "_cells")
    file = write_workbook(tmp_path / "a.xlsx", ["税号"], ["1"])
    assert places(file) == []


def test_a_formula_is_seen_across_a_boundary(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands across the boundary of two reads is not missed."""
    monkeypatch.setattr(workbook, "_CHUNK", 3)
    assert places(file) == [(3, 27)]


def test_prefixes_and_absolute_targets(file: Path) -> None:
    """Other programs write the same with a prefix, and paths from the root."""
    rewrite(file, SHEET, r"<(/?)(\w)", r"<\1x:\2")
    rewrite(file, SHEET, "xmlns=", "xmlns:x=")
    rewrite(file, "xl/_rels/workbook.xml.rels", 'Target="worksheets', 'Target="/xl/worksheets')
    assert places(file) == [(3, 27)]


def test_a_cell_without_a_place_is_left(file: Path) -> None:
    """A place may be left out of the XML; such a cell cannot be named."""
    assert places(rewrite(file, SHEET, ' r="AB3"', "")) == []


@pytest.mark.parametrize("part", ["xl/workbook.xml", SHEET])
def test_another_inside_has_none(part: str, file: Path, tmp_path: Path) -> None:
    """A workbook of another kind, or no ZIP at all, has no such cells."""
    assert places(rewrite(file, part, ">", "")) == []
    with ZipFile(file, "w") as archive:
        archive.writestr("content.xml", "x")
    assert places(file) == []
    file.write_bytes(b"x")
    assert places(file) == []
