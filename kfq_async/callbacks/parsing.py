"""Parsing of untrusted headers, paths and bodies. Pure; invalid input raises `CallbackRejected` with its reason."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from attrs import field, frozen

from kfq_async.errors import CallbackRejected, DecodeError, RejectionReason
from kfq_async.models.notifications import ContractEvent, IdentityNotification
from kfq_async.protocol.codec import decode
from kfq_async.protocol.signing import load_json, without_strings, write_canonical

__all__ = [
    "Headers",
    "JsonBody",
    "PublicPath",
    "normalize_headers",
    "parse_body",
    "parse_contract_event",
    "parse_identity_notification",
    "require_header",
    "to_public_path",
]

Headers = Mapping[str, str] | Mapping[bytes, bytes] | Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]
"""HTTP headers: a mapping or pairs, names in any case."""
PublicPath = str | Callable[[str], str]
"""Path rewriting by a proxy: the prefix that it removed, or a function from the path seen here to the public one."""

ModelT = TypeVar("ModelT")

_MAX_TOKENS = 1_024
"""Maximum number of values, names and containers in a body; the documented notifications have fewer than 50."""
_SURROGATES = re.compile("[\ud800-\udfff]")
_INTEGER = re.compile("-?[0-9]{1,4300}")
"""As many digits as Python converts by default."""

_INTEGER_FIELDS = ("orderStatus", "userType", "bizType", "idCardType", "companyType")
_FOREIGN_FIELDS = frozenset({"tenantType", "operatorUnionId", "finalSignType", "contractStatus", "callbackType"})
"""Fields that an identity notification does not have: the first three belong to a signing-intent order, whose
``orderStatus`` has other meanings (protocol section 5.6); the others belong to a contract event."""


def normalize_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Return headers as a tuple of text pairs, names in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((_decode_latin1(name).lower(), _decode_latin1(value)) for name, value in pairs)


def require_header(pairs: Iterable[tuple[str, str]], name: str) -> str:
    """Return the only value of a header; reject a header that is missing, blank, repeated or not text."""
    values = [value for key, value in pairs if key == name.lower()]
    if len(values) > 1:
        raise CallbackRejected(RejectionReason.HEADER_REPEATED, name)
    value = values[0] if values else ""
    if not value.strip():
        raise CallbackRejected(RejectionReason.HEADER_MISSING, name)
    if _has_surrogates(value):
        raise CallbackRejected(RejectionReason.HEADER_MALFORMED, name)
    return value


def _has_surrogates(value: str) -> bool:
    """Return whether a text holds lone surrogates, by which servers represent bytes that they cannot decode."""
    return _SURROGATES.search(value) is not None


def _decode_latin1(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def to_public_path(path: str | bytes, public_path: PublicPath = "") -> str:
    """Return the public path of a request; reject a path that is not text."""
    local_path = path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path
    if _has_surrogates(local_path):
        raise CallbackRejected(RejectionReason.UNKNOWN_PATH)
    return public_path + local_path if isinstance(public_path, str) else public_path(local_path)


@frozen
class JsonBody:
    """Parsed body of a request."""

    data: Mapping[str, object] = field(repr=False)
    """The JSON object; the last of duplicate keys wins, as in the signature."""
    digest: bytes = field(repr=False)
    """SHA-256 of its canonical form, which does not depend on whitespace and key order."""


def parse_body(body: bytes) -> JsonBody:
    """Parse a JSON object in UTF-8, at a cost that is bounded by `_MAX_TOKENS` and by the depth of `load_json`."""
    if not isinstance(body, bytes):
        raise TypeError(f"body must be the raw bytes of the request, not {type(body).__name__}")
    if _count_tokens(body) > _MAX_TOKENS and _count_tokens(without_strings(body)) > _MAX_TOKENS:
        raise CallbackRejected(RejectionReason.BODY_TOO_LARGE, f"more than {_MAX_TOKENS} values")
    try:
        data = load_json(body)
        canonical = write_canonical(data)
    except ValueError:  # its text quotes the body: the rejection is raised outside, where this is not its context
        data = None
    if not isinstance(data, dict):
        raise CallbackRejected(RejectionReason.BODY_MALFORMED)
    return JsonBody(data, hashlib.sha256(canonical.encode()).digest())


def _count_tokens(body: bytes) -> int:
    return sum(map(body.count, (b",", b":", b"[", b"{")))


def parse_identity_notification(data: Mapping[str, object]) -> IdentityNotification:
    """Return the identity notification in a JSON object; numbers may be strings of digits.

    Rejects notifications of signing-intent orders and contracts, which are recognised by their fields.
    """
    if foreign := sorted(data.keys() & _FOREIGN_FIELDS):
        raise CallbackRejected(RejectionReason.WRONG_KIND, f"it has {', '.join(foreign)}")
    numbers = {name: _parse_integer(data[name]) for name in _INTEGER_FIELDS if name in data}
    return _decode_model(IdentityNotification, {**data, **numbers})


def parse_contract_event(data: Mapping[str, object]) -> ContractEvent:
    """Return the contract event in a JSON object."""
    return _decode_model(ContractEvent, data)


def _parse_integer(value: object) -> object:
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else value


def _decode_model(model: type[ModelT], data: Mapping[str, object]) -> ModelT:
    try:
        return decode(model, data, path="$")
    except DecodeError as error:  # as above
        detail = "; ".join(error.problems)
    raise CallbackRejected(RejectionReason.FIELD_MALFORMED, detail)
