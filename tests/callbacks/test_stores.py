"""Stores: the same contract for `MemoryStore` and for `RedisStore` on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from kfq_async import MemoryStore
from kfq_async.callbacks import Claim, NotificationStore
from kfq_async.callbacks.stores_redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Tick = Callable[[float], Awaitable[None]]


class Clock:
    """Clock set by a test."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def tick(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += seconds


async def _shorten_expiry(client: Redis, seconds: float) -> None:
    """Bring the expiry of every key nearer by ``seconds``."""
    for key in await client.keys():
        await client.pexpire(key, await client.pttl(key) - round(seconds * 1000))


@pytest.fixture(
    params=[
        "memory",
        *(pytest.param(kind, marks=pytest.mark.services) for kind in ("redis", "redis with decode_responses")),
    ]
)
async def timed_store(request: pytest.FixtureRequest) -> AsyncIterator[tuple[NotificationStore, Tick]]:
    """Each kind of store, with a function that advances its time."""
    if request.param == "memory":
        clock = Clock()
        yield MemoryStore(clock=clock), clock.tick
        return
    redis_port = request.getfixturevalue("redis_port")
    async with Redis(host="127.0.0.1", port=redis_port, decode_responses=request.param != "redis") as client:
        await client.flushdb()
        yield RedisStore(client), lambda seconds: _shorten_expiry(client, seconds)


