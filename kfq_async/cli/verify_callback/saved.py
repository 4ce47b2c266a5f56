"""A notification that was saved: headers as text or JSON, and the path of a request line."""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import field, frozen

from kfq_async.models.fields import repr_masked

__all__ = ["SavedRequest", "parse_head"]

_REQUEST_LINE = re.compile(r"[A-Z]+ (?:https?://[^/ ]+)?(/\S*) HTTP/[0-9.]+")
_MARKS = re.compile(r"^[<>*] ")
"""What curl and proxies write in front of a line."""


@frozen(kw_only=True)
class SavedRequest:
    """A request as it was received.

    Attributes:
        body: Raw bytes of the body.
        headers: Pairs of name and value, in the order received.
        path: Undecoded path; a query that it has stays.
    """

    body: bytes = field(repr=repr_masked)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    path: str = field(repr=repr_masked)

    def values(self, name: str) -> list[str]:
        """Return the values of a header, whose name may have any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def parse_head(text: str) -> tuple[tuple[tuple[str, str], ...], str | None]:
    """Return the headers and, if there is a request line, the path.

    The text is a JSON object, whose values may be lists, a JSON array of pairs, or lines as in HTTP. Raises
    `ValueError` for anything else, without the text.
    """
    if text.lstrip()[:1] in {"{", "["}:
        return _from_json(text), None
    path, pairs = None, []
    for number, line in enumerate(text.splitlines(), start=1):
        content = _MARKS.sub("", line).strip()
        found = _REQUEST_LINE.fullmatch(content)
        if found is not None:
            path = found[1]
            continue
        if not content:
            continue
        name, colon, value = content.partition(":")
        if not (colon and name.strip()):
            raise ValueError(f"line {number} is not like `Name: value`")
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs), path


def _from_json(text: str) -> tuple[tuple[str, str], ...]:
    try:
        data: Any = json.loads(text)
    except ValueError:
        data = None
    pairs = list(data.items()) if isinstance(data, dict) else data
    flat = []
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError("it is neither a JSON object of headers, nor an array of pairs")
        name, values = pair
        flat += [(name, value) for value in (values if isinstance(values, list) else [values])]
    if not all(isinstance(part, str) for each in flat for part in each):
        raise ValueError("a header is not text")
    return tuple(flat)
