"""JSON Lines tables."""

import json
from pathlib import Path

import pytest

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import Table, open_table
from kfq_async.onboarding.input.jsonl import open_json_lines


def table(tmp_path: Path, *lines: str) -> Table:
    """Write lines and open the file."""
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return open_table(file)


def test_rows(tmp_path: Path) -> None:
    """The headings are the keys of all objects; a missing or null value is a blank cell."""
    found = table(tmp_path, '{"税号": "1", "名": null}', "", '{"名": "乙\u2028", "电话": "3"}')
    assert found.headings == ("税号", "名", "电话")
    assert [(row.row_number, row.cells, row.problems) for row in found.rows()] == [
        (1, ("1", "", ""), ()),
        (3, ("", "乙\u2028", "3"), ()),
    ]


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    """Numbers of any length stay as written; a list of strings becomes one cell."""
    (row,) = table(
        tmp_path, '{"a": 110101199001011237123, "b": 13800138000.0, "c": 1.3E+10, "d": ["face", "mobile"]}'
    ).rows()
    assert row.cells == ("110101199001011237123", "13800138000.0", "1.3E+10", "face,mobile")


@pytest.mark.parametrize(
    ("value", "message", "cell"),
    [
        ("true", "is true or false", "TRUE"),
        ('{"b": 1}', "is an object or a list", ""),
        ("[null]", "is an object or a list", ""),
        ('"\\ud800x"', "a lone surrogate", "?x"),
        ('["a\\udfff"]', "a lone surrogate", "a?"),
        ('"1", "a": "2"', "occurs twice", "2"),
    ],
)
def test_value_that_is_no_string(value: str, message: str, cell: str, tmp_path: Path) -> None:
    """A value that is no string is a problem of its key."""
    (row,) = table(tmp_path, f'{{"a": {value}}}').rows()
    (problem,) = row.problems
    assert problem.column == "a"
    assert message in problem.message
    assert row.cells == (cell,)


@pytest.mark.parametrize("line", ["[1]", "{", '{"a": 1} {"a": 2}', "x", "1", '{"a":' * 100_000, "[[1,2]]"])
def test_line_that_is_no_object(line: str, tmp_path: Path) -> None:
    """An invalid line becomes a row with a problem, and the other lines are read."""
    bad, good = [*table(tmp_path, '{"a": "0"}', line, '{"a": "1"}').rows()][1:]
    assert (bad.row_number, bad.cells) == (2, ("",))
    assert [str(problem) for problem in bad.problems] == ["is not one JSON object on one line"]
    assert good.cells == ("1",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"a": 1}]', "is a JSON array; write one object per line"),
        ("{\n", "holds no JSON object"),
        (json.dumps(dict.fromkeys(map(str, range(1001)))), "line 1: more than 1000 different keys"),
    ],
)
def test_file_without_table(text: str, message: str, tmp_path: Path) -> None:
    """JSON that is no table is an error with the remedy."""
    with pytest.raises(SourceError, match=message):
        table(tmp_path, text)


def test_unreadable_file(tmp_path: Path) -> None:
    """A missing file and a wrong encoding are errors."""
    file = tmp_path / "a.jsonl"
    with pytest.raises(SourceError, match="cannot be read"):
        open_json_lines(file, "utf-8")
    file.write_bytes('{"税号": "1"}'.encode("gbk"))
    with pytest.raises(SourceError, match="is not in utf-8"):
        open_json_lines(file, "utf-8")