async def test_claim_is_exclusive(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A claimed key is held against other owners; other keys are free."""
    store, _ = timed_store
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED
    assert await store.claim("a", "you", lease=60) is Claim.HELD
    assert await store.claim("b", "you", lease=60) is Claim.GRANTED


async def test_claim_by_the_same_owner(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A claim repeated by its owner, such as after a lost response, is granted with a new lease."""
    store, tick = timed_store
    await store.claim("a", "me", lease=60)
    await tick(50)
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED
    await tick(50)
    assert await store.claim("a", "you", lease=60) is Claim.HELD


async def test_concurrent_claims(timed_store: tuple[NotificationStore, Tick]) -> None:
    """Of many concurrent claims exactly one is granted."""
    store, _ = timed_store
    claims = await asyncio.gather(*(store.claim("a", f"worker {number}", lease=60) for number in range(50)))
    assert claims.count(Claim.GRANTED) == 1
    assert claims.count(Claim.HELD) == 49


async def test_lease_expires(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A claim that is not released becomes free when its lease expires, and not before."""
    store, tick = timed_store
    await store.claim("a", "killed", lease=60)
    await tick(50)
    assert await store.claim("a", "next", lease=60) is Claim.HELD
    await tick(10)
    assert await store.claim("a", "next", lease=60) is Claim.GRANTED


async def test_mark_done(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A key marked as done cannot be claimed until its retention expires."""
    store, tick = timed_store
    await store.claim("a", "me", lease=1)
    await store.mark_done("a", retention=1000)
    await tick(900)
    assert await store.claim("a", "me", lease=60) is Claim.DONE
    await tick(100)
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED


async def test_mark_done_after_the_lease(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A key marked as done stays done even if the lease had expired and another owner holds and releases it."""
    store, tick = timed_store
    await store.claim("a", "slow", lease=60)
    await tick(61)
    await store.claim("a", "next", lease=60)
    await store.mark_done("a", retention=1000)
    await store.release("a", "next")
    assert await store.claim("a", "third", lease=60) is Claim.DONE


async def test_release(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A released key can be claimed at once; only its owner can release it."""
    store, _ = timed_store
    await store.claim("a", "me", lease=60)
    await store.release("a", "you")
    assert await store.claim("a", "you", lease=60) is Claim.HELD
    await store.release("a", "me")
    assert await store.claim("a", "you", lease=60) is Claim.GRANTED
    await store.release("b", "me")


async def test_nonces(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A nonce is bound to the content it was first used with until its retention expires."""
    store, tick = timed_store
    assert await store.register_nonce("n", "content", retention=600)
    await tick(500)
    assert await store.register_nonce("n", "content", retention=600)
    assert not await store.register_nonce("n", "other", retention=600)
    await tick(100)
    assert await store.register_nonce("n", "other", retention=600)


async def test_nonces_and_keys_are_separate(timed_store: tuple[NotificationStore, Tick]) -> None:
    """A nonce equal to a key does not claim that key."""
    store, _ = timed_store
    await store.register_nonce("a", "content", retention=600)
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED
    assert await store.register_nonce("a", "content", retention=600)


@pytest.mark.parametrize("limit", [1, 3])
async def test_memory_limit(limit: int) -> None:
    """Memory holds at most ``limit`` handled notifications, the newest, and as many nonces."""
    store = MemoryStore(limit=limit)
    for number in range(10):
        assert await store.claim(f"{number}", "me", lease=60) is Claim.GRANTED
        await store.mark_done(f"{number}", retention=1000)
        await store.register_nonce(f"{number}", "content", retention=1000)
    assert len(store) == 2 * limit
    assert await store.claim("9", "me", lease=60) is Claim.DONE
    assert await store.claim(f"{9 - limit}", "me", lease=60) is Claim.GRANTED


async def test_memory_limit_of_claims() -> None:
    """With ``limit`` claims held, a further claim is refused and none of the existing ones is lost."""
    clock = Clock()
    store = MemoryStore(limit=2, clock=clock)
    await store.claim("a", "me", lease=60)
    await store.claim("b", "me", lease=120)
    assert await store.claim("c", "me", lease=60) is Claim.HELD
    clock.now = 60
    assert await store.claim("c", "me", lease=60) is Claim.GRANTED
    assert await store.claim("b", "you", lease=60) is Claim.HELD


async def test_memory_drops_expired_entries() -> None:
    """Expired entries are removed from memory."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    for number in range(100):
        await store.register_nonce(f"{number}", "content", retention=600)
    clock.now = 600
    await store.register_nonce("last", "content", retention=600)
    assert len(store) == 1


def test_invalid_limit() -> None:
    """A ``limit`` below 1 raises `ValueError`."""
    with pytest.raises(ValueError, match=r"^limit must be at least 1, not 0$"):
        MemoryStore(limit=0)


async def test_redis_keys_expire(redis: Redis) -> None:
    """All keys in Redis have the prefix and an expiry, of at least a millisecond."""
    store = RedisStore(redis, prefix="mine:")
    await store.claim("a", "me", lease=60)
    await store.claim("b", "me", lease=60)
    await store.mark_done("b", retention=1000)
    await store.register_nonce("n", "content", retention=600)
    names = {name if isinstance(name, str) else name.decode(): await redis.pttl(name) for name in await redis.keys()}
    assert names.keys() == {"mine:a", "mine:b", "mine:nonce:n"}
    assert 59_000 < names["mine:a"] <= 60_000
    assert 999_000 < names["mine:b"] <= 1_000_000
    assert 599_000 < names["mine:nonce:n"] <= 600_000
    assert await store.claim("c", "me", lease=1e-9) is Claim.GRANTED


async def test_redis_prefixes_are_separate(redis: Redis) -> None:
    """Stores with different prefixes are independent."""
    assert await RedisStore(redis, prefix="a:").claim("x", "me", lease=60) is Claim.GRANTED
    assert await RedisStore(redis, prefix="b:").claim("x", "you", lease=60) is Claim.GRANTED


async def test_redis_without_its_scripts(redis: Redis) -> None:
    """The scripts are loaded anew after Redis has lost them, as after a restart."""
    store = RedisStore(redis)
    await store.claim("a", "me", lease=60)
    await redis.script_flush()
    assert await store.claim("a", "you", lease=60) is Claim.HELD


async def test_redis_unreachable() -> None:
    """The client's exceptions propagate."""
    async with Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(RedisConnectionError):
            await RedisStore(client).claim("a", "me", lease=60)
