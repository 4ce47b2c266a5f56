"""``kfq verify-callback``: which proof of a saved notification holds and, if one does not, what differs."""

from __future__ import annotations

from kfq_async.cli.verify_callback.command import verify_callback

__all__ = ["verify_callback"]
