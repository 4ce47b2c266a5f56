"""Models of this package inside pydantic's: validation, serialization and JSON Schema."""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import kfq_async as kfq
from protocol.test_codec import REQUESTS, RESULTS, instances_of, slow_generation

MODELS = [*REQUESTS, *RESULTS]


class Order(BaseModel):
    """A model as callers of this package write one."""

    request: kfq.CorpIdentLinkRequest
    link: kfq.CorpIdentLink | None = None


adapter_of = cache(TypeAdapter[Any])


def errors_of(data: object) -> list[tuple[tuple[int | str, ...], str]]:
    """Return path and kind of each error of an `Order`."""
    with pytest.raises(ValidationError) as caught:
        Order.model_validate(data)
    return [(error["loc"], error["type"]) for error in caught.value.errors()]


def test_validation_in_either_spelling() -> None:
    """Objects are read by wire name or field name, instances are kept."""
    read = Order.model_validate(
        {
            "request": {"accountName": "13800138000", "corp_ident_info": {"companyName": "某某"}},
            "link": {"orderNo": "1", "auth_url": "a", "costCents": 1},
        }
    )
    assert read.request.account_name == "13800138000"
    assert read.request.corp_ident_info == kfq.CorpIdentInfo(company_name="某某")
    assert read.link == kfq.CorpIdentLink(order_no="1", auth_url="a", extra={"costCents": 1})
    request = kfq.CorpIdentLinkRequest()
    assert Order(request=request).request is request
    assert Order.model_validate_json('{"request": {"clientRequestId": "r"}}').request.client_request_id == "r"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"request": {"accountName": 1}}, [(("request", "accountName"), "string_type")]),
        ({"request": {"account_name": True}}, [(("request", "account_name"), "string_type")]),
        ({"request": 3}, [(("request",), "dict_type")]),
        ({"request": {"a": 1}}, [(("request", "a"), "extra_forbidden")]),
        (
            {"request": {"corpIdentInfo": {"companyType": "1", "companyName": []}}},
            [
                (("request", "corpIdentInfo", "companyName"), "string_type"),
                (("request", "corpIdentInfo", "companyType"), "int_type"),
            ],
        ),
        (
            {"request": {"corpIdentConfig": {"corpVerifyMethods": ["a", 1]}}},
            [(("request", "corpIdentConfig", "corpVerifyMethods", 1), "string_type")],
        ),
        (
            {"request": {"corpIdentConfig": {"corpVerifyMethods": "letter"}}},
            [(("request", "corpIdentConfig", "corpVerifyMethods"), "tuple_type")],
        ),
        ({"request": {}, "link": {"orderNo": "1"}}, [(("link", "authUrl"), "missing")]),
        ({"request": {}, "link": {"orderNo": None, "authUrl": "a"}}, [(("link", "orderNo"), "string_type")]),
    ],
)
def test_errors_name_the_field(data: object, expected: list[tuple[tuple[object, ...], str]]) -> None:
    """A wrong value is an error of pydantic's own, with the path of the field."""
    assert errors_of(data) == expected


def test_serialization() -> None:
    """Pydantic's options choose the spelling and the fields; what is ``None`` is left out."""
    order = Order(
        request=kfq.CorpIdentLinkRequest(account_name="1", client_request_id="r"),
        link=kfq.CorpIdentLink(order_no="1", auth_url="a", extra={"costCents": 1}),
    )
    assert order.model_dump() == {
        "request": {"account_name": "1", "client_request_id": "r"},
        "link": {"order_no": "1", "auth_url": "a", "costCents": 1},
    }
    assert json.loads(order.model_dump_json(by_alias=True, exclude={"link"})) == {
        "request": {"accountName": "1", "clientRequestId": "r"},
    }


@slow_generation
@given(st.data(), st.sampled_from(MODELS), st.booleans())
def test_round_trip(data: st.DataObject, kind: Any, by_alias: bool) -> None:  # noqa: FBT001
    """Every model is the same after a round trip through JSON, and is written as `to_dict` writes it."""
    model = data.draw(instances_of(kind))
    adapter = adapter_of(kind)
    written = adapter.dump_json(model, by_alias=by_alias)
    assert json.loads(written) == kfq.to_dict(model, by_alias=by_alias)
    assert adapter.validate_json(written) == model


def test_values_without_a_declared_type() -> None:
    """A model is written as its own class wherever pydantic expects anything."""
    adapter = TypeAdapter(dict[str, Any])
    link = kfq.CorpIdentLink(order_no="1", auth_url="a")
    assert adapter.dump_python({"links": [link]}) == {"links": [{"order_no": "1", "auth_url": "a"}]}
    assert adapter.dump_json({"link": link}, by_alias=True) == b'{"link":{"orderNo":"1","authUrl":"a"}}'


def test_without_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pydantic, a model has no attribute of it."""
    monkeypatch.setitem(sys.modules, "kfq_async.models.pydantic", None)
    assert not hasattr(kfq.CorpIdentLink, "__pydantic_serializer__")


def test_json_schema() -> None:
    """A schema has the wire names, the texts of the docstrings, and the names of the models inside."""
    schema = TypeAdapter(kfq.CorpIdentLinkRequest).json_schema()
    assert schema["title"] == "CorpIdentLinkRequest"
    assert schema["description"].startswith("Request of `session.auth.corp_ident_link`")
    assert schema["additionalProperties"] is False
    assert schema["properties"]["clientUserId"]["description"].startswith("经办人ID, unique id of the operator")
    assert schema["properties"]["corpIdentInfo"]["anyOf"] == [{"$ref": "#/$defs/CorpIdentInfo"}, {"type": "null"}]
    assert schema["$defs"]["CorpIdentConfig"]["properties"]["corpVerifyMethods"]["anyOf"][0] == {
        "items": {"type": "string"},
        "type": "array",
    }
    assert "required" not in schema
    link = TypeAdapter(kfq.CorpIdentLink).json_schema(by_alias=False, mode="serialization")
    assert (link["required"], link["additionalProperties"]) == (["order_no", "auth_url"], True)


@pytest.mark.parametrize("docstring", [None, "\nAttributes:\n    order_no: Number."])
def test_json_schema_without_docstrings(monkeypatch: pytest.MonkeyPatch, docstring: str | None) -> None:
    """A schema exists under ``python -OO`` as well, which removes docstrings."""
    monkeypatch.setattr(kfq.CorpIdentLink, "__doc__", docstring)
    schema = TypeAdapter(kfq.CorpIdentLink).json_schema()
    assert "description" not in schema
    assert schema["properties"]["orderNo"].get("description") == (docstring and "Number.")


def test_union_of_models() -> None:
    """In a union, the path of a problem names the model that was tried."""
    adapter = TypeAdapter(kfq.ContractUser | kfq.CorpIdentInfo)
    assert adapter.validate_python({"companyName": "某某"}) == kfq.CorpIdentInfo(company_name="某某")
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({"name": 1})
    assert [error["loc"] for error in caught.value.errors()] == [
        ("function-wrap[ContractUser()]", "name"),
        ("function-wrap[CorpIdentInfo()]", "name"),
    ]
