"""What can be known to be wrong with a request before it is sent: pure checks, by python-stdnum where it knows.

None says that a number is in use, only that it can be one. So what they find is a warning: even the code in the
platform's own documentation fails its check digit.
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

__all__ = ["check", "require_checks"]

_MOBILE = re.compile(r"(\+?86)?1[3-9][0-9]{9}")
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_RESIDENT_CARD = (None, 1)
"""The values of ``id_card_type`` that are held to be a resident card. The platform documents no list; 1 is what its
example shows, and a card without a type can hardly be anything else."""
_MISTYPED = "has a check digit that does not fit; is it mistyped?"


def check(request: CorpIdentLinkRequest, *, strict: bool = False) -> list[Problem]:
    """Return what is wrong, by field; warnings, or with ``strict`` reasons not to send.

    Raises `SourceError` if python-stdnum is not installed.
    """
    return [Problem(field, words, strict) for field, words in _findings(request) if words]


def require_checks() -> None:
    """Raise `SourceError` if python-stdnum, which `check` needs, is not installed."""
    try:
        import stdnum.cn  # noqa: F401
    except ImportError:
        raise SourceError("checking numbers needs an extra; pip install 'kfq-async[onboarding]'") from None


def _findings(request: CorpIdentLinkRequest) -> Iterator[tuple[str, str]]:
    require_checks()
    corp = request.corp_ident_info or CorpIdentInfo()
    operator = request.opr_ident_info or OprIdentInfo()
    yield "credit_code", _credit_code(corp.credit_code)
    yield "company_type", "" if corp.company_type in {None, 1, 2, 3} else "must be 1, 2 or 3"
    yield "account_name", _account(request.account_name)
    if operator.id_card_type in _RESIDENT_CARD:
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
    # Not validate(): it wants a digit at the start, where codes of rural collectives have an N and unions an A.
    if not re.fullmatch("[0-9]{6}", code[2:8]):
        return "must have the six digits of a region from the third character on"
    try:
        return "" if code[-1] == uscc.calc_check_digit(code) else _MISTYPED
    except ValueError:
        return "has a character that no credit code has; they are digits and capital letters without I, O, S, V and Z"


def _resident_id(value: str | None) -> str:
    from stdnum.cn import ric
    from stdnum.exceptions import InvalidComponent

    if not value:
        return ""
    number = value.upper()
    if not re.fullmatch("[0-9]{17}[0-9X]", number):
        return "must have 17 digits and one more digit or an X, as a resident card has"
    # Not validate(): it looks the district up in a list, and refuses the residence permits of Hong Kong, Macao and
    # Taiwan residents, which have none (810000, 820000, 830000), and districts founded since the list was made.
    try:
        ric.get_birth_date(number)
    except InvalidComponent:
        return "has no date of birth from the seventh digit on"
    return "" if number[-1] == ric.calc_check_digit(number) else _MISTYPED


def _mobile(value: str | None) -> str:
    return "" if not value or _MOBILE.fullmatch(value) else "is no mobile number of the mainland: 11 digits from 13 on"


def _account(value: str | None) -> str:
    fits = not value or _MOBILE.fullmatch(value) or _ADDRESS.fullmatch(value)
    return "" if fits else "is neither a mobile number of the mainland nor an e-mail address"


def _url(value: str | None) -> str:
    if not value:
        return ""
    try:
        url = urlsplit(value)
        fits = url.scheme in {"http", "https"} and url.hostname
    except ValueError:
        fits = False
    return "" if fits else "must be a whole address, with https:// and a host"
