"""The reference of the platform's API: sections that exist, and examples that hold."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import kfq_async
from kfq_async.protocol.signing import canonical_json, string_to_sign

ROOT = Path(kfq_async.__file__).parent
REFERENCE = (ROOT / "protocol/README.md").read_text("utf-8")
CHINESE = (ROOT / "protocol/README.zh-CN.md").read_text("utf-8")

NUMBER = r"\d+(?:\.\d+)?"
LIST = rf"sections? ({NUMBER}(?:(?:, | and | to ){NUMBER})*)"


def headings(page: str) -> list[str]:
    """Return the numbers of the sections of a page."""
    return re.findall(rf"^#{{2,3}} ({NUMBER})\.? ", page, re.MULTILINE)


def in_one_line(text: str) -> str:
    """Return the text without line breaks and the marks of continued comments."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", text)


def citations() -> dict[str, list[str]]:
    """Return the numbers of the cited sections by file; every mention of a section has a number."""
    cited = {}
    for path in sorted(ROOT.rglob("*.py")):
        text = in_one_line(path.read_text("utf-8"))
        mentions = re.findall(rf"[Pp]rotocol {LIST}", text)
        name = str(path.relative_to(ROOT))
        assert len(mentions) == len(re.findall(r"[Pp]rotocol sections?\b", text)), name
        if mentions:
            cited[name] = [number for mention in mentions for number in re.findall(NUMBER, mention)]
    return cited


def test_every_cited_section_exists() -> None:
    """Each “protocol section N” of the package is a heading of the reference."""
    cited = citations()
    assert "errors.py" in cited
    assert "models/contracts.py" in cited
    missing = {name: set(numbers) - set(headings(REFERENCE)) for name, numbers in cited.items()}
    assert not {name: numbers for name, numbers in missing.items() if numbers}


def test_sections_are_numbered_in_order() -> None:
    """Sections stand in the order of their numbers, each once."""
    numbers = [tuple(map(int, number.split("."))) for number in headings(REFERENCE)]
    assert numbers == sorted(set(numbers))
    assert {number[0] for number in numbers} == set(range(10))


def test_references_within_the_pages_exist() -> None:
    """The pages refer to sections that exist."""
    english = [number for found in re.findall(LIST, in_one_line(REFERENCE)) for number in re.findall(NUMBER, found)]
    chinese = re.findall(rf"({NUMBER}) [节章]", CHINESE)
    assert english
    assert chinese
    assert set(english) | set(chinese) <= set(headings(REFERENCE))


def test_the_chinese_page_has_sections_of_the_english_one() -> None:
    """The Chinese page holds some of the sections, in the same order under the same numbers."""
    chinese = headings(CHINESE)
    assert {"1.5", "2.2", "4.0", "4.17"} <= set(chinese)
    assert chinese == [number for number in headings(REFERENCE) if number in chinese]


def test_each_chinese_paragraph_is_one_line() -> None:
    """A line break within a Chinese sentence would be displayed as a gap."""
    prose = re.sub(r"^```.*?^```$", "", CHINESE, flags=re.MULTILINE | re.DOTALL)
    assert not re.findall(r"^[^|#\n].*\n[^|#*\n0-9].*", prose, re.MULTILINE)


def test_the_example_of_a_signature_holds() -> None:
    """The example of section 5.4 is what the package computes."""
    example = dict(re.findall(r"^(canonical|biz_content|inputs|to sign) +(.*)$", REFERENCE, re.MULTILINE))
    inputs = dict(pair.split("=", 1) for pair in re.split(r"  (?=\w+=)", example["inputs"]))
    body = example["canonical"].encode()
    assert canonical_json(body) == example["canonical"]
    assert base64.b64encode(hashlib.sha256(body).digest()).decode() == example["biz_content"]
    signed = string_to_sign(
        inputs["appId"], body, nonce=inputs["nonce"], timestamp=inputs["timestamp"], uri=inputs["uri"]
    )
    assert signed == example["to sign"]
