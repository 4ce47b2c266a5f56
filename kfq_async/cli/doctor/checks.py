"""Findings of ``kfq doctor`` about one response or setting each. Pure.

What no source documents is reported as unknown, not judged.
"""

from __future__ import annotations

import platform
import ssl
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from yarl import URL

from kfq_async._version import __version__
from kfq_async.cli.findings import Check, Status
from kfq_async.errors import (
    ApiError,
    BusinessError,
    CertificateError,
    CredentialsError,
    HiddenErrorPage,
    KfqError,
    NotFoundError,
    ProxyError,
)
from kfq_async.models.hosts import is_loopback
from kfq_async.protocol.envelope import parse_envelope
from kfq_async.protocol.operation import CredentialPlacement, Idempotency, Operation
from kfq_async.protocol.requests import API_PATH
from kfq_async.protocol.responses import CONTEXT_PATH, HttpResponse, read_response
from kfq_async.session import HOSTED, parse_base_url

if TYPE_CHECKING:
    from datetime import datetime

    from kfq_async.protocol.envelope import Envelope
    from kfq_async.transport.proxy import Proxy

__all__ = [
    "check_base_url",
    "check_clock",
    "check_connection",
    "check_edition",
    "check_hook",
    "check_other_url",
    "check_platform",
    "check_proxy",
    "check_token",
    "check_versions",
    "unchecked",
    "usual_url",
]

TOLERANCE = 300.0
"""Seconds by which the clocks may differ: the platform's own receiver refuses more (protocol section 5.4)."""
OPERATION: Operation[Any, Any] = Operation(
    "GET", "/", credentials=CredentialPlacement.PARAMETERS, idempotency=Idempotency.SAFE
)
"""Stands for the paths that are probed, whose responses are read as those of operations."""
CERTIFICATE_REMEDIES = {
    "expired": "renew the certificate of the server; if it is valid, set the clock of this machine",
    "not yet valid": "set the clock of this machine",
    "mismatch": "give the host name for which the certificate was issued",
    "does not speak TLS": "give a URL that starts with http://, or the port that speaks TLS",
}
"""Remedies by a part of the reason why a certificate was refused, as OpenSSL words it."""
OTHER_CERTIFICATE_REMEDY = (
    "for a CA of your own, name its file in --ca-file or SSL_CERT_FILE, or pass AsyncSession(ssl=...); otherwise the "
    "server must send its whole chain"
)
WRONG_METHOD = 405
"""Code for a method that an existing path does not take (protocol section 1.5)."""


def unchecked(name: str, reason: str, remedy: str = "") -> Check:
    """Return the result of a check that was not made."""
    return Check(name, Status.UNKNOWN, f"not checked: {reason}", remedy)


def check_versions() -> Check:
    """Return the versions that a report of a problem needs."""
    found = (
        f"kfq_async {__version__}, Python {platform.python_version()}, aiohttp {aiohttp.__version__}, "
        f"{ssl.OPENSSL_VERSION}, {platform.system()} {platform.machine()}"
    )
    return Check("versions", Status.OK, found)


def check_base_url(value: str) -> Check:
    """Check a base URL without sending anything."""
    name = "base-url"
    try:
        base_url = parse_base_url(value)
    except ValueError as error:
        return Check(name, Status.FAILED, str(error), f"give --base-url, such as {HOSTED}")
    start = base_url.lower().find(API_PATH[: API_PATH.rindex("/")].lower())
    if start >= 0:
        return Check(
            name, Status.FAILED, "it holds the API path, which is added to it", f"give --base-url {base_url[:start]}"
        )
    if base_url.count(CONTEXT_PATH) > 1:
        return Check(
            name,
            Status.FAILED,
            f"its path holds {CONTEXT_PATH} more than once",
            f"give --base-url {usual_url(base_url)}",
        )
    return Check(name, Status.OK, base_url)


