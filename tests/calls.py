"""Sessions, operations and scripted responses for the tests of calls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from kfq_async import (
    AsyncSession,
    CorpIdentLinkRequest,
    CredentialPlacement,
    Idempotency,
    KfqError,
    Operation,
    RetryPolicy,
    Timeouts,
)
from kfq_async.resources.auth import CORP_IDENT_LINK
from servers import ScriptedServer, Seen, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfq_async.sandbox import Sandbox


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
