"""Limits of a call: concurrency, total and attempt timeouts, and rate limits."""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import TCPConnector

from calls import (
    DRAFT,
    KEYED,
    NO_RETRY,
    OTHER_RATE_LIMITED,
    RATE_LIMITED,
    error_of,
    link_request,
    never_respond,
    open_session,
    respond,
)
from kfq_async import (
    AttemptTimeout,
    ConnectionLost,
    Operation,
    Phase,
    PoolTimeout,
    RetryPolicy,
    Timeouts,
    TotalTimeout,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.transport.limits import PLATFORM_LIMIT
from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Iterable

# Concurrency


async def test_concurrency_bounds_the_attempts() -> None:
    """Thirty calls over five slots all succeed, never more than five at a time, and queueing is no connect time."""
    running, counts = 0, []

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        nonlocal running
        running += 1
        counts.append(running)
        await asyncio.sleep(0.25)
        running -= 1
        return success()

    # The last calls queue for longer than the connect timeout, which leaves a second to connect on a busy machine.
    async with (
        ScriptedServer(script) as server,
        open_session(server, concurrency=5, timeouts=Timeouts(connect=1)) as session,
    ):
        links = await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(30)))
    assert len(links) == len(server.requests) == 30
    assert max(counts) == 5


async def test_total_expires_in_the_queue() -> None:
    """When ``total`` expires before a slot is free, the error names the limit, and nothing was sent."""
    async with ScriptedServer(never_respond) as server, open_session(server, concurrency=1) as session:
        running = asyncio.create_task(session.auth.corp_ident_link(link_request()))
        await server.wait_for_requests()
        error = await error_of(session.with_options(timeouts=Timeouts(total=0.2)))
        running.cancel()
        assert len(server.requests) == 1
    assert type(error) is PoolTimeout
    assert isinstance(error, TimeoutError)
    assert (error.phase, error.attempts, error.unique_code) == (Phase.NOT_SENT, 0, None)
    assert "total timeout (0.2 s) expired in the queue: the concurrency of the session is 1" in str(error)


async def test_total_expires_in_the_queue_before_a_retry() -> None:
    """When ``total`` expires while a retry waits for its slot, the first attempt keeps the phase ``sent``."""
    queued = asyncio.Event()

    async def script(number: int, seen: ReceivedRequest) -> None:
        if number:
            await never_respond(number, seen)
        await queued.wait()

    async with ScriptedServer(script) as server, open_session(server, concurrency=1) as session:
        call = asyncio.create_task(error_of(session.with_options(timeouts=Timeouts(total=1))))
        await server.wait_for_requests()
        other = asyncio.create_task(session.auth.corp_ident_link(link_request()))
        await asyncio.sleep(0)
        queued.set()
        error = await call
        other.cancel()
    assert (type(error), error.phase, error.attempts) == (PoolTimeout, Phase.SENT, 1)


async def test_ten_thousand_calls_expire_in_the_queue() -> None:
    """Ten thousand calls that wait for the only slot end with their ``total``, not sent, and the slot is free again."""

    async def script(number: int, seen: ReceivedRequest) -> bytes | None:
        return success() if number else await never_respond(number, seen)

    async with ScriptedServer(script) as server, open_session(server, concurrency=1) as session:
        running = asyncio.create_task(session.send(DRAFT, {}))
        await server.wait_for_requests()
        view = session.with_options(timeouts=Timeouts(total=0.5))
        errors = await asyncio.gather(*(view.send(DRAFT, {}) for _ in range(10_000)), return_exceptions=True)
        assert {(type(error), getattr(error, "phase", None)) for error in errors} == {(PoolTimeout, Phase.NOT_SENT)}
        assert len(server.requests) == 1
        running.cancel()
        assert (await session.send(DRAFT, {})).attempts == 1


# Timeouts


