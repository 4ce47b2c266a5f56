"""Cells that look blank to calamine and are not."""

from pathlib import Path
from zipfile import ZipFile

import pytest
import xlsxwriter

from kfq_async.onboarding.tables import unseen
from kfq_async.onboarding.tables.unseen import unseen_cells
from workbooks import rewrite, write_workbook

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
    return [(row, column) for row, column, _ in unseen_cells(file, "企业")]


def test_they_are_found(file: Path) -> None:
    """An error is found, and a formula if it has no value; a value that is an empty text is one."""
    assert places(file) == [(3, 27)]
    assert places(rewrite(file, SHEET, "<v>7</v>", "<v/>")) == [(2, 1), (3, 27)]
    assert places(rewrite(file, SHEET, '<c r="B2">', '<c r="B2" t="str">')) == [(3, 27)]


def test_most_sheets_are_not_read_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sheet without formulas and errors is not parsed."""
    monkeypatch.delattr(unseen, "_cells")
    file = write_workbook(tmp_path / "a.xlsx", ["税号"], ["1"])
    assert places(file) == []


def test_a_formula_is_seen_across_a_boundary(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands across the boundary of two reads is not missed."""
    monkeypatch.setattr(unseen, "_CHUNK", 3)
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
