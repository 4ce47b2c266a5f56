"""Parsers of cells: values, and error messages that never repeat the cell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.onboarding.input.cells import (
    clean_text,
    parse_code,
    parse_company_type,
    parse_id,
    parse_integer,
    parse_list,
    parse_text,
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
