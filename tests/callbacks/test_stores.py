"""Stores: one contract, held by memory and by a real Redis."""

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

Pass = Callable[[float], Awaitable[None]]


class Clock:
    """Shows the seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


async def _age(client: Redis, seconds: float) -> None:
    """Let every key of a Redis be this much nearer to its end."""
    for key in await client.keys():
        await client.pexpire(key, await client.pttl(key) - round(seconds * 1000))


@pytest.fixture(
    params=["memory", *(pytest.param(kind, marks=pytest.mark.services) for kind in ("redis", "redis that decodes"))]
)
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[tuple[NotificationStore, Pass]]:
    """Each kind of store, and what lets time pass for it."""
    if request.param == "memory":
        clock = Clock()
        yield MemoryStore(clock=clock), clock.tick
        return
    redis_port = request.getfixturevalue("redis_port")
    async with Redis(host="127.0.0.1", port=redis_port, decode_responses=request.param != "redis") as client:
        await client.flushdb()
        yield RedisStore(client), lambda seconds: _age(client, seconds)


async def test_one_claim_at_a_time(kept: tuple[NotificationStore, Pass]) -> None:
    """What one has claimed nobody else gets, and other keys are free."""
    store, _ = kept
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED
    assert await store.claim("a", "you", lease=60) is Claim.HELD
    assert await store.claim("b", "you", lease=60) is Claim.GRANTED


async def test_the_same_owner_again(kept: tuple[NotificationStore, Pass]) -> None:
    """A client that lost the answer to its claim may ask again, and gets the whole lease."""
    store, tick = kept
    await store.claim("a", "me", lease=60)
    await tick(50)
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED
    await tick(50)
    assert await store.claim("a", "you", lease=60) is Claim.HELD


async def test_of_many_one(kept: tuple[NotificationStore, Pass]) -> None:
    """Of many who claim at the same instant exactly one gets it."""
    store, _ = kept
    claims = await asyncio.gather(*(store.claim("a", f"worker {number}", lease=60) for number in range(50)))
    assert claims.count(Claim.GRANTED) == 1
    assert claims.count(Claim.HELD) == 49


async def test_a_lease_runs_out(kept: tuple[NotificationStore, Pass]) -> None:
    """A claim whose owner has vanished is free again after the lease, and not before."""
    store, tick = kept
    await store.claim("a", "killed", lease=60)
    await tick(50)
    assert await store.claim("a", "next", lease=60) is Claim.HELD
    await tick(10)
    assert await store.claim("a", "next", lease=60) is Claim.GRANTED


async def test_done(kept: tuple[NotificationStore, Pass]) -> None:
    """What is done is not claimed again for as long as it is to be remembered."""
    store, tick = kept
    await store.claim("a", "me", lease=1)
    await store.done("a", retention=1000)
    await tick(900)
    assert await store.claim("a", "me", lease=60) is Claim.DONE
    await tick(100)
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED


async def test_done_after_the_lease(kept: tuple[NotificationStore, Pass]) -> None:
    """Done is done: neither a lost lease nor the one who holds it now changes that."""
    store, tick = kept
    await store.claim("a", "slow", lease=60)
    await tick(61)
    await store.claim("a", "next", lease=60)
    await store.done("a", retention=1000)
    await store.release("a", "next")
    assert await store.claim("a", "third", lease=60) is Claim.DONE


async def test_release(kept: tuple[NotificationStore, Pass]) -> None:
    """Who gives a claim back leaves it to the next, at once; nobody can give back another's."""
    store, _ = kept
    await store.claim("a", "me", lease=60)
    await store.release("a", "you")
    assert await store.claim("a", "you", lease=60) is Claim.HELD
    await store.release("a", "me")
    assert await store.claim("a", "you", lease=60) is Claim.GRANTED
    await store.release("b", "me")


async def test_nonces(kept: tuple[NotificationStore, Pass]) -> None:
    """A nonce belongs to the content that it came with first, for as long as it is to be remembered."""
    store, tick = kept
    assert await store.register_nonce("n", "content", retention=600)
    await tick(500)
    assert await store.register_nonce("n", "content", retention=600)
    assert not await store.register_nonce("n", "other", retention=600)
    await tick(100)
    assert await store.register_nonce("n", "other", retention=600)


