"""Conversion of models to and from JSON: snake_case here, camelCase on the wire. The only module to import cattrs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin

import attrs
import orjson
from cattrs import Converter, transform_error
from cattrs.errors import (
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
    StructureHandlerNotFoundError,
)
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn_from_attrs, override
from cattrs.v import format_exception

from kfq_async.errors import DecodeError, EncodeError
from kfq_async.models.fields import ADDED, MAX_KEY
from kfq_async.models.masking import MaskedStr
from kfq_async.models.shapes import EXTRA, camel, json_fields, lists_values, plain_type
from kfq_async.redaction import printable

__all__ = ["camel", "decode", "encode", "find_invalid_key", "structure", "to_wire"]

T = TypeVar("T")
_MAX_DEPTH = 255
"""One more level than orjson writes."""


def to_wire(request: object) -> dict[str, object]:
    """Return a request's fields by wire name, without those that are ``None``.

    A plain mapping is returned as a shallow copy, its ``None`` values included.
    """
    return _wire_hook(type(request))(request)


def encode(fields: Mapping[str, object]) -> bytes:
    """Return fields as compact JSON in UTF-8; raise `EncodeError` with the path of what JSON cannot hold.

    Keep a copy, as `MaskedBytes` is: orjson's bytes keep a buffer several times as large.
    """
    try:
        return orjson.dumps(fields)
    except TypeError as error:
        path, value = _find_unserializable(fields)
        problem = (find_invalid_key(value) if isinstance(value, dict) else None) or str(error)
    raise EncodeError(f"the request cannot be written as JSON: {path}: {problem}")


def find_invalid_key(fields: Mapping[Any, object]) -> str | None:
    """Return what is wrong with the first key that cannot be sent, or ``None``.

    The key is named by its position: a text that is no valid key may be personal data in the wrong place.
    """
    for number, key in enumerate(fields, 1):
        if type(key) is not str:
            return f"key {number} must be a plain str, not a {type(key).__name__}"
        if not key.isascii():
            try:
                key.encode()
            except UnicodeEncodeError as error:
                surrogate = f"\\u{ord(key[error.start]):04x}"
                return f"key {number} holds a lone surrogate ({surrogate}), which cannot be encoded in UTF-8"
    return None


def _find_unserializable(value: object) -> tuple[str, object]:
    """Return path and value of the innermost value that JSON cannot hold, or of level 255 of a circular one."""
    path = "$"
    for _ in range(_MAX_DEPTH):
        for step, item in _children(value):
            try:
                orjson.dumps(item)
            except TypeError:
                path, value = path + step, item
                break
        else:
            break
    return path, value


def _children(value: object) -> list[tuple[str, object]]:
    """Return the items of a container as JSON sees them, each with its step in the path.

    The methods of a subclass are not called: they may return other items, or raise.
    """
    if isinstance(value, dict):
        return [(f".{printable(key, MAX_KEY)}", item) for key, item in dict.items(value) if type(key) is str]
    if isinstance(value, list | tuple):
        items = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
        return [(f"[{index}]", item) for index, item in enumerate(items)]
    return []


def decode(kind: type[T], data: object, *, path: str = "$.result") -> T:
    """Build a model from JSON data; raise `DecodeError` with every problem and its path, which begins with ``path``."""
    try:
        model: T = _model_hook(kind)(data, kind)
    except _FAILURES as error:
        problems = _problems_of(error, path)
    else:
        return model
    del data  # error trackers record the variables of each frame
    raise DecodeError(problems)


def structure(kind: type[T], data: object) -> T:
    """Build a model from data that a caller has stored, by wire name, with the fields that the package fills in.

    Raises `ValueError` with every problem and its path.
    """
    try:
        model: T = _stored_model_hook(kind)(data, kind)
    except _FAILURES as error:
        problems = _problems_of(error, "$")
    else:
        return model
    del data  # as in `decode`
    raise ValueError(f"no {kind.__name__} can be built: {'; '.join(problems)}")


def _problems_of(error: Exception, path: str) -> tuple[str, ...]:
    if isinstance(error, StructureHandlerNotFoundError):
        return (f"no model can be built of {error.type_!r}: it is no attrs class @ {path}",)
    problems = transform_error(error, path=path, format_exception=_describe)
    _drop_tracebacks(error)
    return tuple(_with_wire_path(problem) for problem in problems)


def _drop_tracebacks(error: BaseException) -> None:
    """Drop the tracebacks of an exception and those in it: cattrs' frames keep them, in cycles that hold the data."""
    error.__traceback__ = None
    for part in getattr(error, "exceptions", ()):
        _drop_tracebacks(part)


def _describe(error: BaseException, kind: type | None) -> str:
    if isinstance(error, KeyError):
        return "required key missing"
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown key {', '.join(sorted(error.extra_fields))}"
    if isinstance(error, _WrongType):
        return str(error)
    return format_exception(error, kind)


def _with_wire_path(problem: str) -> str:
    """Replace the attribute names in the path of a problem by wire names."""
    text, at, path = problem.rpartition(" @ ")
    return f"{text}{at}{camel(path)}"


class _WrongType(TypeError):
    pass


_FAILURES = (BaseValidationError, StructureHandlerNotFoundError, _WrongType)


def _json_type(value: object) -> str:
    names = {
        NoneType: "null",
        bool: "a boolean",
        dict: "an object",
        list: "a list",
        str: "a string",
        MaskedStr: "a string",
    }
    return names.get(type(value), "a number")


