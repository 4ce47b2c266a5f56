"""Docstrings of public classes: ``help()`` and an editor's hover show the same texts."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap

import pytest

import kfq_async

MODULES = re.compile(r"kfq_async\.(base_errors|config|errors|models\..*|protocol\..*)")
CLASSES = [
    value
    for value in vars(kfq_async).values()
    if inspect.isclass(value) and MODULES.fullmatch(value.__module__) and not getattr(value, "_is_protocol", False)
]


def documented_attributes(cls: type) -> dict[str, str]:
    """Return the texts of the ``Attributes`` section of a class docstring."""
    section = (inspect.getdoc(cls) or "").partition("\nAttributes:\n")[2]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the texts under the fields of a class."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    texts = {}
    for above, below in zip(node.body, node.body[1:], strict=False):
        match above, below:
            case (
                (ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)])),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = " ".join(text.split())
    return texts


def fields(cls: type) -> set[str]:
    """Return the names of the public fields or members of a class."""
    names = {*vars(cls).get("__annotations__", ()), *getattr(cls, "__members__", ())}
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_attributes_are_documented(cls: type) -> None:
    """Every field is listed in the class docstring, with the text that stands under it."""
    documented = documented_attributes(cls)
    assert fields(cls) - documented.keys() == set()
    assert {name: documented.get(name) for name in attribute_docstrings(cls)} == attribute_docstrings(cls)
