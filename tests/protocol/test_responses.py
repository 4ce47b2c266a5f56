"""Parsing of responses: a success is an envelope, everything else is one error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async import CONTRACT_DRAFT, CONTRACT_TASKS, CORP_IDENT_LINK, Operation
from kfq_async.errors import (
    ApiError,
    BusinessError,
    ConnectionLost,
    CredentialsError,
    GatewayError,
    HiddenErrorPage,
    KfqError,
    NotFoundError,
    Phase,
    ServerError,
    TooFrequentError,
    UnexpectedResponse,
)
from kfq_async.protocol.envelope import Envelope
from kfq_async.protocol.responses import HttpResponse, read_response, retry_after

BASE_URL = "https://h.example/resrun-paas"
HTML = b"<!DOCTYPE html><html><body>index</body></html>"
DRAFT: Operation[Any, Any] = Operation("POST", "/contract/draft")


def read(
    body: object,
    status: int = 200,
    *,
    operation: Operation[Any, Any] = CORP_IDENT_LINK,
    base_url: str = BASE_URL,
    **headers: str,
) -> Envelope | KfqError:
    """Read a response; a body other than bytes is sent as JSON, and underscores in header names become hyphens."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    all_headers = {"Content-Type": "application/json;charset=UTF-8"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return read_response(HttpResponse(status, all_headers, content), operation, base_url)


def read_api_error(body: object, status: int = 200, **options: Any) -> ApiError:
    """Read a response that must give an `ApiError`."""
    error = read(body, status, **options)
    assert isinstance(error, ApiError)
    assert error.phase is Phase.ANSWERED
    assert error.http_status == status
    return error


@pytest.mark.parametrize("code", [10000, "10000"])
@pytest.mark.parametrize("status", [200, 201, 400, 429, 500, 502, 504])
def test_success(code: object, status: int) -> None:
    """A success is the API's envelope with code 10000, whatever the HTTP status."""
    envelope = read({"code": code, "message": "成功", "result": {"orderNo": "N1"}, "timestamp": 1716430000}, status)
    assert isinstance(envelope, Envelope)
    assert envelope.result == {"orderNo": "N1"}


@pytest.mark.parametrize(
    ("body", "status", "error", "code"),
    [
        ({"code": 31000, "message": "x", "result": None}, 200, BusinessError, 31000),
        ({"code": "41000", "message": "x"}, 200, CredentialsError, 41000),
        ({"code": None, "message": "x"}, 200, ApiError, None),
        ({"success": False, "code": 500, "message": "操作失败，null"}, 200, ServerError, 500),
        ({"success": True, "code": 401, "message": "x"}, 401, HiddenErrorPage, 401),
        ({"success": True, "code": 401, "message": "x"}, 200, HiddenErrorPage, 401),
        ({"success": False, "code": 405, "message": "x"}, 200, NotFoundError, 405),
        ({"success": True, "code": 200, "message": "x"}, 200, ApiError, 200),
        ({"status": 404, "error": "Not Found", "path": "/a"}, 404, NotFoundError, None),
        ({"status": 500, "error": "x", "path": "/a", "trace": "java.lang…"}, 500, ServerError, None),
        ({"success": False, "code": 500, "message": "请勿频繁操作"}, 200, TooFrequentError, 500),
        ({"code": 999999, "message": "请勿频繁操作"}, 200, TooFrequentError, 999999),
        ({"status": 500, "path": "/a", "message": "请勿频繁操作"}, 500, TooFrequentError, None),
        ({"code": 91000, "message": "x"}, 502, ServerError, 91000),
        ({"code": 31000, "message": "x"}, 503, BusinessError, 31000),
        ({"code": 40000, "message": "x"}, 504, CredentialsError, 40000),
    ],
)
def test_api_errors(body: dict[str, Any], status: int, error: type[ApiError], code: int | None) -> None:
    """An error in any envelope has the class of its meaning, whatever the HTTP status."""
    found = read_api_error(body, status)
    assert type(found) is error
    assert found.code == code
    assert found.message == body.get("message")
    assert found.envelope.extra.keys() == body.keys() - {"code", "message", "result", "timestamp"}


