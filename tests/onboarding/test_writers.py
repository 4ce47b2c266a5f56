"""Tables as files."""

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.errors import SourceError
from kfq_async.onboarding import writers
from kfq_async.onboarding.tables import open_table
from kfq_async.onboarding.writers import require_xlsx, writer_for

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
    monkeypatch.setattr(writers, "XLSX_ROWS", 3)
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


def test_a_full_disk_is_an_error_of_the_system() -> None:
    """What the disk refuses comes as it does from every other file."""
    with pytest.raises(OSError, match="No such file"):
        write(Path("/nowhere/a.xlsx"))
