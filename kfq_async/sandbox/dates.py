"""Days in China, and dates as the platform reads them (protocol section 1.4). Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from kfq_async.models.zones import CHINA

__all__ = ["china_date", "lenient_date", "midnight_ms", "strict_date"]

_DATE = re.compile(r"(\d{1,9})-(\d{1,9})-(\d{1,9})", re.ASCII)


def china_date(now_ms: int) -> date:
    """Return the day in China."""
    return datetime.fromtimestamp(now_ms / 1000, CHINA).date()


def midnight_ms(day: date) -> int:
    """Return the beginning of a day in China, in milliseconds since the epoch."""
    return round(datetime(day.year, day.month, day.day, tzinfo=CHINA).timestamp() * 1000)


def strict_date(text: str) -> date:
    """Return the day of a text as ``yyyy-MM-dd``; raise `ValueError` for any other, and for a day that is none."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is None:
        raise ValueError("not a date as yyyy-MM-dd")
    return date.fromisoformat(text)


def lenient_date(text: str) -> date:
    """Return the day of a text that begins with ``yyyy-MM-dd``.

    Days and months that do not exist roll over; a day that Python cannot hold becomes the nearest one. Raises
    `ValueError` for another text.
    """
    found = _DATE.match(text)
    if found is None:
        raise ValueError("not a date as yyyy-MM-dd")
    year, month, day = map(int, found.groups())
    years, months = divmod(month - 1, 12)
    try:
        return date(year + years, months + 1, 1) + timedelta(days=day - 1)
    except (ValueError, OverflowError):
        return date.min if year + years < 1 else date.max
