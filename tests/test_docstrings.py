"""Docstrings of public classes: ``help()`` and an editor's hover show the same texts."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import pkgutil
import pydoc
import re
import textwrap

import pytest

import kfq_async
from kfq_async.resources.accounts import Accounts
from kfq_async.resources.auth import Auth
from kfq_async.resources.contracts import Contracts
from kfq_async.resources.files import Files

SESSION = kfq_async.AsyncSession.__doc__ or ""


def public_modules() -> list[str]:
    """Return the package, its modules and packages, and the integrations: what users import from."""
    return [
        "kfq_async",
        *(
            module.name
            for module in pkgutil.walk_packages(kfq_async.__path__, "kfq_async.")
            if module.ispkg or module.name.rpartition(".")[0] in {"kfq_async", "kfq_async.integrations"}
            if not re.match(r"kfq_async\.(cli|examples|__main__)\b", module.name)
        ),
    ]


def public_classes(modules: list[str]) -> list[type]:
    """Return the classes of this package that modules list in ``__all__``, each once."""
    exported = [
        getattr(module, name)
        for module in map(importlib.import_module, modules)
        for name in getattr(module, "__all__", ())
    ]
    return list(
        dict.fromkeys(
            value for value in exported if inspect.isclass(value) and value.__module__.startswith("kfq_async.")
        )
    )


CLASSES = public_classes(public_modules())


def documented_attributes(cls: type, section: str = "Attributes") -> dict[str, str]:
    """Return the texts of a section of a class docstring; not of one that is inherited."""
    text = inspect.cleandoc(cls.__doc__ or "").partition(f"\n{section}:\n")[2].partition("\n\n")[0]
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def class_definition(cls: type) -> ast.ClassDef:
    """Return the syntax tree of a class."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    assert isinstance(node, ast.ClassDef)
    return node


def attribute_docstrings(cls: type) -> dict[str, str]:
    """Return the texts under the fields of a class."""
    body = class_definition(cls).body
    texts = {}
    for above, below in itertools.pairwise(body):
        match above, below:
            case (
                (ast.AnnAssign(target=ast.Name(name)) | ast.Assign(targets=[ast.Name(name)])),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                texts[name] = " ".join(text.split())
    return texts


def public(names: set[str]) -> set[str]:
    """Return the names that do not begin with an underscore."""
    return {name for name in names if not name.startswith("_")}


def fields(cls: type) -> set[str]:
    """Return the names of the public fields or members of a class."""
    return public({*inspect.get_annotations(cls), *getattr(cls, "__members__", ())})


def attributes(cls: type) -> set[str]:
    """Return the names of the public attributes that a class defines: fields, properties, and what methods assign."""
    properties = {name for name, value in vars(cls).items() if isinstance(value, property)}
    assigned = {
        node.attr
        for node in ast.walk(class_definition(cls))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
    return fields(cls) | public(properties | assigned)


def test_classes_are_found() -> None:
    """The rooms with classes for users are among them."""
    rooms = {cls.__module__.split(".")[1] for cls in CLASSES}
    assert rooms >= {"callbacks", "contracts", "documents", "errors", "integrations", "models", "onboarding", "sandbox"}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_attributes_are_documented(cls: type) -> None:
    """A class docstring lists exactly the attributes, or arguments of that name, with the texts under the fields."""
    documented = documented_attributes(cls)
    arguments = documented_attributes(cls, "Args").keys() & attributes(cls)
    assert documented.keys() | arguments == attributes(cls)
    assert {name: documented.get(name) for name in attribute_docstrings(cls)} == attribute_docstrings(cls)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_help(cls: type) -> None:
    """``help()`` shows the docstring of each class."""
    shown = pydoc.plain(pydoc.render_doc(cls))
    assert inspect.cleandoc(cls.__doc__ or "").splitlines()[0] in shown


@pytest.mark.parametrize(
    ("name", "resource"), [("auth", Auth), ("accounts", Accounts), ("contracts", Contracts), ("files", Files)]
)
def test_the_session_names_every_call(name: str, resource: type) -> None:
    """The docstrings of the session, and of the property, name each method of a resource."""
    methods = public(set(vars(resource)))
    assert {method for method in methods if f"`{resource.__name__}.{method}`" not in inspect.cleandoc(SESSION)} == set()
    hover = inspect.getdoc(vars(kfq_async.AsyncSession)[name]) or ""
    assert {method for method in methods if f"{method}(" not in hover} == set()


@pytest.mark.parametrize("cls", public_classes(["kfq_async"]), ids=lambda cls: cls.__name__)
def test_fields_have_a_text_for_hovers(cls: type) -> None:
    """Editors show the text under a field where the field is used."""
    assert public(fields(cls)) == public(set(attribute_docstrings(cls)))
