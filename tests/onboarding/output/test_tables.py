"""Tables in each format: text that survives, links, widths and totals."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.output import tables
from kfq_async.onboarding.output.tables import Cell, Column, check_columns, require_xlsx, writer_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kfq_async.onboarding.output.tables import TableWriter

HEADINGS = ("税号", "a;b\tc;d", "名")
# Lone surrogates cannot be written, and a blank row is skipped on reading.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TABLES = st.lists(st.tuples(st.text("0123456789", min_size=1), CELLS, CELLS), min_size=1)


def write(file: Path, *rows: Sequence[Cell], columns: Sequence[str | Column] = HEADINGS) -> Path:
    """Write a table."""
    made = [column if isinstance(column, Column) else Column(column) for column in columns]
    with writer_for(file)(file, made, "Sheet") as table:
        for row in rows:
            table.write_row(row)
    return file


def read_rows(file: Path) -> list[tuple[str, ...]]:
    """Return the rows of a table."""
    return [row.cells for row in open_table(file).rows()]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".jsonl", ".xlsx", ".XLSX"])
def test_round_trip(suffix: str, tmp_path: Path) -> None:
    """Formulas, links and long numbers survive a round trip as text."""
    rows = [("=1+1", "+86", "'@x"), ("110101199001011237", "https://example.com/", '甲"\r\n，'), ("1", "", "{x}")]
    file = write(tmp_path / f"a{suffix}", *rows)
    assert open_table(file).headings == HEADINGS
    assert read_rows(file) == rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@given(rows=TABLES)
def test_round_trip_of_any_text(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    """Any text survives a round trip through CSV and JSON Lines."""
    file = write(tmp_path_factory.mktemp("any") / f"a{suffix}", *rows)
    assert read_rows(file) == rows


@given(rows=TABLES)
def test_no_formulas_in_a_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]) -> None:
    """No cell of a CSV begins with a character that starts a formula."""
    file = write(tmp_path_factory.mktemp("any") / "a.csv", *rows)
    cells = [cell for _, *rest in csv_rows(file) for cell in rest]
    assert {cell[:1] for cell in cells} & {*"=+-@\t\r"} == set()


def csv_rows(file: Path) -> list[list[str]]:
    """Return the cells as a spreadsheet program would read them."""
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return [*csv.reader(stream)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_lone_surrogates_are_replaced(suffix: str, tmp_path: Path) -> None:
    """A lone surrogate, which no file can hold, is replaced."""
    ((cell, other, _),) = read_rows(write(tmp_path / f"a{suffix}", ("a\udc80b", "x", "y")))
    assert (cell[0], cell[2:], other) == ("a", "b", "x")


def test_limits_of_a_sheet(tmp_path: Path) -> None:
    """Control characters are replaced, and a text that is too long for a cell is cut."""
    ((control, long, escape),) = read_rows(write(tmp_path / "a.xlsx", ("a\x01\x0b\ufffe\tb", "x" * 40_000, "_x0041_")))
    assert control == "a\ufffd\ufffd\ufffd\tb"
    assert long == "x" * 32_767
    assert escape == "_x0041_"


LINK_COLUMNS = ("税号", Column("链接", "auth_url", "link"))
SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def part(file: Path, name: str) -> ET.Element:
    """Return the XML of a part of a workbook."""
    with ZipFile(file) as archive:
        return ET.fromstring(archive.read(f"xl/worksheets/{name}"))


def links(file: Path) -> dict[str, str]:
    """Return where each cell of the first sheet leads to, as Excel opens it."""
    targets = {each.get("Id"): each.get("Target") for each in part(file, "_rels/sheet1.xml.rels")}
    found = {}
    for link in part(file, "sheet1.xml").iter(f"{SPREADSHEET}hyperlink"):
        location = link.get("location")
        found[str(link.get("ref"))] = f"{targets[link.get(RELATION)]}{f'#{location}' if location else ''}"
    return found


def test_links_can_be_clicked(tmp_path: Path) -> None:
    """A URL of the column of links is a link in an XLSX, and unchanged; in other columns and formats it is text."""
    url = "https://example.com/a/%E4%BC%81?x=1&y=%20#/step/2"
    rows = [(url, url), ("http://x.cn", "http://x.cn"), ("no", "javascript:alert(1)"), ("", "")]
    file = write(tmp_path / "a.xlsx", *rows, columns=LINK_COLUMNS)
    assert links(file) == {"B2": url, "B3": "http://x.cn"}
    assert read_rows(file) == rows[:3]
    assert read_rows(write(tmp_path / "a.csv", *rows, columns=LINK_COLUMNS)) == rows[:3]


@pytest.mark.parametrize(
    "url", ["https://x.cn/a b", 'https://x.cn/"', "https://x.cn/%", "https://x.cn/[", "ftp://x.cn"]
)
def test_urls_that_would_be_changed_are_text(url: str, tmp_path: Path) -> None:
    """A URL that XlsxWriter would write otherwise, or Excel reject, is text."""
    file = write(tmp_path / "a.xlsx", ("1", url), columns=LINK_COLUMNS)
    assert read_rows(file) == [("1", url)]
    assert "hyperlink" not in ET.tostring(part(file, "sheet1.xml"), encoding="unicode")


def test_long_links(tmp_path: Path) -> None:
    """A link can be clicked with up to 2,079 characters; a longer one is text."""
    longest = "https://x.cn/".ljust(2_079, "a")
    file = write(tmp_path / "a.xlsx", ("1", longest), ("2", f"{longest}a"), columns=LINK_COLUMNS)
    assert links(file) == {"B2": longest}
    assert read_rows(file) == [("1", longest), ("2", f"{longest}a")]


@pytest.mark.filterwarnings("error")
def test_many_links(tmp_path: Path) -> None:
    """The first 65,530 links can be clicked, as many as Excel allows in a sheet; the others are text."""
    rows = [(str(number), f"https://example.com/{number}") for number in range(65_600)]
    file = write(tmp_path / "a.xlsx", *rows, columns=LINK_COLUMNS)
    assert read_rows(file) == rows
    assert len(links(file)) == 65_530


def test_layout_of_a_sheet(tmp_path: Path) -> None:
    """The headings are frozen and have a filter, columns are as wide as their text, and numbers are numbers."""
    columns = (Column("行号", "row", "number"), "name", "备注")
    file = write(tmp_path / "a.xlsx", (2, "x" * 18, "长" * 90), (3, "y", ""), columns=columns)
    sheet = part(file, "sheet1.xml")
    pane, filtered = (sheet.find(f".//{SPREADSHEET}{name}") for name in ("pane", "autoFilter"))
    assert pane is not None
    assert (pane.get("ySplit"), pane.get("state")) == ("1", "frozen")
    assert filtered is not None
    assert filtered.get("ref") == "A1:C3"
    widths = [float(column.get("width", 0)) for column in sheet.iter(f"{SPREADSHEET}col")]
    assert [round(width) for width in widths] == [9, 21, 41]
    assert CalamineWorkbook.from_path(file).get_sheet_by_name("Sheet").to_python()[1][0] == 2.0
    assert list(sheet.iter(f"{SPREADSHEET}f")) == []


def test_widths_are_those_of_the_first_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later rows are not measured."""
    monkeypatch.setattr(tables, "_MEASURED_ROWS", 1)
    file = write(tmp_path / "a.xlsx", ("x" * 18,), ("x" * 30,), columns=("a",))
    (column,) = part(file, "sheet1.xml").iter(f"{SPREADSHEET}col")
    assert round(float(column.get("width", 0))) == 21


