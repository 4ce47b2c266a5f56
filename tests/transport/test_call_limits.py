"""Limits of a call: slots, timeouts and rate limits."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

import pytest
from aiohttp import TCPConnector, ThreadedResolver

from calls import (
    KEYED,
    ONCE,
    PACED,
    PACED_TOO,
    failed,
    link_request,
    opened,
    script_of,
    silent,
)
from kfq_async import (
    AsyncSession,
    ConnectionLost,
    Operation,
    Phase,
    PoolTimeout,
    RetryPolicy,
    Timeouts,
    TotalTimeout,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from servers import ScriptedServer, Seen, success


async def test_no_more_attempts_at_a_time_than_the_limit() -> None:
    """Thirty calls over five slots all succeed, and the server never sees more than five at once."""
    at_once, most = 0, []

    async def script(_number: int, _seen: Seen) -> bytes:
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        await asyncio.sleep(0.02)
        at_once -= 1
        return success()

    async with (
        ScriptedServer(script) as server,
        opened(server, concurrency=5, timeouts=Timeouts(connect=0.1)) as session,
    ):
        links = await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(30)))
    assert len(links) == len(server.seen) == 30
    assert max(most) == 5


async def test_waiting_for_a_slot_ends_with_the_call() -> None:
    """When ``total`` ends before a slot is free, the error says so, and nothing was sent."""
    async with ScriptedServer(silent) as server, opened(server, concurrency=1) as session:
        busy = asyncio.create_task(session.auth.corp_ident_link(link_request()))
        await server.saw()
        error = await failed(session.with_options(timeouts=Timeouts(total=0.2)))
        busy.cancel()
        assert len(server.seen) == 1
    assert type(error) is PoolTimeout
    assert isinstance(error, TimeoutError)
    assert (error.phase, error.attempts, error.unique_code) == (Phase.NOT_SENT, 0, None)
    assert "total timeout (0.2 s) expired in the queue: the session has 1 slots (concurrency)" in str(error)


async def test_waiting_for_a_slot_again_keeps_the_doubt() -> None:
    """When ``total`` ends while a repetition waits for its slot, the request may still have been acted on."""

    async def script(number: int, seen: Seen) -> None:
        if number:
            await silent(number, seen)
        await asyncio.sleep(0.1)

    async with ScriptedServer(script) as server, opened(server, concurrency=1) as session:
        view = session.with_options(timeouts=Timeouts(total=0.4))
        doubted = asyncio.create_task(failed(view))
        await server.saw()
        busy = asyncio.create_task(session.auth.corp_ident_link(link_request()))
        error = await doubted
        busy.cancel()
    assert (type(error), error.phase, error.attempts) == (PoolTimeout, Phase.SENT, 1)


async def test_total_bounds_all_attempts_together() -> None:
    """``total`` ends a call in the middle of a repetition."""
    async with ScriptedServer(silent) as server, opened(server, timeouts=Timeouts(attempt=0.3, total=1.0)) as session:
        error = await failed(session)
        assert 2 <= len(server.seen) <= 3
    assert (type(error), error.phase) == (TotalTimeout, Phase.SENT)


async def test_a_wait_that_would_outlive_the_call() -> None:
    """When the next wait would take longer than ``total``, the last error is raised without it."""
    retry, timeouts = RetryPolicy(initial=600, maximum=600), Timeouts(total=60)
    async with ScriptedServer(script_of(None)) as server, opened(server, retry=retry, timeouts=timeouts) as session:
        async with asyncio.timeout(30):
            error = await failed(session)
        assert len(server.seen) == 1
    assert (type(error), error.phase, error.attempts) == (ConnectionLost, Phase.SENT, 1)


async def test_time_between_attempts_is_not_reading_time() -> None:
    """``read`` bounds each attempt alone: a wait that is longer does not end the call."""
    retry, timeouts = RetryPolicy(initial=1.0, maximum=1.0), Timeouts(attempt=0.2, connect=0.1)
    async with (
        ScriptedServer(script_of(None, success())) as server,
        opened(server, retry=retry, timeouts=timeouts) as session,
    ):
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2


async def test_deadlines_end_with_their_call() -> None:
    """Whatever the task does after a call is not disturbed by the call's limits."""
    timeouts = Timeouts(attempt=0.6, total=0.6)
    async with ScriptedServer(script_of(success())) as server, opened(server, timeouts=timeouts) as session:
        await session.send(CORP_IDENT_LINK, link_request())
        await asyncio.sleep(0.8)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_stalled_loop_between_two_attempts() -> None:
    """When the event loop itself stalls beyond ``total`` during a wait, the call ends and keeps the doubt."""
    retry, timeouts = RetryPolicy(initial=0.3, maximum=0.3), Timeouts(total=0.5)

    async def script(_number: int, _seen: Seen) -> None:
        asyncio.get_running_loop().call_later(0.1, time.sleep, 0.6)

    async with ScriptedServer(script) as server, opened(server, retry=retry, timeouts=timeouts) as session:
        error = await failed(session)
        assert len(server.seen) == 1
    assert (type(error), error.phase, error.attempts) == (TotalTimeout, Phase.SENT, 1)
    assert "total timeout (0.5 s) expired between two attempts" in str(error)


