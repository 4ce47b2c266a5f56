"""`AsyncSession`: what it accepts, how long it lives, what its views share, and what `send` is for."""

from __future__ import annotations

import asyncio
import ssl
import sys
import threading
from math import inf, nan
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from kfq_async import (
    CORP_IDENT_LINK,
    ApiResponse,
    AsyncSession,
    AttemptTimeout,
    ConnectError,
    CorpIdentLink,
    CorpIdentLinkRequest,
    CredentialPlacement,
    CredentialsError,
    EncodeError,
    Envelope,
    KfqError,
    Operation,
    Phase,
    PoolTimeout,
    RetryPolicy,
    Rsa2Signer,
    SessionError,
    Timeouts,
)
from kfq_async.protocol.responses import HttpResponse
from kfq_async.protocol.signing import verify
from kfq_async.session import HOSTED
from servers import SUCCESS, ScriptedServer, Seen, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kfq_async.sandbox import Sandbox

TOKEN = "PV9LQWZA"
ONCE = RetryPolicy(attempts=1)
REQUEST = CorpIdentLinkRequest(account_name="13800138000")
OTHER = Operation[Any, Any]("POST", "/auth/other")


async def succeed(_number: int, _seen: Seen) -> bytes:
    """Answer with success."""
    return success()


async def silent(_number: int, _seen: Seen) -> None:
    """Never answer."""
    await asyncio.sleep(60)


async def ask(session: AsyncSession) -> CorpIdentLink:
    """Ask for a link."""
    return await session.auth.corp_ident_link(REQUEST)


def in_another_loop(make: Callable[[], Awaitable[object]]) -> object:
    """Run a coroutine in a loop of its own, in a thread of its own, and return its result or its error."""

    async def run() -> object:
        return await make()

    def work() -> None:
        try:
            results.append(asyncio.run(run()))
        except KfqError as error:
            results.append(error)

    results: list[object] = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return results[0]


# What it accepts


@pytest.mark.parametrize(
    ("token", "kind", "words"),
    [
        ("", ValueError, "app_auth_token must not be empty"),
        (None, TypeError, "app_auth_token must be a str, not NoneType"),
        (b"PV9LQWZA", TypeError, "app_auth_token must be a str, not bytes"),
        (12345678, TypeError, "app_auth_token must be a str, not int"),
        ("PV9L QWZA", ValueError, "app_auth_token must be printable ASCII without blanks"),
        ("PV9LQWZA\n", ValueError, "app_auth_token must be printable ASCII without blanks"),
        ("PV9LQWZA\r\nX: y", ValueError, "app_auth_token must be printable ASCII without blanks"),
        ("PV9LQWZÄ", ValueError, "app_auth_token must be printable ASCII without blanks"),
        ("“PV9LQWZA”", ValueError, "app_auth_token must be printable ASCII without blanks"),
    ],
)
def test_a_token_that_cannot_be_one(token: Any, kind: type[Exception], words: str) -> None:
    """What cannot be a token is refused where it is given, for a session and for a view, and not repeated."""
    with pytest.raises(kind, match=words) as caught:
        AsyncSession(token)
    assert "PV9L" not in str(caught.value)
    with pytest.raises(kind, match=words):
        AsyncSession(TOKEN).for_token(token)


