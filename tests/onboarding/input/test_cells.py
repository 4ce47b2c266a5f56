"""Parsers of cells: values, and error messages that never repeat the cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.onboarding.input.cells import (
    clean_text,
    parse_account,
    parse_card,
    parse_code,
    parse_company_name,
    parse_company_type,
    parse_credit_code,
    parse_id,
    parse_id_card,
    parse_id_type,
    parse_integer,
    parse_list,
    parse_mobile,
    parse_person_name,
    parse_text,
    private_use_successor,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PARSERS = (
    parse_text,
    parse_id,
    parse_company_name,
    parse_person_name,
    parse_credit_code,
    parse_id_card,
    parse_card,
    parse_mobile,
    parse_account,
    parse_integer,
    parse_id_type,
    parse_company_type,
    parse_list,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("13800138000", "13800138000"),
        ("13800138000.0", "13800138000"),
        ("13800138000.000", "13800138000"),
        ("'13800138000", "13800138000"),
        ("\u202d13800138000\u202c", "13800138000"),
        ("\u00a0138\u200b00138000\u3000", "13800138000"),
        ("138 0013 8000", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("９１１１００００ＭＡ０１２３４５６７", "91110000MA01234567"),
        ("a@example.com", "a@example.com"),
        ("9111000000000E3412", "9111000000000E3412"),
        ("13800138000.5", "13800138000.5"),
        (" \u200b ", None),
        ("", None),
    ],
)
def test_parse_code(text: str, value: str | None) -> None:
    """A mobile that was stored as a number, with spaces or in full width is restored."""
    assert parse_code(text) == (value, "")


@pytest.mark.parametrize("parse", [parse_code, parse_id, parse_integer, parse_company_type])
@pytest.mark.parametrize("text", ["1.3800138E+10", "1E+17", "1.10101E+17", "1.3e10"])
def test_lost_digits_are_an_error(parse: object, text: str) -> None:
    """A number in scientific notation has lost digits; the message says how to restore them."""
    assert callable(parse)
    value, error = parse(text)
    assert value is None
    assert "format the column as text" in error


def test_parse_id_changes_nothing() -> None:
    """An id of the caller's system may be anything, even text that looks like a number."""
    assert parse_id(" 1.0 ") == ("1.0", "")
    assert parse_id("") == (None, "")


def test_parse_text_keeps_full_width() -> None:
    """Full-width brackets belong to a company's name."""
    assert parse_text(" 某某（集团）有限公司\u200b") == ("某某（集团）有限公司", "")
    assert parse_text("\u3000") == (None, "")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", 1),
        ("２", 2),
        ("3.0", 3),
        ("企业", 1),
        ("公司", 1),
        ("个体工商户", 2),
        (" 个体户", 2),
        ("其他", 3),
        ("", None),
    ],
)
def test_parse_company_type(text: str, kind: int | None) -> None:
    """A company type is a number or its Chinese name."""
    assert parse_company_type(text) == (kind, "")


@pytest.mark.parametrize("text", ["9", "某某", "1" * 900, "-1"])
def test_unknown_company_type_is_an_error(text: str) -> None:
    """An unknown type is neither guessed nor repeated in the message."""
    value, error = parse_company_type(text)
    assert value is None
    assert error.startswith("must be 1 (企业)")
    assert text not in error or len(text) == 1


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("１２", 12), ("1.0", 1), ("", None)])
def test_parse_integer(text: str, value: int | None) -> None:
    """A whole number is parse, in full width and with ``.0`` too."""
    assert parse_integer(text) == (value, "")


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "9" * 900, "身份证"])
def test_not_an_integer(text: str) -> None:
    """Other text is an error, whatever its length."""
    assert parse_integer(text) == (None, "must be a whole number")


@pytest.mark.parametrize(
    "text", ["face,mobile", "face，mobile", "face、mobile", "face; mobile", " face；mobile；", "'face,mobile"]
)
def test_parse_list(text: str) -> None:
    """Values in one cell may have any of the usual separators."""
    assert parse_list(text) == (("face", "mobile"), "")


@pytest.mark.parametrize("text", ["", " ", "，"])
def test_empty_list_is_none(text: str) -> None:
    """A cell without a value leaves the key out."""
    assert parse_list(text) == (None, "")


