"""What receivers in several workers remember together, in Redis (extra ``redis``). Imported by those who use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfq_async.callbacks.stores import Claim

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore"]

# Each script touches one key, so that a cluster can run it. They answer in numbers, which come back as such whether
# or not the client decodes its answers.
_CLAIM = """
local held = redis.call('GET', KEYS[1])
if held == 'done' then return 2 end
if held and held ~= ARGV[1] then return 1 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 0
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_REGISTER_NONCE = """
local known = redis.call('GET', KEYS[1])
if known then return known == ARGV[1] and 1 or 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_CLAIMS = (Claim.GRANTED, Claim.HELD, Claim.DONE)


class RedisStore:
    """Remembers in Redis, for all workers that use the same ``prefix`` there.

    ``client`` is a ``redis.asyncio`` client of yours: give it time-outs, and close it yourself. Redis must not evict
    (``maxmemory-policy noeviction``); what a failover loses may be handled twice. Errors of the client pass through.
    """

    def __init__(self, client: Redis, *, prefix: str = "kfq:callbacks:") -> None:
        self._client: Any = client
        self._prefix = prefix
        self._claim = client.register_script(_CLAIM)
        self._release = client.register_script(_RELEASE)
        self._first_use = client.register_script(_REGISTER_NONCE)

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Claim ``key``; see `NotificationStore`."""
        return _CLAIMS[await self._claim(keys=[self._name(key)], args=[f"by {owner}", _milliseconds(lease)])]

    async def done(self, key: str, *, retention: float) -> None:
        """Remember that ``key`` was handled; see `NotificationStore`."""
        await self._client.set(self._name(key), "done", px=_milliseconds(retention))

    async def release(self, key: str, owner: str) -> None:
        """Give ``key`` back; see `NotificationStore`."""
        await self._release(keys=[self._name(key)], args=[f"by {owner}"])

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Remember a nonce; see `NotificationStore`."""
        known = await self._first_use(keys=[self._name(f"nonce:{nonce}")], args=[digest, _milliseconds(retention)])
        return bool(known)

    def _name(self, key: str) -> str:
        return f"{self._prefix}{key}"


def _milliseconds(seconds: float) -> int:
    """Redis knows no shorter time than a millisecond."""
    return max(1, round(seconds * 1000))
