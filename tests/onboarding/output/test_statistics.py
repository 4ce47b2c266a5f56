"""Statistics: counts, in bounded memory."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import IdentityStatus
from kfq_async.onboarding.output.statistics import (
    MAX_ATTEMPTS,
    MAX_BUCKETS,
    MAX_PROBLEM_KINDS,
    OTHER_PROBLEMS,
    LatencyHistogram,
    RowNumbers,
    Statistics,
    ThroughputHistogram,
)
from kfq_async.onboarding.records import Entry, Problem, State


def entry(number: int = 2, state: State = State.LINKED, **changes: object) -> Entry:
    """Return the entry of a row."""
    known = {"key_hash": b"k" * 16, "generation": 1, "client_request_id": f"id-{number}", "body_hash": b"b" * 16}
    return Entry(**{**known, "state": state, "row_number": number, **changes})  # type: ignore[arg-type]


def test_states() -> None:
    """Each entry is counted by its state, and an invalid row is one more row."""
    statistics = Statistics()
    for number, state in enumerate([State.LINKED, State.LINKED, State.REFUSED, State.UNKNOWN, State.PENDING], 2):
        statistics.add(entry(number, state))
    statistics.add_invalid(7, [])
    assert statistics.states == {State.LINKED: 2, State.REFUSED: 1, State.UNKNOWN: 1, State.PENDING: 1}
    assert statistics.rows == 6


def test_refused_rows_by_code() -> None:
    """Refused rows are grouped by the platform's code, those without one together."""
    statistics = Statistics()
    for number, code in ((4, 31101), (5, 31101), (6, None), (9, 31101)):
        statistics.add(entry(number, State.REFUSED, code=code))
    assert {code: numbers.ranges() for code, numbers in statistics.refused.items()} == {
        31101: [(4, 5), (9, 9)],
        None: [(6, 6)],
    }


def test_identity_statuses() -> None:
    """The latest status is counted for linked rows, including those without a notification."""
    statistics = Statistics()
    for status in (None, 1, 1, 4, 77):
        statistics.add(entry(status=status))
    statistics.add(entry(state=State.UNKNOWN))
    assert statistics.identity_statuses == {None: 1, IdentityStatus.IDENTIFIED: 2, IdentityStatus.EXPIRED: 1, 77: 1}


def test_entries_without_a_call() -> None:
    """An entry that was never sent counts neither as an attempt nor as a latency."""
    statistics = Statistics()
    statistics.add(entry(state=State.PENDING))
    statistics.add(entry(attempts=1, seconds=0.2, ended_at=1000.0))
    statistics.add(entry(attempts=9, seconds=0.2, ended_at=1000.5))
    assert statistics.attempts == {1: 1, MAX_ATTEMPTS: 1}
    assert statistics.throughput.buckets() == [(1000, 2)]
    assert sum(count for _, count in statistics.latency.doublings()) == 2


def test_warnings() -> None:
    """Warnings are counted by column and message, apart from the problems of invalid rows."""
    statistics = Statistics()
    statistics.add_warnings(3, [Problem("mobile", "short", fatal=False), Problem("code", "odd", fatal=False)])
    statistics.add_warnings(4, [Problem("mobile", "short", fatal=False)])
    assert {kind: rows.ranges() for kind, rows in statistics.warnings.items()} == {
        ("mobile", "short"): [(3, 4)],
        ("code", "odd"): [(3, 3)],
    }
    assert (statistics.problems, statistics.rows) == ({}, 0)


def test_problems_of_an_invalid_row() -> None:
    """A row counts once per fatal problem, and once as an invalid row; warnings do not count."""
    statistics = Statistics()
    statistics.add_invalid(3, [Problem("mobile", "short"), Problem("code", "odd"), Problem("url", "w", fatal=False)])
    assert statistics.invalid.ranges() == [(3, 3)]
    assert set(statistics.problems) == {("mobile", "short"), ("code", "odd")}


