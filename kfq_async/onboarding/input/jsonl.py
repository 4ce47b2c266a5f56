"""JSON Lines tables, one flat object per line: streamed after one pass for the headings."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from kfq_async.errors import SourceError
from kfq_async.models.masking import MaskedStr, mask_text
from kfq_async.onboarding.input.table import Table, TableRow
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["open_json_lines"]

_MAX_HEADINGS = 1000


def open_json_lines(file: Path, encoding: str) -> Table:
    """Open a file of JSON objects; its headings are the keys of all objects, in order of first appearance."""
    headings: dict[str, None] = {}
    for line, pairs in _read_objects(file, encoding):
        headings.update(dict.fromkeys(key for key, _ in pairs or ()))
        if len(headings) > _MAX_HEADINGS:
            raise SourceError(f"{file}, line {line}: more than {_MAX_HEADINGS} different keys; is this a table?")
    if not headings:
        raise SourceError(f"{file} holds no JSON object; write one object per line")
    return Table(file, tuple(headings), partial(_read_rows, file, encoding, tuple(headings)))


def _read_rows(file: Path, encoding: str, headings: tuple[str, ...]) -> Iterator[TableRow]:
    for line, pairs in _read_objects(file, encoding):
        if pairs is None:
            yield TableRow(line, ("",) * len(headings), (Problem("", "is not one JSON object on one line"),))
        else:
            yield _to_row(line, pairs, headings)


def _to_row(line: int, pairs: Sequence[tuple[str, Any]], headings: tuple[str, ...]) -> TableRow:
    cells: dict[str, str] = {}
    problems = []
    for key, value in pairs:
        if key in cells:
            problems.append(Problem(key.strip(), "occurs twice in one object"))
        text, error = _to_text(value)
        cells[key] = MaskedStr(text)
        if error:
            problems.append(Problem(key.strip(), error))
    return TableRow(line, tuple(cells.get(heading, "") for heading in headings), tuple(problems))


def _to_text(value: Any) -> tuple[str, str]:
    """Return the text of a value, and an error message or an empty string."""
    match value:
        case None:
            return "", ""
        case str():
            return _replace_surrogates(value)
        case bool():
            return str(value).upper(), "is true or false; write a string"
        case list() if all(isinstance(item, str) for item in value):
            return _replace_surrogates(",".join(value))
        case _:
            return "", "is an object or a list; write a string"


def _replace_surrogates(text: str) -> tuple[str, str]:
    r"""Replace lone surrogates (``\ud800``), which JSON can hold and no encoding can write."""
    if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
        return text, ""
    return text.encode("utf-8", "replace").decode(), "has a lone surrogate (half a character), which cannot be sent"


def _read_objects(file: Path, encoding: str) -> Iterator[tuple[int, list[tuple[str, Any]] | None]]:
    """Yield the pairs of each line's object, and ``None`` for a line that is not an object."""
    try:
        with file.open(encoding=encoding, newline="\n") as stream:
            for number, line in enumerate(map(MaskedStr, stream), 1):
                if line.strip():
                    yield number, _parse_object(file, number, line)
    except UnicodeError:
        raise SourceError(f"{file} is not in {encoding}; save it as UTF-8") from None
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None


def _parse_object(file: Path, number: int, line: str) -> list[tuple[str, Any]] | None:
    if number == 1 and line.lstrip().startswith("["):
        raise SourceError(f"{file} is a JSON array; write one object per line, without brackets and commas around")
    try:
        # Numbers stay as written: the digits of an ID number must not go through a float.
        value = json.loads(line, object_pairs_hook=_masked_object, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return value.pairs if isinstance(value, _Object) else None


def _masked_object(pairs: list[tuple[str, Any]]) -> _Object:
    return _Object(
        [(key, list(map(mask_text, value)) if type(value) is list else mask_text(value)) for key, value in pairs]
    )


@frozen
class _Object:
    """Pairs of a JSON object, repeated keys included."""

    pairs: list[tuple[str, Any]] = field(repr=False)
