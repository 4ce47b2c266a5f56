"""Days in China, and dates as the platform reads them."""

from __future__ import annotations

from datetime import date

import pytest

from kfq_async.sandbox.dates import china_date, lenient_date, midnight_ms

NEW_YEAR_MS = 1_798_732_800_000
"""2027-01-01 00:00 in China."""


def test_days_begin_at_midnight_in_china() -> None:
    """A day begins eight hours before it does in UTC."""
    assert china_date(NEW_YEAR_MS) == date(2027, 1, 1)
    assert china_date(NEW_YEAR_MS - 1) == date(2026, 12, 31)
    assert midnight_ms(date(2027, 1, 1)) == NEW_YEAR_MS


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-03-09", date(2027, 3, 9)),
        ("2027-3-9", date(2027, 3, 9)),
        ("2027-03-09T12:00:00", date(2027, 3, 9)),
        ("2027-02-29", date(2027, 3, 1)),
        ("2027-13-32", date(2028, 2, 1)),
        ("2027-00-00", date(2026, 11, 30)),
        ("0000-01-01", date.min),
        ("99999-01-01", date.max),
        ("2027-01-999999999", date.max),
    ],
)
def test_dates_roll_over(text: str, day: date) -> None:
    """Text after the date is ignored, and a day that does not exist rolls over."""
    assert lenient_date(text) == day


@pytest.mark.parametrize("text", ["", "soon", "01/02/2031", "2027-01", "２０２７-01-01"])
def test_other_texts_are_no_dates(text: str) -> None:
    """A text in another order is no date."""
    with pytest.raises(ValueError, match="yyyy-MM-dd"):
        lenient_date(text)