async def test_limited_operations_are_spaced_from_the_first_on() -> None:
    """What the platform limits goes out evenly, over all views of a session together, also in the first second."""
    times = []

    async def script(_number: int, _seen: Seen) -> bytes:
        times.append(asyncio.get_running_loop().time())
        return success()

    async with ScriptedServer(script) as server, opened(server, rate_limit=20) as session:
        doors = [session, session.for_token("OTHER"), session.with_options(retry=ONCE)] * 3
        await asyncio.gather(*(door.send(PACED) for door in doors))
    assert len(times) == 9
    assert times[-1] - times[0] >= 7 / 20


async def test_waiting_for_a_turn_disturbs_nobody_else() -> None:
    """While a path waits for its next turn it holds no slot, and other paths go on; its wait counts for ``total``."""
    async with (
        ScriptedServer(script_of(success())) as server,
        opened(server, rate_limit=0.01, concurrency=1) as session,
    ):
        await session.send(PACED)
        waiting = asyncio.create_task(session.send(PACED))
        await session.send(PACED_TOO)
        await session.send(KEYED)
        error = await failed(session.with_options(timeouts=Timeouts(total=0.2)), PACED, {})
        assert not waiting.done()
        waiting.cancel()
        assert len(server.seen) == 3
    assert (type(error), error.phase, error.attempts) == (PoolTimeout, Phase.NOT_SENT, 0)


@pytest.mark.parametrize("how", ["total", "cancelled"])
async def test_a_permit_is_returned_without_a_slot(how: str) -> None:
    """A call that has its permit, and ends while it waits for a slot, delays the next one by an interval at most."""
    async with ScriptedServer(silent) as server, opened(server, concurrency=1, rate_limit=20) as session:
        busy = asyncio.create_task(session.send(KEYED))
        await server.saw()
        if how == "total":
            error = await failed(session.with_options(timeouts=Timeouts(total=0.2)), PACED, {})
            assert type(error) is PoolTimeout
        else:
            waiting = asyncio.create_task(session.send(PACED))
            await asyncio.sleep(0.05)
            waiting.cancel()
        busy.cancel()
        following = asyncio.create_task(session.send(PACED))
        async with asyncio.timeout(30):
            await server.saw(2)
        following.cancel()


@pytest.mark.parametrize(("operation", "rate_limit"), [(PACED, None), (KEYED, 0.01)])
async def test_nothing_else_is_paced(operation: Operation[Any, Any], rate_limit: float | None) -> None:
    """Pacing concerns the limited operations alone, and can be switched off."""
    async with (
        ScriptedServer(script_of(success())) as server,
        opened(server, rate_limit=rate_limit, timeouts=Timeouts(total=30)) as session,
    ):
        await asyncio.gather(*(session.send(operation) for _ in range(10)))
        assert len(server.seen) == 10


async def test_a_slow_connection_does_not_bunch_turns_up() -> None:
    """The distance counts from the moment in which a request leaves, however long its connection took to make."""
    times = []

    async def script(_number: int, _seen: Seen) -> bytes:
        times.append(asyncio.get_running_loop().time())
        return success()

    class Slow(ThreadedResolver):
        """Needs half a turn to look a name up, the first time."""

        async def resolve(self, *args: Any, **options: Any) -> Any:
            await asyncio.sleep(0.15)
            return await super().resolve(*args, **options)

    async with ScriptedServer(script) as server:
        base_url = server.base_url.replace("127.0.0.1", "localhost")
        connector = TCPConnector(resolver=Slow(), family=socket.AF_INET)
        async with connector, AsyncSession("T", base_url=base_url, connector=connector) as session:
            answers = await asyncio.gather(*(session.send(PACED) for _ in range(8)))
    assert [each.attempts for each in answers] == [1] * 8
    assert all(times[index + 5] - times[index] > 0.95 for index in range(3))
