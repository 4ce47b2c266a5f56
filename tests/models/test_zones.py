"""The platform's time zone, and times in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from kfq_async.models.zones import CHINA, format_china_time


@pytest.mark.parametrize("month", [1, 7])
def test_china_is_eight_hours_ahead_all_year(month: int) -> None:
    """China has one zone, UTC+8, in winter and in summer."""
    moment = datetime(2026, month, 1, tzinfo=CHINA)
    assert moment.utcoffset() == timedelta(hours=8)
    assert moment.tzname() == "UTC+08:00"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC), "2026-11-27 09:02:03"),
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=CHINA), "2026-12-31 23:59:59"),
        (datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=-12))), "2026-03-01 20:00:00"),
        (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01 08:00:00"),
    ],
)
def test_format_china_time(moment: datetime, text: str) -> None:
    """A time of any zone is written as China's, in whole seconds."""
    assert format_china_time("expires_at", moment) == text


@pytest.mark.parametrize(
    ("moment", "error", "text"),
    [
        ("2026-11-27", TypeError, "^expires_at must be a datetime, not str"),
        (datetime(2026, 11, 27).date(), TypeError, "^expires_at must be a datetime, not date"),  # noqa: DTZ001
        (datetime(2026, 11, 27), ValueError, "^expires_at must have a time zone"),  # noqa: DTZ001
        (datetime.max.replace(tzinfo=UTC), ValueError, "^expires_at must be a time that"),
    ],
)
def test_times_that_are_refused(moment: Any, error: type[Exception], text: str) -> None:
    """Anything but a time with a zone is refused by its name."""
    with pytest.raises(error, match=text) as caught:
        format_china_time("expires_at", moment)
    assert caught.value.__context__ is None