@pytest.mark.parametrize(
    ("base_url", "kind", "words"),
    [
        ("home.kaifangqian.com/resrun-paas", ValueError, "base_url must be like .* with http:// or https://"),
        ("localhost:8899/resrun-paas", ValueError, "base_url must be like"),
        ("ftp://home.kaifangqian.com", ValueError, "base_url must be like"),
        ("https://", ValueError, "base_url must be like"),
        ("https:///resrun-paas", ValueError, "base_url must be like"),
        ("https://host:port/resrun-paas", ValueError, "base_url must be like"),
        ("", ValueError, "base_url must be like"),
        ("https://user:hunter2@host/resrun-paas", ValueError, "base_url must not hold a user name or password"),
        ("https://user@host/resrun-paas", ValueError, "base_url must not hold a user name or password"),
        ("ftp://user:hunter2@host/resrun-paas", ValueError, "base_url must be like"),
        ("https://host/resrun-paas?tenant=hunter2", ValueError, "base_url must end with the context path"),
        ("https://host/resrun-paas#top", ValueError, "base_url must end with the context path"),
        (None, TypeError, "base_url must be a str, not NoneType"),
        (b"https://host", TypeError, "base_url must be a str, not bytes"),
    ],
)
def test_a_base_url_that_cannot_be_one(base_url: Any, kind: type[Exception], words: str) -> None:
    """What is no base URL is refused by name, and secrets in it are not repeated."""
    with pytest.raises(kind, match=words) as caught:
        AsyncSession(TOKEN, base_url=base_url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8899/resrun-paas", "http://127.0.0.1:8899/resrun-paas/"])
def test_a_slash_at_the_end_does_not_matter(base_url: str) -> None:
    """With or without a slash at its end a base URL is the same."""
    assert "http://127.0.0.1:8899/resrun-paas concurrency" in repr(AsyncSession(TOKEN, base_url=base_url))


@pytest.mark.parametrize(
    ("concurrency", "kind", "words"),
    [
        (0, ValueError, "concurrency must be at least 1, not 0"),
        (-1, ValueError, "concurrency must be at least 1, not -1"),
        (True, TypeError, "concurrency must be an int, not bool"),
        ("100", TypeError, "concurrency must be an int, not str"),
        (1.5, TypeError, "concurrency must be an int, not float"),
        (None, TypeError, "concurrency must be an int, not NoneType"),
    ],
)
def test_a_concurrency_that_cannot_be_one(concurrency: Any, kind: type[Exception], words: str) -> None:
    """A number of slots is a whole number from 1."""
    with pytest.raises(kind, match=words):
        AsyncSession(TOKEN, concurrency=concurrency)


@pytest.mark.parametrize(
    ("rate_limit", "kind", "words"),
    [
        (0, ValueError, "rate_limit must be more than 0 calls a second"),
        (-5, ValueError, "rate_limit must be more than 0 calls a second"),
        (nan, ValueError, "rate_limit must be more than 0 calls a second"),
        (inf, ValueError, "rate_limit must be more than 0 calls a second"),
        (True, TypeError, "rate_limit must be a number of calls a second, or None, not bool"),
        ("5", TypeError, "rate_limit must be a number of calls a second, or None, not str"),
    ],
)
def test_a_rate_limit_that_cannot_be_one(rate_limit: Any, kind: type[Exception], words: str) -> None:
    """A pace is a positive number of calls a second, or ``None``."""
    with pytest.raises(kind, match=words):
        AsyncSession(TOKEN, rate_limit=rate_limit)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeouts": 30}, "timeouts must be a Timeouts, not int"),
        ({"timeouts": aiohttp.ClientTimeout()}, "timeouts must be a Timeouts, not ClientTimeout"),
        ({"timeouts": None}, "timeouts must be a Timeouts, not NoneType"),
        ({"retry": 3}, "retry must be a RetryPolicy, not int"),
    ],
)
def test_settings_of_a_wrong_type(options: dict[str, Any], words: str) -> None:
    """Settings are refused by name, for a session and for a view."""
    with pytest.raises(TypeError, match=words):
        AsyncSession(TOKEN, **options)
    with pytest.raises(TypeError, match=words):
        AsyncSession(TOKEN).with_options(**options)


async def test_a_connector_brings_its_own_tls() -> None:
    """``ssl`` beside a connector would be ignored, so it is refused."""
    async with aiohttp.TCPConnector() as connector:
        with pytest.raises(ValueError, match="ssl belongs to the connector"):
            AsyncSession(TOKEN, connector=connector, ssl=ssl.create_default_context())


