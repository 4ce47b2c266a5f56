"""Building blocks of the models' fields: type checks, masked ``repr``, and fresh ids."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from attrs import Converter

from kfq_async.models.masking import MASK, MaskedStr, mask_text, mask_texts, plain_text
from kfq_async.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum

    import attrs


MAX_KEY = 100
"""Longest part of an unknown key that a ``repr`` shows, in characters."""
ADDED = "added"
"""Metadata key of a field of a result that the package fills in, so that it is no key on the wire."""
MODEL = "model"
"""Metadata key of a field that holds models: its value is their class."""


def new_id() -> str:
    """Return 32 random hexadecimal characters from the operating system.

    Each call reads fresh randomness: forked workers would share a pool.
    """
    return os.urandom(16).hex()


def new_ids(count: int) -> list[str]:
    """Return so many ids like `new_id`, from one read; see `new_id_pair`."""
    digits = os.urandom(16 * count).hex()
    return [digits[at : at + 32] for at in range(0, 32 * count, 32)]


def new_id_pair() -> tuple[str, str]:
    """Return two ids like `new_id`, from one read: each read releases the GIL and may switch threads."""
    digits = os.urandom(32).hex()
    return digits[:32], digits[32:]


def repr_masked(value: object) -> str:
    """Return the ``repr`` of a secret field: whether it is set, but not its value."""
    return "None" if value is None else MASK


def repr_keys(value: Mapping[str, object]) -> str:
    """Return the ``repr`` of unknown keys: their names, but not their values."""
    return f"<{', '.join(printable(key, MAX_KEY) for key in sorted(value))}>" if value else "{}"


def text(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept a ``str`` or ``None``."""
    if value is not None and not isinstance(value, str):
        raise _mismatch(instance, attribute, value, "a str", "write numbers and codes as text")


def integer(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept an ``int`` that is not a ``bool``, or ``None``."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _mismatch(instance, attribute, value, "an int", "write a plain number")


def boolean(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept a ``bool`` or ``None``."""
    if value is not None and not isinstance(value, bool):
        raise _mismatch(instance, attribute, value, "a bool", "write True or False")


def texts(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept a tuple of ``str`` or ``None``; the converter is `as_texts`."""
    if value is None:
        return
    if not isinstance(value, tuple):
        raise _mismatch(instance, attribute, value, "a sequence of str", "write a list, even for one")
    for index, item in enumerate(value):
        if not isinstance(item, str):
            raise _mismatch(instance, attribute, item, "a str", "write numbers and codes as text", index=f"[{index}]")


def model(kind: type) -> Callable[[object, attrs.Attribute[Any], object], None]:
    """Accept an instance of ``kind`` or ``None``."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is not None and not isinstance(value, kind):
            raise _mismatch(instance, attribute, value, f"a {kind.__name__}", f"write {kind.__name__}(...)")

    return check


def models(kind: type) -> Callable[[object, attrs.Attribute[Any], object], None]:
    """Accept a tuple of instances of ``kind`` or ``None``; the converter is `as_tuple`."""

    def check(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        if value is None:
            return
        if not isinstance(value, tuple):
            raise _mismatch(instance, attribute, value, f"a sequence of {kind.__name__}", "write a list, even for one")
        for index, item in enumerate(value):
            if not isinstance(item, kind):
                raise _mismatch(
                    instance, attribute, item, f"a {kind.__name__}", f"write {kind.__name__}(...)", index=f"[{index}]"
                )

    return check


def as_texts(value: Sequence[str] | None) -> tuple[str, ...] | None:
    """Convert as `as_tuple`; apart from it, since type checkers read from a converter what its field accepts."""
    return as_tuple(value)


def as_tuple(value: Sequence[Any] | None) -> tuple[Any, ...] | None:
    """Convert a sequence to a tuple; leave a bare string, or anything else, for the validator to refuse."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(value)
    return cast("tuple[Any, ...] | None", value)


def as_masked(value: str | None) -> str | None:
    """Convert a ``str`` to a `MaskedStr`; leave anything else for the validator to refuse."""
    if value is None or type(value) is MaskedStr:  # the entry of a company is converted several times
        return value
    return MaskedStr(value) if type(value) is str else cast("str | None", mask_text(value))


def as_masked_text(value: str | None, instance: object, attribute: attrs.Attribute[Any]) -> str | None:
    """Convert a ``str`` to a `MaskedStr`, and accept ``None``; in one step with the validation, which calls pay for."""
    if value is None:
        return None
    if not isinstance(value, str):
        text(instance, attribute, value)  # raises
    return MaskedStr(value if type(value) is str else plain_text(value))


def as_masked_json(value: Mapping[str, object]) -> Mapping[str, object]:
    """Convert every text in a JSON object to a `MaskedStr`."""
    return cast("Mapping[str, object]", mask_texts(dict(value))) if value else value


for _converter in (as_texts, as_tuple, as_masked, as_masked_json):
    # attrs reads the signature once per field; computing it each time is a third of the models' import time.
    _converter.__signature__ = signature(_converter)  # type: ignore[union-attr]  # typed as functions

SECRET: dict[str, Any] = {"converter": as_masked, "repr": repr_masked}
SECRET_TEXT: dict[str, Any] = {
    "converter": Converter(as_masked_text, takes_self=True, takes_field=True),
    "repr": repr_masked,
}
"""Arguments of `attrs.field` for a secret text: personal data, a link or a token. The second one validates it as well.

The value is masked too, not only the model's ``repr``, so that it stays masked when it is taken out of the model.
"""
UNKNOWN_KEYS: dict[str, Any] = {"converter": as_masked_json, "repr": repr_keys, "hash": False}
"""Arguments of `attrs.field` for the unknown keys of a JSON object, any of which may be secret."""


def known_member(kind: type[Enum], value: Any) -> Any:
    """Return the member of an enumeration, or ``value`` if this version does not know it."""
    try:
        return kind(value)
    except ValueError:
        return value


def _mismatch(
    instance: object, attribute: attrs.Attribute[Any], value: object, expected: str, remedy: str, *, index: str = ""
) -> TypeError:
    path = f"{type(instance).__name__}.{attribute.name}{index}"
    return TypeError(f"{path} must be {expected}, not {type(value).__name__}: {remedy}")
