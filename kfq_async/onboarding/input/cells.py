"""Parsers for the text of one cell. Pure.

Each returns the value in the form that is sent, ``None`` for a blank cell, and an error message, which never repeats
the cell. An error means that the cell cannot be what its column holds; improbable values are left to `validation`.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "FieldValue",
    "clean_text",
    "parse_account",
    "parse_card",
    "parse_code",
    "parse_company_name",
    "parse_company_type",
    "parse_credit_code",
    "parse_id",
    "parse_id_card",
    "parse_id_type",
    "parse_integer",
    "parse_list",
    "parse_mobile",
    "parse_person_name",
    "parse_text",
    "private_use_successor",
]

FieldValue = str | int | tuple[str, ...] | None
"""Value of a request's field."""

_MAX_TEXT = 32_767
"""Characters of a cell in a spreadsheet."""
_MAX_CODE = 1000
_MAX_PLACEHOLDER = 16
"""Characters of the longest placeholder or error word; longer cells are not compared."""
# Zero-width characters and direction marks, which are copied along from chats and web pages.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_WHITESPACE = re.compile(r"\s+")
_GUARDS = "'`´‘’"  # apostrophes of all kinds
"""Marks before or after digits that keep a spreadsheet program from converting them."""
_AROUND = _GUARDS + " \t\r\n\v\f\xa0\u3000"
_QUOTED = re.compile(r'=?"([^"]*)"')
"""Text in quotation marks, with ``=`` as web exports write it to keep digits."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENTITY = re.compile(r"_x[0-9A-Fa-f]{4}_|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});")
_PRIVATE_USE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
_PLACEHOLDERS = frozenset(
    {"-", "--", "---", "—", "——", "–", "―", "/", "//", "\\", "#", "*", "."}
    | {"无", "無", "暂无", "没有", "未知", "不详", "待定", "待补", "待补充", "空", "(无)", "(空)"}
    | {"不适用", "未填", "未填写", "待填", "缺"}
    | {"null", "nil", "none", "nan", "n/a", "n.a.", "na", "tbd"}
)
_ERROR_WORD = re.compile(r"#{2,}|#N/A|#GETTING_DATA|#[\w/]+[!?]|ERR:[0-9]{3}", re.IGNORECASE)
_TRAILING_ZEROS = re.compile(r"([0-9]+)\.0+")
_SCIENTIFIC = re.compile(r"[0-9]+(\.[0-9]+)?E\+[0-9]+|[0-9]+\.[0-9]+E[0-9]+", re.IGNORECASE)
_SEPARATORS = re.compile("[,，、;；]")
_DASHES = re.compile(r"[-\u2010-\u2015\u2212\ufe63\uff0d]")
_TELEPHONE_SEPARATORS = re.compile(r"[-\u2010-\u2015\u2212.()]")
_MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})")
_CHINESE = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_CHINESE_CHARACTER = re.compile(f"[{_CHINESE}]")
_CHINESE_NAME = re.compile(rf"[{_CHINESE}\s]+")
_NATIONAL_LENGTHS = (15, 18)
"""Lengths of mainland credit codes and ID numbers, old and new."""
_COMPANY_TYPES = {"1": 1, "企业": 1, "公司": 1, "2": 2, "个体工商户": 2, "个体户": 2, "3": 3, "其他": 3, "其它": 3}
_ID_TYPES = {"身份证": 1, "居民身份证": 1, "二代身份证": 1, "二代居民身份证": 1}

_TOO_LONG = "has more than 1,000 characters, and is no code or number"
_LOST_DIGITS = (
    "is a number in scientific notation (such as 1.38E+10) and has lost digits; "
    "format the column as text, type the number again and save the file"
)
_LINE_BREAK = "has a line break inside; write it on one line, and one company per row"
_SPREADSHEET_ERROR = "holds a spreadsheet error, such as #N/A or ####; correct it"
_LOST_CHARACTER = "has a character that was lost when the file was saved (U+FFFD or a question mark); type it again"


def clean_text(text: str) -> str:
    """Return the text without surrounding whitespace, invisible characters, guards and ``="…"``.

    A guard is an apostrophe or a backtick, which keeps a spreadsheet program from converting digits.
    """
    if text.isalnum():  # nearly every cell, Chinese included: nothing to clean
        return text
    value = _INVISIBLE.sub("", text).strip(_AROUND)
    if quoted := _QUOTED.fullmatch(value):
        value = quoted[1].strip(_AROUND)
    return value.strip()


def _read(text: str) -> tuple[str, str]:
    """Return the cleaned text, empty for a placeholder, and an error message for what no cell should hold."""
    if len(text) > _MAX_TEXT:
        return "", f"has more than {_MAX_TEXT:,} characters"
    value = clean_text(text)
    if len(value) <= _MAX_PLACEHOLDER:
        word = unicodedata.normalize("NFKC", value).casefold()
        if word in _PLACEHOLDERS:
            return "", ""
        if _ERROR_WORD.fullmatch(word):
            return "", _SPREADSHEET_ERROR
    return ("", error) if not value.isalnum() and (error := _character_error(value)) else (value, "")


def _character_error(value: str) -> str:
    """Return an error message for characters that are no text, or an empty string."""
    if "\ufffd" in value:
        return _LOST_CHARACTER
    if control := _CONTROL.search(value):
        return _LINE_BREAK if control[0] in "\r\n\x85\u2028\u2029" else "has a control character; delete it"
    if private := _PRIVATE_USE.search(value):
        successor = private_use_successor(private[0])
        advice = f"write {successor} (U+{ord(successor):X}) for it" if successor else "type it again with another font"
        return f"has the private-use character U+{ord(private[0]):X}, which others cannot read; {advice}"
    return ""


def private_use_successor(character: str) -> str:
    """Return the character that replaced a private-use one of GBK fonts, or an empty string.

    GBK put 80 characters at FE50 to FEA0, and their code points U+E815 to U+E864 were private until Unicode had them.
    """
    if exception := _SUCCESSORS.get(character):
        return exception
    offset = ord(character) - 0xE815
    if not 0 <= offset < 80:
        return ""
    trail = 0x50 + offset + (offset >= 0x2F)  # 7F is no trail byte
    successor = bytes((0xFE, trail)).decode("gb18030")
    return "" if _PRIVATE_USE.match(successor) else successor


_SUCCESSORS = dict(
    zip(
        "\ue816\ue817\ue818\ue81e\ue826\ue82b\ue82c\ue831\ue832\ue83b\ue843\ue854\ue855\ue864",
        "\U00020087\U00020089\U000200cc\u9fb4\u9fb5\u9fb6\u9fb7\U000215d7\u9fb8\U0002298f\u9fb9\u9fba\U000241fe\u9fbb",
        strict=True,
    )
)
"""Successors that the codec of Python, GB18030-2000, does not have."""


def parse_text(text: str) -> tuple[str | None, str]:
    """Parse any text, such as a URL; full-width characters are kept."""
    value, error = _read(text)
    return value or None, error


def parse_company_name(text: str) -> tuple[str | None, str]:
    """Parse the name of a company; full-width characters and blanks are kept."""
    value, error = _read(text)
    error = error or _name_error(value)
    return (None, error) if error else (value or None, "")


def parse_person_name(text: str) -> tuple[str | None, str]:
    """Parse the name of one person; the blanks that align Chinese names (``张　三``) are dropped."""
    value, error = parse_company_name(text)
    if value is None or not _CHINESE_NAME.fullmatch(value):
        return value, error
    parts = value.split()
    if len(parts) > 1 and all(len(part) > 1 for part in parts):
        return None, "has a blank inside a Chinese name; write one person, without blanks"
    return "".join(parts), ""


def _name_error(value: str) -> str:
    if not value or value.isalpha():
        return ""
    if _ENTITY.search(value):
        return "has an escaped character, such as &amp; or _x000D_; write the character itself"
    if ("?" in value or "？" in value) and _CHINESE_CHARACTER.search(value):
        return _LOST_CHARACTER
    return "" if any(map(str.isalpha, value)) else "has no letters, so it is no name"


def parse_id(text: str) -> tuple[str | None, str]:
    """Parse an id of the caller's own system; nothing in it is changed, not even ``.0``."""
    value, error = _read(text)
    if _SCIENTIFIC.fullmatch(value):
        return None, _LOST_DIGITS
    return value or None, error


