"""Charts: well-formed SVG whose sizes are proportional to the counts."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from kfq_async.onboarding.output.charts import Segment, column_chart, label_interval, stacked_bar

NASTY = "<b>\"'&"


def heights(counts: list[int]) -> list[float]:
    """Return the heights of the columns."""
    picture = ET.fromstring(column_chart(counts, [], description="w", y_label="u", x_label="a", css_class="time"))
    return [float(each.attrib["height"]) for each in picture.iter("rect")]


def scale(counts: list[int]) -> list[str]:
    """Return the numbers of the y axis."""
    picture = ET.fromstring(column_chart(counts, [], description="w", y_label="", x_label="", css_class="time"))
    return [each.text for each in picture.iter("text") if each.text]


@pytest.mark.parametrize(("count", "interval"), [(1, 2), (3, 2), (7, 2), (30, 8), (120, 30)])
def test_label_interval(count: int, interval: int) -> None:
    """Labels do not overlap, whatever the number of columns."""
    assert label_interval(count) == interval


def test_segments_of_a_bar() -> None:
    """Empty segments are left out; the others share the width."""
    drawn = ET.fromstring(
        stacked_bar([Segment(3, "linked", "linked"), Segment(0, "no", "no"), Segment(1, "refused", "refused")])
    )
    (_, *parts) = drawn.iter("rect")
    assert [(each.attrib["class"], each.attrib["width"]) for each in parts] == [
        ("linked", "750.00"),
        ("refused", "250.00"),
    ]
    assert drawn.attrib["aria-label"] == "linked 3, no 0, refused 1"


def test_empty_bar() -> None:
    """Without rows the bar is empty."""
    (background,) = ET.fromstring(stacked_bar([Segment(0, "linked", "linked")])).iter("rect")
    assert background.attrib["class"] == "none"


def test_column_heights() -> None:
    """Heights are proportional; a zero has no column, and one of a thousand is still visible."""
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
def test_scale(counts: list[int], numbers: list[str]) -> None:
    """A scale has whole numbers only, and ends at a round one."""
    assert scale(counts) == numbers


def test_ticks() -> None:
    """A tick stands at the left edge of its column; the last label stays inside the chart."""
    drawn = ET.fromstring(
        column_chart([1] * 102, [(0, "a"), (101, "z")], description="w", y_label="", x_label="", css_class="s")
    )
    ticks = {each.text: each.attrib for each in drawn.iter("text") if each.text in {"a", "z"}}
    assert (ticks["a"]["x"], ticks["a"]["class"]) == ("46.0", "middle")
    assert (ticks["z"]["x"], ticks["z"]["class"]) == ("349.0", "end")


def test_texts_are_escaped() -> None:
    """Any text leaves the SVG well-formed and is shown as it is."""
    drawn = ET.fromstring(
        column_chart([1], [(0, NASTY)], description=NASTY, y_label=NASTY, x_label=NASTY, css_class=NASTY)
    )
    assert drawn.attrib["aria-label"] == NASTY
    assert [each.text for each in drawn.iter("text")].count(NASTY) == 3
    assert ET.fromstring(stacked_bar([Segment(1, NASTY, NASTY)])).attrib["aria-label"] == f"{NASTY} 1"
