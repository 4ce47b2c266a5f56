"""Where rows come from: files and iterators."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kfq_async.errors import SourceError
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.onboarding.input.source import FileSource, default_key, request_rows
from kfq_async.onboarding.output.files import writer_for
from kfq_async.onboarding.records import Row
from workbooks import write_workbook

CODE = "91110000600037341L"


def write(tmp_path: Path, *lines: str) -> Path:
    """Write a CSV."""
    file = tmp_path / "companies.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def said(row: Row) -> list[str]:
    """Return the problems of a row in words."""
    return [str(problem) for problem in row.problems]


def test_rows_of_a_file(tmp_path: Path) -> None:
    """A row has its number, its key, the part of it that may be shown, and a request without an id."""
    file = write(tmp_path, "企业名称,信用代码,账号", f"甲,{CODE.lower()},13800138000", "", "乙,,a@example.com")
    first, second = FileSource(file)
    assert (first.row_number, first.key, first.label) == (2, f"{CODE}\x1f13800138000", CODE)
    assert (second.row_number, second.key, second.label) == (4, "\x1fa@example.com", None)
    assert first.request == CorpIdentLinkRequest(
        account_name="13800138000",
        corp_ident_info=CorpIdentInfo(company_name="甲", credit_code=CODE.lower()),
        client_request_id=None,
    )
    assert not first.problems


def test_a_file_can_be_read_again(tmp_path: Path) -> None:
    """A source starts over each time it is iterated over."""
    source = FileSource(write(tmp_path, "税号", CODE, "9"))
    assert [*source] == [*source]
    assert [line.cells for line, _ in source.pairs()] == [(CODE,), ("9",)]
    assert source.headings == ("税号",)


def test_notices(tmp_path: Path) -> None:
    """Columns that nothing is made of are named, but for the key."""
    file = write(tmp_path, "税号,备注,编号,", f"{CODE},x,1,")
    assert FileSource(file).notices == ("columns not used: 备注, 编号",)
    assert FileSource(file, key="编号").notices == ("columns not used: 备注",)
    assert FileSource(write(tmp_path, "税号", CODE)).notices == ()


def test_a_row_without_a_key_is_said(tmp_path: Path) -> None:
    """A row that nothing recognises is not sent, and says what to do, once."""
    (row,) = FileSource(write(tmp_path, "企业名称,税号", "甲,"))
    assert (row.key, row.label, row.invalid) == (None, None, True)
    (words,) = said(row)
    assert "--key" in words
    (row,) = FileSource(write(tmp_path, "企业名称,税号", "甲,9.1E+17"))
    (words,) = said(row)
    assert words.startswith("税号: is a number in scientific notation")


@pytest.mark.parametrize(
    ("key", "cells", "text", "label"),
    [
        ("编号", "A-1,甲,张三", "A-1", "A-1"),
        ("企业名称", "A-1,甲,张三", "甲", None),
        ("company_name", "A-1,甲,张三", "甲", None),
        ("法人", "A-1,甲,张三", "张三", None),
        ("编号", "110101199001011237,甲,张三", "110101199001011237", None),
        ("编号", "13800138000,甲,张三", "13800138000", None),
        ("编号", "6222020200112233445,甲,张三", "6222020200112233445", None),
        ("编号", "王秘密,甲,张三", "王秘密", None),
        ("编号", "91110000MA01234567,甲,张三", "91110000MA01234567", "91110000MA01234567"),
        ("编号", ",甲,张三", None, None),
    ],
)
def test_a_column_as_the_key(key: str, cells: str, text: str | None, label: str | None, tmp_path: Path) -> None:
    """A named column is the key; it is shown if it is a number of one's own, and no name or number of a person's."""
    (row,) = FileSource(write(tmp_path, "编号,企业名称,法人", cells), key=key)
    assert (row.key, row.label) == (text, label)
    assert row.invalid is (text is None)


def test_requests_in_the_platforms_form_are_refused(tmp_path: Path) -> None:
    """Objects inside objects would be left out, so such a file is refused before any of it is sent."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"accountName": "a@example.com", "corpIdentInfo": {"companyName": "甲"}}\n', encoding="utf-8")
    with pytest.raises(SourceError, match=r"in the platform's form \(corpIdentInfo\); write a column for each field"):
        FileSource(path)


def test_a_key_that_lost_digits_is_said(tmp_path: Path) -> None:
    """A key that may be another company's by now is not used."""
    (row,) = FileSource(write(tmp_path, "编号,企业名称", "1.38E+10,甲"), key="编号")
    assert row.key is None
    assert said(row)[0].startswith("编号: is a number in scientific notation")
    (row,) = FileSource(write_workbook(tmp_path / "a.xlsx", ["编号", "企业名称"], [10**16, "甲"]), key="编号")
    assert row.key is None
    (words,) = said(row)
    assert words.startswith("编号: is a number of more than 15 digits")


def test_a_code_that_is_a_persons_is_not_shown(tmp_path: Path) -> None:
    """An ID number in the column of credit codes is not shown as one."""
    (row,) = FileSource(write(tmp_path, "税号", "110101199001011237"))
    assert row.key == "110101199001011237\x1f"
    assert row.label is None


