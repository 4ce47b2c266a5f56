"""The form: what is filled in, what is locked, what may be chosen, and what is left behind."""

from __future__ import annotations

from typing import Any

import pytest

from kfq_async.sandbox.orders import REVIEW, advance
from kfq_async.sandbox.web.order_form import FormField, FormSection, order_form
from orders import COMPANY, NOW, OPERATOR, order_of


def parts(**request: Any) -> tuple[FormSection, ...]:
    """Return the halves of the form for a request that says this."""
    return order_form(order_of(request)).parts


def blanks(**request: Any) -> dict[str, FormField]:
    """Return the fields of both halves by name."""
    return {blank.name: blank for part in parts(**request) for blank in part.blanks}


def test_filled_in() -> None:
    """Every field of the request stands in the form, numbers by their digits."""
    found = blanks(corpIdentInfo=COMPANY, oprIdentInfo=OPERATOR | {"bankCard": "6222"})
    assert {name: blank.value for name, blank in found.items()} == {
        "companyName": "某某科技有限公司",
        "creditCode": "91110000MA01234567",
        "legalRepName": "张三",
        "companyType": "1",
        "name": "李四",
        "idCardType": "1",
        "idCard": "110101199001011234",
        "mobile": "13900139000",
        "bankCard": "6222",
    }


def test_nothing_filled_in() -> None:
    """A request that says nothing makes an empty form with every method, and nothing locked."""
    assert {blank.value for blank in blanks().values()} == {""}
    assert not [blank for blank in blanks().values() if blank.locked]
    company, operator = parts()
    assert list(company.methods) == ["legalRep", "invite", "letter"]
    assert list(operator.methods) == ["face", "mobile"]
    sheet = order_form(order_of({}))
    assert (sheet.account, sheet.license) == ("", False)


def test_account_and_licence() -> None:
    """The operator's account is shown, and of the licence only that there is one."""
    sheet = order_form(order_of({"accountName": "13800138000", "corpIdentInfo": {"license": "aGk="}}))
    assert (sheet.account, sheet.license) == ("13800138000", True)


def test_locked() -> None:
    """What ``unmodifiableParams`` names is locked if it came filled in, each half for itself."""
    found = blanks(
        corpIdentInfo=COMPANY | {"legalRepName": ""},
        corpIdentConfig={"unmodifiableParams": ["companyName", "companyType", "legalRepName", "name"]},
        oprIdentInfo=OPERATOR,
        oprIdentConfig={"unmodifiableParams": ["idCard", "bankCard", "creditCode"]},
    )
    assert {name for name, blank in found.items() if blank.locked} == {"companyName", "companyType", "idCard"}


def test_unknown_names_are_noticed() -> None:
    """A name in ``unmodifiableParams`` that is no field of the form is kept apart, so that a typo can be shown."""
    company, operator = parts(
        corpIdentConfig={"unmodifiableParams": ["companyname", "license", "creditCode"]},
        oprIdentConfig={"unmodifiableParams": ["idcard"]},
    )
    assert company.unknown == ("companyname",)
    assert operator.unknown == ("idcard",)


@pytest.mark.parametrize(
    ("allowed", "methods"),
    [
        (["letter", "legalRep"], {"letter": "上传授权书", "legalRep": "法定代表人本人认证"}),
        (["new"], {"new": "new"}),
        ([], None),
        (None, None),
    ],
)
def test_methods(allowed: list[str] | None, methods: dict[str, str] | None) -> None:
    """The methods that the request allowed, in its order, unknown ones too; all if it allowed none by name."""
    company, _ = parts(corpIdentConfig={"corpVerifyMethods": allowed})
    assert company.methods == (methods or parts()[0].methods)
    assert company.chosen == next(iter(company.methods))


def test_answers_without_a_form() -> None:
    """A page that is handed in as it is says what the request said, and the first of the methods."""
    sheet = order_form(order_of({"corpIdentInfo": COMPANY, "oprIdentInfo": OPERATOR}))
    assert sheet.answers({}) == {
        "corpIdentInfo": COMPANY,
        "companyVerifyMethod": "legalRep",
        "oprIdentInfo": OPERATOR | {"bankCard": ""},
        "personVerifyMethod": "face",
    }


def test_answers_with_a_form() -> None:
    """What was typed and chosen counts, also if a field was emptied."""
    sheet = order_form(order_of({"corpIdentInfo": COMPANY}))
    typed = {"companyName": "乙公司", "legalRepName": "", "companyType": "2", "idCardType": "7"}
    answers: Any = sheet.answers(typed | {"companyVerifyMethod": "letter", "personVerifyMethod": "mobile"})
    assert answers["corpIdentInfo"] == COMPANY | {"companyName": "乙公司", "legalRepName": "", "companyType": 2}
    assert answers["oprIdentInfo"]["idCardType"] == 7
    assert (answers["companyVerifyMethod"], answers["personVerifyMethod"]) == ("letter", "mobile")


def test_a_forged_form() -> None:
    """A locked field, a method that was not allowed and a number that is none are not taken from anybody."""
    sheet = order_form(
        order_of(
            {
                "corpIdentInfo": COMPANY,
                "corpIdentConfig": {"unmodifiableParams": ["companyName"], "corpVerifyMethods": ["letter"]},
            }
        )
    )
    forged = {"companyName": "骗子", "companyType": "9", "idCardType": "x", "companyVerifyMethod": "legalRep"}
    answers: Any = sheet.answers(forged)
    assert answers["corpIdentInfo"] == COMPANY
    assert answers["oprIdentInfo"]["idCardType"] == ""
    assert answers["companyVerifyMethod"] == "letter"


def test_a_number_that_nobody_knows() -> None:
    """A company type without a name is offered by its number and comes back as it came."""
    sheet = order_form(order_of({"corpIdentInfo": {"companyType": 9}}))
    blank = next(blank for blank in sheet.parts[0].blanks if blank.name == "companyType")
    assert blank.choices is not None
    assert blank.choices["9"] == "9"
    answers: Any = sheet.answers({})
    assert answers["corpIdentInfo"]["companyType"] == 9


def test_a_form_that_was_handed_in_for_review() -> None:
    """In review the form shows what was handed in last, and what was locked still is."""
    order = order_of({"corpIdentInfo": COMPANY, "corpIdentConfig": {"unmodifiableParams": ["companyName"]}})
    typed = {"legalRepName": "王五", "companyVerifyMethod": "invite"}
    company, _ = order_form(advance(order, REVIEW, order_form(order).answers(typed), NOW)).parts
    shown = {blank.name: blank for blank in company.blanks}
    assert shown["legalRepName"].value == "王五"
    assert [name for name, blank in shown.items() if blank.locked] == ["companyName"]
    assert company.chosen == "invite"
