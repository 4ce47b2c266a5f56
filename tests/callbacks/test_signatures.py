"""The platform's signatures: measured vectors, bad input, and the bounds of freshness."""

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
from senders import APP_ID, IDENTIFIED, NOW, PATH, SIGNED, body_of, event_signed, key, signed

PUBLIC = key().public_key()
BODY = body_of()
HEADERS = ("appId", "nonce", "timestamp", "sign")


def verifier(public_keys: Any = (PUBLIC,), **options: Any) -> CallbackVerifier:
    """Make a verifier whose clock shows the moment at which the tests' notifications are signed."""
    return CallbackVerifier(public_keys, **{"app_id": APP_ID, "clock": lambda: NOW, **options})


def reason_of(body: bytes, headers: Any, path: Any = PATH, *, by: CallbackVerifier | None = None) -> str:
    """Return why a notification is refused."""
    with pytest.raises(CallbackRejected) as caught:
        (by or verifier()).verify(body, headers, path)
    return caught.value.reason


def event_reason_of(body: bytes, headers: Any) -> str:
    """Return why an event is refused."""
    with pytest.raises(CallbackRejected) as caught:
        ContractEventVerifier([PUBLIC]).verify(body, headers)
    return caught.value.reason


def test_an_identification() -> None:
    """A notification that is signed, addressed to this application and fresh is returned as a model."""
    notification = verifier().verify(BODY, signed(BODY), PATH)
    assert notification.order_no == "ORDER-1"
    assert notification.order_status is IdentityStatus.IDENTIFIED


def test_measured_signatures(vectors: Any) -> None:
    """Signatures measured from the platform's own code are accepted, whatever the body's keys and characters."""
    cases = [case for case in vectors["cases"] if case["body"] is not None]
    for case in cases:
        check = CallbackVerifier([vectors["publicKeySpki"]], app_id=case["appId"], tolerance=None)
        body, headers = case["body"].encode(), {name: case[name] for name in HEADERS}
        check.verify(body, headers, case["uri"])
        changed = body.replace(b"{", b'{"added":1,', 1)
        assert reason_of(changed, headers, case["uri"], by=check) == "bad_signature"
    assert len(cases) == 2


def test_the_worked_example() -> None:
    """The example of protocol section 5.4 signs exactly this text, and its signature is accepted."""
    fields = {name: IDENTIFIED[name] for name in ("verifyTime", "userType", "unionId", "orderStatus", "orderNo")}
    body = body_of(fields | {"creditCode": "91110000MA01234567", "companyName": "某某科技有限公司", "bizType": 1})
    nonce = "n0nce~*-_. x"
    text = (
        "appId=APPID001&biz_content=K61wMZAjn%2Fl8NGlPQ8YksBgcrb4RIG2%2FPU8Hh5PrCmE%3D"
        "&nonce=n0nce~%2A-_.%20x&timestamp=1750000000000&uri=%2Fhooks%2Fkfq%2Fauth"
    )
    assert string_to_sign(APP_ID, body, nonce=nonce, timestamp="1750000000000", uri=PATH) == text
    headers = {"appId": APP_ID, "nonce": nonce, "timestamp": "1750000000000", "sign": sign(text.encode(), key())}
    assert verifier().verify(body, headers, PATH).company_name == "某某科技有限公司"


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.floats(-1e9, 1e9)))
def test_any_content(fields: dict[str, Any]) -> None:
    """Whatever keys and numbers a notification carries, its signature is checked as it was made."""
    body = body_of(
        {f"x{name}": value for name, value in fields.items() if not (isinstance(value, int) and abs(value) >= 2**53)}
    )
    verifier().verify(body, signed(body), PATH)


@pytest.mark.parametrize("size", [1024, 2048])
@pytest.mark.parametrize(
    "form",
    [
        lambda to_public_path: to_public_path,
        lambda to_public_path: to_public_path.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        lambda to_public_path: base64.b64encode(
            to_public_path.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).decode(),
    ],
    ids=["loaded", "pem", "bare"],
)
def test_keys_of_both_sizes(size: int, form: Any) -> None:
    """The ecosystem's service key has 1024 bits and developers' have 2048; both are accepted in every form."""
    mine = key(size)
    check = verifier([form(mine.public_key())])
    assert check.verify(BODY, signed(BODY, by=mine), PATH).order_no == "ORDER-1"


@pytest.mark.parametrize("number", [0, 1])
def test_rotation_of_keys(number: int) -> None:
    """While a key is being changed, the old one and the new one are both accepted."""
    check = verifier([key().public_key(), key(number=1).public_key()])
    assert check.verify(BODY, signed(BODY, by=key(number=number)), PATH).order_no == "ORDER-1"


