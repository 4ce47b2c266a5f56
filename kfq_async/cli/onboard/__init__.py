"""``kfq onboard``: batch requests for the companies of a file, and commands for its ledger."""

from __future__ import annotations

from kfq_async.cli.onboard.commands import app

__all__ = ["app"]
