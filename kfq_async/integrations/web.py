"""Framework-independent helpers: sessions, bounded reading of notifications, errors as HTTP responses, access logs."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Mapping, MutableMapping
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
from kfq_async.transport.observation import describe_ids

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable

    from kfq_async.callbacks import NotificationReceiver, Reply
    from kfq_async.callbacks.parsing import Headers
    from kfq_async.errors import KfqError

__all__ = [
    "CLOSE_WITHIN",
    "CallbackUrlFilter",
    "ErrorResponse",
    "IncompleteBody",
    "NotificationResponse",
    "check_close_within",
    "close_receivers",
    "handle_notification",
    "http_error",
    "mask_callback_urls",
    "read_limited",
    "web_session",
]

_LOG = logging.getLogger("kfq_async")
_WEB_TIMEOUTS = Timeouts(total=10)
"""A user is waiting, and proxies have time limits too."""
CLOSE_WITHIN = 10.0
"""Seconds for which a stopping service waits for its handlers; orchestrators often kill a service after 30."""
_SERVER_LOGGERS = ("uvicorn.access", "sanic.access", "sanic.error", "sanic.root", "aiohttp.access", "aiohttp.server")
"""Loggers of uvicorn, Sanic and aiohttp whose records hold the URLs of requests."""
# A segment of `CallbackUrls`: encoded id, dot, and 43 characters of HMAC; proxies may percent-encode any of them.
_CHARACTER = "(?:[A-Za-z0-9_-]|%[0-9A-Fa-f]{2})"
_QUERY = r"""(?:\?[^\s"']*)?"""  # not of this package: it may hold anything
# A whole path in a redacted message, where it consists of names of fields and of indexes.
_JSON_PATH = re.compile(r"@ \$\.([A-Za-z0-9_.\[\]]+)(?=[\s:;；,，。]|$)")
_SEGMENT = re.compile(rf"(?<=/)({_CHARACTER}+?(?:\.|%2[Ee])){_CHARACTER}{{43}}(?!{_CHARACTER}){_QUERY}")


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


class IncompleteBody(Exception):
    """Raised while a body is read if the sender disconnected or sent malformed chunks."""


@frozen
class NotificationResponse:
    """HTTP response to a notification, to be sent unchanged.

    Attributes:
        status: HTTP status: exactly 200 for an acknowledgement; the platform does not count one with 201 (protocol
            section 6.6).
        body: Body.
        content_type: Value of the ``Content-Type`` header.
        close: Whether to close the connection after the response, because the body was not read to its end. In
            HTTP/1.1 add ``Connection: close``.
    """

    status: int
    body: bytes
    content_type: str
    close: bool


async def handle_notification(
    receiver: NotificationReceiver, chunks: AsyncIterable[bytes], headers: Headers, path: str | bytes
) -> NotificationResponse:
    """Pass a request to a receiver, and return the response to send.

    Path and headers are checked before the body is read. Reading ends after ``receiver.max_body`` bytes or
    ``receiver.body_timeout`` seconds.

    Args:
        receiver: Receiver.
        chunks: Body of the request; raises `IncompleteBody` if it ends prematurely.
        headers: Mapping or pairs, names in any case.
        path: Undecoded path, without query.
    """
    refusal = await receiver.precheck(headers, path)
    if refusal is not None:
        return _notification_response(refusal, close=True)
    try:
        async with asyncio.timeout(receiver.body_timeout) as timeout:
            body = await read_limited(chunks, receiver.max_body)
    except IncompleteBody as error:
        reply = await receiver.reject(RejectionReason.BODY_INCOMPLETE, str(error), path=path)
    except TimeoutError:
        if not timeout.expired():
            raise
        detail = f"incomplete after body_timeout={receiver.body_timeout:g} s"
        reply = await receiver.reject(RejectionReason.BODY_TIMEOUT, detail, path=path)
    else:
        if body is not None:
            return _notification_response(await receiver.receive(body, headers, path), close=False)
        detail = f"more than max_body={receiver.max_body} bytes"
        reply = await receiver.reject(RejectionReason.BODY_TOO_LARGE, detail, path=path)
    return _notification_response(reply, close=True)


def _notification_response(reply: Reply, *, close: bool) -> NotificationResponse:
    return NotificationResponse(reply.status, reply.body, reply.content_type, close)


def check_close_within(seconds: float | None) -> None:
    """Raise `ValueError` at startup for what `NotificationReceiver.aclose` would refuse at shutdown."""
    if seconds is not None and not seconds >= 0:
        raise ValueError(f"close_within must be at least 0 seconds, or None, not {seconds}")


async def close_receivers(receivers: Iterable[NotificationReceiver], within: float | None) -> None:
    """Close receivers at the same time (see `NotificationReceiver.aclose`)."""
    await asyncio.gather(*(receiver.aclose(within=within) for receiver in receivers))


class CallbackUrlFilter(logging.Filter):
    """Logging filter that masks the HMAC in URLs of `CallbackUrls`, which are secrets, and drops a query behind it.

    ``/hooks/kfq/cm93LTE.<HMAC>`` becomes ``/hooks/kfq/cm93LTE.***``, at any path: in messages, in their arguments,
    and in attributes of records, such as Sanic's ``request``. Add it to loggers with `mask_callback_urls`, to a
    handler, or in a `logging.config` dictionary as ``{"()": "kfq_async.integrations.web.CallbackUrlFilter"}``. It drops
    no record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Mask the record in place and return ``True``."""
        _mask_values(vars(record))
        if isinstance(record.args, tuple):  # uvicorn's formatter reads the arguments one by one
            record.args = tuple(map(_mask_urls, record.args))
        elif isinstance(record.args, MutableMapping):  # gunicorn, hypercorn
            _mask_values(record.args)
        return True


_FILTER = CallbackUrlFilter()


def mask_callback_urls(*loggers: str) -> None:
    """Add a `CallbackUrlFilter` to the named loggers (default: those of uvicorn, Sanic and aiohttp that log URLs).

    Idempotent. Call it in each worker, after logging is configured: where the application is created.
    """
    for name in loggers or _SERVER_LOGGERS:
        logging.getLogger(name).addFilter(_FILTER)


def _mask_values(values: MutableMapping[str, Any]) -> None:
    for name, value in values.items():
        values[name] = _mask_urls(value)


def _mask_urls(value: object) -> object:
    return _SEGMENT.sub(r"\1***", value) if isinstance(value, str) else value


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

    The body has ``error``, ``phase``, ``code`` and ``uniqueCode``; of a `ParameterError` whose redacted message names
    fields, also their paths as ``fields``, such as ``["corpIdentInfo.companyType"]``.
    """
    status = _status(error)
    known = error.client_request_id is not None or error.unique_code is not None
    ids = f"; {describe_ids(error.client_request_id, error.unique_code)}" if known else ""
    level = logging.INFO if status < 500 else logging.ERROR
    _LOG.log(level, "responded with %d: %s%s", status, error, ids, extra=_details(error))
    body: dict[str, object] = {
        "error": re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower(),
        "phase": error.phase.value,
        "code": error.code if isinstance(error, ApiError) else None,
        "uniqueCode": error.unique_code,
    }
    if fields := _refused_fields(error):
        body["fields"] = fields
    return ErrorResponse(status, body, _retry_headers(error))


def _refused_fields(error: KfqError) -> list[str]:
    """Return the paths of the fields that the platform refused, as far as its redacted message names them."""
    if not isinstance(error, ParameterError) or error.message is None:
        return []
    return list(dict.fromkeys(_JSON_PATH.findall(str(error.message))))


def _details(error: KfqError) -> dict[str, object]:
    """Return the attributes that an error adds to its record of the log."""
    return {
        "operation": error.operation,
        "error": type(error).__name__,
        "phase": error.phase,
        "attempts": error.attempts,
        "code": getattr(error, "code", None),
        "http_status": getattr(error, "http_status", None),
        "client_request_id": error.client_request_id,
        "unique_code": error.unique_code,
    }


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
