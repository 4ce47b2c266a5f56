"""Parsing of responses: a pure function of status, headers and body (protocol section 1.5).

A success is an envelope; everything else is one error, returned rather than raised.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson
from attrs import define, field
from yarl import URL

from kfq_async.errors import (
    ConnectionLost,
    GatewayError,
    HiddenErrorPage,
    KfqError,
    Phase,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.protocol.codes import RATE_LIMITED, classify_code
from kfq_async.protocol.envelope import Envelope, parse_envelope
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from kfq_async.errors import ApiError
    from kfq_async.protocol.operation import Operation

__all__ = ["CONTEXT_PATH", "HttpResponse", "read_response", "retry_after", "safe_headers"]

CONTEXT_PATH = "/resrun-paas"
"""Context path of the platform (protocol section 1.1)."""
_GATEWAY = frozenset({502, 503, 504})
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,60}", re.IGNORECASE | re.ASCII)
_IDENTIFICATION = "/auth/"
"""Beginning of the paths of the auth family, which only the hosted platform has (protocol section 3)."""
_NOT_THE_TOKEN = "It hides the platform's error page and says nothing about the token: "  # noqa: S105  # a sentence
_NO_IDENTIFICATION = _NOT_THE_TOKEN + (
    "this platform does not offer identification links, as platforms built from the open source do "
    "not; use the hosted platform, or check base_url"
)
_LIMITED = _NOT_THE_TOKEN + (
    "the rate limit, a token of more than 64 characters, or a fault inside the operation, may be "
    "behind it; send fewer calls per second (rate_limit), and set operator_account, if it is not set, with which the "
    "platform reports the cause"
)
_UNKNOWN_OPERATION = _NOT_THE_TOKEN + (
    "the operation does not exist on this platform or its path is mistyped, the token has more than "
    "64 characters, or the operation failed inside; check the path, and set operator_account, if it is not set, with "
    "which the platform reports such failures"
)
_SAFE_HEADERS = (
    *("age", "content-length", "content-type", "date", "retry-after", "server", "server-timing", "via"),
    *("traceresponse", "x-cache", "x-request-id", "x-response-time", "x-trace-id"),
)
"""Headers that describe the response and its way; cookies, addresses and all others may be secret."""
_MAX_HEADER = 200
_MAX_HOST = 253
"""Maximum number of characters of a host name."""


@define(eq=False)
class HttpResponse:
    """HTTP response. Not frozen, which would double the cost of creating it; do not modify it."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read_response(
    response: HttpResponse,
    operation: Operation[Any, Any],
    base_url: str,
    sent: Callable[[], Iterable[str]] = tuple,
) -> Envelope | KfqError:
    """Return the envelope of a success, or the error that the response represents.

    ``sent`` returns the texts of the request, which a message may repeat.
    """
    try:
        envelope = parse_envelope(response.body, sent)
    except orjson.JSONDecodeError as problem:
        if response.status == 200 and _is_truncated(response.body, problem):
            return ConnectionLost("the response was cut short", phase=Phase.SENT)
        envelope = None
    if envelope is None:
        return _unexpected(response, base_url)
    if envelope.ok:
        return envelope
    kind, meaning = classify_code(envelope, response.status)
    error = kind(
        envelope.code,
        envelope.message,
        http_status=response.status,
        meaning=meaning,
        hint=_hint(kind, response.status, operation),
    )
    error.retry_after = retry_after(response.headers)
    error.envelope = envelope
    return error


def _is_truncated(body: bytes, error: orjson.JSONDecodeError) -> bool:
    """Return whether a JSON object ends too early, possibly within a character, rather than being malformed."""
    if not body.lstrip().startswith(b"{"):
        return False
    try:
        body.decode()
    except UnicodeDecodeError as problem:
        return problem.reason == "unexpected end of data"
    return error.pos >= len(error.doc)


def _hint(kind: type[ApiError], status: int, operation: Operation[Any, Any]) -> str:
    if kind is HiddenErrorPage:
        if operation.path.startswith(_IDENTIFICATION):
            return _NO_IDENTIFICATION
        return _LIMITED if operation.rate_limited else _UNKNOWN_OPERATION
    if status == 404 and operation.hosted_only:
        return "A self-hosted platform built from the open source does not have this operation"
    return ""


def _unexpected(response: HttpResponse, base_url: str) -> KfqError:
    """Return the error of a response without an envelope."""
    status = response.status
    if status in _GATEWAY:
        return GatewayError(status, retry_after=retry_after(response.headers))
    if status == 429:
        error = TooFrequentError(None, None, http_status=status, meaning=RATE_LIMITED)
        error.retry_after = retry_after(response.headers)
        return error
    if 300 <= status < 400:
        host = _host(response.headers.get("Location", ""))
        return UnexpectedResponse(
            f"HTTP {status} redirects to {host}; redirects are not followed, set base_url to the final address",
            http_status=status,
            phase=Phase.ANSWERED,
        )
    kind = _media_type(response.headers.get("Content-Type", ""))
    text = f"HTTP {status} with {len(response.body)} bytes of {kind} is not a response from the platform"
    if CONTEXT_PATH not in URL(base_url).path:
        text += f"; base_url lacks the context path, did you mean {URL(base_url).origin()}{CONTEXT_PATH} ?"
    elif response.body.lstrip()[:1] == b"<":
        text += "; it is an HTML page, check base_url and any proxy in between"
    phase = Phase.ANSWERED if 400 <= status < 500 else Phase.SENT
    return UnexpectedResponse(text, http_status=status, phase=phase)


def _media_type(content_type: str) -> str:
    kind = content_type.partition(";")[0].strip()
    if not kind:
        return "no content type"
    return kind if _MEDIA_TYPE.fullmatch(kind) else "an unreadable content type"


def _host(location: str) -> str:
    try:
        return printable(URL(location).host or "another path", _MAX_HOST)
    except ValueError:
        return "an unreadable address"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return ``Retry-After`` in seconds, or ``None``; a date counts from the response's ``Date``, not from a clock."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    then, now = _date(value), _date(headers.get("Date", ""))
    return None if then is None or now is None else max(0.0, (then - now).total_seconds())


def safe_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that hold no secrets, by lower-case name; ``headers`` takes names in any case."""
    return {name: printable(headers[name], _MAX_HEADER) for name in _SAFE_HEADERS if name in headers}


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (OverflowError, ValueError):
        return None
    return None if moment.tzinfo is None else moment
