"""Files as people and programs make them: each is read truly, or refused with a message that says where."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter
from attrs import frozen

from kfq_async.errors import SourceError
from kfq_async.onboarding.input.mapping import FIELDS
from kfq_async.onboarding.input.source import FileSource
from workbooks import rewrite, write_workbook

if TYPE_CHECKING:
    from kfq_async.models.identity import CorpIdentLinkRequest

CODE = "91110000600037341L"
MOBILE = "13800138000"
ID_CARD = "110101199001011237"
HEADINGS = "企业名称,信用代码,法人,账号"
COMPANY = f"甲公司,{CODE},张三,{MOBILE}"
SENT: dict[str, str | None] = {
    "company_name": "甲公司",
    "credit_code": CODE,
    "legal_rep_name": "张三",
    "account_name": MOBILE,
}
SHEET = "xl/worksheets/sheet1.xml"
XLS = Path(__file__).parents[2] / "wire" / "companies.xls"


def text(content: str, file: Path, *, encoding: str = "utf-8", suffix: str = ".csv") -> Path:
    """Write a text file."""
    file = file.with_suffix(suffix)
    file.write_bytes(content.encode(encoding))
    return file


def table(*lines: str, headings: str = HEADINGS, encoding: str = "utf-8") -> Callable[[Path], Path]:
    """Return a writer of a CSV."""
    return partial(text, "\n".join([headings, *lines]) + "\n", encoding=encoding)


def workbook(*rows: list[Any], edit: tuple[str, str] | None = None) -> Callable[[Path], Path]:
    """Return a writer of a workbook, whose XML is edited afterwards as another program would write it."""

    def write(file: Path) -> Path:
        file = write_workbook(file.with_suffix(".xlsx"), *rows)
        return rewrite(file, SHEET, *edit) if edit else file

    return write


def formula(value: object, *edits: tuple[str, str]) -> Callable[[Path], Path]:
    """Return a writer of a workbook whose legal representative is a formula with this value."""

    def write(file: Path) -> Path:
        file = file.with_suffix(".xlsx")
        with xlsxwriter.Workbook(str(file)) as book:
            sheet = book.add_worksheet()
            sheet.write_row(0, 0, HEADINGS.split(","))
            sheet.write_row(1, 0, COMPANY.split(","))
            sheet.write_formula(1, 2, "=VLOOKUP(A2,E:F,2)", None, value)
        return reduce(lambda file, edit: rewrite(file, SHEET, *edit), edits, file)

    return write


def raw(content: bytes, suffix: str = ".xlsx") -> Callable[[Path], Path]:
    """Return a writer of bytes."""

    def write(file: Path) -> Path:
        file = file.with_suffix(suffix)
        file.write_bytes(content)
        return file

    return write


@frozen
class Case:
    """A file, and what becomes of it."""

    name: str
    write: Callable[[Path], Path]
    rows: str | list[dict[str, str | None] | str]
    """For each row the fields that are sent, or a pattern in the reason for its refusal; or a pattern in the reason for
    the refusal of the whole file."""
    notice: str = ""
    """Pattern in the notices."""


LOOP = XLS.read_bytes()
SECTORS = int.from_bytes(LOOP[76:80], "little")
"""First sector of the allocation table of an XLS."""

CASES = [
    Case("plain", table(COMPANY), [SENT]),
    Case("line ends of an old Mac", partial(text, f"{HEADINGS}\r{COMPANY}\r"), [SENT]),
    Case("two byte order marks", partial(text, f"\ufeff{HEADINGS}\n{COMPANY}", encoding="utf-8-sig"), [SENT]),
    Case("declared delimiter", partial(text, f"sep=;\n{HEADINGS}\n{COMPANY}".replace(",", ";")), [SENT]),
    Case("full-width commas", partial(text, f"{HEADINGS}\n{COMPANY}".replace(",", "，")), "信用代码"),
    Case(
        "title with a date", partial(text, f"名单（截至20240630）,,,\n{HEADINGS}\n{COMPANY}"), [SENT], "row 2 holds the"
    ),
    Case(
        "two rows of headings", table(",,姓名,手机号", COMPANY, headings="企业名称,信用代码,经办人,"), ["column D"] * 2
    ),
    Case("required headings", table(COMPANY, headings="企业名称*必填,信用代码：必填,法人（选填）,*账号"), [SENT]),
    Case(
        "account of a bank",
        table(COMPANY, headings="企业名称,信用代码,开户行,账号"),
        "column 账号 stands beside a bank",
    ),
    Case("repeated headings", table(COMPANY, f"\ufeff{HEADINGS}"), [SENT, "repeats the headings"]),
    Case(
        "footer",
        table(COMPANY, "合计,1家,,", "审核人：赵某,,制表人：王某,", ",,,注：均为手机"),
        [SENT, *["is a total"] * 3],
    ),
    Case(
        "instructions", table("必填,必填，18位,,", f"示例：某公司,{CODE},,", COMPANY), [*["an instruction"] * 2, SENT]
    ),
    Case("short rows", table(f"甲公司,{CODE}", COMPANY), [SENT | {"legal_rep_name": None, "account_name": None}, SENT]),
    Case("placeholders", table(f"甲公司,-,无,{MOBILE}"), [SENT | {"credit_code": None, "legal_rep_name": None}]),
    Case("error words", table(f"#N/A,{CODE},,{MOBILE}", f"甲公司,{CODE},#REF!,"), ["企业名称: holds", "法人: holds"]),
    Case("quoted formulas", table(f'"=""甲公司""","=""{CODE}""","=""张三""","=""{MOBILE}"""'), [SENT]),
    Case("guards", table(f'甲公司,\'{CODE},`张三`,"\t{MOBILE}"'), [SENT]),
    Case(
        "blanks before quotation marks",
        table(f'"甲公司", "{CODE}", "张三", "{MOBILE}"', headings=HEADINGS.replace(",", ", ")),
        [SENT],
    ),
    Case("dashes", table("甲公司,91110000-60003734-1l,张　三,+86 138-0013-8000"), [SENT]),
    Case("control characters", table(f"甲\x0b公司,{CODE},,", f"甲,{CODE}\x07,,"), ["企业名称: ", "信用代码: "]),
    Case("lost characters", table(f"甲,{CODE},张?,", f"甲,{CODE},李\ufffd,"), ["法人: .* lost", "法人: .* lost"]),
    Case("private-use character", table(f"甲,{CODE},张\ue863,"), [r"法人: .*U\+E863.*䶮"]),
    Case(
        "digits as names",
        table(f"{MOBILE},{CODE},,", f"甲,{CODE},{ID_CARD},"),
        ["企业名称: has no letters", "法人: has no letters"],
    ),
    Case("neither mobile nor e-mail", table(f"甲,{CODE},,13,800"), ["beyond the last heading"]),
    Case("thousands", table(f'甲,{CODE},,"13,800,138,000"'), ["账号: is neither"]),
    Case("entities", table(f"甲&amp;乙,{CODE},,"), ["企业名称: has an escaped character"]),
    Case("lost digits", table("甲,91110000000000000,,"), ["信用代码: ends in zeros"]),
    Case("no company", table(f",,,{MOBILE}"), ["neither a company's name nor a credit code"]),
    Case(
        "improbable numbers",
        table(f"甲公司,91110000MA01234567,张三,{MOBILE}"),
        [SENT | {"credit_code": "91110000MA01234567"}],
    ),
    Case("GB18030", table(COMPANY, encoding="gb18030"), [SENT]),
    Case("UTF-16", table(COMPANY, encoding="utf-16"), "UTF-16"),
    Case(
        "Big5",
        table("臺北某甲科技股份有限公司,1", headings="company_name,tax_id", encoding="big5"),
        "encoding is not known",
    ),
    Case("JSON array", partial(text, "[{}]", suffix=".jsonl"), "JSON array"),
    Case("JSON", partial(text, json.dumps(dict(zip(HEADINGS.split(","), COMPANY.split(","), strict=True)))), [SENT]),
    Case("web page", raw(b"<html>"), "HTML"),
    Case("PDF", raw(b"%PDF-1.7"), "is a PDF"),
    Case("web archive", raw(b"MIME-Version: 1.0"), "web archive"),
    Case("workbook", workbook(HEADINGS.split(","), COMPANY.split(",")), [SENT]),
    Case("mobile as a number", workbook(HEADINGS.split(","), [*COMPANY.split(",")[:3], int(MOBILE)]), [SENT]),
    Case("blank heading", workbook(["企业名称", "", "信用代码"], ["甲", "x", CODE]), ["column B"]),
    Case("title in a workbook", workbook(["名单"], HEADINGS.split(","), COMPANY.split(",")), [SENT], "row 2 holds the"),
    Case(
        "NaN",
        workbook(["企业名称", "信用代码"], ["甲", 7], edit=("<v>7</v>", "<v>NaN</v>")),
        ["信用代码: is not a number"],
    ),
    Case("same row twice", workbook(["信用代码"], [CODE], [CODE], edit=('<row r="3"', '<row r="2"')), "two rows say"),
    Case("stray cell", workbook(["信用代码"], [CODE], edit=('r="A2"', 'r="XFD1048576"')), "the cell XFD1048576"),
    Case("error in a workbook", formula("#N/A"), ["法人: holds a spreadsheet error"]),
    Case("error without references", formula("#N/A", (' r="[A-Z]+[0-9]"', "")), ["法人: holds a spreadsheet error"]),
    Case("computed formula", formula("张三"), [SENT]),
    Case("formula never computed", formula(0), ["法人: holds a formula without"]),
    Case("formula without a value", formula("", ("<v></v>", "")), ["法人: holds a formula without"]),
    Case("formula of text without a value", formula("x", ("<v>x</v>", "")), ["法人: holds a formula without"]),
    Case(
        "XLS that loops",
        raw(LOOP[: 512 * (SECTORS + 1)] + bytes(512) + LOOP[512 * (SECTORS + 2) :], ".xls"),
        "cannot|not a",
    ),
]


def field_of(request: CorpIdentLinkRequest, name: str) -> object:
    """Return a field of a request; that of a missing part is ``None``."""
    value: object = request
    for step in FIELDS[name].path.split("."):
        value = getattr(value, step, None)
    return value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_file(case: Case, tmp_path: Path) -> None:
    """Each row is sent as meant or refused with a reason that names the place, and no file ends the process."""
    file = case.write(tmp_path / "companies")
    if isinstance(case.rows, str):
        with pytest.raises(SourceError, match=case.rows):
            list(FileSource(file))
        return
    source = FileSource(file)
    assert re.search(case.notice, "\n".join(source.notices))
    for row, expected in zip(source, case.rows, strict=True):
        reasons = "\n".join(str(problem) for problem in row.problems if problem.fatal)
        if isinstance(expected, str):
            assert re.search(expected, reasons), reasons
            assert row.invalid
        else:
            assert not reasons
            assert row.request is not None
            assert {name: field_of(row.request, name) for name in expected} == expected
