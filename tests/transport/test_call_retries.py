"""Retries of a call: which failures are retried, under which id, and when the outcome stays unknown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from calls import (
    DRAFT,
    FAST_RETRY,
    KEYED,
    SAFE_GET,
    TOKEN,
    UNSAFE_GET,
    error_of,
    link_request,
    never_respond,
    open_session,
    refusal,
    respond,
)
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    BusinessError,
    CanonicalRsa2Signer,
    ConnectionLost,
    CorpIdentLinkRequest,
    GatewayError,
    HiddenErrorPage,
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
from kfq_async.transport import retry
from servers import ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from kfq_async import Signer


@pytest.mark.parametrize("loss", ["connection closed", "no response"])
@pytest.mark.parametrize("signing", ["none", "raw body", "canonical"])
async def test_two_lost_responses(signing: str, loss: str, vectors: Any) -> None:
    """The third attempt succeeds: same body and id each time, fresh nonce, serial number and signature."""
    key, public = vectors["privateKeyPkcs8"], vectors["publicKeySpki"]
    signers: dict[str, Signer | None] = {
        "none": None,
        "raw body": Rsa2Signer(key),
        "canonical": CanonicalRsa2Signer("APP1", key),
    }

    async def script(number: int, seen: ReceivedRequest) -> bytes | None:
        if number < 2:
            return None if loss == "connection closed" else await never_respond(number, seen)
        return success()

    request = link_request()
    async with (
        ScriptedServer(script) as server,
        open_session(server, signer=signers[signing], timeouts=Timeouts(attempt=0.5)) as session,
    ):
        response = await session.send(CORP_IDENT_LINK, request)
    assert response.attempts == 3
    assert response.result.order_no == "N1"
    first, *_ = seen = server.requests
    assert len(seen) == 3
    assert [each.body for each in seen] == [first.body] * 3
    assert orjson.loads(first.body)["clientRequestId"] == request.client_request_id
    for name in ("nonce", "uniqueCode"):
        assert len({each.headers[name] for each in seen}) == 3
    for each in seen:
        headers = each.headers
        if signing == "none":
            assert headers["sign"] == ""
        elif signing == "raw body":
            assert verify(each.body, headers["sign"], public)
        else:
            message = string_to_sign(
                "APP1", each.body, nonce=headers["nonce"], timestamp=headers["timestamp"], uri=each.target
            )
            assert verify(message.encode(), headers["sign"], public)


@pytest.mark.parametrize("kind", ["lose-response", "lose-request"])
async def test_retries_create_one_order(sandbox: Sandbox, kind: str) -> None:
    """There is one order, whether the platform acted before the connection was lost or not."""
    sandbox.inject_faults(Fault(kind, times=2))
    async with open_session(sandbox) as session:
        response = await session.send(CORP_IDENT_LINK, link_request())
    assert response.attempts == 3
    assert [order.order_no for order in sandbox.orders] == [response.result.order_no]


@pytest.mark.parametrize("attempts", [1, 3])
async def test_last_attempt(attempts: int) -> None:
    """After the last attempt its error is raised, and the server has received exactly as many requests."""
    async with (
        ScriptedServer(respond(None)) as server,
        open_session(server, retry=RetryPolicy(attempts=attempts, initial=0.01)) as session,
    ):
        request = link_request()
        error = await error_of(session, request=request)
        assert len(server.requests) == attempts
    assert type(error) is ConnectionLost
    assert (error.phase, error.attempts) == (Phase.SENT, attempts)
    assert error.client_request_id == request.client_request_id
    assert error.unique_code == server.requests[-1].headers["uniqueCode"]
    assert str(error) == (
        "POST /auth/corp/ident/link: the connection was lost before the response was complete "
        f"(ServerDisconnectedError) [sent, {attempts} attempt{'s' if attempts > 1 else ''}, "
        f"uniqueCode {error.unique_code}]"
    )


@pytest.mark.parametrize("code", [91000, 43000, 41002])
async def test_transient_refusal_is_retried(code: int) -> None:
    """A failure of the platform, or a nonce that was used before, is retried with a new nonce."""
    async with ScriptedServer(respond(refusal(code), success())) as server, open_session(server) as session:
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2
        assert len({seen.headers["nonce"] for seen in server.requests}) == 2


async def test_final_refusal_is_raised() -> None:
    """A final refusal is raised at once, with the platform's code and message."""
    raw = refusal(31000, "企业已认证")
    async with ScriptedServer(respond(raw)) as server, open_session(server) as session:
        error = await error_of(session)
        assert len(server.requests) == 1
    assert type(error) is BusinessError
    assert (error.phase, error.code, error.message, error.http_status) == (Phase.ANSWERED, 31000, "企业已认证", 200)
    assert error.envelope.raw_timestamp == 1775010802000


