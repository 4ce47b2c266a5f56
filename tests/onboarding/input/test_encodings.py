"""Encoding detection over the whole file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.errors import SourceError
from kfq_async.onboarding.input import open_table
from kfq_async.onboarding.input.encodings import detect_encoding

LINE = "北京某某（集团）有限公司,91110000MA01234567,联通\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Path of the text of a test."""
    return tmp_path / "companies.csv"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("gb18030", "gb18030")],
)
def test_encoding_is_detected(encoding: str, found: str, file: Path) -> None:
    """UTF-8 with and without a BOM, and GB18030, are told apart, even if only the last line has Chinese."""
    file.write_bytes(("a,b,c\n" * 10_000 + LINE).encode(encoding))
    assert detect_encoding(file, None) == found


def test_four_byte_gb18030(file: Path) -> None:
    """Characters of four bytes, which older encodings lack, are read."""
    file.write_bytes("税号,名称\n1,𠮷㐀\n".encode("gb18030"))
    assert [row.cells for row in open_table(file).rows()] == [("1", "𠮷㐀")]


def test_line_valid_in_both_encodings(file: Path) -> None:
    """A line in GB18030 that happens to be valid two-byte UTF-8 does not count as a second encoding."""
    file.write_bytes(("企业名称\n" + "一些\n").encode("gb18030"))
    assert "一些".encode("gb18030").decode() != "一些"
    assert [row.cells for row in open_table(file).rows()] == [("一些",)]


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("utf-8", "gb18030", "UTF-8 up to line 3, GB18030 in line 4"),
        ("utf-8-sig", "gb18030", "UTF-8 up to line 3, GB18030 in line 4"),
        ("gb18030", "utf-8", "GB18030 up to line 3, UTF-8 in line 4"),
    ],
)
def test_mixed_encodings(first: str, second: str, message: str, file: Path) -> None:
    """A file with two encodings is an error that names the line where the second begins."""
    file.write_bytes((LINE * 3).encode(first) + (LINE * 2).encode(second))
    with pytest.raises(SourceError, match=message):
        open_table(file)


def test_neither_encoding(file: Path) -> None:
    """Bytes that are valid in neither encoding are named by line and byte."""
    file.write_bytes(LINE.encode() + b"a,\xff\n")
    with pytest.raises(
        SourceError, match=r"line 2 is neither in UTF-8 \(see its byte 3\) nor in GB18030 \(see its byte 3\)"
    ):
        open_table(file)


def test_damage_in_a_later_line(file: Path) -> None:
    """Each line of a file in GB18030 is checked, so that the message names the line."""
    file.write_bytes((LINE * 2).encode("gb18030") + b"\x80" + LINE.encode("gb18030"))
    with pytest.raises(SourceError, match="line 3 is neither in UTF-8"):
        open_table(file)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("臺北某甲科技股份有限公司,陳某", "big5"),
        ("東京某商事株式会社,山田太郎", "shift_jis"),
        ("Müller Präzision GmbH,Jörg Müller", "cp1252"),
    ],
)
def test_other_encodings(text: str, encoding: str, file: Path) -> None:
    """An encoding that is valid GB18030 by chance is refused, and can be named."""
    file.write_bytes(f"company_name,legal_rep,credit_code\n{text},1\n".encode(encoding))
    with pytest.raises(SourceError, match=r"the encoding is not known.*--encoding, such as big5"):
        open_table(file)
    assert [row.cells[:2] for row in open_table(file, encoding=encoding).rows()] == [tuple(text.split(","))]


def test_rare_characters(file: Path) -> None:
    """Rare characters of GBK are read as long as most of the text is in daily use."""
    file.write_bytes("企业名称,税号,法人\n某某科技有限公司,1,张䶮\n".encode("gb18030"))
    assert [row.cells[2] for row in open_table(file).rows()] == ["张䶮"]


@pytest.mark.parametrize(
    ("content", "message"), [(b"a\n1\0\n", "line 2 has a NUL byte"), (b"x" * (1 << 20), "line 1 has more")]
)
@pytest.mark.parametrize("encoding", [None, "gbk"])
def test_binary_content(content: bytes, message: str, encoding: str | None, file: Path) -> None:
    """NUL bytes and endless lines are errors, also with an explicit encoding."""
    file.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        open_table(file, encoding=encoding)


@pytest.mark.parametrize(
    ("explicit", "found"), [("UTF8", "utf-8-sig"), ("GBK", "gb18030"), ("gb2312", "gb18030"), ("big5", "big5")]
)
def test_explicit_encoding(explicit: str, found: str, file: Path) -> None:
    """An explicit encoding is used; the subsets of GB18030 are read as GB18030."""
    file.write_bytes(b"a\n")
    assert detect_encoding(file, explicit) == found


def test_wrong_explicit_encoding(file: Path) -> None:
    """An unknown encoding, or one that the file is not in, is an error."""
    file.write_bytes(LINE.encode("gbk"))
    for unknown in ("utf-88", "hex", "rot13", "utf\0"):
        with pytest.raises(SourceError, match=r"unknown encoding .*; use utf-8 or gb18030"):
            open_table(file, encoding=unknown)
    with pytest.raises(SourceError, match="is not in utf-8-sig from line 1 on; give its --encoding"):
        open_table(file, encoding="utf-8")


def test_deleted_file(file: Path) -> None:
    """A file that cannot be read is an error."""
    with pytest.raises(SourceError, match="cannot be read"):
        detect_encoding(file, None)


@given(
    names=st.lists(st.text("某北京市科技有限公司集团（）联通一丁", min_size=3), min_size=1),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_names_survive_any_encoding(tmp_path_factory: pytest.TempPathFactory, names: list[str], encoding: str) -> None:
    """Any names are read as they were written, in each encoding."""
    file = tmp_path_factory.mktemp("any") / "names.csv"
    file.write_bytes("\n".join(["企业名称,税号,法定代表人", *(f"{name},1,张" for name in names)]).encode(encoding))
    assert [row.cells[0] for row in open_table(file).rows()] == names
