"""Checks of the arguments of methods, beside those of the request models, whose fields are all optional."""

from __future__ import annotations

import sys

from kfq_async.models.masking import type_name

__all__ = ["check_bool", "check_seconds", "require"]


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


def check_seconds(**arguments: object) -> None:
    """Raise `TypeError` or `ValueError` for the first argument that is neither ``None`` nor more than 0 seconds."""
    for name, value in arguments.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"{name} must be a number of seconds, or None, not {type_name(value)}")
        if not 0 < value <= sys.float_info.max:  # an int may be larger than any float
            raise ValueError(f"{name} must be more than 0 seconds, and finite; None sets no limit")
