"""What a receiver remembers: which notifications are claimed or done, and which nonces were seen. In memory here."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Claim", "MemoryStore", "NotificationStore"]


class Claim(Enum):
    """What came of a claim."""

    GRANTED = "granted"
    """It is yours until the lease runs out."""
    HELD = "held"
    """Another holds it."""
    DONE = "done"
    """It has been handled."""


class NotificationStore(Protocol):
    """The memory of a `NotificationReceiver`; each method is atomic, whoever shares the store.

    Keys and nonces are digests, so a store holds nobody's data. All times are seconds.
    """

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Claim ``key`` for ``owner``, for ``lease`` seconds, unless it is done or another's.

        The same owner may ask again, as a client does that lost the answer.
        """
        ...

    async def done(self, key: str, *, retention: float) -> None:
        """Remember for ``retention`` seconds that ``key`` was handled, whoever holds it now."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Give ``key`` back, if ``owner`` holds it and it is not done."""
        ...

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Remember that ``nonce`` came with ``digest``; ``False`` if it has come with another."""
        ...


class _Expiring:
    """Texts by key, each until its end, in the order in which they came."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> str | None:
        value, ends = self._entries.get(key, (None, now))
        return value if ends > now else None

    def put(self, key: str, value: str, ends: float) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (value, ends)

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)

    def room(self, now: float) -> bool:
        """Drop what has ended, oldest first, and tell whether there is room for one more."""
        while self._entries and self._oldest()[1] <= now:
            self.drop(self._oldest()[0])
        return len(self._entries) < self._limit

    def make_room(self, now: float) -> None:
        if not self.room(now):
            self.drop(self._oldest()[0])

    def _oldest(self) -> tuple[str, float]:
        key = next(iter(self._entries))
        return key, self._entries[key][1]


class MemoryStore:
    """Remembers in this process, for one event loop; what it knows ends with the process.

    It holds at most ``limit`` notifications that are done, as many nonces and as many claims, some 300 bytes each.
    When it is full it forgets what was done longest ago, and grants no more claims, so choose ``limit`` above the
    number of notifications within the receiver's ``retention``. ``clock`` returns seconds and never goes back.
    """

    def __init__(self, *, limit: int = 100_000, clock: Callable[[], float] = time.monotonic) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        self._clock = clock
        self._claims = _Expiring(limit)
        self._done = _Expiring(limit)
        self._nonces = _Expiring(limit)

    def __len__(self) -> int:
        return len(self._claims) + len(self._done) + len(self._nonces)

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Claim ``key``; see `NotificationStore`."""
        now = self._clock()
        if self._done.get(key, now) is not None:
            return Claim.DONE
        holder = self._claims.get(key, now)
        if holder not in (None, owner) or not self._claims.room(now):
            return Claim.HELD
        self._claims.put(key, owner, now + lease)
        return Claim.GRANTED

    async def done(self, key: str, *, retention: float) -> None:
        """Remember that ``key`` was handled; see `NotificationStore`."""
        now = self._clock()
        self._claims.drop(key)
        self._done.make_room(now)
        self._done.put(key, "", now + retention)

    async def release(self, key: str, owner: str) -> None:
        """Give ``key`` back; see `NotificationStore`."""
        if self._claims.get(key, self._clock()) == owner:
            self._claims.drop(key)

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Remember a nonce; see `NotificationStore`."""
        now = self._clock()
        known = self._nonces.get(nonce, now)
        if known is None:
            self._nonces.make_room(now)
            self._nonces.put(nonce, digest, now + retention)
        return known in (None, digest)
