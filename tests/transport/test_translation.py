"""Error and phase of each failure of one attempt, on real sockets."""

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
import yarl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.x509.oid import NameOID

from calls import (
    NO_RETRY,
    REQUEST,
    TOKEN,
    StuckResolver,
    attempt_at,
    attempt_for,
    attempt_with,
    check_error,
    never_respond,
    respond,
)
from kfq_async import (
    AsyncSession,
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    GatewayError,
    KfqError,
    NotFoundError,
    Phase,
    ProxyError,
    RetryPolicy,
    ServerError,
    SessionError,
    Timeouts,
    TooFrequentError,
    TotalTimeout,
    TransportError,
    UnexpectedResponse,
)
from kfq_async.transport.attempt import Attempt
from kfq_async.transport.translation import translate
from servers import ScriptedServer, http_response, success

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from aiohttp.abc import ResolveResult

    from servers import ReceivedRequest

YARL = yarl.URL("https://platform.example/x")
URL = "https://home.kaifangqian.com/resrun-paas/kaifangqian/openAPI/V2/auth/corp/ident/link"


class EmptyResolver(aiohttp.abc.AbstractResolver):
    """A resolver that knows no host."""

    async def resolve(self, host: str, *_: Any, **__: Any) -> list[ResolveResult]:
        """Fail as the operating system does."""
        raise OSError(None, "no such host")

    async def close(self) -> None:
        """Close nothing."""


# No connection


async def test_refused_connection() -> None:
    """A closed port is a `ConnectError` that names host and reason, and nothing was sent."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        error = await attempt_at(f"http://127.0.0.1:{port}/resrun-paas")
    check_error(
        error, ConnectError, Phase.NOT_SENT, f"no connection to 127.0.0.1:{port} (ClientConnectorError, ECONNREFUSED)"
    )


async def test_unknown_host() -> None:
    """A host name that cannot be resolved is a `ConnectError`, and nothing was sent."""
    async with aiohttp.TCPConnector(resolver=EmptyResolver()) as connector:
        error = await attempt_at("http://nowhere.invalid/resrun-paas", connector=connector)
    check_error(error, ConnectError, Phase.NOT_SENT, "no connection to nowhere.invalid:80 (ClientConnectorDNSError)")


async def test_connect_timeout() -> None:
    """``Timeouts.connect`` ends an attempt that gets no connection; the error is a `TimeoutError` as well."""
    async with aiohttp.TCPConnector(resolver=StuckResolver()) as connector:
        error = await attempt_at("http://platform.invalid/x", connector=connector, timeouts=Timeouts(connect=0.2))
    check_error(error, ConnectTimeout, Phase.NOT_SENT, "no connection to platform.invalid:80 within 0.2 s")
    assert isinstance(error, TimeoutError)
    assert isinstance(error, ConnectError)


async def test_total_timeout_while_connecting() -> None:
    """``Timeouts.total`` ends an attempt that has no connection yet, and nothing was sent."""
    async with aiohttp.TCPConnector(resolver=StuckResolver()) as connector:
        error = await attempt_at("http://platform.invalid/x", connector=connector, timeouts=Timeouts(total=1))
    check_error(error, TotalTimeout, Phase.NOT_SENT, "total timeout (1 s) expired during an attempt")


# Tracing hooks


async def attempt_with_hook(
    server: ScriptedServer, hook: Callable[..., Awaitable[None]], **options: Any
) -> tuple[Any, list[ReceivedRequest]]:
    """Send `REQUEST` with a hook that aiohttp calls before the request; return the outcome, and the requests."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(hook)
    tracing.freeze()
    async with AsyncSession(TOKEN, base_url=server.base_url, **{"retry": NO_RETRY, **options}) as session:
        session._client.open()._trace_configs.append(tracing)
        try:
            return await session.auth.corp_ident_link(REQUEST), server.requests
        except KfqError as error:
            return error, server.requests


