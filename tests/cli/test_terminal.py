"""Text that is safe to print on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from kfq_async.cli.terminal import print_line, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("某某 company", "某某 company"),
        ("a\x1b[2Jb", "a [2Jb"),
        ("a\r\nb\tc", "a  b c"),
        ("\u202e\u2028x", "  x"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Control characters, line separators and direction marks become blanks; all else is kept."""
    assert printable(text) == shown


def test_print_line() -> None:
    """A line is neither folded nor read as markup."""
    file = io.StringIO()
    print_line(Console(file=file, width=10, color_system=None), "[red]a long line\x1b of text[/red]", style="red")
    assert file.getvalue() == "[red]a long line  of text[/red]\n"
