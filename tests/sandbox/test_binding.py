"""Binding of JSON to the fields of an operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kfq_async.models.contracts import ContractDraftRequest, ContractTasksRequest
from kfq_async.sandbox.binding import PERSON, BindingError, bind, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kfq_async.sandbox.binding import Shape

SHAPE: Mapping[str, Shape] = {
    "title": str,
    "count": int,
    "open": bool,
    "person": PERSON,
    "people": [PERSON],
    "words": [str],
}


@pytest.mark.parametrize(
    ("fields", "bound"),
    [
        ({}, {}),
        ({"title": None, "other": {"a": [1]}, "Title": "x"}, {}),
        ({"title": ""}, {"title": ""}),
        ({"title": 7}, {"title": "7"}),
        ({"title": 0.25}, {"title": "0.25"}),
        ({"title": True}, {"title": "true"}),
        ({"title": False}, {"title": "false"}),
        ({"count": 1}, {"count": 1}),
        ({"count": "1"}, {"count": 1}),
        ({"count": " -20 "}, {"count": -20}),
        ({"count": 1.9}, {"count": 1}),
        ({"open": True}, {"open": True}),
        ({"open": "true"}, {"open": True}),
        ({"open": "No"}, {"open": False}),
        ({"person": {"name": "a", "contact": None, "age": 3}}, {"person": {"name": "a"}}),
        ({"people": [{"name": "a"}, {}]}, {"people": [{"name": "a"}, {}]}),
        ({"people": {"name": 5}}, {"people": [{"name": "5"}]}),
        ({"words": [1, "b"]}, {"words": ["1", "b"]}),
    ],
)
def test_conversions(fields: dict[str, Any], bound: dict[str, Any]) -> None:
    """Numbers become text and text numbers, one object a list; unknown fields and nulls are dropped."""
    assert bind(fields, SHAPE, strict=False) == bound


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"title": {}}, "expected a string, not an object @ $.title"),
        ({"title": ["a"]}, "expected a string, not a list @ $.title"),
        ({"count": "many"}, "expected an integer, not a string @ $.count"),
        ({"count": ""}, "expected an integer, not a string @ $.count"),
        ({"count": "٣"}, "expected an integer, not a string @ $.count"),
        ({"count": True}, "expected an integer, not a boolean @ $.count"),
        ({"count": 2**31}, "expected an integer, not a number @ $.count"),
        ({"count": 1e400}, "expected an integer, not a number @ $.count"),
        ({"count": "9" * 5000}, "expected an integer, not a string @ $.count"),
        ({"count": []}, "expected an integer, not a list @ $.count"),
        ({"open": "perhaps"}, "expected a boolean, not a string @ $.open"),
        ({"open": 1}, "expected a boolean, not a number @ $.open"),
        ({"person": "a"}, "expected an object, not a string @ $.person"),
        ({"person": [{}]}, "expected an object, not a list @ $.person"),
        ({"people": "a"}, "expected a list, not a string @ $.people"),
        ({"people": [{}, {"name": {}}]}, "expected a string, not an object @ $.people[1].name"),
        ({"people": [None]}, "expected an object, not null @ $.people[0]"),
        ({"words": [None]}, "expected a string, not null @ $.words[0]"),
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_wrong_structure(fields: dict[str, Any], problem: str, *, strict: bool) -> None:
    """A value that cannot be converted is named with its path."""
    with pytest.raises(BindingError) as caught:
        bind(fields, SHAPE, strict=strict)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"titel": "x", "cuont": 1}, "unknown key cuont, titel @ $; the platform would silently drop it"),
        ({"people": [{"nmae": "x"}]}, "unknown key nmae @ $.people[0]; the platform would silently drop it"),
        ({"title": 7}, "expected a string, not a number @ $.title"),
        ({"count": "1"}, "expected an integer, not a string @ $.count"),
        ({"people": {"name": "a"}}, "expected a list, not an object @ $.people"),
    ],
)
def test_strict(fields: dict[str, Any], problem: str) -> None:
    """Strictly, nothing is converted and no unknown field is dropped."""
    with pytest.raises(BindingError) as caught:
        bind(fields, SHAPE, strict=True)
    assert str(caught.value) == problem
    assert bind({"title": "a", "count": 1, "person": {"name": None}}, SHAPE, strict=True) == {
        "title": "a",
        "count": 1,
        "person": {},
    }


def test_strict_query() -> None:
    """The text of a query is converted, unknown parameters are refused."""
    assert bind({"count": "3", "open": "true"}, SHAPE, strict=True, query=True) == {"count": 3, "open": True}
    with pytest.raises(BindingError, match=r"unknown key cuont @ \$"):
        bind({"cuont": "3"}, SHAPE, strict=True, query=True)


def test_shape_of_a_model() -> None:
    """The shape of a request model has its fields by wire name, those of every operation left out."""
    assert shape_of(ContractTasksRequest) == {"contractId": str}
    shape = shape_of(ContractDraftRequest)
    assert shape["autoFinish"] is int
    assert shape["operator"] == PERSON
    assert shape["signDocumentList"] == [{"docId": str}]
    (signer,) = shape["signerList"]  # type: ignore[misc]  # a list, as for every field of several values
    assert isinstance(signer, dict)
    assert signer["receiver"] == PERSON
