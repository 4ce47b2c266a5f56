"""Cancellation of a call from outside, and timeouts of the caller beside those of the session."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from calls import (
    ONCE,
    PATIENT,
    failed,
    link_request,
    opened,
    silent,
)
from kfq_async import (
    AttemptTimeout,
    KfqError,
    RetryPolicy,
    Timeouts,
)
from servers import ScriptedServer, Seen, answer, success


@pytest.mark.parametrize("how", ["cancel", "timeout", "wait_for"])
@pytest.mark.parametrize("where", ["waiting for an answer", "reading", "waiting for a slot", "in back-off"])
async def test_a_cancellation_from_outside_passes_through(where: str, how: str) -> None:
    """Whatever a call is doing, cancelling it ends it at once, repeats nothing and loses no slot."""
    free = asyncio.Event()

    async def script(number: int, seen: Seen) -> bytes | tuple[bytes, ...] | None:
        if free.is_set():
            return success()
        match where:
            case "reading":
                return (answer(b"{", Content_Length="4711"), *[b" "] * 1000)
            case "in back-off":
                return None
        return await silent(number, seen)

    retry = RetryPolicy(initial=600, maximum=600)
    async with ScriptedServer(script) as server, opened(server, concurrency=1, retry=retry) as session:
        busy = asyncio.create_task(session.auth.corp_ident_link(link_request()))
        await server.saw()
        task = busy if where != "waiting for a slot" else asyncio.create_task(failed(session))
        await asyncio.sleep(0.1)
        await {"cancel": cancelled, "timeout": timed_out, "wait_for": waited_for}[how](task)
        assert task.cancelled()
        busy.cancel()
        free.set()
        await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(3)))
        assert len(server.seen) == 4


async def cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and see it end cancelled."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def timed_out(task: asyncio.Task[Any]) -> None:
    """Await a task for a moment."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await task


async def waited_for(task: asyncio.Task[Any]) -> None:
    """Await a task for a moment, the older way."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0.05)


async def test_a_time_out_of_the_callers_own() -> None:
    """Inside `asyncio.timeout` the caller's limit counts as the caller's, even beside limits of the session."""
    async with ScriptedServer(silent) as server, opened(server, timeouts=Timeouts(attempt=600, total=600)) as session:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.15):
                await session.auth.corp_ident_link(link_request())
        assert not isinstance(caught.value, KfqError)
        assert len(server.seen) == 1


async def test_a_time_out_of_the_session_inside_a_callers_own() -> None:
    """Inside a generous `asyncio.timeout` the session's limit is an error of the session, and the block goes on."""
    async with ScriptedServer(silent) as server, opened(server, timeouts=PATIENT, retry=ONCE) as session:
        async with asyncio.timeout(60):
            error = await failed(session)
            await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
    assert type(error) is AttemptTimeout


async def test_a_storm_of_cancellations_loses_no_slot() -> None:
    """After a hundred calls cancelled in all states, three requests can still run at once."""
    storm, together = True, asyncio.Barrier(3)

    async def script(_number: int, _seen: Seen) -> bytes:
        await (asyncio.sleep(0.003) if storm else together.wait())
        return success()

    async with ScriptedServer(script) as server, opened(server, concurrency=3) as session:
        tasks = []
        for delay in range(100):
            task = asyncio.create_task(session.auth.corp_ident_link(link_request()))
            asyncio.get_running_loop().call_later(delay / 1000, task.cancel)
            tasks.append(task)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(end, asyncio.CancelledError) for end in ended)
        assert all(isinstance(end, asyncio.CancelledError) or hasattr(end, "order_no") for end in ended)
        await asyncio.sleep(0.05)  # requests of cancelled calls may arrive late
        storm = False
        requests = [link_request() for _ in range(12)]
        async with asyncio.timeout(30):
            await asyncio.gather(*(session.auth.corp_ident_link(request) for request in requests))
        arrived = [orjson.loads(seen.body)["clientRequestId"] for seen in server.seen]
        assert [arrived.count(request.client_request_id) for request in requests] == [1] * 12
