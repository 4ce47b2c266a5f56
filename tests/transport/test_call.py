"""One call: the phase of its error, its result, its ids, and the end of its session."""

from __future__ import annotations

import asyncio
import logging
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import TCPConnector
from attrs import evolve

from calls import (
    DRAFT,
    NO_RETRY,
    RATE_LIMITED,
    SAFE_GET,
    UNSAFE_GET,
    error_of,
    link_request,
    never_respond,
    open_session,
    refusal,
    respond,
)
from kfq_async import (
    BusinessError,
    ConnectionLost,
    ConnectTimeout,
    DecodeError,
    Idempotency,
    Operation,
    Phase,
    SessionError,
    SignerError,
    Timeouts,
)
from output import package_records
from servers import ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from kfq_async.sandbox import Sandbox


async def test_refusal_after_a_lost_response_is_sent() -> None:
    """Once an attempt may have been executed, a later refusal keeps the phase ``sent``."""
    async with ScriptedServer(respond(None, refusal(31000))) as server, open_session(server) as session:
        error = await error_of(session)
        assert len(server.requests) == 2
    assert (type(error), error.phase, error.attempts) == (BusinessError, Phase.SENT, 2)


async def test_connect_error_after_a_lost_response_is_sent() -> None:
    """A refused connection after a lost response keeps the phase ``sent``."""

    async def script(_number: int, _seen: ReceivedRequest) -> None:
        server.stop_listening()

    async with ScriptedServer(script) as server, open_session(server) as session:
        error = await error_of(session)
        assert len(server.requests) == 1
    assert (type(error).__name__, error.phase, error.attempts) == ("ConnectError", Phase.SENT, 5)


async def test_decode_error_after_a_lost_response_is_sent() -> None:
    """An invalid result after a lost response keeps the phase ``sent``."""
    async with ScriptedServer(respond(None, success({"orderNo": 17}))) as server, open_session(server) as session:
        error = await error_of(session)
    assert (type(error), error.phase, error.attempts) == (DecodeError, Phase.SENT, 2)


@pytest.mark.parametrize("operation", [SAFE_GET, UNSAFE_GET])
async def test_lost_get_whose_server_is_gone(operation: Operation[Any, Any]) -> None:
    """A GET that was sent stays ``sent`` when no further connection can be made."""

    async def script(_number: int, _seen: ReceivedRequest) -> None:
        server.stop_listening()

    async with ScriptedServer(script) as server, open_session(server, retry=NO_RETRY) as session:
        error = await error_of(session, operation, {})
        assert len(server.requests) == 1
    original_error = error.original_error if operation is UNSAFE_GET else error
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
async def test_invalid_result(result: object, problems: tuple[str, ...]) -> None:
    """Success with an invalid result is a `DecodeError` with the paths; it took effect, so it is not retried."""
    async with ScriptedServer(respond(success(result))) as server, open_session(server) as session:
        error = await error_of(session)
        assert len(server.requests) == 1
    assert type(error) is DecodeError
    assert set(error.problems) == set(problems)
    assert (error.phase, error.attempts) == (Phase.ANSWERED, 1)
    assert error.unique_code == server.requests[0].headers["uniqueCode"]


async def test_ids_are_unique() -> None:
    """Among a hundred requests no nonce and no serial number occurs twice."""
    async with ScriptedServer(respond(success())) as server, open_session(server) as session:
        await asyncio.gather(*(session.auth.corp_ident_link(link_request()) for _ in range(100)))
    ids = [seen.headers[name] for seen in server.requests for name in ("nonce", "uniqueCode")]
    assert len(set(ids)) == 200


async def test_timestamp_of_each_attempt() -> None:
    """Each attempt carries the time at which it was made."""
    ticks = count(1_750_000_000)
    async with (
        ScriptedServer(respond(None, None, success())) as server,
        open_session(server, clock=lambda: float(next(ticks))) as session,
    ):
        await session.auth.corp_ident_link(link_request())
    stamps = [int(seen.headers["timestamp"]) for seen in server.requests]
    assert stamps[0] == 1_750_000_000_000
    assert [later - earlier for earlier, later in pairwise(stamps)] == [1000, 1000]


