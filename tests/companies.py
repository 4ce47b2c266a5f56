"""Rows of invented companies, for the tests of onboarding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfq_async import CorpIdentInfo, CorpIdentLinkRequest, OprIdentInfo
from kfq_async.onboarding.records import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

PERSON = "欧阳测试"
ID_CARD = "999999198106182362"
MOBILE = "18600009205"
BANK_CARD = "6222029999990000001"
PERSONAL = (PERSON, ID_CARD, MOBILE, BANK_CARD)


def request(number: int = 0, *, name: str | None = None) -> CorpIdentLinkRequest:
    """Return the request of a company, with personal data and without an id."""
    return CorpIdentLinkRequest(
        account_name=MOBILE,
        corp_ident_info=CorpIdentInfo(company_name=name or f"公司{number}", legal_rep_name=PERSON),
        opr_ident_info=OprIdentInfo(name=PERSON, id_card=ID_CARD, mobile=MOBILE, bank_card=BANK_CARD),
        client_request_id=None,
    )


def row(number: int = 0, *, key: str | None = None, name: str | None = None) -> Row:
    """Return the row of a company, whose key holds a mobile number."""
    return Row(
        row_number=number + 2,
        key=key or f"C{number}\x1f{MOBILE}",
        request=request(number, name=name),
        label=f"C{number}",
    )


def rows(count: int) -> Iterator[Row]:
    """Yield the rows of many companies."""
    return (row(number) for number in range(count))
