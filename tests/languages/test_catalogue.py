"""Translation of messages and of the library's texts, and the language that is chosen."""

from __future__ import annotations

from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.languages import (
    Catalogue,
    Language,
    current_language,
    gettext,
    language_of_environment,
    ngettext,
    set_language,
    translate,
)
from kfq_async.languages.catalogue import catalogue_for

CHINESE = Catalogue(
    "zh",
    {"{count} row": "{count} 行", "hello": "你好"},
    {
        "has no {name}": "缺少{name}",
        "has no {name}, but {other}": "有{other}，缺少{name}",
        "{name} is {what}; {advice}": "{name}{what}，{advice}",
        "paused: {reason}. {advice}": "已暂停：{reason}。{advice}",
        "error {code}": "错误 {code}",
        "wrong": "有误",
        "try again": "请重试",
    },
)


def test_messages() -> None:
    """A message without a translation stays English; Chinese has one form for all numbers."""
    assert (CHINESE.gettext("hello"), CHINESE.gettext("bye")) == ("你好", "bye")
    assert CHINESE.ngettext("{count} row", "{count} rows", 2) == "{count} 行"
    assert [CHINESE.ngettext("one", "many", n) for n in (1, 2)] == ["one", "many"]


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("wrong", "有误"),
        ("has no name", "缺少name"),
        ("has no name, but wrong", "有有误，缺少name"),
        ("has no name, or wrong", "缺少name, or wrong"),
        ("--port is wrong; try again", "--port有误，请重试"),
        ("--port is wrong", "--port is wrong"),
        ("unknown {text}", "unknown {text}"),
        ("has no ", "缺少"),
        ("", ""),
        ("wrong; try again", "有误；请重试"),
        ("wrong. try again", "有误。请重试"),
        ("wrong; and more", "wrong; and more"),
        ("a.csv: wrong", "a.csv：有误"),
        ("/my files/a.csv: wrong", "/my files/a.csv：有误"),
        ("one thing: wrong", "one thing: wrong"),
        ("my list is wrong; try again", "my list有误，请重试"),
        ("my list is too long; try again", "my list is too long; try again"),
        ("a.csv: my list is too long; try again", "a.csv: my list is too long; try again"),
        ("paused: error 5. wrong. try again", "已暂停：错误 5。有误。请重试"),
        ("paused: error 5. an unknown thing. try again", "paused: error 5. an unknown thing. try again"),
        ("error 5 (no balance)", "error 5 (no balance)"),
        ("error 5 (无余额)", "错误 5 (无余额)"),
        ("a.csv: unknown", "a.csv: unknown"),
    ],
)
def test_translate(text: str, translated: str) -> None:
    """The most specific template that a text fits is used, and its values are translated, too."""
    assert CHINESE.translate(text) == translated


@given(st.text(), st.text())
def test_translate_any_values(name: str, other: str) -> None:
    """No value is formatted a second time, whatever its characters."""
    assert CHINESE.translate(f"has no {name}").startswith(("缺少", "有", "has no"))
    assert "缺少" in CHINESE.translate(f"has no {name}, but {other}")


def test_current_language() -> None:
    """The language belongs to a context; English without one."""

    def chinese() -> tuple[str, str, str, str]:
        set_language("zh")
        problem = "is not a mainland mobile number (11 digits, starting with 13 to 19)"
        return current_language(), gettext("Usage: "), ngettext("{count} of {n}", "{n}", 1, n="}"), translate(problem)

    assert copy_context().run(chinese) == ("zh", "用法：", "1 of }", "不是中国大陆手机号（11 位，以 13 至 19 开头）")
    assert (current_language(), gettext("{a}", a="{b}"), translate(ValueError("x"))) == ("en", "{b}", "x")
    assert catalogue_for("zh").language == "zh"


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "ZH_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_HK.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "", "LC_CTYPE": "C"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
    ],
)
def test_language_of_environment(variables: dict[str, str], language: Language) -> None:
    """The locale of messages decides: LC_ALL before LC_MESSAGES before LANG, empty ones ignored."""
    assert language_of_environment(variables) == language
