"""Failures of one attempt on real sockets: the error and phase of each."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.x509.oid import NameOID

from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    CorpIdentLinkRequest,
    GatewayError,
    KfqError,
    NotFoundError,
    Phase,
    RetryPolicy,
    ServerError,
    Timeouts,
    TooFrequentError,
    TotalTimeout,
    TransportError,
    UnexpectedResponse,
)
from servers import ScriptedServer, Seen, answer, success

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aiohttp.abc import ResolveResult

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


class Stuck(aiohttp.TCPConnector):
    """A connector whose connections never come about."""

    async def _create_connection(self, *_: Any) -> Any:
        await asyncio.sleep(60)


class NoNames(aiohttp.abc.AbstractResolver):
    """A resolver that knows no host."""

    async def resolve(self, host: str, *_: Any, **__: Any) -> list[ResolveResult]:
        """Fail as the operating system does."""
        raise OSError(None, "no such host")

    async def close(self) -> None:
        """There is nothing to close."""


# No connection


async def test_a_refused_connection_was_not_sent() -> None:
    """A closed port is a `ConnectError` that names host and reason, and nothing was sent."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        error = await ask(f"http://127.0.0.1:{port}/resrun-paas")
    is_error(
        error, ConnectError, Phase.NOT_SENT, f"no connection to 127.0.0.1:{port} (ClientConnectorError, ECONNREFUSED)"
    )


async def test_an_unknown_host_was_not_sent() -> None:
    """A name that does not resolve is a `ConnectError` too."""
    async with aiohttp.TCPConnector(resolver=NoNames()) as connector:
        error = await ask("http://nowhere.invalid/resrun-paas", connector=connector)
    is_error(error, ConnectError, Phase.NOT_SENT, "no connection to nowhere.invalid:80 (ClientConnectorDNSError)")


async def test_connecting_takes_too_long() -> None:
    """``Timeouts.connect`` ends an attempt that gets no connection; it is a `TimeoutError` as well."""
    async with Stuck() as connector:
        error = await ask("http://127.0.0.1/resrun-paas", connector=connector, timeouts=Timeouts(connect=0.2))
    is_error(error, ConnectTimeout, Phase.NOT_SENT, "no connection to 127.0.0.1:80 within 0.2 s")
    assert isinstance(error, TimeoutError)
    assert isinstance(error, ConnectError)


async def test_the_call_ends_while_connecting() -> None:
    """``Timeouts.total`` ends an attempt before it has a connection, and nothing was sent."""
    async with Stuck() as connector:
        error = await ask("http://127.0.0.1/resrun-paas", connector=connector, timeouts=Timeouts(total=0.2))
    is_error(error, TotalTimeout, Phase.NOT_SENT, "total timeout (0.2 s) expired during an attempt")


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, crypt = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(key.private_bytes(pem, form, crypt) + signed.public_bytes(pem))
    return path


async def answers(_number: int, _seen: Seen) -> bytes:
    """Answer with success."""
    return success()


def server_side(certificate: Path) -> ssl.SSLContext:
    """Return the TLS settings of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_a_foreign_certificate_stops_before_anything_is_sent(certificate: Path) -> None:
    """A host that cannot prove who it is gets nothing, and the text says what is wrong with its certificate."""
    async with ScriptedServer(answers, ssl=server_side(certificate)) as server:
        error = await ask(server.base_url, retry=RetryPolicy(attempts=3))
        assert server.seen == []
    is_error(error, CertificateError, Phase.NOT_SENT, "TLS handshake with")
    assert "self-signed certificate" in str(error)


async def test_no_tls_on_the_other_side() -> None:
    """A host that speaks plain HTTP where TLS is meant fails before anything is sent."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer("The plain HTTP request was sent to HTTPS port", 400))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await ask(f"https://127.0.0.1:{port}/resrun-paas")
    is_error(error, CertificateError, Phase.NOT_SENT, "does not speak TLS: should base_url start with http://")


async def test_an_own_authority(certificate: Path) -> None:
    """With ``ssl`` a platform whose certificate comes from an own authority is trusted."""
    context = ssl.create_default_context(cafile=str(certificate))
    async with ScriptedServer(answers, ssl=server_side(certificate)) as server:
        link = await ask(server.base_url, ssl=context)
    assert link.order_no == "N1"


