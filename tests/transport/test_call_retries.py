"""Retries of a call: which failures are retried, under which id, and when the outcome stays unknown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from calls import (
    DRAFT,
    FAST,
    KEYED,
    LOOK,
    PATIENT,
    QUERY,
    TOKEN,
    failed,
    link_request,
    opened,
    refused,
    script_of,
    silent,
)
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    BusinessError,
    CanonicalRsa2Signer,
    ConnectionLost,
    CorpIdentLinkRequest,
    GatewayError,
    KfqError,
    NonceError,
    Operation,
    OutcomeUnknown,
    Phase,
    RetryPolicy,
    Rsa2Signer,
    ServerError,
    Timeouts,
    UnexpectedResponse,
)
from kfq_async.protocol.signing import string_to_sign, verify
from kfq_async.resources.auth import CORP_IDENT_LINK
from kfq_async.sandbox import Fault, Sandbox
from servers import ScriptedServer, Seen, answer, success

if TYPE_CHECKING:
    from kfq_async import Signer


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
        "POST /auth/corp/ident/link: the connection was lost before the response was complete "
        f"(ServerDisconnectedError) [sent, {attempts} attempt{'s' if attempts > 1 else ''}, "
        f"uniqueCode {error.unique_code}]"
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