def usual_url(base_url: str) -> str:
    """Return the origin of a base URL with the context path that the platform has by default."""
    return f"{URL(base_url).origin()}{CONTEXT_PATH}"


def check_proxy(proxy: Proxy | None, *, given: bool, trust_env: bool) -> Check:
    """Report the proxy, whether it is ``given`` or that of the environment, and whether it is used."""
    name = "proxy"
    if proxy is None:
        return Check(name, Status.OK, "none in the environment")
    if given:
        return Check(name, Status.OK, f"{proxy.url.origin()} is used")
    if trust_env:
        return Check(name, Status.OK, f"{proxy.url.origin()} of the environment is used")
    return Check(
        name,
        Status.OK,
        f"{proxy.url.origin()} of the environment is not used",
        "to go through it, run `kfq doctor --trust-env`, and create the session with trust_env=True",
    )


def check_connection(base_url: str, response: HttpResponse | KfqError) -> Check:
    """Judge whether a server was reached and, with https, its certificate."""
    name, url = "connection", URL(base_url)
    if isinstance(response, KfqError):
        return Check(name, Status.FAILED, _describe(response), _remedy(response))
    if url.scheme == "https":
        return Check(name, Status.OK, f"{url.host}:{url.port} responds, and its certificate is trusted")
    if is_loopback(url.host or ""):
        return Check(name, Status.OK, f"{url.host}:{url.port} responds on this machine")
    return Check(
        name,
        Status.UNKNOWN,
        f"{url.host}:{url.port} responds without TLS; whether the network on the way can be trusted is unknown",
        "put a proxy with TLS in front of the platform: token and personal data are sent in plain text",
    )


def check_platform(base_url: str, root: HttpResponse | KfqError, contracts: HttpResponse | KfqError) -> Check:
    """Judge the responses to a GET of the base URL with a slash, and of the tasks of a contract without a token.

    The platform answers both in envelopes (protocol sections 1.1 and 2.2).
    """
    name, found = "platform", _read(contracts, base_url)
    if not isinstance(found, KfqError) or (isinstance(found, ApiError) and not isinstance(found, HiddenErrorPage)):
        return Check(name, Status.OK, "its API responds")
    remedy = f"check --base-url: it ends with the context path, as {HOSTED} does"
    if isinstance(found, HiddenErrorPage) or isinstance(_read(root, base_url), ApiError):
        return Check(name, Status.FAILED, f"a platform responds, without an API at {base_url}{API_PATH}", remedy)
    return Check(name, Status.FAILED, _describe(found), remedy)


def check_other_url(found: Check, url: str, contracts: HttpResponse | KfqError) -> Check:
    """Return a failed check of the platform, with ``url`` as its remedy if the API responds there."""
    other = check_platform(url, contracts, contracts)
    if other.status is not Status.OK:
        return found
    return Check(found.name, found.status, found.finding, f"give --base-url {url}, where its API responds")


def check_edition(base_url: str, contracts: HttpResponse | KfqError, links: HttpResponse | KfqError) -> Check:
    """Judge the responses to two GET requests without a token: for tasks of a contract, and an identification link.

    The second operation takes POST alone, so that the request cannot create an order.
    """
    name = "edition"
    for part, response in (("contracts", contracts), ("identification links", links)):
        found = _read(response, base_url)
        if _offers(found) is None:
            text = _describe(found) if isinstance(found, KfqError) else "a success"
            return Check(
                name,
                Status.UNKNOWN,
                f"whether it offers {part} is unknown, since nothing documents the response: {text}",
            )
    if _offers(_read(links, base_url)):
        return Check(name, Status.OK, "it offers contracts and identification links")
    return Check(
        name,
        Status.OK,
        "it offers contracts, and no identification links, as platforms built from the open source do",
    )


