"""Fields of the models as JSON sees them: names, types and values."""

from __future__ import annotations

import re
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["EXTRA", "camel", "has_extra", "item_type", "json_fields", "non_optional", "plain_fields"]

EXTRA = "extra"
"""Field of a result that keeps unknown keys; requests have no such field and refuse unknown keys."""


def camel(name: str) -> str:
    """Return the wire name of a field: ``oprIdentInfo`` for ``opr_ident_info``."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def non_optional(kind: Any) -> Any:
    """Return ``X`` for ``X | None``, and any other type unchanged."""
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    return kind


def item_type(kind: Any) -> Any:
    """Return ``X`` for ``tuple[X, ...]``, and ``None`` for any other type."""
    return get_args(kind)[0] if get_origin(kind) is tuple else None


def json_fields(cls: Any) -> Iterator[tuple[attrs.Attribute[Any], Any]]:
    """Yield the fields of a model that JSON can hold, without ``extra``, each with its type, ``None`` left out."""
    attrs.resolve_types(cls)
    for field in attrs.fields(cls):
        kind = non_optional(field.type)
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
