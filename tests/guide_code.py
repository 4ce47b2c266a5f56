"""Code blocks of the guides: extracting, running and comparing them."""

from __future__ import annotations

import ast
import re
from typing import Any

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
"""Code of a guide may await at its top level."""


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


async def run(code: str, names: dict[str, Any]) -> None:
    """Run a code block with the names that earlier blocks defined."""
    coroutine = eval(compile(code, "README.md", "exec", flags=FLAGS, dont_inherit=True), names)
    if coroutine is not None:
        await coroutine


def check_same_code(page: str, other: str, languages: tuple[str, ...] = ("json", "console")) -> None:
    """Check that two pages have the same code but for its comments, and the same blocks of other languages."""
    for language in languages:
        assert blocks(page, language) == blocks(other, language)
    assert [_parsed(code) for code in blocks(page, "python")] == [_parsed(code) for code in blocks(other, "python")]


def _parsed(code: str) -> str:
    tree = compile(code, "README.md", "exec", flags=ast.PyCF_ONLY_AST | FLAGS)
    assert isinstance(tree, ast.AST)
    return ast.dump(tree)
