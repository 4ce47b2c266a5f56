"""The clock offset that a session learns from the platform."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from calls import DRAFT, KEYED, NO_RETRY, SAFE_GET, TOKEN, error_of, link_request, open_session, refusal, respond
from kfq_async import AsyncSession, ClockError, Operation, Phase, SessionError
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.sandbox import Sandbox
from servers import ScriptedServer, http_response, success


def slow_clock() -> float:
    """Return the time of a clock that is ten minutes slow."""
    return time.time() - 600


def slow_response_clock() -> float:
    """Return a time ten minutes before the timestamp of `refusal`."""
    return 1775010802.0 - 600


async def test_correction_holds_for_all_views() -> None:
    """The first call learns the platform's time and succeeds; from then on all views use it."""
    async with (
        Sandbox(tokens=[TOKEN, "OTHER"]) as sandbox,
        AsyncSession(TOKEN, base_url=sandbox.base_url, clock=slow_clock) as session,
    ):
        view = session.for_token("OTHER")
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 1
        assert (await view.send(CORP_IDENT_LINK, link_request())).attempts == 1
        assert len(sandbox.orders) == 3


async def test_correction_needs_an_attempt() -> None:
    """Without a retry the error is raised, and the next call uses the corrected time."""
    async with (
        Sandbox() as sandbox,
        AsyncSession(TOKEN, base_url=sandbox.base_url, clock=slow_clock, retry=NO_RETRY) as session,
    ):
        error = await error_of(session)
        assert (type(error), error.attempts, error.phase) == (ClockError, 1, Phase.ANSWERED)
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 1


@pytest.mark.parametrize("operation", [SAFE_GET, DRAFT, KEYED])
async def test_every_operation_is_retried_with_the_corrected_time(operation: Operation[Any, Any]) -> None:
    """A refused timestamp executed nothing, so even a draft is retried."""
    script = respond(refusal(41001), success())
    async with ScriptedServer(script) as server, open_session(server, clock=slow_response_clock) as session:
        assert (await session.send(operation, {})).attempts == 2


@pytest.mark.parametrize("timestamp", [None, "2026-01-02 03:04:05", "soon", True])
async def test_response_without_a_time_is_not_retried(timestamp: object) -> None:
    """When the response does not contain the platform's time, a retry is useless."""
    raw = http_response({"code": 41001, "message": "…", "result": None, "timestamp": timestamp})
    async with ScriptedServer(respond(raw)) as server, open_session(server) as session:
        error = await error_of(session)
        assert len(server.requests) == 1
    assert type(error) is ClockError


@pytest.mark.parametrize("timestamp", [0, 1, 4102444800000])
async def test_offset_of_days_is_ignored(timestamp: int) -> None:
    """A nonsensical time in a response is ignored, since it would harm every view."""
    raw = http_response({"code": 41001, "message": "…", "result": None, "timestamp": timestamp})
    async with ScriptedServer(respond(raw)) as server, open_session(server, clock=slow_response_clock) as session:
        error = await error_of(session)
        await error_of(session)
        assert len({seen.headers["timestamp"] for seen in server.requests}) == 1
    assert (type(error), error.attempts) == (ClockError, 1)


async def test_clock_is_corrected_once_per_call() -> None:
    """When the corrected time is refused as well, the error is raised."""
    script = respond(refusal(41001))
    async with ScriptedServer(script) as server, open_session(server, clock=slow_response_clock) as session:
        error = await error_of(session)
        first, second = (int(seen.headers["timestamp"]) for seen in server.requests)
    assert (type(error), error.attempts) == (ClockError, 2)
    assert abs(second - 1775010802000) < 60_000 < abs(first - 1775010802000)


@pytest.mark.parametrize(
    ("second", "failure"),
    [
        (ValueError("手机号13800138000"), "raised ValueError"),
        (asyncio.CancelledError(), "raised CancelledError"),
        (float("nan"), "did not return the seconds since the epoch"),
        (float("inf"), "did not return the seconds since the epoch"),
        (10**400, "did not return the seconds since the epoch"),
        ("1775010802", "did not return the seconds since the epoch"),
        (None, "did not return the seconds since the epoch"),
    ],
)
@pytest.mark.parametrize("response", [None, refusal(41001)], ids=["sent", "answered"])
async def test_clock_that_fails(second: object, failure: str, response: bytes | None) -> None:
    """A clock that fails before the second attempt ends the call, with the phase of the first one."""
    times = iter([time.time()])

    def clock() -> Any:
        now = next(times, second)
        if isinstance(now, BaseException):
            raise now
        return now

    async with ScriptedServer(respond(response)) as server, open_session(server, clock=clock) as session:
        error = await error_of(session)
        assert len(server.requests) == 1
    assert type(error) is SessionError
    assert (error.phase, error.attempts) == ((Phase.SENT, 2) if response is None else (Phase.NOT_SENT, 1))
    assert f"the session's clock {failure}" in str(error)
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
async def test_clock_that_ends_the_process(problem: type[BaseException]) -> None:
    """An exception that ends the process passes through."""

    def clock() -> float:
        raise problem

    async with AsyncSession(TOKEN, base_url="http://127.0.0.1:1/resrun-paas", clock=clock) as session:
        call = session.auth.corp_ident_link(link_request())
        with pytest.raises(problem):
            call.send(None)