async def seconds_until_retry(response: bytes) -> float:
    """Return the seconds between a first request, which gets ``response``, and its retry."""
    times = []

    async def script(number: int, _seen: ReceivedRequest) -> bytes:
        times.append(asyncio.get_running_loop().time())
        return success() if number else response

    async with ScriptedServer(script) as server, open_session(server) as session:
        await session.send(CORP_IDENT_LINK, link_request())
    return times[1] - times[0]


async def test_too_frequent_waits_a_second() -> None:
    """A request that exceeded the rate limit is retried after a second at least."""
    assert await seconds_until_retry(refusal(999999, "请勿频繁操作")) >= 0.99


async def test_retry_after_is_honoured() -> None:
    """``Retry-After`` of a gateway is waited for, even where the back-off alone would be shorter."""
    assert await seconds_until_retry(http_response("busy", 503, Retry_After="1")) >= 0.99


AMBIGUOUS: list[tuple[bytes | None, type[KfqError], Phase]] = [
    (None, ConnectionLost, Phase.SENT),
    (http_response("Bad Gateway", 502), GatewayError, Phase.SENT),
    (http_response("<html>", 200), UnexpectedResponse, Phase.SENT),
    (refusal(91000), ServerError, Phase.ANSWERED),
    (refusal(41002), NonceError, Phase.ANSWERED),
]


@pytest.mark.parametrize("operation", [DRAFT, UNSAFE_GET])
@pytest.mark.parametrize(("raw", "kind", "phase"), AMBIGUOUS)
async def test_ambiguous_failure_of_a_write(
    operation: Operation[Any, Any], raw: bytes | None, kind: type[KfqError], phase: Phase
) -> None:
    """An operation without idempotency is sent once, whatever its method, and the error holds the original one."""
    async with ScriptedServer(respond(raw)) as server, open_session(server) as session:
        error = await error_of(session, operation, {"contractName": "合同"})
        assert len(server.requests) == 1
    assert type(error) is OutcomeUnknown
    assert type(error.original_error) is kind
    assert (error.phase, error.attempts) == (error.original_error.phase, error.original_error.attempts) == (phase, 1)
    assert f"it may have taken effect ({kind.__name__}: " in str(error)


async def test_timeout_of_a_write() -> None:
    """A write whose attempt timeout expired is not retried."""
    timeouts = Timeouts(attempt=0.5)
    async with ScriptedServer(never_respond) as server, open_session(server, timeouts=timeouts) as session:
        error = await error_of(session, DRAFT, {})
        assert len(server.requests) == 1
    assert type(error) is OutcomeUnknown
    assert type(error.original_error) is AttemptTimeout


@pytest.mark.parametrize("raw", [refusal(31000), http_response(b"", 302, Location="/login"), http_response("no", 403)])
async def test_definite_refusal_of_a_write(raw: bytes) -> None:
    """A definite refusal is raised as it is, also for an operation without idempotency."""
    async with ScriptedServer(respond(raw)) as server, open_session(server) as session:
        error = await error_of(session, DRAFT, {})
        assert len(server.requests) == 1
    assert type(error) in {BusinessError, UnexpectedResponse}
    assert error.phase is Phase.ANSWERED


