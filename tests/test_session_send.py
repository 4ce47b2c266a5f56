"""`AsyncSession.send`: requests and responses of any operation."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import evolve

from calls import FAST_RETRY, REQUEST, TOKEN, respond
from kfq_async import (
    CORP_IDENT_LINK,
    ApiResponse,
    AsyncSession,
    CorpIdentLink,
    CorpIdentLinkRequest,
    CredentialPlacement,
    DecodeError,
    EncodeError,
    Envelope,
    HiddenErrorPage,
    Idempotency,
    KfqError,
    Operation,
    OutcomeUnknown,
    Phase,
    SignerError,
)
from kfq_async.protocol.responses import HttpResponse
from servers import SUCCESS, ReceivedRequest, ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.sandbox import Sandbox


NOWHERE = "http://127.0.0.1:9/resrun-paas"
CUSTOM = Operation[Any, Any]("POST", "/auth/other")


async def test_send_returns_result_envelope_and_attempts(sandbox: Sandbox, session: AsyncSession) -> None:
    """An `ApiResponse` holds the result, its envelope and the number of attempts."""
    response = await session.send(CORP_IDENT_LINK, REQUEST)
    assert response.result.order_no == sandbox.orders[0].order_no
    assert response.attempts == 1
    assert isinstance(response.envelope, Envelope)
    assert (response.envelope.code, response.envelope.message) == (10000, "成功")
    assert response.envelope.timestamp is not None
    assert response.result.auth_url not in repr(response)


def test_repr_of_a_response() -> None:
    """An `ApiResponse` shows a model, which masks its secrets, and no plain data, which would not."""
    link = CorpIdentLink(order_no="N1", auth_url="https://h.example/secret")
    assert "N1" in repr(ApiResponse(result=link, envelope=None, attempts=1, http_status=200, unique_code="U1"))
    assert "secret" not in repr(
        ApiResponse(result={"authUrl": "secret"}, envelope=None, attempts=1, http_status=200, unique_code="U1")
    )
    assert "secret" not in repr(HttpResponse(200, {"Location": "secret"}, b"secret"))


async def test_mapping_for_a_known_operation(sandbox: Sandbox, session: AsyncSession) -> None:
    """A known operation accepts a mapping of wire names, and still returns its model."""
    response = await session.send(CORP_IDENT_LINK, {"accountName": "a@example.com", "clientRequestId": "id-1"})
    assert isinstance(response.result, CorpIdentLink)
    assert sandbox.orders[0].client_request_id == "id-1"


@pytest.mark.parametrize("result", [SUCCESS, None, [1, {"a": None}], "text", 7])
async def test_custom_operation(result: object) -> None:
    """An operation without models sends a mapping, or nothing, and returns the plain JSON value."""
    async with (
        ScriptedServer(respond(success(result))) as server,
        AsyncSession(TOKEN, base_url=server.base_url) as session,
    ):
        assert (await session.send(CUSTOM)).result == result
        assert (await session.send(CUSTOM, {"a": {"b": [1, "二"]}})).result == result
        assert [orjson.loads(seen.body) for seen in server.requests] == [{}, {"a": {"b": [1, "二"]}}]
        assert {seen.target for seen in server.requests} == {"/resrun-paas/kaifangqian/openAPI/V2/auth/other"}


async def test_token_in_the_body(sandbox: Sandbox) -> None:
    """An operation of the contract family sends its token in the body; an unknown one does not exist."""
    operation = Operation[Any, Any]("POST", "/contract/unknown", credentials=CredentialPlacement.PARAMETERS)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        with pytest.raises(HiddenErrorPage) as caught:
            await session.send(evolve(operation, idempotency=Idempotency.KEYED), {"contractId": "1"})
        assert (caught.value.phase, caught.value.code, caught.value.http_status) == (Phase.ANSWERED, 401, 401)
        assert "its path is mistyped" in str(caught.value)
        with pytest.raises(OutcomeUnknown) as unknown:
            await session.send(operation, {"contractId": "1"})
        assert (unknown.value.phase, type(unknown.value.original_error)) == (Phase.ANSWERED, HiddenErrorPage)


async def test_extra_body_and_headers() -> None:
    """``extra_body`` and ``extra_headers`` are added to the request."""
    async with ScriptedServer(respond(success())) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        await session.send(
            CORP_IDENT_LINK, REQUEST, extra_body={"appId": "A1"}, extra_headers={"X-Trace": "t-1", "User-Agent": "mine"}
        )
        (seen,) = server.requests
    assert orjson.loads(seen.body) == {
        "accountName": "13800138000",
        "clientRequestId": REQUEST.client_request_id,
        "appId": "A1",
    }
    assert (seen.headers["X-Trace"], seen.headers.getall("User-Agent")) == ("t-1", ["mine"])


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"extra_body": {"accountName": "x"}}, ValueError, "extra_body must only add fields"),
        ({"extra_headers": {"NONCE": "x"}}, ValueError, "extra_headers must not hold NONCE"),
        ({"extra_headers": {"X-Bad": "a\r\nX-Injected: b"}}, ValueError, "(?i)header"),
        ({"extra_body": {"a": {1}}}, EncodeError, r"\$\.a"),
    ],
)
async def test_invalid_request(options: dict[str, Any], kind: type[Exception], text: str) -> None:
    """An invalid request is refused at once, sends nothing, and keeps no slot."""
    async with (
        ScriptedServer(respond(success())) as server,
        AsyncSession(TOKEN, base_url=server.base_url, concurrency=1) as session,
    ):
        for _ in range(2):
            with pytest.raises(kind, match=text):
                await session.send(CORP_IDENT_LINK, REQUEST, **options)
        assert server.requests == []
        await session.auth.corp_ident_link(REQUEST)


@pytest.mark.parametrize(
    ("headers", "error", "text"),
    [
        ({"X": 1}, TypeError, "must map str to str, not str to int"),
        ({1: "x"}, TypeError, "must map str to str, not int to str"),
        ({"X-A": "b\r\nX-C: d"}, ValueError, "the value of X-A must be printable ASCII"),
        ({"X-名": "x"}, ValueError, "a header name must be like X-Trace"),
        ({"Authorization: secret": ""}, ValueError, "a header name must be like X-Trace"),
        ({"Transfer-Encoding": "chunked"}, ValueError, "must not hold Transfer-Encoding"),
        ({"SIGN": "x"}, ValueError, "must not hold SIGN"),
    ],
)
async def test_invalid_headers(headers: Any, error: type[Exception], text: str) -> None:
    """An extra header that cannot be sent is refused by its name before anything is sent."""
    async with ScriptedServer(respond(success())) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        with pytest.raises(error, match=text) as caught:
            await session.send(CORP_IDENT_LINK, REQUEST, extra_headers=headers)
        assert "secret" not in str(caught.value)
        assert server.requests == []


def frames_of(error: BaseException, file: str) -> list[dict[str, Any]]:
    """Return the variables of the frames of an error in one module of the package."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return [dict(frame.f_locals) for frame in frames if frame.f_code.co_filename.endswith(file)]