def test_a_session_can_be_made_anywhere() -> None:
    """Outside of an event loop, as at import, a session can be made; it then belongs to the loop of its first call."""
    session = AsyncSession(TOKEN, base_url="http://127.0.0.1:1/resrun-paas", retry=ONCE)

    async def use() -> None:
        async with session:
            with pytest.raises(ConnectError):
                await ask(session)

    asyncio.run(use())


def test_repr_shows_no_secret(vectors: Any) -> None:
    """A session shows where it leads and how wide, and neither token nor key."""
    session = AsyncSession(TOKEN, signer=Rsa2Signer(vectors["privateKeyPkcs8"]), concurrency=7)
    assert repr(session) == f"<AsyncSession {HOSTED} concurrency=7>"
    assert TOKEN not in repr(vars(session))
    assert repr(session.for_token("SECRET-2")) == repr(session)


# From the environment


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the variables that are given and remove the others."""

    def fill(**variables: str) -> None:
        for name in ("KFQ_APP_AUTH_TOKEN", "KFQ_BASE_URL", "KFQ_PRIVATE_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return fill


async def test_everything_from_the_environment(environment: Callable[..., None], vectors: Any) -> None:
    """Token, base URL and key come from their three variables, and requests are signed."""
    async with ScriptedServer(succeed) as server:
        environment(
            KFQ_APP_AUTH_TOKEN="FROM-ENV", KFQ_BASE_URL=server.base_url, KFQ_PRIVATE_KEY=vectors["privateKeyPkcs8"]
        )
        async with AsyncSession.from_env() as session:
            await ask(session)
        (seen,) = server.seen
    assert seen.headers["appAuthToken"] == "FROM-ENV"
    assert verify(seen.body, seen.headers["sign"], vectors["publicKeySpki"])


async def test_options_win_over_the_environment(environment: Callable[..., None], vectors: Any) -> None:
    """What is passed counts, also ``signer=None``, and a wrong value in the environment is then not even read."""
    async with ScriptedServer(succeed) as server:
        environment(KFQ_APP_AUTH_TOKEN="no token", KFQ_BASE_URL="nowhere", KFQ_PRIVATE_KEY="no key")
        async with AsyncSession.from_env(
            app_auth_token=TOKEN, base_url=server.base_url, signer=None, concurrency=3
        ) as session:
            await ask(session)
            assert "concurrency=3" in repr(session)
        (seen,) = server.seen
    assert (seen.headers["appAuthToken"], seen.headers["sign"]) == (TOKEN, "")


@pytest.mark.parametrize("empty", [{}, {"KFQ_BASE_URL": "", "KFQ_PRIVATE_KEY": ""}])
def test_the_token_is_enough(environment: Callable[..., None], empty: dict[str, str]) -> None:
    """Without a base URL, or with an empty one, it is the hosted platform."""
    environment(KFQ_APP_AUTH_TOKEN=TOKEN, **empty)
    assert HOSTED in repr(AsyncSession.from_env())


@pytest.mark.parametrize("variables", [{}, {"KFQ_APP_AUTH_TOKEN": ""}])
def test_a_missing_token(environment: Callable[..., None], variables: dict[str, str]) -> None:
    """Without a token the variable is named."""
    environment(**variables)
    with pytest.raises(ValueError, match="KFQ_APP_AUTH_TOKEN is not set"):
        AsyncSession.from_env()


def test_an_empty_token_does_not_fall_back(environment: Callable[..., None]) -> None:
    """An empty token that is passed is a mistake, not a wish for the one of the environment."""
    environment(KFQ_APP_AUTH_TOKEN=TOKEN)
    with pytest.raises(ValueError, match="app_auth_token must not be empty"):
        AsyncSession.from_env(app_auth_token="")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("KFQ_APP_AUTH_TOKEN", "hunter2\n", "app_auth_token must be printable"),
        ("KFQ_BASE_URL", "home.kaifangqian.com", "base_url must be like"),
        ("KFQ_PRIVATE_KEY", "hunter2", "the private key is neither PEM"),
    ],
)
def test_a_wrong_variable_is_named(environment: Callable[..., None], name: str, value: str, words: str) -> None:
    """A value that cannot be used is refused by its variable, and not repeated."""
    environment(**{"KFQ_APP_AUTH_TOKEN": TOKEN, name: value})
    with pytest.raises(ValueError, match=f"^{name}: {words}") as caught:
        AsyncSession.from_env()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_key_on_one_line(environment: Callable[..., None], vectors: Any) -> None:
    r"""A PEM key whose line breaks were written as ``\n``, as deployment files need it, is read."""
    body = vectors["privateKeyPkcs8"]
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    pem = "\\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    environment(KFQ_APP_AUTH_TOKEN=TOKEN, KFQ_PRIVATE_KEY=pem)
    assert repr(AsyncSession.from_env())


# How long it lives


async def test_closing_twice(sandbox: Sandbox) -> None:
    """A session may be closed again, inside and after ``async with``, and says that it is closed."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await ask(session)
        await session.aclose()
        await session.aclose()
    assert repr(session) == f"<AsyncSession {sandbox.base_url} closed>"


