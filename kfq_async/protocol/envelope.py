"""The platform's three JSON envelopes, read without trust in their types (protocol section 1.5)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

import orjson
from attrs import field, frozen

from kfq_async.models.fields import mask, mask_extra

__all__ = ["SUCCESS", "Envelope", "EnvelopeKind", "parse_envelope", "parse_timestamp"]

SUCCESS = 10000
_SECONDS_END = 100_000_000_000
"""Below it a timestamp counts seconds (until the year 5138), from it on milliseconds."""

_LONGEST_CODE = 18
"""Digits of a code in a string that still fit the 64 bits of one that is a number."""


class EnvelopeKind(StrEnum):
    """Which envelope it is."""

    API = "A"
    """The open API's own: ``code``, ``message``, ``result``, ``timestamp``."""
    INTERNAL = "B"
    """The platform's internal one, with a ``success`` that cannot be trusted."""
    FRAMEWORK = "C"
    """The framework's error document: ``status``, ``error``, ``path``."""


@frozen(kw_only=True)
class Envelope:
    """What an answer says around its result."""

    kind: EnvelopeKind
    code: int | None
    """Number of the outcome, 10000 for success; ``None`` where the platform sent none."""
    message: str | None = field(default=None, repr=mask)
    result: object = field(default=None, repr=mask)
    raw_timestamp: object = field(default=None, repr=False)
    """The timestamp as it came: seconds, milliseconds, or text."""
    extra: Mapping[str, object] = field(factory=dict, repr=mask_extra, hash=False)
    """Keys that this version does not know."""

    @property
    def ok(self) -> bool:
        """Whether this is success: the API's own envelope with code 10000, and nothing else."""
        return self.code == SUCCESS and self.kind is EnvelopeKind.API

    @property
    def timestamp(self) -> datetime | None:
        """The platform's clock in UTC, or ``None`` where it sent none or a text without zone."""
        return parse_timestamp(self.raw_timestamp)


def parse_envelope(body: bytes) -> Envelope | None:
    """Return the envelope that ``body`` holds, or ``None`` if it holds none.

    Raises `orjson.JSONDecodeError` if it is not JSON at all.
    """
    data = orjson.loads(body)
    if type(data) is not dict:
        return None
    if "success" in data:
        return _envelope(EnvelopeKind.INTERNAL, data)
    if "code" in data:
        return _envelope(EnvelopeKind.API, data)
    if "status" in data and "path" in data:
        data["code"] = None
        return _envelope(EnvelopeKind.FRAMEWORK, data)
    return None


def _envelope(kind: EnvelopeKind, data: dict[str, object]) -> Envelope | None:
    code = data.pop("code", None)
    if type(code) is str and code.isascii() and code.isdecimal() and len(code) <= _LONGEST_CODE:
        code = int(code)
    if code is not None and type(code) is not int:
        return None
    message = data.pop("message", None)
    return Envelope(
        kind=kind,
        code=code,
        message=message if type(message) is str else None,
        result=data.pop("result", None),
        raw_timestamp=data.pop("timestamp", None),
        extra=data,
    )


def parse_timestamp(raw: object) -> datetime | None:
    """Read seconds, milliseconds, either as digits in a string, or ISO 8601 with a zone; else ``None``."""
    if isinstance(raw, str):
        text = raw.strip()
        if not (text.isascii() and text.isdecimal()):
            return _with_zone(text)
        raw = int(text[:20])
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        return datetime.fromtimestamp(raw if abs(raw) < _SECONDS_END else raw / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _with_zone(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
