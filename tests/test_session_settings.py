"""Settings of `AsyncSession`: validation, and the environment."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from dataclasses import dataclass
from inspect import signature
from math import inf, nan
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import orjson
import pytest
from yarl import URL

from calls import DRAFT, REQUEST, SAFE_GET, TOKEN, respond
from kfq_async import AsyncSession, RetryPolicy, Rsa2Signer
from kfq_async.protocol.signing import verify
from kfq_async.session import HOSTED, SessionOptions, ViewOptions
from named_texts import NamedText
from servers import ScriptedServer, success

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("token", "kind", "text"),
    [
        ("", ValueError, "app_auth_token must not be empty"),
        (None, TypeError, "app_auth_token must be a str, not NoneType"),
        (b"PV9LQWZA", TypeError, "app_auth_token must be a str, not bytes"),
        (12345678, TypeError, "app_auth_token must be a str, not int"),
        ("PV9L QWZA", ValueError, "app_auth_token must be printable ASCII without spaces"),
        ("PV9LQWZA\n", ValueError, "app_auth_token must be printable ASCII without spaces"),
        ("PV9LQWZA\r\nX: y", ValueError, "app_auth_token must be printable ASCII without spaces"),
        ("PV9LQWZÄ", ValueError, "app_auth_token must be printable ASCII without spaces"),
        ("“PV9LQWZA”", ValueError, "app_auth_token must be printable ASCII without spaces"),
    ],
)
def test_invalid_token(token: Any, kind: type[Exception], text: str) -> None:
    """An invalid token is refused by a session and a view, and the text does not show it."""
    with pytest.raises(kind, match=text) as caught:
        AsyncSession(token)
    assert "PV9L" not in str(caught.value)
    with pytest.raises(kind, match=text):
        AsyncSession(TOKEN).for_token(token)


@pytest.mark.parametrize(
    ("base_url", "kind", "text"),
    [
        (
            "home.kaifangqian.com/resrun-paas",
            ValueError,
            "base_url must be like https://.*: it does not start with",
        ),
        ("localhost:8899/resrun-paas", ValueError, "base_url must be like"),
        ("ftp://home.kaifangqian.com", ValueError, "base_url must be like"),
        ("https://", ValueError, "base_url must be like"),
        ("https:///resrun-paas", ValueError, "base_url must be like"),
        ("https://host:port/resrun-paas", ValueError, "base_url must be like"),
        ("", ValueError, "base_url must be like"),
        (
            "https://user:hunter2@host/resrun-paas",
            ValueError,
            "base_url must be like .*: it has a user name",
        ),
        ("https://user@host/resrun-paas", ValueError, "base_url must be like .*: it has a user name"),
        ("ftp://user:hunter2@host/resrun-paas", ValueError, "base_url must be like"),
        (
            "https://host/resrun-paas?tenant=hunter2",
            ValueError,
            "base_url must be like .*: it has a query",
        ),
        ("https://host/resrun-paas#top", ValueError, "base_url must be like .*: it has a query"),
        ("http://host\r\nX-Header: hunter2/", ValueError, "base_url must be like .*: it contains a space"),
        ("https://host/resrun-paas/../hunter2", ValueError, "base_url must be like .*: its path has"),
        ("hunter2", ValueError, "base_url must be like .*: it does not start with http"),
        (None, TypeError, "base_url must be a str, not NoneType"),
        (b"https://host", TypeError, "base_url must be a str, not bytes"),
    ],
)
def test_invalid_base_url(base_url: Any, kind: type[Exception], text: str) -> None:
    """An invalid base URL is refused by name, and the text does not show secrets in it."""
    with pytest.raises(kind, match=text) as caught:
        AsyncSession(TOKEN, base_url=base_url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8899/resrun-paas", "http://127.0.0.1:8899/resrun-paas/"])
def test_base_url_with_a_slash_at_the_end(base_url: str) -> None:
    """A slash at the end of the base URL is ignored."""
    assert "http://127.0.0.1:8899/resrun-paas concurrency" in repr(AsyncSession(TOKEN, base_url=base_url))


@pytest.mark.parametrize(
    ("concurrency", "kind", "text"),
    [
        (0, ValueError, "concurrency must be at least 1, not 0"),
        (-1, ValueError, "concurrency must be at least 1, not -1"),
        (True, TypeError, "concurrency must be an int, not bool"),
        ("100", TypeError, "concurrency must be an int, not str"),
        (1.5, TypeError, "concurrency must be an int, not float"),
        (None, TypeError, "concurrency must be an int, not NoneType"),
    ],
)
def test_invalid_concurrency(concurrency: Any, kind: type[Exception], text: str) -> None:
    """``concurrency`` must be a whole number from 1 on."""
    with pytest.raises(kind, match=text):
        AsyncSession(TOKEN, concurrency=concurrency)


def test_clock_that_is_no_function() -> None:
    """A clock that cannot be called is refused."""
    with pytest.raises(TypeError, match=r"^clock must be a function that returns the seconds since the epoch, not int"):
        AsyncSession(TOKEN, clock=cast("Any", 1))


@pytest.mark.parametrize(
    ("rate_limit", "kind", "text"),
    [
        (0, ValueError, "rate_limit must be more than 0 requests per second"),
        (-5, ValueError, "rate_limit must be more than 0 requests per second"),
        (nan, ValueError, "rate_limit must be more than 0 requests per second"),
        (inf, ValueError, "rate_limit must be more than 0 requests per second"),
        (10**400, ValueError, "rate_limit must be more than 0 requests per second"),
        (5e-324, ValueError, "rate_limit must be more than 0 requests per second"),
        (True, TypeError, "rate_limit must be a number of requests per second, or None, not bool"),
        ("5", TypeError, "rate_limit must be a number of requests per second, or None, not str"),
    ],
)
def test_invalid_rate_limit(rate_limit: Any, kind: type[Exception], text: str) -> None:
    """``rate_limit`` must be a positive number of calls per second, or ``None``."""
    with pytest.raises(kind, match=text):
        AsyncSession(TOKEN, rate_limit=rate_limit)


@pytest.mark.parametrize(
    ("max_upload", "kind", "text"),
    [
        (0, ValueError, "max_upload must be at least 1 byte, or None to disable it, not 0"),
        (-5, ValueError, "max_upload must be at least 1 byte"),
        (True, TypeError, "max_upload must be a number of bytes, or None, not bool"),
        (1e8, TypeError, "max_upload must be a number of bytes, or None, not float"),
        ("100M", TypeError, "max_upload must be a number of bytes, or None, not str"),
    ],
)
def test_invalid_max_upload(max_upload: Any, kind: type[Exception], text: str) -> None:
    """``max_upload`` must be a positive number of bytes, or ``None``."""
    with pytest.raises(kind, match=text):
        AsyncSession(TOKEN, max_upload=max_upload)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"timeouts": 30}, "timeouts must be a Timeouts, not int"),
        ({"timeouts": aiohttp.ClientTimeout()}, "timeouts must be a Timeouts, not ClientTimeout"),
        ({"timeouts": None}, "timeouts must be a Timeouts, not NoneType"),
        ({"retry": 3}, "retry must be a RetryPolicy, not int"),
    ],
)
def test_settings_of_a_wrong_type(options: dict[str, Any], text: str) -> None:
    """Settings of a wrong type are refused by name, by a session and a view."""
    with pytest.raises(TypeError, match=text):
        AsyncSession(TOKEN, **options)
    with pytest.raises(TypeError, match=text):
        AsyncSession(TOKEN).with_options(**options)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"signer": "-----BEGIN PRIVATE KEY-----"}, TypeError, r"signer must have a method sign.*not be a str"),
        (
            {"clock": asyncio.sleep},
            TypeError,
            "clock must be a plain function that returns .* not an async",
        ),
        ({"signer": Rsa2Signer}, TypeError, r"signer must be an instance, such as Rsa2Signer\(key\), not the class"),
        ({"trust_env": "false"}, TypeError, "trust_env must be True or False, not str"),
        ({"trust_env": None}, TypeError, "trust_env must be True or False, not NoneType"),
        ({"ssl": False}, TypeError, "ssl must be a SSLContext, not bool"),
        ({"ssl": "ca.pem"}, TypeError, "ssl must be a SSLContext, not str"),
        ({"connector": "x"}, TypeError, "connector must be a BaseConnector, not str"),
        ({"proxy": "proxyhost:3128"}, ValueError, "proxy must be like http://host:3128"),
        ({"proxy": 3128}, TypeError, "proxy must be a str, not int"),
        (
            {"base_url": "http://foo..bar/resrun-paas"},
            ValueError,
            "base_url must be like .*: its host",
        ),
        (
            {"base_url": f"http://{'x' * 64}.example/resrun-paas"},
            ValueError,
            "base_url must be like .*: its host",
        ),
    ],
)
def test_invalid_arguments(options: dict[str, Any], error: type[Exception], text: str) -> None:
    """Invalid arguments are refused by name when the session is created."""
    with pytest.raises(error, match=text):
        AsyncSession(TOKEN, **options)


def test_view_checks_its_signer() -> None:
    """A view refuses a signer that cannot sign."""
    with pytest.raises(TypeError, match="signer must have a method sign"):
        AsyncSession(TOKEN).with_options(signer="x")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["concurrency", "base_url", "connector", "app_auth_token", "oops"])
def test_options_refused_by_a_view(name: Any) -> None:
    """Settings of the shared connections are refused by name."""
    with pytest.raises(
        TypeError, match=f"with_options takes timeouts, retry, signer, operator_account, hooks, not {name}"
    ):
        AsyncSession(TOKEN).with_options(**{name: 1})  # type: ignore[arg-type]


async def test_ssl_beside_a_connector() -> None:
    """``ssl`` beside a connector would be ignored, so it is refused."""
    async with aiohttp.TCPConnector() as connector:
        with pytest.raises(ValueError, match="ssl cannot be combined with connector"):
            AsyncSession(TOKEN, connector=connector, ssl=ssl.create_default_context())


def test_keywords_are_typed() -> None:
    """`AsyncSession.from_env` takes the arguments of the class, and `AsyncSession.with_options` those of a view."""
    assert SessionOptions.__optional_keys__ == signature(AsyncSession).parameters.keys()
    assert ViewOptions.__optional_keys__ == {"timeouts", "retry", "signer", "operator_account", "hooks"}


def test_repr(vectors: Any) -> None:
    """``repr`` shows base URL and concurrency, and neither token nor key."""
    session = AsyncSession(TOKEN, signer=Rsa2Signer(vectors["privateKeyPkcs8"]), concurrency=7)
    assert repr(session) == f"<AsyncSession {HOSTED} concurrency=7>"
    assert TOKEN not in repr(vars(session))
    assert repr(session.for_token("SECRET-2")) == repr(session)


def test_texts_of_a_subclass() -> None:
    """Token and base URL are the characters of a text, whatever its ``__str__`` returns."""
    session = AsyncSession(NamedText.TOKEN, base_url=NamedText.BASE_URL)
    assert "https://h.example/resrun-paas concurrency" in repr(session)
    assert session._settings.app_auth_token == "app-token"


@dataclass
class ShownSigner:
    """A signer whose ``repr`` shows its key."""

    key: str

    def sign(self, *_: Any) -> str:
        """Sign nothing."""
        return ""


def shown_by(create: Callable[[], object]) -> str:
    """Return the error that is raised, and the variables of the package's frames as a debugger shows them."""
    with pytest.raises((TypeError, ValueError)) as caught:
        create()
    assert caught.value.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    variables = [repr(frame.f_locals) for frame in frames if "kfq_async" in frame.f_code.co_filename]
    assert variables
    return "\n".join([str(caught.value), *variables])


