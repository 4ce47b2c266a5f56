"""Requests: encoded once per call, completed for each attempt."""

from __future__ import annotations

import json
from asyncio import CancelledError
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qsl

import orjson
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from kfq_async import (
    CORP_IDENT_LINK,
    CorpIdentInfo,
    CorpIdentLinkRequest,
    CredentialPlacement,
    EncodeError,
    Idempotency,
    Operation,
    OprIdentInfo,
    SignerError,
    SigningInput,
)
from kfq_async.models.masking import MaskedStr
from kfq_async.protocol.requests import (
    API_PATH,
    EncodedRequest,
    HttpRequest,
    PreparedCall,
    add_credentials,
    prepare,
)
from named_texts import NamedNumber, NamedText

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


class TransparentSigner:
    """A signer whose signature is the input itself."""

    def sign(self, signing_input: SigningInput) -> str:
        """Return everything that a signature can cover, as JSON."""
        body = None if signing_input.body is None else signing_input.body.decode()
        return json.dumps(
            [body, dict(signing_input.query), signing_input.nonce, signing_input.timestamp, signing_input.uri]
        )


def prepare_call(operation: Operation[Any, Any], request: object, **additions: Any) -> PreparedCall:
    """Encode a request, with ``extra_body`` and ``extra_headers`` by name."""
    extras: dict[str, Any] = {"extra_body": {}, "extra_headers": {}} | additions
    return prepare(operation, request, url=URL(BASE + operation.path), **extras)


def write(call: PreparedCall, **parts: Any) -> HttpRequest:
    """Complete a request for one attempt."""
    values: dict[str, Any] = {"nonce": "n-1", "timestamp": "1750000000000", "unique_code": "u-1", "signer": None}
    return call.write("PV9LQWZA", **values | parts)


def test_credentials_in_headers() -> None:
    """The auth family has its five headers, ``sign`` present and empty, and none of them in the body."""
    http_request = write(prepare_call(CORP_IDENT_LINK, REQUEST))
    assert str(http_request.url) == f"{BASE}/auth/corp/ident/link"
    assert http_request.body == BODY.encode()
    assert dict(http_request.headers) == {
        "appAuthToken": "PV9LQWZA",
        "nonce": "n-1",
        "timestamp": "1750000000000",
        "uniqueCode": "u-1",
        "sign": "",
    }


def test_credentials_in_the_body() -> None:
    """The contract family has its credentials in the body of a POST, before the fields of the request."""
    http_request = write(prepare_call(DRAFT, {"contractName": "合同"}))
    assert http_request.body == '{"appAuthToken":"PV9LQWZA","uniqueCode":"u-1","contractName":"合同"}'.encode()
    assert str(http_request.url) == f"{BASE}/contract/draft"
    assert dict(http_request.headers) == {"sign": ""}


def test_credentials_only() -> None:
    """A request without fields has its credentials in the body."""
    assert write(prepare_call(DRAFT, {})).body == b'{"appAuthToken":"PV9LQWZA","uniqueCode":"u-1"}'


@pytest.mark.parametrize(("fields", "query"), [({"contractId": "1"}, "contractId=1"), ({}, "")])
def test_credentials_in_the_query(fields: dict[str, object], query: str) -> None:
    """A GET of the contract family has its credentials apart from the URL, and no body."""
    http_request = write(prepare_call(TASKS, fields))
    assert http_request.url.raw_query_string == query
    assert http_request.query_credentials == "appAuthToken=PV9LQWZA&uniqueCode=u-1"
    assert http_request.body is None
    assert dict(http_request.headers) == {"sign": ""}


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/a/b", "/a/b?t=1&u=2"),
        ("/a/b?c=%3F", "/a/b?t=1&u=2&c=%3F"),
        ("http://h.example:80/a?b=1?2", "http://h.example:80/a?t=1&u=2&b=1?2"),
    ],
)
def test_add_credentials(target: str, expected: str) -> None:
    """Credentials precede the other parameters, in a path as in an absolute URL."""
    assert add_credentials(target, "t=1&u=2") == expected
    assert add_credentials(target, None) == target


