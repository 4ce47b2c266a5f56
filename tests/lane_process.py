"""A process that sends approvals by a shared lane: ``lane_process.py KIND SERVICE BASE_URL NAME COUNT LEASE``."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from kfq_async import AsyncSession, RetryPolicy, Timeouts
from kfq_async.resources.contracts import CONTRACT_APPROVAL

if TYPE_CHECKING:
    from kfq_async import Lane


async def open_lane(stack: AsyncExitStack, kind: str, service: str, lease: float) -> Lane:
    """Return a lane that is closed with the stack."""
    if kind == "redis":
        from redis.asyncio import Redis  # only what is used

        from kfq_async.contracts.lanes_redis import RedisLane

        return RedisLane(await stack.enter_async_context(Redis.from_url(service)), lease=lease)
    from psycopg_pool import AsyncConnectionPool

    from kfq_async.contracts.lanes_postgres import PostgresLane

    pool = AsyncConnectionPool(service, min_size=1, max_size=2, open=False)
    return PostgresLane(await stack.enter_async_context(pool), lease=lease)


async def main(lane: tuple[str, str, float], base_url: str, name: str, count: int) -> None:
    """Send so many approvals at once."""
    async with AsyncExitStack() as stack:
        session = AsyncSession(
            "PV9LQWZA",
            base_url=base_url,
            lane=await open_lane(stack, *lane),
            retry=RetryPolicy(attempts=1),
            timeouts=Timeouts(connect=lane[-1] / 4, attempt=lane[-1] / 4),
        )
        await stack.enter_async_context(session)
        fields = [{"contractId": f"{name}-{number}", "approval": 1} for number in range(count)]
        await asyncio.gather(*(session.send(CONTRACT_APPROVAL, each) for each in fields))


if __name__ == "__main__":
    _, kind, service, base_url, name, count, lease = sys.argv
    asyncio.run(main((kind, service, float(lease)), base_url, name, int(count)))
