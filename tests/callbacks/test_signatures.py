"""Signature verification: measured vectors, invalid input, and the bounds of freshness."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from kfq_async import CallbackRejected, CallbackVerifier, ContractEventVerifier, IdentityStatus
from kfq_async.protocol.signing import sign, string_to_sign
from senders import APP_ID, IDENTIFIED, NOW, PATH, SIGNED, make_body, private_key, signed_event_headers, signed_headers

PUBLIC_KEY = private_key().public_key()
BODY = make_body()
HEADERS = ("appId", "nonce", "timestamp", "sign")


def make_verifier(public_keys: Any = (PUBLIC_KEY,), **options: Any) -> CallbackVerifier:
    """Return a verifier whose clock shows the time at which the tests' notifications are signed."""
    return CallbackVerifier(public_keys, **{"app_id": APP_ID, "clock": lambda: NOW, **options})


def rejection_reason(body: bytes, headers: Any, path: Any = PATH, *, by: CallbackVerifier | None = None) -> str:
    """Return the reason for which a notification is rejected."""
    with pytest.raises(CallbackRejected) as caught:
        (by or make_verifier()).verify(body, headers, path)
    return caught.value.reason


def event_rejection_reason(body: bytes, headers: Any) -> str:
    """Return the reason for which a contract event is rejected."""
    with pytest.raises(CallbackRejected) as caught:
        ContractEventVerifier([PUBLIC_KEY]).verify(body, headers)
    return caught.value.reason


def test_valid_notification() -> None:
    """A notification with a valid signature, this application's id and a fresh timestamp is returned as a model."""
    notification = make_verifier().verify(BODY, signed_headers(BODY), PATH)
    assert notification.order_no == "ORDER-1"
    assert notification.order_status is IdentityStatus.IDENTIFIED


def test_measured_signatures(vectors: Any) -> None:
    """Signatures measured from the platform's code are valid, for any keys and characters of the body."""
    cases = [case for case in vectors["cases"] if case["body"] is not None]
    for case in cases:
        verifier = CallbackVerifier([vectors["publicKeySpki"]], app_id=case["appId"], tolerance=None)
        body, headers = case["body"].encode(), {name: case[name] for name in HEADERS}
        verifier.verify(body, headers, case["uri"])
        changed = body.replace(b"{", b'{"added":1,', 1)
        assert rejection_reason(changed, headers, case["uri"], by=verifier) == "bad_signature"
    assert len(cases) == 2


def test_worked_example() -> None:
    """The worked example of protocol section 5.4 has exactly this string to sign, and its signature is valid."""
    fields = {name: IDENTIFIED[name] for name in ("verifyTime", "userType", "unionId", "orderStatus", "orderNo")}
    body = make_body(fields | {"creditCode": "91110000MA01234567", "companyName": "某某科技有限公司", "bizType": 1})
    nonce = "n0nce~*-_. x"
    text = (
        "appId=APPID001&biz_content=K61wMZAjn%2Fl8NGlPQ8YksBgcrb4RIG2%2FPU8Hh5PrCmE%3D"
        "&nonce=n0nce~%2A-_.%20x&timestamp=1750000000000&uri=%2Fhooks%2Fkfq%2Fauth"
    )
    assert string_to_sign(APP_ID, body, nonce=nonce, timestamp="1750000000000", uri=PATH) == text
    headers = {
        "appId": APP_ID,
        "nonce": nonce,
        "timestamp": "1750000000000",
        "sign": sign(text.encode(), private_key()),
    }
    assert make_verifier().verify(body, headers, PATH).company_name == "某某科技有限公司"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.floats(-1e9, 1e9)))
def test_arbitrary_content(fields: dict[str, Any]) -> None:
    """A signature is valid for arbitrary keys and numbers in the body."""
    body = make_body(
        {f"x{name}": value for name, value in fields.items() if not (isinstance(value, int) and abs(value) >= 2**53)}
    )
    make_verifier().verify(body, signed_headers(body), PATH)


