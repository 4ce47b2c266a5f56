"""Ledger of a dry run: what would be written is kept in memory."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from kfq_async.models.masking import MaskedBytes
from kfq_async.onboarding import Entry, SqliteLedger, State
from kfq_async.onboarding.ledgers.base import SECRET_BYTES

__all__ = ["DryRunLedger"]


class DryRunLedger:
    """View of a ledger, or of a new one, that is never written to.

    Attributes:
        path: The ledger's file.
        secret: The key of its hashes.
    """

    def __init__(self, path: Path, ledger: SqliteLedger | None) -> None:
        self.path = path
        self.secret: MaskedBytes = MaskedBytes(ledger.secret if ledger else secrets.token_bytes(SECRET_BYTES))
        self._ledger = ledger
        self._entries: dict[bytes, Entry] = {}
        self._facts: dict[str, str] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path, *, exists: bool) -> AsyncIterator[DryRunLedger]:
        """Open a view of a ledger, or of a new one if it does not exist yet."""
        if not exists:
            yield cls(path, None)
            return
        async with SqliteLedger(path, exclusive=False) as ledger:
            yield cls(path, ledger)

    async def next_run(self) -> int:
        """Return the number of the next run."""
        last = await self._ledger.last_run() if self._ledger else None
        return last.run + 1 if last else 1

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the current generations of these companies by key hash."""
        known = await self._ledger.find(keys) if self._ledger else {}
        return {**known, **{key: self._entries[key] for key in keys if key in self._entries}}

    async def put(self, entries: Sequence[Entry]) -> None:
        """Keep entries, for later rows of their companies."""
        self._entries |= {entry.key_hash: entry for entry in entries}

    async def entries(self, states: Collection[State]) -> AsyncIterator[Entry]:
        """Iterate over the ledger's entries in these states."""
        if self._ledger is not None:
            async for entry in self._ledger.entries(states):
                yield entry

    async def fact(self, name: str) -> str | None:
        """Return the fact of this name, or ``None``."""
        if name not in self._facts and self._ledger is not None:
            return await self._ledger.fact(name)
        return self._facts.get(name)

    async def record_fact(self, name: str, value: str) -> str:
        """Keep a fact unless there is one of this name; return the one that holds."""
        known = await self.fact(name)
        return self._facts.setdefault(name, value) if known is None else known

    async def replace_fact(self, name: str, value: str) -> None:
        """Keep a fact in place of the one of this name."""
        self._facts[name] = value

    async def rebind(self, name: str, value: str) -> bool:
        """Keep a fact in place of the one of this name, if nothing can have been ordered; return whether it was."""
        if self._ledger is not None and await self._ledger.was_used():
            return False
        self._facts[name] = value
        return True