def test_one_key_without_a_list() -> None:
    """A single key may be given as it is."""
    pem = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for given_key in (PUBLIC, pem, pem.decode()):
        verifier(given_key).verify(BODY, signed(BODY), PATH)


@pytest.mark.parametrize("keys", [[], "no key", [b"no key"], [None]])
def test_unusable_keys(keys: Any) -> None:
    """A key that cannot verify is refused when it is configured, not when the first notification comes."""
    with pytest.raises(ValueError, match="key"):
        verifier(keys)
    with pytest.raises(ValueError, match="key"):
        ContractEventVerifier(keys)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"app_id": ""}, "app_id"), ({"tolerance": -1}, "tolerance"), ({"tolerance": float("nan")}, "tolerance")],
)
def test_unusable_settings(options: dict[str, Any], problem: str) -> None:
    """A setting that makes no sense is refused by its name."""
    with pytest.raises(ValueError, match=f"^{problem} must"):
        verifier(**options)


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_header(name: str, value: str | None) -> None:
    """Each of the four headers must be there and say something."""
    headers = {**signed(BODY), name: value}
    assert reason_of(BODY, {name: value for name, value in headers.items() if value is not None}) == "header_missing"


@pytest.mark.parametrize("name", HEADERS)
def test_a_repeated_header(name: str) -> None:
    """None of the four headers may occur twice, in whatever case."""
    headers = signed(BODY)
    assert reason_of(BODY, [*headers.items(), (name.upper(), headers[name])]) == "header_repeated"


@pytest.mark.parametrize("form", [CIMultiDict, lambda headers: iter(headers.items())], ids=["multidict", "iterator"])
def test_headers_in_any_form(form: Any) -> None:
    """Headers may be what the web framework has, even pairs that can be read only once."""
    verifier().verify(BODY, form(signed(BODY)), PATH)


def test_another_application() -> None:
    """A notification for another application is refused, although the signature is right."""
    assert reason_of(BODY, signed(BODY, app_id="APPID002")) == "wrong_app"


@pytest.mark.parametrize("timestamp", ["now", "1750000000000.0", "-1", "+1", "١٧٥", " 1750000000000", "1" * 20])
def test_a_timestamp_that_is_no_number(timestamp: str) -> None:
    """A timestamp that is not a plain number of milliseconds is malformed, not old."""
    assert reason_of(BODY, signed(BODY, timestamp=timestamp)) == "timestamp_malformed"


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize(
    ("seconds", "fresh"), [(0, True), (1, True), (299, True), (300, True), (300.001, False), (301, False), (1e9, False)]
)
def test_freshness(seconds: float, direction: int, fresh: bool) -> None:  # noqa: FBT001
    """A notification is fresh for 300 seconds to the millisecond, before and after."""
    check = verifier(clock=lambda: NOW + direction * seconds)
    if fresh:
        check.verify(BODY, signed(BODY), PATH)
    else:
        assert reason_of(BODY, signed(BODY), by=check) == "stale"


@given(st.integers(1_000_000_000_000, 2_000_000_000_000))
def test_the_bound_is_exact(milliseconds: int) -> None:
    """At any moment exactly 300 000 ms are accepted and one more is not, although the clock is a float."""
    check = verifier(clock=lambda: (milliseconds + 300_000) / 1000)
    check.verify(BODY, signed(BODY, timestamp=str(milliseconds)), PATH)
    assert reason_of(BODY, signed(BODY, timestamp=str(milliseconds - 1)), by=check) == "stale"


def test_tolerance() -> None:
    """The tolerance can be chosen, in seconds."""
    check = verifier(clock=lambda: NOW + 11, tolerance=10)
    assert check.tolerance == 10
    assert reason_of(BODY, signed(BODY), by=check) == "stale"


@pytest.mark.parametrize("timestamp", ["1", "2025-06-15 12:00:00"])
def test_without_freshness(timestamp: str) -> None:
    """With ``tolerance=None`` a timestamp is a signed text like any other, of any age and form."""
    check = verifier(tolerance=None)
    check.verify(BODY, signed(BODY, timestamp=timestamp), PATH)
    headers = {**signed(BODY, timestamp=timestamp), "timestamp": "2"}
    assert reason_of(BODY, headers, by=check) == "bad_signature"


@pytest.mark.parametrize("sent", ["not base64", "====", "签名", "AAAA", sign(b"something else", key())])
def test_a_bad_signature(sent: str) -> None:
    """What is no base64, no signature, or that of something else, is refused."""
    assert reason_of(BODY, {**signed(BODY), "sign": sent}) == "bad_signature"
    assert event_reason_of(body_of(SIGNED), {"sign": sent}) == "bad_signature"


