"""What the web frameworks share: a session that suits a web request, bounded reading, errors as HTTP answers."""

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

__all__ = ["HttpError", "handle_notification", "http_error", "read_limited", "web_session"]

_LOG = logging.getLogger("kfq_async")
_WEB_TIMEOUTS = Timeouts(total=10)
"""Somebody waits in front of a browser, and the proxies between have limits of their own."""


def web_session(**options: Any) -> AsyncSession:
    """Make a session as `AsyncSession.from_env` does, whose calls end after 10 seconds at the most.

    ``options`` win, ``timeouts`` included. Raises `ValueError`, naming the variable.
    """
    return AsyncSession.from_env(**{"timeouts": _WEB_TIMEOUTS, **options})


async def read_limited(chunks: AsyncIterable[bytes], limit: int) -> bytes | None:
    """Read a whole body, or return ``None`` as soon as it is larger than ``limit`` bytes."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def handle_notification(
    receiver: NotificationReceiver, chunks: AsyncIterable[bytes], headers: Headers, path: str | bytes
) -> Reply:
    """Give a request to a receiver, without reading more of the body than it takes."""
    body = await read_limited(chunks, receiver.max_body)
    if body is None:
        return await receiver.reject(RejectionReason.BODY_TOO_LARGE, f"more than {receiver.max_body} bytes")
    return await receiver.receive(body, headers, path)


@frozen
class HttpError:
    """What to answer to whoever asked the service, when the service could not ask the platform."""

    status: int
    body: Mapping[str, object]
    """Names and numbers only, nothing that anybody typed; for programs, as JSON."""
    headers: Mapping[str, str]


def http_error(error: KfqError) -> HttpError:
    """Translate an error and log it: 4xx as information, the rest as errors. The first line that fits counts.

    ==================================================  ======  =====================================================
    error                                               status  why
    ==================================================  ======  =====================================================
    `CallbackRejected`, the path was not given out      404     there is no such page
    `CallbackRejected`, other                           its own 400 malformed, 401 not authentic, 503 come again
    `ParameterError`, `EncodeError`                     422     what was entered is not acceptable
    `BusinessError`                                     409     the platform's rules forbid it
    `TooFrequentError`, `PoolTimeout`                   503     not executed, with ``Retry-After``
    other `ApiError`, `CertificateError`                502     our credentials, our signature, our address, their fault
    time-outs (``TimeoutError``)                        504     no answer in time
    `ConnectError`                                      503     the platform cannot be reached
    `SessionError`                                      500     a mistake in this service
    everything else, `OutcomeUnknown` above all         502     no answer that can be understood
    ==================================================  ======  =====================================================
    """
    status = _status(error)
    _LOG.log(logging.INFO if status < 500 else logging.ERROR, "answered with %d: %s", status, error)
    body = {
        "error": re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower(),
        "phase": error.phase.value,
        "code": error.code if isinstance(error, ApiError) else None,
        "uniqueCode": error.unique_code,
    }
    wait = error.retry_after if isinstance(error, TooFrequentError) else None
    again = isinstance(error, TooFrequentError | PoolTimeout)
    return HttpError(status, body, {"Retry-After": str(max(1, math.ceil(wait or 0)))} if again else {})


def _status(error: KfqError) -> int:
    if isinstance(error, CallbackRejected):
        return 404 if error.reason is RejectionReason.UNKNOWN_PATH else error.http_status
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status
    return 502


_STATUS: tuple[tuple[type[BaseException], int], ...] = (
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
