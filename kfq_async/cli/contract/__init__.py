"""``kfq contract``: look at a document before it is sent, and at a contract afterwards."""

from __future__ import annotations

from kfq_async.cli.contract.commands import app

__all__ = ["app"]
