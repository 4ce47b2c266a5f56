"""Decisions on batches of rows; their ids are in the ledger before a decision is returned."""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from kfq_async.models.fields import new_ids
from kfq_async.onboarding.decisions import Decision, DecisionContext, PendingRequest, decide
from kfq_async.onboarding.ledgers.base import Hashes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from kfq_async.callbacks.urls import CallbackUrls
    from kfq_async.onboarding.ledgers.base import EntryStore
    from kfq_async.onboarding.records import Entry, Row

__all__ = ["Planner"]

T = TypeVar("T")

_ROWS_PER_TURN = 50
"""Rows decided on before other tasks run."""
_NO_RUN = -1
"""A run number that no entry has."""


class Planner:
    """Decides on the rows of one run; the options are those of `Onboarding`."""

    def __init__(
        self,
        ledger: EntryStore,
        *,
        run: int,
        retry_refused: bool = False,
        strict: bool = False,
        callbacks: CallbackUrls | None = None,
        earlier_callbacks: Sequence[CallbackUrls] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._hashes = Hashes(ledger.secret)
        self._run = run
        self._retry_refused = retry_refused
        self._strict = strict
        self._callbacks = callbacks
        self._earlier_callbacks = tuple(earlier_callbacks)
        self._clock = clock

    async def decide(self, rows: Sequence[Row]) -> list[Decision | PendingRequest]:
        """Decide on each row; the entries that the decisions rely on are in the ledger when this returns."""
        keys = self._keys(rows)
        current = await self._find(rows, keys)
        context = self._context(rows)
        decisions: list[Decision | PendingRequest] = []
        async for row, key in _cooperatively(zip(rows, keys, strict=True)):
            decision = decide(row, key, None if key is None else current.get(key), context)
            if decision.entry is not None and key is not None:
                current[key] = decision.entry  # for a later row of the same company
            decisions.append(decision)
        await self._ledger.put([each.entry for each in decisions if each.entry is not None])
        return decisions

    async def inspect(self, rows: Sequence[Row]) -> list[Decision | PendingRequest]:
        """Return the decision on each row after the run without changing the ledger; no later run may have begun."""
        keys = self._keys(rows)
        found = await self._find(rows, keys)
        context = self._context(rows)
        next_run = evolve(context, run=_NO_RUN)
        decisions: list[Decision | PendingRequest] = []
        async for row, key in _cooperatively(zip(rows, keys, strict=True)):
            before = None if key is None else found.get(key)
            # At the position stored in its entry, it is the first row of its company, and no duplicate.
            first = before is not None and before.row_number == row.row_number
            decisions.append(decide(row, key, before, next_run if first else context))
        return decisions

    async def find(self, rows: Sequence[Row]) -> list[Entry | None]:
        """Return the ledger's entry of each row, ``None`` for a row that it lacks."""
        keys = self._keys(rows)
        found = await self._find(rows, keys)
        return [None if key is None else found.get(key) for key in keys]

    def _keys(self, rows: Sequence[Row]) -> list[bytes | None]:
        return [None if row.key is None else self._hashes.key(row.key) for row in rows]

    async def _find(self, rows: Sequence[Row], keys: Sequence[bytes | None]) -> dict[bytes, Entry]:
        """Return the entries of the rows by key; those that earlier versions stored under another key included."""
        found = dict(await self._ledger.find({key for key in keys if key is not None}))
        former = {
            key: [self._hashes.key(text) for text in row.former_keys]
            for row, key in zip(rows, keys, strict=True)
            if key is not None and key not in found and row.former_keys
        }
        if former:
            entries = await self._ledger.find(set(chain.from_iterable(former.values())))
            found |= {key: entries[old] for key, hashes in former.items() for old in hashes if old in entries}
        return found

    def _context(self, rows: Sequence[Row]) -> DecisionContext:
        return DecisionContext(
            run=self._run,
            hashes=self._hashes,
            new_id=iter(new_ids(len(rows))).__next__,
            now=self._clock(),
            callbacks=self._callbacks,
            earlier_callbacks=self._earlier_callbacks,
            retry_refused=self._retry_refused,
            strict=self._strict,
        )


async def _cooperatively(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield items, and let other tasks run at intervals.

    A thread would hold the interpreter lock just as long, and handing it over costs more than deciding on some rows.
    """
    for count, item in enumerate(items, 1):
        yield item
        if count % _ROWS_PER_TURN == 0:
            await asyncio.sleep(0)
