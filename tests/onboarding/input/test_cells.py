"""What a cell's text means: cleaning, reading, and words that never repeat it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.onboarding.input.cells import as_code, as_company_type, as_id, as_number, as_text, as_texts, tidy


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
def test_a_code_is_text_again(text: str, value: str | None) -> None:
    """A mobile that arrives as a number, with blanks or in full width is what was typed."""
    assert as_code(text) == (value, "")


@pytest.mark.parametrize("read", [as_code, as_id, as_number, as_company_type])
@pytest.mark.parametrize("text", ["1.3800138E+10", "1E+17", "1.10101E+17", "1.3e10"])
def test_lost_digits_are_said(read: object, text: str) -> None:
    """A number in powers of ten has lost its digits, and the remedy is said."""
    assert callable(read)
    value, words = read(text)
    assert value is None
    assert "format the column as text" in words


def test_an_id_of_your_own_is_left_alone() -> None:
    """An id in the caller's system may be anything, also what looks like a number."""
    assert as_id(" 1.0 ") == ("1.0", "")
    assert as_id("") == (None, "")


def test_a_name_keeps_its_full_width() -> None:
    """Brackets in a company's name are full-width characters of its own."""
    assert as_text(" 某某（集团）有限公司\u200b") == ("某某（集团）有限公司", "")
    assert as_text("\u3000") == (None, "")


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
def test_a_company_type_may_be_words(text: str, kind: int | None) -> None:
    """The kind of a company is a number or the word for it."""
    assert as_company_type(text) == (kind, "")


@pytest.mark.parametrize("text", ["9", "某某", "1" * 5000, "-1"])
def test_another_company_type_is_said(text: str) -> None:
    """What is no kind is not guessed, and not repeated."""
    value, words = as_company_type(text)
    assert value is None
    assert words.startswith("must be 1 (企业)")
    assert text not in words or len(text) == 1


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("１２", 12), ("1.0", 1), ("", None)])
def test_a_number(text: str, value: int | None) -> None:
    """A whole number is read, however it is written."""
    assert as_number(text) == (value, "")


@pytest.mark.parametrize("text", ["x", "1.5", "-1", "9" * 5000, "身份证"])
def test_what_is_no_number(text: str) -> None:
    """What is no whole number is said."""
    assert as_number(text) == (None, "must be a whole number")


@pytest.mark.parametrize(
    "text", ["face,mobile", "face，mobile", "face、mobile", "face; mobile", " face；mobile；", "'face,mobile"]
)
def test_a_list(text: str) -> None:
    """Several values stand in one cell, parted as people part them."""
    assert as_texts(text) == (("face", "mobile"), "")


@pytest.mark.parametrize("text", ["", " ", "，"])
def test_an_empty_list_is_none(text: str) -> None:
    """A cell without a value leaves the key out."""
    assert as_texts(text) == (None, "")


@given(st.text())
def test_cleaning_is_done_once(text: str) -> None:
    """What was cleaned has no blanks around it and nothing invisible in it."""
    clean = tidy(text)
    assert clean == clean.strip()
    assert not {"\u200b", "\ufeff", "\u202d"} & {*clean}


@given(st.from_regex("[0-9A-Z]{11,18}", fullmatch=True))
def test_a_clean_code_stays(code: str) -> None:
    """A code that is clean is not changed, whatever letters it has."""
    assert as_code(code) == (code, "")