@given(st.text())
def test_clean_text(text: str) -> None:
    """Cleaned text has no surrounding whitespace and no invisible characters."""
    clean = clean_text(text)
    assert clean == clean.strip()
    assert not {"\u200b", "\ufeff", "\u202d"} & {*clean}


@given(st.from_regex("[0-9A-Z]{11,18}", fullmatch=True))
def test_parse_code_keeps_a_clean_code(code: str) -> None:
    """A clean code is not changed, whatever its letters, an E among them."""
    assert parse_code(code) == (code, "")


@pytest.mark.parametrize(
    "text",
    [
        "-",
        "——",
        "/",
        "／",
        "#",
        "无",
        " 暂无 ",
        "待定",
        "NULL",
        "nan",
        "None",
        "N/A",
        "n/a",
        "不适用",
        "（无）",
        "'-",
        '="-"',
    ],
)
def test_placeholders_are_blank(text: str) -> None:
    """Marks and words for a missing value are blank in every column."""
    assert [parse(text) for parse in PARSERS] == [(None, "")] * len(PARSERS)


@pytest.mark.parametrize(
    "text", ["#N/A", "#REF!", "#NAME?", "#DIV/0!", "#n/a", "＃Ｎ／Ａ", "##", "########", "Err:502", "#数值!", "#ЗНАЧ!"]
)
def test_error_words(text: str) -> None:
    """An error of a spreadsheet is no value in any column."""
    for parse in PARSERS:
        value, error = parse(text)
        assert value is None
        assert error.startswith("holds a spreadsheet error")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("甲\ufffd", "was lost when the file was saved"),
        ("甲\x07乙", "control character"),
        ("甲\x00", "control character"),
        ("甲\x9f乙", "control character"),
        ("张\ue863", "U+E863, which others cannot read; write 䶮 (U+4DAE) for it"),
        ("张\uf123", "U+F123, which others cannot read; type it again with another font"),
        ("张\U000f0001", "U+F0001"),
    ],
)
def test_impossible_characters(text: str, message: str) -> None:
    """A lost, private or control character is an error in names, codes and ids alike."""
    for parse in (parse_text, parse_id, parse_company_name, parse_person_name, parse_code, parse_account, parse_list):
        value, error = parse(text)
        assert not value
        assert message in error


@pytest.mark.parametrize("inside", ["\n", "\r\n", "\u2028", "\x85"])
def test_line_break_inside_a_name(inside: str) -> None:
    """A line break may separate two people; around a text it means nothing."""
    assert parse_person_name(f"李四{inside}王五")[1].startswith("has a line break inside")
    assert parse_company_name(f"\n甲公司{inside}") == ("甲公司", "")


def test_long_text() -> None:
    """A text is bounded like a cell of a spreadsheet."""
    assert parse_text("甲" * 32_767)[1] == ""
    assert parse_text("甲" * 32_768) == (None, "has more than 32,767 characters")


@pytest.mark.parametrize(
    ("character", "successor"),
    [
        ("\ue863", "䶮"),
        ("\ue815", "⺁"),
        ("\ue843", "\u9fb9"),
        ("\ue844", "䜣"),
        ("\ue816", "\U00020087"),
        ("\ue864", "\u9fbb"),
        ("\ue865", ""),
        ("\ue814", ""),
        ("\uf8ff", ""),
    ],
)
def test_private_use_successor(character: str, successor: str) -> None:
    """The private characters of GBK fonts have one successor each."""
    assert private_use_successor(character) == successor


def test_private_use_successors_are_complete() -> None:
    """Each of the 80 characters has a successor of its own, which is not private."""
    successors = [private_use_successor(chr(code)) for code in range(0xE815, 0xE865)]
    assert len({*successors}) == 80
    assert not [each for each in successors if not each or "\ue000" <= each <= "\uf8ff"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("张　三", "张三"),
        ("李 四", "李四"),
        ("欧阳 锋", "欧阳锋"),
        ("阿迪力·买买提", "阿迪力·买买提"),
        ("John  Smith", "John  Smith"),
        ("N'Golo Kanté", "N'Golo Kanté"),
        ("`李某乙", "李某乙"),
        ("‘李某乙’", "李某乙"),
        ('="李某乙"', "李某乙"),
        (' "李某乙"', "李某乙"),
        ("王无", "王无"),
        ("", None),
    ],
)
def test_parse_person_name(text: str, name: str | None) -> None:
    """A Chinese name is sent without blanks and marks; other names keep theirs."""
    assert parse_person_name(text) == (name, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("李四 王五", "one person"),
        ("张?", "lost"),
        ("张？", "lost"),
        ("张&#19977;", "escaped character"),
        ("甲&amp;乙", "escaped character"),
        ("甲_x000D_乙", "escaped character"),
        ("13800138000", "no letters"),
        ("0", "no letters"),
        ("(1)", "no letters"),
    ],
)
def test_no_person_name(text: str, message: str) -> None:
    """Two people, lost characters, entities and digits are no name."""
    value, error = parse_person_name(text)
    assert value is None
    assert message in error


