"""The reader of workbooks in its child process."""

from __future__ import annotations

import io
import json
import resource
import runpy
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zipfile import ZipFile

import pytest
import xlsxwriter

from kfq_async.onboarding.input import workbook_reader
from kfq_async.onboarding.input.workbook_reader import OfficeXml, ReaderError, UncomputedCells, read_workbook
from workbooks import rewrite, write_workbook

SHEET = "xl/worksheets/sheet1.xml"
STYLES = "xl/styles.xml"
XLS = Path(__file__).parents[2] / "wire" / "companies.xls"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Workbook with an error in AB3 and a formula in B2."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        sheet.write_formula(1, 1, "=A1", None, 7)
        sheet.write_formula(2, 27, "=NA()", None, "#N/A")
    return file


def places(file: Path) -> list[tuple[int, int]]:
    """Return row and column of the uncomputed cells."""
    with ZipFile(file) as archive:
        cells = OfficeXml(archive).uncomputed_cells("企业")
    return [(row, column) for row, found in sorted(cells.messages.items()) for column, _ in found]


def rows(file: Path) -> list[Any]:
    """Return the rows of a workbook."""
    return list(read_workbook(file, None))[2:]


def test_uncomputed_cells(file: Path) -> None:
    """Errors and formulas without a value are found; an empty text is a value, and no element is none."""
    assert places(file) == [(3, 27)]
    assert places(rewrite(file, SHEET, "<v>7</v>", "<v/>")) == [(2, 1), (3, 27)]
    assert places(rewrite(file, SHEET, '<c r="B2">', '<c r="B2" t="str">')) == [(3, 27)]
    assert places(rewrite(file, SHEET, "<v/>", "")) == [(2, 1), (3, 27)]


def test_placeholder_of_a_formula(file: Path) -> None:
    """A program that cannot calculate writes 0 and asks for a calculation: such a 0 is no value."""
    rewrite(file, SHEET, "<v>7</v>", "<v>0</v>")
    assert places(file) == [(2, 1), (3, 27)]
    assert places(rewrite(file, "xl/workbook.xml", ' fullCalcOnLoad="1"', "")) == [(3, 27)]


def test_zero_padding(tmp_path: Path) -> None:
    """Zeros that only a number format shows are missing in the value; a number with all its digits is in order."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        padded, plain = book.add_format({"num_format": "000000"}), book.add_format({"num_format": "0.00"})
        sheet.write(0, 0, 123, padded)
        sheet.write(1, 0, 123456, padded)
        sheet.write(2, 0, "123", padded)
        sheet.write(3, 0, 123, plain)
        sheet.write_blank(4, 0, None, padded)
    assert places(file) == [(1, 0)]
    (first, *_) = rows(file)
    ((column, message),) = first[2]
    assert column == 0
    assert message.startswith("is shown with zeros at its start, which its number format adds")
    assert places(rewrite(file, STYLES, "cellXfs", "x")) == []
    with ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist() if name != STYLES}
    with ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    assert places(file) == []


def test_other_writers(file: Path) -> None:
    """Prefixes, absolute, odd and upper-case part names, and the Strict form are understood."""
    rewrite(file, SHEET, r"<(/?)(\w)", r"<\1x:\2")
    rewrite(file, SHEET, "xmlns=", "xmlns:x=")
    rewrite(file, "xl/_rels/workbook.xml.rels", 'Target="worksheets', 'Target="/xl/./WORKSHEETS')
    rewrite(
        file,
        "xl/workbook.xml",
        "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
        "http://purl.oclc.org/ooxml/spreadsheetml/main",
    )
    assert places(file) == [(3, 27)]


def test_cells_without_references(file: Path) -> None:
    """A cell without a reference is the next one, and a row without a number too."""
    assert places(rewrite(file, SHEET, ' r="AB3"', "")) == [(3, 0)]
    assert places(rewrite(file, SHEET, '<row r="3"', "<row")) == [(3, 0)]


@pytest.mark.parametrize(
    ("pattern", "replacement", "message"),
    [
        (">", "", "the XML of the sheet 企业 cannot be read"),
        ('encoding="UTF-8"', 'encoding="UTF-9"', "the XML of the sheet 企业 cannot be read"),
        ("</c>", "</d>", "the XML of the sheet 企业 cannot be read"),
        ('<row r="3"', '<row r="2"', "two rows say that they are row 2"),
        ('<row r="3"', '<row r="1048577"', "two rows say that they are row 1048577"),
        (' r="AB3"', ' r="ABCD3"', "row 3 has a cell with a reference that no sheet has"),
        (' r="AB3"', ' r="XFE3"', "row 3 has a cell with a reference that no sheet has"),
        (' r="AB3"', ' r="AB0"', "row 3 has a cell with a reference that no sheet has"),
        (' r="AB3"', f' r="{"A" * 100_000}3"', "row 3 has a cell with a reference that no sheet has"),
        (' r="AB3"', ' r="XFD1048576"', "the cell XFD1048576 lies far beyond the others"),
    ],
)
def test_refused_xml(pattern: str, replacement: str, message: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the XML cannot be read truly, the workbook is refused: a cell would be sent as blank."""
    book = SimpleNamespace(sheet_names=["企业"])
    monkeypatch.setattr(workbook_reader, "_open_book", lambda _: nullcontext(book))
    with pytest.raises(ReaderError, match=message):
        list(read_workbook(rewrite(file, SHEET, pattern, replacement), "企业"))


