"""Output table: the input's columns and the results, in each format."""

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
    remove_leftovers,
    require_xlsx,
    write_output,
    writer_for,
)
from workbooks import write_workbook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfq_async.onboarding.records import Row

CHINESE_HEADINGS = ("认证状态", "订单号", "认证链接", "说明", "请求标识")
ENGLISH_HEADINGS = ("state", "order_no", "auth_url", "reason", "client_request_id")


def source(tmp_path: Path, text: str = "税号,备注\n1,=x\n\n2,乙\n") -> FileSource:
    """Write a CSV and open it."""
    file = tmp_path / "companies.csv"
    file.write_text(text, encoding="utf-8")
    return FileSource(file, checks=False)


def linked(rows: Sequence[Row]) -> list[Result]:
    """Return a result for each row, with its row number in the order number."""
    return [Result("linked", f"O{row.row_number}", "https://example.com/", client_request_id="id") for row in rows]


def read(file: Path) -> list[tuple[str, ...]]:
    """Return the headings and rows of a file."""
    table = open_table(file)
    return [table.headings, *(row.cells for row in table.rows())]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_results_follow_the_columns(suffix: str, tmp_path: Path) -> None:
    """The columns are copied and followed by each row's result; no temporary file is left."""
    out = tmp_path / f"out{suffix}"
    write_output(source(tmp_path), out, linked)
    assert read(out) == [
        ("税号", "备注", *CHINESE_HEADINGS),
        ("1", "=x", "linked", "O2", "https://example.com/", "", "id"),
        ("2", "乙", "linked", "O4", "https://example.com/", "", "id"),
    ]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert {file.name for file in tmp_path.iterdir()} == {"companies.csv", out.name}


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
    """The new headings are Chinese if most of the others are."""
    out = tmp_path / "out.csv"
    write_output(source(tmp_path, headings), out, linked)
    assert read(out) == [(*headings.split(","), *added)]


@pytest.mark.parametrize("headings", ["税号", "credit_code"])
def test_output_as_input(headings: str, tmp_path: Path) -> None:
    """The results of an earlier run are replaced, and all other columns survive."""
    first, second = tmp_path / "first.xlsx", tmp_path / "second.xlsx"
    write_output(source(tmp_path, f"{headings},x,y\n1,'=y,z\n"), first, lambda rows: [Result("unknown")] * len(rows))
    write_output(FileSource(first, checks=False), second, linked)
    assert read(second) == [
        (headings, "x", "y", *ENGLISH_HEADINGS),
        ("1", "=y", "z", "linked", "O2", "https://example.com/", "", "id"),
    ]


def test_column_with_the_heading_of_a_result(tmp_path: Path) -> None:
    """A single column with the heading of a result belongs to the input and is kept."""
    out = tmp_path / "out.csv"
    write_output(source(tmp_path, "credit_code,state\n1,CA\n"), out, linked)
    assert read(out)[0] == ("credit_code", "state", *ENGLISH_HEADINGS)
    assert read(out)[1][:3] == ("1", "CA", "linked")


def test_rows_are_looked_up_in_batches(tmp_path: Path) -> None:
    """Results are looked up for up to 500 rows at a time, in their order."""
    sizes: list[int] = []

    def results(rows: Sequence[Row]) -> list[Result]:
        sizes.append(len(rows))
        return linked(rows)

    out = tmp_path / "out.csv"
    write_output(source(tmp_path, "税号\n" + "1\n" * 1001), out, results)
    assert sizes == [500, 500, 1]
    assert [row[2] for row in read(out)[1:]] == [f"O{number}" for number in range(2, 1003)]


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
    theirs, own = (tmp_path / f".out.csv.kfq-{process}-abc" for process in (999_999_999, os.getpid()))
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
    monkeypatch.setattr(files, "XLSX_ROWS", 2)
    with pytest.raises(SourceError, match=r"has more rows than an XLSX can hold \(2\); choose a .csv"):
        check_output(companies, tmp_path / "out.xlsx")


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


HEADINGS = ("税号", "a;b\tc;d", "名")
# Lone surrogates cannot be written, and a blank row is skipped on reading.
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TABLES = st.lists(st.tuples(st.text("0123456789", min_size=1), CELLS, CELLS), min_size=1)


def write(file: Path, *rows: tuple[str, ...], headings: tuple[str, ...] = HEADINGS) -> Path:
    """Write a table."""
    with writer_for(file)(file, headings) as write_row:
        for row in rows:
            write_row(row)
    return file


