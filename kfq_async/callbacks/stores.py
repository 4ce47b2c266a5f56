"""State of a `NotificationReceiver`: the `NotificationStore` protocol and its in-memory implementation."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from kfq_async.models.functions import check_clock

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Claim", "MemoryStore", "NotificationStore"]


class Claim(Enum):
    """Result of `NotificationStore.claim`.

    Attributes:
        GRANTED: The caller holds the claim until its lease expires.
        HELD: Another owner holds the claim.
        DONE: The notification has been handled.
    """

    GRANTED = "granted"
    """The caller holds the claim until its lease expires."""
    HELD = "held"
    """Another owner holds the claim."""
    DONE = "done"
    """The notification has been handled."""


class NotificationStore(Protocol):
    """State of a `NotificationReceiver`: claimed and handled notifications, and the nonces seen.

    Every method is atomic across all users of the store. Keys and nonces are digests, so a store holds no personal
    data. All durations are in seconds.
    """

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Claim ``key`` for ``owner`` for ``lease`` seconds, unless it is done or held by another owner.

        The same owner may claim a key repeatedly, such as after a lost response; each time the lease restarts.
        """
        ...

    async def mark_done(self, key: str, *, retention: float) -> None:
        """Record for ``retention`` seconds that ``key`` was handled, regardless of its present owner."""
        ...

    async def release(self, key: str, owner: str) -> None:
        """Release ``key`` if ``owner`` holds it and it is not done."""
        ...

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Record for ``retention`` seconds that ``nonce`` was used with ``digest``.

        Return ``False`` if it was used with another digest before.
        """
        ...


class _ExpiringMap:
    """Mapping of bounded size whose entries expire; in order of insertion."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[str, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> str | None:
        value, expires_at = self._entries.get(key, (None, now))
        return value if expires_at > now else None

    def put(self, key: str, value: str, expires_at: float) -> None:
        self._entries.pop(key, None)
        self._entries[key] = (value, expires_at)

    def discard(self, key: str) -> None:
        self._entries.pop(key, None)

    def has_room(self, now: float) -> bool:
        """Remove expired entries, oldest first, and return whether there is room for one more."""
        while self._entries and self._oldest()[1] <= now:
            self.discard(self._oldest()[0])
        return len(self._entries) < self._limit

    def make_room(self, now: float) -> None:
        if not self.has_room(now):
            self.discard(self._oldest()[0])

    def _oldest(self) -> tuple[str, float]:
        key = next(iter(self._entries))
        return key, self._entries[key][1]


class MemoryStore:
    """In-memory `NotificationStore` for one process and one event loop; its state ends with the process.

    When it is full, it forgets the notification that was handled longest ago and grants no further claims. Choose
    ``limit`` above the number of notifications within the receiver's ``retention``.

    Args:
        limit: Maximum number of handled notifications, and likewise of nonces and of claims; some 300 bytes each.
        clock: Returns monotonic seconds; ``None`` for ``time.monotonic``.

    Raises:
        ValueError: ``limit`` is less than 1.
        TypeError: ``clock`` is no plain function.
    """

    def __init__(self, *, limit: int = 100_000, clock: Callable[[], float] | None = None) -> None:
        if limit < 1:
            raise ValueError(f"limit must be at least 1, not {limit}")
        if clock is not None:
            check_clock(clock, "monotonic seconds")
        self._clock = clock
        self._claims = _ExpiringMap(limit)
        self._done = _ExpiringMap(limit)
        self._nonces = _ExpiringMap(limit)

    def __len__(self) -> int:
        return len(self._claims) + len(self._done) + len(self._nonces)

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Claim ``key``; see `NotificationStore`."""
        now = self._now()
        if self._done.get(key, now) is not None:
            return Claim.DONE
        holder = self._claims.get(key, now)
        if holder not in (None, owner) or not self._claims.has_room(now):
            return Claim.HELD
        self._claims.put(key, owner, now + lease)
        return Claim.GRANTED

    async def mark_done(self, key: str, *, retention: float) -> None:
        """Record that ``key`` was handled; see `NotificationStore`."""
        now = self._now()
        self._claims.discard(key)
        self._done.make_room(now)
        self._done.put(key, "", now + retention)

    async def release(self, key: str, owner: str) -> None:
        """Release ``key``; see `NotificationStore`."""
        if self._claims.get(key, self._now()) == owner:
            self._claims.discard(key)

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Record a nonce; see `NotificationStore`."""
        now = self._now()
        known = self._nonces.get(nonce, now)
        if known is None:
            self._nonces.make_room(now)
            self._nonces.put(nonce, digest, now + retention)
        return known in (None, digest)

    def _now(self) -> float:
        return (self._clock or time.monotonic)()  # looked up now, so that tools which freeze the time can replace it
