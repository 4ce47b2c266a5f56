"""The platform's time zone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from kfq_async.models.zones import CHINA


@pytest.mark.parametrize("month", [1, 7])
def test_china_is_eight_hours_ahead_all_year(month: int) -> None:
    """China has one zone, UTC+8, in winter and in summer."""
    moment = datetime(2026, month, 1, tzinfo=CHINA)
    assert moment.utcoffset() == timedelta(hours=8)
    assert moment.tzname() == "UTC+08:00"
