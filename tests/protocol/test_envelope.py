"""The platform's three envelopes: recognition, irregular types and timestamps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfq_async.protocol.envelope import Envelope, EnvelopeKind, parse_envelope, parse_timestamp

A, B, C = EnvelopeKind.API, EnvelopeKind.INTERNAL, EnvelopeKind.FRAMEWORK


def parse(data: object) -> Envelope | None:
    """Parse the JSON of ``data``."""
    return parse_envelope(orjson.dumps(data))


@pytest.mark.parametrize(
    ("data", "kind", "code", "ok"),
    [
        ({"code": 10000, "message": "成功", "result": {}, "timestamp": 1716430000000}, A, 10000, True),
        ({"code": "10000", "message": "成功", "result": None, "timestamp": 1716430000}, A, 10000, True),
        ({"code": 10000}, A, 10000, True),
        ({"code": "27", "message": "in deserunt"}, A, 27, False),
        ({"code": None, "message": "x"}, A, None, False),
        ({"code": 200}, A, 200, False),
        ({"code": 0}, A, 0, False),
        ({"code": -1}, A, -1, False),
        ({"code": "000000000000010000"}, A, 10000, True),
        ({"code": "999999999999999999"}, A, 999999999999999999, False),
        ({"code": "0000100000"}, A, 100000, False),
        ({"code": 10000, "status": 404, "path": "/a"}, A, 10000, True),
        ({"success": False, "message": "x", "code": 500, "result": None}, B, 500, False),
        ({"success": True, "message": "x", "code": 401}, B, 401, False),
        ({"success": True, "code": 200}, B, 200, False),
        ({"success": True, "code": 10000}, B, 10000, False),
        ({"success": None}, B, None, False),
        ({"success": True, "status": 404, "path": "/a"}, B, None, False),
        ({"timestamp": "2026-01-02 03:04:05", "status": 404, "error": "Not Found", "path": "/a"}, C, None, False),
        ({"status": 500, "path": "/a", "message": "x", "trace": "java…"}, C, None, False),
    ],
)
def test_kinds(data: dict[str, Any], kind: EnvelopeKind, code: int | None, ok: bool) -> None:  # noqa: FBT001
    """Each kind of envelope is recognised by its keys, and only the API's with 10000 is a success."""
    envelope = parse(data)
    assert envelope is not None
    assert (envelope.kind, envelope.code, envelope.ok) == (kind, code, ok)


@pytest.mark.parametrize(
    "data",
    [
        None,
        True,
        10000,
        "10000",
        [],
        [{"code": 10000}],
        {},
        {"message": "x"},
        {"status": 404},
        {"path": "/a"},
        {"code": True},
        {"code": 10000.0},
        {"code": "10000.0"},
        {"code": ""},
        {"code": " 10000"},
        {"code": "-10000"},
        {"code": "１００００"},
        {"code": "1" * 19},
        {"code": "1" * 5000},
        {"code": [10000]},
        {"code": {"value": 10000}},
        {"success": True, "code": "OK"},
    ],
)
def test_not_an_envelope(data: object) -> None:
    """JSON without the platform's keys, or with a code that is not an integer, is no envelope."""
    assert parse(data) is None


def test_code_beyond_64_bits() -> None:
    """A number beyond 64 bits is not rounded to a code."""
    assert parse_envelope(b'{"code":100000000000000000000000000000}') is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"{'code': 10000}", b"\xff", b"NaN"])
def test_not_json(body: bytes) -> None:
    """A body that is not JSON raises `orjson.JSONDecodeError`."""
    with pytest.raises(orjson.JSONDecodeError):
        parse_envelope(body)


def test_unknown_keys_are_kept() -> None:
    """Unknown keys are kept, beside message and result as received."""
    envelope = parse({"code": 27, "message": "no", "result": [1], "timestamp": "t", "traceId": "x", "cost": 3})
    assert envelope == Envelope(
        kind=A, code=27, message="no", result=[1], raw_timestamp="t", extra={"traceId": "x", "cost": 3}
    )


@pytest.mark.parametrize("message", [None, 5, ["x"], {"x": "y"}])
def test_message_of_a_wrong_type(message: object) -> None:
    """A message that is not text is ignored, and never converted to text."""
    envelope = parse({"code": 27, "message": message})
    assert envelope is not None
    assert envelope.message is None


