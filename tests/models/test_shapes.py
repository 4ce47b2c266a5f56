"""Fields of the models as JSON sees them, and the values that their types list."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal, get_args, get_origin

import attrs
import orjson
import pytest

import kfq_async as kfq
from kfq_async.models.base import Model
from kfq_async.models.shapes import item_type, lists_values, plain_type
from kfq_async.protocol.codec import decode, encode, to_wire
from test_docstrings import documented_attributes

MODELS = [kind for kind in vars(kfq).values() if isinstance(kind, type) and issubclass(kind, Model)]


class Color(StrEnum):
    """An enumeration."""

    RED = "RED"


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (str, str),
        (str | None, str),
        (Literal["A"] | str | None, str),
        (Literal[1, 2] | int, int),
        (Color | str | None, str),
        (Literal["A"] | None, Literal["A"]),
        (tuple[int, ...] | None, tuple[int, ...]),
        (int | str | None, int | str | None),
        (Literal["A"] | Color, Literal["A"] | Color),
        (tuple[int, ...] | str, tuple[int, ...] | str),
    ],
)
def test_plain_type(kind: Any, plain: Any) -> None:
    """Neither `None` nor the values that a type lists beside the type of all are part of it."""
    assert plain_type(kind) == plain


@pytest.mark.parametrize("kind", [Literal["A"] | str, Literal[1] | int | None, Color | str])
def test_lists_values(kind: Any) -> None:
    """Literals and enumerations beside a type list values of it."""
    assert lists_values(kind)


@pytest.mark.parametrize("kind", [str, str | None, Literal["A"], Literal["A"] | None, Color, int | str, Color | None])
def test_lists_no_values(kind: Any) -> None:
    """A type alone, or another union, is converted as cattrs does it."""
    assert not lists_values(kind)


def test_item_type() -> None:
    """Items of a sequence have a plain type as well."""
    assert item_type(tuple[Literal["A"] | str, ...]) is str
    assert item_type(str) is None


def listed_values(kind: Any) -> list[object]:
    """Return the values that a type lists, at any depth."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [value for part in get_args(kind) for value in listed_values(part)]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_listed_values_are_documented(model: Any) -> None:
    """The text of a field names each value that its type lists."""
    texts = documented_attributes(model)
    for field in attrs.fields(attrs.resolve_types(model)):
        for value in listed_values(field.type):
            shown = {f"``{value}``", f'``"{value}"``', str(value)}
            assert any(each in texts[field.name] for each in shown), f"{field.name}: {value}"


def test_values_are_listed() -> None:
    """The models list values, so that the test above is not empty."""
    assert listed_values(attrs.fields(attrs.resolve_types(kfq.ContractUser)).contact_type.type) == ["MOBILE", "EMAIL"]


def test_other_values_pass() -> None:
    """A value that is not listed is sent and read as any other; one of a wrong type is refused."""
    request = kfq.CorpIdentLinkRequest(
        corp_ident_info=kfq.CorpIdentInfo(company_type=9),
        corp_ident_config=kfq.CorpIdentConfig(corp_verify_methods=["new"]),
        client_request_id="r",
    )
    wire = {
        "corpIdentInfo": {"companyType": 9},
        "corpIdentConfig": {"corpVerifyMethods": ["new"]},
        "clientRequestId": "r",
    }
    assert orjson.loads(encode(to_wire(request))) == wire
    assert kfq.from_dict(kfq.CorpIdentLinkRequest, wire) == request
    task = decode(kfq.ContractTask, {"taskId": "t", "taskType": "NEW", "partyType": None})
    assert (task.task_type, task.party_type) == ("NEW", None)
    with pytest.raises(kfq.DecodeError, match=r"expected a string, not a number @ \$\.result\.partyType"):
        decode(kfq.ContractTask, {"taskId": "t", "taskType": "NEW", "partyType": 1})
