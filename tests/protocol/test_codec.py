"""Conversion of models to and from JSON: round trips, unknown keys and problems with their paths."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from decimal import Decimal
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import orjson
import pytest
from attrs import field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kfq_async.models
from kfq_async import (
    ContractDraft,
    ContractPageUrlRequest,
    ContractTasks,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    DecodeError,
    EncodeError,
    FileUpload,
    OprIdentInfo,
)
from kfq_async.models.anchors import Anchor, Spot, WirePosition
from kfq_async.models.fields import ADDED
from kfq_async.models.masking import mask_texts
from kfq_async.protocol.codec import camel, decode, encode, to_wire

MODELS = sorted(
    {
        kind
        for module in pkgutil.iter_modules(kfq_async.models.__path__, "kfq_async.models.")
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if attrs.has(kind) and kind.__module__ == module.name
    },
    key=lambda kind: kind.__name__,
)
PLACES = (Anchor, Spot, WirePosition)
"""Models that are no requests, but become fields of one."""
REQUESTS = [
    kind for kind in MODELS if "extra" not in attrs.fields_dict(kind) and not issubclass(kind, (FileUpload, *PLACES))
]
RESULTS = [kind for kind in MODELS if "extra" in attrs.fields_dict(kind)]

slow_generation = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""The first instance of a model compiles its conversion, and large models are slow to generate."""

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for the values of a field's type."""
    if get_origin(kind) is tuple:
        return st.lists(values_of(get_args(kind)[0]), max_size=2).map(tuple)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if args := get_args(kind):
        return st.one_of(*(st.none() if part is type(None) else values_of(part) for part in args))
    if attrs.has(kind):
        return instances_of(kind)
    if issubclass(kind, Enum):
        return st.sampled_from(kind)
    return {str: st.text(max_size=8), int: st.integers(-(2**63), 2**64 - 1), bool: st.booleans()}[kind]


@cache
def wire_fields(kind: Any) -> list[str]:
    """Return the names of a model's fields that are on the wire."""
    fields = attrs.fields_dict(kind)
    return [name for name, attribute in fields.items() if name != "extra" and ADDED not in attribute.metadata]


def instances_of(kind: type) -> st.SearchStrategy[Any]:
    """Return a strategy for instances of a model; ``client_request_id`` is always set, since its default is random."""
    attrs.resolve_types(kind)
    types: dict[str, Any] = {name: attribute.type for name, attribute in attrs.fields_dict(kind).items()}
    fields = {name: values_of(types[name]) for name in wire_fields(kind)}
    if "client_request_id" in fields:
        fields["client_request_id"] = st.text(max_size=8)
    return st.builds(kind, **fields)


def to_platform_json(value: Any) -> Any:
    """Return a result as the platform would send it."""
    if attrs.has(type(value)):
        kind: Any = type(value)
        return {camel(name): to_platform_json(getattr(value, name)) for name in wire_fields(kind)}
    if isinstance(value, tuple):
        return [to_platform_json(item) for item in value]
    return value.value if isinstance(value, Enum) else value


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("name", "name"),
        ("order_no", "orderNo"),
        ("opr_ident_info", "oprIdentInfo"),
        ("client_request_id", "clientRequestId"),
        ("offset_2x", "offset2x"),
        ("", ""),
    ],
)
def test_camel(name: str, wire: str) -> None:
    """The wire name of a field follows from its name here."""
    assert camel(name) == wire


@pytest.mark.parametrize(("value", "kind"), [("true", "a string"), (1, "a number"), ([], "a list")])
def test_booleans(value: object, kind: str) -> None:
    """A boolean is read from a boolean only."""
    assert decode(ContractPageUrlRequest, {"noLogin": True}).no_login is True
    with pytest.raises(DecodeError, match=f"expected a boolean, not {kind} @ \\$\\.result\\.noLogin"):
        decode(ContractPageUrlRequest, {"noLogin": value})


def test_models_are_found() -> None:
    """The properties below cover every model of the package."""
    assert CorpIdentLinkRequest in REQUESTS
    assert CorpIdentLink in RESULTS


@pytest.mark.parametrize("kind", REQUESTS)
@slow_generation
@given(data=st.data())
def test_requests_round_trip(kind: type, data: st.DataObject) -> None:
    """Every request equals what is decoded from its JSON, and what is unpickled from its pickle."""
    request = data.draw(instances_of(kind))
    wire = orjson.loads(encode(to_wire(request)))
    assert decode(kind, wire) == request
    assert pickle.loads(pickle.dumps(request)) == request
    assert None not in wire.values()


@pytest.mark.parametrize("kind", RESULTS)
@slow_generation
@given(data=st.data(), more=st.dictionaries(st.text(max_size=6), json_values, max_size=3))
def test_results_keep_unknown_keys(kind: type, data: st.DataObject, more: dict[str, object]) -> None:
    """A result holds known keys in its fields and all unknown ones in ``extra``."""
    result = data.draw(instances_of(kind))
    known = to_platform_json(result)
    unknown = {name: value for name, value in more.items() if name not in known}
    read: Any = decode(kind, known | unknown)
    assert read == attrs.evolve(result, extra=unknown)
    assert pickle.loads(pickle.dumps(read)) == read


