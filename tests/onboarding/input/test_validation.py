"""Checks of requests before they are sent."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from kfq_async.errors import SourceError
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLinkRequest, OprIdentInfo
from kfq_async.onboarding.input.validation import CheckDigits, require_stdnum, validate

GOOD_CODE = "91110000600037341L"
GOOD_ID = "110101199001011237"


def corp(credit_code: str | None = None, company_type: int | None = None) -> CorpIdentLinkRequest:
    """Return a request about a company."""
    return CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(credit_code=credit_code, company_type=company_type))


def operator(id_card: str | None = None, mobile: str | None = None, kind: int | None = None) -> CorpIdentLinkRequest:
    """Return a request about an operator."""
    return CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(id_card=id_card, mobile=mobile, id_card_type=kind))


@pytest.mark.parametrize(
    "request_",
    [
        CorpIdentLinkRequest(),
        corp(GOOD_CODE),
        corp(GOOD_CODE.lower()),
        corp("N21100006000373414"),
        corp(""),
        corp(company_type=3),
        operator(GOOD_ID),
        operator("810000199001011230"),
        operator("820000199001011232"),
        operator("830000199001011234"),
        operator("11010119900101004x"),
        operator("G12345678", kind=2),
        operator(mobile="13800138000"),
        operator(mobile="+8613800138000"),
        operator(mobile="8619900138000"),
        CorpIdentLinkRequest(account_name="13800138000"),
        CorpIdentLinkRequest(account_name="a.b@example.com"),
        CorpIdentLinkRequest(callback_page="https://example.com/x?y=1", auth_callback_url="http://10.0.0.1:8080/"),
    ],
)
def test_valid_requests(request_: CorpIdentLinkRequest) -> None:
    """Well-formed values pass, residence permits and codes of rural collectives included, and so do missing ones."""
    assert validate(request_) == []


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        (corp("91110000MA01234567"), "credit_code", "check digit"),
        (corp("91110000600037342L"), "credit_code", "check digit"),
        (corp("9111000060003734"), "credit_code", "18 characters"),
        (corp("91110000I00037341L"), "credit_code", "has an invalid character"),
        (corp("91ABCDEF600037341L"), "credit_code", "six digits"),
        (corp(company_type=4), "company_type", "1, 2 or 3"),
        (operator("110101199001011238"), "id_card", "check digit"),
        (operator("110101199001011238", kind=1), "id_card", "check digit"),
        (operator("110101199001010000"), "id_card", "check digit"),
        (operator("110101199013011237"), "id_card", "date of birth"),
        (operator("11010119900101"), "id_card", "17 digits"),
        (operator(mobile="12800138000"), "mobile", "11 digits"),
        (operator(mobile="138001380001"), "mobile", "11 digits"),
        (CorpIdentLinkRequest(callback_page="example.com/x"), "callback_page", "https://"),
        (CorpIdentLinkRequest(callback_page="https:///x"), "callback_page", "https://"),
        (CorpIdentLinkRequest(auth_callback_url="ftp://example.com"), "auth_callback_url", "https://"),
        (CorpIdentLinkRequest(auth_callback_url="http://[1"), "auth_callback_url", "https://"),
        (CorpIdentLinkRequest(callback_page=f"https://example.com/{'x' * 4000}"), "callback_page", "4,000 characters"),
    ],
)
def test_findings(request_: CorpIdentLinkRequest, field: str, message: str) -> None:
    """A malformed value is a warning that names its field, and an error with ``strict``."""
    (problem,) = validate(request_)
    assert (problem.column, problem.fatal) == (field, False)
    assert message in problem.message
    assert [problem.fatal for problem in validate(request_, strict=True)] == [True]


@pytest.mark.parametrize(
    ("request_", "field", "message"),
    [
        (CorpIdentLinkRequest(account_name="unknown"), "account_name", "e-mail"),
        (CorpIdentLinkRequest(account_name="1380013800"), "account_name", "mobile"),
        (CorpIdentLinkRequest(account_name="a@b..c"), "account_name", "e-mail"),
        (corp("91110000000000000"), "credit_code", "15 digits"),
        (corp("911100006000373000"), "credit_code", "15 digits"),
        (operator("110101199001011000"), "id_card", "15 digits"),
        (operator("1101011990010110000"), "id_card", "15 digits"),
        (CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(bank_card="6222021234567890000")), "bank_card", "15 digits"),
    ],
)
def test_impossible_values(request_: CorpIdentLinkRequest, field: str, message: str) -> None:
    """An account of neither kind, and digits that a spreadsheet lost, are errors without ``strict`` too."""
    (problem,) = validate(request_)
    assert (problem.column, problem.fatal) == (field, True)
    assert message in problem.message


def test_zeros_in_invented_numbers() -> None:
    """Where most resident cards have a wrong check digit, one that ends in zeros has not lost its digits by itself."""
    invented = [operator(f"11010119900101{number:04d}") for number in range(1, 1001)]
    cards = CheckDigits()
    assert not any(problem.fatal for each in invented for problem in validate(each, cards=cards))
    (found,) = validate(operator("1101011990010110000"), cards=cards)
    assert found.fatal
    for earlier in ([operator(GOOD_ID)] * 30, invented[:15]):
        cards = CheckDigits()
        for each in earlier:
            validate(each, cards=cards)
        assert [problem.fatal for problem in validate(operator("110101199001011000"), cards=cards)] == [True]


def test_a_column_that_lost_its_digits() -> None:
    """Numbers that end in zeros do not make each other invented, also if some check digits are right by chance."""
    births = [f"{year}{month:02d}15" for year in range(1960, 2000) for month in range(1, 13)]
    cards, fatal = CheckDigits(), 0
    for number in [f"110101{birth}{order}000" for birth in births for order in range(10)]:
        found = validate(operator(number), cards=cards)
        wrong = ric.calc_check_digit(number) != "0"
        assert [problem.fatal for problem in found] == ([not number.endswith("0000")] if wrong else [])
        fatal += any(problem.fatal for problem in found)
    assert fatal > 3000


@pytest.mark.parametrize("card", ["6222021234567890128", "6222000000000009", "6222021234567890000000"[:15], ""])
def test_bank_cards(card: str) -> None:
    """A bank card number is not checked otherwise: not all of them have a check digit."""
    assert validate(CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(bank_card=card))) == []


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_any_text_can_be_validated(code: str, card: str, mobile: str, account: str, url: str) -> None:
    """No text makes a check raise an exception."""
    request = CorpIdentLinkRequest(
        account_name=account,
        corp_ident_info=CorpIdentInfo(credit_code=code),
        opr_ident_info=OprIdentInfo(id_card=card, mobile=mobile),
        callback_page=url,
    )
    assert len(validate(request, strict=True)) <= 5


@given(st.from_regex(r"[0-9A-Z]{2}[0-9]{6}[0-9A-Z]{10}", fullmatch=True))
def test_any_code_can_be_validated(code: str) -> None:
    """A code with any letters has at most one finding."""
    assert len(validate(corp(code))) <= 1


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-stdnum the error says how to install it."""
    monkeypatch.setitem(sys.modules, "stdnum", None)
    monkeypatch.setitem(sys.modules, "stdnum.cn", None)
    with pytest.raises(SourceError, match=r"pip install 'kfq-async\[onboarding\]'"):
        require_stdnum()
    with pytest.raises(SourceError, match="needs python-stdnum"):
        validate(CorpIdentLinkRequest())
