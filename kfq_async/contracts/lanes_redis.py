"""`RedisLane`: a lane shared by several processes, in Redis (extra ``redis``)."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from redis.exceptions import LockNotOwnedError

from kfq_async.contracts.lanes import MAX_RELEASE, LeasedTurn, ProcessLane, check_lease

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.lock import Lock

    from kfq_async.contracts.lanes import ProcessTurn

__all__ = ["RedisLane"]

POLL = 0.02
"""Seconds between two attempts to acquire the lock."""


class RedisLane:
    """One lane per platform for all processes that use the same Redis and ``prefix``, by redis-py's own lock.

    The calls of an event loop queue first come, first served; between processes there is no sequence. The lock is a
    lease, renewed while it is held: after the death of its holder, or a response that never came, the others wait until
    it ends, since the platform may still be working. A call whose lease was lost is not sent. The lane is not fenced,
    since the platform takes no fencing token: after a failover of Redis two processes may hold it for a moment.

    While Redis is away, exclusive requests fail as `SessionError`, and nothing is sent.

    Args:
        client: ``redis.asyncio`` client. Configure its timeouts, and close it yourself: the lane does not.
        lease: Seconds for which the lane is held without a renewal; longer than an attempt, `Timeouts.connect` and
            `Timeouts.attempt` together.
        prefix: Prefix of all keys in Redis.
    """

    def __init__(self, client: Redis, *, lease: float = 60.0, prefix: str = "kfq:lanes:") -> None:
        self._client = client
        self._lease = check_lease(lease)
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lease={self._lease}, prefix={self._prefix!r})"

    async def acquire(self, platform: str) -> LeasedTurn:
        """Wait until the lane of a platform is free, and take it; see `Lane`."""
        local = await ProcessLane().acquire(platform)
        lock = self._client.lock(f"{self._prefix}{platform}", timeout=self._lease, thread_local=False)
        token = secrets.token_hex(16)
        try:
            return await self._acquire(lock, token, local)
        except BaseException:
            await _forget(lock, token)
            await local.release()
            raise

    async def _acquire(self, lock: Lock, token: str, local: ProcessTurn) -> LeasedTurn:
        clock = asyncio.get_running_loop().time
        began = clock()
        while not await lock.acquire(blocking=False, token=token):
            await asyncio.sleep(POLL)
            began = clock()

        async def renew() -> bool:
            try:
                return await lock.reacquire()
            except LockNotOwnedError:
                return False

        return LeasedTurn(local, self._lease, began, renew=renew, end=lock.release, leave=_nothing)


async def _nothing() -> None:
    """Leave the lease to its end."""


async def _forget(lock: Lock, token: str) -> None:
    """Give back a lock that a cancelled or failed request may have acquired."""
    with suppress(Exception):  # it is not held, or the lease must end by itself
        async with asyncio.timeout(MAX_RELEASE):
            await lock.do_release(token.encode())
