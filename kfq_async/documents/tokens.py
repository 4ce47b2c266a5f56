"""Tokens of content streams and of CMaps. Linear in the length of the data, and bounded in memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kfq_async.documents.pdf import Budget

__all__ = ["Instruction", "Name", "Operand", "instructions"]

_TOKEN = re.compile(
    rb"(?P<skip>[\0\t\n\f\r ]+|%[^\r\n]*)"
    rb"|(?P<number>[+-]*(?:\d+\.?\d*|\.\d+)(?:-\d*)?(?=[\0\t\n\f\r ()<>\[\]{}/%]|$))"
    rb"|/(?P<name>[^\0\t\n\f\r ()<>\[\]{}/%]*)"
    rb"|\((?P<string>[^()\\\r]*)\)"
    rb"|(?P<open><<|\[)"
    rb"|(?P<close>>>|\])"
    rb"|<(?P<hex>[0-9A-Fa-f\0\t\n\f\r ]*)>"
    rb"|(?P<operator>[^\0\t\n\f\r ()<>\[\]{}/%]+)"
    rb"|(?P<complex>\()"
    rb"|(?P<stray>.)",
    re.DOTALL,
)
_PIECE = re.compile(rb"\\(?:([0-7]{1,3})|(\r\n?|\n)|(.))|(\r\n?)|([()])|([^()\\\r]+)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_INLINE_IMAGE_END = re.compile(rb"[\0\t\n\f\r ]EI(?=[\0\t\n\f\r ]|$)")
_MAX_PENDING = 100_000
"""Maximum number of operands of one operator, elements of arrays included."""
_MAX_NUMBER = 1e9
"""Larger numbers are cut to this: no position on a page is."""
_LONGEST_NUMBER = 40
_BATCH = 1_000
"""Number of operators that are counted at a time."""


class Name(str):
    """A name object, such as ``/Span``."""

    __slots__ = ()


class _Array(list["Operand"]):
    """An array that is being read."""


class _Dictionary(list["Operand"]):
    """A dictionary that is being read: keys and values in turn."""


Operand = float | bytes | Name | list["Operand"] | dict[str, "Operand"]


class Instruction(NamedTuple):
    """An operator and its operands."""

    operator: bytes
    operands: list[Operand]


def instructions(data: bytes, budget: Budget) -> Iterator[Instruction]:  # noqa: C901  # one case for each token
    """Yield the operators of a content stream with their operands; what is malformed is skipped.

    Raises:
        PdfError: More operators than the budget allows, or too many operands.
    """
    operands: list[Operand] = []
    enclosing: list[list[Operand]] = []
    current, pending, position, count = operands, 0, 0, 0
    while token := _TOKEN.match(data, position):
        position = token.end()
        kind = token.lastgroup or ""
        if kind == "skip":
            continue
        if kind == "operator":
            if token[0] == b"ID":
                end = _INLINE_IMAGE_END.search(data, position)
                position = end.end() if end else len(data)
            count += 1
            if not count % _BATCH:
                budget.spend("operators", _BATCH)
                budget.check_time()
            yield Instruction(token[0], operands)
            operands = current = []
            enclosing.clear()
            pending = 0
            continue
        pending += 1
        if pending > _MAX_PENDING:
            budget.exceeded(f"an operator with more than {_MAX_PENDING} operands")
        if kind == "open":
            enclosing.append(current)
            current = _Array() if token[0] == b"[" else _Dictionary()
        elif kind == "close":
            if enclosing:
                closed, current = current, enclosing.pop()
                current.append(_close(closed))
        elif kind == "complex":
            value, position = _string(data, position, budget)
            current.append(value)
        elif kind in _READERS:
            current.append(_READERS[kind](token[kind]))
    budget.spend("operators", count % _BATCH)


def _close(value: list[Operand]) -> Operand:
    if isinstance(value, _Dictionary):
        return {str(key): item for key, item in zip(value[::2], value[1::2], strict=False) if isinstance(key, Name)}
    return value


def _number(text: bytes) -> float:
    """Read a number as lenient readers do: ``--5`` is -5, ``5-3`` is 5."""
    sign = -1.0 if text.startswith(b"-") else 1.0
    digits = text.lstrip(b"+-").partition(b"-")[0][:_LONGEST_NUMBER]
    return sign * min(float(digits), _MAX_NUMBER)


def _name(text: bytes) -> Name:
    decoded = _NAME_ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), text) if b"#" in text else text
    return Name(decoded.decode("utf-8", "replace"))


def _hex(text: bytes) -> bytes:
    digits = text.translate(None, b"\0\t\n\f\r ")
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))


_READERS: dict[str, Callable[[bytes], Operand]] = {
    "number": _number,
    "string": bytes,
    "name": _name,
    "hex": _hex,
}


def _string(data: bytes, position: int, budget: Budget) -> tuple[bytes, int]:
    """Read a string with escapes or nested parentheses, from after its first parenthesis."""
    pieces: list[bytes] = []
    depth = 1
    while piece := _PIECE.match(data, position):
        position = piece.end()
        if len(pieces) > _MAX_PENDING:
            budget.exceeded(f"a string with more than {_MAX_PENDING} escapes")
        octal, _, escaped, newline, parenthesis, plain = piece.groups()
        if plain is not None:
            pieces.append(plain)
        elif parenthesis is not None:
            depth += 1 if parenthesis == b"(" else -1
            if not depth:
                break
            pieces.append(parenthesis)
        elif octal is not None:
            pieces.append(bytes([int(octal, 8) & 255]))
        elif escaped is not None:
            pieces.append(_ESCAPES.get(escaped, escaped))
        elif newline is not None:
            pieces.append(b"\n")
    return b"".join(pieces), position
