"""What a file of many companies costs in memory, each measured in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from kfq_async.onboarding.output.files import writer_for

HEADINGS = ["企业名称", "信用代码", "法人", "企业类型", "账号", "经办人", "证件号码", "手机号"]
# Not ru_maxrss: a process starts with that of its parent, which hides what it takes itself.
SCRIPT = """
import re, sys
from kfq_async.onboarding.input.source import FileSource
count = sum(1 for _ in FileSource(sys.argv[1], checks=False))
with open("/proc/self/status") as status:
    print(count, re.search(r"VmHWM:\\s+([0-9]+) kB", status.read())[1])
"""


def peak(file: Path, rows: int) -> int:
    """Write so many companies, read them, and return the most KiB that reading took."""
    with writer_for(file)(file, HEADINGS) as write_row:
        for number in range(rows):
            company = f"广州市天河区某某汽车维修服务部{number}"
            mobile = f"138{number:08}"
            write_row(
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
def test_what_streams_takes_no_more(suffix: str, tmp_path: Path) -> None:
    """A CSV and JSON Lines take no more for many rows than for 1,000, but for 400 bytes a row: 40 MiB for 100,000."""
    file = tmp_path / f"a{suffix}"
    assert peak(file, 21_000) - peak(file, 1_000) < 8 * 1024


def test_a_workbook_takes_a_kib_a_row(tmp_path: Path) -> None:
    """A workbook is in memory while it is read, at less than 1 KiB a row."""
    file = tmp_path / "a.xlsx"
    assert peak(file, 11_000) - peak(file, 1_000) < 10_000
