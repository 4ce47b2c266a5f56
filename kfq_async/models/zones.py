"""Time zone of the platform's times."""

from __future__ import annotations

from datetime import timedelta, timezone, tzinfo

__all__ = ["CHINA"]

CHINA: tzinfo = timezone(timedelta(hours=8))
"""UTC+8, without daylight saving time."""