@pytest.mark.parametrize(
    "create",
    [
        lambda: AsyncSession("hunter2 "),
        lambda: AsyncSession(b"hunter2"),  # type: ignore[arg-type]
        lambda: AsyncSession(bytearray(b"hunter2")),  # type: ignore[arg-type]
        lambda: AsyncSession(["hunter2"]),  # type: ignore[arg-type]
        lambda: AsyncSession("hunter2", concurrency=0),
        lambda: AsyncSession(TOKEN, signer=ShownSigner("hunter2"), concurrency=0),
        lambda: AsyncSession(TOKEN, base_url=["hunter2"]),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN, proxy={"http": "hunter2"}),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN, ssl="hunter2"),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN).for_token(["hunter2"]),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN).with_options(signer=["hunter2"]),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN).with_options(signer=ShownSigner("hunter2"), retry=1),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN).with_options(app_auth_token=["hunter2"]),  # type: ignore[call-arg]
        lambda: AsyncSession.from_env(app_auth_token=["hunter2"]),  # type: ignore[arg-type]
        lambda: AsyncSession.from_env(app_auth_token=TOKEN, token="hunter2"),  # type: ignore[call-arg]
        lambda: AsyncSession(TOKEN, base_url="hunter2"),
        lambda: AsyncSession(TOKEN, base_url="https://hunter2@host/resrun-paas"),
        lambda: AsyncSession(TOKEN, proxy="hunter2"),
        lambda: AsyncSession(TOKEN, proxy="http://user:hunter2@[::1"),
        lambda: AsyncSession(TOKEN, proxy="http://user:hunter2@host/path"),
        lambda: AsyncSession(TOKEN, proxy="http://user%3A:hunter2@host"),
        lambda: AsyncSession(TOKEN, signer="hunter2"),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN).for_token("hunter2 "),
        lambda: AsyncSession(TOKEN).with_options(signer="hunter2"),  # type: ignore[arg-type]
        lambda: AsyncSession(TOKEN).with_options(retry="hunter2"),  # type: ignore[arg-type]
        lambda: AsyncSession.from_env(app_auth_token="hunter2", concurrency=0),
    ],
)
def test_refused_arguments_are_not_shown(create: Callable[[], object]) -> None:
    """Neither the text of an error nor the variables of its frames show a token, a password or a key."""
    assert "hunter2" not in shown_by(create)


