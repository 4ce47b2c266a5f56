"""Parsers for the text of one cell. Pure.

Each returns the value, ``None`` for a blank cell, and an error message, which never repeats the cell.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "FieldValue",
    "clean_text",
    "parse_code",
    "parse_company_type",
    "parse_id",
    "parse_integer",
    "parse_list",
    "parse_text",
]

FieldValue = str | int | tuple[str, ...] | None
"""Value of a request's field."""

# Zero-width characters and direction marks, which are copied along from chats and web pages.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_WHITESPACE = re.compile(r"\s+")
_TRAILING_ZEROS = re.compile(r"([0-9]+)\.0+")
_SCIENTIFIC = re.compile(r"[0-9]+(\.[0-9]+)?E\+[0-9]+|[0-9]+\.[0-9]+E[0-9]+", re.IGNORECASE)
_SEPARATORS = re.compile("[,，、;；]")
_COMPANY_TYPES = {"1": 1, "企业": 1, "公司": 1, "2": 2, "个体工商户": 2, "个体户": 2, "3": 3, "其他": 3, "其它": 3}
_MAX_CODE = 1000
_TOO_LONG = "has more than 1,000 characters, and is no code or number"
_LOST_DIGITS = (
    "is a number in scientific notation (such as 1.38E+10) and has lost digits; "
    "format the column as text, type the number again and save the file"
)


def clean_text(text: str) -> str:
    """Return the text without surrounding whitespace, invisible characters and a leading apostrophe."""
    if text.isalnum():  # nearly every cell, Chinese included: nothing to clean
        return text
    return _INVISIBLE.sub("", text).strip().removeprefix("'").strip()


def parse_text(text: str) -> tuple[str | None, str]:
    """Parse a name or an address; full-width characters are kept."""
    return clean_text(text) or None, ""


def parse_id(text: str) -> tuple[str | None, str]:
    """Parse an id of the caller's own system; nothing in it is changed, not even ``.0``."""
    value = clean_text(text)
    return (None, _LOST_DIGITS) if _SCIENTIFIC.fullmatch(value) else (value or None, "")


def parse_code(text: str) -> tuple[str | None, str]:
    """Parse a code of digits or letters (credit code, mobile, card); drop whitespace, full width and ``.0``."""
    if len(text) > _MAX_CODE:  # normalising a long run of combining characters would take quadratic time
        return None, _TOO_LONG
    value = _WHITESPACE.sub("", unicodedata.normalize("NFKC", clean_text(text)))
    match = _TRAILING_ZEROS.fullmatch(value)
    return parse_id(match[1] if match else value)


def parse_integer(text: str) -> tuple[int | None, str]:
    """Parse a whole number of up to nine digits."""
    value, error = parse_code(text)
    if value is None:
        return None, error
    # int() alone would refuse thousands of digits with a message of its own.
    return (int(value), "") if re.fullmatch("[0-9]{1,9}", value) else (None, "must be a whole number")


def parse_company_type(text: str) -> tuple[int | None, str]:
    """Parse a company type: 1, 2, 3, or its Chinese name."""
    value, error = parse_code(text)
    if value is None or value in _COMPANY_TYPES:
        return _COMPANY_TYPES.get(value or ""), error
    return None, "must be 1 (企业), 2 (个体工商户) or 3 (其他)"


def parse_list(text: str) -> tuple[tuple[str, ...] | None, str]:
    """Parse several texts, separated by a comma, a semicolon or one of their Chinese counterparts."""
    items = (clean_text(item) for item in _SEPARATORS.split(clean_text(text)))
    return tuple(item for item in items if item) or None, ""