async def test_closing_what_was_never_used() -> None:
    """A session that made no call opens nothing, and closing it closes nothing."""
    session = AsyncSession(TOKEN)
    await session.aclose()
    with pytest.raises(SessionError):
        await ask(session)


@pytest.mark.parametrize("used", [True, False])
async def test_use_after_closing(sandbox: Sandbox, *, used: bool) -> None:
    """A closed session says so, as do its views, and the error holds what every error holds."""
    session = AsyncSession(sandbox.token, base_url=sandbox.base_url)
    if used:
        await ask(session)
    await session.aclose()
    for door in (session, session.for_token("OTHER")):
        with pytest.raises(SessionError, match="the session is closed") as caught:
            await ask(door)
        assert (caught.value.phase, caught.value.attempts) == (Phase.NOT_SENT, 0)
        assert caught.value.operation == "POST /auth/corp/ident/link"
        assert caught.value.client_request_id == REQUEST.client_request_id
        assert isinstance(caught.value, RuntimeError)


async def test_another_loop(sandbox: Sandbox) -> None:
    """From another event loop a session can neither be used nor closed, and it stays whole where it belongs."""
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        await ask(session)
        used = await asyncio.to_thread(in_another_loop, lambda: ask(session))
        assert isinstance(used, SessionError)
        assert "the event loop of its first call" in str(used)
        await ask(session)
        closed = await asyncio.to_thread(in_another_loop, session.aclose)
        assert isinstance(closed, SessionError)
        assert "must be closed in the event loop of its first call" in str(closed)


async def test_another_loop_takes_no_deadline_along() -> None:
    """After a refused use in another loop, time-outs still hold in the session's own."""
    timeouts = Timeouts(attempt=0.2)
    async with (
        ScriptedServer(silent) as server,
        AsyncSession(TOKEN, base_url=server.base_url, timeouts=timeouts, retry=ONCE) as session,
    ):
        with pytest.raises(AttemptTimeout):
            await ask(session)
        await asyncio.sleep(0.2)
        assert isinstance(await asyncio.to_thread(in_another_loop, lambda: ask(session)), SessionError)
        with pytest.raises(AttemptTimeout):
            async with asyncio.timeout(30):
                await ask(session)


FORK = """
import asyncio, os, sys
from kfq_async import AsyncSession, CorpIdentLinkRequest, SessionError

def ask(session):
    link = asyncio.run(session.auth.corp_ident_link(CorpIdentLinkRequest()))
    return link.order_no

used = AsyncSession("PV9LQWZA", base_url=sys.argv[1])
fresh = AsyncSession("PV9LQWZA", base_url=sys.argv[1])
ask(used)
child = os.fork()
if child == 0:
    try:
        ask(used)
    except SessionError as error:
        print("used:", error, flush=True)
    print("fresh:", ask(fresh), flush=True)
else:
    _, status = os.waitpid(child, 0)
    print("child ended with", status)
"""


