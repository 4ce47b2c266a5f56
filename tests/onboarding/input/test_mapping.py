"""Mapping of columns to fields, and of rows to requests."""

from __future__ import annotations

import pytest
from attrs import asdict

from kfq_async.errors import SourceError
from kfq_async.models.identity import (
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.onboarding.input.mapping import (
    FIELDS,
    Columns,
    closest_heading,
    field_for_heading,
    find_heading,
    find_heading_row,
    looks_like_data,
    same_heading,
)

FULL = {
    "company_name": "甲公司",
    "credit_code": "91110000MA01234567",
    "legal_rep_name": "张三",
    "company_type": "个体工商户",
    "account_name": "a@example.com",
    "client_user_id": "u-1",
    "operator_name": "李四",
    "id_card": "110101199001011237",
    "id_card_type": "1",
    "mobile": "13800138000.0",
    "bank_card": "6222 0000 0000 0000",
    "corp_verify_methods": "legalRep、invite",
    "person_verify_methods": "face，mobile",
    "corp_unmodifiable_params": "companyName",
    "opr_unmodifiable_params": "mobile;name",
    "callback_page": "https://example.com/p",
    "auth_callback_url": "https://example.com/n",
}


def test_request_of_a_full_row() -> None:
    """A row with all columns makes a request with all fields except the licence and the id."""
    assert FULL.keys() == FIELDS.keys()
    request, problems = Columns.of([*FULL]).request([*FULL.values()])
    assert problems == ()
    assert request == CorpIdentLinkRequest(
        account_name="a@example.com",
        client_user_id="u-1",
        corp_ident_info=CorpIdentInfo(
            company_name="甲公司", credit_code="91110000MA01234567", legal_rep_name="张三", company_type=2
        ),
        corp_ident_config=CorpIdentConfig(
            corp_verify_methods=["legalRep", "invite"], unmodifiable_params=["companyName"]
        ),
        opr_ident_info=OprIdentInfo(
            name="李四",
            id_card="110101199001011237",
            id_card_type=1,
            mobile="13800138000",
            bank_card="6222000000000000",
        ),
        opr_ident_config=OprIdentConfig(
            person_verify_methods=["face", "mobile"], unmodifiable_params=["mobile", "name"]
        ),
        callback_page="https://example.com/p",
        auth_callback_url="https://example.com/n",
        client_request_id=None,
    )


def test_request_of_a_blank_row() -> None:
    """Blank cells leave their fields out, and models without fields too."""
    request, problems = Columns.of([*FULL]).request([" "] * len(FULL))
    assert problems == ()
    assert {*asdict(request).values()} == {None}


def test_problems_name_the_heading() -> None:
    """A problem names the heading as written in the file, and the other cells are parsed all the same."""
    columns = Columns.of(["信用代码", "企业类型（必填）", "手机号"])
    request, problems = columns.request(["9111", "某某", "1.38E+10"])
    assert [problem.column for problem in problems] == ["企业类型（必填）", "手机号"]
    assert all(problem.fatal for problem in problems)
    assert request.corp_ident_info == CorpIdentInfo(credit_code="9111")


def test_explicit_column() -> None:
    """An explicit heading takes precedence over a recognised one, whose column is then unused."""
    columns = Columns.of(["甲方名称", "企业名称", "税号", ""], {"company_name": " 甲方名称 "})
    assert columns.indexes == {"company_name": 0, "credit_code": 2}
    assert columns.unused == ("企业名称",)
    assert columns.field_at(2) == "credit_code"
    assert columns.field_at(1) is None
    assert columns.heading("credit_code") == "税号"
    assert columns.heading("mobile") == "mobile"


def test_explicit_column_fills_one_field() -> None:
    """A heading that is mapped explicitly is not recognised as a second field."""
    columns = Columns.of(["账号", "税号"], {"mobile": "账号"})
    assert columns.indexes == {"mobile": 0, "credit_code": 1}


@pytest.mark.parametrize(("wanted", "index"), [("编号", 1), ("税号", 0), ("credit_code", 0)])
def test_find(wanted: str, index: int) -> None:
    """A column is found by its heading, or by the field that it fills."""
    assert Columns.of(["税号", "编号"]).find(wanted) == index


def test_find_prefers_the_heading() -> None:
    """A heading that equals the name of a field takes precedence over the column of that field."""
    assert Columns.of(["mobile", "手机号", "税号"], {"mobile": "手机号"}).find("mobile") == 0


@pytest.mark.parametrize(
    ("headings", "explicit", "message"),
    [
        (["手机", "联系电话", "税号"], {}, "the columns 手机 and 联系电话 both mean mobile"),
        (["税号", "税号"], {}, "the columns 税号 and 税号 both mean credit_code"),
        (
            ["企业名称", "信用编码"],
            {},
            "no column for credit_code or account_name; did you mean 信用编码? the headings are 企业",
        ),
        (["企业名称", "备注"], {}, "no column for credit_code or account_name; the headings are 企业名称, 备注"),
        (["税号"], {"company_name": "甲方"}, "there is no column 甲方, or more than one; the headings are 税号"),
        (["税号", "甲方名"], {"company_name": "甲方名称"}, "did you mean 甲方名?"),
        (["税号", "甲", "甲"], {"company_name": "甲"}, "no column 甲, or more than one"),
        (["税号"], {"licence": "税号"}, "there is no field licence; choose one of company_name"),
    ],
)
def test_mapping_errors(headings: list[str], explicit: dict[str, str], message: str) -> None:
    """A missing, mistyped or repeated heading is an error that lists the headings."""
    with pytest.raises(SourceError) as problem:
        Columns.of(headings, explicit)
    assert message in str(problem.value)


def test_find_without_match() -> None:
    """A key that is no heading is an error with the closest heading."""
    with pytest.raises(SourceError, match="did you mean 编号"):
        Columns.of(["税号", "编号"]).find("编号码")


def test_key_is_not_required() -> None:
    """With a key column, credit code and account are optional, but one field must be recognised."""
    assert Columns.of(["企业名称", "编号"], key_required=False).indexes == {"company_name": 0}
    with pytest.raises(
        SourceError,
        match="no heading is recognised; did you mean 企业民称? the headings are 企业民称, 编号".replace("?", r"\?"),
    ):
        Columns.of(["企业民称", "编号"], key_required=False)


def test_missing_headings() -> None:
    """If the first row is data, the error repeats none of it."""
    with pytest.raises(SourceError, match="put a row of headings above it") as problem:
        Columns.of(["甲公司", "91110000MA01234567", "张三", "13800138000"])
    assert "张三" not in str(problem.value)


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
        ("企业名称*必填", "company_name"),
        ("手机号码：必填", "mobile"),
        ("经办人姓名 (必填项）", "operator_name"),
        ("选填-银行卡号", "bank_card"),
        ("Mobile (required)", "mobile"),
        ("必填", None),
        ("公司名", "company_name"),
        ("社会统一信用代码", "credit_code"),
        ("联系人电话", "mobile"),
        ("联系人手机号", "mobile"),
        ("联系人身份证号", "id_card"),
        ("办理人姓名", "operator_name"),
        ("法人手机号", None),
        ("法人身份证号", None),
        ("备注", None),
        ("", None),
        ("（）", None),
    ],
)
def test_field_for_heading(heading: str, field: str | None) -> None:
    """Headings are recognised in both languages, with any brackets, punctuation and whitespace."""
    assert field_for_heading(heading) == field


