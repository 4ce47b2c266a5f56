"""Checks of a request before it is sent, some by python-stdnum. Pure.

A check cannot tell whether a number is in use, only whether it is well-formed, so by default its findings are
warnings: even the credit code in the platform's own documentation fails its check digit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kfq_async.errors import SourceError
from kfq_async.models.identity import CorpIdentInfo, OprIdentInfo
from kfq_async.onboarding.records import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfq_async.models.identity import CorpIdentLinkRequest

__all__ = ["require_stdnum", "validate"]

_MOBILE = re.compile(r"(\+?86)?1[3-9][0-9]{9}")
# Possessive, so that no text makes it try a character twice.
_EMAIL = re.compile(r"[^@\s]++@(?:[^@\s.]++\.)++[^@\s.]++")
_MAX_URL = 4000
"""Characters of a URL; urlsplit normalises its host, which takes quadratic time for a run of combining characters."""
_RESIDENT_CARD_TYPES = (None, 1)
"""Values of ``id_card_type`` taken for a resident card. The platform documents no list; its example shows 1, and a card
without a type can hardly be anything else."""
_NOT_A_MOBILE = "is not a mainland mobile number (11 digits, starting with 13 to 19)"
_WRONG_CHECK_DIGIT = "has a wrong check digit; is it mistyped?"


def validate(request: CorpIdentLinkRequest, *, strict: bool = False) -> list[Problem]:
    """Return the problems of a request by field: warnings, or fatal with ``strict``.

    Raises `SourceError` if python-stdnum is not installed.
    """
    return [Problem(field, message, strict) for field, message in _messages(request) if message]


def require_stdnum() -> None:
    """Raise `SourceError` if python-stdnum, which `validate` needs, is not installed."""
    try:
        import stdnum.cn  # noqa: F401
    except ImportError:
        raise SourceError("checking numbers needs python-stdnum; run pip install 'kfq-async[onboarding]'") from None


def _messages(request: CorpIdentLinkRequest) -> Iterator[tuple[str, str]]:
    require_stdnum()
    corp = request.corp_ident_info or CorpIdentInfo()
    operator = request.opr_ident_info or OprIdentInfo()
    yield "credit_code", _credit_code(corp.credit_code)
    yield "company_type", "" if corp.company_type in {None, 1, 2, 3} else "must be 1, 2 or 3"
    yield "account_name", _account(request.account_name)
    if operator.id_card_type in _RESIDENT_CARD_TYPES:
        yield "id_card", _resident_id(operator.id_card)
    yield "mobile", _mobile(operator.mobile)
    yield "callback_page", _url(request.callback_page)
    yield "auth_callback_url", _url(request.auth_callback_url)


def _credit_code(value: str | None) -> str:
    from stdnum.cn import uscc

    if not value:
        return ""
    code = value.upper()
    if len(code) != 18:
        return "must have 18 characters"
    # Not uscc.validate(): it demands a digit at the start, where codes of rural collectives have N and of unions A.
    if not re.fullmatch("[0-9]{6}", code[2:8]):
        return "must have the six digits of a region as its characters 3 to 8"
    try:
        return "" if code[-1] == uscc.calc_check_digit(code) else _WRONG_CHECK_DIGIT
    except ValueError:
        return "has an invalid character; a credit code has digits and capital letters except I, O, S, V and Z"


def _resident_id(value: str | None) -> str:
    from stdnum.cn import ric
    from stdnum.exceptions import InvalidComponent

    if not value:
        return ""
    number = value.upper()
    if not re.fullmatch("[0-9]{17}[0-9X]", number):
        return "is not the number of a resident card (17 digits, then a digit or X)"
    # Not ric.validate(): it looks the district up in a list that lacks newer districts and the codes of residence
    # permits for Hong Kong, Macao and Taiwan residents (810000, 820000, 830000).
    try:
        ric.get_birth_date(number)
    except InvalidComponent:
        return "has no valid date of birth in its digits 7 to 14"
    return "" if number[-1] == ric.calc_check_digit(number) else _WRONG_CHECK_DIGIT


def _mobile(value: str | None) -> str:
    return "" if not value or _MOBILE.fullmatch(value) else _NOT_A_MOBILE


def _account(value: str | None) -> str:
    valid = not value or _MOBILE.fullmatch(value) or _EMAIL.fullmatch(value)
    return "" if valid else "is neither a mainland mobile number nor an e-mail address"


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
