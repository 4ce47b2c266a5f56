"""The platform's three JSON envelopes (响应体结构), parsed defensively (protocol section 1.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from attrs import field, frozen

from kfq_async.models.fields import UNKNOWN_KEYS, repr_masked
from kfq_async.models.masking import MaskedStr, mask_texts
from kfq_async.protocol.codec import decode
from kfq_async.protocol.repetition import cut_repetition

__all__ = ["SUCCESS", "Envelope", "EnvelopeKind", "parse_envelope", "parse_timestamp"]

T = TypeVar("T")
SUCCESS = 10000
"""Code of a success."""
_MIN_MILLISECONDS = 100_000_000_000
"""Smallest timestamp read as milliseconds; smaller ones are seconds (until the year 5138)."""
_MAX_CODE_DIGITS = 18
"""Maximum number of digits of a code sent as text: they always fit into 64 bits, as a code sent as a number does."""


class EnvelopeKind(StrEnum):
    """Kind of envelope (protocol section 1.5).

    Attributes:
        API: Envelope A, of the open API: ``code``, ``message``, ``result``, ``timestamp``. Only this one can be a
            success.
        INTERNAL: Envelope B, internal to the platform, recognised by ``success``, whose value cannot be trusted.
        FRAMEWORK: Envelope C, the framework's error document: ``status``, ``error``, ``path``.
    """

    API = "A"
    """Envelope A, of the open API: ``code``, ``message``, ``result``, ``timestamp``. Only this one can be a success."""
    INTERNAL = "B"
    """Envelope B, internal to the platform, recognised by ``success``, whose value cannot be trusted."""
    FRAMEWORK = "C"
    """Envelope C, the framework's error document: ``status``, ``error``, ``path``."""


@frozen(kw_only=True)
class Envelope:
    """Parsed envelope of a response.

    Attributes:
        kind: Kind of the envelope.
        code: Code, 10000 for success; ``None`` if the platform sent none.
        message: Message of the platform; may hold personal data. That of an unhandled failure ends before it repeats
            the request (protocol section 2.5). ``None`` if it sent no text.
        raw_timestamp: Timestamp as received: seconds, milliseconds, or text.
        extra: Unknown keys, as received.
        result: JSON value of ``result``; ``None`` if there is none. Its texts are masked in ``repr``.
        ok: Whether it is a success: `EnvelopeKind.API` with code 10000, and nothing else.
        timestamp: Time of the response in UTC; ``None`` if the platform sent none, or a text without a zone.
    """

    kind: EnvelopeKind
    """Kind of the envelope."""
    code: int | None
    """Code, 10000 for success; ``None`` if the platform sent none."""
    message: str | None = field(default=None, repr=repr_masked)
    """Message of the platform; may hold personal data. That of an unhandled failure ends before it repeats the request
    (protocol section 2.5). ``None`` if it sent no text."""
    _result: object = field(default=None, repr=False)
    raw_timestamp: object = field(default=None, repr=False)
    """Timestamp as received: seconds, milliseconds, or text."""
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)
    """Unknown keys, as received."""

    @property
    def result(self) -> Any:
        """JSON value of ``result``; ``None`` if there is none. Its texts are masked in ``repr``."""
        return mask_texts(self._result)

    def decode_result(self, model: type[T]) -> T:
        """Return the result as a model; raise `DecodeError` if that is impossible."""
        return decode(model, self._result)

    @property
    def ok(self) -> bool:
        """Whether it is a success: `EnvelopeKind.API` with code 10000, and nothing else."""
        return self.code == SUCCESS and self.kind is EnvelopeKind.API

    @property
    def timestamp(self) -> datetime | None:
        """Time of the response in UTC; ``None`` if the platform sent none, or a text without a zone."""
        return parse_timestamp(self.raw_timestamp)


def parse_envelope(body: bytes, sent: Callable[[], Iterable[str]] = tuple) -> Envelope | None:
    """Return the envelope in ``body``, or ``None`` if the JSON is not an envelope.

    ``sent`` returns the texts of the request, which a message may repeat. Raises `orjson.JSONDecodeError` if ``body``
    is not JSON.
    """
    data = orjson.loads(body)
    if type(data) is not dict:
        return None
    if "success" in data:
        return _envelope(EnvelopeKind.INTERNAL, data, sent)
    if "code" in data:
        return _envelope(EnvelopeKind.API, data, sent)
    if "status" in data and "path" in data:
        data["code"] = None
        return _envelope(EnvelopeKind.FRAMEWORK, data, sent)
    return None


def _envelope(kind: EnvelopeKind, data: dict[str, object], sent: Callable[[], Iterable[str]]) -> Envelope | None:
    code = data.pop("code", None)
    if type(code) is str and code.isascii() and code.isdecimal() and len(code) <= _MAX_CODE_DIGITS:
        code = int(code)
    if code is not None and type(code) is not int:
        return None
    message = data.pop("message", None)
    return Envelope(
        kind=kind,
        code=code,
        message=_own_words(message, kind, code, sent) if type(message) is str else None,
        result=data.pop("result", None),
        raw_timestamp=data.pop("timestamp", None),
        extra=data,
    )


def _own_words(message: str, kind: EnvelopeKind, code: int | None, sent: Callable[[], Iterable[str]]) -> str:
    """Return a message without a request that it repeats, as those of the API's own envelope do not."""
    if kind is not EnvelopeKind.API:
        return cut_repetition(message, sent())
    return message if code == SUCCESS else MaskedStr(message)


def parse_timestamp(raw: object) -> datetime | None:
    """Parse seconds or milliseconds, as a number or as digits, or ISO 8601 with a zone; otherwise return ``None``."""
    if isinstance(raw, str):
        text = raw.strip()
        if not (text.isascii() and text.isdecimal()):
            return _parse_iso(text)
        raw = int(text[:20])
    if isinstance(raw, bool) or not isinstance(raw, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(raw if abs(raw) < _MIN_MILLISECONDS else raw / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _parse_iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