@pytest.mark.parametrize("bank", ["开户银行", "开户行名称", "Bank Name", "银行"])
@pytest.mark.parametrize("account", ["账号", "账户", "Account"])
def test_account_of_a_bank(bank: str, account: str) -> None:
    """An account beside a bank is the company's; the operator's is named or chosen."""
    with pytest.raises(SourceError, match=f"the column {account} stands beside a bank"):
        Columns.of(["税号", bank, account])
    assert Columns.of(["税号", bank, account], {"account_name": account}).indexes["account_name"] == 2
    assert Columns.of(["税号", bank, "经办人账号"]).indexes["account_name"] == 2
    assert Columns.of(["税号", bank]).indexes == {"credit_code": 0}
    assert Columns.of(["银行卡号", account]).indexes["account_name"] == 1


@pytest.mark.parametrize(
    ("rows", "index"),
    [
        ([["企业名称", "税号"], ["甲", "1"]], 0),
        ([["名单（截至20240630）", "", ""], ["企业名称", "税号"], ["甲", "1"]], 1),
        ([["供应商", "", "制表日期：2024年6月"], ["单位：元"], ["企业名称", "税号"]], 2),
        ([["企业信息", "", "经办人"], ["企业名称", "税号", "姓名"]], 1),
        ([["税号", "备注"], ["1", "甲"]], 0),
        ([["x"], ["y"]], 0),
    ],
)
def test_find_heading_row(rows: list[list[str]], index: int) -> None:
    """A title above the headings is skipped if a later row names several fields."""
    assert find_heading_row(rows) == index


def test_expected_headings() -> None:
    """A row with a heading that the caller named is the row of headings."""
    rows = [["名单"], ["甲方", "代码"], ["企业名称", "税号"]]
    assert find_heading_row(rows, ["甲方"]) == 1
    assert find_heading_row(rows, ["乙方"]) == 2


@pytest.mark.parametrize(
    ("cell", "heading"),
    [("企业名称", "企业名称"), ("企业名称 *", "*企业名称（必填）"), (" company name", "COMPANY_NAME")],
)
def test_same_heading(cell: str, heading: str) -> None:
    """A repeated heading is found whatever its case and punctuation."""
    assert same_heading(cell, heading)


@pytest.mark.parametrize(("cell", "heading"), [("甲", "企业名称"), ("*", "-"), ("x" * 1001, "x" * 1000)])
def test_other_text_than_the_heading(cell: str, heading: str) -> None:
    """Other text is no heading, and punctuation alone is none either."""
    assert not same_heading(cell, heading)


@pytest.mark.parametrize("field", FIELDS)
def test_field_names_are_headings(field: str) -> None:
    """A field's name is recognised in snake case and in camel case."""
    assert field_for_heading(field) == field
    head, *tail = field.split("_")
    assert field_for_heading(head + "".join(word.title() for word in tail)) == field


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("编号", 0), (" 编号 ", 0), ("Row-No", 1), ("row no", 1), ("row_no", 2), ("甲", None), ("x", None)],
)
def test_find_heading(wanted: str, index: int | None) -> None:
    """An exact match comes first, then a similar one; a heading that occurs twice is not found."""
    assert (
        find_heading(wanted, ["编号", "Row-No", "row_no", "甲", "甲"] if wanted != "row no" else ["编号", "Row-No"])
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
def test_closest_heading(wanted: str, headings: list[str], close: str) -> None:
    """A mistyped heading is found by any synonym of its field."""
    assert closest_heading(wanted, headings) == close


@pytest.mark.parametrize(
    "headings", [["甲公司", "13800138000"], ["a@b.cn"], ["１３８００１３８０００"], ["税号", "91110000MA01234567"]]
)
def test_looks_like_data(headings: list[str]) -> None:
    """A first row with personal data is recognised, so that no error repeats it."""
    assert looks_like_data(headings)
    assert not looks_like_data(["电话1", "2024"])
