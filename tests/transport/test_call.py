"""One call: its phase, its result, its ids and its end."""

from __future__ import annotations

import asyncio
import logging
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import TCPConnector

from calls import (
    LOOK,
    ONCE,
    QUERY,
    failed,
    link_request,
    opened,
    refused,
    script_of,
    silent,
)
from kfq_async import (
    BusinessError,
    ConnectionLost,
    ConnectTimeout,
    DecodeError,
    Operation,
    Phase,
    SessionError,
    Timeouts,
)
from servers import ScriptedServer, Seen, answer, success

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox


async def test_once_sent_the_error_stays_sent() -> None:
    """A refusal after a lost answer does not say that nothing happened."""
    async with ScriptedServer(script_of(None, refused(31000))) as server, opened(server) as session:
        error = await failed(session)
        assert len(server.seen) == 2
    assert (type(error), error.phase, error.attempts) == (BusinessError, Phase.SENT, 2)


async def test_once_sent_a_refused_connection_is_sent_too() -> None:
    """Nor does a connection that could not be made again."""

    async def script(_number: int, _seen: Seen) -> None:
        server.vanish()

    async with ScriptedServer(script) as server, opened(server) as session:
        error = await failed(session)
        assert len(server.seen) == 1
    assert (type(error).__name__, error.phase, error.attempts) == ("ConnectError", Phase.SENT, 5)


async def test_once_sent_an_unreadable_result_is_sent_too() -> None:
    """Nor does a result that cannot be read."""
    async with ScriptedServer(script_of(None, success({"orderNo": 17}))) as server, opened(server) as session:
        error = await failed(session)
    assert (type(error), error.phase, error.attempts) == (DecodeError, Phase.SENT, 2)


@pytest.mark.parametrize("operation", [QUERY, LOOK])
async def test_a_lost_query_whose_server_is_gone(operation: Operation[Any, Any]) -> None:
    """A connection that breaks and cannot be made again was still one that carried the request."""

    async def script(_number: int, _seen: Seen) -> None:
        server.vanish()

    async with ScriptedServer(script) as server, opened(server, retry=ONCE) as session:
        error = await failed(session, operation, {})
        assert len(server.seen) == 1
    original_error = error.original_error if operation is LOOK else error
    assert (type(original_error), original_error.phase) == (ConnectionLost, Phase.SENT)


@pytest.mark.parametrize(
    ("result", "problems"),
    [
        (
            {"orderNo": 17},
            ("required key missing @ $.result.authUrl", "expected a string, not a number @ $.result.orderNo"),
        ),
        (None, ("expected an object, not null @ $.result",)),
        ("https://example.com", ("expected an object, not a string @ $.result",)),
    ],
)
async def test_an_unreadable_result(result: object, problems: tuple[str, ...]) -> None:
    """Success with a malformed result is a `DecodeError` with the paths, and not repeated: it has taken effect."""
    async with ScriptedServer(script_of(success(result))) as server, opened(server) as session:
        error = await failed(session)
        assert len(server.seen) == 1
    assert type(error) is DecodeError
    assert set(error.problems) == set(problems)
    assert (error.phase, error.attempts) == (Phase.ANSWERED, 1)
    assert error.unique_code == server.seen[0].headers["uniqueCode"]


async def test_closing_ends_what_is_under_way() -> None:
    """Closing a session ends its calls: who was on the wire may have been heard, who waited was not."""
    async with ScriptedServer(silent) as server:
        session = opened(server, concurrency=1)
        heard = asyncio.create_task(failed(session))
        await server.saw()
        waited = asyncio.create_task(failed(session))
        await asyncio.sleep(0.05)
        await session.aclose()
        errors = await asyncio.gather(heard, waited)
        assert len(server.seen) == 1
    assert [type(error) for error in errors] == [SessionError, SessionError]
    assert [error.phase for error in errors] == [Phase.SENT, Phase.NOT_SENT]
    assert [error.attempts for error in errors] == [1, 0]
    assert all("the session is closed" in str(error) and error.client_request_id for error in errors)


@pytest.mark.parametrize("body", [b"x" * 9_000_000, b"<html>", b'{"code":10000,'])
async def test_an_answer_that_is_not_used_holds_no_connection(body: bytes) -> None:
    """Whatever an answer was, read or refused, its connection is free or closed when the call ends."""
    async with (
        ScriptedServer(script_of(answer(body))) as server,
        TCPConnector(limit=1) as connector,
        opened(server, connector=connector, retry=ONCE) as session,
    ):
        await failed(session)
        error = await failed(session.with_options(timeouts=Timeouts(connect=0.5)))
    assert type(error) is not ConnectTimeout


async def test_success_logs_nothing(caplog: pytest.LogCaptureFixture, sandbox: Sandbox) -> None:
    """A call that succeeds at once leaves no line of the package in the log."""
    caplog.set_level(logging.DEBUG)
    async with opened(sandbox) as session:
        await session.auth.corp_ident_link(link_request())
    assert [record for record in caplog.records if record.name.startswith("kfq_async")] == []


async def test_ids_are_never_shared() -> None:
    """Among a hundred requests no nonce and no serial number occurs twice."""
    async with ScriptedServer(script_of(success())) as server, opened(server) as session:
        await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(100)))
    ids = [seen.headers[name] for seen in server.seen for name in ("nonce", "uniqueCode")]
    assert len(set(ids)) == 200


async def test_time_stamps_follow_the_clock() -> None:
    """Each attempt carries the time at which it was made."""
    ticks = count(1_750_000_000)
    async with (
        ScriptedServer(script_of(None, None, success())) as server,
        opened(server, clock=lambda: float(next(ticks))) as session,
    ):
        await session.auth.corp_ident_link(link_request())
    stamps = [int(seen.headers["timestamp"]) for seen in server.seen]
    assert stamps[0] == 1_750_000_000_000
    assert [later - earlier for earlier, later in pairwise(stamps)] == [1000, 1000]
