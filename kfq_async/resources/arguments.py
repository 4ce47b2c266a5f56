"""Checks of the arguments of methods, beside those of the request models, whose fields are all optional."""

from __future__ import annotations

from kfq_async.models.masking import type_name

__all__ = ["check_bool", "require"]


def require(**arguments: object) -> None:
    """Raise `TypeError` for the first argument that is ``None``: it would be left out of the request."""
    for name, value in arguments.items():
        if value is None:
            raise TypeError(f"{name} must not be None")


def check_bool(**arguments: object) -> None:
    """Raise `TypeError` for the first argument that is not a ``bool``."""
    for name, value in arguments.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be a bool, not {type_name(value)}")
