"""Writing a request: once for a call, completed for each attempt, byte for byte."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from kfq_async import (
    CORP_IDENT_LINK,
    CorpIdentConfig,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    CredentialPlacement,
    EncodeError,
    Idempotency,
    Operation,
    OprIdentInfo,
    SigningInput,
)
from kfq_async.protocol.requests import API_PATH, EncodedRequest, HttpRequest, PreparedCall, prepare

BASE = f"https://h.example/resrun-paas{API_PATH}"
DRAFT: Operation[Any, Any] = Operation("POST", "/contract/draft", credentials=CredentialPlacement.PARAMETERS)
TASKS: Operation[Any, Any] = Operation(
    "GET", "/contract/tasks", credentials=CredentialPlacement.PARAMETERS, idempotency=Idempotency.SAFE
)
ORDER: Operation[Any, Any] = Operation("GET", "/auth/order", idempotency=Idempotency.SAFE)
REQUEST = CorpIdentLinkRequest(
    account_name="13800138000",
    corp_ident_info=CorpIdentInfo(company_name="某某科技有限公司", license=""),
    client_request_id="c-1",
)
BODY = (
    '{"accountName":"13800138000","corpIdentInfo":{"companyName":"某某科技有限公司","license":""},'
    '"clientRequestId":"c-1"}'
)


class Showing:
    """Signs by showing what it was given."""

    def sign(self, signing_input: SigningInput) -> str:
        """Return everything that a signature can cover, as JSON."""
        body = None if signing_input.body is None else signing_input.body.decode()
        return json.dumps(
            [body, dict(signing_input.query), signing_input.nonce, signing_input.timestamp, signing_input.uri]
        )


def prepared(operation: Operation[Any, Any], request: object, **additions: Any) -> PreparedCall:
    """Encode a request, with additions by name."""
    extras: dict[str, Any] = {"extra_body": {}, "extra_headers": {}} | additions
    return prepare(operation, request, url=URL(BASE + operation.path), **extras)


def written(call: PreparedCall, **parts: Any) -> HttpRequest:
    """Complete a request for an attempt."""
    values: dict[str, Any] = {"nonce": "n-1", "timestamp": "1750000000000", "unique_code": "u-1", "signer": None}
    return call.write("PV9LQWZA", **values | parts)


def test_credentials_in_headers() -> None:
    """The auth family's five headers are there, ``sign`` present and empty, and none of them in the body."""
    outgoing = written(prepared(CORP_IDENT_LINK, REQUEST))
    assert str(outgoing.url) == f"{BASE}/auth/corp/ident/link"
    assert outgoing.body == BODY.encode()
    assert dict(outgoing.headers) == {
        "appAuthToken": "PV9LQWZA",
        "nonce": "n-1",
        "timestamp": "1750000000000",
        "uniqueCode": "u-1",
        "sign": "",
    }


def test_credentials_in_the_body() -> None:
    """The contract family's credentials stand in the body of a POST, before the request's own fields."""
    outgoing = written(prepared(DRAFT, {"contractName": "合同"}))
    assert outgoing.body == '{"appAuthToken":"PV9LQWZA","uniqueCode":"u-1","contractName":"合同"}'.encode()
    assert str(outgoing.url) == f"{BASE}/contract/draft"
    assert dict(outgoing.headers) == {"sign": ""}


def test_credentials_alone_in_the_body() -> None:
    """A request without fields carries its credentials all the same."""
    assert written(prepared(DRAFT, {})).body == b'{"appAuthToken":"PV9LQWZA","uniqueCode":"u-1"}'


def test_credentials_in_the_query() -> None:
    """The contract family's credentials stand in the query of a GET, which has no body."""
    outgoing = written(prepared(TASKS, {"contractId": "1"}))
    assert str(outgoing.url) == f"{BASE}/contract/tasks?appAuthToken=PV9LQWZA&uniqueCode=u-1&contractId=1"
    assert outgoing.body is None
    assert dict(outgoing.headers) == {"sign": ""}


