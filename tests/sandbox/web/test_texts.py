"""Texts of the pages: both languages have each of them, with the same values, and every status has a label."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from kfq_async.models.notifications import IdentityStatus
from kfq_async.sandbox.lifecycle import STATUS_NAMES
from kfq_async.sandbox.web.console_texts import ConsoleTexts
from kfq_async.sandbox.web.signing_texts import SigningTexts
from kfq_async.sandbox.web.texts import Texts, contract_pill, language_switch, status_pill


@pytest.mark.parametrize(
    ("page", "name"), [(page, name) for page in (ConsoleTexts, SigningTexts) for name in page.entries]
)
def test_both_languages(page: type[Texts], name: str) -> None:
    """A text takes the same values in both languages, and only one of them is Chinese."""
    chinese, english = page.entries[name]
    values = [{field for _, field, _, _ in Formatter().parse(text) if field} for text in (chinese, english)]
    assert values[0] == values[1]
    assert bool(re.search("[一-鿿]", english)) == (name == "other_language")
    assert bool(re.search("[、一-鿿]", chinese)) == (name not in {"other_language", "space"})


@pytest.mark.parametrize(
    ("lang", "used", "html", "other"),
    [("zh", "zh", "zh-CN", "en"), ("en", "en", "en", "zh"), ("", "zh", "zh-CN", "en"), ("fr", "zh", "zh-CN", "en")],
)
def test_language(lang: str, used: str, html: str, other: str) -> None:
    """An unknown language is Chinese."""
    texts = Texts(lang)
    assert (texts.lang, texts.html_lang, texts.other) == (used, html, other)


@pytest.mark.parametrize("status", [None, *IdentityStatus])
def test_every_status_of_an_order_has_a_label(status: IdentityStatus | None) -> None:
    """Each status, and an order that has none yet, has a label in both languages."""
    chinese, english = (status_pill(status, Texts(lang)) for lang in ("zh", "en"))
    assert chinese.partition('">')[0] == english.partition('">')[0]
    assert chinese != english


def test_every_status_of_a_contract_has_a_text() -> None:
    """Each status of a contract has a text, the same as in messages; an unknown one is shown as it is."""
    assert {status: Texts("zh")(f"status_{status}") for status in STATUS_NAMES} == STATUS_NAMES
    assert contract_pill("COMPLETE", Texts("en")) == '<span class="pill good">complete</span>'
    assert contract_pill("<NEW>", Texts("en")) == '<span class="pill bad">&lt;NEW&gt;</span>'


def test_language_switch() -> None:
    """The link to the other language is written in that language."""
    switch = language_switch("/sandbox/?q=a&lang=zh", Texts("en"))
    assert '<a href="/sandbox/?q=a&amp;lang=zh" hreflang="zh" lang="zh">中文</a>' in switch


def test_unknown_steps_keep_their_name() -> None:
    """The platform accepts any ``nodeType``."""
    assert SigningTexts("en").node("ENTERPRISE_SEAL") == "Enterprise seal"
    assert SigningTexts("en").node("OTHER") == "OTHER"
