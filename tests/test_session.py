"""`AsyncSession`: lifetime, views and connections."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from calls import NO_RETRY, REQUEST, TOKEN, never_respond, respond
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    ConnectError,
    CredentialsError,
    KfqError,
    Phase,
    PoolTimeout,
    Rsa2Signer,
    SessionError,
    Timeouts,
)
from servers import ReceivedRequest, ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.sandbox import Sandbox


def in_another_loop(call: Callable[[], Awaitable[object]]) -> object:
    """Run a coroutine in another event loop and thread, and return its result or error."""

    async def run() -> object:
        return await call()

    def run_thread() -> None:
        try:
            results.append(asyncio.run(run()))
        except KfqError as error:
            results.append(error)

    results: list[object] = []
    thread = threading.Thread(target=run_thread)
    thread.start()
    thread.join()
    return results[0]


# Lifetime


def test_session_created_outside_of_an_event_loop() -> None:
    """A session can be created without an event loop, and belongs to the loop of its first call."""
    session = AsyncSession(TOKEN, base_url="http://127.0.0.1:1/resrun-paas", retry=NO_RETRY)

    async def use() -> None:
        async with session:
            with pytest.raises(ConnectError):
                await session.auth.corp_ident_link(REQUEST)

    asyncio.run(use())


async def test_close_twice(sandbox: Sandbox) -> None:
    """Closing is idempotent, and a closed session says so in its ``repr``."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await session.auth.corp_ident_link(REQUEST)
        await session.aclose()
        await session.aclose()
    assert session.closed
    assert repr(session) == f"<AsyncSession {sandbox.base_url} closed>"


async def test_close_unused_session() -> None:
    """A session that made no call can be closed, and is then closed for calls."""
    session = AsyncSession(TOKEN)
    await session.aclose()
    with pytest.raises(SessionError):
        await session.auth.corp_ident_link(REQUEST)


@pytest.mark.parametrize("used", [True, False])
async def test_use_after_close(sandbox: Sandbox, *, used: bool) -> None:
    """A closed session and its views raise a complete `SessionError`."""
    session = AsyncSession(sandbox.token, base_url=sandbox.base_url)
    if used:
        await session.auth.corp_ident_link(REQUEST)
    await session.aclose()
    for view in (session, session.for_token("OTHER")):
        assert view.closed
        with pytest.raises(SessionError, match="the session is closed") as caught:
            await view.auth.corp_ident_link(REQUEST)
        assert (caught.value.phase, caught.value.attempts) == (Phase.NOT_SENT, 0)
        assert caught.value.operation == "POST /auth/corp/ident/link"
        assert caught.value.client_request_id == REQUEST.client_request_id
        assert isinstance(caught.value, RuntimeError)


async def test_another_loop(sandbox: Sandbox) -> None:
    """From another event loop a session can neither be used nor closed, and it keeps working in its own."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await session.auth.corp_ident_link(REQUEST)
        used = await asyncio.to_thread(in_another_loop, lambda: session.auth.corp_ident_link(REQUEST))
        assert isinstance(used, SessionError)
        assert "the event loop of its first call" in str(used)
        await session.auth.corp_ident_link(REQUEST)
        closed = await asyncio.to_thread(in_another_loop, session.aclose)
        assert isinstance(closed, SessionError)
        assert "must be closed in the event loop of its first call" in str(closed)


async def test_deadlines_after_another_loop() -> None:
    """After a refused use in another loop, timeouts still hold in the session's own."""
    timeouts = Timeouts(attempt=0.2)
    async with (
        ScriptedServer(never_respond) as server,
        AsyncSession(TOKEN, base_url=server.base_url, timeouts=timeouts, retry=NO_RETRY) as session,
    ):
        with pytest.raises(AttemptTimeout):
            await session.auth.corp_ident_link(REQUEST)
        await asyncio.sleep(0.2)
        assert isinstance(
            await asyncio.to_thread(in_another_loop, lambda: session.auth.corp_ident_link(REQUEST)), SessionError
        )
        with pytest.raises(AttemptTimeout):
            async with asyncio.timeout(30):
                await session.auth.corp_ident_link(REQUEST)