@pytest.mark.parametrize(
    ("fields", "query"),
    [
        ({}, ""),
        ({"orderNo": "N1"}, "?orderNo=N1"),
        ({"a": "某 某", "b": "x&y=z+/?#%"}, "?a=%E6%9F%90%20%E6%9F%90&b=x%26y%3Dz%2B%2F%3F%23%25"),
        ({"a": True, "b": False, "c": 7, "d": -1}, "?a=true&b=false&c=7&d=-1"),
        ({"a": None, "b": ""}, "?b="),
        ({"名": "x"}, "?%E5%90%8D=x"),
    ],
)
def test_fields_of_a_get(fields: dict[str, object], query: str) -> None:
    """The fields of a GET travel percent-encoded in UTF-8, booleans in lower case, and absent ones not at all."""
    outgoing = written(prepared(ORDER, fields))
    assert outgoing.url.raw_path_qs == f"/resrun-paas{API_PATH}/auth/order{query}"
    assert outgoing.body is None


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=10), min_size=1, max_size=4))
def test_any_query_arrives(fields: dict[str, str]) -> None:
    """Whatever text is asked for arrives as it was."""
    outgoing = written(prepared(ORDER, fields))
    assert dict(parse_qsl(outgoing.url.raw_query_string, keep_blank_values=True)) == fields


@pytest.mark.parametrize("value", [1.5, [1], {"a": 1}, b"a", ("a",)])
def test_what_cannot_travel_in_a_query(value: object) -> None:
    """Lists, objects and floats have no agreed form in a query and are refused by the field's name."""
    with pytest.raises(TypeError, match=rf"^\$\.a must be a str, int or bool .* not {type(value).__name__}$"):
        prepared(ORDER, {"a": value})


@pytest.mark.parametrize("operation", [CORP_IDENT_LINK, DRAFT, TASKS, ORDER], ids=lambda operation: operation.name)
def test_attempts_of_a_call_differ_only_in_their_marks(operation: Operation[Any, Any]) -> None:
    """Between two attempts nonce, timestamp and serial number change, and the request does not."""
    call = prepared(operation, {"a": "1", "b": "某"})
    first = written(call)
    second = written(call, nonce="n-2", timestamp="1750000000001", unique_code="u-2")
    again = written(call)
    assert (again.url, again.headers, again.body) == (first.url, first.headers, first.body)
    if operation.credentials is CredentialPlacement.HEADERS:
        assert (second.url, second.body) == (first.url, first.body)
        assert (second.headers["nonce"], second.headers["uniqueCode"]) == ("n-2", "u-2")
        assert second.headers["timestamp"] == "1750000000001"
    else:
        changed = first.body.replace(b"u-1", b"u-2") if first.body else None
        assert (str(second.url), second.body) == (str(first.url).replace("u-1", "u-2"), changed)


def test_a_call_does_not_see_later_changes() -> None:
    """Changing the mapping after the call has begun changes nothing that is sent."""
    fields: dict[str, object] = {"a": {"b": 1}}
    call = prepared(CORP_IDENT_LINK, fields)
    fields["a"] = 2
    assert written(call).body == b'{"a":{"b":1}}'


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CORP_IDENT_LINK, BODY),
        (DRAFT, '{"appAuthToken":"PV9LQWZA","uniqueCode":"u-1",' + BODY[1:]),
    ],
    ids=["headers", "body"],
)
def test_a_post_is_signed_as_it_is_sent(operation: Operation[Any, Any], body: str) -> None:
    """The signer is given the very bytes that are sent, credentials included."""
    outgoing = written(prepared(operation, orjson.loads(BODY)), signer=Showing())
    uri = f"/resrun-paas{API_PATH}{operation.path}"
    assert json.loads(outgoing.headers["sign"]) == [body, {}, "n-1", "1750000000000", uri]
    assert outgoing.body == body.encode()


def test_a_get_is_signed_as_it_is_sent() -> None:
    """The signer is given the parameters in plain, and the path with the query as it is sent."""
    outgoing = written(prepared(TASKS, {"name": "某 某"}), signer=Showing())
    assert json.loads(outgoing.headers["sign"]) == [
        None,
        {"appAuthToken": "PV9LQWZA", "uniqueCode": "u-1", "name": "某 某"},
        "n-1",
        "1750000000000",
        f"/resrun-paas{API_PATH}/contract/tasks?appAuthToken=PV9LQWZA&uniqueCode=u-1&name=%E6%9F%90%20%E6%9F%90",
    ]


