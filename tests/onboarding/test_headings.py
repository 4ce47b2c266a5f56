"""What people write above their columns."""

from __future__ import annotations

import pytest

from kfq_async.onboarding.columns import FIELDS
from kfq_async.onboarding.headings import field_of, index_of, looks_like_data, nearest


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("企业名称", "company_name"),
        ("企业名称（必填）", "company_name"),
        ("*企业名称*", "company_name"),
        ("【必填】公司名称", "company_name"),
        ("Company Name", "company_name"),
        ("CompanyName", "company_name"),
        ("companyName", "company_name"),
        ("company_name", "company_name"),
        ("ＣＯＭＰＡＮＹ　ＮＡＭＥ", "company_name"),
        ("单位名称:", "company_name"),
        ("统一社会信用代码/税号", None),
        ("统一社会信用代码", "credit_code"),
        ("税号", "credit_code"),
        ("法定代表人（姓名）", "legal_rep_name"),
        ("法人姓名", "legal_rep_name"),
        ("企业类型（1企业 2个体 3其他）", "company_type"),
        ("账号", "account_name"),
        ("经办人ID", "client_user_id"),
        ("联系人", "operator_name"),
        ("经办人（手机号）", "mobile"),
        ("经办人(身份证号)", "id_card"),
        ("证件类型", "id_card_type"),
        ("联系电话", "mobile"),
        ("银行卡号", "bank_card"),
        ("callbackPage", "callback_page"),
        ("authCallbackUrl", "auth_callback_url"),
        ("备注", None),
        ("", None),
        ("（）", None),
    ],
)
def test_a_heading_names_a_field(heading: str, field: str | None) -> None:
    """Headings are understood in both languages, whatever brackets, marks and blanks stand around."""
    assert field_of(heading) == field


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_has_its_own_name(field: str) -> None:
    """The name of a field and its name on the wire are headings."""
    assert field_of(field) == field
    head, *tail = field.split("_")
    assert field_of(head + "".join(word.title() for word in tail)) == field


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("编号", 0), (" 编号 ", 0), ("Row-No", 1), ("row no", 1), ("row_no", 2), ("甲", None), ("x", None)],
)
def test_a_heading_is_found(wanted: str, index: int | None) -> None:
    """The very heading wins; one that is alike is found if there is no other; one that stands twice is not guessed."""
    assert (
        index_of(wanted, ["编号", "Row-No", "row_no", "甲", "甲"] if wanted != "row no" else ["编号", "Row-No"])
        == index
    )


@pytest.mark.parametrize(
    ("wanted", "headings", "close"),
    [
        ("credit_code", ["企业名称", "统一社会信用编码"], "统一社会信用编码"),
        ("company_name", ["Compny Name"], "Compny Name"),
        ("甲方名称", ["甲方 名称2"], "甲方 名称2"),
        ("credit_code", ["x", ""], ""),
    ],
)
def test_the_nearest_heading(wanted: str, headings: list[str], close: str) -> None:
    """A heading that was mistyped is found by any of the words for its field."""
    assert nearest(wanted, headings) == close


@pytest.mark.parametrize(
    "headings", [["甲公司", "13800138000"], ["a@b.cn"], ["１３８００１３８０００"], ["税号", "91110000MA01234567"]]
)
def test_a_row_of_data_is_no_heading(headings: list[str]) -> None:
    """A first row that holds people's data is recognised, so that no error repeats it."""
    assert looks_like_data(headings)
    assert not looks_like_data(["电话1", "2024"])
