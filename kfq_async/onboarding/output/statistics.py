"""Statistics of a run, in memory that does not grow with the number of rows. No I/O, no clock."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from kfq_async.models.notifications import known_identity_status
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfq_async.onboarding.records import Entry, Problem

__all__ = ["LatencyHistogram", "RowNumbers", "Statistics", "ThroughputHistogram"]

MAX_ROW_NUMBERS = 5000
"""Maximum number of row numbers that a list keeps; the others are only counted."""
MAX_PROBLEM_KINDS = 200
"""Maximum number of kinds of problems counted separately; a row number in a message could make one kind per row."""
MAX_BUCKETS = 120
"""Maximum number of buckets of a throughput histogram."""
MAX_ATTEMPTS = 5
"""Number of attempts from which on calls are counted together."""
OTHER_PROBLEMS = ("", "other problems")
"""Column and message under which the kinds beyond `MAX_PROBLEM_KINDS` are counted."""

_BUCKET_WIDTHS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
"""Widths of throughput buckets in seconds; each divides the next. Beyond the last, the width doubles."""
_BUCKETS_PER_DOUBLING = 8
"""Latency buckets between a latency and its double; quantiles are then accurate to within 5 %."""
_MIN_LATENCY, _MAX_LATENCY = 0.001, 3600.0
"""Bounds of latencies in seconds; values outside count as the nearest bound."""


class RowNumbers:
    """List of row numbers with a bound: the first ones are kept, the others only counted."""

    def __init__(self, limit: int = MAX_ROW_NUMBERS) -> None:
        self._limit = limit
        self._kept: list[int] = []
        self.count: int = 0
        """Number of rows."""

    def add(self, row_number: int) -> None:
        """Add a row."""
        self.count += 1
        if len(self._kept) < self._limit:
            self._kept.append(row_number)

    @property
    def more(self) -> int:
        """Number of rows that are not in `ranges`."""
        return self.count - len(self._kept)

    def ranges(self) -> list[tuple[int, int]]:
        """Return the kept numbers without repetitions, in order, as ranges of first and last."""
        ranges: list[tuple[int, int]] = []
        for number in sorted(set(self._kept)):
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        return ranges


class ThroughputHistogram:
    """Events over time, in buckets of equal width, which widen as the span grows."""

    def __init__(self, limit: int = MAX_BUCKETS) -> None:
        self._limit = limit
        self._step = 0
        self._counts: Counter[int] = Counter()

    @property
    def width(self) -> int:
        """Width of each bucket in seconds."""
        return _bucket_width(self._step)

    def add(self, at: float) -> None:
        """Count an event at a time in seconds since the epoch."""
        self._counts[math.floor(at / self.width)] += 1
        while max(self._counts) - min(self._counts) >= self._limit:
            self._widen()

    def buckets(self) -> list[tuple[int, int]]:
        """Return start (seconds since the epoch) and count of each bucket, empty ones in between included."""
        if not self._counts:
            return []
        indexes = range(min(self._counts), max(self._counts) + 1)
        return [(index * self.width, self._counts[index]) for index in indexes]

    def _widen(self) -> None:
        """Merge the buckets into those of the next width."""
        before = self.width
        self._step += 1
        counts: Counter[int] = Counter()
        for index, count in self._counts.items():
            counts[index * before // self.width] += count
        self._counts = counts


def _bucket_width(step: int) -> int:
    beyond = step - len(_BUCKET_WIDTHS) + 1
    return _BUCKET_WIDTHS[-1] << beyond if beyond > 0 else _BUCKET_WIDTHS[step]


class LatencyHistogram:
    """Latencies, in buckets of exponentially growing width."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count a call."""
        bounded = min(max(seconds, _MIN_LATENCY), _MAX_LATENCY)
        self._counts[math.floor(math.log2(bounded / _MIN_LATENCY) * _BUCKETS_PER_DOUBLING)] += 1

    def quantile(self, fraction: float) -> float | None:
        """Return the latency in seconds that this fraction of calls did not exceed, or ``None`` without calls."""
        rank = fraction * self._counts.total()
        seen = 0
        for index in sorted(self._counts):
            seen += self._counts[index]
            if seen >= rank:
                return _MIN_LATENCY * float(2 ** ((index + 0.5) / _BUCKETS_PER_DOUBLING))
        return None

    def doublings(self) -> list[tuple[float, int]]:
        """Return, for each doubling, its lower bound in seconds and its count, empty ones in between included."""
        if not self._counts:
            return []
        counts: Counter[int] = Counter()
        for index, count in self._counts.items():
            counts[index // _BUCKETS_PER_DOUBLING] += count
        return [(_MIN_LATENCY * 2**index, counts[index]) for index in range(min(counts), max(counts) + 1)]


class Statistics:
    """Counts over the entries of a ledger and the rows that never reached it, for `report`.

    Add each entry once: ``async for entry in ledger.entries(): statistics.add(entry)``.

    Attributes:
        states: Entries by `State`.
        identity_statuses: Linked entries by the `IdentityStatus` of the latest notification, or by its number if this
            version does not know it; ``None``: no notification yet.
        attempts: Entries by the number of requests of their last call, from 5 on together.
        refused: Refused rows by the platform's error code; ``None``: a refusal without a code.
        unknown: Rows whose result is unknown.
        problems: Invalid rows by column and message of each fatal problem.
        warnings: Other rows by column and message of each warning.
        invalid: Invalid rows, which were never sent.
        throughput: End times of the last calls.
        latency: Durations of the last calls, with waits and retries.
        rows: Number of companies, invalid rows included.
    """

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        self.identity_statuses: Counter[int | None] = Counter()
        self.attempts: Counter[int] = Counter()
        self.refused: dict[int | None, RowNumbers] = {}
        self.unknown: RowNumbers = RowNumbers()
        self.problems: dict[tuple[str, str], RowNumbers] = {}
        self.warnings: dict[tuple[str, str], RowNumbers] = {}
        self.invalid: RowNumbers = RowNumbers()
        self.throughput: ThroughputHistogram = ThroughputHistogram()
        self.latency: LatencyHistogram = LatencyHistogram()

    @property
    def rows(self) -> int:
        """Number of companies, invalid rows included."""
        return self.states.total() + self.invalid.count

    def add(self, entry: Entry) -> None:
        """Count the latest generation of a company."""
        self.states[entry.state] += 1
        if entry.state is State.LINKED:
            self.identity_statuses[known_identity_status(entry.status)] += 1
        elif entry.state is State.REFUSED:
            self.refused.setdefault(entry.code, RowNumbers()).add(entry.row_number)
        elif entry.state is State.UNKNOWN:
            self.unknown.add(entry.row_number)
        self._add_call(entry)

    def add_invalid(self, row_number: int, problems: Iterable[Problem]) -> None:
        """Count an invalid row, and each of its fatal problems."""
        self.invalid.add(row_number)
        for problem in problems:
            if problem.fatal:
                _rows_with(self.problems, problem).add(row_number)

    def add_warnings(self, row_number: int, problems: Iterable[Problem]) -> None:
        """Count the warnings about a row that is not invalid."""
        for problem in problems:
            _rows_with(self.warnings, problem).add(row_number)

    def _add_call(self, entry: Entry) -> None:
        if entry.attempts:
            self.attempts[min(entry.attempts, MAX_ATTEMPTS)] += 1
        if entry.seconds is not None:
            self.latency.add(entry.seconds)
        if entry.ended_at is not None:
            self.throughput.add(entry.ended_at)


def _rows_with(kinds: dict[tuple[str, str], RowNumbers], problem: Problem) -> RowNumbers:
    kind = (problem.column, problem.message)
    if kind not in kinds and len(kinds) >= MAX_PROBLEM_KINDS:
        kind = OTHER_PROBLEMS
    return kinds.setdefault(kind, RowNumbers())