async def test_total_bounds_all_attempts_together() -> None:
    """``total`` counts over all attempts, so a call whose attempts time out ends long before its last attempt."""
    timeouts, retry = Timeouts(attempt=0.1, total=0.6), RetryPolicy(attempts=1000, initial=0.01, maximum=0.01)
    async with (
        ScriptedServer(never_respond) as server,
        open_session(server, timeouts=timeouts, retry=retry) as session,
    ):
        error = await error_of(session)
    # Where there is no time left for the next wait, the error of the last attempt is raised.
    assert type(error) in {TotalTimeout, AttemptTimeout}
    assert error.phase is Phase.SENT
    assert error.attempts < 1000


async def test_total_expires_during_a_retry() -> None:
    """``total`` ends a call in the middle of its second attempt."""

    async def script(number: int, seen: ReceivedRequest) -> None:
        if number:
            await never_respond(number, seen)

    async with ScriptedServer(script) as server, open_session(server, timeouts=Timeouts(total=1)) as session:
        error = await error_of(session)
        assert len(server.requests) == 2
    assert (type(error), error.phase, error.attempts) == (TotalTimeout, Phase.SENT, 2)


async def test_wait_beyond_total_is_not_begun() -> None:
    """When the next wait is longer than the rest of ``total``, the last error is raised without it."""
    retry, timeouts = RetryPolicy(initial=600, maximum=600), Timeouts(total=60)
    async with ScriptedServer(respond(None)) as server, open_session(server, retry=retry, timeouts=timeouts) as session:
        async with asyncio.timeout(30):
            error = await error_of(session)
        assert len(server.requests) == 1
    assert (type(error), error.phase, error.attempts) == (ConnectionLost, Phase.SENT, 1)


async def test_back_off_is_no_attempt_time() -> None:
    """``connect`` and ``attempt`` bound each attempt alone: a back-off that is longer does not end the call."""
    # The back-off is at least a second, and the limits leave 0.4 s each to a busy machine.
    retry, timeouts = RetryPolicy(initial=2.0, maximum=2.0), Timeouts(attempt=0.4, connect=0.4)
    async with (
        ScriptedServer(respond(None, success())) as server,
        open_session(server, retry=retry, timeouts=timeouts) as session,
    ):
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2


async def test_deadlines_end_with_their_call() -> None:
    """The limits of a call do not cancel what its task does afterwards."""
    timeouts = Timeouts(attempt=1, total=1)
    async with ScriptedServer(respond(success())) as server, open_session(server, timeouts=timeouts) as session:
        await session.send(CORP_IDENT_LINK, link_request())
        await asyncio.sleep(1.2)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_blocked_loop_between_two_attempts() -> None:
    """When the event loop is blocked beyond ``total`` during a back-off, the call ends and keeps the phase."""
    loop = asyncio.get_running_loop()

    class Blocker(logging.Handler):
        """Blocks the event loop once a retry is logged, which happens before the back-off."""

        def emit(self, _record: logging.LogRecord) -> None:
            loop.call_soon(time.sleep, 1.2)

    retry, timeouts, blocker = RetryPolicy(initial=0.2, maximum=0.2), Timeouts(total=1), Blocker(logging.INFO)
    logger = logging.getLogger("kfq_async")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(blocker)
    try:
        async with (
            ScriptedServer(respond(None)) as server,
            open_session(server, retry=retry, timeouts=timeouts) as session,
        ):
            error = await error_of(session)
            assert len(server.requests) == 1
    finally:
        logger.removeHandler(blocker)
        logger.setLevel(level)
    assert (type(error), error.phase, error.attempts) == (TotalTimeout, Phase.SENT, 1)
    assert "total timeout (1 s) expired before an attempt" in str(error)


# Rate limits


class TimedConnector(TCPConnector):
    """A connector that takes its time, and records when it returns a connection: a permit ends then.

    Times of the client do not depend on the load of the machine, as times of arrival do.
    """

    def __init__(self, delays: Iterable[float] = (0.0,)) -> None:
        super().__init__()
        self.times: list[float] = []
        self._delays = cycle(delays)

    async def connect(self, *args: Any, **options: Any) -> Any:
        """Return a connection after the next delay."""
        await asyncio.sleep(next(self._delays))
        connection = await super().connect(*args, **options)
        self.times.append(asyncio.get_running_loop().time())
        return connection


