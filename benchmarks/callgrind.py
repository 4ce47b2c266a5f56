"""Instruction counts of a Python process by valgrind's callgrind, independent of other load on the machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def executed(*arguments: str, environment: Mapping[str, str], folder: Path) -> int:
    """Run Python with these arguments and return the user-space instructions executed while counting is on."""
    with TemporaryDirectory() as name:
        log = Path(name) / "log"
        command = [
            *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--log-file={log}"),
            f"--callgrind-out-file={os.devnull}",
            *(sys.executable, *arguments),
        ]
        subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        found = re.search(r"Collected : (\d+)", log.read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1])