@pytest.mark.parametrize(
    ("operation", "status", "hinted"),
    [(CORP_IDENT_LINK, 404, True), (CORP_IDENT_LINK, 500, False), (DRAFT, 404, False)],
)
def test_hint_for_hosted_operations(operation: Operation[Any, Any], status: int, hinted: bool) -> None:  # noqa: FBT001
    """A 404 for an operation that only the hosted platform has says so."""
    error = read_api_error({"status": status, "error": "x", "path": "/a"}, status, operation=operation)
    assert ("self-hosted platform built from the open source does not have this operation" in str(error)) == hinted


@pytest.mark.parametrize(
    ("operation", "possible", "remedy"),
    [
        (CORP_IDENT_LINK, "this platform does not offer identification links", "use the hosted platform"),
        (Operation("POST", "/auth/person/ident/link"), "this platform does not offer identification links", "base_url"),
        (CONTRACT_DRAFT, "the rate limit, a token of more than 64 characters, or a fault", "set operator_account"),
        (CONTRACT_TASKS, "the operation does not exist on this platform", "check the path, and set operator_account"),
        (DRAFT, "its path is mistyped, the token has more than 64 characters", "check the path"),
    ],
)
def test_hidden_error_page(operation: Operation[Any, Any], possible: str, remedy: str) -> None:
    """The text says what the page can mean for the operation, what to do, and that the token was not refused."""
    body = {"success": True, "message": "应用Token失效，请重新授权!", "code": 401, "result": None, "timestamp": 1}
    error = read_api_error(body, 401, operation=operation)
    assert type(error) is HiddenErrorPage
    for part in ("401", "says nothing about the token", possible, remedy):
        assert part in str(error)


@pytest.mark.parametrize("kind", [{"success": False, "code": 500}, {"status": 500, "path": "/a"}])
def test_message_without_the_texts_sent(kind: dict[str, Any]) -> None:
    """The message of an unhandled failure ends where a text of the request begins."""
    content = orjson.dumps({**kind, "message": "操作失败，合同「采购合同」超长"})
    error = read_response(HttpResponse(200, {}, content), DRAFT, BASE_URL, lambda: ["T0KEN001", "采购合同"])
    assert isinstance(error, ServerError if "success" in kind else ApiError)
    assert (error.message, error.envelope.message) == ("操作失败，合同「",) * 2


def test_text_is_redacted() -> None:
    """The text shows known words of the message; ``message`` holds all of it, with a masked ``repr``."""
    message = "张三的手机号13800138000与your-operator不符"
    error = read_api_error({"code": 31000, "message": message})
    text = "the platform reported error 31000 (business failure) “…不符”, in full in error.message.raw"
    assert str(error) == text
    assert error.message == message
    assert repr(error.message) == "'***'"


@pytest.mark.parametrize("code", [31000, 91000])
def test_rate_limit_is_recognised_at_the_beginning(code: int) -> None:
    """The text of a rate limit is looked for in the first characters of a message of any length."""
    assert isinstance(read({"code": code, "message": "请勿频繁操作" + "x" * 5_000}), TooFrequentError)
    assert not isinstance(read({"code": code, "message": "x" * 5_000 + "请勿频繁操作"}), TooFrequentError)


def test_text_omits_the_stack_trace() -> None:
    """The framework's stack trace is kept in the envelope and never shown."""
    error = read_api_error({"status": 500, "path": "/a", "message": "x", "trace": "at com.example.Secret"}, 500)
    assert "Secret" not in f"{error} {error!r} {error.envelope!r}"
    assert error.envelope.extra["trace"] == "at com.example.Secret"


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("body", [HTML, b"", b"upstream timed out", b'{"error":"x"}', b"[]"])
def test_gateway_error(status: int, body: bytes) -> None:
    """A gateway's status without an envelope leaves open whether the platform acted."""
    error = read(body, status, Retry_After="7")
    assert isinstance(error, GatewayError)
    assert (error.http_status, error.retry_after, error.phase) == (status, 7.0, Phase.SENT)


