"""Reading what came in, without trust: headers, paths and bodies as raw values. Pure; every refusal has its reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from kfq_async.errors import CallbackRejected, DecodeError, RejectionReason
from kfq_async.models.notifications import ContractEvent, IdentityNotification
from kfq_async.protocol.codec import decode
from kfq_async.protocol.signing import canonical_json

__all__ = [
    "Headers",
    "PublicPath",
    "content_digest",
    "contract_event",
    "header",
    "identity_notification",
    "normalize_headers",
    "parse_object",
    "to_public_path",
]

Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""A mapping or pairs, in any case."""
PublicPath = str | Callable[[str], str]
"""What a proxy did to the path: the prefix that it took away, or a function from the path seen to the public one."""

ModelT = TypeVar("ModelT")

_INTEGERS = ("orderStatus", "userType", "bizType", "idCardType", "companyType")
_OTHER_KINDS = frozenset({"tenantType", "operatorUnionId", "finalSignType", "contractStatus", "callbackType"})
"""Keys that an identity notification does not have: the first three are those of a signing-intent order, whose
``orderStatus`` counts otherwise (protocol section 5.6); the others belong to a contract event."""


def normalize_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Return headers as pairs of text that can be read many times, names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((_latin(name).lower(), _latin(value)) for name, value in pairs)


def header(pairs: Iterable[tuple[str, str]], name: str) -> str:
    """Return the one value of a header; refuse it if it is missing, blank, repeated or no text."""
    values = [value for key, value in pairs if key == name.lower()]
    if len(values) > 1:
        raise CallbackRejected(RejectionReason.HEADER_REPEATED, name)
    value = values[0] if values else ""
    if not value.strip():
        raise CallbackRejected(RejectionReason.HEADER_MISSING, name)
    if _is_no_text(value):
        raise CallbackRejected(RejectionReason.HEADER_MALFORMED, name)
    return value


def _is_no_text(value: str) -> bool:
    """Tell whether there is a lone surrogate in it: what servers make of bytes that they cannot decode."""
    return any("\ud800" <= character <= "\udfff" for character in value)


def _latin(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def to_public_path(path: str | bytes, public_path: PublicPath = "") -> str:
    """Return the public path of a request, or refuse a path that is no text."""
    seen = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
    if _is_no_text(seen):
        raise CallbackRejected(RejectionReason.UNKNOWN_PATH)
    return public_path + seen if isinstance(public_path, str) else public_path(seen)


def parse_object(body: bytes) -> dict[str, object]:
    """Read a JSON object in UTF-8; the last of duplicate keys wins, as it does for the signature."""
    canonical = _canonical(body)
    try:
        data = json.loads(canonical)
    except ValueError:  # an integer of more digits than Python reads
        data = None
    if not isinstance(data, dict):
        raise CallbackRejected(RejectionReason.BODY_MALFORMED)
    return data


def identity_notification(data: Mapping[str, object]) -> IdentityNotification:
    """Read an identity notification; numbers may be digits in a string.

    Refuses the notifications of signing-intent orders and contracts, which can be told by their keys.
    """
    if other := sorted(data.keys() & _OTHER_KINDS):
        raise CallbackRejected(RejectionReason.WRONG_KIND, f"it has {', '.join(other)}")
    numbers = {name: _number(data[name]) for name in _INTEGERS if name in data}
    return _model(IdentityNotification, {**data, **numbers})


def contract_event(data: Mapping[str, object]) -> ContractEvent:
    """Read a contract event."""
    return _model(ContractEvent, data)


def content_digest(body: bytes) -> str:
    """Return the SHA-256 of a body's content, whatever its white space and the order of its keys."""
    return hashlib.sha256(_canonical(body).encode()).hexdigest()


def _canonical(body: bytes) -> str:
    if not isinstance(body, bytes):
        raise TypeError(f"body must be the raw bytes of the request, not {type(body).__name__}")
    try:
        return canonical_json(body)
    except ValueError:  # its text quotes the body, so it is not repeated
        pass
    raise CallbackRejected(RejectionReason.BODY_MALFORMED)


def _number(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        return int(value)
    return value


def _model(kind: type[ModelT], data: Mapping[str, object]) -> ModelT:
    try:
        return decode(kind, data, path="$")
    except DecodeError as problem:
        text = "; ".join(problem.problems)
    raise CallbackRejected(RejectionReason.FIELD_MALFORMED, text)
