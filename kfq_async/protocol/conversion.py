"""Conversion of models to and from plain dictionaries, for callers that store or send them in a form of their own."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import attrs

from kfq_async.models.base import Model
from kfq_async.models.masking import type_name
from kfq_async.models.shapes import camel, item_type, json_fields, plain_fields
from kfq_async.protocol.codec import structure

__all__ = ["from_dict", "to_dict"]

ModelT = TypeVar("ModelT", bound=Model)


def to_dict(model: Model, *, by_alias: bool = False) -> dict[str, Any]:
    """Return a model as a dictionary that JSON can hold.

    Models inside it become dictionaries, and sequences lists. Fields that are ``None`` are left out, and the unknown
    keys of ``extra`` stand beside the others. Secret texts stay masked in the ``repr`` of the dictionary, and are
    written to JSON as they are.

    Args:
        model: A request, a result or a notification of this package.
        by_alias: Whether the keys are the names on the wire (``orderNo``); by default those of the fields
            (``order_no``).

    Raises:
        TypeError: ``model`` is no model.
    """
    if not isinstance(model, Model):
        raise TypeError(f"to_dict takes a model of kfq_async, such as a CorpIdentLink, not {type_name(model)}")
    names = {field.name for field, _ in json_fields(type(model))}
    return {
        camel(name) if by_alias and name in names else name: _to_plain(value, by_alias=by_alias)
        for name, value in plain_fields(model).items()
    }


def _to_plain(value: object, *, by_alias: bool) -> object:
    if isinstance(value, Model):
        return to_dict(value, by_alias=by_alias)
    if isinstance(value, tuple):
        return [_to_plain(item, by_alias=by_alias) for item in value]
    return value.value if isinstance(value, Enum) else value


def from_dict(cls: type[ModelT], data: Mapping[str, object]) -> ModelT:
    """Return the model of a dictionary, such as one of `to_dict`.

    Args:
        cls: Class of the model.
        data: Mapping whose keys, at each level, are the names of the fields (``order_no``) or those on the wire
            (``orderNo``). A result keeps unknown keys in ``extra``.

    Raises:
        TypeError: ``cls`` is no class of a model.
        ValueError: A key is missing, given in both spellings, or unknown in a request, or a value has the wrong type;
            the message names each with its path.
    """
    if not (isinstance(cls, type) and issubclass(cls, Model)):  # type: ignore[redundant-expr]  # or a wrong type
        raise TypeError(f"from_dict takes a model class of kfq_async, such as CorpIdentLink, not {type_name(cls)}")
    try:
        return structure(cls, _to_wire_names(cls, data, "$"))
    finally:
        del data  # error trackers record the variables of each frame


def _to_wire_names(kind: Any, value: Any, path: str) -> Any:
    """Return JSON data with wire names for keys; wrong types are left for `structure` to refuse."""
    item = item_type(kind)
    if item is not None and isinstance(value, list | tuple):
        return [_to_wire_names(item, part, f"{path}[{index}]") for index, part in enumerate(value)]
    if not attrs.has(kind) or not isinstance(value, Mapping):
        return value
    kinds = {field.name: field_kind for field, field_kind in json_fields(kind)}
    named: dict[str, object] = {}
    for key, part in value.items():
        name = key if key in kinds else next((name for name in kinds if camel(name) == key), None)
        wire_name = key if name is None else camel(name)
        if wire_name in named:
            raise ValueError(f"{path}.{wire_name} is given twice, in both spellings")
        named[wire_name] = part if name is None else _to_wire_names(kinds[name], part, f"{path}.{wire_name}")
    return named
