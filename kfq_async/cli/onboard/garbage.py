"""Fewer collections of cyclic garbage while a process does nothing but request links."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fewer_collections"]

THRESHOLD = 20_000
"""New objects after which Python looks for cyclic garbage; 700 to 2,000 by default."""


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Let Python look for cyclic garbage less often, and not among what was imported before.

    A run holds objects of hundreds of companies and leaves hardly any cycles, but by their number alone they make
    Python look for some all the time, for which the fastest runs need a third more CPU time
    (``benchmarks/ONBOARDING.md``). The setting is that of the whole process, so a library must leave it alone, and a
    program may choose it. One that has chosen already, by another threshold or ``gc.freeze``, keeps its choice.
    """
    thresholds = gc.get_threshold()
    if not 0 < thresholds[0] < THRESHOLD or gc.get_freeze_count():
        yield
        return
    gc.freeze()
    gc.set_threshold(THRESHOLD, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