FORK = """
import asyncio, os, sys
from kfq_async import AsyncSession, CorpIdentLinkRequest, SessionError

def call(session):
    link = asyncio.run(session.auth.corp_ident_link(CorpIdentLinkRequest(account_name="13800138000")))
    return link.order_no

used = AsyncSession("PV9LQWZA", base_url=sys.argv[1])
fresh = AsyncSession("PV9LQWZA", base_url=sys.argv[1])
call(used)
child = os.fork()
if child == 0:
    try:
        call(used)
    except SessionError as error:
        print("used:", error, flush=True)
    print("fresh:", call(fresh), flush=True)
else:
    _, status = os.waitpid(child, 0)
    print("child ended with", status)
"""


async def test_fork(sandbox: Sandbox) -> None:
    """In a forked process a session that was used before is refused, and an unused one works."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORK, sandbox.base_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    first, second, third = out.decode().splitlines()
    assert first.startswith("used: POST /auth/corp/ident/link: the session was used before this process was forked")
    assert second == f"fresh: {sandbox.orders[1].order_no}"
    assert third == "child ended with 0"
    assert len(sandbox.orders) == 2


async def test_call_outside_of_a_task() -> None:
    """A coroutine that is run outside of any task raises an error that says so."""
    session = AsyncSession(TOKEN)
    future = asyncio.get_running_loop().create_future()

    def run_outside() -> None:
        try:
            session.auth.corp_ident_link(REQUEST).send(None)
        except SessionError as error:
            future.set_result(str(error))

    asyncio.get_running_loop().call_soon(run_outside)
    assert "a call must run in an asyncio task" in await future


# Views


async def test_view_for_another_tenant() -> None:
    """Calls of two tenants share one connection, each with its own token, and no cookie is sent."""
    response = success().replace(b"\r\n\r\n", b"\r\nSet-Cookie: tenant=first; Path=/\r\n\r\n", 1)
    async with ScriptedServer(respond(response)) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        await session.auth.corp_ident_link(REQUEST)
        await session.for_token("OTHER").auth.corp_ident_link(REQUEST)
        await session.auth.corp_ident_link(REQUEST)
        assert server.connections == 1
        assert [seen.headers["appAuthToken"] for seen in server.requests] == [TOKEN, "OTHER", TOKEN]
        assert not any("Cookie" in seen.headers for seen in server.requests)


async def test_view_shares_the_slots() -> None:
    """While the only slot of a session is taken, calls of its views queue too."""
    async with (
        ScriptedServer(never_respond) as server,
        AsyncSession(TOKEN, base_url=server.base_url, concurrency=1) as session,
    ):
        running = asyncio.create_task(session.auth.corp_ident_link(REQUEST))
        await server.wait_for_requests()
        with pytest.raises(PoolTimeout):
            await session.for_token("OTHER").with_options(timeouts=Timeouts(total=0.2)).auth.corp_ident_link(REQUEST)
        running.cancel()


async def test_view_with_other_options(vectors: Any) -> None:
    """A view has settings of its own, and the session keeps its settings."""
    async with ScriptedServer(respond(success())) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        signing = session.with_options(signer=Rsa2Signer(vectors["privateKeyPkcs8"]), retry=NO_RETRY)
        await signing.auth.corp_ident_link(REQUEST)
        await session.auth.corp_ident_link(REQUEST)
        await signing.with_options(signer=None).auth.corp_ident_link(REQUEST)
        await signing.for_token("OTHER").auth.corp_ident_link(REQUEST)
    signed = [bool(seen.headers["sign"]) for seen in server.requests]
    assert signed == [True, False, False, True]


async def test_refused_tenant_does_not_affect_another(session: AsyncSession) -> None:
    """A view whose token is refused does not affect the session."""
    with pytest.raises(CredentialsError):
        await session.for_token("FOREIGN").auth.corp_ident_link(REQUEST)
    assert (await session.auth.corp_ident_link(REQUEST)).order_no


async def test_close_view(session: AsyncSession) -> None:
    """Closing a view is a no-op: the view, other views and the session keep working."""
    async with session.for_token(TOKEN) as view:
        await view.auth.corp_ident_link(REQUEST)
    await view.aclose()
    await view.auth.corp_ident_link(REQUEST)
    await session.auth.corp_ident_link(REQUEST)


async def test_view_of_a_subclass() -> None:
    """Views of a subclass are instances of the subclass."""

    class Derived(AsyncSession):
        pass

    assert type(Derived(TOKEN).for_token("OTHER").with_options(retry=NO_RETRY)) is Derived


# Connections


async def test_connector_of_the_caller_stays_open(sandbox: Sandbox) -> None:
    """Closing the session leaves the caller's connector open, and another session can use it."""
    async with aiohttp.TCPConnector() as connector:
        for _ in range(2):
            async with AsyncSession(sandbox.token, base_url=sandbox.base_url, connector=connector) as session:
                await session.auth.corp_ident_link(REQUEST)
            assert not connector.closed


