"""What a run came to, in numbers that take the same memory for a thousand rows as for millions. No I/O, no clock."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from kfq_async.models.notifications import known_identity_status
from kfq_async.onboarding.records import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kfq_async.onboarding.records import Entry, Problem

__all__ = ["Latencies", "Numbers", "Statistics", "Timeline"]

MOST_NUMBERS = 5000
"""Row numbers that one list keeps; of the others it knows how many they are."""
MOST_KINDS = 200
"""Kinds of problems that are told apart; row numbers in their words could make one of each row."""
MOST_BUCKETS = 120
"""Parts that a timeline has at most."""
MOST_ATTEMPTS = 5
"""From here on, attempts are counted together."""
OTHER_PROBLEMS = ("", "other problems")
"""Column and words under which the kinds beyond `MOST_KINDS` are counted."""

_WIDTHS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)
"""Widths of a timeline's parts in seconds, as people divide a day; each divides the next. Beyond, they double."""
_PER_DOUBLING = 8
"""Buckets of latencies between a time and its double, so that a quantile is right within 5 %."""
_SHORTEST, _LONGEST = 0.001, 3600.0
"""Seconds outside which latencies are counted as these."""


class Numbers:
    """Row numbers: the first ones as they are, of the others how many."""

    def __init__(self, most: int = MOST_NUMBERS) -> None:
        self._most = most
        self._kept: list[int] = []
        self.count = 0

    def add(self, number: int) -> None:
        """Count a row."""
        self.count += 1
        if len(self._kept) < self._most:
            self._kept.append(number)

    @property
    def more(self) -> int:
        """How many there are besides those in `ranges`."""
        return self.count - len(self._kept)

    def ranges(self) -> list[tuple[int, int]]:
        """Return the kept numbers, each once and in order, neighbours joined as first and last."""
        joined: list[tuple[int, int]] = []
        for number in sorted(set(self._kept)):
            if joined and joined[-1][1] == number - 1:
                joined[-1] = (joined[-1][0], number)
            else:
                joined.append((number, number))
        return joined


class Timeline:
    """How many ended when: parts of equal width, which widen as the span grows."""

    def __init__(self, most: int = MOST_BUCKETS) -> None:
        self._most = most
        self._steps = 0
        self._counts: Counter[int] = Counter()

    @property
    def width(self) -> int:
        """Seconds of each part."""
        return _width(self._steps)

    def add(self, at: float) -> None:
        """Count something that happened ``at``, in seconds since the epoch."""
        self._counts[math.floor(at / self.width)] += 1
        while max(self._counts) - min(self._counts) >= self._most:
            self._widen()

    def parts(self) -> list[tuple[int, int]]:
        """Return the beginning of each part, in seconds since the epoch, and its count; empty ones in between too."""
        if not self._counts:
            return []
        places = range(min(self._counts), max(self._counts) + 1)
        return [(place * self.width, self._counts[place]) for place in places]

    def _widen(self) -> None:
        """Take the next width; parts are joined whole."""
        before = self.width
        self._steps += 1
        counts: Counter[int] = Counter()
        for place, count in self._counts.items():
            counts[place * before // self.width] += count
        self._counts = counts


def _width(steps: int) -> int:
    return _WIDTHS[steps] if steps < len(_WIDTHS) else _WIDTHS[-1] << (steps - len(_WIDTHS) + 1)


class Latencies:
    """How long calls took: buckets that widen with the time they stand for."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count a call."""
        bounded = min(max(seconds, _SHORTEST), _LONGEST)
        self._counts[math.floor(math.log2(bounded / _SHORTEST) * _PER_DOUBLING)] += 1

    def quantile(self, part: float) -> float | None:
        """Return the seconds within which this part of the calls ended, or ``None`` if there was none."""
        wanted = part * self._counts.total()
        seen = 0
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= wanted:
                return _SHORTEST * float(2 ** ((place + 0.5) / _PER_DOUBLING))
        return None

    def doublings(self) -> list[tuple[float, int]]:
        """Return from how many seconds on, up to their double, how many calls took; empty ones in between too."""
        if not self._counts:
            return []
        counts: Counter[int] = Counter()
        for place, count in self._counts.items():
            counts[place // _PER_DOUBLING] += count
        return [(_SHORTEST * 2**place, counts[place]) for place in range(min(counts), max(counts) + 1)]


class Statistics:
    """What a ledger's entries, and the rows that never came into it, come to.

    Give it each entry once, as ``async for entry in ledger.entries(): statistics.add(entry)``.
    """

    def __init__(self) -> None:
        self.states: Counter[State] = Counter()
        """Entries by state."""
        self.identities: Counter[int | None] = Counter()
        """Linked entries by what a notification told, an `IdentityStatus` if it is known; ``None``: no news."""
        self.attempts: Counter[int] = Counter()
        """Entries by the requests of their last call, `MOST_ATTEMPTS` and more together."""
        self.refused: dict[int | None, Numbers] = {}
        """Rows that the platform refused, by its number."""
        self.unknown = Numbers()
        """Rows of which it is not known how they ended."""
        self.problems: dict[tuple[str, str], Numbers] = {}
        """Rows that were not sent, by column and words."""
        self.invalid = Numbers()
        """Rows that were not sent."""
        self.timeline = Timeline()
        """When the last calls ended."""
        self.latencies = Latencies()
        """How long the last calls took."""

    @property
    def rows(self) -> int:
        """How many companies there are, those that were not sent included."""
        return self.states.total() + self.invalid.count

    def add(self, entry: Entry) -> None:
        """Count the latest generation of a company."""
        self.states[entry.state] += 1
        if entry.state is State.LINKED:
            self.identities[known_identity_status(entry.status)] += 1
        elif entry.state is State.REFUSED:
            self.refused.setdefault(entry.code, Numbers()).add(entry.row_number)
        elif entry.state is State.UNKNOWN:
            self.unknown.add(entry.row_number)
        self._add_call(entry)

    def add_invalid(self, number: int, problems: Iterable[Problem]) -> None:
        """Count a row that was not sent, once for each of its fatal problems too."""
        self.invalid.add(number)
        for problem in problems:
            if problem.fatal:
                self._kind(problem.column, problem.message).add(number)

    def _add_call(self, entry: Entry) -> None:
        if entry.attempts:
            self.attempts[min(entry.attempts, MOST_ATTEMPTS)] += 1
        if entry.seconds is not None:
            self.latencies.add(entry.seconds)
        if entry.ended_at is not None:
            self.timeline.add(entry.ended_at)

    def _kind(self, column: str, words: str) -> Numbers:
        kind = (column, words)
        if kind not in self.problems and len(self.problems) >= MOST_KINDS:
            kind = OTHER_PROBLEMS
        return self.problems.setdefault(kind, Numbers())
