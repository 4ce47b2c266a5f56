"""`Timeouts.total` under every fault: the promise is a quarter of a second."""

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

TOTAL = 0.3
QUEUED = 0.6
"""The same for a thousand calls, whose start alone takes a while."""
TOLERANCE = 0.25


STALL = 0.05
"""Seconds from which a pause of the loop is one."""


class Stalls:
    """How long the event loop was kept from running, which is nobody's promise; a call may meet several stalls."""

    seconds = 0.0


@asynccontextmanager
async def stalls() -> AsyncIterator[Stalls]:
    """Watch the loop, since the machine may be busy with something else."""
    seen = Stalls()
    loop = asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            late = loop.time() - before - 0.005
            seen.seconds += late if late > STALL else 0.0

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("kind", FAULT_KINDS)
async def test_total_holds_under_every_fault(kind: str, sandbox: Sandbox) -> None:
    """Whatever goes wrong, for good, a call ends within a quarter of a second of its ``total``."""
    seconds = 5.0 if kind.startswith(("delay", "refuse")) else FAULT_KINDS[kind].seconds
    timeouts = Timeouts(connect=5, attempt=30, total=TOTAL)
    retry = RetryPolicy(attempts=50, initial=0.05, maximum=0.1)
    loop = asyncio.get_running_loop()
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, timeouts=timeouts, retry=retry) as session:
        await session.with_options(timeouts=Timeouts()).auth.corp_ident_link(CorpIdentLinkRequest())
        sandbox.inject_faults(Fault(kind, seconds=seconds))
        await asyncio.sleep(0.02)
        async with stalls() as seen:
            began = loop.time()
            try:
                await session.auth.corp_ident_link(CorpIdentLinkRequest())
            except KfqError as error:
                assert error.phase in {"sent", "answered", "not_sent"}  # noqa: PT017
            took = loop.time() - began
    assert took <= TOTAL + TOLERANCE + seen.seconds


async def test_total_holds_while_waiting_for_a_slot(sandbox: Sandbox) -> None:
    """A thousand calls that wait for the only slot all end when their ``total`` does."""
    sandbox.inject_faults(Fault("delay", seconds=5.0))
    loop = asyncio.get_running_loop()
    timeouts = Timeouts(total=QUEUED)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, concurrency=1, timeouts=timeouts) as session:

        async def call() -> tuple[KfqError, float]:
            began = loop.time()
            with pytest.raises(KfqError) as ended:
                await session.auth.corp_ident_link(CorpIdentLinkRequest())
            return ended.value, loop.time() - began

        async with stalls() as seen:
            ended = await asyncio.gather(*(call() for _ in range(1000)))
    assert {type(error).__name__ for error, _ in ended} == {"PoolTimeout", "TotalTimeout"}
    assert max(took for _, took in ended) <= QUEUED + TOLERANCE + seen.seconds


async def test_waiting_for_a_slot_is_no_time_of_the_connection(sandbox: Sandbox) -> None:
    """``connect`` and ``read`` do not count the wait for a slot, however long the queue is."""
    sandbox.inject_faults(Fault("delay", seconds=0.1))
    timeouts = Timeouts(connect=0.5, attempt=0.5)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, concurrency=2, timeouts=timeouts) as session:
        calls = (session.auth.corp_ident_link(CorpIdentLinkRequest()) for _ in range(20))
        assert len(await asyncio.gather(*calls)) == 20
    assert len(sandbox.orders) == 20
