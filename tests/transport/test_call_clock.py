"""The clock offset that a session learns from the platform."""

from __future__ import annotations

import time
from typing import Any

import pytest

from calls import (
    DRAFT,
    KEYED,
    ONCE,
    QUERY,
    TOKEN,
    failed,
    link_request,
    opened,
    refused,
    script_of,
)
from kfq_async import (
    AsyncSession,
    ClockError,
    Operation,
    Phase,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.sandbox import Sandbox
from servers import ScriptedServer, answer, success


def ten_minutes_off() -> float:
    """Return the time of a clock that is late."""
    return time.time() - 600


async def test_a_wrong_clock_is_corrected_once_for_all() -> None:
    """The first call learns the platform's time and succeeds; from then on every view of the session knows it."""
    async with (
        Sandbox(tokens=[TOKEN, "OTHER"]) as sandbox,
        AsyncSession(TOKEN, base_url=sandbox.base_url, clock=ten_minutes_off) as session,
    ):
        view = session.for_token("OTHER")
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 1
        assert (await view.send(CORP_IDENT_LINK, link_request())).attempts == 1
        assert len(sandbox.orders) == 3


async def test_a_wrong_clock_within_attempts() -> None:
    """The correction needs an attempt of its own; without one the error is raised, and the next call succeeds."""
    async with (
        Sandbox() as sandbox,
        AsyncSession(TOKEN, base_url=sandbox.base_url, clock=ten_minutes_off, retry=ONCE) as session,
    ):
        error = await failed(session)
        assert (type(error), error.attempts, error.phase) == (ClockError, 1, Phase.ANSWERED)
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 1


def slow() -> float:
    """Read a clock that is ten minutes behind the platform's answers."""
    return 1775010802.0 - 600


@pytest.mark.parametrize("operation", [QUERY, DRAFT, KEYED])
async def test_any_operation_may_be_repeated_with_a_corrected_clock(operation: Operation[Any, Any]) -> None:
    """A refused timestamp ran nothing, so even a draft is sent again."""
    async with ScriptedServer(script_of(refused(41001), success())) as server, opened(server, clock=slow) as session:
        assert (await session.send(operation, {})).attempts == 2


@pytest.mark.parametrize("timestamp", [None, "2026-01-02 03:04:05", "soon", True])
async def test_a_clock_that_cannot_be_learnt(timestamp: object) -> None:
    """When the answer does not tell the platform's time, asking again is useless."""
    raw = answer({"code": 41001, "message": "…", "result": None, "timestamp": timestamp})
    async with ScriptedServer(script_of(raw)) as server, opened(server) as session:
        error = await failed(session)
        assert len(server.seen) == 1
    assert type(error) is ClockError


@pytest.mark.parametrize("timestamp", [0, 1, 4102444800000])
async def test_a_clock_is_not_believed_to_be_days_wrong(timestamp: int) -> None:
    """A nonsense time in an answer is not taken over, since it would harm every view."""
    raw = answer({"code": 41001, "message": "…", "result": None, "timestamp": timestamp})
    async with ScriptedServer(script_of(raw)) as server, opened(server, clock=slow) as session:
        error = await failed(session)
        await failed(session)
        assert len({seen.headers["timestamp"] for seen in server.seen}) == 1
    assert (type(error), error.attempts) == (ClockError, 1)


async def test_a_clock_is_corrected_once() -> None:
    """When the corrected time is refused as well, the error is raised."""
    async with ScriptedServer(script_of(refused(41001))) as server, opened(server, clock=slow) as session:
        error = await failed(session)
        first, second = (int(seen.headers["timestamp"]) for seen in server.seen)
    assert (type(error), error.attempts) == (ClockError, 2)
    assert abs(second - 1775010802000) < 60_000 < abs(first - 1775010802000)
