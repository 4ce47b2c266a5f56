"""JSON Lines."""

import json
from pathlib import Path

import pytest

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import Table, open_table
from kfq_async.onboarding.input.jsonl import open_json_lines


def table(tmp_path: Path, *lines: str) -> Table:
    """Open lines."""
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return open_table(file)


def test_objects_become_rows(tmp_path: Path) -> None:
    """The headings are the keys of all objects; what an object lacks or has as null is blank."""
    found = table(tmp_path, '{"税号": "1", "名": null}', "", '{"名": "乙\u2028", "电话": "3"}')
    assert found.headings == ("税号", "名", "电话")
    assert [(row.row_number, row.cells, row.problems) for row in found.rows()] == [
        (1, ("1", "", ""), ()),
        (3, ("", "乙\u2028", "3"), ()),
    ]


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    """Digits do not go through a float, however many there are; several texts become one cell."""
    (row,) = table(
        tmp_path, '{"a": 110101199001011237123, "b": 13800138000.0, "c": 1.3E+10, "d": ["face", "mobile"]}'
    ).rows()
    assert row.cells == ("110101199001011237123", "13800138000.0", "1.3E+10", "face,mobile")


@pytest.mark.parametrize(
    ("value", "said", "cell"),
    [
        ("true", "is true or false", "TRUE"),
        ('{"b": 1}', "is an object or a list", ""),
        ("[null]", "is an object or a list", ""),
        ('"\\ud800x"', "half a character", "?x"),
        ('["a\\udfff"]', "half a character", "a?"),
        ('"1", "a": "2"', "stands twice", "2"),
    ],
)
def test_a_value_that_is_no_text_is_named(value: str, said: str, cell: str, tmp_path: Path) -> None:
    """What is no text is a problem of its key."""
    (row,) = table(tmp_path, f'{{"a": {value}}}').rows()
    (problem,) = row.problems
    assert problem.column == "a"
    assert said in problem.message
    assert row.cells == (cell,)


@pytest.mark.parametrize("line", ["[1]", "{", '{"a": 1} {"a": 2}', "x", "1", '{"a":' * 100_000, "[[1,2]]"])
def test_a_line_that_is_no_object_is_named(line: str, tmp_path: Path) -> None:
    """One bad line is a row that cannot be sent, and the others are read."""
    bad, good = [*table(tmp_path, '{"a": "0"}', line, '{"a": "1"}').rows()][1:]
    assert (bad.row_number, bad.cells) == (2, ("",))
    assert [str(problem) for problem in bad.problems] == ["is not one JSON object on one line"]
    assert good.cells == ("1",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1}]', "is one JSON array; write one object on each line"),
        ("{\n", "holds no JSON object"),
        (json.dumps(dict.fromkeys(map(str, range(1001)))), "line 1: more than 1000 different keys"),
    ],
)
def test_what_is_no_table_is_said(text: str, said: str, tmp_path: Path) -> None:
    """A file of JSON that is no table is named with the remedy."""
    with pytest.raises(SourceError, match=said):
        table(tmp_path, text)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    """A file that went, or that is in another encoding than was said, is named."""
    file = tmp_path / "a.jsonl"
    with pytest.raises(SourceError, match="cannot be read"):
        open_json_lines(file, "utf-8")
    file.write_bytes('{"税号": "1"}'.encode("gbk"))
    with pytest.raises(SourceError, match="is not in utf-8"):
        open_json_lines(file, "utf-8")
