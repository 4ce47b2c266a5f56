"""The file of companies once more, with what became of each."""

import errno
import os
import resource
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kfq_async.errors import OnboardingError, SourceError
from kfq_async.onboarding import outputs
from kfq_async.onboarding.outputs import Result, check_output, default_output, write_output
from kfq_async.onboarding.rows import Row
from kfq_async.onboarding.sources import FileSource
from kfq_async.onboarding.tables import open_table
from workbooks import write_workbook

CHINESE = ("认证状态", "订单号", "认证链接", "说明", "请求标识")
ENGLISH = ("state", "order_no", "auth_url", "reason", "client_request_id")


def source(tmp_path: Path, text: str = "税号,备注\n1,=x\n\n2,乙\n") -> FileSource:
    """Write a CSV and open it."""
    file = tmp_path / "companies.csv"
    file.write_text(text, encoding="utf-8")
    return FileSource(file, checks=False)


def linked(rows: Sequence[Row]) -> list[Result]:
    """Return a result for each row that has its number."""
    return [Result("linked", f"O{row.number}", "https://example.com/", client_request_id="id") for row in rows]


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
    monkeypatch.setattr(outputs, "XLSX_ROWS", 2)
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
