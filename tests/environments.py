"""Environments of child processes."""

from __future__ import annotations

import os


def without_asyncio_debug(**variables: str) -> dict[str, str]:
    """Return an environment for a child process whose stderr is compared: debug mode reports slow steps there."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONASYNCIODEBUG"} | variables