@pytest.mark.parametrize("body", [HTML, b"", b"slow down"])
def test_429_without_an_envelope(body: bytes) -> None:
    """A proxy's rate limit counts as the platform's: not executed, to be retried later."""
    error = read(body, 429, Retry_After="7")
    assert isinstance(error, TooFrequentError)
    assert (error.code, error.message, error.retry_after) == (None, None, 7.0)
    assert error.phase is Phase.ANSWERED


def test_retry_after_of_an_api_error() -> None:
    """``Retry-After`` is read from a response with an envelope, too."""
    assert read_api_error({"code": 999999, "message": "x"}, Retry_After="3").retry_after == 3.0
    assert read_api_error({"code": 999999, "message": "x"}).retry_after is None


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://login.example/s?token=SECRET", "login.example"),
        ("https://user:SECRET@login.example/", "login.example"),
        ("/login?token=SECRET", "another path"),
        ("", "another path"),
        ("http://[SECRET", "an unreadable address"),
        (f"http://{'x' * 5_000}/", "x" * 253 + "…"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects(status: int, location: str, shown: str) -> None:
    """A redirect is not followed, and the error names only the host of its target."""
    error = read(HTML, status, Location=location)
    assert isinstance(error, UnexpectedResponse)
    assert error.phase is Phase.ANSWERED
    assert str(error).startswith(f"HTTP {status} redirects to {shown}; ")
    assert "SECRET" not in str(error)


def test_redirect_without_location() -> None:
    """A redirect without ``Location`` is reported as one."""
    assert "redirects to another path" in str(read(b"", 304))


@pytest.mark.parametrize(
    ("body", "status", "phase"),
    [
        (HTML, 200, Phase.SENT),
        (b"", 200, Phase.SENT),
        (b"null", 200, Phase.SENT),
        (b"[]", 200, Phase.SENT),
        (b"{}", 200, Phase.SENT),
        (b'{"message":"x"}', 200, Phase.SENT),
        (b'{"code":10000.0}', 200, Phase.SENT),
        (b'{"code":true}', 200, Phase.SENT),
        (b"{code:10000}", 200, Phase.SENT),
        (b'{"code":10000}{', 200, Phase.SENT),
        (b'{"code":10000,"message":"\xb3\xc9\xb9\xa6"}', 200, Phase.SENT),
        (b'{"code":10000,"message":"a\nb"}', 200, Phase.SENT),
        (b'\xef\xbb\xbf{"code":10000}', 200, Phase.SENT),
        (b'{"a":' * 100_000, 200, Phase.SENT),
        (b"[", 200, Phase.SENT),
        (b'{"code":100', 201, Phase.SENT),
        (HTML, 500, Phase.SENT),
        (b'{"code":100', 500, Phase.SENT),
        (HTML, 400, Phase.ANSWERED),
        (HTML, 401, Phase.ANSWERED),
        (HTML, 404, Phase.ANSWERED),
        (HTML, 405, Phase.ANSWERED),
        (HTML, 413, Phase.ANSWERED),
    ],
)
def test_unexpected_responses(body: bytes, status: int, phase: Phase) -> None:
    """Only a status that refuses, 4xx, proves that an unexpected response had no effect."""
    error = read(body, status)
    assert type(error) is UnexpectedResponse
    assert (error.http_status, error.phase) == (status, phase)
    assert f"HTTP {status} with {len(body)} bytes of application/json is not a response from the platform" in str(error)


@pytest.mark.parametrize(
    ("body", "base_url", "kind", "text"),
    [
        (
            HTML,
            "https://h.example",
            "text/html; charset=utf-8",
            f"with {len(HTML)} bytes of text/html is not a",
        ),
        (
            HTML,
            "https://h.example",
            "text/html",
            "lacks the context path, did you mean https://h.example/resrun-paas ?",
        ),
        (b"x", "https://h.example", "text/plain", "did you mean https://h.example/resrun-paas ?"),
        (HTML, BASE_URL, "text/html", "it is an HTML page, check base_url and any proxy in between"),
        (b"  \n<html>", BASE_URL, "text/html", "it is an HTML page"),
        (b"hello", BASE_URL, "", "HTTP 200 with 5 bytes of no content type is not a response from the platform"),
        (b"hello", BASE_URL, "a/b\x1b[2J", "5 bytes of an unreadable content type is not a response"),
        (b"hello", BASE_URL, "张三 13800138000", "5 bytes of an unreadable content type is not a response"),
        (b"hello", BASE_URL, "text/" + "x" * 61, "5 bytes of an unreadable content type is not a response"),
    ],
)
def test_text_of_an_unexpected_response(body: bytes, base_url: str, kind: str, text: str) -> None:
    """The text describes the response and names the setting that is the likely cause."""
    assert text in str(read(body, base_url=base_url, Content_Type=kind))


def test_response_without_content_type() -> None:
    """A response without ``Content-Type`` is described all the same."""
    error = read_response(HttpResponse(200, {}, b"x"), DRAFT, BASE_URL)
    assert "1 bytes of no content type" in str(error)


WHOLE = '{"code":10000,"message":"成功","result":{"orderNo":"\\u4e2dN1","n":[1.5e3,true,null]},"timestamp":1}'.encode()


@pytest.mark.parametrize("prefix", [b"", b" \r\n"])
def test_truncated_response(prefix: bytes) -> None:
    """A response that ends early, even within a character, is a lost connection."""
    assert isinstance(read(prefix + WHOLE), Envelope)
    for end in range(1, len(WHOLE)):
        error = read(prefix + WHOLE[:end])
        assert isinstance(error, ConnectionLost), WHOLE[:end]
        assert error.phase is Phase.SENT


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("120", 120.0),
        ("9" * 400, 999_999_999.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Fri, 02 Jan 2026 11:05:05 +0800", 60.0),
        ("Fri, 02 Jan 2026 03:05:05 -0000", None),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("７", None),
        ("soon", None),
        ("Fri, 99 Foo 2026 03:04:05 GMT", None),
        ("Fri, 02 Jan 99999999999999999999 03:04:05 GMT", None),
        ("Fri, 02 Jan 2026 03:04:05 +99999999999999999999", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds and dates are read, dates by the response's own clock, and anything else is ignored."""
    assert retry_after({"Retry-After": value, "Date": format_datetime(NOW, usegmt=True)}) == seconds


@pytest.mark.parametrize("headers", [{}, {"Date": "Fri, 02 Jan 2026 03:04:05 GMT"}])
def test_no_retry_after(headers: dict[str, str]) -> None:
    """Without the header there is no value."""
    assert retry_after(headers) is None


def test_retry_after_date_without_date_header() -> None:
    """A date is ignored if the response has no ``Date``."""
    assert retry_after({"Retry-After": "Fri, 02 Jan 2026 03:04:05 GMT"}) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["code", "success", "message", "status", "path", "result"]), inner)
    ),
    max_leaves=8,
)
bodies = (
    st.binary(max_size=60) | json_values.map(orjson.dumps) | st.integers(0, len(WHOLE)).map(lambda end: WHOLE[:end])
)
header_values = st.text(max_size=30) | st.datetimes().map(format_datetime)
some_headers = st.dictionaries(
    st.sampled_from(["Content-Type", "Location", "Retry-After", "Date"]), header_values, max_size=4
)


@given(
    body=bodies, status=st.integers(100, 599), headers=some_headers, base_url=st.sampled_from([BASE_URL, "http://h"])
)
def test_any_response(body: bytes, status: int, headers: dict[str, str], base_url: str) -> None:
    """Any response is either a success or exactly one error with a phase and a text."""
    outcome = read_response(HttpResponse(status, headers, body), CORP_IDENT_LINK, base_url)
    if isinstance(outcome, Envelope):
        assert outcome.ok
    else:
        assert outcome.phase in {Phase.SENT, Phase.ANSWERED}
        assert str(outcome).isprintable()
        assert not isinstance(outcome, UnexpectedResponse) or (outcome.phase is Phase.ANSWERED) == (300 <= status < 500)
