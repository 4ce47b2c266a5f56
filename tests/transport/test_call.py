"""One call: slots, repetitions, deadlines and cancellation, and what its error tells and keeps to itself."""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import time
import traceback
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from aiohttp import TCPConnector, ThreadedResolver
from attrs import evolve

from kfq_async import (
    ApiError,
    AsyncSession,
    AttemptTimeout,
    BusinessError,
    CanonicalRsa2Signer,
    ClockError,
    ConnectionLost,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    CredentialPlacement,
    DecodeError,
    GatewayError,
    Idempotency,
    KfqError,
    NonceError,
    Operation,
    OprIdentConfig,
    OprIdentInfo,
    OutcomeUnknown,
    Phase,
    PoolTimeout,
    RetryPolicy,
    Rsa2Signer,
    ServerError,
    SessionError,
    Timeouts,
    TooFrequentError,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.protocol.signing import string_to_sign, verify
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.sandbox import Fault, Sandbox
from servers import ScriptedServer, Seen, answer, success

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async import Signer

TOKEN = "PV9LQWZA"
FAST = RetryPolicy(initial=0.01, maximum=0.02)
ONCE = RetryPolicy(attempts=1)
PATIENT = Timeouts(attempt=0.2)

QUERY = Operation[Any, Any](
    "GET", "/contract/tasks", credentials=CredentialPlacement.PARAMETERS, idempotency=Idempotency.SAFE
)
LOOK = Operation[Any, Any]("GET", "/contract/look", credentials=CredentialPlacement.PARAMETERS)
DRAFT = Operation[Any, Any]("POST", "/contract/draft", credentials=CredentialPlacement.PARAMETERS)
PACED = Operation[Any, Any]("POST", "/contract/paced", rate_limited=True)
PACED_TOO = Operation[Any, Any]("POST", "/contract/paced/too", rate_limited=True)
KEYED = Operation[Any, Any]("POST", "/auth/other", idempotency=Idempotency.KEYED)


def link_request() -> CorpIdentLinkRequest:
    """Make a request with an id of its own."""
    return CorpIdentLinkRequest(account_name="13800138000")


def opened(server: ScriptedServer | Sandbox, **options: Any) -> AsyncSession:
    """Make a session that repeats quickly."""
    return AsyncSession(TOKEN, base_url=server.base_url, **{"retry": FAST, **options})


def refused(code: int, message: str = "…") -> bytes:
    """Write the platform's refusal."""
    return answer({"code": code, "message": message, "result": None, "timestamp": 1775010802000})


def script_of(*answers: bytes | None) -> Callable[[int, Seen], Any]:
    """Answer one after the other, and the last one for ever."""

    async def script(number: int, _seen: Seen) -> bytes | None:
        return answers[min(number, len(answers) - 1)]

    return script


async def silent(_number: int, _seen: Seen) -> bytes | None:
    """Never answer."""
    await asyncio.sleep(60)
    return None


async def failed(session: AsyncSession, operation: Operation[Any, Any] = CORP_IDENT_LINK, request: Any = None) -> Any:
    """Return the error of a call."""
    with pytest.raises(KfqError) as caught:
        await session.send(operation, link_request() if request is None else request)
    return caught.value


# The same request, again


@pytest.mark.parametrize("how", ["closes", "is silent"])
@pytest.mark.parametrize("signed", ["not", "raw body", "canonical"])
async def test_a_server_that_swallows_the_first_two_requests(signed: str, how: str, vectors: Any) -> None:
    """The third attempt brings the result: same bytes and id each time, fresh nonce, serial number and signature."""
    key, public = vectors["privateKeyPkcs8"], vectors["publicKeySpki"]
    signers: dict[str, Signer | None] = {
        "not": None,
        "raw body": Rsa2Signer(key),
        "canonical": CanonicalRsa2Signer("APP1", key),
    }

    async def script(number: int, seen: Seen) -> bytes | None:
        if number < 2:
            return None if how == "closes" else await silent(number, seen)
        return success()

    request = link_request()
    async with (
        ScriptedServer(script) as server,
        opened(server, signer=signers[signed], timeouts=Timeouts(attempt=0.3)) as session,
    ):
        got = await session.send(CORP_IDENT_LINK, request)
    assert got.attempts == 3
    assert got.result.order_no == "N1"
    first, *_ = seen = server.seen
    assert len(seen) == 3
    assert [one.body for one in seen] == [first.body] * 3
    assert orjson.loads(first.body)["clientRequestId"] == request.client_request_id
    for name in ("nonce", "uniqueCode"):
        assert len({one.headers[name] for one in seen}) == 3
    for one in seen:
        headers = one.headers
        if signed == "not":
            assert headers["sign"] == ""
        elif signed == "raw body":
            assert verify(one.body, headers["sign"], public)
        else:
            message = string_to_sign(
                "APP1", one.body, nonce=headers["nonce"], timestamp=headers["timestamp"], uri=one.target
            )
            assert verify(message.encode(), headers["sign"], public)


@pytest.mark.parametrize("kind", ["lose-response", "lose-request"])
async def test_one_order_however_the_answer_was_lost(sandbox: Sandbox, kind: str) -> None:
    """Whether the platform had acted before the connection broke or not, there is one order in the end."""
    sandbox.inject_faults(Fault(kind, times=2))
    async with opened(sandbox) as session:
        got = await session.send(CORP_IDENT_LINK, link_request())
    assert got.attempts == 3
    assert [order.order_no for order in sandbox.orders] == [got.result.order_no]


@pytest.mark.parametrize("attempts", [1, 3])
async def test_attempts_are_used_up(attempts: int) -> None:
    """After the last attempt its error is raised, and the server has seen exactly as many requests."""
    async with (
        ScriptedServer(script_of(None)) as server,
        opened(server, retry=RetryPolicy(attempts=attempts, initial=0.01)) as session,
    ):
        request = link_request()
        error = await failed(session, request=request)
        assert len(server.seen) == attempts
    assert type(error) is ConnectionLost
    assert (error.phase, error.attempts) == (Phase.SENT, attempts)
    assert error.client_request_id == request.client_request_id
    assert error.unique_code == server.seen[-1].headers["uniqueCode"]
    assert str(error) == (
        "POST /auth/corp/ident/link: the connection broke before the answer was complete (ServerDisconnectedError) "
        f"[sent, {attempts} attempt{'s' if attempts > 1 else ''}, uniqueCode {error.unique_code}]"
    )


@pytest.mark.parametrize("code", [91000, 43000, 41002])
async def test_what_can_pass_is_asked_again(code: int) -> None:
    """A failure of the platform, or a nonce that it has seen, is answered by the same request with a new nonce."""
    async with ScriptedServer(script_of(refused(code), success())) as server, opened(server) as session:
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2
        assert len({seen.headers["nonce"] for seen in server.seen}) == 2


async def test_a_refusal_is_final() -> None:
    """What the platform refuses for good is raised at once, with its number and words."""
    raw = refused(31000, "企业已认证")
    async with ScriptedServer(script_of(raw)) as server, opened(server) as session:
        error = await failed(session)
        assert len(server.seen) == 1
    assert type(error) is BusinessError
    assert (error.phase, error.code, error.message, error.http_status) == (Phase.ANSWERED, 31000, "企业已认证", 200)
    assert error.envelope.raw_timestamp == 1775010802000


async def arrivals(raw: bytes) -> float:
    """Return the seconds between a first request, answered by ``raw``, and the second."""
    times = []

    async def script(number: int, _seen: Seen) -> bytes:
        times.append(asyncio.get_running_loop().time())
        return success() if number else raw

    async with ScriptedServer(script) as server, opened(server) as session:
        await session.send(CORP_IDENT_LINK, link_request())
    return times[1] - times[0]


async def test_too_frequent_waits_a_second() -> None:
    """A request that came too soon is asked again after a second at least."""
    assert await arrivals(refused(999999, "请勿频繁操作")) >= 0.99


async def test_retry_after_is_honoured() -> None:
    """What a busy gateway asks for is waited, even where back-off alone would be shorter."""
    assert await arrivals(answer("busy", 503, Retry_After="1")) >= 0.99


# Idempotency


IN_DOUBT: list[tuple[bytes | None, type[KfqError], Phase]] = [
    (None, ConnectionLost, Phase.SENT),
    (answer("Bad Gateway", 502), GatewayError, Phase.SENT),
    (answer("<html>", 200), UnexpectedResponse, Phase.SENT),
    (refused(91000), ServerError, Phase.ANSWERED),
    (refused(41002), NonceError, Phase.ANSWERED),
]


@pytest.mark.parametrize("operation", [DRAFT, LOOK])
@pytest.mark.parametrize(("raw", "kind", "phase"), IN_DOUBT)
async def test_a_write_in_doubt_is_not_repeated(
    operation: Operation[Any, Any], raw: bytes | None, kind: type[KfqError], phase: Phase
) -> None:
    """An operation that acts each time is sent once, whatever its method, and its error keeps what happened."""
    async with ScriptedServer(script_of(raw)) as server, opened(server) as session:
        error = await failed(session, operation, {"contractName": "合同"})
        assert len(server.seen) == 1
    assert type(error) is OutcomeUnknown
    assert type(error.original_error) is kind
    assert (error.phase, error.attempts) == (error.original_error.phase, error.original_error.attempts) == (phase, 1)
    assert f"it may have taken effect ({kind.__name__}: " in str(error)


async def test_a_write_without_an_answer_in_time_is_not_repeated() -> None:
    """Neither after a time-out."""
    async with ScriptedServer(silent) as server, opened(server, timeouts=PATIENT) as session:
        error = await failed(session, DRAFT, {})
        assert len(server.seen) == 1
    assert type(error) is OutcomeUnknown
    assert type(error.original_error) is AttemptTimeout


@pytest.mark.parametrize("raw", [refused(31000), answer(b"", 302, Location="/login"), answer("no", 403)])
async def test_a_refused_write_is_no_doubt(raw: bytes) -> None:
    """A definite answer is raised as it is, also of an operation that acts each time."""
    async with ScriptedServer(script_of(raw)) as server, opened(server) as session:
        error = await failed(session, DRAFT, {})
        assert len(server.seen) == 1
    assert type(error) in {BusinessError, UnexpectedResponse}
    assert error.phase is Phase.ANSWERED


async def test_a_write_that_came_too_soon_is_repeated() -> None:
    """Too frequent was not executed, so even a draft is asked again."""
    async with ScriptedServer(script_of(refused(999999), success())) as server, opened(server) as session:
        got = await session.send(DRAFT, {"contractName": "合同"})
    assert got.attempts == 2
    assert got.result == {"orderNo": "N1", "authUrl": "https://example.com/a?code=SECRET"}
    first, second = (orjson.loads(seen.body) for seen in server.seen)
    assert first.pop("uniqueCode") != second.pop("uniqueCode")
    assert first == second == {"appAuthToken": TOKEN, "contractName": "合同"}


@pytest.mark.parametrize("raw", [None, answer("", 503), refused(91000), refused(41002)])
async def test_a_query_is_repeated(raw: bytes | None) -> None:
    """What only reads is asked again after every failure that can pass, with one request for each attempt."""
    async with ScriptedServer(script_of(raw, raw, success("done"))) as server, opened(server) as session:
        got = await session.send(QUERY, {"contractId": "合同 1", "page": 2, "all": True, "left out": None})
        assert (got.result, got.attempts, len(server.seen)) == ("done", 3, 3)
    queries = [parse_qs(urlsplit(seen.target).query) for seen in server.seen]
    assert len({query.pop("uniqueCode")[0] for query in queries}) == 3
    assert queries == [{"appAuthToken": [TOKEN], "contractId": ["合同 1"], "page": ["2"], "all": ["true"]}] * 3
    assert all(seen.body == b"" for seen in server.seen)


async def test_a_connection_that_went_stale() -> None:
    """When the server has closed an idle connection, a keyed request goes out again on a fresh one."""

    async def script(number: int, _seen: Seen) -> bytes | None:
        return None if number == 1 else success()

    async with ScriptedServer(script) as server, opened(server) as session:
        await session.send(CORP_IDENT_LINK, link_request())
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2
        assert server.connections == 2


@pytest.mark.parametrize(
    ("retry", "request_id"),
    [(RetryPolicy(initial=0.01, repeat_sent=False), "id-1"), (FAST, None), (FAST, ""), (FAST, 17)],
)
@pytest.mark.parametrize(
    ("raw", "kind"), [(None, ConnectionLost), (answer("", 504), GatewayError), (refused(91000), ServerError)]
)
async def test_a_keyed_request_that_must_not_be_repeated(
    retry: RetryPolicy, request_id: object, raw: bytes | None, kind: type[KfqError]
) -> None:
    """Without an id, or without trust in it, what happened is raised after one attempt, not an unknown outcome."""
    async with ScriptedServer(script_of(raw)) as server, opened(server, retry=retry) as session:
        error = await failed(session, KEYED, {"clientRequestId": request_id})
        assert len(server.seen) == 1
    assert type(error) is kind
    assert error.client_request_id == (request_id if request_id == "id-1" else None)


async def test_a_model_whose_id_was_set_to_none() -> None:
    """The same holds for a request object, whose body then has no id."""
    async with ScriptedServer(script_of(None)) as server, opened(server) as session:
        error = await failed(session, request=CorpIdentLinkRequest(client_request_id=None))
        assert [seen.body for seen in server.seen] == [b"{}"]
    assert (type(error), error.client_request_id) == (ConnectionLost, None)


@pytest.mark.parametrize("request_id", ["id-1", None])
async def test_nothing_was_sent_so_anything_may_be_repeated(request_id: str | None) -> None:
    """A refused connection is tried again, whatever the operation and its id."""
    async with ScriptedServer(script_of(success())) as server:
        base_url = server.base_url
    retry = RetryPolicy(attempts=3, initial=0.01, repeat_sent=False)
    async with AsyncSession(TOKEN, base_url=base_url, retry=retry) as session:
        for operation in (QUERY, DRAFT, KEYED):
            error = await failed(session, operation, {"clientRequestId": request_id})
            assert (type(error).__name__, error.phase, error.attempts) == ("ConnectError", Phase.NOT_SENT, 3)


# Doubt wins


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


# The result


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


# The clock


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
        assert session._shared.clock_offset == 0.0
    assert (type(error), error.attempts) == (ClockError, 1)


async def test_a_clock_is_corrected_once() -> None:
    """When the corrected time is refused as well, the error is raised."""
    async with ScriptedServer(script_of(refused(41001))) as server, opened(server, clock=slow) as session:
        error = await failed(session)
        first, second = (int(seen.headers["timestamp"]) for seen in server.seen)
    assert (type(error), error.attempts) == (ClockError, 2)
    assert abs(second - 1775010802000) < 60_000 < abs(first - 1775010802000)


# Slots and deadlines


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
    assert "the call's 0.2 s ended while it waited for its turn: the session has 1 slots" in str(error)


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
    assert "the call's 0.5 s ended between two attempts" in str(error)


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


# Pacing


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


async def test_each_failed_call_repeats_by_itself() -> None:
    """A hundred calls at once whose first attempts fail make exactly two hundred requests, and mix nothing up."""
    seen_ids: set[str] = set()

    async def script(_number: int, seen: Seen) -> bytes | None:
        body = orjson.loads(seen.body)
        if body["clientRequestId"] not in seen_ids:
            seen_ids.add(body["clientRequestId"])
            return None
        return success({"orderNo": body["accountName"], "authUrl": "u"})

    async with ScriptedServer(script) as server, opened(server) as session:
        names = [f"operator {number}" for number in range(100)]
        links = await asyncio.gather(
            *(session.auth.corp_ident_link(CorpIdentLinkRequest(account_name=name)) for name in names)
        )
        assert len(server.seen) == 200
    assert [link.order_no for link in links] == names


@pytest.mark.parametrize("body", [b"x" * 9_000_000, b"<html>", b'{"code":10000,'])
async def test_an_answer_that_is_not_used_holds_no_connection(body: bytes) -> None:
    """Whatever an answer was, read or refused, its connection is free or closed when the call ends."""
    async with ScriptedServer(script_of(answer(body))) as server, opened(server, retry=ONCE) as session:
        await failed(session)
        assert session._shared._http is not None
        assert session._shared._http.connector is not None
        assert not session._shared._http.connector._acquired


# Cancellation


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
    """After a hundred calls cancelled in all states, all slots are there."""

    async def script(_number: int, _seen: Seen) -> bytes:
        await asyncio.sleep(0.003)
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
        requests = [link_request() for _ in range(12)]
        await asyncio.gather(*(session.auth.corp_ident_link(request) for request in requests))
        arrived = [orjson.loads(seen.body)["clientRequestId"] for seen in server.seen]  # cancelled ones may come late
        assert [arrived.count(request.client_request_id) for request in requests] == [1] * 12
        assert session._shared.slots.free == 3


# What an error tells, and what it keeps to itself


PERSONAL = {
    "account": "13800138000",
    "company": "某某科技有限公司",
    "credit code": "91110000MA01234567",
    "representative": "张三丰",
    "licence": "bGljZW5jZQ",
    "operator": "李四光",
    "id card": "110101199001011234",
    "mobile": "13900139000",
    "bank card": "6222020200012345678",
    "page": "https://your-domain.com/corp/callback?state=PAGE-SECRET",
    "callback": "https://your-domain.com/api/callback/NOTIFY-SECRET",
    "token": "TK7SECRET",
}

FULL = CorpIdentLinkRequest(
    account_name=PERSONAL["account"],
    corp_ident_info=CorpIdentInfo(
        company_name=PERSONAL["company"],
        credit_code=PERSONAL["credit code"],
        legal_rep_name=PERSONAL["representative"],
        license=PERSONAL["licence"],
        company_type=1,
    ),
    corp_ident_config=CorpIdentConfig(corp_verify_methods=["legalRep"], unmodifiable_params=["companyName"]),
    opr_ident_info=OprIdentInfo(
        name=PERSONAL["operator"],
        id_card=PERSONAL["id card"],
        id_card_type=1,
        mobile=PERSONAL["mobile"],
        bank_card=PERSONAL["bank card"],
    ),
    opr_ident_config=OprIdentConfig(person_verify_methods=["face"], unmodifiable_params=["name"]),
    callback_page=PERSONAL["page"],
    auth_callback_url=PERSONAL["callback"],
)
ECHO = "；".join(PERSONAL.values())

FAILURES: dict[str, tuple[bytes | None, type[KfqError]]] = {
    "lost": (None, ConnectionLost),
    "gateway": (answer(ECHO, 502), GatewayError),
    "page": (answer(f"<html>{ECHO}", 200), UnexpectedResponse),
    "redirect": (answer(b"", 302, Location=f"https://sso.example.com/{PERSONAL['token']}"), UnexpectedResponse),
    "refused": (refused(31000, ECHO), BusinessError),
    "undocumented": (refused(77777, ECHO), ApiError),
    "too frequent": (refused(999999, f"请勿频繁操作 {ECHO}"), TooFrequentError),
    "unreadable": (success({"orderNo": [ECHO], "authUrl": {ECHO: 1}, ECHO: 1}), DecodeError),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("operation", [CORP_IDENT_LINK, DRAFT, QUERY])
async def test_an_error_shows_nobodys_data(
    name: str, operation: Operation[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that was sent, and no token, is in an error's text, its traceback or the log; it pickles whole."""
    caplog.set_level(logging.DEBUG)
    raw, kind = FAILURES[name]
    request: Any = FULL if operation is CORP_IDENT_LINK else {"who": ECHO}
    if name == "unreadable":
        operation = evolve(operation, result=CorpIdentLink)
    retry = ONCE if kind is TooFrequentError else RetryPolicy(attempts=2, initial=0.01)
    async with (
        ScriptedServer(script_of(raw)) as server,
        AsyncSession(PERSONAL["token"], base_url=server.base_url, retry=retry) as session,
    ):
        error = await failed(session, operation, request)
    if operation is DRAFT and kind is not DecodeError and error.phase is Phase.SENT:
        assert type(error) is OutcomeUnknown
        assert type(error.original_error) is kind
    else:
        assert type(error) is kind
    assert error.operation == operation.name
    assert error.unique_code
    shown = [str(error), repr(error), *traceback.format_exception(error), caplog.text]
    for what, value in PERSONAL.items():
        assert not [text for text in shown if value in text], what
    assert error.__cause__ is None
    assert error.__context__ is None
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()
    for attribute in ("phase", "operation", "attempts", "client_request_id", "unique_code"):
        assert getattr(again, attribute) == getattr(error, attribute)


async def test_tracebacks_with_local_variables_show_nobodys_data() -> None:
    """Even a traceback that prints the package's local variables holds no token and no person's data."""
    async with (
        ScriptedServer(script_of(None)) as server,
        AsyncSession(PERSONAL["token"], base_url=server.base_url, retry=ONCE) as session,
    ):
        error = await failed(session, request=FULL)
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    shown = "".join(str(frame.locals) for frame in frames if "kfq_async" in frame.filename)
    assert "prepared" in shown
    public = {"company", "credit code"}
    assert not [what for what, value in PERSONAL.items() if what not in public and value in shown]


async def test_what_the_platform_said_is_kept_raw() -> None:
    """A program may read the platform's own words, which a log does not show."""
    async with ScriptedServer(script_of(refused(31000, "13800138000 已认证"))) as server, opened(server) as session:
        error = await failed(session)
    assert error.message == "13800138000 已认证"
    assert "*** 已认证" in str(error)


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
