"""XLSX and XLS workbooks."""

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


def messages(row: TableRow) -> list[str]:
    """Return the messages of a row's problems."""
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
def test_value_as_text(value: object, text: str, tmp_path: Path) -> None:
    """A number is written without a fraction or exponent where possible, and text is kept as it is."""
    (row,) = open_table(write_workbook(tmp_path / "a.xlsx", ["税号"], [value])).rows()
    assert (row.cells, row.problems) == ((text,), ())


@pytest.mark.parametrize(
    ("value", "text", "message"),
    [
        (True, "TRUE", "is a boolean"),
        (110101199001011237, "1.10101199001011E+17", "has more than 15 digits and has lost some"),
        (10**15, "1.00000000000000E+15", "more than 15 digits"),
        (dt.date(2024, 1, 2), "2024-01-02", "is a date or time"),
        (dt.datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00", "is a date or time"),  # noqa: DTZ001  # a cell has no zone
        (dt.timedelta(hours=36), "1 day, 12:00:00", "is a time"),
    ],
)
def test_value_that_is_no_text(value: object, text: str, message: str, tmp_path: Path) -> None:
    """A value that a spreadsheet program converted is a problem of its column, with the remedy."""
    file = tmp_path / "a.xlsx"
    formats = {dt.date: "yyyy-mm-dd", dt.datetime: "yyyy-mm-dd hh:mm", dt.timedelta: "[h]:mm"}
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "税号")
        sheet.write(1, 0, value, book.add_format({"num_format": formats.get(type(value), "General")}))
    (row,) = open_table(file).rows()
    assert row.cells == (text,)
    (problem,) = messages(row)
    assert problem.startswith("税号: ")
    assert message in problem
    assert problem.endswith("format the column as text and type it again")


def test_row_numbers(tmp_path: Path) -> None:
    """Blank rows and columns are counted and skipped."""
    rows = [["税号", "名"], ["1", "甲"], [], ["", " "], ["2", "乙"]]
    table = open_table(write_workbook(tmp_path / "a.xlsx", *rows, first_row=2, first_column=3))
    assert table.headings == ("税号", "名")
    assert cells_of(table) == {4: ("1", "甲"), 7: ("2", "乙")}
    assert cells_of(table) == cells_of(table)


def test_cell_beyond_the_headings(tmp_path: Path) -> None:
    """A cell without a heading is a problem of its row."""
    (row,) = open_table(write_workbook(tmp_path / "a.xlsx", ["税号"], ["1", "", "x"])).rows()
    assert messages(row) == ["has a cell beyond the last heading, in column C; is a cell split in two?"]


def test_merged_cells(tmp_path: Path) -> None:
    """Only the first of merged cells has the value; rows below have a problem, and one without content is skipped."""
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
    assert messages(second) == [
        "名: is merged with another cell and has no value of its own; unmerge it and fill in each cell"
    ]
    assert third.row_number == 6
    assert [problem.column for problem in third.problems] == ["税号"]


def test_errors_and_formulas(tmp_path: Path) -> None:
    """A formula counts as its value; an error or a missing value is a problem, also in an otherwise blank row."""
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
    assert (error.row_number, messages(error)) == (3, ["名: holds a spreadsheet error, such as #N/A; correct it"])
    assert messages(formula) == [
        "税号: holds a formula without a computed value; open the file in a spreadsheet program and save it"
    ]


@pytest.fixture
def sheets(tmp_path: Path) -> Path:
    """Workbook with an empty sheet, a hidden one, a chart, and two with content."""
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


def test_default_sheet(sheets: Path) -> None:
    """The first visible sheet with content is read; the others with content are named."""
    table = open_table(sheets)
    assert table.headings == ("税号",)
    assert table.notices == ("only the sheet 甲 is read, not 乙; choose another with --sheet",)


def test_explicit_sheet(sheets: Path) -> None:
    """A sheet is chosen by its name, hidden or not; the error for an unknown name lists the sheets."""
    assert open_table(sheets, sheet="乙").headings == ("账号",)
    assert open_table(sheets, sheet="藏").headings == ("编号",)
    with pytest.raises(SourceError, match="has no sheet 丙; it has 空, 图, 藏, 甲, 乙"):
        open_table(sheets, sheet="丙")
    with pytest.raises(SourceError, match="the sheet 空 is empty"):
        open_table(sheets, sheet="空")


@pytest.mark.parametrize("rows", [[], [[" "]], [["", "\u3000"], [" "]]])
def test_empty_workbook(rows: list[list[str]], tmp_path: Path) -> None:
    """A workbook without content has no headings."""
    with pytest.raises(SourceError, match=r"is empty; (the|its) first row must be the headings"):
        open_table(write_workbook(tmp_path / "a.xlsx", *rows))


def test_xls() -> None:
    """An XLS is read like an XLSX, with a notice of its limitation."""
    table = open_table(XLS)
    assert table.notices == (
        "an error in a cell of an XLS looks like a blank cell; save it as XLSX to have errors reported",
    )
    first, second, third, fourth = table.rows()
    assert first.cells == ("甲公司", "91110000600037341L", "13800138000", "2024-01-02")
    assert messages(second) == ["手机号: is a boolean; format the column as text and type it again"]
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
def test_password(inside: bytes, tmp_path: Path) -> None:
    """A protected workbook, XLSX or XLS, is an error that says so."""
    file = tmp_path / "locked.xlsx"
    file.write_bytes(OLE2 + bytes(504) + inside + bytes(512))
    with pytest.raises(SourceError, match="is protected by a password; open it and save it without one"):
        open_table(file)


