"""The companies of a CSV."""

import json
from pathlib import Path

import pytest

from kfq_async.cli.companies import COLUMNS, read_companies
from kfq_async.cli.options import UsageError

HEADING = ",".join(COLUMNS)


def write(tmp_path: Path, text: str, heading: str = HEADING) -> Path:
    """Write a CSV."""
    file = tmp_path / "companies.csv"
    file.write_bytes(f"{heading}\n{text}\n".encode())
    return file


def names(file: Path) -> list[str | None]:
    """Read the names of the companies."""
    infos = [request.corp_ident_info for request in read_companies(file).requests]
    return [info.company_name for info in infos if info is not None]


def test_poor_rows_are_named() -> None:
    """Rows that repeat another or name nobody are left out by file and line; blanks around values go."""
    companies = read_companies()
    assert companies.notes == (
        "companies.csv: line 62 repeats line 19, asked once",
        "companies.csv: line 208 left out, no company_name, credit_code or account_name",
        "companies.csv: line 233 repeats line 132, asked once",
    )
    values = json.dumps([str(request.corp_ident_info) for request in companies.requests], ensure_ascii=False)
    assert "\u3000" not in values
    assert "<script>" in values


def test_every_column_has_its_field(tmp_path: Path) -> None:
    """A row becomes a request with each of its columns."""
    file = write(tmp_path, "甲,91110000MA01234567,张三,2,a@example.com,李四,110101199001011234,13800138000")
    (request,) = read_companies(file).requests
    info, operator = request.corp_ident_info, request.opr_ident_info
    assert info is not None
    assert operator is not None
    assert (info.company_name, info.credit_code, info.legal_rep_name, info.company_type) == (
        *("甲", "91110000MA01234567", "张三"),
        2,
    )
    assert (operator.name, operator.id_card, operator.id_card_type, operator.mobile) == (
        *("李四", "110101199001011234", 1),
        "13800138000",
    )
    assert request.account_name == "a@example.com"


@pytest.mark.parametrize("inside", ["\u2028", "\x85", "\x0c", "\n", "\r\n"])
def test_a_cell_may_hold_what_looks_like_a_line(inside: str, tmp_path: Path) -> None:
    """A cell is split neither at Unicode's line separators nor, in quotes, at a line break."""
    assert names(write(tmp_path, f'"甲{inside}乙",,,,,,,\n丙,,,,,,,')) == [f"甲{inside}乙", "丙"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("甲,,,公司,,,,", "line 2: company_type must be 1, 2 or 3, not '公司'"),
        ("甲,,,9,,,,", "line 2: company_type must be 1, 2 or 3, not '9'"),
        ("甲,,,99999999999999999999,,,,", "company_type must be 1, 2 or 3"),
        (f"甲,,,{'1' * 5000},,,,", "company_type must be 1, 2 or 3"),
        ("\n\n甲,,,x,,,,", "line 4: company_type"),
        ('"甲\n乙",,,,,,,\n丙,,,x,,,,', "line 4: company_type"),
        (f"甲,,,,,,,\n{'乙' * 200_000},,,,,,,", "line 3: field larger than field limit"),
        ("", "holds no company"),
        (",,张三,,,,,", "holds no company"),
    ],
)
def test_a_poor_row_is_said(text: str, said: str, tmp_path: Path) -> None:
    """What is no row of companies is named by the line that an editor shows, and shortly."""
    with pytest.raises(UsageError) as problem:
        read_companies(write(tmp_path, text))
    assert said in str(problem.value)
    assert len(str(problem.value)) < 300


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("company_name,credit_code", "lacks the column legal_rep_name, company_type"),
        ("x" * 200_000, "line 1: field larger than field limit"),
    ],
)
def test_a_poor_heading_is_said(heading: str, said: str, tmp_path: Path) -> None:
    """Columns that are missing are named."""
    with pytest.raises(UsageError, match=said):
        read_companies(write(tmp_path, "甲", heading))


def test_an_unreadable_file_is_said(tmp_path: Path) -> None:
    """A file that is not there, or not in UTF-8, is named with the remedy."""
    with pytest.raises(UsageError, match="No such file"):
        read_companies(tmp_path / "none.csv")
    file = tmp_path / "gbk.csv"
    file.write_bytes(f"{HEADING}\n甲,,,,,,,\n".encode("gb18030"))
    with pytest.raises(UsageError, match="save it as CSV UTF-8"):
        read_companies(file)
