"""What every kind of file becomes."""

import pytest

from kfq_async.onboarding.input.table import TableRow, column_name, fit, trim


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
def test_a_column_has_a_name(index: int, name: str) -> None:
    """A column is called by its heading, or as the spreadsheet program calls it."""
    assert column_name([" 税号 ", " "], index) == name


def test_blank_cells_at_the_end() -> None:
    """They are no part of a row."""
    assert trim(["", "a", " ", ""]) == ("", "a")
    assert fit(2, ["a"], ["x", "y"]) == TableRow(2, ("a", ""))


def test_a_row_shows_no_cells() -> None:
    """Cells are people's data."""
    assert repr(TableRow(2, ("13800138000",))) == "TableRow(row_number=2, cells=<1 cells>, problems=())"
