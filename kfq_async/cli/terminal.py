"""Text that is safe to print on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_line", "printable"]


def printable(text: str) -> str:
    """Return the text on one line, with a space for each control character, which could control the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def print_line(console: Console, text: str, *, style: str = "") -> None:
    """Print text as one line that is not folded; brackets are not markup, and numbers are not highlighted."""
    console.print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)
