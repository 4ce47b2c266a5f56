"""Lanes that processes share, with a real Redis and a real PostgreSQL."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from calls import error_of
from driven_platform import DrivenPlatform
from kfq_async import Lane, Phase, SessionError
from kfq_async.contracts.lanes_postgres import PostgresLane
from kfq_async.contracts.lanes_redis import RedisLane
from kfq_async.resources.contracts import CONTRACT_APPROVAL
from lane_process import open_lane

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PLATFORM = "https://platform.example"
PROCESS = Path(__file__).parent.parent / "lane_process.py"
LEASE = 0.6
"""Seconds of a lease that a test waits for."""


class Service:
    """Redis or PostgreSQL."""

    def __init__(self, kind: str, address: str) -> None:
        self.kind = kind
        self.address = address

    async def elsewhere(self, act: Callable[[Lane], Awaitable[Any]], lease: float = LEASE) -> Any:
        """Use the lane in another event loop, as another process would."""

        async def use() -> Any:
            async with AsyncExitStack() as stack:
                return await act(await open_lane(stack, self.kind, self.address, lease))

        return await asyncio.to_thread(lambda: asyncio.run(use()))

    async def take_away(self) -> None:
        """End all leases, as a failover that loses data would."""
        if self.kind == "redis":
            async with Redis.from_url(self.address) as client:
                await client.flushdb()
        else:
            async with await psycopg.AsyncConnection.connect(self.address, autocommit=True) as connection:
                await connection.execute("DELETE FROM kfq_lanes")


@pytest.fixture(params=["redis", "postgres"])
def service(request: pytest.FixtureRequest, redis: Redis, redis_port: int, postgres: str) -> Service:
    """Each of both services, empty."""
    assert redis is not None
    return Service(request.param, {"redis": f"redis://127.0.0.1:{redis_port}", "postgres": postgres}[request.param])


@pytest.fixture
async def lane(service: Service) -> AsyncIterator[Lane]:
    """A lane of this process."""
    async with AsyncExitStack() as stack:
        yield await open_lane(stack, service.kind, service.address, LEASE)


async def take(lane: Lane) -> float:
    """Take the lane, give it back, and return the time of the clock that all threads share."""
    turn = await lane.acquire(PLATFORM)
    now = asyncio.get_running_loop().time()
    await turn.release()
    return now


async def test_released(lane: Lane, service: Service) -> None:
    """A lane that was given back is free at once, here and elsewhere."""
    for _ in range(3):
        turn = await lane.acquire(PLATFORM)
        assert 0 < turn.remaining <= LEASE
        await turn.release()
    await service.elsewhere(take, lease=60)
    async with asyncio.timeout(10):
        await take(lane)


async def test_renewed(lane: Lane, service: Service) -> None:
    """A lane that is held for longer than its lease is renewed, and others wait until it is given back."""
    turn = await lane.acquire(PLATFORM)
    other = asyncio.create_task(service.elsewhere(take))
    await asyncio.sleep(2 * LEASE)
    assert turn.remaining > 0
    assert not other.done()
    released_at = asyncio.get_running_loop().time()
    await turn.release()
    assert await other >= released_at


async def test_kept(lane: Lane, service: Service) -> None:
    """A lane that is kept opens here after the given time, and for others when its lease ends."""
    turn = await lane.acquire(PLATFORM)
    other = asyncio.create_task(service.elsewhere(take))
    ends_at = asyncio.get_running_loop().time() + turn.remaining
    turn.keep(0.1)
    assert await other > ends_at - 0.1
    await take(lane)


async def test_other_platforms(lane: Lane, service: Service) -> None:
    """Each platform has a lane of its own."""
    turn = await lane.acquire("https://other.example")
    await service.elsewhere(take)
    await turn.release()


async def test_cancelled_in_the_queue(lane: Lane, service: Service) -> None:
    """A call that is cancelled while another process holds the lane leaves nothing behind."""
    taken, given_back = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hold(other: Lane) -> None:
        turn = await other.acquire(PLATFORM)
        loop.call_soon_threadsafe(taken.set)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(given_back.wait(), loop))
        await turn.release()

    holder = asyncio.create_task(service.elsewhere(hold, lease=60))
    await taken.wait()
    waiting = asyncio.create_task(lane.acquire(PLATFORM))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    given_back.set()
    await holder
    async with asyncio.timeout(10):
        await take(lane)


async def test_lost(lane: Lane, service: Service) -> None:
    """A lease that was lost is noticed with its next renewal, and giving it back takes nothing from its new holder."""
    turn = await lane.acquire(PLATFORM)
    await service.take_away()
    await asyncio.sleep(LEASE / 2)
    assert turn.remaining <= 0
    await asyncio.sleep(LEASE / 2)
    if service.kind == "redis":
        with pytest.raises(Exception, match="no longer owned"):
            await turn.release()
    else:
        await turn.release()
    await take(lane)


async def test_not_renewed(lane: Lane, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the service is away the lease lasts as long as it was given, and no longer."""
    turn = await lane.acquire(PLATFORM)

    async def fail() -> bool:
        raise OSError

    monkeypatch.setattr(turn, "_renew", fail)
    assert turn.remaining > 0
    await asyncio.sleep(1.5 * LEASE)
    assert turn.remaining <= 0
    turn.keep(0.01)
    await service.elsewhere(take)
    await take(lane)


