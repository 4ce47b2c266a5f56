"""Translation of messages, and of the English texts of the library.

A message is an English text with named placeholders, such as ``row {row}: {reason}``; its translations are plain
Python mappings (``zh``, ``zh_help`` and ``zh_library``).
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import NullTranslations
from string import Formatter
from typing import TYPE_CHECKING, Literal, Self, get_args

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "LANGUAGES",
    "Catalogue",
    "Language",
    "catalogue_for",
    "current_language",
    "gettext",
    "language_of_environment",
    "ngettext",
    "set_language",
    "translate",
    "use_language",
]

Language = Literal["en", "zh"]
"""English or Chinese."""
LANGUAGES: tuple[Language, ...] = get_args(Language)
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Variables of the locale of messages, the decisive one first (POSIX, section 8.2)."""
_MAX_DEPTH = 6
"""Texts within each other that are translated."""
_JOINTS = {"; ": "；", ". ": "。"}
"""What stands between texts in a row, in English and in Chinese."""
_DATA = frozenset(
    {"cell", "choices", "column", "columns", "command", "commands", "detail", "field", "fields", "file", "first"}
    | {"given", "heading", "headings", "holder", "key", "keys", "keyword", "ledger", "message", "name", "names"}
    | {"option", "other", "others", "out", "path", "proxy", "recorded", "same", "second", "sheet", "sheets", "shown"}
    | {"source", "url", "value"}
)
"""Placeholders of the library's texts that stand for data, such as a file's name, which may be English in any case."""
_ENGLISH = re.compile("[A-Za-z]+ [A-Za-z]+")
"""Two English words in a row."""


@frozen
class _Template:
    """A message with placeholders, against which texts are matched that were made of it."""

    literals: tuple[str, ...]
    """Text before, between and behind the placeholders."""
    names: tuple[str, ...]
    """Names of the placeholders."""
    translation: str

    @classmethod
    def parse(cls, message: str, translation: str) -> Self:
        """Split a message at its placeholders."""
        literals, names = [""], []
        for literal, name, _, _ in Formatter().parse(message):
            literals[-1] += literal
            if name is not None:
                names.append(name)
                literals.append("")
        return cls(tuple(literals), tuple(names), translation)

    def match(self, text: str) -> list[dict[str, str]]:
        """Return the values that a text can have been made of; none if it was not made of this message.

        A value may hold what stands behind it, so there are two readings: each literal at its first place, and at its
        last one. Takes linear time.
        """
        first, *between, last = self.literals
        if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
            return []
        middle = text[len(first) : len(text) - len(last)]
        readings = (_split(middle, between), _split_from_end(middle, between))
        return [dict(zip(self.names, values, strict=True)) for values in dict.fromkeys(readings) if values is not None]


def _split(text: str, literals: Sequence[str]) -> tuple[str, ...] | None:
    """Return what stands between the literals, each at its first place, or ``None`` if one is missing."""
    values = []
    for literal in literals:
        value, found, text = text.partition(literal)
        if not found:
            return None
        values.append(value)
    return (*values, text)


def _split_from_end(text: str, literals: Sequence[str]) -> tuple[str, ...] | None:
    """Return what stands between the literals, each at its last place, or ``None`` if one is missing."""
    values: list[str] = []
    for literal in reversed(literals):
        text, found, value = text.rpartition(literal)
        if not found:
            return None
        values.insert(0, value)
    return (text, *values)


class Catalogue(NullTranslations):
    """Translations into one language; what has none stays English.

    Attributes:
        language: The language.
    """

    def __init__(
        self, language: Language, messages: Mapping[str, str] | None = None, library: Mapping[str, str] | None = None
    ) -> None:
        """Create a catalogue.

        Args:
            language: The language.
            messages: Translations of the messages that are passed to `gettext` and `ngettext`.
            library: Translations of the library's own texts, which `translate` recognises.
        """
        super().__init__()
        self.language = language
        """The language."""
        self._messages = messages or {}
        self._library = library or {}
        templates = [_Template.parse(*pair) for pair in self._library.items() if "{" in pair[0]]
        self._templates = sorted(templates, key=lambda template: -len("".join(template.literals)))

    def gettext(self, message: str) -> str:
        """Return the translation of a message."""
        return self._messages.get(message, message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the translation of a message for a number; a translation has one form for all numbers."""
        return self._messages.get(msgid1) or super().ngettext(msgid1, msgid2, n)

    def translate(self, text: str) -> str:
        """Return the translation of a text of the library, its parts and the values in it included.

        A text may also be a place with a text about it (``companies.xlsx: …``), or several texts in a row. If a part
        has no translation, such as the reason in it, the text stays as it is, so that no sentence is of two languages.
        """
        return self._translate(text, _MAX_DEPTH) or text

    def _translate(self, text: str, depth: int) -> str | None:
        if text in self._library:
            return self._library[text]
        if not depth:
            return None
        for template in self._templates:
            for values in template.match(text):
                translated = {name: self._translate_value(name, value, depth - 1) for name, value in values.items()}
                if None not in translated.values():
                    return template.translation.format(**translated)
        for separator, joint in _JOINTS.items():
            parts = [self._translate(part, depth - 1) for part in text.split(separator)] if separator in text else []
            if parts and None not in parts:
                return joint.join(filter(None, parts))
        place, colon, rest = text.partition(": ")
        if colon and (" " not in place or "/" in place):
            translated_rest = self._translate(rest, depth - 1)
            return translated_rest and f"{place}：{translated_rest}"
        return None

    def _translate_value(self, name: str, value: str, depth: int) -> str | None:
        """Return the translation of a value, the value itself if it is data, or ``None`` if it is an English text."""
        translated = self._translate(value, depth)
        if translated is None and (name in _DATA or not _ENGLISH.search(value)):
            return value
        return translated


@cache
def catalogue_for(language: Language) -> Catalogue:
    """Return the catalogue of a language; the Chinese texts are loaded when they are needed."""
    if language == "en":
        return Catalogue("en")
    from kfq_async.languages import zh, zh_help, zh_library  # noqa: PLC0415  # see above

    library = {**zh_library.TEXTS, **zh_library.COMPOSED, **zh_library.FOREIGN}
    return Catalogue("zh", {**zh.MESSAGES, **zh_help.MESSAGES}, library)


_current: ContextVar[Language] = ContextVar("kfq_language", default="en")


def set_language(language: Language) -> None:
    """Set the language of the current context."""
    _current.set(language)


@contextmanager
def use_language(language: Language) -> Iterator[None]:
    """Set the language of the current context for a block; what `set_language` sets in the block ends with it."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def current_language() -> Language:
    """Return the language of the current context. Default: English."""
    return _current.get()


def gettext(message: str, /, **values: object) -> str:
    """Return a message in the current language, with its values (formatted as by `str.format`)."""
    return catalogue_for(_current.get()).gettext(message).format(**values)


def ngettext(singular: str, plural: str, count: int, /, **values: object) -> str:
    """Return a message for a number in the current language, with its values; ``count`` is one of them."""
    return catalogue_for(_current.get()).ngettext(singular, plural, count).format(count=count, **values)


def translate(text: object) -> str:
    """Return a text of the library, such as that of an exception or of a row's problem, in the current language."""
    return catalogue_for(_current.get()).translate(str(text))


def language_of_environment(environment: Mapping[str, str]) -> Language:
    """Return the language of the locale that environment variables set: Chinese for every ``zh``, else English."""
    locale = next(filter(None, map(environment.get, _LOCALE_VARIABLES)), "")
    return "zh" if locale.lower().startswith("zh") else "en"