async def test_success_is_not_logged(caplog: pytest.LogCaptureFixture, sandbox: Sandbox) -> None:
    """A call whose first attempt succeeds writes no log record above level DEBUG."""
    caplog.set_level(logging.INFO)
    async with open_session(sandbox) as session:
        await session.auth.corp_ident_link(link_request())
    assert package_records(caplog) == []


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(http_response(b"x" * 9_000_000), id="too long"),
        pytest.param(http_response(b"<html>"), id="foreign"),
        pytest.param(http_response(b'{"code":10000,'), id="cut short"),
        pytest.param(http_response(b"", 101, Connection="upgrade", Upgrade="x"), id="another protocol"),
    ],
)
async def test_unusable_response_frees_its_connection(response: bytes) -> None:
    """The connection of a response that cannot be used is free or closed when the call ends."""
    async with (
        ScriptedServer(respond(response)) as server,
        TCPConnector(limit=1) as connector,
        open_session(server, connector=connector, retry=NO_RETRY) as session,
    ):
        await error_of(session)
        error = await error_of(session.with_options(timeouts=Timeouts(connect=5)))
    assert type(error) is not ConnectTimeout


async def test_faulty_signer_keeps_no_slot() -> None:
    """A signer that raises, here in a retry, ends the call as `SignerError`, and keeps neither slot nor permit."""

    class FaultySigner:
        """A signer that fails at its second signature."""

        signatures = 0

        def sign(self, *_: Any) -> str:
            """Sign nothing, or raise."""
            self.signatures += 1
            if self.signatures == 2:
                raise ZeroDivisionError
            return ""

    async with (
        ScriptedServer(respond(None, success())) as server,
        open_session(server, concurrency=1, rate_limit=100, signer=FaultySigner()) as session,
    ):
        operation = evolve(RATE_LIMITED, idempotency=Idempotency.SAFE)
        error = await error_of(session, operation, {})
        assert (type(error), error.phase, error.attempts) == (SignerError, Phase.SENT, 2)
        assert "the method sign of FaultySigner, the session's signer, raised ZeroDivisionError" in str(error)
        assert (await session.send(operation)).attempts == 1
        assert len(server.requests) == 2


class CoroutineSigner:
    """A signer whose method is a coroutine function."""

    async def sign(self, *_: Any) -> str:
        """Sign nothing."""
        return ""


class ConstantSigner:
    """A signer that returns a value."""

    def __init__(self, value: object) -> None:
        self.value = value

    def sign(self, *_: Any) -> Any:
        """Return the value."""
        return self.value


@pytest.mark.parametrize(
    ("signer", "text"),
    [
        (CoroutineSigner(), "is a coroutine function: it must be a plain function that returns str"),
        (ConstantSigner(b"x"), "returned bytes and not str"),
        (ConstantSigner(None), "returned NoneType and not str"),
        (ConstantSigner("a\r\nX: y"), "returned text that is not printable ASCII"),
        (ConstantSigner("签名"), "returned text that is not printable ASCII"),
    ],
)
async def test_signature_of_the_wrong_kind(signer: Any, text: str) -> None:
    """What is no signature ends the call before a connection is made, and the error says what the signer did."""
    async with ScriptedServer(respond(success())) as server, open_session(server, signer=signer) as session:
        error = await error_of(session)
        assert (type(error), error.phase, error.attempts) == (SignerError, Phase.NOT_SENT, 1)
        assert f"the session's signer, {text}" in str(error)
        assert error.__context__ is None
        assert server.connections == 0


async def test_closing_the_session_ends_its_calls() -> None:
    """Closing a session ends its calls: one that was sent with phase ``sent``, one in the queue as ``not_sent``."""
    async with ScriptedServer(never_respond) as server:
        session = open_session(server, concurrency=1)
        sent = asyncio.create_task(error_of(session))
        await server.wait_for_requests()
        queued = asyncio.create_task(error_of(session))
        await asyncio.sleep(0.05)
        await session.aclose()
        errors = await asyncio.gather(sent, queued)
        assert len(server.requests) == 1
    assert [type(error) for error in errors] == [SessionError, SessionError]
    assert [error.phase for error in errors] == [Phase.SENT, Phase.NOT_SENT]
    assert [error.attempts for error in errors] == [1, 0]
    assert all("the session was closed during the call" in str(error) and error.client_request_id for error in errors)


async def test_closing_the_session_ends_a_long_queue() -> None:
    """A thousand calls that wait for the only slot end, not sent, when the session is closed."""
    async with ScriptedServer(never_respond) as server:
        session = open_session(server, concurrency=1)
        calls = [asyncio.create_task(error_of(session, DRAFT, {})) for _ in range(1000)]
        await server.wait_for_requests()
        await session.aclose()
        _, *queued = await asyncio.gather(*calls)
        assert len(server.requests) == 1
    assert {(type(error), error.phase, error.attempts) for error in queued} == {(SessionError, Phase.NOT_SENT, 0)}
