"""Chinese of the help texts: paragraphs of the commands' docstrings, and their parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MESSAGES"]

MESSAGES: Mapping[str, str] = {
    "Display this message and exit.": "显示本帮助并退出。",
}
"""Chinese by English paragraph, in which line breaks are blanks."""
