"""Raw values: headers in any form, paths as they came, bodies that may be anything."""

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
    contract_event,
    header,
    identity_notification,
    normalize_headers,
    parse_object,
    to_public_path,
)
from kfq_async.errors import CallbackRejected, RejectionReason
from senders import IDENTIFIED, SIGNED

INTENT = {
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
def test_headers_in_any_form(headers: Any) -> None:
    """A mapping or pairs, text or bytes, in any case: the header is found."""
    assert header(normalize_headers(headers), "appId") == "A"


@pytest.mark.parametrize("headers", [{}, {"sign": ""}, {"sign": " \t"}, {"signature": "x"}])
def test_a_missing_header(headers: dict[str, str]) -> None:
    """A header that is absent or blank is missing."""
    with pytest.raises(CallbackRejected, match=r"^a header is missing or blank: sign$") as caught:
        header(normalize_headers(headers), "sign")
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
def test_a_repeated_header(headers: Any) -> None:
    """A header that occurs twice is refused even if both say the same, since two readers could see two values."""
    with pytest.raises(CallbackRejected) as caught:
        header(normalize_headers(headers), "sign")
    assert caught.value.reason is RejectionReason.HEADER_REPEATED


def test_a_header_that_is_no_text() -> None:
    """Bytes that a server could not decode are refused instead of failing later."""
    with pytest.raises(CallbackRejected) as caught:
        header(normalize_headers({"nonce": b"\xff\xfe".decode("utf-8", "surrogateescape")}), "nonce")
    assert caught.value.reason is RejectionReason.HEADER_MALFORMED


@pytest.mark.parametrize(
    ("path", "public_path", "seen"),
    [
        ("/a%2Fb", "", "/a%2Fb"),
        (b"/a", "", "/a"),
        ("/a", "/api", "/api/a"),
        ("/inside/a", lambda path: path.replace("/inside", "/outside"), "/outside/a"),
    ],
)
def test_the_public_path(path: Any, public_path: Any, seen: str) -> None:
    """A prefix that a proxy took away is put back, and other rewriting is undone by a function."""
    assert to_public_path(path, public_path) == seen


@pytest.mark.parametrize("path", [b"/\xe5", "/\udce5"])
def test_a_path_that_is_no_text(path: Any) -> None:
    """Bytes that nobody can decode are refused instead of failing later."""
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
def test_a_malformed_body(body: bytes) -> None:
    """What is not a JSON object in UTF-8 is refused, whatever is wrong with it, and is not quoted."""
    with pytest.raises(CallbackRejected, match=r"^the body is not a JSON object in UTF-8$") as caught:
        parse_object(body)
    assert caught.value.reason is RejectionReason.BODY_MALFORMED
    assert caught.value.__context__ is None


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    """Whatever comes is either an object or refused."""
    try:
        assert isinstance(parse_object(body), dict)
    except CallbackRejected as refusal:
        assert refusal.reason is RejectionReason.BODY_MALFORMED  # noqa: PT017  # either is right


def test_a_body_must_be_raw() -> None:
    """A body that was parsed already cannot be verified, and the error says what is wanted."""
    with pytest.raises(TypeError, match=r"^body must be the raw bytes of the request, not dict$"):
        parse_object({})  # type: ignore[arg-type]


def test_duplicate_keys() -> None:
    """The last of duplicate keys wins, as it does for the signature."""
    assert parse_object(b'{"orderNo":"A","orderNo":"B"}') == {"orderNo": "B"}


def test_the_digest_is_of_the_content() -> None:
    """White space and the order of keys do not make another notification; a value does."""
    assert content_digest(b'{"a":1,"b":2}') == content_digest(b'{ "b": 2, "a": 1 }') != content_digest(b'{"a":1,"b":3}')


def test_digits_in_a_string() -> None:
    """Numbers may come as digits in a string, as the platform's codes do."""
    notification = identity_notification({"orderStatus": "3", "userType": "2", "orderNo": "7"})
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
def test_a_mistyped_field(field: str, value: object, problem: str) -> None:
    """A field of a wrong type is refused by its path, and what it held is not repeated."""
    text = f"a field is missing or of a wrong type: {problem} @ $.{field}"
    with pytest.raises(CallbackRejected, match=f"^{re.escape(text)}$") as caught:
        identity_notification({field: value})
    assert caught.value.reason is RejectionReason.FIELD_MALFORMED


@pytest.mark.parametrize(
    ("fields", "names"),
    [(INTENT, "finalSignType, operatorUnionId, tenantType"), (SIGNED, "callbackType, contractStatus")],
)
def test_other_kinds(fields: dict[str, Any], names: str) -> None:
    """A signing-intent order or a contract event is never taken for an identification, whose numbers mean else."""
    with pytest.raises(CallbackRejected, match=f"it has {names}$") as caught:
        identity_notification(fields)
    assert caught.value.reason is RejectionReason.WRONG_KIND


def test_an_identification_is_no_event() -> None:
    """An identity notification is never taken for a contract event."""
    with pytest.raises(CallbackRejected) as caught:
        contract_event(IDENTIFIED)
    assert caught.value.reason is RejectionReason.FIELD_MALFORMED


def test_what_is_read_is_what_was_sent() -> None:
    """Reading a body gives the documented fields."""
    assert identity_notification(parse_object(orjson.dumps(IDENTIFIED))).order_no == "ORDER-1"
    assert contract_event(parse_object(orjson.dumps(SIGNED))).contract_id == "C1"