def test_repr_of_a_refused_session() -> None:
    """The frame of a subclass shows a session whose arguments were refused."""

    class TenantSession(AsyncSession):
        """A session with a token of its own."""

        def __init__(self) -> None:
            super().__init__("hunter2 ")

    with pytest.raises(ValueError, match="app_auth_token") as caught:
        TenantSession()
    shown = [repr(frame.f_locals) for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert any("'self': <TenantSession>" in variables for variables in shown)


# Environment


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the variables that are given and remove the others."""

    def set_variables(**variables: str) -> None:
        for name in ("KFQ_APP_AUTH_TOKEN", "KFQ_BASE_URL", "KFQ_PRIVATE_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_variables


async def test_from_env(environment: Callable[..., None], vectors: Any) -> None:
    """Token, base URL and key are read from their three variables, and requests are signed."""
    async with ScriptedServer(respond(success())) as server:
        environment(
            KFQ_APP_AUTH_TOKEN="FROM-ENV", KFQ_BASE_URL=server.base_url, KFQ_PRIVATE_KEY=vectors["privateKeyPkcs8"]
        )
        async with AsyncSession.from_env() as session:
            await session.auth.corp_ident_link(REQUEST)
        (seen,) = server.requests
    assert seen.headers["appAuthToken"] == "FROM-ENV"
    assert verify(seen.body, seen.headers["sign"], vectors["publicKeySpki"])


async def test_options_override_the_environment(environment: Callable[..., None], vectors: Any) -> None:
    """Options, ``signer=None`` included, override the environment, whose invalid values are then not read."""
    async with ScriptedServer(respond(success())) as server:
        environment(KFQ_APP_AUTH_TOKEN="no token", KFQ_BASE_URL="nowhere", KFQ_PRIVATE_KEY="no key")
        async with AsyncSession.from_env(
            app_auth_token=TOKEN, base_url=server.base_url, signer=None, concurrency=3
        ) as session:
            await session.auth.corp_ident_link(REQUEST)
            assert "concurrency=3" in repr(session)
        (seen,) = server.requests
    assert (seen.headers["appAuthToken"], seen.headers["sign"]) == (TOKEN, "")


@pytest.mark.parametrize("empty", [{}, {"KFQ_BASE_URL": "", "KFQ_PRIVATE_KEY": ""}])
def test_from_env_with_a_token_only(environment: Callable[..., None], empty: dict[str, str]) -> None:
    """Without a base URL, or with an empty one, the session uses the hosted platform."""
    environment(KFQ_APP_AUTH_TOKEN=TOKEN, **empty)
    assert HOSTED in repr(AsyncSession.from_env())


@pytest.mark.parametrize("variables", [{}, {"KFQ_APP_AUTH_TOKEN": ""}])
def test_from_env_without_a_token(environment: Callable[..., None], variables: dict[str, str]) -> None:
    """A missing or empty token is refused with the name of its variable."""
    environment(**variables)
    with pytest.raises(ValueError, match="KFQ_APP_AUTH_TOKEN is not set"):
        AsyncSession.from_env()


def test_empty_token_does_not_fall_back(environment: Callable[..., None]) -> None:
    """An empty token that is passed is an error, although the environment has one."""
    environment(KFQ_APP_AUTH_TOKEN=TOKEN)
    with pytest.raises(ValueError, match="app_auth_token must not be empty"):
        AsyncSession.from_env(app_auth_token="")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("KFQ_APP_AUTH_TOKEN", "hunter2\n", "app_auth_token must be printable"),
        ("KFQ_BASE_URL", "home.kaifangqian.com", "base_url must be like"),
        ("KFQ_PRIVATE_KEY", "hunter2", "the private key is neither PEM"),
    ],
)
def test_invalid_variable(environment: Callable[..., None], name: str, value: str, text: str) -> None:
    """An invalid value is refused with the name of its variable, and the text does not show it."""
    environment(**{"KFQ_APP_AUTH_TOKEN": TOKEN, name: value})
    with pytest.raises(ValueError, match=f"^{name}: {text}"):
        AsyncSession.from_env()
    assert "hunter2" not in shown_by(AsyncSession.from_env)


def test_key_on_one_line(environment: Callable[..., None], vectors: Any) -> None:
    r"""A PEM key whose line breaks were written as ``\n``, as deployment files need it, is read."""
    body = vectors["privateKeyPkcs8"]
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    pem = "\\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])
    environment(KFQ_APP_AUTH_TOKEN=TOKEN, KFQ_PRIVATE_KEY=pem)
    assert repr(AsyncSession.from_env())


async def accounts_sent(session: AsyncSession, server: ScriptedServer) -> list[object]:
    """Return the account that a GET and a POST of the contract family carry."""
    count = len(server.requests)
    await session.send(SAFE_GET, {})
    await session.send(DRAFT, {})
    get, post = server.requests[count:]
    return [URL(get.target).query.get("operatorAccount"), orjson.loads(post.body).get("operatorAccount")]


async def test_operator_account_of_views() -> None:
    """A view has the account of its session unless it is given another one; one for another tenant never has it."""
    async with ScriptedServer(respond(success({}))) as server:
        session = AsyncSession(TOKEN, base_url=server.base_url, operator_account="经办 1")
        async with session:
            other = session.for_token("OTHER001")
            views = {
                "经办 1": [session, session.with_options(retry=RetryPolicy())],
                "op-2": [
                    session.with_options(operator_account="op-2"),
                    session.with_options(operator_account="op-2").with_options(signer=None),
                    session.for_token("OTHER001", operator_account="op-2"),
                    other.with_options(operator_account="op-2"),
                ],
                None: [other, session.with_options(operator_account=None), other.with_options(retry=RetryPolicy())],
            }
            for account, sessions in views.items():
                for view in sessions:
                    assert await accounts_sent(view, server) == [account] * 2


@pytest.mark.parametrize(
    ("account", "error", "text"),
    [
        (5, TypeError, "operator_account must be a str or None, not int"),
        (b"x", TypeError, "operator_account must be a str or None, not bytes"),
        ("", ValueError, "operator_account must not be empty"),
        ("13800138000\n", ValueError, "or hold control characters"),
        ("\ud800", ValueError, "or hold control characters"),
    ],
)
def test_invalid_operator_account(account: Any, error: type[Exception], text: str) -> None:
    """An account that cannot be sent is refused at once, without its value."""
    with pytest.raises(error, match=text) as caught:
        AsyncSession(TOKEN, operator_account=account)
    assert "13800138000" not in str(caught.value)
    with pytest.raises(error, match=text):
        AsyncSession(TOKEN).for_token(TOKEN, operator_account=account)
    with pytest.raises(error, match=text):
        AsyncSession(TOKEN).with_options(operator_account=account)


def test_operator_account_is_masked() -> None:
    """Neither the ``repr`` of a session nor that of its settings shows the account."""
    session = AsyncSession(TOKEN, operator_account="13800138000")
    assert "13800138000" not in f"{session!r} {vars(session)!r} {session._settings.operator_account!r}"
    assert session._settings.operator_account == "13800138000"
