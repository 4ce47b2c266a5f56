"""Who holds a ledger, in words that whoever must wait can use."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime

__all__ = ["this_process"]


def this_process() -> str:
    """Return the name of this process, and since when it holds what it is about to take."""
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()}, since {since}"
