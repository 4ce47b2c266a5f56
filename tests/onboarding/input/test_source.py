"""Row sources: files and requests."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import xlsxwriter

from kfq_async.errors import SourceError
from kfq_async.models.identity import CorpIdentInfo, CorpIdentLinkRequest
from kfq_async.onboarding.input.mapping import FIELDS
from kfq_async.onboarding.input.source import FileSource, request_rows
from kfq_async.onboarding.keys import default_key
from kfq_async.onboarding.output.tables import Column, writer_for
from kfq_async.onboarding.records import Row
from workbooks import write_workbook

CODE = "91110000600037341L"


def write(tmp_path: Path, *lines: str) -> Path:
    """Write a CSV."""
    file = tmp_path / "companies.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def messages(row: Row) -> list[str]:
    """Return the messages of a row's problems."""
    return [str(problem) for problem in row.problems]


def test_rows(tmp_path: Path) -> None:
    """A row has its number, key, label and a request without an id."""
    file = write(tmp_path, "企业名称,信用代码,账号", f"甲,{CODE.lower()},13800138000", "", "乙,,a@example.com")
    first, second = FileSource(file)
    assert (first.row_number, first.key, first.label) == (2, f"{CODE}\x1f13800138000", CODE)
    assert (second.row_number, second.key, second.label) == (4, "\x1fa@example.com", None)
    assert first.request == CorpIdentLinkRequest(
        account_name="13800138000",
        corp_ident_info=CorpIdentInfo(company_name="甲", credit_code=CODE),
        client_request_id=None,
    )
    assert not first.problems


def test_iterating_starts_over(tmp_path: Path) -> None:
    """Each iteration begins with the first row."""
    source = FileSource(write(tmp_path, "税号", CODE, "9"))
    assert [*source] == [*source]
    assert source.count() == 2
    assert [line.cells for line, _ in source.with_cells()] == [(CODE,), ("9",)]
    assert source.headings == ("税号",)


@pytest.mark.parametrize(
    "text",
    [
        "a@" + "." * 800_000 + "@",
        "@" * 800_000,
        "1" * 800_000 + "E",
        "(" * 800_000,
        "http://" + "a." * 400_000,
        "http://" + "\u0301\u0316" * 200_000,
        "\u0301\u0316" * 200_000,
        "'" * 800_000,
    ],
    ids=lambda text: text[:9].encode("ascii", "replace").decode(),
)
def test_long_cells(text: str, tmp_path: Path) -> None:
    """A long and odd cell or heading takes linear time: quadratic time would be longer than a test may take."""
    file = tmp_path / "companies.jsonl"
    for field in FIELDS.keys() - {"credit_code"}:
        file.write_text(json.dumps({"credit_code": CODE, field: text}, ensure_ascii=False), encoding="utf-8")
        (row,) = FileSource(file)
        assert row.label == CODE
    file.write_text(json.dumps({"credit_code": CODE, text: "x"}, ensure_ascii=False), encoding="utf-8")
    assert [row.label for row in FileSource(file)] == [CODE]


def test_notices(tmp_path: Path) -> None:
    """Unused columns are named, except the key column."""
    file = write(tmp_path, "税号,备注,编号,", f"{CODE},x,1,")
    assert FileSource(file).notices == ("columns not used: 备注, 编号",)
    assert FileSource(file, key="编号").notices == ("columns not used: 备注",)
    assert FileSource(write(tmp_path, "税号", CODE)).notices == ()