async def never_end(*_: Any) -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("timeouts", "kind", "text"),
    [
        (Timeouts(connect=0.1, attempt=0.1), AttemptTimeout, "a tracing hook did not end before the request was sent"),
        (Timeouts(total=0.2), TotalTimeout, "total timeout (0.2 s) expired during an attempt"),
    ],
)
async def test_hook_that_never_ends(timeouts: Timeouts, kind: type[KfqError], text: str) -> None:
    """Nothing was sent while a hook runs before the request, nor was a connection asked for."""
    async with ScriptedServer(respond(success())) as server:
        error, requests = await attempt_with_hook(server, never_end, timeouts=timeouts)
        check_error(error, kind, Phase.NOT_SENT, text)
        assert (requests, server.connections) == ([], 0)


async def test_hook_that_fails() -> None:
    """A failure of the network in a hook, which calls another service, ends the attempt before anything is sent."""

    async def fail(*_: Any) -> None:
        raise ConnectionResetError

    async with ScriptedServer(respond(success())) as server:
        error, requests = await attempt_with_hook(server, fail)
    check_error(error, ConnectError, Phase.NOT_SENT, "a tracing hook failed before the request was sent (Connection")
    assert requests == []


async def test_closing_during_a_hook() -> None:
    """Nothing was sent if the session is closed while a hook runs before the request."""
    async with ScriptedServer(respond(success())) as server:
        begun = asyncio.Event()

        async def hook(*_: Any) -> None:
            begun.set()
            await never_end()

        tracing = aiohttp.TraceConfig()
        tracing.on_request_start.append(hook)
        tracing.freeze()
        session = AsyncSession(TOKEN, base_url=server.base_url, retry=NO_RETRY)
        session._client.open()._trace_configs.append(tracing)
        call = asyncio.create_task(session.auth.corp_ident_link(REQUEST))
        await begun.wait()
        await session.aclose()
        with pytest.raises(SessionError) as caught:
            await call
    assert caught.value.phase is Phase.NOT_SENT


async def test_mock_that_never_responds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a mock does in place of aiohttp cannot be seen, so the request may have been sent."""

    async def mock(*_: Any, **__: Any) -> None:
        await never_end()

    monkeypatch.setattr(aiohttp.ClientSession, "_request", mock)
    error = await attempt_at("http://platform.invalid/x", timeouts=Timeouts(connect=0.1, attempt=0.1))
    check_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.1 s")


async def test_hook_of_a_session_that_forwards() -> None:
    """A middleware may have sent the request by another session before a hook of that one never ends."""
    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(never_end)

    async with ScriptedServer(respond(success())) as server, aiohttp.ClientSession(trace_configs=[tracing]) as other:

        async def forward(request: aiohttp.ClientRequest, _: Any) -> aiohttp.ClientResponse:
            return await other.request(request.method, request.url)

        timeouts = Timeouts(connect=0.1, attempt=0.1)
        async with AsyncSession(TOKEN, base_url=server.base_url, retry=NO_RETRY, timeouts=timeouts) as session:
            session._client.open()._middlewares = (forward,)
            with pytest.raises(AttemptTimeout) as caught:
                await session.auth.corp_ident_link(REQUEST)
    assert caught.value.phase is Phase.SENT


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


def server_context(certificate: Path) -> ssl.SSLContext:
    """Return the TLS settings of the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


async def test_untrusted_certificate(certificate: Path) -> None:
    """A host with an untrusted certificate receives nothing, and the text names the reason."""
    async with ScriptedServer(respond(success()), ssl=server_context(certificate)) as server:
        error = await attempt_at(server.base_url, retry=RetryPolicy(attempts=3))
        assert server.requests == []
    check_error(error, CertificateError, Phase.NOT_SENT, "TLS handshake with")
    assert "self-signed certificate" in str(error)


