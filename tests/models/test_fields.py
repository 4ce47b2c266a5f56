"""Building blocks of the models' fields: type checks, masks and ids."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import UserString, deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from attrs import asdict, evolve, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.models.fields import (
    SECRET,
    UNKNOWN_KEYS,
    as_texts,
    as_tuple,
    boolean,
    integer,
    model,
    models,
    new_id,
    new_id_pair,
    new_ids,
    repr_keys,
    repr_masked,
    text,
    texts,
)


@frozen
class Inner:
    """A nested model."""


@frozen(kw_only=True)
class Outer:
    """A model with one field of each kind."""

    string: str | None = field(default=None, validator=text)
    number: int | None = field(default=None, validator=integer)
    switch: bool | None = field(default=None, validator=boolean)
    strings: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    inner: Inner | None = field(default=None, validator=model(Inner))
    inners: tuple[Inner, ...] | None = field(default=None, converter=as_tuple, validator=models(Inner))
    secret: str | None = field(default=None, validator=text, **SECRET)


def make(**values: Any) -> Outer:
    """Create a model from values that a type checker would refuse."""
    return Outer(**values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {}),
        ({"string": ""}, {"string": ""}),
        ({"string": "张三"}, {"string": "张三"}),
        ({"number": 0}, {"number": 0}),
        ({"number": -1}, {"number": -1}),
        ({"switch": False}, {"switch": False}),
        ({"switch": True}, {"switch": True}),
        ({"strings": []}, {"strings": ()}),
        ({"strings": ["a", ""]}, {"strings": ("a", "")}),
        ({"strings": deque(["a"])}, {"strings": ("a",)}),
        ({"inner": Inner()}, {"inner": Inner()}),
        ({"inners": []}, {"inners": ()}),
        ({"inners": [Inner()]}, {"inners": (Inner(),)}),
        ({"secret": ""}, {"secret": ""}),
        ({"secret": "张三"}, {"secret": "张三"}),
    ],
)
def test_accepted_values(values: dict[str, Any], expected: dict[str, object]) -> None:
    """Values of the declared types are kept, sequences as tuples; the other fields are ``None``."""
    made = asdict(make(**values), recurse=False)
    assert made == dict.fromkeys(made) | expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"string": 5}, "Outer.string must be a str, not int: write numbers and codes as text"),
        ({"string": True}, "Outer.string must be a str, not bool: write numbers and codes as text"),
        ({"string": b"a"}, "Outer.string must be a str, not bytes: write numbers and codes as text"),
        ({"string": ["a"]}, "Outer.string must be a str, not list: write numbers and codes as text"),
        ({"string": UserString("a")}, "Outer.string must be a str, not UserString: write numbers and codes as text"),
        ({"secret": 5}, "Outer.secret must be a str, not int: write numbers and codes as text"),
        ({"secret": b"a"}, "Outer.secret must be a str, not bytes: write numbers and codes as text"),
        ({"number": "1"}, "Outer.number must be an int, not str: write a plain number"),
        ({"number": True}, "Outer.number must be an int, not bool: write a plain number"),
        ({"number": 1.0}, "Outer.number must be an int, not float: write a plain number"),
        ({"switch": 1}, "Outer.switch must be a bool, not int: write True or False"),
        ({"switch": "true"}, "Outer.switch must be a bool, not str: write True or False"),
        (
            {"strings": "abc"},
            "Outer.strings must be a sequence of str, not str: write a list, even for one",
        ),
        (
            {"strings": b"a"},
            "Outer.strings must be a sequence of str, not bytes: write a list, even for one",
        ),
        (
            {"strings": {"a"}},
            "Outer.strings must be a sequence of str, not set: write a list, even for one",
        ),
        ({"strings": 5}, "Outer.strings must be a sequence of str, not int: write a list, even for one"),
        ({"strings": ["a", 5]}, "Outer.strings[1] must be a str, not int: write numbers and codes as text"),
        (
            {"strings": [None]},
            "Outer.strings[0] must be a str, not NoneType: write numbers and codes as text",
        ),
        ({"inner": {}}, "Outer.inner must be a Inner, not dict: write Inner(...)"),
        ({"inner": Inner}, "Outer.inner must be a Inner, not type: write Inner(...)"),
        ({"inners": Inner()}, "Outer.inners must be a sequence of Inner, not Inner: write a list, even for one"),
        ({"inners": "abc"}, "Outer.inners must be a sequence of Inner, not str: write a list, even for one"),
        ({"inners": [Inner(), {}]}, "Outer.inners[1] must be a Inner, not dict: write Inner(...)"),
    ],
)
def test_refused_values(values: dict[str, Any], message: str) -> None:
    """A value of a wrong type is refused, naming class, field, item and remedy."""
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        make(**values)


@given(name=st.sampled_from(["string", "strings", "inner", "inners", "secret"]), number=st.integers(10**10, 10**18))
def test_refusal_hides_the_value(name: str, number: int) -> None:
    """A mobile or card number in the wrong field does not appear in the error."""
    for value in (number, [number]):
        with pytest.raises(TypeError) as refusal:
            make(**{name: value})
        assert str(number) not in str(refusal.value)


@pytest.mark.parametrize(("value", "shown"), [(None, "None"), ("", "'***'"), ("13800138000", "'***'")])
def test_repr_masked(value: object, shown: str) -> None:
    """The ``repr`` shows whether a field is set, and nothing else."""
    assert repr_masked(value) == shown


@pytest.mark.parametrize(
    ("extra", "shown"),
    [({}, "{}"), ({"b": "13800138000", "a": {"c": 1}}, "<a, b>")],
)
def test_repr_keys(extra: dict[str, object], shown: str) -> None:
    """Unknown keys are shown by name only."""
    assert repr_keys(extra) == shown


@frozen(kw_only=True)
class Result:
    """A result with a required secret and unknown keys."""

    url: str = field(**SECRET)
    extra: Mapping[str, object] = field(factory=dict, **UNKNOWN_KEYS)


def test_secret_field() -> None:
    """The value of a secret field is masked in the model and when it is taken out, and is the text all the same."""
    for made in (Result(url="https://h.example"), evolve(Result(url=""), url="https://h.example")):
        assert repr(made) == "Result(url='***', extra={})"
        assert repr(made.url) == "'***'"
        assert made == Result(url="https://h.example")
        assert made.url == "https://h.example"
        assert hash(made) == hash(Result(url="https://h.example", extra={"a": 1}))


def test_unknown_keys() -> None:
    """The texts of unknown keys are masked; the mapping that was given stays as it is."""
    given = MappingProxyType({"url": "https://h.example", "people": [{"name": "张三", "age": 5}]})
    extra = Result(url="", extra=given).extra
    assert repr(extra) == "{'url': '***', 'people': [{'name': '***', 'age': 5}]}"
    assert extra == given
    assert "张三" in repr(given)


def test_ids() -> None:
    """An id is 32 hexadecimal characters, which fit the platform's columns, and is unique."""
    ids = [new_id() for _ in range(1000)] + [one for _ in range(1000) for one in new_id_pair()] + new_ids(1000)
    assert len(set(ids)) == 4000
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


FORKS = """
import os
from kfq_async.models.fields import new_id, new_id_pair
new_id()
child = os.fork()
if child:
    os.waitpid(child, 0)
print(new_id(), *new_id_pair(), flush=True)
"""


def test_ids_of_forked_workers() -> None:
    """Two workers forked from one process create different ids."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 6
