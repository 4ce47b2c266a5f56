"""Encoding detection: the whole file is read, line by line, before its first row is used."""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING

from attrs import define

from kfq_async.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["detect_encoding"]

_MAX_LINE_BYTES = 1 << 20
"""Maximum length of a line in bytes. A longer line is not a table row, and would be held in memory as a whole."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# A Chinese character takes three bytes in UTF-8. A line in GB18030 can happen to be valid UTF-8 of two-byte
# characters, but hardly ever of three-byte ones.
_THREE_BYTE_UTF_8 = re.compile(rb"[\xe0-\xef][\x80-\xbf]{2}")


_ORDINARY = re.compile(rb"[\xa1-\xa3\xb0-\xf7][\xa1-\xfe]")
"""A character of GB2312, the hanzi, punctuation and letters in daily use; its kana, Greek and Cyrillic are left out."""
_CHARACTER = re.compile(rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]|([\x81-\xfe][\x40-\xfe]|[\x80-\xff])")
"""A character that is not ASCII; one of four bytes, which the other encodings lack, is an empty group."""
_MIN_ORDINARY = 0.8
"""Least share of them among the bytes that are not ASCII. Big5, Shift_JIS and Windows-1252 are valid GB18030, but of
rare characters."""


@define
class _FirstLines:
    """Number of the first line in each encoding, 0 if there is none, and the statistics of the file's bytes."""

    utf_8: int = 0
    gb18030: int = 0
    ordinary: int = 0
    """Characters in daily use, if the file is in GB18030."""
    characters: int = 0
    """Characters that are not ASCII, if the file is in GB18030."""


def detect_encoding(file: Path, encoding: str | None) -> str:
    """Return the name of the codec for the whole file: UTF-8 with or without a BOM, else GB18030.

    An explicit ``encoding`` is normalised; the file is then checked only for bytes that no text has.

    Raises `SourceError`, naming the line, if the file is in neither encoding or changes from one to the other.
    """
    if encoding is not None:
        for _ in _read_lines(file):
            pass
        return _codec_name(file, encoding)
    first_lines = _FirstLines()
    for number, line in _read_lines(file):
        if not line.isascii():
            _check_line(file, number, line, first_lines)
    if not first_lines.gb18030:
        return "utf-8-sig"
    if first_lines.ordinary < _MIN_ORDINARY * first_lines.characters:
        raise SourceError(
            f"{file}: the encoding is not known; it is not UTF-8, and in GB18030 its text is of rare characters only. "
            "Save it as CSV UTF-8, or give its --encoding, such as big5, shift_jis or gb18030"
        )
    return "gb18030"


def _codec_name(file: Path, encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
        io.TextIOWrapper(io.BytesIO(), encoding)  # a codec such as hex is no encoding of text
    except (LookupError, ValueError):
        raise SourceError(f"{file}: unknown encoding {encoding!r}; use utf-8 or gb18030") from None
    # GB18030 is a superset of the two older encodings, and newer programs write it under their names.
    return {"utf-8": "utf-8-sig", "gbk": "gb18030", "gb2312": "gb18030"}.get(name, name)


def _read_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(_MAX_LINE_BYTES), b""), 1):
                if number == 1 and line.startswith(_UTF_16):
                    raise SourceError(f"{file} is in UTF-16; save it as CSV UTF-8, or as XLSX")
                if b"\0" in line:
                    raise SourceError(f"{file}, line {number} has a NUL byte, which no text has; save it as CSV UTF-8")
                if len(line) == _MAX_LINE_BYTES:
                    raise SourceError(f"{file}, line {number} has more than {_MAX_LINE_BYTES} bytes; is this a table?")
                yield number, line
    except OSError as error:
        raise SourceError(f"{file} cannot be read: {error.strerror}") from None


def _check_line(file: Path, number: int, line: bytes, first_lines: _FirstLines) -> None:
    """Record the encoding and the statistics of a line that is not ASCII, or raise `SourceError`."""
    if not first_lines.utf_8:
        text = list(filter(None, _CHARACTER.findall(line)))
        first_lines.characters += len(text)
        first_lines.ordinary += sum(map(bool, map(_ORDINARY.fullmatch, text)))
    utf_8_error = _invalid_byte(line, "utf-8")
    if utf_8_error is None:
        if first_lines.utf_8 or not _THREE_BYTE_UTF_8.search(line):
            return
        first_lines.utf_8 = number
    else:
        gb18030_error = _invalid_byte(line, "gb18030")
        if gb18030_error is not None:
            raise SourceError(
                f"{file}, line {number} is neither in UTF-8 (see its byte {utf_8_error}) nor in GB18030 (see its byte "
                f"{gb18030_error}); save the file as CSV UTF-8"
            )
        first_lines.gb18030 = first_lines.gb18030 or number
    if first_lines.utf_8 and first_lines.gb18030:
        utf_8_first = first_lines.utf_8 < first_lines.gb18030
        first, second = ("UTF-8", "GB18030") if utf_8_first else ("GB18030", "UTF-8")
        raise SourceError(
            f"{file} mixes two encodings: {first} up to line {number - 1}, {second} in line {number}; "
            "save it as CSV UTF-8, or give --encoding"
        )


def _invalid_byte(line: bytes, encoding: str) -> int | None:
    """Return the position of the first byte that is invalid in the encoding, from 1, or ``None``."""
    try:
        line.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start + 1
    return None
