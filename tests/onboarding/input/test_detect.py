"""Which kind of table a file is, by its content."""

import os
import shutil
from pathlib import Path

import pytest

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import open_table
from workbooks import write_workbook

XLS = Path(__file__).parents[2] / "wire" / "companies.xls"


@pytest.mark.parametrize("suffix", [".xlsx", ".xls", ".csv", ""])
def test_the_name_does_not_matter(suffix: str, tmp_path: Path) -> None:
    """A workbook or a text under another kind's name is read as what it is."""
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
    ("content", "said"),
    [
        (b"", "is empty, it has 0 bytes"),
        (b" \r\n\t\n", "holds nothing but blanks"),
        (b"\xef\xbb\xbf\n \n", "holds nothing but blanks"),
        (b"<html><table>", "is a web page or XML"),
        (b"\xef\xbb\xbf\r\n<?xml version='1.0'?>", "is a web page or XML"),
        (b"PK\x03\x04 and nothing of a workbook", "is no workbook, or a damaged one"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, "is no workbook, or a damaged one"),
        (b"\xff\xfea\x00,\x00", "is in UTF-16; save it as CSV UTF-8"),
    ],
)
def test_what_is_no_table_is_said(content: bytes, said: str, tmp_path: Path) -> None:
    """A file that holds no table is named with the remedy, whatever its name promises."""
    file = tmp_path / "companies.xlsx"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=said) as problem:
        open_table(file)
    assert str(problem.value).startswith(str(file))


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are named."""
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(SourceError, match="is a folder or a device"):
        open_table(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="is read more than once"):
        open_table(tmp_path / "pipe")


def test_what_cannot_be_chosen_is_said(tmp_path: Path) -> None:
    """A text has no sheets and a workbook no encoding."""
    with pytest.raises(SourceError, match="a workbook has no encoding"):
        open_table(write_workbook(tmp_path / "a.xlsx", ["税号"]), encoding="gbk")
    (tmp_path / "a.csv").write_text("税号\n")
    with pytest.raises(SourceError, match="a text has no sheets"):
        open_table(tmp_path / "a.csv", sheet="企业")