async def test_after_a_fork(sandbox: Sandbox) -> None:
    """In a forked process a session that was used before says so, and one that was not works."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORK, sandbox.base_url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    first, second, third = out.decode().splitlines()
    assert first.startswith("used: POST /auth/corp/ident/link: the session was used before this process was forked")
    assert second == f"fresh: {sandbox.orders[1].order_no}"
    assert third == "child ended with 0"
    assert len(sandbox.orders) == 2


async def test_outside_of_a_task() -> None:
    """A call that is driven by hand, outside of any task, says that it needs one."""
    session = AsyncSession(TOKEN)
    ended = asyncio.get_running_loop().create_future()

    def step() -> None:
        try:
            ask(session).send(None)
        except SessionError as error:
            ended.set_result(str(error))

    asyncio.get_running_loop().call_soon(step)
    assert "a call must run in an asyncio task" in await ended


# Views


async def test_a_view_for_another_tenant_shares_the_connection() -> None:
    """Two tenants' calls travel over one connection, each with its own token, and no cookie crosses over."""

    async def script(_number: int, _seen: Seen) -> bytes:
        return success().replace(b"\r\n\r\n", b"\r\nSet-Cookie: tenant=first; Path=/\r\n\r\n", 1)

    async with ScriptedServer(script) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        await ask(session)
        await ask(session.for_token("OTHER"))
        await ask(session)
        assert server.connections == 1
        assert [seen.headers["appAuthToken"] for seen in server.seen] == [TOKEN, "OTHER", TOKEN]
        assert not any("Cookie" in seen.headers for seen in server.seen)


async def test_a_view_shares_the_slots() -> None:
    """While a session's only slot is taken, its views wait too."""
    async with (
        ScriptedServer(silent) as server,
        AsyncSession(TOKEN, base_url=server.base_url, concurrency=1) as session,
    ):
        busy = asyncio.create_task(ask(session))
        await server.saw()
        with pytest.raises(PoolTimeout):
            await ask(session.for_token("OTHER").with_options(timeouts=Timeouts(total=0.2)))
        busy.cancel()


async def test_closing_a_view_is_harmless(session: AsyncSession) -> None:
    """Closing is the owner's affair: a view may be closed, or left, and all go on."""
    async with session.for_token(TOKEN) as view:
        await ask(view)
    await view.aclose()
    await ask(view)
    await ask(session)


async def test_a_view_with_other_options(vectors: Any) -> None:
    """A view's settings are its own, and the session keeps its."""
    async with ScriptedServer(succeed) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        signing = session.with_options(signer=Rsa2Signer(vectors["privateKeyPkcs8"]), retry=ONCE)
        await ask(signing)
        await ask(session)
        await ask(signing.with_options(signer=None))
        await ask(signing.for_token("OTHER"))
    signed = [bool(seen.headers["sign"]) for seen in server.seen]
    assert signed == [True, False, False, True]


@pytest.mark.parametrize("name", ["concurrency", "base_url", "connector", "app_auth_token", "oops"])
def test_options_that_a_view_cannot_have(name: str) -> None:
    """What belongs to the shared connections cannot differ in a view, and the name is refused."""
    with pytest.raises(TypeError, match=f"with_options takes timeouts, retry, signer, not {name}"):
        AsyncSession(TOKEN).with_options(**{name: 1})


async def test_a_view_of_a_subclass_is_one() -> None:
    """Whoever derives from the session gets views of the derived kind."""

    class Mine(AsyncSession):
        pass

    assert type(Mine(TOKEN).for_token("OTHER").with_options(retry=ONCE)) is Mine


# Connections