async def test_service_away(service: Service) -> None:
    """Without its service a lane lets nothing pass, and the error says so."""
    async with AsyncExitStack() as stack:
        if service.kind == "redis":
            lane: Lane = RedisLane(await stack.enter_async_context(Redis(port=1, retry=Retry(NoBackoff(), 0))))
        else:
            pool = AsyncConnectionPool("host=/nowhere", min_size=0, max_size=1, timeout=0.1, open=False)
            lane = PostgresLane(await stack.enter_async_context(pool))
        async with DrivenPlatform().serving() as platform, platform.open(lane=lane) as session:
            error = await error_of(session, CONTRACT_APPROVAL, {"approval": 1})
            await session.contracts.tasks("C-1")
    assert type(error) is SessionError
    assert error.phase is Phase.NOT_SENT
    assert f"the method acquire of {type(lane).__name__}, the session's lane, raised" in str(error)
    assert platform.arrived == ["tasks C-1"]


async def test_processes(service: Service) -> None:
    """Three processes, of which one is killed while its request is under way, never overlap, and none is lost."""
    async with DrivenPlatform().serving() as platform:
        platform.seconds = 0.02

        async def start(name: str, count: int) -> asyncio.subprocess.Process:
            arguments = (service.kind, service.address, platform.base_url, name, str(count), "2")
            return await asyncio.create_subprocess_exec(sys.executable, str(PROCESS), *arguments)

        platform.hold.clear()
        victim = await start("victim", 5)
        await platform.wait_for(1)
        others = [await start(name, 8) for name in ("second", "third")]
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        platform.hold.set()  # the platform goes on working, and responds to nobody
        assert [await process.wait() for process in others] == [0, 0]
    assert platform.most == 1
    expected = [f"approval {name}-{number}" for name in ("second", "third") for number in range(8)]
    assert sorted(platform.arrived[1:]) == expected


@pytest.mark.parametrize("kind", [RedisLane, PostgresLane])
@pytest.mark.parametrize(
    ("lease", "problem", "message"),
    [
        ("60", TypeError, "lease must be a number of seconds, not str"),
        (True, TypeError, "lease must be a number of seconds, not bool"),
        (0, ValueError, "lease must be more than 0 seconds, and finite"),
        (float("inf"), ValueError, "lease must be more than 0 seconds, and finite"),
    ],
)
def test_invalid_lease(kind: Any, lease: Any, problem: type[Exception], message: str) -> None:
    """A lease is a positive, finite number of seconds."""
    with pytest.raises(problem) as caught:
        kind(None, lease=lease)
    assert str(caught.value) == message


def test_repr() -> None:
    """A lane shows its settings, and not its client, which may hold a password."""
    client: Any = "redis://:SECRET@host"
    assert repr(RedisLane(client)) == "RedisLane(lease=60.0, prefix='kfq:lanes:')"
    assert repr(PostgresLane(client)) == "PostgresLane(lease=60.0, table='kfq_lanes')"
