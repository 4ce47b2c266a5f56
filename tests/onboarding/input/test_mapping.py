"""Which column is which field, and what request a row makes."""

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
from kfq_async.onboarding.input.mapping import FIELDS, Columns, field_of, index_of, looks_like_data, nearest

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


def test_every_column_has_its_field() -> None:
    """A row with all columns makes a request with all fields but the licence, and without an id."""
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


def test_a_blank_row_is_a_blank_request() -> None:
    """A blank cell leaves its key out, and a part with nothing in it too."""
    request, problems = Columns.of([*FULL]).request([" "] * len(FULL))
    assert problems == ()
    assert {*asdict(request).values()} == {None}


def test_what_cannot_be_read_is_named_by_its_heading() -> None:
    """A problem says the heading as it stands in the file, and the other cells are read all the same."""
    columns = Columns.of(["信用代码", "企业类型（必填）", "手机号"])
    request, problems = columns.request(["9111", "某某", "1.38E+10"])
    assert [problem.column for problem in problems] == ["企业类型（必填）", "手机号"]
    assert all(problem.fatal for problem in problems)
    assert request.corp_ident_info == CorpIdentInfo(credit_code="9111")


def test_columns_can_be_given() -> None:
    """A given heading wins over what would be guessed, and the column that was guessed is free."""
    columns = Columns.of(["甲方名称", "企业名称", "税号", ""], {"company_name": " 甲方名称 "})
    assert columns.places == {"company_name": 0, "credit_code": 2}
    assert columns.unused == ("企业名称",)
    assert columns.field_at(2) == "credit_code"
    assert columns.field_at(1) is None
    assert columns.heading("credit_code") == "税号"
    assert columns.heading("mobile") == "mobile"


def test_a_given_column_fills_one_field() -> None:
    """A heading that was given to a field is not guessed to be another as well."""
    columns = Columns.of(["账号", "税号"], {"mobile": "账号"})
    assert columns.places == {"mobile": 0, "credit_code": 1}


@pytest.mark.parametrize(("wanted", "index"), [("编号", 1), ("税号", 0), ("credit_code", 0)])
def test_a_column_is_found(wanted: str, index: int) -> None:
    """A column goes by its heading, or by the name of the field that it fills."""
    assert Columns.of(["税号", "编号"]).find(wanted) == index


def test_the_very_heading_wins() -> None:
    """Where a column is called like a field that another fills, the column is meant."""
    assert Columns.of(["mobile", "手机号", "税号"], {"mobile": "手机号"}).find("mobile") == 0


@pytest.mark.parametrize(
    ("headings", "given", "said"),
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
        (["税号"], {"licence": "税号"}, "no column can fill licence; these can be filled: company_name"),
    ],
)
def test_what_cannot_be_mapped_is_said(headings: list[str], given: dict[str, str], said: str) -> None:
    """What is missing, mistyped or doubled is named, with what there is."""
    with pytest.raises(SourceError) as problem:
        Columns.of(headings, given)
    assert said in str(problem.value)


def test_a_column_that_is_not_there_is_said() -> None:
    """A key that is no heading is named with its nearest match."""
    with pytest.raises(SourceError, match="did you mean 编号"):
        Columns.of(["税号", "编号"]).find("编号码")


def test_with_a_key_of_its_own_something_must_be_known() -> None:
    """A column of its own as the key makes credit code and account optional, but not every field."""
    assert Columns.of(["企业名称", "编号"], keyed=True).places == {"company_name": 0}
    with pytest.raises(
        SourceError, match="no heading is known; did you mean 企业名? the headings are 企业名, 编号".replace("?", r"\?")
    ):
        Columns.of(["企业名", "编号"], keyed=True)


def test_a_file_without_headings_keeps_its_data() -> None:
    """Where the first row is data, the error repeats none of it."""
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
