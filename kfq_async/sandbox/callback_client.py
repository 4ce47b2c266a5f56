"""Delivery of callbacks over HTTP, or to a function: targets, requests, and the responses that acknowledge."""

from __future__ import annotations

import math
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urljoin

import aiohttp
import orjson
from aiohttp.abc import ResolveResult
from attrs import field, frozen

from kfq_async.models.fields import SECRET, repr_masked
from kfq_async.models.hosts import is_loopback
from kfq_async.models.masking import type_name
from kfq_async.models.notifications import ContractEvent, IdentityNotification
from kfq_async.protocol.conversion import from_dict
from kfq_async.sandbox.addresses import web_address
from kfq_async.sandbox.store import DeliveryAttempt

if TYPE_CHECKING:
    from collections.abc import Callable

    from yarl import URL

__all__ = [
    "SENDS",
    "CallbackClient",
    "CapturedNotification",
    "DeliveryPolicy",
    "DeliveryResult",
    "LoopbackResolver",
    "attempt_of",
]

MAX_RESPONSE = 4096
"""Maximum number of bytes read of a receiver's response."""
MAX_TEXT = 200
"""Maximum number of characters recorded of a response or an error."""
ACKNOWLEDGING_STATUSES = frozenset({200, 404, 500})
"""HTTP statuses with which ``success`` acknowledges (protocol section 6.6): 200 and, oddly, the two others."""
SENDS = 2
"""Number of times that an attempt is sent when the receiver drops the connection, as by the platform's HTTP library."""


@frozen(kw_only=True)
class CapturedNotification:
    """Request by which the sandbox would notify a service.

    Attributes:
        url: URL of the service; masked in ``repr``.
        path: Its undecoded path, which a signature covers; masked in ``repr``.
        headers: Headers, those of the signature included; left out of ``repr``.
        body: Body; masked in ``repr``.
        notification: The notification in the body, an `IdentityNotification` or a `ContractEvent`.
    """

    url: str = field(**SECRET)
    """URL of the service; masked in ``repr``."""
    path: str = field(**SECRET)
    """Its undecoded path, which a signature covers; masked in ``repr``."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, those of the signature included; left out of ``repr``."""
    body: bytes = field(repr=repr_masked)
    """Body; masked in ``repr``."""

    @property
    def notification(self) -> IdentityNotification | ContractEvent:
        """The notification in the body, an `IdentityNotification` or a `ContractEvent`."""
        fields = orjson.loads(self.body)
        if "callbackType" in fields:
            return from_dict(ContractEvent, fields)
        return from_dict(IdentityNotification, fields)


Capture: TypeAlias = "Callable[[CapturedNotification], object]"
"""Function that is given each notification in place of the service."""


@frozen(kw_only=True)
class DeliveryPolicy:
    """Settings for the delivery of notifications; raises `ValueError` that names the argument.

    Attributes:
        app_id: Header ``appId``.
        retry_after: Seconds before each retry.
        timeout: Seconds that one attempt may take, or that the response to a contract event may keep silent; the
            argument ``callback_timeout`` of the sandbox.
        hosts: Hosts that may be notified besides this machine.
        capture: Function that is given each notification in place of the service; ``None`` to send them.
    """

    app_id: str = field()
    retry_after: tuple[float, ...] = field()
    timeout: float = field()
    hosts: frozenset[str]
    capture: Capture | None = field(default=None)

    @app_id.validator
    def _check_app_id(self, _attribute: object, value: str) -> None:
        if not (value and value.isascii() and value.isprintable()):
            raise ValueError(f"app_id is sent in a header and must be printable ASCII, not {value!r}")

    @retry_after.validator
    def _check_retry_after(self, _attribute: object, value: tuple[float, ...]) -> None:
        if not all(0 <= seconds < math.inf for seconds in value):
            raise ValueError(f"retry_after must hold finite seconds, 0 or more, not {value}")

    @timeout.validator
    def _check_timeout(self, _attribute: object, value: float) -> None:
        if not 0 < value < math.inf:
            raise ValueError(f"callback_timeout must be finite and more than 0 seconds, not {value}")

    @capture.validator
    def _check_capture(self, _attribute: object, value: object) -> None:
        if value is not None and not callable(value):
            raise TypeError(f"capture must be a function of a CapturedNotification, or None, not {type_name(value)}")

    def target(self, text: str) -> URL | str:
        """Return the URL to which a notification is sent, or the reason for not sending it."""
        url = web_address(text)
        if url is None:
            return "not an http or https URL"
        host = url.raw_host or ""
        if self.capture is not None or is_loopback(host) or host in self.hosts:
            return url
        return f"{host} is not this machine: add it to callback_hosts if the sandbox may notify it"


