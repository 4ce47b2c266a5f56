"""Statistics: what they count, and that they stay small."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import IdentityStatus
from kfq_async.onboarding.output.statistics import (
    MOST_ATTEMPTS,
    MOST_BUCKETS,
    MOST_KINDS,
    OTHER_PROBLEMS,
    Latencies,
    Numbers,
    Statistics,
    Timeline,
)
from kfq_async.onboarding.records import Entry, Problem, State


def entry(number: int = 2, state: State = State.LINKED, **changes: object) -> Entry:
    """Make the entry of a row."""
    known = {"key_hash": b"k" * 16, "generation": 1, "client_request_id": f"id-{number}", "body_hash": b"b" * 16}
    return Entry(**{**known, "state": state, "row_number": number, **changes})  # type: ignore[arg-type]


def test_counts_by_state() -> None:
    """Each entry is counted under its state, and a row that was not sent is one more row."""
    statistics = Statistics()
    for number, state in enumerate([State.LINKED, State.LINKED, State.REFUSED, State.UNKNOWN, State.PENDING], 2):
        statistics.add(entry(number, state))
    statistics.add_invalid(7, [])
    assert statistics.states == {State.LINKED: 2, State.REFUSED: 1, State.UNKNOWN: 1, State.PENDING: 1}
    assert statistics.rows == 6


def test_rows_by_number_of_refusal() -> None:
    """Refused rows stand under the platform's number, those without one together."""
    statistics = Statistics()
    for number, code in ((4, 31101), (5, 31101), (6, None), (9, 31101)):
        statistics.add(entry(number, State.REFUSED, code=code))
    assert {code: numbers.ranges() for code, numbers in statistics.refused.items()} == {
        31101: [(4, 5), (9, 9)],
        None: [(6, 6)],
    }


def test_identities_are_those_of_linked_rows() -> None:
    """What notifications told is counted for rows with a link; a row without news is one of them."""
    statistics = Statistics()
    for status in (None, 1, 1, 4, 77):
        statistics.add(entry(status=status))
    statistics.add(entry(state=State.UNKNOWN))
    assert statistics.identities == {None: 1, IdentityStatus.IDENTIFIED: 2, IdentityStatus.EXPIRED: 1, 77: 1}


def test_only_calls_count_as_calls() -> None:
    """An entry that was never asked has neither attempts, nor a time, nor a latency."""
    statistics = Statistics()
    statistics.add(entry(state=State.PENDING))
    statistics.add(entry(attempts=1, seconds=0.2, ended_at=1000.0))
    statistics.add(entry(attempts=9, seconds=0.2, ended_at=1000.5))
    assert statistics.attempts == {1: 1, MOST_ATTEMPTS: 1}
    assert statistics.timeline.parts() == [(1000, 2)]
    assert sum(count for _, count in statistics.latencies.doublings()) == 2


def test_a_row_counts_once_for_each_of_its_problems() -> None:
    """Warnings are no reason; a row with two reasons is one invalid row."""
    statistics = Statistics()
    statistics.add_invalid(3, [Problem("mobile", "short"), Problem("code", "odd"), Problem("url", "w", fatal=False)])
    assert statistics.invalid.ranges() == [(3, 3)]
    assert set(statistics.problems) == {("mobile", "short"), ("code", "odd")}


def test_kinds_of_problems_are_bounded() -> None:
    """Words that differ from row to row do not make a list for each of them."""
    statistics = Statistics()
    for number in range(MOST_KINDS + 50):
        statistics.add_invalid(number, [Problem("", f"repeats row {number}")])
    assert len(statistics.problems) == MOST_KINDS + 1
    assert statistics.problems[OTHER_PROBLEMS].count == 50
    statistics.add_invalid(1, [Problem("", "repeats row 1")])
    assert statistics.problems["", "repeats row 1"].count == 2


def test_numbers_beyond_the_bound_are_counted() -> None:
    """A list keeps its first numbers, and knows how many more there are."""
    numbers = Numbers(3)
    for number in (8, 2, 3, 4, 5):
        numbers.add(number)
    assert (numbers.ranges(), numbers.more, numbers.count) == ([(2, 3), (8, 8)], 2, 5)


def test_a_number_twice_is_shown_once() -> None:
    """Two numbers that are the same are one place."""
    numbers = Numbers()
    numbers.add(4)
    numbers.add(4)
    assert numbers.ranges() == [(4, 4)]


@pytest.mark.parametrize("span", [10, 119, 120, 4000, 100_000, 40_000_000, 4_000_000_000])
def test_a_timeline_coarsens(span: int) -> None:
    """Whatever the span, there are few parts, and none is lost."""
    timeline = Timeline()
    for step in range(1001):
        timeline.add(1_700_000_000 + step * span / 1000)
    parts = timeline.parts()
    assert len(parts) <= MOST_BUCKETS
    assert sum(count for _, count in parts) == 1001
    assert parts[0][0] <= 1_700_000_000
    assert parts[-1][0] + timeline.width > 1_700_000_000 + span


@given(st.lists(st.floats(0, 2e9), min_size=1, max_size=40))
def test_a_timeline_does_not_depend_on_the_order(moments: list[float]) -> None:
    """Calls end in any order, and the parts are the same."""
    one, other = Timeline(20), Timeline(20)
    for at in moments:
        one.add(at)
    for at in sorted(moments):
        other.add(at)
    assert (one.width, one.parts()) == (other.width, other.parts())


def test_nothing_is_nothing() -> None:
    """Without calls there are neither parts nor quantiles."""
    assert Timeline().parts() == []
    assert Latencies().doublings() == []
    assert Latencies().quantile(0.5) is None


@given(st.lists(st.floats(0.002, 3000), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_quantiles_are_right_within_five_percent(seconds: list[float], part: float) -> None:
    """A quantile from buckets is the one from the calls themselves, but for the width of a bucket."""
    latencies = Latencies()
    for each in seconds:
        latencies.add(each)
    exact = sorted(seconds)[math.ceil(part * len(seconds)) - 1]
    assert latencies.quantile(part) == pytest.approx(exact, rel=0.05)


def test_latencies_out_of_range_are_counted_at_its_ends() -> None:
    """A call of no time and one of a day do not widen the picture."""
    latencies = Latencies()
    for seconds in (0.0, 86400.0):
        latencies.add(seconds)
    parts = latencies.doublings()
    assert (parts[0], parts[-1][1]) == ((0.001, 1), 1)
    assert len(parts) == 22


def test_memory_does_not_grow_with_the_rows() -> None:
    """A hundred thousand more entries take no more than the first ones did."""
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
