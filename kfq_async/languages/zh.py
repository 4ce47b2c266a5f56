"""Chinese of the messages of the command line and of the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MESSAGES"]

MESSAGES: Mapping[str, str] = {
    "Usage: ": "用法：",
}
"""Chinese by message; of a message with a plural, by its singular."""