def test_headings_on_another_sheet(tmp_path: Path) -> None:
    """If the headings of a sheet are not understood, the message lists the other sheets."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as book:
        book.add_worksheet("说明").write(0, 0, "填写说明")
        book.add_worksheet("企业").write_column(0, 0, ["税号", CODE])
        book.add_worksheet("附表").write(0, 0, "x")
    with pytest.raises(SourceError, match=r"the headings are 填写说明.*or is it another sheet, 企业, 附表\? choose it"):
        FileSource(file)
    with pytest.raises(SourceError, match=r"there is no column 编号.*another sheet"):
        FileSource(file, columns={"credit_code": "编号"})
    assert len([*FileSource(file, sheet="企业")]) == 1


def test_row_without_a_key(tmp_path: Path) -> None:
    """A row without a key is invalid, with one message that says what to do."""
    (row,) = FileSource(write(tmp_path, "企业名称,税号", "甲,"))
    assert (row.key, row.label, row.invalid) == (None, None, True)
    (message,) = messages(row)
    assert "--key" in message
    (row,) = FileSource(write(tmp_path, "企业名称,税号", "甲,9.1E+17"))
    (message,) = messages(row)
    assert message.startswith("税号: is a number in scientific notation")


@pytest.mark.parametrize(
    ("key", "cells", "text", "label"),
    [
        ("编号", "A-1,甲,张三", "A-1", None),
        ("企业名称", "A-1,甲,张三", "甲", None),
        ("company_name", "A-1,甲,张三", "甲", None),
        ("法人", "A-1,甲,张三", "张三", None),
        ("编号", "110101199001011237,甲,张三", "110101199001011237", None),
        ("编号", "13800138000,甲,张三", "13800138000", None),
        ("编号", "6222020200112233445,甲,张三", "6222020200112233445", None),
        ("编号", "王秘密,甲,张三", "王秘密", None),
        ("编号", "91110000MA01234567,甲,张三", "91110000MA01234567", None),
        ("编号", "91110000600037341L,甲,张三", "91110000600037341L", "91110000600037341L"),
        ("编号", ",甲,张三", None, None),
    ],
)
def test_key_column(key: str, cells: str, text: str | None, label: str | None, tmp_path: Path) -> None:
    """The key is shown as the label if it is a valid credit code; any key is if the source is told to show it."""
    file = write(tmp_path, "编号,企业名称,法人", cells)
    (row,) = FileSource(file, key=key)
    assert (row.key, row.label) == (text, label)
    assert row.invalid is (text is None)
    (row,) = FileSource(file, key=key, show_key=True)
    assert (row.key, row.label) == (text, text)


@pytest.mark.parametrize(("code", "label"), [("C1", None), ("91110000600037341l", "91110000600037341L"), ("", None)])
def test_label_of_the_default_key(code: str, label: str | None, tmp_path: Path) -> None:
    """Of code and account, the code is shown: a valid one always, and another if the source is told to show it."""
    file = write(tmp_path, "信用代码,账号,企业名称", f"{code},13800138000,甲")
    (row,) = FileSource(file, checks=False)
    assert row.label == label
    (row,) = FileSource(file, checks=False, show_key=True)
    assert row.label == (code.upper() or None)


def test_key_function(tmp_path: Path) -> None:
    """A function can identify a company by its request; no column for the default key is needed then."""

    def name(request: CorpIdentLinkRequest) -> str | None:
        return request.corp_ident_info.company_name if request.corp_ident_info else None

    named, unnamed = FileSource(write(tmp_path, "企业名称,法人", "甲,张三", ",李四"), key=name)
    assert (named.key, named.label, named.invalid) == ("甲", None, False)
    assert (unnamed.key, unnamed.invalid) == (None, True)
    assert messages(unnamed) == ["has none of the data that identifies a company; fill it in"]


def test_nested_requests_are_refused(tmp_path: Path) -> None:
    """Nested objects would be lost, so such a file is refused before anything is sent."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"accountName": "a@example.com", "corpIdentInfo": {"companyName": "甲"}}\n', encoding="utf-8")
    with pytest.raises(SourceError, match=r"in the platform's format \(corpIdentInfo\); write a column per field"):
        FileSource(path)


def test_key_that_lost_digits(tmp_path: Path) -> None:
    """A key with lost digits could be another company's and is not used."""
    (row,) = FileSource(write(tmp_path, "编号,企业名称", "1.38E+10,甲"), key="编号")
    assert row.key is None
    assert messages(row)[0].startswith("编号: is a number in scientific notation")
    (row,) = FileSource(write_workbook(tmp_path / "a.xlsx", ["编号", "企业名称"], [10**16, "甲"]), key="编号")
    assert row.key is None
    (message,) = messages(row)
    assert message.startswith("编号: has more than 15 digits")


def test_personal_number_is_not_shown(tmp_path: Path) -> None:
    """An ID number in the column of credit codes is not shown."""
    (row,) = FileSource(write(tmp_path, "税号", "110101199001011237"))
    assert row.key == "110101199001011237\x1f"
    assert row.label is None


def test_warnings_and_strict(tmp_path: Path) -> None:
    """A wrong check digit is a warning, an error with ``strict``, and ignored without ``checks``."""
    file = write(tmp_path, "统一社会信用代码", "91110000MA01234567")
    (row,) = FileSource(file)
    assert messages(row) == ["统一社会信用代码: has a wrong check digit; is it mistyped?"]
    assert not row.invalid
    (row,) = FileSource(file, strict=True)
    assert row.invalid
    (row,) = FileSource(file, checks=False)
    assert not row.problems


def test_explicit_column(tmp_path: Path) -> None:
    """A heading that is not recognised can be mapped explicitly."""
    (row,) = FileSource(write(tmp_path, "甲方,税号", f"某某,{CODE}"), columns={"company_name": "甲方"})
    assert row.request is not None
    assert row.request.corp_ident_info == CorpIdentInfo(company_name="某某", credit_code=CODE)


