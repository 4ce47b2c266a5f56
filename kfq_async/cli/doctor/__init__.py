"""``kfq doctor``: connection, platform, clock, token and callback URL, checked without changing anything."""

from __future__ import annotations

from kfq_async.cli.doctor.command import doctor

__all__ = ["doctor"]
