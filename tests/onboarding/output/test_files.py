"""The file of companies once more, with what became of each."""

from __future__ import annotations

import errno
import json
import os
import resource
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.input.source import FileSource
from kfq_async.onboarding.output import files
from kfq_async.onboarding.output.files import (
    Result,
    check_output,
    default_output,
    require_xlsx,
    write_output,
    writer_for,
)
from workbooks import write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfq_async.onboarding.records import Row

CHINESE = ("认证状态", "订单号", "认证链接", "说明", "请求标识")
ENGLISH = ("state", "order_no", "auth_url", "reason", "client_request_id")


def source(tmp_path: Path, text: str = "税号,备注\n1,=x\n\n2,乙\n") -> FileSource:
    """Write a CSV and open it."""
    file = tmp_path / "companies.csv"
    file.write_text(text, encoding="utf-8")
    return FileSource(file, checks=False)


def linked(rows: Sequence[Row]) -> list[Result]:
    """Return a result for each row that has its number."""
    return [Result("linked", f"O{row.row_number}", "https://example.com/", client_request_id="id") for row in rows]


def read(file: Path) -> list[tuple[str, ...]]:
    """Read headings and rows of a file."""
    table = open_table(file)
    return [table.headings, *(row.cells for row in table.rows())]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_results_stand_behind_the_columns(suffix: str, tmp_path: Path) -> None:
    """The columns are as they were, and each row has its own result behind them; nothing else is left there."""
    out = tmp_path / f"out{suffix}"
    write_output(source(tmp_path), out, linked)
    assert read(out) == [
        ("税号", "备注", *CHINESE),
        ("1", "=x", "linked", "O2", "https://example.com/", "", "id"),
        ("2", "乙", "linked", "O4", "https://example.com/", "", "id"),
    ]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"companies.csv", out.name}


def test_a_mask_of_nobody_widens_nothing(tmp_path: Path) -> None:
    """An output that others could read is its owner's alone when it is written again."""
    out = tmp_path / "out.csv"
    out.touch()
    out.chmod(0o666)
    write_output(source(tmp_path), out, linked)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("headings", "added"),
    [("税号,名", CHINESE), ("credit_code,name", ENGLISH), ("税号,name", ENGLISH), ("税号,名,x", CHINESE)],
)
def test_results_speak_the_language_of_the_file(headings: str, added: tuple[str, ...], tmp_path: Path) -> None:
    """The new headings are Chinese where most of the others are."""
    out = tmp_path / "out.csv"
    write_output(source(tmp_path, headings), out, linked)
    assert read(out) == [(*headings.split(","), *added)]


@pytest.mark.parametrize("headings", ["税号", "credit_code"])
def test_an_output_is_an_input(headings: str, tmp_path: Path) -> None:
    """The results of an earlier run are replaced, and all else comes through any number of runs."""
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    write_output(source(tmp_path, f"{headings},x,y\n1,'=y,z\n"), first, lambda rows: [Result("unknown")] * len(rows))
    write_output(FileSource(first, checks=False), second, linked)
    assert read(second) == [
        (headings, "x", "y", *ENGLISH),
        ("1", "=y", "z", "linked", "O2", "https://example.com/", "", "id"),
    ]


def test_a_column_of_your_own_is_kept(tmp_path: Path) -> None:
    """One column that is called like a result is the caller's own."""
    out = tmp_path / "out.csv"
    write_output(source(tmp_path, "credit_code,state\n1,CA\n"), out, linked)
    assert read(out)[0] == ("credit_code", "state", *ENGLISH)
    assert read(out)[1][:3] == ("1", "CA", "linked")


def test_rows_are_looked_up_in_batches(tmp_path: Path) -> None:
    """A ledger is asked for some hundred rows at a time, all of them and in their order."""
    asked: list[int] = []

    def results(rows: Sequence[Row]) -> list[Result]:
        asked.append(len(rows))
        return linked(rows)

    out = tmp_path / "out.csv"
    write_output(source(tmp_path, "税号\n" + "1\n" * 1001), out, results)
    assert asked == [500, 500, 1]
    assert [row[2] for row in read(out)[1:]] == [f"O{number}" for number in range(2, 1003)]