def parse_code(text: str) -> tuple[str | None, str]:
    """Parse a code of digits or letters; drop whitespace, full width and ``.0``."""
    if len(text) > _MAX_CODE:  # normalising a long run of combining characters would take quadratic time
        return None, _TOO_LONG
    value = _WHITESPACE.sub("", unicodedata.normalize("NFKC", clean_text(text)))
    match = _TRAILING_ZEROS.fullmatch(value)
    return parse_id(match[1] if match else value)


def parse_credit_code(text: str) -> tuple[str | None, str]:
    """Parse a unified social credit code, or another code of a register, in capitals and without separators."""
    return _parse_register_code(text, "[0-9A-Z]+", "has a character that no credit code has")


def parse_id_card(text: str) -> tuple[str | None, str]:
    """Parse the number of an identity document, in capitals; that of a resident card without separators."""
    return _parse_register_code(text, "[0-9A-Z()/-]+", "has a character that no identity document has")


def parse_card(text: str) -> tuple[str | None, str]:
    """Parse the number of a bank card: digits, without separators."""
    value, error = _parse_register_code(text, "[0-9-]+", "has a character that no bank card number has")
    return value and value.replace("-", ""), error


def _parse_register_code(text: str, pattern: str, message: str) -> tuple[str | None, str]:
    value, error = parse_code(text)
    if value is None:
        return None, error
    code = _DASHES.sub("-", value).upper()
    if len(bare := code.replace("-", "")) in _NATIONAL_LENGTHS:
        code = bare  # dashes in other numbers may be part of them
    if not re.fullmatch(pattern, code):
        return None, f"{message}; correct it"
    return (code, "") if code.strip("0") else (None, "has only zeros; leave it blank if it is not known")


