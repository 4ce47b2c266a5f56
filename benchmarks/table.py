"""Tables of the report in Markdown: ratios in bold, with medians and spread."""

from __future__ import annotations

import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from benchmarks.cases import JSON
from benchmarks.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.rounds import Case

LIBRARIES = ("aiohttp", "attrs", "cattrs", "cryptography", "httpx", "multidict", "orjson", "requests", "uvloop", "yarl")


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no", "--", "kfq_async") else ""
    return f"{git('rev-parse', '--short=12', 'HEAD') or 'unknown'}{changed}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  # a proc file has no size
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def surroundings() -> str:
    """Return the commit, the machine and the versions of the measurement."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"Commit {_commit()}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {_processor()}, {platform.system()} "
        f"{platform.release()}, CPython {platform.python_version()}; {libraries}."
    )


def label(case: Case) -> str:
    """Return the name of a contestant and its loop."""
    return f"{case.name}, uvloop" if case.loop == "uvloop" else case.name


def rows(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    body = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in body) + "\n"


def cell(case: Case, base: Case) -> str:
    """Return the ratio, the median and the interquartile range."""
    low, high = case.spread
    return f"**{case.ratio(base):.2f}** ({case.cost:.0f}, {low:.0f} to {high:.0f})"


def base_of(cases: Sequence[Case], case: Case) -> Case:
    """Return the base of a case: by hand, json on asyncio under the same conditions."""
    return next(
        other
        for other in cases
        if (other.name, other.loop, other.in_flight, other.tls) == (JSON, "asyncio", case.in_flight, case.tls)
    )


def comparison(cases: Sequence[Case]) -> str:
    """Return a table of contestants by calls in flight."""
    columns = list(dict.fromkeys(case.in_flight for case in cases))
    names = list(dict.fromkeys(label(case) for case in cases))
    cells = {(label(case), case.in_flight): cell(case, base_of(cases, case)) for case in cases}
    header = ["variant", *(f"{number:,} in flight" for number in columns)]
    return rows(header, ([name, *(cells.get((name, number), "") for number in columns)] for name in names))


def growth(cases: Sequence[Case], quantity: str) -> str:
    """Return a curve as a table: one line per number."""
    names = list(dict.fromkeys(case.name for case in cases))
    numbers = list(dict.fromkeys(case.in_flight for case in cases))
    cost = {(case.name, case.in_flight): f"{case.cost:.0f}" for case in cases}
    return rows([quantity, *names], ([f"{number:,}", *(cost[name, number] for name in names)] for number in numbers))


def shares(layers: dict[str, float], cost: float) -> str:
    """Return the layers of one link and their total."""
    lines = [[layer, f"{share:.1%}", f"{share * cost:.1f}"] for layer, share in layers.items()]
    total = sum(layers.values())
    return rows(["layer", "share", "µs"], [*lines, ["**one link**", f"{total:.1%}", f"{total * cost:.1f}"]])