async def test_too_frequent_write_is_retried() -> None:
    """A request that exceeded the rate limit was not executed, so even a draft is retried."""
    async with ScriptedServer(respond(refusal(999999), success())) as server, open_session(server) as session:
        response = await session.send(DRAFT, {"contractName": "合同"})
    assert response.attempts == 2
    assert response.result == {"orderNo": "N1", "authUrl": "https://example.com/a?code=SECRET"}
    first, second = (orjson.loads(seen.body) for seen in server.requests)
    assert first.pop("uniqueCode") != second.pop("uniqueCode")
    assert first == second == {"appAuthToken": TOKEN, "contractName": "合同"}


@pytest.mark.parametrize("raw", [None, http_response("", 503), refusal(91000), refusal(41002)])
async def test_safe_operation_is_retried(raw: bytes | None) -> None:
    """A safe operation is retried after every transient failure, with a fresh serial number each time."""
    async with ScriptedServer(respond(raw, raw, success("done"))) as server, open_session(server) as session:
        response = await session.send(SAFE_GET, {"contractId": "合同 1", "page": 2, "all": True, "omitted": None})
        assert (response.result, response.attempts, len(server.requests)) == ("done", 3, 3)
    queries = [parse_qs(urlsplit(seen.target).query) for seen in server.requests]
    assert len({query.pop("uniqueCode")[0] for query in queries}) == 3
    assert queries == [{"appAuthToken": [TOKEN], "contractId": ["合同 1"], "page": ["2"], "all": ["true"]}] * 3
    assert all(seen.body == b"" for seen in server.requests)


async def test_connection_lost_on_reuse() -> None:
    """A keyed request whose kept connection is lost is retried on a fresh one."""

    async def script(number: int, _seen: ReceivedRequest) -> bytes | None:
        return None if number == 1 else success()

    async with ScriptedServer(script) as server, open_session(server) as session:
        await session.send(CORP_IDENT_LINK, link_request())
        assert (await session.send(CORP_IDENT_LINK, link_request())).attempts == 2
        assert server.connections == 2


@pytest.mark.parametrize(
    ("retry", "request_id"),
    [(RetryPolicy(initial=0.01, repeat_sent=False), "id-1"), (FAST_RETRY, None), (FAST_RETRY, ""), (FAST_RETRY, 17)],
)
@pytest.mark.parametrize(
    ("raw", "kind"), [(None, ConnectionLost), (http_response("", 504), GatewayError), (refusal(91000), ServerError)]
)
async def test_keyed_request_without_a_usable_id(
    retry: RetryPolicy, request_id: object, raw: bytes | None, kind: type[KfqError]
) -> None:
    """Without an id, or under ``repeat_sent=False``, the original error is raised after one attempt."""
    async with ScriptedServer(respond(raw)) as server, open_session(server, retry=retry) as session:
        error = await error_of(session, KEYED, {"clientRequestId": request_id})
        assert len(server.requests) == 1
    assert type(error) is kind
    assert error.client_request_id == (request_id if request_id == "id-1" else None)


async def test_model_whose_id_is_none() -> None:
    """A request model whose id is ``None`` is sent without an id, and not retried."""
    async with ScriptedServer(respond(None)) as server, open_session(server) as session:
        error = await error_of(session, request=CorpIdentLinkRequest(client_request_id=None))
        assert [seen.body for seen in server.requests] == [b"{}"]
    assert (type(error), error.client_request_id) == (ConnectionLost, None)


@pytest.mark.parametrize("request_id", ["id-1", None])
async def test_refused_connection_is_retried(request_id: str | None) -> None:
    """A refused connection is retried for every operation, with or without an id."""
    async with ScriptedServer(respond(success())) as server:
        base_url = server.base_url
    retry = RetryPolicy(attempts=3, initial=0.01, repeat_sent=False)
    async with AsyncSession(TOKEN, base_url=base_url, retry=retry) as session:
        for operation in (SAFE_GET, DRAFT, KEYED):
            error = await error_of(session, operation, {"clientRequestId": request_id})
            assert (type(error).__name__, error.phase, error.attempts) == ("ConnectError", Phase.NOT_SENT, 3)