def test_problems_of_unused_columns_are_ignored(tmp_path: Path) -> None:
    """A number with too many digits is a problem only in a column that is used."""
    file = write_workbook(
        tmp_path / "a.xlsx", ["税号", "备注", "银行卡号"], [CODE, 12345678901234567, 6222000000000000]
    )
    (row,) = FileSource(file)
    (problem,) = row.problems
    assert (problem.column, problem.fatal) == ("银行卡号", True)


def test_short_row(tmp_path: Path) -> None:
    """Blank cells at the end of a row may be missing."""
    rows = [*FileSource(write(tmp_path, "税号,企业名称", CODE, f"{CODE},甲"))]
    assert [row.invalid for row in rows] == [False, False]


def test_rows_that_are_no_company(tmp_path: Path) -> None:
    """A remark has one message of its own, and a row needs a name or a code if there is a column for it."""
    lines = ["合计,,1家,", ",,,13800138000", f",,{CODE},13800138000", "甲,张三,,13800138000"]
    remark, nameless, coded, named = FileSource(write(tmp_path, "企业名称,法人,税号,账号", *lines))
    assert messages(remark) == [
        "is a total, a signature, a note, an instruction or an example, not a company; delete the row"
    ]
    assert messages(nameless) == ["has neither a company's name nor a credit code; fill one in, or delete the row"]
    assert messages(coded) == ["企业名称: is blank: the request has no companyName"]
    assert not coded.invalid
    assert named.problems == ()
    (row,) = FileSource(write(tmp_path, "账号", "13800138000"))
    assert not row.invalid


def test_header_row(tmp_path: Path) -> None:
    """Headings that the caller named are found below a title, or their row is chosen."""
    file = write(tmp_path, "名单", "甲方,代码", f"某某,{CODE}")
    columns = {"company_name": "甲方", "credit_code": "代码"}
    for source in (FileSource(file, columns=columns), FileSource(file, columns=columns, header_row=2)):
        assert [row.row_number for row in source] == [3]
    assert len([*FileSource(file, columns={"credit_code": "代码"}, key="甲方")]) == 1


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without python-stdnum the constructor fails with the remedy, unless checks are off."""
    monkeypatch.setitem(sys.modules, "stdnum", None)
    monkeypatch.setitem(sys.modules, "stdnum.cn", None)
    file = write(tmp_path, "税号", CODE)
    with pytest.raises(SourceError, match="needs python-stdnum"):
        FileSource(file)
    assert len([*FileSource(file, checks=False)]) == 1


def test_csv_needs_no_extra(tmp_path: Path) -> None:
    """Reading a CSV without checks loads none of the extra's libraries."""
    script = (
        "import sys; from kfq_async.onboarding.input.source import FileSource as F; list(F(sys.argv[1], checks=False));"
        "print({'python_calamine', 'stdnum', 'xlsxwriter'} & sys.modules.keys())"
    )
    file = write(tmp_path, "税号", CODE)
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


async def asynchronously(*requests: CorpIdentLinkRequest) -> AsyncIterator[CorpIdentLinkRequest]:
    """Yield requests asynchronously, like a database cursor."""
    for request in requests:
        yield request


def make_request(code: str | None, account: str | None = None) -> CorpIdentLinkRequest:
    """Make a request."""
    return CorpIdentLinkRequest(account_name=account, corp_ident_info=CorpIdentInfo(credit_code=code))


async def test_request_rows() -> None:
    """Requests become rows with the key of a file's rows and without their id, which the ledger assigns."""
    requests = make_request(CODE.lower(), "a@example.com"), make_request(None)
    for source in ([*requests], asynchronously(*requests)):
        first, second = [row async for row in request_rows(source)]
        assert (first.row_number, first.key, first.label) == (1, f"{CODE}\x1fa@example.com", CODE)
        assert first.request is not None
        assert first.request.client_request_id is None
        assert first.request.corp_ident_info == requests[0].corp_ident_info
        assert (second.row_number, second.key, second.invalid) == (2, None, True)
        assert "pass key=" in str(second.problems[0])


async def test_request_rows_with_a_key_function() -> None:
    """A key from a function is never shown, since it may be personal data."""
    requests = [make_request(CODE, "a@b.cn"), make_request(CODE)]
    rows = [row async for row in request_rows(requests, key=lambda request: request.account_name)]
    assert [(row.key, row.label, row.invalid) for row in rows] == [("a@b.cn", None, False), (None, None, True)]


def test_default_key() -> None:
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
def test_problems_do_not_repeat_cells(suffix: str, tmp_path: Path) -> None:
    """Neither problems nor reprs of rows contain personal data."""
    headings = ["法人", "经办人", "证件号码", "手机号", "银行卡号", "账号", "跳转页", "企业类型", "证件类型"]
    file = tmp_path / f"a{suffix}"
    with writer_for(file)(file, list(map(Column, headings)), "Sheet") as table:
        table.write_row([*SECRETS, SECRETS[0], SECRETS[2]])
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
