"""Fields of the models as JSON sees them: names, types and values."""

from __future__ import annotations

import re
from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EXTRA", "camel", "has_extra", "item_type", "json_fields", "lists_values", "plain_fields", "plain_type"]

EXTRA = "extra"
"""Field of a result that keeps unknown keys; requests have no such field and refuse unknown keys."""


def camel(name: str) -> str:
    """Return the wire name of a field: ``oprIdentInfo`` for ``opr_ident_info``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def plain_type(kind: Any) -> Any:
    """Return ``X`` for ``X | None`` and for ``Literal[...] | X | None``, and any other type unchanged.

    Literals and enumerations beside a type list the values that are documented; others are valid, too.
    """
    if get_origin(kind) not in (Union, UnionType):
        return kind
    parts = [part for part in get_args(kind) if part is not NoneType]
    plain = parts if len(parts) == 1 else [part for part in parts if not _lists_values(part)]
    return plain[0] if len(plain) == 1 else kind


def lists_values(kind: Any) -> bool:
    """Return whether a type lists values beside the type of all, as ``Literal[...] | str`` does."""
    return plain_type(kind) in (str, int) and any(_lists_values(part) for part in get_args(kind))


def _lists_values(kind: Any) -> bool:
    return get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum))


def item_type(kind: Any) -> Any:
    """Return the plain type ``X`` for ``tuple[X, ...]``, and ``None`` for any other type."""
    return plain_type(get_args(kind)[0]) if get_origin(kind) is tuple else None


def json_fields(cls: Any) -> Iterator[tuple[attrs.Attribute[Any], Any]]:
    """Yield the fields of a model that JSON can hold, without ``extra``, each with its type, ``None`` left out."""
    attrs.resolve_types(cls)
    for field in attrs.fields(cls):
        kind = plain_type(field.type)
        item = item_type(kind) or kind
        if field.name != EXTRA and (item in (str, int, bool) or attrs.has(item)):
            yield field, kind


def has_extra(cls: Any) -> bool:
    """Return whether a model keeps unknown keys, as results do."""
    return EXTRA in attrs.fields_dict(cls)


def plain_fields(model: Any) -> dict[str, object]:
    """Return the fields of a model that are not ``None``, and its unknown keys; models inside it are left as they are.

    Of a field and an unknown key of the same name, the field counts.
    """
    values = {field.name: getattr(model, field.name) for field, _ in json_fields(type(model))}
    known = {name: value for name, value in values.items() if value is not None}
    extra: Mapping[str, object] = getattr(model, EXTRA, {})
    return {**known, **extra, **known}
