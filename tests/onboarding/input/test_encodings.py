"""How a text is written, found by looking at all of it."""

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
    """Return where a test writes its text."""
    return tmp_path / "companies.csv"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("gbk", "gb18030"), ("gb18030", "gb18030")],
)
def test_an_encoding_is_found(encoding: str, found: str, file: Path) -> None:
    """UTF-8 with and without its mark, and GB18030, are told apart, even if the first Chinese comes last."""
    file.write_bytes(("a,b,c\n" * 10_000 + LINE).encode(encoding))
    assert detect_encoding(file, None) == found


def test_all_of_gb18030_is_read(file: Path) -> None:
    """Characters that are in no older encoding, of four bytes each, are read."""
    file.write_bytes("税号,名称\n1,𠮷㐀\n".encode("gb18030"))
    assert [row.cells for row in open_table(file).rows()] == [("1", "𠮷㐀")]


def test_a_line_that_could_be_either(file: Path) -> None:
    """A line in GB18030 that happens to be UTF-8 of two bytes each does not make two encodings of one."""
    file.write_bytes(("企业名称\n" + "一些\n").encode("gb18030"))
    assert "一些".encode("gb18030").decode() != "一些"
    assert [row.cells for row in open_table(file).rows()] == [("一些",)]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("utf-8", "gb18030", "UTF-8 up to line 3, and line 4 in GB18030"),
        ("utf-8-sig", "gb18030", "UTF-8 up to line 3, and line 4 in GB18030"),
        ("gb18030", "utf-8", "GB18030 up to line 3, and line 4 in UTF-8"),
    ],
)
def test_two_encodings_are_said(first: str, second: str, said: str, file: Path) -> None:
    """A file that was put together from two is named with the line where the second begins."""
    file.write_bytes((LINE * 3).encode(first) + (LINE * 2).encode(second))
    with pytest.raises(SourceError, match=said):
        open_table(file)


def test_no_encoding_is_said(file: Path) -> None:
    """Bytes that are neither are named by line and byte."""
    file.write_bytes(LINE.encode() + b"a,\xff\n")
    with pytest.raises(
        SourceError, match=r"line 2 is neither in UTF-8 \(see its byte 3\) nor in GB18030 \(see its byte 3\)"
    ):
        open_table(file)


@pytest.mark.parametrize(
    ("content", "said"), [(b"a\n1\0\n", "line 2 has a NUL byte"), (b"x" * (1 << 20), "line 1 has more")]
)
@pytest.mark.parametrize("encoding", [None, "gbk"])
def test_what_no_text_has_is_said(content: bytes, said: str, encoding: str | None, file: Path) -> None:
    """NUL bytes and lines without an end are refused, also where the encoding is given."""
    file.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        open_table(file, encoding=encoding)


@pytest.mark.parametrize(
    ("given_", "found"), [("UTF8", "utf-8-sig"), ("GBK", "gb18030"), ("gb2312", "gb18030"), ("big5", "big5")]
)
def test_an_encoding_can_be_given(given_: str, found: str, file: Path) -> None:
    """A given encoding is taken; the older ones of GB18030 are read as it."""
    file.write_bytes(b"a\n")
    assert detect_encoding(file, given_) == found


def test_a_given_encoding_that_is_wrong_is_said(file: Path) -> None:
    """An encoding without a codec, or that the file is not in, is named."""
    file.write_bytes(LINE.encode("gbk"))
    with pytest.raises(SourceError, match="write utf-8 or gb18030"):
        open_table(file, encoding="utf-88")
    with pytest.raises(SourceError, match="is not in utf-8-sig; say which"):
        open_table(file, encoding="utf-8")


def test_a_file_that_went_is_said(file: Path) -> None:
    """A file that was there a moment ago, and cannot be read now, is named."""
    with pytest.raises(SourceError, match="cannot be read"):
        detect_encoding(file, None)


@given(
    names=st.lists(st.text("某北京市科技有限公司集团（）联通一丁", min_size=3), min_size=1),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
)
def test_any_names_come_back(tmp_path_factory: pytest.TempPathFactory, names: list[str], encoding: str) -> None:
    """Whatever companies are in a file, they are read as they were written."""
    file = tmp_path_factory.mktemp("any") / "names.csv"
    file.write_bytes("\n".join(["企业名称,税号,法定代表人", *(f"{name},1,张" for name in names)]).encode(encoding))
    assert [row.cells[0] for row in open_table(file).rows()] == names