async def test_a_proxy_that_refuses() -> None:
    """When a proxy opens no tunnel nothing was sent, and the credentials in its URL stay out of the text."""

    async def script(_number: int, _seen: Seen) -> bytes:
        return answer(b"", 407)

    async with ScriptedServer(script) as proxy:
        url = proxy.origin.replace("http://", "http://user:hunter2@")
        error = await ask("https://home.kaifangqian.com/resrun-paas", proxy=url)
        assert [(seen.method, seen.target) for seen in proxy.seen] == [("CONNECT", "home.kaifangqian.com:443")]
    is_error(error, ConnectError, Phase.NOT_SENT, "no connection to home.kaifangqian.com:443 (ClientHttpProxyError)")
    assert "hunter2" not in str(error)


# Sent, and no complete answer


async def test_silence_is_a_time_out() -> None:
    """Without an answer within ``Timeouts.read`` the platform may have acted; it is a `TimeoutError` as well."""

    async def silent(_number: int, _seen: Seen) -> None:
        await asyncio.sleep(60)

    error = await asked(silent, timeouts=Timeouts(attempt=0.2))
    is_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.2 s")
    assert isinstance(error, TimeoutError)
    assert isinstance(error, TransportError)


async def test_a_trickle_is_a_time_out() -> None:
    """``Timeouts.read`` bounds the whole answer, however steadily its bytes arrive."""
    whole = success()
    pieces = tuple(whole[at : at + 1] for at in range(len(whole)))
    error = await answered(pieces, timeouts=Timeouts(attempt=0.3))
    is_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.3 s")


async def test_a_trickling_body_is_a_time_out() -> None:
    """The same holds when the head came at once."""
    head, _, body = success().partition(b"\r\n\r\n")
    pieces = (head + b"\r\n\r\n", *(body[at : at + 1] for at in range(len(body))))
    error = await answered(pieces, timeouts=Timeouts(attempt=0.3))
    is_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.3 s")


async def test_the_call_ends_while_waiting_for_the_answer() -> None:
    """``Timeouts.total`` ends an attempt that is under way, and the platform may have acted."""

    async def silent(_number: int, _seen: Seen) -> None:
        await asyncio.sleep(60)

    error = await asked(silent, timeouts=Timeouts(total=0.2))
    is_error(error, TotalTimeout, Phase.SENT, "total timeout (0.2 s) expired during an attempt")


async def test_a_closed_connection_is_lost() -> None:
    """A server that hangs up instead of answering may have acted."""
    error = await answered(None)
    is_error(error, ConnectionLost, Phase.SENT, "the connection was lost before the response was complete")


async def test_a_reset_connection_is_lost() -> None:
    """So may one that crashed."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(served, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await ask(f"http://127.0.0.1:{port}/resrun-paas")
    is_error(error, ConnectionLost, Phase.SENT, "the connection was lost")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(answer(b'{"code":10000,', Content_Length="4711", Connection="close"), id="body shorter than said"),
        pytest.param(answer(b'{"code":10000,"result":{"orde', Connection="close"), id="JSON cut short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="head cut short"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", id="no HTTP"),
        pytest.param(answer(b"no gzip", Content_Encoding="gzip"), id="compression broken"),
        pytest.param(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cod\r\nxyz\r\n', id="chunk broken"),
    ],
)
async def test_half_an_answer_is_no_answer(raw: bytes) -> None:
    """What is not a whole HTTP answer counts as a lost connection: the platform may have acted."""
    error = await answered((raw,))
    is_error(error, ConnectionLost, Phase.SENT, "cut short" if b"orde" in raw else "the connection was lost")


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", b"", b"{}"])
async def test_a_gateway_answers_for_the_platform(status: int, body: str | bytes) -> None:
    """A proxy's failure may hide that the platform acted; its ``Retry-After`` is kept."""
    error = await answered(answer(body, status, Retry_After="3"))
    is_error(error, GatewayError, Phase.SENT, f"a gateway answered HTTP {status} instead of the platform")
    assert (error.http_status, error.retry_after) == (status, 3.0)


