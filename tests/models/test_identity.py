"""Models of identification: the documented request key by key, type checks and masking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs.exceptions import FrozenInstanceError

from kfq_async import (
    CORP_IDENT_LINK,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLink,
    CorpIdentLinkRequest,
    OprIdentConfig,
    OprIdentInfo,
)
from kfq_async.errors import ApiError
from kfq_async.protocol.codec import decode, encode, to_wire
from kfq_async.protocol.responses import HttpResponse, read_response
from kfq_async.protocol.signing import canonical_json

WIRE = json.loads((Path(__file__).parents[1] / "wire" / "corp_ident_link.json").read_text(encoding="utf-8"))

REQUEST = CorpIdentLinkRequest(
    account_name="13800138000",
    client_user_id="your-operator-user-id-001",
    corp_ident_info=CorpIdentInfo(
        company_name="某某科技有限公司",
        credit_code="91110000MA01234567",
        legal_rep_name="张三",
        company_type=1,
        license="",
    ),
    corp_ident_config=CorpIdentConfig(
        corp_verify_methods=["legalRep", "invite", "letter"],
        unmodifiable_params=["companyName", "creditCode", "legalRepName", "companyType"],
    ),
    opr_ident_info=OprIdentInfo(
        name="李四", id_card="110101199001011234", id_card_type=1, mobile="13800138000", bank_card=""
    ),
    opr_ident_config=OprIdentConfig(person_verify_methods=("face", "mobile"), unmodifiable_params=("name", "idCard")),
    callback_page="https://your-domain.com/corp/callback",
    auth_callback_url="https://your-domain.com/api/corp/auth/callback",
    client_request_id="client-req-corp-ident-001",
)
LINK = CorpIdentLink(order_no="ORDER-1", auth_url="https://h.example/auth?code=SECRET", extra={"mobile": "13800138000"})

TEXTS: list[tuple[type, str]] = [
    (CorpIdentLinkRequest, "account_name"),
    (CorpIdentLinkRequest, "client_user_id"),
    (CorpIdentLinkRequest, "callback_page"),
    (CorpIdentLinkRequest, "auth_callback_url"),
    (CorpIdentLinkRequest, "client_request_id"),
    (CorpIdentInfo, "company_name"),
    (CorpIdentInfo, "credit_code"),
    (CorpIdentInfo, "legal_rep_name"),
    (CorpIdentInfo, "license"),
    (OprIdentInfo, "name"),
    (OprIdentInfo, "id_card"),
    (OprIdentInfo, "mobile"),
    (OprIdentInfo, "bank_card"),
]
INTEGERS: list[tuple[type, str]] = [(CorpIdentInfo, "company_type"), (OprIdentInfo, "id_card_type")]
SEQUENCES: list[tuple[type, str]] = [
    (CorpIdentConfig, "corp_verify_methods"),
    (CorpIdentConfig, "unmodifiable_params"),
    (OprIdentConfig, "person_verify_methods"),
    (OprIdentConfig, "unmodifiable_params"),
]
NESTED: list[tuple[type, str, type, type]] = [
    (CorpIdentLinkRequest, "corp_ident_info", CorpIdentInfo, OprIdentInfo),
    (CorpIdentLinkRequest, "corp_ident_config", CorpIdentConfig, OprIdentConfig),
    (CorpIdentLinkRequest, "opr_ident_info", OprIdentInfo, CorpIdentInfo),
    (CorpIdentLinkRequest, "opr_ident_config", OprIdentConfig, CorpIdentConfig),
]
MODELS = [CorpIdentConfig, CorpIdentInfo, CorpIdentLinkRequest, OprIdentConfig, OprIdentInfo]


def test_documented_request() -> None:
    """The documented example values produce the documented body: same keys, values and order."""
    assert json.dumps(json.loads(encode(to_wire(REQUEST)))) == json.dumps(WIRE["request"])


def test_documented_request_in_canonical_form(vectors: Any) -> None:
    """The body has the canonical form that the platform's own code produced."""
    (case,) = (case for case in vectors["cases"] if case["name"] == "seed example body")
    assert canonical_json(encode(to_wire(REQUEST))) == case["canonicalJson"]