def test_token_is_percent_encoded_in_a_query() -> None:
    """A token with reserved characters is one parameter."""
    call = prepare_call(TASKS, {})
    http_request = call.write("a b&c=/?#%+", nonce="n", timestamp="1", unique_code="u-1", signer=None)
    assert http_request.query_credentials == "appAuthToken=a%20b%26c%3D%2F%3F%23%25%2B&uniqueCode=u-1"


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
def test_query_of_a_get(fields: dict[str, object], query: str) -> None:
    """Fields of a GET are percent-encoded in UTF-8, booleans in lower case, and ``None`` is left out."""
    http_request = write(prepare_call(ORDER, fields))
    assert http_request.url.raw_path_qs == f"/resrun-paas{API_PATH}/auth/order{query}"
    assert http_request.body is None


@given(st.dictionaries(st.text(min_size=1, max_size=6), st.text(max_size=10), min_size=1, max_size=4))
def test_query_round_trip(fields: dict[str, str]) -> None:
    """Any text in a query is decoded to the same text."""
    http_request = write(prepare_call(ORDER, fields))
    assert dict(parse_qsl(http_request.url.raw_query_string, keep_blank_values=True)) == fields


@pytest.mark.parametrize("operation", [CORP_IDENT_LINK, DRAFT, ORDER, TASKS], ids=lambda operation: operation.name)
@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"张三\ud800": "x"}, r"\$: key 1 holds a lone surrogate \(\\ud800\), which cannot be encoded in UTF-8"),
        ({"a": 1, "张三": 2, "李四\udfff": 3}, r"\$: key 3 holds a lone surrogate \(\\udfff\)"),
        ({"a": 1, 5: 2}, r"\$: key 2 must be a plain str, not a int"),
        ({None: 2}, r"\$: key 1 must be a plain str, not a NoneType"),
        ({("张三",): 2}, r"\$: key 1 must be a plain str, not a tuple"),
        ({NamedText.TOKEN: 2}, r"\$: key 1 must be a plain str, not a NamedText"),
        ({"n": 2**64}, r"\$\.n: Integer exceeds 64-bit range"),
        ({"n": -(2**63) - 1}, r"\$\.n: Integer exceeds 64-bit range"),
        ({"n": 10**5000}, r"\$\.n: Integer exceeds 64-bit range"),
    ],
)
@pytest.mark.parametrize("argument", ["request", "extra_body"])
def test_invalid_keys_and_numbers(operation: Operation[Any, Any], fields: Any, problem: str, argument: str) -> None:
    """A key that cannot be sent is named by its position, and not shown; numbers have the range of a body's."""
    with pytest.raises(EncodeError, match=problem) as caught:
        prepare_call(operation, **{"request": {}, argument: fields})
    assert caught.value.__context__ is None
    assert not {*"张三李四"} & {*str(caught.value)}
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"a": {"b": [{"张三\ud800": 1}]}}, r"\$\.a\.b\[0\]: key 1 holds a lone surrogate"),
        ({"a": [1, {2: 3}]}, r"\$\.a\[1\]: key 1 must be a plain str, not a int"),
        ({"a\n\x1b[1m": {1}}, r"\$\.a  \[1m: Type is not JSON serializable: set"),
        ({"a" * 200: {1}}, r"\$\.a{100}…: Type is not JSON serializable: set"),
    ],
)
def test_path_of_what_json_cannot_hold(fields: Any, path: str) -> None:
    """The path leads to the object with the key, on one line."""
    with pytest.raises(EncodeError, match=path):
        prepare_call(DRAFT, fields)


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[1mb", "x" * 200])
def test_long_and_unprintable_names_in_a_query(name: str) -> None:
    """A name in a message is on one line and not longer than 100 characters."""
    for value, error in ((1.5, TypeError), ("\ud800", ValueError), (2**64, ValueError)):
        with pytest.raises(error) as caught:
            prepare_call(ORDER, {name: value})
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


def test_members_of_enumerations() -> None:
    """Members are sent by their values, in a query and in headers as in a body."""
    fields = {"text": NamedText.TOKEN, "number": NamedNumber.FIVE}
    headers = {NamedText.HEADER: NamedText.TOKEN}
    query = write(prepare_call(ORDER, fields, extra_headers=headers))
    assert query.url.raw_query_string == "text=app-token&number=5"
    assert query.headers["X-Trace"] == "app-token"
    assert write(prepare_call(DRAFT, fields)).body.endswith(b'"text":"app-token","number":5}')  # type: ignore[union-attr]
    operation = Operation[Any, Any](NamedText.METHOD, NamedText.PATH)
    assert operation.name == "POST /auth/other"
    model = CorpIdentLinkRequest(account_name=NamedText.TOKEN, client_request_id=None)
    assert write(prepare_call(CORP_IDENT_LINK, model)).body == b'{"accountName":"app-token"}'


@pytest.mark.parametrize("value", [1.5, [1], {"a": 1}, b"a", ("a",)])
def test_invalid_query_values(value: object) -> None:
    """Lists, objects and floats in a query are refused, naming the field."""
    with pytest.raises(TypeError, match=rf"^\$\.a must be a str, int or bool in a query, not {type(value).__name__}$"):
        prepare_call(ORDER, {"a": value})


@pytest.mark.parametrize("operation", [CORP_IDENT_LINK, DRAFT, TASKS, ORDER], ids=lambda operation: operation.name)
def test_attempts_of_one_call(operation: Operation[Any, Any]) -> None:
    """Two attempts differ in nonce, timestamp and ``uniqueCode`` only."""
    call = prepare_call(operation, {"a": "1", "b": "某"})
    first = write(call)
    second = write(call, nonce="n-2", timestamp="1750000000001", unique_code="u-2")
    repeated = write(call)
    assert (repeated.url, repeated.headers, repeated.body) == (first.url, first.headers, first.body)
    if operation.credentials is CredentialPlacement.HEADERS:
        assert (second.url, second.body) == (first.url, first.body)
        assert (second.headers["nonce"], second.headers["uniqueCode"]) == ("n-2", "u-2")
        assert second.headers["timestamp"] == "1750000000001"
    else:
        changed = first.body.replace(b"u-1", b"u-2") if isinstance(first.body, bytes) else None
        assert (second.url, second.body) == (first.url, changed)
        if first.body is None:
            assert second.query_credentials == "appAuthToken=PV9LQWZA&uniqueCode=u-2"


def test_request_is_copied() -> None:
    """Changing the mapping after the call has begun does not change the request."""
    fields: dict[str, object] = {"a": {"b": 1}}
    call = prepare_call(CORP_IDENT_LINK, fields)
    fields["a"] = 2
    assert write(call).body == b'{"a":{"b":1}}'


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (CORP_IDENT_LINK, BODY),
        (DRAFT, '{"appAuthToken":"PV9LQWZA","uniqueCode":"u-1",' + BODY[1:]),
    ],
    ids=["headers", "body"],
)
def test_signing_input_of_a_post(operation: Operation[Any, Any], body: str) -> None:
    """The signer receives the exact bytes that are sent, credentials included."""
    http_request = write(prepare_call(operation, orjson.loads(BODY)), signer=TransparentSigner())
    uri = f"/resrun-paas{API_PATH}{operation.path}"
    assert json.loads(http_request.headers["sign"]) == [body, {}, "n-1", "1750000000000", uri]
    assert http_request.body == body.encode()


