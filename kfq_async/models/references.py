"""References: an id of the caller's at the end of a document's name, by which its contract is found again."""

from __future__ import annotations

import re

from kfq_async.models.masking import type_name

__all__ = ["check_reference", "find_reference", "format_reference"]

_REFERENCE = re.compile(r"[A-Za-z0-9-]{1,32}")
_AT_END = re.compile(r"〔([A-Za-z0-9-]{1,32})〕(?:\.[A-Za-z]+)*\Z")


def check_reference(name: str, value: object) -> None:
    """Raise `TypeError` or `ValueError`, naming the argument, unless ``value`` is a reference."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type_name(value)}: write numbers as text")
    if not _REFERENCE.fullmatch(value):
        raise ValueError(
            f"{name} must be 1 to 32 ASCII letters, digits and hyphens: pass such an id of yours, or uuid4().hex"
        )


def format_reference(reference: str) -> str:
    """Return a reference as it stands in the name of a document."""
    return f"〔{reference}〕"


def find_reference(name: str) -> str | None:
    """Return the reference at the end of the name of a document, before its extension; ``None`` if there is none."""
    found = _AT_END.search(name)
    return None if found is None else found[1]
