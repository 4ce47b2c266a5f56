"""Tables and rows."""

import pytest

from kfq_async.onboarding.input.table import TableRow, column_name, make_row, strip_trailing_blanks


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "税号"),
        (1, "column B"),
        (2, "column C"),
        (25, "column Z"),
        (26, "column AA"),
        (701, "column ZZ"),
        (702, "column AAA"),
    ],
)
def test_column_name(index: int, name: str) -> None:
    """A column is named by its heading, or by its spreadsheet letters."""
    assert column_name([" 税号 ", " "], index) == name


def test_trailing_blanks() -> None:
    """Blank cells at the end are stripped, and missing ones are filled in."""
    assert strip_trailing_blanks(["", "a", " ", ""]) == ("", "a")
    assert make_row(2, ["a"], ["x", "y"]) == TableRow(2, ("a", ""))


def test_repr_hides_cells() -> None:
    """Cells hold personal data."""
    assert repr(TableRow(2, ("13800138000",))) == "TableRow(row_number=2, cells=<1 cells>, problems=())"
