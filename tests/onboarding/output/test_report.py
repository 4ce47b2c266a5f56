"""HTML report: contents, escaping, and no personal data."""

from __future__ import annotations

import re
from datetime import UTC
from html import unescape
from typing import TYPE_CHECKING

import pytest

from kfq_async.onboarding.output.report import report
from kfq_async.onboarding.output.statistics import Statistics
from kfq_async.onboarding.records import Entry, Problem, State

if TYPE_CHECKING:
    from kfq_async.languages import Language

NOON = 1_775_016_000.0
"""2026-04-01 12:00:00 in UTC+8."""
NASTY = "<script>alert(1)</script>\"'&"


def entry(number: int, state: State = State.LINKED, **changes: object) -> Entry:
    """Return the entry of a row whose texts must not be repeated."""
    known = {"key_hash": b"k" * 16, "generation": 1, "client_request_id": f"id-{number}", "body_hash": b"b" * 16}
    private = {"label": "91110000MA01234567", "order_no": "SBX77", "auth_url": "https://p/?c=s", "reason": "张三 no"}
    return Entry(**{**known, **private, "state": state, "row_number": number, **changes})  # type: ignore[arg-type]


def page(statistics: Statistics) -> str:
    """Return the report of noon."""
    return report(statistics, made_at=NOON)


def text(html: str) -> str:
    """Return the visible text."""
    visible = re.sub(r"<style>.*?</style>|<title>.*?</title>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(visible))


@pytest.fixture
def statistics() -> Statistics:
    """Statistics of a small run with every kind of outcome."""
    statistics = Statistics()
    for number in range(2, 10):
        statistics.add(entry(number, attempts=1, seconds=0.1, ended_at=NOON - 60 + number, status=number % 5 or None))
    statistics.add(entry(10, State.REFUSED, code=31101, attempts=6, seconds=2.0, ended_at=NOON))
    statistics.add(entry(11, State.REFUSED, code=None, attempts=1, seconds=2.0, ended_at=NOON))
    statistics.add(entry(12, State.UNKNOWN, attempts=2))
    statistics.add(entry(13, State.PENDING))
    statistics.add_invalid(14, [Problem("手机号", "must be a whole number")])
    return statistics


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("共 13 行", "Outcomes of 13 rows"),
        ("8 已获链接 61.5 %", "8 linked 61.5 %"),
        ("1 结果未知 7.7 %", "1 unknown 7.7 %"),
        ("2026-04-01 12:00:00 UTC+08:00", "2026-04-01 12:00:00 UTC+08:00"),
        ("已认证 1", "identified 1"),
        ("尚无通知 1", "no notification 1"),
        ("1 次请求 9 2 次请求 1", "1 attempt 9 2 attempts 1"),
        ("5 次及以上 1", "5 attempts or more 1"),
        ("31101 企业经办人未实名 · 1 第 10 行", "31101 the enterprise's operator is not verified · 1 row 10"),
        ("– 无错误码 · 1 第 11 行", "– no error code · 1 row 11"),
        ("将以相同的请求标识重试 · 1 第 12 行", "run the same command again to retry with the same ids · 1 row 12"),
        ("手机号 应为整数 · 1 第 14 行", "手机号 must be a whole number · 1 row 14"),
        ("中位数 103 ms · p90 2 s · p99 2 s", "median 103 ms · p90 2 s · p99 2 s"),  # right within 5 %
        ("11:59:02", "11:59:02"),
    ],
)
def test_contents(statistics: Statistics, chinese: str, english: str) -> None:
    """Counts, row numbers and times are shown in either language."""
    assert chinese in text(page(statistics))
    assert english in text(report(statistics, made_at=NOON, language="en"))


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-CN")])
def test_language_of_the_page(statistics: Statistics, language: Language, tag: str) -> None:
    """A page says its language, and its texts are of that one: the English one has only the headings in Chinese."""
    html = report(statistics, made_at=NOON, language=language)
    assert f'<html lang="{tag}">' in html
    words = set(re.findall(r"[a-z]{5,}", text(html)))
    assert not words if language == "zh" else words
    assert re.findall("[\u4e00-\u9fff]+", text(html)) == ["手机号"] or language == "zh"


def test_no_personal_data(statistics: Statistics) -> None:
    """Neither names, links and ids nor the platform's messages are repeated."""
    html = page(statistics)
    assert [found for found in ("91110000MA01234567", "SBX77", "https:", "id-1", "张三") if found in html] == []


def test_self_contained(statistics: Statistics) -> None:
    """No script, font, image or style is loaded."""
    html = page(statistics)
    assert re.findall(r"<(script|link|img|iframe|object)|\bsrc=|@import|url\(|\bhref=", html) == []


def test_texts_are_escaped() -> None:
    """HTML in a heading is shown as text."""
    statistics = Statistics()
    statistics.add_invalid(3, [Problem(NASTY, NASTY)])
    html = page(statistics)
    assert "<script" not in html
    assert f"{NASTY} {NASTY} · 1 第 3 行" in text(html)


def test_many_rows() -> None:
    """Row numbers are shown as ranges, and those beyond 5,000 as a count."""
    statistics = Statistics()
    for number in range(2, 5004):
        statistics.add(entry(number, State.UNKNOWN))
    assert "· 5,002 第 2‑5001 行 另有 2 行" in text(page(statistics))


def test_empty_ledger() -> None:
    """A ledger without entries has a report too."""
    visible = text(page(Statistics()))
    assert "吞吐量 无" in visible
    assert "耗时 无" in visible
    assert "0 已获链接 0 %" in visible


def test_unknown_identity_status() -> None:
    """A status that this version does not know is counted separately."""
    statistics = Statistics()
    statistics.add(entry(2, status=9))
    assert "其他状态 1" in text(page(statistics))


@pytest.mark.parametrize(
    ("linked", "refused", "percentages"),
    [(3, 0, ["100 %", "0 %"]), (99_999, 1, ["99.9 %", "0.1 %"]), (1, 2, ["33.3 %", "66.7 %"])],
)
def test_percentages(linked: int, refused: int, percentages: list[str]) -> None:
    """Only an exact 0 % or 100 % is shown as such."""
    statistics = Statistics()
    statistics.states.update({State.LINKED: linked, State.REFUSED: refused})
    visible = text(page(statistics))
    assert f"已获链接 {percentages[0]}" in visible
    assert f"被平台拒绝 {percentages[1]}" in visible


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0, "12:00:00"), (4000, "12:00"), (200_000, "04-01 12h"), (20_000_000, "04-01")],
)
def test_tick_labels(seconds: int, label: str) -> None:
    """Tick labels are as precise as the span of the chart needs."""
    statistics = Statistics()
    for at in (NOON, NOON + seconds):
        statistics.add(entry(2, attempts=1, seconds=0.1, ended_at=at))
    assert re.search(rf'<text class="middle" x="46.0" y="\d+">{label}</text>', page(statistics))


def test_zone(statistics: Statistics) -> None:
    """Times are shown in the given zone."""
    assert "2026-04-01 04:00:00 UTC" in text(report(statistics, made_at=NOON, zone=UTC))