async def test_server_without_tls() -> None:
    """A server that speaks plain HTTP under an ``https`` URL receives nothing, and the text suggests ``http``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http_response("The plain HTTP request was sent to HTTPS port", 400))
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await attempt_at(f"https://127.0.0.1:{port}/resrun-paas")
    check_error(error, CertificateError, Phase.NOT_SENT, "does not speak TLS: should base_url start with http://")


async def test_custom_certificate_authority(certificate: Path) -> None:
    """A certificate of a custom authority is trusted if ``ssl`` contains that authority."""
    context = ssl.create_default_context(cafile=str(certificate))
    async with ScriptedServer(respond(success()), ssl=server_context(certificate)) as server:
        link = await attempt_at(server.base_url, ssl=context)
    assert link.order_no == "N1"


async def test_proxy_that_refuses_the_tunnel() -> None:
    """When a proxy opens no tunnel nothing was sent, and the text does not show the credentials in its URL."""
    async with ScriptedServer(respond(http_response(b"", 407))) as proxy:
        url = proxy.origin.replace("http://", "http://user:hunter2@")
        error = await attempt_at("https://home.kaifangqian.com/resrun-paas", proxy=url)
        assert [(seen.method, seen.target) for seen in proxy.requests] == [("CONNECT", "home.kaifangqian.com:443")]
        host = proxy.origin.removeprefix("http://")
    text = f"the proxy {host} responded with HTTP 407: check the user and password in its URL"
    check_error(error, ProxyError, Phase.NOT_SENT, text)
    assert error.http_status == 407
    assert "hunter2" not in str(error)


async def test_plain_proxy_that_wants_credentials() -> None:
    """A proxy that refuses a plain request with 407 has not forwarded it."""
    async with ScriptedServer(respond(http_response(b"", 407))) as proxy:
        error = await attempt_at("http://platform.invalid/resrun-paas", proxy=proxy.origin)
    check_error(error, ProxyError, Phase.NOT_SENT, "responded with HTTP 407")


async def test_407_without_a_proxy() -> None:
    """A server that responds with 407 is no proxy of ours."""
    error = await attempt_for(http_response(b"", 407))
    check_error(error, UnexpectedResponse, Phase.ANSWERED, "HTTP 407")


@pytest.mark.parametrize(("status", "attempts"), [(407, 1), (403, 1), (502, 2)])
async def test_retry_after_a_proxys_refusal(status: int, attempts: int) -> None:
    """A proxy's refusal is final, and its failure is retried."""
    async with ScriptedServer(respond(http_response(b"", status))) as proxy:
        retry = RetryPolicy(attempts=2, initial=0.01)
        error = await attempt_at("https://platform.invalid/resrun-paas", proxy=proxy.origin, retry=retry)
    assert (type(error), error.phase, error.http_status) == (ProxyError, Phase.NOT_SENT, status)
    assert error.attempts == attempts


# Sent, without a complete response

LOST = "the connection was lost before the response was complete"
NOT_HTTP = "the response is not valid HTTP: "


async def test_attempt_timeout() -> None:
    """``Timeouts.attempt`` ends an attempt without a response; the error is a `TimeoutError` as well."""
    error = await attempt_with(never_respond, timeouts=Timeouts(attempt=0.2))
    check_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.2 s")
    assert isinstance(error, TimeoutError)
    assert isinstance(error, TransportError)


async def test_attempt_timeout_of_a_slow_head() -> None:
    """``Timeouts.attempt`` bounds the whole response, although its bytes arrive steadily."""
    whole = success()
    pieces = tuple(whole[at : at + 1] for at in range(len(whole)))
    error = await attempt_for(pieces, timeouts=Timeouts(attempt=0.3))
    check_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.3 s")


async def test_attempt_timeout_of_a_slow_body() -> None:
    """``Timeouts.attempt`` bounds the body as well, although the head came at once."""
    head, _, body = success().partition(b"\r\n\r\n")
    pieces = (head + b"\r\n\r\n", *(body[at : at + 1] for at in range(len(body))))
    error = await attempt_for(pieces, timeouts=Timeouts(attempt=0.3))
    check_error(error, AttemptTimeout, Phase.SENT, "no complete response within 0.3 s")


