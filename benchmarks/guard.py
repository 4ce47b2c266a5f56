"""Regression check: compares two commits by instruction counts: ``python -m benchmarks.guard BASE [HEAD]``.

Without HEAD the working tree is compared. Each tree runs its own ``benchmarks/instructions.py``, so that names of the
package may differ; a scenario that a tree lacks has no ratio. Instruction counts (valgrind's callgrind) do not depend
on other load. Prints the instructions of one repetition and their ratio. Exit status 1 if a ratio is above the limit, 2
if the commits could not be compared. Takes about a minute a commit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks import callgrind
from benchmarks.processes import ENVIRONMENT, ROOT, server

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCENARIOS = {"1": 150, "50": 400, "500": 3000, "gather": 1000, "codec": 500}
"""Repetitions of each scenario of instructions.py; a number is the calls in flight.

With 500 in flight one garbage collection more or less changes the ratio of 1,000 repetitions by 0.02.
"""
LIMIT = 1.10
NAMES = "import runpy, sys; print(*runpy.run_path(sys.argv[1])['SCENARIOS'])"
FORMER = Path(__file__).with_name("former.py")


@dataclass(frozen=True)
class Tree:
    """Source tree of a commit, or the working tree."""

    root: Path

    @property
    def file(self) -> str:
        """Path of the tree's ``instructions.py``."""
        return str(self.root / "benchmarks" / "instructions.py")

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which Python imports the tree's package."""
        return {**ENVIRONMENT, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}

    @cached_property
    def names(self) -> set[str]:
        """Scenarios of the tree."""
        command = [sys.executable, "-P", "-c", NAMES, self.file]
        done = subprocess.run(command, env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        return set(done.stdout.split())

    def instructions(self, scenario: str, base_url: str) -> int | None:
        """Return the instructions of one repetition of a scenario, or None if the tree lacks it."""
        times = SCENARIOS[scenario]
        if scenario in self.names:
            files = [self.file]
        elif scenario.isdecimal() and "fifty" in self.names:
            files = [str(FORMER), self.file]
        else:
            return None
        arguments = ("-P", *files, scenario, str(times), base_url)
        return callgrind.executed(*arguments, environment=self.environment, folder=self.root) // times


@contextmanager
def checked_out(commit: str | None) -> Iterator[Tree]:
    """Yield a temporary checkout of a commit, or the working tree without one."""
    if commit is None:
        yield Tree(ROOT)
        return
    with TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(root), commit], cwd=ROOT, check=True)
        try:
            yield Tree(root)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(root)], cwd=ROOT, check=True)


def compare(before: Tree, after: Tree, scenarios: Sequence[str]) -> list[float]:
    """Print the table and return the ratios."""
    ratios = []
    print(f"{'scenario':10} {'before':>10} {'after':>10}  ratio")
    with server() as base_url:
        for scenario in scenarios:
            first, second = (tree.instructions(scenario, base_url) for tree in (before, after))
            cells = (f"{count:10,}" if count else f"{'-':>10}" for count in (first, second))
            ratio = "-"
            if first and second:
                ratios.append(second / first)
                ratio = f"{ratios[-1]:.3f}"
            print(f"{scenario:10}", *cells, f" {ratio}", flush=True)
    return ratios


def main() -> int:
    """Compare the commits and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("base", help="commit to compare with")
    parser.add_argument("head", nargs="?", help="commit to check (default: the working tree)")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"highest ratio that passes (default: {LIMIT:.2f})")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="repeatable (default: all)")
    options = parser.parse_args()
    try:
        with ExitStack() as stack:
            before, after = (stack.enter_context(checked_out(commit)) for commit in (options.base, options.head))
            ratios = compare(before, after, options.scenario or list(SCENARIOS))
    except subprocess.CalledProcessError as error:
        parser.exit(2, f"{error}\n")
    if not ratios:
        parser.error("the two commits have no scenario in common")
    return int(max(ratios) > options.limit)


if __name__ == "__main__":
    sys.exit(main())
