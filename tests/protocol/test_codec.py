"""Models to JSON and back: nothing lost on the way out, nothing guessed on the way in."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
from decimal import Decimal
from enum import Enum
from functools import cache
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin

import attrs
import orjson
import pytest
from attrs import field, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kfq_async.models
from kfq_async import CorpIdentInfo, CorpIdentLink, CorpIdentLinkRequest, DecodeError, EncodeError, OprIdentInfo
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
REQUESTS = [kind for kind in MODELS if "extra" not in attrs.fields_dict(kind)]
RESULTS = [kind for kind in MODELS if "extra" in attrs.fields_dict(kind)]

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""The first object of a model compiles its conversion, and large models are slow to make up."""

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Make values of a field's type."""
    if get_origin(kind) is tuple:
        return st.lists(values_of(get_args(kind)[0]), max_size=2).map(tuple)
    if args := get_args(kind):
        return st.one_of(*(st.none() if part is type(None) else values_of(part) for part in args))
    if attrs.has(kind):
        return objects_of(kind)
    return {str: st.text(max_size=8), int: st.integers(-(2**63), 2**64 - 1)}[kind]


@cache
def objects_of(kind: type) -> st.SearchStrategy[Any]:
    """Make objects of a model; a ``client_request_id`` is always there, since one left out comes back fresh."""
    attrs.resolve_types(kind)
    types: dict[str, Any] = {name: attribute.type for name, attribute in attrs.fields_dict(kind).items()}
    fields = {name: values_of(each) for name, each in types.items() if name != "extra"}
    if "client_request_id" in fields:
        fields["client_request_id"] = st.text(max_size=8)
    return st.builds(kind, **fields)


