"""Instructions per link of each contestant, with the ratio to by hand, json: ``python -m benchmarks.counted``.

``--in-flight 50`` selects the rows with that many calls in flight and may be repeated. Needs valgrind. Takes about six
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
"""Links per count, by calls in flight."""


def counts(base_url: str, in_flight: Collection[int] = tuple(LINKS)) -> dict[tuple[str, int, str], int]:
    """Return the user-space instructions per link of each case; empty without valgrind."""
    if shutil.which("valgrind") is None:
        return {}
    return {case: _count(*case, base_url) for case in CASES if case[1] in in_flight}


def _count(name: str, in_flight: int, loop: str, base_url: str) -> int:
    links = LINKS[in_flight]
    arguments = ("-m", "benchmarks.counted_client", name, str(in_flight), str(links), base_url, loop)
    return callgrind.executed(*arguments, environment=ENVIRONMENT, folder=ROOT) // links


def rows(counted: Mapping[tuple[str, int, str], int]) -> str:
    """Return the table: ratios to by hand, json on asyncio with as many calls in flight."""
    lines = []
    for (name, in_flight, loop), count in counted.items():
        base = counted[JSON, in_flight, "asyncio"]
        variant = name if loop == "asyncio" else f"{name}, {loop}"
        lines.append([variant, f"{in_flight}", f"**{count / base:.2f}**", f"{count:,}"])
    return table.rows(["variant", "in flight", "ratio", "instructions"], lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counted", description=__doc__)
    parser.add_argument("--in-flight", type=int, action="append", choices=LINKS, help="repeatable (default: all)")
    options = parser.parse_args()
    with server() as base_url:
        counted = counts(base_url, options.in_flight or tuple(LINKS))
    if not counted:
        parser.error("valgrind is not installed")
    print(rows(counted), end="")


if __name__ == "__main__":
    main()