def parse_mobile(text: str) -> tuple[str | None, str]:
    """Parse a telephone number; of a mainland mobile number the 11 digits are kept, without separators and +86."""
    value, error = parse_code(text)
    if value is None:
        return None, error
    number = _TELEPHONE_SEPARATORS.sub("", value)
    if match := _MOBILE.fullmatch(number):
        return match[1], ""
    if not re.fullmatch(r"\+?[0-9]+", number):
        return None, "has a character that no telephone number has; correct it"
    return (number, "") if number.strip("+0") else (None, "has only zeros; leave it blank if it is not known")


def parse_account(text: str) -> tuple[str | None, str]:
    """Parse an account: an e-mail address as it is, or a mobile number like `parse_mobile`."""
    value, error = parse_code(text)
    if value is None or "@" in value:
        return value, error
    match = _MOBILE.fullmatch(_TELEPHONE_SEPARATORS.sub("", value))
    return (match[1] if match else value), ""


def parse_integer(text: str) -> tuple[int | None, str]:
    """Parse a whole number of up to nine digits."""
    value, error = parse_code(text)
    if value is None:
        return None, error
    # int() alone would refuse thousands of digits with a message of its own.
    return (int(value), "") if re.fullmatch("[0-9]{1,9}", value) else (None, "must be a whole number")


def parse_id_type(text: str) -> tuple[int | None, str]:
    """Parse a type of identity document: a number, or 身份证 for 1."""
    value, error = parse_code(text)
    if value in _ID_TYPES:
        return _ID_TYPES[value], error
    number, error = parse_integer(text)
    return number, error and f"{error}, or 身份证"


def parse_company_type(text: str) -> tuple[int | None, str]:
    """Parse a company type: 1, 2, 3, or its Chinese name."""
    value, error = parse_code(text)
    if value is None or value in _COMPANY_TYPES:
        return _COMPANY_TYPES.get(value or ""), error
    return None, "must be 1 (企业), 2 (个体工商户) or 3 (其他)"


def parse_list(text: str) -> tuple[tuple[str, ...] | None, str]:
    """Parse several texts, separated by a comma, a semicolon or one of their Chinese counterparts."""
    value, error = _read(text)
    items = (clean_text(item) for item in _SEPARATORS.split(value))
    return tuple(item for item in items if item) or None, error
