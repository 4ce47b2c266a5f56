"""Output of ``kfq`` on any terminal, file or pipe: text of others controls nothing, and no character fails."""

from __future__ import annotations

import json
import sys
from io import TextIOWrapper

from rich.console import Console

from kfq_async.redaction import printable

__all__ = ["can_encode", "print_error", "print_json", "print_line", "replace_unencodable"]


def replace_unencodable() -> None:
    """Let standard output and error replace the characters that their encoding lacks, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def print_line(console: Console, text: str, *, style: str = "") -> None:
    """Print text as one line that is not folded: without markup, emoji codes or highlighted numbers."""
    console.print(printable(text), style=style, markup=False, emoji=False, highlight=False, soft_wrap=True)


def print_error(text: str) -> None:
    """Print an error on standard error, in the form of all commands: ``kfq: TEXT``."""
    print_line(Console(stderr=True), f"kfq: {text}", style="red")


def print_json(values: object) -> None:
    """Print JSON on one line of standard output, in ASCII if it has characters that cannot be printed there."""
    text = json.dumps(values, ensure_ascii=False)
    if not text.isprintable() or not can_encode(text):
        text = json.dumps(values)
    sys.stdout.write(f"{text}\n")


def can_encode(text: str) -> bool:
    """Return whether the encoding of standard output has every character of a text."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