async def test_a_connector_of_the_callers_stays_open(sandbox: Sandbox) -> None:
    """Closing the session leaves the caller's connector to the caller, who may use it for the next one."""
    async with aiohttp.TCPConnector() as connector:
        for _ in range(2):
            async with AsyncSession(sandbox.token, base_url=sandbox.base_url, connector=connector) as session:
                await ask(session)
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
async def test_a_connector_lowers_the_concurrency(options: dict[str, Any], concurrency: int) -> None:
    """No call queues inside the caller's connector, where waiting would count as connecting."""
    at_once, most = 0, []

    async def script(_number: int, _seen: Seen) -> bytes:
        nonlocal at_once
        at_once += 1
        most.append(at_once)
        await asyncio.sleep(0.15)
        at_once -= 1
        return success()

    async with ScriptedServer(script) as server, aiohttp.TCPConnector(**options) as narrow:
        timeouts = Timeouts(connect=0.4)
        async with AsyncSession(
            TOKEN, base_url=server.base_url, connector=narrow, concurrency=8, timeouts=timeouts, retry=ONCE
        ) as session:
            assert f"concurrency={concurrency}>" in repr(session)
            await asyncio.gather(*(ask(session) for _ in range(10)))
    assert max(most) == concurrency


async def test_through_a_proxy(environment: Callable[..., None]) -> None:
    """With ``proxy`` a request goes to the proxy, which sees where it should go."""
    async with (
        ScriptedServer(succeed) as proxy,
        AsyncSession(TOKEN, base_url="http://kfq.invalid/resrun-paas", proxy=proxy.origin) as session,
    ):
        await ask(session)
        assert [seen.target for seen in proxy.seen] == [
            "http://kfq.invalid/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"
        ]


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, *, trusted: bool) -> None:
    """The environment's proxy is used only on demand."""
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with ScriptedServer(succeed) as proxy, ScriptedServer(succeed) as server:
        monkeypatch.setenv("http_proxy", proxy.origin)
        async with AsyncSession(TOKEN, base_url=server.base_url, trust_env=trusted) as session:
            await ask(session)
        assert (len(proxy.seen), len(server.seen)) == ((1, 0) if trusted else (0, 1))


# send


async def test_send_returns_how_it_came(sandbox: Sandbox, session: AsyncSession) -> None:
    """An `ApiResponse` holds the result, the envelope that it came in, and the number of attempts."""
    got = await session.send(CORP_IDENT_LINK, REQUEST)
    assert got.result.order_no == sandbox.orders[0].order_no
    assert got.attempts == 1
    assert isinstance(got.envelope, Envelope)
    assert (got.envelope.code, got.envelope.message) == (10000, "成功")
    assert got.envelope.timestamp is not None
    assert got.result.auth_url not in repr(got)


async def test_a_plain_mapping(sandbox: Sandbox, session: AsyncSession) -> None:
    """A known operation takes a mapping by the wire's names as well, and still returns its model."""
    got = await session.send(CORP_IDENT_LINK, {"accountName": "a@example.com", "clientRequestId": "id-1"})
    assert isinstance(got.result, CorpIdentLink)
    assert sandbox.orders[0].client_request_id == "id-1"


@pytest.mark.parametrize("result", [SUCCESS, None, [1, {"a": None}], "text", 7])
async def test_an_operation_of_the_users_own(result: object) -> None:
    """An operation without models sends a mapping, or nothing, and returns the plain JSON value."""

    async def script(_number: int, _seen: Seen) -> bytes:
        return success(result)

    async with ScriptedServer(script) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        assert (await session.send(OTHER)).result == result
        assert (await session.send(OTHER, {"a": {"b": [1, "二"]}})).result == result
        assert [orjson.loads(seen.body) for seen in server.seen] == [{}, {"a": {"b": [1, "二"]}}]
        assert {seen.target for seen in server.seen} == {"/resrun-paas/kaifangqian/openAPI/V2/auth/other"}


