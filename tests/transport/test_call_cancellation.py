"""Cancellation of a call by its caller, and the caller's timeouts beside those of the session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import TCPConnector

from calls import NO_RETRY, RATE_LIMITED, error_of, link_request, never_respond, open_session
from kfq_async import AttemptTimeout, KfqError, RetryPolicy, Timeouts
from servers import ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and check that it ends cancelled."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def await_with_timeout(task: asyncio.Task[Any]) -> None:
    """Await a task within `asyncio.timeout`."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await task


async def await_with_wait_for(task: asyncio.Task[Any]) -> None:
    """Await a task with `asyncio.wait_for`."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(task, 0.05)


@pytest.mark.parametrize("end", [cancel, await_with_timeout, await_with_wait_for])
@pytest.mark.parametrize("state", ["no response", "reading", "queued", "back-off"])
async def test_cancellation_passes_through(state: str, end: Callable[[asyncio.Task[Any]], Awaitable[None]]) -> None:
    """Cancelling a call in any state ends it at once, without a retry, and frees its slot."""
    free = asyncio.Event()

    async def script(number: int, seen: ReceivedRequest) -> bytes | tuple[bytes, ...] | None:
        if free.is_set():
            return success()
        match state:
            case "reading":
                return (http_response(b"{", Content_Length="4711"), *[b" "] * 1000)
            case "back-off":
                return None
        return await never_respond(number, seen)

    retry = RetryPolicy(initial=600, maximum=600)
    async with ScriptedServer(script) as server, open_session(server, concurrency=1, retry=retry) as session:
        first = asyncio.create_task(session.auth.corp_ident_link(link_request()))
        await server.wait_for_requests()
        task = first if state != "queued" else asyncio.create_task(error_of(session))
        await asyncio.sleep(0.1)
        await end(task)
        assert task.cancelled()
        first.cancel()
        free.set()
        await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(3)))
        assert len(server.requests) == 4


async def test_cancellation_while_connecting_returns_the_permit() -> None:
    """A limited call that is cancelled before it has its connection returns its permit, slot and connection."""
    connecting = asyncio.Event()

    class StuckOnce(TCPConnector):
        """A connector whose first connection is never established."""

        async def connect(self, *args: Any, **options: Any) -> Any:
            """Wait for ever, the first time."""
            if not connecting.is_set():
                connecting.set()
                await asyncio.Event().wait()
            return await super().connect(*args, **options)

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        return success()

    async with (
        ScriptedServer(script) as server,
        StuckOnce(limit=1) as connector,
        open_session(server, connector=connector, rate_limit=20) as session,
    ):
        first = asyncio.create_task(session.send(RATE_LIMITED))
        await connecting.wait()
        second = asyncio.create_task(session.send(RATE_LIMITED))
        await asyncio.sleep(0.05)
        assert server.requests == []
        await cancel(first)
        assert (await second).attempts == 1


@pytest.mark.parametrize("steps", range(12))
async def test_cancellation_at_each_step(steps: int) -> None:
    """A limited call that is cancelled after any number of steps of the event loop keeps no permit and no slot."""

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        return success()

    async with (
        ScriptedServer(script) as server,
        open_session(server, concurrency=1, rate_limit=1000) as session,
    ):
        calls = [asyncio.create_task(session.send(RATE_LIMITED)) for _ in range(3)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for call in calls[:2]:
            call.cancel()
        await asyncio.gather(*calls[:2], return_exceptions=True)
        assert (await calls[2]).attempts == 1
        assert (await session.send(RATE_LIMITED)).attempts == 1


async def test_timeout_of_the_caller() -> None:
    """A call within `asyncio.timeout` ends with the caller's `TimeoutError`, not with an error of the session."""
    limit, timeouts = asyncio.timeout(None), Timeouts(attempt=600, total=600)

    async def script(number: int, seen: ReceivedRequest) -> None:
        limit.reschedule(0.0)
        await never_respond(number, seen)

    async with ScriptedServer(script) as server, open_session(server, timeouts=timeouts) as session:
        with pytest.raises(TimeoutError) as caught:
            async with limit:
                await session.auth.corp_ident_link(link_request())
        assert not isinstance(caught.value, KfqError)
        assert len(server.requests) == 1


async def test_timeout_of_the_session_within_one_of_the_caller() -> None:
    """Within a longer `asyncio.timeout` the attempt timeout raises the session's error, and the block continues."""
    timeouts = Timeouts(attempt=0.2)
    async with (
        ScriptedServer(never_respond) as server,
        open_session(server, timeouts=timeouts, retry=NO_RETRY) as session,
        asyncio.timeout(60),
    ):
        error = await error_of(session)
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
    assert type(error) is AttemptTimeout


async def test_many_cancellations_lose_no_slot() -> None:
    """After a hundred calls cancelled in all states, three requests still run at a time."""
    cancelling, together = True, asyncio.Barrier(3)

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        await (asyncio.sleep(0.003) if cancelling else together.wait())
        return success()

    async with ScriptedServer(script) as server, open_session(server, concurrency=3) as session:
        tasks = []
        for delay in range(100):
            task = asyncio.create_task(session.auth.corp_ident_link(link_request()))
            asyncio.get_running_loop().call_later(delay / 1000, task.cancel)
            tasks.append(task)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(result, asyncio.CancelledError) for result in results)
        assert all(isinstance(result, asyncio.CancelledError) or hasattr(result, "order_no") for result in results)
        await asyncio.sleep(0.05)  # requests of cancelled calls may arrive late
        cancelling = False
        requests = [link_request() for _ in range(12)]
        async with asyncio.timeout(30):
            await asyncio.gather(*(session.auth.corp_ident_link(request) for request in requests))
        arrived = [orjson.loads(seen.body)["clientRequestId"] for seen in server.requests]
        assert [arrived.count(request.client_request_id) for request in requests] == [1] * 12