def test_problem_kinds_are_bounded() -> None:
    """Messages that differ from row to row do not each get a list."""
    statistics = Statistics()
    for number in range(MAX_PROBLEM_KINDS + 50):
        statistics.add_invalid(number, [Problem("", f"repeats row {number}")])
    assert len(statistics.problems) == MAX_PROBLEM_KINDS + 1
    assert statistics.problems[OTHER_PROBLEMS].count == 50
    statistics.add_invalid(1, [Problem("", "repeats row 1")])
    assert statistics.problems["", "repeats row 1"].count == 2


def test_row_numbers_beyond_the_limit() -> None:
    """A list keeps its first numbers and counts the others."""
    numbers = RowNumbers(3)
    for number in (8, 2, 3, 4, 5):
        numbers.add(number)
    assert (numbers.ranges(), numbers.more, numbers.count) == ([(2, 3), (8, 8)], 2, 5)


def test_repeated_row_number() -> None:
    """A repeated number appears once in the ranges."""
    numbers = RowNumbers()
    numbers.add(4)
    numbers.add(4)
    assert numbers.ranges() == [(4, 4)]


@pytest.mark.parametrize("span", [10, 119, 120, 4000, 100_000, 40_000_000, 4_000_000_000])
def test_throughput_buckets_widen(span: int) -> None:
    """The number of buckets is bounded for any span, and no event is lost."""
    histogram = ThroughputHistogram()
    for step in range(1001):
        histogram.add(1_700_000_000 + step * span / 1000)
    buckets = histogram.buckets()
    assert len(buckets) <= MAX_BUCKETS
    assert sum(count for _, count in buckets) == 1001
    assert buckets[0][0] <= 1_700_000_000
    assert buckets[-1][0] + histogram.width > 1_700_000_000 + span


@given(st.lists(st.floats(0, 2e9), min_size=1, max_size=40))
def test_throughput_is_independent_of_order(moments: list[float]) -> None:
    """The buckets do not depend on the order of the events."""
    shuffled, in_order = ThroughputHistogram(20), ThroughputHistogram(20)
    for at in moments:
        shuffled.add(at)
    for at in sorted(moments):
        in_order.add(at)
    assert (shuffled.width, shuffled.buckets()) == (in_order.width, in_order.buckets())


def test_empty_histograms() -> None:
    """Without calls there are neither buckets nor quantiles."""
    assert ThroughputHistogram().buckets() == []
    assert LatencyHistogram().doublings() == []
    assert LatencyHistogram().quantile(0.5) is None


@given(st.lists(st.floats(0.002, 3000), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_quantiles_are_right_within_five_percent(seconds: list[float], part: float) -> None:
    """A quantile of the histogram equals that of the calls within the width of a bucket."""
    histogram = LatencyHistogram()
    for each in seconds:
        histogram.add(each)
    exact = sorted(seconds)[math.ceil(part * len(seconds)) - 1]
    assert histogram.quantile(part) == pytest.approx(exact, rel=0.05)


def test_latencies_out_of_range() -> None:
    """Latencies outside the bounds count at the nearest bound."""
    histogram = LatencyHistogram()
    for seconds in (0.0, 86400.0):
        histogram.add(seconds)
    buckets = histogram.doublings()
    assert (buckets[0], buckets[-1][1]) == ((0.001, 1), 1)
    assert len(buckets) == 22


def test_memory_does_not_grow_with_the_rows() -> None:
    """Another 30,000 entries take no additional memory."""
    statistics = Statistics()

    def add(numbers: range) -> int:
        for number in numbers:
            state = list(State)[number % 4]
            statistics.add(entry(number, state, attempts=1, seconds=number % 50 / 10, ended_at=float(number)))
            statistics.add_invalid(number, [Problem("", f"repeats row {number}")])
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = add(range(30_000))
        after = add(range(30_000, 60_000))
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
