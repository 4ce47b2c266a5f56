"""Instructions per link of each contestant, and their ratio to by hand with json: ``python -m benchmarks.counted``.

``--in-flight 50`` restricts the table to a number in flight, and may be repeated. Needs valgrind. Takes about six
seconds a row.
"""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING

from benchmarks import callgrind, table
from benchmarks.cases import JSON, SDK, TUNED
from benchmarks.processes import ENVIRONMENT, ROOT, server

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

CASES = [
    *((name, in_flight, "asyncio") for in_flight in (1, 50, 500) for name in (JSON, SDK, TUNED)),
    *((name, 50, "uvloop") for name in (JSON, SDK)),
]
LINKS = {1: 150, 50: 400, 500: 600}
"""Links that are counted, by the number in flight."""


def counts(base_url: str, in_flight: Collection[int] = tuple(LINKS)) -> dict[tuple[str, int, str], int]:
    """Count the instructions per link, in user space, of each case; of none where there is no valgrind."""
    if shutil.which("valgrind") is None:
        return {}
    return {case: _count(*case, base_url) for case in CASES if case[1] in in_flight}


def _count(name: str, in_flight: int, loop: str, base_url: str) -> int:
    links = LINKS[in_flight]
    arguments = ("-m", "benchmarks.counted_client", name, str(in_flight), str(links), base_url, loop)
    return callgrind.executed(*arguments, environment=ENVIRONMENT, folder=ROOT) // links


def rows(counted: Mapping[tuple[str, int, str], int]) -> str:
    """Write the table: ratios to by hand with json on asyncio, at the same number in flight."""
    lines = []
    for (name, in_flight, loop), count in counted.items():
        base = counted[JSON, in_flight, "asyncio"]
        who = name if loop == "asyncio" else f"{name}, {loop}"
        lines.append([who, f"{in_flight}", f"**{count / base:.2f}**", f"{count:,}"])
    return table.rows(["variant", "in flight", "ratio", "instructions"], lines)


def main() -> None:
    """Count, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counted", description=__doc__)
    parser.add_argument("--in-flight", type=int, action="append", choices=LINKS, help="repeatable; all if left out")
    options = parser.parse_args()
    with server() as base_url:
        counted = counts(base_url, options.in_flight or tuple(LINKS))
    if not counted:
        parser.error("valgrind is not installed")
    print(rows(counted), end="")


if __name__ == "__main__":
    main()