async def test_concurrent_retries() -> None:
    """A hundred concurrent calls whose first attempts fail send two hundred requests, and each gets its own result."""
    received: set[str] = set()

    async def script(_number: int, seen: ReceivedRequest) -> bytes | None:
        body = orjson.loads(seen.body)
        if body["clientRequestId"] not in received:
            received.add(body["clientRequestId"])
            return None
        return success({"orderNo": body["accountName"], "authUrl": "u"})

    async with ScriptedServer(script) as server, open_session(server) as session:
        names = [f"operator {number}" for number in range(100)]
        links = await asyncio.gather(
            *(session.auth.corp_ident_link(CorpIdentLinkRequest(account_name=name)) for name in names)
        )
        assert len(server.requests) == 200
    assert [link.order_no for link in links] == names


HIDDEN = http_response({"success": True, "message": "应用Token失效，请重新授权!", "code": 401, "result": None}, 401)


@pytest.mark.parametrize(
    ("operation", "attempts", "error"),
    [
        (SAFE_GET, 2, None),
        (KEYED, 1, HiddenErrorPage),
        (CORP_IDENT_LINK, 1, HiddenErrorPage),
        (DRAFT, 1, OutcomeUnknown),
        (UNSAFE_GET, 1, OutcomeUnknown),
    ],
)
async def test_hidden_error_page(
    operation: Operation[Any, Any], attempts: int, error: type[KfqError] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the hidden error page a read is sent again, a keyed operation is not, and a write may have taken effect."""
    monkeypatch.setattr(retry, "MIN_TOO_FREQUENT", 0.01)
    request = {"clientRequestId": "id-1"}
    async with ScriptedServer(respond(HIDDEN, success())) as server, open_session(server) as session:
        if error is None:
            response = await session.send(operation, request)
            assert (response.attempts, response.http_status) == (attempts, 200)
        else:
            found = await error_of(session, operation, request)
            assert (type(found), found.phase, found.attempts) == (error, Phase.ANSWERED, attempts)
            assert not isinstance(found, OutcomeUnknown) or type(found.original_error) is HiddenErrorPage
    assert len(server.requests) == attempts


@pytest.mark.parametrize("code", ["null", "absent"])
@pytest.mark.parametrize(
    ("operation", "unknown"),
    [(SAFE_GET, False), (KEYED, False), (CORP_IDENT_LINK, False), (DRAFT, True), (UNSAFE_GET, True)],
)
async def test_failure_without_a_code(operation: Operation[Any, Any], code: str, *, unknown: bool) -> None:
    """A failure inside an operation may have left something behind, as behind the hidden error page; none is retried.

    An error document of the framework has no code either, and is no such failure.
    """
    envelope: dict[str, Any] = {"code": None, "message": "内部错误", "result": None}
    document = {"status": 500, "path": "/x", "message": "内部错误"}
    response = http_response(envelope if code == "null" else document, 200 if code == "null" else 500)
    async with ScriptedServer(respond(response)) as server, open_session(server) as session:
        found = await error_of(session, operation, {"clientRequestId": "id-1"})
    assert (found.phase, found.attempts, len(server.requests)) == (Phase.ANSWERED, 1, 1)
    assert isinstance(found, OutcomeUnknown) is (unknown and code == "null")
    error: Any = found.original_error if isinstance(found, OutcomeUnknown) else found
    assert (error.code, error.message) == (None, "内部错误")


async def test_details_of_a_response() -> None:
    """A response tells the HTTP status, and the ``uniqueCode`` of the attempt that it answers."""
    other = http_response({"code": 10000, "message": "成功", "result": None, "timestamp": 1}, 201)
    async with ScriptedServer(respond(None, other)) as server, open_session(server) as session:
        response = await session.send(SAFE_GET)
    codes = [parse_qs(urlsplit(seen.target).query)["uniqueCode"][0] for seen in server.requests]
    assert (response.attempts, response.http_status, response.unique_code) == (2, 201, codes[1])
    assert codes[0] != codes[1]
