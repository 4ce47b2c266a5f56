"""Framework-independent helpers: sessions for web requests, bounded reading, and errors as HTTP responses."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import frozen

from kfq_async.config import Timeouts
from kfq_async.errors import (
    ApiError,
    BusinessError,
    CallbackRejected,
    CertificateError,
    ConnectError,
    EncodeError,
    ParameterError,
    PoolTimeout,
    RejectionReason,
    SessionError,
    TooFrequentError,
)
from kfq_async.session import AsyncSession

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from kfq_async.callbacks import NotificationReceiver, Reply
    from kfq_async.callbacks.parsing import Headers
    from kfq_async.errors import KfqError

__all__ = ["ErrorResponse", "handle_notification", "http_error", "read_limited", "web_session"]

_LOG = logging.getLogger("kfq_async")
_WEB_TIMEOUTS = Timeouts(total=10)
"""A user is waiting, and proxies have time limits too."""


def web_session(**options: Any) -> AsyncSession:
    """Return `AsyncSession.from_env` with a total timeout of 10 seconds per call.

    ``options`` are those of `AsyncSession.from_env` and take precedence, ``timeouts`` included. Raises `ValueError`
    that names the environment variable.
    """
    return AsyncSession.from_env(**{"timeouts": _WEB_TIMEOUTS, **options})


async def read_limited(chunks: AsyncIterable[bytes], limit: int) -> bytes | None:
    """Return a whole body, or ``None`` as soon as it exceeds ``limit`` bytes."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def handle_notification(
    receiver: NotificationReceiver, chunks: AsyncIterable[bytes], headers: Headers, path: str | bytes
) -> Reply:
    """Pass a request to a receiver, reading no more of its body than ``max_body`` allows."""
    body = await read_limited(chunks, receiver.max_body)
    if body is None:
        return await receiver.reject(RejectionReason.BODY_TOO_LARGE, f"more than {receiver.max_body} bytes")
    return await receiver.receive(body, headers, path)


@frozen
class ErrorResponse:
    """HTTP response of a service whose call to the platform failed.

    Attributes:
        status: HTTP status.
        body: JSON object for clients; `http_error` puts only names and numbers into it, no user input.
        headers: Additional HTTP headers.
    """

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str]


def http_error(error: KfqError) -> ErrorResponse:
    """Return the HTTP response for an error, and log it: 4xx at level INFO, others at ERROR. The first match counts.

    ==================================================  ======  =====================================================
    error                                               status  meaning
    ==================================================  ======  =====================================================
    `CallbackRejected`, reason ``UNKNOWN_PATH``         404     no such page
    `CallbackRejected`, other                           its own 400 malformed, 401 not authentic, 503 retry later
    `ParameterError`, `EncodeError`                     422     invalid input
    `BusinessError`                                     409     forbidden by the platform's rules
    `TooFrequentError`, `PoolTimeout`                   503     not executed; with ``Retry-After``
    other `ApiError`, `CertificateError`                502     bad credentials, signature, address, or a platform fault
    timeouts (``TimeoutError``)                         504     no response in time
    `ConnectError`                                      503     platform unreachable
    `SessionError`                                      500     programming error in this service
    others, such as `OutcomeUnknown`                    502     no usable response
    ==================================================  ======  =====================================================
    """
    status = _status(error)
    _LOG.log(logging.INFO if status < 500 else logging.ERROR, "responded with %d: %s", status, error)
    body = {
        "error": re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower(),
        "phase": error.phase.value,
        "code": error.code if isinstance(error, ApiError) else None,
        "uniqueCode": error.unique_code,
    }
    return ErrorResponse(status, body, _retry_headers(error))


def _retry_headers(error: KfqError) -> dict[str, str]:
    if not isinstance(error, TooFrequentError | PoolTimeout):
        return {}
    delay = error.retry_after if isinstance(error, TooFrequentError) else None
    return {"Retry-After": str(max(1, math.ceil(delay or 0)))}


def _status(error: KfqError) -> int:
    if isinstance(error, CallbackRejected):
        return 404 if error.reason is RejectionReason.UNKNOWN_PATH else error.http_status
    for error_type, status in _STATUSES:
        if isinstance(error, error_type):
            return status
    return 502


_STATUSES: tuple[tuple[type[BaseException], int], ...] = (
    (ParameterError, 422),
    (EncodeError, 422),
    (BusinessError, 409),
    (TooFrequentError, 503),
    (PoolTimeout, 503),
    (ApiError, 502),
    (CertificateError, 502),
    (TimeoutError, 504),
    (ConnectError, 503),
    (SessionError, 500),
)
