"""The response that the client reads: its size, its end, and the connection it came on."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from kfq_async import (
    AsyncSession,
    CorpIdentLinkRequest,
    KfqError,
    Phase,
    RetryPolicy,
    UnexpectedResponse,
)
from kfq_async.transport.client import MAX_RESPONSE
from servers import SUCCESS, ScriptedServer, Seen, answer, success

if TYPE_CHECKING:
    from collections.abc import Callable


TOKEN = "PV9LQWZA"
ONCE = RetryPolicy(attempts=1)
REQUEST = CorpIdentLinkRequest(account_name="13800138000")
URL = "https://home.kaifangqian.com/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"


async def ask(base_url: str, **options: Any) -> Any:
    """Make one attempt and return the link or the error."""
    async with AsyncSession(TOKEN, base_url=base_url, **{"retry": ONCE, **options}) as session:
        try:
            return await session.auth.corp_ident_link(REQUEST)
        except KfqError as error:
            return error


async def asked(script: Callable[[int, Seen], Any], **options: Any) -> Any:
    """Make one attempt at a server made by hand."""
    async with ScriptedServer(script) as server:
        return await ask(server.base_url, **options)


async def answered(raw: bytes | tuple[bytes, ...] | None, **options: Any) -> Any:
    """Make one attempt that is answered by ``raw``."""

    async def script(_number: int, _seen: Seen) -> bytes | tuple[bytes, ...] | None:
        return raw

    return await asked(script, **options)


def is_error(error: Any, kind: type[KfqError], phase: Phase, words: str) -> None:
    """Compare what a user would look at."""
    assert type(error) is kind, repr(error)
    assert error.phase is phase
    assert words in str(error)
    assert (error.operation, error.attempts) == ("POST /auth/corp/ident/link", 1)
    assert error.client_request_id == REQUEST.client_request_id
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_that_is_too_large_is_refused(*, packed: bool) -> None:
    """Beyond 8 MiB, counted after decompression, reading stops and the connection is dropped."""
    body = b" " * (MAX_RESPONSE + 1)
    body, coding = (gzip.compress(body), "gzip") if packed else (body, "identity")
    endless = answer(body, Content_Encoding=coding, Content_Length=str(2**40))

    async def script(number: int, _seen: Seen) -> bytes:
        return success() if number else endless

    async with ScriptedServer(script) as server, AsyncSession(TOKEN, base_url=server.base_url, retry=ONCE) as session:
        with pytest.raises(UnexpectedResponse) as caught:
            await session.auth.corp_ident_link(REQUEST)
        await session.auth.corp_ident_link(REQUEST)
        assert server.connections == 2
    is_error(caught.value, UnexpectedResponse, Phase.SENT, f"the response exceeds {MAX_RESPONSE} bytes")


async def test_the_largest_answer_is_read() -> None:
    """8 MiB exactly are still an answer, whatever pieces they come in."""
    document = orjson.dumps({"code": 10000, "message": "成功", "result": SUCCESS, "timestamp": 1})
    raw = answer(document + b" " * (MAX_RESPONSE - len(document)))
    link = await answered((raw[:1000], raw[1000:]))
    assert link.order_no == "N1"


@pytest.mark.parametrize("close", [True, False])
async def test_an_answer_without_a_length(*, close: bool) -> None:
    """An answer that ends with its connection, or comes in chunks, is read to its end."""
    body = success().partition(b"\r\n\r\n")[2]
    if close:
        raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    else:
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert (await answered((raw,))).order_no == "N1"