@frozen
class DeliveryResult:
    """Response to one attempt, or the error in its place."""

    status: int | None = None
    body: bytes = field(default=b"", repr=False)
    error: str | None = None
    dropped: bool = False
    """Whether the receiver closed or reset the connection in place of a response."""
    location: str | None = field(default=None, repr=False)
    """URL that the response redirects to, or ``None``."""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has acknowledged the notification: by ``success`` in any case, without line breaks."""
        text = b"".join(self.body.splitlines()).lower()
        return self.error is None and self.status in ACKNOWLEDGING_STATUSES and text == b"success"


class LoopbackResolver(aiohttp.ThreadedResolver):
    """Resolves the names of this machine to loopback addresses, whatever the system's resolver says about them.

    A name below ``localhost`` is 127.0.0.1. ``localhost`` is ::1 as well, on which some development servers listen.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host."""
        if not is_loopback(host):
            return await super().resolve(host, port, family)
        addresses = [("127.0.0.1", socket.AF_INET)]
        if host == "localhost":
            addresses.append(("::1", socket.AF_INET6))
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AddressInfo.AI_NUMERICHOST
            )
            for address, kind in addresses
        ]


class CallbackClient:
    """HTTP client that sends one request over each connection, without cookies and without following redirects.

    ``headers`` go with every request, or to ``capture`` in its place. Opens in a running event loop.
    """

    def __init__(
        self, timeout: aiohttp.ClientTimeout, headers: Mapping[str, str], capture: Capture | None = None
    ) -> None:
        self._timeout = timeout
        self._headers = headers
        self._capture = capture
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0, resolver=LoopbackResolver()),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
            skip_auto_headers=("Accept-Encoding",),
            auto_decompress=False,
            timeout=timeout,
        )

    @property
    def closed(self) -> bool:
        """Whether the client is closed."""
        return self._http.closed

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def notify(self, url: URL, body: bytes, headers: Mapping[str, str]) -> DeliveryResult:
        """Send a notification, or pass it to ``capture``, which acknowledges it."""
        if self._capture is None:
            return await self.request("POST", url, body, headers)
        self._capture(
            CapturedNotification(url=str(url), path=url.raw_path, headers={**self._headers, **headers}, body=body)
        )
        return DeliveryResult(200, b"success")

    async def request(
        self, method: str, url: URL, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> DeliveryResult:
        """Send a request, and read a bounded part of the response."""
        status, text, location, error, dropped = None, b"", None, None, False
        try:
            async with self._http.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
                status = response.status
                location = _absolute(url, response.headers.get("Location"))
                async for chunk in response.content.iter_chunked(MAX_RESPONSE):
                    text += chunk
                    if len(text) > MAX_RESPONSE:
                        break
        except aiohttp.ConnectionTimeoutError:
            error = f"no connection within {self._timeout.sock_connect:g} s"
        except aiohttp.SocketTimeoutError:
            error = f"nothing received for {self._timeout.sock_read:g} s"
        except TimeoutError:
            error = f"no complete response within {self._timeout.total:g} s"
        except (aiohttp.ClientError, OSError) as problem:
            error = f"{type(problem).__name__}: {problem}"[:MAX_TEXT]
            connected = not isinstance(problem, aiohttp.ClientConnectorError)
            dropped = status is None and connected and isinstance(problem, aiohttp.ServerDisconnectedError | OSError)
        return DeliveryResult(status, text, error, dropped, location)


def attempt_of(
    notification_id: str,
    result: DeliveryResult,
    *,
    sent_at: float,
    seconds: float = 0.0,
    fault: str = "",
    nonce: str = "",
) -> DeliveryAttempt:
    """Return the record of an attempt."""
    return DeliveryAttempt(
        attempt_id=secrets.token_hex(6),
        notification_id=notification_id,
        sent_at=sent_at,
        seconds=seconds,
        fault=fault,
        nonce=nonce,
        http_status=result.status,
        response_body=result.body.decode(errors="replace")[:MAX_TEXT],
        error=result.error,
        acknowledged=result.acknowledged,
    )


def _absolute(url: URL, location: str | None) -> str | None:
    """Return the target of a redirect; one that cannot be understood is returned as it stands."""
    if location is not None:
        with suppress(ValueError):
            return urljoin(str(url), location)
    return location
