"""What the runner needs of a ledger: the protocol that a database is put behind. Nothing here knows one."""

from __future__ import annotations

import hashlib
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from kfq_async.onboarding.records import Entry, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping, Sequence

__all__ = ["HASH_BYTES", "SECRET_BYTES", "EntryStore", "Hashes", "Ledger", "describe_process"]


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


HASH_BYTES = 16
SECRET_BYTES = 32


class Hashes:
    """The hashes under one secret; without it, nobody finds out by trial which mobile number a key holds."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a ledger's secret has {SECRET_BYTES} bytes, not {len(secret)}")
        self._key = _begun(secret, b"key")
        self._body = _begun(secret, b"body")
        self._check = _begun(secret, b"check")

    def key(self, text: str) -> bytes:
        """Hash what a company is recognised by."""
        return _continued(self._key, text.encode("utf-8", "surrogatepass"))

    def body(self, body: bytes) -> bytes:
        """Hash a request's body as it is sent."""
        return _continued(self._body, body)

    def check(self) -> bytes:
        """Return what tells this secret from others."""
        return self._check.digest()


def _begun(secret: bytes, purpose: bytes) -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=HASH_BYTES, key=secret, person=purpose)


def _continued(begun: hashlib.blake2b, data: bytes) -> bytes:
    """Hash data after what was begun, which stays as it is; to begin anew would take as long again."""
    copied = begun.copy()
    copied.update(data)
    return copied.digest()


def describe_process() -> str:
    """Return the name of this process, and since when it holds what it is about to take."""
    since = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    return f"process {os.getpid()} on {socket.gethostname()}, since {since}"
