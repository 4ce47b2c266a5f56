"""Sessions, operations, scripts and checks that the tests of calls share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.abc import AbstractResolver

from kfq_async import (
    AsyncSession,
    CorpIdentLinkRequest,
    CredentialPlacement,
    Idempotency,
    KfqError,
    Operation,
    RetryPolicy,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from servers import ReceivedRequest, ScriptedServer, http_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async import Phase
    from kfq_async.sandbox import Sandbox
    from servers import Script
    from uploads import BodyServer

TOKEN = "PV9LQWZA"
REQUEST = CorpIdentLinkRequest(account_name="13800138000")
FAST_RETRY = RetryPolicy(initial=0.01, maximum=0.02)
NO_RETRY = RetryPolicy(attempts=1)

SAFE_GET = Operation[Any, Any](
    "GET", "/contract/tasks", credentials=CredentialPlacement.PARAMETERS, idempotency=Idempotency.SAFE
)
UNSAFE_GET = Operation[Any, Any]("GET", "/contract/page", credentials=CredentialPlacement.PARAMETERS)
DRAFT = Operation[Any, Any]("POST", "/contract/draft", credentials=CredentialPlacement.PARAMETERS)
KEYED = Operation[Any, Any]("POST", "/auth/other", idempotency=Idempotency.KEYED)
RATE_LIMITED = Operation[Any, Any]("POST", "/contract/limited", rate_limited=True)
OTHER_RATE_LIMITED = Operation[Any, Any]("POST", "/contract/limited/too", rate_limited=True)


class StuckResolver(AbstractResolver):
    """A resolver that never finds an address."""

    def __init__(self) -> None:
        self.called = asyncio.Event()

    async def resolve(self, *_: Any, **__: Any) -> Any:
        """Wait for ever."""
        self.called.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Close nothing."""


def link_request() -> CorpIdentLinkRequest:
    """Return a request with a fresh id."""
    return CorpIdentLinkRequest(account_name="13800138000")


def open_session(server: ScriptedServer | Sandbox | BodyServer, **options: Any) -> AsyncSession:
    """Return a session with ``server`` that retries within milliseconds."""
    return AsyncSession(TOKEN, base_url=server.base_url, **{"retry": FAST_RETRY, **options})


async def error_of(session: AsyncSession, operation: Operation[Any, Any] = CORP_IDENT_LINK, request: Any = None) -> Any:
    """Return the error of a call that fails."""
    with pytest.raises(KfqError) as caught:
        await session.send(operation, link_request() if request is None else request)
    return caught.value


async def attempt_at(base_url: str, **options: Any) -> Any:
    """Send `REQUEST` once, and return the link or the error."""
    async with AsyncSession(TOKEN, base_url=base_url, **{"retry": NO_RETRY, **options}) as session:
        try:
            return await session.auth.corp_ident_link(REQUEST)
        except KfqError as error:
            return error


async def attempt_with(script: Script, **options: Any) -> Any:
    """Send `REQUEST` once to a server with ``script``, and return the link or the error."""
    async with ScriptedServer(script) as server:
        return await attempt_at(server.base_url, **options)


async def attempt_for(response: bytes | tuple[bytes, ...] | None, **options: Any) -> Any:
    """Send `REQUEST` once to a server that sends ``response``, and return the link or the error."""
    return await attempt_with(respond(response), **options)


def check_error(error: Any, kind: type[KfqError], phase: Phase, text: str) -> None:
    """Check class, phase and text of an error of `attempt_at`, and what every such error contains."""
    assert type(error) is kind, repr(error)
    assert error.phase is phase
    assert text in str(error)
    assert (error.operation, error.attempts) == ("POST /auth/corp/ident/link", 1)
    assert error.client_request_id == REQUEST.client_request_id
    assert error.__cause__ is None
    assert error.__context__ is None


def respond(*responses: bytes | tuple[bytes, ...] | None) -> Callable[[int, ReceivedRequest], Any]:
    """Return a script that sends the responses in turn, and the last one to every further request."""

    async def script(number: int, _seen: ReceivedRequest) -> bytes | tuple[bytes, ...] | None:
        return responses[min(number, len(responses) - 1)]

    return script


async def never_respond(_number: int, _seen: ReceivedRequest) -> bytes | None:
    """Keep the connection open without a response."""
    await asyncio.Event().wait()
    return None


def refusal(code: int, message: str = "…") -> bytes:
    """Return the response by which the platform refuses a request."""
    return http_response({"code": code, "message": message, "result": None, "timestamp": 1775010802000})