async def test_the_platform_speaks_under_a_gateways_status() -> None:
    """The platform's envelope counts, even with 502."""
    error = await answered(answer({"code": 91000, "message": "系统异常", "result": None}, 502))
    is_error(error, ServerError, Phase.ANSWERED, "code 91000")


async def test_429_is_too_frequent() -> None:
    """A proxy's 429 says that the request was not executed."""
    error = await answered(answer("slow down", 429, Retry_After="7"))
    is_error(error, TooFrequentError, Phase.ANSWERED, "rate limit exceeded")
    assert (error.http_status, error.retry_after) == (429, 7.0)


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (aiohttp.ServerTimeoutError(f"at {URL}?t={TOKEN}"), AttemptTimeout, "in time (ServerTimeoutError)"),
        (TimeoutError(TOKEN), AttemptTimeout, "in time (TimeoutError)"),
        (aiohttp.ClientPayloadError(TOKEN), ConnectionLost, "(ClientPayloadError)"),
        (aiohttp.ClientError(TOKEN), ConnectionLost, "(ClientError)"),
        (OSError(TOKEN), ConnectionLost, "(OSError)"),
    ],
)
async def test_where_the_library_gives_no_sign_it_was_sent(
    mocked: Callable[..., None], raised: Exception, kind: type[KfqError], words: str
) -> None:
    """Of a failure that does not say how far it got, `sent` is the safe reading, and only its class is named."""
    mocked(URL, exception=raised)
    error = await ask("https://home.kaifangqian.com/resrun-paas")
    is_error(error, kind, Phase.SENT, words)
    assert TOKEN not in str(error)


async def test_a_bug_passes_through(mocked: Callable[..., None]) -> None:
    """What is no failure of the network is not dressed up as one, nor repeated."""
    mocked(URL, exception=ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await ask("https://home.kaifangqian.com/resrun-paas", retry=RetryPolicy(attempts=5))


# Answered, but not by the platform


async def test_a_page_instead_of_an_answer() -> None:
    """HTML with HTTP 200 is no success: something else may have taken the request."""
    error = await answered(answer("<!doctype html><title>登录</title>"))
    is_error(error, UnexpectedResponse, Phase.SENT, "of text/html is not a response of the platform")
    assert "it is an HTML page, check base_url" in str(error)
    assert error.http_status == 200


async def test_the_context_path_is_missing() -> None:
    """When ``base_url`` lacks the context path, the text suggests the right one."""

    async def page(_number: int, _seen: Seen) -> bytes:
        return answer("<!doctype html>")

    async with ScriptedServer(page) as server:
        error = await ask(server.origin)
        is_error(error, UnexpectedResponse, Phase.SENT, f"did you mean {server.base_url} ?")


async def test_a_self_hosted_platform_lacks_the_operation() -> None:
    """The framework's 404 says that a platform built from the open source does not have it."""
    document = {"timestamp": "2026-01-02 03:04:05", "status": 404, "error": "Not Found", "path": "/resrun-paas/x"}
    error = await answered(answer(document, 404))
    is_error(error, NotFoundError, Phase.ANSWERED, "A self-hosted platform built from the open source does not have")
    assert (error.code, error.http_status) == (None, 404)


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://sso.example.com/login?token=SECRET", "sso.example.com"),
        ("/login", "another path"),
        ("http://[oops", "an unreadable address"),
    ],
)
async def test_redirects_are_not_followed(location: str, host: str) -> None:
    """A redirect is an error that names where it points, without its path, and is not followed."""

    async def script(number: int, _seen: Seen) -> bytes:
        assert number == 0
        return answer(b"", 302, Location=location)

    async with ScriptedServer(script) as server:
        error = await ask(server.base_url)
        assert len(server.seen) == 1
    is_error(error, UnexpectedResponse, Phase.ANSWERED, f"HTTP 302 redirects to {host}; redirects are not followed")
    assert "SECRET" not in str(error)


@pytest.mark.parametrize(("status", "phase"), [(200, Phase.SENT), (400, Phase.ANSWERED), (500, Phase.SENT)])
async def test_json_of_somebody_else(status: int, phase: Phase) -> None:
    """JSON that is none of the platform's forms is named with its status, size and kind."""
    error = await answered(answer([1, 2], status))
    is_error(error, UnexpectedResponse, phase, f"HTTP {status} with 5 bytes of application/json is not a response")
