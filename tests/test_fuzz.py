"""Fuzzing of responses: every call ends in a result or a `KfqError`."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from kfq_async import CORP_IDENT_LINK, AsyncSession, CorpIdentLinkRequest, KfqError, RetryPolicy, Timeouts
from kfq_async.protocol.envelope import Envelope
from kfq_async.protocol.responses import HttpResponse, read_response
from servers import ReceivedRequest, ScriptedServer, success

BASE = "https://home.kaifangqian.com/resrun-paas"
GOOD = success()
HEADERS = [
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Content-Encoding: gzip",
    "Content-Encoding: br",
    "Content-Type: application/json; charset=nonsense",
    "Location: http://[broken",
    "Set-Cookie: \x00=\x01",
    "Retry-After: Fri, 31 Feb 9999 99:99:99 GMT",
    "Connection: close",
    "Upgrade: websocket",
    "X: \udcff",
]


@given(
    status=st.integers(100, 999),
    headers=st.dictionaries(
        st.sampled_from(["Retry-After", "Date", "Location", "Content-Type"]), st.text(max_size=40), max_size=4
    ),
    body=st.binary(max_size=200) | st.from_regex(rb"\{[\x00-\xff]{0,80}\}?") | st.just(b""),
)
def test_any_response_is_parsed(status: int, headers: dict[str, str], body: bytes) -> None:
    """Any status, headers and body give a successful envelope or an error with a printable text."""
    raw = HttpResponse(status, CIMultiDict(headers), body)
    outcome = read_response(raw, CORP_IDENT_LINK, BASE)
    assert (isinstance(outcome, Envelope) and outcome.ok) or (isinstance(outcome, KfqError) and str(outcome))


def _head(status: int, lines: list[str]) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines, "", ""]).encode("utf-8", "surrogateescape")


def malformed_responses() -> st.SearchStrategy[bytes]:
    """Bytes that a broken server may send: noise, truncated or altered responses, odd heads."""
    head = st.builds(_head, st.integers(0, 999), st.lists(st.sampled_from(HEADERS), max_size=4))
    cut = st.integers(0, len(GOOD)).map(lambda length: GOOD[:length])
    changed = st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=3)).map(
        lambda change: GOOD[: change[0]] + change[1] + GOOD[change[0] + 1 :]
    )
    return (
        st.binary(max_size=120) | cut | changed | st.builds(lambda top, rest: top + rest, head, st.binary(max_size=60))
    )


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(responses=st.lists(malformed_responses(), min_size=1, max_size=3))
@example(responses=[b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"])
@example(responses=[b"HTTP/1.1 100 Continue\r\n\r\n"])
@example(responses=[b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}"])
@example(responses=[b"HTTP/1.1 204 No Content\r\n\r\n"])
@example(responses=[b"HTTP/9.9 200 OK\r\n\r\n", b"\x00" * 100])
def test_any_bytes_on_the_wire(responses: list[bytes]) -> None:
    """For any bytes from the server a call returns or raises a `KfqError`."""

    async def run() -> None:
        async def script(number: int, _seen: ReceivedRequest) -> bytes:
            return responses[min(number, len(responses) - 1)]

        timeouts, retry = (
            Timeouts(connect=1, attempt=0.3, total=1),
            RetryPolicy(attempts=2, initial=0.001, maximum=0.001),
        )
        async with (
            ScriptedServer(script, keep_alive=False) as server,
            AsyncSession("T", base_url=server.base_url, timeouts=timeouts, retry=retry) as session,
        ):
            try:
                link = await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
                assert link.order_no
            except KfqError as error:
                assert str(error)  # noqa: PT017  # both ends are valid

    asyncio.run(run())
