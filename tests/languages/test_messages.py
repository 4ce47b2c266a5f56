"""Every message has a Chinese text with the same values, and no Chinese text is left of a message that is gone."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import pytest

import kfq_async
from kfq_async.cli import app
from kfq_async.cli import help as help_pages
from kfq_async.languages import zh, zh_help, zh_library

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(kfq_async.__file__).parent
MODULES = {
    path: ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py") if path.parent.name != "languages"
}
HOLES = re.compile(r"(?:\{[^{}]*\})+")
"""One placeholder, or several with nothing between them."""


def marked(name: str) -> Iterator[ast.Call]:
    """Yield the calls of a function by its bare name."""
    for tree in MODULES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def literal(node: ast.expr) -> str:
    """Return the text of a literal; messages must not be computed, so that they can be found here."""
    assert isinstance(node, ast.Constant), ast.unparse(node)
    assert isinstance(node.value, str), ast.unparse(node)
    return node.value


def messages() -> dict[str, set[str]]:
    """Return the messages with the names of their values; of one with a plural, the singular."""
    found: dict[str, set[str]] = {}
    for call in marked("gettext"):
        found[literal(call.args[0])] = names(literal(call.args[0]))
    for call in marked("ngettext"):
        singular, plural = map(literal, call.args[:2])
        assert names(singular) | {"count"} == names(plural) | {"count"}
        found[singular] = names(plural) | {"count"}
    return found


def names(message: str) -> set[str]:
    """Return the names of the placeholders."""
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}


def with_holes(node: ast.AST) -> str | None:
    """Return the text of a string, with ``{}`` for each value of an f-string, or ``None`` if it is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return HOLES.sub("{}", "".join(map(str, parts)))
    return None


def texts() -> set[str]:
    """Return every text of the package; one that ends with a blank goes on in another."""
    found = {text for tree in MODULES.values() for node in ast.walk(tree) if (text := with_holes(node)) is not None}
    return found | {f"{text}{{}}" for text in found if text.endswith(" ")}


def test_every_message_has_its_chinese() -> None:
    """Literals passed to gettext and the catalogue are the same set, and a translation uses the values it gets."""
    expected = messages()
    assert sorted(expected.keys() - zh.MESSAGES.keys()) == []
    assert sorted(zh.MESSAGES.keys() - expected.keys()) == []
    assert [message for message, values in expected.items() if not names(zh.MESSAGES[message]) <= values] == []


def test_values_of_messages() -> None:
    """A message gets the values that it names."""
    for call in marked("gettext"):
        given = {keyword.arg for keyword in call.keywords}
        if None not in given:  # a mapping, which the tests of the command cover
            assert names(literal(call.args[0])) == given, ast.unparse(call)


def test_texts_of_the_library() -> None:
    """Each entry is a text of the package, as it stands in the source."""
    source = texts()
    assert [text for text in zh_library.TEXTS if HOLES.sub("{}", text) not in source] == []


@pytest.mark.parametrize("entries", [zh_library.TEXTS, zh_library.COMPOSED, zh_library.FOREIGN])
def test_values_of_texts_of_the_library(entries: dict[str, str]) -> None:
    """A translation uses no other values, and between two values there is some text."""
    assert [text for text, chinese in entries.items() if not names(chinese) <= names(text)] == []
    assert [text for text in entries if re.search(r"\}\{", text)] == []


def commands(chain: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the commands, with those they are below."""
    level = app.app
    for name in chain:
        level = level[name]
    yield chain
    for name in level:
        if not name.startswith("-"):
            yield from commands((*chain, name))


def test_help_is_translated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each paragraph and each option of every command's help has its Chinese, and no other text has one."""
    shown: set[str] = set()

    def record(text: str) -> str:
        shown.add(text)
        return zh_help.MESSAGES.get(text, text)

    monkeypatch.setattr(help_pages, "_gettext", record)
    every = list(commands())
    assert len(every) > 20
    for chain in every:
        assert app.run([*chain, "--help", "--lang", "zh"]) == 0
    assert sorted(shown - zh_help.MESSAGES.keys()) == []
    assert sorted(zh_help.MESSAGES.keys() - shown) == []
    assert capsys.readouterr().err == ""


SYNTAX = re.compile("姓名:联系方式|李四:1|页码:左,上|信用代码,账号")
"""What one types as it stands."""
NOT_CHINESE = re.compile(r"[\u4e00-\u9fff][,;:()!?]|[,;()!?][\u4e00-\u9fff]")
"""Half-width punctuation beside a Chinese character."""


@pytest.mark.parametrize("entries", [zh.MESSAGES, zh_help.MESSAGES, {**zh_library.TEXTS, **zh_library.COMPOSED}])
def test_chinese_is_chinese(entries: dict[str, str]) -> None:
    """No translation is left in English, or has half-width punctuation."""
    with_words = [chinese for text, chinese in entries.items() if re.search("[A-Za-z]", HOLES.sub("", text))]
    assert [chinese for chinese in with_words if not re.search("[\u4e00-\u9fff，：；]", chinese)] == []
    assert [text for text in entries.values() if NOT_CHINESE.search(SYNTAX.sub("", text))] == []
