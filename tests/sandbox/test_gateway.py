"""Calls of the open API in the platform's order: rate limit, JSON, token, fields, audit."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import orjson
import pytest

from kfq_async.sandbox.checks import HIDDEN_ERROR_PAGE, AuditedRefusal, Download, PlatformResponse, Refused, success
from kfq_async.sandbox.directory import Directory
from kfq_async.sandbox.fixtures import load_fixtures
from kfq_async.sandbox.gateway import MAX_WINDOWS, ApiCall, ApiOperation, ApiRequest, Gateway
from kfq_async.sandbox.quirks import QUIRKS
from kfq_async.sandbox.store import Store
from self_hosted import NOW_MS, OPERATOR, OTHER_TOKEN, STOPPED_TOKEN, TOKEN, Platform, fixtures_document

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMITED = ApiOperation(
    method="POST", path="/limited", shape={"word": str, "count": int}, handler=lambda _: success("done"), limited=True
)
TOO_FREQUENT_B = PlatformResponse(500, "请勿频繁操作", internal=True)
TOO_FREQUENT_A = PlatformResponse(999999, "请勿频繁操作")


def recording(calls: list[ApiCall], *, method: str = "POST") -> ApiOperation:
    """Return an operation that keeps its calls."""

    def handle(call: ApiCall) -> PlatformResponse:
        calls.append(call)
        return success(None)

    return ApiOperation(method=method, path="/recording", shape={"word": str, "count": int}, handler=handle)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"appAuthToken": None}, 40000),
        ({"appAuthToken": ""}, 40000),
        ({"appAuthToken": "NOSUCH99"}, 41000),
        ({"appAuthToken": 12345678}, 41000),
        ({"appAuthToken": "T" * 64}, 41000),
        ({"appAuthToken": STOPPED_TOKEN}, 42000),
        ({"appAuthToken": STOPPED_TOKEN.lower()}, 42000),
        ({"appAuthToken": TOKEN.lower()}, 10000),
        ({"appAuthToken": OTHER_TOKEN}, 10000),
    ],
)
def test_tokens(fields: dict[str, object], code: int) -> None:
    """A token is missing, unknown, disabled, or in order whatever its letter case."""
    for path in ("/recording", "/recording-get"):
        get = ApiOperation(method="GET", path="/recording-get", shape={}, handler=lambda _: success(None))
        assert Platform(extra=[recording([]), get]).call(path, fields).code == code


def test_token_that_is_too_long() -> None:
    """A token of more than 64 characters ends in the hidden error page."""
    assert Platform(extra=[recording([])]).call("/recording", {"appAuthToken": "T" * 65}) is HIDDEN_ERROR_PAGE


@pytest.mark.parametrize("body", [b"[1]", b"7", b'"x"', b"null", b"", b'{"a":', b"{", b"\xff"])
def test_no_json_object(body: bytes) -> None:
    """Anything but a JSON object is reported before the missing token."""
    assert Platform(extra=[recording([])]).call("/recording", body=body).code == 25000


def test_bytes_that_are_not_utf8() -> None:
    """Bytes that are not UTF-8 are replaced; of a key that stands twice the last one counts."""
    calls: list[ApiCall] = []
    body = b'{"appAuthToken":"NOSUCH99","appAuthToken":"%s","uniqueCode":"u","word":"\xb2\xe2"}' % TOKEN.encode()
    assert Platform(extra=[recording(calls)]).call("/recording", body=body).code == 10000
    assert calls[0].fields == {"word": "��"}


def test_compressed_body() -> None:
    """A compressed body is not understood."""
    response = Platform(extra=[recording([])]).call("/recording", compressed=True)
    assert (response.code, response.internal) == (500, True)


def test_call() -> None:
    """An operation gets its own fields, bound, and what the token and ``operatorAccount`` stand for."""
    calls: list[ApiCall] = []
    platform = Platform(extra=[recording(calls)])
    fields = {"appAuthToken": TOKEN.lower(), "operatorAccount": "erp-chen", "word": 7, "count": "3", "other": 1}
    assert platform.call("/recording", fields).code == 10000
    (call,) = calls
    assert call.fields == {"word": "7", "count": 3}
    assert (call.token, call.enterprise.name, call.developer.enabled) == (TOKEN, "东方示例有限公司", True)
    assert call.operator is not None
    assert call.operator.contact == OPERATOR
    assert (call.now_ms, call.origin) == (NOW_MS, "http://127.0.0.1:8899")
    assert "'word'" not in repr(call)
    platform.call("/recording", {"operatorAccount": "nobody"})
    assert calls[1].operator is None


def test_wrong_structure() -> None:
    """A wrong structure is envelope B with 500, whose message repeats the request, up to 65,000 characters."""
    platform = Platform(extra=[recording([])])
    response = platform.call("/recording", {"word": {"a": "secret"}})
    assert (response.code, response.internal) == (500, True)
    assert f'"appAuthToken":"{TOKEN}"' in response.message
    assert '"word":{"a":"secret"}' in response.message
    long = platform.call("/recording", {"word": ["x" * 100_000]})
    assert 65_000 < len(long.message) < 66_000
    assert platform.call("/recording", {"uniqueCode": {}}).code == 500
    assert platform.call("/recording", {"word": {}, "appAuthToken": "NOSUCH99"}).code == 41000


def test_strict() -> None:
    """Strictly, an unknown field or a mistyped value is refused with its path, after the token."""
    platform = Platform(strict=True, extra=[recording([])])
    response = platform.call("/recording", {"wrod": "x"})
    assert (response.code, response.internal) == (23000, False)
    assert "unknown key wrod @ $" in response.message
    assert "expected an integer, not a string @ $.count" in platform.call("/recording", {"count": "1"}).message
    assert platform.call("/recording", {"wrod": "x", "appAuthToken": "NOSUCH99"}).code == 41000
    calls: list[ApiCall] = []
    platform = Platform(strict=True, extra=[recording(calls, method="GET")])
    assert platform.call("/recording", {"count": "1"}).code == 10000
    assert calls[0].fields == {"count": 1}


@pytest.mark.parametrize(
    ("unique_code", "code"), [("u" * 255, 10000), ("", 10000), (7, 10000), ("u" * 256, 500), (None, 500)]
)
def test_unique_code(unique_code: object, code: int) -> None:
    """Without a ``uniqueCode`` that fits, the operation takes effect and is answered as an error."""
    calls: list[ApiCall] = []
    response = Platform(extra=[recording(calls)]).call("/recording", {"uniqueCode": unique_code})
    assert response.code == code
    assert response.internal == (code == 500)
    assert len(calls) == 1
    if code == 500:
        assert response.message.endswith("null")


def test_unique_code_of_an_error() -> None:
    """An error is reported as such without ``uniqueCode``."""

    def refuse(_: ApiCall) -> PlatformResponse:
        raise Refused(31000, "no")

    operation = ApiOperation(method="POST", path="/refused", shape={}, handler=refuse)
    assert Platform(extra=[operation]).call("/refused", {"uniqueCode": None}) == PlatformResponse(31000, "沙箱：no")


def test_unique_code_of_a_download() -> None:
    """A download is sent without ``uniqueCode``."""
    download = Download("a.pdf", b"%PDF-1.7")
    operation = ApiOperation(method="GET", path="/download", shape={}, handler=lambda _: download)
    request = ApiRequest(query={"appAuthToken": TOKEN}, address="192.0.2.1", now_ms=NOW_MS, origin="http://127.0.0.1")
    with closing(Store(None)) as store:
        directory = Directory(load_fixtures(fixtures_document()), store)
        gateway = Gateway(directory, strict=False, rate_limit_form="internal", quirks=frozenset(QUIRKS))
        assert gateway.respond(operation, request) is download


@pytest.mark.parametrize(
    ("fields", "hidden"),
    [
        ({"operatorAccount": "erp-chen"}, False),
        ({"operatorAccount": "nobody"}, False),
        ({}, True),
        ({"operatorAccount": "erp-chen", "uniqueCode": None}, True),
        ({"operatorAccount": "erp-chen", "uniqueCode": "u" * 256}, True),
    ],
)
@pytest.mark.parametrize("code", [None, 32000])
def test_audited_refusals(fields: dict[str, object], code: int | None, *, hidden: bool) -> None:
    """A refusal that is audited first is told only if the audit record can be written."""

    def refuse(_: ApiCall) -> PlatformResponse:
        raise AuditedRefusal("damaged", code)

    operation = ApiOperation(method="POST", path="/audited", shape={}, handler=refuse)
    response = Platform(extra=[operation]).call("/audited", fields)
    assert response == (HIDDEN_ERROR_PAGE if hidden else PlatformResponse(code, "沙箱：damaged"))


@pytest.mark.parametrize(
    ("form", "fields", "refusal"),
    [
        ("internal", {}, TOO_FREQUENT_B),
        ("internal", {"operatorAccount": "erp-chen"}, TOO_FREQUENT_B),
        ("api", {}, TOO_FREQUENT_A),
        ("hidden", {}, HIDDEN_ERROR_PAGE),
        ("hidden", {"operatorAccount": "nobody"}, TOO_FREQUENT_A),
    ],
)
def test_rate_limit(form: str, fields: Mapping[str, object], refusal: PlatformResponse) -> None:
    """Five calls a second run; the window is a fixed one that starts with the first of them."""
    platform = Platform(rate_limit_form=form, extra=[LIMITED])

    def codes(count: int) -> list[PlatformResponse]:
        return [platform.call("/limited", fields) for _ in range(count)]

    assert codes(1) == [success("done")]
    platform.now_ms += 900
    assert codes(6) == [success("done")] * 4 + [refusal] * 2
    platform.now_ms += 99
    assert codes(1) == [refusal]
    platform.now_ms += 1
    assert codes(6) == [success("done")] * 5 + [refusal]


def test_without_rate_limit() -> None:
    """A platform can be had without a limit."""
    platform = Platform(rate_limit_form="none", extra=[LIMITED])
    assert {platform.call("/limited").code for _ in range(20)} == {10000}


def test_rate_limit_by_client_and_path() -> None:
    """Each path and each client has a window of its own; other operations have none."""
    other = ApiOperation(method="POST", path="/other", shape={}, handler=lambda _: success(None), limited=True)
    platform = Platform(extra=[LIMITED, other, recording([])])
    assert [platform.call("/limited").code for _ in range(6)] == [10000] * 5 + [500]
    assert platform.call("/limited", address="192.0.2.2").code == 10000
    assert platform.call("/other").code == 10000
    assert {platform.call("/recording").code for _ in range(12)} == {10000}


@pytest.mark.parametrize(("form", "code"), [("internal", 500), ("api", 10000), ("hidden", 10000)])
def test_rate_limit_of_refused_credentials(form: str, code: int) -> None:
    """Refused credentials count in one packaging."""
    platform = Platform(rate_limit_form=form, extra=[LIMITED])
    for _ in range(5):
        assert platform.call("/limited", {"appAuthToken": "NOSUCH99"}).code == 41000
    assert platform.call("/limited").code == code


def test_windows_that_ended_are_dropped() -> None:
    """The number of windows stays bounded, and those that last keep counting."""
    platform = Platform(extra=[LIMITED])
    for number in range(MAX_WINDOWS):
        platform.call("/limited", address=f"192.0.2.{number}")
    platform.now_ms += 2000
    assert [platform.call("/limited").code for _ in range(6)] == [10000] * 5 + [500]
    assert len(platform.gateway._windows) == 1  # memory cannot be seen from outside


def test_get_parameters() -> None:
    """The fields of a GET are its parameters; a body is not read."""
    calls: list[ApiCall] = []
    platform = Platform(extra=[recording(calls, method="GET")])
    assert platform.call("/recording", {"word": "张三 +&=%", "count": 2}, body=orjson.dumps([])).code == 10000
    assert calls[0].fields == {"word": "张三 +&=%", "count": 2}
    assert platform.call("/recording", {"count": "x"}).code == 500
