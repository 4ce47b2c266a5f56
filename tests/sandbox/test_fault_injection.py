"""Fault injection over HTTP, on the listening port and from other threads. test_matrix.py covers each kind."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock, Mock

import aiohttp
import pytest
from aiohttp import web

from kfq_async import (
    ApiError,
    AsyncSession,
    BusinessError,
    ConnectError,
    CorpIdentLinkRequest,
    CredentialsError,
    NotFoundError,
    ParameterError,
    RetryPolicy,
)
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.fault_injection import FaultInjector
from kfq_async.sandbox.faults import FAULT_KINDS

ONCE = RetryPolicy(attempts=1)


@pytest.mark.parametrize("kind", ["lose-response", "close", "trickle", "endless"])
async def test_client_that_disconnected(kind: str) -> None:
    """A fault of the connection is harmless if the client has disconnected meanwhile."""
    request = Mock(transport=None, read=AsyncMock(), get_extra_info=Mock(return_value=None))
    handle = AsyncMock(return_value=web.Response(body=b"{}"))
    response = await FaultInjector(lambda: 0).inject([Fault("delay", seconds=0.01), Fault(kind)], request, handle)
    assert isinstance(response, web.Response)
    assert request.protocol.force_close.called or kind in {"trickle", "endless"}


async def put(sandbox: Sandbox, body: Any, **options: Any) -> tuple[int, Any]:
    """Put faults over HTTP; return the status and the JSON of the response."""
    async with (
        aiohttp.ClientSession() as http,
        http.put(f"{sandbox.origin}/sandbox/faults", json=body, **options) as response,
    ):
        return response.status, await response.json()


async def test_faults_over_http(sandbox: Sandbox) -> None:
    """Faults can be set and listed over HTTP, with all kinds; the list holds the remaining ones."""
    status, document = await put(sandbox, {"faults": ["502/acted*2", "delay:0.01@0.5"], "seed": 3})
    assert (status, document["faults"]) == (200, ["502/acted:0*2", "delay:0.01@0.5"])
    assert set(document["kinds"]) == set(FAULT_KINDS)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.origin}/sandbox/faults") as response:
        assert (await response.json())["faults"] == ["delay:0.01@0.5"]
    assert (await put(sandbox, {"faults": []}))[1]["faults"] == []


@pytest.mark.parametrize(
    "body",
    [{"faults": ["explode"]}, {"faults": "lose-response"}, {}, [], None, {"faults": [1]}, {"faults": [], "seed": "x"}],
)
async def test_invalid_faults_over_http(body: Any, sandbox: Sandbox) -> None:
    """An invalid body is refused with an example, and changes nothing."""
    sandbox.inject_faults(Fault("lose-response", times=1))
    status, document = await put(sandbox, body)
    assert status == 400
    assert 'send {"faults": ["lose-response*1"], "seed": 0}' in document["error"]
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.origin}/sandbox/faults") as response:
        assert (await response.json())["faults"] == ["lose-response:0*1"]


async def test_form_cannot_set_faults(sandbox: Sandbox) -> None:
    """Only the JSON content type is accepted, which a form of a page from another origin cannot send."""
    async with aiohttp.ClientSession() as http:
        data = b'{"faults": ["lose-response"]}'
        headers = {"Content-Type": "text/plain"}
        async with http.put(f"{sandbox.origin}/sandbox/faults", data=data, headers=headers) as response:
            assert response.status == 400


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_text_form_round_trip(kind: str) -> None:
    """The text form of a fault is parsed as the same fault."""
    for fault in (Fault(kind), Fault(kind, times=3, probability=0.25, seconds=1.5)):
        assert Fault.parse(str(fault)) == fault
    if FAULT_KINDS[kind].overridable:
        overridden = Fault(kind, acted=not FAULT_KINDS[kind].acted)
        assert Fault.parse(str(overridden)) == overridden


async def test_refuse(sandbox: Sandbox) -> None:
    """Connections are refused for a while; then the same port accepts them."""
    sandbox.inject_faults(Fault("refuse", seconds=30.0))
    sandbox.inject_faults(Fault("refuse", seconds=0.3))
    await asyncio.sleep(0.05)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=ONCE) as session:
        with pytest.raises(ConnectError, match="ECONNREFUSED"):
            await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
        await asyncio.sleep(0.5)
        assert (await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))).order_no


async def test_refuse_from_the_start() -> None:
    """A fault given to the constructor applies from the start."""
    async with Sandbox(faults=[Fault("refuse", seconds=30.0)]) as sandbox:
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(sandbox.origin.rsplit(":", 1)[1]))


def test_faults_from_another_thread(kfq_sandbox: Sandbox) -> None:
    """Faults can be injected from another thread."""

    async def refused() -> None:
        await asyncio.sleep(0.05)
        async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url, retry=ONCE) as session:
            with pytest.raises(ConnectError):
                await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))

    kfq_sandbox.inject_faults(Fault("refuse", seconds=30.0))
    asyncio.run(refused())


async def test_slow_reader_of_a_large_response(sandbox: Sandbox) -> None:
    """A response of many megabytes is paused while the client does not read, and arrives completely."""
    sandbox.inject_faults(Fault("huge", times=1))
    host, port = sandbox.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
    path = "/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
    )
    await asyncio.sleep(0.3)
    size = 0
    while data := await reader.read(65536):
        size += len(data)
    writer.close()
    assert size > 9 * 1024 * 1024


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("code-21000", ParameterError, 21000),
        ("code-40000", CredentialsError, 40000),
        ("code-41003", BusinessError, 41003),
        ("code-51000", ParameterError, 51000),
        ("code-77777", ApiError, 77777),
        ("internal-404", NotFoundError, 404),
        ("internal-405", NotFoundError, 405),
        ("internal-510", ApiError, 510),
    ],
)
async def test_any_error_code(
    kind: str, error: type[ApiError], code: int, session: AsyncSession, sandbox: Sandbox
) -> None:
    """Any error code can be injected, in the platform's envelope and in the internal one."""
    sandbox.inject_faults(kind)
    with pytest.raises(error) as caught:
        await session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000"))
    assert (type(caught.value), caught.value.code) == (error, code)
    assert str(Fault.parse(f"{kind}/acted")) == f"{kind}/acted:0"


@pytest.mark.parametrize("kind", ["code-", "code-12", "code-1234567", "internal-1", "code-²000"])
def test_invalid_error_code(kind: str) -> None:
    """A malformed error code is an unknown fault."""
    with pytest.raises(ValueError, match="does not exist"):
        Fault(kind)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tokens": "PV9LQWZA"}, TypeError, "write .token."),
        ({"tokens": ()}, ValueError, "at least one token"),
        ({"tokens": ["A", ""]}, ValueError, "none that is empty"),
        ({"host": "localhost"}, ValueError, "host must be a loopback address such as 127.0.0.1, not localhost"),
        ({"faults": ["explode"]}, ValueError, "'explode' is not a fault"),
    ],
)
def test_invalid_arguments(options: Any, error: type[Exception], message: str) -> None:
    """An invalid argument is refused by its name."""
    with pytest.raises(error, match=message):
        Sandbox(**options)
