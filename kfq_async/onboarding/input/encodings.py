"""How a text is written: the whole file is looked at, line by line, before its first row is believed."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from attrs import define

from kfq_async.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["detect_encoding"]

_LONGEST = 1 << 20
"""Bytes of a line. A longer one is no row of companies, and reading it would take the memory of a whole file."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A Chinese character takes three bytes in UTF-8. A line in GB18030 can by accident be UTF-8 of two bytes each, but
# hardly ever of three.
_SURELY_UTF_8 = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")


@define
class _Seen:
    """The first lines of each kind."""

    utf_8: int = 0
    gb18030: int = 0


def detect_encoding(file: Path, encoding: str | None) -> str:
    """Return the name of the codec that reads the whole file: UTF-8 with or without a mark, else GB18030.

    Raises `SourceError`, naming the line, where the file is in neither or changes from one to the other. A given
    encoding is only held to what no text may have.
    """
    if encoding is not None:
        for _ in _lines(file):
            pass
        return _known(file, encoding)
    seen = _Seen()
    for number, line in _lines(file):
        if not line.isascii():
            _look(file, number, line, seen)
    return "gb18030" if seen.gb18030 else "utf-8-sig"


def _known(file: Path, encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise SourceError(f"{file}: no encoding has this name; write utf-8 or gb18030") from None
    # GB18030 reads all that the older two can write, and what newer programs write under their names.
    return {"utf-8": "utf-8-sig", "gbk": "gb18030", "gb2312": "gb18030"}.get(name, name)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_LONGEST), b""), 1):
                if number == 1 and line.startswith(_UTF_16):
                    raise SourceError(f"{file} is in UTF-16; save it as CSV UTF-8, or as XLSX")
                if b"\0" in line:
                    raise SourceError(f"{file}, line {number} has a NUL byte, which no text has; save it as CSV UTF-8")
                if len(line) == _LONGEST:
                    raise SourceError(f"{file}, line {number} has more than {_LONGEST} bytes; is this a table?")
                yield number, line
    except OSError as problem:
        raise SourceError(f"{file} cannot be read: {problem.strerror}") from None


def _look(file: Path, number: int, line: bytes, seen: _Seen) -> None:
    wrong = _first_wrong(line, "utf-8")
    if wrong is None:
        if seen.utf_8 or not _SURELY_UTF_8.search(line):
            return
        seen.utf_8 = number
    elif seen.gb18030 == 0:
        wrong_too = _first_wrong(line, "gb18030")
        if wrong_too is not None:
            raise SourceError(
                f"{file}, line {number} is neither in UTF-8 (see its byte {wrong}) nor in GB18030 (see its byte "
                f"{wrong_too}); save the file as CSV UTF-8"
            )
        seen.gb18030 = number
    if seen.utf_8 and seen.gb18030:
        first, second = ("UTF-8", "GB18030") if seen.utf_8 < seen.gb18030 else ("GB18030", "UTF-8")
        raise SourceError(
            f"{file} is written in two encodings: {first} up to line {number - 1}, and line {number} in {second}; "
            "save it as CSV UTF-8, or say which one it is"
        )


def _first_wrong(line: bytes, encoding: str) -> int | None:
    try:
        line.decode(encoding)
    except UnicodeDecodeError as problem:
        return problem.start + 1
    return None