def test_fields_that_are_not_on_the_wire() -> None:
    """A key that is named like a field which the package fills in is unknown, as any other."""
    read = decode(ContractDraft, {"contractId": "C-1", "tasks": []})
    assert (read.contract_id, read.tasks, read.extra) == ("C-1", None, {"tasks": []})


def test_masked_data_is_decoded() -> None:
    """A result whose texts are masked, as an envelope returns it, is decoded like any other."""
    data = mask_texts({"orderNo": "N1", "authUrl": "u"})
    assert decode(CorpIdentLink, data) == CorpIdentLink(order_no="N1", auth_url="u")
    with pytest.raises(DecodeError, match="expected an object, not a string"):
        decode(CorpIdentLink, data["authUrl"])


def test_unknown_key_named_extra() -> None:
    """A key named ``extra`` is kept like any other unknown key."""
    link = decode(CorpIdentLink, {"orderNo": "N1", "authUrl": "u", "extra": {"a": 1}})
    assert link.extra == {"extra": {"a": 1}}


@given(st.dictionaries(st.sampled_from(["orderNo", "authUrl", "extra", "x"]), json_values) | json_values)
def test_values_are_never_converted(raw: Any) -> None:
    """A value that is not text is refused, and never converted to text."""
    valid = isinstance(raw, dict) and all(type(raw.get(key)) is str for key in ("orderNo", "authUrl"))
    try:
        link = decode(CorpIdentLink, raw)
    except DecodeError:
        assert not valid
    else:
        assert (link.order_no, link.auth_url) == (raw["orderNo"], raw["authUrl"])


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        (None, ("expected an object, not null @ $.result",)),
        ([], ("expected an object, not a list @ $.result",)),
        ("N1", ("expected an object, not a string @ $.result",)),
        (5, ("expected an object, not a number @ $.result",)),
        (True, ("expected an object, not a boolean @ $.result",)),
        ({}, ("required key missing @ $.result.orderNo", "required key missing @ $.result.authUrl")),
        ({"orderNo": None, "authUrl": "u"}, ("expected a string, not null @ $.result.orderNo",)),
        ({"orderNo": "N1", "authUrl": {"x": 1}}, ("expected a string, not an object @ $.result.authUrl",)),
        (
            {"orderNo": 1.5, "authUrl": ["u"]},
            (
                "expected a string, not a number @ $.result.orderNo",
                "expected a string, not a list @ $.result.authUrl",
            ),
        ),
    ],
)
def test_problems_of_a_result(raw: object, problems: tuple[str, ...]) -> None:
    """Every missing or mistyped key of a result is listed with its path on the wire."""
    with pytest.raises(DecodeError) as caught:
        decode(CorpIdentLink, raw)
    assert caught.value.problems == problems
    assert str(caught.value) == "the result is unreadable: " + "; ".join(problems)


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        ({"accountname": "a"}, ("unknown key accountname @ $.result",)),
        ({"b": 1, "a": 2}, ("unknown key a, b @ $.result",)),
        ({"oprIdentInfo": {"idcard": "1"}}, ("unknown key idcard @ $.result.oprIdentInfo",)),
        ({"oprIdentInfo": []}, ("expected an object, not a list @ $.result.oprIdentInfo",)),
        (
            {"oprIdentInfo": {"idCardType": "1"}},
            ("expected an integer, not a string @ $.result.oprIdentInfo.idCardType",),
        ),
        (
            {"oprIdentInfo": {"idCardType": True}},
            ("expected an integer, not a boolean @ $.result.oprIdentInfo.idCardType",),
        ),
        (
            {"oprIdentInfo": {"idCardType": 1.0}},
            ("expected an integer, not a number @ $.result.oprIdentInfo.idCardType",),
        ),
        (
            {"oprIdentConfig": {"personVerifyMethods": "face"}},
            ("expected a list, not a string @ $.result.oprIdentConfig.personVerifyMethods",),
        ),
        (
            {"oprIdentConfig": {"personVerifyMethods": ["face", 5]}},
            ("item 1: expected a string, not a number @ $.result.oprIdentConfig.personVerifyMethods",),
        ),
    ],
)
def test_problems_of_a_request(raw: object, problems: tuple[str, ...]) -> None:
    """Decoding a request, as the sandbox does, refuses unknown keys and wrong types with their paths."""
    with pytest.raises(DecodeError) as caught:
        decode(CorpIdentLinkRequest, raw)
    assert caught.value.problems == problems