@pytest.mark.parametrize(
    ("options", "concurrency"),
    [
        ({"limit": 2}, 2),
        ({"limit_per_host": 2}, 2),
        ({"limit": 5, "limit_per_host": 2}, 2),
        ({"limit": 0, "limit_per_host": 2}, 2),
        ({"limit": 0}, 8),
        ({"limit": 100}, 8),
    ],
)
async def test_connector_lowers_the_concurrency(options: dict[str, Any], concurrency: int) -> None:
    """No call queues within the caller's connector, where waiting would count as connecting."""
    running, counts, full = 0, [], asyncio.Event()

    async def script(_number: int, _seen: ReceivedRequest) -> bytes:
        nonlocal running
        running += 1
        counts.append(running)
        if running == concurrency:
            full.set()
        await full.wait()
        await asyncio.sleep(0.25)
        running -= 1
        return success()

    async with ScriptedServer(script) as server, aiohttp.TCPConnector(**options) as connector:
        # Ten calls take longer than the connect timeout, except over eight slots.
        timeouts = Timeouts(connect=1)
        async with AsyncSession(
            TOKEN, base_url=server.base_url, connector=connector, concurrency=8, timeouts=timeouts, retry=NO_RETRY
        ) as session:
            assert f"concurrency={concurrency}>" in repr(session)
            await asyncio.gather(*(session.auth.corp_ident_link(REQUEST) for _ in range(10)))
    assert max(counts) == concurrency


async def test_proxy() -> None:
    """With ``proxy`` a request is sent to the proxy, with the whole URL."""
    async with (
        ScriptedServer(respond(success())) as proxy,
        AsyncSession(TOKEN, base_url="http://kfq.invalid/resrun-paas", proxy=proxy.origin) as session,
    ):
        await session.auth.corp_ident_link(REQUEST)
        assert [seen.target for seen in proxy.requests] == [
            "http://kfq.invalid/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"
        ]


@pytest.mark.parametrize("trusted", [True, False])
async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> None:
    """The proxy of the environment is used only with ``trust_env``."""
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with ScriptedServer(respond(success())) as proxy, ScriptedServer(respond(success())) as server:
        monkeypatch.setenv("http_proxy", proxy.origin)
        async with AsyncSession(TOKEN, base_url=server.base_url, trust_env=trusted) as session:
            await session.auth.corp_ident_link(REQUEST)
        assert (len(proxy.requests), len(server.requests)) == ((1, 0) if trusted else (0, 1))


async def test_unreachable_proxy() -> None:
    """When the proxy cannot be reached, the error names the proxy and not the platform."""
    async with AsyncSession(
        TOKEN, proxy="http://127.0.0.1:1", base_url="http://h.invalid/resrun-paas", retry=NO_RETRY
    ) as session:
        with pytest.raises(ConnectError, match=r"no connection to the proxy 127\.0\.0\.1:1"):
            await session.auth.corp_ident_link(REQUEST)


class RefusingResolver(aiohttp.abc.AbstractResolver):
    """A resolver that refuses a host name, as the codec of host names does."""

    async def resolve(self, *_: Any, **__: Any) -> Any:
        """Refuse the name."""
        raise UnicodeError("label empty or too long")

    async def close(self) -> None:
        """Close nothing."""


async def test_host_that_the_lookup_refuses() -> None:
    """A host name that the lookup refuses with `UnicodeError` is a `ConnectError`."""
    async with (
        aiohttp.TCPConnector(resolver=RefusingResolver()) as connector,
        AsyncSession(TOKEN, base_url="http://refused.example/x", connector=connector, retry=NO_RETRY) as session,
    ):
        with pytest.raises(ConnectError, match=r"no connection to refused\.example"):
            await session.auth.corp_ident_link(REQUEST)