def test_damaged_workbook(tmp_path: Path) -> None:
    """Damage is an error, whether it shows on opening or later."""
    file = rewrite(write_workbook(tmp_path / "a.xlsx", ["税号"]), "xl/worksheets/sheet1.xml", "</c>", "</d>")
    with pytest.raises(SourceError, match="is not a workbook, or damaged"):
        open_table(file)
    file.write_bytes(XLS.read_bytes()[:3000])
    with pytest.raises(SourceError, match="is not a workbook, or damaged"):
        open_table(file)


class PanicException(BaseException):
    """Stand-in for the exception of PyO3 for a panic of Rust, which cannot be imported."""


@pytest.mark.parametrize(
    ("raised", "expected"), [(PanicException, SourceError), (KeyboardInterrupt, KeyboardInterrupt)]
)
def test_panic(
    raised: type[BaseException], expected: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that makes calamine panic counts as damaged; Ctrl-C passes through."""

    def panic(*_: object) -> None:
        raise raised

    monkeypatch.setattr("python_calamine.CalamineWorkbook", SimpleNamespace(from_object=panic))
    with pytest.raises(expected):
        open_table(write_workbook(tmp_path / "a.xlsx", ["税号"]))


def test_deleted_file(tmp_path: Path) -> None:
    """A file that is deleted between two reads is an error."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号"], ["1"])
    table = open_table(file)
    file.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        [*table.rows()]


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-calamine the error says how to install it."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(SourceError, match=r"workbooks need python-calamine; run pip install 'kfq-async\[onboarding\]'"):
        open_table(write_workbook(tmp_path / "a.xlsx", ["税号"]))


SHEET = "xl/worksheets/sheet1.xml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Workbook with an error in AB3 and a formula in B2."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        sheet.write_formula(2, 27, "=NA()", None, "#N/A")
        sheet.write_formula(1, 1, "=A1", None, 7)
    return file


def places(file: Path) -> list[tuple[int, int]]:
    """Return row and column of the uncomputed cells."""
    return [(row, column) for row, column, _ in uncomputed_cells(file, "企业")]


def test_uncomputed_cells(file: Path) -> None:
    """Errors and formulas without a value are found; an empty text is a value."""
    assert places(file) == [(3, 27)]
    assert places(rewrite(file, SHEET, "<v>7</v>", "<v/>")) == [(2, 1), (3, 27)]
    assert places(rewrite(file, SHEET, '<c r="B2">', '<c r="B2" t="str">')) == [(3, 27)]


def test_sheets_without_formulas_are_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet without formulas and errors is not parsed a second time."""
    monkeypatch.delattr(workbook, "_parse_cells")
    file = write_workbook(tmp_path / "a.xlsx", ["税号"], ["1"])
    assert places(file) == []


def test_mark_across_two_chunks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark that is split between two chunks is found."""
    monkeypatch.setattr(workbook, "_CHUNK", 3)
    assert places(file) == [(3, 27)]


def test_prefixes_and_absolute_targets(file: Path) -> None:
    """Namespace prefixes and absolute paths, which other programs write, are understood."""
    rewrite(file, SHEET, r"<(/?)(\w)", r"<\1x:\2")
    rewrite(file, SHEET, "xmlns=", "xmlns:x=")
    rewrite(file, "xl/_rels/workbook.xml.rels", 'Target="worksheets', 'Target="/xl/worksheets')
    assert places(file) == [(3, 27)]


def test_cell_without_reference(file: Path) -> None:
    """A cell without a reference has no known place and is skipped."""
    assert places(rewrite(file, SHEET, ' r="AB3"', "")) == []


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [(">", ""), ('encoding="UTF-8"', 'encoding="UTF-9"'), ('encoding="UTF-8"', 'encoding="GBK"'), ("</c>", "</d>")],
)
def test_unreadable_xml(pattern: str, replacement: str, file: Path) -> None:
    """If the XML with an uncomputed cell cannot be read, the workbook is refused: the cell would be sent as blank."""
    with pytest.raises(SourceError, match=r"the XML of the sheet 企业 cannot be read \(\w+\); open it in"):
        places(rewrite(file, SHEET, pattern, replacement))


@pytest.mark.parametrize("reference", ["ABCD3", "AB" + "3" * 5000, "A" * 100_000 + "3"])
def test_cell_beyond_a_sheet(reference: str, file: Path) -> None:
    """A reference that no sheet has is skipped."""
    assert places(rewrite(file, SHEET, ' r="AB3"', f' r="{reference}"')) == []


def test_other_content(file: Path) -> None:
    """Another ZIP and a file that is no ZIP have no such cells."""
    with ZipFile(file, "w") as archive:
        archive.writestr("content.xml", "x")
    assert places(file) == []
    file.write_bytes(b"x")
    assert places(file) == []
