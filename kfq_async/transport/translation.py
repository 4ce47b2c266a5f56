"""Translation of aiohttp's exceptions to the package's errors, by the moment at which they occur."""

from __future__ import annotations

import asyncio
import errno
import re
from itertools import dropwhile
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientSession
from aiohttp.tracing import Trace

from kfq_async.errors import (
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    KfqError,
    Phase,
    ProxyError,
    SessionError,
    StallTimeout,
    TotalTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from yarl import URL

    from kfq_async.config import Timeouts
    from kfq_async.transport.attempt import Attempt

__all__ = ["SESSION_CLOSED", "not_written", "proxy_error", "translate"]

_NETWORK = (aiohttp.ClientError, TimeoutError, OSError, UnicodeError, asyncio.CancelledError)
"""Exceptions that are failures of the network, whenever they occur.

`UnicodeError` comes from a name lookup, and a cancellation that was not requested from a connector that is closed.
"""
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError)
_CERTIFICATE = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)
_ALERT = re.compile(r"\[SSL: (\w*ALERT\w*)\]")
_CERTIFICATE_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")
"""Parts of the names of the TLS alerts by which a peer refuses a certificate (RFC 8446 section 6.2)."""
_REQUEST = getattr(ClientSession._request, "__code__", None)  # noqa: SLF001  # aiohttp's, unless it was replaced
_START_HOOKS = getattr(Trace.send_request_start, "__code__", None)
SESSION_CLOSED = "the session was closed during the call"
CONNECTOR_CLOSED = "the connector of the session is closed; it must stay open as long as the session"
MAX_REASON = 100
"""Longest reason of a parser that is shown, in characters."""
_QUOTATION = re.compile(r"b?['\"]|\n")


def translate(
    problem: BaseException, attempt: Attempt, timeouts: Timeouts, url: URL, *, closed: bool = False
) -> KfqError | None:
    """Return the error for an exception that ended an attempt, or ``None`` for a bug, which is raised as it is.

    Only the class of the exception is named, since its text may contain the URL. Once a connection was requested, every
    exception is a transport error: before the connection is established nothing was sent, afterwards anything may have
    been, unless the peer refuses the client's certificate, which in TLS 1.3 it does after the client has begun to send.
    ``closed`` tells whether the connector is closed.
    """
    network = attempt.connecting or isinstance(problem, _NETWORK)
    before_request = not attempt.connecting and _ended_in_start_hook(problem)
    may_have_sent = attempt.may_have_sent and not before_request
    sent = may_have_sent and (attempt.connecting or (network and not isinstance(problem, _NEVER_SENT)))
    if attempt.closed or closed:
        reason = SESSION_CLOSED if attempt.closed else CONNECTOR_CLOSED
        return SessionError(reason, phase=Phase.SENT if sent else Phase.NOT_SENT)
    if attempt.failure is not None:
        return attempt.failure
    if attempt.scope.expired() and isinstance(problem, TimeoutError):
        if before_request and not attempt.total_expired:
            return AttemptTimeout("a tracing hook did not end before the request was sent (on_request_start)")
        return _expired(problem, attempt, timeouts, url, may_have_sent=may_have_sent)
    if not network:
        return None
    if before_request:
        return ConnectError(f"a tracing hook failed before the request was sent ({type(problem).__name__})")
    if alert := _certificate_alert(problem):
        return CertificateError(f"{url.host}:{url.port} refused the TLS handshake: {alert}")
    if attempt.unwritten:
        return not_written(problem, url)
    return _lost(problem) if sent else _not_connected(problem, attempt, timeouts, url)


def not_written(problem: BaseException, url: URL) -> ConnectError:
    """Return the error for an attempt that ended on its connection before the request was written."""
    return ConnectError(f"the connection to {url.host}:{url.port} could not be used ({type(problem).__name__})")


def proxy_error(proxy: URL, status: int) -> ProxyError:
    """Return the error for a response by which the proxy itself refuses a request."""
    advice = ": check the user and password in its URL" if status == 407 else ""
    return ProxyError(f"the proxy {proxy.host}:{proxy.port} responded with HTTP {status}{advice}", http_status=status)


def _ended_in_start_hook(problem: BaseException) -> bool:
    """Return whether an exception came out of a tracing hook that aiohttp calls before it makes the request.

    A mock or a middleware that responds in place of the connector leaves no such traceback.
    """
    codes = next(filter(None, map(_codes_from_request, _causes(problem))), [])
    return codes[1:2] == [_START_HOOKS]


