"""Faults from outside: the admin route, the port, and how often things happen. What they look like: the matrix."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

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
from kfq_async.sandbox import Fault, Order, Sandbox
from kfq_async.sandbox.faults import KINDS

if TYPE_CHECKING:
    from pathlib import Path

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
    sandbox.inject_faults(Fault("drop", times=1))
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
    sandbox.inject_faults(Fault("refuse", seconds=30.0))
    sandbox.inject_faults(Fault("refuse", seconds=0.3))
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

    kfq_sandbox.inject_faults(Fault("refuse", seconds=30.0))
    asyncio.run(refused())


async def test_large_answers_wait_for_slow_readers(sandbox: Sandbox) -> None:
    """An answer of many megabytes is paused while its reader sleeps, and arrives whole."""
    sandbox.inject_faults(Fault("huge", times=1))
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
        ("internal-510", CredentialsError, 510),
    ],
)
async def test_every_number_can_be_answered(
    kind: str, error: type[ApiError], code: int, session: AsyncSession, sandbox: Sandbox
) -> None:
    """Any number of the platform's can be asked for, in its own envelope and in the internal one."""
    sandbox.inject_faults(kind)
    with pytest.raises(error) as caught:
        await session.auth.corp_ident_link(CorpIdentLinkRequest())
    assert (type(caught.value), caught.value.code) == (error, code)
    assert str(Fault.parse(f"{kind}/acted")) == f"{kind}/acted:0"


@pytest.mark.parametrize("kind", ["code-", "code-12", "code-1234567", "internal-1", "code-²000"])
def test_what_is_no_number(kind: str) -> None:
    """What only looks like a number is no fault."""
    with pytest.raises(ValueError, match="does not exist"):
        Fault(kind)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"tokens": "PV9LQWZA"}, TypeError, "write .token."),
        ({"tokens": ()}, ValueError, "at least one token"),
        ({"tokens": ["A", ""]}, ValueError, "none that is empty"),
        ({"host": "localhost"}, ValueError, "host must be a loopback address such as 127.0.0.1, not localhost"),
        ({"faults": ["explode"]}, ValueError, "'explode' is no fault"),
    ],
)
def test_arguments_that_cannot_be(options: Any, error: type[Exception], said: str) -> None:
    """What a sandbox cannot be made of is refused by its name."""
    with pytest.raises(error, match=said):
        Sandbox(**options)


async def test_two_sandboxes_on_one_file_share_the_promise(tmp_path: Path) -> None:
    """Two sandboxes that keep their state in one file make one order of one id, however close they are asked."""
    state = tmp_path / "state.db"
    request = CorpIdentLinkRequest(client_request_id="row-1")
    async with Sandbox(state=state) as one, Sandbox(state=state) as two:
        platform = one._running()
        by_key = platform.store.orders.one
        calls = []

        def too_early(condition: str, *values: str) -> Order | None:
            calls.append(values)
            return None if len(calls) == 1 else by_key(condition, *values)

        platform.store.orders.one = too_early  # type: ignore[method-assign]  # the other one writes in between
        async with AsyncSession(one.token, base_url=two.base_url) as session:
            first = await session.auth.corp_ident_link(request)
        async with AsyncSession(one.token, base_url=one.base_url) as session:
            second = await session.auth.corp_ident_link(request)
        assert first.order_no == second.order_no
        assert len(one.orders) == 1
