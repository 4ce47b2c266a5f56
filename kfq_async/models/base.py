"""Base class of the models, by which pydantic knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from attrs import has

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema, SchemaSerializer

__all__ = ["Model"]


class _Serializer:
    """Attribute that pydantic asks for where the type of a value is not declared, such as in ``dict[str, Any]``."""

    def __get__(self, _instance: object, owner: type) -> SchemaSerializer:
        if not has(owner):  # `help` reads every attribute of the base classes, too
            raise AttributeError(f"{owner.__name__} has no fields, so no serializer")
        try:
            from kfq_async.models.pydantic import model_serializer  # noqa: PLC0415  # as below
        except ImportError as error:
            raise AttributeError(str(error)) from None
        return model_serializer(owner)


class Model:
    """Base class of requests, results and notifications.

    pydantic, and FastAPI with it, validates and serializes them: they may be request bodies, return annotations and
    fields of pydantic models. This package does not require pydantic.
    """

    __slots__ = ()
    __pydantic_serializer__: ClassVar[_Serializer] = _Serializer()

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from kfq_async.models.pydantic import model_schema  # noqa: PLC0415  # only pydantic calls this method

        return model_schema(cls, handler)
