"""Deciding on rows a batch at a time, with their ids in the ledger before anybody acts on it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import attrs

from kfq_async.models.fields import new_id
from kfq_async.onboarding.decisions import Decision, Rules, decide
from kfq_async.onboarding.hashes import Hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.models.identity import CorpIdentLinkRequest
    from kfq_async.onboarding.entries import Entry
    from kfq_async.onboarding.ledger import EntryStore
    from kfq_async.onboarding.rows import Row

__all__ = ["Planner"]

_NO_RUN = -1
"""A run that no entry was seen in."""


class Planner:
    """What one run does with each row; the options are those of `Onboarding`."""

    def __init__(
        self,
        ledger: EntryStore,
        *,
        run: int,
        retry_failed: bool = False,
        strict: bool = False,
        callbacks: CallbackUrls | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._hashes = Hashes(ledger.secret)
        self._run = run
        self._retry_failed = retry_failed
        self._strict = strict
        self._bind = callbacks.bind if callbacks else _unbound
        self._clock = clock

    async def decide(self, rows: Sequence[Row]) -> list[Decision]:
        """Return what is to be done with each row; what it relies on is in the ledger."""
        decisions = await asyncio.to_thread(_decide_all, rows, await self._found(rows), self._rules())
        await self._ledger.put([entry for decision in decisions if (entry := decision.entry) is not None])
        return decisions

    async def review(self, rows: Sequence[Row]) -> list[Decision]:
        """Return how each row stands after the run, without changing anything; the run must be the last one."""
        return await asyncio.to_thread(_review_all, rows, await self._found(rows), self._rules())

    async def _found(self, rows: Sequence[Row]) -> Mapping[bytes, Entry]:
        return await self._ledger.find({self._hashes.key(row.key) for row in rows if row.key is not None})

    def _rules(self) -> Rules:
        return Rules(
            run=self._run,
            hashes=self._hashes,
            new_id=new_id,
            now=self._clock(),
            bind=self._bind,
            retry_failed=self._retry_failed,
            strict=self._strict,
        )


def _unbound(request: CorpIdentLinkRequest) -> CorpIdentLinkRequest:
    return request


def _decide_all(rows: Sequence[Row], found: Mapping[bytes, Entry], rules: Rules) -> list[Decision]:
    """Decide row by row, so that a row finds an earlier one of the same company in its batch."""
    latest = dict(found)
    decisions = []
    for row in rows:
        before = None if row.key is None else latest.get(rules.hashes.key(row.key))
        decision = decide(row, before, rules)
        if decision.entry is not None:
            latest[decision.entry.key] = decision.entry
        decisions.append(decision)
    return decisions


def _review_all(rows: Sequence[Row], found: Mapping[bytes, Entry], rules: Rules) -> list[Decision]:
    """Decide again on each row by itself: at the place where its entry was seen, it is the first of its company."""
    decisions = []
    for row in rows:
        before = None if row.key is None else found.get(rules.hashes.key(row.key))
        first = before is not None and before.number == row.number
        decisions.append(decide(row, before, attrs.evolve(rules, run=_NO_RUN) if first else rules))
    return decisions
