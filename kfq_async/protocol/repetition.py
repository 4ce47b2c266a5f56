"""Messages of unhandled failures, which may repeat the request, secrets included (protocol section 2.5). Pure."""

from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING, Any

import orjson

from kfq_async.models.masking import MaskedStr

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["cut_repetition", "texts_of"]

MAX_KEPT = 1_000
"""Number of characters of a message that are kept at most; one that repeats a request may have millions."""
MAX_PARSED = 1_000_000
"""Size in bytes of the largest request body that is searched for texts; the body of a file is larger."""
MIN_TEXT = 4
"""Number of characters of the shortest text that is looked for, unless it has other characters than ASCII: a shorter
one, such as ``1``, occurs in any message."""
MAX_TEXT = 64
"""Number of characters of a text by which it is recognised."""
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""Lower case of ASCII, which keeps the length of a text."""
_REPETITION = re.compile(
    r"""
    [{\\]                                                   # JSON, or one of its escapes
    | %[0-9A-F]{2}                                          # percent-encoding
    | &\#?\w{2,8};                                          # an entity of HTML
    | appAuthToken
    | (?:\d[\s.-]?){6}                                      # the number of a person, a bank card or a telephone
    | (?=[A-Z+/_=-]{0,64}\d)[0-9A-Z+/_=-]{24}               # base64 or hexadecimal digits
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""What no message of the platform's own begins with, whatever the request."""


def cut_repetition(message: str, sent: Iterable[str] = ()) -> MaskedStr:
    """Return a message up to where it begins to repeat the request, in whatever form.

    ``sent`` are the texts of the request, such as its token; letter case does not matter.
    """
    searched = message[: MAX_KEPT + MAX_TEXT]
    found = _REPETITION.search(searched)
    end = min(MAX_KEPT, len(searched) if found is None else found.start())
    searched = searched.translate(_LOWER)
    for text in sent:
        if len(text) >= MIN_TEXT or (text and not text.isascii()):
            at = searched.find(text[:MAX_TEXT].translate(_LOWER))
            end = end if at < 0 else min(end, at)
    return MaskedStr(message[:end])


def texts_of(body: bytes) -> Iterator[str]:
    """Yield the texts in the body of a request, a JSON object, at any depth; none of a body that is too large."""
    containers: list[Any] = [orjson.loads(bytes(body))] if len(body) <= MAX_PARSED else []
    while containers:
        container = containers.pop()
        for item in container.values() if isinstance(container, dict) else container:
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict | list):
                containers.append(item)