def test_results_that_do_not_fit_are_no_file(tmp_path: Path) -> None:
    """A look-up that loses a row leaves the old output as it was, and nothing beside it."""
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
        (errno.EACCES, "close the file where it is open"),
        (errno.EIO, "choose another place"),
    ],
)
def test_what_the_disk_refuses_is_said(
    number: int, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, a file that is open elsewhere: the words say what to do, and nothing is left behind."""

    def refuse(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OnboardingError, match=f"{os.strerror(number)}; .*{advice}, and run the same again"):
        write_output(source(tmp_path), tmp_path / "out.csv", linked)
    assert [file.name for file in tmp_path.iterdir()] == ["companies.csv"]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Let no file become larger than 4 KiB, so that the system refuses a write in the middle."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_a_write_that_fails_half_way_leaves_nothing(
    suffix: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Whatever is being written when the disk says no, the words are ours and nothing half is left."""
    companies = source(tmp_path, "税号,备注\n" + "".join(f"{os.urandom(16).hex()},x\n" for _ in range(2000)))
    request.getfixturevalue("small_disk")
    with pytest.raises(OnboardingError, match="cannot be written: File too large; choose another place"):
        write_output(companies, tmp_path / f"out{suffix}", linked)
    assert [file.name for file in tmp_path.iterdir()] == ["companies.csv"]


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    """An output in a folder that is not there names the remedy."""
    with pytest.raises(OnboardingError, match="No such file or directory; make the folder first"):
        write_output(source(tmp_path), tmp_path / "none" / "out.csv", linked)


def test_the_default_output() -> None:
    """The output goes beside the input and is of its kind; an old workbook becomes a new one."""
    names = {"a.csv": "a.links.csv", "a.xls": "a.links.xlsx", "a.XLSX": "a.links.xlsx", "a.jsonl": "a.links.jsonl"}
    assert {name: default_output(Path("x", name)).name for name in names} == names
    assert default_output(Path("x", "a.tsv")) == Path("x", "a.links.csv")


def test_what_would_fail_is_said_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with an output is known before anything is sent."""
    companies = source(tmp_path)
    check_output(companies, tmp_path / "out.csv")
    check_output(companies, tmp_path / "out.xlsx")
    with pytest.raises(SourceError, match="an output ends in"):
        check_output(companies, tmp_path / "out.txt")
    with pytest.raises(SourceError, match="is the input"):
        check_output(companies, tmp_path / "." / "companies.csv")
    (tmp_path / "folder.csv").mkdir()
    for out in (tmp_path / "folder.csv", tmp_path / "none" / "out.csv"):
        with pytest.raises(SourceError, match="choose a file in a folder that is there"):
            check_output(companies, out)
    monkeypatch.setattr(files, "XLSX_ROWS", 2)
    with pytest.raises(SourceError, match="has more rows than an XLSX can hold, 2; write"):
        check_output(companies, tmp_path / "out.xlsx")


def test_a_workbook_becomes_one(tmp_path: Path) -> None:
    """XLSX in, XLSX out; a number that has lost digits does not come back as if it were whole."""
    file = write_workbook(tmp_path / "a.xlsx", ["税号", "银行卡号", "手机号"], ["1", 6222000000000001, 13800138000])
    out = default_output(file)
    write_output(FileSource(file, checks=False), out, linked)
    assert read(out)[1][:3] == ("1", "6.22200000000000E+15", "13800138000")
    (row,) = FileSource(out, checks=False)
    assert [problem.column for problem in row.problems] == ["银行卡号"]


def test_a_result_shows_no_link() -> None:
    """Whoever has the link can open it."""
    assert "example.com" not in repr(Result("linked", "1", "https://example.com/"))


HEADINGS = ("税号", "a;b\tc;d", "名")
# Half characters cannot be written, and a row of blanks alone does not come back.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TABLES = st.lists(st.tuples(st.text("0123456789", min_size=1), CELLS, CELLS), min_size=1)


def write(file: Path, *rows: tuple[str, ...], headings: tuple[str, ...] = HEADINGS) -> Path:
    """Write a table."""
    with writer_for(file)(file, headings) as write_row:
        for row in rows:
            write_row(row)
    return file


def back(file: Path) -> list[tuple[str, ...]]:
    """Read a table."""
    return [row.cells for row in open_table(file).rows()]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".jsonl", ".xlsx", ".XLSX"])
def test_a_table_comes_back(suffix: str, tmp_path: Path) -> None:
    """What is written is read again as it was, formulas, links and long numbers as the texts that they are."""
    rows = [("=1+1", "+86", "'@x"), ("110101199001011237", "https://example.com/", '甲"\r\n，'), ("1", "", "{x}")]
    file = write(tmp_path / f"a{suffix}", *rows)
    assert open_table(file).headings == HEADINGS
    assert back(file) == rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@given(rows=TABLES)
def test_any_text_comes_back(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    """Whatever is in a table, a CSV and JSON Lines give it back."""
    file = write(tmp_path_factory.mktemp("any") / f"a{suffix}", *rows)
    assert back(file) == rows


@given(rows=TABLES)
def test_nothing_is_calculated(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]) -> None:
    """No cell of a CSV begins with what a spreadsheet program takes for a formula."""
    file = write(tmp_path_factory.mktemp("any") / "a.csv", *rows)
    cells = [cell for _, *rest in csv_rows(file) for cell in rest]
    assert {cell[:1] for cell in cells} & {*"=+-@\t\r"} == set()


def csv_rows(file: Path) -> list[list[str]]:
    """Read a CSV as a spreadsheet program does."""
    import csv

    with file.open(encoding="utf-8-sig", newline="") as stream:
        return [*csv.reader(stream)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_half_characters_are_replaced(suffix: str, tmp_path: Path) -> None:
    """What no file can hold does not cost the file."""
    ((cell, other, _),) = back(write(tmp_path / f"a{suffix}", ("a\udc80b", "x", "y")))
    assert (cell[0], cell[2:], other) == ("a", "b", "x")


def test_what_a_sheet_cannot_hold_is_replaced(tmp_path: Path) -> None:
    """Control characters are replaced and a text of any length is cut; the rest is there."""
    ((control, long, escape),) = back(write(tmp_path / "a.xlsx", ("a\x01\x0b\ufffe\tb", "x" * 40_000, "_x0041_")))
    assert control == "a\ufffd\ufffd\ufffd\tb"
    assert long == "x" * 32_767
    assert escape == "_x0041_"


def test_many_links_do_not_vanish(tmp_path: Path) -> None:
    """A sheet takes 65,530 hyperlinks; links are texts, of which it takes any number."""
    rows = [(f"https://example.com/{number}", "", "") for number in range(65_600)]
    assert back(write(tmp_path / "a.xlsx", *rows)) == rows


def test_a_sheet_that_is_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a sheet can hold are refused and not left out."""
    monkeypatch.setattr(files, "XLSX_ROWS", 3)
    write(tmp_path / "a.xlsx", *[("1", "", "")] * 2)
    with pytest.raises(SourceError, match="an XLSX holds 3 rows; write"):
        write(tmp_path / "a.xlsx", *[("1", "", "")] * 3)


def test_json_has_a_key_for_each_column(tmp_path: Path) -> None:
    """A column without a heading has its letter for a key; two columns of one name are refused."""
    file = write(tmp_path / "a.jsonl", ("1", "2"), headings=("税号", ""))
    assert json.loads(file.read_text(encoding="utf-8")) == {"税号": "1", "column B": "2"}
    with pytest.raises(SourceError, match="two columns 备注; rename one"):
        write(file, headings=("备注", "税号", "备注 "))


def test_another_kind_is_said() -> None:
    """A name that ends in no kind that can be written is refused."""
    with pytest.raises(SourceError, match=r"a.xls: an output ends in .csv, .jsonl or .xlsx"):
        writer_for(Path("a.xls"))


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XlsxWriter the error says what to install."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(SourceError, match=r"pip install 'kfq-async\[onboarding\]'"):
        require_xlsx()
    with pytest.raises(SourceError, match="extra"):
        write(tmp_path / "a.xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_what_the_system_refuses_is_its_error(suffix: str, tmp_path: Path) -> None:
    """A file that cannot be made is the error that the system gives, whichever library meets it."""
    file = tmp_path / f"a{suffix}"
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        write(file, ("1", "", ""))
