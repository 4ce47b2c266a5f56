"""Format detection by content."""

import os
import shutil
from pathlib import Path

import pytest

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import open_table
from workbooks import write_workbook

XLS = Path(__file__).parents[2] / "wire" / "companies.xls"


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv", ""])
def test_suffix_does_not_matter(suffix: str, tmp_path: Path) -> None:
    """A file with the suffix of another format is read by its content."""
    file = tmp_path / f"file{suffix}"
    write_workbook(file, ["税号"], ["1"])
    assert [row.cells for row in open_table(file).rows()] == [("1",)]
    shutil.copy(XLS, file)
    assert open_table(file).headings[0] == "企业名称"
    file.write_text("税号\n2\n")
    assert [row.cells for row in open_table(str(file)).rows()] == [("2",)]
    file.write_text('{"税号": "3"}')
    assert [row.cells for row in open_table(file).rows()] == [("3",)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \r\n\t\n", "is blank; write the headings"),
        (b"\xef\xbb\xbf\n \n", "is blank; write the headings"),
        (b"<html><table>", "is HTML or XML"),
        (b"\xef\xbb\xbf\r\n<?xml version='1.0'?>", "is HTML or XML"),
        (b"PK\x03\x04 and nothing of a workbook", "is not a workbook, or damaged"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, "is not a workbook, or damaged"),
        (b"%PDF-1.7\n", "is a PDF"),
        (b"MIME-Version: 1.0\n", "is a web archive"),
        (b"ID;PWXL;N;E\n", "is a SYLK file"),
        (b"{\\rtf1\\ansi", "is a text document"),
        (b"\xff\xfea\x00,\x00", "is in UTF-16; save it as CSV UTF-8"),
    ],
)
def test_file_without_table(content: bytes, message: str, tmp_path: Path) -> None:
    """A file without a table is an error with the remedy, whatever its suffix."""
    file = tmp_path / "companies.xlsx"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=message) as problem:
        open_table(file)
    assert str(problem.value).startswith(str(file))


def test_lock_file(tmp_path: Path) -> None:
    """What Excel leaves beside an open workbook is no workbook."""
    file = tmp_path / "~$companies.xlsx"
    file.write_bytes(b"\x05Zhang" + bytes(100))
    with pytest.raises(SourceError, match="beside an open workbook"):
        open_table(file)


def test_unreadable_file(tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are errors."""
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(SourceError, match="is a folder, a pipe or a device"):
        open_table(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="since it is read twice"):
        open_table(tmp_path / "pipe")


def test_inapplicable_options(tmp_path: Path) -> None:
    """A text file has no sheets and a workbook no encoding."""
    with pytest.raises(SourceError, match="is a workbook, which has no encoding"):
        open_table(write_workbook(tmp_path / "a.xlsx", ["税号"]), encoding="gbk")
    (tmp_path / "a.csv").write_text("税号\n")
    with pytest.raises(SourceError, match="is a text file, which has no sheets"):
        open_table(tmp_path / "a.csv", sheet="企业")
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(SourceError, match="is JSON, which has no row of headings"):
        open_table(tmp_path / "a.jsonl", header_row=1)
