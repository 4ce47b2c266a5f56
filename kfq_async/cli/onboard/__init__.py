"""``kfq onboard``: many companies, and what is done with a ledger afterwards."""

from __future__ import annotations

from kfq_async.cli.onboard.commands import app

__all__ = ["app"]