def _text(value: object, _: object) -> str:
    if isinstance(value, str):  # also `MaskedStr`, in a result that was taken out of its envelope
        return value
    raise _WrongType(f"expected a string, not {_json_type(value)}")


def _integer(value: object, _: object) -> int:
    if type(value) is int:
        return value
    raise _WrongType(f"expected an integer, not {_json_type(value)}")


def _boolean(value: object, _: object) -> bool:
    if type(value) is bool:
        return value
    raise _WrongType(f"expected a boolean, not {_json_type(value)}")


def _tuple_hook(kind: Any, converter: Converter) -> Callable[[object, object], object]:
    (item, _) = get_args(kind)
    hook = converter.get_structure_hook(item)

    def structure(value: object, _: object) -> tuple[object, ...]:
        if type(value) is not list:
            raise _WrongType(f"expected a list, not {_json_type(value)}")
        return tuple(structure_item(index, part) for index, part in enumerate(value))

    def structure_item(index: int, part: object) -> object:
        try:
            return hook(part, item)
        except _WrongType as error:
            raise _WrongType(f"item {index}: {error}") from None
        except BaseValidationError as error:
            error.add_note(IterableValidationNote("", index, item))
            raise IterableValidationError("", [error], kind) from None

    return structure


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _open_hook(kind: Any, converter: Converter) -> Callable[[object, object], object]:
    hook = converter.get_structure_hook(plain_type(kind))
    if NoneType not in get_args(kind):
        return hook
    return lambda value, _: None if value is None else hook(value, None)


def _unstructure_hook(cls: type, converter: Converter) -> Callable[[Any], dict[str, object]]:
    """Return a hook that writes the fields that are not ``None``, in order."""
    attrs.resolve_types(cls)
    fields = attrs.fields(cls)
    renamed: dict[str, Any] = {
        field.name: override(rename=camel(field.name), unstruct_hook=_item_hook(plain_type(field.type), converter))
        for field in fields
    }
    omitted_if_none = [field.evolve(default=None, converter=None) for field in fields]
    return make_dict_unstructure_fn_from_attrs(omitted_if_none, cls, converter, _cattrs_omit_if_default=True, **renamed)


def _item_hook(kind: Any, converter: Converter) -> Callable[[Any], Any]:
    """Return the conversion of a field's value to JSON data."""
    inner = get_args(kind)[0] if _is_tuple(kind) else kind
    if not attrs.has(inner):
        return converter.get_unstructure_hook(str)  # the value as it is
    hook = converter.get_unstructure_hook(inner)
    return (lambda items: [hook(item) for item in items]) if _is_tuple(kind) else hook


def _structure_hook(cls: type, converter: Converter) -> Callable[[Any, Any], Any]:
    attrs.resolve_types(cls)
    on_wire = [field.name for field in attrs.fields(cls) if field.name != EXTRA and not field.metadata.get(ADDED)]
    return _build_hook(cls, converter, on_wire)


def _stored_structure_hook(cls: type, converter: Converter) -> Callable[[Any, Any], Any]:
    return _build_hook(cls, converter, [field.name for field, _ in json_fields(cls)])


def _build_hook(cls: type, converter: Converter, on_wire: list[str]) -> Callable[[Any, Any], Any]:
    """Return a hook that builds a model of the named fields, and keeps the unknown keys of a result."""
    fields = attrs.fields_dict(cls)
    tolerant = EXTRA in fields
    known = {camel(name) for name in on_wire}
    renamed: dict[str, Any] = {name: override(omit=True) for name in fields}
    renamed |= {name: override(rename=camel(name)) for name in on_wire}
    build: Callable[[Any, Any], Any] = make_dict_structure_fn(
        cls, converter, _cattrs_forbid_extra_keys=not tolerant, **renamed
    )

    def build_model(data: Any, kind: Any) -> Any:
        if type(data) is not dict and not isinstance(data, Mapping):
            raise _WrongType(f"expected an object, not {_json_type(data)}")
        result = build(data, kind)
        if known.issuperset(data):
            return result
        return attrs.evolve(result, extra={key: item for key, item in data.items() if key not in known})

    return build_model


def _create_converter(*, stored: bool) -> Converter:
    converter = Converter(detailed_validation=True)
    converter.register_structure_hook(str, _text)
    converter.register_structure_hook(int, _integer)
    converter.register_structure_hook(bool, _boolean)
    converter.register_structure_hook_factory(_is_tuple)(_tuple_hook)
    converter.register_structure_hook_factory(lists_values)(_open_hook)
    converter.register_structure_hook_factory(attrs.has)(_stored_structure_hook if stored else _structure_hook)
    return converter


_converter = _create_converter(stored=False)
_converter.register_unstructure_hook_factory(attrs.has)(_unstructure_hook)
_stored_converter = _create_converter(stored=True)


def _find_wire_hook(kind: type) -> Callable[[Any], dict[str, object]]:
    if issubclass(kind, Mapping) and not attrs.has(kind):
        return dict
    return _converter.get_unstructure_hook(kind)


_wire_hook: Callable[[Any], Callable[[Any], dict[str, object]]] = cache(_find_wire_hook)
"""Conversion of requests of a class; cached, since cattrs takes as long to find it as to convert a small model."""
_model_hook: Callable[[Any], Callable[[Any, Any], Any]] = cache(_converter.get_structure_hook)
"""Conversion of JSON data to a class; cached likewise."""
_stored_model_hook: Callable[[Any], Callable[[Any, Any], Any]] = cache(_stored_converter.get_structure_hook)
"""Conversion of stored data to a class; cached likewise."""
