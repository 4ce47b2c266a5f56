"""What a cell's text means for a field: pure functions that clean it, read it, and say what is wrong with it.

Each returns the value, ``None`` for a blank cell, and the words of a problem, which never repeat the cell.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["Value", "as_code", "as_company_type", "as_id", "as_number", "as_text", "as_texts", "tidy"]

Value = str | int | tuple[str, ...] | None
"""What a field of a request can be."""

# Zero-width characters and marks of direction, which come along when text is copied from a chat or a web page.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_BLANKS = re.compile(r"\s+")
_WHOLE = re.compile(r"([0-9]+)\.0+")
_ROUNDED = re.compile(r"[0-9]+(\.[0-9]+)?E\+[0-9]+|[0-9]+\.[0-9]+E[0-9]+", re.IGNORECASE)
_SEPARATORS = re.compile("[,，、;；]")
_COMPANY_TYPES = {"1": 1, "企业": 1, "公司": 1, "2": 2, "个体工商户": 2, "个体户": 2, "3": 3, "其他": 3, "其它": 3}
_LOST = (
    "is a number in scientific notation, as 1.38E+10, and has lost digits; "
    "format the column as text, type it again, and save it"
)


def tidy(text: str) -> str:
    """Return a text without what nobody typed: blanks around it, invisible characters, a leading apostrophe."""
    if text.isalnum():  # nearly all are, Chinese too, and there is nothing to clean
        return text
    return _INVISIBLE.sub("", text).strip().removeprefix("'").strip()


def as_text(text: str) -> tuple[str | None, str]:
    """Read a name or an address; its full-width characters are its own."""
    return tidy(text) or None, ""


def as_id(text: str) -> tuple[str | None, str]:
    """Read an id of the caller's own, in which nothing may be changed, not even ``.0``."""
    value = tidy(text)
    return (None, _LOST) if _ROUNDED.fullmatch(value) else (value or None, "")


def as_code(text: str) -> tuple[str | None, str]:
    """Read a number that is a name, as of a mobile or a card: no blanks in it, no full-width digits, no ``.0``."""
    value = _BLANKS.sub("", unicodedata.normalize("NFKC", tidy(text)))
    whole = _WHOLE.fullmatch(value)
    return as_id(whole[1] if whole else value)


def as_number(text: str) -> tuple[int | None, str]:
    """Read a small whole number."""
    value, words = as_code(text)
    if value is None:
        return None, words
    # No int() of any length: it refuses thousands of digits, in words of its own.
    return (int(value), "") if re.fullmatch("[0-9]{1,9}", value) else (None, "must be a whole number")


def as_company_type(text: str) -> tuple[int | None, str]:
    """Read 1, 2 or 3, or the words for them."""
    value, words = as_code(text)
    if value is None or value in _COMPANY_TYPES:
        return _COMPANY_TYPES.get(value or ""), words
    return None, "must be 1 (企业), 2 (个体工商户) or 3 (其他)"


def as_texts(text: str) -> tuple[tuple[str, ...] | None, str]:
    """Read several texts, parted by a comma, a semicolon or their Chinese likes."""
    items = (tidy(item) for item in _SEPARATORS.split(tidy(text)))
    return tuple(item for item in items if item) or None, ""