REQUEST = '{"appAuthToken":"T0KEN001","operator":{"name":"张三"}}'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"success": False, "code": 500, "message": f"操作失败，{REQUEST}"}, "操作失败，"),
        ({"success": False, "code": "500", "message": f"操作失败，{REQUEST * 900}"}, "操作失败，"),
        ({"success": False, "code": 500, "message": "操作失败，appAuthToken=T0KEN001, name=张三}"}, "操作失败，"),
        ({"success": False, "code": 500, "message": REQUEST}, ""),
        ({"success": False, "code": 500, "message": "操作失败，null"}, "操作失败，null"),
        ({"success": True, "code": 401, "message": "登录 {0}"}, "登录 "),
        ({"status": 500, "path": "/a", "message": f"操作失败，{REQUEST}"}, "操作失败，"),
        ({"code": 500, "message": "{0}"}, "{0}"),
        ({"code": 31000, "message": "{0}"}, "{0}"),
    ],
)
def test_message_without_the_request(data: dict[str, Any], message: str) -> None:
    """The message of an unhandled failure ends where it begins to repeat the request; others are kept whole."""
    envelope = parse(data)
    assert envelope is not None
    assert envelope.message == message


def test_repr() -> None:
    """``repr`` shows kind, code and the names of unknown keys, and no personal data; nor does that of the result."""
    envelope = parse({"code": 27, "message": "13800138000", "result": {"authUrl": "https://h.example"}, "mobile": "1"})
    assert repr(envelope) == "Envelope(kind=<EnvelopeKind.API: 'A'>, code=27, message='***', extra=<mobile>)"
    assert envelope is not None
    assert repr((envelope.result, envelope.extra)) == "({'authUrl': '***'}, {'mobile': '***'})"
    assert envelope.result == {"authUrl": "https://h.example"}


MOMENT = datetime(2024, 5, 23, 2, 6, 40, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "moment"),
    [
        (1716430000, MOMENT),
        (1716430000000, MOMENT),
        ("1716430000", MOMENT),
        ("1716430000000", MOMENT),
        (" 1716430000000\n", MOMENT),
        (1716430000.5, datetime(2024, 5, 23, 2, 6, 40, 500000, tzinfo=UTC)),
        (1716430000123, datetime(2024, 5, 23, 2, 6, 40, 123000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("2024-05-23T02:06:40Z", MOMENT),
        ("2024-05-23T10:06:40+08:00", MOMENT),
        ("2024-05-23 10:06:40+08:00", MOMENT),
        ("2024-05-23 10:06:40", None),
        ("2024-05-23", None),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("１７１６４３００００", None),
        (10**18, None),
        ("9" * 5000, None),
        (1e300, None),
        (None, None),
        (True, None),
        ([], None),
        ({}, None),
    ],
)
def test_timestamps(raw: object, moment: datetime | None) -> None:
    """Seconds, milliseconds, their digits and ISO 8601 with a zone give an aware time; anything else gives ``None``."""
    assert parse_timestamp(raw) == moment
    assert Envelope(kind=A, code=10000, raw_timestamp=raw).timestamp == moment


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["10000", 10000, "27", "请勿频繁操作", "2026-01-02 03:04:05", 1716430000])
)
keys = st.sampled_from(["code", "success", "message", "result", "timestamp", "status", "path"]) | st.text(max_size=4)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=7), max_leaves=12
)


@given(documents)
def test_any_json(data: object) -> None:
    """Any JSON is an envelope with the declared types or none, and only the documented form is a success."""
    envelope = parse(data)
    success = isinstance(data, dict) and "success" not in data and str(data.get("code")).lstrip("0") == "10000"
    assert (envelope is not None and envelope.ok) == success
    if envelope is not None:
        assert envelope.code is None or type(envelope.code) is int
        assert envelope.message is None or isinstance(envelope.message, str)
        assert envelope.timestamp is None or envelope.timestamp.tzinfo is UTC
        assert not envelope.extra.keys() & {"message", "result", "timestamp"}


@given(st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_equal_timestamps(moment: datetime) -> None:
    """Seconds, milliseconds, their digits and ISO 8601 of one time are read alike."""
    moment = moment.replace(microsecond=0)
    seconds = int(moment.timestamp())
    for raw in (seconds, seconds * 1000, str(seconds), str(seconds * 1000), moment.isoformat()):
        assert parse_timestamp(raw) == moment
