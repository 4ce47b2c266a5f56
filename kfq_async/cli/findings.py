"""Results of the commands that check something: ``kfq doctor`` and ``kfq verify-callback``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import asdict, frozen
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from kfq_async.cli.terminal import can_encode, print_json, print_line
from kfq_async.languages import gettext, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Check", "Status", "print_check", "print_checks_as_json"]


class Status(StrEnum):
    """Result of a check."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@frozen
class Check:
    """Result of one check.

    Attributes:
        name: What was checked.
        status: Result.
        finding: What was found, on one line.
        remedy: What to do; empty if there is nothing to do.
    """

    name: str
    status: Status
    finding: str
    remedy: str = ""


SIGNS = {Status.OK: "✓", Status.FAILED: "✗", Status.UNKNOWN: "?"}
"""Sign of each status, if standard output can show them all."""
STYLES = {Status.OK: "green", Status.FAILED: "bold red", Status.UNKNOWN: "yellow"}
NAME_WIDTH = 12
"""Columns of a terminal; a Chinese character takes two."""
WORD_WIDTH = 7
"""Width of the longest word that stands for a sign."""


def print_check(check: Check) -> None:
    """Print a check on one line, and its remedy on another."""
    console = Console(highlight=False)
    sign = SIGNS[check.status] if can_encode("".join(SIGNS.values())) else f"{check.status:{WORD_WIDTH}}"
    start = f"{sign} {set_cell_size(translate(check.name), NAME_WIDTH)}"
    print_line(console, f"{start}{translate(check.finding)}", style=STYLES[check.status])
    if check.remedy:
        remedy = gettext("remedy: {remedy}", remedy=translate(check.remedy))
        print_line(console, f"{'':{cell_len(start)}}{remedy}")


def print_checks_as_json(checks: Sequence[Check]) -> None:
    """Print the checks, and whether none of them failed."""
    ok = all(check.status is not Status.FAILED for check in checks)
    print_json({"ok": ok, "checks": [asdict(check) for check in checks]})
