"""Models to and from JSON: snake_case here, camelCase there. cattrs is imported here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
import orjson
from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override
from cattrs.v import format_exception

from kfq_async.errors import DecodeError, EncodeError

__all__ = ["camel", "decode", "encode", "to_wire"]

T = TypeVar("T")
EXTRA = "extra"
"""The field of a result that keeps what the model does not know; requests have none and refuse such keys."""

_DEEPEST = 255
"""Levels that orjson writes, and one."""


def camel(name: str) -> str:
    """Return the wire's name of a field: ``opr_ident_info`` is ``oprIdentInfo``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def to_wire(request: object) -> dict[str, object]:
    """Return a request's fields by their wire names, without those that are ``None``.

    A plain mapping is taken as it is, by a copy of its first level.
    """
    if type(request) is dict or (not attrs.has(type(request)) and isinstance(request, Mapping)):
        return dict(request)
    fields: dict[str, object] = _converter.unstructure(request)
    return fields


def encode(fields: Mapping[str, object]) -> bytes:
    """Write fields as a compact JSON object in UTF-8, or raise `EncodeError` with the path of what cannot be."""
    try:
        return memoryview(orjson.dumps(fields)).tobytes()  # orjson's own keeps its buffer, several times as large
    except TypeError as problem:
        text = f"{_unserializable_path(fields)}: {problem}"
    raise EncodeError(f"the request cannot be written as JSON: {text}")


def _unserializable_path(value: object) -> str:
    """Return the path of the innermost value that JSON cannot carry, or of the 255th level of what has no end."""
    path = "$"
    for _ in range(_DEEPEST):
        for step, item in _inside(value):
            try:
                orjson.dumps(item)
            except TypeError:
                path, value = path + step, item
                break
        else:
            break
    return path


def _inside(value: object) -> list[tuple[str, object]]:
    """Return what a value holds, each with its step in the path."""
    if isinstance(value, Mapping):
        return [(f".{key}", item) for key, item in value.items() if isinstance(key, str)]
    if isinstance(value, list | tuple):
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    return []


def decode(kind: type[T], raw: object, *, path: str = "$.result") -> T:
    """Build a model from plain JSON data, or raise `DecodeError` with what is wrong at which path."""
    try:
        return _converter.structure(raw, kind)
    except (BaseValidationError, _WrongType) as problem:
        problems = transform_error(problem, path=path, format_exception=_words)
    raise DecodeError(tuple(_as_sent(problem) for problem in problems))


def _words(problem: BaseException, kind: type | None) -> str:
    if isinstance(problem, KeyError):
        return "required key missing"
    if isinstance(problem, ForbiddenExtraKeysError):
        return f"unknown key {', '.join(sorted(problem.extra_fields))}"
    if isinstance(problem, _WrongType):
        return str(problem)
    return format_exception(problem, kind)


def _as_sent(problem: str) -> str:
    """Turn the attribute names in a path into the wire's."""
    what, at, path = problem.rpartition(" @ ")
    return f"{what}{at}{camel(path)}"


class _WrongType(TypeError):
    pass


def _json_name(value: object) -> str:
    names = {NoneType: "null", bool: "a boolean", dict: "an object", list: "a list", str: "a string"}
    return names.get(type(value), "a number")


def _exactly(kind: type, wanted: str) -> Callable[[object, object], object]:
    def check(value: object, _: object) -> object:
        if type(value) is kind:
            return value
        raise _WrongType(f"expected {wanted}, not {_json_name(value)}")

    return check


def _tuple_hook(kind: Any, converter: Converter) -> Callable[[object, object], object]:
    (item, _) = get_args(kind)
    hook = converter.get_structure_hook(item)

    def structure(value: object, _: object) -> tuple[object, ...]:
        if type(value) is not list:
            raise _WrongType(f"expected a list, not {_json_name(value)}")
        return tuple(one(index, part) for index, part in enumerate(value))

    def one(index: int, part: object) -> object:
        try:
            return hook(part, item)
        except _WrongType as problem:
            raise _WrongType(f"item {index}: {problem}") from None

    return structure


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _required(kind: Any) -> Any:
    """Return ``X`` for ``X | None``, else the type itself."""
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return kind


def _unstructure_hook(cls: type, converter: Converter) -> Callable[[Any], dict[str, object]]:
    """Write what is set, in the order of the fields; cattrs' own function writes the nulls too."""
    attrs.resolve_types(cls)
    steps = [
        (name, camel(name), _item_hook(_required(attribute.type), converter))
        for name, attribute in attrs.fields_dict(cls).items()
    ]

    def unstructure(model: Any) -> dict[str, object]:
        fields = {}
        for name, wire, hook in steps:
            value = getattr(model, name)
            if value is not None:
                fields[wire] = value if hook is None else hook(value)
        return fields

    return unstructure


def _item_hook(kind: Any, converter: Converter) -> Callable[[Any], Any] | None:
    """Return what turns a field's value into plain data, or ``None`` where it is plain already."""
    inner = get_args(kind)[0] if _is_tuple(kind) else kind
    if not attrs.has(inner):
        return None
    hook = converter.get_unstructure_hook(inner)
    return (lambda items: [hook(item) for item in items]) if _is_tuple(kind) else hook


def _structure_hook(cls: type, converter: Converter) -> Callable[[Any, Any], Any]:
    known = {camel(name) for name in attrs.fields_dict(cls)}
    tolerant = EXTRA in known
    known.discard(EXTRA)
    attrs.resolve_types(cls)
    renamed: dict[str, Any] = {name: override(rename=camel(name)) for name in attrs.fields_dict(cls)}
    if tolerant:
        renamed[EXTRA] = override(omit=True)
    whole: Callable[[Any, Any], Any] = make_dict_structure_fn(
        cls, converter, _cattrs_forbid_extra_keys=not tolerant, **renamed
    )

    def structure(data: Any, kind: Any) -> Any:
        if type(data) is not dict and not isinstance(data, Mapping):
            raise _WrongType(f"expected an object, not {_json_name(data)}")
        result = whole(data, kind)
        if known.issuperset(data):
            return result
        return attrs.evolve(result, extra={key: item for key, item in data.items() if key not in known})

    return structure


_converter = Converter(detailed_validation=True)
_converter.register_structure_hook(str, _exactly(str, "a string"))
_converter.register_structure_hook(int, _exactly(int, "an integer"))
_converter.register_structure_hook_factory(_is_tuple)(_tuple_hook)
_converter.register_structure_hook_factory(attrs.has)(_structure_hook)
_converter.register_unstructure_hook_factory(attrs.has)(_unstructure_hook)
