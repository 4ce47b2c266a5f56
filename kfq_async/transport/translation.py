"""Translation of aiohttp's exceptions to the package's errors, by the moment at which they occur."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import aiohttp

from kfq_async.errors import (
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    KfqError,
    Phase,
    TotalTimeout,
)

if TYPE_CHECKING:
    from yarl import URL

    from kfq_async.config import Timeouts
    from kfq_async.transport.attempt import Attempt

__all__ = ["translate"]

_NETWORK = (aiohttp.ClientError, TimeoutError, OSError, UnicodeError)
"""Exceptions that are failures of the network, whenever they occur; `UnicodeError` comes from a name lookup."""
_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError)
_CERTIFICATE = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)


def translate(problem: Exception, attempt: Attempt, timeouts: Timeouts, url: URL) -> KfqError | None:
    """Return the error for an exception that ended an attempt, or ``None`` for a bug, which is raised as it is.

    Only the class of aiohttp's exception is named, since its text may contain the URL. Once a connection was requested,
    every exception is a transport error: before the connection is established nothing was sent, afterwards anything
    may have been.
    """
    if attempt.scope.expired() and isinstance(problem, TimeoutError):
        return _expired(problem, attempt, timeouts, url)
    if not attempt.connecting:
        if not isinstance(problem, _NETWORK):
            return None
        sent = not isinstance(problem, _NEVER_SENT)
    else:
        sent = attempt.may_have_sent
    return _lost(problem) if sent else _not_connected(problem, timeouts, url)


def _expired(problem: TimeoutError, attempt: Attempt, timeouts: Timeouts, url: URL) -> KfqError:
    if attempt.total_expired:
        phase = Phase.SENT if attempt.may_have_sent else Phase.NOT_SENT
        return TotalTimeout(f"total timeout ({timeouts.total} s) expired during an attempt", phase=phase)
    if not attempt.may_have_sent:
        return _not_connected(problem, timeouts, url)
    return AttemptTimeout(f"no complete response within {timeouts.attempt} s (Timeouts.attempt)", phase=Phase.SENT)


def _lost(problem: Exception) -> KfqError:
    name = type(problem).__name__
    if isinstance(problem, TimeoutError):
        return AttemptTimeout(f"no complete response in time ({name})", phase=Phase.SENT)
    return ConnectionLost(f"the connection was lost before the response was complete ({name})", phase=Phase.SENT)


def _not_connected(problem: Exception, timeouts: Timeouts, url: URL) -> KfqError:
    name, host = type(problem).__name__, _peer(problem, url)
    if isinstance(problem, _CERTIFICATE):
        reason = _reason(problem)
        if "WRONG_VERSION_NUMBER" in reason:
            return CertificateError(f"{host} does not speak TLS: should base_url start with http:// ?")
        return CertificateError(f"TLS handshake with {host} failed ({name}{reason})")
    if isinstance(problem, TimeoutError):
        return ConnectTimeout(f"no connection to {host} within {timeouts.connect} s (Timeouts.connect)")
    return ConnectError(f"no connection to {host} ({name}{_errno(problem)})")


def _peer(problem: Exception, url: URL) -> str:
    """Return host and port that could not be reached: those of the proxy, if there is one."""
    if isinstance(problem, aiohttp.ClientProxyConnectionError):
        return f"the proxy {problem.host}:{problem.port}"
    return f"{url.host}:{url.port}"


def _reason(problem: Any) -> str:
    """Return the reason for a failed handshake, with a colon, or nothing."""
    cause = getattr(problem, "certificate_error", None) or getattr(problem, "os_error", None)
    reason = getattr(cause, "verify_message", None) or getattr(cause, "reason", None)
    return f": {reason}" if isinstance(reason, str) else ""


def _errno(problem: Exception) -> str:
    code = errno.errorcode.get(getattr(problem, "errno", None) or 0)
    return f", {code}" if code else ""