async def test_total_timeout_after_sending() -> None:
    """``Timeouts.total`` ends an attempt that was sent, and the platform may have acted."""
    # A second is for the request to be sent on a busy machine.
    error = await attempt_with(never_respond, timeouts=Timeouts(total=1))
    check_error(error, TotalTimeout, Phase.SENT, "total timeout (1 s) expired during an attempt")


async def test_closed_connection() -> None:
    """A server that closes the connection without a response may have acted."""
    error = await attempt_for(None)
    check_error(error, ConnectionLost, Phase.SENT, "the connection was lost before the response was complete")


async def test_reset_connection() -> None:
    """A server that resets the connection may have acted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await attempt_at(f"http://127.0.0.1:{port}/resrun-paas")
    check_error(error, ConnectionLost, Phase.SENT, "the connection was lost")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        pytest.param(
            http_response(b'{"code":10000,', Content_Length="4711", Connection="close"), LOST, id="body short"
        ),
        pytest.param(http_response(b'{"code":10000,"result":{"orde', Connection="close"), "cut short", id="JSON short"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", LOST, id="head short"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", NOT_HTTP, id="not HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: \x00SECRET\r\n\r\n", NOT_HTTP, id="header broken"),
        pytest.param(http_response(b"no gzip", Content_Encoding="gzip"), LOST, id="compression broken"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{'cod\r\nx\r\n", "", id="chunk broken"
        ),
    ],
)
async def test_incomplete_response(raw: bytes, text: str) -> None:
    """An incomplete or malformed HTTP response is a lost connection: the platform may have acted."""
    error = await attempt_for((raw,))
    assert "SECRET" not in str(error)
    check_error(error, ConnectionLost, Phase.SENT, text)


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("body", ["<html>Bad Gateway</html>", b"", b"{}"])
async def test_gateway_error(status: int, body: str | bytes) -> None:
    """A gateway's error may hide that the platform acted; its ``Retry-After`` is kept."""
    error = await attempt_for(http_response(body, status, Retry_After="3"))
    check_error(error, GatewayError, Phase.SENT, f"a gateway responded with HTTP {status} instead of the platform")
    assert (error.http_status, error.retry_after) == (status, 3.0)


async def test_envelope_with_a_gateway_status() -> None:
    """The platform's envelope counts, even with HTTP 502."""
    error = await attempt_for(http_response({"code": 91000, "message": "系统异常", "result": None}, 502))
    check_error(error, ServerError, Phase.ANSWERED, "error 91000")


async def test_http_429() -> None:
    """HTTP 429 is a `TooFrequentError`: the request was not executed."""
    error = await attempt_for(http_response("slow down", 429, Retry_After="7"))
    check_error(error, TooFrequentError, Phase.ANSWERED, "rate limit exceeded")
    assert (error.http_status, error.retry_after) == (429, 7.0)


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (aiohttp.ServerTimeoutError(f"at {URL}?t={TOKEN}"), AttemptTimeout, "in time (ServerTimeoutError)"),
        (TimeoutError(TOKEN), AttemptTimeout, "in time (TimeoutError)"),
        (aiohttp.ClientPayloadError(TOKEN), ConnectionLost, "(ClientPayloadError)"),
        (aiohttp.ClientError(TOKEN), ConnectionLost, "(ClientError)"),
        (OSError(TOKEN), ConnectionLost, "(OSError)"),
    ],
)
async def test_failure_without_a_connection_request(
    mocked: Callable[..., None], raised: Exception, kind: type[KfqError], text: str
) -> None:
    """A network failure of a mock, which requests no connection, is ``sent`` in doubt, and only its class is named."""
    mocked(URL, exception=raised)
    error = await attempt_at("https://home.kaifangqian.com/resrun-paas")
    check_error(error, kind, Phase.SENT, text)
    assert TOKEN not in str(error)