def write_totals(table: TableWriter) -> None:
    """Write two groups of totals."""
    table.write_row(["1"])
    table.write_totals("汇总", {("状态", "行数"): {"好": 2, "合计": 2}, ("其他", "行数"): {}})


def test_totals(tmp_path: Path) -> None:
    """An XLSX has its totals in a second sheet; CSV and JSON Lines have only the rows."""
    for suffix in (".csv", ".jsonl", ".xlsx"):
        file = tmp_path / f"a{suffix}"
        with writer_for(file)(file, [Column("税号")], "企业") as table:
            write_totals(table)
        assert read_rows(file) == [("1",)]
    book = CalamineWorkbook.from_path(tmp_path / "a.xlsx")
    assert book.sheet_names == ["企业", "汇总"]
    rows = book.get_sheet_by_name("汇总").to_python()
    assert rows == [["状态", "行数"], ["好", 2.0], ["合计", 2.0], ["", ""], ["其他", "行数"]]


def test_full_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a sheet can hold are an error, and not dropped."""
    monkeypatch.setattr(tables, "XLSX_ROWS", 3)
    write(tmp_path / "a.xlsx", *[("1", "", "")] * 2)
    with pytest.raises(SourceError, match="an XLSX holds 3 rows; choose a"):
        write(tmp_path / "a.xlsx", *[("1", "", "")] * 3)


def test_json_keys(tmp_path: Path) -> None:
    """A column without a heading gets its letters as the key; two columns with one heading are an error."""
    file = write(tmp_path / "a.jsonl", ("1", "2"), columns=("税号", ""))
    assert json.loads(file.read_text(encoding="utf-8")) == {"税号": "1", "column B": "2"}
    with pytest.raises(SourceError, match="two columns 备注; rename one"):
        write(file, columns=("备注", "税号", "备注 "))
    with pytest.raises(SourceError, match="two columns row; rename one"):
        check_columns(file, [Column("row"), Column("行号", "row")])
    check_columns(tmp_path / "a.csv", [Column("row"), Column("row")])


def test_unknown_suffix() -> None:
    """A suffix of no known format is an error."""
    with pytest.raises(SourceError, match=r"a.xls: the output must end in .csv, .jsonl or .xlsx"):
        writer_for(Path("a.xls"))


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XlsxWriter the error says how to install it."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(SourceError, match=r"pip install 'kfq-async\[onboarding\]'"):
        require_xlsx()
    with pytest.raises(SourceError, match="needs XlsxWriter"):
        write(tmp_path / "a.xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_system_errors(suffix: str, tmp_path: Path) -> None:
    """A file that cannot be created raises the system's error, whichever library writes it."""
    file = tmp_path / f"a{suffix}"
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        write(file, ("1", "", ""))
