"""Fonts of pictures."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTCollection, TTFont

from kfq_async.sandbox import fonts
from kfq_async.sandbox.fonts import EmbeddedFont, embed, system_fonts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_cache() -> Iterator[None]:
    """Cut each font down anew."""
    fonts._cut_down.cache_clear()
    yield
    fonts._cut_down.cache_clear()


@pytest.fixture(params=["system", "package"])
def _font(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw with the font of the system, if there is one, or with that of the extra."""
    if request.param == "package":
        last = fonts._paths()[-1:]
        monkeypatch.setattr(fonts, "_paths", lambda: last)


@pytest.mark.usefixtures("_font")
def test_rare_characters() -> None:
    """Every character has a glyph of its own, rare ones too, and the file is small."""
    font = embed("张䶮科技SANDBOX")
    opened = TTFont(io.BytesIO(font.data))
    assert set("张䶮科技SANDBOX") == font.codes.keys()
    assert len(font.data) < 20_000
    for character, code in font.codes.items():
        assert opened.getBestCmap()[ord(character)] == opened.getGlyphName(code)
        assert opened["glyf"][opened.getGlyphName(code)].numberOfContours > 0
    assert font.width("张䶮") == 2.0
    assert 0 < font.width("S") < 1
    assert font.encode("䶮") == f"<{font.codes['䶮']:04x}>"


@pytest.mark.usefixtures("_font")
def test_the_same_text_gives_the_same_font() -> None:
    """The sequence of the characters does not count, and the name has the tag of its content."""
    first, second, other = embed("甲乙"), embed("乙甲乙"), embed("甲丙")
    assert first == second
    assert first.name != other.name
    assert first.name[6] == "+"
    assert first.name[:6].isupper()


def tiny_font(family: str, characters: str, width: int) -> TTFont:
    """Return an OpenType font with CFF outlines, whose glyphs are squares of a width."""
    pen = T2CharStringPen(width, None)
    for point in ((0, 0), (width, 0), (width, width), (0, width)):
        (pen.lineTo if point != (0, 0) else pen.moveTo)(point)
    pen.closePath()
    square = pen.getCharString()
    order = [".notdef", *(f"g{number}" for number in range(len(characters)))]
    builder = FontBuilder(500, isTTF=False)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap({ord(character): order[number + 1] for number, character in enumerate(characters)})
    builder.setupCFF(family.replace(" ", ""), {}, dict.fromkeys(order, square), {})
    builder.setupHorizontalMetrics(dict.fromkeys(order, (width, 0)))
    builder.setupHorizontalHeader()
    builder.setupNameTable(
        {"familyName": family, "styleName": "Regular", "psName": f"{family.replace(' ', '')}-Regular"}
    )
    builder.setupOS2()
    builder.setupPost()
    return builder.font


def test_collections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a collection, the font for simplified Chinese is taken, or else the first; units and outlines do not count."""
    paths = []
    for name, families in (("a.ttc", ["Tiny JP", "Tiny SC"]), ("b.ttc", ["Other JP", "Other KR"])):
        collection = TTCollection()
        collection.fonts = [tiny_font(family, "甲乙", 100 * number) for number, family in enumerate(families, start=1)]
        collection.save(tmp_path / name)
        paths.append(tmp_path / name)
    monkeypatch.setattr(fonts, "_paths", lambda: paths[:1])
    assert (embed("甲").name[7:], embed("甲").widths) == ("TinySC", (400, 400))
    monkeypatch.setattr(fonts, "_paths", lambda: paths[1:])
    assert (embed("乙").name[7:], embed("乙").widths) == ("OtherJP", (200, 200))


def test_the_first_font_that_has_all_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A font that lacks a character gives way to one that has it; where none has all, the best one is taken."""
    paths = []
    for number, characters in enumerate(("甲", "甲乙丙", "甲乙")):
        paths.append(tmp_path / f"{number}.otf")
        tiny_font(f"Tiny{number}", characters, 500).save(paths[-1])
    monkeypatch.setattr(fonts, "_paths", lambda: paths)
    assert [embed(text).name[7:] for text in ("甲", "丙甲", "甲乙", "甲丁丙")] == ["Tiny0", "Tiny1", "Tiny1", "Tiny1"]


def test_a_character_that_no_font_has() -> None:
    """An unassigned character becomes a box; the others keep their glyphs."""
    font = embed("甲\uffff")
    assert font.codes.keys() == {"甲", "\uffff"}
    assert TTFont(io.BytesIO(font.data)).getGlyphOrder()[0] == ".notdef"


def test_an_empty_text() -> None:
    """A font without characters has the box alone."""
    assert (embed("").codes, len(embed("").widths), embed("").width("")) == ({}, 1, 0.0)


def test_fonts_of_the_system(tmp_path: Path) -> None:
    """Fonts that may be embedded are found at any depth, the preferred first; others are left alone."""
    for name in (
        "b/NotoSansSC-Regular.otf",
        "NotoSerifCJK-Regular.ttc",
        "c/NotoSerifCJK-Bold.ttc",
        "SimSun.ttf",
        "x.pdf",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = system_fonts([tmp_path, tmp_path / "missing", Path("~nobody-of-this-name/fonts")])
    assert [path.name for path in found] == [
        "NotoSerifCJK-Bold.ttc",
        "NotoSerifCJK-Regular.ttc",
        "NotoSansSC-Regular.otf",
    ]


def test_threads() -> None:
    """Threads may ask at the same time."""
    texts = [f"甲乙丙丁戊己庚辛{number}" for number in range(8)]
    found: dict[str, EmbeddedFont] = {}
    threads = [Thread(target=lambda text=text: found.update({text: embed(text)})) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fonts._cut_down.cache_clear()
    assert found == {text: embed(text) for text in texts}