def read_rows(file: Path) -> list[tuple[str, ...]]:
    """Return the rows of a table."""
    return [row.cells for row in open_table(file).rows()]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".jsonl", ".xlsx", ".XLSX"])
def test_round_trip(suffix: str, tmp_path: Path) -> None:
    """Formulas, links and long numbers survive a round trip as text."""
    rows = [("=1+1", "+86", "'@x"), ("110101199001011237", "https://example.com/", '甲"\r\n，'), ("1", "", "{x}")]
    file = write(tmp_path / f"a{suffix}", *rows)
    assert open_table(file).headings == HEADINGS
    assert read_rows(file) == rows


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@given(rows=TABLES)
def test_round_trip_of_any_text(
    suffix: str, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    """Any text survives a round trip through CSV and JSON Lines."""
    file = write(tmp_path_factory.mktemp("any") / f"a{suffix}", *rows)
    assert read_rows(file) == rows


@given(rows=TABLES)
def test_no_formulas_in_a_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]) -> None:
    """No cell of a CSV begins with a character that starts a formula."""
    file = write(tmp_path_factory.mktemp("any") / "a.csv", *rows)
    cells = [cell for _, *rest in csv_rows(file) for cell in rest]
    assert {cell[:1] for cell in cells} & {*"=+-@\t\r"} == set()


def csv_rows(file: Path) -> list[list[str]]:
    """Return the cells as a spreadsheet program would read them."""
    import csv

    with file.open(encoding="utf-8-sig", newline="") as stream:
        return [*csv.reader(stream)]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_lone_surrogates_are_replaced(suffix: str, tmp_path: Path) -> None:
    """A lone surrogate, which no file can hold, is replaced."""
    ((cell, other, _),) = read_rows(write(tmp_path / f"a{suffix}", ("a\udc80b", "x", "y")))
    assert (cell[0], cell[2:], other) == ("a", "b", "x")


def test_limits_of_a_sheet(tmp_path: Path) -> None:
    """Control characters are replaced, and a text that is too long for a cell is cut."""
    ((control, long, escape),) = read_rows(write(tmp_path / "a.xlsx", ("a\x01\x0b\ufffe\tb", "x" * 40_000, "_x0041_")))
    assert control == "a\ufffd\ufffd\ufffd\tb"
    assert long == "x" * 32_767
    assert escape == "_x0041_"


def test_many_links(tmp_path: Path) -> None:
    """Links are written as text, so that the limit of 65,530 hyperlinks per sheet does not apply."""
    rows = [(f"https://example.com/{number}", "", "") for number in range(65_600)]
    assert read_rows(write(tmp_path / "a.xlsx", *rows)) == rows


def test_full_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a sheet can hold are an error, and not dropped."""
    monkeypatch.setattr(files, "XLSX_ROWS", 3)
    write(tmp_path / "a.xlsx", *[("1", "", "")] * 2)
    with pytest.raises(SourceError, match="an XLSX holds 3 rows; choose a"):
        write(tmp_path / "a.xlsx", *[("1", "", "")] * 3)


def test_json_keys(tmp_path: Path) -> None:
    """A column without a heading gets its letters as the key; two columns with one heading are an error."""
    file = write(tmp_path / "a.jsonl", ("1", "2"), headings=("税号", ""))
    assert json.loads(file.read_text(encoding="utf-8")) == {"税号": "1", "column B": "2"}
    with pytest.raises(SourceError, match="two columns 备注; rename one"):
        write(file, headings=("备注", "税号", "备注 "))


def test_unknown_suffix() -> None:
    """A suffix of no known format is an error."""
    with pytest.raises(SourceError, match=r"a.xls: the output must end in .csv, .jsonl or .xlsx"):
        writer_for(Path("a.xls"))


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XlsxWriter the error says how to install it."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)
    with pytest.raises(SourceError, match=r"pip install 'kfq-async\[onboarding\]'"):
        require_xlsx()
    with pytest.raises(SourceError, match="needs XlsxWriter"):
        write(tmp_path / "a.xlsx")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".xlsx"])
def test_system_errors(suffix: str, tmp_path: Path) -> None:
    """A file that cannot be created raises the system's error, whichever library writes it."""
    file = tmp_path / f"a{suffix}"
    file.mkdir()
    with pytest.raises(IsADirectoryError):
        write(file, ("1", "", ""))
