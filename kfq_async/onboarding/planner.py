"""Deciding on rows a batch at a time, with their ids in the ledger before anybody acts on it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

import attrs

from kfq_async.models.fields import new_id
from kfq_async.onboarding.decisions import Decision, DecisionContext, PendingRequest, bound_to, decide, written
from kfq_async.onboarding.ledgers.base import Hashes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.onboarding.ledgers.base import EntryStore
    from kfq_async.onboarding.records import Entry, Row

__all__ = ["Planner"]

T = TypeVar("T")

_AT_A_TIME = 50
"""Rows decided on before others have their turn."""
_NO_RUN = -1
"""A run that no entry was seen in."""


class Planner:
    """What one run does with each row; the options are those of `Onboarding`."""

    def __init__(
        self,
        ledger: EntryStore,
        *,
        run: int,
        retry_refused: bool = False,
        strict: bool = False,
        callbacks: CallbackUrls | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._hashes = Hashes(ledger.secret)
        self._run = run
        self._retry_refused = retry_refused
        self._strict = strict
        self._write = bound_to(callbacks) if callbacks else written
        self._clock = clock

    async def decide(self, rows: Sequence[Row]) -> list[Decision | PendingRequest]:
        """Return what is to be done with each row; what it relies on is in the ledger."""
        keys = self._keys(rows)
        latest = dict(await self._found(keys))
        context = self._rules()
        decisions: list[Decision | PendingRequest] = []
        async for row, key in _by_and_by(zip(rows, keys, strict=True)):
            decision = decide(row, key, None if key is None else latest.get(key), context)
            if decision.entry is not None:
                latest[decision.entry.key_hash] = decision.entry  # for a later row of the same company
            decisions.append(decision)
        await self._ledger.put([entry for decision in decisions if (entry := decision.entry) is not None])
        return decisions

    async def review(self, rows: Sequence[Row]) -> list[Decision | PendingRequest]:
        """Return how each row stands after the run, without changing anything; the run must be the last one."""
        keys = self._keys(rows)
        found = await self._found(keys)
        context = self._rules()
        elsewhere = attrs.evolve(context, run=_NO_RUN)
        decisions: list[Decision | PendingRequest] = []
        async for row, key in _by_and_by(zip(rows, keys, strict=True)):
            before = None if key is None else found.get(key)
            # At the place where its entry was seen, it is the first row of its company.
            first = before is not None and before.row_number == row.row_number
            decisions.append(decide(row, key, before, elsewhere if first else context))
        return decisions

    def _keys(self, rows: Sequence[Row]) -> list[bytes | None]:
        return [None if row.key is None else self._hashes.key(row.key) for row in rows]

    async def _found(self, keys: Sequence[bytes | None]) -> Mapping[bytes, Entry]:
        return await self._ledger.find({key for key in keys if key is not None})

    def _rules(self) -> DecisionContext:
        return DecisionContext(
            run=self._run,
            hashes=self._hashes,
            new_id=new_id,
            now=self._clock(),
            write=self._write,
            retry_refused=self._retry_refused,
            strict=self._strict,
        )


async def _by_and_by(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield items, and let others have their turn now and then.

    A thread would hold the interpreter for as long, and to hand it over costs more than to decide on some rows.
    """
    for count, item in enumerate(items, 1):
        yield item
        if count % _AT_A_TIME == 0:
            await asyncio.sleep(0)