@pytest.mark.parametrize(
    "options",
    [
        {"request": {"accountName": "13800138000"}},
        {"request": {}, "extra_body": {"accountName": "13800138000"}},
        {"request": {}, "extra_headers": {"X-Account": "13800138000"}},
        {"request": {"accountName": {"13800138000"}}},
        {"request": {"accountName": "a"}, "extra_body": {"accountName": "13800138000"}},
        {"request": {}, "extra_headers": {"X-Account": "13800138000\n"}},
    ],
)
async def test_plain_data_is_not_kept(options: dict[str, Any]) -> None:
    """A call that fails, before or after it was sent, keeps no plain mapping in the variables of its frame."""
    async with ScriptedServer(respond(http_response({"code": 10008}))) as server:
        session = AsyncSession(TOKEN, base_url=server.base_url)
        async with session:
            with pytest.raises((KfqError, ValueError)) as caught:
                await session.send(CUSTOM, **options)
    frames = frames_of(caught.value, "session.py")
    assert frames[0]["self"] is session
    assert "13800138000" not in repr(frames)


class CancellingDict(dict[str, Any]):
    """A mapping that cannot be read."""

    def keys(self) -> Any:
        """Raise the exception of a cancelled task."""
        raise asyncio.CancelledError

    def __iter__(self) -> Any:
        raise asyncio.CancelledError


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "options",
    [
        {"request": {"name": "SECRET"}, "extra_body": [("a", "SECRET")]},
        {"request": {"name": "SECRET"}, "extra_body": "SECRET"},
        {"request": {"name": "SECRET"}, "extra_headers": [("X-Trace", "SECRET")]},
        {"request": {"name": "SECRET"}, "extra_headers": {"SECRET": 5}},
        {"request": {"name": "SECRET"}, "extra_headers": {"SECRET:": "SECRET"}},
        {"request": [("name", "SECRET")]},
        {"request": "SECRET"},
        {"request": CancellingDict(name="SECRET")},
        {"request": {}, "extra_body": CancellingDict(name="SECRET")},
        {"request": {"SECRET\ud800": "SECRET"}},
        {"request": {("SECRET",): "SECRET"}},
        {"request": {"name": "SECRET", "value": {1}}},
        {"request": {"name": "SECRET", "value": 2**64}},
    ],
)
async def test_programming_errors_show_no_data(method: str, options: dict[str, Any]) -> None:
    """A request that is refused before anything is sent raises without the request in text, chain or frames."""
    operation = Operation[Any, Any](method, "/auth/other")
    async with AsyncSession(TOKEN, base_url=NOWHERE) as session:
        with pytest.raises((TypeError, ValueError)) as caught:
            await session.send(operation, **options)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = [repr(frame.f_locals) for frame in frames if "kfq_async" in frame.f_code.co_filename]
    assert len(shown) == 2
    assert "SECRET" not in "".join([str(caught.value), repr(vars(caught.value)), *shown])
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


