"""XLSX and XLS workbooks."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import xlsxwriter

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import Table, TableRow, open_table, workbook_reader
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
    with pytest.raises(SourceError, match="the XML of the sheet 企业 cannot be read"):
        open_table(file)
    file.write_bytes(XLS.read_bytes()[:3000])
    with pytest.raises(SourceError, match="is not a workbook, or damaged"):
        open_table(file)


def test_deleted_file(tmp_path: Path) -> None:
    """A file that is deleted between two reads is an error."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号"], ["1"])
    table = open_table(file)
    file.unlink()
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        [*table.rows()]


def test_title_and_header_row(tmp_path: Path) -> None:
    """A title above the headings is skipped with a notice, or the row of the headings is chosen."""
    file = write_workbook(tmp_path / "a.xlsx", ["名单 20240630"], [], ["企业名称", "税号"], ["甲", "1"], ["乙", "2"])
    table = open_table(file)
    assert table.headings == ("企业名称", "税号")
    assert table.notices == ("row 3 holds the headings, and the title above it is skipped; or choose --header-row",)
    assert cells_of(table) == {4: ("甲", "1"), 5: ("乙", "2")}
    table = open_table(file, header_row=4)
    assert (table.headings, table.notices, cells_of(table)) == (("甲", "1"), (), {5: ("乙", "2")})
    with pytest.raises(SourceError, match="row 2 of the sheet 企业 is blank; choose another --header-row"):
        open_table(file, header_row=2)


def test_wide_merged_rows(tmp_path: Path) -> None:
    """Merged ranges up to the last column of a sheet count as far as there are headings."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["税号", "名"])
        for row in range(1, 50):
            sheet.merge_range(row, 2, row, 16_383, "")
            sheet.write_row(row, 0, [str(row), "甲"])
    assert len(cells_of(open_table(file))) == 49


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Run a script instead of the reader, and return a workbook."""
    reader = tmp_path / "reader.py"
    reader.write_text(f"import os, sys\n{script}\n")
    monkeypatch.setattr(workbook_reader, "__file__", str(reader))
    return write_workbook(tmp_path / "a.xlsx", ["税号"])


@pytest.mark.parametrize("end", ["os.abort()", "os._exit(1)", "sys.exit()", "print('[1', end='')"])
def test_reader_that_ends_early(end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the reader aborts, is killed by a limit or stops in a line, the message names the likely cell."""
    file = stand_in(tmp_path, monkeypatch, end)
    with pytest.raises(SourceError, match="takes too much memory or time; open it in a spreadsheet program"):
        open_table(file)
    stand_in(tmp_path, monkeypatch, f'print(\'{{"extent": "XFD9"}}\', flush=True); {end}')
    with pytest.raises(SourceError, match="its sheet reaches to the cell XFD9: delete the rows and columns"):
        open_table(file)


def test_reader_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader whose rows are not needed any more does not go on."""
    script = """
import json
for message in ({"extent": ""}, {"sheet": "企业", "notices": []}, [1, ["税号"], [], []]):
    print(json.dumps(message))
while True:
    print(json.dumps([2, ["x"], [], []]))
"""
    table = open_table(stand_in(tmp_path, monkeypatch, script))
    assert next(iter(table.rows())).cells == ("x",)