async def test_what_is_not_documented_can_be_added() -> None:
    """``extra_body`` and ``extra_headers`` go out beside what the operation knows."""
    async with ScriptedServer(succeed) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        await session.send(
            CORP_IDENT_LINK, REQUEST, extra_body={"appId": "A1"}, extra_headers={"X-Trace": "t-1", "User-Agent": "mine"}
        )
        (seen,) = server.seen
    assert orjson.loads(seen.body) == {
        "accountName": "13800138000",
        "clientRequestId": REQUEST.client_request_id,
        "appId": "A1",
    }
    assert (seen.headers["X-Trace"], seen.headers.getall("User-Agent")) == ("t-1", ["mine"])


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"extra_body": {"accountName": "x"}}, ValueError, "extra_body must only add fields"),
        ({"extra_headers": {"NONCE": "x"}}, ValueError, "extra_headers must not hold NONCE"),
        ({"extra_headers": {"X-Bad": "a\r\nX-Injected: b"}}, ValueError, "(?i)header"),
        ({"extra_body": {"a": {1}}}, EncodeError, r"\$\.a"),
    ],
)
async def test_what_cannot_be_asked(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    """A mistake in a request is raised at once, sends nothing, and takes no slot away."""
    async with (
        ScriptedServer(succeed) as server,
        AsyncSession(TOKEN, base_url=server.base_url, concurrency=1) as session,
    ):
        for _ in range(2):
            with pytest.raises(kind, match=words):
                await session.send(CORP_IDENT_LINK, REQUEST, **options)
        assert server.seen == []
        await ask(session)


async def test_the_token_in_the_body(sandbox: Sandbox) -> None:
    """An operation of the contract family carries its credentials in the body, and an unknown one is a 404."""
    operation = Operation[Any, Any]("POST", "/contract/unknown", credentials=CredentialPlacement.PARAMETERS)
    async with AsyncSession(sandbox.token, base_url=sandbox.base_url) as session:
        with pytest.raises(KfqError) as caught:
            await session.send(operation, {"contractId": "1"})
    assert (caught.value.phase, type(caught.value).__name__) == (Phase.ANSWERED, "NotFoundError")
    assert "self-hosted" not in str(caught.value)


async def test_one_tenants_refusal_does_not_concern_another(session: AsyncSession) -> None:
    """A view whose token is refused leaves the session as it was."""
    with pytest.raises(CredentialsError):
        await ask(session.for_token("FOREIGN"))
    assert (await ask(session)).order_no


# What a session is made of, of a wrong kind


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"signer": "-----BEGIN PRIVATE KEY-----"}, TypeError, r"signer must have a method sign.*not be a str"),
        ({"ssl": False}, TypeError, "ssl must be a SSLContext, not bool"),
        ({"ssl": "ca.pem"}, TypeError, "ssl must be a SSLContext, not str"),
        ({"connector": "x"}, TypeError, "connector must be a BaseConnector, not str"),
        ({"proxy": "proxyhost:3128"}, ValueError, "proxy must be a URL such as http://host:3128"),
        ({"proxy": 3128}, TypeError, "proxy must be a str, not int"),
        ({"base_url": "http://foo..bar/resrun-paas"}, ValueError, "no host that can be looked up"),
        ({"base_url": f"http://{'x' * 64}.example/resrun-paas"}, ValueError, "no host that can be looked up"),
    ],
)
def test_arguments_of_a_wrong_kind(options: dict[str, Any], error: type[Exception], said: str) -> None:
    """What cannot be used is refused when the session is made, by the argument's name, and not at the first call."""
    with pytest.raises(error, match=said):
        AsyncSession(TOKEN, **options)


def test_a_view_checks_its_signer() -> None:
    """A view refuses a signer that cannot sign."""
    with pytest.raises(TypeError, match="signer must have a method sign"):
        AsyncSession(TOKEN).with_options(signer="x")


@pytest.mark.parametrize(
    ("headers", "error", "said"),
    [
        ({"X": 1}, TypeError, "must map str to str; 'X' does not"),
        ({1: "x"}, TypeError, "must map str to str; 1 does not"),
        ({"X-A": "b\r\nX-C: d"}, ValueError, "the value of X-A must be printable ASCII"),
        ({"X-名": "x"}, ValueError, "'X-名' is not a valid header name"),
        ({"Transfer-Encoding": "chunked"}, ValueError, "must not hold Transfer-Encoding"),
        ({"SIGN": "x"}, ValueError, "must not hold SIGN"),
    ],
)
async def test_headers_that_cannot_be_sent(headers: Any, error: type[Exception], said: str) -> None:
    """An additional header that cannot be sent is refused by its name before anything is sent."""
    async with ScriptedServer(succeed) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        with pytest.raises(error, match=said):
            await session.send(CORP_IDENT_LINK, CorpIdentLinkRequest(), extra_headers=headers)
        assert server.seen == []


