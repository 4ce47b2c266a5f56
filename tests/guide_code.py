"""Code blocks of the guides: extracting, running and comparing them."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import kfq_async

FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
"""Code of a guide may await at its top level."""


def guide(package: str) -> str:
    """Return the English guide of a package."""
    return (Path(kfq_async.__file__).parent / package / "README.md").read_text("utf-8")


def section(page: str, heading: str) -> str:
    """Return a section of a page: from its heading to the next one of the same level."""
    level = heading.partition(" ")[0]
    return page[page.index(f"\n{heading}\n") :].partition(f"\n{level} ")[2].partition(f"\n{level} ")[0]


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


async def run(code: str, names: dict[str, Any]) -> None:
    """Run a code block with the names that earlier blocks defined."""
    coroutine = eval(compile(code, "README.md", "exec", flags=FLAGS, dont_inherit=True), names)
    if coroutine is not None:
        await coroutine


def check_same_code(page: str, other: str) -> None:
    """Check that two pages have the same blocks of each language but for their comments."""
    for language in ("json", "toml", "console", "sh", "nginx", "text"):
        assert [_uncommented(code) for code in blocks(page, language)] == [
            _uncommented(code) for code in blocks(other, language)
        ]
    assert [_parsed(code) for code in blocks(page, "python")] == [_parsed(code) for code in blocks(other, "python")]


def _uncommented(code: str) -> str:
    return re.sub(r" +# .*$", "", code, flags=re.MULTILINE)


def _parsed(code: str) -> str:
    tree = compile(code, "README.md", "exec", flags=ast.PyCF_ONLY_AST | FLAGS)
    assert isinstance(tree, ast.AST)
    return ast.dump(tree)
