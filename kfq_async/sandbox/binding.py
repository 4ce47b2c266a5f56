"""Binding of a request's JSON to the fields of an operation, as the platform's binder does it. Pure.

A shape says what an operation reads: ``str``, ``int``, ``bool``, a mapping of field names to shapes, or a list with the
shape of its items.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias, get_type_hints

import attrs

from kfq_async.models.shapes import camel, item_type, plain_type

if TYPE_CHECKING:
    from attrs import AttrsInstance

__all__ = ["COMMON", "PERSON", "BindingError", "Shape", "bind", "shape_of"]

Shape: TypeAlias = "type[str | int | bool] | Mapping[str, Shape] | list[Shape]"

COMMON: Mapping[str, Shape] = {"appAuthToken": str, "uniqueCode": str, "operatorAccount": str}
"""Fields of every operation (protocol section 1.2)."""
PERSON: Mapping[str, Shape] = {"name": str, "contactType": str, "contact": str}
"""A ContractUser (protocol section 4.0)."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")
_MAX_INTEGER = 2**31 - 1
_BOOLEANS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
_NAMES = {NoneType: "null", bool: "a boolean", dict: "an object", list: "a list", str: "a string"}


class BindingError(ValueError):
    """A value that does not fit the shape; the text ends in its JSON path."""


def bind(
    fields: Mapping[str, Any], shape: Mapping[str, Shape], *, strict: bool, query: bool = False, path: str = "$"
) -> dict[str, Any]:
    """Return the fields that the shape has, without nulls, which equal absent fields.

    Converts as the platform does (protocol section 1.4): numbers to text, numeric text to integers, and one object to
    a list of one; unknown fields are dropped. If ``strict``, refuses unknown fields, and converts nothing but the text
    of a ``query``.

    Raises `BindingError`.
    """
    if strict and (unknown := sorted(fields.keys() - shape.keys())):
        raise BindingError(f"unknown key {', '.join(unknown)} @ {path}")
    return {
        name: _bound(fields[name], inner, strict=strict, convert=query or not strict, path=f"{path}.{name}")
        for name, inner in shape.items()
        if fields.get(name) is not None
    }


def shape_of(model: type[AttrsInstance]) -> dict[str, Shape]:
    """Return the shape of a request model, without the fields that every operation has."""
    hints = get_type_hints(model)
    shapes = {camel(attribute.name): _shape_of_type(hints[attribute.name]) for attribute in attrs.fields(model)}
    return {name: shape for name, shape in shapes.items() if name not in COMMON}


def _shape_of_type(kind: Any) -> Shape:
    item = item_type(plain_type(kind))
    return _shape_of_model(plain_type(kind)) if item is None else [_shape_of_model(item)]


def _shape_of_model(kind: Any) -> Shape:
    shape: Shape = shape_of(kind) if attrs.has(kind) else kind
    return shape


def _bound(value: Any, shape: Shape, *, strict: bool, convert: bool, path: str) -> Any:
    if isinstance(shape, list):
        if isinstance(value, dict) and convert:
            value = [value]
        if not isinstance(value, list):
            raise _mismatch("a list", value, path)
        (inner,) = shape
        return [
            _bound(item, inner, strict=strict, convert=convert, path=f"{path}[{index}]")
            for index, item in enumerate(value)
        ]
    if isinstance(shape, Mapping):
        if not isinstance(value, dict):
            raise _mismatch("an object", value, path)
        return bind(value, shape, strict=strict, path=path)
    converted = _CONVERSIONS[shape](value) if convert or type(value) is shape else None
    if converted is None:
        raise _mismatch(_NAMES.get(shape, "an integer"), value, path)
    return converted


def _to_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _to_integer(value: Any) -> int | None:
    if isinstance(value, float):
        return int(value) if abs(value) <= _MAX_INTEGER else None
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        value = int(value)
    return value if type(value) is int and abs(value) <= _MAX_INTEGER else None


def _to_boolean(value: Any) -> bool | None:
    if isinstance(value, str):
        return _BOOLEANS.get(value.lower())
    return value if isinstance(value, bool) else None


_CONVERSIONS = {str: _to_text, int: _to_integer, bool: _to_boolean}


def _mismatch(expected: str, value: object, path: str) -> BindingError:
    return BindingError(f"expected {expected}, not {_NAMES.get(type(value), 'a number')} @ {path}")
