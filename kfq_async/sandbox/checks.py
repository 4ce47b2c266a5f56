"""What the sandbox checks whatever is asked: the token, the body, its fields. Pure.

The sentences of its messages are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from attrs import fields_dict, frozen

from kfq_async.errors import DecodeError
from kfq_async.models.fields import MODEL
from kfq_async.protocol.codec import camel, decode
from kfq_async.protocol.envelope import SUCCESS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["PlatformResponse", "Refused", "check_fields", "check_token", "json_object", "success"]


@frozen
class PlatformResponse:
    """Code, message and result of an answer."""

    code: int
    message: str
    result: object = None
    internal: bool = False
    """Whether it comes in the platform's internal envelope (protocol section 1.5, form B)."""


class Refused(Exception):
    """Carries a refusal from a check to where it is answered."""

    def __init__(self, code: int, message: str, *, internal: bool = False) -> None:
        super().__init__(message)
        self.reply = PlatformResponse(code, f"沙箱：{message}", internal=internal)


def success(result: object) -> PlatformResponse:
    """Return the reply of a success."""
    return PlatformResponse(SUCCESS, "成功", result)


def check_token(token: object, tokens: Collection[str]) -> str:
    """Return the token, or refuse a missing or unknown one."""
    if not token:
        raise Refused(40000, "缺少 appAuthToken")
    if not isinstance(token, str) or token not in tokens:
        raise Refused(41000, "appAuthToken 无效")
    return token


def json_object(body: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object without those that are null, which equals absent (protocol section 1.4)."""
    try:
        fields = orjson.loads(body)
        orjson.dumps(fields)  # what is nested too deeply for this could not be kept
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        fields = None
    if not isinstance(fields, dict):
        raise Refused(25000, "请求体不是 JSON 对象")
    return {name: _present(value) if isinstance(value, dict) else value for name, value in _present(fields).items()}


def check_fields(fields: dict[str, Any], model: type, *, strict: bool) -> None:
    """Refuse mistyped values and, if ``strict``, keys that the model does not have."""
    try:
        decode(model, fields if strict else _known(fields, model), path="$")
    except DecodeError as problem:
        raise Refused(23000, f"请求字段不符：{'；'.join(problem.problems)}") from None


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _known(fields: dict[str, Any], model: type) -> dict[str, Any]:
    """Drop the keys that the model does not have, at every level."""
    names = {camel(name): attribute for name, attribute in fields_dict(model).items()}
    known = {}
    for name in fields.keys() & names.keys():
        value, inner = fields[name], names[name].metadata.get(MODEL)
        if inner and isinstance(value, dict):
            value = _known(value, inner)
        elif inner and isinstance(value, list):
            value = [_known(item, inner) if isinstance(item, dict) else item for item in value]
        known[name] = value
    return known