def check_clock(response: HttpResponse | KfqError, now: float) -> Check:
    """Compare the platform's time with ``now``, the local time of the response in seconds since the epoch."""
    name, moment = "clock", None if isinstance(response, KfqError) else _time_of(response)
    if moment is None:
        return Check(name, Status.UNKNOWN, "no response tells the platform's time")
    offset = moment.timestamp() - now
    found = f"the platform's clock is {abs(offset):.1f} s {'ahead' if offset > 0 else 'behind'}"
    if abs(offset) < 1:
        return Check(name, Status.OK, "the platform's clock agrees with that of this machine")
    if abs(offset) <= TOLERANCE:
        return Check(name, Status.OK, found)
    return Check(name, Status.FAILED, found, "set the clock that is wrong, best with NTP")


def check_token(error: KfqError | None) -> Check:
    """Judge the error of a look at the tasks of a contract that does not exist; ``None`` if there was none."""
    name = "token"
    if error is None or isinstance(error, BusinessError):
        return Check(name, Status.OK, "the platform accepts it")
    if isinstance(error, CredentialsError):
        return Check(
            name,
            Status.FAILED,
            _describe(error),
            "copy the appAuthToken from the administration pages of this platform; each platform has its own",
        )
    if isinstance(error, ApiError):
        return Check(name, Status.UNKNOWN, f"the platform neither accepts nor refuses it: {_describe(error)}")
    return Check(name, Status.UNKNOWN, _describe(error), _remedy(error))


def check_hook(hook: URL, response: HttpResponse | KfqError, base_url: str) -> Check:
    """Judge the response of one's own callback URL to a GET from this machine."""
    name, where = "hook", f"{hook.host}:{hook.port}"
    if is_loopback(hook.host or "") and not is_loopback(URL(base_url).host or ""):
        return Check(
            name,
            Status.FAILED,
            f"{hook.host} is this machine, which the platform cannot reach",
            "give the public URL, such as that of the proxy in front of the service",
        )
    if isinstance(response, KfqError):
        return Check(name, Status.FAILED, _describe(response), _remedy(response))
    found = f"{where} responds to a GET with HTTP {response.status}"
    if 300 <= response.status < 400:
        return Check(name, Status.FAILED, found, "give the final URL: after a redirect the notification has no body")
    if response.status >= 500:
        return Check(name, Status.FAILED, found, "start the service, and check the proxy in front of it")
    if response.status == 404:
        remedy = "check the path; a URL of CallbackUrls has one more segment"
        return Check(name, Status.UNKNOWN, f"{found}, which does not tell whether it takes notifications", remedy)
    return Check(name, Status.OK, f"{found}; whether the platform can reach it cannot be seen from this machine")


def _time_of(response: HttpResponse) -> datetime | None:
    """Return the time of the envelope, else that of the header ``Date``."""
    with suppress(orjson.JSONDecodeError):
        envelope = parse_envelope(response.body)
        if envelope is not None and envelope.timestamp is not None:
            return envelope.timestamp
    with suppress(ValueError):
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
        return moment if moment.tzinfo is not None else None
    return None


def _read(response: HttpResponse | KfqError, base_url: str) -> Envelope | KfqError:
    return response if isinstance(response, KfqError) else read_response(response, OPERATION, base_url)


def _offers(found: Envelope | KfqError) -> bool | None:
    """Return whether a GET without a token met an operation; ``None`` if the response does not tell."""
    if isinstance(found, CredentialsError):
        return True  # its token is missed
    if isinstance(found, NotFoundError):
        return True if found.code == WRONG_METHOD else None
    return False if isinstance(found, HiddenErrorPage) else None


def _describe(error: KfqError) -> str:
    return f"{type(error).__name__}: {error}"


def _remedy(error: KfqError) -> str:
    if isinstance(error, CertificateError):
        reasons = (remedy for reason, remedy in CERTIFICATE_REMEDIES.items() if reason in str(error))
        return next(reasons, OTHER_CERTIFICATE_REMEDY)
    if isinstance(error, ProxyError):
        return "check the proxy in the environment"
    return "check host and port, name lookup and firewalls; behind a proxy, give --trust-env"
