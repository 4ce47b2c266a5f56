"""The Python code of the guides as modules, for a type checker: ``mypy $(python tests/guide_modules.py FOLDER)``."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import indent

import kfq_async
from guide_code import blocks

ROOT = Path(kfq_async.__file__).parents[1]
HEADER = '''"""Code of a guide."""
# mypy: allow-untyped-defs, disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import kfq_async as kfq
from kfq_async.onboarding import Row
from kfq_async.sandbox import Sandbox


async def guide(
    CONNINFO: str,
    PUBLIC_KEY: bytes,
    SECRET: bytes,
    app: Any,
    body: bytes,
    handled: list[str],
    headers: Mapping[str, str],
    identified: Callable[..., Awaitable[None]],
    kfq_sandbox: Sandbox,
    link: kfq.CorpIdentLink,
    path: str,
    queue: Any,
    receiver: kfq.NotificationReceiver,
    record: Callable[..., Awaitable[None]],
    request: kfq.CorpIdentLinkRequest,
    requests: list[kfq.CorpIdentLinkRequest],
    rows: list[Row],
    session: kfq.AsyncSession,
    urls: kfq.CallbackUrls,
    your_own_or_none: None,
) -> None:
'''
"""Beginning of each module: the parameters are the names that guides take for granted."""


def module_of(page: str) -> str:
    """Return the code of a page as a module, or an empty text if there is none.

    Each block is a function inside that of the block before: it sees the names defined there, and may define them anew
    with another type. A block may ``await``.
    """
    code = ""
    for number, block in enumerate(blocks(page, "python"), start=1):
        code += indent(f"async def block_{number}() -> None:\n{indent(block, '    ')}\n", "    " * number)
    return code and HEADER + code


def write_modules(folder: Path) -> list[Path]:
    """Write a module for each guide with code, and return their paths."""
    folder.mkdir(exist_ok=True)
    written = []
    for page in sorted([ROOT / "README.md", *ROOT.glob("kfq_async/**/README.md")]):
        if module := module_of(page.read_text("utf-8")):
            written.append(folder / ("_".join(("guide", *page.parent.relative_to(ROOT).parts)) + ".py"))
            written[-1].write_text(module, encoding="utf-8")
    return written


if __name__ == "__main__":
    sys.stdout.writelines(f"{path}\n" for path in write_modules(Path(sys.argv[1])))
