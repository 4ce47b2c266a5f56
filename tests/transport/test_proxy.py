"""Proxies: the argument, the environment, passwords, and TLS to the proxy itself."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme

from calls import DRAFT, REQUEST, TOKEN, error_of, open_session, respond
from kfq_async import AsyncSession, CertificateError, Phase, UnexpectedResponse
from kfq_async.transport.proxy import Proxy, find_proxy
from proxies import ForwardProxy, client_context, server_context
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HTTP = "http://platform.example:8080/resrun-paas"
HTTPS = "https://platform.example/resrun-paas"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the variables that are given and remove the others."""

    def set_variables(**variables: str) -> None:
        for scheme in ("http", "https", "all", "no"):
            for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()):
                monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


def host_of(proxy: Proxy | None) -> str | None:
    """Return the host of a proxy."""
    return None if proxy is None else proxy.url.host


# Choice


@pytest.mark.parametrize(
    ("variables", "base_url", "host"),
    [
        ({}, HTTP, None),
        ({"http_proxy": "http://a"}, HTTP, "a"),
        ({"HTTP_PROXY": "http://a"}, HTTP, "a"),
        ({"http_proxy": "http://a", "HTTP_PROXY": "http://b"}, HTTP, "a"),
        ({"http_proxy": "", "HTTP_PROXY": "http://b"}, HTTP, None),
        ({"http_proxy": "http://a"}, HTTPS, None),
        ({"https_proxy": "https://a:8443"}, HTTPS, "a"),
        ({"all_proxy": "http://a"}, HTTPS, "a"),
        ({"all_proxy": "socks5://a", "http_proxy": "http://b"}, HTTP, "b"),
    ],
)
def test_variables(environment: Callable[..., None], variables: dict[str, str], base_url: str, host: str) -> None:
    """The variable of the scheme wins over ``all_proxy``, and lower case over upper case."""
    environment(**variables)
    assert host_of(find_proxy(base_url, proxy=None, trust_env=True)) == host
    assert find_proxy(base_url, proxy=None, trust_env=False) is None


@pytest.mark.parametrize(
    ("no_proxy", "base_url", "used"),
    [
        ("", "http://127.0.0.1/x", True),
        ("*", HTTP, False),
        ("platform.example", HTTP, False),
        (".example", HTTP, False),
        ("other.example, PLATFORM.example", HTTP, False),
        ("latform.example", HTTP, True),
        ("platform.example:8080", HTTP, False),
        ("platform.example:80", HTTP, True),
        ("platform.example:443", HTTPS, False),
        ("127.0.0.1", "http://127.0.0.1:8899/x", False),
        ("::1", "http://[::1]:8899/x", False),
        ("[::1]", "http://[::1]:8899/x", False),
        ("[::1]:8899", "http://[::1]:8899/x", False),
        ("127.0.0.0/8", "http://127.0.0.1/x", True),
        ("other.example", "http://kfq.localhost:8899/x", False),
    ],
)
def test_no_proxy(environment: Callable[..., None], no_proxy: str, base_url: str, *, used: bool) -> None:
    """``no_proxy`` is read as `urllib.request` reads it; names below ``localhost`` have no proxy."""
    environment(all_proxy="http://a", no_proxy=no_proxy)
    assert host_of(find_proxy(base_url, proxy=None, trust_env=True)) == ("a" if used else None)


