"""Parsing of headers, paths and bodies, valid and invalid."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from kfq_async.callbacks.parsing import (
    content_digest,
    normalize_headers,
    parse_contract_event,
    parse_identity_notification,
    parse_object,
    require_header,
    to_public_path,
)
from kfq_async.errors import CallbackRejected, RejectionReason
from senders import IDENTIFIED, SIGNED

SIGNING_INTENT = {
    "actionType": "SIGN",
    "orderNo": "ORDER-1",
    "orderStatus": 3,
    "unionId": "union-1",
    "tenantType": "COMPANY",
    "operatorUnionId": "union-2",
    "contractId": "C1",
    "bizId": "B1",
    "finalSignType": "FACE",
    "verifyTime": "20250606120000",
}


@pytest.mark.parametrize(
    "headers",
    [
        {"appId": "A"},
        {"APPID": "A"},
        {b"appid": b"A"},
        [("AppId", "A")],
        [(b"appID", b"A"), (b"other", b"\xff")],
        (pair for pair in [("appId", "A")]),
        CIMultiDict(appid="A"),
    ],
)
def test_header_containers(headers: Any) -> None:
    """Headers may be a mapping or pairs, of text or bytes, with names in any case."""
    assert require_header(normalize_headers(headers), "appId") == "A"


@pytest.mark.parametrize("headers", [{}, {"sign": ""}, {"sign": " \t"}, {"signature": "x"}])
def test_missing_header(headers: dict[str, str]) -> None:
    """A header that is absent or blank is missing."""
    with pytest.raises(CallbackRejected, match=r"^a header is missing or blank: sign$") as caught:
        require_header(normalize_headers(headers), "sign")
    assert caught.value.reason is RejectionReason.HEADER_MISSING


@pytest.mark.parametrize(
    "headers",
    [
        [("sign", "x"), ("Sign", "y")],
        [(b"sign", b"x"), (b"sign", b"x")],
        {"sign": "x", "SIGN": "y"},
        CIMultiDict([("sign", "x"), ("sign", "x")]),
    ],
)
def test_repeated_header(headers: Any) -> None:
    """A header that occurs twice is rejected even with equal values, since two parsers could see two values."""
    with pytest.raises(CallbackRejected) as caught:
        require_header(normalize_headers(headers), "sign")
    assert caught.value.reason is RejectionReason.HEADER_REPEATED


def test_undecodable_header() -> None:
    """A header with bytes that the server could not decode is rejected instead of failing later."""
    with pytest.raises(CallbackRejected) as caught:
        require_header(normalize_headers({"nonce": b"\xff\xfe".decode("utf-8", "surrogateescape")}), "nonce")
    assert caught.value.reason is RejectionReason.HEADER_MALFORMED


@pytest.mark.parametrize(
    ("path", "public_path", "expected"),
    [
        ("/a%2Fb", "", "/a%2Fb"),
        (b"/a", "", "/a"),
        ("/a", "/api", "/api/a"),
        ("/inside/a", lambda path: path.replace("/inside", "/outside"), "/outside/a"),
    ],
)
def test_public_path(path: Any, public_path: Any, expected: str) -> None:
    """A prefix removed by a proxy is restored; a function can undo any other rewriting."""
    assert to_public_path(path, public_path) == expected


@pytest.mark.parametrize("path", [b"/\xe5", "/\udce5"])
def test_undecodable_path(path: Any) -> None:
    """A path with bytes that are not UTF-8 is rejected instead of failing later."""
    with pytest.raises(CallbackRejected) as caught:
        to_public_path(path)
    assert caught.value.reason is RejectionReason.UNKNOWN_PATH


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        '{"name":"张三"}'.encode("gbk"),
        b"\xef\xbb\xbf{}",
        b'{"a":NaN}',
        rb'{"a":"\ud800"}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=repr,
)
def test_malformed_body(body: bytes) -> None:
    """A body that is not a JSON object in UTF-8 is rejected, and its content is not quoted."""
    with pytest.raises(CallbackRejected, match=r"^the body is not a JSON object in UTF-8$") as caught:
        parse_object(body)
    assert caught.value.reason is RejectionReason.BODY_MALFORMED
    assert caught.value.__context__ is None


@given(st.binary())
def test_arbitrary_bytes(body: bytes) -> None:
    """Any bytes are either a JSON object or rejected as malformed."""
    try:
        assert isinstance(parse_object(body), dict)
    except CallbackRejected as rejection:
        assert rejection.reason is RejectionReason.BODY_MALFORMED  # noqa: PT017  # either outcome is correct


def test_parsed_body() -> None:
    """A parsed body cannot be verified: the `TypeError` asks for the raw bytes."""
    with pytest.raises(TypeError, match=r"^body must be the raw bytes of the request, not dict$"):
        parse_object({})  # type: ignore[arg-type]


def test_duplicate_keys() -> None:
    """The last of duplicate keys wins, as in the signature."""
    assert parse_object(b'{"orderNo":"A","orderNo":"B"}') == {"orderNo": "B"}


def test_content_digest() -> None:
    """The digest depends on values, not on whitespace or key order."""
    assert content_digest(b'{"a":1,"b":2}') == content_digest(b'{ "b": 2, "a": 1 }') != content_digest(b'{"a":1,"b":3}')


def test_numbers_as_strings() -> None:
    """Numbers may be strings of digits, as the platform's codes are."""
    notification = parse_identity_notification({"orderStatus": "3", "userType": "2", "orderNo": "7"})
    assert (notification.order_status, notification.user_type, notification.order_no) == (3, 2, "7")


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("orderStatus", "done", "expected an integer, not a string"),
        ("orderStatus", "1" * 10, "expected an integer, not a string"),
        ("orderStatus", "２", "expected an integer, not a string"),
        ("orderStatus", True, "expected an integer, not a boolean"),
        ("orderStatus", 1.5, "expected an integer, not a number"),
        ("orderNo", 1, "expected a string, not a number"),
        ("mobile", {"13800138000": 1}, "expected a string, not an object"),
    ],
)
def test_field_of_a_wrong_type(field: str, value: object, problem: str) -> None:
    """The rejection of a mistyped field names its path and not its value."""
    text = f"a field is missing or has the wrong type: {problem} @ $.{field}"
    with pytest.raises(CallbackRejected, match=f"^{re.escape(text)}$") as caught:
        parse_identity_notification({field: value})
    assert caught.value.reason is RejectionReason.FIELD_MALFORMED


@pytest.mark.parametrize(
    ("fields", "names"),
    [(SIGNING_INTENT, "finalSignType, operatorUnionId, tenantType"), (SIGNED, "callbackType, contractStatus")],
)
def test_other_kinds_of_notification(fields: dict[str, Any], names: str) -> None:
    """A signing-intent order or a contract event is not parsed as an identification, whose statuses differ."""
    with pytest.raises(CallbackRejected, match=f"it has {names}$") as caught:
        parse_identity_notification(fields)
    assert caught.value.reason is RejectionReason.WRONG_KIND


def test_identification_is_not_a_contract_event() -> None:
    """An identity notification is not parsed as a contract event."""
    with pytest.raises(CallbackRejected) as caught:
        parse_contract_event(IDENTIFIED)
    assert caught.value.reason is RejectionReason.FIELD_MALFORMED


def test_valid_bodies() -> None:
    """The documented bodies parse into their models."""
    assert parse_identity_notification(parse_object(orjson.dumps(IDENTIFIED))).order_no == "ORDER-1"
    assert parse_contract_event(parse_object(orjson.dumps(SIGNED))).contract_id == "C1"
