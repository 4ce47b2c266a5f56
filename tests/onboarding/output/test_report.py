"""The report: one page that says what the run came to, and nothing about anybody."""

from __future__ import annotations

import re
from datetime import UTC
from html import unescape

import pytest

from kfq_async.onboarding.output.report import report
from kfq_async.onboarding.output.statistics import Statistics
from kfq_async.onboarding.records import Entry, Problem, State

NOON = 1_775_016_000.0
"""2026-04-01 12:00:00 in China."""
NASTY = "<script>alert(1)</script>\"'&"


def entry(number: int, state: State = State.LINKED, **changes: object) -> Entry:
    """Make the entry of a row whose texts must not be repeated."""
    known = {"key_hash": b"k" * 16, "generation": 1, "client_request_id": f"id-{number}", "body_hash": b"b" * 16}
    private = {"label": "91110000MA01234567", "order_no": "SBX77", "auth_url": "https://p/?c=s", "reason": "张三 no"}
    return Entry(**{**known, **private, "state": state, "row_number": number, **changes})  # type: ignore[arg-type]


def page(statistics: Statistics) -> str:
    """Return the report made at noon."""
    return report(statistics, made_at=NOON)


def text(html: str) -> str:
    """Return what a reader sees."""
    words = re.sub(r"<style>.*?</style>|<title>.*?</title>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(words))


@pytest.fixture
def statistics() -> Statistics:
    """A small run with one of everything."""
    statistics = Statistics()
    for number in range(2, 10):
        statistics.add(entry(number, attempts=1, seconds=0.1, ended_at=NOON - 60 + number, status=number % 5 or None))
    statistics.add(entry(10, State.REFUSED, code=31101, attempts=6, seconds=2.0, ended_at=NOON))
    statistics.add(entry(11, State.REFUSED, code=None, attempts=1, seconds=2.0, ended_at=NOON))
    statistics.add(entry(12, State.UNKNOWN, attempts=2))
    statistics.add(entry(13, State.PENDING))
    statistics.add_invalid(14, [Problem("手机号", "a mobile number has 11 digits")])
    return statistics


@pytest.mark.parametrize(
    "words",
    [
        "共 13 行",
        "8 已获链接 linked 61.5 %",
        "1 结果未知 unknown 7.7 %",
        "2026-04-01 12:00:00 UTC+08:00",
        "已认证 identified 1",
        "暂无消息 no news 1",
        "2 次请求 requests 1",
        "5+ 次请求 requests 1",
        "31101 the enterprise's operator is not verified · 1 10",
        "– no error code · 1 11",
        "under the same ids · 1 12",
        "手机号 a mobile number has 11 digits · 1 14",
        "中位数 median 103 ms · p90 2 s · p99 2 s",  # right within 5 %
        "11:59:02",
    ],
)
def test_what_it_says(statistics: Statistics, words: str) -> None:
    """Counts, row numbers and times are there, in the words of both languages."""
    assert words in text(page(statistics))


def test_nobody_is_in_it(statistics: Statistics) -> None:
    """Neither names, nor links, nor ids, nor the platform's words are repeated."""
    html = page(statistics)
    assert [found for found in ("91110000MA01234567", "SBX77", "https:", "id-1", "张三") if found in html] == []


def test_it_needs_nothing_else(statistics: Statistics) -> None:
    """No script, no font, no picture and no style come from anywhere."""
    html = page(statistics)
    assert re.findall(r"<(script|link|img|iframe|object)|\bsrc=|@import|url\(|\bhref=", html) == []


def test_words_are_escaped() -> None:
    """A heading that is HTML is shown as it stands in the file."""
    statistics = Statistics()
    statistics.add_invalid(3, [Problem(NASTY, NASTY)])
    html = page(statistics)
    assert "<script" not in html
    assert f"{NASTY} {NASTY} · 1 3" in text(html)


def test_rows_beyond_the_kept_ones() -> None:
    """Many rows are ranges, and those beyond a few thousand a number."""
    statistics = Statistics()
    for number in range(2, 5004):
        statistics.add(entry(number, State.UNKNOWN))
    assert "· 5,002 2‑5001 另有 2 行 and 2 more" in text(page(statistics))


def test_an_empty_ledger() -> None:
    """A ledger without entries gives a page too."""
    words = text(page(Statistics()))
    assert "进度 throughput 无 none" in words
    assert "耗时 latency 无 none" in words
    assert "0 已获链接 linked 0 %" in words


def test_a_status_that_this_version_does_not_know() -> None:
    """It is counted apart."""
    statistics = Statistics()
    statistics.add(entry(2, status=9))
    assert "其他状态 other 1" in text(page(statistics))


@pytest.mark.parametrize(
    ("linked", "others", "shares"),
    [(3, 0, ["100 %", "0 %"]), (99_999, 1, ["99.9 %", "0.1 %"]), (1, 2, ["33.3 %", "66.7 %"])],
)
def test_no_share_is_rounded_to_all_or_nothing(linked: int, others: int, shares: list[str]) -> None:
    """One row of a hundred thousand is not 0 %."""
    statistics = Statistics()
    statistics.states.update({State.LINKED: linked, State.REFUSED: others})
    words = text(page(statistics))
    assert f"已获链接 linked {shares[0]}" in words
    assert f"被平台拒绝 refused {shares[1]}" in words


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0, "12:00:00"), (4000, "12:00"), (200_000, "04-01 12h"), (20_000_000, "04-01")],
)
def test_times_are_as_fine_as_the_picture(seconds: int, label: str) -> None:
    """Seconds for minutes, days for months."""
    statistics = Statistics()
    for at in (NOON, NOON + seconds):
        statistics.add(entry(2, attempts=1, seconds=0.1, ended_at=at))
    assert re.search(rf'<text class="middle" x="46.0" y="\d+">{label}</text>', page(statistics))


def test_another_zone(statistics: Statistics) -> None:
    """Times are those of the zone that the caller is in."""
    assert "2026-04-01 04:00:00 UTC" in text(report(statistics, made_at=NOON, zone=UTC))