class Interruption(BaseException):
    """An exception that is not an `Exception`."""


@pytest.mark.parametrize(
    "problem", [CancelledError, GeneratorExit, Interruption, StopIteration, RecursionError, BaseExceptionGroup]
)
def test_signer_that_raises(problem: Any) -> None:
    """Whatever a signer raises is a `SignerError`: its cancellation is none of the call."""
    raised = problem("SECRET", [KeyboardInterrupt()]) if problem is BaseExceptionGroup else problem("SECRET")
    with pytest.raises(SignerError, match=f"the session's signer, raised {problem.__name__}") as caught:
        write(prepare_call(DRAFT, {}), signer=Mock(sign=Mock(side_effect=raised)))
    assert caught.value.__context__ is None


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
def test_signer_that_ends_the_process(problem: type[BaseException]) -> None:
    """Exceptions that end the process pass through."""
    with pytest.raises(problem):
        write(prepare_call(DRAFT, {}), signer=Mock(sign=Mock(side_effect=problem)))


def test_signature_of_a_subclass_of_str() -> None:
    """The characters of a signature are sent, whatever its ``__str__`` returns."""
    http_request = write(prepare_call(DRAFT, {}), signer=Mock(sign=Mock(return_value=NamedText.TOKEN)))
    assert http_request.headers["sign"] == "app-token"


