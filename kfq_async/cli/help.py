"""Help pages in the reader's language, made of the English docstrings of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import evolve
from cyclopts.help import DefaultFormatter, DescriptionRenderer, HelpEntry, HelpPanel, InlineText
from cyclopts.help.specs import get_default_command_columns, get_default_parameter_columns
from rich.text import Text

from kfq_async.languages import catalogue_for, current_language

if TYPE_CHECKING:
    from cyclopts.help import ColumnSpec
    from rich.console import Console, ConsoleOptions

__all__ = ["HELP_FORMAT", "HelpFormatter"]

HELP_FORMAT: Literal["markdown"] = "markdown"


_PLACEHOLDERS = frozenset({"COMMAND", "[COMMAND]", "[OPTIONS]"})
"""Words of the usage line that are no command, option or argument."""


class _Description(DescriptionRenderer):
    """Description of an entry, with what follows it in brackets: choices, variables, the default, and required."""

    def __call__(self, entry: HelpEntry) -> InlineText:
        description: InlineText = super().__call__(entry)  # type: ignore[assignment]  # it is one unless on own lines
        description.texts = [Text(_translate_brackets(text.plain), text.style) for text in description.texts]
        return description


_DESCRIPTION = _Description()


class HelpFormatter(DefaultFormatter):
    """Formatter of cyclopts that shows usage, descriptions, titles and remarks in the current language."""

    def __init__(self) -> None:
        super().__init__(column_specs=_columns)

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a panel of commands or parameters."""
        entries = [entry.copy(description=_translate(entry.description)) for entry in panel.entries]
        super().__call__(console, options, panel.copy(title=_gettext(str(panel.title)), entries=entries))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: object) -> None:  # noqa: ARG002  # by protocol
        """Print the usage line."""
        words = " ".join(_gettext(word) if word in _PLACEHOLDERS else word for word in str(usage).split())
        console.print(Text(f"{_gettext('Usage: ')}{words}\n", style="bold"))

    def render_description(self, console: Console, options: ConsoleOptions, description: InlineText) -> None:
        """Print the description of a command."""
        super().render_description(console, options, _translate(description))


def _gettext(text: str) -> str:
    """Return a text in the current language; braces in it are no placeholders."""
    return catalogue_for(current_language()).gettext(text)


def _columns(console: Console, options: ConsoleOptions, entries: list[HelpEntry]) -> tuple[ColumnSpec, ...]:
    parameters = any(entry.type is not None for entry in entries)
    default = get_default_parameter_columns if parameters else get_default_command_columns
    columns = default(console, options, entries)
    return (*columns[:-1], evolve(columns[-1], renderer=_DESCRIPTION))


def _translate(description: InlineText) -> InlineText:
    """Return a description in the current language, paragraph by paragraph."""
    markup: str = getattr(description.primary_renderable, "markup", "")  # a Text stands for no description
    paragraphs = [" ".join(part.split()) for part in markup.split("\n\n")]
    text = "\n\n".join(map(_gettext, paragraphs))
    return InlineText.from_format(text, HELP_FORMAT, force_empty_end=description.force_empty_end)


def _translate_brackets(text: str) -> str:
    """Translate a remark such as ``[default: 7]``."""
    name, colon, value = text.strip("[]").partition(": ")
    return f"[{_gettext(name)}{colon}{value}]"