def test_the_argument_wins(environment: Callable[..., None]) -> None:
    """``proxy`` is used whatever the environment says."""
    environment(http_proxy="nonsense", no_proxy="*")
    for base_url in (HTTP, "http://kfq.localhost/x"):
        assert host_of(find_proxy(base_url, proxy="http://b", trust_env=True)) == "b"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("proxy:3128", "must be like http://host:3128 .*: it does not start with http:// or https://"),
        ("http://", "must be like http://host:3128 .*: its host or port is invalid"),
        ("http://[::1", "must be like http://host:3128 .*: its host or port is invalid"),
        ("http://127.0.0.1:99999", "must be like http://host:3128 .*: its host or port is invalid"),
        ("http://pro xy:3128", "must be like http://host:3128 .*: it contains a space"),
        ("http://user:a/hunter2@host", "must be like http://host:3128 .*: its host or port is invalid"),
        ("http://user:12/hunter2@host", "must be like http://host:3128 .*: it has a path"),
        ("http://user:12#hunter2@host", "must be like http://host:3128 .*: it has a query or a fragment"),
        ("http://us%3Aer:hunter2@host", "must be like http://host:3128 .*: its user name contains a colon"),
        ("socks5://user:hunter2@host", "must not be a SOCKS proxy.*: pass connector=aiohttp_socks.ProxyConnector"),
        ("SOCKS://host", "must not be a SOCKS proxy"),
    ],
)
def test_invalid_proxies(environment: Callable[..., None], value: str, problem: str) -> None:
    """An invalid proxy is refused when the session is created, with the argument or the variable and no password."""
    environment(https_proxy=value)
    with pytest.raises(ValueError, match=f"^https_proxy of the environment {problem}") as by_variable:
        AsyncSession(TOKEN, base_url=HTTPS, trust_env=True)
    with pytest.raises(ValueError, match=f"^proxy {problem}") as by_argument:
        AsyncSession(TOKEN, base_url=HTTPS, proxy=value)
    assert "hunter2" not in f"{by_variable.value} {by_argument.value}"
    AsyncSession(TOKEN, base_url=HTTPS)


@pytest.mark.parametrize("variables", [{"http_proxy": "nonsense"}, {"all_proxy": "nonsense", "no_proxy": "*"}])
def test_variables_that_do_not_apply(environment: Callable[..., None], variables: dict[str, str]) -> None:
    """A variable that does not apply to the platform may be invalid."""
    environment(**variables)
    AsyncSession(TOKEN, base_url=HTTPS, trust_env=True)


# Passwords


@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [
        ("user:hunter2", b"user:hunter2"),
        ("user", b"user:"),
        (":hunter2", b":hunter2"),
        ("us%40er:h%2Funter%3A2", b"us@er:h/unter:2"),
        ("user:h@unter2", b"user:h@unter2"),
        ("用户:%E5%AF%86", "用户:密".encode()),
        ("user:%FF", b"user:\xff"),
        ("", None),
    ],
)
def test_credentials(userinfo: str, credentials: bytes | None) -> None:
    """User name and password are percent-decoded to their bytes, and removed from the URL."""
    proxy = find_proxy(HTTPS, proxy=f"http://{userinfo}@host:3128", trust_env=False)
    assert proxy is not None
    assert str(proxy.url) == "http://host:3128"
    expected = None if credentials is None else f"Basic {base64.b64encode(credentials).decode()}"
    assert proxy.authorization == expected
    assert credentials is None or base64.b64encode(credentials).decode() not in repr(proxy)


async def test_password_for_a_tunnel() -> None:
    """The proxy that opens a tunnel receives the password, and the platform behind it does not."""
    authority = trustme.CA()
    async with (
        ForwardProxy() as proxy,
        ScriptedServer(respond(success()), ssl=server_context(authority, "127.0.0.1")) as server,
        AsyncSession(
            TOKEN,
            base_url=server.base_url,
            proxy=proxy.url.replace("//", "//user:hunter2@"),
            ssl=client_context(authority),
        ) as session,
    ):
        for _ in range(3):
            await session.auth.corp_ident_link(REQUEST)
        assert [headers["Proxy-Authorization"] for headers in proxy.headers] == ["Basic dXNlcjpodW50ZXIy"]
        assert "appAuthToken" not in proxy.headers[0]
        assert all("Proxy-Authorization" not in seen.headers for seen in server.requests)


async def test_password_for_a_proxy_that_forwards_requests() -> None:
    """Without TLS each request goes to the proxy, with the password and over one connection."""
    async with (
        ScriptedServer(respond(success())) as proxy,
        AsyncSession(TOKEN, base_url=HTTP, proxy=proxy.origin.replace("//", "//user:hunter2@")) as session,
    ):
        for _ in range(3):
            await session.auth.corp_ident_link(REQUEST)
        assert [seen.headers.getall("Proxy-Authorization") for seen in proxy.requests] == [
            ["Basic dXNlcjpodW50ZXIy"]
        ] * 3
        assert proxy.connections == 1


