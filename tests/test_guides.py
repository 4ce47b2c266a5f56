"""The guides: every link between them leads somewhere, and each has a page in Chinese."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import kfq_async
from guide_code import blocks, check_same_code
from guide_modules import write_modules

PACKAGE = Path(kfq_async.__file__).parent
ROOT = PACKAGE.parent
PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob(".github/*.md"), *PACKAGE.rglob("README*.md")])


def anchors(page: str) -> set[str]:
    """Return the anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    """Relative links name files and headings that exist."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if "://" not in target]
    assert targets
    for target in targets:
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text("utf-8")), target


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name == "README.md" and page.parent != PACKAGE / "protocol"],  # in Chinese, a part
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_both_pages_have_the_same_code(page: Path) -> None:
    """A Chinese page differs in prose and comments only."""
    check_same_code(page.read_text("utf-8"), page.with_name("README.zh-CN.md").read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_extras(page: Path) -> None:
    """The extras of every `pip install` exist."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    shown = re.findall(r"(?:kfq-async|\.whl|\.)\[([a-z,]+)\]'", page.read_text("utf-8"))
    assert {extra for names in shown for extra in names.split(",")} <= set(extras)


def test_each_guide_has_a_chinese_page() -> None:
    """Guides come in pairs."""
    english = {page.parent for page in PAGES if page.name == "README.md"}
    chinese = {page.parent for page in PAGES if page.name == "README.zh-CN.md"}
    assert english == chinese
    assert {ROOT, PACKAGE, PACKAGE / "protocol"} <= english


def test_code_as_modules(tmp_path: Path) -> None:
    """The code of each guide is a module for type checkers, whose blocks see the names of those before."""
    modules = {path.stem: path.read_text("utf-8") for path in write_modules(tmp_path)}
    with_code = [page for page in PAGES if page.name == "README.md" and blocks(page.read_text("utf-8"), "python")]
    assert len(modules) == len(with_code)
    assert {"guide", "guide_kfq_async_contracts"} <= modules.keys()
    for name, code in modules.items():
        compile(code, name, "exec")
    assert "        async def block_2() -> None:\n" in modules["guide_kfq_async_contracts"]
