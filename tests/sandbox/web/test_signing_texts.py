"""Texts of the signing page: both languages have each of them, with the same values."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from kfq_async.sandbox.lifecycle import STATUS_NAMES
from kfq_async.sandbox.web.signing_texts import _TEXTS, Texts


@pytest.mark.parametrize("name", _TEXTS)
def test_both_languages(name: str) -> None:
    """A text takes the same values in both languages, and only one of them is Chinese."""
    chinese, english = _TEXTS[name]
    values = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in (chinese, english)]
    assert values[0] == values[1]
    assert bool(re.search("[一-鿿]", english)) == (name == "other_language")
    assert bool(re.search("[一-鿿]", chinese)) == (name != "other_language")


@pytest.mark.parametrize(
    ("lang", "used", "html", "other"),
    [("zh", "zh", "zh-CN", "en"), ("en", "en", "en", "zh"), ("", "zh", "zh-CN", "en")],
)
def test_language(lang: str, used: str, html: str, other: str) -> None:
    """An unknown language is Chinese."""
    texts = Texts(lang)
    assert (texts.lang, texts.html_lang, texts.other) == (used, html, other)


def test_every_status_has_a_text() -> None:
    """Each status of a contract has a text, the same as in messages."""
    assert {status: Texts("zh")(f"status_{status}") for status in STATUS_NAMES} == STATUS_NAMES


def test_unknown_steps_keep_their_name() -> None:
    """The platform accepts any ``nodeType``."""
    assert Texts("en").node("ENTERPRISE_SEAL") == "Enterprise seal"
    assert Texts("en").node("OTHER") == "OTHER"