async def test_what_utf8_cannot_carry_names_its_field() -> None:
    """A lone surrogate is refused with the field, in a query as in a body, and the error knows operation and id."""
    async with ScriptedServer(succeed) as server, AsyncSession(TOKEN, base_url=server.base_url) as session:
        with pytest.raises(EncodeError, match=r"\$\.contractId: a lone surrogate") as caught:
            await session.contracts.tasks("\ud800 13800138000")
        assert "13800138000" not in repr(caught.value) + str(caught.value)
        request = CorpIdentLinkRequest(account_name="\ud800", client_request_id="row-1")
        with pytest.raises(EncodeError, match=r"\$\.accountName") as caught:
            await session.auth.corp_ident_link(request)
        assert (caught.value.operation, caught.value.client_request_id) == ("POST /auth/corp/ident/link", "row-1")
        assert server.seen == []


async def test_added_headers_do_not_change_between_attempts() -> None:
    """A mapping of headers that changes while a call is under way does not change the call."""
    headers = {"X-Trace": "1"}

    async def script(number: int, _seen: Seen) -> bytes | None:
        headers["X-Trace"] = "2"
        return success() if number else None

    retry = RetryPolicy(initial=0.01)
    async with ScriptedServer(script) as server, AsyncSession(TOKEN, base_url=server.base_url, retry=retry) as session:
        await session.send(CORP_IDENT_LINK, CorpIdentLinkRequest(), extra_headers=headers)
        assert [seen.headers["X-Trace"] for seen in server.seen] == ["1", "1"]


async def test_a_host_that_no_look_up_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name that the look-up itself refuses is a connection that was not made."""
    monkeypatch.setattr("kfq_async.session._base_url", str)
    async with AsyncSession(TOKEN, base_url="http://foo..bar/resrun-paas", retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(ConnectError, match=r"no connection to foo\.\.bar"):
            await session.auth.corp_ident_link(CorpIdentLinkRequest())


async def test_a_dead_proxy_is_named() -> None:
    """When the proxy is not there, the error names it and not the platform."""
    retry = RetryPolicy(attempts=1)
    async with AsyncSession(
        TOKEN, proxy="http://127.0.0.1:1", base_url="http://h.invalid/resrun-paas", retry=retry
    ) as it:
        with pytest.raises(ConnectError, match=r"no connection to the proxy 127\.0\.0\.1:1"):
            await it.auth.corp_ident_link(CorpIdentLinkRequest())


def test_plain_results_are_not_shown() -> None:
    """An answer shows a model, which masks its secrets, and never plain data, which would not."""
    link = CorpIdentLink(order_no="N1", auth_url="https://h.example/secret")
    assert "N1" in repr(ApiResponse(result=link, envelope=None, attempts=1))
    assert "secret" not in repr(ApiResponse(result={"authUrl": "secret"}, envelope=None, attempts=1))
    assert "secret" not in repr(HttpResponse(200, {"Location": "secret"}, b"secret"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"credentials": "HEADERS"}, "Operation.credentials must be one of CredentialPlacement.HEADERS"),
        ({"idempotency": "SAFE"}, "Operation.idempotency must be one of Idempotency.SAFE"),
    ],
)
def test_words_are_no_members(options: dict[str, Any], said: str) -> None:
    """A word in place of a member is refused, since it would silently mean something else."""
    with pytest.raises(TypeError, match=said):
        Operation("POST", "/x", **options)


def test_repeat_sent_is_a_decision() -> None:
    """A word in place of True or False is refused."""
    word: Any = "no"
    with pytest.raises(TypeError, match=r"RetryPolicy\.repeat_sent must be True or False"):
        RetryPolicy(repeat_sent=word)