def test_signing_input_of_a_get() -> None:
    """The signer receives the parameters not percent-encoded, and path and query as sent."""
    http_request = write(prepare_call(TASKS, {"name": "某 某"}), signer=TransparentSigner())
    assert json.loads(http_request.headers["sign"]) == [
        None,
        {"appAuthToken": "PV9LQWZA", "uniqueCode": "u-1", "name": "某 某"},
        "n-1",
        "1750000000000",
        f"/resrun-paas{API_PATH}/contract/tasks?appAuthToken=PV9LQWZA&uniqueCode=u-1&name=%E6%9F%90%20%E6%9F%90",
    ]


@pytest.mark.parametrize(
    ("request_", "request_id"),
    [
        (REQUEST, "c-1"),
        (CorpIdentLinkRequest(client_request_id=None), None),
        (CorpIdentLinkRequest(client_request_id=""), None),
        ({"clientRequestId": "c-2"}, "c-2"),
        ({"clientRequestId": 5}, None),
        ({}, None),
    ],
)
def test_client_request_id(request_: object, request_id: str | None) -> None:
    """The id of a request is known before anything is sent, and an empty one counts as none."""
    assert prepare_call(CORP_IDENT_LINK, request_).client_request_id == request_id


def test_default_id_of_a_model() -> None:
    """The default id of a request object is sent, every time the object is."""
    request = CorpIdentLinkRequest()
    calls = [prepare_call(CORP_IDENT_LINK, request) for _ in range(2)]
    assert {call.client_request_id for call in calls} == {request.client_request_id}
    assert {write(call).body for call in calls} == {f'{{"clientRequestId":"{request.client_request_id}"}}'.encode()}


def test_client_request_id_in_extra_body() -> None:
    """The id of a mapping may be given in ``extra_body``."""
    assert prepare_call(DRAFT, {}, extra_body={"clientRequestId": "c-3"}).client_request_id == "c-3"


def test_extra_body_and_headers() -> None:
    """Undocumented fields and headers are added to the known ones."""
    call = prepare_call(
        CORP_IDENT_LINK,
        CorpIdentLinkRequest(client_request_id="c-1"),
        extra_body={"scene": {"a": 1}},
        extra_headers={"X-Trace": "t"},
    )
    http_request = write(call)
    assert http_request.body == b'{"clientRequestId":"c-1","scene":{"a":1}}'
    assert http_request.headers["x-trace"] == "t"


def test_extra_body_of_a_get() -> None:
    """``extra_body`` of a GET is added to its query."""
    call = prepare_call(ORDER, {"a": "1"}, extra_body={"b": 2})
    assert write(call).url.raw_query_string == "a=1&b=2"


@pytest.mark.parametrize(
    ("operation", "additions", "message"),
    [
        (CORP_IDENT_LINK, {"extra_body": {"accountName": "x", "b": 1}}, "extra_body .* already has accountName"),
        (
            CORP_IDENT_LINK,
            {"extra_body": {"clientRequestId": "x", "accountName": "y"}},
            "already has accountName, clientRequestId",
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
                "Content-Encoding",
                "Connection",
                "EXPECT",
                "Host",
                "HTTP2-Settings",
                "keep-alive",
                "Proxy-Authorization",
                "Proxy-Connection",
                "te",
                "Trailer",
                "Transfer-Encoding",
                "Upgrade",
            )
        ),
        (DRAFT, {"extra_headers": {"sign": "SECRET"}}, "extra_headers must not hold sign"),
    ],
)
def test_extras_must_not_overwrite(operation: Operation[Any, Any], additions: dict[str, Any], message: str) -> None:
    """An extra field or header that would replace one is refused by name, without its value."""
    with pytest.raises(ValueError, match=message) as caught:
        prepare_call(operation, orjson.loads(BODY), **additions)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("operation", [DRAFT, TASKS], ids=lambda operation: operation.name)
def test_reserved_parameters(operation: Operation[Any, Any]) -> None:
    """A request of the contract family cannot set token or ``uniqueCode``."""
    with pytest.raises(ValueError, match=r"^appAuthToken, uniqueCode must not be in the request: set by the session"):
        prepare_call(operation, {"appAuthToken": "x", "uniqueCode": "y"})