def test_documented_response() -> None:
    """The documented sample response is read, with its code as text and its timestamp in seconds."""
    response = HttpResponse(200, {"Content-Type": "application/json"}, json.dumps(WIRE["response"]).encode())
    error = read_response(response, CORP_IDENT_LINK, "https://h.example/resrun-paas")
    assert isinstance(error, ApiError)
    assert (error.code, error.message) == (27, "in deserunt")
    assert error.envelope.timestamp.isoformat() == "2026-04-01T02:33:22+00:00"
    assert decode(CorpIdentLink, error.envelope.result) == CorpIdentLink(
        order_no="sint consectetur labore", auth_url="https://stormy-riser.info/"
    )


@pytest.mark.parametrize("kind", MODELS)
def test_every_field_is_optional(kind: type) -> None:
    """Every field may be absent, since the documentation requires none; ``None`` sends no key."""
    request = kind()
    assert to_wire(request).keys() <= {"clientRequestId"}
    everything_none = kind(**dict.fromkeys(attrs.fields_dict(kind)))
    assert encode(to_wire(everything_none)) == b"{}"


@pytest.mark.parametrize(("kind", "name"), TEXTS)
def test_empty_string_is_sent(kind: type, name: str) -> None:
    """An empty string is sent as it is."""
    assert "" in to_wire(kind(**{name: ""})).values()


@pytest.mark.parametrize(("kind", "name"), SEQUENCES)
def test_empty_list_is_sent(kind: type, name: str) -> None:
    """An empty list is sent as it is."""
    (sent,) = json.loads(encode(to_wire(kind(**{name: []})))).values()
    assert sent == []


def test_empty_model_is_sent() -> None:
    """A nested model without values is sent as an empty object."""
    request = CorpIdentLinkRequest(corp_ident_info=CorpIdentInfo(), client_request_id=None)
    assert encode(to_wire(request)) == b'{"corpIdentInfo":{}}'


def test_default_request_id() -> None:
    """Each request object has its own id, and keeps it."""
    first, second = CorpIdentLinkRequest(), CorpIdentLinkRequest()
    assert first.client_request_id
    assert first.client_request_id != second.client_request_id
    assert to_wire(first) == to_wire(first) == {"clientRequestId": first.client_request_id}
    assert attrs.evolve(first, account_name="a").client_request_id == first.client_request_id


@pytest.mark.parametrize(("kind", "name"), TEXTS)
@pytest.mark.parametrize("wrong", [13800138000, True, 1.5, b"13800138000", ["13800138000"], {"a": "13800138000"}])
def test_text_fields_take_str_only(kind: type, name: str, wrong: object) -> None:
    """A text field takes a ``str`` only; the error names the field and hides the value."""
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name} must be a str, not ") as caught:
        kind(**{name: wrong})
    assert "138001" not in str(caught.value)


@pytest.mark.parametrize(("kind", "name"), INTEGERS)
@pytest.mark.parametrize("wrong", [True, False, "1", 1.0, b"1", [1]])
def test_integer_fields_take_int_only(kind: type, name: str, wrong: object) -> None:
    """A numeric field takes an ``int`` only, and no ``bool``."""
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name} must be an int, not {type(wrong).__name__}"):
        kind(**{name: wrong})


@pytest.mark.parametrize(("kind", "name"), SEQUENCES)
@pytest.mark.parametrize("wrong", ["face", b"face", 1, {"face": 1}, {"face"}])
def test_list_fields_take_sequences_only(kind: type, name: str, wrong: object) -> None:
    """A list field refuses a bare string and unordered collections."""
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name} must be a sequence of str, not "):
        kind(**{name: wrong})


