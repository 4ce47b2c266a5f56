"""What the runner needs of a ledger: the protocol that a database is put behind. Nothing here knows one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kfq_async.onboarding.entries import Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

__all__ = ["EntryStore", "Ledger"]


class EntryStore(Protocol):
    """The part of a ledger that deciding on rows needs."""

    @property
    def secret(self) -> bytes:
        """The key of the hashes, 32 bytes, the same for the ledger's whole life."""
        ...

    async def find(self, keys: Collection[bytes]) -> Mapping[bytes, Entry]:
        """Return the latest generation of each company that is there, by its key."""
        ...

    async def put(self, entries: Sequence[Entry]) -> None:
        """Write all of them or none, by key and generation, for good before this returns.

        No two of them have both in common. What `complete` wrote (``status``, ``status_at``) stays as it is.
        """
        ...


class Ledger(EntryStore, Protocol):
    """Where the ids are before anything is sent, and the links afterwards.

    One runner uses it at a time; `complete` may be called meanwhile, from other processes too.
    """

    async def settle(self, entries: Sequence[Entry]) -> None:
        """Write how the calls of entries that are there ended, all of them or none, for good before this returns.

        No two of them have key and generation in common. What changes is ``state``, ``order_no``, ``auth_url``,
        ``code``, ``words``, ``attempts``, ``seconds``, ``ended_at``.
        """
        ...

    async def begin_run(self) -> int:
        """Return the number of a new run, one more than the last."""
        ...

    async def complete(self, client_request_id: str, status: int, at: float) -> bool:
        """Note what a notification told; a final status stays. Return ``False`` if no entry has this id."""
        ...

    def entries(self, states: Collection[State] = tuple(State)) -> AsyncIterator[Entry]:
        """Iterate over the latest generations that are in one of these states, in the order of the file."""
        ...
