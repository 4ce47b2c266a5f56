"""Compares two commits by the instructions that they execute: ``python -m benchmarks.guard BASE [HEAD]``.

Without HEAD the working tree is compared. Instruction counts, by valgrind's callgrind, do not depend on what else the
machine does. Prints them with their ratio; status 1 if a scenario costs more than a tenth more. Takes about a minute a
commit.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.processes import ENVIRONMENT, ROOT, server

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIOS = {"one": 150, "fifty": 400, "gather": 1000, "codec": 500}
"""Those of instructions.py, and how often each repeats."""
MOST = 1.10


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Yield a folder with the files of a commit, gone afterwards."""
    tree = folder / commit.replace("/", "-")
    subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=ROOT, check=True)
    try:
        yield tree
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def instructions(tree: Path, scenario: str, base_url: str, folder: Path) -> int:
    """Return the instructions for one repetition of a scenario with the package in ``tree``."""
    times, log = SCENARIOS[scenario], folder / "log"
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--log-file={log}"),
        f"--callgrind-out-file={os.devnull}",
        *(sys.executable, "-P", str(Path(__file__).with_name("instructions.py")), scenario, str(times), base_url),
    ]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    found = re.search(r"Collected : (\d+)", log.read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1]) // times


def compare(before: Path, after: Path, folder: Path) -> bool:
    """Print the table; return whether everything is cheap enough."""
    passed = True
    print(f"{'scenario':10} {'before':>10} {'after':>10}  ratio")
    with server() as base_url:
        for scenario in SCENARIOS:
            first, second = (instructions(tree, scenario, base_url, folder) for tree in (before, after))
            passed = passed and second <= first * MOST
            print(f"{scenario:10} {first:10,} {second:10,}  {second / first:.3f}", flush=True)
    return passed


def main() -> int:
    """Compare, and return the status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("head", nargs="?", help="the commit to judge; the working tree if left out")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        with checked_out(options.base, folder / "before") as before:
            if options.head is None:
                return 0 if compare(before, ROOT, folder) else 1
            with checked_out(options.head, folder / "after") as after:
                return 0 if compare(before, after, folder) else 1


if __name__ == "__main__":
    sys.exit(main())