def _codes_from_request(problem: BaseException) -> list[CodeType]:
    """Return the code of the frames that an exception passed, from aiohttp's function for a request on inwards."""
    codes = [frame.f_code for frame, _ in walk_tb(problem.__traceback__)]
    return list(dropwhile(lambda code: code is not _REQUEST, codes))


def _expired(problem: TimeoutError, attempt: Attempt, timeouts: Timeouts, url: URL, *, may_have_sent: bool) -> KfqError:
    if attempt.total_expired:
        phase = Phase.SENT if may_have_sent else Phase.NOT_SENT
        return TotalTimeout(f"total timeout ({timeouts.total} s) expired during an attempt", phase=phase)
    if attempt.stalled:
        reason = f"no byte of the file was sent or received for {timeouts.stall} s (Timeouts.stall)"
        return StallTimeout(reason, phase=Phase.SENT if may_have_sent else Phase.NOT_SENT)
    if attempt.unwritten:
        reason = f"the request was not written within {timeouts.attempt} s (Timeouts.attempt)"
        return AttemptTimeout(reason, phase=Phase.NOT_SENT)
    if not may_have_sent:
        return _not_connected(problem, attempt, timeouts, url)
    return AttemptTimeout(f"no complete response within {timeouts.attempt} s (Timeouts.attempt)", phase=Phase.SENT)


def _lost(problem: BaseException) -> KfqError:
    name = type(problem).__name__
    if isinstance(problem, TimeoutError):
        return AttemptTimeout(f"no complete response in time ({name})", phase=Phase.SENT)
    if isinstance(problem, aiohttp.ClientResponseError):
        return ConnectionLost(f"the response is not valid HTTP{_parser_reason(problem.message)}", phase=Phase.SENT)
    return ConnectionLost(f"the connection was lost before the response was complete ({name})", phase=Phase.SENT)


def _parser_reason(message: object) -> str:
    """Return a parser's reason, without the bytes that it quotes from the response, with a colon, or nothing."""
    reason = _QUOTATION.split(str(message)[:MAX_REASON], maxsplit=1)[0].rstrip(" :")
    return f": {reason}" if reason and reason.isascii() and reason.isprintable() else ""


def _not_connected(problem: BaseException, attempt: Attempt, timeouts: Timeouts, url: URL) -> KfqError:
    name, host = type(problem).__name__, _peer(problem, attempt.proxy, url)
    if isinstance(problem, aiohttp.ClientHttpProxyError) and attempt.proxy is not None:
        return proxy_error(attempt.proxy, problem.status)
    if isinstance(problem, _CERTIFICATE):
        reason = _reason(problem)
        if "WRONG_VERSION_NUMBER" in reason:
            return CertificateError(f"{host} does not speak TLS: should base_url start with http:// ?")
        return CertificateError(f"TLS handshake with {host} failed ({name}{reason})")
    if isinstance(problem, TimeoutError):
        return ConnectTimeout(f"no connection to {host} within {timeouts.connect} s (Timeouts.connect)")
    return ConnectError(f"no connection to {host} ({name}{_errno(problem)})")


def _peer(problem: BaseException, proxy: URL | None, url: URL) -> str:
    """Return host and port that could not be reached: those of the proxy, if aiohttp names it."""
    host, port = getattr(problem, "host", None), getattr(problem, "port", None)
    if proxy is not None and (host, port) == (proxy.host, proxy.port):
        return f"the proxy {host}:{port}"
    return f"{url.host}:{url.port}"


def _reason(problem: Any) -> str:
    """Return the reason for a failed handshake, with a colon, or nothing."""
    cause = getattr(problem, "certificate_error", None) or getattr(problem, "os_error", None)
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
    return f": {reason}" if isinstance(reason, str) else ""


def _certificate_alert(problem: BaseException) -> str:
    """Return the TLS alert by which the peer refused a certificate, from the causes of an exception, or nothing.

    aiohttp copies the text of an `ssl.SSLError`, which names the alert, to an exception of its own.
    """
    for cause in _causes(problem):
        alert = _ALERT.search(str(getattr(cause, "strerror", "")))
        if alert is not None:
            return alert[1] if any(part in alert[1] for part in _CERTIFICATE_ALERTS) else ""
    return ""


def _causes(problem: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and what caused it, from the outside in; each one once."""
    seen: set[int] = set()
    while problem is not None and id(problem) not in seen:
        seen.add(id(problem))
        yield problem
        problem = problem.__cause__ or problem.__context__


def _errno(problem: BaseException) -> str:
    code = errno.errorcode.get(getattr(problem, "errno", None) or 0)
    return f", {code}" if code else ""
