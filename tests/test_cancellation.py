"""Cancellation at any point leaves nothing behind: no task, no connection in use, no slot lost."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest, KfqError, RetryPolicy, Timeouts
from kfq_async.sandbox import Fault, Sandbox
from servers import ScriptedServer, Seen, success

LIMIT = 8
CANCELLED = 4000


async def one(session: AsyncSession) -> None:
    """One call, whose failure does not matter here."""
    with suppress(KfqError):
        await session.auth.corp_ident_link(CorpIdentLinkRequest())


async def at_full_concurrency(session: AsyncSession, server: Gathering) -> None:
    """Show that as many calls as there are slots are answered only because all are under way at once."""
    server.gathering = True
    async with asyncio.timeout(20):
        calls = (session.auth.corp_ident_link(CorpIdentLinkRequest()) for _ in range(LIMIT))
        assert len(await asyncio.gather(*calls)) == LIMIT


class Gathering(ScriptedServer):
    """Answers after a moment, or, once ``gathering``, only when as many requests are there as there are slots."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.gathering = False
        self._all_here = asyncio.Event()
        self._here = 0
        self._random = random.Random(1)

    async def _answer(self, _number: int, _seen: Seen) -> bytes | None:
        if self.gathering:
            self._here += 1
            if self._here == LIMIT:
                self._all_here.set()
            await self._all_here.wait()
            return success()
        await asyncio.sleep(self._random.random() * 0.004)
        return success() if self._random.random() < 0.7 else None


async def test_thousands_of_cancellations_lose_nothing() -> None:
    """After thousands of calls cancelled at random points, every slot and connection is free again."""
    chance = random.Random(2)
    retry = RetryPolicy(attempts=4, initial=0.001, maximum=0.002)
    before = asyncio.all_tasks()
    async with (
        Gathering() as server,
        AsyncSession("T", base_url=server.base_url, concurrency=LIMIT, retry=retry) as session,
    ):
        for _ in range(CANCELLED // 40):
            tasks = [asyncio.create_task(one(session)) for _ in range(40)]
            for task in chance.sample(tasks, len(tasks)):
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
                if chance.random() < 0.1:
                    await asyncio.sleep(chance.random() * 0.003)
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await at_full_concurrency(session, server)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("kind", ["endless", "trickle", "delay", "502", "frequent-a", "lose-request"])
async def test_inside_every_construct(kind: str, sandbox: Sandbox) -> None:
    """`asyncio.timeout`, `asyncio.wait_for` and `asyncio.TaskGroup` end a call at once, in an attempt or a wait."""
    sandbox.inject_faults(Fault(kind, seconds=5.0 if kind == "delay" else 0.05))
    timeouts, retry = Timeouts(attempt=20), RetryPolicy(attempts=50, initial=5)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, timeouts=timeouts, retry=retry) as session:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await session.auth.corp_ident_link(CorpIdentLinkRequest())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(session.auth.corp_ident_link(CorpIdentLinkRequest()), 0.1)
        with pytest.raises(ExceptionGroup, match="unhandled") as caught:  # noqa: PT012  # the block is what is tested
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(session.auth.corp_ident_link(CorpIdentLinkRequest())) for _ in range(5)]
                await asyncio.sleep(0.1)
                raise RuntimeError
        assert caught.group_contains(RuntimeError)
        assert all(call.cancelled() for call in calls)


async def test_a_cancellation_is_not_taken_for_a_time_out(sandbox: Sandbox) -> None:
    """A call cancelled from outside in the moment of its own time-out is cancelled, and its task says so."""
    sandbox.inject_faults(Fault("delay", seconds=5.0))
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, timeouts=Timeouts(attempt=0.05)) as session:
        for moment in range(30):
            task = asyncio.create_task(session.auth.corp_ident_link(CorpIdentLinkRequest()))
            await asyncio.sleep(0.1 + moment / 500)
            cancelled = task.cancel()
            (end,) = await asyncio.gather(task, return_exceptions=True)
            assert cancelled
            assert isinstance(end, asyncio.CancelledError)