@pytest.mark.parametrize("size", [1024, 2048])
@pytest.mark.parametrize(
    "encode",
    [
        lambda public_key: public_key,
        lambda public_key: public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        lambda public_key: base64.b64encode(
            public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode(),
    ],
    ids=["loaded", "pem", "bare"],
)
def test_key_sizes_and_encodings(size: int, encode: Any) -> None:
    """Keys of 1024 bits (the platform's service key) and 2048 bits (developers') are accepted in every encoding."""
    key = private_key(size)
    verifier = make_verifier([encode(key.public_key())])
    assert verifier.verify(BODY, signed_headers(BODY, by=key), PATH).order_no == "ORDER-1"


@pytest.mark.parametrize("number", [0, 1])
def test_key_rotation(number: int) -> None:
    """During a key rotation both the old and the new key are accepted."""
    verifier = make_verifier([private_key().public_key(), private_key(number=1).public_key()])
    assert verifier.verify(BODY, signed_headers(BODY, by=private_key(number=number)), PATH).order_no == "ORDER-1"


def test_single_key() -> None:
    """A single key needs no list."""
    pem = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for given_key in (PUBLIC_KEY, pem, pem.decode()):
        make_verifier(given_key).verify(BODY, signed_headers(BODY), PATH)


@pytest.mark.parametrize("keys", [[], "no key", [b"no key"], [None]])
def test_invalid_keys(keys: Any) -> None:
    """An invalid key raises when it is configured, not when the first notification arrives."""
    with pytest.raises(ValueError, match="key"):
        make_verifier(keys)
    with pytest.raises(ValueError, match="key"):
        ContractEventVerifier(keys)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"app_id": ""}, "app_id"), ({"tolerance": -1}, "tolerance"), ({"tolerance": float("nan")}, "tolerance")],
)
def test_invalid_settings(options: dict[str, Any], problem: str) -> None:
    """An invalid setting raises an error that names it."""
    with pytest.raises(ValueError, match=f"^{problem} must"):
        make_verifier(**options)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_missing_header(name: str, value: str | None) -> None:
    """Each of the four headers is required and must not be blank."""
    headers = {key: sent for key, sent in {**signed_headers(BODY), name: value}.items() if sent is not None}
    assert rejection_reason(BODY, headers) == "header_missing"


@pytest.mark.parametrize("name", HEADERS)
def test_repeated_header(name: str) -> None:
    """None of the four headers may occur twice, in any case."""
    headers = signed_headers(BODY)
    assert rejection_reason(BODY, [*headers.items(), (name.upper(), headers[name])]) == "header_repeated"


@pytest.mark.parametrize(
    "container", [CIMultiDict, lambda headers: iter(headers.items())], ids=["multidict", "iterator"]
)
def test_header_containers(container: Any) -> None:
    """Headers may be a framework's multidict, or an iterator that can be read only once."""
    make_verifier().verify(BODY, container(signed_headers(BODY)), PATH)


def test_other_application() -> None:
    """A notification for another application is rejected even with a valid signature."""
    assert rejection_reason(BODY, signed_headers(BODY, app_id="APPID002")) == "wrong_app"


@pytest.mark.parametrize("timestamp", ["now", "1750000000000.0", "-1", "+1", "١٧٥", " 1750000000000", "1" * 20])
def test_malformed_timestamp(timestamp: str) -> None:
    """A timestamp that is not a decimal number of milliseconds is malformed, not stale."""
    assert rejection_reason(BODY, signed_headers(BODY, timestamp=timestamp)) == "timestamp_malformed"


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, True), (1, True), (299, True), (300, True), (300.001, False), (301, False), (1e9, False)]
)
def test_freshness(seconds: float, direction: int, fresh: bool) -> None:  # noqa: FBT001
    """A notification is fresh within 300 seconds of the clock in either direction, to the millisecond."""
    verifier = make_verifier(clock=lambda: NOW + direction * seconds)
    if fresh:
        verifier.verify(BODY, signed_headers(BODY), PATH)
    else:
        assert rejection_reason(BODY, signed_headers(BODY), by=verifier) == "stale"


@given(st.integers(1_000_000_000_000, 2_000_000_000_000))
def test_freshness_bound_is_exact(milliseconds: int) -> None:
    """At any time 300 000 ms are accepted and one more is not, although the clock is a float."""
    verifier = make_verifier(clock=lambda: (milliseconds + 300_000) / 1000)
    verifier.verify(BODY, signed_headers(BODY, timestamp=str(milliseconds)), PATH)
    assert rejection_reason(BODY, signed_headers(BODY, timestamp=str(milliseconds - 1)), by=verifier) == "stale"


def test_tolerance() -> None:
    """``tolerance`` sets the accepted difference in seconds."""
    verifier = make_verifier(clock=lambda: NOW + 11, tolerance=10)
    assert verifier.tolerance == 10
    assert rejection_reason(BODY, signed_headers(BODY), by=verifier) == "stale"


@pytest.mark.parametrize("timestamp", ["1", "2025-06-15 12:00:00"])
def test_tolerance_none(timestamp: str) -> None:
    """With ``tolerance=None`` the timestamp may be any text, but is still covered by the signature."""
    verifier = make_verifier(tolerance=None)
    verifier.verify(BODY, signed_headers(BODY, timestamp=timestamp), PATH)
    headers = {**signed_headers(BODY, timestamp=timestamp), "timestamp": "2"}
    assert rejection_reason(BODY, headers, by=verifier) == "bad_signature"


@pytest.mark.parametrize("signature", ["not base64", "====", "签名", "AAAA", sign(b"something else", private_key())])
def test_bad_signature(signature: str) -> None:
    """A signature that is malformed, or that of another message, is rejected."""
    assert rejection_reason(BODY, {**signed_headers(BODY), "sign": signature}) == "bad_signature"
    assert event_rejection_reason(make_body(SIGNED), {"sign": signature}) == "bad_signature"