def as_sent(value: Any) -> Any:
    """Write a result as the platform would."""
    if attrs.has(type(value)):
        names = attrs.fields_dict(type(value)).keys() - {"extra"}
        return {camel(name): as_sent(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [as_sent(item) for item in value]
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
    """Fields have one name here and one on the wire, and the one follows from the other."""
    assert camel(name) == wire


def test_there_are_models_of_both_kinds() -> None:
    """The properties below speak of every model in the package."""
    assert CorpIdentLinkRequest in REQUESTS
    assert CorpIdentLink in RESULTS


@pytest.mark.parametrize("kind", REQUESTS)
@patient
@given(data=st.data())
def test_requests_round_trip(kind: type, data: st.DataObject) -> None:
    """Every request comes back from its JSON as it was, whatever its fields hold, and from a pickle too."""
    request = data.draw(objects_of(kind))
    wire = orjson.loads(encode(to_wire(request)))
    assert decode(kind, wire) == request
    assert pickle.loads(pickle.dumps(request)) == request
    assert None not in wire.values()


@pytest.mark.parametrize("kind", RESULTS)
@patient
@given(data=st.data(), more=st.dictionaries(st.text(max_size=6), json_values, max_size=3))
def test_results_keep_everything(kind: type, data: st.DataObject, more: dict[str, object]) -> None:
    """A result holds what it knows in its fields and all that it does not know in ``extra``."""
    result = data.draw(objects_of(kind))
    known = as_sent(result)
    unknown = {name: value for name, value in more.items() if name not in known}
    read: Any = decode(kind, known | unknown)
    assert read == attrs.evolve(result, extra=unknown)
    assert pickle.loads(pickle.dumps(read)) == read


def test_a_key_named_extra_is_a_key_like_others() -> None:
    """The platform may well send a key ``extra``; it is kept among the unknown."""
    link = decode(CorpIdentLink, {"orderNo": "N1", "authUrl": "u", "extra": {"a": 1}})
    assert link.extra == {"extra": {"a": 1}}


@given(st.dictionaries(st.sampled_from(["orderNo", "authUrl", "extra", "x"]), json_values) | json_values)
def test_a_result_is_right_or_refused(raw: Any) -> None:
    """A result is never made of what was not text: no ``"None"``, no ``"{'x': 1}"``."""
    right = isinstance(raw, dict) and all(type(raw.get(key)) is str for key in ("orderNo", "authUrl"))
    try:
        link = decode(CorpIdentLink, raw)
    except DecodeError:
        assert not right
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
    """What is missing or mistyped is listed, each by its path on the wire."""
    with pytest.raises(DecodeError) as refusal:
        decode(CorpIdentLink, raw)
    assert refusal.value.problems == problems
    assert str(refusal.value) == "unreadable: " + "; ".join(problems)


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
    """Whoever reads requests, as the sandbox does, refuses unknown keys and wrong types by their path."""
    with pytest.raises(DecodeError) as refusal:
        decode(CorpIdentLinkRequest, raw)
    assert refusal.value.problems == problems


def test_nulls_in_a_request_are_absent_keys() -> None:
    """JSON's null equals an absent key when a request is read."""
    read = decode(CorpIdentLinkRequest, {"accountName": None, "oprIdentInfo": None, "clientRequestId": "c"})
    assert read == CorpIdentLinkRequest(client_request_id="c")


def test_problems_do_not_show_values() -> None:
    """The text of a `DecodeError` names places and types, not what stood there, and hides the library below."""
    with pytest.raises(DecodeError) as refusal:
        decode(CorpIdentLink, {"orderNo": 13800138000, "authUrl": ["https://h.example"]}, path="$")
    assert "138001" not in str(refusal.value)
    assert "h.example" not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)


@frozen(kw_only=True)
class Price:
    """A result model of a user's own, with a type that the package does not use."""

    amount: float
    parts: tuple[CorpIdentInfo, ...] = ()
    note: Union[str, None] = None  # noqa: UP007  # users still write it
    extra: dict[str, object] = field(factory=dict)


def test_models_of_ones_own() -> None:
    """`Operation.result` takes any attrs class, and a value that does not fit it is a problem with a path."""
    price = decode(Price, {"amount": 1.5, "parts": [{"companyName": "a"}], "x": 1})
    assert price == Price(amount=1.5, parts=(CorpIdentInfo(company_name="a"),), extra={"x": 1})
    with pytest.raises(DecodeError, match=r"^unreadable: invalid value for type, expected float @ \$\.result\.amount$"):
        decode(Price, {"amount": "much"})


def test_requests_of_ones_own() -> None:
    """`Operation.request` takes any attrs class too, with fields that are required and those that are not."""
    price = Price(amount=1.5, parts=(CorpIdentInfo(company_name="a"),))
    assert to_wire(price) == {"amount": 1.5, "parts": [{"companyName": "a"}], "extra": {}}


def test_plain_types() -> None:
    """A result need not be an object."""
    assert decode(str, "a") == "a"
    with pytest.raises(DecodeError, match=r"^unreadable: expected a string, not a number @ \$\.result$"):
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
def test_fields_of(request_: object, fields: dict[str, object]) -> None:
    """A model gives what is set by the wire's names; a mapping is taken by its word, its nulls included."""
    assert to_wire(request_) == fields


def test_a_mapping_is_copied() -> None:
    """Adding fields to a request does not change the caller's mapping."""
    given_ = {"a": 1}
    to_wire(given_)["b"] = 2
    assert given_ == {"a": 1}


def test_bodies_are_compact_utf8() -> None:
    """Bodies are UTF-8 without blanks and without escapes, in the order of the fields."""
    assert encode({"b": "张三", "a": [1, None, True]}) == '{"b":"张三","a":[1,null,true]}'.encode()


circle: dict[str, Any] = {"list": []}
circle["list"].append(circle)
tower: dict[str, Any] = {}
for _ in range(3000):
    tower = {"a": tower}


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
        (circle, r"\$\.list\[0\]\.list\[0\]"),
        (tower, r"\$\.a\.a\.a"),
    ],
)
def test_what_json_cannot_carry(fields: dict[str, Any], path: str) -> None:
    """What cannot be written is refused before anything is sent, with the path and without the value."""
    with pytest.raises(EncodeError, match=f"^the request cannot be written as JSON: {path}") as refusal:
        encode(fields)
    assert "138001" not in str(refusal.value)
    assert (refusal.value.__cause__, refusal.value.__context__) == (None, None)
