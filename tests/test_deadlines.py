"""`Timeouts.total` under every fault: a call ends within a quarter of a second of its deadline."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from kfq_async import AsyncSession, CorpIdentLinkRequest, KfqError, RetryPolicy, Timeouts
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import FAULT_KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TICK = 0.05
"""Seconds of one tick, on a machine that is not busy."""
TURNS = 10
"""Turns of the event loop that a tick takes at least: what is due in one turn needs a few more to end its task."""
MAX_TICKS = 5
"""Ticks by which a call may outlast its deadline: a quarter of a second."""


class Ticks:
    """Counts time in ticks of the event loop, which a busy machine delays as it delays the deadlines.

    A pause of the process, such as a garbage collection between the start of a call and that of its limits, is no tick.
    """

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        """Count the ticks."""
        while True:
            await asyncio.sleep(TICK)
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self.count += 1


@asynccontextmanager
async def run_ticks() -> AsyncIterator[Ticks]:
    """Yield ticks that are counted until the end of the block."""
    ticks = Ticks()
    task = asyncio.create_task(ticks.run())
    try:
        yield ticks
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("kind", FAULT_KINDS)
async def test_total_holds_under_every_fault(kind: str, sandbox: Sandbox) -> None:
    """Under a permanent fault of any kind a call ends soon after its ``total``."""
    seconds = 5.0 if kind.startswith(("delay", "refuse")) else FAULT_KINDS[kind].seconds
    timeouts = Timeouts(connect=5, attempt=30, total=0.3)
    retry = RetryPolicy(attempts=50, initial=0.05, maximum=0.1)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, timeouts=timeouts, retry=retry) as session:
        await session.with_options(timeouts=Timeouts()).auth.corp_ident_link(
            CorpIdentLinkRequest(account_name="13800138000")
        )
        sandbox.inject_faults(Fault(kind, seconds=seconds))
        await asyncio.sleep(0.02)
        async with run_ticks() as ticks:
            try:
                await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
            except KfqError as error:
                assert error.phase in {"sent", "answered", "not_sent"}  # noqa: PT017
            assert ticks.count <= 0.3 / TICK + MAX_TICKS


async def test_total_holds_in_the_queue(sandbox: Sandbox) -> None:
    """A thousand calls that wait for the only slot all end soon after their ``total``."""
    sandbox.inject_faults(Fault("delay", seconds=5.0))
    timeouts = Timeouts(total=0.6)
    async with (
        AsyncSession(sandbox.token, base_url=sandbox.base_url, concurrency=1, timeouts=timeouts) as session,
        run_ticks() as ticks,
    ):

        async def call() -> tuple[str, int]:
            before = ticks.count
            with pytest.raises(KfqError) as caught:
                await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
            return type(caught.value).__name__, ticks.count - before

        ended = await asyncio.gather(*(call() for _ in range(1000)))
    assert {name for name, _ in ended} == {"PoolTimeout", "TotalTimeout"}
    assert max(took for _, took in ended) <= 0.6 / TICK + MAX_TICKS


async def test_queueing_is_no_connect_or_attempt_time(sandbox: Sandbox) -> None:
    """``connect`` and ``attempt`` do not count the wait for a slot, although the queue is longer than both."""
    sandbox.inject_faults(Fault("delay", seconds=0.1))
    timeouts = Timeouts(connect=0.5, attempt=0.5)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, concurrency=2, timeouts=timeouts) as session:
        calls = (session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000")) for _ in range(20))
        assert len(await asyncio.gather(*calls)) == 20
    assert len(sandbox.orders) == 20