def test_problems_in_a_list_of_objects() -> None:
    """The path of a problem has the index of the object in its list."""
    tasks = [{"taskId": "1", "taskType": "SIGN"}, {"taskId": "2", "party": {"name": 7}}]
    with pytest.raises(DecodeError) as caught:
        decode(ContractTasks, {"status": "SIGNING", "todoTaskList": tasks}, path="$")
    assert caught.value.problems == (
        "required key missing @ $.todoTaskList[1].taskType",
        "expected a string, not a number @ $.todoTaskList[1].party.name",
    )


def test_null_equals_an_absent_key() -> None:
    """A null in a request is decoded like an absent key."""
    read = decode(CorpIdentLinkRequest, {"accountName": None, "oprIdentInfo": None, "clientRequestId": "c"})
    assert read == CorpIdentLinkRequest(client_request_id="c")


def test_problems_hide_values() -> None:
    """A `DecodeError` names paths and types, hides the values, and does not chain the library's exception."""
    with pytest.raises(DecodeError) as caught:
        decode(CorpIdentLink, {"orderNo": 13800138000, "authUrl": ["https://h.example"]}, path="$")
    assert "138001" not in str(caught.value)
    assert "h.example" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@frozen(kw_only=True)
class Price:
    """Result model of a user, with a type that the package does not use."""

    amount: float
    parts: tuple[CorpIdentInfo, ...] = ()
    note: Union[str, None] = None  # noqa: UP007  # users still write it
    extra: dict[str, object] = field(factory=dict)


def test_custom_result_model() -> None:
    """`Operation.result` takes any attrs class, and a value that does not fit is a problem with a path."""
    price = decode(Price, {"amount": 1.5, "parts": [{"companyName": "a"}], "x": 1})
    assert price == Price(amount=1.5, parts=(CorpIdentInfo(company_name="a"),), extra={"x": 1})
    with pytest.raises(
        DecodeError, match=r"^the result is unreadable: invalid value for type, expected float @ \$\.result\.amount$"
    ):
        decode(Price, {"amount": "much"})


def test_custom_request_model() -> None:
    """`Operation.request` takes any attrs class, with required and optional fields."""
    price = Price(amount=1.5, parts=(CorpIdentInfo(company_name="a"),))
    assert to_wire(price) == {"amount": 1.5, "parts": [{"companyName": "a"}], "extra": {}}


def test_result_of_a_plain_type() -> None:
    """A result need not be an object."""
    assert decode(str, "a") == "a"
    with pytest.raises(DecodeError, match=r"^the result is unreadable: expected a string, not a number @ \$\.result$"):
        decode(str, 5)


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        ({}, {}),
        ({"accountName": None, "b": [1]}, {"accountName": None, "b": [1]}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OprIdentInfo(), {}),
        (OprIdentInfo(id_card="", id_card_type=0), {"idCard": "", "idCardType": 0}),
        (
            CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(name="a"), client_request_id=None),
            {"oprIdentInfo": {"name": "a"}},
        ),
    ],
)
def test_to_wire(request_: object, fields: dict[str, object]) -> None:
    """A model gives the fields that are set, by wire name; a mapping is copied, its nulls included."""
    assert to_wire(request_) == fields


def test_to_wire_copies_a_mapping() -> None:
    """Adding fields to a request does not change the caller's mapping."""
    given_ = {"a": 1}
    to_wire(given_)["b"] = 2
    assert given_ == {"a": 1}


def test_encode_is_compact_utf8() -> None:
    """JSON is written in UTF-8 without white space and escapes, in the order of the fields."""
    assert encode({"b": "张三", "a": [1, None, True]}) == '{"b":"张三","a":[1,null,true]}'.encode()


circular: dict[str, Any] = {"list": []}
circular["list"].append(circular)
nested: dict[str, Any] = {}
for _ in range(3000):
    nested = {"a": nested}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"a": {1, 2}}, r"\$\.a: "),
        ({"a": {"b": [1, "\ud800"]}}, r"\$\.a\.b\[1\]: "),
        ({"a": ({"b": Decimal(13800138000)},)}, r"\$\.a\[0\]\.b: "),
        ({"a": {"b": b"13800138000"}}, r"\$\.a\.b: "),
        ({"a": 2**64}, r"\$\.a: "),
        ({"a": {5: "b"}}, r"\$\.a: "),
        ({"\ud800": 1}, r"\$: "),
        (to_wire(CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(name="\udfff"))), r"\$\.oprIdentInfo\.name: "),
        (to_wire(CorpIdentInfo(company_type=10**30)), r"\$\.companyType: "),
        (circular, r"\$\.list\[0\]\.list\[0\]"),
        (nested, r"\$\.a\.a\.a"),
    ],
)
def test_values_that_json_cannot_hold(fields: dict[str, Any], path: str) -> None:
    """A value that JSON cannot hold is refused with its path and without the value."""
    with pytest.raises(EncodeError, match=f"^the request cannot be written as JSON: {path}") as caught:
        encode(fields)
    assert "138001" not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
