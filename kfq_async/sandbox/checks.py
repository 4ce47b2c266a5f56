"""Checks that all operations share: token, JSON body, fields. Pure.

The wording of the messages is the sandbox's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from attrs import field, fields_dict, frozen

from kfq_async.errors import DecodeError
from kfq_async.models.fields import MODEL
from kfq_async.protocol.codec import camel, decode
from kfq_async.protocol.envelope import SUCCESS
from kfq_async.sandbox.quirks import GENERIC_FAILURES, OVERFLOWING_FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "HIDDEN_ERROR_PAGE",
    "AuditedRefusal",
    "Download",
    "GenericFailure",
    "OperationFailed",
    "PlatformResponse",
    "Refused",
    "check_column",
    "check_fields",
    "check_token",
    "json_object",
    "parse_object",
    "success",
]


@frozen
class PlatformResponse:
    """Code, message and result of a response."""

    code: int | None
    message: str
    result: object = field(default=None, repr=False)
    internal: bool = False
    """Whether to use the platform's internal envelope (protocol section 1.5, form B)."""


HIDDEN_ERROR_PAGE = PlatformResponse(401, "应用Token失效，请重新授权!", internal=True)
"""Answer of the platform's login filter in place of its error page, with HTTP 401 (protocol section 1.5)."""


@frozen
class Download:
    """Response with the bytes of a file (protocol section 4.15)."""

    file_name: str
    content: bytes = field(repr=False)


class Refused(Exception):
    """Raised by a check; ``response`` is the platform's response."""

    def __init__(self, code: int, message: str, *, internal: bool = False) -> None:
        super().__init__(message)
        self.response: PlatformResponse = PlatformResponse(code, f"沙箱：{message}", internal=internal)

    def answer(self, quirks: frozenset[str]) -> PlatformResponse:  # noqa: ARG002  # for classes below
        """Return the response of a sandbox that imitates these quirks."""
        return self.response


class GenericFailure(Refused):
    """Raised for a value that the platform fails to handle: envelope B, 500 in place of a code that tells the fault.

    Attributes:
        documented: Response without the quirk ``generic-failures``.
    """

    def __init__(self, message: str, documented: int = 23000) -> None:
        super().__init__(500, f"操作失败，{message}", internal=True)
        self.documented: PlatformResponse = PlatformResponse(documented, f"沙箱：{message}")

    def answer(self, quirks: frozenset[str]) -> PlatformResponse:
        """Return the response of a sandbox that imitates these quirks."""
        return self.response if GENERIC_FAILURES in quirks else self.documented


class OperationFailed(Refused):
    """Raised for a fault inside an operation, which is answered with the hidden error page (protocol section 1.5)."""

    def __init__(self, message: str) -> None:
        super().__init__(31000, message)


class AuditedRefusal(Exception):
    """Raised by a check whose refusal the platform writes into its audit records first (protocol section 2.3).

    ``response`` is sent if the request has ``uniqueCode`` and ``operatorAccount``; otherwise the record cannot be
    written, and the hidden error page is sent.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.response: PlatformResponse = PlatformResponse(code, f"沙箱：{message}")


MAX_BMP = 0xFFFF
"""Last code point of the basic multilingual plane."""


def success(result: object) -> PlatformResponse:
    """Return the response of a successful call."""
    return PlatformResponse(SUCCESS, "成功", result)


def check_token(token: object, tokens: Collection[str]) -> str:
    """Return the token. Raises `Refused` if it is missing or unknown."""
    if not token:
        raise Refused(40000, "缺少 appAuthToken")
    if not isinstance(token, str) or token not in tokens:
        raise Refused(41000, "appAuthToken 无效")
    return token


def check_column(quirks: frozenset[str], name: str, value: str | None, length: int | None = None) -> None:
    """Refuse a text that does not fit its column: too long, or with characters beyond the BMP (protocol 1.4).

    Without the quirk ``overflowing-fields``, only too long a text is refused, with a code that tells the fault.
    """
    if value is None:
        return
    too_long = length is not None and len(value) > length
    if OVERFLOWING_FIELDS not in quirks:
        if too_long:
            raise Refused(23000, f"{name} 超过 {length} 个字符")
    elif too_long or any(ord(character) > MAX_BMP for character in value):
        raise Refused(500, f"操作失败，{name} 写入的值过长", internal=True)


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a request body as it is; bytes that are not UTF-8 are replaced.

    Raises `Refused` for anything else.
    """
    try:
        fields = orjson.loads(body if body.isascii() else body.decode(errors="replace"))
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        raise Refused(25000, "请求体不是 JSON 对象")
    return fields


def json_object(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object without nulls, which equal absent fields (protocol section 1.4).

    Raises `Refused` for anything else.
    """
    try:
        fields = orjson.loads(body)
        orjson.dumps(fields)  # the store could not write a body that is nested too deeply for this
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        fields = None
    if not isinstance(fields, dict):
        raise Refused(25000, "请求体不是 JSON 对象")
    return {
        name: _without_nulls(value) if isinstance(value, dict) else value
        for name, value in _without_nulls(fields).items()
    }


def check_fields(fields: dict[str, Any], model: type, *, strict: bool) -> None:
    """Raise `Refused` for mistyped values and, if ``strict``, for keys that the model does not have."""
    try:
        decode(model, fields if strict else _known_fields(fields, model), path="$")
    except DecodeError as problem:
        raise Refused(23000, f"请求字段校验失败：{'；'.join(problem.problems)}") from None


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _known_fields(fields: dict[str, Any], model: type) -> dict[str, Any]:
    """Drop the keys that the model does not have, at every level."""
    names = {camel(name): attribute for name, attribute in fields_dict(model).items()}
    known = {}
    for name in fields.keys() & names.keys():
        value, inner = fields[name], names[name].metadata.get(MODEL)
        if inner and isinstance(value, dict):
            value = _known_fields(value, inner)
        elif inner and isinstance(value, list):
            value = [_known_fields(item, inner) if isinstance(item, dict) else item for item in value]
        known[name] = value
    return known
