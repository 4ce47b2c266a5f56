"""Checks of a request before it is sent, some by python-stdnum. Pure.

There are two grades of findings. What is improbable is a warning, because a check cannot tell whether a number is in
use: even the credit code in the platform's own documentation fails its check digit. What is impossible, such as an
account that is neither a mobile number nor an e-mail address, is fatal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attrs import define

from kfq_async.errors import SourceError
from kfq_async.models.identity import CorpIdentInfo, OprIdentInfo
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["CheckDigits", "require_stdnum", "validate"]

_MOBILE = re.compile(r"(\+?86)?1[3-9][0-9]{9}")
# Possessive, so that no text makes it try a character twice.
_EMAIL = re.compile(r"[^@\s]++@(?:[^@\s.]++\.)++[^@\s.]++")
_MAX_URL = 4000
"""Characters of a URL; urlsplit normalises its host, which takes quadratic time for a run of combining characters."""
_RESIDENT_CARD_TYPES = (None, 1)
"""Values of ``id_card_type`` taken for a resident card. The platform documents no list; its example shows 1, and a card
without a type can hardly be anything else."""
_MAX_DIGITS = 15
"""Digits that a spreadsheet keeps of a number; it replaces the others by zeros."""
_MANY_CARDS = 20
"""Resident cards of a source from which on their check digits tell whether it is invented."""
_NOT_A_MOBILE = "is not a mainland mobile number (11 digits, starting with 13 to 19)"
_WRONG_CHECK_DIGIT = "has a wrong check digit; is it mistyped?"
_LOST_DIGITS = (
    "ends in zeros and has a wrong check digit: a spreadsheet keeps 15 digits of a number; format the column as text "
    "and type it again"
)
_IMPOSSIBLE_ACCOUNT = "is neither a mainland mobile number nor an e-mail address"
_IMPOSSIBLE = frozenset({_LOST_DIGITS, _IMPOSSIBLE_ACCOUNT})
"""Messages that are fatal without ``strict`` too."""


@define(eq=False)
class CheckDigits:
    """Counts the resident cards of a source that do not end in zeros, and those of them with a wrong check digit."""

    checked: int = 0
    wrong: int = 0

    def count(self, *, wrong: bool) -> None:
        """Count a resident card."""
        self.checked += 1
        self.wrong += wrong

    @property
    def invented(self) -> bool:
        """Whether most are wrong, as in invented data: a wrong one does not tell that digits were lost."""
        return self.checked >= _MANY_CARDS and 2 * self.wrong > self.checked


def validate(request: CorpIdentLinkRequest, *, strict: bool = False, cards: CheckDigits | None = None) -> list[Problem]:
    """Return the problems of a request by field: warnings, or fatal if impossible or with ``strict``.

    ``cards`` counts the resident cards of the requests before. Raises `SourceError` if python-stdnum is not installed.
    """
    found = _messages(request, cards or CheckDigits())
    return [Problem(field, message, strict or message in _IMPOSSIBLE) for field, message in found if message]


def require_stdnum() -> None:
    """Raise `SourceError` if python-stdnum, which `validate` needs, is not installed."""
    try:
        import stdnum.cn  # noqa: F401
    except ImportError:
        raise SourceError("checking numbers needs python-stdnum; run pip install 'kfq-async[onboarding]'") from None


def _messages(request: CorpIdentLinkRequest, cards: CheckDigits) -> Iterator[tuple[str, str]]:
    require_stdnum()
    corp = request.corp_ident_info or CorpIdentInfo()
    operator = request.opr_ident_info or OprIdentInfo()
    yield "credit_code", _credit_code(corp.credit_code)
    yield "company_type", "" if corp.company_type in {None, 1, 2, 3} else "must be 1, 2 or 3"
    yield "account_name", _account(request.account_name)
    if operator.id_card and operator.id_card_type in _RESIDENT_CARD_TYPES:
        yield "id_card", _resident_id(operator.id_card, cards)
    yield "mobile", _mobile(operator.mobile)
    yield "bank_card", _bank_card(operator.bank_card)
    yield "callback_page", _url(request.callback_page)
    yield "auth_callback_url", _url(request.auth_callback_url)


def _credit_code(value: str | None) -> str:
    from stdnum.cn import uscc

    if not value:
        return ""
    code = value.upper()
    if len(code) != 18:
        if _ends_in_lost_digits(code):
            return _LOST_DIGITS
        return "must have 18 characters"
    # Not uscc.validate(): it demands a digit at the start, where codes of rural collectives have N and of unions A.
    if not re.fullmatch("[0-9]{6}", code[2:8]):
        return "must have the six digits of a region as its characters 3 to 8"
    try:
        return "" if code[-1] == uscc.calc_check_digit(code) else _wrong_check_digit(code)
    except ValueError:
        return "has an invalid character; a credit code has digits and capital letters except I, O, S, V and Z"


def _resident_id(value: str, cards: CheckDigits) -> str:
    from stdnum.cn import ric
    from stdnum.exceptions import InvalidComponent

    number = value.upper()
    if not re.fullmatch("[0-9]{17}[0-9X]", number):
        if _ends_in_lost_digits(number):
            return _LOST_DIGITS
        return "is not the number of a resident card (17 digits, then a digit or X)"
    # Not ric.validate(): it looks the district up in a list that lacks newer districts and the codes of residence
    # permits for Hong Kong, Macao and Taiwan residents (810000, 820000, 830000).
    try:
        ric.get_birth_date(number)
    except InvalidComponent:
        return "has no valid date of birth in its digits 7 to 14"
    wrong = number[-1] != ric.calc_check_digit(number)
    if not _ends_in_lost_digits(number):
        cards.count(wrong=wrong)
    # A spreadsheet keeps the 15th digit: where that is zero, too, the number is rather a placeholder.
    elif wrong and not number.endswith("0000") and not cards.invented:
        return _LOST_DIGITS
    return _WRONG_CHECK_DIGIT if wrong else ""


def _bank_card(value: str | None) -> str:
    """Return the message for digits that were lost; other numbers are not checked, since not all have a check digit."""
    from stdnum import luhn

    return _LOST_DIGITS if value and _ends_in_lost_digits(value) and not luhn.is_valid(value) else ""


def _wrong_check_digit(number: str) -> str:
    return _LOST_DIGITS if _ends_in_lost_digits(number) else _WRONG_CHECK_DIGIT


def _ends_in_lost_digits(number: str) -> bool:
    """Return whether a number has more digits than a spreadsheet keeps, and zeros in place of the others."""
    return len(number) > _MAX_DIGITS and number.isdecimal() and not number[_MAX_DIGITS:].strip("0")


def _mobile(value: str | None) -> str:
    return "" if not value or _MOBILE.fullmatch(value) else _NOT_A_MOBILE


def _account(value: str | None) -> str:
    valid = not value or _MOBILE.fullmatch(value) or _EMAIL.fullmatch(value)
    return "" if valid else _IMPOSSIBLE_ACCOUNT


def _url(value: str | None) -> str:
    if not value:
        return ""
    if len(value) > _MAX_URL:
        return f"has more than {_MAX_URL:,} characters, which no URL should have"
    try:
        url = urlsplit(value)
        valid = url.scheme in {"http", "https"} and url.hostname
    except ValueError:
        valid = False
    return "" if valid else "must be a complete URL, such as https://your-domain.com/path"
