"""One attempt over aiohttp: bytes out, bytes in, and its exceptions turned into ours, as values.

`aiohttp.ClientSession` is built here and nowhere else.
"""

from __future__ import annotations

import asyncio
import errno
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import ClientRequest, ClientTimeout, DummyCookieJar, hdrs
from multidict import CIMultiDict, istr

from kfq_async.errors import (
    AttemptTimeout,
    CertificateError,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    KfqError,
    Phase,
    TotalTimeout,
    UnexpectedResponse,
)
from kfq_async.protocol.requests import STATIC_HEADERS
from kfq_async.protocol.responses import HttpResponse
from kfq_async.transport.deadlines import Expiry, Watch
from kfq_async.transport.request import Request, current_watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import ClientResponse
    from yarl import URL

    from kfq_async.config import Timeouts
    from kfq_async.protocol.requests import HttpRequest

__all__ = ["LARGEST_ANSWER", "open_http", "transmit"]

LARGEST_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer, after decompression, beyond which it is refused as it arrives."""

_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    UnicodeError,  # a host that is no name, as the look-up says it
)
_CERTIFICATE = (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError)


def open_http(
    connector: aiohttp.BaseConnector,
    *,
    owner: bool,
    proxy: str | None,
    trust_env: bool,
    headers: Mapping[str, str],
) -> aiohttp.ClientSession:
    """Open the one client session; no cookies, since tenants share it, and no time-outs but ours.

    ``headers`` are sent with every request, ``Host`` first among them.
    """
    whole = {**headers, **STATIC_HEADERS, hdrs.ACCEPT_ENCODING: ClientRequest.DEFAULT_HEADERS[hdrs.ACCEPT_ENCODING]}
    if connector.force_close:
        whole[hdrs.CONNECTION] = "close"
    return aiohttp.ClientSession(
        connector=connector,
        connector_owner=owner,
        cookie_jar=DummyCookieJar(),
        headers=CIMultiDict({istr(name): value for name, value in whole.items()}),
        proxy=proxy,
        raise_for_status=False,
        request_class=Request,
        timeout=ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        trust_env=trust_env,
    )


async def transmit(
    http: aiohttp.ClientSession, outgoing: HttpRequest, watch: Watch, timeouts: Timeouts, method: str
) -> HttpResponse | KfqError:
    """Send once and read the whole answer; whatever goes wrong comes back as a value.

    Raises only `asyncio.CancelledError` from outside. On every path but success the connection is dropped.
    """
    watch.begin(timeouts, asyncio.get_running_loop().time())
    token = current_watch.set(watch)
    response = None
    try:
        response = await http.request(
            method,
            outgoing.url,
            data=outgoing.body,
            headers=outgoing.headers,
            allow_redirects=False,
            timeout=_connect_timeout(timeouts.connect),
        )
        body = await _read(response)
        if body is None:
            response.close()
            return UnexpectedResponse(f"the answer is larger than {LARGEST_ANSWER} bytes", http_status=response.status)
        if response.connection is not None:
            response.close()  # whole, and yet its connection cannot be used again, as after an upgrade
        return HttpResponse(response.status, response.headers, body)
    except asyncio.CancelledError:
        if response is not None:
            response.close()
        expiry = watch.claim()
        if expiry is None:
            raise
        error = _expired(expiry, timeouts, begun=watch.begun)
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError) as problem:
        if response is not None:
            response.close()
        error = _translated(problem, timeouts, _peer(problem, outgoing.url), begun=watch.begun)
    finally:
        current_watch.reset(token)
    return error


@lru_cache(maxsize=64)
def _connect_timeout(seconds: float) -> ClientTimeout:
    return ClientTimeout(total=None, connect=seconds)


async def _read(response: ClientResponse) -> bytes | None:
    """Return the whole body, or ``None`` as soon as it is too large."""
    content = response.content
    if content.is_eof():  # it came with the head, as small answers do
        body = content.read_nowait()
        return body if len(body) <= LARGEST_ANSWER else None
    chunks = []
    size = 0
    while chunk := await content.readany():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _expired(expiry: Expiry, timeouts: Timeouts, *, begun: bool) -> KfqError:
    phase = Phase.SENT if begun else Phase.NOT_SENT
    if expiry is Expiry.TOTAL:
        return TotalTimeout(f"the call's {timeouts.total} s ended during an attempt", phase=phase)
    return AttemptTimeout(f"no complete answer within {timeouts.attempt} s", phase=Phase.SENT)


def _translated(problem: BaseException, timeouts: Timeouts, host: str, *, begun: bool) -> KfqError:
    """Turn one of aiohttp's exceptions into ours; of theirs only the class is named, since they print URLs."""
    name = type(problem).__name__
    if isinstance(problem, _NOT_SENT) and not begun:
        if isinstance(problem, _CERTIFICATE):
            if "WRONG_VERSION_NUMBER" in _verify_message(problem):
                return CertificateError(f"{host} does not speak TLS: is its base_url http:// ?")
            return CertificateError(f"{host} could not prove who it is ({name}{_verify_message(problem)})")
        if isinstance(problem, TimeoutError):
            return ConnectTimeout(f"no connection to {host} within {timeouts.connect} s")
        return ConnectError(f"no connection to {host} ({name}{_errno(problem)})")
    if isinstance(problem, TimeoutError):
        return AttemptTimeout(f"no complete answer in time ({name})", phase=Phase.SENT)
    return ConnectionLost(f"the connection broke before the answer was complete ({name})", phase=Phase.SENT)


def _peer(problem: BaseException, url: URL) -> str:
    """Name the host and port that were not reached: the proxy's, where there is one."""
    if isinstance(problem, aiohttp.ClientProxyConnectionError):
        return f"the proxy {problem.host}:{problem.port}"
    return f"{url.host}:{url.port}"


def _verify_message(problem: Any) -> str:
    inner = getattr(problem, "certificate_error", None) or getattr(problem, "os_error", None)
    message = getattr(inner, "verify_message", None) or getattr(inner, "reason", None)
    return f": {message}" if isinstance(message, str) else ""


def _errno(problem: BaseException) -> str:
    code = errno.errorcode.get(getattr(problem, "errno", None) or 0)
    return f", {code}" if code else ""
