"""Memory for files of many companies, each measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from kfq_async.onboarding.output.tables import Column, writer_for

HEADINGS = ["企业名称", "信用代码", "法人", "企业类型", "账号", "经办人", "证件号码", "手机号"]
# Not ru_maxrss: a process inherits that of its parent, which would hide its own.
SCRIPT = """
import re, sys
from kfq_async.onboarding.input.source import FileSource
count = sum(1 for _ in FileSource(sys.argv[1], checks=False))
with open("/proc/self/status") as status:
    print(count, re.search(r"VmHWM:\\s+([0-9]+) kB", status.read())[1])
"""


def peak(file: Path, rows: int) -> int:
    """Write a file of this many companies, read it in a process, and return its peak memory in KiB."""
    with writer_for(file)(file, list(map(Column, HEADINGS)), "Sheet") as table:
        for number in range(rows):
            company = f"广州市天河区某某汽车维修服务部{number}"
            mobile = f"138{number:08}"
            table.write_row(
                [
                    company,
                    f"92999999MA{number:08}",
                    "陈某某",
                    "2",
                    mobile,
                    "陈某某",
                    f"99999919810618{number:04}",
                    mobile,
                ]
            )
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(file)], capture_output=True, text=True, check=True)
    count, kib = map(int, done.stdout.split())
    assert count == rows
    return kib


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_streamed_formats(suffix: str, tmp_path: Path) -> None:
    """CSV and JSON Lines take less than 400 bytes per additional row, which is 40 MiB for 100,000 rows."""
    file = tmp_path / f"a{suffix}"
    assert peak(file, 21_000) - peak(file, 1_000) < 8 * 1024


def test_workbook(tmp_path: Path) -> None:
    """A workbook is in memory while it is read, at less than 1 KiB per row."""
    file = tmp_path / "a.xlsx"
    assert peak(file, 11_000) - peak(file, 1_000) < 10_000
