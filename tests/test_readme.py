"""The README of the project: it is short, its code prints what it says, and it names every extra."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from guide_code import blocks, section

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
FOR_DEVELOPERS = {"bench", "dev", "test"}


def normalized(output: str) -> str:
    """Return an output without what differs from run to run: order number, port and code."""
    output = re.sub(r"SBX[0-9A-F]{12}", "ORDER", output)
    return re.sub(r":\d+/", ":PORT/", re.sub(r"code=[\w-]+", "code=CODE", output))


def test_the_code_prints_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The ten lines run, and print the lines below them."""
    [code], [output] = blocks(README, "python"), blocks(README, "text")
    assert len([line for line in code.splitlines() if line]) == 10
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    assert normalized(capsys.readouterr().out) == normalized(output)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_it_is_short(name: str) -> None:
    """A reader sees everything in a few screens; details belong to the guides."""
    page = (ROOT / name).read_text("utf-8")
    assert len(page.splitlines()) <= 150


def test_it_names_every_extra() -> None:
    """The table of extras has those of the package, without those of its developers."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    shown = re.findall(r"^\| (.*?) \|", section(README, "## Installation"), re.MULTILINE)
    named = {name for cell in shown for name in re.findall(r"`([a-z]+)`", cell)}
    assert named == set(extras) - FOR_DEVELOPERS


def test_it_leads_to_every_guide() -> None:
    """Each guide of a package is one link away."""
    guides = {str(path.relative_to(ROOT)) for path in (ROOT / "kfq_async").rglob("README.md")}
    assert guides == set(re.findall(r"\]\((kfq_async/[^)#]*README\.md)\)", section(README, "## Guides")))
