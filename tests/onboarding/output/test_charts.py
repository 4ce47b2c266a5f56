"""Charts: well-formed pictures whose sizes are the numbers."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from kfq_async.onboarding.output.charts import Segment, apart, bar, columns

NASTY = "<b>\"'&"


def heights(counts: list[int]) -> list[float]:
    """Return the heights of the columns that are drawn."""
    picture = ET.fromstring(columns(counts, [], words="w", upright="u", along="a", style="time"))
    return [float(each.attrib["height"]) for each in picture.iter("rect")]


def scale(counts: list[int]) -> list[str]:
    """Return the numbers of the upright axis."""
    picture = ET.fromstring(columns(counts, [], words="w", upright="", along="", style="time"))
    return [each.text for each in picture.iter("text") if each.text]


@pytest.mark.parametrize(("count", "columns_apart"), [(1, 2), (3, 2), (7, 2), (30, 8), (120, 30)])
def test_labels_have_room(count: int, columns_apart: int) -> None:
    """However many columns there are, labels do not run into each other."""
    assert apart(count) == columns_apart


def test_a_bar_has_the_shares_of_its_parts() -> None:
    """Parts of nothing are left out; the others share the width."""
    drawn = ET.fromstring(
        bar([Segment(3, "linked", "linked"), Segment(0, "no", "no"), Segment(1, "refused", "refused")])
    )
    (_, *parts) = drawn.iter("rect")
    assert [(each.attrib["class"], each.attrib["width"]) for each in parts] == [
        ("linked", "750.00"),
        ("refused", "250.00"),
    ]
    assert drawn.attrib["aria-label"] == "linked 3, no 0, refused 1"


def test_a_bar_of_nothing() -> None:
    """Without rows there is an empty bar."""
    (ground,) = ET.fromstring(bar([Segment(0, "linked", "linked")])).iter("rect")
    assert ground.attrib["class"] == "none"


def test_columns_are_as_high_as_their_counts() -> None:
    """Twice as many is twice as high; nothing has no column, and one of a thousand can still be seen."""
    assert heights([100, 50, 0]) == [132.0, 66.0]
    assert heights([1000, 1]) == [132.0, 0.8]


@pytest.mark.parametrize(
    ("counts", "numbers"),
    [
        ([], ["0", "1"]),
        ([0], ["0", "1"]),
        ([1], ["0", "1"]),
        ([2], ["0", "2"]),
        ([3], ["0", "1", "2", "3", "4"]),
        ([7], ["0", "2", "4", "6", "8"]),
        ([9], ["0", "10"]),
        ([15], ["0", "5", "10", "15", "20"]),
        ([1500], ["0", "500", "1,000", "1,500", "2,000"]),
    ],
)
def test_scales_have_whole_numbers(counts: list[int], numbers: list[str]) -> None:
    """A scale counts rows, so it has no half ones, and it ends at a round number."""
    assert scale(counts) == numbers


def test_ticks_stand_where_their_columns_begin() -> None:
    """The last one keeps inside the picture."""
    drawn = ET.fromstring(columns([1] * 102, [(0, "a"), (101, "z")], words="w", upright="", along="", style="s"))
    ticks = {each.text: each.attrib for each in drawn.iter("text") if each.text in {"a", "z"}}
    assert (ticks["a"]["x"], ticks["a"]["class"]) == ("46.0", "middle")
    assert (ticks["z"]["x"], ticks["z"]["class"]) == ("349.0", "end")


def test_words_are_escaped() -> None:
    """Whatever the words, the picture is well-formed and says them."""
    drawn = ET.fromstring(columns([1], [(0, NASTY)], words=NASTY, upright=NASTY, along=NASTY, style=NASTY))
    assert drawn.attrib["aria-label"] == NASTY
    assert [each.text for each in drawn.iter("text")].count(NASTY) == 3
    assert ET.fromstring(bar([Segment(1, NASTY, NASTY)])).attrib["aria-label"] == f"{NASTY} 1"
