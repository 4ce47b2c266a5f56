"""Faults from outside: the admin route, the port, and how often things happen. What they look like: the matrix."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from kfq_async import AsyncSession, ConnectError, CorpIdentLinkRequest, RetryPolicy
from kfq_async.sandbox import Fault, Sandbox
from kfq_async.sandbox.faults import KINDS

ONCE = RetryPolicy(attempts=1)


async def put(sandbox: Sandbox, body: Any, **options: Any) -> tuple[int, Any]:
    """Ask for faults by HTTP."""
    async with (
        aiohttp.ClientSession() as http,
        http.put(f"{sandbox.origin}/sandbox/faults", json=body, **options) as response,
    ):
        return response.status, await response.json()


async def test_faults_are_set_and_listed_by_http(sandbox: Sandbox) -> None:
    """A test in another process sets faults by HTTP, sees what is left, and what there is to choose from."""
    status, shown = await put(sandbox, {"faults": ["502/acted*2", "delay:0.01@0.5"], "seed": 3})
    assert (status, shown["faults"]) == (200, ["502/acted:0*2", "delay:0.01@0.5"])
    assert set(shown["kinds"]) == set(KINDS)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await session.auth.corp_ident_link(CorpIdentLinkRequest())
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.origin}/sandbox/faults") as response:
        assert (await response.json())["faults"] == ["delay:0.01@0.5"]
    assert (await put(sandbox, {"faults": []}))[1]["faults"] == []


@pytest.mark.parametrize(
    "body", [{"faults": ["explode"]}, {"faults": "drop"}, {}, [], None, {"faults": [1]}, {"faults": [], "seed": "x"}]
)
async def test_poor_faults_are_refused_by_http(body: Any, sandbox: Sandbox) -> None:
    """What is no list of faults is refused with an example, and changes nothing."""
    sandbox.fail(Fault("drop", times=1))
    status, shown = await put(sandbox, body)
    assert status == 400
    assert 'send {"faults": ["drop*1"], "seed": 0}' in shown["error"]
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.origin}/sandbox/faults") as response:
        assert (await response.json())["faults"] == ["drop:0*1"]


async def test_a_foreign_page_cannot_set_faults(sandbox: Sandbox) -> None:
    """Only JSON by its own content type is taken, which a form on a foreign page cannot send."""
    async with aiohttp.ClientSession() as http:
        data = b'{"faults": ["drop"]}'
        headers = {"Content-Type": "text/plain"}
        async with http.put(f"{sandbox.origin}/sandbox/faults", data=data, headers=headers) as response:
            assert response.status == 400


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_is_written_as_it_is_read(kind: str) -> None:
    """The written form of a fault is read as the same fault."""
    for fault in (Fault(kind), Fault(kind, times=3, probability=0.25, seconds=1.5)):
        assert Fault.parse(str(fault)) == fault
    if KINDS[kind].free:
        turned = Fault(kind, acted=not KINDS[kind].acted)
        assert Fault.parse(str(turned)) == turned


async def test_nobody_listens_for_a_while(sandbox: Sandbox) -> None:
    """While connections are refused nothing is sent, and afterwards the same port answers again."""
    sandbox.fail(Fault("refuse", seconds=30.0))
    sandbox.fail(Fault("refuse", seconds=0.3))
    await asyncio.sleep(0.05)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url, retry=ONCE) as session:
        with pytest.raises(ConnectError, match="ECONNREFUSED"):
            await session.auth.corp_ident_link(CorpIdentLinkRequest())
        await asyncio.sleep(0.5)
        assert (await session.auth.corp_ident_link(CorpIdentLinkRequest())).order_no


async def test_a_sandbox_may_begin_by_refusing() -> None:
    """A fault given from the start happens from the start."""
    async with Sandbox(faults=[Fault("refuse", seconds=30.0)]) as sandbox:
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(sandbox.origin.rsplit(":", 1)[1]))


def test_faults_from_another_thread(kfq_sandbox: Sandbox) -> None:
    """A sandbox in a thread takes faults from the thread of the test."""

    async def refused() -> None:
        await asyncio.sleep(0.05)
        async with AsyncSession(kfq_sandbox.token, base_url=kfq_sandbox.base_url, retry=ONCE) as session:
            with pytest.raises(ConnectError):
                await session.auth.corp_ident_link(CorpIdentLinkRequest())

    kfq_sandbox.fail(Fault("refuse", seconds=30.0))
    asyncio.run(refused())


async def test_large_answers_wait_for_slow_readers(sandbox: Sandbox) -> None:
    """An answer of many megabytes is paused while its reader sleeps, and arrives whole."""
    sandbox.fail(Fault("huge", times=1))
    host, port = sandbox.origin.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
    path = "/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
    await asyncio.sleep(0.3)
    size = 0
    while data := await reader.read(65536):
        size += len(data)
    writer.close()
    assert size > 9 * 1024 * 1024
