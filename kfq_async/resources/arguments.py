"""Checks of the arguments of methods, beside those of the request models, whose fields are all optional."""

from __future__ import annotations

__all__ = ["require"]


def require(**arguments: object) -> None:
    """Raise `TypeError` for the first argument that is ``None``: it would be left out of the request."""
    for name, value in arguments.items():
        if value is None:
            raise TypeError(f"{name} must not be None")
