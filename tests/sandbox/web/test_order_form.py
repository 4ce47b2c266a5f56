"""Form of an order: values, locked fields, choices, and the data that a post yields."""

from __future__ import annotations

from typing import Any

import pytest

from kfq_async.sandbox.orders import REVIEW, perform
from kfq_async.sandbox.web.order_form import FormField, FormSection, order_form
from orders import COMPANY, NOW, OPERATOR, order_of


def sections(**request: Any) -> tuple[FormSection, ...]:
    """Return the sections of the form for a request."""
    return order_form(order_of(request)).sections


def form_fields(**request: Any) -> dict[str, FormField]:
    """Return the fields of both sections by name."""
    return {field.name: field for section in sections(**request) for field in section.fields}


def test_filled_in() -> None:
    """The form holds every field of the request, numbers as text."""
    fields = form_fields(corpIdentInfo=COMPANY, oprIdentInfo=OPERATOR | {"bankCard": "6222"})
    assert {name: field.value for name, field in fields.items()} == {
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


def test_empty_request() -> None:
    """An empty request makes an empty form with every method, and nothing locked."""
    assert {field.value for field in form_fields().values()} == {""}
    assert not [field for field in form_fields().values() if field.locked]
    company, operator = sections()
    assert list(company.methods) == ["legalRep", "invite", "letter"]
    assert list(operator.methods) == ["face", "mobile"]
    form = order_form(order_of({}))
    assert (form.account, form.has_license) == ("", False)


def test_account_and_licence() -> None:
    """The form holds the operator's account, and whether there is a licence."""
    form = order_form(order_of({"accountName": "13800138000", "corpIdentInfo": {"license": "aGk="}}))
    assert (form.account, form.has_license) == ("13800138000", True)


def test_locked_fields() -> None:
    """A field that ``unmodifiableParams`` of its section names is locked if the request fills it in."""
    fields = form_fields(
        corpIdentInfo=COMPANY | {"legalRepName": ""},
        corpIdentConfig={"unmodifiableParams": ["companyName", "companyType", "legalRepName", "name"]},
        oprIdentInfo=OPERATOR,
        oprIdentConfig={"unmodifiableParams": ["idCard", "bankCard", "creditCode"]},
    )
    assert {name for name, field in fields.items() if field.locked} == {"companyName", "companyType", "idCard"}


def test_unknown_unmodifiable_params() -> None:
    """A name in ``unmodifiableParams`` that is no field of the form is reported, so that a typo can be shown."""
    company, operator = sections(
        corpIdentConfig={"unmodifiableParams": ["companyname", "license", "creditCode"]},
        oprIdentConfig={"unmodifiableParams": ["idcard"]},
    )
    assert company.unknown_params == ("companyname",)
    assert operator.unknown_params == ("idcard",)


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
    """The form offers the methods that the request allows, unknown ones included; all if it names none."""
    company, _ = sections(corpIdentConfig={"corpVerifyMethods": allowed})
    assert company.methods == (methods or sections()[0].methods)
    assert company.chosen == next(iter(company.methods))


def test_form_data_of_an_empty_post() -> None:
    """An empty post keeps the values of the request, and the first of the methods."""
    form = order_form(order_of({"corpIdentInfo": COMPANY, "oprIdentInfo": OPERATOR}))
    assert form.form_data({}) == {
        "corpIdentInfo": COMPANY,
        "companyVerifyMethod": "legalRep",
        "oprIdentInfo": OPERATOR | {"bankCard": ""},
        "personVerifyMethod": "face",
    }


def test_form_data_of_a_post() -> None:
    """Posted values and methods replace those of the request, empty values included."""
    form = order_form(order_of({"corpIdentInfo": COMPANY}))
    posted = {"companyName": "乙公司", "legalRepName": "", "companyType": "2", "idCardType": "7"}
    form_data: Any = form.form_data(posted | {"companyVerifyMethod": "letter", "personVerifyMethod": "mobile"})
    assert form_data["corpIdentInfo"] == COMPANY | {"companyName": "乙公司", "legalRepName": "", "companyType": 2}
    assert form_data["oprIdentInfo"]["idCardType"] == 7
    assert (form_data["companyVerifyMethod"], form_data["personVerifyMethod"]) == ("letter", "mobile")


def test_forged_post() -> None:
    """A posted value is ignored for a locked field, a method that is not allowed and an unknown choice."""
    form = order_form(
        order_of(
            {
                "corpIdentInfo": COMPANY,
                "corpIdentConfig": {"unmodifiableParams": ["companyName"], "corpVerifyMethods": ["letter"]},
            }
        )
    )
    forged = {"companyName": "骗子", "companyType": "9", "idCardType": "x", "companyVerifyMethod": "legalRep"}
    form_data: Any = form.form_data(forged)
    assert form_data["corpIdentInfo"] == COMPANY
    assert form_data["oprIdentInfo"]["idCardType"] == ""
    assert form_data["companyVerifyMethod"] == "letter"


def test_unknown_number() -> None:
    """An unknown company type in the request is offered by its number and kept."""
    form = order_form(order_of({"corpIdentInfo": {"companyType": 9}}))
    field = next(field for field in form.sections[0].fields if field.name == "companyType")
    assert field.choices is not None
    assert field.choices["9"] == "9"
    form_data: Any = form.form_data({})
    assert form_data["corpIdentInfo"]["companyType"] == 9


def test_form_after_a_review() -> None:
    """In progress, the form holds the values submitted last, and locked fields stay locked."""
    order = order_of({"corpIdentInfo": COMPANY, "corpIdentConfig": {"unmodifiableParams": ["companyName"]}})
    posted = {"legalRepName": "王五", "companyVerifyMethod": "invite"}
    company, _ = order_form(perform(REVIEW, order, order_form(order).form_data(posted), NOW)).sections
    fields = {field.name: field for field in company.fields}
    assert fields["legalRepName"].value == "王五"
    assert [name for name, field in fields.items() if field.locked] == ["companyName"]
    assert company.chosen == "invite"