async def test_nonces_are_no_keys(kept: tuple[NotificationStore, Pass]) -> None:
    """A nonce that reads as a key does not claim it."""
    store, _ = kept
    await store.register_nonce("a", "content", retention=600)
    assert await store.claim("a", "me", lease=60) is Claim.GRANTED
    assert await store.register_nonce("a", "content", retention=600)


@pytest.mark.parametrize("limit", [1, 3])
async def test_memory_is_bounded(limit: int) -> None:
    """However many come, memory holds the newest ``limit`` that are done, and as many nonces."""
    store = MemoryStore(limit=limit)
    for number in range(10):
        assert await store.claim(f"{number}", "me", lease=60) is Claim.GRANTED
        await store.done(f"{number}", retention=1000)
        await store.register_nonce(f"{number}", "content", retention=1000)
    assert len(store) == 2 * limit
    assert await store.claim("9", "me", lease=60) is Claim.DONE
    assert await store.claim(f"{9 - limit}", "me", lease=60) is Claim.GRANTED


async def test_memory_never_forgets_a_claim() -> None:
    """When ``limit`` handlers are at work the next has to come again; none of theirs is given to another."""
    clock = Clock()
    store = MemoryStore(limit=2, clock=clock)
    await store.claim("a", "me", lease=60)
    await store.claim("b", "me", lease=120)
    assert await store.claim("c", "me", lease=60) is Claim.HELD
    clock.now = 60
    assert await store.claim("c", "me", lease=60) is Claim.GRANTED
    assert await store.claim("b", "you", lease=60) is Claim.HELD


async def test_memory_drops_what_has_ended() -> None:
    """What need not be remembered any longer takes no memory."""
    clock = Clock()
    store = MemoryStore(clock=clock)
    for number in range(100):
        await store.register_nonce(f"{number}", "content", retention=600)
    clock.now = 600
    await store.register_nonce("last", "content", retention=600)
    assert len(store) == 1


def test_a_memory_of_nothing() -> None:
    """A store that could hold nothing is refused."""
    with pytest.raises(ValueError, match=r"^limit must be at least 1, not 0$"):
        MemoryStore(limit=0)


async def test_redis_keys_have_an_end(redis: Redis) -> None:
    """Everything in Redis stands under the prefix and has its end, down to a millisecond."""
    store = RedisStore(redis, prefix="mine:")
    await store.claim("a", "me", lease=60)
    await store.claim("b", "me", lease=60)
    await store.done("b", retention=1000)
    await store.register_nonce("n", "content", retention=600)
    names = {name if isinstance(name, str) else name.decode(): await redis.pttl(name) for name in await redis.keys()}
    assert names.keys() == {"mine:a", "mine:b", "mine:nonce:n"}
    assert 59_000 < names["mine:a"] <= 60_000
    assert 999_000 < names["mine:b"] <= 1_000_000
    assert 599_000 < names["mine:nonce:n"] <= 600_000
    assert await store.claim("c", "me", lease=1e-9) is Claim.GRANTED


async def test_redis_prefixes_are_apart(redis: Redis) -> None:
    """Receivers under other prefixes do not know of each other."""
    assert await RedisStore(redis, prefix="a:").claim("x", "me", lease=60) is Claim.GRANTED
    assert await RedisStore(redis, prefix="b:").claim("x", "you", lease=60) is Claim.GRANTED


async def test_redis_restarted(redis: Redis) -> None:
    """A Redis that has forgotten the scripts is given them again."""
    store = RedisStore(redis)
    await store.claim("a", "me", lease=60)
    await redis.script_flush()
    assert await store.claim("a", "you", lease=60) is Claim.HELD


async def test_redis_is_away() -> None:
    """What the client raises passes through, for the receiver to answer with."""
    async with Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)) as client:
        with pytest.raises(RedisConnectionError):
            await RedisStore(client).claim("a", "me", lease=60)