def test_the_wrong_key() -> None:
    """A signature under a key that is not one's own is refused."""
    assert reason_of(BODY, signed(BODY, by=key(number=1))) == "bad_signature"


@pytest.mark.parametrize(
    "change",
    [{"body": body_of(orderStatus=3)}, {"path": "/hooks/kfq/other"}, {"headers": {**signed(BODY), "nonce": "nonce-2"}}],
)
def test_what_the_signature_covers(change: dict[str, Any]) -> None:
    """Body, path and nonce cannot be changed after signing."""
    sent = {"body": BODY, "headers": signed(BODY), "path": PATH, **change}
    assert reason_of(sent["body"], sent["headers"], sent["path"]) == "bad_signature"


@pytest.mark.parametrize("body", [b"", b"[1]", '{"name":"张三"}'.encode("gbk")])
def test_a_malformed_body(body: bytes) -> None:
    """A body that is no JSON object in UTF-8 is refused as such."""
    assert reason_of(body, signed(BODY)) == "body_malformed"
    assert event_reason_of(body, event_signed(body)) == "body_malformed"


def test_duplicate_keys() -> None:
    """Of duplicate keys the signature covers the last, and the last is what is read."""
    body = b'{"orderNo":"A","orderStatus":3,"orderStatus":1}'
    assert verifier().verify(body, signed(b'{"orderNo":"A","orderStatus":1}'), PATH).order_status == 1


def test_fields_are_read_after_the_signature() -> None:
    """Who did not sign learns nothing about fields."""
    body = body_of(orderNo=1)
    assert reason_of(body, signed(body)) == "field_malformed"
    assert reason_of(body, signed(BODY)) == "bad_signature"
    event = body_of(SIGNED, contractId=1)
    assert event_reason_of(event, event_signed(event)) == "field_malformed"
    assert event_reason_of(event, event_signed(BODY)) == "bad_signature"


@pytest.mark.parametrize(("public_path", "seen"), [("/api", "/kfq"), (lambda path: f"/api{path}", "/kfq")])
def test_behind_a_proxy_that_rewrites(public_path: Any, seen: str) -> None:
    """The signature covers the public path: a service that sees another must be told, and then it fits."""
    headers = signed(BODY, path="/api/kfq")
    assert reason_of(BODY, headers, seen) == "bad_signature"
    verifier(public_path=public_path).verify(BODY, headers, seen)


def test_the_undecoded_path() -> None:
    """The path is what travelled: decoded, the signature is not valid, and in bytes it does."""
    headers = signed(BODY, path="/hooks/a%2Fb")
    verifier().verify(BODY, headers, b"/hooks/a%2Fb")
    assert reason_of(BODY, headers, "/hooks/a/b") == "bad_signature"
    assert reason_of(BODY, headers, b"/hooks/\xff") == "unknown_path"


def test_an_event() -> None:
    """A contract event whose raw bytes are signed is returned as a model."""
    body = body_of(SIGNED)
    assert (
        ContractEventVerifier([key(number=1).public_key(), PUBLIC]).verify(body, event_signed(body)).contract_id == "C1"
    )


def test_measured_event_signatures(vectors: Any) -> None:
    """Signatures over raw bytes, measured from the platform's own code, are accepted, and only for those bytes."""
    check = ContractEventVerifier(vectors["publicKeySpki"])
    cases = [case for case in vectors["cases"] if case["body"] is not None]
    for case in cases:
        headers = {"sign": case["signOverRawBody"]}
        with pytest.raises(CallbackRejected, match="a field is missing"):  # they are no events, and read as such
            check.verify(case["body"].encode(), headers)
        with pytest.raises(CallbackRejected, match="the signature is not valid"):
            check.verify(case["body"].encode() + b" ", headers)
    assert len(cases) == 2


def test_an_event_needs_its_header() -> None:
    """An event without a signature, or with two, is refused."""
    body = body_of(SIGNED)
    assert event_reason_of(body, {}) == "header_missing"
    assert event_reason_of(body, [*event_signed(body).items()] * 2) == "header_repeated"


def test_refusals_say_no_secret() -> None:
    """The text of a refusal holds neither a signature nor a person's data."""
    headers = signed(BODY, by=key(number=1))
    with pytest.raises(CallbackRejected) as caught:
        verifier().verify(BODY, headers, PATH)
    assert [
        part for part in (headers["sign"], headers["nonce"], "13800138000", "ORDER-1") if part in str(caught.value)
    ] == []