async def test_views_share_the_rate_limit() -> None:
    """Limited calls of all views of a session together are evenly spaced, in the first second as well."""
    connector = TimedConnector()
    async with (
        ScriptedServer(respond(success())) as server,
        connector,
        open_session(server, connector=connector, rate_limit=20) as session,
    ):
        views = [session, session.for_token("OTHER"), session.with_options(retry=NO_RETRY)] * 3
        await asyncio.gather(*(view.send(RATE_LIMITED) for view in views))
    assert len(connector.times) == 9
    assert min(later - earlier for earlier, later in pairwise(connector.times)) >= 1 / 20


async def test_slow_connection_keeps_the_spacing() -> None:
    """The interval counts from the moment in which a request is sent, however long connecting took."""
    connector = TimedConnector([0.15, 0.0])
    async with (
        ScriptedServer(respond(success())) as server,
        connector,
        open_session(server, connector=connector) as session,
    ):
        responses = await asyncio.gather(*(session.send(RATE_LIMITED) for _ in range(8)))
    assert [response.attempts for response in responses] == [1] * 8
    assert min(later - earlier for earlier, later in pairwise(connector.times)) >= 1 / PLATFORM_LIMIT


async def test_waiting_for_a_permit_holds_no_slot() -> None:
    """While one path waits for its permit, other paths continue over the only slot; the wait counts for ``total``."""
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, rate_limit=0.01, concurrency=1) as session,
    ):
        await session.send(RATE_LIMITED)
        waiting = asyncio.create_task(session.send(RATE_LIMITED))
        await session.send(OTHER_RATE_LIMITED)
        await session.send(KEYED)
        error = await error_of(session.with_options(timeouts=Timeouts(total=0.2)), RATE_LIMITED, {})
        assert not waiting.done()
        waiting.cancel()
        assert len(server.requests) == 3
    assert (type(error), error.phase, error.attempts) == (PoolTimeout, Phase.NOT_SENT, 0)
    assert "this operation is sent every 1e+02 s (rate_limit)" in str(error)


@pytest.mark.parametrize("end", ["total", "cancelled"])
async def test_permit_is_returned_without_a_slot(end: str) -> None:
    """A call that has its permit, and ends in the queue for a slot, delays the next call by one interval at most."""
    async with ScriptedServer(never_respond) as server, open_session(server, concurrency=1, rate_limit=20) as session:
        running = asyncio.create_task(session.send(KEYED))
        await server.wait_for_requests()
        if end == "total":
            error = await error_of(session.with_options(timeouts=Timeouts(total=0.2)), RATE_LIMITED, {})
            assert type(error) is PoolTimeout
        else:
            waiting = asyncio.create_task(session.send(RATE_LIMITED))
            await asyncio.sleep(0.05)
            waiting.cancel()
        running.cancel()
        next_call = asyncio.create_task(session.send(RATE_LIMITED))
        async with asyncio.timeout(30):
            await server.wait_for_requests(2)
        next_call.cancel()


async def test_ten_thousand_calls_expire_while_they_wait_for_a_permit() -> None:
    """Ten thousand calls whose ``total`` expires before they have a permit end as not sent."""
    async with ScriptedServer(respond(success())) as server, open_session(server, rate_limit=0.001) as session:
        await session.send(RATE_LIMITED)
        view = session.with_options(timeouts=Timeouts(total=0.5))
        errors = await asyncio.gather(*(view.send(RATE_LIMITED) for _ in range(10_000)), return_exceptions=True)
        assert {(type(error), getattr(error, "phase", None)) for error in errors} == {(PoolTimeout, Phase.NOT_SENT)}
        assert len(server.requests) == 1


@pytest.mark.parametrize(("operation", "rate_limit"), [(RATE_LIMITED, None), (KEYED, 0.01)])
async def test_calls_without_a_rate_limit(operation: Operation[Any, Any], rate_limit: float | None) -> None:
    """Only limited operations are limited, and ``None`` disables the limit."""
    async with (
        ScriptedServer(respond(success())) as server,
        open_session(server, rate_limit=rate_limit, timeouts=Timeouts(total=30)) as session,
    ):
        await asyncio.gather(*(session.send(operation) for _ in range(10)))
        assert len(server.requests) == 10
