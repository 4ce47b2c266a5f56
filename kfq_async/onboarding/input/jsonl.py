"""JSON Lines: one flat object a line; they stream, after one pass for the headings."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from kfq_async.errors import SourceError
from kfq_async.onboarding.input.table import Table, TableRow
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["open_json_lines"]

_MOST_HEADINGS = 1000


def open_json_lines(file: Path, encoding: str) -> Table:
    """Open a file of JSON objects; its headings are the keys of all of them, in the order of their coming."""
    headings: dict[str, None] = {}
    for number, pairs in _objects(file, encoding):
        headings.update(dict.fromkeys(key for key, _ in pairs or ()))
        if len(headings) > _MOST_HEADINGS:
            raise SourceError(f"{file}, line {number}: more than {_MOST_HEADINGS} different keys; is this a table?")
    if not headings:
        raise SourceError(f"{file} holds no JSON object; write one on each line")
    return Table(file, tuple(headings), partial(_rows, file, encoding, tuple(headings)))


def _rows(file: Path, encoding: str, headings: tuple[str, ...]) -> Iterator[TableRow]:
    for number, pairs in _objects(file, encoding):
        if pairs is None:
            yield TableRow(number, ("",) * len(headings), (Problem("", "is not one JSON object on one line"),))
        else:
            yield _row(number, pairs, headings)


def _row(number: int, pairs: Sequence[tuple[str, Any]], headings: tuple[str, ...]) -> TableRow:
    cells: dict[str, str] = {}
    problems = []
    for key, value in pairs:
        if key in cells:
            problems.append(Problem(key.strip(), "stands twice in one object"))
        cells[key], words = _cell(value)
        if words:
            problems.append(Problem(key.strip(), words))
    return TableRow(number, tuple(cells.get(heading, "") for heading in headings), tuple(problems))


def _cell(value: Any) -> tuple[str, str]:
    """Return the text of a value, and what is wrong with it."""
    match value:
        case None:
            return "", ""
        case str():
            return _writable(value)
        case bool():
            return str(value).upper(), "is true or false, and must be a text"
        case list() if all(isinstance(item, str) for item in value):
            return _writable(",".join(value))
        case _:
            return "", "is an object or a list, and must be a text"


def _writable(text: str) -> tuple[str, str]:
    r"""Replace what JSON can say and no encoding can write: half a character, as ``\ud800``."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text, ""
    return text.encode("utf-8", "replace").decode(), "has half a character, which cannot be sent"


def _objects(file: Path, encoding: str) -> Iterator[tuple[int, list[tuple[str, Any]] | None]]:
    """Yield the pairs of each line's object, and ``None`` for a line that holds none."""
    try:
        with file.open(encoding=encoding, newline="\n") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield number, _object(file, number, line)
    except UnicodeError:
        raise SourceError(f"{file} is not in {encoding}; save it as UTF-8") from None
    except OSError as problem:
        raise SourceError(f"{file} cannot be read: {problem.strerror}") from None


def _object(file: Path, number: int, line: str) -> list[tuple[str, Any]] | None:
    if number == 1 and line.lstrip().startswith("["):
        raise SourceError(f"{file} is one JSON array; write one object on each line, without brackets and commas")
    try:
        # Numbers stay as they are written: digits of an ID number must not go through a float.
        value = json.loads(line, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, _Pairs) else None


class _Pairs(list[tuple[str, Any]]):
    """An object with its repeated keys; a list in JSON is no such thing."""