PEOPLE: dict[str, Any] = {"name": "SECRET"}


@pytest.mark.parametrize(
    "call",
    [
        lambda session: session.auth.corp_ident_link([PEOPLE]),
        lambda session: session.auth.corp_ident_link({**PEOPLE, "value": {1}}),
        lambda session: session.contracts.draft([PEOPLE]),
        lambda session: session.contracts.draft({**PEOPLE, "value": {1}}),
    ],
)
async def test_methods_show_no_data(call: Callable[[AsyncSession], Awaitable[object]]) -> None:
    """Methods that are given plain data in place of a model keep none of it in their frames."""
    async with AsyncSession(TOKEN, base_url=NOWHERE) as session:
        with pytest.raises((TypeError, ValueError)) as caught:
            await call(session)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = [repr(frame.f_locals) for frame in frames if "kfq_async" in frame.f_code.co_filename]
    assert shown
    assert "SECRET" not in "".join([str(caught.value), *shown])


async def test_operation_of_a_wrong_type() -> None:
    """Anything but an `Operation` is refused by name."""
    async with AsyncSession(TOKEN, base_url=NOWHERE) as session:
        with pytest.raises(TypeError, match="operation must be an Operation, not str"):
            await session.send("POST /auth/other", {})  # type: ignore[arg-type]


async def test_signer_that_cancels_does_not_end_a_task_group() -> None:
    """The `asyncio.CancelledError` of a signer fails the call, so its task group fails instead of ending normally."""

    class CancellingSigner:
        """A signer that raises the exception of a cancelled task."""

        def sign(self, *_: Any) -> str:
            """Raise it."""
            raise asyncio.CancelledError

    async with (
        ScriptedServer(respond(success())) as server,
        AsyncSession(TOKEN, base_url=server.base_url, signer=CancellingSigner()) as session,
    ):
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                task = group.create_task(session.send(CUSTOM, {}))
        (error,) = caught.value.exceptions
        assert isinstance(error, SignerError)
        assert error.phase is Phase.NOT_SENT
        assert not task.cancelled()
        assert server.connections == 0


@pytest.mark.parametrize("result", [object, tuple[AsyncSession, ...]])
async def test_result_that_is_no_model(result: Any) -> None:
    """An operation whose result class cannot be built fails as `DecodeError`, with the class in its text."""
    operation = Operation[Any, Any]("POST", "/auth/other", result=result)
    async with (
        ScriptedServer(respond(success([{}]))) as server,
        AsyncSession(TOKEN, base_url=server.base_url) as session,
    ):
        with pytest.raises(DecodeError, match="it is no attrs class") as caught:
            await session.send(operation, {})
    assert caught.value.attempts == 1


async def test_unreadable_result_is_not_kept() -> None:
    """The error of a result that cannot be read has no frame that holds the result."""
    async with (
        ScriptedServer(respond(success({"authUrl": "https://h.example/secret"}))) as server,
        AsyncSession(TOKEN, base_url=server.base_url) as session,
    ):
        with pytest.raises(DecodeError) as caught:
            await session.send(CORP_IDENT_LINK, REQUEST)
    assert frames_of(caught.value, "codec.py") == []
    assert "secret" not in repr(frames_of(caught.value, "session.py"))


async def test_extra_headers_are_copied() -> None:
    """A mapping of headers that changes during a call does not change the call."""
    headers = {"X-Trace": "1"}

    async def script(number: int, _seen: ReceivedRequest) -> bytes | None:
        headers["X-Trace"] = "2"
        return success() if number else None

    async with (
        ScriptedServer(script) as server,
        AsyncSession(TOKEN, base_url=server.base_url, retry=FAST_RETRY) as session,
    ):
        await session.send(CORP_IDENT_LINK, REQUEST, extra_headers=headers)
        assert [seen.headers["X-Trace"] for seen in server.requests] == ["1", "1"]


async def test_lone_surrogate() -> None:
    """A lone surrogate is refused with its field, in a query and in a body, and the error has operation and id."""
    async with ScriptedServer(respond(success())) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        with pytest.raises(EncodeError, match=r"\$\.contractId: a lone surrogate") as caught:
            await session.contracts.tasks("\ud800 13800138000")
        assert "13800138000" not in repr(caught.value) + str(caught.value)
        request = CorpIdentLinkRequest(account_name="\ud800", client_request_id="row-1")
        with pytest.raises(EncodeError, match=r"\$\.accountName") as caught:
            await session.auth.corp_ident_link(request)
        assert (caught.value.operation, caught.value.client_request_id) == ("POST /auth/corp/ident/link", "row-1")
        assert server.requests == []
