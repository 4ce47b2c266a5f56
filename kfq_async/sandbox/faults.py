"""Faults on demand: what goes wrong, how often, and whether this request's turn has come."""

from __future__ import annotations

import random
from typing import Self

from attrs import field, frozen

__all__ = ["KINDS", "Fault", "Faults"]

KINDS = {
    "delay": "wait SECONDS after acting, before the answer",
    "drop": "act, then close the connection without an answer",
    "lose": "close the connection without having acted",
}


@frozen
class Fault:
    """One thing that goes wrong: for the next ``times`` requests, or with a ``probability``.

    Raises `ValueError` for a kind that does not exist, and for a probability outside 0 to 1.
    """

    kind: str = field()
    seconds: float = field(default=0.0, kw_only=True)
    times: int | None = field(default=None, kw_only=True)
    probability: float = field(default=1.0, kw_only=True)

    @kind.validator
    def _known(self, _attribute: object, value: str) -> None:
        if value not in KINDS:
            raise ValueError(f"fault {value!r} does not exist; there are {', '.join(KINDS)}")

    @probability.validator
    def _between(self, _attribute: object, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"a fault's probability is between 0 and 1, not {value}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``KIND``, ``KIND:SECONDS``, each with ``*TIMES`` or ``@PROBABILITY``, as in ``delay:0.2@0.1``."""
        rest, at, probability = text.partition("@")
        rest, star, times = rest.partition("*")
        kind, _, seconds = rest.partition(":")
        try:
            return cls(
                kind.strip(),
                seconds=float(seconds or 0),
                times=int(times) if star else None,
                probability=float(probability) if at else 1.0,
            )
        except ValueError as problem:
            raise ValueError(f"{text!r} is no fault, as 'delay:0.2@0.1' and 'drop*2' are: {problem}") from None


class Faults:
    """The faults that are still to come, in the order in which they were given."""

    def __init__(self, faults: tuple[Fault, ...], seed: int) -> None:
        self._left = [(fault, fault.times) for fault in faults]
        self._random = random.Random(seed)  # noqa: S311  # a repeatable choice, nothing secret

    def draw(self) -> Fault | None:
        """Return what goes wrong with this request, if anything does."""
        for index, (fault, left) in enumerate(self._left):
            if left == 0 or self._random.random() >= fault.probability:
                continue
            self._left[index] = fault, None if left is None else left - 1
            return fault
        return None