@pytest.mark.parametrize("bug", [AssertionError, KeyError, RuntimeError, ZeroDivisionError])
async def test_bug_passes_through(mocked: Callable[..., None], bug: type[Exception]) -> None:
    """Another exception before a connection was requested is a bug: it is raised as it is, and not retried."""
    mocked(URL, exception=bug())
    with pytest.raises(bug):
        await attempt_at("https://home.kaifangqian.com/resrun-paas", retry=RetryPolicy(attempts=5))


@pytest.mark.parametrize(
    ("alert", "kind"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", CertificateError),
        ("SSLV3_ALERT_BAD_CERTIFICATE", CertificateError),
        ("TLSV1_ALERT_UNKNOWN_CA", CertificateError),
        ("SSLV3_ALERT_BAD_RECORD_MAC", ConnectionLost),
        ("CERTIFICATE_VERIFY_FAILED", ConnectionLost),
    ],
)
@pytest.mark.parametrize("chained", [False, True])
async def test_alert_after_the_handshake(alert: str, kind: type[KfqError], *, chained: bool) -> None:
    """The peer's refusal of a certificate, wherever it stands among the causes, means that nothing was executed."""
    tls = ssl.SSLError(1, f"[SSL: {alert}] alert (_ssl.c:2580)")
    problem: Exception = aiohttp.ServerDisconnectedError() if chained else aiohttp.ClientOSError(*tls.args)
    problem.__cause__ = tls if chained else None
    attempt = Attempt(Timeouts(), total_at=float("inf"))
    attempt.connecting = True
    attempt.mark_connected(0.0)
    error = translate(problem, attempt, Timeouts(), YARL)
    assert type(error) is kind
    assert error.phase is (Phase.NOT_SENT if kind is CertificateError else Phase.SENT)


# A response, but not the platform's


async def test_html_page() -> None:
    """HTML with HTTP 200 is no success: another program may have received the request."""
    error = await attempt_for(http_response("<!doctype html><title>登录</title>"))
    check_error(error, UnexpectedResponse, Phase.SENT, "of text/html is not a response from the platform")
    assert "it is an HTML page, check base_url" in str(error)
    assert error.http_status == 200


async def test_missing_context_path() -> None:
    """When ``base_url`` lacks the context path, the text suggests the right one."""
    async with ScriptedServer(respond(http_response("<!doctype html>"))) as server:
        error = await attempt_at(server.origin)
        check_error(error, UnexpectedResponse, Phase.SENT, f"did you mean {server.base_url} ?")


async def test_operation_missing_on_a_self_hosted_platform() -> None:
    """The framework's 404 page means that a self-hosted platform does not have the operation."""
    document = {"timestamp": "2026-01-02 03:04:05", "status": 404, "error": "Not Found", "path": "/resrun-paas/x"}
    error = await attempt_for(http_response(document, 404))
    check_error(error, NotFoundError, Phase.ANSWERED, "A self-hosted platform built from the open source does not have")
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
    """A redirect is an error that names the host it points to, without the path."""
    async with ScriptedServer(respond(http_response(b"", 302, Location=location))) as server:
        error = await attempt_at(server.base_url)
        assert len(server.requests) == 1
    check_error(error, UnexpectedResponse, Phase.ANSWERED, f"HTTP 302 redirects to {host}; redirects are not followed")
    assert "SECRET" not in str(error)


@pytest.mark.parametrize(("status", "phase"), [(200, Phase.SENT), (400, Phase.ANSWERED), (500, Phase.SENT)])
async def test_foreign_json(status: int, phase: Phase) -> None:
    """JSON without the platform's envelope is an error with status, size and content type."""
    error = await attempt_for(http_response([1, 2], status))
    check_error(error, UnexpectedResponse, phase, f"HTTP {status} with 5 bytes of application/json is not a response")
