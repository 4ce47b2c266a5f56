"""Cancellation of calls at random points: no task, connection or slot is lost."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest, KfqError, RetryPolicy, Timeouts
from kfq_async.sandbox import Fault, Sandbox
from servers import ReceivedRequest, ScriptedServer, success

CONCURRENCY = 8
CANCELLED = 4000


async def call(session: AsyncSession) -> None:
    """Make one call, and ignore its failure."""
    with suppress(KfqError):
        await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))


async def check_concurrency(session: AsyncSession, server: BarrierServer) -> None:
    """Check that as many calls as the session has slots run at a time: the server responds to all or none."""
    server.at_barrier = True
    async with asyncio.timeout(20):
        calls = (
            session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000")) for _ in range(CONCURRENCY)
        )
        assert len(await asyncio.gather(*calls)) == CONCURRENCY


class BarrierServer(ScriptedServer):
    """Responds after a moment, or, once ``at_barrier`` is set, when as many requests have come as there are slots."""

    def __init__(self) -> None:
        super().__init__(self._respond)
        self.at_barrier = False
        self._complete = asyncio.Event()
        self._waiting = 0
        self._random = random.Random(1)

    async def _respond(self, _number: int, _seen: ReceivedRequest) -> bytes | None:
        if self.at_barrier:
            self._waiting += 1
            if self._waiting == CONCURRENCY:
                self._complete.set()
            await self._complete.wait()
            return success()
        await asyncio.sleep(self._random.random() * 0.004)
        return success() if self._random.random() < 0.7 else None


async def test_thousands_of_cancellations() -> None:
    """After thousands of calls were cancelled at random points, every slot and connection is free, and no task left."""
    chance = random.Random(2)
    retry = RetryPolicy(attempts=4, initial=0.001, maximum=0.002)
    before = asyncio.all_tasks()
    async with (
        BarrierServer() as server,
        AsyncSession("T", base_url=server.base_url, concurrency=CONCURRENCY, retry=retry) as session,
    ):
        for _ in range(CANCELLED // 40):
            tasks = [asyncio.create_task(call(session)) for _ in range(40)]
            for task in chance.sample(tasks, len(tasks)):
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                if chance.random() < 0.1:
                    await asyncio.sleep(chance.random() * 0.003)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await check_concurrency(session, server)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("kind", ["endless", "trickle", "delay", "502", "frequent-a", "lose-request"])
async def test_cancellation_by_asyncio(kind: str, sandbox: Sandbox) -> None:
    """`asyncio.timeout`, `asyncio.wait_for` and `asyncio.TaskGroup` end a call in an attempt and in a back-off."""
    sandbox.inject_faults(Fault(kind, seconds=5.0 if kind == "delay" else 0.05))
    timeouts, retry = Timeouts(attempt=20), RetryPolicy(attempts=50, initial=5)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, timeouts=timeouts, retry=retry) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000")), 0.1)
        with pytest.raises(ExceptionGroup, match="unhandled") as caught:  # noqa: PT012  # the block is what is tested
            async with asyncio.TaskGroup() as group:
                calls = [
                    group.create_task(session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000")))
                    for _ in range(5)
                ]
                await asyncio.sleep(0.1)
                raise RuntimeError
        assert caught.group_contains(RuntimeError)
        assert all(call.cancelled() for call in calls)


async def test_cancellation_at_the_moment_of_the_attempt_timeout(sandbox: Sandbox) -> None:
    """A call that its caller cancels at the moment of its own attempt timeout ends cancelled."""
    sandbox.inject_faults(Fault("delay", seconds=5.0))
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, timeouts=Timeouts(attempt=0.05)) as session:
        for moment in range(30):
            task = asyncio.create_task(session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000")))
            await asyncio.sleep(0.1 + moment / 500)
            cancelled = task.cancel()
            (end,) = await asyncio.gather(task, return_exceptions=True)
            assert cancelled
            assert isinstance(end, asyncio.CancelledError)
