"""Workbooks for tests."""

import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import xlsxwriter


def write_workbook(file: Path, *rows: list[Any], first_row: int = 0, first_column: int = 0) -> Path:
    """Write a workbook of one sheet; numbers become number cells, and texts text cells."""
    with xlsxwriter.Workbook(str(file), {"strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("企业")
        for index, row in enumerate(rows):
            sheet.write_row(first_row + index, first_column, row)
    return file


def rewrite(file: Path, part: str, pattern: str, replacement: str) -> Path:
    """Replace a pattern in the XML of one part of a workbook, to imitate other programs."""
    with ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    changed, times = re.subn(pattern, replacement, parts[part].decode())
    assert times, "the pattern was not found"
    parts[part] = changed.encode()
    with ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file
