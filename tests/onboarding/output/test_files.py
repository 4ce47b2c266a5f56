"""Output table: the input's columns and the results, in each format."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from python_calamine import CalamineWorkbook

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.input.source import FileSource
from kfq_async.onboarding.output import files
from kfq_async.onboarding.output.files import (
    Result,
    check_output,
    default_output,
    remove_leftovers,
    write_output,
)
from workbooks import write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfq_async.languages import Language
    from kfq_async.onboarding.records import Row

CHINESE_HEADINGS = ("行号", "申请状态", "认证状态", "认证链接", "说明", "订单号", "请求标识")
ENGLISH_HEADINGS = ("row", "state", "identity_status", "auth_url", "reason", "order_no", "client_request_id")
URL = "https://example.com/"


def source(tmp_path: Path, text: str = "税号,备注\n1,=x\n\n2,乙\n") -> FileSource:
    """Write a CSV and open it."""
    file = tmp_path / "companies.csv"
    file.write_text(text, encoding="utf-8")
    return FileSource(file, checks=False)


def linked(rows: Sequence[Row]) -> list[Result]:
    """Return a result for each row, with its row number in the order number."""
    return [Result("linked", f"O{row.row_number}", URL, client_request_id="id", identity_status=1) for row in rows]


def read(file: Path) -> list[tuple[str, ...]]:
    """Return the headings and rows of a file."""
    table = open_table(file)
    return [table.headings, *(row.cells for row in table.rows())]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize(
    ("language", "headings", "texts"),
    [
        ("zh", CHINESE_HEADINGS, ("已获链接", "已认证")),
        ("en", ENGLISH_HEADINGS, ("linked", "identified")),
        (None, CHINESE_HEADINGS, ("已获链接", "已认证")),
    ],
)
def test_results_follow_the_columns(
    suffix: str, language: Language | None, headings: tuple[str, ...], texts: tuple[str, ...], tmp_path: Path
) -> None:
    """The columns are copied and followed by row number and result in either language; no temporary file is left."""
    out = tmp_path / f"out{suffix}"
    write_output(source(tmp_path), out, linked, language=language)
    assert read(out) == [
        ("税号", "备注", *headings),
        ("1", "=x", "2", *texts, URL, "", "O2", "id"),
        ("2", "乙", "4", *texts, URL, "", "O4", "id"),
    ]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"companies.csv", out.name}


def test_json_lines_are_english(tmp_path: Path) -> None:
    """Keys and states of JSON Lines are the same in every language, and the row is a number."""
    out = tmp_path / "out.jsonl"
    write_output(source(tmp_path, "税号\n1\n"), out, linked, language="zh")
    values = ("1", 2, "linked", "identified", URL, "", "O2", "id")
    assert json.loads(out.read_text(encoding="utf-8")) == dict(zip(("税号", *ENGLISH_HEADINGS), values, strict=True))
    assert [row.request is not None for row in FileSource(out, checks=False)] == [True]


RESULTS = [
    (Result("linked", "O"), ("linked", "no notification"), ("已获链接", "尚无通知")),
    (Result("linked", "O", identity_status=4), ("linked", "expired"), ("已获链接", "已失效")),
    (Result("linked", "O", identity_status=77), ("linked", "77"), ("已获链接", "77")),
    (Result("refused", reason="x", identity_status=1), ("refused", ""), ("被平台拒绝", "")),
    (Result("invalid"), ("invalid", ""), ("数据无效", "")),
    (Result("unknown"), ("unknown", ""), ("结果未知", "")),
    (Result("pending"), ("pending", ""), ("待申请", "")),
    (Result(), ("", ""), ("", "")),
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_states_and_totals(language: Language, tmp_path: Path) -> None:
    """Each state has its name, and the second sheet of a workbook has the numbers of rows."""
    out = tmp_path / "out.xlsx"
    rows = "".join(f"{number}\n" for number in range(1, len(RESULTS) + 1))
    write_output(
        source(tmp_path, f"税号\n{rows}"), out, lambda batch: [result for result, _, _ in RESULTS], language=language
    )
    expected = [texts[language == "zh"] for _, *texts in RESULTS]
    assert [row[2:4] for row in read(out)[1:]] == expected
    book = CalamineWorkbook.from_path(out)
    assert book.sheet_names == [["Companies", "Totals"], ["企业", "汇总"]][language == "zh"]
    first, *rest = book.get_sheet_by_index(1).to_python()
    assert first == [["state", "rows"], ["申请状态", "行数"]][language == "zh"]
    total = ["total", "合计"][language == "zh"]
    gap = rest.index(["", ""], 3)
    states, statuses = rest[: rest.index([total, 8.0])], rest[gap + 2 :]
    names = {name for name, _ in expected}
    assert sorted(states) == sorted([name, 3.0 if name in {"linked", "已获链接"} else 1.0] for name in names)
    assert statuses[-1] == [total, 3.0]
    assert {name for name, _ in statuses[:-1]} == {status for _, status in expected if status}


def test_existing_output_becomes_private(tmp_path: Path) -> None:
    """An output that others could read is readable by its owner only when it is written again."""
    out = tmp_path / "out.csv"
    out.touch()
    out.chmod(0o666)
    write_output(source(tmp_path), out, linked)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("headings", "added"),
    [
        ("税号,名", CHINESE_HEADINGS),
        ("credit_code,name", ENGLISH_HEADINGS),
        ("税号,name", ENGLISH_HEADINGS),
        ("税号,名,x", CHINESE_HEADINGS),
    ],
)
def test_language_of_the_headings(headings: str, added: tuple[str, ...], tmp_path: Path) -> None:
    """Without a language, the new headings are Chinese if most of the others are."""
    out = tmp_path / "out.csv"
    write_output(source(tmp_path, headings), out, linked)
    assert read(out) == [(*headings.split(","), *added)]


@pytest.mark.parametrize("headings", ["税号", "credit_code"])
def test_output_as_input(headings: str, tmp_path: Path) -> None:
    """The results of an earlier run are replaced, and all other columns survive."""
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    write_output(source(tmp_path, f"{headings},x,y\n1,'=y,z\n"), first, lambda rows: [Result("unknown")] * len(rows))
    write_output(FileSource(first, checks=False), second, linked, language="en")
    assert read(second) == [
        (headings, "x", "y", *ENGLISH_HEADINGS),
        ("1", "=y", "z", "2", "linked", "identified", URL, "", "O2", "id"),
    ]


FORMER = ["state,order_no,auth_url,reason,client_request_id", "认证状态,订单号,认证链接,说明,请求标识"]


@pytest.mark.parametrize("former", FORMER)
def test_output_of_an_earlier_version_as_input(former: str, tmp_path: Path) -> None:
    """Its results are replaced too; a column that it had beside them is kept, whatever its heading."""
    out = tmp_path / "out.csv"
    write_output(
        source(tmp_path, f"credit_code,row,行号,{former}\n1,a,b,linked,O,{URL},,id\n"), out, linked, language="en"
    )
    assert read(out)[0] == ("credit_code", "row", "行号", *ENGLISH_HEADINGS)
    assert read(out)[1][:4] == ("1", "a", "b", "2")


def test_column_with_the_heading_of_a_result(tmp_path: Path) -> None:
    """A single column with the heading of a result belongs to the input and is kept."""
    out = tmp_path / "out.csv"
    write_output(source(tmp_path, "credit_code,state\n1,CA\n"), out, linked)
    assert read(out)[0] == ("credit_code", "state", *ENGLISH_HEADINGS)
    assert read(out)[1][:4] == ("1", "CA", "2", "linked")


def test_rows_are_looked_up_in_batches(tmp_path: Path) -> None:
    """Results are looked up for up to 500 rows at a time, in their order."""
    sizes: list[int] = []

    def results(rows: Sequence[Row]) -> list[Result]:
        sizes.append(len(rows))
        return linked(rows)

    out = tmp_path / "out.csv"
    write_output(source(tmp_path, "税号\n" + "1\n" * 1001), out, results)
    assert sizes == [500, 500, 1]
    assert [row[6] for row in read(out)[1:]] == [f"O{number}" for number in range(2, 1003)]


def test_missing_results(tmp_path: Path) -> None:
    """A lookup that loses a row leaves the old output as it was, and no temporary file."""
    out = tmp_path / "out.csv"
    out.write_text("old")
    with pytest.raises(ValueError, match="zip"):
        write_output(source(tmp_path), out, lambda rows: [])
    assert out.read_text() == "old"
    assert {file.name for file in tmp_path.iterdir()} == {"companies.csv", "out.csv"}


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "close the file in other programs"),
        (errno.EIO, "choose another place"),
    ],
)
def test_disk_errors(number: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk has a message with the remedy, and no file is left."""

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OnboardingError, match=f"{os.strerror(number)}; .*{advice}, and run the same command again"):
        write_output(source(tmp_path), tmp_path / "out.csv", linked)
    assert [file.name for file in tmp_path.iterdir()] == ["companies.csv"]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Limit of 4 KiB per file, so that a write fails in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_write_that_fails_half_way(suffix: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """A write that fails in the middle has our message, and no partial file is left."""
    companies = source(tmp_path, "税号,备注\n" + "".join(f"{os.urandom(16).hex()},x\n" for _ in range(2000)))
    request.getfixturevalue("small_disk")
    with pytest.raises(OnboardingError, match="cannot be written: File too large; choose another place"):
        write_output(companies, tmp_path / f"out{suffix}", linked)
    assert [file.name for file in tmp_path.iterdir()] == ["companies.csv"]


def test_leftovers_of_other_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a process is kept while it runs, also as another user; this process has none yet."""
    theirs, own = (tmp_path / f".out.csv.kfq-{process}-abcd_123" for process in (999_999_999, os.getpid()))
    theirs.mkdir()
    own.mkdir()

    def refuse(_: int, __: int) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr("os.kill", refuse)
        remove_leftovers(tmp_path / "out.csv")
    assert (theirs.exists(), own.exists()) == (True, False)
    remove_leftovers(tmp_path / "out.csv")
    assert not theirs.exists()


def test_leftovers_of_other_outputs(tmp_path: Path) -> None:
    """What was left of a file of another name is removed too, and no folder of another form."""
    ended, others = "999999999", (".git", ".x.kfq-1x-abcdefgh", "out.csv.kfq-999999999-abcdefgh", ".x.kfq-999999999-a")
    for name in (f".links.xlsx.kfq-{ended}-abcdefgh", f".c.report.html.kfq-{ended}-0123_xyz", *others):
        (tmp_path / name).mkdir()
        (tmp_path / name / "people").touch()
    write_output(source(tmp_path), tmp_path / "out.csv", linked)
    assert {path.name for path in tmp_path.iterdir()} == {"companies.csv", "out.csv", *others}


def test_missing_folder(tmp_path: Path) -> None:
    """An output in a missing folder is an error with the remedy."""
    with pytest.raises(OnboardingError, match="No such file or directory; create the folder"):
        write_output(source(tmp_path), tmp_path / "none" / "out.csv", linked)


def test_default_output() -> None:
    """The output is next to the input and in its format; an XLS becomes an XLSX."""
    names = {"a.csv": "a.links.csv", "a.xls": "a.links.xlsx", "a.XLSX": "a.links.xlsx", "a.jsonl": "a.links.jsonl"}
    assert {name: default_output(Path("x", name)).name for name in names} == names
    assert default_output(Path("x", "a.tsv")) == Path("x", "a.links.csv")


def test_check_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output that cannot be written is an error before anything is sent."""
    companies = source(tmp_path)
    check_output(companies, tmp_path / "out.csv")
    check_output(companies, tmp_path / "out.xlsx")
    with pytest.raises(SourceError, match="the output must end in"):
        check_output(companies, tmp_path / "out.txt")
    with pytest.raises(SourceError, match="is the input"):
        check_output(companies, tmp_path / "." / "companies.csv")
    (tmp_path / "folder.csv").mkdir()
    for out in (tmp_path / "folder.csv", tmp_path / "none" / "out.csv"):
        with pytest.raises(SourceError, match="choose a file in an existing, writable folder"):
            check_output(companies, out)
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda _, mode: mode == os.F_OK)  # a folder that can only be read
        check_output(companies, tmp_path / "out.csv", dry_run=True)
        with pytest.raises(SourceError, match="writable folder"):
            check_output(companies, tmp_path / "out.csv")
    monkeypatch.setattr(files, "XLSX_ROWS", 2)
    with pytest.raises(SourceError, match=r"has more rows than an XLSX can hold \(2\); choose a .csv"):
        check_output(companies, tmp_path / "out.xlsx")
    with pytest.raises(SourceError, match="JSON cannot hold two columns state; rename one"):
        check_output(source(tmp_path, "税号,state\n"), tmp_path / "out.jsonl")


def test_workbook(tmp_path: Path) -> None:
    """An XLSX becomes an XLSX; a number that has lost digits is not written as if it were complete."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号", "银行卡号", "手机号"], ["1", 6222000000000001, 13800138000])
    out = default_output(file)
    write_output(FileSource(file, checks=False), out, linked)
    assert read(out)[1][:3] == ("1", "6.22200000000000E+15", "13800138000")
    (row,) = FileSource(out, checks=False)
    assert [problem.column for problem in row.problems] == ["银行卡号"]


def test_repr_hides_the_link() -> None:
    """A link is a secret, since it alone opens the page."""
    assert "example.com" not in repr(Result("linked", "1", "https://example.com/"))