@pytest.mark.parametrize(
    "text",
    [
        "AT&T某某（中国）有限公司",
        "#1某某餐饮店",
        "北京0号科技有限公司",
        '北京"未来"科技有限公司',
        "Null Island Ltd",
        "What? Ltd",
    ],
)
def test_odd_company_names(text: str) -> None:
    """Marks and words that look odd may belong to a name."""
    assert parse_company_name(text) == (text, "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("91110000-60003734-1l", "91110000600037341L"),
        ("91110000 60003734 1L", "91110000600037341L"),
        ("９１１１００００６０００３７３４１Ｌ", "91110000600037341L"),
        ("91110000\u2013600037341L", "91110000600037341L"),
        ("110000012345678", "110000012345678"),
    ],
)
def test_parse_credit_code(text: str, code: str) -> None:
    """A code is sent in capitals and without separators."""
    assert parse_credit_code(text) == (code, "")


@pytest.mark.parametrize("text", ["审核人：赵某", "1家", "9111@", "12345678-000-01-24-A", "&nbsp;"])
def test_no_credit_code(text: str) -> None:
    """A code has digits and letters only."""
    assert parse_credit_code(text) == (None, "has a character that no credit code has; correct it")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("110101-19900101-123x", "11010119900101123X"),
        ("11010119900101004x", "11010119900101004X"),
        ("A123456(7)", "A123456(7)"),
        ("e12345678", "E12345678"),
        ("AB-1", "AB-1"),
    ],
)
def test_parse_id_card(text: str, number: str) -> None:
    """The X is sent as a capital; separators of other documents are kept."""
    assert parse_id_card(text) == (number, "")


@pytest.mark.parametrize("parse", [parse_credit_code, parse_id_card, parse_card, parse_mobile])
def test_zeros_are_no_number(parse: Callable[[str], tuple[str | None, str]]) -> None:
    """A zero is what a formula gives for a blank cell."""
    assert parse("0") == (None, "has only zeros; leave it blank if it is not known")


def test_parse_card() -> None:
    """A bank card has digits only."""
    assert parse_card("6222-0212-3456-7890-128") == ("6222021234567890128", "")
    assert parse_card("6222x") == (None, "has a character that no bank card number has; correct it")


@pytest.mark.parametrize(
    "text",
    ["+86 138 0013 8000", "8613800138000", "(+86)13800138000", "0086-13800138000", "138-0013-8000", "138.0013.8000"],
)
def test_mainland_mobile(text: str) -> None:
    """All forms of a mainland mobile number are one number."""
    assert parse_mobile(text) == parse_account(text) == ("13800138000", "")


def test_other_telephones() -> None:
    """Another telephone is left as it is, apart from separators, and letters are no telephone."""
    assert parse_mobile("+852 9123 4567") == ("+85291234567", "")
    assert parse_mobile("010-62345678") == ("01062345678", "")
    assert parse_mobile("13,800,138,000") == (None, "has a character that no telephone number has; correct it")


def test_parse_account() -> None:
    """An e-mail address is kept as written; what is neither is left to the checks."""
    assert parse_account("Zhang-San@Example.com") == ("Zhang-San@Example.com", "")
    assert parse_account("13,800,138,000") == ("13,800,138,000", "")


def test_parse_id_type() -> None:
    """The type of a resident card may be written as a word."""
    assert parse_id_type("身份证") == (1, "")
    assert parse_id_type("2") == (2, "")
    assert parse_id_type("") == (None, "")
    assert parse_id_type("护照") == (None, "must be a whole number, or 身份证")


@given(st.text())
def test_parsers_take_any_text(text: str) -> None:
    """No text makes a parser raise, and no value comes with an error."""
    assert not [parse for parse in PARSERS if all(parse(text))]