@pytest.mark.parametrize(
    ("request_", "key"),
    [
        (REQUEST, "c-1"),
        (CorpIdentLinkRequest(client_request_id=None), None),
        (CorpIdentLinkRequest(client_request_id=""), None),
        ({"clientRequestId": "c-2"}, "c-2"),
        ({"clientRequestId": 5}, None),
        ({}, None),
    ],
)
def test_the_id_of_the_request(request_: object, key: str | None) -> None:
    """The id under which a request can be repeated is known before anything is sent, and an empty one is none."""
    assert prepared(CORP_IDENT_LINK, request_).client_request_id == key


def test_a_fresh_id_is_the_models_own() -> None:
    """The id that a request object made for itself is the one that is sent, each time the object is."""
    request = CorpIdentLinkRequest()
    calls = [prepared(CORP_IDENT_LINK, request) for _ in range(2)]
    assert {call.client_request_id for call in calls} == {request.client_request_id}
    assert {written(call).body for call in calls} == {f'{{"clientRequestId":"{request.client_request_id}"}}'.encode()}


def test_an_id_can_be_added() -> None:
    """A mapping may be given its id among the additions."""
    assert prepared(DRAFT, {}, extra_body={"clientRequestId": "c-3"}).client_request_id == "c-3"


def test_additions() -> None:
    """Undocumented fields and headers are added to what is known."""
    call = prepared(
        CORP_IDENT_LINK,
        CorpIdentLinkRequest(client_request_id="c-1"),
        extra_body={"scene": {"a": 1}},
        extra_headers={"X-Trace": "t"},
    )
    outgoing = written(call)
    assert outgoing.body == b'{"clientRequestId":"c-1","scene":{"a":1}}'
    assert outgoing.headers["x-trace"] == "t"


def test_additions_to_a_get() -> None:
    """What is added to a GET goes into its query."""
    call = prepared(ORDER, {"a": "1"}, extra_body={"b": 2})
    assert written(call).url.raw_query_string == "a=1&b=2"


@pytest.mark.parametrize(
    ("operation", "additions", "words"),
    [
        (CORP_IDENT_LINK, {"extra_body": {"accountName": "x", "b": 1}}, "extra_body .* has accountName already"),
        (
            CORP_IDENT_LINK,
            {"extra_body": {"clientRequestId": "x", "accountName": "y"}},
            "has accountName, clientRequestId already",
        ),
        (DRAFT, {"extra_body": {"appAuthToken": "x"}}, "appAuthToken must not be in the request"),
        (DRAFT, {"extra_body": {"uniqueCode": "x"}}, "uniqueCode must not be in the request"),
        *(
            (CORP_IDENT_LINK, {"extra_headers": {name: "SECRET"}}, f"extra_headers must not hold {name}: ")
            for name in (
                "appAuthToken",
                "APPAUTHTOKEN",
                "nonce",
                "timestamp",
                "Sign",
                "uniquecode",
                "content-type",
                "Content-Length",
            )
        ),
        (DRAFT, {"extra_headers": {"sign": "SECRET"}}, "extra_headers must not hold sign"),
    ],
)
def test_additions_overwrite_nothing(operation: Operation[Any, Any], additions: dict[str, Any], words: str) -> None:
    """An addition that would replace what is there is refused by name, without its value."""
    with pytest.raises(ValueError, match=words) as refusal:
        prepared(operation, orjson.loads(BODY), **additions)
    assert "SECRET" not in str(refusal.value)


@pytest.mark.parametrize("operation", [DRAFT, TASKS], ids=lambda operation: operation.name)
def test_the_sessions_own_parameters_are_reserved(operation: Operation[Any, Any]) -> None:
    """A request of the contract family cannot bring a token or serial number of its own."""
    with pytest.raises(ValueError, match=r"^appAuthToken, uniqueCode must not be in the request: the session"):
        prepared(operation, {"appAuthToken": "x", "uniqueCode": "y"})


