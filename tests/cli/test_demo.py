"""`kfq demo`: the main job."""

import json
from pathlib import Path

import pytest
from attrs import frozen

from kfq_async.cli import demo as command
from kfq_async.cli.app import run
from kfq_async.cli.demo import COLUMNS, read_companies
from kfq_async.cli.options import UsageError
from kfq_async.transport.settings import RetryPolicy

HEADING = ",".join(COLUMNS)


def write(tmp_path: Path, *rows: str, heading: str = HEADING) -> Path:
    """Write a CSV."""
    file = tmp_path / "companies.csv"
    file.write_text("\n".join([heading, *rows]) + "\n", encoding="utf-8")
    return file


def test_every_company_of_the_shipped_file_gets_its_link(capsys: pytest.CaptureFixture[str]) -> None:
    """Although answers are lost, each of the shipped companies ends with one link and one order."""
    assert run(["demo"]) == 0
    *_, last = capsys.readouterr().out.strip().splitlines()
    counts = [int(word) for word in last.split() if word.isdecimal()]
    companies, links, repeated, orders, duplicates = counts
    assert companies == links == orders == len(read_companies().requests) > 200
    assert repeated > 0
    assert duplicates == 0


def test_poor_rows_are_named() -> None:
    """Rows that repeat another or name nobody are left out by their line; blanks around values go."""
    companies = read_companies()
    assert [note.split()[1] for note in companies.notes] == ["62", "208", "233"]
    values = json.dumps([str(request.corp_ident_info) for request in companies.requests], ensure_ascii=False)
    assert "\u3000" not in values
    assert "<script>" in values


def test_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--file takes another CSV; a company without a name is shown as one, and brackets are no markup."""
    file = write(tmp_path, "[red]甲[/red],,,,,,,", ",91110000MA01234567,,2,,,,")
    assert run(["demo", "--file", str(file), "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "[red]甲[/red]" in shown
    assert "（无名称）" in shown
    assert "2 companies, 2 links" in shown


@pytest.mark.parametrize(
    ("rows", "heading", "said"),
    [
        (["甲"], "company_name,credit_code", "lacks the column legal_rep_name, company_type"),
        ([], HEADING, "holds no company"),
        ([",,张三,,,,,"], HEADING, "holds no company"),
        (["甲,,,公司,,,,"], HEADING, "line 2: company_type must be 1, 2 or 3, not '公司'"),
    ],
)
def test_a_poor_file_is_said(
    rows: list[str], heading: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is no list of companies exits with 2 and names line and column."""
    assert run(["demo", "--file", str(write(tmp_path, *rows, heading=heading))]) == 2
    assert said in capsys.readouterr().err


def test_an_unreadable_file_is_said(tmp_path: Path) -> None:
    """A file that is not there, or not in UTF-8, is named with the remedy."""
    with pytest.raises(UsageError, match="No such file"):
        read_companies(tmp_path / "none.csv")
    file = tmp_path / "gbk.csv"
    file.write_bytes(f"{HEADING}\n甲,,,,,,,\n".encode("gb18030"))
    with pytest.raises(UsageError, match="save it as CSV UTF-8"):
        read_companies(file)


def test_a_limit_below_one_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--limit 0 exits with 2."""
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,")), "--limit", "0"]) == 2
    assert "limit must be at least 1" in capsys.readouterr().err


def test_a_missing_link_is_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A company that cannot get its link makes the exit status 1, and its row says why."""
    monkeypatch.setattr(command, "FAULTS", ("lose",))
    monkeypatch.setattr(command, "RETRY", RetryPolicy(attempts=1))
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 1
    shown = capsys.readouterr().out
    assert "1 companies, 0 links" in shown
    assert "connection broke" in shown


def test_a_second_order_is_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company that ends with two orders makes the exit status 1."""
    listed = [{"companyName": "甲"}, {"companyName": "甲"}]
    monkeypatch.setattr(command, "_orders", lambda _: listed)
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 1


def test_a_sandbox_that_does_not_start_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the sandbox cannot start, the demo says so instead of waiting."""
    monkeypatch.setattr(command, "FAULTS", ("nonsense",))
    assert run(["demo", "--file", str(write(tmp_path, "甲,,,,,,,"))]) == 2
    assert "the sandbox did not start" in capsys.readouterr().err


@frozen
class _Terminal:
    """Where the output goes, as far as rich asks."""

    is_terminal: bool = True


def test_a_terminal_keeps_its_own_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the table fits it; a pipe gets lines wide enough for whole links."""
    monkeypatch.setattr(command, "Console", lambda **options: _Terminal() if "width" not in options else options)
    assert isinstance(command._console(), _Terminal)