def test_warnings_and_strict(tmp_path: Path) -> None:
    """A check digit that does not fit is a warning by its heading, with ``strict`` an error, and can be left out."""
    file = write(tmp_path, "统一社会信用代码", "91110000MA01234567")
    (row,) = FileSource(file)
    assert said(row) == ["统一社会信用代码: has a check digit that does not fit; is it mistyped?"]
    assert not row.invalid
    (row,) = FileSource(file, strict=True)
    assert row.invalid
    (row,) = FileSource(file, checks=False)
    assert not row.problems


def test_columns_can_be_given(tmp_path: Path) -> None:
    """A heading that nobody could guess is given."""
    (row,) = FileSource(write(tmp_path, "甲方,税号", f"某某,{CODE}"), columns={"company_name": "甲方"})
    assert row.request is not None
    assert row.request.corp_ident_info == CorpIdentInfo(company_name="某某", credit_code=CODE)


def test_what_is_wrong_with_an_unused_cell_is_no_matter(tmp_path: Path) -> None:
    """A number of many digits is a problem where it is used, and only there."""
    file = write_workbook(
        tmp_path / "a.xlsx", ["税号", "备注", "银行卡号"], [CODE, 12345678901234567, 6222000000000000]
    )
    (row,) = FileSource(file)
    (problem,) = row.problems
    assert (problem.column, problem.fatal) == ("银行卡号", True)


def test_a_row_in_disorder_is_not_sent(tmp_path: Path) -> None:
    """A row with too few cells is named, and the others are not touched by it."""
    rows = [*FileSource(write(tmp_path, "税号,企业名称", CODE, f"{CODE},甲"))]
    assert [row.invalid for row in rows] == [True, False]


def test_the_extra_is_asked_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-stdnum the source says so before the first row, unless checks are not wanted."""
    monkeypatch.setitem(sys.modules, "stdnum", None)
    monkeypatch.setitem(sys.modules, "stdnum.cn", None)
    file = write(tmp_path, "税号", CODE)
    with pytest.raises(SourceError, match="extra"):
        FileSource(file)
    assert len([*FileSource(file, checks=False)]) == 1


def test_a_csv_needs_no_extra(tmp_path: Path) -> None:
    """Reading a CSV without checks loads none of the extra's libraries."""
    script = (
        "import sys; from kfq_async.onboarding.input.source import FileSource as F; list(F(sys.argv[1], checks=False));"
        "print({'python_calamine', 'stdnum', 'xlsxwriter'} & sys.modules.keys())"
    )
    file = write(tmp_path, "税号", CODE)
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


async def asynchronously(*requests: CorpIdentLinkRequest) -> AsyncIterator[CorpIdentLinkRequest]:
    """Yield requests as a database would."""
    for request in requests:
        yield request


def ask(code: str | None, account: str | None = None) -> CorpIdentLinkRequest:
    """Make a request."""
    return CorpIdentLinkRequest(account_name=account, corp_ident_info=CorpIdentInfo(credit_code=code))


async def test_rows_of_requests() -> None:
    """Requests become rows with the same key as a file's, and lose the id, which is the ledger's."""
    requests = ask(CODE.lower(), "a@example.com"), ask(None)
    for source in ([*requests], asynchronously(*requests)):
        first, second = [row async for row in request_rows(source)]
        assert (first.row_number, first.key, first.label) == (1, f"{CODE}\x1fa@example.com", CODE)
        assert first.request is not None
        assert first.request.client_request_id is None
        assert first.request.corp_ident_info == requests[0].corp_ident_info
        assert (second.row_number, second.key, second.invalid) == (2, None, True)
        assert "pass key=" in str(second.problems[0])


async def test_requests_with_a_key_of_their_own() -> None:
    """A key that the caller takes from the request is never shown, since it may be anybody's."""
    rows = [
        row async for row in request_rows([ask(CODE, "a@b.cn"), ask(CODE)], key=lambda request: request.account_name)
    ]
    assert [(row.key, row.label, row.invalid) for row in rows] == [("a@b.cn", None, False), (None, None, True)]


def test_the_default_key() -> None:
    """A request without any data has no key."""
    assert default_key(CorpIdentLinkRequest()) == (None, None)


SECRETS = (
    "张三丰",
    "李四光",
    "110101199013011238",
    "138001380001",
    "6222000000000001234",
    "zhang@",
    "https//x.cn/t0ken",
)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".jsonl"])
def test_no_problem_repeats_a_cell(suffix: str, tmp_path: Path) -> None:
    """What is wrong with a person's data is said without the data, in errors, problems and reprs of rows."""
    headings = ["法人", "经办人", "证件号码", "手机号", "银行卡号", "账号", "跳转页", "企业类型", "证件类型"]
    file = tmp_path / f"a{suffix}"
    with writer_for(file)(file, headings) as write_row:
        write_row([*SECRETS, SECRETS[0], SECRETS[2]])
    (row,) = FileSource(file, strict=True)
    assert {problem.column for problem in row.problems} == {
        "证件号码",
        "手机号",
        "账号",
        "跳转页",
        "企业类型",
        "证件类型",
    }
    shown = repr(row) + str(row.problems)
    assert [secret for secret in SECRETS if secret in shown] == []
