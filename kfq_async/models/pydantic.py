"""Schemas of the models for pydantic: validation, serialization and JSON Schema. Imported when pydantic asks."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from attrs import NOTHING
from pydantic import TypeAdapter
from pydantic_core import core_schema

from kfq_async.models.shapes import camel, has_extra, item_type, json_fields, plain_fields

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema, SchemaSerializer

__all__ = ["model_schema", "model_serializer"]


@cache
def model_serializer(cls: type) -> SchemaSerializer:
    """Return pydantic's serializer of a model, for values whose type is not declared."""
    serializer: SchemaSerializer = TypeAdapter(cls).serializer
    return serializer


def model_schema(cls: type, handler: GetCoreSchemaHandler) -> CoreSchema:
    """Return pydantic's schema of a model.

    Validation takes an instance, or an object whose keys are the wire names or the names of the fields. It is as strict
    as the model, which takes no number for a text; a request refuses unknown keys, a result keeps them in ``extra``.
    Serialization writes wire names if pydantic's ``by_alias`` is set, as FastAPI does, and leaves out what is ``None``.
    """
    descriptions = _descriptions(cls)
    fields = {
        field.name: core_schema.typed_dict_field(
            _value_schema(kind, handler, optional=field.default is not NOTHING),
            required=field.default is NOTHING,
            validation_alias=_aliases(field.name),
            serialization_alias=camel(field.name),
            metadata={"pydantic_js_updates": {"description": descriptions[field.name]}}
            if field.name in descriptions
            else None,
        )
        for field, kind in json_fields(cls)
    }
    tolerant = has_extra(cls)
    updates = {"title": cls.__name__}
    if "" in descriptions:
        updates["description"] = descriptions[""]
    inner = core_schema.typed_dict_schema(
        fields,
        extra_behavior="allow" if tolerant else "forbid",
        metadata={"pydantic_js_updates": updates},
    )

    def validate(value: object, validate_fields: core_schema.ValidatorFunctionWrapHandler) -> object:
        if isinstance(value, cls):
            return value
        values = validate_fields(value)
        if tolerant:
            values["extra"] = {name: values.pop(name) for name in values.keys() - fields.keys()}
        return cls(**values)

    validate.__name__ = cls.__name__  # the path of a problem in a union tells it
    return core_schema.no_info_wrap_validator_function(
        validate,
        inner,
        ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        serialization=core_schema.plain_serializer_function_ser_schema(plain_fields, return_schema=inner),
    )


def _aliases(name: str) -> list[list[str | int]]:
    return [[camel(name)], [name]]


def _value_schema(kind: Any, handler: GetCoreSchemaHandler, *, optional: bool) -> CoreSchema:
    item = item_type(kind)
    schema: CoreSchema
    if item is not None:
        schema = core_schema.tuple_variable_schema(_value_schema(item, handler, optional=False))
    elif kind is str:
        schema = core_schema.str_schema(strict=True)
    elif kind is int:
        schema = core_schema.int_schema(strict=True)
    elif kind is bool:
        schema = core_schema.bool_schema(strict=True)
    else:
        schema = handler.generate_schema(kind)
    return core_schema.nullable_schema(schema) if optional else schema


def _descriptions(cls: type) -> dict[str, str]:
    """Return the texts of a class docstring by field; the one of the class itself, its first paragraph, by ``""``."""
    summary, _, attributes = inspect.cleandoc(cls.__doc__ or "").partition("Attributes:\n")
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE)
    texts = {name: " ".join(text.replace("``", "`").split()) for name, text in found}
    first = " ".join(summary.partition("\n\n")[0].replace("``", "`").split())
    return {"": first, **texts} if first else texts