def test_the_auth_family_may_use_those_names() -> None:
    """Where the credentials travel in headers, the body's names are free."""
    assert written(prepared(CORP_IDENT_LINK, {"uniqueCode": "x"})).body == b'{"uniqueCode":"x"}'


@pytest.mark.parametrize(
    ("operation", "request_", "words"),
    [
        (CORP_IDENT_LINK, CorpIdentInfo(), "takes a CorpIdentLinkRequest or a mapping, not CorpIdentInfo"),
        (CORP_IDENT_LINK, None, "takes a CorpIdentLinkRequest or a mapping, not NoneType"),
        (CORP_IDENT_LINK, [("a", 1)], "takes a CorpIdentLinkRequest or a mapping, not list"),
        (DRAFT, REQUEST, "POST /contract/draft takes a mapping, not CorpIdentLinkRequest"),
    ],
)
def test_requests_of_a_wrong_type(operation: Operation[Any, Any], request_: object, words: str) -> None:
    """What an operation cannot take is refused before anything is sent."""
    with pytest.raises(TypeError, match=words):
        prepared(operation, request_)


def test_what_json_cannot_carry_is_refused_here() -> None:
    """A request that cannot be written fails when it is prepared, not half-way through a call."""
    with pytest.raises(EncodeError, match=r"\$\.oprIdentInfo\.name"):
        prepared(CORP_IDENT_LINK, CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(name="\ud800")))


def test_echoes() -> None:
    """Every text of a request is known, so that an error can leave it out when the platform repeats it."""
    request = CorpIdentLinkRequest(
        account_name="张三",
        client_user_id="x",
        corp_ident_info=CorpIdentInfo(company_name="某某科技", company_type=1, license=""),
        corp_ident_config=CorpIdentConfig(corp_verify_methods=["legalRep", "invite"]),
        client_request_id="c-1",
    )
    call = prepared(CORP_IDENT_LINK, request, extra_body={"scene": [{"a": "李四"}, True, None]})
    assert call.sensitive_values() == {"张三", "某某科技", "legalRep", "invite", "c-1", "李四"}
    assert prepared(TASKS, {"contractId": "N-1", "size": 10}).sensitive_values() == {"N-1", "10"}


def test_what_is_written_already() -> None:
    """It is sent byte for byte as it is, under its id, and headers can be added."""
    call = prepared(CORP_IDENT_LINK, EncodedRequest(b'{"a" : 1}', "c-9"), extra_headers={"X-Trace": "t"})
    assert (written(call).body, call.client_request_id) == (b'{"a" : 1}', "c-9")
    assert written(call).headers["x-trace"] == "t"
    assert written(prepared(CORP_IDENT_LINK, EncodedRequest(b"{}", "c-9"))).body == b"{}"
    assert repr(EncodedRequest(b"SECRET", "c-9")) == "EncodedRequest(<6>, client_request_id='c-9')"


@pytest.mark.parametrize(
    ("operation", "additions"),
    [(CORP_IDENT_LINK, {"extra_body": {"a": 1}}), (DRAFT, {}), (TASKS, {}), (ORDER, {})],
)
def test_what_is_written_already_is_not_changed(operation: Operation[Any, Any], additions: dict[str, Any]) -> None:
    """Where fields would have to be added or moved, it is refused."""
    with pytest.raises(TypeError, match="needs the request's fields here"):
        prepared(operation, EncodedRequest(b"{}", "c-9"), **additions)


def test_calls_and_attempts_can_be_printed() -> None:
    """Neither a prepared call nor an attempt shows token, body, query or headers."""
    call = prepared(TASKS, {"name": "SECRET"}, extra_headers={"X": "SECRET"})
    assert "SECRET" not in repr(call)
    assert repr(written(call)) == "HttpRequest()"


@given(st.dictionaries(st.text(max_size=6), st.none() | st.integers(0, 9) | st.text(max_size=6), max_size=4))
def test_any_body_arrives(fields: dict[str, object]) -> None:
    """Whatever mapping is sent arrives as it was, with the credentials beside it."""
    body = written(prepared(DRAFT, fields)).body
    assert body is not None
    assert orjson.loads(body) == {"appAuthToken": "PV9LQWZA", "uniqueCode": "u-1"} | fields