def test_unknown_key() -> None:
    """A signature under a key that is not configured is rejected."""
    assert rejection_reason(BODY, signed_headers(BODY, by=private_key(number=1))) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [
        {"body": make_body(orderStatus=3)},
        {"path": "/hooks/kfq/other"},
        {"headers": {**signed_headers(BODY), "nonce": "nonce-2"}},
    ],
)
def test_signature_coverage(change: dict[str, Any]) -> None:
    """The signature covers body, path and nonce."""
    request = {"body": BODY, "headers": signed_headers(BODY), "path": PATH, **change}
    assert rejection_reason(request["body"], request["headers"], request["path"]) == "bad_signature"


@pytest.mark.parametrize("body", [b"", b"[1]", '{"name":"张三"}'.encode("gbk")])
def test_malformed_body(body: bytes) -> None:
    """A body that is not a JSON object in UTF-8 is malformed."""
    assert rejection_reason(body, signed_headers(BODY)) == "body_malformed"
    assert event_rejection_reason(body, signed_event_headers(body)) == "body_malformed"


def test_duplicate_keys() -> None:
    """The last of duplicate keys is both covered by the signature and returned."""
    body = b'{"orderNo":"A","orderStatus":3,"orderStatus":1}'
    assert make_verifier().verify(body, signed_headers(b'{"orderNo":"A","orderStatus":1}'), PATH).order_status == 1


def test_fields_are_checked_after_the_signature() -> None:
    """Errors in fields are disclosed only to a sender whose signature is valid."""
    body = make_body(orderNo=1)
    assert rejection_reason(body, signed_headers(body)) == "field_malformed"
    assert rejection_reason(body, signed_headers(BODY)) == "bad_signature"
    event = make_body(SIGNED, contractId=1)
    assert event_rejection_reason(event, signed_event_headers(event)) == "field_malformed"
    assert event_rejection_reason(event, signed_event_headers(BODY)) == "bad_signature"


@pytest.mark.parametrize(("public_path", "local_path"), [("/api", "/kfq"), (lambda path: f"/api{path}", "/kfq")])
def test_proxy_that_rewrites_the_path(public_path: Any, local_path: str) -> None:
    """The signature covers the public path, which ``public_path`` restores behind a proxy."""
    headers = signed_headers(BODY, path="/api/kfq")
    assert rejection_reason(BODY, headers, local_path) == "bad_signature"
    make_verifier(public_path=public_path).verify(BODY, headers, local_path)


def test_undecoded_path() -> None:
    """The signature covers the undecoded path, as text or bytes; a decoded path does not match."""
    headers = signed_headers(BODY, path="/hooks/a%2Fb")
    make_verifier().verify(BODY, headers, b"/hooks/a%2Fb")
    assert rejection_reason(BODY, headers, "/hooks/a/b") == "bad_signature"
    assert rejection_reason(BODY, headers, b"/hooks/\xff") == "unknown_path"


def test_valid_event() -> None:
    """A contract event with a valid signature over its raw bytes is returned as a model."""
    body = make_body(SIGNED)
    verifier = ContractEventVerifier([private_key(number=1).public_key(), PUBLIC_KEY])
    assert verifier.verify(body, signed_event_headers(body)).contract_id == "C1"


def test_event_as_a_java_program_sends_it() -> None:
    """The signature covers the bytes of the Chinese text, and headers beside it do not matter."""
    body = make_body({**SIGNED, "callbackType": "REFUSAL_SIGN", "reason": "条款不符"})
    headers = {"User-Agent": "Java/1.8.0_392", "Content-Type": "application/json", **signed_event_headers(body)}
    event = ContractEventVerifier(PUBLIC_KEY).verify(body, headers)
    assert (event.callback_type, event.reason) == ("REFUSAL_SIGN", "条款不符")
    assert "条款不符".encode() in body
    assert event_rejection_reason(body.replace("不".encode(), "可".encode()), headers) == "bad_signature"


def test_measured_event_signatures(vectors: Any) -> None:
    """Signatures over raw bytes, measured from the platform's code, are valid for those bytes only."""
    verifier = ContractEventVerifier(vectors["publicKeySpki"])
    cases = [case for case in vectors["cases"] if case["body"] is not None]
    for case in cases:
        headers = {"sign": case["signOverRawBody"]}
        with pytest.raises(CallbackRejected, match="a field is missing"):  # parsed after verification, but not an event
            verifier.verify(case["body"].encode(), headers)
        with pytest.raises(CallbackRejected, match="the signature is not valid"):
            verifier.verify(case["body"].encode() + b" ", headers)
    assert len(cases) == 2


def test_event_headers() -> None:
    """An event without a signature, or with two, is rejected."""
    body = make_body(SIGNED)
    assert event_rejection_reason(body, {}) == "header_missing"
    assert event_rejection_reason(body, [*signed_event_headers(body).items()] * 2) == "header_repeated"


def test_rejection_text_discloses_nothing() -> None:
    """The text of a rejection contains neither signature, nonce nor personal data."""
    headers = signed_headers(BODY, by=private_key(number=1))
    with pytest.raises(CallbackRejected) as caught:
        make_verifier().verify(BODY, headers, PATH)
    assert [
        part for part in (headers["sign"], headers["nonce"], "13800138000", "ORDER-1") if part in str(caught.value)
    ] == []