@pytest.mark.parametrize("pattern", ["<sheets>", "<Relationships"])
def test_damaged_book(pattern: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage in the XML of the book refuses it."""
    monkeypatch.setattr(workbook_reader, "_open_book", lambda _: nullcontext())
    part = "xl/workbook.xml" if pattern == "<sheets>" else "xl/_rels/workbook.xml.rels"
    with pytest.raises(ReaderError, match=r"its XML cannot be read \(ParseError\)"):
        list(read_workbook(rewrite(file, part, pattern, ""), None))


def test_hidden_rows(tmp_path: Path) -> None:
    """Hidden rows with cells are counted."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        for row in range(5):
            sheet.write(row, 0, "甲")
        for row in (2, 3, 7):
            sheet.set_row(row, None, None, {"hidden": True})
    assert list(read_workbook(file, None))[1]["notices"] == [
        "2 hidden or filtered rows are read like the others; delete what is not meant"
    ]


@pytest.mark.parametrize("value", ["NaN", "inf"])
def test_not_a_number(value: str, tmp_path: Path) -> None:
    """NaN and infinity, which no spreadsheet shows, are problems of their cell."""
    file = rewrite(write_workbook(tmp_path / "a.xlsx", ["税号"], [7]), SHEET, "<v>7</v>", f"<v>{value}</v>")
    assert rows(file)[1] == [
        2,
        [""],
        [(0, "is not a number (NaN) or infinite; format the column as text and type it again")],
        [],
    ]


def test_stray_column(tmp_path: Path) -> None:
    """A blank cell far to the right does not make the rows wide."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        sheet.write(0, 0, "税号")
        sheet.write_blank(0, 16_383, None, book.add_format({"bold": True}))
    header, _, row = read_workbook(file, None)
    assert header == {"extent": "XFD1"}
    assert row == [1, ["税号"], [], []]


def test_values(tmp_path: Path) -> None:
    """Values that a spreadsheet program converted have a message; blank rows are left out."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet("企业")
        sheet.write_row(0, 0, ["税号", "名"])
        sheet.write_row(2, 0, [10**15, "甲"])
        sheet.write(3, 0, 1.5, book.add_format({"num_format": "[h]:mm"}))
        sheet.write(4, 0, 45_000, book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write(5, 0, True)
        sheet.merge_range(6, 0, 7, 1, "乙")
    found = rows(file)
    assert [(number, texts, [column for column, _ in messages]) for number, texts, messages, _ in found] == [
        (1, ["税号", "名"], []),
        (3, ["1.00000000000000E+15", "甲"], [0]),
        (4, ["1 day, 12:00:00"], [0]),
        (5, ["2023-03-15"], [0]),
        (6, ["TRUE"], [0]),
        (7, ["乙"], []),
    ]
    assert found[-1][3] == [(1, 1)]


def test_sheets(tmp_path: Path) -> None:
    """An unknown sheet is an error; an empty one is none if it was chosen."""
    file = write_workbook(tmp_path / "a.xlsx")
    with pytest.raises(ReaderError, match="every visible sheet is empty"):
        rows(file)
    with pytest.raises(ReaderError, match="has no sheet 丙; it has 企业"):
        list(read_workbook(file, "丙"))
    assert list(read_workbook(file, "企业")) == [{"extent": ""}, {"sheet": "企业", "notices": []}]


def test_unreadable_workbooks(tmp_path: Path) -> None:
    """A protected workbook is told from a damaged one."""
    file = tmp_path / "a.xls"
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
    file.write_bytes(head + "EncryptedPackage".encode("utf-16-le") + bytes(512))
    with pytest.raises(ReaderError, match="is protected by a password"):
        rows(file)
    file.write_bytes(head)
    with pytest.raises(ReaderError, match="is not a workbook, or damaged"):
        rows(file)


def opendocument(file: Path, cell: str) -> Path:
    """Write an ODS with one row of one cell."""
    names = (
        "office:urn:oasis:names:tc:opendocument:xmlns:office:1.0 table:urn:oasis:names:tc:opendocument:xmlns:table:1.0"
    )
    names += " text:urn:oasis:names:tc:opendocument:xmlns:text:1.0 calcext:urn:org:documentfoundation:names:calcext:1.0"
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, _, uri in (name.partition(":") for name in names.split()))
    with ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        archive.writestr(
            "content.xml",
            f'<office:document-content {spaces}><office:body><office:spreadsheet><table:table table:name="a">'
            f"<table:table-row>{cell}</table:table-row></table:table></office:spreadsheet></office:body>"
            "</office:document-content>",
        )
    return file


def test_opendocument(tmp_path: Path) -> None:
    """An ODS is read with the notice that its errors are not seen one by one, and refused if it has any."""
    text = '<table:table-cell office:value-type="string"><text:p>税号</text:p></table:table-cell>'
    extent, header, row = read_workbook(opendocument(tmp_path / "a.ods", text), None)
    assert extent == {"extent": ""}
    assert "ODS or XLSB looks like a blank cell; save it as XLSX" in header["notices"][0]
    assert row[1] == ["税号"]
    error = text.replace("office:value-type", 'calcext:value-type="error" office:value-type')
    with pytest.raises(ReaderError, match="a cell holds a spreadsheet error"):
        list(read_workbook(opendocument(tmp_path / "a.ods", error), None))


@pytest.mark.parametrize(("code_page", "refused"), [(1200, False), (936, True), (1252, True)])
def test_code_page(code_page: int, *, refused: bool, tmp_path: Path) -> None:
    """An XLS of Excel 97 has its texts in UTF-16; with another code page they would be misread."""
    content = XLS.read_bytes()
    record = bytes.fromhex("42000200b004")
    assert content.count(record) == 1
    file = tmp_path / "a.xls"
    file.write_bytes(content.replace(record, record[:4] + code_page.to_bytes(2, "little")))
    if refused:
        with pytest.raises(ReaderError, match=f"in the code page {code_page}"):
            rows(file)
    else:
        assert len(rows(file)) == 5


class PanicException(BaseException):
    """Stand-in for the exception of PyO3 for a panic of Rust, which cannot be imported."""


@pytest.mark.parametrize(
    ("raised", "expected"), [(PanicException, ReaderError), (KeyboardInterrupt, KeyboardInterrupt)]
)
def test_panic(
    raised: type[BaseException], expected: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that makes calamine panic counts as damaged; Ctrl-C passes through."""

    def panic(*_: object) -> None:
        raise raised

    monkeypatch.setattr("python_calamine.CalamineWorkbook", SimpleNamespace(from_object=panic))
    with pytest.raises(expected):
        rows(write_workbook(tmp_path / "a.xlsx", ["税号"]))


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-calamine the error says how to install it."""
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(ReaderError, match=r"workbooks need python-calamine; run pip install 'kfq-async\[onboarding\]'"):
        rows(write_workbook(tmp_path / "a.xlsx", ["税号"]))


def printed(file: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return what the reader prints in this process, without its limits."""
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows, where there are no limits
    workbook_reader.main(str(file), None)
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows or the error are printed as lines of JSON, with null at the end."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号"])
    assert printed(file, monkeypatch) == [
        {"extent": "A1"},
        {"sheet": "企业", "notices": []},
        [1, ["税号"], [], []],
        None,
    ]
    assert printed(tmp_path / "b.xlsx", monkeypatch) == [
        {"error": f"{tmp_path / 'b.xlsx'} cannot be read: No such file or directory"},
        None,
    ]


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process takes the places to import from, the file and the sheet as one argument."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号"])
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "path", sys.path)
    monkeypatch.setattr(sys, "argv", ["reader", json.dumps([sys.path, str(file), "企业"])])
    monkeypatch.setitem(sys.modules, "resource", None)
    runpy.run_path(workbook_reader.__file__, run_name="__main__")
    assert output.getvalue().splitlines()[-1] == "null"


@pytest.mark.parametrize("hard", [resource.RLIM_INFINITY, 5])
def test_limits(hard: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory, time and core are limited, below a harder limit that there is already."""
    limits: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    monkeypatch.setattr(workbook_reader, "read_workbook", lambda *_: [])
    workbook_reader.main("a.xlsx", None)
    soft = (5, 5) if hard == 5 else (2 << 30, 120)
    assert limits == {
        resource.RLIMIT_AS: (soft[0], hard),
        resource.RLIMIT_CPU: (soft[1], hard),
        resource.RLIMIT_CORE: (0, hard),
    }


def test_import_is_light() -> None:
    """The reader imports nothing of the package and no library before it reads."""
    script = f"import sys, runpy; runpy.run_path({workbook_reader.__file__!r}, run_name='x');"
    script += "print({name.partition('.')[0] for name in sys.modules} & {'kfq_async', 'attrs', 'python_calamine'})"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_empty_sheet_has_no_extent() -> None:
    """A sheet without cells has neither rows nor columns."""
    cells = UncomputedCells({}, placeholders=False)
    cells.read(io.BytesIO(b"<worksheet><sheetData/></worksheet>").read)
    assert (cells.last_row, cells.last_column, cells.filled, dict(cells.messages)) == (0, -1, 0, {})
