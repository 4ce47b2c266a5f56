"""Reading of a response: its size, its end, and its connection."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress

import orjson
import pytest

from calls import KEYED, NO_RETRY, REQUEST, TOKEN, attempt_for, check_error, respond
from kfq_async import AsyncSession, Phase, UnexpectedResponse
from kfq_async.transport.body import MAX_RESPONSE
from servers import SUCCESS, ScriptedServer, http_response, success


@pytest.mark.parametrize("compressed", [False, True])
async def test_response_that_is_too_long(*, compressed: bool) -> None:
    """Beyond 8 MiB, counted after decompression, the response is refused and its connection is closed."""
    body = b" " * (MAX_RESPONSE + 1)
    body, coding = (gzip.compress(body), "gzip") if compressed else (body, "identity")
    script = respond(http_response(body, Content_Encoding=coding, Content_Length=str(2**40)), success())
    async with (
        ScriptedServer(script) as server,
        AsyncSession(TOKEN, base_url=server.base_url, retry=NO_RETRY) as session,
    ):
        with pytest.raises(UnexpectedResponse) as caught:
            await session.auth.corp_ident_link(REQUEST)
        await session.auth.corp_ident_link(REQUEST)
        assert server.connections == 2
    check_error(caught.value, UnexpectedResponse, Phase.SENT, f"the response exceeds {MAX_RESPONSE} bytes")


async def test_longest_response() -> None:
    """A response of exactly 8 MiB is read, although it arrives in pieces."""
    document = orjson.dumps({"code": 10000, "message": "成功", "result": SUCCESS, "timestamp": 1})
    raw = http_response(document + b" " * (MAX_RESPONSE - len(document)))
    link = await attempt_for((raw[:1000], raw[1000:]))
    assert link.order_no == "N1"


@pytest.mark.parametrize("close", [True, False])
async def test_response_without_a_length(*, close: bool) -> None:
    """A response that ends with its connection, or is chunked, is read to its end."""
    body = success().partition(b"\r\n\r\n")[2]
    if close:
        raw = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body
    else:
        raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    assert (await attempt_for((raw,))).order_no == "N1"


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")  # of aiohttp, above 1 MiB
@pytest.mark.parametrize(("size", "connections"), [(10, 1), (10_000_000, 3)])
async def test_response_before_the_request_was_read(size: int, connections: int) -> None:
    """A response that comes before the body was read counts; its connection is kept only if the body was sent."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(success())
                await asyncio.sleep(0.02)
                if size > 10:
                    return  # the rest of the body stays unread
                await reader.readexactly(len(b'{"a":""}') + size)

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/resrun-paas"
        async with AsyncSession(TOKEN, base_url=base_url, retry=NO_RETRY) as session:
            for _ in range(3):
                assert (await session.send(KEYED, {"a": "x" * size})).attempts == 1
        assert len(writers) == connections
        for writer in writers:
            writer.transport.abort()
