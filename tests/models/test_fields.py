"""Type checks, masks and ids: what the fields of every model are made of."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import UserString, deque
from typing import Any

import pytest
from attrs import asdict, field, frozen
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.models.fields import (
    as_texts,
    as_tuple,
    integer,
    mask,
    mask_extra,
    model,
    models,
    new_id,
    new_id_pair,
    text,
    texts,
)


@frozen
class Inner:
    """A model inside another."""


@frozen(kw_only=True)
class Outer:
    """One field of each kind."""

    words: str | None = field(default=None, validator=text)
    number: int | None = field(default=None, validator=integer)
    list_of_words: tuple[str, ...] | None = field(default=None, converter=as_texts, validator=texts)
    inner: Inner | None = field(default=None, validator=model(Inner))
    inners: tuple[Inner, ...] | None = field(default=None, converter=as_tuple, validator=models(Inner))


def outer(**values: Any) -> Outer:
    """Make one from values that a type checker would refuse."""
    return Outer(**values)


@pytest.mark.parametrize(
    ("values", "held"),
    [
        ({}, {}),
        ({"words": ""}, {"words": ""}),
        ({"words": "张三"}, {"words": "张三"}),
        ({"number": 0}, {"number": 0}),
        ({"number": -1}, {"number": -1}),
        ({"list_of_words": []}, {"list_of_words": ()}),
        ({"list_of_words": ["a", ""]}, {"list_of_words": ("a", "")}),
        ({"list_of_words": deque(["a"])}, {"list_of_words": ("a",)}),
        ({"inner": Inner()}, {"inner": Inner()}),
        ({"inners": []}, {"inners": ()}),
        ({"inners": [Inner()]}, {"inners": (Inner(),)}),
    ],
)
def test_what_is_accepted(values: dict[str, Any], held: dict[str, object]) -> None:
    """Values of the documented types are held as they are, sequences as tuples, and the rest is ``None``."""
    made = asdict(outer(**values), recurse=False)
    assert made == dict.fromkeys(made) | held


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"words": 5}, "Outer.words must be a str, not int: write numbers and codes as text"),
        ({"words": True}, "Outer.words must be a str, not bool: write numbers and codes as text"),
        ({"words": b"a"}, "Outer.words must be a str, not bytes: write numbers and codes as text"),
        ({"words": ["a"]}, "Outer.words must be a str, not list: write numbers and codes as text"),
        ({"words": UserString("a")}, "Outer.words must be a str, not UserString: write numbers and codes as text"),
        ({"number": "1"}, "Outer.number must be an int, not str: write a plain number"),
        ({"number": True}, "Outer.number must be an int, not bool: write a plain number"),
        ({"number": 1.0}, "Outer.number must be an int, not float: write a plain number"),
        (
            {"list_of_words": "abc"},
            "Outer.list_of_words must be a sequence of str, not str: write a list, even for one",
        ),
        (
            {"list_of_words": b"a"},
            "Outer.list_of_words must be a sequence of str, not bytes: write a list, even for one",
        ),
        (
            {"list_of_words": {"a"}},
            "Outer.list_of_words must be a sequence of str, not set: write a list, even for one",
        ),
        ({"list_of_words": 5}, "Outer.list_of_words must be a sequence of str, not int: write a list, even for one"),
        ({"list_of_words": ["a", 5]}, "Outer.list_of_words[1] must be a str, not int: write numbers and codes as text"),
        (
            {"list_of_words": [None]},
            "Outer.list_of_words[0] must be a str, not NoneType: write numbers and codes as text",
        ),
        ({"inner": {}}, "Outer.inner must be a Inner, not dict: write Inner(...)"),
        ({"inner": Inner}, "Outer.inner must be a Inner, not type: write Inner(...)"),
        ({"inners": Inner()}, "Outer.inners must be a sequence of Inner, not Inner: write a list, even for one"),
        ({"inners": "abc"}, "Outer.inners must be a sequence of Inner, not str: write a list, even for one"),
        ({"inners": [Inner(), {}]}, "Outer.inners[1] must be a Inner, not dict: write Inner(...)"),
    ],
)
def test_what_is_refused(values: dict[str, Any], words: str) -> None:
    """A value of a wrong type is refused with class, field, item and remedy."""
    with pytest.raises(TypeError, match=f"^{re.escape(words)}$"):
        outer(**values)


@given(name=st.sampled_from(["words", "list_of_words", "inner", "inners"]), number=st.integers(10**10, 10**18))
def test_a_refused_value_is_not_shown(name: str, number: int) -> None:
    """A mobile or card number in the wrong field does not get into a log by its refusal."""
    for value in (number, [number]):
        with pytest.raises(TypeError) as refusal:
            outer(**{name: value})
        assert str(number) not in str(refusal.value)


@pytest.mark.parametrize(("value", "shown"), [(None, "None"), ("", "'***'"), ("13800138000", "'***'")])
def test_mask(value: object, shown: str) -> None:
    """A masked field shows whether it is set, and nothing else."""
    assert mask(value) == shown


@pytest.mark.parametrize(
    ("extra", "shown"),
    [({}, "{}"), ({"b": "13800138000", "a": {"c": 1}}, "<a, b>")],
)
def test_mask_extra(extra: dict[str, object], shown: str) -> None:
    """Unknown keys are shown by their names alone."""
    assert mask_extra(extra) == shown


def test_ids_are_random_and_plain() -> None:
    """An id is 32 hexadecimal characters, which fit the platform's columns, and none comes twice."""
    ids = [new_id() for _ in range(1000)] + [one for _ in range(1000) for one in new_id_pair()]
    assert len(set(ids)) == 3000
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


def test_forked_workers_do_not_share_ids() -> None:
    """Two workers forked from one process make different ids."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 6