@pytest.mark.parametrize(("kind", "name"), SEQUENCES)
@pytest.mark.parametrize("wrong", [1, None, b"face", ["face"]])
def test_items_are_checked(kind: type, name: str, wrong: object) -> None:
    """An item of a wrong type is refused, naming its index."""
    with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name}\[1\] must be a str, not {type(wrong).__name__}"):
        kind(**{name: ["face", wrong]})


@pytest.mark.parametrize(("kind", "name"), SEQUENCES)
def test_sequences_become_tuples(kind: type, name: str) -> None:
    """A list is copied to a tuple, so later changes to it do not change the request."""
    given = ["face", "mobile"]
    made = kind(**{name: given})
    given.append("bank")
    assert getattr(made, name) == ("face", "mobile")
    assert hash(made) == hash(kind(**{name: ("face", "mobile")}))


@pytest.mark.parametrize(("kind", "name", "right", "wrong"), NESTED)
def test_nested_models(kind: type, name: str, right: type, wrong: type) -> None:
    """A nested model must be an instance of its own class: no other model, mapping or class."""
    assert getattr(kind(**{name: right()}), name) == right()
    for value in (wrong(), {"name": "a"}, right, "a"):
        with pytest.raises(TypeError, match=rf"^{kind.__name__}\.{name} must be a {right.__name__}, not "):
            kind(**{name: value})


@pytest.mark.parametrize("kind", MODELS)
def test_models_are_keyword_only(kind: Any) -> None:
    """Fields are passed by name, so adding one later breaks no call."""
    with pytest.raises(TypeError):
        kind("a")
    with pytest.raises(TypeError, match="companyName"):
        kind(companyName="a")


@pytest.mark.parametrize("made", [REQUEST, REQUEST.corp_ident_info, REQUEST.opr_ident_config, LINK])
def test_models_are_frozen(made: Any) -> None:
    """A model cannot be changed, neither a field nor an unknown attribute."""
    name = attrs.fields(type(made))[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(made, name, "other")
    with pytest.raises((FrozenInstanceError, AttributeError)):
        made.no_such_field = "other"


REPR = (
    "CorpIdentLinkRequest(account_name='***', client_user_id='your-operator-user-id-001', "
    "corp_ident_info=CorpIdentInfo(company_name='某某科技有限公司', credit_code='91110000MA01234567', "
    "legal_rep_name='***', company_type=1, license='***'), "
    "corp_ident_config=CorpIdentConfig(corp_verify_methods=('legalRep', 'invite', 'letter'), "
    "unmodifiable_params=('companyName', 'creditCode', 'legalRepName', 'companyType')), "
    "opr_ident_info=OprIdentInfo(name='***', id_card='***', id_card_type=1, mobile='***', bank_card='***'), "
    "opr_ident_config=OprIdentConfig(person_verify_methods=('face', 'mobile'), "
    "unmodifiable_params=('name', 'idCard')), callback_page='***', auth_callback_url='***', "
    "client_request_id='client-req-corp-ident-001')"
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (REQUEST, REPR),
        (LINK, "CorpIdentLink(order_no='ORDER-1', auth_url='***', extra=<mobile>)"),
        (OprIdentInfo(), "OprIdentInfo(name=None, id_card=None, id_card_type=None, mobile=None, bank_card=None)"),
    ],
)
def test_repr(made: object, expected: str) -> None:
    """``repr`` masks names of people, numbers, accounts, links and callback URLs."""
    assert repr(made) == expected


def test_results_compare_by_value() -> None:
    """Results with equal values are equal and have equal hashes; an unknown key makes a difference."""
    twin = CorpIdentLink(order_no="ORDER-1", auth_url=LINK.auth_url, extra={"mobile": "13800138000"})
    assert twin == LINK
    assert hash(twin) == hash(LINK)
    assert attrs.evolve(LINK, extra={}) != LINK
