"""Parsing of headers, paths and bodies, valid and invalid."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from kfq_async.callbacks import parsing
from kfq_async.callbacks.parsing import (
    normalize_headers,
    parse_body,
    parse_contract_event,
    parse_identity_notification,
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
        b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    ],
    ids=repr,
)
def test_malformed_body(body: bytes) -> None:
    """A body that is not a JSON object in UTF-8 is rejected, and its content is not quoted."""
    with pytest.raises(CallbackRejected, match=r"^the body is not a JSON object in UTF-8$") as caught:
        parse_body(body)
    assert caught.value.reason is RejectionReason.BODY_MALFORMED
    assert caught.value.__context__ is None


@given(st.binary())
def test_arbitrary_bytes(body: bytes) -> None:
    """Any bytes are either a JSON object or rejected as malformed."""
    try:
        assert isinstance(parse_body(body).data, dict)
    except CallbackRejected as rejection:
        assert rejection.reason is RejectionReason.BODY_MALFORMED  # noqa: PT017  # either outcome is correct


def test_parsed_body() -> None:
    """A parsed body cannot be verified: the `TypeError` asks for the raw bytes."""
    with pytest.raises(TypeError, match=r"^body must be the raw bytes of the request, not dict$"):
        parse_body({})  # type: ignore[arg-type]


def test_duplicate_keys() -> None:
    """The last of duplicate keys wins, as in the signature."""
    assert parse_body(b'{"orderNo":"A","orderNo":"B"}').data == {"orderNo": "B"}


def test_content_digest() -> None:
    """The digest depends on values, not on whitespace or key order."""
    first, same, other = (parse_body(body) for body in (b'{"a":1,"b":2}', b'{ "b": 2, "a": 1 }', b'{"a":1,"b":3}'))
    assert first.digest == same.digest != other.digest


def test_repr_of_a_body_is_masked() -> None:
    """A parsed body shows nothing of its content."""
    assert repr(parse_body(b'{"mobile":"13800138000"}')) == "JsonBody()"


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"1e9," * 1_100 + b"1]}",
        b'{"a":[' + b"{}," * 600 + b"{}]}",
        b"{" + b",".join(b'"%d":1' % number for number in range(600)) + b"}",
        b'{"a":' + b"[" * 2_000,
    ],
    ids=["numbers", "objects", "names", "lists"],
)
def test_body_with_too_many_values(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body with more values than any notification is rejected before it is parsed."""
    monkeypatch.setattr(parsing, "load_json", None)
    with pytest.raises(CallbackRejected, match=r"^the body is too large: more than 1024 values$") as caught:
        parse_body(body)
    assert caught.value.reason is RejectionReason.BODY_TOO_LARGE


@pytest.mark.parametrize("text", [",:[{" * 1_000, '"' + ",[" * 1_000, "\\" + "," * 2_000, '\\"' * 500 + "{" * 2_000])
def test_long_text(text: str) -> None:
    """Punctuation within a text is not counted as values, whatever the text quotes."""
    assert parse_body(orjson.dumps({"name": text, "orderNo": "A"})).data == {"name": text, "orderNo": "A"}


DEEP = """
import sys
from kfq_async.callbacks.parsing import parse_body
from kfq_async.errors import CallbackRejected
from kfq_async.protocol.signing import canonical_json
sys.setrecursionlimit(10**6)
for body in (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b'{"a":' * 500 + b"1" + b"}" * 500):
    for parse, refusal in ((parse_body, CallbackRejected), (canonical_json, ValueError)):
        try:
            parse(body)
        except refusal:
            print("refused")
"""


def test_deep_body_under_a_raised_recursion_limit() -> None:
    """A deeply nested body is refused, and does not exhaust the stack of a process that raised the recursion limit."""
    ended = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout.split()) == (0, ["refused"] * 4)


def test_numbers_as_strings() -> None:
    """Numbers may be strings of digits, as the platform's codes are."""
    notification = parse_identity_notification({"orderStatus": "3", "userType": "2", "orderNo": "7"})
    assert (notification.order_status, notification.user_type, notification.order_no) == (3, 2, "7")


@pytest.mark.parametrize("number", [-1, 5, 2**31, 2**63, 10**30, 10**4_299])
@pytest.mark.parametrize("form", [int, str])
def test_status_of_any_size(number: int, form: Any) -> None:
    """An unknown status is passed through, however large, as a number or as digits."""
    body = json.dumps({"orderStatus": form(number)}).encode()
    assert parse_identity_notification(parse_body(body).data).order_status == number


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("orderStatus", "done", "expected an integer, not a string"),
        ("orderStatus", "1" * 4_301, "expected an integer, not a string"),
        ("orderStatus", "--1", "expected an integer, not a string"),
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
    assert parse_identity_notification(parse_body(orjson.dumps(IDENTIFIED)).data).order_no == "ORDER-1"
    assert parse_contract_event(parse_body(orjson.dumps(SIGNED)).data).contract_id == "C1"