@pytest.mark.parametrize("tunnel", [True, False])
async def test_connections_do_not_show_the_password(*, tunnel: bool) -> None:
    """The key of a connection, which aiohttp shows in its warning of an unclosed one, has no credentials."""
    authority = trustme.CA()
    context = server_context(authority, "127.0.0.1") if tunnel else None
    async with (
        ScriptedServer(respond(success()), ssl=context) as server,
        ForwardProxy() as forward_proxy,
        aiohttp.TCPConnector(ssl=client_context(authority)) as connector,
    ):
        origin = forward_proxy.url if tunnel else server.origin
        url = origin.replace("//", "//user:hunter2@")
        async with AsyncSession(TOKEN, base_url=server.base_url, proxy=url, connector=connector) as session:
            await session.auth.corp_ident_link(REQUEST)
            assert "hunter2" not in repr(vars(vars(session)["_client"]))
        (key,) = connector._conns  # no public attribute shows it
        assert origin in repr(key)
        assert "hunter2" not in repr(key)


async def test_the_password_file_is_not_read(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``~/.netrc`` is read neither for the proxy nor for the platform."""
    environment()
    file = tmp_path / "netrc"
    file.write_text("default login alice password hunter2\n", encoding="ascii")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    async with ScriptedServer(respond(success())) as server:
        for variables in ({}, {"http_proxy": server.origin}):
            environment(**variables)
            async with AsyncSession(TOKEN, base_url=server.base_url, trust_env=True) as session:
                await session.auth.corp_ident_link(REQUEST)
        assert len(server.requests) == 2
        assert all({"Authorization", "Proxy-Authorization"}.isdisjoint(seen.headers) for seen in server.requests)


# TLS to the proxy


async def test_tunnel_through_an_https_proxy(environment: Callable[..., None]) -> None:
    """A proxy with TLS opens a tunnel in which TLS to the platform is verified."""
    authority = trustme.CA()
    context = server_context(authority, "127.0.0.1")
    async with ForwardProxy(ssl=context) as proxy, ScriptedServer(respond(success()), ssl=context) as server:
        environment(https_proxy=proxy.url.replace("//", "//user:hunter2@"))
        async with AsyncSession(
            TOKEN, base_url=server.base_url, trust_env=True, ssl=client_context(authority)
        ) as session:
            for _ in range(3):
                await session.auth.corp_ident_link(REQUEST)
        assert proxy.tunnels == [server.origin.removeprefix("https://")]
        assert proxy.headers[0]["Proxy-Authorization"] == "Basic dXNlcjpodW50ZXIy"
        assert len(server.requests) == 3


async def test_https_proxy_forwards_requests() -> None:
    """A proxy with TLS forwards requests to a platform without TLS."""
    authority = trustme.CA()
    async with (
        ScriptedServer(respond(success()), ssl=server_context(authority, "127.0.0.1")) as proxy,
        AsyncSession(TOKEN, base_url=HTTP, proxy=proxy.origin, ssl=client_context(authority)) as session,
    ):
        await session.auth.corp_ident_link(REQUEST)
        assert proxy.requests[0].target == f"{HTTP}/kaifangqian/openAPI/V2/auth/corp/ident/link"


async def test_https_proxy_with_an_untrusted_certificate() -> None:
    """The certificate of the proxy is verified, too."""
    async with (
        ForwardProxy(ssl=server_context(trustme.CA(), "127.0.0.1")) as proxy,
        AsyncSession(TOKEN, base_url=HTTPS, proxy=proxy.url) as session,
    ):
        with pytest.raises(CertificateError, match=r"TLS handshake with the proxy 127\.0\.0\.1:\d+ failed"):
            await session.auth.corp_ident_link(REQUEST)
        assert proxy.tunnels == []


async def test_http_407_through_a_tunnel() -> None:
    """HTTP 407 in the tunnel of an https URL is a response of the platform, and not one of the proxy."""
    authority = trustme.CA()
    async with (
        ScriptedServer(respond(http_response("no", 407)), ssl=server_context(authority, "127.0.0.1")) as server,
        ForwardProxy() as proxy,
        open_session(server, proxy=proxy.url, ssl=client_context(authority)) as session,
    ):
        error = await error_of(session, DRAFT, {})
    assert (type(error), error.phase) == (UnexpectedResponse, Phase.ANSWERED)
    assert len(server.requests) == 1
