"""Reading an answer: a pure function of status, headers and body (protocol section 1.5).

Success is an envelope; everything else is one error, returned and not raised.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import orjson
from attrs import define, field
from yarl import URL

from kfq_async.errors import (
    ConnectionLost,
    GatewayError,
    KfqError,
    Phase,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.protocol.codes import classify_code
from kfq_async.protocol.envelope import Envelope, parse_envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from kfq_async.protocol.operation import Operation

__all__ = ["CONTEXT_PATH", "HttpResponse", "read_response", "retry_after"]

CONTEXT_PATH = "/resrun-paas"
_GATEWAY = frozenset({502, 503, 504})


@define(eq=False)
class HttpResponse:
    """An HTTP answer as it came. Nobody changes it; frozen, it would cost twice as much to make."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read_response(
    raw: HttpResponse,
    operation: Operation[Any, Any],
    base_url: str,
    sensitive_values: Callable[[], Iterable[str]] = tuple,
) -> Envelope | KfqError:
    """Return the envelope of a success, or the error that the answer amounts to.

    ``sensitive_values`` returns the values of the request that must not come back in an error's text.
    """
    try:
        envelope = parse_envelope(raw.body)
    except orjson.JSONDecodeError as problem:
        if raw.status == 200 and _cut_short(raw.body, problem):
            return ConnectionLost("the answer was cut short", phase=Phase.SENT)
        envelope = None
    if envelope is None:
        return _foreign(raw, base_url)
    if envelope.ok:
        return envelope
    error, meaning = classify_code(envelope, raw.status)
    refusal = error(
        envelope.code,
        envelope.message,
        http_status=raw.status,
        meaning=meaning,
        hint=_hint(raw.status, operation),
        sensitive_values=sensitive_values(),
    )
    refusal.retry_after = retry_after(raw.headers)
    refusal.envelope = envelope
    return refusal


def _cut_short(body: bytes, problem: orjson.JSONDecodeError) -> bool:
    """Tell an object that ends too early, be it within a character, from one that is malformed."""
    if not body.lstrip().startswith(b"{"):
        return False
    try:
        body.decode()
    except UnicodeDecodeError as broken:
        return broken.reason == "unexpected end of data"
    return problem.pos >= len(problem.doc)


def _hint(status: int, operation: Operation[Any, Any]) -> str:
    if status == 404 and operation.hosted_only:
        return "A self-hosted platform built from the open source does not have this operation"
    return ""


def _foreign(raw: HttpResponse, base_url: str) -> KfqError:
    status = raw.status
    if status in _GATEWAY:
        return GatewayError(status, retry_after=retry_after(raw.headers))
    if status == 429:
        error = TooFrequentError(None, None, http_status=status, meaning="too frequent")
        error.retry_after = retry_after(raw.headers)
        return error
    if 300 <= status < 400:
        host = _host(raw.headers.get("Location", ""))
        return UnexpectedResponse(
            f"HTTP {status} redirects to {host}; redirects are not followed, so set base_url to the platform's own",
            http_status=status,
            phase=Phase.ANSWERED,
        )
    kind = raw.headers.get("Content-Type", "").partition(";")[0].strip() or "no content type"
    text = f"HTTP {status} with {len(raw.body)} bytes of {kind} is not in the platform's form"
    if CONTEXT_PATH not in URL(base_url).path:
        text += f"; base_url lacks the context path, did you mean {base_url}{CONTEXT_PATH} ?"
    elif raw.body.lstrip()[:1] == b"<":
        text += "; a page came instead of an answer, so check base_url and what stands in between"
    phase = Phase.ANSWERED if 400 <= status < 500 else Phase.SENT
    return UnexpectedResponse(text, http_status=status, phase=phase)


def _host(location: str) -> str:
    try:
        return URL(location).host or "another path"
    except ValueError:
        return "an unreadable address"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return ``Retry-After`` in seconds; a date counts from the answer's own ``Date``, so no clock is needed."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    then, now = _date(value), _date(headers.get("Date", ""))
    return None if then is None or now is None else max(0.0, (then - now).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (OverflowError, ValueError):
        return None
    return None if moment.tzinfo is None else moment
