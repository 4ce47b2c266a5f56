"""Keys of companies in a canonical form, so that one company and account written in two ways have one key. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = [
    "canonical_account",
    "canonical_code",
    "code_and_account",
    "combine_key",
    "default_key",
    "displayable",
    "former_keys",
]

_CODE_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT_CODE = re.compile(f"[159ANY][1-9][0-9]{{6}}[{_CODE_CHARACTERS}]{{10}}")
# An ID number, 18 digits or the 15 digits of before 1999, a mobile number, or an e-mail address.
_PERSONAL_DATA = re.compile(
    r"[0-9]{6}(18|19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}[0-9Xx]"
    r"|[0-9]{8}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-9]{3}|(\+?86)?1[3-9][0-9]{9}|.*@.*"
)
_MOBILE = re.compile(r"(?:\+?86|0086)?(1[3-9][0-9]{9})")
_PREFIXES = ("+86", "86", "0086")
_GUARDS = "'`\N{ACUTE ACCENT}\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
_IGNORED = re.compile(f"[\\s{_GUARDS}\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Whitespace, marks that keep a spreadsheet program from converting digits, and invisible characters."""
_DASH = "-\u2010-\u2015\u2212"
_DASHES = re.compile(f"[{_DASH}]")
_TELEPHONE_SEPARATORS = re.compile(f"[{_DASH}.()]")
_NATIONAL_LENGTHS = (15, 18)
"""Lengths of mainland credit codes, old and new; dashes in other codes may be part of them."""
_MAX_LENGTH = 1000
"""Characters that are normalised: a long run of combining characters takes quadratic time."""


def canonical_code(code: str) -> str:
    """Return a company's code in capitals, without whitespace, full width and guards, a credit code without dashes."""
    code = _clean(code).upper()
    bare = _DASHES.sub("", code)
    return bare if len(bare) in _NATIONAL_LENGTHS else code


def canonical_account(account: str) -> str:
    """Return an account as it is compared: an e-mail address in lower case, a mobile number without +86 and separators.

    Whitespace, full width and guards are dropped; another account is kept otherwise.
    """
    account = _clean(account)
    if "@" in account:
        return account.lower()
    mobile = _MOBILE.fullmatch(_TELEPHONE_SEPARATORS.sub("", account))
    return mobile[1] if mobile else account


def _clean(text: str) -> str:
    if text.isascii() and text.isalnum():  # nearly all
        return text
    return _IGNORED.sub("", unicodedata.normalize("NFKC", text) if len(text) <= _MAX_LENGTH else text)


def combine_key(code: str, account: str) -> str:
    """Return the key of a credit code and an account, either of which may be empty."""
    return _join(canonical_code(code), canonical_account(account))


def default_key(request: CorpIdentLinkRequest) -> tuple[str | None, str | None]:
    """Return the default key, credit code and account together, and the credit code alone if it is valid.

    The key is ``None`` if the request has neither.
    """
    code, account = code_and_account(request)
    return combine_key(code, account) if code or account else None, displayable(canonical_code(code))


def code_and_account(request: CorpIdentLinkRequest) -> tuple[str, str]:
    """Return the credit code and the account of a request, empty if it has none."""
    info = request.corp_ident_info
    return (info and info.credit_code) or "", request.account_name or ""


def former_keys(*spellings: tuple[str, str]) -> tuple[str, ...]:
    """Return the other keys under which ledgers of earlier versions may hold the company of a default key.

    They were made of code and account as written, but for the case of the code. A mobile number may have been written
    with each prefix.

    Args:
        spellings: Code and account, as they are sent and as they are written in the file.
    """
    codes: dict[str, None] = {}
    accounts: dict[str, None] = {}
    for code, account in spellings:
        canonical = canonical_account(account)
        codes |= {canonical_code(code): None, code.upper(): None}
        accounts |= {canonical: None, account: None}
        if _MOBILE.fullmatch(canonical):
            accounts |= {prefix + canonical: None for prefix in _PREFIXES}
    _, *former = [_join(code, account) for code in codes for account in accounts]
    return tuple(former)


def displayable(key: str) -> str | None:
    """Return a key if it may be shown, whatever its column: a valid credit code, which is public.

    Its last character is a check digit (GB 32100): the values of all, weighted by powers of 3, add up to a multiple of
    31. An ID number can have the same form, and is never shown.
    """
    if not _CREDIT_CODE.fullmatch(key) or _PERSONAL_DATA.fullmatch(key):
        return None
    *values, check = map(_CODE_CHARACTERS.index, key)
    total = sum(value * pow(3, index, 31) for index, value in enumerate(values))
    return key if (total + check) % 31 == 0 else None


def _join(code: str, account: str) -> str:
    return f"{code}\x1f{account}"