def test_reserved_parameters_in_the_auth_family() -> None:
    """With credentials in headers, those names are free in the body."""
    assert write(prepare_call(CORP_IDENT_LINK, {"uniqueCode": "x"})).body == b'{"uniqueCode":"x"}'


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        (CORP_IDENT_LINK, CorpIdentInfo(), "takes a CorpIdentLinkRequest or a mapping, not CorpIdentInfo"),
        (CORP_IDENT_LINK, None, "takes a CorpIdentLinkRequest or a mapping, not NoneType"),
        (CORP_IDENT_LINK, [("a", 1)], "takes a CorpIdentLinkRequest or a mapping, not list"),
        (DRAFT, REQUEST, "POST /contract/draft takes a mapping, not CorpIdentLinkRequest"),
    ],
)
def test_request_of_a_wrong_type(operation: Operation[Any, Any], request_: object, message: str) -> None:
    """A request that the operation does not take is refused before anything is sent."""
    with pytest.raises(TypeError, match=message):
        prepare_call(operation, request_)


ADDITIONS = [["SECRET"], [("a", "SECRET")], "SECRET", b"SECRET", 5, None, {"SECRET"}, Mock(keys=list), object()]


@pytest.mark.parametrize("name", ["extra_body", "extra_headers"])
@pytest.mark.parametrize("value", ADDITIONS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("request_", [{}, EncodedRequest(b"{}", "c-9"), 5], ids=lambda value: type(value).__name__)
def test_additions_of_a_wrong_type(name: str, value: object, request_: object) -> None:
    """Additions that are no mapping are refused by name, before the request is looked at."""
    with pytest.raises(TypeError, match=f"^{name} must be a mapping, not {type(value).__name__}$"):
        prepare_call(CORP_IDENT_LINK, request_, **{name: value})


class BrokenMapping(Mapping[str, Any]):
    """A mapping whose methods raise."""

    def __init__(self, problem: BaseException) -> None:
        self.problem = problem

    def __getitem__(self, key: str) -> Any:
        raise self.problem

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        raise self.problem


class BrokenDict(dict[str, Any]):
    """A ``dict`` whose method raises."""

    def keys(self) -> Any:
        """Raise an error."""
        raise CancelledError

    def items(self) -> Any:
        """Raise an error."""
        raise CancelledError

    def __iter__(self) -> Any:
        raise CancelledError


@frozen
class Inner:
    """A model inside another."""

    a: int = 1


@frozen
class Unchecked:
    """A model that does not check its fields."""

    inner: Inner


@pytest.mark.parametrize(
    "problem", [RuntimeError("SECRET"), KeyError("SECRET"), StopIteration("SECRET"), CancelledError("SECRET")]
)
@pytest.mark.parametrize("operation", [DRAFT, ORDER], ids=lambda operation: operation.name)
def test_mapping_that_raises(operation: Operation[Any, Any], problem: BaseException) -> None:
    """Whatever a mapping raises is a `TypeError` that names the argument and the class of the exception."""
    broken = BrokenMapping(problem)
    text = f"cannot be read: its BrokenMapping raised {type(problem).__name__}$"
    for arguments in ({}, {"extra_body": broken}, {"extra_headers": broken}):
        name = next(iter(arguments), "the request")
        with pytest.raises(TypeError, match=f"^{name} {text}") as caught:
            prepare_call(operation, {} if arguments else broken, **arguments)
        assert caught.value.__context__ is None


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
def test_mapping_that_ends_the_process(problem: type[BaseException]) -> None:
    """Exceptions that end the process pass through."""
    with pytest.raises(problem):
        prepare_call(DRAFT, BrokenMapping(problem()))


def test_dict_that_raises() -> None:
    """A subclass of ``dict`` is read by its methods on the outside, and by its content inside."""
    with pytest.raises(TypeError, match="the request cannot be read: its BrokenDict raised CancelledError"):
        prepare_call(DRAFT, BrokenDict(a=1))
    assert write(prepare_call(CORP_IDENT_LINK, {"a": BrokenDict(b=1)})).body == b'{"a":{"b":1}}'
    with pytest.raises(EncodeError, match=r"\$\.a\.b\[0\]: Type is not JSON serializable: set"):
        prepare_call(DRAFT, {"a": BrokenDict(b=[{1}])})
    with pytest.raises(EncodeError, match=r"\$\.a: Type is not JSON serializable: BrokenMapping"):
        prepare_call(DRAFT, {"a": BrokenMapping(RuntimeError())})


def test_model_that_cannot_be_converted() -> None:
    """A model of the caller's with a value of a wrong type is a `TypeError` without it."""
    operation = Operation[Any, Any]("POST", "/auth/other", request=Unchecked)
    assert write(prepare_call(operation, Unchecked(Inner()))).body == b'{"inner":{"a":1}}'
    with pytest.raises(TypeError, match="the request cannot be read: its Unchecked raised AttributeError"):
        prepare_call(operation, Unchecked("SECRET"))  # type: ignore[arg-type]


def test_request_that_cannot_be_encoded() -> None:
    """A request that JSON cannot hold is refused when it is prepared."""
    with pytest.raises(EncodeError, match=r"\$\.oprIdentInfo\.name"):
        prepare_call(CORP_IDENT_LINK, CorpIdentLinkRequest(opr_ident_info=OprIdentInfo(name="\ud800")))


def test_encoded_request() -> None:
    """An encoded request is sent byte for byte under its id, and may have extra headers."""
    call = prepare_call(CORP_IDENT_LINK, EncodedRequest(b'{"a" : 1}', "c-9"), extra_headers={"X-Trace": "t"})
    assert (write(call).body, call.client_request_id) == (b'{"a" : 1}', "c-9")
    assert write(call).headers["x-trace"] == "t"
    assert write(prepare_call(CORP_IDENT_LINK, EncodedRequest(b"{}", "c-9"))).body == b"{}"
    assert repr(EncodedRequest(b"SECRET", "c-9")) == "EncodedRequest(client_request_id='c-9')"


@pytest.mark.parametrize(
    ("operation", "additions"),
    [(CORP_IDENT_LINK, {"extra_body": {"a": 1}}), (DRAFT, {}), (TASKS, {}), (ORDER, {})],
)
def test_encoded_request_that_must_change(operation: Operation[Any, Any], additions: dict[str, Any]) -> None:
    """An encoded request is refused if fields would have to be added or moved."""
    with pytest.raises(TypeError, match="cannot send an EncodedRequest unchanged here"):
        prepare_call(operation, EncodedRequest(b"{}", "c-9"), **additions)


def test_repr() -> None:
    """``repr`` of a call or an attempt shows no token, body, query or headers."""
    call = prepare_call(TASKS, {"name": "SECRET"}, extra_headers={"X": "SECRET"})
    assert "SECRET" not in repr(call)
    assert repr(write(call)) == "HttpRequest()"


@pytest.mark.parametrize("operation", [CORP_IDENT_LINK, DRAFT, TASKS, ORDER], ids=lambda operation: operation.name)
def test_repr_of_the_parts(operation: Operation[Any, Any]) -> None:
    """The parts that aiohttp and the frames of a call hold show no secret either, and a slice does not."""
    call = prepare_call(operation, {"name": "SECRET"}, extra_headers={"X": "SECRET"})
    signer = Mock(sign=Mock(return_value="SECRET-SIGN"))
    http_request = call.write(MaskedStr("SECRET"), nonce="n-1", timestamp="1", unique_code="u-1", signer=signer)
    body = http_request.body or b""
    assert isinstance(body, bytes)
    headers = dict(http_request.headers)
    parts = [call.query, call.body, call.extra_headers, signer.sign.call_args]
    assert "SECRET" not in repr([*parts, http_request.headers, headers, http_request.query_credentials, body, body[1:]])
    assert http_request.headers["sign"] == "SECRET-SIGN"


def test_signing_input_holds_exact_bytes() -> None:
    """A signer may pass the body to a parser that takes no subclass of ``bytes``."""
    signer = Mock(sign=Mock(return_value=""))
    write(prepare_call(CORP_IDENT_LINK, {"a": 1}), signer=signer)
    (signing_input,) = signer.sign.call_args.args
    assert orjson.loads(signing_input.body) == {"a": 1}


@given(st.dictionaries(st.text(max_size=6), st.none() | st.integers(0, 9) | st.text(max_size=6), max_size=4))
def test_body_round_trip(fields: dict[str, object]) -> None:
    """Any mapping is decoded to the same mapping, with the credentials beside it."""
    body = write(prepare_call(DRAFT, fields)).body
    assert isinstance(body, bytes)
    assert orjson.loads(bytes(body)) == {"appAuthToken": "PV9LQWZA", "uniqueCode": "u-1"} | fields
