"""Time zone of the platform's times."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

__all__ = ["CHINA", "format_china_time"]

CHINA: tzinfo = timezone(timedelta(hours=8))
"""UTC+8, without daylight saving time."""


def format_china_time(name: str, moment: object) -> str:
    """Return a time as ``yyyy-MM-dd HH:mm:ss`` in China, without fractions of a second (protocol section 1.4).

    Raises `TypeError` or `ValueError` that begins with ``name`` for anything but a `datetime` with a time zone.
    """
    if not isinstance(moment, datetime):
        raise TypeError(f"{name} must be a datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise ValueError(f"{name} must have a time zone, such as datetime.now(UTC) + timedelta(hours=1)")
    try:
        in_china = moment.astimezone(CHINA)
    except OverflowError:
        problem = f"{name} must be a time that China's calendar can express"
    else:
        return in_china.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")
    raise ValueError(problem)
