"""`RedisStore`: notification store shared by several workers, in Redis (extra ``redis``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfq_async.callbacks.stores import Claim

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisStore"]

# Each script touches one key, so that a Redis cluster can run it. The scripts return integers, which are the same
# whether or not the client decodes responses.
_CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder == 'done' then return 2 end
if holder and holder ~= ARGV[1] then return 1 end
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
_CLAIM_RESULTS = (Claim.GRANTED, Claim.HELD, Claim.DONE)


class RedisStore:
    """`NotificationStore` in Redis, shared by all workers that use the same ``prefix``.

    Redis must not evict keys (``maxmemory-policy noeviction``); notifications whose state is lost in a failover may
    be handled twice. The client's exceptions propagate.

    Args:
        client: ``redis.asyncio`` client. Configure its timeouts, and close it yourself: the store does not.
        prefix: Prefix of all keys in Redis.
    """

    def __init__(self, client: Redis, *, prefix: str = "kfq:callbacks:") -> None:
        self._client: Any = client
        self._prefix = prefix
        self._claim_script = client.register_script(_CLAIM)
        self._release_script = client.register_script(_RELEASE)
        self._register_nonce_script = client.register_script(_REGISTER_NONCE)

    async def claim(self, key: str, owner: str, *, lease: float) -> Claim:
        """Claim ``key``; see `NotificationStore`."""
        return _CLAIM_RESULTS[
            await self._claim_script(keys=[self._redis_key(key)], args=[f"by {owner}", _milliseconds(lease)])
        ]

    async def mark_done(self, key: str, *, retention: float) -> None:
        """Record that ``key`` was handled; see `NotificationStore`."""
        await self._client.set(self._redis_key(key), "done", px=_milliseconds(retention))

    async def release(self, key: str, owner: str) -> None:
        """Release ``key``; see `NotificationStore`."""
        await self._release_script(keys=[self._redis_key(key)], args=[f"by {owner}"])

    async def register_nonce(self, nonce: str, digest: str, *, retention: float) -> bool:
        """Record a nonce; see `NotificationStore`."""
        keys = [self._redis_key(f"nonce:{nonce}")]
        return bool(await self._register_nonce_script(keys=keys, args=[digest, _milliseconds(retention)]))

    def _redis_key(self, key: str) -> str:
        return f"{self._prefix}{key}"


def _milliseconds(seconds: float) -> int:
    """Return a duration in milliseconds, of which Redis accepts no fewer than 1."""
    return max(1, round(seconds * 1000))
