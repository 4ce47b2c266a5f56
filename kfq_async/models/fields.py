"""What the models' fields are made of: type checks, masks and fresh ids.

Nothing here knows a particular model.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    import attrs


MODEL = "model"
"""Key of a field's metadata that names the model inside."""


def new_id() -> str:
    """Return 32 hexadecimal characters, straight from the operating system's randomness each time.

    No pool: forked workers would share it.
    """
    return os.urandom(16).hex()


def new_id_pair() -> tuple[str, str]:
    """Return two like `new_id`, for one question to the operating system, which lets other threads in meanwhile."""
    digits = os.urandom(32).hex()
    return digits[:32], digits[32:]


def mask(value: object) -> str:
    """Show that a field is set without showing what it holds."""
    return "None" if value is None else "'***'"


def mask_extra(value: Mapping[str, object]) -> str:
    """Show the names of unknown keys without what they hold."""
    return f"<{', '.join(sorted(value))}>" if value else "{}"


def text(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept a ``str`` or ``None``."""
    if value is not None and not isinstance(value, str):
        raise _mismatch(instance, attribute, value, "a str", "write numbers and codes as text")


def integer(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept an ``int`` or ``None``; a ``bool`` is no number here."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise _mismatch(instance, attribute, value, "an int", "write a plain number")


def texts(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Accept a tuple of ``str`` or ``None``; see `as_texts`, which runs before."""
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
    """Accept a tuple of instances of ``kind`` or ``None``; see `as_tuple`, which runs before."""

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
    """Turn any sequence of texts but a bare string into a tuple; `texts` refuses what is none."""
    return as_tuple(value)


def as_tuple(value: Sequence[Any] | None) -> tuple[Any, ...] | None:
    """Turn any sequence but a bare string into a tuple; what is none is left for the validator to refuse."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(value)
    return cast("tuple[Any, ...] | None", value)


for _converter in (as_texts, as_tuple):
    # attrs asks for it once for each field; found out anew, that is a third of what importing the models costs.
    _converter.__signature__ = signature(_converter)  # type: ignore[union-attr]


def _mismatch(
    instance: object, attribute: attrs.Attribute[Any], value: object, wanted: str, remedy: str, *, index: str = ""
) -> TypeError:
    path = f"{type(instance).__name__}.{attribute.name}{index}"
    return TypeError(f"{path} must be {wanted}, not {type(value).__name__}: {remedy}")
