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

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["PlatformResponse", "Refused", "check_fields", "check_token", "json_object", "success"]


@frozen
class PlatformResponse:
    """Code, message and result of a response."""

    code: int
    message: str
    result: object = field(default=None, repr=False)
    internal: bool = False
    """Whether to use the platform's internal envelope (protocol section 1.5, form B)."""


class Refused(Exception):
    """Raised by a check; ``response`` is the platform's response."""

    def __init__(self, code: int, message: str, *, internal: bool = False) -> None:
        super().__init__(message)
        self.response = PlatformResponse(code, f"沙箱：{message}", internal=internal)


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
